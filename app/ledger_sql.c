/*
 * The verbs as statements. Each runs within one transaction; it reads first
 * and writes only what fits.
 */
#include "app/ledger_sql.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/sqlite_file.h"

#define WAIT_MS 5000 /* for a lock */
#define VERSION 1

static const char *const texts[SQL_COUNT] = {
#define SQL_TEXT(name, text) text,
	SQL_STATEMENTS(SQL_TEXT)
#undef SQL_TEXT
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, "
    "used INTEGER NOT NULL, held INTEGER NOT NULL, forget INTEGER NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS slot (name TEXT NOT NULL, "
    "slot INTEGER NOT NULL, amount INTEGER NOT NULL, "
    "PRIMARY KEY (name, slot)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS lease (id TEXT PRIMARY KEY, "
    "sent INTEGER NOT NULL, due INTEGER NOT NULL, text TEXT NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS lease_due ON lease (due);"
    "CREATE TABLE IF NOT EXISTS done (id TEXT PRIMARY KEY, "
    "at INTEGER NOT NULL, charged TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS usage (who TEXT PRIMARY KEY, "
    "requests INTEGER NOT NULL, input INTEGER NOT NULL, "
    "output INTEGER NOT NULL, cached INTEGER NOT NULL, "
    "cost INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK "
    "(one = 1), boot TEXT NOT NULL, offset INTEGER NOT NULL, "
    "seen INTEGER NOT NULL, since INTEGER NOT NULL);"
    "PRAGMA user_version = 1;";

/* ---- statements ---- */

static sqlite3_stmt *
bind_all(struct sqldb *d, enum sql_statement st, const char *types, va_list ap)
{
	sqlite3_stmt *s = d->stmt[st];
	int i;

	for (i = 1; *types != '\0'; types++, i++)
		if (*types == 't')
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
			    SQLITE_STATIC);
		else
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
	return s;
}

sqlite3_stmt *
sql_start(struct sqldb *d, enum sql_statement st, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, types);
	s = bind_all(d, st, types, ap);
	va_end(ap);
	return s;
}

int
sql_do(struct sqldb *d, enum sql_statement st, const char *types, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int rc;

	va_start(ap, types);
	s = bind_all(d, st, types, ap);
	va_end(ap);
	do
		rc = sqlite3_step(s);
	while (rc == SQLITE_ROW);
	sqlite3_reset(s);
	return rc;
}

/* One row of up to two numbers; *found tells if it is there. */
static int
numbers(sqlite3_stmt *s, int64_t *a, int64_t *b, bool *found)
{
	int rc = sqlite3_step(s);

	*found = rc == SQLITE_ROW;
	if (*found) {
		*a = sqlite3_column_int64(s, 0);
		if (b != NULL)
			*b = sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
code(int rc)
{
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A text column into d->text, with a NUL. */
static int
keep_text(struct sqldb *d, sqlite3_stmt *s, int column)
{
	const unsigned char *p = sqlite3_column_text(s, column);

	buf_clear(&d->text);
	buf_put(&d->text, p, (size_t)sqlite3_column_bytes(s, column));
	buf_putc(&d->text, '\0');
	return d->text.failed || p == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- counters ---- */

static bool
is_rate(enum counter_kind kind)
{
	return kind == COUNTER_RPM || kind == COUNTER_TPM;
}

/* The last slot that does not count any more. */
static int64_t
slot_over(int64_t now)
{
	return now / LEDGER_SLOT - SLOTS;
}

struct look {
	int64_t used, held;
	int64_t over; /* of used: in slots that are past */
};

static int
look(struct sqldb *d, const char *name, enum counter_kind kind, int64_t now,
    struct look *out)
{
	bool found;
	int rc;

	memset(out, 0, sizeof *out);
	rc = numbers(sql_start(d, SQL_COUNTER, "t", name), &out->used,
	    &out->held, &found);
	if (rc == SQLITE_OK && found && is_rate(kind))
		rc = numbers(sql_start(d, SQL_SLOTS_OVER, "ti", name,
		    slot_over(now)), &out->over, NULL, &found);
	out->used -= out->over;
	return rc;
}

int
sql_look(struct sqldb *d, const char *name, enum counter_kind kind,
    int64_t now, struct counter_state *out)
{
	struct look l;
	int rc = look(d, name, kind, now, &l);

	out->used = l.used;
	out->held = l.held;
	return rc;
}

/* Drop the slots that are past, of which look told the sum. */
static int
drop_slots(struct sqldb *d, const char *name, int64_t over, int64_t now)
{
	int rc;

	if (over == 0)
		return SQLITE_OK;
	rc = sql_do(d, SQL_SLOTS_DROP, "ti", name, slot_over(now));
	if (rc == SQLITE_DONE)
		rc = sql_do(d, SQL_ADD, "tiii", name, -over, (int64_t)0,
		    (int64_t)0);
	return code(rc);
}

static int
add(struct sqldb *d, const char *name, enum counter_kind kind, int64_t used,
    int64_t held, int64_t forget, int64_t now)
{
	int rc = SQLITE_DONE;

	if (is_rate(kind) || kind == COUNTER_PARALLEL)
		forget = now + RATE_KEEP;
	if (is_rate(kind) && used > 0)
		rc = sql_do(d, SQL_SLOT_ADD, "tii", name, now / LEDGER_SLOT,
		    used);
	if (rc == SQLITE_DONE)
		rc = sql_do(d, SQL_ADD, "tiii", name, used, held, forget);
	return code(rc);
}

/* When so much of a rate will be free again; -1: it never is by itself. */
static int
rate_retry(struct sqldb *d, const char *name, int64_t need, int64_t now,
    int64_t *out)
{
	sqlite3_stmt *s = sql_start(d, SQL_SLOTS_WALK, "ti", name,
	    slot_over(now));
	int rc;

	*out = -1;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW && *out < 0) {
		need -= sqlite3_column_int64(s, 1);
		if (need <= 0)
			*out = (sqlite3_column_int64(s, 0) + SLOTS) *
			    LEDGER_SLOT - now;
	}
	sqlite3_reset(s);
	return rc == SQLITE_ROW ? SQLITE_OK : code(rc);
}

static int
reset_of(struct sqldb *d, struct op_part *p, int64_t used, int64_t now)
{
	int64_t last = now / LEDGER_SLOT;
	bool found;
	int rc = SQLITE_OK;

	p->reset = 0;
	if (used == 0)
		return SQLITE_OK;
	if (p->kind == COUNTER_TPM)
		rc = numbers(sql_start(d, SQL_SLOT_LAST, "t",
		    p->name[p->pick]), &last, NULL, &found);
	if (is_rate(p->kind))
		p->reset = (last + SLOTS) * LEDGER_SLOT - now;
	else if (p->kind == COUNTER_MONEY && op_part_end(p) != INT64_MAX)
		p->reset = op_part_end(p) - now;
	return rc;
}

/* ---- hold and more ---- */

static int
refuse_part(struct sqldb *d, struct op *op, unsigned i, const struct look *l,
    int64_t now)
{
	const struct op_part *p = &op->part[i];
	int64_t need = l->used + l->held + p->amount - p->limit, retry = -1;
	bool never = p->amount > p->limit;
	int rc = SQLITE_OK;

	if (is_rate(p->kind) && !never)
		rc = rate_retry(d, p->name[p->pick], need, now, &retry);
	else if (p->kind == COUNTER_MONEY && !never)
		retry = OP_WINDOW;
	if (rc == SQLITE_OK)
		op_refuse(op, i, p->limit - l->used - l->held, retry,
		    !never && need <= l->held, now);
	return rc;
}

/* Look at every counter; op->answer.which tells the one that refuses. */
static int
check(struct sqldb *d, struct op *op, struct look *looks, int64_t now)
{
	struct op_part *p;
	unsigned i;
	int rc;

	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		p->pick = now >= p->turn;
		rc = look(d, p->name[p->pick], p->kind, now, &looks[i]);
		if (rc == SQLITE_OK && p->amount > p->limit - looks[i].used -
		    looks[i].held)
			rc = refuse_part(d, op, i, &looks[i], now);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

static int
take(struct sqldb *d, struct op *op, const struct look *looks, int64_t now)
{
	struct op_part *p;
	const char *name;
	bool counts;
	unsigned i;
	int rc;

	for (i = 0; i < op->parts; i++) {
		p = &op->part[i];
		name = p->name[p->pick];
		counts = p->kind == COUNTER_RPM;
		rc = drop_slots(d, name, looks[i].over, now);
		if (rc == SQLITE_OK)
			rc = add(d, name, p->kind, counts ? p->amount : 0,
			    counts ? 0 : p->amount, p->expire[p->pick], now);
		p->left = p->limit - looks[i].used - looks[i].held - p->amount;
		if (rc == SQLITE_OK)
			rc = reset_of(d, p, looks[i].used + p->amount, now);
		if (rc != SQLITE_OK)
			return rc;
		/* A counted request is not held: nothing comes back. */
		lease_add(&d->text, p->kind, counts ? 0 : p->amount, name);
	}
	return SQLITE_OK;
}

static int
put_lease(struct sqldb *d, const struct op *op, const char *id, int sent,
    int64_t now)
{
	buf_putc(&d->text, '\0');
	if (d->text.failed)
		return SQLITE_NOMEM;
	return code(sql_do(d, SQL_LEASE_PUT, "tiit", id, (int64_t)sent,
	    now + op->lease, d->text.data));
}

static int
verb_hold(struct sqldb *d, struct op *op, int64_t now)
{
	struct look looks[LEDGER_PARTS];
	bool more;
	int rc = sql_reap(d, now, REAP, &more);

	if (now < op->from || now >= op->until)
		return SQL_CLOCK;
	if (rc == SQLITE_OK)
		rc = check(d, op, looks, now);
	if (rc != SQLITE_OK || op->answer.which >= 0)
		return rc;
	buf_clear(&d->text);
	lease_write(&d->text, op->who, op->cost);
	rc = take(d, op, looks, now);
	return rc != SQLITE_OK ? rc : put_lease(d, op, op->id, 0, now);
}

static int
unknown(struct op *op)
{
	op->answer.known = false;
	op->answer.err = ERR_LEDGER;
	op->answer.why = "the hold has run out";
	return SQLITE_OK;
}

/* The lease of op in d->text; *found. */
static int
read_lease(struct sqldb *d, const char *id, int *sent, bool *found)
{
	sqlite3_stmt *s = sql_start(d, SQL_LEASE, "t", id);
	int rc = sqlite3_step(s);

	*found = rc == SQLITE_ROW;
	if (*found) {
		*sent = sqlite3_column_int(s, 0);
		rc = keep_text(d, s, 1);
	}
	sqlite3_reset(s);
	return code(rc);
}

/* The text in d->text once more, with more cost. */
static int
raise_cost(struct sqldb *d, struct op *op)
{
	char *old = arena_dup(op->arena, d->text.data, d->text.len);
	struct lease_line line;
	const char *who;
	int64_t cost;

	if (old == NULL)
		return SQLITE_NOMEM;
	if (!lease_read(&old, &who, &cost))
		return SQLITE_CORRUPT;
	if (cost > LEDGER_MAX - op->cost)
		return SQLITE_TOOBIG;
	buf_clear(&d->text);
	lease_write(&d->text, who, cost + op->cost);
	while (lease_line(&old, &line))
		lease_add(&d->text, line.kind, line.amount, line.name);
	return *old == '\0' ? SQLITE_OK : SQLITE_CORRUPT;
}

static int
verb_more(struct sqldb *d, struct op *op, int64_t now)
{
	struct look looks[LEDGER_PARTS];
	bool found;
	int rc, sent;

	if (now < op->from || now >= op->until)
		return SQL_CLOCK;
	rc = check(d, op, looks, now);
	if (rc != SQLITE_OK || op->answer.which >= 0)
		return rc;
	rc = read_lease(d, op->id, &sent, &found);
	if (rc != SQLITE_OK || !found)
		return rc != SQLITE_OK ? rc : unknown(op);
	rc = raise_cost(d, op);
	if (rc == SQLITE_OK)
		rc = take(d, op, looks, now);
	return rc != SQLITE_OK ? rc : put_lease(d, op, op->id, sent, now);
}

static int
verb_sent(struct sqldb *d, struct op *op, int64_t now)
{
	int rc = op->lease == 0 ? sql_do(d, SQL_LEASE_MARK, "t", op->id) :
	    sql_do(d, SQL_LEASE_SENT, "ti", op->id, now + op->lease);

	op->answer.known = sqlite3_changes(d->db) > 0;
	return code(rc);
}

/* ---- the end of a hold ---- */

static int
use_row(struct sqldb *d, const char *who, const int64_t n[5])
{
	return code(sql_do(d, SQL_USAGE_ADD, "tiiiii", who, n[0], n[1], n[2],
	    n[3], n[4]));
}

/* Give back what the lease in d->text holds, or charge it. */
static int
end_lease(struct sqldb *d, bool charge, int64_t now)
{
	char *text = d->text.data;
	int64_t n[5] = { 1, 0, 0, 0, 0 };
	struct lease_line line;
	const char *who;
	int rc = SQLITE_OK;

	if (!lease_read(&text, &who, &n[4]))
		return SQLITE_CORRUPT;
	while (rc == SQLITE_OK && lease_line(&text, &line)) {
		if (line.amount == 0)
			continue;
		rc = code(sql_do(d, SQL_UNHOLD, "ti", line.name,
		    line.amount));
		if (rc == SQLITE_OK && charge && line.kind != COUNTER_PARALLEL)
			rc = add(d, line.name, line.kind, line.amount, 0, 0,
			    now);
	}
	if (rc == SQLITE_OK && *text != '\0')
		return SQLITE_CORRUPT;
	return rc == SQLITE_OK && charge ? use_row(d, who, n) : rc;
}

/* A lease that ran out: d->text is used up. */
static int
run_out(struct sqldb *d, const char *id, bool sent, int64_t now)
{
	int rc = SQLITE_OK;

	if (sent)
		rc = code(sql_do(d, SQL_DONE_PUT, "tit", id, now,
		    d->text.data));
	if (rc == SQLITE_OK)
		rc = end_lease(d, sent, now);
	return rc != SQLITE_OK ? rc :
	    code(sql_do(d, SQL_LEASE_DROP, "t", id));
}

int
sql_reap(struct sqldb *d, int64_t now, int n, bool *left)
{
	sqlite3_stmt *s;
	char id[LEDGER_ID];
	bool sent;
	int rc;

	for (;;) {
		s = sql_start(d, SQL_LEASES_OVER, "ii", now, (int64_t)1);
		rc = sqlite3_step(s);
		*left = rc == SQLITE_ROW;
		if (rc != SQLITE_ROW || n-- == 0) {
			sqlite3_reset(s);
			return rc == SQLITE_ROW ? SQLITE_OK : code(rc);
		}
		sqlite3_snprintf(sizeof id, id, "%s",
		    sqlite3_column_text(s, 0));
		sent = sqlite3_column_int(s, 1) != 0;
		rc = keep_text(d, s, 2);
		sqlite3_reset(s);
		if (rc == SQLITE_OK)
			rc = run_out(d, id, sent, now);
		if (rc != SQLITE_OK)
			return rc;
	}
}

/*
 * It was charged in full when its lease ran out (the charge is in d->text):
 * take that back, but what is of a minute, which is past soon.
 */
static int
take_back(struct sqldb *d, struct op *op)
{
	char *text = d->text.data;
	int64_t n[5] = { -1, 0, 0, 0, 0 }, cost;
	struct lease_line line;
	const char *who;
	unsigned i;
	int rc = SQLITE_OK;

	if (!lease_read(&text, &who, &cost))
		return SQLITE_CORRUPT;
	n[4] = -cost;
	while (rc == SQLITE_OK && lease_line(&text, &line)) {
		if (line.kind == COUNTER_MONEY)
			rc = code(sql_do(d, SQL_ADD, "tiii", line.name,
			    -line.amount, (int64_t)0, (int64_t)0));
		for (i = 0; i < op->parts && is_rate(line.kind); i++)
			if (strcmp(op->part[i].name[0], line.name) == 0)
				op->part[i].actual -= line.amount <
				    op->part[i].actual ? line.amount :
				    op->part[i].actual;
	}
	return rc != SQLITE_OK ? rc : use_row(d, who, n);
}

/* What the store knows of the end of op->id. */
enum end { END_NONE, END_DONE, END_CHARGED };

static int
read_end(struct sqldb *d, const char *id, enum end *out)
{
	sqlite3_stmt *s = sql_start(d, SQL_DONE, "t", id);
	int rc = sqlite3_step(s);

	*out = END_NONE;
	if (rc == SQLITE_ROW) {
		rc = keep_text(d, s, 0);
		*out = d->text.len > 1 ? END_CHARGED : END_DONE;
	}
	sqlite3_reset(s);
	return code(rc);
}

static int
give_back(struct sqldb *d, struct op *op, int64_t now)
{
	bool found;
	int rc, sent;

	rc = read_lease(d, op->id, &sent, &found);
	op->answer.known = found;
	if (rc != SQLITE_OK || !found)
		return rc;
	rc = end_lease(d, false, now);
	return rc != SQLITE_OK ? rc :
	    code(sql_do(d, SQL_LEASE_DROP, "t", op->id));
}

static int
use(struct sqldb *d, const struct op *op, int64_t now)
{
	const struct op_part *p;
	int rc = SQLITE_OK;
	unsigned i;

	for (i = 0; rc == SQLITE_OK && i < op->parts; i++) {
		p = &op->part[i];
		if (p->actual > 0)
			rc = add(d, p->name[0], p->kind, p->actual, 0,
			    p->expire[0], now);
	}
	for (i = 0; rc == SQLITE_OK && i < op->rows; i++)
		rc = use_row(d, op->row[i].who, op->row[i].n);
	return rc;
}

/* *end: what was known of it before. */
static int
settle(struct sqldb *d, struct op *op, int64_t now, enum end *end)
{
	int rc = read_end(d, op->id, end);

	if (rc != SQLITE_OK || *end == END_DONE)
		return rc;
	rc = *end == END_CHARGED ? take_back(d, op) : give_back(d, op, now);
	if (rc == SQLITE_OK)
		rc = use(d, op, now);
	return rc != SQLITE_OK ? rc :
	    code(sql_do(d, SQL_DONE_PUT, "tit", op->id, now, ""));
}

static int
verb_settle(struct sqldb *d, struct op *op, int64_t now)
{
	enum end end;

	return settle(d, op, now, &end);
}

/* Does all fit that a roll wants? */
static int
may_grow(struct sqldb *d, struct op *op, struct look *looks, int64_t now)
{
	const struct op_part *p;
	unsigned i;
	int rc = SQLITE_OK;

	op->grown = now >= op->from && now < op->until;
	for (i = 0; rc == SQLITE_OK && i < op->parts; i++) {
		p = &op->part[i];
		rc = look(d, p->name[0], p->kind, now, &looks[i]);
		if (p->amount > p->limit - looks[i].used - looks[i].held)
			op->grown = false;
	}
	return rc;
}

/* The hold that goes on, in the place of the one that was settled. */
static int
go_on(struct sqldb *d, struct op *op, int64_t now)
{
	struct look looks[LEDGER_PARTS];
	struct op_part *p;
	int64_t held;
	unsigned i;
	int rc = may_grow(d, op, looks, now);

	buf_clear(&d->text);
	lease_write(&d->text, op->who, op->grown ? op->cost : op->least_cost);
	for (i = 0; rc == SQLITE_OK && i < op->parts; i++) {
		p = &op->part[i];
		held = op->grown ? p->amount : p->least;
		rc = drop_slots(d, p->name[0], looks[i].over, now);
		if (rc == SQLITE_OK)
			rc = add(d, p->name[0], p->kind, 0, held, p->expire[0],
			    now);
		if (rc == SQLITE_OK)
			rc = reset_of(d, p, looks[i].used, now);
		p->left = p->limit - looks[i].used - looks[i].held - held;
		p->left = p->left < 0 ? 0 : p->left;
		lease_add(&d->text, p->kind, held, p->name[0]);
	}
	return rc != SQLITE_OK ? rc : put_lease(d, op, op->next_id, 1, now);
}

static int
verb_roll(struct sqldb *d, struct op *op, int64_t now)
{
	enum end end;
	int rc = settle(d, op, now, &end);

	op->answer.known = true; /* also where there was nothing to settle */
	op->grown = false;
	op->twice = rc == SQLITE_OK && end == END_DONE;
	return rc != SQLITE_OK || end == END_DONE ? rc : go_on(d, op, now);
}

/* As a settle of nothing; one that was not charged leaves no mark. */
static int
verb_release(struct sqldb *d, struct op *op, int64_t now)
{
	enum end end;
	int rc = read_end(d, op->id, &end);

	if (rc != SQLITE_OK || end == END_DONE)
		return rc;
	if (end == END_NONE)
		return give_back(d, op, now);
	rc = take_back(d, op);
	return rc != SQLITE_OK ? rc :
	    code(sql_do(d, SQL_DONE_PUT, "tit", op->id, now, ""));
}

int
sql_verb(struct sqldb *d, struct op *op, int64_t now)
{
	/* A file loses nothing: there is no VERB_RESTORE. */
	static int (*const verbs[])(struct sqldb *, struct op *, int64_t) = {
		[VERB_HOLD] = verb_hold,
		[VERB_MORE] = verb_more,
		[VERB_SENT] = verb_sent,
		[VERB_SETTLE] = verb_settle,
		[VERB_RELEASE] = verb_release,
		[VERB_ROLL] = verb_roll,
	};

	op->answer = (struct ledger_answer){ .known = true, .which = -1,
		.why = "" };
	return verbs[op->verb](d, op, now);
}

/* ---- the file ---- */

static enum err
told(struct sqldb *d, const char *path, struct fault *f)
{
	fault_set(f, ERR_INTERNAL, path, "%s", d->db == NULL ? "no memory" :
	    sqlite3_errmsg(d->db));
	sql_close(d);
	return ERR_INTERNAL;
}

static int
version(sqlite3 *db)
{
	sqlite3_stmt *s;
	int v = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) !=
	    SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return v;
}

static int
make_tables(struct sqldb *d)
{
	int rc = sqlite3_exec(d->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc == SQLITE_OK && version(d->db) == 0)
		rc = sqlite3_exec(d->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(d->db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

enum err
sql_open(struct sqldb *d, const char *path, struct fault *f)
{
	int v;

	memset(d, 0, sizeof *d);
	buf_init(&d->text, KIB(64));
	if (sqlite_open(&d->db, path, true, WAIT_MS) != SQLITE_OK)
		return told(d, path, f);
	sqlite3_extended_result_codes(d->db, 0);
	/* Of a new file: a commit writes all of each page that it touches, and
	 * touches few bytes of a dozen of them. A checkpoint within a commit
	 * would make a request wait for a disk. */
	if (sqlite3_exec(d->db, "PRAGMA page_size = 1024", NULL, NULL, NULL) !=
	    SQLITE_OK || sqlite_set_up(d->db,
	    "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;"
	    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
	    "PRAGMA temp_store = MEMORY") != SQLITE_OK)
		return told(d, path, f);
	v = version(d->db);
	if (v < 0 || (v == 0 && make_tables(d) != SQLITE_OK))
		return told(d, path, f);
	if (version(d->db) != VERSION) {
		sql_close(d);
		return fault_set(f, ERR_INTERNAL, path,
		    "written by another version of tollgate");
	}
	return sqlite_prepare(d->db, texts, d->stmt, SQL_COUNT) != SQLITE_OK ?
	    told(d, path, f) : ERR_OK;
}

void
sql_close(struct sqldb *d)
{
	sqlite_shut(&d->db, d->stmt, SQL_COUNT);
	buf_free(&d->text);
	memset(d, 0, sizeof *d);
}
