/*
 * The embedded store: one SQLite file in WAL, for any number of processes of
 * one host. A verb is one short transaction; the lock is waited for at most
 * SPIN_US at a time, so that the loop goes on, and asked for again soon.
 *
 * Its clock: a system clock that jumps would turn windows and end leases. So
 * the ledger's time is that of the boot plus an offset kept in the file; a
 * system clock that stays elsewhere for ADOPT is followed.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/base/clock.h"
#include "app/base/arena.h"
#include "app/base/boot.h"
#include "app/ledger_sql.h"
#include "policy/state.h"

#define FILE_NAME "ledger.db"
#define SPIN_US 2000
#define AGAIN_MS 1
#define PATIENCE INT64_C(150000)     /* µs for one who waits for an answer */
#define PATIENCE_LONG INT64_C(1000000) /* … for a settle before it is owed */
#define SECOND INT64_C(1000000)
#define ADOPT (600 * SECOND)
#define JUMP (2 * SECOND)
#define FORGET_TICKS 5
#define WAL_PAGES 16384 /* after which a checkpoint insists */

struct checkpoint {
	uv_work_t req;
	struct sqldb *owner;
	sqlite3 *db; /* its own connection; only its thread uses it */
	char path[PATH_MAX];
	bool busy, closing;
};

struct embedded {
	struct sqldb d;
	struct ledger_clock clock;
	int64_t offset;	     /* of the ledger's time to the boot's, last seen */
	int64_t spin_until;  /* the busy handler's */
	uv_timer_t again;
	struct op *waiting, **waiting_end;
	struct checkpoint *checkpoint;
	uv_loop_t *loop;
	unsigned ticks;
	char walked[NAME_SIZE]; /* the last counter that was looked at */
	bool closing;
};

/* ---- time ---- */

static int64_t
steady(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static const struct ledger_clock system_clock = { clock_wall, steady };

static int64_t
now_of(void *b)
{
	struct embedded *e = b;

	return e->clock.steady() + e->offset;
}

/* ---- transactions ---- */

static int
on_busy(void *arg, int n)
{
	struct embedded *e = arg;
	int64_t now = clock_mono();

	if (n == 0)
		e->spin_until = now + SPIN_US;
	if (now >= e->spin_until)
		return 0;
	usleep(n < 3 ? 20 : 100);
	return 1;
}

/* Begin, and see what time it is. */
static int
begin(struct embedded *e)
{
	sqlite3_stmt *s;
	int rc = sql_do(&e->d, SQL_BEGIN, "");

	if (rc != SQLITE_DONE)
		return rc;
	s = sql_start(&e->d, SQL_OFFSET, "");
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		e->offset = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ?
	    SQLITE_CORRUPT : rc;
}

static int
finish(struct embedded *e, int rc)
{
	if (rc == SQLITE_OK)
		rc = sql_do(&e->d, SQL_COMMIT, "");
	if (rc == SQLITE_DONE)
		return SQLITE_OK;
	if (!sqlite3_get_autocommit(e->d.db))
		sql_do(&e->d, SQL_ROLLBACK, "");
	return rc;
}

static void
fail(struct op *op, int rc)
{
	op->answer = (struct ledger_answer){ .err = ERR_LEDGER, .which = -1,
		.why = sqlite3_errstr(rc) };
	op_done(op);
}

/* False: it could not have the lock. */
static bool
attempt(struct embedded *e, struct op *op)
{
	int rc = begin(e);

	if (rc == SQLITE_OK)
		rc = finish(e, sql_verb(&e->d, op, now_of(e)));
	else
		finish(e, rc);
	if (rc == SQLITE_BUSY && !e->closing)
		return false;
	if (rc == SQL_CLOCK)
		op_clock(op);
	else if (rc == SQLITE_OK)
		op_done(op);
	else
		fail(op, rc);
	return true;
}

static void on_again(uv_timer_t *t);

static void
wait(struct embedded *e, struct op *op)
{
	op->next = NULL;
	*e->waiting_end = op;
	e->waiting_end = &op->next;
	if (!uv_is_active((uv_handle_t *)&e->again))
		uv_timer_start(&e->again, on_again, AGAIN_MS, 0);
}

static struct op *
next_waiting(struct embedded *e)
{
	struct op *op = e->waiting;

	if (op != NULL) {
		e->waiting = op->next;
		if (e->waiting == NULL)
			e->waiting_end = &e->waiting;
	}
	return op;
}

static void
run(void *b, struct op *op)
{
	struct embedded *e = b;

	op->since = clock_mono();
	/* Behind those that wait already. */
	if ((e->waiting != NULL && !e->closing) || !attempt(e, op))
		wait(e, op);
}

static bool
patient(const struct op *op)
{
	bool asks = op->verb == VERB_HOLD || op->verb == VERB_MORE;

	return clock_mono() - op->since < (asks ? PATIENCE : PATIENCE_LONG);
}

static void
on_again(uv_timer_t *t)
{
	struct embedded *e = t->data;
	struct op *op, *list = e->waiting;

	e->waiting = NULL;
	e->waiting_end = &e->waiting;
	while ((op = list) != NULL) {
		list = op->next;
		if (e->waiting == NULL && attempt(e, op))
			continue;
		if (patient(op))
			wait(e, op);
		else
			fail(op, SQLITE_BUSY);
	}
}

static void
renew(void *b, const char *const *ids, unsigned n, int64_t lease)
{
	struct embedded *e = b;
	int rc = begin(e);
	unsigned i;

	for (i = 0; rc == SQLITE_OK && i < n; i++) {
		rc = sql_do(&e->d, SQL_LEASE_DUE, "ti", ids[i],
		    now_of(e) + lease);
		if (rc == SQLITE_DONE)
			rc = SQLITE_OK;
	}
	finish(e, rc);
}

/* ---- what must be done now and then ---- */

static void
do_checkpoint(uv_work_t *w)
{
	struct checkpoint *c = w->data;
	int pages = 0, done = 0;

	if (c->db == NULL && sqlite3_open_v2(c->path, &c->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return;
	sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
	    &pages, &done);
	/* Writers wait for this one, but it is nearly done already. */
	if (pages > WAL_PAGES)
		sqlite3_wal_checkpoint_v2(c->db, NULL,
		    SQLITE_CHECKPOINT_RESTART, NULL, NULL);
}

static void
checkpoint_free(struct checkpoint *c)
{
	sqlite3_close(c->db);
	free(c);
}

static void
checkpoint_done(uv_work_t *w, int status)
{
	struct checkpoint *c = w->data;

	(void)status;
	c->busy = false;
	if (c->closing)
		checkpoint_free(c);
}

/* To the disk, on another thread: with it goes what a power cut may take. */
static void
checkpoint(struct embedded *e)
{
	struct checkpoint *c = e->checkpoint;

	if (c->busy)
		return;
	c->busy = uv_queue_work(e->loop, &c->req, do_checkpoint,
	    checkpoint_done) == 0;
}

/* Counters that nobody needs, and the slots of those that are rates. */
static int
drop_counters(struct embedded *e, int64_t now, const char *last)
{
	sqlite3_stmt *s = sql_start(&e->d, SQL_FORGET_COUNTERS, "itt", now,
	    e->walked, last);
	int rc, drop = SQLITE_DONE;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW && drop == SQLITE_DONE)
		drop = sql_do(&e->d, SQL_SLOTS_DROP, "ti",
		    sqlite3_column_text(s, 0), INT64_MAX);
	sqlite3_reset(s);
	return rc == SQLITE_DONE && drop == SQLITE_DONE ? SQLITE_OK : rc;
}

/*
 * A stretch of the counters at a time, however many there are: others wait
 * for the lock meanwhile.
 */
static int
forget_counters(struct embedded *e, int64_t now)
{
	sqlite3_stmt *s = sql_start(&e->d, SQL_WALK_COUNTERS, "t", e->walked);
	char last[NAME_SIZE] = "";
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW && sqlite3_column_text(s, 0) != NULL)
		snprintf(last, sizeof last, "%s",
		    (const char *)sqlite3_column_text(s, 0));
	sqlite3_reset(s);
	if (rc != SQLITE_ROW)
		return rc;
	rc = *last == '\0' ? SQLITE_OK : drop_counters(e, now, last);
	if (rc == SQLITE_OK)
		memcpy(e->walked, last, sizeof last);
	return rc;
}

static int
forget(struct embedded *e, int64_t now)
{
	int rc = sql_do(&e->d, SQL_FORGET_DONE, "i", now - DONE_KEEP);

	return rc == SQLITE_DONE ? forget_counters(e, now) : rc;
}

/* Not all at once; while there is more, in each tick. */
static void
forget_some(struct embedded *e)
{
	int rc;

	if (*e->walked == '\0' && e->ticks % FORGET_TICKS != 0)
		return;
	rc = begin(e);
	finish(e, rc == SQLITE_OK ? forget(e, now_of(e)) : rc);
}

/* All times of the file by so much: its clock is another one now. */
static int
shift(struct embedded *e, int64_t by, int64_t now)
{
	char text[512];

	/* Slots of a time to come count as of now; two become one. */
	sqlite3_snprintf(sizeof text, text,
	    "UPDATE lease SET due = due + %lld;"
	    "INSERT INTO slot SELECT name, %lld, sum(amount) FROM slot "
	    "WHERE slot > %lld GROUP BY name ON CONFLICT (name, slot) "
	    "DO UPDATE SET amount = amount + excluded.amount;"
	    "DELETE FROM slot WHERE slot > %lld", (long long)by,
	    (long long)(now / LEDGER_SLOT), (long long)(now / LEDGER_SLOT),
	    (long long)(now / LEDGER_SLOT));
	return sqlite3_exec(e->d.db, text, NULL, NULL, NULL);
}

struct clock_row {
	char boot[BOOT_ID];
	int64_t offset, seen, since;
	bool there;
};

static int
read_clock(struct embedded *e, struct clock_row *c)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(e->d.db,
	    "SELECT boot, offset, seen, since FROM clock", -1, &s, NULL);

	memset(c, 0, sizeof *c);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		c->there = true;
		snprintf(c->boot, sizeof c->boot, "%s",
		    (const char *)sqlite3_column_text(s, 0));
		c->offset = sqlite3_column_int64(s, 1);
		c->seen = sqlite3_column_int64(s, 2);
		c->since = sqlite3_column_int64(s, 3);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_clock(struct embedded *e, const struct clock_row *c)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(e->d.db, "INSERT OR REPLACE INTO clock "
	    "(one, boot, offset, seen, since) VALUES (1, ?, ?, ?, ?)", -1, &s,
	    NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(s, 1, c->boot, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, c->offset);
	sqlite3_bind_int64(s, 3, c->seen);
	sqlite3_bind_int64(s, 4, c->since);
	rc = sqlite3_step(s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static bool
near(int64_t a, int64_t b)
{
	return a - b < JUMP && b - a < JUMP;
}

/*
 * The system's clock against ours: is it elsewhere, and since when? With
 * another boot, or for the first time, ours is set by it.
 */
static int
set_clock(struct embedded *e)
{
	int64_t boot = e->clock.steady(), real = e->clock.wall() - boot, by = 0;
	struct clock_row c;
	char id[BOOT_ID];
	int rc = read_clock(e, &c);

	if (rc != SQLITE_OK)
		return rc;
	e->offset = c.offset;
	boot_id(id);
	if (!c.there || strcmp(c.boot, id) != 0) {
		/* Leases go on from where the ledger's time goes on. */
		snprintf(c.boot, sizeof c.boot, "%s", id);
		c.offset = c.seen = real;
		c.since = boot;
		by = 0;
	} else if (near(real, c.offset)) {
		if (near(c.seen, c.offset))
			return SQLITE_OK;
		c.seen = c.offset;
	} else if (!near(real, c.seen)) {
		c.seen = real;
		c.since = boot;
	} else if (boot - c.since >= ADOPT) {
		by = real - c.offset;
		c.offset = real;
	} else
		return SQLITE_OK;
	rc = write_clock(e, &c);
	if (rc == SQLITE_OK)
		rc = shift(e, by, boot + c.offset);
	if (rc == SQLITE_OK)
		e->offset = c.offset;
	return rc;
}

static int
check_clock(struct embedded *e)
{
	int rc = sql_do(&e->d, SQL_BEGIN, "");

	return finish(e, rc == SQLITE_DONE ? set_clock(e) : rc);
}

static void
tick(void *b)
{
	struct embedded *e = b;
	bool left = true;
	int rc, turns = 0;

	/* A few at a time: the loop has more to do. */
	while (left && turns++ < 8) {
		left = false;
		rc = begin(e);
		finish(e, rc == SQLITE_OK ? sql_reap(&e->d, now_of(e), REAP,
		    &left) : rc);
	}
	if (++e->ticks % 10 == 0)
		check_clock(e);
	forget_some(e);
	checkpoint(e);
}

/* ---- reading ---- */

static void
look(void *b, const char *name, enum counter_kind kind, counter_fn *fn,
    void *arg)
{
	struct embedded *e = b;
	struct counter_state st;
	int rc = sql_look(&e->d, name, kind, now_of(e), &st);

	if (rc == SQLITE_OK)
		fn(arg, ERR_OK, &st);
	else
		fn(arg, ERR_LEDGER, NULL);
}

/* What leases hold, as rows without use. */
static int
held_rows(struct embedded *e, int32_t from, int32_t to, usage_fn *fn,
    void *arg)
{
	sqlite3_stmt *s = sql_start(&e->d, SQL_LEASES, "");
	struct usage_row row;
	const char *who;
	char *text, *copy;
	int64_t cost;
	int rc;

	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		copy = text = strdup((const char *)sqlite3_column_text(s, 0));
		if (text != NULL && lease_read(&text, &who, &cost) &&
		    who_read(copy, &row) && row.day >= from && row.day <= to)
			fn(arg, ERR_OK, &row, cost);
		free(copy);
	}
	sqlite3_reset(s);
	return rc;
}

static void
usage(void *b, int32_t from, int32_t to, usage_fn *fn, void *arg)
{
	struct embedded *e = b;
	char first[16], last[16], *who;
	struct usage_row row;
	sqlite3_stmt *s;
	int rc;

	snprintf(first, sizeof first, "%08d", (int)from);
	snprintf(last, sizeof last, "%08d", (int)to + 1);
	s = sql_start(&e->d, SQL_USAGE, "tt", first, last);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		who = strdup((const char *)sqlite3_column_text(s, 0));
		if (who != NULL && who_read(who, &row)) {
			row.requests = sqlite3_column_int64(s, 1);
			row.input = sqlite3_column_int64(s, 2);
			row.output = sqlite3_column_int64(s, 3);
			row.cached = sqlite3_column_int64(s, 4);
			row.cost = sqlite3_column_int64(s, 5);
			fn(arg, ERR_OK, &row, 0);
		}
		free(who);
	}
	sqlite3_reset(s);
	if (rc == SQLITE_DONE)
		rc = held_rows(e, from, to, fn, arg);
	fn(arg, rc == SQLITE_DONE ? ERR_OK : ERR_LEDGER, NULL, 0);
}

/* ---- begin and end ---- */

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void
close_embedded(void *b)
{
	struct embedded *e = b;
	struct op *op;

	e->closing = true;
	while ((op = next_waiting(e)) != NULL)
		attempt(e, op);
	if (e->checkpoint->busy)
		e->checkpoint->closing = true;
	else
		checkpoint_free(e->checkpoint);
	sql_close(&e->d);
	uv_close((uv_handle_t *)&e->again, on_closed);
}

static enum err
open_file(struct embedded *e, const struct ledger_setup *setup,
    struct fault *f)
{
	const char *dir = setup->dir;
	char *path = e->checkpoint->path;
	int rc;

	if (strncmp(setup->store, "embedded:", 9) == 0)
		dir = setup->store + 9;
	if (dir == NULL)
		return fault_set(f, ERR_INTERNAL, "store",
		    "there is no state directory; set TOLLGATE_STATE");
	if (state_dir_make(dir, f) != ERR_OK)
		return ERR_INTERNAL;
	if (snprintf(path, PATH_MAX, "%s/" FILE_NAME, dir) >= PATH_MAX)
		return fault_set(f, ERR_INTERNAL, dir, "the path is too long");
	if (sql_open(&e->d, path, f) != ERR_OK)
		return ERR_INTERNAL;
	rc = check_clock(e);
	sqlite3_busy_handler(e->d.db, on_busy, e);
	if (rc == SQLITE_OK)
		return ERR_OK;
	sql_close(&e->d);
	return fault_set(f, ERR_INTERNAL, path, "%s", sqlite3_errstr(rc));
}

void *
ledger_sqlite_open(const struct ledger_setup *setup, struct fault *f)
{
	struct embedded *e = calloc(1, sizeof *e);
	struct checkpoint *c = calloc(1, sizeof *c);

	if (e == NULL || c == NULL ||
	    uv_timer_init(setup->loop, &e->again) != 0) {
		free(e);
		free(c);
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	e->again.data = e;
	e->loop = setup->loop;
	e->waiting_end = &e->waiting;
	e->checkpoint = c;
	c->req.data = c;
	e->clock = setup->clock != NULL ? *setup->clock : system_clock;
	if (open_file(e, setup, f) != ERR_OK) {
		free(c);
		uv_close((uv_handle_t *)&e->again, on_closed);
		return NULL;
	}
	return e;
}

const struct backend ledger_sqlite = { run, renew, tick, now_of, look, usage,
	close_embedded, NULL, NULL };
