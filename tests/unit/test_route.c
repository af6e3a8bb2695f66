/*
 * plan_make: which request goes to which deployment, by rules, filters and
 * strategies; who is left out and why. Random policies are in
 * test_route_random.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/draw.h"
#include "app/base/limits.h"
#include "policy/pattern.h"
#include "policy/route.h"
#include "policy/script.h"
#include "policy/zone.h"

#define LEN(x) (sizeof(x) / sizeof(x)[0])
#define HOUR_US INT64_C(3600000000)

static const char text[] =
    "timezone: Europe/Berlin\n"
    "providers:\n"
    "  a: { adapter: openai, base_url: http://127.0.0.1:1/v1, key: none }\n"
    "  b: { adapter: openai, base_url: http://127.0.0.1:2/v1, key: none }\n"
    "  c: { adapter: openai, base_url: http://127.0.0.1:3/v1, key: none }\n"
    "  eu: { adapter: openai, base_url: http://127.0.0.1:4/v1, key: none,\n"
    "    region: eu-west-1, retention: none }\n"
    "  lon: { adapter: openai, base_url: http://127.0.0.1:4/v1, key: none,\n"
    "    region: eu-west-2, retention: 30 days }\n"
    "  gcp: { adapter: openai, base_url: http://127.0.0.1:4/v1, key: none,\n"
    "    region: europe-west4 }\n"
    "  us: { adapter: openai, base_url: http://127.0.0.1:4/v1, key: none,\n"
    "    region: us-east-1, retention: none }\n"
    "  anthropic: { key: 'plain:some-key' }\n"
    "  mean: { adapter: openai, base_url: http://127.0.0.1:5/v1, key: none,\n"
    "    budget: 1 USD / day }\n"
    "models:\n"
    "  one: a/x\n"
    "  two: b/y\n"
    "  three: { targets: [ a/x, b/y, c/z ], attempts: 2 }\n"
    "  heavy:\n"
    "    strategy: weighted\n"
    "    targets:\n"
    "      - { provider: a, model: x, weight: 7 }\n"
    "      - { provider: b, model: y, weight: 2 }\n"
    "      - { provider: c, model: z, weight: 1 }\n"
    "  busy:\n"
    "    strategy: least_busy\n"
    "    targets:\n"
    "      - { provider: a, model: x, weight: 4 }\n"
    "      - { provider: b, model: y, weight: 2 }\n"
    "      - { provider: c, model: z, weight: 1 }\n"
    "  quick: { strategy: lowest_latency, targets: [ a/x, b/y, c/z ] }\n"
    "  race: { strategy: race, targets: [ a/x, b/y ],\n"
    "    hedge: { after: 0s, budget: 100 % } }\n"
    "  raced: { strategy: race, targets: [ a/x, b/y ],\n"
    "    hedge: { after: 0s, budget: 100 %, tools: true } }\n"
    "  cheap:\n"
    "    strategy: cheapest\n"
    "    targets:\n"
    "      - { provider: c, model: free-of-price }\n"
    "      - { provider: a, model: p, price: { input: 1, output: 8 } }\n"
    "      - { provider: b, model: p, price: { input: 2, output: 4 } }\n"
    "      - { provider: c, model: p, price: { input: 0.5, output: 10,\n"
    "          tiers: [ { above: 100k, input: 5 } ] } }\n"
    "  even:\n"
    "    strategy: cheapest\n"
    "    targets:\n"
    "      - { provider: c, model: e, price: { input: 2, output: 2 } }\n"
    "      - { provider: b, model: e, price: { input: 1, output: 1 } }\n"
    "      - { provider: a, model: e, price: { input: 1, output: 1 } }\n"
    "      - { provider: c, model: f, price: { input: 1, output: 1 } }\n"
    "      - { provider: b, model: f, price: { input: 2, output: 2 } }\n"
    "  places: [ us/m, lon/m, gcp/m, eu/m, a/x, eu/us.m, us/eu.m ]\n"
    "  sizes:\n"
    "    targets:\n"
    "      - { provider: a, model: s, context: 1000 }\n"
    "      - { provider: b, model: m, context: 8000 }\n"
    "      - { provider: c, model: unknown }\n"
    "  small:\n"
    "    targets:\n"
    "      - { provider: a, model: s, context: 1000 }\n"
    "      - { provider: b, model: m, context: 8000 }\n"
    "  asked: { targets: [ { provider: a, model: s, context: 1000 },\n"
    "      { provider: b, model: m, context: 8000 }, c/z ],\n"
    "    require: { context: 8000 } }\n"
    "  able: [ anthropic/claude-sonnet-4-5, a/x ]\n"
    "  stern: { targets: [ anthropic/claude-3-haiku-20240307, a/x ],\n"
    "    require: { capabilities: reasoning } }\n"
    "  lax: { targets: [ anthropic/claude-3-haiku-20240307 ],\n"
    "    require: { capabilities: none } }\n"
    "  scored:\n"
    "    targets:\n"
    "      - { provider: a, model: x, scores: { triage: 50 } }\n"
    "      - { provider: b, model: y, scores: { triage: 80, other: 1 } }\n"
    "      - { provider: c, model: z, scores: { triage: 79.9 } }\n"
    "      - { provider: c, model: none }\n"
    "    require: { score: { triage: 79.9 } }\n"
    "  perfect: { targets: [ a/x ], require: { score: { triage: 1 } } }\n"
    "  backed:\n"
    "    targets: [ a/x, b/y ]\n"
    "    fallbacks:\n"
    "      general: [ b/y, c/z ]\n"
    "      context_window: [ { provider: c, model: big, context: 9000 },\n"
    "        b/y ]\n"
    "      content_policy: [ eu/m, us/m ]\n"
    "  narrow:\n"
    "    targets: [ { provider: a, model: s, context: 1000 },\n"
    "      { provider: b, model: m, context: 8000 } ]\n"
    "    fallbacks: { context_window: [\n"
    "      { provider: c, model: big, context: 90000 }, c/z ] }\n"
    "  kept: { targets: [ a/x, b/y, c/z ], sticky: session }\n"
    "  keyed: { targets: [ a/x, b/y, c/z ], sticky: key }\n"
    "  mixed: { targets: [ a/x, mean/x,\n"
    "      { provider: b, model: p, price: { input: 1, output: 1 } },\n"
    "      { provider: mean, model: p, price: { input: 1, output: 1 } } ] }\n"
    "  paying: { targets: [ a/x, { provider: b, model: p, price: {\n"
    "      input: 1, output: 1 } } ], budget: 1 USD / day }\n"
    "keys:\n"
    "  - { name: all, secret: 'plain:a-secret-of-some-length' }\n"
    "  - { name: few, secret: 'plain:another-secret-of-length',\n"
    "      models: [ one, 'b/*', 'cod*', two ] }\n"
    "  - { name: web, secret: 'plain:a-third-secret-of-length',\n"
    "      team: web, user: ann, tags: [ gold, eu-1 ] }\n"
    "  - { name: eu, secret: 'plain:a-fourth-secret-of-length',\n"
    "      region: eu }\n"
    "  - { name: zdr, secret: 'plain:a-fifth-secret-of-length',\n"
    "      retention: none }\n"
    "  - { name: paid, secret: 'plain:a-sixth-secret-of-length',\n"
    "      budget: 1 USD / day }\n"
    "  - { name: agent, secret: 'plain:a-seventh-secret-of-length',\n"
    "      may: user, end_users: { budget: 1 USD / day } }\n"
    "  - { name: member, secret: 'plain:an-eighth-secret-of-length',\n"
    "      team: savers }\n"
    "teams:\n"
    "  savers: { budget: 1 USD / day }\n";

struct world {
	struct catalog *catalog;
	struct policy *policy;
	struct arena *arena;
	const char *cool[3]; /* deployments that cool, with until = 100, 200, 300 */
	const struct row *row;
	int asked[4];	     /* how often: tokens, prompts, budget, others */
};

/* One request, how things stand, and where it has to go. */
struct row {
	const char *what;
	const char *key, *model, *more[3];
	const char *endpoint, *user, *session, *region, *prompt, *system;
	const char *header, *metadata, *tag; /* "x-team=red", "env=prod" */
	bool stream, tools, free, no_retention, budgeted;
	unsigned needs;
	int64_t max_output, bytes, tokens, wall, left; /* left 0: endless */
	int budget;
	uint64_t draw;
	const char *health; /* "a/x cooling=100, b/y capped=1" */
	enum err err;
	const char *want;   /* "a/x b/y"; of a fault: a part of its text */
	const char *rule;   /* that matched */
	const char *instead; /* of context_window */
	const char *why;    /* "c/z region, b/y cooling" */
	bool cooled, hedge;
};

/* A number of a deployment's health as the row states it, or 0. */
static int64_t
health_of(const struct row *r, const char *id, const char *what)
{
	const char *p = r != NULL && r->health != NULL ? r->health : "";
	char name[64], word[32];
	long long n;

	while (sscanf(p, " %63[^ ] %31[^=]=%lld", name, word, &n) == 3) {
		if (strcmp(name, id) == 0 && strcmp(word, what) == 0)
			return n;
		p += strcspn(p, ",");
		p += *p == ',';
	}
	return 0;
}

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	const struct world *w = arg;
	int i;

	for (i = 0; i < 3; i++)
		if (w->cool[i] != NULL && strcmp(w->cool[i], d->id) == 0)
			out->cooling = 100 * (i + 1);
	if (w->row == NULL)
		return;
	out->cooling = health_of(w->row, d->id, "cooling");
	out->probing = health_of(w->row, d->id, "probing") != 0;
	out->capped = health_of(w->row, d->id, "capped") != 0;
	out->in_flight = (unsigned)health_of(w->row, d->id, "busy");
	out->ttft = health_of(w->row, d->id, "ttft");
	out->p50 = health_of(w->row, d->id, "p50");
	out->p90 = health_of(w->row, d->id, "p90");
}

static int64_t
tell_tokens(void *arg)
{
	struct world *w = arg;

	w->asked[0]++;
	return w->row->tokens;
}

static const char *
tell_prompt(void *arg, enum prompt_part part, size_t *len)
{
	struct world *w = arg;
	const char *s = part == PROMPT_SYSTEM ? w->row->system :
		w->row->prompt;

	w->asked[1]++;
	*len = s != NULL ? strlen(s) : 0;
	return s;
}

static int
tell_budget(void *arg)
{
	struct world *w = arg;

	w->asked[2]++;
	return w->row->budgeted ? w->row->budget : -1;
}

/* The value of "name=value" when it is of that name. */
static const char *
value_of(struct world *w, const char *pair, const char *name)
{
	size_t n = strlen(name);

	w->asked[3]++;
	return pair != NULL && strncmp(pair, name, n) == 0 && pair[n] == '=' ?
		pair + n + 1 : NULL;
}

static const char *
tell_header(void *arg, const char *name)
{
	struct world *w = arg;

	return value_of(w, w->row->header, name);
}

static const char *
tell_metadata(void *arg, const char *name)
{
	struct world *w = arg;

	return value_of(w, w->row->metadata, name);
}

static bool
tell_tag(void *arg, const char *pattern)
{
	const struct world *w = arg;

	return w->row->tag != NULL && glob_match(pattern, w->row->tag);
}

static const struct facts_calls calls = {
	.input_tokens = tell_tokens,
	.prompt = tell_prompt,
	.header = tell_header,
	.metadata = tell_metadata,
	.tag = tell_tag,
	.budget_left = tell_budget,
};

/* ---- the rules ---- */

#define LIST(...)                                                            \
	{                                                                    \
		(const char *const[]){ __VA_ARGS__ },                        \
		    LEN(((const char *const[]){ __VA_ARGS__ }))              \
	}
#define FOR(name) .models = LIST(name)
#define EITHER .stream = -1

static const struct match when_env[] = { { "env",
	(const char *const[]){ "prod", "stag*" }, 2 } };
static const struct match when_header[] = { { "x-team",
	(const char *const[]){ "red" }, 1 } };

static struct rule rules[] = {
	{ "tier", { FOR("r-tier"), .tiers = LIST("free", "trial"), EITHER },
	    "one" },
	{ "team", { FOR("r-team"), .teams = LIST("web"), EITHER }, "two" },
	{ "some team", { FOR("r-some"), .teams = LIST("*"), EITHER }, "two" },
	{ "some tier", { FOR("r-some"), .tiers = LIST("*"), EITHER }, "one" },
	{ "some user", { FOR("r-some"), .users = LIST("e*", "*"), EITHER },
	    "three" },
	{ "key", { FOR("r-key"), .keys = LIST("w*"), EITHER }, "two" },
	{ "user", { FOR("r-user"), .users = LIST("ann", "bob"), EITHER },
	    "two" },
	{ "tags", { FOR("r-tag"), .tags = LIST("silver", "gold"), EITHER },
	    "two" },
	{ "metadata", { FOR("r-meta"), .metadata = when_env,
	    .metadata_count = 1, EITHER }, "two" },
	{ "header", { FOR("r-head"), .headers = when_header,
	    .header_count = 1, EITHER }, "two" },
	{ "endpoint", { FOR("r-end"), .endpoints = LIST("messages"),
	    EITHER }, "two" },
	{ "streams", { FOR("r-stream"), .stream = 1 }, "two" },
	{ "whole", { FOR("r-stream"), .stream = 0 }, "one" },
	{ "long", { FOR("r-in"), EITHER,
	    .input_tokens = { 8001, INT64_MAX, true } }, "two" },
	{ "short", { FOR("r-in"), EITHER,
	    .input_tokens = { INT64_MIN, 100, true } }, "one" },
	{ "much", { FOR("r-out"), EITHER,
	    .output_tokens = { 1000, INT64_MAX, true } }, "two" },
	{ "little", { FOR("r-out"), EITHER,
	    .output_tokens = { INT64_MIN, 999, true } }, "one" },
	{ "poor", { FOR("r-money"), EITHER,
	    .budget_left = { INT64_MIN, 19, true } }, "two" },
	{ "sees", { FOR("r-cap"), EITHER,
	    .needs = CAP_IMAGE_IN | CAP_TOOLS }, "two" },
	{ "faq", { FOR("r-faq"), EITHER, .prompt_part = PROMPT_LAST }, "two" },
	{ "role", { FOR("r-faq"), EITHER, .prompt_part = PROMPT_SYSTEM },
	    "one" },
	{ "han", { FOR("code"), EITHER, .script_share = 50 }, "b/qwen" },
	{ "night", { FOR("r-hours"), EITHER,
	    .hours = { .from = 22 * 60, .to = 6 * 60, .set = true } }, "two" },
	{ "friday", { FOR("r-friday"), EITHER,
	    .hours = { .from = 22 * 60, .to = 6 * 60, .days = 1 << 5,
		.set = true } }, "two" },
	{ "shop", { FOR("r-shop"), EITHER,
	    .hours = { .zone = "Asia/Kolkata", .from = 9 * 60,
		.to = 17 * 60 + 30, .set = true } }, "two" },
	{ "both", { FOR("r-both"), .teams = LIST("web"), EITHER,
	    .needs = CAP_TOOLS }, "two" },
	{ "first", { FOR("r-first"), EITHER }, "one" },
	{ "never", { FOR("r-first"), EITHER }, "two" },
	{ "other", { FOR("r-*"), .keys = LIST("few"), EITHER }, "three" },
};

static struct rule *
rule_named(const char *name)
{
	size_t i;

	for (i = 0; strcmp(rules[i].name, name) != 0; i++)
		continue;
	return &rules[i];
}

static int
setup_rules(struct world *w)
{
	struct script *han = script_new(SCRIPT_Han);
	struct rule *shop = rule_named("shop");
	char why[128];
	size_t i;

	rule_named("faq")->when.prompt = pattern_new("(?i)faq|opening hours",
	    why, sizeof why);
	rule_named("role")->when.prompt = pattern_new("^You are a clerk",
	    why, sizeof why);
	rule_named("han")->when.script = han;
	rule_named("night")->when.hours.tz = w->policy->tz;
	rule_named("friday")->when.hours.tz = w->policy->tz;
	shop->when.hours.tz = zone_load(w->policy->arena,
	    shop->when.hours.zone);
	for (i = 0; i < w->policy->key_count; i++)
		if (strcmp(w->policy->keys[i].name, "few") == 0)
			w->policy->keys[i].tier = "free";
	w->policy->rules = rules;
	w->policy->rule_count = LEN(rules);
	return han == NULL || shop->when.hours.tz == NULL ||
	    w->policy->tz == NULL;
}

static int
setup(void **state)
{
	static struct world w;
	char path[] = "/tmp/test_routeXXXXXX";
	struct policy_env env = { .adapters = adapter_names,
		.state_dir = "/tmp" };
	struct buf out;
	FILE *f;

	f = fdopen(mkstemp(path), "w");
	fwrite(text, 1, sizeof text - 1, f);
	fclose(f);
	w.catalog = catalog_open(NULL, NULL);
	env.catalog = w.catalog;
	buf_init(&out, MIB(1));
	w.policy = policy_load(path, &env, &out);
	remove(path);
	if (w.policy == NULL)
		fprintf(stderr, "%.*s", (int)out.len, out.data);
	buf_free(&out);
	w.arena = arena_new(MIB(16));
	*state = &w;
	return w.policy == NULL || setup_rules(&w) != 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	size_t i;

	for (i = 0; i < LEN(rules); i++) {
		pattern_free((struct pattern *)(uintptr_t)
		    rules[i].when.prompt);
		script_free((struct script *)(uintptr_t)rules[i].when.script);
	}
	w->policy->rules = NULL;
	w->policy->rule_count = 0;
	policy_unref(w->policy);
	catalog_close(w->catalog);
	arena_free(w->arena);
	return 0;
}

/* ---- the table ---- */

/* 2026-11-27, a Friday, in UTC; and a day of summer. */
#define FRIDAY(h, m) ((1795737600 + (h) * 3600 + (m) * 60) * INT64_C(1000000))
#define SUMMER(h, m) ((1782432000 + (h) * 3600 + (m) * 60) * INT64_C(1000000))

static const struct row table[] = {
	/* who may ask for what */
	{ "an alias", .model = "one", .want = "a/x" },
	{ "in order", .model = "three", .want = "a/x b/y c/z" },
	{ "by its name", .model = "b/any", .want = "b/any" },
	{ "unknown", .model = "nothing", .err = ERR_MODEL_NOT_FOUND,
	    .want = "'nothing' does not exist" },
	{ "unknown provider", .model = "nobody/x",
	    .err = ERR_MODEL_NOT_FOUND, .want = "nobody/x" },
	{ "allowed", .key = "few", .model = "one", .want = "a/x" },
	{ "forbidden", .key = "few", .model = "three", .err = ERR_FORBIDDEN,
	    .want = "'three'" },
	{ "allowed by pattern", .key = "few", .model = "b/y", .want = "b/y" },
	{ "forbidden by name", .key = "few", .model = "a/x",
	    .err = ERR_FORBIDDEN },
	{ "nothing is told of what is forbidden", .key = "few",
	    .model = "nothing", .err = ERR_FORBIDDEN },

	/* more names */
	{ "more", .model = "two", .more = { "one", "c/z" },
	    .want = "b/y a/x c/z" },
	{ "more, twice", .model = "one", .more = { "three" },
	    .want = "a/x b/y c/z", .why = "a/x twice" },
	{ "more, forbidden", .key = "few", .model = "one",
	    .more = { "b/y", "three" }, .err = ERR_FORBIDDEN,
	    .want = "'three'" },
	{ "more, unknown", .model = "one", .more = { "nothing" },
	    .err = ERR_MODEL_NOT_FOUND, .want = "'nothing'" },
	{ "more, behind the first's own", .model = "backed",
	    .more = { "eu/m" }, .want = "a/x b/y eu/m c/z",
	    .instead = "c/big b/y", .why = "b/y twice" },
	{ "rules are for the first", .model = "one", .more = { "two" },
	    .want = "a/x b/y" },

	/* rules */
	{ "tier", .key = "few", .model = "b/r", .want = "b/r" },
	{ "tier, not", .model = "r-tier", .err = ERR_MODEL_NOT_FOUND },
	{ "team", .key = "web", .model = "r-team", .want = "b/y",
	    .rule = "team" },
	{ "team, not", .model = "r-team", .err = ERR_MODEL_NOT_FOUND },
	{ "any team", .key = "web", .model = "r-some", .want = "b/y",
	    .rule = "some team" },
	{ "no team, but a user", .model = "r-some", .user = "x",
	    .want = "a/x b/y c/z", .rule = "some user" },
	{ "neither team, tier nor user", .model = "r-some",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "key", .key = "web", .model = "r-key", .want = "b/y",
	    .rule = "key" },
	{ "key, not", .model = "r-key", .err = ERR_MODEL_NOT_FOUND },
	{ "user of the key", .key = "web", .model = "r-user", .want = "b/y",
	    .rule = "user" },
	{ "user of the request", .model = "r-user", .user = "bob",
	    .want = "b/y", .rule = "user" },
	{ "user of the request before the key's", .key = "web",
	    .model = "r-user", .user = "eve", .err = ERR_MODEL_NOT_FOUND },
	{ "tag", .model = "r-tag", .tag = "gold", .want = "b/y",
	    .rule = "tags" },
	{ "tag, not", .model = "r-tag", .tag = "tin",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "metadata", .model = "r-meta", .metadata = "env=staging",
	    .want = "b/y", .rule = "metadata" },
	{ "metadata, another value", .model = "r-meta",
	    .metadata = "env=dev", .err = ERR_MODEL_NOT_FOUND },
	{ "metadata, none", .model = "r-meta", .err = ERR_MODEL_NOT_FOUND },
	{ "header", .model = "r-head", .header = "x-team=red",
	    .want = "b/y", .rule = "header" },
	{ "header, not", .model = "r-head", .header = "x-team=blue",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "endpoint", .model = "r-end", .endpoint = "messages",
	    .want = "b/y", .rule = "endpoint" },
	{ "endpoint, not", .model = "r-end", .err = ERR_MODEL_NOT_FOUND },
	{ "stream", .model = "r-stream", .stream = true, .want = "b/y",
	    .rule = "streams" },
	{ "no stream", .model = "r-stream", .want = "a/x", .rule = "whole" },
	{ "input, long", .model = "r-in", .tokens = 8001, .want = "b/y",
	    .rule = "long" },
	{ "input, between", .model = "r-in", .tokens = 8000,
	    .err = ERR_MODEL_NOT_FOUND },
	{ "input, short", .model = "r-in", .tokens = 100, .want = "a/x",
	    .rule = "short" },
	{ "output, much", .model = "r-out", .max_output = 1000,
	    .want = "b/y", .rule = "much" },
	{ "output, little", .model = "r-out", .max_output = 999,
	    .want = "a/x", .rule = "little" },
	{ "output, not bounded", .model = "r-out",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "budget, low", .model = "r-money", .budgeted = true, .budget = 19,
	    .want = "b/y", .rule = "poor" },
	{ "budget, enough", .model = "r-money", .budgeted = true,
	    .budget = 20, .err = ERR_MODEL_NOT_FOUND },
	{ "budget, none", .model = "r-money", .err = ERR_MODEL_NOT_FOUND },
	{ "needs both", .model = "r-cap", .want = "b/y", .rule = "sees",
	    .needs = CAP_IMAGE_IN | CAP_TOOLS | CAP_AUDIO_IN },
	{ "needs one", .model = "r-cap", .needs = CAP_IMAGE_IN,
	    .err = ERR_MODEL_NOT_FOUND },
	{ "prompt", .model = "r-faq", .prompt = "The Opening Hours?",
	    .want = "b/y", .rule = "faq" },
	{ "system prompt", .model = "r-faq", .prompt = "Hello",
	    .system = "You are a clerk", .want = "a/x", .rule = "role" },
	{ "prompt, not", .model = "r-faq", .prompt = "You are a clerk",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "Han", .model = "code", .prompt = "\xe6\x8e\x92\xe5\xba\x8f sort",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "mostly Han", .model = "code", .want = "b/qwen", .rule = "han",
	    .prompt = "\xe6\x8e\x92\xe5\xba\x8f\xe7\xae\x97\xe6\xb3\x95 sort" },
	{ "a rule leads where the key may not", .key = "few",
	    .model = "code", .want = "b/qwen", .rule = "han",
	    .prompt = "\xe6\x8e\x92\xe5\xba\x8f" },
	{ "night begins", .model = "r-hours", .wall = FRIDAY(21, 0),
	    .want = "b/y", .rule = "night" },
	{ "a minute before", .model = "r-hours", .wall = FRIDAY(20, 59),
	    .err = ERR_MODEL_NOT_FOUND },
	{ "night ends", .model = "r-hours", .wall = FRIDAY(5, 0),
	    .err = ERR_MODEL_NOT_FOUND },
	{ "behind midnight", .model = "r-hours", .wall = FRIDAY(4, 59),
	    .want = "b/y", .rule = "night" },
	{ "summer time", .model = "r-hours", .wall = SUMMER(20, 0),
	    .want = "b/y", .rule = "night" },
	{ "summer time, before", .model = "r-hours", .wall = SUMMER(19, 59),
	    .err = ERR_MODEL_NOT_FOUND },
	{ "the night that began on Friday", .model = "r-friday",
	    .wall = FRIDAY(24 + 4, 0), .want = "b/y", .rule = "friday" },
	{ "not the one before", .model = "r-friday", .wall = FRIDAY(4, 0),
	    .err = ERR_MODEL_NOT_FOUND },
	{ "hours of a zone of their own", .model = "r-shop",
	    .wall = FRIDAY(3, 30), .want = "b/y", .rule = "shop" },
	{ "and their end", .model = "r-shop", .wall = FRIDAY(12, 0),
	    .err = ERR_MODEL_NOT_FOUND },
	{ "both conditions", .key = "web", .model = "r-both",
	    .needs = CAP_TOOLS, .want = "b/y", .rule = "both" },
	{ "one of two", .key = "web", .model = "r-both",
	    .err = ERR_MODEL_NOT_FOUND },
	{ "the first that matches", .model = "r-first", .want = "a/x",
	    .rule = "first" },

	/* capability */
	{ "able", .model = "able", .needs = CAP_IMAGE_IN,
	    .want = "anthropic/claude-sonnet-4-5 a/x" },
	{ "not able", .model = "able", .needs = CAP_AUDIO_IN,
	    .want = "a/x", .why = "anthropic/claude-sonnet-4-5 capability" },
	{ "asked for by name", .needs = CAP_AUDIO_IN,
	    .model = "anthropic/claude-sonnet-4-5",
	    .want = "anthropic/claude-sonnet-4-5" },
	{ "required", .model = "stern", .want = "a/x",
	    .why = "anthropic/claude-3-haiku-20240307 capability" },
	{ "none required", .model = "lax", .needs = CAP_AUDIO_IN,
	    .want = "anthropic/claude-3-haiku-20240307" },

	/* context: 1,000, 8,000, unknown */
	{ "fits", .model = "sizes", .tokens = 1000,
	    .want = "a/s b/m c/unknown" },
	{ "may fit", .model = "sizes", .tokens = 1250,
	    .want = "a/s b/m c/unknown" },
	{ "surely does not", .model = "sizes", .tokens = 1260,
	    .want = "b/m c/unknown", .why = "a/s context" },
	{ "a small body", .model = "small", .tokens = 99999, .bytes = 1000,
	    .want = "a/s b/m", .why = "" },
	{ "none is large enough", .model = "small", .tokens = 99999,
	    .want = "b/m", .why = "a/s context" },
	{ "the largest rests", .model = "small", .tokens = 99999,
	    .health = "b/m cooling=90", .want = "b/m", .cooled = true },
	{ "a window that is required", .model = "asked", .tokens = 10,
	    .want = "b/m", .why = "a/s context, c/z context" },

	/* regions and retention */
	{ "anywhere", .model = "places",
	    .want = "us/m lon/m gcp/m eu/m a/x eu/us.m us/eu.m" },
	{ "in the EU", .key = "eu", .model = "places", .want = "gcp/m eu/m",
	    .why = "us/m region, lon/m region, a/x region, eu/us.m region, "
		   "us/eu.m region" },
	{ "narrower", .key = "eu", .model = "places", .region = "eu-west",
	    .want = "eu/m", .why = "lon/m region, gcp/m region" },
	{ "never wider", .key = "eu", .model = "places", .region = "us",
	    .err = ERR_NO_ROUTE, .want = "region", .why = "eu/m region" },
	{ "Europe", .model = "places", .region = "EUROPE",
	    .want = "lon/m gcp/m eu/m" },
	{ "not known where", .key = "eu", .model = "one",
	    .err = ERR_NO_ROUTE, .want = "'one' is in the region" },
	{ "by name, too", .key = "eu", .model = "us/m",
	    .err = ERR_NO_ROUTE },
	{ "keeps nothing", .key = "zdr", .model = "places",
	    .want = "us/m eu/m eu/us.m us/eu.m", .why = "lon/m retention" },
	{ "keeps nothing, asked", .model = "places", .no_retention = true,
	    .region = "eu", .want = "eu/m", .why = "gcp/m retention" },
	{ "all keep", .key = "zdr", .model = "three", .err = ERR_NO_ROUTE,
	    .want = "retention" },
	{ "the last filter is told", .key = "zdr", .model = "gcp/m",
	    .region = "us", .err = ERR_NO_ROUTE, .want = "region" },

	/* prices, where there is a budget */
	{ "no budget but a provider's", .model = "mixed",
	    .want = "a/x b/p mean/p", .why = "mean/x unpriced" },
	{ "the key's", .key = "paid", .model = "mixed", .want = "b/p mean/p",
	    .why = "a/x unpriced, mean/x unpriced" },
	{ "its team's", .key = "member", .model = "mixed",
	    .want = "b/p mean/p" },
	{ "the end user's", .key = "agent", .user = "u", .model = "mixed",
	    .want = "b/p mean/p" },
	{ "no end user", .key = "agent", .model = "mixed",
	    .want = "a/x b/p mean/p" },
	{ "the model's", .model = "paying", .want = "b/p",
	    .why = "a/x unpriced" },
	{ "costs nothing", .key = "paid", .free = true, .model = "mixed",
	    .want = "a/x mean/x b/p mean/p" },
	{ "nothing has a price", .key = "paid", .model = "three",
	    .err = ERR_BAD_REQUEST, .want = "price of 'a/x'",
	    .why = "a/x unpriced, b/y unpriced, c/z unpriced" },
	{ "by name, as well", .key = "paid", .model = "a/x",
	    .err = ERR_BAD_REQUEST, .want = "price of 'a/x'" },
	{ "the budget of the provider that is named", .model = "mean/x",
	    .err = ERR_BAD_REQUEST, .want = "price of 'mean/x'" },

	/* scores */
	{ "scores", .model = "scored", .want = "b/y c/z",
	    .why = "a/x score, c/none score" },
	{ "no score", .model = "perfect", .err = ERR_NO_ROUTE,
	    .want = "score" },

	/* health */
	{ "cooling", .model = "three", .health = "a/x cooling=100",
	    .want = "b/y c/z", .why = "a/x cooling" },
	{ "cooling is over", .model = "three", .health = "a/x cooling=50",
	    .want = "a/x b/y c/z" },
	{ "probing", .model = "three", .health = "b/y probing=1",
	    .want = "a/x c/z", .why = "b/y probing" },
	{ "all are cooling", .model = "three", .cooled = true,
	    .health = "a/x cooling=200, b/y cooling=300, c/z cooling=100",
	    .want = "c/z", .why = "a/x cooling, b/y cooling" },
	{ "rests or is being tried", .model = "three", .cooled = true,
	    .health = "a/x probing=1, b/y cooling=300, c/z cooling=310",
	    .want = "b/y", .why = "a/x probing" },
	{ "the fallback is well", .model = "backed",
	    .health = "a/x cooling=60, b/y cooling=60", .want = "c/z",
	    .instead = "c/big" },
	{ "capped", .model = "three", .health = "a/x capped=1",
	    .want = "b/y c/z", .why = "a/x capped" },
	{ "all are capped", .model = "one", .health = "a/x capped=1",
	    .err = ERR_NO_ROUTE, .want = "budget", .why = "a/x capped" },
	{ "capped is not tried all the same", .model = "three",
	    .cooled = true, .want = "c/z",
	    .health = "a/x capped=1, b/y capped=1, c/z cooling=99" },
	{ "in time", .model = "three", .left = 1000,
	    .health = "a/x p90=1000", .want = "a/x b/y c/z" },
	{ "too late", .model = "three", .left = 999,
	    .health = "a/x p90=1000", .want = "b/y c/z",
	    .why = "a/x deadline" },
	{ "all too late, one most often not", .model = "three", .left = 999,
	    .health = "a/x p90=2000, a/x p50=900, b/y p90=1000, "
		      "b/y p50=999, c/z p90=1001", .want = "b/y" },
	{ "all far too late", .model = "one", .left = 999,
	    .health = "a/x p90=2000, a/x p50=1000", .err = ERR_NO_ROUTE,
	    .want = "time" },

	/* strategies */
	{ "least busy, by weight", .model = "busy",
	    .health = "a/x busy=9, b/y busy=4, c/z busy=3",
	    .want = "b/y a/x c/z" },
	{ "lowest latency", .model = "quick", .draw = 1,
	    .health = "a/x ttft=300, b/y ttft=200, c/z ttft=100",
	    .want = "c/z b/y a/x" },
	{ "unknown ones last", .model = "quick", .draw = 1,
	    .health = "b/y ttft=200, c/z ttft=300", .want = "b/y c/z a/x" },
	{ "cheapest: long input", .model = "cheap", .tokens = 10000,
	    .max_output = 100, .want = "c/p a/p b/p c/free-of-price" },
	{ "cheapest: long output", .model = "cheap", .tokens = 100,
	    .max_output = 400, .want = "b/p a/p c/p c/free-of-price" },
	{ "cheapest: beyond a tier", .model = "cheap", .tokens = 100001,
	    .max_output = 100, .want = "a/p b/p c/p c/free-of-price" },
	{ "cheapest: equal ones as they stand", .model = "even",
	    .tokens = 1000, .want = "b/e a/e c/f c/e b/f" },
	{ "a race", .model = "race", .want = "a/x b/y", .hedge = true },
	{ "a race with tools", .model = "race", .tools = true,
	    .want = "a/x b/y" },
	{ "a race with tools, allowed", .model = "raced", .tools = true,
	    .want = "a/x b/y", .hedge = true },
	{ "a race of one", .model = "race", .health = "b/y cooling=99",
	    .want = "a/x" },

	/* other lists */
	{ "behind", .model = "backed", .want = "a/x b/y c/z",
	    .instead = "c/big b/y", .why = "b/y twice" },
	{ "filtered as well", .model = "backed", .tokens = 12000,
	    .want = "a/x b/y c/z", .instead = "b/y",
	    .why = "c/big context" },
	{ "too long for all", .model = "narrow", .tokens = 12000,
	    .want = "c/big c/z", .why = "a/s context, b/m context" },
	{ "and for the list", .model = "narrow", .tokens = 12000,
	    .health = "c/z cooling=99, c/big cooling=99", .want = "b/m" ,
	    .instead = "", .why = NULL },
	{ "and by health", .model = "backed", .want = "a/x c/z",
	    .health = "b/y cooling=99", .instead = "c/big" },
};

static const struct vkey *
key(const struct world *w, const char *name)
{
	size_t i;

	for (i = 0; i < w->policy->key_count; i++)
		if (strcmp(w->policy->keys[i].name, name) == 0)
			return &w->policy->keys[i];
	fail_msg("no key %s", name);
	return NULL;
}

static const char *
text_of(const char *s)
{
	return s != NULL ? s : "";
}

static enum err
plan_row(struct world *w, const struct row *r, struct plan *out,
    struct fault *f)
{
	struct route_facts facts = {
		.key = key(w, r->key != NULL ? r->key : "all"),
		.model = r->model, .more = r->more,
		.endpoint = r->endpoint != NULL ? r->endpoint : "chat",
		.stream = r->stream, .tools = r->tools, .free = r->free,
		.needs = r->needs,
		.max_output = r->max_output, .input_bytes = r->bytes,
		.user = text_of(r->user), .session = text_of(r->session),
		.region = text_of(r->region),
		.no_retention = r->no_retention, .wall = r->wall,
		.left = r->left > 0 ? r->left : INT64_MAX, .draw = r->draw,
		.calls = &calls, .arg = w };
	struct route_view view = { .look = look, .arg = w, .now = 50 };

	while (facts.more_count < LEN(r->more) &&
	    r->more[facts.more_count] != NULL)
		facts.more_count++;
	w->row = r;
	memset(w->asked, 0, sizeof w->asked);
	memset(out, 0, sizeof *out);
	return plan_make(w->policy, &facts, &view, w->arena, out, f);
}

/* "a/x b/y" */
static const char *
names(const struct deployment *const *list, size_t n, char *out, size_t size)
{
	size_t i, len = 0;

	out[0] = '\0';
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s",
		    i > 0 ? " " : "", list[i]->id);
	return out;
}

/* Is "id reason" true of a candidate, for all in "id reason, id reason"? */
static bool
why_holds(const struct plan *p, const char *why)
{
	char id[64], word[32];
	size_t i;

	for (; sscanf(why, " %63[^ ] %31[a-z]", id, word) == 2;
	    why += strcspn(why, ","), why += *why == ',') {
		for (i = 0; i < p->all_count; i++)
			if (strcmp(p->all[i].deployment->id, id) == 0 &&
			    strcmp(out_word(p->all[i].out), word) == 0)
				break;
		if (i == p->all_count)
			return false;
	}
	return true;
}

static void
check_row(struct world *w, const struct row *r)
{
	char got[512], instead[512];
	struct fault f = { .code = ERR_OK };
	struct plan p;
	enum err e = plan_row(w, r, &p, &f);

	if (e != r->err)
		fail_msg("%s: %s: %s", r->what, err_row(e)->label, f.text);
	if (r->why != NULL && !why_holds(&p, r->why))
		fail_msg("%s: not all of %s", r->what, r->why);
	if (e != ERR_OK) {
		if (r->want != NULL && strstr(f.text, r->want) == NULL)
			fail_msg("%s: %s", r->what, f.text);
		return;
	}
	names(p.order, p.count, got, sizeof got);
	names(p.instead[FALLBACK_CONTEXT], p.instead_count[FALLBACK_CONTEXT],
	    instead, sizeof instead);
	if (strcmp(got, r->want) != 0)
		fail_msg("%s: %s", r->what, got);
	if (r->rule != NULL && (p.rule == NULL ||
	    strcmp(p.rule->name, r->rule) != 0))
		fail_msg("%s: another rule", r->what);
	if (r->rule == NULL && p.rule != NULL)
		fail_msg("%s: the rule %s", r->what, p.rule->name);
	if (r->instead != NULL && strcmp(instead, r->instead) != 0)
		fail_msg("%s: instead %s", r->what, instead);
	if (p.cooled != r->cooled || (p.hedge != NULL) != r->hedge)
		fail_msg("%s: cooled %d, hedge %d", r->what, p.cooled,
		    p.hedge != NULL);
}

static void
test_table(void **state)
{
	struct world *w = *state;
	size_t i;

	for (i = 0; i < LEN(table); i++) {
		check_row(w, &table[i]);
		arena_reset(w->arena);
	}
	w->row = NULL;
	print_message("%zu requests, each to its deployments\n", LEN(table));
}

/* What no condition asks for is not found out. */
static void
test_lazy(void **state)
{
	static const struct row plain = { .model = "three" },
		shop = { .model = "small", .bytes = 900 },
		cheap = { .model = "cheap" }, faq = { .model = "r-faq" },
		money = { .model = "r-money" }, meta = { .model = "r-meta" };
	static const struct {
		const struct row *row;
		int tokens, prompts, budget, others;
	} rows[] = {
		{ &plain, 0, 0, 0, 0 },
		{ &shop, 0, 0, 0, 0 }, /* a body that fits anyhow */
		{ &cheap, 1, 0, 0, 0 },
		{ &faq, 0, 2, 0, 0 }, /* the last turn, the system prompt */
		{ &money, 0, 0, 1, 0 },
		{ &meta, 0, 0, 0, 1 },
	};
	struct world *w = *state;
	struct fault f;
	struct plan p;
	size_t i;

	for (i = 0; i < LEN(rows); i++) {
		plan_row(w, rows[i].row, &p, &f);
		assert_int_equal(w->asked[0], rows[i].tokens);
		assert_int_equal(w->asked[1], rows[i].prompts);
		assert_int_equal(w->asked[2], rows[i].budget);
		assert_int_equal(w->asked[3], rows[i].others);
	}
	w->row = NULL;
}

/* Short of memory anywhere: an error, and not the wrong one. */
static void
test_memory(void **state)
{
	struct world *w = *state;
	struct arena *whole = w->arena;
	struct fault f;
	struct plan p;
	size_t i, cap, failed = 0;
	enum err e;

	for (i = 0; i < LEN(table); i += 5) {
		for (cap = 0; cap < 8192; cap += 256) {
			w->arena = arena_new(cap);
			e = plan_row(w, &table[i], &p, &f);
			failed += e == ERR_INTERNAL;
			if (e != ERR_INTERNAL && e != table[i].err)
				fail_msg("%s: %s", table[i].what,
				    err_row(e)->label);
			arena_free(w->arena);
		}
	}
	w->arena = whole;
	w->row = NULL;
	assert_true(failed > 50);
}

static void
test_words(void **state)
{
	int i, j;

	(void)state;
	for (i = 0; i < OUT_REASONS; i++)
		for (j = 0; j < i; j++)
			assert_string_not_equal(out_word(i), out_word(j));
	assert_string_equal(out_word(OUT_COOLING), "cooling");
	assert_string_equal(out_word(OUT_REASONS), "unknown");
}

static enum err
plan(struct world *w, const char *who, const char *model, uint64_t draw,
    struct plan *out)
{
	struct route_facts facts = { .key = key(w, who), .model = model,
		.draw = draw, .left = INT64_MAX };
	struct route_view view = { .look = look, .arg = w, .now = 50 };
	struct fault f;

	return plan_make(w->policy, &facts, &view, w->arena, out, &f);
}

static void
cool(struct world *w, const char *a, const char *b, const char *c)
{
	w->cool[0] = a;
	w->cool[1] = b;
	w->cool[2] = c;
}

static void
test_cooling(void **state)
{
	struct world *w = *state;
	struct plan p;

	cool(w, "a/x", NULL, NULL);
	assert_int_equal(plan(w, "all", "three", 1, &p), ERR_OK);
	assert_int_equal(p.count, 2);
	assert_string_equal(p.order[0]->id, "b/y");
	assert_false(p.cooled);
	/* All of them: the one that is back first, and that one only. */
	cool(w, "c/z", "a/x", "b/y");
	assert_int_equal(plan(w, "all", "three", 1, &p), ERR_OK);
	assert_int_equal(p.count, 1);
	assert_string_equal(p.order[0]->id, "c/z");
	assert_true(p.cooled);
}

/* Each target is first as often as its weight says, within 4 sigma. */
static void
test_weights(void **state)
{
	struct world *w = *state;
	int first[3] = { 0 }, i, n = 20000, k;
	static const double share[3] = { 0.7, 0.2, 0.1 };
	struct plan p;
	double d;

	cool(w, NULL, NULL, NULL);
	for (i = 0; i < n; i++) {
		assert_int_equal(plan(w, "all", "heavy",
		    (uint64_t)i * 2654435761u, &p), ERR_OK);
		assert_int_equal(p.count, 3);
		assert_ptr_not_equal(p.order[0], p.order[1]);
		assert_ptr_not_equal(p.order[1], p.order[2]);
		assert_ptr_not_equal(p.order[0], p.order[2]);
		first[p.order[0]->id[0] - 'a']++;
		if (i % 1000 == 0)
			arena_reset(w->arena);
	}
	for (k = 0; k < 3; k++) {
		d = first[k] - n * share[k];
		assert_true(d * d < 16 * n * share[k] * (1 - share[k]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_cooling),
		cmocka_unit_test(test_weights),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
