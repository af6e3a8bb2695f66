/* Rests of deployments, over a Redis. */
#include "app/health_share.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/clock.h"
#include "app/health.h"
#include "app/store.h"

#define PREFIX "tollgate:{health}:"
#define KEY_SIZE 320   /* the prefix and an id; longer ones are not shared */
#define VALUE_SIZE 80
#define BATCH 128      /* keys of one MGET */
#define MOST 2048      /* deployments that are asked for */
#define SECOND INT64_C(1000000)
#define LONGEST (30 * 3600 * SECOND)
#define BRIEF (3 * SECOND / 2) /* when clocks differ: until the next look */

/* Failures that say something about the provider, whoever asks. */
#define SAID (FAIL_RATE | FAIL_SERVER | FAIL_OVERLOAD | FAIL_AUTH | FAIL_QUOTA)

struct health_share {
	uv_loop_t *loop;
	struct health *health;
	struct store *store;   /* NULL: the policy names no Redis */
	struct policy *policy; /* whose deployments these are */
	const struct deployment **list; /* by id, each once */
	size_t count;
	uint64_t host;
	unsigned under_way; /* MGETs */
};

/* An MGET under way. */
struct batch {
	struct health_share *share;
	struct policy *policy;	    /* keeps the deployments */
	const struct deployment *list[BATCH];
	size_t count;
};

/* What a key says. */
struct told {
	uint64_t host, fingerprint;
	unsigned fail;
	int64_t end; /* µs since 1970 */
};

static struct store_item
word(const char *s)
{
	return (struct store_item){ s, strlen(s) };
}

/* False: the id is too long. */
static bool
key_of(const char *id, char key[KEY_SIZE])
{
	return snprintf(key, KEY_SIZE, PREFIX "%s", id) < KEY_SIZE;
}

/* ------------------------------------------------------------- telling */

static void
forget(struct health_share *s, const struct deployment *d)
{
	char key[KEY_SIZE];
	struct store_item argv[2] = { word("DEL") };

	if (!key_of(d->id, key))
		return;
	argv[1] = word(key);
	store_command(s->store, argv, 2, NULL, NULL);
}

static void
tell(struct health_share *s, const struct deployment *d, unsigned fail,
    int64_t rest)
{
	char key[KEY_SIZE], value[VALUE_SIZE], ms[24];
	struct store_item argv[5] = { word("SET"), [3] = word("PX") };

	if (!key_of(d->id, key))
		return;
	snprintf(value, sizeof value, "%" PRIx64 " %x %" PRIx64 " %" PRIx64,
	    s->host, fail, d->provider->fingerprint,
	    (uint64_t)((clock_wall() + rest) / 1000));
	snprintf(ms, sizeof ms, "%" PRId64, (rest + 999) / 1000);
	argv[1] = word(key);
	argv[2] = word(value);
	argv[4] = word(ms);
	store_command(s->store, argv, 5, NULL, NULL);
}

static void
on_change(void *arg, const struct deployment *d, unsigned fail, int64_t rest)
{
	struct health_share *s = arg;

	if (s->store == NULL || d->provider == NULL)
		return;
	if (rest <= 0)
		forget(s, d);
	else if ((fail & SAID) != 0)
		tell(s, d, fail, rest);
}

/* ------------------------------------------------------------- hearing */

/* Anything may stand there: false when it is none of ours. */
static bool
read_value(const struct store_item *i, struct told *t)
{
	char text[VALUE_SIZE];
	uint64_t end;
	int used = 0;

	if (i->len >= sizeof text)
		return false;
	memcpy(text, i->p, i->len);
	text[i->len] = '\0';
	if (sscanf(text, "%16" SCNx64 " %8x %16" SCNx64 " %13" SCNx64 "%n",
	    &t->host, &t->fail, &t->fingerprint, &end, &used) != 4 ||
	    (size_t)used != i->len || (t->fail & SAID) == 0)
		return false;
	t->end = (int64_t)end * 1000;
	return true;
}

static void
heard(struct health_share *s, const struct deployment *d,
    const struct told *t)
{
	int64_t now = clock_mono(), left = t->end - clock_wall();
	struct standing st;

	if (t->host == s->host) {
		/* Ours; it stands there though we know better. */
		health_look(s->health, d, false, now, &st);
		if (st.why == 0)
			forget(s, d);
		return;
	}
	if (left > LONGEST || ((t->fail & (FAIL_AUTH | FAIL_QUOTA)) != 0 &&
	    t->fingerprint != d->provider->fingerprint))
		return; /* absurd; another credential was refused */
	health_elsewhere(s->health, d, t->fail, now + (left < BRIEF ? BRIEF :
	    left), now);
}

static void
on_values(void *arg, const struct store_reply *r)
{
	struct batch *b = arg;
	struct health_share *s = b->share;
	struct told t;
	size_t i;

	s->under_way--;
	for (i = 0; r->err == STORE_OK && r->count == b->count &&
	    i < b->count; i++) {
		if (r->item[i].p == NULL)
			health_returned(s->health, b->list[i], clock_mono());
		else if (read_value(&r->item[i], &t))
			heard(s, b->list[i], &t);
	}
	policy_unref(b->policy);
	free(b);
}

/* Ask for at most BATCH deployments from a place on; how many. */
static size_t
ask(struct health_share *s, size_t from)
{
	struct batch *b = calloc(1, sizeof *b);
	char keys[BATCH][KEY_SIZE];
	struct store_item argv[BATCH + 1] = { word("MGET") };
	size_t i, n = 0;

	for (i = from; b != NULL && i < s->count && n < BATCH; i++) {
		if (!key_of(s->list[i]->id, keys[n]))
			continue;
		argv[n + 1] = word(keys[n]);
		b->list[n++] = s->list[i];
	}
	if (n == 0) {
		free(b);
		return BATCH;
	}
	b->share = s;
	b->policy = policy_ref(s->policy);
	b->count = n;
	s->under_way++;
	store_command(s->store, argv, n + 1, on_values, b);
	return i - from;
}

/* ---------------------------------------------------------- the policy */

static int
by_id(const void *pa, const void *pb)
{
	const struct deployment *const *a = pa, *const *b = pb;

	return strcmp((*a)->id, (*b)->id);
}

static void
gather(struct health_share *s, const struct deployment *list, size_t count)
{
	size_t i;

	for (i = 0; i < count && s->count < MOST; i++)
		s->list[s->count++] = &list[i];
}

/* Every deployment of the policy once. */
static void
list_deployments(struct health_share *s)
{
	const struct policy *p = s->policy;
	const struct model *m;
	size_t i, k, n = 0;

	s->count = 0;
	for (i = 0; i < p->model_count; i++) {
		m = &p->models[i];
		gather(s, m->targets, m->target_count);
		for (k = 0; k < FALLBACK_KINDS; k++)
			gather(s, m->fallbacks[k].list, m->fallbacks[k].count);
	}
	qsort(s->list, s->count, sizeof(*s->list), by_id);
	for (i = 0; i < s->count; i++)
		if (n == 0 || strcmp(s->list[n - 1]->id, s->list[i]->id) != 0)
			s->list[n++] = s->list[i];
	s->count = n;
}

static void
change_policy(struct health_share *s, struct policy *p)
{
	bool other = s->policy == NULL ||
	    strcmp(s->policy->store, p->store) != 0;
	struct fault f;

	policy_unref(s->policy);
	s->policy = policy_ref(p);
	list_deployments(s);
	if (!other)
		return;
	store_close(s->store);
	s->store = strncmp(p->store, "redis", 5) == 0 ?
	    store_open(s->loop, p->store, &f) : NULL;
}

void
health_share_tick(struct health_share *s, struct policy *p)
{
	size_t at;

	if (p != s->policy)
		change_policy(s, p);
	if (s->store == NULL || s->under_way > 0 ||
	    !health_turn(s->health, clock_mono()))
		return;
	for (at = 0; at < s->count; at += ask(s, at))
		continue;
}

struct health_share *
health_share_new(uv_loop_t *loop, struct health *h)
{
	struct health_share *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->list = calloc(MOST, sizeof(*s->list));
	if (s->list == NULL) {
		free(s);
		return NULL;
	}
	s->loop = loop;
	s->health = h;
	s->host = health_host(h);
	health_tell(h, on_change, s);
	return s;
}

void
health_share_free(struct health_share *s)
{
	if (s == NULL)
		return;
	health_tell(s->health, NULL, NULL);
	store_close(s->store); /* what is under way is told so */
	policy_unref(s->policy);
	free(s->list);
	free(s);
}
