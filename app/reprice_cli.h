/* `tollgate reprice`: what was used, at the prices of today. */
#ifndef TOLLGATE_APP_REPRICE_CLI_H
#define TOLLGATE_APP_REPRICE_CLI_H

int reprice_command(int argc, char **argv);

#endif
