/* Begin and end of a SQLite file. */
#include "app/sqlite_file.h"

#include <time.h>

#define WAL_TRIES 100
#define WAL_PAUSE 10000000 /* ns */

int
sqlite_open(sqlite3 **db, const char *path, bool make, int wait_ms)
{
	int rc = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE |
	    (make ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX, NULL);

	return rc != SQLITE_OK ? rc : sqlite3_busy_timeout(*db, wait_ms);
}

static int
keep_log(sqlite3 *db)
{
	const struct timespec pause = { 0, WAL_PAUSE };
	int i, rc = SQLITE_BUSY;

	for (i = 0; i < WAL_TRIES && (rc & 0xff) == SQLITE_BUSY; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL,
		    NULL);
	}
	return rc;
}

int
sqlite_set_up(sqlite3 *db, const char *sql)
{
	int rc = keep_log(db);

	return rc != SQLITE_OK ? rc : sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int
sqlite_prepare(sqlite3 *db, const char *const *texts, sqlite3_stmt **stmt,
    int n)
{
	int i, rc = SQLITE_OK;

	for (i = 0; i < n && rc == SQLITE_OK; i++)
		rc = sqlite3_prepare_v3(db, texts[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &stmt[i], NULL);
	return rc;
}

void
sqlite_shut(sqlite3 **db, sqlite3_stmt **stmt, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		sqlite3_finalize(stmt[i]);
		stmt[i] = NULL;
	}
	sqlite3_close(*db);
	*db = NULL;
}
