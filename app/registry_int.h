/* Between the registry (app/registry.c) and its two stores. */
#ifndef TOLLGATE_APP_REGISTRY_INT_H
#define TOLLGATE_APP_REGISTRY_INT_H

#include "app/registry.h"

struct registry_kind {
	void *(*open)(const struct registry_setup *setup, struct fault *f);
	void (*close)(void *b);
	void (*put)(void *b, const struct registry_row *row, const char *was,
	    registry_fn *fn, void *arg);
	void (*get)(void *b, const char *id, registry_fn *fn, void *arg);
	void (*drop)(void *b, const char *id, const char *owner,
	    registry_fn *fn, void *arg);
	void (*list)(void *b, const char *owner, const char *after,
	    unsigned n, registry_fn *fn, void *arg);
	void (*due)(void *b, int64_t now, int64_t until, registry_fn *fn,
	    void *arg);
	void (*keep)(void *b, const char *id, unsigned n, const char *p,
	    size_t len, int64_t forget, registry_fn *fn, void *arg);
	void (*piece)(void *b, const char *id, unsigned n, registry_fn *fn,
	    void *arg);
	void (*lose)(void *b, const char *id, registry_fn *fn, void *arg);
};

extern const struct registry_kind registry_redis, registry_sqlite;

#endif
