/* Cooldowns, by deployment, in this worker's memory. */
#include "app/health.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/clock.h"
#include "app/base/limits.h"

#define SECOND INT64_C(1000000)
#define COOL_RATE (5 * SECOND)	 /* 429 that does not say how long */
#define COOL_AUTH (60 * SECOND)	 /* our credential: it rarely heals itself */
#define NODES 4096		 /* deployments remembered at most */

struct node {
	const char *id; /* text, but in a key to look for */
	int64_t until;
	char text[];
};

struct health {
	void *tree;
	size_t count;
};

struct health *
health_open(const char *dir)
{
	(void)dir;
	return calloc(1, sizeof(struct health));
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	tdestroy(h->tree, free);
	free(h);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->id,
	    ((const struct node *)b)->id);
}

static struct node *
find(const struct health *h, const struct deployment *d)
{
	struct node key = { .id = d->id };
	void *p = tfind(&key, &h->tree, by_id);

	return p == NULL ? NULL : *(struct node **)p;
}

static struct node *
find_or_add(struct health *h, const struct deployment *d)
{
	struct node *n = find(h, d);
	size_t size = strlen(d->id) + 1;

	if (n != NULL || h->count >= NODES)
		return n;
	n = calloc(1, sizeof *n + size);
	if (n == NULL)
		return NULL;
	memcpy(n->text, d->id, size);
	n->id = n->text;
	if (tsearch(n, &h->tree, by_id) == NULL) {
		free(n);
		return NULL;
	}
	h->count++;
	return n;
}

void
health_look(struct health *h, const struct deployment *d, int64_t now,
    struct standing *out)
{
	const struct node *n = h->count == 0 ? NULL : find(h, d);

	(void)now;
	memset(out, 0, sizeof *out);
	out->success = 1000;
	if (n != NULL)
		out->cooling = n->until;
}

bool
health_claim(struct health *h, const struct deployment *d, enum claim claim,
    int64_t now, bool *probe)
{
	const struct node *n = h->count == 0 ? NULL : find(h, d);

	*probe = false;
	return n == NULL || n->until <= now || claim == CLAIM_LAST;
}

static void
failed(struct health *h, const struct deployment *d, unsigned fail,
    int64_t rest, int64_t now)
{
	struct node *n;

	if (rest < 0) {
		if ((fail & (FAIL_AUTH | FAIL_QUOTA)) != 0)
			rest = COOL_AUTH;
		else if ((fail & FAIL_RATE) != 0)
			rest = COOL_RATE;
		else
			return;
	} else if ((fail & (FAIL_RATE | FAIL_OVERLOAD | FAIL_SERVER)) == 0) {
		return;
	}
	n = find_or_add(h, d);
	if (n != NULL && now + rest > n->until)
		n->until = now + rest;
}

void
health_end(struct health *h, const struct deployment *d,
    const struct outcome *o, int64_t now)
{
	struct node *n = h->count == 0 ? NULL : find(h, d);

	if (o->silent)
		return;
	if (!o->served)
		failed(h, d, o->fail, o->rest, now);
	else if (n != NULL)
		n->until = 0;
}

static int64_t
bounded(double seconds)
{
	if (!(seconds >= 0))
		return -1;
	if (seconds > LIMIT_RETRY_AFTER)
		seconds = LIMIT_RETRY_AFTER;
	return (int64_t)(seconds * 1e6);
}

static bool
number(const char *s, double *out)
{
	char *end;

	if (s == NULL || *s < '0' || *s > '9')
		return false;
	*out = strtod(s, &end);
	return *end == '\0';
}

int64_t
retry_after(const char *ms, const char *value, int64_t wall)
{
	int64_t date;
	double n;

	if (number(ms, &n))
		return bounded(n / 1000);
	if (number(value, &n))
		return bounded(n);
	date = clock_http_date(value);
	if (date < 0)
		return -1;
	n = (double)(date - wall / SECOND);
	return bounded(n < 0 ? 0 : n);
}
