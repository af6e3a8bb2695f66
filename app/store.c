/*
 * Commands in, replies out, and what happens when a Redis does not behave:
 * the decisions. Sockets are store_conn.c's.
 */
#include "app/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/store_int.h"

#define MS INT64_C(1000)
#define MOVES 3 /* that one command follows */
#define COMMAND_MAX MIB(4)

enum then { THEN_KEEP, THEN_LEAVE, THEN_EVAL, THEN_FOLLOW };

static const struct {
	const char *name, *word;
	enum then then;
} rows[STORE_ERR_COUNT] = {
	[STORE_OK] = { "OK", NULL, THEN_KEEP },
	[STORE_DOWN] = { "DOWN", NULL, THEN_KEEP },
	[STORE_TIMEOUT] = { "TIMEOUT", NULL, THEN_KEEP },
	[STORE_LOST] = { "LOST", NULL, THEN_KEEP },
	[STORE_BAD] = { "BAD", NULL, THEN_KEEP },
	[STORE_SERVER] = { "SERVER", NULL, THEN_KEEP },
#define STORE_ERR(name, word, then) \
	[STORE_##name] = { #name, word, THEN_##then },
#include "app/store_err.def"
#undef STORE_ERR
};

struct command {
	struct command *next;
	store_fn *fn;
	void *arg;
	const struct store_script *script; /* NULL: a plain command */
	bool eval;	  /* send its text, not its digest */
	unsigned parts;	  /* of the whole command */
	unsigned moves;
	int64_t deadline; /* clock_mono */
	size_t head, len; /* where the arguments begin, and end */
	char text[];	  /* the command as it goes out, but for eval's */
};

struct queue {
	struct command *first, *last;
	size_t count;
};

enum state {
	STATE_IDLE,
	STATE_ASKING,	/* a sentinel */
	STATE_GREETING, /* the store: connecting, password, database, role */
	STATE_READY
};

struct store {
	uv_loop_t *loop;
	struct store_url url;
	struct store_place here; /* where the store is, when not url.place */
	bool moved;		 /* here is set */
	size_t asked;		 /* sentinel to ask */
	enum state state;
	struct conn *conn;
	int64_t connect_by;
	unsigned greets;	 /* greetings without a reply */
	struct queue waiting, sent;
	unsigned failures;
	bool open;		 /* the breaker */
	int64_t probe_at;
	bool leaving;		 /* change the connection after this reply */
	uv_timer_t timer;
	bool closing;
	int64_t connect_limit, command_limit; /* µs */
	void (*greet)(void *arg);
	void *greet_arg;
	struct store_sums sums;
};

static void drop(struct store *s, enum store_err e);
static void begin(struct store *s);

/* ---- errors ---- */

const char *
store_err_name(enum store_err e)
{
	return rows[e].name;
}

enum store_err
store_err_of(const char *text)
{
	size_t n = strcspn(text, " ");
	int e;

	for (e = STORE_SERVER + 1; e < STORE_ERR_COUNT; e++)
		if (strlen(rows[e].word) == n &&
		    memcmp(rows[e].word, text, n) == 0)
			return (enum store_err)e;
	return STORE_SERVER;
}

void
store_script_init(struct store_script *sc, const char *text, size_t len)
{
	unsigned char digest[SHA_DIGEST_LENGTH];

	/* What EVALSHA calls a script by. */
	SHA1((const unsigned char *)text, len, digest);
	hash_hex(sc->sha, digest, sizeof digest);
	sc->text = text;
	sc->len = len;
}

/* ---- queues ---- */

static void
put(struct queue *q, struct command *c)
{
	c->next = NULL;
	if (q->first == NULL)
		q->first = c;
	else
		q->last->next = c;
	q->last = c;
	q->count++;
}

static struct command *
take(struct queue *q)
{
	struct command *c = q->first;

	if (c != NULL) {
		q->first = c->next;
		q->count--;
	}
	return c;
}

/* Answer and forget it. */
static void
done(struct command *c, const struct store_reply *r)
{
	if (c->fn != NULL)
		c->fn(c->arg, r);
	free(c);
}

static void
end_all(struct store *s, struct queue *q, enum store_err e)
{
	struct store_reply r = { .err = e, .text = "" };
	struct queue list = *q;
	struct command *c;

	memset(q, 0, sizeof *q);
	while ((c = take(&list)) != NULL) {
		s->sums.failed++;
		done(c, &r);
	}
}

/* ---- time ---- */

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void on_timer(uv_timer_t *t);

static void
set_timer(struct store *s)
{
	int64_t now, at = INT64_MAX;

	if (s->closing)
		return;
	if (s->sent.first != NULL)
		at = s->sent.first->deadline;
	if (s->waiting.first != NULL)
		at = sooner(at, s->waiting.first->deadline);
	if (s->state == STATE_ASKING || s->state == STATE_GREETING)
		at = sooner(at, s->connect_by);
	if (s->open && s->state == STATE_IDLE)
		at = sooner(at, s->probe_at);
	if (at == INT64_MAX) {
		uv_timer_stop(&s->timer);
		return;
	}
	now = clock_mono();
	uv_update_time(s->loop);
	uv_timer_start(&s->timer, on_timer,
	    at <= now ? 0 : (uint64_t)((at - now + MS - 1) / MS), 0);
}

/* A command went out: the timer need not be set when it is. */
static void
touch_timer(struct store *s)
{
	if (!uv_is_active((uv_handle_t *)&s->timer))
		set_timer(s);
}

static void
open_breaker(struct store *s)
{
	if (!s->open)
		s->sums.opened++;
	s->open = true;
	s->probe_at = clock_mono() + STORE_PROBE_MS * MS;
	end_all(s, &s->waiting, STORE_DOWN);
}

/*
 * The connection or the attempt at one has failed: one error, whatever the
 * number of commands that were on it.
 */
static void
connection_failed(struct store *s, enum store_err e)
{
	s->asked = (s->asked + 1) % s->url.places;
	s->moved = false;
	drop(s, e);
	if (++s->failures >= STORE_BREAK || s->open)
		open_breaker(s);
	if (s->waiting.first != NULL && !s->open && s->state == STATE_IDLE)
		begin(s);
	set_timer(s);
}

static void
expire_waiting(struct store *s, int64_t now)
{
	struct store_reply r = { .err = STORE_TIMEOUT, .text = "" };

	while (s->waiting.first != NULL && s->waiting.first->deadline <= now) {
		s->sums.failed++;
		done(take(&s->waiting), &r);
	}
}

static void
on_timer(uv_timer_t *t)
{
	struct store *s = t->data;
	int64_t now = clock_mono();

	/*
	 * When it was us who were late, the reply is there already; what comes
	 * after this does not count.
	 */
	if (s->conn != NULL && s->sent.first != NULL &&
	    s->sent.first->deadline <= now)
		conn_read(s->conn);
	if (s->closing)
		return;
	if (s->state != STATE_IDLE && ((s->state != STATE_READY &&
	    s->connect_by <= now) || (s->sent.first != NULL &&
	    s->sent.first->deadline <= now)))
		connection_failed(s, STORE_TIMEOUT);
	expire_waiting(s, now);
	if (s->open && s->state == STATE_IDLE && s->probe_at <= now) {
		s->probe_at = now + STORE_PROBE_MS * MS;
		begin(s);
	}
	set_timer(s);
}

/* ---- the wire ---- */

#define FRAME (DECIMAL_SIZE + 8) /* of what put_count writes, at most */

/* "$3\r\n", "*7\r\n": what printf, or a buffer that grows, takes for these is
 * felt. Returns where it ends. */
static char *
put_count(char *p, char kind, size_t n)
{
	*p++ = kind;
	p += decimal(p, (int64_t)n, 0);
	*p++ = '\r';
	*p++ = '\n';
	return p;
}

static char *
put_argument(char *p, const char *arg, size_t len)
{
	p = put_count(p, '$', len);
	memcpy(p, arg, len);
	p += len;
	*p++ = '\r';
	*p++ = '\n';
	return p;
}

/* The server does not know the digest: the script itself, once. */
static bool
write_eval(struct store *s, const struct command *c)
{
	const struct store_script *sc = c->script;
	char *text = malloc(sc->len + c->len + 4 * FRAME), *p = text;
	bool sent;

	if (text == NULL)
		return false;
	p = put_count(p, '*', c->parts);
	p = put_argument(p, "EVAL", 4);
	p = put_argument(p, sc->text, sc->len);
	memcpy(p, c->text + c->head, c->len - c->head);
	p += c->len - c->head;
	*p = '\0'; /* hiredis looks behind the last argument */
	sent = conn_send(s->conn, text, (size_t)(p - text));
	free(text);
	return sent;
}

/* To the server, now. What cannot be sent is answered like the rest. */
static void
send_command(struct store *s, struct command *c)
{
	int64_t now = clock_mono();

	c->deadline = now + s->command_limit;
	put(&s->sent, c);
	if (!(c->eval ? write_eval(s, c) :
	    conn_send(s->conn, c->text, c->len)))
		c->deadline = now;
	touch_timer(s);
}

/* Its bytes at most, with a NUL; 0: too many. */
static size_t
room_for(const struct store_item *argv, size_t argc,
    const struct store_script *sc)
{
	size_t size = sc == NULL ? FRAME : 4 * FRAME + sizeof sc->sha, i;

	for (i = 0; i < argc; i++) {
		size += argv[i].len + FRAME;
		if (argv[i].len > COMMAND_MAX || size > COMMAND_MAX)
			return 0;
	}
	return size + 1;
}

static struct command *
make(const struct store_item *argv, size_t argc, size_t keys,
    const struct store_script *sc, store_fn *fn, void *arg)
{
	size_t room = room_for(argv, argc, sc), i;
	struct command *c = room == 0 ? NULL : malloc(sizeof *c + room);
	char n[DECIMAL_SIZE], *p;

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof *c);
	c->fn = fn;
	c->arg = arg;
	c->script = sc;
	c->parts = (unsigned)argc + (sc != NULL ? 3 : 0);
	p = put_count(c->text, '*', c->parts);
	if (sc != NULL) {
		p = put_argument(p, "EVALSHA", 7);
		p = put_argument(p, sc->sha, sizeof sc->sha - 1);
		c->head = (size_t)(p - c->text);
		p = put_argument(p, n, decimal(n, (int64_t)keys, 0));
	}
	for (i = 0; i < argc; i++)
		p = put_argument(p, argv[i].p, argv[i].len);
	*p = '\0'; /* hiredis looks behind the last argument */
	c->len = (size_t)(p - c->text);
	return c;
}

/* ---- connecting ---- */

static const struct store_place *
master_place(const struct store *s)
{
	return s->moved || s->url.sentinel ? &s->here : &s->url.place[0];
}

static void on_up(void *owner);
static void on_reply(void *owner, const struct store_reply *r);
static void on_down(void *owner, const char *why);

static const struct conn_events events = { on_up, on_reply, on_down };

static void
connect_to(struct store *s, enum state state, const struct store_place *place)
{
	s->state = state;
	s->greets = 0;
	s->connect_by = clock_mono() + s->connect_limit;
	s->sums.connections++;
	s->conn = conn_open(s->loop, place, &events, s);
	if (s->conn == NULL)
		s->connect_by = 0; /* the timer tells of it */
	set_timer(s);
}

/* Find the store and connect to it. */
static void
begin(struct store *s)
{
	assert(s->state == STATE_IDLE && s->conn == NULL);
	if (s->url.sentinel && !s->moved)
		connect_to(s, STATE_ASKING, &s->url.place[s->asked]);
	else
		connect_to(s, STATE_GREETING, master_place(s));
}

static void
drop(struct store *s, enum store_err e)
{
	struct conn *c = s->conn;

	s->conn = NULL;
	s->state = STATE_IDLE;
	s->leaving = false;
	conn_close(c);
	end_all(s, &s->sent, e);
}

/* All greetings were answered well. */
static void
ready(struct store *s)
{
	struct queue list = s->waiting;
	struct command *c;

	s->state = STATE_READY;
	/* A server that greets and then does not answer is down as well. */
	if (s->open)
		s->failures = 0;
	s->open = false;
	memset(&s->waiting, 0, sizeof s->waiting);
	if (s->greet != NULL)
		s->greet(s->greet_arg);
	while ((c = take(&list)) != NULL) {
		if (s->state == STATE_READY)
			send_command(s, c);
		else
			put(&s->waiting, c);
	}
	set_timer(s);
}

static bool
is_text(const struct store_item *i, const char *text)
{
	return i->p != NULL && i->len == strlen(text) &&
	    memcmp(i->p, text, i->len) == 0;
}

/* Refused by name or password, loading, busy, …: it is of no use now. */
static void
greeted(void *arg, const struct store_reply *r)
{
	struct store *s = arg;

	if (s->state != STATE_GREETING || r->err == STORE_LOST ||
	    r->err == STORE_TIMEOUT)
		return;
	if (r->err != STORE_OK)
		connection_failed(s, STORE_LOST);
	else if (--s->greets == 0)
		ready(s);
}

static void
told_role(void *arg, const struct store_reply *r)
{
	struct store *s = arg;
	struct store_reply wrong = { .err = STORE_BAD, .text = "" };

	/* A sentinel may not know yet that its master is none any more. */
	greeted(s, r->err == STORE_OK && (r->count == 0 ||
	    !is_text(&r->item[0], "master")) ? &wrong : r);
}

/* An address as a server tells it: IPv6 has no brackets there. */
static bool
place_of(struct store_place *out, const struct store_item *host,
    const struct store_item *port)
{
	char text[STORE_NAME + 16];

	if (host->p == NULL || port->p == NULL || port->len == 0 ||
	    port->len > 5 || host->len >= STORE_NAME)
		return false;
	snprintf(text, sizeof text, "[%.*s]:%.*s", (int)host->len, host->p,
	    (int)port->len, port->p);
	return store_place_read(out, text, strlen(text), 0);
}

static void
told_master(void *arg, const struct store_reply *r)
{
	struct store *s = arg;

	if (s->state != STATE_ASKING || r->err == STORE_LOST ||
	    r->err == STORE_TIMEOUT)
		return;
	if (r->err != STORE_OK || r->count != 2 ||
	    !place_of(&s->here, &r->item[0], &r->item[1])) {
		connection_failed(s, STORE_LOST);
		return;
	}
	drop(s, STORE_LOST);
	connect_to(s, STATE_GREETING, &s->here);
}

static void
say(struct store *s, store_fn *fn, const char *a, const char *b, const char *c)
{
	const char *words[] = { a, b, c };
	struct store_item argv[3];
	struct command *cmd;
	size_t n;

	for (n = 0; n < 3 && words[n] != NULL; n++)
		argv[n] = (struct store_item){ words[n], strlen(words[n]) };
	s->greets++;
	cmd = make(argv, n, 0, NULL, fn, s);
	if (cmd != NULL)
		send_command(s, cmd);
	/* Without memory the time to connect runs out. */
}

static void
on_up(void *owner)
{
	struct store *s = owner;
	char db[16];

	if (s->state == STATE_ASKING) {
		say(s, told_master, "SENTINEL", "get-master-addr-by-name",
		    s->url.master);
		return;
	}
	if (s->url.password[0] != '\0' && s->url.user[0] != '\0')
		say(s, greeted, "AUTH", s->url.user, s->url.password);
	else if (s->url.password[0] != '\0')
		say(s, greeted, "AUTH", s->url.password, NULL);
	snprintf(db, sizeof db, "%d", s->url.db);
	if (s->url.db != 0)
		say(s, greeted, "SELECT", db, NULL);
	if (s->url.sentinel)
		say(s, told_role, "ROLE", NULL, NULL);
	say(s, greeted, "PING", NULL, NULL);
}

static void
on_down(void *owner, const char *why)
{
	struct store *s = owner;

	(void)why;
	s->conn = NULL; /* it ends itself */
	connection_failed(s, STORE_LOST);
}

/* ---- replies ---- */

/* "MOVED 1234 10.0.0.7:6381": there from now on. */
static bool
follow(struct store *s, struct command *c, const char *text)
{
	const char *p = strchr(text, ' '), *colon = strrchr(text, ':');
	struct store_item host, port;

	p = p == NULL ? NULL : strchr(p + 1, ' ');
	if (p == NULL || colon == NULL || colon < p || c->moves++ == MOVES)
		return false;
	host = (struct store_item){ p + 1, (size_t)(colon - p) - 1 };
	port = (struct store_item){ colon + 1, strlen(colon + 1) };
	if (!place_of(&s->here, &host, &port))
		return false;
	s->moved = true;
	s->leaving = true;
	c->deadline = clock_mono() + s->connect_limit + s->command_limit;
	put(&s->waiting, c);
	return true;
}

/* Is the command to be asked again? Then it is no longer the caller's. */
static bool
again(struct store *s, struct command *c, const struct store_reply *r)
{
	switch (rows[r->err].then) {
	case THEN_EVAL:
		if (c->script == NULL || c->eval)
			return false;
		c->eval = true;
		send_command(s, c);
		return true;
	case THEN_FOLLOW:
		return follow(s, c, r->text);
	default:
		return false;
	}
}

/* Nothing of use is under way on this connection any more: take another. */
static void
move_on(struct store *s)
{
	drop(s, STORE_LOST);
	if (s->waiting.first != NULL && !s->open && !s->closing)
		begin(s);
	set_timer(s);
}

static void
on_reply(void *owner, const struct store_reply *r)
{
	struct store *s = owner;
	struct command *c = take(&s->sent);

	if (c == NULL) { /* more replies than commands */
		connection_failed(s, STORE_BAD);
		return;
	}
	if (s->state == STATE_READY) {
		s->failures = 0;
		if (again(s, c, r))
			c = NULL;
	}
	if (c != NULL) {
		if (s->state == STATE_READY && r->err != STORE_OK)
			s->sums.failed++;
		done(c, r);
	}
	if (s->state == STATE_READY && rows[r->err].then == THEN_LEAVE &&
	    !s->closing) {
		store_leave(s);
		open_breaker(s);
		set_timer(s);
	}
	if (s->leaving && s->sent.count == 0 && s->state == STATE_READY)
		move_on(s);
}

/* ---- the callers' ---- */

static void
give(struct store *s, struct command *c)
{
	if (s->state == STATE_READY && !s->leaving) {
		send_command(s, c);
		return;
	}
	c->deadline = clock_mono() + s->connect_limit + s->command_limit;
	put(&s->waiting, c);
	if (s->state == STATE_IDLE)
		begin(s);
	touch_timer(s);
}

static void
command(struct store *s, const struct store_script *sc, size_t keys,
    const struct store_item *argv, size_t argc, store_fn *fn, void *arg)
{
	struct store_reply r = { .err = STORE_DOWN, .text = "" };
	struct command *c = NULL;

	s->sums.commands++;
	if (!s->closing && !(s->open && s->state != STATE_READY) &&
	    s->sent.count + s->waiting.count < STORE_QUEUE)
		c = make(argv, argc, keys, sc, fn, arg);
	if (c != NULL) {
		give(s, c);
		return;
	}
	s->sums.failed++;
	if (fn != NULL)
		fn(arg, &r);
}

void
store_command(struct store *s, const struct store_item *argv, size_t argc,
    store_fn *fn, void *arg)
{
	command(s, NULL, 0, argv, argc, fn, arg);
}

void
store_run(struct store *s, const struct store_script *sc, size_t keys,
    const struct store_item *argv, size_t argc, store_fn *fn, void *arg)
{
	assert(keys <= argc);
	command(s, sc, keys, argv, argc, fn, arg);
}

void
store_push(struct store *s)
{
	if (s->state == STATE_READY)
		conn_write(s->conn);
}

bool
store_up(const struct store *s)
{
	return !s->open;
}

void
store_greet(struct store *s, void (*fn)(void *arg), void *arg)
{
	s->greet = fn;
	s->greet_arg = arg;
}

void
store_leave(struct store *s)
{
	s->moved = false;
	drop(s, STORE_LOST);
}

void
store_limits(struct store *s, int connect_ms, int command_ms)
{
	s->connect_limit = connect_ms * MS;
	s->command_limit = command_ms * MS;
}

void
store_count(const struct store *s, struct store_sums *out)
{
	*out = s->sums;
}

struct store *
store_open(uv_loop_t *loop, const char *address, struct fault *f)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL) {
		fault_set(f, ERR_INTERNAL, "store", "no memory");
		return NULL;
	}
	if (store_url_read(&s->url, address, f) != ERR_OK) {
		free(s);
		return NULL;
	}
	s->loop = loop;
	store_limits(s, STORE_CONNECT_MS, STORE_COMMAND_MS);
	if (uv_timer_init(loop, &s->timer) != 0) {
		OPENSSL_cleanse(s, sizeof *s);
		free(s);
		fault_set(f, ERR_INTERNAL, "store", "no timer");
		return NULL;
	}
	s->timer.data = s;
	uv_unref((uv_handle_t *)&s->timer);
	return s;
}

static void
on_closed(uv_handle_t *h)
{
	struct store *s = h->data; /* which h is part of */

	OPENSSL_cleanse(s, sizeof *s);
	free(s);
}

void
store_close(struct store *s)
{
	if (s == NULL || s->closing)
		return;
	s->closing = true;
	drop(s, STORE_LOST);
	end_all(s, &s->waiting, STORE_LOST);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
