/* Policy, loop and ledger of a command. */
#include "app/ledger_cli.h"

#include <stdio.h>

#include "policy/policy.h"
#include "policy/state.h"

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
