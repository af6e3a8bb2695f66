/* The table of adapters, from adapters.def. */
#include "adapters/adapter.h"

#include <string.h>

#define ADAPTER(name) extern const struct adapter adapter_##name;
#include "adapters/adapters.def"
#undef ADAPTER

static const struct adapter *const table[] = {
#define ADAPTER(name) &adapter_##name,
#include "adapters/adapters.def"
#undef ADAPTER
};

const char *const adapter_names[] = {
#define ADAPTER(name) #name,
#include "adapters/adapters.def"
#undef ADAPTER
	NULL
};

const struct adapter *
adapter_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
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
