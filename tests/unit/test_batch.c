/*
 * Batches: the registry over both stores, records, holds that outlive their
 * process, the lines of an input, and what OpenAI and Azure say of a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/batch.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/batches.h"
#include "app/entry.h"
#include "app/lines.h"
#include "app/spool.h"
#include "tests/unit/ledger_help.h"

#define NOON "2026-11-28T12:00:00Z"
#define DAY 20261128

static const struct counter daily = { .scope = "key:a",
	.kind = COUNTER_MONEY, .span = SPAN_DAY, .limit = 1000 };

/* ------------------------------------------------------------ registry */

struct heard {
	int calls;
	enum err err;
	char all[4096]; /* texts, with ';' behind each */
	bool ended;
};

static void
on_text(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct heard *h = arg;

	(void)why;
	h->calls++;
	h->err = e;
	if (text == NULL)
		h->ended = true;
	else
		snprintf(h->all + strlen(h->all), sizeof h->all -
		    strlen(h->all), "%.*s;", (int)len, text);
}

struct shelf {
	struct world *w;
	struct registry *rg;
	struct heard heard;
};

static struct shelf
shelf_new(void)
{
	struct shelf s = { .w = world_new() };
	struct registry_setup setup = { .loop = &s.w->loop,
		.store = s.w->setup.store, .dir = s.w->setup.dir,
		.patience = 5000 };
	struct fault f;

	s.rg = registry_open(&setup, &f);
	assert_non_null(s.rg);
	return s;
}

static void
shelf_free(struct shelf *s)
{
	registry_close(s->rg);
	world_free(s->w);
}

static const char *
heard(struct shelf *s, int calls)
{
	int i;

	for (i = 0; i < 500 && s->heard.calls < calls; i++)
		world_run(s->w, 10);
	assert_int_equal(s->heard.calls, calls);
	return s->heard.all;
}

static enum err
put(struct shelf *s, const char *id, int64_t made, int64_t due,
    int64_t forget, const char *text, const char *was)
{
	struct registry_row row = { id, "o", made, due, forget, text };

	memset(&s->heard, 0, sizeof s->heard);
	registry_put(s->rg, &row, was, on_text, &s->heard);
	heard(s, 1);
	return s->heard.err;
}

static const char *
get(struct shelf *s, const char *id)
{
	memset(&s->heard, 0, sizeof s->heard);
	registry_get(s->rg, id, on_text, &s->heard);
	return heard(s, 1);
}

static const char *
list(struct shelf *s, const char *after, unsigned n, int found)
{
	memset(&s->heard, 0, sizeof s->heard);
	registry_list(s->rg, "o", after, n, on_text, &s->heard);
	heard(s, found + 1);
	assert_true(s->heard.ended);
	return s->heard.all;
}

static const char *
due(struct shelf *s, int64_t now)
{
	memset(&s->heard, 0, sizeof s->heard);
	registry_due(s->rg, now, now + 60 * S, on_text, &s->heard);
	return heard(s, 1);
}

static void
test_records(void **state)
{
	struct shelf s = shelf_new();
	int64_t now = clock_wall(), later = now + 3600 * S;

	(void)state;
	assert_string_equal(get(&s, "x"), "");
	assert_string_equal(list(&s, "", 5, 0), "");
	assert_string_equal(due(&s, now), "");
	assert_int_equal(put(&s, "a", now, 0, later, "{1}", ""), ERR_OK);
	assert_int_equal(put(&s, "a", now, 0, later, "{2}", ""),
	    ERR_CONFLICT);
	assert_int_equal(put(&s, "a", now, 0, later, "{2}", "{0}"),
	    ERR_CONFLICT);
	assert_string_equal(get(&s, "a"), "{1};");
	assert_int_equal(put(&s, "a", now, 0, later, "{2}", "{1}"), ERR_OK);
	assert_string_equal(get(&s, "a"), "{2};");
	assert_int_equal(put(&s, "b", now + 1, 0, later, "{b}", NULL),
	    ERR_OK);
	assert_int_equal(put(&s, "c", now + 2, 0, later, "{c}", NULL),
	    ERR_OK);
	assert_string_equal(list(&s, "", 5, 3), "{c};{b};{2};");
	assert_string_equal(list(&s, "", 2, 2), "{c};{b};");
	assert_string_equal(list(&s, "b", 2, 1), "{2};");
	assert_string_equal(list(&s, "none", 2, 0), "");
	memset(&s.heard, 0, sizeof s.heard);
	registry_drop(s.rg, "b", "o", on_text, &s.heard);
	heard(&s, 1);
	assert_string_equal(list(&s, "", 5, 2), "{c};{2};");
	shelf_free(&s);
}

/* What is due is one's own for a while; what is forgotten is not there. */
static void
test_due(void **state)
{
	struct shelf s = shelf_new();
	int64_t now = clock_wall(), later = now + 3600 * S;

	(void)state;
	assert_int_equal(put(&s, "a", now, now + S, later, "{a}", ""),
	    ERR_OK);
	assert_string_equal(due(&s, now), "");
	assert_string_equal(due(&s, now + 2 * S), "{a};");
	assert_string_equal(due(&s, now + 3 * S), "");
	assert_string_equal(due(&s, now + 63 * S), "{a};");
	assert_int_equal(put(&s, "a", now, 0, later, "{z}", "{a}"), ERR_OK);
	assert_string_equal(due(&s, now + 1000 * S), "");
	assert_int_equal(put(&s, "b", now, 0, now - S, "{b}", NULL), ERR_OK);
	assert_string_equal(get(&s, "b"), "");
	shelf_free(&s);
}

static enum err
keep(struct shelf *s, unsigned n, const char *p, size_t len)
{
	memset(&s->heard, 0, sizeof s->heard);
	registry_keep(s->rg, "f", n, p, len, clock_wall() + 60 * S, on_text,
	    &s->heard);
	heard(s, 1);
	return s->heard.err;
}

static void
test_pieces(void **state)
{
	struct shelf s = shelf_new();
	unsigned i;

	(void)state;
	assert_int_equal(keep(&s, 0, "zero", 4), ERR_OK);
	assert_int_equal(keep(&s, 1, "one", 3), ERR_OK);
	for (i = 0; i < 3; i++) {
		memset(&s.heard, 0, sizeof s.heard);
		registry_piece(s.rg, "f", i, on_text, &s.heard);
		assert_string_equal(heard(&s, 1), i == 0 ? "zero;" : i == 1 ?
		    "one;" : "");
	}
	memset(&s.heard, 0, sizeof s.heard);
	registry_lose(s.rg, "f", on_text, &s.heard);
	heard(&s, 1);
	memset(&s.heard, 0, sizeof s.heard);
	registry_piece(s.rg, "f", 0, on_text, &s.heard);
	assert_string_equal(heard(&s, 1), "");
	shelf_free(&s);
}

/* -------------------------------------------------------------- ledger */

static const char *
left_hold(struct world *w, int64_t amount)
{
	const struct want claims[] = { { &daily, amount } };
	const struct usage_row who = { .day = DAY, .key = "a", .model = "m",
		.provider = "p", .requests = 1, .cost = amount };
	struct hold h = hold_new(w);
	static char text[4096]; /* beyond the world's arena */
	struct buf b;

	assert_int_equal(hold_as(w, &h, claims, 1, &who).err, ERR_OK);
	h.lease = BATCHES_LEASE;
	assert_int_equal(sent(w, &h).err, ERR_OK);
	buf_init(&b, KIB(64));
	ledger_leave(w->l, &h, &b);
	assert_false(h.live);
	assert_true(b.len < sizeof text);
	memcpy(text, b.data, b.len);
	text[b.len] = '\0';
	buf_free(&b);
	return text;
}

/* So many others that what is remembered of each for a while is forgotten. */
static void
settle_others(struct world *w)
{
	const struct usage_row row = { .day = DAY, .key = "others",
		.requests = 1 };
	int i;

	for (i = 0; i < 4300; i++) {
		ledger_note(w->l, &row, 1);
		if (i % 100 == 0)
			world_run(w, 1);
	}
	world_ticks(w, 2);
}

/* Any process settles it, once, days later; in the window of the hold. */
static void
test_left(void **state)
{
	struct world *w = world_new();
	const struct usage_row row = { .day = DAY, .key = "a", .model = "m",
		.provider = "p", .requests = 2, .cost = 120 };
	const int64_t actual[] = { 120 };
	struct usage_row who, sum;
	struct hold h;
	const char *text;
	int64_t held;

	(void)state;
	world_set_time(w, NOON);
	text = left_hold(w, 300);
	assert_true(ledger_who(w->arena, text, &who));
	assert_string_equal(who.key, "a");
	world_again(w);
	world_move(w, 2 * 86400 * S);
	world_ticks(w, 3);
	usage_of(w, DAY, DAY, &held);
	assert_int_equal(held, 300);
	assert_true(ledger_take(w->l, w->arena, text, &h));
	assert_int_equal(settle(w, &h, actual, &row, 1).err, ERR_OK);
	settle_others(w);
	assert_true(ledger_take(w->l, w->arena, text, &h));
	assert_int_equal(settle(w, &h, actual, &row, 1).err, ERR_OK);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(held, 0);
	assert_int_equal(sum.cost, 120);
	assert_int_equal(sum.requests, 2 + 4300);
	world_free(w);
}

/* Who nobody looks at is charged in full; a settle corrects that. */
static void
test_left_alone(void **state)
{
	struct world *w = world_new();
	const struct usage_row row = { .day = DAY, .key = "a", .cost = 50 };
	const int64_t actual[] = { 50 };
	struct usage_row sum;
	struct hold h;
	const char *text;
	int64_t held;

	(void)state;
	world_set_time(w, NOON);
	text = left_hold(w, 300);
	world_move(w, BATCHES_LEASE + S);
	world_ticks(w, 3);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(held, 0);
	assert_int_equal(sum.cost, 300);
	assert_true(ledger_take(w->l, w->arena, text, &h));
	assert_int_equal(settle(w, &h, actual, &row, 1).err, ERR_OK);
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(sum.cost, 50);
	world_free(w);
}

/* Where no counter applies a settle counts once as well. */
static void
test_left_none(void **state)
{
	struct world *w = world_new();
	const struct usage_row row = { .day = DAY, .key = "a", .requests = 1,
		.cost = 70 };
	struct usage_row sum;
	const char *text;
	struct hold h;
	struct buf b;
	int64_t held;
	int i;

	(void)state;
	world_set_time(w, NOON);
	h = hold_new(w);
	assert_true(ledger_none(w->l, &h, &row));
	buf_init(&b, KIB(64));
	ledger_leave(w->l, &h, &b);
	text = arena_dup(w->arena, b.data, b.len);
	buf_free(&b);
	for (i = 0; i < 3; i++) {
		assert_true(ledger_take(w->l, w->arena, text, &h));
		assert_int_equal(settle(w, &h, NULL, &row, 1).err, ERR_OK);
	}
	sum = usage_of(w, DAY, DAY, &held);
	assert_int_equal(sum.cost, 70);
	assert_int_equal(sum.requests, 1);
	assert_false(ledger_take(w->l, w->arena, "", &h));
	assert_false(ledger_take(w->l, w->arena, "x 1 99\nw\n", &h));
	assert_false(ledger_take(w->l, w->arena, "x 1 1\nw\n9 1 1 1 n\n",
	    &h));
	world_free(w);
}

/* ------------------------------------------------------------- records */

static void
test_entry(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct entry e, back;
	const char *text;

	(void)state;
	entry_init(&e);
	e.kind = "batch";
	e.id = "batch_1_tg";
	e.key = "a";
	e.hold = "x 1 0\nwho\x1f" "a\n";
	e.made = 1700000000;
	e.most = INT64_C(8000000000000000);
	e.state.status = BATCH_FINALIZING;
	e.state.completed = 1700000001;
	e.price.known = true;
	e.price.rate[UNIT_INPUT] = 150000000;
	e.price.service[SERVICE_BATCH] = 50;
	e.price.tiers = 1;
	e.price.tier[0].above = 200000;
	e.price.tier[0].rate[UNIT_OUTPUT] = 7;
	text = entry_write(a, &e);
	assert_non_null(text);
	assert_true(entry_read(a, text, strlen(text), &back));
	assert_string_equal(back.id, e.id);
	assert_string_equal(back.hold, e.hold);
	assert_int_equal(back.most, e.most);
	assert_int_equal(back.state.status, BATCH_FINALIZING);
	assert_int_equal(back.state.completed, 1700000001);
	assert_int_equal(back.price.tiers, 1);
	assert_memory_equal(back.price.rate, e.price.rate,
	    sizeof e.price.rate);
	assert_memory_equal(back.price.service, e.price.service,
	    sizeof e.price.service);
	assert_int_equal(back.price.tier[0].above, 200000);
	assert_int_equal(back.price.tier[0].rate[UNIT_OUTPUT], 7);
	assert_string_equal(back.model, "");
	assert_false(entry_read(a, "{}", 2, &back));
	assert_false(entry_read(a, "{", 1, &back));
	arena_free(a);
}

static void
test_due_of(void **state)
{
	struct entry e;

	(void)state;
	entry_init(&e);
	e.kind = "batch";
	e.made = 1000;
	assert_int_equal(entry_due(&e, 1000 * S), 1005 * S);
	assert_int_equal(entry_due(&e, 1400 * S), 1500 * S);
	assert_int_equal(entry_due(&e, 100000 * S), 100300 * S);
	e.settled = true;
	assert_int_equal(entry_due(&e, 1000 * S), 0);
}

static void
test_price(void **state)
{
	struct price p, half;
	struct usage u = { .n = { [UNIT_INPUT] = 3, [UNIT_OUTPUT] = 5 },
		.known = true };

	(void)state;
	price_init(&p);
	p.known = true;
	p.rate[UNIT_INPUT] = 999999;
	p.rate[UNIT_OUTPUT] = 2000000;
	p.rate[UNIT_REQUEST] = 10;
	p.service[SERVICE_BATCH] = 50;
	p.service[SERVICE_PRIORITY] = 200;
	lines_price(&p, &half);
	assert_int_equal(half.rate[UNIT_INPUT], 500000);
	assert_int_equal(half.rate[UNIT_OUTPUT], 1000000);
	assert_int_equal(half.rate[UNIT_REQUEST], 10);
	u.service = SERVICE_BATCH;
	assert_true(price_cost(&p, &u) <= price_bound(&half, 3, 5, false, 0,
	    NULL));
	assert_int_equal(half.service[SERVICE_PRIORITY], PRICE_UNSET);
}

/* ------------------------------------------------------------ dialects */

static struct provider
provider_at(const char *base, const char *version)
{
	return (struct provider){ .name = "p", .adapter = "openai",
		.base_url = base, .api_version = version, .key = "" };
}

static void
test_urls(void **state)
{
	struct provider plain = provider_at("http://h/v1", ""),
	    azure = provider_at("http://h/openai/deployments", "2024-10-21");
	struct arena *a = arena_new(MIB(1));
	struct batch_order o = { .file = "file-1", .window = "24h",
		.path = "/v1/chat/completions" };
	struct deployment d = { .provider = &azure };
	struct http_call c;
	struct fault f;

	(void)state;
	assert_int_equal(batch_openai.get(a, &plain, "b/../x", &c, &f),
	    ERR_OK);
	assert_string_equal(c.url, "http://h/v1/batches/b%2F..%2Fx");
	batch_openai.cancel(a, &azure, "b", &c, &f);
	assert_string_equal(c.url,
	    "http://h/openai/batches/b/cancel?api-version=2024-10-21");
	batch_openai.file(a, &azure, "GET", "f", "/content", &c, &f);
	assert_string_equal(c.url,
	    "http://h/openai/files/f/content?api-version=2024-10-21");
	memset(&c, 0, sizeof c);
	batch_openai.create(a, &d, &o, &c, &f);
	assert_string_equal(c.body, "{\"input_file_id\":\"file-1\","
	    "\"endpoint\":\"/chat/completions\","
	    "\"completion_window\":\"24h\"}");
	arena_free(a);
}

static void
test_states(void **state)
{
	static const char text[] = "{\"id\":\"b1\",\"status\":\"completed\","
	    "\"output_file_id\":\"file-2\",\"error_file_id\":null,"
	    "\"created_at\":5,\"completed_at\":9,\"errors\":null,"
	    "\"request_counts\":{\"total\":3,\"completed\":2,\"failed\":1}}";
	struct arena *a = arena_new(MIB(1));
	struct batch_state s;
	struct fault f;

	(void)state;
	assert_int_equal(batch_openai.read(a, text, sizeof text - 1, &s, &f),
	    ERR_OK);
	assert_int_equal(s.status, BATCH_COMPLETED);
	assert_string_equal(s.output, "file-2");
	assert_string_equal(s.errors, "");
	assert_string_equal(s.failure, "");
	assert_int_equal(s.completed, 9);
	assert_int_equal(s.done, 2);
	assert_int_equal(s.bad, 1);
	assert_int_equal(batch_openai.read(a, "{}", 2, &s, &f),
	    ERR_BAD_UPSTREAM);
	assert_int_equal(batch_openai.read(a, "[", 1, &s, &f),
	    ERR_BAD_UPSTREAM);
	assert_int_equal(batch_time("1970-01-02T00:00:01Z"), 86401);
	assert_int_equal(batch_time("yesterday"), 0);
	arena_free(a);
}

static void
read_line(struct arena *a, const char *text, struct batch_line *out)
{
	struct json doc;
	struct fault f;

	assert_int_equal(json_parse(&doc, a, text, strlen(text), NULL),
	    ERR_OK);
	assert_int_equal(batch_openai.read_line(a, &doc, out, &f), ERR_OK);
}

static void
test_answers(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct batch_line got;

	(void)state;
	read_line(a, "{\"custom_id\":\"x\",\"response\":{\"status_code\":200,"
	    "\"body\":{\"a\":1}},\"error\":null}", &got);
	assert_string_equal(got.custom_id, "x");
	assert_int_equal(got.status, 200);
	assert_memory_equal(got.body.p, "{\"a\":1}", 7);
	read_line(a, "{\"custom_id\":\"y\",\"response\":null,\"error\":"
	    "{\"code\":\"batch_expired\",\"message\":\"late\"}}", &got);
	assert_int_equal(got.status, 0);
	assert_string_equal(got.code, "batch_expired");
	arena_free(a);
}

/* A custom_id that Anthropic does not take goes and comes back. */
static void
test_marked(void **state)
{
	static const struct {
		const char *id, *sent;
	} ids[] = {
		{ "a-Z_9", "a-Z_9" }, { "a b", "tg-YSBi" },
		{ "tg-x", "tg-dGcteA" }, { "/", "tg-Lw" },
		{ "\xc3\xa4\"", "tg-w6Qi" },
	};
	struct arena *a = arena_new(MIB(1));
	char line[256], want[256], big[100];
	struct batch_line got;
	struct json doc;
	struct fault f;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, KIB(4));
	for (i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		buf_clear(&b);
		assert_true(batch_anthropic.put_line(&b, (struct str){
		    ids[i].id, strlen(ids[i].id) }, "", (struct str){
		    "{}", 2 }));
		snprintf(want, sizeof want,
		    "{\"custom_id\":\"%s\",\"params\":{}}\n", ids[i].sent);
		assert_int_equal(b.len, strlen(want));
		assert_memory_equal(b.data, want, b.len);
		snprintf(line, sizeof line, "{\"custom_id\":\"%s\","
		    "\"result\":{\"type\":\"expired\"}}", ids[i].sent);
		assert_int_equal(json_parse(&doc, a, line, strlen(line),
		    NULL), ERR_OK);
		assert_int_equal(batch_anthropic.read_line(a, &doc, &got,
		    &f), ERR_OK);
		assert_string_equal(got.custom_id, ids[i].id);
		assert_string_equal(got.code, "batch_expired");
	}
	memset(big, ' ', sizeof big);
	assert_true(batch_anthropic.put_line(&b, (struct str){ big, 45 }, "",
	    (struct str){ "{}", 2 }));
	assert_false(batch_anthropic.put_line(&b, (struct str){ big, 46 }, "",
	    (struct str){ "{}", 2 }));
	buf_free(&b);
	arena_free(a);
}

static void
test_anthropic(void **state)
{
	static const struct {
		const char *text;
		enum batch_status status;
		const char *output, *errors;
	} rows[] = {
		{ "{\"id\":\"m\",\"processing_status\":\"in_progress\","
		    "\"request_counts\":{\"processing\":2}}",
		    BATCH_IN_PROGRESS, "", "" },
		{ "{\"id\":\"m\",\"processing_status\":\"canceling\"}",
		    BATCH_CANCELLING, "", "" },
		{ "{\"id\":\"m\",\"processing_status\":\"ended\","
		    "\"request_counts\":{\"succeeded\":2}}",
		    BATCH_COMPLETED, "file-out-m", "" },
		{ "{\"id\":\"m\",\"processing_status\":\"ended\","
		    "\"cancel_initiated_at\":\"2024-09-24T18:37:24.1Z\","
		    "\"request_counts\":{\"canceled\":2}}",
		    BATCH_CANCELLED, "", "file-err-m" },
		{ "{\"id\":\"m\",\"processing_status\":\"ended\","
		    "\"request_counts\":{\"succeeded\":1,\"expired\":1}}",
		    BATCH_EXPIRED, "file-out-m", "file-err-m" },
	};
	struct arena *a = arena_new(MIB(1));
	struct batch_state s;
	struct fault f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(batch_anthropic.read(a, rows[i].text,
		    strlen(rows[i].text), &s, &f), ERR_OK);
		assert_int_equal(s.status, rows[i].status);
		assert_string_equal(s.output, rows[i].output);
		assert_string_equal(s.errors, rows[i].errors);
	}
	assert_string_equal(batch_of_file("file-out-m"), "m");
	assert_string_equal(batch_of_file("file-err-m"), "m");
	assert_null(batch_of_file("file-m"));
	arena_free(a);
}

static void
test_gemini(void **state)
{
	static const char run[] = "{\"name\":\"batches/x1\",\"metadata\":{"
	    "\"state\":\"BATCH_STATE_RUNNING\",\"createTime\":"
	    "\"1970-01-02T00:00:00.5Z\",\"batchStats\":{\"requestCount\":"
	    "\"2\",\"pendingRequestCount\":\"2\"}}}";
	static const char over[] = "{\"name\":\"batches/x1\",\"done\":true,"
	    "\"metadata\":{\"state\":\"BATCH_STATE_SUCCEEDED\","
	    "\"endTime\":\"1970-01-02T00:00:01Z\",\"batchStats\":{"
	    "\"requestCount\":\"2\",\"successfulRequestCount\":\"1\","
	    "\"failedRequestCount\":1}},\"response\":{"
	    "\"inlinedResponses\":{\"inlinedResponses\":[1,2]}}}";
	static const char bad[] = "{\"name\":\"batches/x1\",\"error\":{"
	    "\"message\":\"a \\\"b\"},\"metadata\":{\"state\":"
	    "\"BATCH_STATE_FAILED\"}}";
	struct arena *a = arena_new(MIB(1));
	struct batch_state s;
	struct json doc;
	struct fault f;

	(void)state;
	assert_int_equal(batch_gemini.read(a, run, sizeof run - 1, &s, &f),
	    ERR_OK);
	assert_int_equal(s.status, BATCH_IN_PROGRESS);
	assert_string_equal(s.id, "x1");
	assert_int_equal(s.created, 86400);
	assert_int_equal(s.total, 2);
	assert_string_equal(s.output, "");
	assert_int_equal(batch_gemini.read(a, over, sizeof over - 1, &s, &f),
	    ERR_OK);
	assert_int_equal(s.status, BATCH_COMPLETED);
	assert_int_equal(s.completed, 86401);
	assert_int_equal(s.done, 1);
	assert_int_equal(s.bad, 1);
	assert_string_equal(s.output, "file-out-x1");
	assert_int_equal(json_parse(&doc, a, over, sizeof over - 1, NULL),
	    ERR_OK);
	assert_int_equal(json_count(&doc, batch_gemini.list(&doc)), 2);
	assert_int_equal(batch_gemini.read(a, bad, sizeof bad - 1, &s, &f),
	    ERR_OK);
	assert_int_equal(s.status, BATCH_FAILED);
	assert_non_null(strstr(s.failure, "\"message\":\"a \\\"b\""));
	assert_int_equal(batch_gemini.read(a, "{}", 2, &s, &f),
	    ERR_BAD_UPSTREAM);
	arena_free(a);
}

static void
test_lent(void **state)
{
	struct provider p = provider_at("http://h/v1beta", "");

	(void)state;
	p.adapter = "gemini";
	assert_ptr_equal(batch_dialect_of(&p), &batch_gemini);
	p.base_url = "http://h/v1/projects/p/locations/l/publishers/google";
	assert_null(batch_dialect_of(&p));
	p = provider_at("http://h", "");
	p.adapter = "anthropic";
	assert_ptr_equal(batch_dialect_of(&p), &batch_anthropic);
	p.quirks = QUIRK_INVOKE;
	assert_null(batch_dialect_of(&p));
	p.adapter = "cohere";
	p.quirks = 0;
	assert_null(batch_dialect_of(&p));
}

static void
test_list(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, KIB(4));
	batch_list(&b, (struct str){ "{1}\n{2}\n{3}", 11 });
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "[{1},{2},{3}]", 13);
	buf_free(&b);
}

/* --------------------------------------------------------------- spool */

/* What is sealed opens with its key, in its place, whole, or not at all. */
static void
test_seal(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct spool s, back;
	char sealed[64], plain[64];

	(void)state;
	assert_true(spool_new(&s));
	s.pieces = 2;
	assert_true(spool_find(spool_own(a, &s), &back));
	assert_string_equal(back.name, s.name);
	assert_memory_equal(back.key, s.key, SPOOL_KEY);
	back.pieces = 2;
	assert_true(spool_seal(&s, 1, "telling", 7, sealed));
	assert_null(memmem(sealed, 23, "telling", 7));
	assert_true(spool_open(&back, 1, sealed, 23, plain));
	assert_memory_equal(plain, "telling", 7);
	assert_false(spool_open(&back, 0, sealed, 23, plain));
	back.pieces = 3;
	assert_false(spool_open(&back, 1, sealed, 23, plain));
	back.pieces = 2;
	assert_false(spool_open(&back, 1, sealed, 22, plain));
	assert_false(spool_open(&back, 1, sealed, 15, plain));
	sealed[3] ^= 1;
	assert_false(spool_open(&back, 1, sealed, 23, plain));
	sealed[3] ^= 1;
	back.key[31] ^= 1;
	assert_false(spool_open(&back, 1, sealed, 23, plain));
	assert_false(spool_find("file-abc", &back));
	assert_false(spool_find("", &back));
	arena_free(a);
}

static void
on_spool(void *arg, enum err e)
{
	struct heard *h = arg;

	h->calls++;
	h->err = e;
}

/* Several pieces through the store. */
static void
test_spooled(void **state)
{
	struct shelf sh = shelf_new();
	size_t len = SPOOL_PIECE * 2 + 5, i;
	char *text = malloc(len);
	struct arena *a = arena_new(MIB(8));
	struct spool s, back;
	struct buf out;

	(void)state;
	for (i = 0; i < len; i++)
		text[i] = (char)(i * 7 + i / 251);
	assert_true(spool_new(&s));
	spool_write(&s, a, sh.rg, text, len, clock_wall() + 60 * S, on_spool,
	    &sh.heard);
	heard(&sh, 1);
	assert_int_equal(sh.heard.err, ERR_OK);
	assert_int_equal(s.pieces, 3);
	assert_true(spool_find(spool_own(a, &s), &back));
	buf_init(&out, MIB(4));
	memset(&sh.heard, 0, sizeof sh.heard);
	spool_read(&back, a, sh.rg, 3, &out, on_spool, &sh.heard);
	heard(&sh, 1);
	assert_int_equal(sh.heard.err, ERR_OK);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, text, len);
	memset(&sh.heard, 0, sizeof sh.heard);
	spool_read(&back, a, sh.rg, 4, &out, on_spool, &sh.heard);
	heard(&sh, 1);
	assert_int_equal(sh.heard.err, ERR_NOT_FOUND);
	buf_free(&out);
	free(text);
	arena_free(a);
	shelf_free(&sh);
}

/* --------------------------------------------------------------- lines */

#define LINE(id, model, more) "{\"custom_id\":\"" id "\",\"method\":\"POST\"," \
	"\"url\":\"/v1/chat/completions\",\"body\":{\"model\":\"" model "\"," \
	"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" more "}}"

static enum err
convert(struct lines *l, struct arena *a, const char *text, struct fault *f)
{
	static struct provider p;
	static struct deployment d;
	struct chat chat;
	bool more = true;
	enum err e;

	p = provider_at("http://h/v1", "");
	d = (struct deployment){ .id = "p/up", .model = "up",
		.provider = &p };
	price_init(&d.price);
	d.price.known = true;
	d.price.rate[UNIT_OUTPUT] = 1000000;
	memset(l, 0, sizeof *l);
	e = lines_first(l, a, text, strlen(text), &chat, f);
	l->deployment = &d;
	l->dialect = &batch_openai;
	l->output = 100;
	while (e == ERR_OK && more)
		e = lines_some(l, 1, &more, f);
	return e;
}

static void
test_lines(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "\n\n", "a batch needs" },
		{ "x", "line 1: " },
		{ "[]", "line 1: it must be an object" },
		{ "{}", "line 1: 'custom_id'" },
		{ LINE("a", "m", "") "\n" LINE("a", "m", ""),
		    "line 2: its 'custom_id'" },
		{ LINE("a", "m", "") "\n" LINE("b", "n", ""),
		    "line 2: all lines must name" },
		{ LINE("a", "m", ",\"stream\":true"), "line 1: a batch has" },
		{ LINE("a", "m", ",\"n\":0"), "line 1: " },
		{ LINE("a", "m", "") "\n{\"custom_id\":1}",
		    "line 2: 'custom_id'" },
	};
	struct arena *a = arena_new(MIB(4));
	struct lines l;
	struct fault f;
	size_t i;

	(void)state;
	assert_int_equal(convert(&l, a, "\r\n" LINE("a", "m", "") " \r\n\n"
	    LINE("b", "m", ",\"max_tokens\":7"), &f), ERR_OK);
	assert_int_equal(l.count, 2);
	assert_int_equal(l.most, 107);
	assert_string_equal(l.model, "m");
	l.out.data[l.out.len - 1] = '\0';
	assert_non_null(strstr(l.out.data, "\"model\":\"up\""));
	assert_non_null(strstr(l.out.data, "\"max_completion_tokens\":100"));
	assert_non_null(strstr(l.out.data, "\n{\"custom_id\":\"b\""));
	lines_end(&l);
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(convert(&l, a, wrong[i].text, &f),
		    ERR_BAD_REQUEST);
		if (strncmp(f.text, wrong[i].says, strlen(wrong[i].says)))
			print_error("%s: %s\n", wrong[i].text, f.text);
		assert_memory_equal(f.text, wrong[i].says,
		    strlen(wrong[i].says));
		lines_end(&l);
	}
	arena_free(a);
}

static int
use_redis(void **state)
{
	(void)state;
	over_redis = true;
	return 0;
}

int
main(void)
{
#define STORE_TESTS                                                          \
	cmocka_unit_test(test_records), cmocka_unit_test(test_due),          \
	cmocka_unit_test(test_pieces), cmocka_unit_test(test_left),          \
	cmocka_unit_test(test_spooled),                                      \
	cmocka_unit_test(test_left_alone), cmocka_unit_test(test_left_none)
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_entry), cmocka_unit_test(test_due_of),
		cmocka_unit_test(test_price), cmocka_unit_test(test_urls),
		cmocka_unit_test(test_states), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_lines), cmocka_unit_test(test_marked),
		cmocka_unit_test(test_anthropic), cmocka_unit_test(test_list),
		cmocka_unit_test(test_gemini), cmocka_unit_test(test_lent),
		cmocka_unit_test(test_seal), STORE_TESTS };
	const struct CMUnitTest redis[] = { STORE_TESTS };
	int failed = cmocka_run_group_tests_name("embedded", plain, NULL,
	    NULL);

	return failed + cmocka_run_group_tests_name("redis", redis,
	    use_redis, NULL);
}
