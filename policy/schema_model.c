/* The part of the table that tells of models, targets and prices. */
#include "policy/schema_int.h"

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
	RATE(base, "image_input", UNIT_IMAGE_INPUT, MILLION_MAX,             \
	    "a million input tokens of pictures"),                           \
	RATE(base, "image_output", UNIT_IMAGE_OUTPUT, MILLION_MAX,           \
	    "a million output tokens of pictures"),                          \
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

#define SERVICE(name, service, words)                                        \
	{ .key = name, .type = V_SHARE, .offset = sizeof(int64_t) * service, \
	  .min = 0, .max = SERVICE_MAX, .otherwise = "100 %", .help = words }

static const struct field service_fields[] = {
	SERVICE("flex", SERVICE_FLEX, "when the provider has time"),
	SERVICE("priority", SERVICE_PRIORITY, "before others"),
	SERVICE("batch", SERVICE_BATCH, "one of a batch"),
	SERVICE("reserved", SERVICE_RESERVED,
	    "on capacity that you bought before (`scale` of OpenAI, "
	    "provisioned throughput)"),
	END
};

static const struct shape service_shape = {
	.name = "service tiers",
	.title = "service tiers",
	.size = sizeof(int64_t[SERVICE_COUNT]),
	.fields = service_fields,
	.help = "What tokens cost in a service tier of the provider, by what "
		"it says that a request got; in per cent of the other rates, "
		"those above a number of tokens too. Fees stay as they are. "
		"A tier that is not here costs as always. A price that is "
		"only this has the rates of the catalog.",
	.example = "service_tiers: { flex: 50 %, batch: 50 %, "
		   "priority: 175 % }\n",
};

static const struct field price_fields[] = {
	TOKEN_RATES(PRICE_BASE),
	RATE(PRICE_BASE, "request", UNIT_REQUEST, EACH_MAX, "one request"),
	RATE(PRICE_BASE, "image", UNIT_IMAGE, EACH_MAX, "one image"),
	RATE(PRICE_BASE, "sent_image", UNIT_SENT_IMAGE, EACH_MAX,
	    "one image that was sent to be edited"),
	RATE(PRICE_BASE, "search", UNIT_SEARCH, EACH_MAX, "one search"),
	RATE(PRICE_BASE, "second", UNIT_SECOND, EACH_MAX,
	    "one second of sound or picture"),
	{ .key = "tiers", .type = V_LIST, .flags = F_ONE,
	  AT(src_price, tiers), .max = PRICE_TIERS,
	  .shape = &tier_price_shape,
	  .help = "rates that hold above a number of input tokens" },
	{ .key = "service_tiers", .type = V_STRUCT, .flags = F_BARE,
	  .offset = offsetof(struct src_price, price) +
	      offsetof(struct price, service),
	  .shape = &service_shape,
	  .help = "what tokens cost in the provider's service tiers" },
	END
};

const struct shape price_shape = {
	.name = "price",
	.title = "price",
	.size = sizeof(struct src_price),
	.fields = price_fields,
	.help = "What a model costs, in USD. Cached and written input that has "
		"no rate costs as input, reasoning as output, sound and "
		"pictures as text of their side; all else without a rate is free.",
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
	LIMITS(src_model, limits, ", of all who ask for it", "not bounded"),
	END
};

const struct shape model_shape = {
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
