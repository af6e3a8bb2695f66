/* Between the store of keys (app/keystore.c) and its two kinds. */
#ifndef TOLLGATE_APP_KEYSTORE_INT_H
#define TOLLGATE_APP_KEYSTORE_INT_H

#include "app/keystore.h"

struct keystore_kind {
	void *(*open)(const struct keystore_setup *setup, struct fault *f);
	void (*close)(void *b);
	void (*find)(void *b, const char *hash, keystore_text_fn *fn,
	    void *arg);
	void (*get)(void *b, const char *name, keystore_text_fn *fn,
	    void *arg);
	void (*list)(void *b, keystore_text_fn *fn, void *arg);
	void (*change)(void *b, const struct keystore_change *c,
	    keystore_done_fn *fn, void *arg);
};

extern const struct keystore_kind keystore_redis, keystore_sqlite;

#endif
