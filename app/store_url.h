/* Where a store is, from `store:` of the policy. Pure. */
#ifndef TOLLGATE_APP_STORE_URL_H
#define TOLLGATE_APP_STORE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/err.h"

#define STORE_NAME 256	   /* a host or a path, with its NUL */
#define STORE_SENTINELS 16

struct store_place {
	char host[STORE_NAME]; /* without brackets; of a Unix socket its path */
	int port;	       /* 0: a Unix socket */
};

struct store_url {
	struct store_place place[STORE_SENTINELS]; /* the store, or sentinels */
	size_t places;
	bool sentinel;
	char master[STORE_NAME];   /* the name that sentinels know it by */
	char user[STORE_NAME];	   /* "" = none */
	char password[STORE_NAME]; /* "" = none */
	int db;
};

/* Words of the fault never hold the password. */
enum err store_url_read(struct store_url *out, const char *text,
    struct fault *f);

/* "host:port" or "[v6]:port" or "host" (then port is def). False: neither. */
bool store_place_read(struct store_place *out, const char *s, size_t len,
    int def);

#endif
