/* What is known of models as clients ask for them: doubles, and lengths. */
#include "app/health_int.h"

#define HEDGE_LEN MINUTE
#define MONEY_LEN (10 * MINUTE)

bool
health_hedge(struct health *h, const char *model, unsigned share,
    int64_t money, int64_t price, int64_t now)
{
	struct model_slot *m;

	if (now > h->now)
		h->now = now;
	m = table_model(h->map.table, model, now);
	if (m == NULL || (money > 0 && !sum_room(m->money, MONEY_RING,
	    MONEY_LEN, now, price, money)))
		return false;
	if (share < 100 && !ring_within(m->hedges, HEDGE_RING, HEDGE_LEN, now,
	    share))
		return false;
	return money <= 0 || sum_within(m->money, MONEY_RING, MONEY_LEN, now,
	    price, money);
}

void
health_answered(struct health *h, const char *model, int64_t tokens)
{
	struct model_slot *m = table_model(h->map.table, model, h->now);

	if (m == NULL)
		return;
	ring_count(m->hedges, HEDGE_RING, HEDGE_LEN, h->now, false);
	mean_add(&m->output, tokens);
}

int64_t
health_expected_output(struct health *h, const char *model)
{
	const struct model_slot *m = table_model(h->map.table, model, h->now);

	return m == NULL ? 0 : mean_read(&m->output);
}

unsigned
health_cached_share(struct health *h, const struct deployment *d)
{
	const struct slot *s = health_slot(h, d, false, h->now);

	return s == NULL ? 0 : share_read(&s->cached);
}
