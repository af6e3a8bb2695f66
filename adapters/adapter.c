/* The table of adapters, from adapters.def. */
#include "adapters/adapter.h"

#include <string.h>

#define ADAPTER(name) extern const struct adapter adapter_##name;
#define DOOR(door, dialect, name) extern const struct adapter adapter_##name;
#include "adapters/adapters.def"
#undef ADAPTER
#undef DOOR

static const struct adapter *const table[] = {
#define ADAPTER(name) &adapter_##name,
#define DOOR(door, dialect, name) &adapter_##name,
#include "adapters/adapters.def"
#undef ADAPTER
#undef DOOR
};

#define DOOR(door, dialect, name)

const char *const adapter_names[] = {
#define ADAPTER(name) #name,
#include "adapters/adapters.def"
#undef ADAPTER
	NULL
};

#undef DOOR
#define ADAPTER(name)

static const struct {
	const char *door, *dialect;
	const struct adapter *adapter;
} doors[] = {
#define DOOR(door, dialect, name)                                       \
	{ #door, #dialect, &adapter_##name },
#include "adapters/adapters.def"
#undef DOOR
};

#undef ADAPTER

const struct adapter *
adapter_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	return NULL;
}

const struct adapter *
adapter_for(const char *door, const char *dialect)
{
	size_t i;

	if (door == NULL)
		return adapter_find(dialect);
	for (i = 0; i < sizeof doors / sizeof doors[0]; i++)
		if (strcmp(doors[i].door, door) == 0 &&
		    strcmp(doors[i].dialect, dialect) == 0)
			return doors[i].adapter;
	return NULL;
}

static const char *const words[] = {
#define PARAM(name, word) word,
#include "adapters/params.def"
#undef PARAM
};

const char *
param_word(unsigned index)
{
	return index < PARAM_COUNT ? words[index] : NULL;
}
