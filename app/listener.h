/* The listening socket that a pool of workers shares. */
#ifndef TOLLGATE_APP_LISTENER_H
#define TOLLGATE_APP_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct listener {
	int fd; /* not 0, closed on exec */
	char bound[sizeof((struct sockaddr_un *)0)->sun_path]; /* ours, or "" */
};

/*
 * From descriptor given, if it is not negative; else bound to path, if it is
 * not NULL; else as systemd passes it; else descriptor 0, if that listens;
 * else bound to tollgate.sock in the state directory. A socket file that
 * nobody listens on is replaced; the new one has that mode from the start.
 * False with a message on standard error.
 */
bool listener_take(struct listener *l, const char *path, mode_t mode,
    int given);

/* Close it; remove the file that we made. */
void listener_close(struct listener *l);

#endif
