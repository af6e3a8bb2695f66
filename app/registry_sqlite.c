/*
 * The registry of one host: a file of its own beside the ledger, so that
 * bodies do not stand in its way. It is made with the first record; until
 * then there is nothing to find.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "app/base/clock.h"
#include "app/registry_int.h"
#include "app/sqlite_file.h"
#include "policy/state.h"

#define FILE_NAME "kept.db"
#define WAIT_MS 250 /* for a lock */

#define STATEMENTS(S) \
	S(BEGIN, "BEGIN IMMEDIATE") \
	S(COMMIT, "COMMIT") \
	S(ROLLBACK, "ROLLBACK") \
	S(GET, "SELECT text FROM record WHERE id = ?1 AND forget > ?2") \
	S(PUT, "INSERT OR REPLACE INTO record " \
	    "(id, owner, made, due, forget, text) " \
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
	S(DROP, "DELETE FROM record WHERE id = ?1") \
	S(MADE, "SELECT made FROM record WHERE id = ?1 AND owner = ?2") \
	S(LIST, "SELECT text FROM record WHERE owner = ?1 AND " \
	    "forget > ?2 AND (made < ?3 OR (made = ?3 AND id < ?4)) " \
	    "ORDER BY made DESC, id DESC LIMIT ?5") \
	S(DUE, "SELECT id, text FROM record WHERE due > 0 AND due <= ?1 " \
	    "ORDER BY due LIMIT 1") \
	S(DUE_SET, "UPDATE record SET due = ?2 WHERE id = ?1") \
	S(SUM, "SELECT coalesce(sum(size), 0) FROM piece") \
	S(KEEP, "INSERT OR REPLACE INTO piece " \
	    "(id, n, forget, size, data) VALUES (?1, ?2, ?3, ?4, ?5)") \
	S(PIECE, "SELECT data FROM piece WHERE id = ?1 AND n = ?2 " \
	    "AND forget > ?3") \
	S(LOSE, "DELETE FROM piece WHERE id = ?1") \
	S(FORGET, "DELETE FROM record WHERE forget <= ?1") \
	S(FORGET_PIECES, "DELETE FROM piece WHERE forget <= ?1")

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
    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    "PRAGMA secure_delete = ON; PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, "
    "owner TEXT NOT NULL, made INTEGER NOT NULL, due INTEGER NOT NULL, "
    "forget INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS record_owner ON record (owner, made, id);"
    "CREATE INDEX IF NOT EXISTS record_due ON record (due) WHERE due > 0;"
    "CREATE INDEX IF NOT EXISTS record_forget ON record (forget);"
    "CREATE TABLE IF NOT EXISTS piece (id TEXT NOT NULL, "
    "n INTEGER NOT NULL, forget INTEGER NOT NULL, size INTEGER NOT NULL, "
    "data BLOB NOT NULL, PRIMARY KEY (id, n));";

struct file {
	char dir[PATH_MAX], path[PATH_MAX];
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *stmt[S_COUNT];
};

static void
shut(struct file *b)
{
	sqlite_shut(&b->db, b->stmt, S_COUNT);
}

/* SQLITE_EMPTY: there is no file, and none is to be made. */
static int
open_file(struct file *b, bool make)
{
	struct stat st;
	struct fault f;
	int rc;

	if (b->db != NULL)
		return SQLITE_OK;
	if (*b->path == '\0')
		return make ? SQLITE_CANTOPEN : SQLITE_EMPTY;
	if (!make && stat(b->path, &st) != 0)
		return SQLITE_EMPTY;
	if (state_dir_make(b->dir, &f) != ERR_OK)
		return SQLITE_CANTOPEN;
	rc = sqlite_open(&b->db, b->path, true, WAIT_MS);
	if (rc == SQLITE_OK)
		rc = sqlite_set_up(b->db, tables);
	if (rc == SQLITE_OK)
		rc = sqlite_prepare(b->db, texts, b->stmt, S_COUNT);
	if (rc != SQLITE_OK)
		shut(b);
	return rc;
}

/* Bind: 't' text, 'i' int64_t, 'b' bytes and their number. */
static sqlite3_stmt *
start(struct file *b, enum statement st, const char *types, ...)
{
	sqlite3_stmt *s = b->stmt[st];
	const char *p;
	va_list ap;
	int i;

	va_start(ap, types);
	for (i = 1; *types != '\0'; types++, i++)
		if (*types == 't') {
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
			    SQLITE_TRANSIENT);
		} else if (*types == 'b') {
			p = va_arg(ap, const char *);
			sqlite3_bind_blob64(s, i, p, va_arg(ap, size_t),
			    SQLITE_TRANSIENT);
		} else {
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		}
	va_end(ap);
	return s;
}

static int
finish(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The first column of the one row; NULL with SQLITE_OK: there is none. */
static int
fetch(sqlite3_stmt *s, int column, char **out, size_t *len)
{
	int rc = sqlite3_step(s);
	const void *p;

	*out = NULL;
	*len = 0;
	if (rc == SQLITE_ROW) {
		p = sqlite3_column_blob(s, column);
		*len = (size_t)sqlite3_column_bytes(s, column);
		*out = malloc(*len + 1);
		if (*out != NULL) {
			memcpy(*out, p == NULL ? "" : p, *len);
			(*out)[*len] = '\0';
		}
		rc = *out == NULL ? SQLITE_NOMEM : SQLITE_DONE;
	}
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The end of a question: e in words, or what the store says of rc. */
static void
tell(struct file *b, int rc, enum err e, const char *text, size_t len,
    registry_fn *fn, void *arg)
{
	if (rc == SQLITE_OK || rc == SQLITE_EMPTY) {
		fn(arg, e, text, len, "");
		return;
	}
	shut(b); /* the next question opens it anew; that rolls back */
	fn(arg, ERR_KEPT, NULL, 0, sqlite3_errstr(rc));
}

static int
begin(struct file *b, bool make)
{
	int rc = open_file(b, make);

	return rc == SQLITE_OK ? finish(start(b, S_BEGIN, "")) : rc;
}

static int
commit(struct file *b, int rc)
{
	return rc == SQLITE_OK ? finish(start(b, S_COMMIT, "")) : rc;
}

/* Is the record that one? Sets e. */
static int
compare(struct file *b, const char *id, const char *was, enum err *e)
{
	char *text;
	size_t len;
	int rc;

	if (was == NULL)
		return SQLITE_OK;
	rc = fetch(start(b, S_GET, "ti", id, clock_wall()), 0, &text, &len);
	if (rc == SQLITE_OK && strcmp(text == NULL ? "" : text, was) != 0)
		*e = ERR_CONFLICT;
	free(text);
	return rc;
}

static void
put(void *arg, const struct registry_row *row, const char *was,
    registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	enum err e = ERR_OK;
	int rc = begin(b, true);

	if (rc == SQLITE_OK)
		rc = compare(b, row->id, was, &e);
	if (rc == SQLITE_OK)
		rc = finish(start(b, S_FORGET, "i", clock_wall()));
	if (rc == SQLITE_OK && e == ERR_OK)
		rc = finish(start(b, S_PUT, "ttiiit", row->id, row->owner,
		    row->made, row->due, row->forget, row->text));
	tell(b, commit(b, rc), e, NULL, 0, fn, fn_arg);
}

static void
get(void *arg, const char *id, registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	char *text = NULL;
	size_t len = 0;
	int rc = open_file(b, false);

	if (rc == SQLITE_OK)
		rc = fetch(start(b, S_GET, "ti", id, clock_wall()), 0, &text,
		    &len);
	tell(b, rc, ERR_OK, text, len, fn, fn_arg);
	free(text);
}

static void
drop(void *arg, const char *id, const char *owner, registry_fn *fn,
    void *fn_arg)
{
	struct file *b = arg;
	int rc = open_file(b, false);

	(void)owner;
	if (rc == SQLITE_OK)
		rc = finish(start(b, S_DROP, "t", id));
	tell(b, rc, ERR_OK, NULL, 0, fn, fn_arg);
}

/* Where a list goes on; INT64_MAX: at its first, 0: nowhere. */
static int
place(struct file *b, const char *owner, const char *after, int64_t *made)
{
	sqlite3_stmt *s;
	int rc;

	*made = INT64_MAX;
	if (*after == '\0')
		return SQLITE_OK;
	s = start(b, S_MADE, "tt", after, owner);
	rc = sqlite3_step(s);
	*made = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void
list(void *arg, const char *owner, const char *after, unsigned n,
    registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	sqlite3_stmt *s;
	int64_t made = 0;
	int rc = open_file(b, false);

	if (rc == SQLITE_OK)
		rc = place(b, owner, after, &made);
	if (rc == SQLITE_OK) {
		s = start(b, S_LIST, "tiiti", owner, clock_wall(), made,
		    after, (int64_t)n);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW)
			fn(fn_arg, ERR_OK,
			    (const char *)sqlite3_column_text(s, 0),
			    (size_t)sqlite3_column_bytes(s, 0), "");
		sqlite3_reset(s);
		rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	tell(b, rc, ERR_OK, NULL, 0, fn, fn_arg);
}

static void
due(void *arg, int64_t now, int64_t until, registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	char *id = NULL, *text = NULL;
	size_t len = 0;
	int rc = begin(b, false);

	if (rc == SQLITE_OK)
		rc = fetch(start(b, S_DUE, "i", now), 0, &id, &len);
	if (rc == SQLITE_OK && id != NULL)
		rc = fetch(start(b, S_DUE, "i", now), 1, &text, &len);
	if (rc == SQLITE_OK && id != NULL)
		rc = finish(start(b, S_DUE_SET, "ti", id, until));
	tell(b, commit(b, rc), ERR_OK, text, len, fn, fn_arg);
	free(id);
	free(text);
}

/* Is there room for so much more? */
static int
room(struct file *b, size_t len, enum err *e)
{
	sqlite3_stmt *s = start(b, S_SUM, "");
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW && sqlite3_column_int64(s, 0) + (int64_t)len >
	    REGISTRY_BODIES)
		*e = ERR_TOO_LARGE;
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static void
keep(void *arg, const char *id, unsigned n, const char *p, size_t len,
    int64_t forget, registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	enum err e = ERR_OK;
	int rc = begin(b, true);

	if (rc == SQLITE_OK)
		rc = finish(start(b, S_FORGET_PIECES, "i", clock_wall()));
	if (rc == SQLITE_OK)
		rc = room(b, len, &e);
	if (rc == SQLITE_OK && e == ERR_OK)
		rc = finish(start(b, S_KEEP, "tiiib", id, (int64_t)n, forget,
		    (int64_t)len, p, len));
	tell(b, commit(b, rc), e, NULL, 0, fn, fn_arg);
}

static void
piece(void *arg, const char *id, unsigned n, registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	char *data = NULL;
	size_t len = 0;
	int rc = open_file(b, false);

	if (rc == SQLITE_OK)
		rc = fetch(start(b, S_PIECE, "tii", id, (int64_t)n,
		    clock_wall()), 0, &data, &len);
	tell(b, rc, ERR_OK, data, len, fn, fn_arg);
	free(data);
}

static void
lose(void *arg, const char *id, registry_fn *fn, void *fn_arg)
{
	struct file *b = arg;
	int rc = open_file(b, false);

	if (rc == SQLITE_OK)
		rc = finish(start(b, S_LOSE, "t", id));
	tell(b, rc, ERR_OK, NULL, 0, fn, fn_arg);
}

static void
close_file(void *arg)
{
	shut(arg);
	free(arg);
}

static void *
open_sqlite(const struct registry_setup *setup, struct fault *f)
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
	if (b == NULL || n >= PATH_MAX) {
		fault_set(f, ERR_KEPT, "store", "%s", b == NULL ? "no memory" :
		    "the path is too long");
		free(b);
		return NULL;
	}
	return b;
}

const struct registry_kind registry_sqlite = { open_sqlite, close_file, put,
	get, drop, list, due, keep, piece, lose };
