/* The registry of what is kept: which kind of store it is. */
#include <stdlib.h>
#include <string.h>

#include "app/registry_int.h"

struct registry {
	const struct registry_kind *kind;
	void *b;
};

struct registry *
registry_open(const struct registry_setup *setup, struct fault *f)
{
	struct registry *rg = calloc(1, sizeof *rg);

	if (rg == NULL) {
		fault_set(f, ERR_KEPT, "store", "no memory");
		return NULL;
	}
	rg->kind = strncmp(setup->store, "redis", 5) == 0 ? &registry_redis :
	    &registry_sqlite;
	rg->b = rg->kind->open(setup, f);
	if (rg->b == NULL) {
		free(rg);
		return NULL;
	}
	return rg;
}

void
registry_close(struct registry *rg)
{
	if (rg == NULL)
		return;
	rg->kind->close(rg->b);
	free(rg);
}

void
registry_put(struct registry *rg, const struct registry_row *row,
    const char *was, registry_fn *fn, void *arg)
{
	if (strlen(row->text) > REGISTRY_TEXT)
		fn(arg, ERR_TOO_LARGE, NULL, 0, "a record over the bound");
	else
		rg->kind->put(rg->b, row, was, fn, arg);
}

void
registry_get(struct registry *rg, const char *id, registry_fn *fn, void *arg)
{
	rg->kind->get(rg->b, id, fn, arg);
}

void
registry_drop(struct registry *rg, const char *id, const char *owner,
    registry_fn *fn, void *arg)
{
	rg->kind->drop(rg->b, id, owner, fn, arg);
}

void
registry_list(struct registry *rg, const char *owner, const char *after,
    unsigned n, registry_fn *fn, void *arg)
{
	rg->kind->list(rg->b, owner, after, n < REGISTRY_PAGE + 1 ? n :
	    REGISTRY_PAGE + 1, fn, arg);
}

void
registry_due(struct registry *rg, int64_t now, int64_t until, registry_fn *fn,
    void *arg)
{
	rg->kind->due(rg->b, now, until, fn, arg);
}

void
registry_keep(struct registry *rg, const char *id, unsigned n, const char *p,
    size_t len, int64_t forget, registry_fn *fn, void *arg)
{
	rg->kind->keep(rg->b, id, n, p, len, forget, fn, arg);
}

void
registry_piece(struct registry *rg, const char *id, unsigned n,
    registry_fn *fn, void *arg)
{
	rg->kind->piece(rg->b, id, n, fn, arg);
}

void
registry_lose(struct registry *rg, const char *id, registry_fn *fn, void *arg)
{
	rg->kind->lose(rg->b, id, fn, arg);
}
