/*
 * A text completion request as a chat: one prompt, one user message. What a
 * chat provider has no means for is refused where it would change the answer
 * (several prompts, tokens, a suffix) and named where it only would better
 * it (best_of).
 */
#include "adapters/completions.h"

#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"

static const char *const known[] = { "model", "prompt", "suffix",
	"max_tokens", "temperature", "top_p", "n", "best_of", "logprobs",
	"echo", "stream", "stream_options", "stop", "presence_penalty",
	"frequency_penalty", "seed", "logit_bias", "user", "models",
	"fallbacks" };

static enum err
read_prompt(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	uint32_t v = json_get(doc, JSON_ROOT, "prompt");
	struct message *m;

	if (json_type(doc, v) == JSON_ARRAY && json_count(doc, v) == 1)
		v = json_first(doc, v);
	if (json_type(doc, v) == JSON_ARRAY && json_count(doc, v) > 1 &&
	    json_type(doc, json_first(doc, v)) == JSON_STRING)
		return fault_set(f, ERR_BAD_REQUEST, "prompt",
		    "this model takes one prompt a request");
	if (json_type(doc, v) != JSON_STRING)
		return fault_set(f, ERR_BAD_REQUEST, "prompt",
		    "this model takes prompts as text only, not as tokens");
	m = arena_zalloc(a, sizeof *m);
	if (m != NULL)
		m->parts = arena_zalloc(a, sizeof *m->parts);
	if (m == NULL || m->parts == NULL)
		return fault_memory(f);
	m->role = ROLE_USER;
	m->part_count = 1;
	m->parts->kind = PART_TEXT;
	m->parts->text = canon_str(doc, v, a);
	chat->messages = m;
	chat->message_count = 1;
	return ERR_OK;
}

static void
pass(struct chat *chat, const char *key, struct str *out, uint64_t bit)
{
	uint32_t v = json_get(&chat->doc, JSON_ROOT, key);

	if (json_type(&chat->doc, v) <= JSON_NULL)
		return;
	*out = canon_raw(&chat->doc, v);
	chat->set |= bit;
}

static enum err
read_more(struct arena *a, struct chat *c, struct fault *f)
{
	const struct json *doc = &c->doc;
	int64_t n = 1, best;
	enum err e = ERR_OK;

	/* Its keys are tokens: another model's mean other words. */
	if (json_count(doc, json_get(doc, JSON_ROOT, "logit_bias")) > 0)
		e = canon_extra(c, a, "logit_bias");
	json_int(doc, json_get(doc, JSON_ROOT, "n"), &n);
	if (e == ERR_OK && json_int(doc, json_get(doc, JSON_ROOT, "best_of"),
	    &best) && best > n)
		e = canon_extra(c, a, "best_of");
	return e == ERR_OK ? ERR_OK : fault_memory(f);
}

static void
read_settings(struct chat *c)
{
	const struct json *doc = &c->doc;
	int64_t n = 1;

	pass(c, "temperature", &c->temperature, PARAM_BIT(TEMPERATURE));
	pass(c, "top_p", &c->top_p, PARAM_BIT(TOP_P));
	pass(c, "seed", &c->seed, PARAM_BIT(SEED));
	pass(c, "frequency_penalty", &c->frequency_penalty,
	    PARAM_BIT(FREQUENCY_PENALTY));
	pass(c, "presence_penalty", &c->presence_penalty,
	    PARAM_BIT(PRESENCE_PENALTY));
	json_int(doc, json_get(doc, JSON_ROOT, "n"), &n);
	c->choices = n;
	c->logprobs = json_int(doc, json_get(doc, JSON_ROOT, "logprobs"),
	    &c->top_logprobs);
	canon_given(c);
}

enum err
completions_read_chat(struct arena *a, struct chat *chat, struct fault *f)
{
	const struct json *doc = &chat->doc;
	enum err e;

	canon_defaults(chat);
	e = read_prompt(a, chat, f);
	if (e == ERR_OK && json_nonempty(doc, json_get(doc, JSON_ROOT,
	    "suffix")))
		e = fault_set(f, ERR_BAD_REQUEST, "suffix",
		    "this model cannot fill in before a suffix");
	if (e == ERR_OK)
		e = canon_stop(chat, a, json_get(doc, JSON_ROOT, "stop"), f);
	if (e == ERR_OK)
		e = canon_extras(chat, a, known,
		    sizeof known / sizeof known[0], f);
	if (e == ERR_OK)
		e = read_more(a, chat, f);
	if (e != ERR_OK)
		return e;
	read_settings(chat);
	canon_done(chat);
	return ERR_OK;
}
