/* `tollgate usage`: what was used, from the ledger of the policy's store. */
#include "app/usage_cli.h"

#include <getopt.h>
#include <stdio.h>

#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/ledger_cli.h"
#include "app/usage.h"

#define PATIENCE_MS 5000

static const char usage[] =
    "usage: tollgate usage [--by day,key,team,user,tag,model,provider]\n"
    "                      [--since 7d|2026-11-01] [--until 2026-11-30]\n"
    "                      [--format table|csv|json]\n";

struct asked {
	unsigned by;
	const char *since, *until;
	enum usage_format format;
};

struct answer {
	struct usage_table *table;
	bool done, failed;
};

static bool
read_options(int argc, char **argv, struct asked *a)
{
	static const struct option options[] = {
		{ "by", required_argument, NULL, 'b' },
		{ "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' },
		{ "format", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	bool good = true;
	int c;

	optind = 0;
	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'b':
			good = usage_by_read(optarg, &a->by);
			break;
		case 's':
			a->since = optarg;
			break;
		case 'u':
			a->until = optarg;
			break;
		case 'f':
			good = usage_format_read(optarg, &a->format);
			break;
		default:
			good = false;
		}
	return good && optind == argc;
}

static void
on_row(void *arg, enum err e, const struct usage_row *row, int64_t held)
{
	struct answer *a = arg;

	if (row == NULL) {
		a->failed |= e != ERR_OK;
		a->done = true;
	} else if (!usage_add(a->table, row, held))
		a->failed = true;
}

static int
print(struct answer *a, enum usage_format format)
{
	struct buf out;

	buf_init(&out, MIB(512));
	usage_write(a->table, format, &out);
	return cli_print(&out);
}

static int
ask(struct ledger_cli *c, const struct asked *asked)
{
	struct answer a = { .table = usage_new(asked->by) };
	int32_t today = ledger_day(c->ledger), from, to = today;
	int code = CLI_FAILED;

	if (a.table == NULL)
		return CLI_FAILED;
	if (!usage_day_read(asked->since, today, &from) ||
	    (asked->until != NULL &&
	    !usage_day_read(asked->until, today, &to))) {
		fputs(usage, stderr);
		usage_free(a.table);
		return CLI_MISUSED;
	}
	ledger_usage(c->ledger, from, to, on_row, &a);
	if (!house_wait(&c->house, &a.done, PATIENCE_MS) || a.failed)
		fprintf(stderr, "tollgate: the store cannot be read\n");
	else
		code = print(&a, asked->format);
	usage_free(a.table);
	return code;
}

int
usage_command(int argc, char **argv)
{
	struct asked asked = { .by = 1U << USAGE_DAY, .since = "7d" };
	struct ledger_cli c;
	int code;

	if (!read_options(argc, argv, &asked)) {
		fputs(usage, stderr);
		return CLI_MISUSED;
	}
	if (!ledger_cli_open(&c))
		return CLI_FAILED;
	code = ask(&c, &asked);
	ledger_cli_close(&c);
	return code;
}
