/*
 * Addresses of the catalog with their ${variables} filled in: from the
 * provider's own fields, or from the environment.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "policy/load.h"
#include "policy/url.h"

#define URL_MAX 4096

/* An address while it grows. */
struct growing {
	char text[URL_MAX];
	size_t len;
	bool full;
};

static void
append(struct growing *g, const char *s, size_t n)
{
	if (n >= sizeof g->text - g->len) {
		g->full = true;
		return;
	}
	memcpy(g->text + g->len, s, n);
	g->len += n;
	g->text[g->len] = '\0';
}

/* A variable that is a field of the row, or ends in the name of one. */
static const char *
own_variable(const struct provider *p, const char *name)
{
	const struct {
		const char *suffix, *value;
	} own[] = {
		{ "ORGANIZATION", p->organization },
		{ "PROJECT", p->project },
		{ "REGION", p->region },
		{ "LOCATION", p->region },
		{ "API_VERSION", p->api_version },
	};
	size_t i, n, len = strlen(name);

	for (i = 0; i < sizeof own / sizeof own[0]; i++) {
		n = strlen(own[i].suffix);
		if (len >= n && own[i].value[0] != '\0' &&
		    strcasecmp(name + len - n, own[i].suffix) == 0 &&
		    (len == n || name[len - n - 1] == '_'))
			return own[i].value;
	}
	return NULL;
}

/*
 * The value of ${name}, or NULL and a fault (a warning when checking). Names
 * in lower case are fields of the row, others may stand in the environment.
 * Without a node nothing is said.
 */
static const char *
variable(struct load *l, const struct node *at, const struct provider *p,
    const char *name)
{
	const char *v = own_variable(p, name);
	bool field = name[0] >= 'a' && name[0] <= 'z';

	if (v == NULL && l->outside && !field)
		v = getenv(name);
	if (v != NULL && v[0] != '\0')
		return v;
	if (at == NULL)
		return NULL;
	if (field)
		diag_fault(l->diag, at,
		    "'%.80s' is missing: it is part of the address", name);
	else if (l->env->check_only)
		diag_warn(l->diag, at, "the address of '%s' needs the "
		    "environment variable %.80s", p->name, name);
	else
		diag_fault(l->diag, at, "the address of '%s' needs %.80s: set "
		    "it in the environment, or give base_url", p->name, name);
	return NULL;
}

static bool
expand(struct load *l, const struct node *at, const struct provider *p,
    const char *from, struct growing *out)
{
	char name[128];
	const char *v;
	size_t n;
	bool ok = true;

	while (*from != '\0') {
		n = from[0] == '$' && from[1] == '{' ?
		    strcspn(from + 2, "}") : 0;
		if (n == 0 || from[2 + n] != '}' || n >= sizeof name) {
			append(out, from++, 1);
			continue;
		}
		memcpy(name, from + 2, n);
		name[n] = '\0';
		from += n + 3;
		v = variable(l, at, p, name);
		if (v != NULL)
			append(out, v, strlen(v));
		ok = ok && v != NULL;
	}
	return ok;
}

const char *
address_fill(struct load *l, const struct node *at, const struct provider *p,
    const char *from)
{
	struct growing out = { .len = 0 };
	const char *wrong;
	char *url;

	if (!expand(l, at, p, from, &out))
		return NULL;
	wrong = out.full ? "it is too long" : url_flaw(out.text);
	if (wrong != NULL) {
		if (at != NULL)
			diag_fault(l->diag, at, "the address of '%s', filled "
			    "from the environment, is not one: %s", p->name,
			    wrong);
		return NULL;
	}
	url = arena_str(l->arena, out.text);
	if (url == NULL)
		diag_nomem(l->diag);
	return url;
}
