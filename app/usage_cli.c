/* `tollgate usage`: what was used, from the ledger of the policy's store. */
#include "app/usage_cli.h"

#include <getopt.h>
#include <stdio.h>

#include "app/base/buf.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/ledger_cli.h"
#include "app/usage.h"

static const char usage[] =
    "usage: tollgate usage [--by day,key,team,user,tag,model,provider]\n"
    "                      [--since 7d|2026-11-01] [--until 2026-11-30]\n"
    "                      [--format table|csv|json]\n";

struct asked {
	unsigned by;
	struct ledger_days days;
	enum usage_format format;
};

static bool
read_options(int argc, char **argv, struct asked *a, struct fault *f)
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
			good = usage_by_read(optarg, &a->by, f);
			break;
		case 's':
			a->days.since = optarg;
			break;
		case 'u':
			a->days.until = optarg;
			break;
		case 'f':
			good = usage_format_read(optarg, &a->format, f);
			break;
		default:
			good = false;
		}
	return good && optind == argc;
}

static bool
add(void *table, const struct usage_row *row, int64_t held)
{
	return usage_add(table, row, held);
}

static int
ask(struct ledger_cli *c, const struct asked *asked)
{
	struct usage_table *table = usage_new(asked->by);
	int code = CLI_FAILED;
	struct buf out;

	if (table != NULL)
		code = ledger_cli_usage(c, &asked->days, add, table);
	if (code == 0) {
		buf_init(&out, MIB(512));
		usage_write(table, asked->format, &out);
		code = cli_print(&out);
	}
	usage_free(table);
	return code;
}

int
usage_command(int argc, char **argv)
{
	struct asked asked = { .by = 1U << USAGE_DAY, .days.since = "7d" };
	struct fault f = { .code = ERR_OK };
	struct ledger_cli c;
	int code;

	if (!read_options(argc, argv, &asked, &f))
		return cli_misused(&f, usage);
	if (!ledger_cli_open(&c))
		return CLI_FAILED;
	code = ask(&c, &asked);
	ledger_cli_close(&c);
	return code;
}
