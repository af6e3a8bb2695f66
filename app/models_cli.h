/* The commands `tollgate models` and `tollgate models update FILE`. */
#ifndef TOLLGATE_APP_MODELS_CLI_H
#define TOLLGATE_APP_MODELS_CLI_H

/*
 * argv[0] is "models". The exit status: 0 done, 1 it failed (said on
 * stderr), 2 it was asked wrongly.
 */
int models_command(int argc, char **argv);

#endif
