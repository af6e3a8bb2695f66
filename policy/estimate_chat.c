/* What models put around the text of a chat: a row a family of models. */
#include <stddef.h>
#include <stdio.h>

#include "policy/estimate.h"
#include "policy/policy.h"

#define NAME_SIZE 256

/* How a template shows a schema. */
enum form {
	FORM_JSON,
	FORM_WORDS, /* its words, and so much for each member */
	FORM_NOTHING
};

/* Which reasoning in turns is read again. */
enum reading {
	READ_NONE,
	READ_LAST, /* what came since the user spoke */
	READ_ALL
};

/* Tokens, where nothing else is said. */
struct template {
	const char *pattern; /* of "provider/model@dialect" in small letters */
	int request, message, system; /* system: if there is one */
	int tools, tool;	      /* with tools, and each of them */
	int field;		      /* a member, in FORM_WORDS */
	int forced, serial; /* a tool must be called; one call at a time */
	int schema;	    /* of the answer */
	int json;	    /* the answer is to be JSON */
	int thinking, unthinking; /* reasoning is asked for, is not wanted */
	int call;		  /* a call of a tool, or its result */
	enum form tools_form, schema_form;
	enum reading reasoning;
	bool digits;	  /* each digit is a token */
	bool schema_tool; /* a schema of the answer is made a tool */
	/* Reasoning that only its maker reads: characters that are no text,
	 * and tenths of a character a token (0: it is not read again). */
	int seal_skip, seal_chars;
	bool seal_all; /* all of it, not what came since the user spoke */
	bool drops;    /* tools are left out when none may be called */
};

static const struct template templates[] = {
#define MODEL(...) { __VA_ARGS__ },
#include "policy/estimate_model.def"
#undef MODEL
};

/* The last row is for all. */
static const struct template *
template_of(const char *id, const char *dialect)
{
	const struct template *t = templates;
	char name[NAME_SIZE];
	size_t i;

	snprintf(name, sizeof name, "%s@%s", id, dialect);
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] |= 32;
	while (t + 1 < templates + sizeof templates / sizeof templates[0] &&
	    !glob_match(t->pattern, name))
		t++;
	return t;
}

static int64_t
of_tools(const struct template *t, const struct estimate_chat *c)
{
	int64_t sum = t->tools + c->tools * t->tool;

	if (c->tools == 0 || (t->drops && c->no_tools))
		return 0;
	if (c->must_call)
		sum += t->forced;
	if (c->one_call)
		sum += t->serial;
	if (t->tools_form == FORM_JSON)
		sum += c->tools_text;
	else if (t->tools_form == FORM_WORDS)
		sum += c->tools_words + c->tools_fields * t->field;
	return sum;
}

static int64_t
of_schema(const struct template *t, const struct estimate_chat *c)
{
	int64_t sum = t->schema;

	if (c->schema_text == 0)
		return 0;
	if (t->schema_tool)
		sum = t->tool + (c->tools == 0 ? t->tools + t->forced : 0);
	if (t->schema_form == FORM_JSON)
		sum += c->schema_text;
	else if (t->schema_form == FORM_WORDS)
		sum += c->schema_words + c->schema_fields * t->field;
	return sum;
}

/* Reasoning in turns, open and sealed. */
static int64_t
of_reasoning(const struct template *t, const struct estimate_chat *c)
{
	int64_t sum = t->reasoning == READ_ALL ? c->reasoning :
	    t->reasoning == READ_LAST ? c->last_reasoning : 0;
	int64_t chars = t->seal_all ? c->sealed - c->seals * t->seal_skip :
	    c->last_sealed - c->last_seals * t->seal_skip;

	if (t->seal_chars > 0 && chars > 0)
		sum += chars / t->seal_chars * 10 +
		    chars % t->seal_chars * 10 / t->seal_chars;
	return sum;
}

int64_t
estimate_chat(const struct estimate_chat *c, const char *id,
    const char *dialect)
{
	const struct template *t = template_of(id, dialect);
	int64_t sum = t->request + c->messages * t->message + c->text +
	    c->calls * t->call + of_tools(t, c) + of_schema(t, c) +
	    of_reasoning(t, c);

	if (t->digits)
		sum += c->digits;
	if (c->systems > 0)
		sum += t->system;
	if (c->json)
		sum += t->json;
	if (c->thinks)
		sum += t->thinking;
	if (c->unthinks)
		sum += t->unthinking;
	return sum > 1 ? sum : 1;
}
