/* A Redis of the test's own, on a Unix socket below /tmp. */
#ifndef TOLLGATE_TESTS_REDIS_H
#define TOLLGATE_TESTS_REDIS_H

#include <stdbool.h>
#include <sys/types.h>

struct redis {
	char dir[64];	    /* holds redis.sock; removed at the end */
	char address[128];  /* redis+unix://… */
	pid_t pid;	    /* 0: not running */
};

/*
 * Start one with more words of its command line, NULL at the end; all of it
 * in words[0..30). It answers when this returns, else the test fails.
 */
void redis_start(struct redis *r, const char *const *words);

/* The same in r->dir as it is, after redis_stop or redis_kill. */
void redis_again(struct redis *r, const char *const *words);

void redis_kill(struct redis *r);
void redis_end(struct redis *r);

/* redis-cli with words, its output's first line in out (may be NULL). */
void redis_cli(struct redis *r, char *out, size_t size,
    const char *const *words);

/*
 * A process between us and r, at this address: each piece of an answer comes
 * `ms` and at random up to `more` ms later, and then byte by byte.
 */
pid_t redis_slow(const struct redis *r, int ms, int more, char *address,
    size_t size);

/* A free TCP port of the loopback. */
int free_port(void);

/* Remove a directory and what is in it. */
void remove_tree(const char *dir);

#endif
