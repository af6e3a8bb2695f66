/*
 * Keys that are made at run time: what may be done with one. A key is made,
 * gets a new secret while the old one goes on for a grace time, gets other
 * settings, is revoked. A name that was used is never used again: what was
 * spent under it stays told apart.
 *
 * A secret is told once, when it is made; the store has its keyed hash, under
 * the policy's pepper.
 */
#ifndef TOLLGATE_APP_KEYS_H
#define TOLLGATE_APP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "app/base/hash.h"
#include "app/base/json.h"

struct arena;
struct keystore;
struct policy;

#define KEYS_GRACE INT64_C(86400)	   /* s, where none is given */
#define KEYS_GRACE_MAX (INT64_C(90) * 86400)

/* A key as the store has it. Times are s since 1970, 0 = never. */
struct key_record {
	const char *name;
	const char *row; /* its settings: JSON as a row of `keys:` */
	size_t row_len;
	char hash[HASH_HEX_SIZE], old[HASH_HEX_SIZE]; /* "" = none */
	int64_t until; /* the old secret is valid */
	int64_t made, rotated, changed, revoked;
};

/* The record of a text, parts from the arena. False: it is none. */
bool key_record_read(struct key_record *k, struct arena *a, const char *text,
    size_t len);

/* "active", "revoked", "expired" at that time (s since 1970). */
const char *key_record_state(const struct key_record *k, struct arena *a,
    int64_t now);

/* {"name", "state", "made", …, "settings"}: never a hash. */
void key_record_write(struct json_writer *w, const struct key_record *k,
    struct arena *a, int64_t now);

enum keys_verb {
	KEYS_CREATE, /* row: all settings, name among them */
	KEYS_ROTATE, /* grace */
	KEYS_SET,    /* row: members to set; null takes one away */
	KEYS_REVOKE
};

/* All of it lives until the answer. */
struct keys_ask {
	struct keystore *store;
	const struct policy *policy;
	struct arena *arena;
	enum keys_verb verb;
	const char *name; /* KEYS_CREATE: NULL, it is in the row */
	const char *row;
	size_t row_len;
	int64_t grace; /* s; 0: the old secret ends now */
};

struct keys_answer {
	/* ERR_NOT_FOUND, ERR_CONFLICT, ERR_BAD_REQUEST, ERR_KEYS, … */
	enum err err;
	const char *why;	  /* for people; lines, without the last '\n' */
	struct key_record key;	  /* as it is now */
	char secret[HASH_VKEY_SIZE]; /* of KEYS_CREATE, KEYS_ROTATE; else "" */
};

/* Called once, maybe before keys_do returns; it ends with the call. */
typedef void keys_fn(void *arg, const struct keys_answer *a);

void keys_do(const struct keys_ask *ask, keys_fn *fn, void *arg);

#endif
