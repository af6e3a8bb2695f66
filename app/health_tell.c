/* What others hear of health, and say to it: other hosts, and people. */
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/draw.h"
#include "app/health_int.h"
#include "app/health_rest.h"

/* --------------------------------------------------------- other hosts */

void
health_tell(struct health *h, health_tell_fn *fn, void *arg)
{
	h->tell = fn;
	h->tell_arg = arg;
}

void
health_elsewhere(struct health *h, const struct deployment *d, unsigned fail,
    int64_t until, int64_t now)
{
	struct slot *s = health_slot(h, d, true, now);
	uint64_t old, next;

	if (s == NULL)
		return;
	table_name(s, d->id, now);
	old = get(&s->rest);
	if ((fail & (FAIL_AUTH | FAIL_QUOTA)) != 0 && d->provider != NULL)
		put(&s->fingerprint, d->provider->fingerprint);
	do
		next = rest_elsewhere(old, now, until, fail);
	while (next != old && !atomic_compare_exchange_weak(&s->rest, &old,
	    next));
	put(&s->elsewhere, (uint64_t)until);
}

void
health_returned(struct health *h, const struct deployment *d, int64_t now)
{
	struct slot *s = health_slot(h, d, false, now);
	int64_t until;

	if (s == NULL || get(&s->elsewhere) == 0)
		return;
	until = (int64_t)atomic_exchange(&s->elsewhere, 0);
	/* Taken back before its end, and we do not know of a longer one. */
	if (until > now && rest_until(get(&s->rest), now) <= until + 1000)
		health_come_back(s, now);
}

bool
health_turn(struct health *h, int64_t now)
{
	_Atomic int64_t *at = &h->map.table->asked;
	int64_t last = atomic_load(at);

	/* Ticks of a second are not quite regular. */
	return (last > now || last < now - 9 * SECOND / 10) &&
	    atomic_compare_exchange_strong(at, &last, now);
}

uint64_t
health_host(struct health *h)
{
	uint64_t have = 0, mine = draw_next(&h->random) | 1;

	if (atomic_compare_exchange_strong(&h->map.table->host, &have, mine))
		have = mine;
	return have;
}

/* -------------------------------------------------------------- people */

size_t
health_pardon(struct health *h, const char *id)
{
	char have[TABLE_ID];
	struct slot *s;
	size_t found = 0;
	unsigned i;

	for (i = 0; i < TABLE_SLOTS; i++) {
		s = table_at(h->map.table, i, have);
		if (s == NULL || (id != NULL && strcmp(id, have) != 0))
			continue;
		health_forget(s);
		atomic_store(&s->rest, REST_WELL);
		found++;
	}
	return found;
}

const char *
fail_word(unsigned fail)
{
	static const char *const words[FAIL_WORDS] = { "connect", "timeout",
		"rate", "server", "overload", "auth", "context", "content",
		"broken", "request", "quota", "missing" };
	unsigned i;

	for (i = 0; i < FAIL_WORDS; i++)
		if ((fail >> i & 1) != 0)
			return words[i];
	return "none";
}

static void
sums_of(const struct slot *s, struct health_sums *out)
{
	unsigned i;

	*out = (struct health_sums){
		.attempts = get(&s->attempts),
		.served = get(&s->served),
		.hedges = get(&s->hedges),
		.probes = get(&s->probes),
		.given_up = get(&s->given_up),
		.input = get(&s->input),
		.output = get(&s->output),
	};
	for (i = 0; i < sizeof out->failed / sizeof out->failed[0]; i++)
		out->failed[i] = get(&s->failed[i]);
}

void
health_each(struct health *h, int64_t now, health_fn *fn, void *arg)
{
	struct health_sums sums;
	struct standing st;
	char id[TABLE_ID];
	struct slot *s;
	unsigned i;

	table_sweep(&h->map, now);
	for (i = 0; i < TABLE_SLOTS; i++) {
		s = table_at(h->map.table, i, id);
		if (s == NULL)
			continue;
		memset(&st, 0, sizeof st);
		st.success = 1000;
		health_stand(h->map.table, s, false, now, &st);
		if (st.ttft == 0)
			health_stand(h->map.table, s, true, now, &st);
		sums_of(s, &sums);
		fn(arg, id, &st, &sums);
	}
}

bool
health_warn(struct health *h, uint64_t what)
{
	struct table *t = h->map.table;
	word *at = &t->warned[what % TABLE_WARNED];
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed);

	if (old == what || !atomic_compare_exchange_strong_explicit(at, &old,
	    what, memory_order_relaxed, memory_order_relaxed))
		return false; /* it was said, or another says something */
	atomic_fetch_add_explicit(&t->warnings, 1, memory_order_relaxed);
	return true;
}

uint64_t
health_warnings(struct health *h)
{
	return atomic_load_explicit(&h->map.table->warnings,
	    memory_order_relaxed);
}
