/* The command `tollgate health`. */
#ifndef TOLLGATE_APP_HEALTH_CLI_H
#define TOLLGATE_APP_HEALTH_CLI_H

/*
 * argv[0] is "health". The exit status: 0 done, 1 it failed (said on
 * stderr), 2 it was asked wrongly.
 */
int health_command(int argc, char **argv);

#endif
