/*
 * Whole answers in the OpenAI chat dialect (streams: openai_stream.c), and the
 * usage of any answer that looks like OpenAI's.
 */
#include "adapters/openai.h"

#include <stdio.h>
#include <string.h>

#include "adapters/canon.h"
#include "adapters/openai_mend.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

/* -------------------------------------------------------------- usage */

static int64_t
first_tokens(const struct json *doc, uint32_t a, uint32_t b)
{
	int64_t n = 0;

	if (!mend_tokens(doc, a, &n))
		mend_tokens(doc, b, &n);
	return n;
}

static uint32_t
usage_object(const struct json *doc)
{
	uint32_t v, choice;

	v = json_get(doc, JSON_ROOT, "usage");
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	v = json_at(doc, JSON_ROOT, "x_groq", "usage", NULL);
	if (json_type(doc, v) == JSON_OBJECT)
		return v;
	choice = json_first(doc, json_get(doc, JSON_ROOT, "choices"));
	v = json_get(doc, choice, "usage");
	return json_type(doc, v) == JSON_OBJECT ? v : JSON_NONE;
}

/*
 * Searches that are billed one by one, where a provider counts them:
 * OpenRouter by either name, Perplexity of its deep research. How many sources
 * or pages an answer rests on is no such count.
 */
static int64_t
searches(const struct json *doc, uint32_t u)
{
	static const char *const places[][2] = {
		{ "server_tool_use_details", "web_search_requests" },
		{ "server_tool_use", "web_search_requests" },
		{ NULL, "num_search_queries" },
	};
	int64_t n = 0;
	size_t i;

	for (i = 0; i < sizeof places / sizeof places[0]; i++)
		if (reply_tokens(doc, places[i][0] == NULL ? u :
		    json_get(doc, u, places[i][0]), places[i][1], &n))
			break;
	return n;
}

bool
openai_usage(const struct json *doc, struct usage *out)
{
	uint32_t u = usage_object(doc), in, of;
	int64_t prompt = 0, answer = 0, total = 0, thought, *n;
	bool any;

	any = mend_tokens(doc, json_get(doc, u, "prompt_tokens"), &prompt);
	any |= mend_tokens(doc, json_get(doc, u, "completion_tokens"), &answer);
	if (!any)
		return false;
	mend_tokens(doc, json_get(doc, u, "total_tokens"), &total);
	in = json_get(doc, u, "prompt_tokens_details");
	of = json_get(doc, u, "completion_tokens_details");
	memset(out, 0, sizeof *out);
	n = out->n;
	n[UNIT_CACHED_INPUT] = at_most(first_tokens(doc,
	    json_get(doc, in, "cached_tokens"),
	    json_get(doc, u, "prompt_cache_hit_tokens")), prompt);
	n[UNIT_CACHE_WRITE] = at_most(first_tokens(doc,
	    json_get(doc, in, "cache_write_tokens"),
	    json_get(doc, in, "cache_creation_tokens")),
	    prompt - n[UNIT_CACHED_INPUT]);
	n[UNIT_AUDIO_INPUT] = at_most(first_tokens(doc,
	    json_get(doc, in, "audio_tokens"), JSON_NONE),
	    prompt - n[UNIT_CACHED_INPUT] - n[UNIT_CACHE_WRITE]);
	n[UNIT_INPUT] = prompt - n[UNIT_CACHED_INPUT] -
	    n[UNIT_CACHE_WRITE] - n[UNIT_AUDIO_INPUT];
	thought = first_tokens(doc, json_get(doc, of, "reasoning_tokens"),
	    json_get(doc, u, "reasoning_tokens"));
	/* xAI counts reasoning beside the completion, all others in it. */
	if (thought > 0 && total == prompt + answer + thought)
		answer = at_most(answer + thought, TOKENS_MAX);
	n[UNIT_REASONING] = at_most(thought, answer);
	n[UNIT_AUDIO_OUTPUT] = at_most(first_tokens(doc,
	    json_get(doc, of, "audio_tokens"), JSON_NONE),
	    answer - n[UNIT_REASONING]);
	n[UNIT_OUTPUT] = answer - n[UNIT_REASONING] - n[UNIT_AUDIO_OUTPUT];
	n[UNIT_SEARCH] = searches(doc, u);
	reply_service(doc, json_get(doc, JSON_ROOT, "service_tier"),
	    &out->service);
	out->known = true;
	return true;
}

/* ------------------------------------------------------------- answer */

static void
mend_whole_choice(struct mend *m, uint32_t choice, int64_t place)
{
	uint32_t msg = json_get(m->doc, choice, "message"), calls, call;
	bool called;
	char id[40];
	int i = 0;

	calls = json_get(m->doc, msg, "tool_calls");
	called = json_count(m->doc, calls) > 0;
	if (json_type(m->doc, json_get(m->doc, choice, "index")) <= JSON_NULL)
		mend_set_int(m, choice, "index", place);
	if (mend_finish(m, choice, called ? "\"tool_calls\"" :
	    "\"stop\"") == FINISH_NONE)
		m->finish = called ? FINISH_TOOLS : FINISH_STOP;
	mend_message(m, msg);
	if (json_type(m->doc, json_get(m->doc, msg, "role")) <= JSON_NULL)
		mend_set(m, msg, "role", "\"assistant\"");
	if (json_get(m->doc, msg, "content") == JSON_NONE)
		mend_set(m, msg, "content", "null");
	for (call = json_first(m->doc, calls); call != JSON_NONE;
	    call = json_next(m->doc, calls, call)) {
		snprintf(id, sizeof id, "call_%lld_%d", (long long)place,
		    i++);
		mend_call_start(m, call, id);
	}
}

void
openai_place_usage(struct mend *m, const struct usage *u, struct arena *a)
{
	uint32_t v = json_get(m->doc, JSON_ROOT, "usage");
	struct json_writer w;
	struct str text;
	struct buf b;

	if (!u->known || json_type(m->doc, v) == JSON_OBJECT) {
		mend_usage(m);
		return;
	}

	buf_init(&b, KIB(4));
	jw_init(&w, &b);
	openai_write_usage(&w, u);
	buf_putc(&b, '\0');
	text = canon_take(a, &b);
	if (text.p != NULL)
		mend_set(m, JSON_ROOT, "usage", text.p);
}

enum err
openai_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f)
{
	struct json *doc = arena_alloc(a, sizeof *doc);
	struct mend_head head = { .id = "\"\"" };
	struct mend m;
	uint32_t choices, c;
	int64_t place = 0;
	enum err e;

	if (doc == NULL)
		return ERR_INTERNAL;
	e = reply_parse(a, body, len, doc, reply, f);
	if (e != ERR_OK || reply->error != NULL)
		return e;
	choices = json_get(doc, JSON_ROOT, "choices");
	c = json_first(doc, choices);
	if (json_type(doc, choices) != JSON_ARRAY ||
	    json_type(doc, json_get(doc, c, "message")) != JSON_OBJECT)
		return reply_bad(f, "no choices");
	mend_init(&m, doc, a);
	mend_head(&m, "chat.completion", d->model, &head);
	openai_usage(doc, &reply->usage);
	openai_place_usage(&m, &reply->usage, a);
	for (; c != JSON_NONE; c = json_next(doc, choices, c))
		mend_whole_choice(&m, c, place++);
	if (!mend_done(&m, &reply->raw))
		return ERR_INTERNAL;
	reply->from = adapter_find("openai");
	reply->finish = m.finish;
	reply->text_bytes = m.text_bytes;
	reply->id = canon_str(doc, json_get(doc, JSON_ROOT, "id"), a);
	reply->model = canon_str(doc, json_get(doc, JSON_ROOT, "model"), a);
	return chat->surface == reply->from ? ERR_OK :
	    openai_read_choices(a, reply, f);
}
