/* Answers of a batch. */
#include "app/results.h"

#include <string.h>

#include "adapters/canon.h"
#include "adapters/reply.h"
#include "app/base/arena.h"

bool
results_of(struct results *rs, const struct policy *policy,
    const struct entry *e)
{
	const struct provider *p = policy_provider(policy, e->provider,
	    strlen(e->provider));
	const char *surface = batch_surface(e->path);

	memset(rs, 0, sizeof *rs);
	if (p != NULL)
		p = provider_speaking(p, e->adapter);
	if (p == NULL || surface == NULL)
		return false;
	rs->entry = e;
	rs->provider = p;
	rs->dialect = batch_dialect_of(p);
	rs->surface = adapter_find(surface);
	rs->door = batch_door(e->path);
	rs->adapter = adapter_for(rs->door, e->adapter);
	rs->deployment = (struct deployment){ .id = e->deployment,
		.provider = p, .model = e->up, .price = e->price };
	return rs->dialect != NULL && rs->adapter != NULL;
}

/* The request that it answers, as far as that is known any more. */
static bool
set_chat(struct chat *chat, const struct results *rs, struct arena *a,
    const struct adapter *surface)
{
	static const char none[] = "{}";

	memset(chat, 0, sizeof *chat);
	chat->surface = surface;
	chat->path = chat->query = chat->beta = chat->user = "";
	chat->word = surface->name;
	chat->model = rs->entry->model;
	chat->task.door = rs->door;
	chat->choices = 1;
	return json_parse(&chat->doc, a, none, sizeof none - 1, NULL) ==
	    ERR_OK;
}

/* What an answer says it used, where its adapter cannot read it. */
static bool
told(struct str body, struct arena *a, struct usage *u)
{
	struct json doc;
	uint32_t v;
	int64_t in = 0, out = 0;

	if (json_parse(&doc, a, body.p, body.len, NULL) != ERR_OK)
		return false;
	v = json_get(&doc, JSON_ROOT, "usage");
	if (!reply_tokens(&doc, v, "prompt_tokens", &in) &&
	    !reply_tokens(&doc, v, "input_tokens", &in))
		return false;
	if (!reply_tokens(&doc, v, "completion_tokens", &out))
		reply_tokens(&doc, v, "output_tokens", &out);
	memset(u, 0, sizeof *u);
	u->n[UNIT_INPUT] = in;
	u->n[UNIT_OUTPUT] = out;
	return u->known = true;
}

bool
results_usage(const struct results *rs, struct arena *scratch,
    struct str body, struct usage *out)
{
	struct reply reply;
	struct chat chat;
	struct fault f;

	memset(&reply, 0, sizeof reply);
	/* As if it went to its own dialect: nobody writes it. */
	if (set_chat(&chat, rs, scratch, rs->adapter) &&
	    rs->adapter->read_reply(scratch, &chat, &rs->deployment, body.p,
		body.len, &reply, &f) == ERR_OK && reply.error == NULL &&
	    reply.usage.known) {
		*out = reply.usage;
		return true;
	}
	return told(body, scratch, out);
}

/* The answer as the client's dialect writes it. p NULL: it cannot. */
static struct str
translated(const struct results *rs, struct arena *scratch, struct str body)
{
	const struct answer_meta meta = { .request_id = "",
		.provider = rs->provider->name,
		.model = rs->entry->up, .cost = -1 };
	struct str none = { NULL, 0 };
	struct reply reply;
	struct chat chat;
	struct fault f;
	struct buf out;

	memset(&reply, 0, sizeof reply);
	if (!set_chat(&chat, rs, scratch, rs->surface) ||
	    rs->adapter->read_reply(scratch, &chat, &rs->deployment, body.p,
		body.len, &reply, &f) != ERR_OK || reply.error != NULL)
		return none;
	buf_init(&out, LIMIT_REPLY);
	if (rs->surface->write_reply(scratch, &chat, &reply, &meta, &out) !=
	    ERR_OK)
		out.failed = true;
	return canon_take(scratch, &out);
}

enum err
results_line(const struct results *rs, struct arena *scratch,
    const struct json *line, bool errors, struct buf *out, struct fault *f)
{
	struct str body = { NULL, 0 };
	struct batch_line got;
	enum err e = rs->dialect->read_line(scratch, line, &got, f);

	if (e != ERR_OK || (got.status == 200) == errors)
		return e;
	if (got.status != 200 && rs->dialect->passes)
		body = got.body; /* an error in OpenAI's form */
	if (got.status == 200) {
		body = translated(rs, scratch, got.body);
		if (body.p == NULL) {
			got.status = 502;
			got.code = "bad_upstream";
			got.message = "the provider sent no usable answer";
		}
	}
	batch_put_answer(out, &got, body);
	return out->failed ? fault_memory(f) : ERR_OK;
}
