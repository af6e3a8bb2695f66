/* The ledger for a command of the command line. */
#ifndef TOLLGATE_APP_LEDGER_CLI_H
#define TOLLGATE_APP_LEDGER_CLI_H

#include <stdbool.h>

#include <uv.h>

#include "app/ledger.h"

struct policy;
struct catalog;

struct ledger_cli {
	uv_loop_t loop;
	struct catalog *catalog;
	struct policy *policy;
	struct ledger *ledger;
};

/*
 * Load the policy (its secrets need not be there) and open the ledger of its
 * store. False: said why on stderr.
 */
bool ledger_cli_open(struct ledger_cli *c);

/* Run until *done; false: ms have passed. */
bool ledger_cli_wait(struct ledger_cli *c, const bool *done, int ms);

void ledger_cli_close(struct ledger_cli *c);

#endif
