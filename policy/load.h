/*
 * Between the steps of a load: text → nodes (yaml.c) → source (read.c) →
 * struct policy (check_provider.c, check.c). Private to the loader.
 */
#ifndef TOLLGATE_POLICY_LOAD_H
#define TOLLGATE_POLICY_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/diag.h"
#include "policy/policy.h"
#include "policy/yaml.h"

struct field;
struct shape;
struct vault;

struct rows {
	void *items;
	size_t count;
};

/* What every step needs. */
struct load {
	const struct policy_env *env;
	struct diag *diag;
	struct arena *arena;   /* the policy's own */
	struct vault *vault;   /* the policy's secrets */
	struct vault *scratch; /* goes when the load is over */
	bool outside;	       /* may look at files and environment */
	struct rows benchmarks; /* const char *: the catalog's, when asked for */
	struct budget_list *budgets;
	struct unpriced *unpriced;
};

/* How every row of a list or map begins. */
struct row {
	const struct node *node;
	const char *name; /* its key in a map, NULL in a list */
};

/* A list of budgets of the policy whose zones are to be loaded. */
struct budget_list {
	struct budget_list *next;
	struct budget *list;
	size_t count;
};

/* A target without a price that is named in full, and where. */
struct unpriced {
	struct unpriced *next;
	const struct node *node;
	const struct provider *provider;
	const char *id;
};

struct src_money {
	int64_t amount; /* n$ */
	int span;	/* enum budget_span */
	bool read;	/* false: none was understood */
};

struct src_budget {
	struct row row;
	struct src_money limit;
	unsigned warn[BUDGET_WARNINGS];
	bool soft;
	const char *zone; /* NULL: not given */
};

#define BUDGETS_MAX 8 /* in one place */

struct src_limits {
	int64_t rpm, tpm, parallel; /* UNSET */
	struct rows budgets;	    /* struct src_budget */
};

/* Limits in a map of their own, by name or alone. */
struct src_pool {
	struct row row;
	struct src_limits limits;
};

struct src_auth {
	int scheme; /* enum auth_scheme */
	struct auth_form form;
	struct rows sign; /* const char * */
};

struct src_tier_price {
	struct row row;
	struct price_tier tier;
};

struct src_price {
	struct price price;
	struct rows tiers; /* struct src_tier_price */
};

struct src_measure {
	struct row row; /* its name is that of a unit */
	const char *at;
	int64_t at_most;
};

struct src_passage {
	struct row row;
	const char *path;
	unsigned methods;
	struct src_price price;
	struct rows units; /* struct src_measure */
};

struct src_provider {
	struct row row;
	struct src_auth auth;
	struct provider p;   /* headers are set from the rows below */
	struct rows headers; /* struct header */
	struct rows passages; /* struct src_passage */
	int64_t margin;
	struct src_limits limits;
};

/* A name, a number, and where they stand. */
struct src_score {
	const struct node *node;
	const char *name;
	double value;
};

struct src_target {
	struct row row;
	const char *target, *provider, *model;
	int64_t weight, context; /* weight 0: not asked for */
	struct src_price price;
	struct rows scores; /* struct src_score */
};

/* A time, or a quantile of what was measured, in per cent. */
struct src_delay {
	int64_t time;
	unsigned quantile; /* 0: time */
};

struct src_hedge {
	struct src_delay after;
	int64_t share, money;
	bool tools;
};

#define CONTEXT_AUTO INT64_C(0)
#define CONTEXT_NONE INT64_C(-2)
#define CAPS_NONE (1 << 30) /* a bit beside CAP_* */

struct src_require {
	struct rows benchmarks, scores; /* struct src_score */
	int64_t context;
	unsigned caps;
};

struct src_fallbacks {
	struct rows lists[FALLBACK_KINDS]; /* struct src_target */
};

struct src_model {
	struct row row;
	struct rows targets; /* struct src_target */
	int strategy, sticky;
	struct src_fallbacks fallbacks;
	struct src_require require;
	struct src_hedge hedge;
	struct timeouts timeouts;
	int64_t attempts;
	bool strict;
	struct src_limits limits;
};

/* What a tier says for its keys, or a key for itself. */
struct src_grant {
	struct rows models;  /* const char * */
	struct rows passing; /* the same, of providers */
	unsigned may;	    /* MAY_* */
	const char *region; /* NULL: not given */
	int retention;	    /* 1: none */
	int64_t max_output; /* UNSET */
	struct src_limits limits;
	struct src_pool end_users;
};

#define KEY_MAX_OUTPUT 16000 /* tokens of an answer, where nothing is said */

struct src_key {
	struct row row;
	const char *name, *secret, *hash, *tier, *team, *user;
	struct rows tags; /* const char * */
	struct src_grant grant;
	int64_t expires;
};

struct src_tier {
	struct row row;
	struct src_grant grant;
	struct src_pool shared;
	struct limits limits, end_user; /* of grant, made once */
	bool named; /* a key of it names end users */
};

/* A name and patterns for its value. */
struct src_match {
	const struct node *node;
	const char *name;
	struct rows patterns; /* const char * */
};

struct src_when {
	struct rows keys, teams, tiers, users, tags, models,
	    endpoints; /* const char * */
	struct rows metadata, headers; /* struct src_match */
	bool stream;
	struct range input_tokens, output_tokens, budget_left;
	unsigned needs;
	const char *prompt;
	int prompt_part;
	int script; /* enum script_id + 1; 0: not given */
	int64_t script_share;
	struct hours hours;
};

struct src_rule {
	struct row row;
	const char *name, *use;
	struct src_when when;
};

struct src_admin {
	const char *path, *secret;
	bool apart;
};

struct source {
	const char *store, *log, *webhook, *timezone, *pepper;
	struct rows providers, models, rules, keys, tiers;
	struct rows teams, users, tags; /* struct src_pool */
	struct src_pool limits;
	struct src_admin admin;
	struct src_price default_price;
	struct timeouts timeouts;
	int64_t attempts, drain;
};

/* Values from nodes by the table; faults go to the diag (read.c). */
void read_policy(struct load *l, const struct node *root, struct source *s);

/*
 * One row of `keys:` at that node, by the same table; NULL: one that says
 * nothing (read.c).
 */
void read_key(struct load *l, const struct node *n, struct src_key *out);

/* Texts with a form of their own (value.c). NULL, or what is wrong. */
const char *value_name(const char *s);
const char *value_model(const char *s);
const char *value_target(const char *s);
const char *value_use(const char *s);
const char *value_pattern(const char *s);
const char *value_store(const char *s);
const char *value_log(const char *s);
const char *value_path(const char *s);
const char *value_zone(const char *s, bool outside);
const char *value_retention(const char *s);
const char *value_header_name(const char *s);
const char *value_header_seen(const char *s);
const char *value_text(const char *s);

/*
 * A provider with everything known of it from the catalog (check_provider.c).
 */
void check_providers(struct load *l, const struct source *s,
    struct policy *p);

/* The rows of `passthrough:` of a provider whose margin is set. */
void passages_make(struct load *l, const struct rows *rows,
    struct provider *p);

/* Providers as they stand in a key's list, against those of the policy. */
void check_passing(struct load *l, const struct policy *p,
    const struct rows *rows, const struct node *list);

/* Does this program have an adapter of that name (check_provider.c)? */
bool adapter_known(const struct policy_env *env, const char *name);

/*
 * An address of the catalog for this provider, its ${variables} filled in,
 * from the arena; NULL and said why at the node (NULL: in silence)
 * (address.c).
 */
const char *address_fill(struct load *l, const struct node *at,
    const struct provider *p, const char *from);

/*
 * Make p->variants for those of its models that are spoken to in another way
 * (variant.c); p is complete otherwise. own_url: the policy gives base_url.
 */
void variants_make(struct load *l, struct provider *p,
    const struct catalog_provider *row, bool own_url);

/* They have p's secrets: so its fingerprint is theirs. */
void variants_fingerprint(struct provider *p);

/* Every provider's fingerprint, when the pepper is there (fingerprint.c). */
void fingerprint_providers(struct load *l, struct policy *p);

/*
 * The provider as this model of its is spoken to: p itself or one of its
 * variants; NULL when this version cannot.
 */
const struct provider *variant_for(const struct provider *p,
    const struct catalog_model *m);

/*
 * Targets as they stand under a node, resolved into out (check_target.c). In
 * fallbacks, models of the policy may be named, whose targets are meant, but
 * not the model itself (own); own NULL: none may.
 */
void targets_make(struct load *l, struct policy *p, const struct rows *rows,
    const struct node *node, const struct model *own,
    struct target_list *out);

/*
 * A price of the policy as it stands at the node, its tiers in order
 * (check_target.c). out: what is known without it; where the node has only
 * service tiers, its rates stay.
 */
void price_make(struct load *l, const struct src_price *s,
    const struct node *n, struct price *out);

/*
 * Limits as they stand in a row, budgets in that zone (NULL: UTC) where they
 * name none (check_limits.c).
 */
void limits_make(struct load *l, const struct src_limits *s, const char *zone,
    struct limits *out);

/* Is any of them there? */
bool limits_set(const struct limits *l);

/* Each limit that is not there is that of the other. */
void limits_inherit(struct limits *to, const struct limits *other);

/* Those of all requests, and of names (check_limits.c). */
void check_pools(struct load *l, const struct source *s, struct policy *p);

/*
 * Will money be counted where a price is not known (check_limits.c)? Only
 * looked at when all is right.
 */
void check_priced(struct load *l, const struct source *s,
    const struct policy *p);

/* The policy's model of a name that has no '/', or NULL and said why. */
const struct model *check_alias(struct load *l, const struct policy *p,
    const struct node *n, const char *name);

/*
 * Models, rules and keys against providers and tiers (check.c, check_rule.c,
 * check_key.c). Between the two steps of models comes policy_index_names.
 */
void check_models(struct load *l, const struct source *s, struct policy *p);
void check_fallbacks(struct load *l, const struct source *s,
    struct policy *p);
void check_rules(struct load *l, const struct source *s, struct policy *p);
void check_keys(struct load *l, const struct source *s,
    const struct node *root, struct policy *p);

/* Patterns of models as they stand in a list, against the policy's names. */
void check_patterns(struct load *l, const struct policy *p,
    const struct rows *rows, const struct node *list);

/* The strings of a list, for as long as the policy lives (check_key.c). */
const char *const *keep_strings(struct load *l, const struct rows *rows);

/* The same, as the tags of a key that has none yet: each once. */
void keep_tags(struct load *l, const struct rows *rows, struct vkey *k);

/* The policy's indexes, of names and of targets (policy.c). False: memory. */
bool policy_index_names(struct policy *p);
bool policy_index_targets(struct policy *p);

/* What the catalog knows of a provider's model, by any name of the provider. */
bool policy_facts(const struct catalog *c, const struct provider *provider,
    const char *model, struct catalog_model *out);

/*
 * What a deployment costs: the price known of it, else the policy's default,
 * with the margin of its provider (policy.c).
 */
void policy_charge(const struct policy *p, struct deployment *d);

/* A new empty policy with one reference, or NULL (policy.c). */
struct policy *policy_new(void);
struct vault *policy_vault(struct policy *p);

/*
 * Have a thing ended with the policy. False when memory is short: it has been
 * ended then.
 */
bool policy_own(struct policy *p, void *thing, void (*end)(void *thing));

/*
 * policy_load of a text in memory that stands for a file of that name. It
 * looks at no file and no environment; secret references resolve to a
 * constant. For tests and fuzzing.
 */
struct policy *policy_load_text(const char *name, const char *text,
    size_t len, const struct policy_env *env, struct buf *out);

#endif
