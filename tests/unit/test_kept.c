/*
 * Answers that a provider keeps: what it is asked, which queries are none,
 * and what it says.
 */
#include "adapters/kept.h"
#include "tests/unit/adapter_help.h"

static void
start(struct bench *b, const char *word, const char *query)
{
	bench_init(b, KEPT_DOOR, KEPT_DOOR);
	b->provider.base_url = "http://p/v1";
	b->chat.surface = b->surface;
	b->chat.word = word;
	b->chat.path = "resp_1_tg0f";
	b->chat.previous_own = "resp_1";
	b->chat.query = query;
	b->chat.beta = "";
	assert_int_equal(json_parse(&b->chat.doc, b->arena, "{}", 2,
	    &b->fault), ERR_OK);
}

static enum err
read_request(struct bench *b)
{
	return b->surface->read_request(b->arena, &b->chat, &b->fault);
}

static enum err
write_request(struct bench *b)
{
	memset(&b->call, 0, sizeof b->call);
	return b->to->write_request(b->arena, &b->chat, &b->deployment,
	    &b->call, &b->fault);
}

static void
test_requests(void **state)
{
	static const struct {
		const char *word, *query, *method, *url;
		bool stream;
	} rows[] = {
		{ "retrieve", "", "GET", "", false },
		{ "retrieve", "&&", "GET", "", false },
		{ "retrieve", "stream=true", "GET", "?stream=true", true },
		{ "retrieve", "stream=false", "GET", "?stream=false", false },
		{ "retrieve", "str%65am=tr%75e&starting_after=12", "GET",
		    "?stream=true&starting_after=12", true },
		{ "retrieve", "include=a.b&include[]=c&include%5B%5D=d", "GET",
		    "?include=a.b&include%5B%5D=c&include%5B%5D=d", false },
		{ "retrieve", "key=tg_secret&stream=false", "GET",
		    "?stream=false", false },
		{ "retrieve", "include_obfuscation=false&key=x", "GET",
		    "?include_obfuscation=false", false },
		{ "delete", "", "DELETE", "", false },
		{ "cancel", "key=a%20b", "POST", "/cancel", false },
		{ "input_items", "limit=100&order=desc&after=msg_1", "GET",
		    "/input_items?limit=100&order=desc&after=msg_1", false },
		{ "odd", "", "GET", "", false },
	};
	char want[256];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, rows[i].word, rows[i].query);
		assert_int_equal(read_request(&b), ERR_OK);
		assert_int_equal(b.chat.stream, rows[i].stream);
		assert_true(b.chat.free);
		assert_string_equal(b.chat.task.door, KEPT_DOOR);
		assert_int_equal(write_request(&b), ERR_OK);
		(void)snprintf(want, sizeof want,
		    "http://p/v1/responses/resp_1%s", rows[i].url);
		assert_string_equal(b.call.url, want);
		assert_string_equal(b.call.method, rows[i].method);
		assert_int_equal(b.call.body_len, 0);
		bench_free(&b);
	}
}

/* An id is a name in a path, whatever stands in it. */
static void
test_odd_ids(void **state)
{
	static const struct {
		const char *id, *url;
	} rows[] = {
		{ "a/../b", "http://p/v1/responses/a%2F..%2Fb/cancel" },
		{ "a?b=c#d", "http://p/v1/responses/a%3Fb%3Dc%23d/cancel" },
		{ "a b\r\n", "http://p/v1/responses/a%20b%0D%0A/cancel" },
		{ "\xc3\xbc", "http://p/v1/responses/%C3%BC/cancel" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, "cancel", "");
		b.chat.previous_own = rows[i].id;
		assert_int_equal(read_request(&b), ERR_OK);
		assert_int_equal(write_request(&b), ERR_OK);
		assert_string_equal(b.call.url, rows[i].url);
		bench_free(&b);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *word, *query, *param;
	} rows[] = {
		{ "retrieve", "limit=1", "limit" },
		{ "retrieve", "x", "x" },
		{ "retrieve", "=1", "" },
		{ "retrieve", "stream", "stream" },
		{ "retrieve", "stream=1", "stream" },
		{ "retrieve", "stream=true&stream=true", "stream" },
		{ "retrieve", "starting_after=", "starting_after" },
		{ "retrieve", "starting_after=-1", "starting_after" },
		{ "retrieve", "starting_after=1234567890", "starting_after" },
		{ "retrieve", "include=", "include" },
		{ "retrieve", "include=a%26b", "include" },
		{ "retrieve", "include=a%0d%0ab", NULL },
		{ "retrieve", "%", NULL },
		{ "retrieve", "a=%4", NULL },
		{ "retrieve", "a=%zz", NULL },
		{ "retrieve", "a=%00", NULL },
		{ "delete", "stream=true", "stream" },
		{ "cancel", "include=a", "include" },
		{ "input_items", "stream=true", "stream" },
		{ "input_items", "limit=0", "limit" },
		{ "input_items", "limit=101", "limit" },
		{ "input_items", "limit=1000", "limit" },
		{ "input_items", "limit=+1", "limit" },
		{ "input_items", "order=ASC", "order" },
		{ "input_items", "after=a%2Fb", "after" },
	};
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, rows[i].word, rows[i].query);
		if (read_request(&b) != ERR_BAD_REQUEST)
			fail_msg("taken: %s", rows[i].query);
		if (rows[i].param != NULL)
			assert_string_equal(b.fault.param, rows[i].param);
		/* Whoever asks all the same, does not get it either. */
		assert_int_equal(write_request(&b), ERR_BAD_REQUEST);
		bench_free(&b);
	}
}

/* ------------------------------------------------------------- answers */

#define ANSWER "{\"id\":\"resp_1\", \"object\":\"response\",\"error\":{"     \
	"\"message\":\"it failed\"},\"usage\":{\"input_tokens\":7,"          \
	"\"output_tokens\":9,\"total_tokens\":16}}"

/* An answer that tells of an error is one; nothing of it is paid again. */
static void
test_answers(void **state)
{
	static const struct {
		const char *word, *body, *out; /* out NULL: it is none */
	} rows[] = {
		{ "retrieve", ANSWER, ANSWER },
		{ "cancel", ANSWER, ANSWER },
		{ "input_items", "{\"object\":\"list\",\"data\":[]}",
		    "{\"object\":\"list\",\"data\":[]}" },
		{ "delete", "{\"id\":\"resp_1\",\"deleted\":true}",
		    "{\"id\":\"resp_1\",\"deleted\":true}" },
		{ "delete", "", "{\"id\":\"resp_1\",\"object\":\"response\","
		    "\"deleted\":true}" },
		{ "retrieve", "", NULL }, { "cancel", "", NULL },
		{ "retrieve", "[]", NULL }, { "retrieve", "null", NULL },
		{ "retrieve", "{\"id\":", NULL },
		{ "retrieve", "<html>", NULL }, { "delete", " ", NULL },
		{ "delete", "true", NULL }, { "input_items", "[]", NULL },
	};
	struct reply reply;
	struct bench b;
	enum err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, rows[i].word, "");
		assert_int_equal(read_request(&b), ERR_OK);
		e = bench_reply(&b, rows[i].body, &reply);
		assert_int_equal(e, rows[i].out == NULL ? ERR_BAD_UPSTREAM :
		    ERR_OK);
		if (rows[i].out != NULL) {
			assert_int_equal(b.out.len, strlen(rows[i].out));
			bench_has(&b, rows[i].out, 1);
			assert_false(reply.usage.known);
			assert_null(reply.error);
		}
		bench_free(&b);
	}
}

/* What is missing is the answer: no other provider has it. */
static void
test_errors(void **state)
{
	static const struct {
		int status;
		unsigned fail;
	} rows[] = { { 404, FAIL_REQUEST }, { 400, FAIL_REQUEST },
		{ 401, FAIL_AUTH }, { 429, FAIL_RATE }, { 500, FAIL_SERVER } };
	static const char body[] = "{\"error\":{\"message\":\"no such "
	    "response\",\"type\":\"invalid_request_error\"}}";
	struct upstream_error error;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&b, "retrieve", "");
		memset(&error, 0, sizeof error);
		b.to->classify(b.arena, rows[i].status, body, sizeof body - 1,
		    &error);
		assert_int_equal(error.fail, rows[i].fail);
		assert_string_equal(error.message, "no such response");
		bench_free(&b);
	}
}

#define EVENT(type, more) "event: " type "\ndata: {\"type\":\"" type "\""    \
	more "}\n\n"
#define HEAD EVENT("response.created", ",\"sequence_number\":0,"             \
	"\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\"}")
#define TEXT EVENT("response.output_text.delta", ",\"sequence_number\":1,"   \
	"\"item_id\":\"m\",\"output_index\":0,\"content_index\":0,"          \
	"\"delta\":\"hi\"")
#define TAIL EVENT("response.completed", ",\"sequence_number\":2,"           \
	"\"response\":{\"id\":\"resp_1\",\"status\":\"completed\","          \
	"\"usage\":{\"input_tokens\":7,\"output_tokens\":9,"                 \
	"\"total_tokens\":16}}")

/* Its stream again: whole from any place on, and not paid again. */
static void
test_streams(void **state)
{
	static const struct {
		const char *bytes;
		bool whole;
	} rows[] = {
		{ HEAD TEXT TAIL, true }, { TEXT TAIL, true },
		{ TAIL, true }, { HEAD TEXT, false }, { "", false },
		{ HEAD "data: {\n\n" TAIL, false },
	};
	struct bench b;
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (step = 1; step < 2000; step += 997) {
			start(&b, "retrieve", "stream=true");
			assert_int_equal(read_request(&b), ERR_OK);
			assert_int_equal(bench_stream(&b, rows[i].bytes,
			    strlen(rows[i].bytes), step), rows[i].whole ?
			    ERR_OK : ERR_BAD_UPSTREAM);
			assert_int_equal(b.ends, rows[i].whole ? 1 : 0);
			assert_false(b.usage.known);
			if (rows[i].whole)
				bench_has(&b, "\"output_tokens\":9", 1);
			bench_free(&b);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_odd_ids),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
