/*
 * The table of the policy. Nothing is read here: a row says what a key is
 * called, what it takes, where it goes and what it means.
 */
#include "policy/schema.h"

#include <stdio.h>

#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/script.h"

#define US INT64_C(1000000)
#define MINUTE (60 * US)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define USD INT64_C(1000000000)
#define NAME_MAX_BYTES 64
#define TEXT_BYTES 256
#define MILLION_MAX (10000 * USD) /* sanity: USD per million of anything */
#define EACH_MAX (1000 * USD)	  /* sanity: USD for one of anything */

#define AT(s, member) .offset = offsetof(struct s, member)
#define LATER(name, words) { .key = name, .type = V_LATER, .help = words }
#define END { .key = NULL }

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

static const struct shape timeouts_shape = {
	.name = "timeouts",
	.title = "timeouts",
	.size = sizeof(struct timeouts),
	.fields = timeouts_fields,
	.help = "How long to wait for a provider. `none` waits for ever.",
	.example = "timeouts: { connect: 2s, first_token: 10s, total: 5m }\n",
};

#define RATE(base, name, unit, most, words)                                  \
	{ .key = name, .type = V_RATE,                                       \
	  .offset = base + sizeof(int64_t) * unit,                           \
	  .min = 0, .max = most, .help = words }
#define TOKEN_RATES(base)                                                    \
	RATE(base, "input", UNIT_INPUT, MILLION_MAX, "a million input "      \
	    "tokens"),                                                       \
	RATE(base, "output", UNIT_OUTPUT, MILLION_MAX, "a million output "   \
	    "tokens"),                                                       \
	RATE(base, "cached_input", UNIT_CACHED_INPUT, MILLION_MAX,           \
	    "a million input tokens read from the provider's cache"),        \
	RATE(base, "cache_write", UNIT_CACHE_WRITE, MILLION_MAX,             \
	    "a million input tokens written to it for five minutes"),        \
	RATE(base, "cache_write_1h", UNIT_CACHE_WRITE_1H, MILLION_MAX,       \
	    "the same for one hour"),                                        \
	RATE(base, "reasoning", UNIT_REASONING, MILLION_MAX,                 \
	    "a million output tokens of reasoning"),                         \
	RATE(base, "audio_input", UNIT_AUDIO_INPUT, MILLION_MAX,             \
	    "a million input tokens of sound"),                              \
	RATE(base, "audio_output", UNIT_AUDIO_OUTPUT, MILLION_MAX,           \
	    "a million output tokens of sound"),                             \
	RATE(base, "characters", UNIT_CHARACTERS, MILLION_MAX,               \
	    "a million characters of text made speech")

#define TIER_BASE                                                            \
	(offsetof(struct src_tier_price, tier) +                             \
	    offsetof(struct price_tier, rate))
#define PRICE_BASE                                                           \
	(offsetof(struct src_price, price) + offsetof(struct price, rate))

static const struct field tier_price_fields[] = {
	{ .key = "above", .type = V_COUNT, .flags = F_NEEDED,
	  .offset = offsetof(struct src_tier_price, tier) +
	      offsetof(struct price_tier, above),
	  .min = 1, .max = 1000000000,
	  .help = "holds for requests with more input tokens than this" },
	TOKEN_RATES(TIER_BASE),
	END
};

static const struct shape tier_price_shape = {
	.name = "price tier",
	.title = "price tiers",
	.size = sizeof(struct src_tier_price),
	.fields = tier_price_fields,
	.help = "Other rates for long requests.",
};

static const struct field price_fields[] = {
	TOKEN_RATES(PRICE_BASE),
	RATE(PRICE_BASE, "request", UNIT_REQUEST, EACH_MAX, "one request"),
	RATE(PRICE_BASE, "image", UNIT_IMAGE, EACH_MAX, "one image"),
	RATE(PRICE_BASE, "search", UNIT_SEARCH, EACH_MAX, "one search"),
	RATE(PRICE_BASE, "second", UNIT_SECOND, EACH_MAX,
	    "one second of sound or picture"),
	{ .key = "tiers", .type = V_LIST, .flags = F_ONE,
	  AT(src_price, tiers), .max = PRICE_TIERS,
	  .shape = &tier_price_shape,
	  .help = "rates that hold above a number of input tokens" },
	END
};

static const struct shape price_shape = {
	.name = "price",
	.title = "price",
	.size = sizeof(struct src_price),
	.fields = price_fields,
	.help = "What a model costs, in USD. Cached and written input that has "
		"no rate costs as input, reasoning as output, sound as text "
		"of its side; all else without a rate is free.",
	.example = "price: { input: 2.50, output: 15, cached_input: 0.25,\n"
		   "         tiers: [ { above: 200k, input: 5, output: 22.5 } "
		   "] }\n",
};

#define TARGET_FACTS                                                         \
	{ .key = "provider", .type = V_NAME, AT(src_target, provider),       \
	  .max = NAME_MAX_BYTES, .help = "name of a row of `providers`" },   \
	{ .key = "model", .type = V_MODEL, AT(src_target, model),            \
	  .help = "the provider's own name of the model; `*` stands for "    \
		  "any characters and is expanded over the catalog" },       \
	{ .key = "price", .type = V_STRUCT, .flags = F_BARE,                 \
	  AT(src_target, price), .shape = &price_shape,                      \
	  .otherwise = "that of the catalog", .help = "what it costs you" }, \
	{ .key = "context", .type = V_COUNT, AT(src_target, context),        \
	  .min = 1, .max = 1000000000, .otherwise = "that of the catalog",   \
	  .help = "its context window in tokens" },                          \
	{ .key = "scores", .type = V_SCORES, AT(src_target, scores),         \
	  .min = 1, .max = 64,                                               \
	  .help = "how well it does at tasks that you name, for "            \
		  "`require: { score: … }`" }

static const struct field target_fields[] = {
	{ .key = "target", .type = V_TARGET, AT(src_target, target),
	  .help = "provider and model in one word; a text in place of the map "
		  "is this" },
	TARGET_FACTS,
	{ .key = "weight", .type = V_COUNT, AT(src_target, weight), .min = 1,
	  .max = 10000, .preset = "1",
	  .help = "its share with `strategy: weighted`" },
	END
};

static const struct shape target_shape = {
	.name = "target",
	.title = "targets",
	.size = sizeof(struct src_target),
	.brief = "target",
	.fields = target_fields,
	.help = "Where a request can go.",
	.example = "- anthropic/claude-sonnet-4-5\n"
		   "- { provider: house, model: qwen3-32b, weight: 3, "
		   "scores: { triage: 81 } }\n"
		   "- openai/*mini*\n",
};

static const struct field fallback_fields[] = {
	{ .key = "target", .type = V_USE, AT(src_target, target),
	  .help = "provider and model in one word, or a row of `models`, "
		  "whose targets (not its fallbacks) are meant; a text in "
		  "place of the map is this" },
	TARGET_FACTS,
	END
};

static const struct shape fallback_shape = {
	.name = "fallback",
	.title = "fallback targets",
	.size = sizeof(struct src_target),
	.brief = "target",
	.fields = fallback_fields,
	.help = "Where a request can go when it could not be answered.",
};

#define FALLBACK(kind, name, words)                                          \
	{ .key = name, .type = V_LIST, .flags = F_ONE,                       \
	  .offset = offsetof(struct src_fallbacks, lists) +                  \
	      kind * sizeof(struct rows),                                    \
	  .min = 1, .max = LIMIT_POLICY_TARGETS, .shape = &fallback_shape,   \
	  .help = words }

static const struct field fallbacks_fields[] = {
	FALLBACK(FALLBACK_GENERAL, "general",
	    "behind the model's own targets, whatever the failure was"),
	FALLBACK(FALLBACK_CONTEXT, "context_window",
	    "when the request does not fit in a target's context window"),
	FALLBACK(FALLBACK_CONTENT, "content_policy",
	    "when a provider's filter refuses the request"),
	END
};

static const struct shape fallbacks_shape = {
	.name = "fallbacks",
	.title = "fallbacks",
	.size = sizeof(struct src_fallbacks),
	.fields = fallbacks_fields,
	.help = "Other targets, by kind of failure; tried in order.",
	.example = "fallbacks: { general: [ cheap ], "
		   "context_window: openai/gpt-4.1 }\n",
};

static const struct word contexts[] = {
	{ "auto", CONTEXT_AUTO, "what the request needs" },
	{ "none", CONTEXT_NONE, "any" },
	{ NULL, 0, NULL }
};

#define CAP_WORDS                                                            \
	{ "tools", CAP_TOOLS, "calls of tools" },                            \
	{ "reasoning", CAP_REASONING, "thinking before it answers" },        \
	{ "structured", CAP_STRUCTURED, "answers by a JSON Schema" },        \
	{ "images", CAP_IMAGE_IN, "pictures in the prompt" },                \
	{ "pdf", CAP_PDF_IN, "PDF files in it" },                            \
	{ "audio", CAP_AUDIO_IN, "sound in it" },                            \
	{ "video", CAP_VIDEO_IN, "films in it" },                            \
	{ "image_output", CAP_IMAGE_OUT, "pictures in the answer" },         \
	{ "audio_output", CAP_AUDIO_OUT, "sound in it" },                    \
	{ "video_output", CAP_VIDEO_OUT, "films in it" }

static const struct word required_caps[] = {
	{ "auto", 0, "what the request needs" },
	{ "none", CAPS_NONE, "not even that" },
	CAP_WORDS,
	{ NULL, 0, NULL }
};

static const struct field require_fields[] = {
	{ .key = "benchmark", .type = V_SCORES,
	  AT(src_require, benchmarks), .min = 1, .max = 16,
	  .help = "the least score in benchmarks that the catalog knows; a "
		  "target without one is left out" },
	{ .key = "score", .type = V_SCORES, AT(src_require, scores), .min = 1,
	  .max = 16,
	  .help = "the same for tasks, by the `scores` of targets" },
	{ .key = "context", .type = V_COUNT, AT(src_require, context),
	  .min = 1, .max = 1000000000, .words = contexts, .preset = "auto",
	  .help = "tokens that its context window must hold" },
	{ .key = "capabilities", .type = V_SET, AT(src_require, caps),
	  .words = required_caps, .preset = "auto",
	  .help = "what it must be able to do, beside what the request "
		  "needs" },
	END
};

static const struct shape require_shape = {
	.name = "require",
	.title = "require",
	.size = sizeof(struct src_require),
	.fields = require_fields,
	.help = "What a target must be able to do to be tried. With "
		"`strategy: cheapest` the cheapest that can is taken.",
	.example = "require: { benchmark: { \"SWE-Bench Verified\": 40 }, "
		   "capabilities: [ tools ] }\n",
};

static const struct field hedge_fields[] = {
	{ .key = "after", .type = V_DELAY, AT(src_hedge, after), .max = HOUR,
	  .preset = "p95",
	  .help = "when the second target is asked: a time after the first, "
		  "or a quantile of the time that the first took of late" },
	{ .key = "budget", .type = V_SHARE, AT(src_hedge, share), .min = 1,
	  .max = 100, .preset = "10 %",
	  .help = "share of requests that may be doubled" },
	{ .key = "spend", .type = V_HOURLY, AT(src_hedge, money),
	  .min = USD / 1000000, .max = MILLION_MAX,
	  .otherwise = "not bounded",
	  .help = "what second attempts may cost" },
	{ .key = "tools", .type = V_BOOL, AT(src_hedge, tools),
	  .preset = "false",
	  .help = "also for requests that bring tools: both models may call "
		  "them, one of them unheard" },
	END
};

static const struct shape hedge_shape = {
	.name = "hedge",
	.title = "hedge",
	.size = sizeof(struct src_hedge),
	.fields = hedge_fields,
	.help = "With `strategy: race`: a second target is asked while the "
		"first has said nothing yet; the first content wins and the "
		"other call is cancelled.",
	.example = "hedge: { after: 300ms, budget: 20 %, spend: 1 USD / hour "
		   "}\n",
};

static const struct word strategies[] = {
	{ "fallback", STRATEGY_FALLBACK, "in the order given" },
	{ "weighted", STRATEGY_WEIGHTED, "by lot, by weight; then the rest" },
	{ "least_busy", STRATEGY_LEAST_BUSY,
	  "the one with the fewest requests under way" },
	{ "lowest_latency", STRATEGY_LOWEST_LATENCY,
	  "the one that begins to answer soonest, as measured of late" },
	{ "cheapest", STRATEGY_CHEAPEST,
	  "the one with the least expected price of this very request" },
	{ "race", STRATEGY_RACE,
	  "in the order given, the second while the first is silent: `hedge`" },
	{ NULL, 0, NULL }
};

static const struct word sticky_words[] = {
	{ "none", STICKY_NOT, "" },
	{ "key", STICKY_KEY, "those of one key" },
	{ "user", STICKY_USER, "of one end user, else of the key" },
	{ "session", STICKY_SESSION,
	  "of one session (header `x-tollgate-session`), else as `user`" },
	{ NULL, 0, NULL }
};

#define ATTEMPTS(s, initial, other)                                          \
	{ .key = "attempts", .type = V_COUNT, AT(s, attempts), .min = 1,     \
	  .max = 10, .preset = initial, .otherwise = other,                  \
	  .help = "tries of one request at most, over all targets" }

static const struct field model_fields[] = {
	{ .key = "targets", .type = V_LIST, .flags = F_NEEDED | F_ONE,
	  AT(src_model, targets), .min = 1, .max = LIMIT_POLICY_TARGETS,
	  .shape = &target_shape,
	  .help = "where requests go; a text or a list in place of the map is "
		  "this" },
	{ .key = "strategy", .type = V_CHOICE, AT(src_model, strategy),
	  .words = strategies, .preset = "fallback",
	  .help = "which target comes first" },
	{ .key = "sticky", .type = V_CHOICE, AT(src_model, sticky),
	  .words = sticky_words, .preset = "none",
	  .help = "which requests go to the same target again, as long as it "
		  "can answer" },
	{ .key = "fallbacks", .type = V_STRUCT, AT(src_model, fallbacks),
	  .shape = &fallbacks_shape,
	  .help = "other targets, by kind of failure" },
	{ .key = "require", .type = V_STRUCT, AT(src_model, require),
	  .shape = &require_shape, .otherwise = "what the request needs",
	  .help = "what a target must be able to do" },
	{ .key = "hedge", .type = V_STRUCT, AT(src_model, hedge),
	  .shape = &hedge_shape,
	  .help = "of `race`: when a second target is asked, and how often" },
	{ .key = "timeouts", .type = V_STRUCT, .flags = F_BARE,
	  AT(src_model, timeouts), .shape = &timeouts_shape,
	  .otherwise = "those of the top level, each for itself",
	  .help = "how long to wait" },
	ATTEMPTS(src_model, NULL, "that of the top level"),
	{ .key = "strict", .type = V_BOOL, AT(src_model, strict),
	  .preset = "false",
	  .help = "refuse a request that holds what a provider cannot take, "
		  "where otherwise that part would be left out" },
	END
};

static const struct shape model_shape = {
	.name = "model",
	.title = "models",
	.size = sizeof(struct src_model),
	.brief = "targets",
	.fields = model_fields,
	.help = "A name that clients ask for (without `/`) and where it leads. "
		"`provider/model` needs no row here.",
	.example = "models:\n"
		   "  smart: anthropic/claude-sonnet-4-5\n"
		   "  cheap: [ house/qwen3-32b, openai/*mini* ]\n"
		   "  shared:\n"
		   "    strategy: weighted\n"
		   "    targets:\n"
		   "      - { provider: house, model: qwen3-32b, weight: 3 }\n"
		   "      - openai/gpt-5.4\n"
		   "    timeouts: { first_token: 8s, total: 5m }\n"
		   "    fallbacks: { context_window: openai/gpt-4.1 }\n"
		   "  frugal:\n"
		   "    strategy: cheapest\n"
		   "    targets: [ anthropic/*, openai/*mini* ]\n"
		   "    require: { benchmark: { \"SWE-Bench Verified\": 40 } "
		   "}\n",
};

static const struct word schemes[] = {
	{ "bearer", AUTH_BEARER, "`Authorization: Bearer` with the key" },
	{ "header", AUTH_HEADER, "the key in a header of its own" },
	{ "sigv4", AUTH_SIGV4, "AWS Signature Version 4" },
	{ "google", AUTH_GOOGLE, "a token for a Google service account" },
	{ "azure", AUTH_AZURE, "a token of Microsoft Entra ID (AAD) for "
			       "client credentials" },
	{ "hmac", AUTH_HMAC, "a signature by HMAC in a header" },
	{ "none", AUTH_NONE, "nothing" },
	{ NULL, 0, NULL }
};

static const struct word hashes[] = {
	{ "sha256", SIGN_SHA256, "" },
	{ "sha512", SIGN_SHA512, "" },
	{ NULL, 0, NULL }
};

static const struct word encodings[] = {
	{ "hex", SIGN_HEX, "lower-case digits" },
	{ "base64", SIGN_BASE64, "" },
	{ NULL, 0, NULL }
};

static const struct word stamps[] = {
	{ "seconds", STAMP_SECONDS, "since 1970" },
	{ "milliseconds", STAMP_MILLISECONDS, "since 1970" },
	{ "iso8601", STAMP_ISO8601, "`2026-01-31T23:59:59Z`" },
	{ NULL, 0, NULL }
};

static const struct word separators[] = {
	{ "newline", SEPARATE_NEWLINE, "" },
	{ "none", SEPARATE_NOT, "" },
	{ "dot", SEPARATE_DOT, "" },
	{ "colon", SEPARATE_COLON, "" },
	{ NULL, 0, NULL }
};

#define FORM(name, words)                                                    \
	{ .key = #name, .type = V_TEXT, AT(src_auth, form.name),             \
	  .max = TEXT_BYTES, .help = words }

static const struct field auth_fields[] = {
	{ .key = "scheme", .type = V_CHOICE, .flags = F_NEEDED,
	  AT(src_auth, scheme), .words = schemes,
	  .help = "how the credential is shown" },
	{ .key = "header", .type = V_TEXT, AT(src_auth, form.header),
	  .max = TEXT_BYTES,
	  .help = "of `header` and `hmac`: the header that holds the key or "
		  "the signature" },
	FORM(prefix, "of `hmac`: text before the signature"),
	{ .key = "hash", .type = V_CHOICE, AT(src_auth, form.hash),
	  .words = hashes, .preset = "sha256",
	  .help = "of `hmac`: the digest" },
	{ .key = "encoding", .type = V_CHOICE, AT(src_auth, form.encoding),
	  .words = encodings, .preset = "hex",
	  .help = "of `hmac`: how the signature is written" },
	{ .key = "sign", .type = V_STRINGS, AT(src_auth, sign),
	  .max = SIGN_MAX,
	  .help = "of `hmac`: what is signed, in order: `method`, `host`, "
		  "`path`, `query`, `timestamp`, `key_id`, `body`, "
		  "`body_hash` (its digest in hex)" },
	{ .key = "separator", .type = V_CHOICE,
	  AT(src_auth, form.separator), .words = separators, .preset = "newline",
	  .help = "of `hmac`: what stands between them" },
	FORM(key_id_header, "of `hmac`: the header that holds `access_key`"),
	FORM(timestamp_header, "of `hmac`: the header that holds the time"),
	{ .key = "timestamp", .type = V_CHOICE, AT(src_auth, form.stamp),
	  .words = stamps, .preset = "seconds",
	  .help = "of `hmac`: how the time is written" },
	{ .key = "service", .type = V_NAME, AT(src_auth, form.service),
	  .max = NAME_MAX_BYTES, .preset = "bedrock",
	  .help = "of `sigv4`: the name of the service" },
	{ .key = "scope", .type = V_TEXT, AT(src_auth, form.scope),
	  .max = TEXT_BYTES,
	  .otherwise = "that of the cloud's AI services",
	  .help = "of `google` and `azure`: what the token is for" },
	{ .key = "token_url", .type = V_URL, AT(src_auth, form.token_url),
	  .max = 2048, .otherwise = "that of the cloud",
	  .help = "of `google` and `azure`: where tokens are asked for" },
	END
};

static const struct shape auth_shape = {
	.name = "auth",
	.title = "auth",
	.size = sizeof(struct src_auth),
	.brief = "scheme",
	.fields = auth_fields,
	.help = "How a provider wants its credential, where it is not as the "
		"catalog or its dialect has it. `sigv4` takes `access_key`, "
		"`secret_key` and `session_token`, else those of the "
		"environment, of the shared credentials file or of the role "
		"that the host or container has. `google` takes the "
		"`credentials` of a service account, else what "
		"GOOGLE_APPLICATION_CREDENTIALS names, else the account that "
		"the machine has. `azure` takes `credentials`: JSON with "
		"`tenant_id`, `client_id` and `client_secret`, else "
		"AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. "
		"`hmac` signs with `key`.",
	.example = "auth: sigv4\n"
		   "auth: { scheme: hmac, header: x-signature, "
		   "key_id_header: x-key-id,\n"
		   "        timestamp_header: x-timestamp, "
		   "sign: [ method, path, timestamp, body ] }\n",
};

#define FACT(name, words)                                                    \
	{ .key = #name, .type = V_TEXT, AT(src_provider, p.name), .min = 1,  \
	  .max = TEXT_BYTES, .help = words }

static const struct field provider_fields[] = {
	{ .key = "adapter", .type = V_NAME, AT(src_provider, p.adapter),
	  .max = NAME_MAX_BYTES,
	  .otherwise = "that of the catalog, else `openai`",
	  .help = "the dialect it speaks" },
	{ .key = "base_url", .type = V_URL, AT(src_provider, p.base_url),
	  .max = 2048, .otherwise = "that of the catalog",
	  .help = "its address, as its official SDK takes it; no credentials, "
		  "query or fragment" },
	{ .key = "key", .type = V_SECRET, .flags = F_NONE,
	  AT(src_provider, p.key), .max = 8192,
	  .otherwise = "the environment variable that the catalog knows",
	  .help = "its API key; `none` sends none" },
	{ .key = "auth", .type = V_STRUCT, AT(src_provider, auth),
	  .shape = &auth_shape,
	  .otherwise = "as the catalog or the dialect has it",
	  .help = "how it wants its credential" },
	FACT(organization, "sent as the organisation of the account"),
	FACT(project, "project of the account"),
	FACT(region, "where requests are processed"),
	FACT(api_version, "version of the interface, where it is asked for"),
	{ .key = "credentials", .type = V_DOCUMENT,
	  AT(src_provider, p.credentials), .max = 65536,
	  .help = "a file of credentials, as of a service account" },
	{ .key = "headers", .type = V_HEADERS, AT(src_provider, headers),
	  .max = 16,
	  .help = "headers sent with every request; a value may be a secret "
		  "reference" },
	{ .key = "timezone", .type = V_ZONE, AT(src_provider, p.timezone),
	  .otherwise = "UTC", .help = "whose days its account has" },
	{ .key = "retention", .type = V_RETENTION,
	  AT(src_provider, p.retention),
	  .help = "how long it keeps prompts: `none` or a duration; a "
		  "statement of fact" },
	{ .key = "access_key", .type = V_SECRET,
	  AT(src_provider, p.access_key), .max = 8192,
	  .help = "access key, for providers with signed requests" },
	{ .key = "secret_key", .type = V_SECRET,
	  AT(src_provider, p.secret_key), .max = 8192, .help = "its secret" },
	{ .key = "session_token", .type = V_SECRET,
	  AT(src_provider, p.session_token), .max = 8192,
	  .help = "its session" },
	{ .key = "private", .type = V_BOOL, AT(src_provider, p.private_net),
	  .preset = "false",
	  .help = "its name may lead to private addresses; a private address "
		  "in `base_url` needs no such word" },
	LATER("budget", "money a window"),
	LATER("rpm", "requests a minute"),
	LATER("tpm", "tokens a minute"),
	LATER("parallel", "requests at a time"),
	END
};

static const struct shape provider_shape = {
	.name = "provider",
	.title = "providers",
	.size = sizeof(struct src_provider),
	.fields = provider_fields,
	.help = "Accounts at providers. A name that the catalog knows needs "
		"nothing but its key, and not even that when the usual "
		"environment variable holds it.",
	.example = "providers:\n"
		   "  openai: { key: env:OPENAI_API_KEY, organization: org-123 "
		   "}\n"
		   "  anthropic: { key: file:/etc/tollgate/anthropic.key }\n"
		   "  house:\n"
		   "    adapter: openai\n"
		   "    base_url: http://10.0.0.7:8000/v1\n"
		   "    key: none\n"
		   "    region: eu\n"
		   "    retention: none\n",
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

#define GRANT(s, models_else, may_else, other)                               \
	{ .key = "models", .type = V_PATTERNS, AT(s, grant.models),          \
	  .max = 1000, .otherwise = models_else,                             \
	  .help = "names to ask for; `*` stands for any characters" },       \
	{ .key = "may", .type = V_SET, AT(s, grant.may), .words = rights,    \
	  .otherwise = may_else, .help = "what is allowed beside asking" },  \
	{ .key = "region", .type = V_TEXT, AT(s, grant.region),              \
	  .max = TEXT_BYTES, .otherwise = other,                             \
	  .help = "where requests may be processed: by providers whose "     \
		  "`region` lies in this one; `eu` holds `europe-west4`, "   \
		  "`eu-central-1`, `swedencentral` and so on" },             \
	{ .key = "retention", .type = V_CHOICE, AT(s, grant.retention),      \
	  .words = retentions, .otherwise = other,                           \
	  .help = "`none`: only by providers whose `retention` is `none`" }

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
	    "that of the tier, else none", "that of the tier, else any"),
	{ .key = "expires", .type = V_DATE, AT(src_key, expires),
	  .otherwise = "never",
	  .help = "from when on it is refused: RFC 3339; a date alone is its "
		  "first second, UTC" },
	LATER("rpm", "requests a minute"),
	LATER("tpm", "tokens a minute"),
	LATER("parallel", "requests at a time"),
	LATER("budget", "money a window"),
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

static const struct word prompt_parts[] = {
	{ "last", PROMPT_LAST, "the last turn of the user" },
	{ "system", PROMPT_SYSTEM, "what the application tells the model" },
	{ "all", PROMPT_ALL, "every text" },
	{ NULL, 0, NULL }
};

static const struct word scripts[] = {
#define SCRIPT(name, class) { #name, SCRIPT_##name + 1, "" },
#include "policy/script.def"
#undef SCRIPT
	{ NULL, 0, NULL }
};

static const struct word needed_caps[] = {
	CAP_WORDS,
	{ NULL, 0, NULL }
};

static const struct word days[] = {
	{ "mon", 1 << 1, "" },
	{ "tue", 1 << 2, "" },
	{ "wed", 1 << 3, "" },
	{ "thu", 1 << 4, "" },
	{ "fri", 1 << 5, "" },
	{ "sat", 1 << 6, "" },
	{ "sun", 1 << 0, "" },
	{ NULL, 0, NULL }
};

#define ONE_OF(name, kind, member, words)                                    \
	{ .key = name, .type = kind, AT(src_when, member), .max = 256,       \
	  .help = words }

static const struct field when_fields[] = {
	ONE_OF("key", V_STRINGS, keys, "name of the client's key"),
	ONE_OF("team", V_STRINGS, teams, "its team"),
	ONE_OF("tier", V_STRINGS, tiers, "its tier"),
	ONE_OF("user", V_STRINGS, users,
	    "the end user that the request names, else the key's user"),
	ONE_OF("tag", V_STRINGS, tags, "a tag of the key or the request"),
	ONE_OF("tags", V_STRINGS, tags, "the same"),
	ONE_OF("model", V_PATTERNS, models,
	    "what the client asks for; it need be no row of `models`"),
	ONE_OF("endpoint", V_STRINGS, endpoints,
	    "`chat`, `messages`, `responses`, `completions` or `generate`"),
	{ .key = "metadata", .type = V_MATCHES, .flags = F_DOT,
	  AT(src_when, metadata), .max = 32,
	  .help = "members of the request's metadata" },
	{ .key = "header", .type = V_MATCHES, .flags = F_DOT | F_HEADER,
	  AT(src_when, headers), .max = 32,
	  .help = "headers of the request" },
	{ .key = "stream", .type = V_BOOL, AT(src_when, stream),
	  .otherwise = "either", .help = "is the answer to be streamed?" },
	{ .key = "input_tokens", .type = V_RANGE,
	  AT(src_when, input_tokens), .min = 0, .max = INT64_MAX,
	  .help = "estimated tokens of the request" },
	{ .key = "output_tokens", .type = V_RANGE,
	  AT(src_when, output_tokens), .min = 0, .max = INT64_MAX,
	  .help = "tokens that the answer may have, as the client says; not "
		  "met when it says nothing" },
	{ .key = "budget_left", .type = V_SHARES,
	  AT(src_when, budget_left), .min = 0, .max = 100,
	  .help = "what is left of the key's tightest budget; not met when it "
		  "has none" },
	{ .key = "needs", .type = V_SET, AT(src_when, needs),
	  .words = needed_caps,
	  .help = "what the request asks of a model, all of these" },
	{ .key = "prompt", .type = V_REGEX, AT(src_when, prompt),
	  .max = LIMIT_PATTERN,
	  .help = "is found in the prompt: a regular expression (PCRE2, "
		  "Unicode); case counts unless it begins with `(?i)`" },
	{ .key = "prompt_part", .type = V_CHOICE, AT(src_when, prompt_part),
	  .words = prompt_parts, .preset = "last",
	  .help = "where `prompt` and `script` look" },
	{ .key = "script", .type = V_CHOICE, AT(src_when, script),
	  .words = scripts, .help = "in which the prompt is written" },
	{ .key = "script_share", .type = V_SHARE,
	  AT(src_when, script_share), .min = 1, .max = 100, .preset = "50 %",
	  .help = "share of the letters that must be of `script`" },
	{ .key = "time", .type = V_HOURS, AT(src_when, hours),
	  .help = "from one time of day to another, also over midnight; the "
		  "end is not part of it" },
	{ .key = "days", .type = V_SET, AT(src_when, hours.days),
	  .words = days, .otherwise = "all",
	  .help = "on which `time` begins" },
	{ .key = "zone", .type = V_ZONE, AT(src_when, hours.zone),
	  .otherwise = "`timezone` of the top level",
	  .help = "whose time and days" },
	END
};

static const struct shape when_shape = {
	.name = "condition",
	.title = "conditions",
	.size = sizeof(struct src_when),
	.fields = when_fields,
	.help = "What a request must be for a rule to hold: all that is given "
		"must be met. Texts are patterns, in which `*` stands for any "
		"characters; of a list one must match. Of a prompt its last "
		"64 KiB are searched and the letters of its last 16 KiB "
		"counted. A search that would cost too much finds nothing.",
	.example = "when: { model: \"gpt-*\", team: [ web, shop ], "
		   "metadata.env: staging }\n"
		   "when: { prompt: \"(?i)opening hours|faq\", "
		   "input_tokens: \"< 2k\" }\n"
		   "when: { script: Han, script_share: 30 %, prompt_part: all "
		   "}\n"
		   "when: { time: \"22:00-06:00\", days: [ sat, sun ], zone: "
		   "Europe/Berlin }\n",
};

static const struct field rule_fields[] = {
	{ .key = "name", .type = V_NAME, AT(src_rule, name),
	  .max = NAME_MAX_BYTES, .otherwise = "`rule 1` and so on",
	  .help = "what answers and records call it" },
	{ .key = "when", .type = V_STRUCT, AT(src_rule, when),
	  .shape = &when_shape, .otherwise = "always",
	  .help = "what the request must be" },
	{ .key = "use", .type = V_USE, .flags = F_NEEDED,
	  AT(src_rule, use),
	  .help = "what it gets: a row of `models`, or a provider's model" },
	END
};

static const struct shape rule_shape = {
	.name = "rule",
	.title = "rules",
	.size = sizeof(struct src_rule),
	.fields = rule_fields,
	.help = "Which model for which request. The first rule that holds "
		"counts, and once; without one the client gets what it asks "
		"for.",
	.example = "rules:\n"
		   "  - { when: { tier: free }, use: cheap }\n"
		   "  - { when: { model: support, input_tokens: \"> 8000\" }, "
		   "use: smart }\n"
		   "  - { name: faq, when: { model: support, prompt: "
		   "\"(?i)faq\" }, use: cheap }\n"
		   "  - { when: { metadata.env: staging, budget_left: "
		   "\"< 20 %\" }, use: cheap }\n",
};

static const struct field tier_fields[] = {
	GRANT(src_tier, "all", "none", "any"),
	LATER("rpm", "requests a minute"),
	LATER("tpm", "tokens a minute"),
	LATER("parallel", "requests at a time"),
	LATER("budget", "money a window"),
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
		   "  pro: { models: [ \"*\" ], may: [ explain, user ] }\n",
};

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
	{ .key = "drain", .type = V_DURATION, AT(source, drain), .min = 0,
	  .max = HOUR, .preset = "30s",
	  .help = "time that a stopping worker gives its streams" },
	{ .key = "pepper", .type = V_ONCE, AT(source, pepper), .max = 4096,
	  .min = 16, .otherwise = "a random one, made once in the state "
				  "directory",
	  .help = "the key under which keys of clients are hashed; hosts that "
		  "share keys share it" },
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
