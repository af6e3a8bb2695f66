/* Policy, loop and ledger of a command. */
#include "app/ledger_cli.h"

#include <stdio.h>

#include "app/cli.h"
#include "app/usage.h"
#include "policy/policy.h"
#include "policy/state.h"

#define PATIENCE_MS 5000

bool
ledger_cli_open(struct ledger_cli *c)
{
	struct ledger_setup setup = { .loop = &c->house.loop,
		.dir = state_dir(), .patience = HOUSE_PATIENCE };
	struct fault f;

	c->ledger = NULL;
	if (house_open(&c->house, false)) {
		setup.store = c->house.policy->store;
		c->ledger = ledger_open(&setup, &f);
		if (c->ledger != NULL)
			return true;
		fprintf(stderr, "tollgate: %s: %s\n", f.param, f.text);
	}
	house_close(&c->house);
	return false;
}

void
ledger_cli_close(struct ledger_cli *c)
{
	ledger_close(c->ledger);
	house_close(&c->house);
}

/* What is under way; rows that come too late find nobody. */
struct reading {
	ledger_cli_row *add;
	void *arg;
	bool done, failed;
};

static void
on_row(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct reading *to = arg;

	if (row == NULL) {
		to->failed |= e != ERR_OK;
		to->done = true;
	} else if (to->add != NULL && !to->add(to->arg, row, held)) {
		to->failed = true;
	}
}

int
ledger_cli_usage(struct ledger_cli *c, const struct ledger_days *days,
    ledger_cli_row *add, void *arg)
{
	static struct reading reading;
	int32_t today = ledger_day(c->ledger), from, to = today;
	struct fault f;

	if (!usage_day_read("since", days->since, today, &from, &f) ||
	    (days->until != NULL &&
	    !usage_day_read("until", days->until, today, &to, &f)))
		return cli_misused(&f, "");
	reading = (struct reading){ .add = add, .arg = arg };
	ledger_usage(c->ledger, from, to, on_row, &reading);
	if (house_wait(&c->house, &reading.done, PATIENCE_MS) &&
	    !reading.failed)
		return 0;
	reading.add = NULL;
	fprintf(stderr, "tollgate: the store cannot be read\n");
	return CLI_FAILED;
}
