/* What models put around the text of a chat: a row a family of models. */
#include <stddef.h>
#include <string.h>

#include "policy/estimate.h"
#include "policy/policy.h"

#define NAME_SIZE 256

static const struct template {
	const char *pattern; /* of "provider/model" in small letters */
	/* Tokens: a request, a message, a system prompt; with tools, a tool */
	int request, message, system, tools, tool;
	int tools_share; /* per mille of the tools' text that is counted */
	int schema, schema_share; /* the same of a schema for the answer */
	int thinking;	/* with reasoning asked for */
	int text_share; /* per mille of what we estimate for the text */
	int call;	/* a call of a tool, or its result */
	int reasoning_share; /* per mille of reasoning in turns: often none */
} templates[] = {
#define MODEL(pattern, request, message, system, tools, tool, tools_share,   \
    schema, schema_share, thinking, text_share, call, reasoning_share)       \
	{ pattern, request, message, system, tools, tool, tools_share,       \
	    schema, schema_share, thinking, text_share, call,                \
	    reasoning_share },
#include "policy/estimate_model.def"
#undef MODEL
};

/* The last row is for all. */
static const struct template *
template_of(const char *id)
{
	const struct template *t = templates;
	char name[NAME_SIZE];
	size_t i;

	for (i = 0; id[i] != '\0' && i + 1 < sizeof name; i++)
		name[i] = id[i] >= 'A' && id[i] <= 'Z' ?
			(char)(id[i] | 32) : id[i];
	name[i] = '\0';
	while (t + 1 < templates + sizeof templates / sizeof templates[0] &&
	    !glob_match(t->pattern, name))
		t++;
	return t;
}

/* share per mille of n, in two parts against overflow. */
static int64_t
part(int64_t n, int share)
{
	return n / 1000 * share + n % 1000 * share / 1000;
}

int64_t
estimate_chat(const struct estimate_chat *c, const char *id)
{
	const struct template *t = template_of(id);
	int64_t sum = t->request + c->messages * t->message +
	    part(c->text, t->text_share) + c->calls * t->call +
	    part(c->reasoning, t->reasoning_share);

	if (c->systems > 0)
		sum += t->system;
	if (c->tools > 0)
		sum += t->tools + c->tools * t->tool +
		    part(c->tools_text, t->tools_share);
	if (c->schema_text > 0)
		sum += t->schema + part(c->schema_text, t->schema_share);
	if (c->thinks)
		sum += t->thinking;
	return sum > 1 ? sum : 1;
}
