/* The command `tollgate usage`. */
#ifndef TOLLGATE_APP_USAGE_CLI_H
#define TOLLGATE_APP_USAGE_CLI_H

/* argv[0] is "usage"; exit code: 0 well, 1 it failed, 2 wrong use. */
int usage_command(int argc, char **argv);

#endif
