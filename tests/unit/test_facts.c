/* What of a request decides its way: headers, lists of models, prompts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/facts.h"
#include "app/health.h"

/* One request and its headers, "NAME", "value", … NULL. */
struct asked {
	struct arena *arena;
	struct chat chat;
	struct facts facts;
	const char *const *headers;
};

static const char *
header(void *arg, const char *name)
{
	const struct asked *a = arg;
	const char *const *h;

	for (h = a->headers; h != NULL && h[0] != NULL; h += 2)
		if (strcmp(h[0], name) == 0)
			return h[1];
	return NULL;
}

static const char *const tags[] = { "blue", "team-a" };
static const struct vkey key = { .name = "k", .team = "t", .user = "",
	.tier = "", .region = "", .tags = tags, .tag_count = 2 };
static const struct vkey naming = { .name = "k", .team = "t", .user = "",
	.tier = "", .region = "", .may = MAY_USER };

static enum err
read_body(struct asked *a, const char *surface, const char *body,
    struct fault *f)
{
	enum err e;

	a->arena = arena_new(LIMIT_ARENA);
	a->chat.surface = adapter_find(surface);
	a->chat.query = a->chat.beta = a->chat.path = "";
	if (strcmp(surface, "gemini") == 0)
		a->chat.path = "m:generateContent";
	e = json_parse(&a->chat.doc, a->arena, body, strlen(body), f);
	if (e == ERR_OK)
		e = facts_narrow(a->arena, &a->chat, f);
	return e == ERR_OK ? a->chat.surface->read_request(a->arena,
	    &a->chat, f) : e;
}

static enum err
gather(struct asked *a, const struct vkey *k, const char *const *headers,
    struct fault *f)
{
	struct facts_source from = { .arena = a->arena, .key = k,
		.chat = &a->chat, .operation = "chat", .header = header,
		.arg = a, .mono = 5000, .arrived = 1000 };

	a->headers = headers;
	return facts_gather(&a->facts, &from, f);
}

#define CHAT(more) "{\"model\":\"m\",\"messages\":[{\"role\":\"user\","       \
	"\"content\":\"hi\"}]" more "}"

static void
test_narrow(void **state)
{
	static const struct {
		const char *surface, *body;
		enum err want;
		const char *model, *more; /* joined by blanks */
		const char *text;	  /* of the document, NULL = any */
	} rows[] = {
		{ "openai", CHAT(""), ERR_OK, "m", "", CHAT("") },
		{ "openai", CHAT(",\"models\":[\"a\",\"b\"]"), ERR_OK, "m",
		    "a b", CHAT("") },
		{ "openai", CHAT(",\"fallbacks\":[\"c\"],\"models\":[\"a\"]"),
		    ERR_OK, "m", "a c", CHAT("") },
		{ "openai", "{\"models\":[\"a\",\"b\"],\"messages\":[{\"role\":"
		    "\"user\",\"content\":\"hi\"}]}", ERR_OK, "a", "a b",
		    NULL },
		{ "openai", CHAT(",\"models\":[]"), ERR_OK, "m", "",
		    CHAT("") },
		{ "openai", CHAT(",\"models\":null,\"fallbacks\":null"),
		    ERR_OK, "m", "", CHAT("") },
		{ "openai", CHAT(",\"models\":\"a\""), ERR_BAD_REQUEST, "",
		    "", NULL },
		{ "openai", CHAT(",\"models\":[1]"), ERR_BAD_REQUEST, "", "",
		    NULL },
		{ "openai", CHAT(",\"fallbacks\":[\"\"]"), ERR_BAD_REQUEST,
		    "", "", NULL },
		{ "openai", CHAT(",\"fallbacks\":{}"), ERR_BAD_REQUEST, "",
		    "", NULL },
		{ "openai", CHAT(",\"fallbacks\":[\"1\",\"2\",\"3\",\"4\","
		    "\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
		    "\"13\",\"14\",\"15\",\"16\",\"17\"]"), ERR_BAD_REQUEST,
		    "", "", NULL },
		{ "gemini", "{\"contents\":[{\"role\":\"user\",\"parts\":["
		    "{\"text\":\"hi\"}]}],\"models\":[\"a\"]}", ERR_OK, "m",
		    "a", "{\"contents\":[{\"role\":\"user\",\"parts\":["
		    "{\"text\":\"hi\"}]}]}" },
	};
	char more[256];
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct asked a = { .arena = NULL };
		struct fault f;

		assert_int_equal(read_body(&a, rows[i].surface, rows[i].body,
		    &f), rows[i].want);
		if (rows[i].want == ERR_OK) {
			assert_string_equal(a.chat.model, rows[i].model);
			*more = '\0';
			for (j = 0; j < a.chat.more_count; j++) {
				strcat(more, j > 0 ? " " : "");
				strcat(more, a.chat.more[j]);
			}
			assert_string_equal(more, rows[i].more);
		}
		if (rows[i].text != NULL) {
			assert_int_equal(a.chat.doc.len,
			    strlen(rows[i].text));
			assert_memory_equal(a.chat.doc.text, rows[i].text,
			    a.chat.doc.len);
		}
		arena_free(a.arena);
	}
}

static void
test_headers(void **state)
{
	static const struct {
		const char *name, *value;
		enum err want;
	} rows[] = {
		{ "HTTP_X_TOLLGATE_TIMEOUT", "2.5", ERR_OK },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "0", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "-1", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "soon", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "nan", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "1e300", ERR_OK },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "inf", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", "0x10", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_TIMEOUT", " 5", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_METADATA", "{\"a\":1}", ERR_OK },
		{ "HTTP_X_TOLLGATE_METADATA", "[1]", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_METADATA", "{a:1}", ERR_BAD_REQUEST },
		{ "HTTP_X_TOLLGATE_RETENTION", "none", ERR_OK },
		{ "HTTP_X_TOLLGATE_RETENTION", "30 days", ERR_BAD_REQUEST },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *const headers[] = { rows[i].name, rows[i].value,
			NULL };
		struct asked a = { .arena = NULL };
		struct fault f;

		assert_int_equal(read_body(&a, "openai", CHAT(""), &f),
		    ERR_OK);
		assert_int_equal(gather(&a, &key, headers, &f),
		    rows[i].want);
		if (i == 0) {
			assert_int_equal(a.facts.deadline, 1000 + 2500000);
			assert_int_equal(a.facts.route.left, 2500000 - 4000);
		}
		arena_free(a.arena);
	}
}

/* Who may not name an end user has none, whatever the body says. */
static void
test_user(void **state)
{
	struct asked a = { .arena = NULL };
	struct fault f;

	(void)state;
	assert_int_equal(read_body(&a, "openai", CHAT(",\"user\":\"u1\""),
	    &f), ERR_OK);
	assert_int_equal(gather(&a, &key, NULL, &f), ERR_OK);
	assert_string_equal(a.facts.route.user, "");
	assert_int_equal(gather(&a, &naming, NULL, &f), ERR_OK);
	assert_string_equal(a.facts.route.user, "u1");
	arena_free(a.arena);
}

static void
test_looked_up(void **state)
{
	static const char *const headers[] = {
		"HTTP_X_TOLLGATE_TAGS", " red , green-1 ,,",
		"HTTP_X_TOLLGATE_METADATA", "{\"env\":\"header\",\"n\":7,"
		    "\"yes\":true,\"list\":[1]}",
		"HTTP_X_TEAM", "core", NULL };
	static const char body[] =
	    "{\"model\":\"m\",\"metadata\":{\"env\":\"body\",\"only\":\"b\"},"
	    "\"messages\":[{\"role\":\"system\",\"content\":\"be kind\"},"
	    "{\"role\":\"user\",\"content\":\"first\"},"
	    "{\"role\":\"assistant\",\"content\":\"answer\"},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"last\"},{\"type\":\"text\",\"text\":\"words\"}]}]}";
	static const struct {
		enum prompt_part part;
		const char *want;
	} parts[] = { { PROMPT_LAST, "last\nwords" },
		{ PROMPT_SYSTEM, "be kind" },
		{ PROMPT_ALL, "be kind\nfirst\nanswer\nlast\nwords" } };
	const struct facts_calls *c;
	struct asked a = { .arena = NULL };
	struct fault f;
	const char *p;
	size_t i, len;
	void *arg;

	(void)state;
	assert_int_equal(read_body(&a, "openai", body, &f), ERR_OK);
	assert_int_equal(gather(&a, &key, headers, &f), ERR_OK);
	c = a.facts.route.calls;
	arg = a.facts.route.arg;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		p = c->prompt(arg, parts[i].part, &len);
		assert_int_equal(len, strlen(parts[i].want));
		assert_memory_equal(p, parts[i].want, len);
	}
	assert_true(c->input_tokens(arg) > 10);
	assert_true(c->input_tokens(arg) < 60);
	assert_string_equal(c->header(arg, "x-team"), "core");
	assert_null(c->header(arg, "x-other"));
	assert_string_equal(c->metadata(arg, "env"), "header");
	assert_string_equal(c->metadata(arg, "only"), "b");
	assert_string_equal(c->metadata(arg, "n"), "7");
	assert_string_equal(c->metadata(arg, "yes"), "true");
	assert_null(c->metadata(arg, "list"));
	assert_null(c->metadata(arg, "none"));
	assert_true(c->tag(arg, "red"));
	assert_true(c->tag(arg, "green-*"));
	assert_true(c->tag(arg, "blue"));
	assert_false(c->tag(arg, "gree"));
	assert_false(c->tag(arg, ""));
	arena_free(a.arena);
}

/* A turn of tool results is not what the client wrote last. */
static void
test_last_turn(void **state)
{
	static const char body[] =
	    "{\"model\":\"m\",\"max_tokens\":9,\"messages\":["
	    "{\"role\":\"user\",\"content\":\"the question\"},"
	    "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
	    "\"id\":\"t1\",\"name\":\"f\",\"input\":{}}]},"
	    "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	    "\"tool_use_id\":\"t1\",\"content\":\"the result\"}]}]}";
	struct asked a = { .arena = NULL };
	struct fault f;
	const char *p;
	size_t len;

	(void)state;
	assert_int_equal(read_body(&a, "anthropic", body, &f), ERR_OK);
	assert_int_equal(gather(&a, &key, NULL, &f), ERR_OK);
	p = a.facts.route.calls->prompt(a.facts.route.arg, PROMPT_LAST, &len);
	assert_int_equal(len, strlen("the question"));
	assert_memory_equal(p, "the question", len);
	arena_free(a.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_looked_up),
		cmocka_unit_test(test_last_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
