/* The part of the table that tells of limits and budgets. */
#include "policy/schema_int.h"

static const struct field budget_fields[] = {
	{ .key = "limit", .type = V_BUDGET, .flags = F_NEEDED,
	  AT(src_budget, limit),
	  .help = "how much, from 0 to 9000000 USD, and how long until it is "
		  "counted anew; a text in place of the map is this. With 0 "
		  "only what is free is answered" },
	{ .key = "warn", .type = V_PERCENTS, AT(src_budget, warn), .min = 1,
	  .max = 100, .otherwise = "100 % of a soft one, else not",
	  .help = "the shares of it, at most 4, at which to warn" },
	{ .key = "soft", .type = V_BOOL, AT(src_budget, soft),
	  .preset = "false", .help = "warn, and refuse nothing" },
	{ .key = "zone", .type = V_ZONE, AT(src_budget, zone),
	  .otherwise = "`timezone` of the top level; of a provider its own",
	  .help = "whose hours, days, weeks and months" },
	END
};

const struct shape budget_shape = {
	.name = "budget",
	.title = "budgets",
	.size = sizeof(struct src_budget),
	.brief = "limit",
	.fields = budget_fields,
	.help = "Money that may be used up. It is counted in the calendar's "
		"hours, days, weeks (from Monday) or months of a time zone, "
		"or once.",
	.example = "budget: 0.50 USD / day\n"
		   "budget:\n"
		   "  - 5 USD / day\n"
		   "  - { limit: 50 USD / month, warn: [ 50 %, 80 % ], zone: "
		   "Europe/Berlin }\n"
		   "  - { limit: 20 USD / week, soft: true }\n"
		   "budget: 25 USD once\n",
};

static const struct field limits_fields[] = {
	LIMITS(src_pool, limits, "", "not bounded"),
	END
};

const struct shape limits_shape = {
	.name = "limits",
	.title = "limits",
	.size = sizeof(struct src_pool),
	.fields = limits_fields,
	.help = "What may be asked for. Of all limits that apply to a request "
		"- of its key, team, user, tier, tags, model, provider, and of "
		"all requests - each must hold.",
	.example = "limits: { parallel: 200, budget: 500 USD / day }\n"
		   "teams:\n"
		   "  web: { tpm: 2M, budget: [ 50 USD / day, 900 USD / month "
		   "] }\n"
		   "users:\n"
		   "  ann@example.com: { budget: 5 USD / day }\n"
		   "tags:\n"
		   "  batch: { parallel: 4 }\n",
};
