/* One file, two connections: the loop's, and that of the writing thread. */
#include "app/ledger_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <sqlite3.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/base/siphash.h"
#include "app/ledger_int.h"
#include "app/sqlite_file.h"
#include "policy/state.h"

#define BATCH_MEMORY MIB(16) /* gathered and not yet written */
#define WAIT_MS 2000 /* for a lock */
#define CLAIM INT64_C(10000000)
#define USED_KEEP (INT64_C(70) * 86400 * 1000000) /* more than a month */

struct entry {
	struct entry *next;
	const char *name; /* of a counter, or who of a row */
	bool row;
	int64_t n[5];	  /* [0] of a counter */
	int64_t expire;
};

#define SEEN 256 /* entries of a batch that may be found again */

/* What is written in one go. */
struct batch {
	struct arena *arena; /* NULL: empty */
	struct entry *first, *last;
	struct entry *seen[SEEN]; /* by their names' hash, the last of each */
};

struct writer {
	uv_work_t req;
	struct journal *j; /* NULL: it has gone */
	char path[PATH_MAX];
	sqlite3 *db;
	struct batch batch;
	int rc;
	int lock; /* of a journal that has gone, -1 */
	bool busy;
};

struct journal {
	uv_loop_t *loop;
	uv_timer_t timer;
	sqlite3 *db;
	char path[PATH_MAX];
	char host[JOURNAL_ID];
	struct batch gathered;
	struct writer *writer;
	bool bad; /* the last batch could not be written */
	/* Locked (shared) while anything of this process is not written. */
	int lock;
	bool locked;
	size_t asked; /* settles without an answer */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, "
    "value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS used (name TEXT PRIMARY KEY, "
    "n INTEGER NOT NULL, expire INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS row (who TEXT PRIMARY KEY, "
    "r INTEGER NOT NULL, i INTEGER NOT NULL, o INTEGER NOT NULL, "
    "c INTEGER NOT NULL, m INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS owed (id TEXT PRIMARY KEY, "
    "text TEXT NOT NULL, claimed INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS host (name TEXT PRIMARY KEY, "
    "seen INTEGER NOT NULL) WITHOUT ROWID;";

/* ---- statements ---- */

/* Prepared and bound: 't' text, 'i' int64_t. NULL: it cannot be. */
static sqlite3_stmt *
start(sqlite3 *db, const char *sql, const char *types, va_list ap)
{
	sqlite3_stmt *s;
	int i;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return NULL;
	for (i = 1; *types != '\0'; types++, i++)
		if (*types == 't')
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
			    SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
	return s;
}

static sqlite3_stmt *
query(sqlite3 *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, types);
	s = start(db, sql, types, ap);
	va_end(ap);
	return s;
}

static int
run(sqlite3 *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int rc;

	va_start(ap, types);
	s = start(db, sql, types, ap);
	va_end(ap);
	if (s == NULL)
		return sqlite3_errcode(db);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		continue;
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static const char *
text_of(sqlite3_stmt *s, int column)
{
	const char *p = (const char *)sqlite3_column_text(s, column);

	return p == NULL ? "" : p;
}

/* ---- the lock ---- */

/* The kernel frees it when the process dies. */
static void
set_lock(struct journal *j)
{
	bool want = j->asked > 0 || j->gathered.first != NULL ||
	    j->writer->busy;

	if (want == j->locked)
		return;
	/* Whoever has it for himself has it for the time of reading. */
	while (flock(j->lock, want ? LOCK_SH : LOCK_UN) != 0 &&
	    errno == EINTR)
		continue;
	j->locked = want;
}

void
journal_asked(struct journal *j)
{
	j->asked++;
	set_lock(j);
}

void
journal_answered(struct journal *j)
{
	j->asked--;
	set_lock(j);
}

bool
journal_rest(struct journal *j)
{
	if (!journal_flush(j) || j->locked)
		return false;
	return flock(j->lock, LOCK_EX | LOCK_NB) == 0;
}

void
journal_go_on(struct journal *j)
{
	flock(j->lock, LOCK_UN);
}

/* ---- what is gathered ---- */

enum { ADD_USED, ADD_ROW, ADDS };

static const char *const adds[ADDS] = {
	[ADD_USED] = "INSERT INTO used (name, n, expire) VALUES (?1, ?2, ?3) "
	    "ON CONFLICT (name) DO UPDATE SET n = n + ?2, "
	    "expire = max(expire, ?3)",
	[ADD_ROW] = "INSERT INTO row (who, r, i, o, c, m) VALUES "
	    "(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (who) DO UPDATE "
	    "SET r = r + ?2, i = i + ?3, o = o + ?4, c = c + ?5, m = m + ?6",
};

static int
write_entry(sqlite3_stmt *const add[ADDS], const struct entry *e)
{
	sqlite3_stmt *s = add[e->row ? ADD_ROW : ADD_USED];
	int rc, k;

	sqlite3_bind_text(s, 1, e->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, e->n[0]);
	sqlite3_bind_int64(s, 3, e->row ? e->n[1] : e->expire);
	for (k = 2; k < 5 && e->row; k++)
		sqlite3_bind_int64(s, k + 2, e->n[k]);
	rc = sqlite3_step(s);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_entries(sqlite3 *db, const struct batch *b)
{
	sqlite3_stmt *add[ADDS] = { NULL, NULL };
	const struct entry *e;
	int rc = SQLITE_OK, i;

	for (i = 0; i < ADDS && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v2(db, adds[i], -1, &add[i], NULL);
	for (e = b->first; e != NULL && rc == SQLITE_OK; e = e->next)
		rc = write_entry(add, e);
	for (i = 0; i < ADDS; i++)
		sqlite3_finalize(add[i]);
	return rc;
}

/* All or nothing. */
static int
write_batch(sqlite3 *db, const struct batch *b)
{
	int rc = run(db, "BEGIN IMMEDIATE", "");

	if (rc == SQLITE_OK)
		rc = write_entries(db, b);
	if (rc == SQLITE_OK)
		rc = run(db, "COMMIT", "");
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(db))
		run(db, "ROLLBACK", "");
	return rc;
}

static void
free_batch(struct batch *b)
{
	arena_free(b->arena);
	memset(b, 0, sizeof *b);
}

/* Back in front of what was gathered meanwhile. */
static void
put_back(struct journal *j, struct batch *b)
{
	struct entry *e;

	if (j->gathered.arena == NULL) {
		j->gathered = *b;
		memset(b, 0, sizeof *b);
		return;
	}
	for (e = b->first; e != NULL; e = e->next)
		if (e->row)
			journal_row(j, e->name, e->n);
		else
			journal_used(j, e->name, e->n[0], e->expire);
	free_batch(b);
}

static int
connect_to(sqlite3 **db, const char *path, const char *sync)
{
	int rc = sqlite_open(db, path, true, WAIT_MS);

	if (rc == SQLITE_OK)
		rc = sqlite_set_up(*db, "PRAGMA trusted_schema = OFF");
	return rc != SQLITE_OK ? rc :
	    sqlite3_exec(*db, sync, NULL, NULL, NULL);
}

static void
do_write(uv_work_t *req)
{
	struct writer *w = req->data;

	w->rc = SQLITE_OK;
	if (w->db == NULL)
		w->rc = connect_to(&w->db, w->path,
		    "PRAGMA synchronous = FULL");
	if (w->rc == SQLITE_OK) {
		w->rc = write_batch(w->db, &w->batch);
		return;
	}
	/* Never by one that is not set up: a write might not be on the disk. */
	sqlite3_close(w->db);
	w->db = NULL;
}

static void
free_writer(struct writer *w)
{
	free_batch(&w->batch);
	sqlite3_close(w->db);
	if (w->lock >= 0)
		close(w->lock);
	free(w);
}

static void on_timer(uv_timer_t *t);

static void
set_timer(struct journal *j)
{
	if (!uv_is_active((uv_handle_t *)&j->timer))
		uv_timer_start(&j->timer, on_timer, JOURNAL_MS, 0);
}

static void
written(uv_work_t *req, int status)
{
	struct writer *w = req->data;
	struct journal *j = w->j;

	(void)status;
	w->busy = false;
	if (j == NULL) {
		free_writer(w);
		return;
	}
	j->bad = w->rc != SQLITE_OK;
	if (j->bad) {
		put_back(j, &w->batch);
		set_timer(j);
	}
	free_batch(&w->batch);
	set_lock(j);
}

static void
on_timer(uv_timer_t *t)
{
	struct journal *j = t->data;
	struct writer *w = j->writer;

	if (j->gathered.first == NULL)
		return;
	if (w->busy) {
		set_timer(j);
		return;
	}
	w->batch = j->gathered;
	memset(&j->gathered, 0, sizeof j->gathered);
	w->busy = uv_queue_work(j->loop, &w->req, do_write, written) == 0;
	if (!w->busy)
		put_back(j, &w->batch);
}

static struct entry **
seen_at(struct batch *b, const char *name)
{
	static const uint64_t key[2] = { 0x6a6f75726e616c, 0 };

	return &b->seen[siphash(key, name, strlen(name)) % SEEN];
}

/*
 * Most requests of a tenth of a second are about the same few names: to add up
 * here is cheaper than in the file. False: there is none, or too much.
 */
static bool
add_to(struct batch *b, const char *name, bool row, const int64_t n[5],
    int64_t expire)
{
	struct entry *e = *seen_at(b, name);
	int64_t sum[5];
	int k;

	if (e == NULL || e->row != row || strcmp(e->name, name) != 0)
		return false;
	for (k = 0; k < 5; k++)
		if (__builtin_add_overflow(e->n[k], n[k], &sum[k]))
			return false;
	memcpy(e->n, sum, sizeof sum);
	if (expire > e->expire)
		e->expire = expire;
	return true;
}

/* A new entry at the end; NULL: no memory, then the journal is bad. */
static struct entry *
gather(struct journal *j, const char *name)
{
	struct batch *b = &j->gathered;
	struct entry *e = NULL;

	if (b->arena == NULL)
		b->arena = arena_new(BATCH_MEMORY);
	if (b->arena != NULL)
		e = arena_zalloc(b->arena, sizeof *e);
	if (e != NULL)
		e->name = arena_str(b->arena, name);
	if (e == NULL || e->name == NULL) {
		j->bad = true;
		return NULL;
	}
	if (b->first == NULL)
		b->first = e;
	else
		b->last->next = e;
	b->last = *seen_at(b, name) = e;
	set_timer(j);
	set_lock(j);
	return e;
}

void
journal_used(struct journal *j, const char *name, int64_t n, int64_t expire)
{
	const int64_t numbers[5] = { n, 0, 0, 0, 0 };
	struct entry *e;

	if (expire <= 0)
		expire = clock_wall() + USED_KEEP;
	if (n == 0 || add_to(&j->gathered, name, false, numbers, expire))
		return;
	e = gather(j, name);
	if (e == NULL)
		return;
	e->n[0] = n;
	e->expire = expire;
}

void
journal_row(struct journal *j, const char *who, const int64_t n[5])
{
	struct entry *e;

	if (add_to(&j->gathered, who, true, n, 0))
		return;
	e = gather(j, who);
	if (e == NULL)
		return;
	e->row = true;
	memcpy(e->n, n, sizeof e->n);
}

bool
journal_flush(struct journal *j)
{
	int rc;

	if (j->gathered.first == NULL)
		return true;
	rc = write_batch(j->db, &j->gathered);
	j->bad = rc != SQLITE_OK;
	if (!j->bad)
		free_batch(&j->gathered);
	set_lock(j);
	return !j->bad;
}

bool
journal_good(const struct journal *j)
{
	return !j->bad;
}

/* ---- what it remembers ---- */

const char *
journal_host(const struct journal *j)
{
	return j->host;
}

static void
meta(struct journal *j, const char *name, char out[JOURNAL_ID])
{
	sqlite3_stmt *s = query(j->db, "SELECT value FROM meta "
	    "WHERE name = ?", "t", name);

	out[0] = '\0';
	if (s != NULL && sqlite3_step(s) == SQLITE_ROW)
		snprintf(out, JOURNAL_ID, "%s", text_of(s, 0));
	sqlite3_finalize(s);
}

void
journal_epoch(struct journal *j, char out[JOURNAL_ID])
{
	meta(j, "epoch", out);
}

bool
journal_set_epoch(struct journal *j, const char *epoch)
{
	return run(j->db, "INSERT OR REPLACE INTO meta (name, value) VALUES "
	    "('epoch', ?)", "t", epoch) == SQLITE_OK;
}

static bool
each_used(struct journal *j, journal_fn *fn, void *arg)
{
	char key[NAME_SIZE + 4];
	sqlite3_stmt *s = query(j->db, "SELECT name, n, expire FROM used "
	    "WHERE n <> 0 AND expire > ?", "i", clock_wall());
	int rc = SQLITE_ERROR;

	while (s != NULL && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		snprintf(key, sizeof key, "c:%s", text_of(s, 0));
		fn(arg, key, "u", sqlite3_column_int64(s, 1),
		    sqlite3_column_int64(s, 2));
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE;
}

static bool
each_row(struct journal *j, journal_fn *fn, void *arg)
{
	static const char letters[] = "rioc$"; /* as in lease.lua */
	char key[16], field[WHO_SIZE + 2];
	sqlite3_stmt *s = query(j->db, "SELECT who, r, i, o, c, m FROM row",
	    "");
	int rc = SQLITE_ERROR, k;

	while (s != NULL && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (strlen(text_of(s, 0)) < 8)
			continue;
		snprintf(key, sizeof key, "u:%.8s", text_of(s, 0));
		for (k = 0; k < 5; k++) {
			snprintf(field, sizeof field, "%c%s", letters[k],
			    text_of(s, 0) + 8);
			if (sqlite3_column_int64(s, k + 1) != 0)
				fn(arg, key, field,
				    sqlite3_column_int64(s, k + 1), 0);
		}
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE;
}

bool
journal_each(struct journal *j, journal_fn *fn, void *arg)
{
	return each_used(j, fn, arg) && each_row(j, fn, arg);
}

/* ---- what is owed ---- */

size_t
journal_owes(struct journal *j)
{
	sqlite3_stmt *s = query(j->db, "SELECT count(*) FROM owed", "");
	size_t n = 0;

	if (s != NULL && sqlite3_step(s) == SQLITE_ROW)
		n = (size_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

bool
journal_owe(struct journal *j, const char *id, const char *text)
{
	return run(j->db, "INSERT INTO owed (id, text, claimed) "
	    "VALUES (?, ?, 0) ON CONFLICT (id) DO UPDATE SET claimed = 0",
	    "tt", id, text) == SQLITE_OK;
}

bool
journal_paid(struct journal *j, const char *id)
{
	return run(j->db, "DELETE FROM owed WHERE id = ?", "t", id) ==
	    SQLITE_OK && sqlite3_changes(j->db) > 0;
}

void
journal_owed(struct journal *j, int n, owed_fn *fn, void *arg)
{
	int64_t now = clock_wall();
	sqlite3_stmt *s = query(j->db, "UPDATE owed SET claimed = ?1 "
	    "WHERE id IN (SELECT id FROM owed WHERE claimed < ?2 OR "
	    "claimed > ?1 LIMIT ?3) RETURNING text", "iii", now, now - CLAIM,
	    (int64_t)n);

	while (s != NULL && sqlite3_step(s) == SQLITE_ROW)
		fn(arg, text_of(s, 0));
	sqlite3_finalize(s);
}

/* ---- hosts ---- */

void
journal_saw(struct journal *j, const char *host, int64_t at)
{
	run(j->db, "INSERT OR REPLACE INTO host (name, seen) VALUES (?, ?)",
	    "ti", host, at);
}

size_t
journal_hosts(struct journal *j, int64_t since,
    char out[JOURNAL_HOSTS][JOURNAL_ID])
{
	sqlite3_stmt *s = query(j->db, "SELECT name FROM host WHERE seen > ? "
	    "ORDER BY seen DESC LIMIT ?", "ii", since,
	    (int64_t)JOURNAL_HOSTS);
	size_t n = 0;

	while (s != NULL && n < JOURNAL_HOSTS &&
	    sqlite3_step(s) == SQLITE_ROW)
		snprintf(out[n++], JOURNAL_ID, "%s", text_of(s, 0));
	sqlite3_finalize(s);
	return n;
}

/* ---- begin and end ---- */

static bool
find_host(struct journal *j)
{
	unsigned char bytes[(JOURNAL_ID - 1) / 2];
	char name[JOURNAL_ID];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	hash_hex(name, bytes, sizeof bytes);
	run(j->db, "INSERT OR IGNORE INTO meta (name, value) VALUES "
	    "('host', ?)", "t", name);
	meta(j, "host", j->host);
	return j->host[0] != '\0';
}

static bool
open_lock(struct journal *j)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.lock", j->path);
	j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return j->lock >= 0;
}

static enum err
open_file(struct journal *j, const char *dir, const char *store,
    struct fault *f)
{
	char digest[HASH_HEX_SIZE];
	int rc;

	if (dir == NULL)
		return fault_set(f, ERR_INTERNAL, "store",
		    "there is no state directory; set TOLLGATE_STATE");
	if (state_dir_make(dir, f) != ERR_OK)
		return ERR_INTERNAL;
	if (hash_sha256_hex(digest, store, strlen(store)) != ERR_OK ||
	    snprintf(j->path, sizeof j->path, "%s/journal-%.8s.db", dir,
	    digest) >= (int)sizeof j->path)
		return fault_set(f, ERR_INTERNAL, dir, "the path is too long");
	if (!open_lock(j))
		return fault_set(f, ERR_INTERNAL, j->path,
		    "its lock cannot be opened");
	rc = connect_to(&j->db, j->path, "PRAGMA synchronous = NORMAL");
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(j->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK && !find_host(j))
		rc = SQLITE_ERROR;
	return rc == SQLITE_OK ? ERR_OK : fault_set(f, ERR_INTERNAL, j->path,
	    "%s", sqlite3_errstr(rc));
}

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

struct journal *
journal_open(uv_loop_t *loop, const char *dir, const char *store,
    struct fault *f)
{
	struct journal *j = calloc(1, sizeof *j);
	struct writer *w = calloc(1, sizeof *w);

	if (j == NULL || w == NULL || uv_timer_init(loop, &j->timer) != 0) {
		free(j);
		free(w);
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	j->loop = loop;
	j->lock = -1;
	j->timer.data = j;
	j->writer = w;
	w->req.data = w;
	w->lock = -1;
	w->j = j;
	uv_unref((uv_handle_t *)&j->timer);
	if (open_file(j, dir, store, f) == ERR_OK) {
		memcpy(w->path, j->path, sizeof w->path);
		return j;
	}
	sqlite3_close(j->db);
	if (j->lock >= 0)
		close(j->lock);
	free(w);
	uv_close((uv_handle_t *)&j->timer, on_closed);
	return NULL;
}

void
journal_close(struct journal *j)
{
	struct writer *w = j->writer;

	journal_flush(j);
	free_batch(&j->gathered);
	w->lock = j->lock;
	w->j = NULL;
	if (!w->busy)
		free_writer(w);
	run(j->db, "DELETE FROM used WHERE expire < ?", "i", clock_wall());
	sqlite3_close(j->db);
	uv_close((uv_handle_t *)&j->timer, on_closed);
}
