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
struct zone; /* policy/zone.h */

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

/* ---- limits ---- */

/* How long money is counted before it begins anew. */
enum budget_span { /* the first ones as enum zone_span */
	BUDGET_HOUR,
	BUDGET_DAY,
	BUDGET_WEEK,
	BUDGET_MONTH,
	BUDGET_ONCE /* never: credit that is used up */
};

#define BUDGET_WARNINGS 4

struct budget {
	int64_t limit; /* n$ */
	enum budget_span span;
	const char *zone;      /* IANA, "" = UTC: whose hours, days … */
	const struct zone *tz; /* the same, loaded */
	bool soft;	       /* warns only, refuses nothing */
	unsigned warn[BUDGET_WARNINGS]; /* per cent, ascending, 0 = no more */
};

/* What may be asked for; 0 = no bound. */
struct limits {
	int64_t rpm, tpm;   /* requests and tokens in any 60 s */
	int64_t parallel;   /* requests at once */
	const struct budget *budgets;
	size_t budget_count;
};

/* Limits that all who carry a name share. */
struct pool_limits {
	const char *name;
	struct limits limits;
};

/* What becomes of a provider's answer whose client has left. */
enum on_abort {
	ABORT_LEAVE, /* the provider is left, too */
	ABORT_DRAIN  /* it bills all of it anyway: read to its end */
};

/* ---- what goes to a provider as it came ---- */

enum method {
	METHOD_GET = 1 << 0,
	METHOD_POST = 1 << 1,
	METHOD_PUT = 1 << 2,
	METHOD_PATCH = 1 << 3,
	METHOD_DELETE = 1 << 4
};

/* A number of an answer that is paid for. */
struct measure {
	enum unit unit;	 /* never UNIT_REQUEST */
	const char *at;	 /* where it stands: a JSON pointer (RFC 6901) */
	int64_t at_most; /* that is held, and paid where it is not told */
};

/* A row of `passthrough:`. */
struct passage {
	const char *path; /* a pattern (policy/passage.h) */
	unsigned methods; /* enum method, as bits */
	struct price price; /* with the provider's margin; not known: none */
	const struct measure *measures;
	size_t measure_count;
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
	const struct zone *tz;	  /* the same, loaded, of a row of the policy */
	/* Secrets of signed requests, "" when not given. */
	const char *credentials;  /* the document itself */
	const char *access_key, *secret_key, *session_token;
	struct limits limits;	  /* of all requests to it */
	unsigned margin;	  /* per cent: in its deployments' prices already */
	enum on_abort on_abort;	  /* when a client leaves */
	bool private_net;	  /* may be reached at private addresses */
	const struct header *headers;
	size_t header_count;
	const struct passage *passages;
	size_t passage_count;
	size_t index;		  /* 0.. in policy.providers */
	/*
	 * Of its secrets and where they go, keyed: changes when they do.
	 * 0 = not known (check_only).
	 */
	uint64_t fingerprint;
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

/* How well a model does at a task, as the policy states it. */
struct task_score {
	const char *task;
	double value;
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
	struct price price; /* with the provider's margin */
	uint32_t context, max_output; /* tokens, 0 = unknown */
	unsigned caps;		      /* CAP_*, 0 = unknown */
	const struct task_score *scores; /* of the policy */
	size_t score_count;
	bool unlisted; /* neither policy nor catalog know it: the client's word */
};

enum strategy {
	STRATEGY_FALLBACK,	 /* in order */
	STRATEGY_WEIGHTED,	 /* by lot */
	STRATEGY_LEAST_BUSY,	 /* fewest requests under way */
	STRATEGY_LOWEST_LATENCY, /* least learned TTFT */
	STRATEGY_CHEAPEST,	 /* least expected price of this request */
	STRATEGY_RACE		 /* in order, with a hedge */
};

/* What makes requests go to the same deployment again. */
enum sticky {
	STICKY_NOT,
	STICKY_KEY,
	STICKY_USER,   /* end user, else the key */
	STICKY_SESSION /* header x-tollgate-session, else as USER */
};

/* Other targets after a failure of one kind; tried in order. */
enum fallback_kind {
	FALLBACK_GENERAL, /* behind the targets themselves */
	FALLBACK_CONTEXT, /* after FAIL_CONTEXT: context_window */
	FALLBACK_CONTENT, /* after FAIL_CONTENT: content_policy */
	FALLBACK_KINDS
};

struct target_list {
	struct deployment *list; /* wildcards resolved */
	size_t count;
};

/* A second attempt while the first has not said anything yet. */
struct hedge {
	int64_t after;	   /* µs, when quantile is 0 */
	unsigned quantile; /* 1..99: per cent of the first's learned TTFT */
	unsigned share;	   /* of requests that may be doubled, per cent */
	int64_t money;	   /* n$ that second attempts may cost an hour, 0 = no bound */
	bool tools;	   /* also requests with tools of the client */
};

/* A benchmark or a task and the least that a target must reach in it. */
struct demand {
	const char *name;
	double least;
	bool task; /* deployment.scores; else the catalog's benchmarks */
};

/* What a target must be able to do. */
struct require {
	const struct demand *demands;
	size_t demand_count;
	int64_t context; /* tokens, 0 = what the request needs */
	unsigned caps;	 /* CAP_*, beside what the request needs */
	bool any_context, any_caps; /* do not look at the request's needs */
};

/* What clients ask for. */
struct model {
	const char *name;
	enum strategy strategy;
	enum sticky sticky;
	struct deployment *targets; /* wildcards resolved */
	size_t target_count;
	struct target_list fallbacks[FALLBACK_KINDS];
	struct require require;
	struct hedge hedge;	  /* with STRATEGY_RACE */
	struct timeouts timeouts; /* defaults filled in */
	unsigned attempts;	  /* at most, 1.. */
	bool strict;		  /* refuse what the provider cannot take */
	struct limits limits;	  /* of all requests for it */
};

struct vkey {
	const char *name;
	unsigned char hash[KEY_HASH]; /* HMAC of the secret under the pepper */
	const char *team, *user, *tier;
	const char *const *tags;
	size_t tag_count;
	const char *const *models;    /* patterns with '*'; none = all */
	size_t model_count;
	const char *const *passing;   /* patterns of providers that take what it
				       * sends as it is; none = none */
	size_t passing_count;
	int64_t expires;	      /* seconds since 1970, 0 = never */
	const char *region;	      /* where its requests may be processed, "" = anywhere */
	bool no_retention;	      /* only providers that keep nothing */
	unsigned may;		      /* MAY_* */
	struct limits limits;	      /* its own, each that it has none of: its tier's */
	struct limits end_user;	      /* of each end user that it names */
	int64_t max_output;	      /* tokens of an answer: the bound where the
				       * client sets none */
};

/* What a key may do beside asking. */
enum may {
	MAY_EXPLAIN = 1 << 0, /* see the plan of its requests */
	MAY_METRICS = 1 << 1, /* read /metrics */
	MAY_USER = 1 << 2     /* name the end user */
};

/* ---- rules: which model for which request ---- */

/* A number and what it is compared with: least <= n <= most. */
struct range {
	int64_t least, most; /* INT64_MIN, INT64_MAX = no bound */
	bool set;
};

/* A name and the patterns ('*') of which its value must match one. */
struct match {
	const char *name;	      /* of a metadata member or header */
	const char *const *patterns;
	size_t count;
};

struct strings {
	const char *const *list; /* NULL: no condition */
	size_t count;
};

/* The part of the prompt that a pattern looks at. */
enum prompt_part { PROMPT_LAST, PROMPT_SYSTEM, PROMPT_ALL, PROMPT_PARTS };

/*
 * A daily time, in minutes since midnight: from <= t < to, also over it, when
 * to < from.
 */
struct hours {
	const char *zone; /* IANA, "" = that of the policy */
	const struct zone *tz; /* the same, loaded */
	int from, to;	  /* 0..1440; from == to: the whole day */
	unsigned days;	  /* bit 0 = Sunday of the day that it began; 0 = all */
	bool set;
};

struct pattern; /* a compiled regular expression (policy/pattern.h) */
struct script;	/* whose letters are counted (policy/script.h) */

/* All that are set must hold. */
struct when {
	struct strings keys, teams, tiers, users, tags, models, endpoints;
	const struct match *metadata, *headers;
	size_t metadata_count, header_count;
	int stream; /* 1, 0, -1 = either */
	struct range input_tokens, output_tokens; /* estimated; asked for */
	struct range budget_left;		  /* per cent of the key's tightest budget */
	unsigned needs;				  /* CAP_*, all of them */
	const struct pattern *prompt;		  /* NULL = no condition */
	enum prompt_part prompt_part;		  /* of prompt and script */
	const struct script *script; /* of the same part; NULL = none */
	unsigned script_share;	     /* per cent of its letters, 1..100 */
	struct hours hours;
};

struct rule {
	const char *name; /* given, or "rule 3" */
	struct when when;
	const char *use;  /* a model or provider/model */
};

/* One file the policy came from, to see changes. */
struct policy_file {
	const char *path;
	int64_t mtime_ns, size;
	uint64_t inode;
};

/* Who may use the admin API, and where it is. */
struct admin_policy {
	const char *path; /* "/admin"; "": there is none */
	bool apart;	  /* only workers of its own answer there */
	unsigned char hash[KEY_HASH]; /* HMAC of its secret, as of a key's */
};

struct policy {
	struct provider *providers;
	size_t provider_count;
	struct model *models;
	size_t model_count;
	struct vkey *keys; /* ordered by hash */
	size_t key_count;
	const char **key_names;	  /* the same keys' names, in order */
	struct vkey *tier_keys;	  /* keys that say nothing but their tier: by
				   * name of the tier */
	size_t tier_key_count;
	bool peppered;		  /* false: the pepper is not known (check_only) */
	struct limits limits; /* of all requests */
	/* Of teams, users, tiers (all keys of one together) and tags: by name. */
	struct pool_limits *teams, *users, *tiers, *tags;
	size_t team_count, user_count, tier_count, tag_count;
	struct rule *rules; /* first match counts */
	size_t rule_count;
	struct price default_price; /* of what has none; not known: none */
	struct timeouts timeouts;   /* `timeouts:` of the file, for provider/model asked directly */
	unsigned attempts;
	const char *log;	    /* "stderr" or the path of the record file */
	const char *webhook;	    /* URL that is told of budgets, "" = none */
	int64_t drain;		    /* µs a stopping worker gives its streams */
	unsigned char pepper[PEPPER]; /* the HMAC key of struct vkey.hash */
	struct admin_policy admin;
	const char *store;	    /* address of the counters, checked */
	const char *timezone;	    /* IANA, of the windows */
	const struct zone *tz;	    /* the same, loaded; NULL = UTC */
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
	bool need_pepper; /* … but make the pepper where none is given */
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
 * The provider, or the first copy of it that some model needs, as one that is
 * spoken to in this dialect; NULL: it has nothing of the kind.
 */
const struct provider *provider_speaking(const struct provider *p,
    const char *adapter);

/*
 * The key whose hash is that of the secret, compared in constant time, or
 * NULL. Expiry is the caller's to check.
 */
const struct vkey *policy_key(const struct policy *p, const char *secret,
    size_t len);

/*
 * The same in two steps. False: what cannot be a key (too long, a wrong
 * check sum), or libcrypto failed.
 */
bool policy_hash(const struct policy *p, const char *secret, size_t len,
    unsigned char out[KEY_HASH]);
const struct vkey *policy_key_of(const struct policy *p,
    const unsigned char hash[KEY_HASH]);

/* Is there a key of that name? */
bool policy_has_key(const struct policy *p, const char *name);

/* The limits of that name, or NULL. */
const struct limits *pool_limits(const struct pool_limits *list, size_t count,
    const char *name);

/* Is money counted by these limits (NULL: by none)? */
bool limits_pay(const struct limits *l);

/*
 * Is money counted of this key's requests, whatever they ask for? end_user:
 * of those that name one.
 */
bool vkey_pays(const struct policy *p, const struct vkey *k, bool end_user);

/* The deployment of that id that some model has for a target, or NULL. */
const struct deployment *policy_target(const struct policy *p,
    const char *id);

/* May the key ask for this model (alias or provider/model)? */
bool vkey_allows(const struct vkey *k, const char *model);

/* May the key send requests to this provider as they are? */
bool vkey_passes(const struct vkey *k, const char *provider);

/*
 * A deployment "provider/model" that no alias names, filled from the catalog
 * into out, strings from the arena. When a model of the policy has the same
 * target, that one's price and context hold. False when the provider is not
 * in the policy or this version cannot speak to the model.
 */
bool policy_direct(const struct policy *p, const char *name,
    struct arena *a, struct deployment *out);

/*
 * What a deployment is known to reach in a demand's task (by the policy) or
 * benchmark (by the catalog, which may be NULL); NAN when nothing is known.
 */
double deployment_score(const struct catalog *c, const struct deployment *d,
    const struct demand *want);

/* Does the name match the pattern ('*' = any characters)? */
bool glob_match(const char *pattern, const char *name);

/* Reference (docs/policy.md) and JSON Schema, from the loader's own table. */
void policy_doc(struct buf *out);
void policy_schema(struct buf *out);

#endif
