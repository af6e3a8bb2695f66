/*
 * Keys in the embedded store: two tables beside the ledger's, over a
 * connection of their own. The file is opened when the first question comes;
 * where there is none, there are no keys. A read waits for nobody (WAL); a
 * write takes the ledger's lock for a moment.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "app/base/clock.h"
#include "app/keystore_int.h"
#include "app/sqlite_file.h"
#include "policy/state.h"

#define FILE_NAME "ledger.db"
#define WAIT_MS 100	   /* for a lock, a worker's read */
#define WAIT_LONG_MS 5000 /* … a person's change */

#define STATEMENTS(S) \
	S(FIND, "SELECT row FROM vkey_secret WHERE hash = ?1 " \
	    "AND (until = 0 OR until > ?2)") \
	S(GET, "SELECT record FROM vkey WHERE name = ?1") \
	S(LIST, "SELECT record FROM vkey ORDER BY name") \
	S(PUT, "INSERT OR REPLACE INTO vkey (name, record) VALUES (?1, ?2)") \
	S(SET, "INSERT OR REPLACE INTO vkey_secret (hash, until, row) " \
	    "VALUES (?1, ?2, ?3)") \
	S(DROP, "DELETE FROM vkey_secret WHERE hash = ?1") \
	S(FORGET, "DELETE FROM vkey_secret WHERE until <> 0 AND until <= ?1")

enum statement {
#define S_ENUM(name, text) S_##name,
	STATEMENTS(S_ENUM)
#undef S_ENUM
	S_COUNT
};

static const char *const texts[S_COUNT] = {
#define S_TEXT(name, text) text,
	STATEMENTS(S_TEXT)
#undef S_TEXT
};

static const char tables[] =
    "PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS vkey (name TEXT PRIMARY KEY, "
    "record TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS vkey_secret (hash TEXT PRIMARY KEY, "
    "until INTEGER NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;";

struct file {
	char path[PATH_MAX];
	char dir[PATH_MAX];
	bool make;
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *stmt[S_COUNT];
};

static void
shut(struct file *b)
{
	sqlite_shut(&b->db, b->stmt, S_COUNT);
}

/* What root makes belongs to whom the directory belongs: the workers. */
static void
hand_over(const struct file *b)
{
	struct stat st;

	if (geteuid() == 0 && stat(b->dir, &st) == 0 && st.st_uid != 0 &&
	    chown(b->path, st.st_uid, st.st_gid) != 0)
		fprintf(stderr, "tollgate: %s stays root's\n", b->path);
}

static int
make_file(struct file *b)
{
	struct fault f;
	int rc;

	if (state_dir_make(b->dir, &f) != ERR_OK)
		return SQLITE_CANTOPEN;
	rc = sqlite_open(&b->db, b->path, true, WAIT_LONG_MS);
	if (rc != SQLITE_OK)
		return rc;
	hand_over(b); /* before its log is made, which then is theirs, too */
	return sqlite_set_up(b->db, tables);
}

/* SQLITE_EMPTY: there is no file yet, or it holds no keys. */
static int
open_file(struct file *b)
{
	struct stat st;
	int rc;

	if (b->db != NULL)
		return SQLITE_OK;
	if (b->make)
		rc = make_file(b);
	else if (*b->path == '\0' || stat(b->path, &st) != 0)
		return SQLITE_EMPTY;
	else
		rc = sqlite_open(&b->db, b->path, false, WAIT_MS);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->db, "PRAGMA trusted_schema = OFF;"
		    "PRAGMA cell_size_check = ON;"
		    "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite_prepare(b->db, texts, b->stmt, S_COUNT);
		if (rc == SQLITE_ERROR && !b->make)
			rc = SQLITE_EMPTY; /* no such table */
	}
	if (rc != SQLITE_OK)
		shut(b);
	return rc;
}

/* Bind: 't' text, 'i' int64_t. */
static sqlite3_stmt *
start(struct file *b, enum statement st, const char *types, ...)
{
	sqlite3_stmt *s = b->stmt[st];
	va_list ap;
	int i;

	va_start(ap, types);
	for (i = 1; *types != '\0'; types++, i++)
		if (*types == 't')
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
			    SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
	va_end(ap);
	return s;
}

static int
finish(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
failed(struct file *b, int rc, keystore_text_fn *fn, void *arg)
{
	shut(b); /* the next question opens it anew */
	fn(arg, ERR_KEYS, NULL, 0, sqlite3_errstr(rc));
}

/* Tell of the row that s finds; who hears it may ask again at once. */
static void
tell(struct file *b, sqlite3_stmt *s, keystore_text_fn *fn, void *arg)
{
	char *text = NULL;
	size_t len = 0;
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) {
		len = (size_t)sqlite3_column_bytes(s, 0);
		text = strndup((const char *)sqlite3_column_text(s, 0), len);
		if (text == NULL)
			rc = SQLITE_NOMEM;
	}
	sqlite3_reset(s);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		fn(arg, ERR_OK, text, len, "");
	else
		failed(b, rc, fn, arg);
	free(text);
}

/* Is there something to read? Else it has been told. */
static bool
readable(struct file *b, keystore_text_fn *fn, void *arg)
{
	int rc = open_file(b);

	if (rc == SQLITE_OK)
		return true;
	if (rc == SQLITE_EMPTY)
		fn(arg, ERR_OK, NULL, 0, "");
	else
		fn(arg, ERR_KEYS, NULL, 0, sqlite3_errstr(rc));
	return false;
}

static void
find(void *arg, const char *hash, keystore_text_fn *fn, void *fn_arg)
{
	struct file *b = arg;

	if (readable(b, fn, fn_arg))
		tell(b, start(b, S_FIND, "ti", hash,
		    clock_wall() / 1000000), fn, fn_arg);
}

static void
get(void *arg, const char *name, keystore_text_fn *fn, void *fn_arg)
{
	struct file *b = arg;

	if (readable(b, fn, fn_arg))
		tell(b, start(b, S_GET, "t", name), fn, fn_arg);
}

static void
list(void *arg, keystore_text_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	sqlite3_stmt *s;
	int rc;

	if (!readable(b, fn, fn_arg))
		return;
	s = start(b, S_LIST, "");
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		fn(fn_arg, ERR_OK, (const char *)sqlite3_column_text(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0), "");
	sqlite3_reset(s);
	if (rc == SQLITE_DONE)
		fn(fn_arg, ERR_OK, NULL, 0, "");
	else
		failed(b, rc, fn, fn_arg);
}

/* Is the record still the one that was read? */
static int
compare(struct file *b, const struct keystore_change *c, bool *same)
{
	sqlite3_stmt *s = start(b, S_GET, "t", c->name);
	int rc = sqlite3_step(s);

	*same = rc == SQLITE_ROW ? strcmp(c->was,
	    (const char *)sqlite3_column_text(s, 0)) == 0 : *c->was == '\0';
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_all(struct file *b, const struct keystore_change *c)
{
	int rc = finish(start(b, S_FORGET, "i", clock_wall() / 1000000));
	unsigned i;

	for (i = 0; i < c->drops && rc == SQLITE_OK; i++)
		rc = finish(start(b, S_DROP, "t", c->drop[i]));
	for (i = 0; i < c->sets && rc == SQLITE_OK; i++)
		rc = finish(start(b, S_SET, "tit", c->set[i].hash,
		    c->set[i].until, c->row));
	return rc != SQLITE_OK ? rc :
	    finish(start(b, S_PUT, "tt", c->name, c->record));
}

static void
change(void *arg, const struct keystore_change *c, keystore_done_fn *fn,
    void *fn_arg)
{
	struct file *b = arg;
	bool same = false;
	int rc = open_file(b);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(b->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK) {
		rc = compare(b, c, &same);
		if (rc == SQLITE_OK && same)
			rc = write_all(b, c);
		if (rc == SQLITE_OK)
			rc = sqlite3_exec(b->db, same ? "COMMIT" : "ROLLBACK",
			    NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK)
		shut(b); /* which rolls back */
	if (rc != SQLITE_OK)
		fn(fn_arg, ERR_KEYS, sqlite3_errstr(rc));
	else
		fn(fn_arg, same ? ERR_OK : ERR_CONFLICT, "");
}

static void
close_file(void *arg)
{
	shut(arg);
	free(arg);
}

static void *
open_sqlite(const struct keystore_setup *setup, struct fault *f)
{
	struct file *b = calloc(1, sizeof *b);
	const char *dir = setup->dir;
	int n = 0;

	if (strncmp(setup->store, "embedded:", 9) == 0)
		dir = setup->store + 9;
	if (b != NULL && dir != NULL) {
		snprintf(b->dir, sizeof b->dir, "%s", dir);
		n = snprintf(b->path, sizeof b->path, "%s/" FILE_NAME, dir);
	}
	if (b == NULL || n >= PATH_MAX || (setup->make && n == 0)) {
		fault_set(f, ERR_KEYS, "store", "%s", b == NULL ? "no memory" :
		    n >= PATH_MAX ? "the path is too long" :
		    "there is no state directory; set TOLLGATE_STATE");
		free(b);
		return NULL;
	}
	b->make = setup->make;
	return b;
}

const struct keystore_kind keystore_sqlite = { open_sqlite, close_file, find,
	get, list, change };
