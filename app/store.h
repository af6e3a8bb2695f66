/*
 * The store: one connection to a Redis on the worker's loop. Commands go out
 * as they come, many at a time; each gets exactly one reply, in time. Nothing
 * else in the program names hiredis (app/store_conn.c does).
 *
 * Time limits: STORE_CONNECT_MS for a connection with its greetings,
 * STORE_COMMAND_MS for a command. A connection on which one ran out is closed
 * and never used again, so that a late reply has nobody to be mistaken for.
 * After STORE_BREAK failures in a row commands are refused at once; once a
 * second one connection is tried, and the first that succeeds ends that.
 *
 * What a failed command did is not known: it may have been carried out.
 */
#ifndef TOLLGATE_APP_STORE_H
#define TOLLGATE_APP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/base/err.h"

#define STORE_CONNECT_MS 100
#define STORE_COMMAND_MS 100 /* with a connection: refused within 250 ms */
#define STORE_BREAK 5
#define STORE_PROBE_MS 1000
#define STORE_QUEUE 16384   /* commands under way */

struct store;

enum store_err {
	STORE_OK,
	STORE_DOWN,	/* refused at once: breaker open, or queue full */
	STORE_TIMEOUT,	/* no reply in time, or no connection */
	STORE_LOST,	/* the connection ended before the reply, or no memory */
	STORE_BAD,	/* an answer that makes no sense */
	STORE_SERVER,	/* an error without a row of its own */
#define STORE_ERR(name, word, then) STORE_##name,
#include "app/store_err.def"
#undef STORE_ERR
	STORE_ERR_COUNT
};

/* "READONLY", "TIMEOUT": for logs and metrics. */
const char *store_err_name(enum store_err e);

/* The row of an error's text as the server sent it. */
enum store_err store_err_of(const char *text);

struct store_item {
	const char *p; /* NULL: nil */
	size_t len;
};

struct store_reply {
	enum store_err err;
	const char *text; /* of an error, cleaned; "" otherwise */
	/* The parts of the reply from left to right, arrays without their
	 * brackets, numbers as decimal text. */
	const struct store_item *item;
	size_t count;
};

/* Called once a command; what it points at ends with the call. */
typedef void store_fn(void *arg, const struct store_reply *r);

/* A Lua script; sha is filled by store_script_init. */
struct store_script {
	const char *text;
	size_t len;
	char sha[41];
};

void store_script_init(struct store_script *sc, const char *text, size_t len);

/*
 * address: redis://, redis+unix:// or redis+sentinel:// as the policy writes
 * them, checked here again. Connects with the first command. NULL: the fault
 * tells why, never with the password.
 */
struct store *store_open(uv_loop_t *loop, const char *address,
    struct fault *f);

/*
 * End it: commands under way get STORE_LOST before this returns. Its memory
 * goes once the loop has run its handles' ends. NULL is fine.
 */
void store_close(struct store *s);

/*
 * Call fn on each new connection before any waiting command goes; commands
 * that fn gives go first.
 */
void store_greet(struct store *s, void (*fn)(void *arg), void *arg);

/*
 * Give a command. fn may be NULL. It may be called before this returns, but
 * only with STORE_DOWN.
 */
void store_command(struct store *s, const struct store_item *argv,
    size_t argc, store_fn *fn, void *arg);

/* The same for a script: argv are its keys, then its other arguments. */
void store_run(struct store *s, const struct store_script *sc, size_t keys,
    const struct store_item *argv, size_t argc, store_fn *fn, void *arg);

/* What was given goes to the kernel now, not with the loop's next turn. */
void store_push(struct store *s);

/* Other limits than the usual ones, for tests on a machine that is busy. */
void store_limits(struct store *s, int connect_ms, int command_ms);

/* Is the breaker closed? */
bool store_up(const struct store *s);

/* The next commands go to a fresh connection (what the master is may have
 * changed). Those under way get STORE_LOST. */
void store_leave(struct store *s);

/* Sums since the start. */
struct store_sums {
	uint64_t commands, failed, connections, opened; /* the breaker */
};
void store_count(const struct store *s, struct store_sums *out);

#endif
