/*
 * `tollgate reprice`: after a price of the policy was corrected, what the
 * usage of some days comes to; with --apply the usage is corrected too.
 */
#include "app/reprice_cli.h"

#include <getopt.h>
#include <stdio.h>

#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/ledger_cli.h"
#include "app/reprice.h"

#define PATIENCE_MS 5000

static const char usage[] =
    "usage: tollgate reprice --since 7d|2026-11-01 [--until 2026-11-30]\n"
    "                        [--dry-run | --apply]\n";

struct asked {
	struct ledger_days days;
	bool apply, dry;
};

static bool
read_options(int argc, char **argv, struct asked *a)
{
	static const struct option options[] = {
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "apply", no_argument, NULL, 'a' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	bool good = true;
	int c;

	optind = 0;
	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's':
			a->days.since = optarg;
			break;
		case 'u':
			a->days.until = optarg;
			break;
		case 'a':
			a->apply = true;
			break;
		case 'd':
			a->dry = true;
			break;
		default:
			good = false;
		}
	return good && optind == argc && a->days.since != NULL &&
	    !(a->apply && a->dry);
}

static bool
add(void *reprice, const struct usage_row *row, int64_t held)
{
	(void)held;
	return reprice_add(reprice, row);
}

static int
print(const struct reprice *r)
{
	struct buf out;

	buf_init(&out, MIB(64));
	reprice_write(r, &out);
	return cli_print(&out);
}

struct taken {
	bool done;
	enum err err;
};

static void
on_taken(void *arg, const struct ledger_answer *a)
{
	struct taken *t = arg;

	t->done = true;
	t->err = a->err;
}

/* One after another: what comes behind one that failed is not tried. */
static int
apply(struct ledger_cli *c, const struct reprice *r)
{
	struct usage_row row;
	static struct taken t; /* an answer may come after all */
	size_t i, n = 0;

	for (i = 0; reprice_change(r, &i, &row); n++) {
		t = (struct taken){ .err = ERR_LEDGER };
		ledger_correct(c->ledger, &row, on_taken, &t);
		if (!house_wait(&c->house, &t.done, PATIENCE_MS) ||
		    t.err != ERR_OK) {
			fprintf(stderr, "tollgate: the store took %zu "
			    "corrections and not the next: look again\n", n);
			return CLI_FAILED;
		}
	}
	fprintf(stderr, "%zu sums corrected\n", n);
	return 0;
}

static int
run(struct ledger_cli *c, const struct asked *asked)
{
	struct reprice *r = reprice_new(c->house.policy);
	int code = CLI_FAILED;

	if (r != NULL)
		code = ledger_cli_usage(c, &asked->days, add, r);
	if (code == 0) {
		reprice_run(r);
		code = print(r);
	}
	if (code == 0 && asked->apply)
		code = apply(c, r);
	reprice_free(r);
	return code;
}

int
reprice_command(int argc, char **argv)
{
	struct asked asked = { .days.since = NULL };
	struct ledger_cli c;
	int code;

	if (!read_options(argc, argv, &asked)) {
		fputs(usage, stderr);
		return CLI_MISUSED;
	}
	if (!ledger_cli_open(&c))
		return CLI_FAILED;
	code = run(&c, &asked);
	ledger_cli_close(&c);
	return code;
}
