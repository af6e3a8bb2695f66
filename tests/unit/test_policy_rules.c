/* Rules that load: every condition read back, and a policy of all kinds. */
#include "tests/unit/policy_help.h"

#include "policy/pattern.h"
#include "policy/script.h"
#include "policy/unit.h"

#define HEAD                                                                 \
	"providers: { openai: { key: none }, anthropic: { key: none } }\n"   \
	"models: { cheap: openai/gpt-5.4-mini, smart: openai/gpt-5.4 }\n"    \
	"tiers: { free: {}, pro: {} }\n"                                     \
	"rules:\n"

static void
same_strings(const struct strings *s, const char *const *want)
{
	size_t i;

	for (i = 0; want[i] != NULL; i++) {
		assert_true(i < s->count);
		assert_string_equal(s->list[i], want[i]);
	}
	assert_int_equal(s->count, i);
	assert_true((s->list == NULL) == (i == 0));
}

static void
nothing_set(const struct when *w)
{
	const struct strings *const lists[] = { &w->keys, &w->teams,
		&w->tiers, &w->users, &w->tags, &w->models, &w->endpoints };
	size_t i;

	for (i = 0; i < sizeof lists / sizeof lists[0]; i++)
		assert_true(lists[i]->count == 0 && lists[i]->list == NULL);
	assert_true(w->metadata_count == 0 && w->header_count == 0);
	assert_int_equal(w->stream, -1);
	assert_false(w->input_tokens.set || w->output_tokens.set ||
	    w->budget_left.set || w->hours.set);
	assert_int_equal(w->needs, 0);
	assert_null(w->prompt);
	assert_null(w->script);
}

static void
who_and_what(void **state)
{
	static const char text[] = HEAD
	    "  - name: first\n"
	    "    when:\n"
	    "      key: shop\n"
	    "      team: [ web, \"sh*\" ]\n"
	    "      tier: [ free, \"p*\" ]\n"
	    "      user: \"ann b\"\n"
	    "      tags: [ eu, \"b*\" ]\n"
	    "      model: [ code, \"gpt-*\" ]\n"
	    "      endpoint: chat\n"
	    "      stream: false\n"
	    "      needs: [ tools, images ]\n"
	    "    use: cheap\n"
	    "  - { when: { tag: eu, stream: true, needs: video }, "
	    "use: anthropic/claude-sonnet-4-5 }\n"
	    "  - { use: smart }\n";
	static const char *const keys[] = { "shop", NULL };
	static const char *const teams[] = { "web", "sh*", NULL };
	static const char *const tiers[] = { "free", "p*", NULL };
	static const char *const users[] = { "ann b", NULL };
	static const char *const tags[] = { "eu", "b*", NULL };
	static const char *const models[] = { "code", "gpt-*", NULL };
	static const char *const endpoints[] = { "chat", NULL };
	static const char *const eu[] = { "eu", NULL };
	struct policy *p = load_good(text);
	const struct when *w = &p->rules[0].when;

	(void)state;
	assert_int_equal(p->rule_count, 3);
	assert_string_equal(p->rules[0].name, "first");
	assert_string_equal(p->rules[0].use, "cheap");
	same_strings(&w->keys, keys);
	same_strings(&w->teams, teams);
	same_strings(&w->tiers, tiers);
	same_strings(&w->users, users);
	same_strings(&w->tags, tags);
	same_strings(&w->models, models);
	same_strings(&w->endpoints, endpoints);
	assert_int_equal(w->stream, 0);
	assert_int_equal(w->needs, CAP_TOOLS | CAP_IMAGE_IN);
	w = &p->rules[1].when;
	assert_string_equal(p->rules[1].name, "rule 2");
	assert_string_equal(p->rules[1].use, "anthropic/claude-sonnet-4-5");
	same_strings(&w->tags, eu);
	assert_int_equal(w->stream, 1);
	assert_int_equal(w->needs, CAP_VIDEO_IN);
	nothing_set(&p->rules[2].when);
	policy_unref(p);
}

static void
same_match(const struct match *m, const char *name, const char *first,
    size_t count)
{
	assert_string_equal(m->name, name);
	assert_string_equal(m->patterns[0], first);
	assert_int_equal(m->count, count);
}

static void
named_values(void **state)
{
	static const char text[] = HEAD
	    "  - { when: { metadata.env: staging, metadata: { a.b: [ x, \"y "
	    "*\" ], c: 3 }, metadata.last: z }, use: cheap }\n"
	    "  - { when: { header: { X-One: uno }, header.User-Agent: \"*curl*"
	    "\" }, use: cheap }\n";
	struct policy *p = load_good(text);
	const struct when *w = &p->rules[0].when;

	(void)state;
	assert_int_equal(w->metadata_count, 4);
	assert_int_equal(w->header_count, 0);
	same_match(&w->metadata[0], "env", "staging", 1);
	same_match(&w->metadata[1], "a.b", "x", 2);
	assert_string_equal(w->metadata[1].patterns[1], "y *");
	same_match(&w->metadata[2], "c", "3", 1);
	same_match(&w->metadata[3], "last", "z", 1);
	w = &p->rules[1].when;
	assert_int_equal(w->header_count, 2);
	assert_int_equal(w->metadata_count, 0);
	same_match(&w->headers[0], "x-one", "uno", 1);
	same_match(&w->headers[1], "user-agent", "*curl*", 1);
	policy_unref(p);
}

static void
numbers(void **state)
{
	static const char text[] = HEAD
	    "  - { when: { input_tokens: \"> 8000\", output_tokens: 4k,\n"
	    "      budget_left: \"< 20 %\" }, use: cheap }\n";
	struct policy *p = load_good(text);
	const struct when *w = &p->rules[0].when;

	(void)state;
	assert_true(w->input_tokens.set && w->output_tokens.set &&
	    w->budget_left.set);
	assert_true(w->input_tokens.least == 8001);
	assert_true(w->input_tokens.most == INT64_MAX);
	assert_true(w->output_tokens.least == 4000);
	assert_true(w->output_tokens.most == 4000);
	assert_true(w->budget_left.least == INT64_MIN);
	assert_true(w->budget_left.most == 19);
	policy_unref(p);
}

static void
ranges(void **state)
{
	static const struct {
		const char *text;
		bool share;
		int64_t least, most;
	} rows[] = {
		{ "> 8000", false, 8001, INT64_MAX },
		{ ">=8k", false, 8000, INT64_MAX },
		{ "< 1.5k", false, INT64_MIN, 1499 },
		{ "<= 1M", false, INT64_MIN, 1000000 },
		{ "= 3", false, 3, 3 },
		{ "3", false, 3, 3 },
		{ "100..2k", false, 100, 2000 },
		{ "1.5k .. 2k", false, 1500, 2000 },
		{ "2..1", false, 2, 1 },
		{ "< 0", false, INT64_MIN, -1 },
		{ "< 20 %", true, INT64_MIN, 19 },
		{ ">= 50%", true, 50, INT64_MAX },
		{ "0 %", true, 0, 0 },
		{ "10..20 %", true, 10, 20 },
		{ "10 % .. 20%", true, 10, 20 },
	};
	static const char *const wrong[] = { "", ">", "=> 3", "<> 3", "> ",
		"3 >", "1...2", "1..2..3", "..", "1..", "..1", "> 1..2", "x",
		"-1", "1.5", "99999999999999999999", "> 3 k x", "1 2",
		"100000000000000000000000000000000000000000..2" };
	int64_t least = 7, most = 8;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (unit_range(wrong[i], false, &least, &most) ||
		    unit_range(wrong[i], true, &least, &most))
			fail_msg("taken: '%s'", wrong[i]);
	assert_true(least == 7 && most == 8);
	assert_false(unit_range("20", true, &least, &most));
	assert_false(unit_range("10 %..20", true, &least, &most));
	assert_false(unit_range("20 %", false, &least, &most));
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!unit_range(rows[i].text, rows[i].share, &least, &most) ||
		    least != rows[i].least || most != rows[i].most)
			fail_msg("'%s': %lld to %lld", rows[i].text,
			    (long long)least, (long long)most);
}

static bool
found(const struct pattern *p, const char *text)
{
	return pattern_match(p, text, strlen(text), NULL);
}

static void
prompts(void **state)
{
	static const char text[] = HEAD
	    "  - { when: { prompt: \"(?i)faq|opening hours\" }, use: cheap }\n"
	    "  - { when: { prompt: ' x ', script: Han, prompt_part: all },\n"
	    "      use: cheap }\n"
	    "  - { when: { script: Latin, script_share: 3 %, prompt_part: "
	    "system }, use: cheap }\n";
	struct policy *p = load_good(text);
	const struct rule *r = p->rules;

	(void)state;
	assert_non_null(r[0].when.prompt);
	assert_true(found(r[0].when.prompt, "Our Opening Hours"));
	assert_false(found(r[0].when.prompt, "Our hours"));
	assert_int_equal(r[0].when.prompt_part, PROMPT_LAST);
	assert_null(r[0].when.script);
	assert_true(found(r[1].when.prompt, "a x b"));
	assert_false(found(r[1].when.prompt, "axb"));
	assert_int_equal(r[1].when.prompt_part, PROMPT_ALL);
	assert_int_equal(r[1].when.script_share, 50);
	assert_true(script_match(r[1].when.script, "\xe6\xbc\xa2", 3, 50));
	assert_false(script_match(r[1].when.script, "abc", 3, 1));
	assert_null(r[2].when.prompt);
	assert_int_equal(r[2].when.script_share, 3);
	assert_int_equal(r[2].when.prompt_part, PROMPT_SYSTEM);
	assert_true(script_match(r[2].when.script, "abc", 3, 100));
	policy_unref(p);
}

static void
times(void **state)
{
	static const char text[] = HEAD
	    "  - { when: { time: \"22:00-06:30\", days: [ mon, sun ], zone: "
	    "Europe/Berlin }, use: cheap }\n"
	    "  - { when: { time: 00:00 - 24:00 }, use: cheap }\n"
	    "  - { when: { days: sat, zone: UTC }, use: cheap }\n";
	struct policy *p = load_good(text);
	const struct hours *h = &p->rules[0].when.hours;
	int from = 1, to = 2;

	(void)state;
	assert_true(h->set && h->from == 22 * 60 && h->to == 6 * 60 + 30);
	assert_int_equal(h->days, 1 << 1 | 1 << 0);
	assert_string_equal(h->zone, "Europe/Berlin");
	h = &p->rules[1].when.hours;
	assert_true(h->set && h->from == 0 && h->to == 1440 && h->days == 0);
	assert_string_equal(h->zone, "");
	h = &p->rules[2].when.hours;
	assert_true(h->set && h->from == h->to && h->days == 1 << 6);
	policy_unref(p);
	assert_false(unit_hours("24:00-06:00", &from, &to));
	assert_false(unit_hours("00:00", &from, &to));
	assert_false(unit_hours("00:00-", &from, &to));
	assert_false(unit_hours("00:00-24:01", &from, &to));
	assert_false(unit_hours("00:60-24:00", &from, &to));
	assert_false(unit_hours("0:00-24:00", &from, &to));
	assert_false(unit_hours("00:00-24:00 ", &from, &to));
	assert_true(from == 1 && to == 2);
}

/* What may be a slip is told, and the policy holds. */
static void
doubtful(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	p = load_text(HEAD
	    "  - { when: { tier: [ free, fre, \"f*\" ] }, use: cheap }\n"
	    "  - { when: {}, use: cheap }\n"
	    "  - { when: { tier: pro }, use: smart }\n"
	    "  - { use: openai/gpt-5.5-mini }\n", &said);
	assert_non_null(p);
	assert_string_equal(said,
	    "policy.yaml:5: rules[0].when: warning: unknown tier 'fre' (did "
	    "you mean 'free'?)\n"
	    "policy.yaml:7: rules[2]: warning: is never reached, nor what "
	    "follows: rule 2 matches all requests\n"
	    "policy.yaml:8: rules[3].use: warning: the catalog knows no model "
	    "'gpt-5.5-mini' of 'openai' (did you mean 'gpt-5.4-mini'?)\n");
	assert_int_equal(p->rule_count, 4);
	free(said);
	policy_unref(p);
}

/* Rules of several files stand one behind the other. */
static void
many_files(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	assert_int_equal(mkdir("rules.d", 0755), 0);
	put_file("rules.d/1.yaml", HEAD "  - { when: { team: a }, use: cheap "
	    "}\n", 0644);
	put_file("rules.d/2.yaml", "rules:\n  - { when: { team: b }, "
	    "use: smart }\n", 0644);
	p = load_path("rules.d", &said);
	assert_string_equal(said, "");
	assert_int_equal(p->rule_count, 2);
	assert_string_equal(p->rules[1].name, "rule 2");
	assert_string_equal(p->rules[1].use, "smart");
	free(said);
	policy_unref(p);
}

/* One of each kind, as a user would write it. */
static void
whole(void **state)
{
	static const char text[] =
	    "providers:\n"
	    "  openai: { key: env:KEY1, organization: org-123 }\n"
	    "  anthropic: { key: env:KEY1, budget: 200 USD / day }\n"
	    "  vertex: { credentials: env:KEY1, project: acme,\n"
	    "            region: europe-west4 }\n"
	    "  gemini: { key: env:KEY1 }\n"
	    "  groq: { key: env:KEY1 }\n"
	    "  cerebras: { key: env:KEY1 }\n"
	    "  deepseek: { key: env:KEY1, budget: 50 USD / day,\n"
	    "              timezone: Asia/Shanghai }\n"
	    "  house: { adapter: openai, base_url: http://10.0.0.7:8000/v1,\n"
	    "           key: none, region: eu, retention: none }\n"
	    "models:\n"
	    "  smart:\n"
	    "    strategy: fallback\n"
	    "    targets: [ anthropic/claude-sonnet-4-6, openai/gpt-5.4,\n"
	    "      { provider: house, model: qwen3-32b,\n"
	    "        price: { input: 0, output: 0 } } ]\n"
	    "    timeouts: { connect: 2s, first_token: 8s, idle: 30s,\n"
	    "                total: 300s }\n"
	    "    fallbacks: { context_window: [ gemini/gemini-2.5-pro ] }\n"
	    "  cheap:\n"
	    "    strategy: cheapest\n"
	    "    targets: [ deepseek/*, openai/*mini*, gemini/*flash* ]\n"
	    "    require: { benchmark: { \"SWE-Bench Verified\": 40 },\n"
	    "      context: auto, capabilities: auto }\n"
	    "  fast:\n"
	    "    strategy: race\n"
	    "    targets: [ groq/llama-3.3-70b-versatile,\n"
	    "               cerebras/gpt-oss-120b ]\n"
	    "    hedge: { after: 0s, budget: 100 % }\n"
	    "  qwen-coder: { targets: { target: house/qwen3-coder,\n"
	    "    price: { input: 0 } } }\n"
	    "rules:\n"
	    "  - { when: { tier: free }, use: cheap }\n"
	    "  - { when: { model: code, script: Han }, use: qwen-coder }\n"
	    "  - { when: { model: support, prompt: \"(?i)faq|opening hours\" "
	    "}, use: cheap }\n"
	    "  - { when: { model: support, input_tokens: \"> 8000\" }, "
	    "use: smart }\n"
	    "  - { when: { metadata.env: staging, budget_left: \"< 20 %\" }, "
	    "use: cheap }\n"
	    "tiers:\n"
	    "  free: { models: [cheap], rpm: 20, tpm: 40k, parallel: 2,\n"
	    "    budget: [ 0.50 USD / day, 5 USD / month ] }\n"
	    "  pro: { models: [\"*\"], rpm: 600, tpm: 1M,\n"
	    "    budget: 100 USD / month }\n"
	    "keys:\n"
	    "  - { name: shop, tier: pro, team: web, hash: \"hmac-sha256:"
	    "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\""
	    " }\n";
	static const char *const adapters[] = { "openai", "anthropic",
		"gemini", "responses", NULL };
	struct catalog *real = catalog_open(NULL, NULL);
	struct policy_env before = env;
	struct policy *p;

	(void)state;
	assert_non_null(real);
	env.catalog = real;
	env.adapters = adapters;
	p = load_good(text);
	assert_int_equal(p->model_count, 4);
	assert_int_equal(p->rule_count, 5);
	assert_int_equal(p->keys[0].limits.rpm, 600);
	assert_int_equal(p->keys[0].limits.budget_count, 1);
	assert_true(policy_model(p, "cheap")->target_count > 10);
	policy_unref(p);
	env = before;
	catalog_close(real);
}

/* The most that there may be, and their end. */
static void
many_rules(void **state)
{
	struct policy *p;
	struct buf text;
	char *said;
	int i;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_puts(&text, HEAD);
	for (i = 0; i < 1000; i++)
		buf_printf(&text, "  - { when: { prompt: \"(a|b)%d\", script: "
		    "Thai }, use: cheap }\n", i);
	buf_putc(&text, '\0');
	p = load_good(text.data);
	assert_int_equal(p->rule_count, 1000);
	assert_true(found(p->rules[999].when.prompt, "b999"));
	policy_unref(p);
	text.len--;
	buf_puts(&text, "  - { when: { team: x }, use: cheap }\n");
	buf_putc(&text, '\0');
	assert_null(load_text(text.data, &said));
	assert_string_equal(said, "policy.yaml:4: rules: has more than 1000 "
	    "entries\n");
	free(said);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_and_what),
		cmocka_unit_test(named_values),
		cmocka_unit_test(numbers),
		cmocka_unit_test(ranges),
		cmocka_unit_test(prompts),
		cmocka_unit_test(times),
		cmocka_unit_test(doubtful),
		cmocka_unit_test(many_files),
		cmocka_unit_test(whole),
		cmocka_unit_test(many_rules),
	};

	setenv("KEY1", "sk-upstream-0123456789", 1);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
