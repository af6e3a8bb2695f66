/*
 * The commands of the command line. Each takes its own name as argv[0] and
 * returns the exit code: 0 well, 1 it failed, 2 wrong use.
 */
#ifndef TOLLGATE_APP_COMMANDS_H
#define TOLLGATE_APP_COMMANDS_H

int check_command(int argc, char **argv);
int policy_doc_command(int argc, char **argv);
int version_command(int argc, char **argv);

#endif
