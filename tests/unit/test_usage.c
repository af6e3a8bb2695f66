/* Usage added up and written; and the command over a ledger of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/usage.h"
#include "tests/unit/ledger_help.h"

static const struct usage_row rows[] = {
	{ .day = 20261128, .key = "web", .team = "t", .tag = "a,b",
	    .model = "gpt", .provider = "openai", .requests = 2, .input = 10,
	    .output = 5, .cached = 1, .cost = 1500000000 },
	{ .day = 20261127, .key = "web", .team = "t", .tag = "b",
	    .model = "gpt", .provider = "openai", .requests = 1, .input = 7,
	    .cost = 1 },
	{ .day = 20261128, .key = "cli, \"x\"", .model = "claude",
	    .provider = "anthropic", .requests = 4, .output = 3,
	    .cost = 20000000 },
};

static const char *
written(const char *by, enum usage_format format)
{
	static char text[4096];
	struct usage_table *t;
	struct buf out;
	unsigned bits;
	size_t i;

	assert_true(usage_by_read(by, &bits, NULL));
	t = usage_new(bits);
	assert_non_null(t);
	for (i = 0; i < 3; i++)
		assert_true(usage_add(t, &rows[i], i == 2 ? 77 : 0));
	buf_init(&out, MIB(1));
	usage_write(t, format, &out);
	assert_false(out.failed);
	snprintf(text, sizeof text, "%.*s", (int)out.len, out.data);
	buf_free(&out);
	usage_free(t);
	return text;
}

static void
test_json(void **state)
{
	(void)state;
	assert_string_equal(written("day", USAGE_JSON), "{\"rows\":["
	    "{\"day\":\"2026-11-27\",\"requests\":1,\"input_tokens\":7,"
	    "\"output_tokens\":0,\"cached_tokens\":0,\"cost_nano\":1,"
	    "\"held_nano\":0},"
	    "{\"day\":\"2026-11-28\",\"requests\":6,\"input_tokens\":10,"
	    "\"output_tokens\":8,\"cached_tokens\":1,"
	    "\"cost_nano\":1520000000,\"held_nano\":77}]}\n");
	assert_string_equal(written("provider,key", USAGE_JSON), "{\"rows\":["
	    "{\"key\":\"cli, \\\"x\\\"\",\"provider\":\"anthropic\","
	    "\"requests\":4,\"input_tokens\":0,\"output_tokens\":3,"
	    "\"cached_tokens\":0,\"cost_nano\":20000000,\"held_nano\":77},"
	    "{\"key\":\"web\",\"provider\":\"openai\",\"requests\":3,"
	    "\"input_tokens\":17,\"output_tokens\":5,\"cached_tokens\":1,"
	    "\"cost_nano\":1500000001,\"held_nano\":0}]}\n");
}

/* A request with two tags counts for both. */
static void
test_csv(void **state)
{
	(void)state;
	assert_string_equal(written("tag", USAGE_CSV),
	    "tag,requests,input_tokens,output_tokens,cached_tokens,cost_nano,"
	    "held_nano\r\n"
	    ",4,0,3,0,20000000,77\r\n"
	    "a,2,10,5,1,1500000000,0\r\n"
	    "b,3,17,5,1,1500000001,0\r\n");
	assert_string_equal(written("key", USAGE_CSV),
	    "key,requests,input_tokens,output_tokens,cached_tokens,cost_nano,"
	    "held_nano\r\n"
	    "\"cli, \"\"x\"\"\",4,0,3,0,20000000,77\r\n"
	    "web,3,17,5,1,1500000001,0\r\n");
}

static void
test_table(void **state)
{
	(void)state;
	assert_string_equal(written("model", USAGE_TABLE),
	    "MODEL       REQUESTS         INPUT        OUTPUT        CACHED"
	    "      COST USD      HELD USD\n"
	    "claude             4             0             3             0"
	    "          0.02   0.000000077\n"
	    "gpt                3            17             5             1"
	    "   1.500000001             0\n");
}

static void
test_words(void **state)
{
	enum usage_format f;
	unsigned by = 77;
	int32_t day = 1;

	(void)state;
	assert_false(usage_by_read("", &by, NULL));
	assert_false(usage_by_read("day,", &by, NULL));
	assert_false(usage_by_read("days", &by, NULL));
	assert_int_equal(by, 77);
	assert_true(usage_by_read("provider,day", &by, NULL));
	assert_int_equal(by, 1 << USAGE_PROVIDER | 1 << USAGE_DAY);
	assert_true(usage_format_read("csv", &f, NULL));
	assert_int_equal(f, USAGE_CSV);
	assert_false(usage_format_read("xml", &f, NULL));
	assert_true(usage_day_read("since", "2026-11-01", 20261128, &day, NULL));
	assert_int_equal(day, 20261101);
	assert_true(usage_day_read("since", "1d", 20261128, &day, NULL));
	assert_int_equal(day, 20261128);
	assert_true(usage_day_read("since", "7d", 20261128, &day, NULL));
	assert_int_equal(day, 20261122);
	assert_true(usage_day_read("since", "30d", 20260301, &day, NULL));
	assert_int_equal(day, 20260131);
	assert_true(usage_day_read("since", "1h", 20261128, &day, NULL));
	assert_int_equal(day, 20261128);
	assert_false(usage_day_read("since", "2026-02-30", 20261128, &day, NULL));
	assert_false(usage_day_read("since", "yesterday", 20261128, &day, NULL));
	assert_false(usage_day_read("since", "9999999d", 20261128, &day, NULL));
}

static void
run_command(const struct world *w, const char *words, char *out, size_t size)
{
	char line[512];
	size_t n;
	FILE *p;

	snprintf(line, sizeof line, "TOLLGATE_STATE=%s "
	    "TOLLGATE_POLICY=%s/policy.yaml " PROGRAM " %s 2>&1",
	    w->server.dir, w->server.dir, words);
	p = popen(line, "r");
	assert_non_null(p);
	n = fread(out, 1, size - 1, p);
	out[n] = '\0';
	pclose(p);
}

/* Who gives an option what it does not take hears which, and what it does. */
static void
assert_misused(const struct world *w)
{
	static const struct {
		const char *words, *said;
	} wrong[] = {
		{ "usage --by day,foo", "--by: 'foo' is no column; there are "
		    "day, key, team, user, tag, model, provider\n" },
		{ "usage --format foo",
		    "--format: 'foo' is no format; there are table, csv, "
		    "json\n" },
		{ "usage --since soon", "--since: 'soon' is neither a day, as "
		    "2026-11-01, nor a number of days, as 7d\n" },
		{ "usage --until 2026-02-30", "--until: '2026-02-30' is " },
		{ "reprice --since soon", "--since: 'soon' is " },
		{ "reprice --since 7d --until x", "--until: 'x' is " },
		{ "usage --colour", "usage: tollgate usage" },
		{ "reprice", "usage: tollgate reprice" },
	};
	char out[4096];
	size_t i;

	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		run_command(w, wrong[i].words, out, sizeof out);
		assert_non_null(strstr(out, wrong[i].said));
	}
}

/* The program reads what another process has settled and holds. */
static void
test_command(void **state)
{
	static const struct counter c = { .scope = "key:web",
		.kind = COUNTER_PARALLEL, .limit = 9 };
	const struct want claim = { &c, 1 };
	const int64_t none = 0;
	struct usage_row row = rows[0], who = rows[0];
	char path[128], out[4096], since[64];
	struct world *w = world_new();
	struct hold h = hold_new(w), held = hold_new(w);
	FILE *f;

	(void)state;
	row.day = who.day = ledger_day(w->l);
	who.cost = 4000;
	assert_int_equal(hold_as(w, &h, &claim, 1, &who).err, ERR_OK);
	assert_int_equal(settle(w, &h, &none, &row, 1).err, ERR_OK);
	assert_int_equal(hold_as(w, &held, &claim, 1, &who).err, ERR_OK);
	snprintf(path, sizeof path, "%s/policy.yaml", w->server.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "store: %s\nproviders:\n  p: { adapter: openai, "
	    "base_url: 'http://127.0.0.1:1/v1', key: none }\n"
	    "models: { m: p/m }\nkeys: [ { name: web, secret: "
	    "'plain:0123456789abcdef0123' } ]\n", w->setup.store);
	fclose(f);
	snprintf(since, sizeof since, "usage --by key,model --since 2d "
	    "--format json");
	run_command(w, since, out, sizeof out);
	assert_string_equal(out, "{\"rows\":[{\"key\":\"web\",\"model\":"
	    "\"gpt\",\"requests\":2,\"input_tokens\":10,\"output_tokens\":5,"
	    "\"cached_tokens\":1,\"cost_nano\":1500000000,"
	    "\"held_nano\":4000}]}\n");
	run_command(w, "usage --since 2020-01-01 --until 2020-01-02 "
	    "--format csv", out, sizeof out);
	assert_string_equal(out, "day,requests,input_tokens,output_tokens,"
	    "cached_tokens,cost_nano,held_nano\r\n");
	assert_misused(w);
	release(w, &held);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_command),
	};
	const struct CMUnitTest command[] = {
		cmocka_unit_test(test_command),
	};
	int failed;

	alarm(120);
	failed = cmocka_run_group_tests_name("embedded", tests, NULL, NULL);
	over_redis = true;
	return failed + cmocka_run_group_tests_name("redis", command, NULL,
	    NULL);
}
