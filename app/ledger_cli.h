/* The ledger for a command of the command line. */
#ifndef TOLLGATE_APP_LEDGER_CLI_H
#define TOLLGATE_APP_LEDGER_CLI_H

#include <stdbool.h>

#include "app/house.h"
#include "app/ledger.h"

struct ledger_cli {
	struct house house;
	struct ledger *ledger;
};

/* Open the ledger of the policy's store. False: said why on stderr. */
bool ledger_cli_open(struct ledger_cli *c);

void ledger_cli_close(struct ledger_cli *c);

#endif
