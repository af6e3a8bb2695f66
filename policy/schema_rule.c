/* The part of the table that tells of rules. */
#include "policy/schema_int.h"

#include "policy/script.h"

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
		  "Unicode); case counts unless it begins with `(?i)`; a "
		  "match that costs too much counts as not found" },
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
		"characters; of a list one must match, and none does where "
		"there is no team, tier, user and so on. Of a prompt its last "
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

const struct shape rule_shape = {
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
