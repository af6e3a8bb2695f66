/*
 * The policy as plain, checked, immutable structs. policy_load reads a file
 * or a directory of them, checks everything, resolves secrets and wildcards;
 * what it returns never changes and is shared by reference count: a request
 * takes one reference at its start and sees one version to its end.
 *
 * Single-threaded use (the loop); the count is not atomic.
 */
#ifndef TOLLGATE_POLICY_POLICY_H
#define TOLLGATE_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/buf.h"
#include "app/base/err.h"
#include "policy/catalog.h"
#include "policy/price.h"

struct arena;

#define KEY_HASH 32 /* bytes of HMAC-SHA-256 */
#define PEPPER 64   /* bytes of its key, padded with zeros as HMAC does */

/* A header that a provider gets with every request. */
struct header {
	const char *name, *value;
};

/* What a signature by HMAC covers. */
enum sign_part {
	SIGN_METHOD,
	SIGN_HOST,
	SIGN_PATH,	/* with its leading slash, as sent */
	SIGN_QUERY,	/* without the question mark, "" */
	SIGN_TIMESTAMP,
	SIGN_KEY_ID,
	SIGN_BODY,
	SIGN_BODY_HASH, /* its digest in lower-case hex */
	SIGN_PARTS
};
enum sign_hash { SIGN_SHA256, SIGN_SHA512 };
enum sign_encoding { SIGN_HEX, SIGN_BASE64 };
enum sign_separator { SEPARATE_NEWLINE, SEPARATE_NOT, SEPARATE_DOT, SEPARATE_COLON };
enum sign_stamp { STAMP_SECONDS, STAMP_MILLISECONDS, STAMP_ISO8601 };

/* The words for sign_part, NULL at the end. */
extern const char *const sign_words[];

#define SIGN_MAX 16 /* parts of what is signed */

/* What an auth scheme must know beside its secrets; "" = not given. */
struct auth_form {
	/* AUTH_HMAC */
	const char *header, *prefix;
	const char *key_id_header, *timestamp_header;
	int hash, encoding, stamp, separator; /* enum sign_… */
	unsigned char sign[SIGN_MAX];
	size_t sign_count;
	const char *service;	/* AUTH_SIGV4 */
	const char *scope, *token_url; /* AUTH_GOOGLE, AUTH_AZURE */
};

/*
 * An account at an upstream. Strings are "" when not given, never NULL.
 * Secrets are in memory excluded from core dumps and cleansed at the end.
 */
struct provider {
	const char *name;
	const char *adapter;	  /* name of a row of adapters.def */
	const char *base_url;	  /* http(s)://…, no slash at the end */
	const char *key;	  /* the secret itself, "" with key: none */
	const char *auth_header;  /* for AUTH_HEADER */
	enum auth_scheme auth;
	struct auth_form form;
	unsigned quirks;
	const char *organization, *project, *region, *api_version;
	const char *retention;	  /* "none", "days", … as stated */
	const char *timezone;	  /* IANA, "" = UTC */
	/* Secrets of signed requests, "" when not given. */
	const char *credentials;  /* the document itself */
	const char *access_key, *secret_key, *session_token;
	bool private_net;	  /* may be reached at private addresses */
	const struct header *headers;
	size_t header_count;
	size_t index;		  /* 0.. in policy.providers */
	const struct variant *variants; /* the loader's: for single models */
};

/* Microseconds; 0 = none. */
struct timeouts {
	int64_t connect;     /* name, TCP and TLS */
	int64_t first_token; /* sent → first content */
	int64_t first_byte;  /* the same for an answer that is not streamed */
	int64_t idle;	     /* between two content events */
	int64_t bytes;	     /* silence on the wire */
	int64_t total;	     /* all attempts together */
};

/* Where a request can go: a provider and its own name of a model. */
struct deployment {
	const char *id; /* "provider/model", unique in the policy */
	/*
	 * Not always one of policy.providers: where the catalog knows that this
	 * model is spoken to in another way, a copy with another adapter,
	 * address or quirks and the same name and index.
	 */
	const struct provider *provider;
	const char *model;
	unsigned weight; /* 1.. */
	struct price price;
	uint32_t context, max_output; /* tokens, 0 = unknown */
	unsigned caps;		      /* CAP_*, 0 = unknown */
};

enum strategy {
	STRATEGY_FALLBACK, /* in order */
	STRATEGY_WEIGHTED
};

/* What clients ask for. */
struct model {
	const char *name;
	enum strategy strategy;
	struct deployment *targets; /* wildcards resolved */
	size_t target_count;
	struct timeouts timeouts; /* defaults filled in */
	unsigned attempts;	  /* at most, 1.. */
	bool strict;		  /* refuse what the provider cannot take */
};

struct vkey {
	const char *name;
	unsigned char hash[KEY_HASH]; /* HMAC of the secret under the pepper */
	const char *team, *user, *tier;
	const char *const *tags;
	size_t tag_count;
	const char *const *models;    /* patterns with '*'; none = all */
	size_t model_count;
	int64_t expires;	      /* seconds since 1970, 0 = never */
};

/* One file the policy came from, to see changes. */
struct policy_file {
	const char *path;
	int64_t mtime_ns, size;
	uint64_t inode;
};

struct policy {
	struct provider *providers;
	size_t provider_count;
	struct model *models;
	size_t model_count;
	struct vkey *keys; /* ordered by hash */
	size_t key_count;
	struct timeouts timeouts;   /* `timeouts:` of the file, for provider/model asked directly */
	unsigned attempts;
	const char *log;	    /* "stderr" or the path of the record file */
	int64_t drain;		    /* µs a stopping worker gives its streams */
	unsigned char pepper[PEPPER]; /* the HMAC key of struct vkey.hash */
	const char *store;	    /* address of the counters, checked */
	const char *timezone;	    /* IANA, of the windows */
	const char *hash;	    /* hex SHA-256 of the source text: its version */
	const struct catalog *catalog;
	struct policy_file *files;
	size_t file_count;
	struct arena *arena;
	unsigned refs;
};

/* What the loader must know of the house above it. */
struct policy_env {
	const struct catalog *catalog;	  /* outlives every policy */
	const char *const *adapters;	  /* names, NULL at the end */
	const char *state_dir;		  /* holds the pepper when none is given */
	bool check_only; /* `tollgate check`: secrets need not be there (a warning) */
};

/*
 * Load path (file or directory: *.yaml, *.yml and *.json in order of name).
 * NULL when anything is wrong: out then holds one line a fault,
 * "file:line: path: message\n", all of them, not only the first. Warnings
 * ("file:line: path: warning: …") may stand there on success too. The result
 * has one reference.
 */
struct policy *policy_load(const char *path, const struct policy_env *env,
    struct buf *out);

struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p); /* NULL is fine */

/* Has a file of the policy (or the set of them) changed since the load? */
bool policy_changed(const struct policy *p, const char *path);

/* By name, NULL when there is none. */
const struct model *policy_model(const struct policy *p, const char *name);
const struct provider *policy_provider(const struct policy *p,
    const char *name, size_t len);

/*
 * The key whose hash is that of the secret, compared in constant time, or
 * NULL. Expiry is the caller's to check.
 */
const struct vkey *policy_key(const struct policy *p, const char *secret,
    size_t len);

/* May the key ask for this model (alias or provider/model)? */
bool vkey_allows(const struct vkey *k, const char *model);

/*
 * A deployment "provider/model" that no alias names, filled from the catalog
 * into out, strings from the arena. When a model of the policy has the same
 * target, that one's price and context hold. False when the provider is not
 * in the policy or this version cannot speak to the model.
 */
bool policy_direct(const struct policy *p, const char *name,
    struct arena *a, struct deployment *out);

/* Does the name match the pattern ('*' = any characters)? */
bool glob_match(const char *pattern, const char *name);

/* Reference (docs/policy.md) and JSON Schema, from the loader's own table. */
void policy_doc(struct buf *out);
void policy_schema(struct buf *out);

#endif
