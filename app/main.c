/*
 * The program. Started with a listening socket on fd 0 it is a FastCGI
 * worker, with GATEWAY_INTERFACE set a CGI of one request, by a person the
 * command line: one row a command.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/explain_cli.h"
#include "app/health_cli.h"
#include "app/keys_cli.h"
#include "app/models_cli.h"
#include "app/reprice_cli.h"
#include "app/serve.h"
#include "app/usage_cli.h"
#include "app/worker.h"

static int help_command(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] = name; exit code */
	const char *help;
} commands[] = {
	{ "check", check_command, "[FILE]  check a policy" },
	{ "explain", explain_command,
	    "--key NAME FILE  what would become of a request" },
	{ "health", health_command,
	    "[--json] [--pardon DEPLOYMENT | --pardon --all]  how deployments "
	    "stand" },
	{ "keys", keys_command,
	    "new | create | list | show | rotate | limits | revoke  keys of "
	    "clients" },
	{ "models", models_command,
	    "[--provider P | --providers] [--format table|json] | update FILE  "
	    "the catalog" },
	{ "policy-doc", policy_doc_command,
	    "[--schema]  print the reference of the policy" },
	{ "rank", rank_command, "MODEL [--format table|json]  its deployments "
	    "compared" },
	{ "reprice", reprice_command,
	    "--since DAY [--until DAY] [--dry-run | --apply]  costs at the "
	    "prices of today" },
	{ "serve", serve_command,
	    "[--socket PATH] [--mode 0660] [--workers N] [--listen-fd N] "
	    "[--admin]  keep a pool" },
	{ "usage", usage_command,
	    "[--by day,model,…] [--since 7d] [--until DAY] "
	    "[--format table|csv|json]  what was used" },
	{ "version", version_command, " print the version" },
	{ "help", help_command, " print this" },
};

static int
help_command(int argc, char **argv)
{
	size_t i;

	(void)argc;
	(void)argv;
	printf("tollgate: an AI API proxy for the web server that is already "
	       "there\n\nusage:\n");
	for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
		printf("  tollgate %s %s\n", commands[i].name,
		    commands[i].help);
	printf("\nA web server starts it without arguments, as FastCGI or "
	       "CGI.\n");
	return EXIT_SUCCESS;
}

static bool
listening(int fd)
{
	socklen_t len = sizeof(int);
	int on = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 &&
	    on != 0;
}

static int
run_command(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(argc, argv);
	fprintf(stderr, "tollgate: no command '%s'; see 'tollgate help'\n",
	    argv[0]);
	return 2;
}

/*
 * A server may start us with nothing but the listening socket open (FastCGI
 * 1.0, section 2.2). What is opened later must not take the places of the
 * standard streams: log lines would go to providers and clients.
 */
static bool
keep_standard_streams(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	if (!keep_standard_streams())
		return EXIT_FAILURE;
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 ||
	    strcmp(argv[1], "--help") == 0))
		argv[1] += 2;
	if (argc > 1 && getenv("GATEWAY_INTERFACE") == NULL)
		return run_command(argc - 1, argv + 1);
	if (listening(STDIN_FILENO))
		return worker_main(STDIN_FILENO);
	if (getenv("GATEWAY_INTERFACE") != NULL)
		return worker_main(-1);
	help_command(0, NULL);
	return 2;
}
