/*
 * In Google's form the tokens that were chosen and those that might have
 * been stand in two lists of equal length, in OpenAI's one holds the other.
 */
#include "adapters/gemini_logprobs.h"

#include "adapters/canon.h"
#include "adapters/gemini.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* The members that both of OpenAI's lists have. */
static void
write_token(const struct json *doc, uint32_t v, struct json_writer *w,
    struct arena *a)
{
	struct str token = canon_str(doc, json_get(doc, v, "token"), a);
	struct str n = canon_raw(doc, gemini_get(doc, v, "logProbability"));
	size_t i;

	canon_put_text(w, "token", token);
	canon_put_raw(w, "logprob", n.p == NULL ? canon_lit("0") : n);
	jw_key(w, "bytes");
	jw_array(w);
	for (i = 0; i < token.len; i++)
		jw_int(w, (unsigned char)token.p[i]);
	jw_end_array(w);
}

static void
write_top(const struct json *doc, uint32_t top, struct json_writer *w,
    struct arena *a)
{
	uint32_t list = json_get(doc, top, "candidates"), v;

	jw_key(w, "top_logprobs");
	jw_array(w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		jw_object(w);
		write_token(doc, v, w, a);
		jw_end_object(w);
	}
	jw_end_array(w);
}

struct str
gemini_read_logprobs(const struct json *doc, uint32_t candidate,
    struct arena *a)
{
	uint32_t r = gemini_get(doc, candidate, "logprobsResult"), v;
	uint32_t list = gemini_get(doc, r, "chosenCandidates");
	uint32_t tops = gemini_get(doc, r, "topCandidates");
	uint32_t top = json_first(doc, tops);
	struct str none = { NULL, 0 };
	struct json_writer w;
	struct buf b;

	if (json_count(doc, list) == 0)
		return none;
	buf_init(&b, LIMIT_REPLY);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, "content");
	jw_array(&w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v)) {
		jw_object(&w);
		write_token(doc, v, &w, a);
		write_top(doc, top, &w, a);
		jw_end_object(&w);
		if (top != JSON_NONE)
			top = json_next(doc, tops, top);
	}
	jw_end_array(&w);
	canon_put_raw(&w, "refusal", canon_lit("null"));
	jw_end_object(&w);
	return canon_take(a, &b);
}

/* ------------------------------------------------------------- writing */

static void
put_candidate(const struct json *doc, uint32_t v, struct json_writer *w,
    struct arena *a)
{
	jw_object(w);
	canon_put_text(w, "token", canon_str(doc, json_get(doc, v, "token"),
	    a));
	canon_put_raw(w, "logProbability", canon_raw(doc, json_get(doc, v,
	    "logprob")));
	jw_end_object(w);
}

static void
put_candidates(const struct json *doc, uint32_t list, const char *key,
    struct json_writer *w, struct arena *a)
{
	uint32_t v;

	jw_key(w, key);
	jw_array(w);
	for (v = json_first(doc, list); v != JSON_NONE;
	    v = json_next(doc, list, v))
		put_candidate(doc, v, w, a);
	jw_end_array(w);
}

void
gemini_put_logprobs(struct json_writer *w, struct str logprobs,
    struct arena *a)
{
	uint32_t list, v;
	struct json doc;

	if (logprobs.len == 0 || json_parse(&doc, a, logprobs.p, logprobs.len,
	    NULL) != ERR_OK)
		return;
	list = json_get(&doc, JSON_ROOT, "content");
	if (json_type(&doc, list) != JSON_ARRAY || json_count(&doc, list) == 0)
		return;
	jw_key(w, "logprobsResult");
	jw_object(w);
	put_candidates(&doc, list, "chosenCandidates", w, a);
	jw_key(w, "topCandidates");
	jw_array(w);
	for (v = json_first(&doc, list); v != JSON_NONE;
	    v = json_next(&doc, list, v)) {
		jw_object(w);
		put_candidates(&doc, json_get(&doc, v, "top_logprobs"),
		    "candidates", w, a);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}
