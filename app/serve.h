/* `tollgate serve`: the master of a pool of workers on one socket. */
#ifndef TOLLGATE_APP_SERVE_H
#define TOLLGATE_APP_SERVE_H

/*
 * tollgate serve [--socket PATH] [--mode 0660] [--workers N] [--listen-fd N]
 *
 * Takes the listening socket from --listen-fd, from systemd, from descriptor
 * 0, or binds PATH; keeps N workers running on it, each this very program
 * with the socket as descriptor 0 and no arguments. SIGHUP goes to the
 * workers, SIGUSR1 replaces them without a gap, SIGTERM and SIGINT end them
 * (a second one at once). argv[0] is "serve". Returns the exit status.
 */
int serve_command(int argc, char **argv);

#endif
