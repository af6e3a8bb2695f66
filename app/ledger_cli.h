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

/* The days that the options --since and --until ask for. */
struct ledger_days {
	const char *since, *until; /* until NULL: today */
};

/* A row, and n$ that it holds at the moment. False: no memory. */
typedef bool ledger_cli_row(void *arg, const struct usage_row *row,
    int64_t held);

/*
 * Hand over all usage of these days. 0, or an exit code: stderr has heard why.
 */
int ledger_cli_usage(struct ledger_cli *c, const struct ledger_days *days,
    ledger_cli_row *add, void *arg);

#endif
