/*
 * The cache: an entry for each credential in use, at most one fetch of it
 * under way. Entries are found by what they depend on, so that a newer
 * policy with the same account finds the token of the older one.
 */
#include "app/token.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/sigv4.h"
#include "app/token_lock.h"
#include "app/token_source.h"
#include "app/transport.h"
#include "policy/vault.h"

#define SECOND INT64_C(1000000)
#define LIFE_UNKNOWN 300 /* seconds, when the source does not tell */
#define CONNECT_TIME (5 * SECOND)
#define BYTES_TIME (10 * SECOND)
#define RETRY_LEAST SECOND
#define RETRY_MOST (60 * SECOND)
#define LOCK_TRY 50 /* ms between two tries to get the lock */
#define LOCK_PATIENCE SECOND /* then rather two fetch than one request fails */
#define IDLE (3600 * SECOND) /* unused for so long: forgotten */

struct token_entry {
	struct token_entry *next;
	struct tokens *tokens;
	unsigned char key[HASH_LEN];
	struct provider like; /* strings from copies; to ask again */
	struct vault *copies;

	/* In force: NULL = none. Times are of clock_mono. */
	struct vault *vault;
	struct token token;
	int64_t obtained, renew, expires, used;
	int64_t skew;	/* of the provider's clock, s */
	int64_t forced; /* when one was last given up as refused, 0 = never */

	/* The next one, while it is looked for. */
	struct finding finding;
	struct arena *arena; /* NULL: nobody looks */
	struct call *call;
	bool locked;	      /* no other worker fetches it now */
	int64_t impatient;    /* until when the lock is waited for, 0 = it
			       * is not, -1 = it was, in vain */
	struct http_call http;
	struct buf body;
	int status;
	int64_t retry, pause; /* not before; how long the next time */
	struct token_wait *waits;
};

struct tokens {
	struct transport *transport;
	struct token_entry *entries;
	uv_idle_t idle; /* tells those who wait, from the loop */
	uv_timer_t timer; /* tries for locks again */
	int lock;	  /* token_lock_open */
	unsigned open;	  /* handles that are not closed */
};

/* ------------------------------------------------------------- entries */

/* What a credential depends on. */
#define STRINGS 7
static void
strings_of(const struct provider *p, const char *list[STRINGS])
{
	size_t i;

	list[0] = p->credentials;
	list[1] = p->access_key;
	list[2] = p->secret_key;
	list[3] = p->session_token;
	list[4] = p->region;
	list[5] = p->form.scope;
	list[6] = p->form.token_url;
	for (i = 0; i < STRINGS; i++)
		if (list[i] == NULL)
			list[i] = "";
}

/* The same as a digest. */
static bool
key_of(const struct provider *p, unsigned char key[HASH_LEN])
{
	const char *list[STRINGS];
	struct buf b;
	size_t i;
	bool ok;

	strings_of(p, list);
	buf_init(&b, MIB(1));
	buf_printf(&b, "%d", (int)p->auth);
	for (i = 0; i < STRINGS; i++)
		buf_put(&b, list[i], strlen(list[i]) + 1);
	ok = !b.failed && hash_sha256(key, b.data, b.len) == ERR_OK;
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	buf_free(&b);
	return ok;
}

static bool
copy_provider(struct token_entry *e, const struct provider *p)
{
	const char **to[STRINGS] = { &e->like.credentials,
		&e->like.access_key, &e->like.secret_key,
		&e->like.session_token, &e->like.region,
		&e->like.form.scope, &e->like.form.token_url };
	const char *from[STRINGS];
	size_t i;

	strings_of(p, from);
	e->like.auth = p->auth;
	for (i = 0; i < STRINGS; i++) {
		*to[i] = vault_dup(e->copies, from[i], strlen(from[i]));
		if (*to[i] == NULL)
			return false;
	}
	return true;
}

static void
stop_looking(struct token_entry *e)
{
	if (e->call != NULL)
		transport_cancel(e->call);
	e->call = NULL;
	buf_free(&e->body);
	arena_free(e->arena);
	e->arena = NULL;
	if (e->locked)
		token_lock_leave(e->tokens->lock, e->key);
	e->locked = false;
	e->impatient = 0;
}

static void
entry_free(struct token_entry *e)
{
	stop_looking(e);
	while (e->waits != NULL)
		tokens_leave(e->waits);
	vault_free(e->vault);
	vault_free(e->copies);
	free(e);
}

static struct token_entry *
entry_find(struct tokens *t, const struct provider *p, bool make)
{
	unsigned char key[HASH_LEN];
	struct token_entry *e;

	if (!key_of(p, key))
		return NULL;
	for (e = t->entries; e != NULL; e = e->next)
		if (memcmp(e->key, key, sizeof key) == 0)
			return e;
	if (!make || (e = calloc(1, sizeof *e)) == NULL)
		return NULL;
	e->tokens = t;
	memcpy(e->key, key, sizeof key);
	e->copies = vault_new(KIB(256));
	if (e->copies == NULL || !copy_provider(e, p)) {
		entry_free(e);
		return NULL;
	}
	e->next = t->entries;
	t->entries = e;
	return e;
}

/* ------------------------------------------------------------- waiting */

static void
on_idle(uv_idle_t *h)
{
	struct tokens *t = h->data;
	struct token_entry *e;
	struct token_wait *w;

	uv_idle_stop(h);
	for (e = t->entries; e != NULL; e = e->next)
		while (e->arena == NULL && (w = e->waits) != NULL) {
			tokens_leave(w);
			w->ready(w->arg);
		}
}

static void
wait_for(struct token_entry *e, struct token_wait *w)
{
	if (w == NULL || w->link != NULL)
		return;
	w->next = e->waits;
	if (w->next != NULL)
		w->next->link = &w->next;
	w->link = &e->waits;
	e->waits = w;
}

void
tokens_leave(struct token_wait *w)
{
	if (w->link == NULL)
		return;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	w->link = NULL;
}

/* ------------------------------------------------------------- looking */

/* It is over, well or not. */
static void
looked(struct token_entry *e)
{
	stop_looking(e);
	if (e->waits != NULL)
		uv_idle_start(&e->tokens->idle, on_idle);
}

static void
failed(struct token_entry *e)
{
	e->pause = e->pause == 0 ? RETRY_LEAST : e->pause * 2;
	if (e->pause > RETRY_MOST)
		e->pause = RETRY_MOST;
	e->retry = clock_mono() + e->pause;
	looked(e);
}

/* 80 % of the life and a tenth more or less, so that hosts do not meet. */
static int64_t
renewal(int64_t life)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof r, GRND_NONBLOCK) != (ssize_t)sizeof r)
		r = (uint32_t)clock_mono();
	return life / 1000 * (720 + (int64_t)(r % 161));
}

static void
take(struct token_entry *e)
{
	const struct found *f = &e->finding.found;
	int64_t life = (f->life <= 0 ? LIFE_UNKNOWN : f->life) * SECOND;
	struct vault *v = vault_new(KIB(128));
	struct token t = { .bearer = NULL };

	if (v != NULL) {
		t.bearer = vault_dup(v, f->bearer, strlen(f->bearer));
		t.access_key = vault_dup(v, f->access_key,
		    strlen(f->access_key));
		t.secret_key = vault_dup(v, f->secret_key,
		    strlen(f->secret_key));
		t.session_token = vault_dup(v, f->session_token,
		    strlen(f->session_token));
	}
	if (t.bearer == NULL || t.access_key == NULL ||
	    t.secret_key == NULL || t.session_token == NULL) {
		vault_free(v);
		failed(e);
		return;
	}
	vault_free(e->vault);
	e->vault = v;
	e->token = t;
	e->obtained = clock_mono();
	e->renew = e->obtained + renewal(life);
	e->expires = e->obtained + life;
	e->retry = e->pause = 0;
	looked(e);
}

static void go_on(struct token_entry *e, enum find how);

static void
on_sent(void *arg)
{
	(void)arg;
}

static void
on_head(void *arg, struct call *c, int status)
{
	struct token_entry *e = arg;

	(void)c;
	e->status = status;
}

static bool
on_data(void *arg, struct call *c, const char *p, size_t len)
{
	struct token_entry *e = arg;

	(void)c;
	buf_put(&e->body, p, len);
	return true;
}

static void
on_done(void *arg, enum call_end end)
{
	struct token_entry *e = arg;
	bool whole = end == CALL_OK && !e->body.failed;

	e->call = NULL;
	go_on(e, find_answer(&e->finding, clock_wall() / SECOND,
	    whole ? e->status : 0, e->body.data == NULL ? "" : e->body.data,
	    whole ? e->body.len : 0, &e->http));
}

static bool
send_call(struct token_entry *e)
{
	static const struct call_sink sink = { .sent = on_sent,
		.head = on_head, .data = on_data, .done = on_done };
	const struct http_call *hc = &e->http;
	struct call_header headers[sizeof hc->headers /
	    sizeof hc->headers[0]];
	struct call_request rq = { .method = hc->method, .url = hc->url,
		.headers = headers, .header_count = hc->header_count,
		.body = hc->body, .body_len = hc->body_len,
		.connect_timeout = CONNECT_TIME, .bytes_timeout = BYTES_TIME,
		.private_net = e->finding.private_net };
	size_t i;

	for (i = 0; i < hc->header_count; i++) {
		headers[i].name = hc->headers[i].name;
		headers[i].value = hc->headers[i].value;
	}
	buf_free(&e->body);
	buf_init(&e->body, LIMIT_ERROR_BODY);
	e->status = 0;
	e->call = transport_start(e->tokens->transport, &rq, &sink, e);
	return e->call != NULL;
}

static void on_lock_timer(uv_timer_t *timer);

/*
 * May this worker fetch now? While a token is in force another one's fetch
 * is waited for until the token ends, else not for long.
 */
static bool
my_turn(struct token_entry *e)
{
	struct tokens *t = e->tokens;
	int64_t now = clock_mono();

	if (e->locked || e->impatient < 0)
		return true;
	if (e->impatient == 0)
		e->impatient = e->vault != NULL ? e->expires :
		    now + LOCK_PATIENCE;
	e->locked = token_lock_take(t->lock, e->key);
	if (e->locked || now >= e->impatient) {
		e->impatient = e->locked ? 0 : -1;
		return true;
	}
	if (!uv_is_active((uv_handle_t *)&t->timer))
		uv_timer_start(&t->timer, on_lock_timer, LOCK_TRY, LOCK_TRY);
	return false;
}

static void
go_on(struct token_entry *e, enum find how)
{
	switch (how) {
	case FIND_DONE:
		take(e);
		return;
	case FIND_CALL:
		if (!my_turn(e) || send_call(e))
			return;
		break;
	case FIND_FAILED:
		break;
	}
	failed(e);
}

static void
on_lock_timer(uv_timer_t *timer)
{
	struct tokens *t = timer->data;
	struct token_entry *e;
	bool waiting = false;

	for (e = t->entries; e != NULL; e = e->next) {
		if (e->impatient > 0)
			go_on(e, FIND_CALL);
		waiting |= e->impatient > 0;
	}
	if (!waiting)
		uv_timer_stop(timer);
}

/* Begin to look for a new one, unless someone does or it just failed. */
static void
look(struct token_entry *e)
{
	if (e->arena != NULL || clock_mono() < e->retry)
		return;
	e->arena = arena_new(MIB(2));
	if (e->arena == NULL || !find_init(&e->finding, e->arena, &e->like)) {
		failed(e);
		return;
	}
	go_on(e, find_begin(&e->finding, clock_wall() / SECOND, &e->http));
}

/* -------------------------------------------------------------- outside */

struct tokens *
tokens_new(uv_loop_t *loop, struct transport *transport, const char *dir)
{
	struct tokens *t = calloc(1, sizeof *t);

	if (t == NULL || uv_idle_init(loop, &t->idle) != 0 ||
	    uv_timer_init(loop, &t->timer) != 0) {
		free(t);
		return NULL;
	}
	t->idle.data = t->timer.data = t;
	t->open = 2;
	t->transport = transport;
	t->lock = token_lock_open(dir);
	return t;
}

static void
on_closed(uv_handle_t *h)
{
	struct tokens *t = h->data;

	if (--t->open == 0)
		free(t);
}

void
tokens_free(struct tokens *t)
{
	struct token_entry *e;

	if (t == NULL)
		return;
	while ((e = t->entries) != NULL) {
		t->entries = e->next;
		entry_free(e);
	}
	if (t->lock >= 0)
		close(t->lock);
	uv_close((uv_handle_t *)&t->idle, on_closed);
	uv_close((uv_handle_t *)&t->timer, on_closed);
}

enum token_state
tokens_get(struct tokens *t, const struct provider *p, struct token *out,
    struct token_wait *w)
{
	struct token_entry *e;
	int64_t now;

	*out = (struct token){ "", "", "", "", 0 };
	if (!find_needed(p))
		return TOKEN_READY;
	e = entry_find(t, p, true);
	if (e == NULL)
		return TOKEN_FAILED;
	now = e->used = clock_mono();
	if (e->vault == NULL || now >= e->renew)
		look(e);
	if (e->vault != NULL && now < e->expires) {
		*out = e->token;
		out->skew = e->skew;
		return TOKEN_READY;
	}
	if (e->arena == NULL)
		return TOKEN_FAILED;
	wait_for(e, w);
	return TOKEN_WAIT;
}

bool
tokens_refused(struct tokens *t, const struct provider *p)
{
	struct token_entry *e;
	int64_t now = clock_mono();

	if (!find_needed(p) || (e = entry_find(t, p, false)) == NULL)
		return false;
	if (e->vault == NULL)
		return e->arena != NULL;
	if ((e->forced != 0 &&
		now - e->forced < TOKEN_REFUSED_SECONDS * SECOND) ||
	    e->expires - e->obtained >= TOKEN_FOREVER * SECOND)
		return false;
	vault_free(e->vault);
	e->vault = NULL;
	e->forced = now;
	look(e);
	return e->vault != NULL || e->arena != NULL;
}

bool
tokens_skewed(struct tokens *t, const struct provider *p, const char *type,
    const char *message, int64_t date)
{
	int64_t skew = date - clock_wall() / SECOND;
	struct token_entry *e;

	if (p->auth != AUTH_SIGV4 || date < 0 ||
	    (e = entry_find(t, p, false)) == NULL ||
	    !sigv4_skewed(type, message, skew - e->skew))
		return false;
	e->skew = skew;
	return true;
}

void
tokens_tick(struct tokens *t)
{
	struct token_entry **link = &t->entries, *e;
	int64_t now = clock_mono();

	while ((e = *link) != NULL) {
		if (now - e->used > IDLE && e->waits == NULL) {
			*link = e->next;
			entry_free(e);
			continue;
		}
		/* Used since the last one came: it will be used again. */
		if (e->vault != NULL && now >= e->renew &&
		    e->used >= e->obtained)
			look(e);
		link = &e->next;
	}
}
