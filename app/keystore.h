/*
 * Where keys that are made at run time live: in the store of the policy, for
 * all its hosts. A key is a record under its name, a text of app/keys.c, and
 * one row for each secret that is valid, under that secret's keyed hash: what
 * workers look up. Secrets themselves are nowhere.
 *
 *	Redis     tollgate:{keys}:names    hash: name → record
 *	          tollgate:{keys}:s:HASH   row; expires when its secret does
 *	embedded  the tables vkey and vkey_secret of ledger.db
 *
 * A change is one step: it is made when the record is still the one that was
 * read, else not at all. Two stores, one contract; single-threaded, on the
 * loop. Every answer comes once, maybe before the call returns.
 */
#ifndef TOLLGATE_APP_KEYSTORE_H
#define TOLLGATE_APP_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

struct keystore;

#define KEYSTORE_HASH 64 /* hex digits */

struct keystore_setup {
	uv_loop_t *loop;
	const char *store; /* of the policy; "" = embedded */
	const char *dir;   /* the state directory; NULL: none */
	bool make;	   /* make the file where there is none */
	int patience;	   /* ms for a Redis, 0 = STORE_COMMAND_MS */
};

/* NULL: the fault tells why. Opens nothing yet. */
struct keystore *keystore_open(const struct keystore_setup *setup,
    struct fault *f);

/* Questions under way are answered with ERR_KEYS first. NULL is fine. */
void keystore_close(struct keystore *ks);

/*
 * A text that was found, or NULL: there is none. ERR_KEYS: the store cannot
 * be asked; why is for the log.
 */
typedef void keystore_text_fn(void *arg, enum err e, const char *text,
    size_t len, const char *why);

/* The row of a secret, by 64 hex digits. */
void keystore_find(struct keystore *ks, const char *hash,
    keystore_text_fn *fn, void *arg);

/* The record of a name. */
void keystore_get(struct keystore *ks, const char *name, keystore_text_fn *fn,
    void *arg);

/* All records, in no order, one maybe twice; text NULL at the end. */
void keystore_list(struct keystore *ks, keystore_text_fn *fn, void *arg);

/* A secret that is valid from now on until then (s since 1970, 0 = always). */
struct keystore_secret {
	const char *hash;
	int64_t until;
};

struct keystore_change {
	const char *name;
	const char *was, *record; /* was "": there must be none */
	const char *row;	  /* of all its secrets */
	struct keystore_secret set[2];
	unsigned sets;
	const char *drop[2]; /* hashes that are no longer valid */
	unsigned drops;
};

/* ERR_CONFLICT: the record is another one. ERR_KEYS: it may have been made. */
typedef void keystore_done_fn(void *arg, enum err e, const char *why);
void keystore_change(struct keystore *ks, const struct keystore_change *c,
    keystore_done_fn *fn, void *arg);

#endif
