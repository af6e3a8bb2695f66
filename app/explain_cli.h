/* `tollgate explain` and `tollgate rank`: plans without a request sent. */
#ifndef TOLLGATE_APP_EXPLAIN_CLI_H
#define TOLLGATE_APP_EXPLAIN_CLI_H

/* argv[0] is the command's name; exit codes as in commands.h. */
int explain_command(int argc, char **argv);
int rank_command(int argc, char **argv);

#endif
