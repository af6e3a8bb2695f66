/*
 * The table of the policy. Nothing is read here: a row says what a key is
 * called, what it takes, where it goes and what it means.
 */
#include "policy/schema_int.h"

#include <stdio.h>

#define N "[0-9]+(\\.[0-9]+)?"

static const struct type_words names[V_TYPES] = {
	[V_TEXT] = { "text", NULL, true },
	[V_NAME] = { "name", "^[A-Za-z0-9][A-Za-z0-9._:@+-]*$", true },
	[V_TARGET] = { "provider/model", "^[^/]+/.+$", false },
	[V_USE] = { "model or provider/model", NULL, false },
	[V_MODEL] = { "model name", NULL, false },
	[V_SECRET] = { "secret", "^((env|file|plain):.+|none)$", false },
	[V_ONCE] = { "secret", "^(env|file|plain):.+$", false },
	[V_DOCUMENT] = { "secret", "^(env|file|plain):.+$", false },
	[V_URL] = { "URL", "^https?://[^/?#]+", false },
	[V_STORE] = { "address", "^(embedded(:/.*)?|redis(s|\\+unix|"
		"\\+sentinel)?://.+)$", false },
	[V_LOG] = { "path", "^(stderr|/.+)$", false },
	[V_PATH] = { "path", "^/[A-Za-z0-9._~/-]+$", false },
	[V_ZONE] = { "time zone", "^[A-Za-z][A-Za-z0-9_+/-]*$", false },
	[V_RETENTION] = { "retention", "^(none|" N " *[a-z]+)$", false },
	[V_REGEX] = { "regular expression", NULL, false },
	[V_HASH] = { "hash", "^hmac-sha256:[0-9A-Fa-f]{64}$", false },
	[V_DURATION] = { "duration", "^(none|0|" N " *[a-z]+)$", true },
	[V_COUNT] = { "number", "^" N "[kKM]?$", true },
	[V_SHARE] = { "per cent", "^" N " *%$", false },
	[V_HOURLY] = { "USD / hour", "^" N " *USD */ *hour$", false },
	[V_RATE] = { "USD", "^" N "([eE][+-]?[0-9]+)?$", true },
	[V_DATE] = { "date", "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$", false },
	[V_BOOL] = { "true, false", NULL, false },
	[V_CHOICE] = { "word", NULL, false },
	[V_SET] = { "list of words", NULL, false },
	[V_DELAY] = { "duration or quantile", "^(p[1-9][0-9]?|0|" N
		" *[a-z]+)$", true },
	[V_BUDGET] = { "money a time", "^" N "([eE][+-]?[0-9]+)? *USD"
		"( */ *(hour|day|week|month)| +once)$", false },
	[V_PERCENTS] = { "per cent, one or a list", "^" N " *%$", false },
	[V_RANGE] = { "comparison", "^((<|>|<=|>=|=)? *" N "[kKM]?|"
		N "[kKM]? *\\.\\. *" N "[kKM]?)$", true },
	[V_SHARES] = { "comparison of per cent", "^((<|>|<=|>=|=)? *" N
		" *%|" N " *%? *\\.\\. *" N " *%)$", false },
	[V_HOURS] = { "times of day", "^[0-2][0-9]:[0-5][0-9] *- *"
		"[0-2][0-9]:[0-5][0-9]$", false },
	[V_STRINGS] = { "list of text", NULL, false },
	[V_PATTERNS] = { "list of patterns", NULL, false },
	[V_HEADERS] = { "map of text", NULL, false },
	[V_SCORES] = { "map of scores", NULL, false },
	[V_MATCHES] = { "map of text or lists of it", NULL, false },
	[V_STRUCT] = { "map", NULL, false },
	[V_LIST] = { "list", NULL, false },
	[V_MAP] = { "map by name", NULL, false },
	[V_LATER] = { "-", NULL, false },
};

const struct type_words *
type_words(enum value_type t)
{
	return &names[t];
}

void
shapes_gather(struct shapes *all, const struct shape *s)
{
	const struct field *f;
	size_t i;

	for (i = 0; i < all->count; i++)
		if (all->list[i] == s)
			return;
	if (all->count == SHAPES_MAX)
		return;
	all->list[all->count++] = s;
	for (f = s->fields; f->key != NULL; f++)
		if (f->shape != NULL)
			shapes_gather(all, f->shape);
}

const char *
field_bound(const struct field *f, int64_t v, char *out, size_t size)
{
	static const struct {
		enum value_type type;
		int64_t unit;
		const char *name;
	} units[] = { /* the largest that divides it */
		{ V_DURATION, HOUR, "h" },
		{ V_DURATION, US, "s" },
		{ V_DURATION, US / 1000, "ms" },
		{ V_DELAY, HOUR, "h" },
		{ V_SHARE, 1, " %" },
		{ V_COUNT, 1, "" },
	};
	char usd[32];
	size_t i;

	if (f->type == V_RATE || f->type == V_HOURLY) {
		price_format(v, usd, sizeof usd);
		snprintf(out, size, "%s USD%s", usd, f->type == V_HOURLY ?
		    " / hour" : "");
		return out;
	}
	for (i = 0; i < sizeof units / sizeof units[0] - 1; i++)
		if (units[i].type == f->type && v % units[i].unit == 0 &&
		    v > 0)
			break;
	if (v == 0 && f->type == V_DURATION)
		snprintf(out, size, "0");
	else
		snprintf(out, size, "%lld%s", (long long)(v / units[i].unit),
		    units[i].name);
	return out;
}

#define TIMEOUT(name, least, initial, words)                                 \
	{ .key = #name, .type = V_DURATION, AT(timeouts, name),              \
	  .min = least, .max = DAY, .preset = initial, .help = words }

static const struct field timeouts_fields[] = {
	TIMEOUT(connect, 1000, "2s",
	    "to look up the provider's name, connect and agree on TLS"),
	TIMEOUT(first_token, 0, "30s",
	    "from the request sent to the first content"),
	TIMEOUT(first_byte, 0, NULL,
	    "the same for an answer that is not streamed, to its first byte; "
	    "as `first_token` where that is given, else not limited"),
	TIMEOUT(idle, 0, "30s", "between two pieces of content"),
	TIMEOUT(bytes, 0, "30s",
	    "of silence on the wire, keep-alive marks included"),
	TIMEOUT(total, 0, "600s", "for all attempts of a request together"),
	END
};

const struct shape timeouts_shape = {
	.name = "timeouts",
	.title = "timeouts",
	.size = sizeof(struct timeouts),
	.fields = timeouts_fields,
	.help = "How long to wait for a provider. `none` waits for ever.",
	.example = "timeouts: { connect: 2s, first_token: 10s, total: 5m }\n",
};

static const struct word rights[] = {
	{ "none", 0, "" },
	{ "explain", MAY_EXPLAIN, "see how its requests are routed" },
	{ "metrics", MAY_METRICS, "read `/metrics`" },
	{ "user", MAY_USER, "name the end user of a request" },
	{ NULL, 0, NULL }
};

static const struct word retentions[] = {
	{ "none", 1, "" },
	{ NULL, 0, NULL }
};

#define GRANT(s, models_else, may_passing, may_else, other, output_else,     \
    limits_else)                                                             \
	{ .key = "models", .type = V_PATTERNS, AT(s, grant.models),          \
	  .max = 1000, .otherwise = models_else,                             \
	  .help = "names to ask for; `*` stands for any characters" },       \
	{ .key = "passthrough", .type = V_PATTERNS, AT(s, grant.passing),    \
	  .max = 100, .otherwise = may_passing,                              \
	  .help = "names of providers to which it may send requests of "     \
		  "their own API, as far as their `passthrough` has them; "  \
		  "`*` stands for any characters" },                         \
	{ .key = "may", .type = V_SET, AT(s, grant.may), .words = rights,    \
	  .otherwise = may_else, .help = "what is allowed beside asking" },  \
	{ .key = "region", .type = V_TEXT, AT(s, grant.region),              \
	  .max = TEXT_BYTES, .otherwise = other,                             \
	  .help = "where requests may be processed: by providers whose "     \
		  "`region` lies in this one; `eu` holds `europe-west4`, "   \
		  "`eu-central-1`, `swedencentral` and so on" },             \
	{ .key = "retention", .type = V_CHOICE, AT(s, grant.retention),      \
	  .words = retentions, .otherwise = other,                           \
	  .help = "`none`: only by providers whose `retention` is `none`" }, \
	{ .key = "max_output", .type = V_COUNT, AT(s, grant.max_output),     \
	  .min = 1, .max = 1000000000, .otherwise = output_else,             \
	  .help = "the bound on the tokens of an answer that is set where "  \
		  "the client sets none and money or tokens are limited: "   \
		  "so much is held until it is known what was used" },       \
	{ .key = "end_users", .type = V_STRUCT, AT(s, grant.end_users),      \
	  .shape = &limits_shape, .otherwise = limits_else,                  \
	  .help = "limits of each end user that the client names; it must "  \
		  "be allowed to: `may: [ user ]`" }

static const struct field key_fields[] = {
	{ .key = "name", .type = V_NAME, .flags = F_NEEDED,
	  AT(src_key, name), .max = NAME_MAX_BYTES,
	  .help = "what records call it" },
	{ .key = "secret", .type = V_ONCE, AT(src_key, secret),
	  .max = LIMIT_CREDENTIAL,
	  .help = "the key itself, by reference; only its hash is kept" },
	{ .key = "hash", .type = V_HASH, AT(src_key, hash),
	  .help = "or its HMAC-SHA-256 under the pepper: `hmac-sha256:` and 64 "
		  "hexadecimal digits" },
	{ .key = "tier", .type = V_NAME, AT(src_key, tier),
	  .max = NAME_MAX_BYTES, .help = "name of a row of `tiers`" },
	{ .key = "team", .type = V_NAME, AT(src_key, team),
	  .max = NAME_MAX_BYTES, .help = "who it belongs to" },
	{ .key = "user", .type = V_NAME, AT(src_key, user),
	  .max = NAME_MAX_BYTES, .help = "who uses it" },
	{ .key = "tags", .type = V_STRINGS, AT(src_key, tags), .max = 32,
	  .help = "marks for records and sums" },
	GRANT(src_key, "those of the tier, else all",
	    "those of the tier, else none", "that of the tier, else none", "that of the tier, else any",
	    "that of the tier, else 16k", "those of the tier, each for itself"),
	{ .key = "expires", .type = V_DATE, AT(src_key, expires),
	  .otherwise = "never",
	  .help = "from when on it is refused: RFC 3339; a date alone is its "
		  "first second, UTC" },
	LIMITS(src_key, grant.limits, "", "that of the tier"),
	END
};

static const struct shape key_shape = {
	.name = "key",
	.title = "keys",
	.size = sizeof(struct src_key),
	.fields = key_fields,
	.help = "Keys of clients. A key that begins with `tg_` must have a "
		"right check sum.",
	.example = "keys:\n"
		   "  - { name: shop, tier: pro, team: web, secret: "
		   "env:SHOP_KEY }\n"
		   "  - { name: lab, secret: file:/etc/tollgate/lab.key, "
		   "models: [ smart, openai/* ], expires: 2027-01-01 }\n",
};

static const struct field tier_fields[] = {
	GRANT(src_tier, "all", "none", "none", "any", "16k", "not bounded"),
	LIMITS(src_tier, grant.limits, ", of each key", "not bounded"),
	{ .key = "shared", .type = V_STRUCT, AT(src_tier, shared),
	  .shape = &limits_shape, .otherwise = "not bounded",
	  .help = "limits of all its keys together" },
	END
};

static const struct shape tier_shape = {
	.name = "tier",
	.title = "tiers",
	.size = sizeof(struct src_tier),
	.fields = tier_fields,
	.help = "What keys have in common, where they say nothing "
		"themselves.",
	.example = "tiers:\n"
		   "  free: { models: [ cheap ], region: eu }\n"
		   "  trial: { rpm: 20, tpm: 40k, parallel: 2, budget: [ 0.50 "
		   "USD / day, 5 USD / month ],\n"
		   "           shared: { budget: 100 USD / month } }\n"
		   "  pro: { models: [ \"*\" ], may: [ explain, user ],\n"
		   "         end_users: { rpm: 10, budget: 1 USD / day } }\n",
};

static const struct field admin_fields[] = {
	{ .key = "secret", .type = V_ONCE, .flags = F_NEEDED,
	  AT(src_admin, secret), .max = LIMIT_CREDENTIAL, .min = 16,
	  .help = "the credential, by reference; only its hash is kept" },
	{ .key = "path", .type = V_PATH, AT(src_admin, path), .max = 64,
	  .otherwise = "`/admin`",
	  .help = "where it is; the web server must hand it on" },
	{ .key = "apart", .type = V_BOOL, AT(src_admin, apart),
	  .preset = "false",
	  .help = "only a pool of its own, on a socket of its own, answers "
		  "there: `tollgate serve --admin`" },
	END
};

static const struct shape admin_shape = {
	.name = "admin API",
	.title = "admin",
	.size = sizeof(struct src_admin),
	.fields = admin_fields,
	.help = "Keys of the store and usage over HTTP, for whoever has this "
		"credential. No virtual key gets there.",
	.example = "admin: { secret: env:TOLLGATE_ADMIN }\n",
};

#define POOLS(name, words)                                                   \
	{ .key = #name, .type = V_MAP, AT(source, name), .max = 100000,      \
	  .shape = &limits_shape, .help = words }

static const struct field sections[] = {
	{ .key = "providers", .type = V_MAP, .flags = F_NEEDED,
	  AT(source, providers), .min = 1,
	  .max = 1000, .shape = &provider_shape,
	  .help = "accounts at providers" },
	{ .key = "models", .type = V_MAP, AT(source, models), .max = 100000,
	  .shape = &model_shape, .help = "what clients ask for" },
	{ .key = "rules", .type = V_LIST, AT(source, rules), .max = 1000,
	  .shape = &rule_shape, .help = "which model for which request" },
	{ .key = "tiers", .type = V_MAP, AT(source, tiers), .max = 1000,
	  .shape = &tier_shape, .help = "what keys have in common" },
	{ .key = "keys", .type = V_LIST, AT(source, keys), .max = 1000000,
	  .shape = &key_shape, .help = "keys of clients" },
	POOLS(teams, "limits of teams: all keys of one together"),
	POOLS(users, "limits of users, whatever keys they come with"),
	POOLS(tags, "limits of tags: all requests with one together"),
	{ .key = "limits", .type = V_STRUCT, AT(source, limits),
	  .shape = &limits_shape, .otherwise = "not bounded",
	  .help = "limits of all requests together" },
	{ .key = "default_price", .type = V_STRUCT, .flags = F_BARE,
	  AT(source, default_price), .shape = &price_shape,
	  .otherwise = "none: they are refused where money is limited",
	  .help = "what targets cost that have no price, neither here nor in "
		  "the catalog" },
	{ .key = "timeouts", .type = V_STRUCT, AT(source, timeouts),
	  .shape = &timeouts_shape,
	  .help = "how long to wait, where a model says nothing" },
	ATTEMPTS(source, "3", NULL),
	{ .key = "store", .type = V_STORE, AT(source, store), .max = 2048,
	  .preset = "embedded",
	  .help = "where counters live: `embedded`, `embedded:/dir`, "
		  "`redis://host:port/db`, `rediss://host:port/db`, "
		  "`redis+unix:///path.sock?db=0` or "
		  "`redis+sentinel://h1:p,h2:p/name/db`" },
	{ .key = "log", .type = V_LOG, AT(source, log), .max = 4096,
	  .preset = "stderr",
	  .help = "where records go: `stderr` or the path of a file" },
	{ .key = "webhook", .type = V_URL, AT(source, webhook), .max = 2048,
	  .otherwise = "none",
	  .help = "address that gets a JSON object by POST when a share of a "
		  "budget is used at which to warn" },
	{ .key = "drain", .type = V_DURATION, AT(source, drain), .min = 0,
	  .max = HOUR, .preset = "30s",
	  .help = "time that a stopping worker gives its streams" },
	{ .key = "pepper", .type = V_ONCE, AT(source, pepper), .max = 4096,
	  .min = 16, .otherwise = "a random one, made once in the state "
				  "directory",
	  .help = "the key under which keys of clients are hashed; hosts that "
		  "share keys share it" },
	{ .key = "admin", .type = V_STRUCT, AT(source, admin),
	  .shape = &admin_shape, .otherwise = "there is none",
	  .help = "keys and usage over HTTP" },
	{ .key = "timezone", .type = V_ZONE, AT(source, timezone),
	  .preset = "UTC",
	  .help = "whose days the windows follow (IANA name)" },
	LATER("cache", "answers kept for the next who asks"),
	LATER("retention", "how long things are kept"),
	END
};

const struct shape policy_shape = {
	.name = "policy",
	.title = "sections",
	.size = sizeof(struct source),
	.fields = sections,
	.help = "The sections of a policy.",
};
