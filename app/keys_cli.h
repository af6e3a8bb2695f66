/* `tollgate keys`: keys that are made at run time. */
#ifndef TOLLGATE_APP_KEYS_CLI_H
#define TOLLGATE_APP_KEYS_CLI_H

int keys_command(int argc, char **argv);

#endif
