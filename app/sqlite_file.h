/*
 * A SQLite file as all that keep one open and shut it. Functions return
 * SQLite's own codes; after an error what is open is the caller's to shut.
 */
#ifndef TOLLGATE_APP_SQLITE_FILE_H
#define TOLLGATE_APP_SQLITE_FILE_H

#include <stdbool.h>

#include <sqlite3.h>

/*
 * For one thread at a time; a lock is waited for so many ms. make: an empty
 * one where there is none.
 */
int sqlite_open(sqlite3 **db, const char *path, bool make, int wait_ms);

/*
 * Make it keep a write-ahead log, then run sql: pragmas and tables. While
 * another process does the first SQLite says that it is locked, however long
 * it may wait: so this waits, up to some seconds.
 */
int sqlite_set_up(sqlite3 *db, const char *sql);

/* n statements, to be kept; up to an error, all before it. */
int sqlite_prepare(sqlite3 *db, const char *const *texts,
    sqlite3_stmt **stmt, int n);

/* What is open of these, set to NULL. */
void sqlite_shut(sqlite3 **db, sqlite3_stmt **stmt, int n);

#endif
