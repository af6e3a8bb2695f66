/*
 * What tests of the transport share: a world with a loop, a transport and a
 * server, and probes, which are calls that count their callbacks and check
 * that these come in order.
 */
#ifndef TOLLGATE_TESTS_UNIT_CALLS_H
#define TOLLGATE_TESTS_UNIT_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "app/transport.h"
#include "tests/unit/httpd.h"

#define SECOND INT64_C(1000000)
#define KEPT 256 /* body bytes that a probe remembers */

/* What a test's call does at a callback. */
enum act { ACT_NONE, ACT_CANCEL, ACT_RESUME, ACT_START, ACT_FREE };
enum phase { AT_SENT, AT_HEAD, AT_DATA, AT_DONE, PHASES };

/* A loop, a transport and a server. */
struct world {
	uv_loop_t loop;
	struct transport *t;
	struct httpd *h;
	uv_timer_t guard, timer;
	bool late;    /* the guard rang */
	bool elapsed; /* run_ms is over */
};

struct probe {
	struct world *w;
	struct call *c;
	int sent, heads, datas, dones;
	int status;
	enum call_end end;
	size_t bytes;
	char body[KEPT + 1];
	char type[64]; /* content-type of the answer */
	bool pause;    /* answer false to data */
	bool pause_once;
	bool wrong_byte;
	bool check_bytes; /* against the pattern of the pushing paths */
	enum act act[PHASES];
	struct call *victim; /* ACT_CANCEL cancels it, if set */
	struct probe *spawn; /* ACT_START starts /plain with it */
	int64_t connect_time, first_byte_time;
};

/* cmocka's; after a test nothing may be left on the loop. */
int setup(void **state);
int teardown(void **state);

/* Run until *flag is as large as want, or fail. */
void run_until(struct world *w, const int *flag, int want);
void run_ms(struct world *w, unsigned ms);

/* A GET to the world's server; url is where its URL is written. */
struct call_request request(struct world *w, char *url, size_t size,
    const char *path);

/* The probes' sink; its head, for tests that look closer. */
extern const struct call_sink sink;
void on_head(void *arg, struct call *c, int status);

/* Start a probe that was set up; start a new one and wait for its end. */
void start(struct probe *p, const char *path);
void get(struct probe *p, struct world *w, const char *path);

#endif
