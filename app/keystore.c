/* Keys in the store: which kind of store it is. */
#include <stdlib.h>
#include <string.h>

#include "app/keystore_int.h"

struct keystore {
	const struct keystore_kind *kind;
	void *b;
};

struct keystore *
keystore_open(const struct keystore_setup *setup, struct fault *f)
{
	struct keystore *ks = calloc(1, sizeof *ks);

	if (ks == NULL) {
		fault_set(f, ERR_KEYS, "store", "no memory");
		return NULL;
	}
	ks->kind = strncmp(setup->store, "redis", 5) == 0 ? &keystore_redis :
	    &keystore_sqlite;
	ks->b = ks->kind->open(setup, f);
	if (ks->b == NULL) {
		free(ks);
		return NULL;
	}
	return ks;
}

void
keystore_close(struct keystore *ks)
{
	if (ks == NULL)
		return;
	ks->kind->close(ks->b);
	free(ks);
}

void
keystore_find(struct keystore *ks, const char *hash, keystore_text_fn *fn,
    void *arg)
{
	ks->kind->find(ks->b, hash, fn, arg);
}

void
keystore_get(struct keystore *ks, const char *name, keystore_text_fn *fn,
    void *arg)
{
	ks->kind->get(ks->b, name, fn, arg);
}

void
keystore_list(struct keystore *ks, keystore_text_fn *fn, void *arg)
{
	ks->kind->list(ks->b, fn, arg);
}

void
keystore_change(struct keystore *ks, const struct keystore_change *c,
    keystore_done_fn *fn, void *arg)
{
	ks->kind->change(ks->b, c, fn, arg);
}
