/*
 * A generateContent request to a provider, from the canonical form of a
 * client of another dialect.
 */
#include "adapters/gemini.h"

#include <stdlib.h>
#include <string.h>

#include "adapters/canon.h"
#include "app/base/arena.h"
#include "app/base/buf.h"

/* A result, and the call that it answers. */
struct answered {
	const struct part *result;
	struct str name;
	size_t call, place; /* among the calls; among the results */
};

struct writing {
	struct json_writer w;
	struct arena *arena;
	const struct chat *chat;
	const struct deployment *d;
	struct fault *fault;
	bool proven; /* a call of this turn has its signature */
	/* Those of this turn that are still to write; NULL outside of turns. */
	const struct answered *results;
};

static enum err
write_media(struct writing *x, const struct part *p)
{
	struct json_writer *w = &x->w;
	static const char *const otherwise[] = {
		[PART_IMAGE] = "image/png", [PART_AUDIO] = "audio/wav",
		[PART_VIDEO] = "video/mp4", [PART_FILE] = "application/pdf" };
	bool inl = p->data.p != NULL;

	if (p->file.p != NULL)
		return canon_refuse(x->fault,
		    "a file that another provider keeps");
	jw_object(w);
	jw_key(w, inl ? "inlineData" : "fileData");
	jw_object(w);
	canon_put_str(w, "mimeType", p->media_type.len > 0 ? p->media_type :
	    canon_lit(canon_url_type(p->url, otherwise[p->kind])));
	if (inl)
		canon_put_str(w, "data", p->data);
	else
		canon_put_text(w, "fileUri", p->url);
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

static bool
is_ours(const struct part *p)
{
	return p->origin != NULL && strcmp(p->origin, "gemini") == 0 &&
	    p->sealed.len == 0;
}

/* A signature that waits for the part that it belongs to. */
static bool
is_loose(const struct part *p)
{
	return p->kind == PART_REASONING && is_ours(p) && p->text.len == 0 &&
	    p->signature.len > 0;
}

/*
 * Clients of other dialects give a call's signature back as reasoning
 * without text that stands before it.
 */
static struct str
signature_of(const struct part *p, const struct part *before)
{
	struct str none = { NULL, 0 };

	if (is_ours(p) && p->signature.len > 0)
		return p->signature;
	return p->kind == PART_CALL && before != NULL && is_loose(before) ?
	    before->signature : none;
}

static void
write_signature(struct writing *x, const struct part *p,
    const struct part *before)
{
	struct str signature = signature_of(p, before);

	if (signature.len > 0) {
		canon_put_str(&x->w, "thoughtSignature", signature);
	} else if (p->kind == PART_CALL && !x->proven &&
	    gemini_needs_proof(x->d->model)) {
		/*
		 * Of parallel calls the first has one. Calls that another
		 * model made have none: Google's word for that
		 * (ai.google.dev/gemini-api/docs/thought-signatures).
		 */
		jw_key(&x->w, "thoughtSignature");
		jw_string(&x->w, "skip_thought_signature_validator");
	}
}

static enum err
write_call(struct writing *x, const struct part *p, const struct part *before)
{
	struct json_writer *w = &x->w;

	if (!canon_is_object(p->args, x->arena))
		return canon_refuse(x->fault,
		    "a tool call whose arguments are no object");
	jw_object(w);
	jw_key(w, "functionCall");
	jw_object(w);
	canon_put_str(w, "name", p->name);
	canon_put_raw(w, "args", p->args);
	jw_end_object(w);
	write_signature(x, p, before);
	jw_end_object(w);
	return ERR_OK;
}

/* Which call has the id of this result: its place and name. */
static void
find_call(const struct chat *chat, struct answered *a)
{
	const struct message *m;
	size_t i, k;

	a->call = 0;
	for (i = 0; i < chat->message_count; i++) {
		m = &chat->messages[i];
		for (k = 0; k < m->part_count; k++) {
			if (m->parts[k].kind != PART_CALL)
				continue;
			a->name = m->parts[k].name;
			if (canon_same(m->parts[k].id, a->result->id))
				return;
			a->call++;
		}
	}
	a->name = a->result->name.len > 0 ? a->result->name :
	    canon_lit("function");
}

/* The answer must be an object: text that is one goes as it is. */
static enum err
write_result(struct writing *x, const struct answered *a)
{
	struct json_writer *w = &x->w;
	const struct part *p = a->result;
	struct str all = canon_lit("");
	size_t i;

	for (i = 0; i < p->part_count; i++)
		if (p->parts[i].kind == PART_TEXT)
			all = canon_join(x->arena, all, p->parts[i].text);
		else if (p->parts[i].kind == PART_OTHER)
			return canon_refuse(x->fault,
			    "a result of another dialect");
	jw_object(w);
	jw_key(w, "functionResponse");
	jw_object(w);
	canon_put_str(w, "name", a->name);
	jw_key(w, "response");
	if (!p->failed && canon_is_object(all, x->arena)) {
		jw_raw(w, all.p, all.len);
	} else {
		jw_object(w);
		canon_put_str(w, p->failed ? "error" : "result", all);
		jw_end_object(w);
	}
	jw_end_object(w);
	jw_end_object(w);
	return ERR_OK;
}

/* What of a result is no text follows the results of its turn. */
static enum err
write_result_media(struct writing *x, const struct part *p)
{
	enum err e = ERR_OK;
	size_t i;

	for (i = 0; i < p->part_count && e == ERR_OK; i++)
		if (p->parts[i].kind >= PART_IMAGE &&
		    p->parts[i].kind <= PART_FILE)
			e = write_media(x, &p->parts[i]);
	return e;
}

static void
write_text(struct writing *x, const struct part *p)
{
	jw_object(&x->w);
	canon_put_text(&x->w, "text", p->text);
	if (p->kind == PART_REASONING)
		canon_put_flag(&x->w, "thought", 1);
	write_signature(x, p, NULL);
	jw_end_object(&x->w);
}

/* That of others is left out; a loose signature goes with its call. */
static void
write_reasoning(struct writing *x, const struct part *p,
    const struct part *next)
{
	if (is_loose(p) && next != NULL && next->kind == PART_CALL)
		return;
	if (is_loose(p)) {
		jw_object(&x->w);
		canon_put_str(&x->w, "text", canon_lit(""));
		canon_put_str(&x->w, "thoughtSignature", p->signature);
		jw_end_object(&x->w);
	} else if (is_ours(p) && p->text.len > 0) {
		write_text(x, p);
	}
}

static enum err
write_part(struct writing *x, const struct part *p, const struct part *before,
    const struct part *next)
{
	switch (p->kind) {
	case PART_TEXT:
	case PART_REFUSAL:
		if (p->text.len > 0)
			write_text(x, p);
		return ERR_OK;
	case PART_REASONING:
		write_reasoning(x, p, next);
		return ERR_OK;
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_VIDEO:
	case PART_FILE:
		return write_media(x, p);
	case PART_CALL:
		return write_call(x, p, before);
	case PART_RESULT:
		if (x->results != NULL)
			return write_result(x, x->results++);
		break;
	case PART_OTHER:
		break;
	}
	return canon_refuse(x->fault, "a content part of another dialect");
}

/* Is there anything in it that can be written? */
static bool
says(const struct message *m)
{
	const struct part *p;
	size_t i;

	for (i = 0; i < m->part_count; i++) {
		p = &m->parts[i];
		if (p->kind == PART_REASONING ? is_ours(p) &&
		    (p->text.len > 0 || is_loose(p)) :
		    (p->kind != PART_TEXT && p->kind != PART_REFUSAL) ||
		    p->text.len > 0)
			return true;
	}
	return false;
}

static bool
is_spoken(const struct message *m)
{
	return !canon_is_system(m) && says(m);
}

static int
by_call(const void *left, const void *right)
{
	const struct answered *a = left, *b = right;

	if (a->call != b->call)
		return a->call < b->call ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

/*
 * Calls of one name are told apart by their order alone here, so the results
 * of a turn go in the order of their calls, whatever the client's.
 */
static enum err
order_results(struct writing *x, size_t from, size_t to)
{
	const struct message *list = x->chat->messages;
	struct answered *all;
	size_t i, k, n = 0;

	for (i = from; i < to; i++)
		n += list[i].part_count;
	all = arena_alloc(x->arena, (n + 1) * sizeof *all);
	if (all == NULL)
		return fault_memory(x->fault);
	for (n = 0, i = from; i < to; i++)
		for (k = 0; is_spoken(&list[i]) && k < list[i].part_count;
		    k++) {
			if (list[i].parts[k].kind != PART_RESULT)
				continue;
			all[n].result = &list[i].parts[k];
			all[n].place = n;
			find_call(x->chat, &all[n++]);
		}
	qsort(all, n, sizeof *all, by_call);
	x->results = all;
	return ERR_OK;
}

static enum err
write_parts(struct writing *x, const struct message *m)
{
	const struct part *p = m->parts;
	enum err e = ERR_OK;
	size_t i, n = m->part_count;

	for (i = 0; i < n && e == ERR_OK; i++)
		e = write_part(x, &p[i], i > 0 ? &p[i - 1] : NULL,
		    i + 1 < n ? &p[i + 1] : NULL);
	return e;
}

/* Does a message hold what proves a call to its maker? */
static bool
proves(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->part_count; i++)
		if (is_ours(&m->parts[i]) && m->parts[i].signature.len > 0 &&
		    (m->parts[i].kind == PART_CALL ||
			is_loose(&m->parts[i])))
			return true;
	return false;
}

/* The parts of a turn; media of its results last. */
static enum err
write_turn(struct writing *x, size_t from, size_t to)
{
	const struct message *m;
	enum err e = ERR_OK;
	size_t i, k;

	x->proven = false;
	for (i = from; i < to; i++)
		x->proven |= proves(&x->chat->messages[i]);
	e = order_results(x, from, to);
	for (i = from; i < to && e == ERR_OK; i++)
		if (is_spoken(&x->chat->messages[i]))
			e = write_parts(x, &x->chat->messages[i]);
	for (i = from; i < to && e == ERR_OK; i++) {
		m = &x->chat->messages[i];
		for (k = 0; k < m->part_count && e == ERR_OK; k++)
			if (m->parts[k].kind == PART_RESULT)
				e = write_result_media(x, &m->parts[k]);
	}
	x->results = NULL;
	return e;
}

static enum err
write_system(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	bool open = false;
	size_t i;

	for (i = 0; i < chat->message_count && e == ERR_OK; i++) {
		if (!canon_is_system(&chat->messages[i]) ||
		    !says(&chat->messages[i]))
			continue;
		if (!open) {
			jw_key(&x->w, "systemInstruction");
			jw_object(&x->w);
			jw_key(&x->w, "parts");
			jw_array(&x->w);
			open = true;
		}
		e = write_parts(x, &chat->messages[i]);
	}
	if (open) {
		jw_end_array(&x->w);
		jw_end_object(&x->w);
	}
	return e;
}

/* Turns alternate: neighbours of one side become one content. */
static enum err
write_contents(struct writing *x)
{
	const struct chat *chat = x->chat;
	enum err e = ERR_OK;
	size_t i, end, turns = 0;
	bool side;

	jw_key(&x->w, "contents");
	jw_array(&x->w);
	for (i = 0; i < chat->message_count && e == ERR_OK; i = end) {
		end = i + 1;
		if (!is_spoken(&chat->messages[i]))
			continue;
		end = canon_turn(chat, i, is_spoken);
		side = chat->messages[i].role == ROLE_ASSISTANT;
		jw_object(&x->w);
		jw_key(&x->w, "role");
		jw_string(&x->w, side ? "model" : "user");
		jw_key(&x->w, "parts");
		jw_array(&x->w);
		e = write_turn(x, i, end);
		jw_end_array(&x->w);
		jw_end_object(&x->w);
		turns++;
	}
	jw_end_array(&x->w);
	return e == ERR_OK && turns == 0 ?
	    canon_refuse(x->fault, "a chat of instructions only") : e;
}

static void
write_tools(struct writing *x)
{
	struct json_writer *w = &x->w;
	const struct tool *t;
	size_t i;

	if (x->chat->tool_count == 0)
		return;
	jw_key(w, "tools");
	jw_array(w);
	jw_object(w);
	jw_key(w, "functionDeclarations");
	jw_array(w);
	for (i = 0; i < x->chat->tool_count; i++) {
		t = &x->chat->tools[i];
		jw_object(w);
		canon_put_str(w, "name", t->name);
		canon_put_text(w, "description", t->description);
		canon_put_raw(w, "parametersJsonSchema", t->schema);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
}

static void
write_tool_choice(struct writing *x)
{
	static const char *const modes[] = { NULL, "AUTO", "NONE", "ANY",
		"ANY" };
	const struct chat *chat = x->chat;
	struct json_writer *w = &x->w;

	if (chat->tool_choice == CHOICE_UNSET || chat->tool_count == 0)
		return;
	jw_key(w, "toolConfig");
	jw_object(w);
	jw_key(w, "functionCallingConfig");
	jw_object(w);
	jw_key(w, "mode");
	jw_string(w, modes[chat->tool_choice]);
	if (chat->tool_choice == CHOICE_NAMED) {
		jw_key(w, "allowedFunctionNames");
		jw_array(w);
		jw_stringn(w, chat->tool_name.p, chat->tool_name.len);
		jw_end_array(w);
	}
	jw_end_object(w);
	jw_end_object(w);
}

/* Gemini 3 takes a level, those before a number of tokens. */
static void
write_thinking(struct writing *x)
{
	static const int64_t budgets[] = { [EFFORT_NONE] = 0,
		[EFFORT_MINIMAL] = 512, [EFFORT_LOW] = 1024,
		[EFFORT_MEDIUM] = 8192, [EFFORT_HIGH] = 24576,
		[EFFORT_MAX] = 24576 };
	static const char *const levels[] = { [EFFORT_NONE] = "minimal",
		[EFFORT_MINIMAL] = "minimal", [EFFORT_LOW] = "low",
		[EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high",
		[EFFORT_MAX] = "high" };
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	if (c->effort == EFFORT_UNSET && c->think_budget < 0)
		return;
	jw_key(w, "thinkingConfig");
	jw_object(w);
	if (c->think_budget >= 0) {
		canon_put_int(w, "thinkingBudget", c->think_budget);
	} else if (gemini_needs_proof(x->d->model)) {
		jw_key(w, "thinkingLevel");
		jw_string(w, levels[c->effort]);
	} else {
		canon_put_int(w, "thinkingBudget", budgets[c->effort]);
	}
	if (c->effort != EFFORT_NONE && !c->think_hidden)
		canon_put_flag(w, "includeThoughts", 1);
	jw_end_object(w);
}

static void
write_config(struct writing *x)
{
	const struct chat *c = x->chat;
	struct json_writer *w = &x->w;

	jw_key(w, "generationConfig");
	jw_object(w);
	if (c->max_output > 0)
		canon_put_int(w, "maxOutputTokens", c->max_output);
	if (c->choices > 1)
		canon_put_int(w, "candidateCount", c->choices);
	canon_put_raw(w, "temperature", c->temperature);
	canon_put_raw(w, "topP", c->top_p);
	canon_put_raw(w, "topK", c->top_k);
	canon_put_raw(w, "seed", c->seed);
	canon_put_raw(w, "presencePenalty", c->presence_penalty);
	canon_put_raw(w, "frequencyPenalty", c->frequency_penalty);
	if (c->logprobs)
		canon_put_flag(w, "responseLogprobs", 1);
	if (c->top_logprobs > 0)
		canon_put_int(w, "logprobs", c->top_logprobs);
	canon_put_list(w, "stopSequences", c->stop, c->stop_count);
	if (c->format == FORMAT_JSON || c->format == FORMAT_SCHEMA) {
		jw_key(w, "responseMimeType");
		jw_string(w, "application/json");
		canon_put_raw(w, "responseJsonSchema", c->format_schema);
	}
	write_thinking(x);
	jw_end_object(w);
}

enum err
gemini_write_chat(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct buf *out, struct fault *f)
{
	struct writing x = { .arena = a, .chat = chat, .d = d, .fault = f };
	enum err e;

	jw_init(&x.w, out);
	jw_object(&x.w);
	e = write_system(&x);
	if (e == ERR_OK)
		e = write_contents(&x);
	if (e == ERR_OK)
		e = canon_functions(chat, f);
	if (e != ERR_OK)
		return e;
	write_tools(&x);
	write_tool_choice(&x);
	write_config(&x);
	jw_end_object(&x.w);
	return out->failed ? fault_memory(f) : ERR_OK;
}
