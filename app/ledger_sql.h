/*
 * The embedded store: its tables and statements (app/ledger_sql.c) under its
 * transactions and its clock (app/ledger_sqlite.c).
 */
#ifndef TOLLGATE_APP_LEDGER_SQL_H
#define TOLLGATE_APP_LEDGER_SQL_H

#include <sqlite3.h>

#include "app/base/buf.h"
#include "app/ledger_int.h"

/* Name and text of each statement. */
#define SQL_STATEMENTS(S) \
	S(BEGIN, "BEGIN IMMEDIATE") \
	S(COMMIT, "COMMIT") \
	S(ROLLBACK, "ROLLBACK") \
	S(COUNTER, "SELECT used, held FROM counter WHERE name = ?1") \
	S(ADD, "INSERT INTO counter (name, used, held, forget) " \
	    "VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO UPDATE SET " \
	    "used = used + ?2, held = max(0, held + ?3), " \
	    "forget = CASE WHEN forget < ?4 - 60000000 THEN ?4 " \
	    "ELSE forget END") \
	S(UNHOLD, "UPDATE counter SET held = max(0, held - ?2) " \
	    "WHERE name = ?1") \
	S(SLOTS_OVER, "SELECT coalesce(sum(amount), 0) FROM slot " \
	    "WHERE name = ?1 AND slot <= ?2") \
	S(SLOTS_DROP, "DELETE FROM slot WHERE name = ?1 AND slot <= ?2") \
	S(SLOTS_WALK, "SELECT slot, amount FROM slot " \
	    "WHERE name = ?1 AND slot > ?2 ORDER BY slot") \
	S(SLOT_LAST, "SELECT max(slot) FROM slot WHERE name = ?1") \
	S(SLOT_ADD, "INSERT INTO slot (name, slot, amount) " \
	    "VALUES (?1, ?2, ?3) ON CONFLICT (name, slot) " \
	    "DO UPDATE SET amount = amount + ?3") \
	S(LEASE, "SELECT sent, text FROM lease WHERE id = ?1") \
	S(LEASE_PUT, "INSERT OR REPLACE INTO lease (id, sent, due, text) " \
	    "VALUES (?1, ?2, ?3, ?4)") \
	S(LEASE_SENT, "UPDATE lease SET sent = 1, due = ?2 WHERE id = ?1") \
	S(LEASE_MARK, "UPDATE lease SET sent = 1 WHERE id = ?1") \
	S(LEASE_DUE, "UPDATE lease SET due = ?2 WHERE id = ?1") \
	S(LEASE_DROP, "DELETE FROM lease WHERE id = ?1") \
	S(LEASES_OVER, "SELECT id, sent, text FROM lease WHERE due <= ?1 " \
	    "ORDER BY due LIMIT ?2") \
	S(LEASES, "SELECT text FROM lease") \
	S(DONE, "SELECT charged FROM done WHERE id = ?1") \
	S(DONE_PUT, "INSERT OR REPLACE INTO done (id, at, charged) " \
	    "VALUES (?1, ?2, ?3)") \
	S(USAGE_ADD, "INSERT INTO usage " \
	    "(who, requests, input, output, cached, cost) " \
	    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (who) DO UPDATE " \
	    "SET requests = requests + ?2, input = input + ?3, " \
	    "output = output + ?4, cached = cached + ?5, cost = cost + ?6") \
	S(USAGE, "SELECT who, requests, input, output, cached, cost " \
	    "FROM usage WHERE who >= ?1 AND who < ?2") \
	S(OFFSET, "SELECT offset FROM clock") \
	/* Ids begin with their time: the first are the oldest. */ \
	S(FORGET_DONE, "DELETE FROM done WHERE id IN (SELECT id FROM (" \
	    "SELECT id, at FROM done ORDER BY id LIMIT 1000) " \
	    "WHERE at < ?1)") \
	S(WALK_COUNTERS, "SELECT max(name) FROM (SELECT name FROM counter " \
	    "WHERE name > ?1 ORDER BY name LIMIT 2000)") \
	S(FORGET_COUNTERS, "DELETE FROM counter WHERE name > ?2 AND " \
	    "name <= ?3 AND forget > 0 AND forget < ?1 AND held = 0 " \
	    "RETURNING name")

enum sql_statement {
#define SQL_ENUM(name, text) SQL_##name,
	SQL_STATEMENTS(SQL_ENUM)
#undef SQL_ENUM
	SQL_COUNT
};

struct sqldb {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQL_COUNT];
	struct buf text; /* a lease on its way in or out */
};

/* Returned beside SQLite's own codes: the op's names are of another time. */
#define SQL_CLOCK (-1)

/* Open, make the tables where they are missing. Errors in words. */
enum err sql_open(struct sqldb *d, const char *path, struct fault *f);
void sql_close(struct sqldb *d);

/*
 * Bind (types: 't' text, 'i' int64_t) and run to the end. SQLITE_DONE or an
 * error of SQLite.
 */
int sql_do(struct sqldb *d, enum sql_statement st, const char *types, ...);

/* Bind; the caller steps and then resets. */
sqlite3_stmt *sql_start(struct sqldb *d, enum sql_statement st,
    const char *types, ...);

/* A verb, within a transaction, at that time: SQLITE_OK, SQL_CLOCK, an error. */
int sql_verb(struct sqldb *d, struct op *op, int64_t now);

/* Let up to n leases run out; *left: there may be more. */
int sql_reap(struct sqldb *d, int64_t now, int n, bool *left);

/* used and held of a counter at that time. */
int sql_look(struct sqldb *d, const char *name, enum counter_kind kind,
    int64_t now, struct counter_state *out);

#endif
