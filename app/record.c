/* Records: one line a request, one write a line. */
#include "app/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/decimal.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/entry.h"
#include "app/forward.h"
#include "app/ledger.h"
#include "app/worker.h"

#define RECORD_MAX KIB(4) /* a pipe takes this much whole or not at all */
#define VALUE_MAX 128 /* bytes of one value of a record */

struct recorder {
	int fd;	       /* STDERR_FILENO or a file */
	uint64_t lost; /* lines that nobody took */
};

static int
open_at(const char *where)
{
	if (where == NULL || strcmp(where, "stderr") == 0)
		return STDERR_FILENO;
	/* A pipe without a reader is refused: nobody waits for one. */
	return open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0600);
}

struct recorder *
recorder_new(const char *where)
{
	struct recorder *rec = calloc(1, sizeof *rec);

	if (rec != NULL) {
		rec->fd = STDERR_FILENO;
		recorder_reopen(rec, where);
	}
	return rec;
}

void
recorder_reopen(struct recorder *rec, const char *where)
{
	int fd = open_at(where), was = rec->fd;

	if (fd < 0) { /* rather the old place than none */
		recorder_note(rec, "error", "cannot open the log '%s': %s",
		    where, strerror(errno));
		return;
	}
	rec->fd = fd;
	if (was > STDERR_FILENO)
		close(was);
}

void
recorder_free(struct recorder *rec)
{
	if (rec == NULL)
		return;
	if (rec->fd > STDERR_FILENO)
		close(rec->fd);
	free(rec);
}

/*
 * A line is one write, so that lines of several workers do not mix. Whoever
 * reads the other end of a pipe may have stopped: rather lose lines than let
 * all requests wait for him.
 */
static bool
put(struct recorder *rec, const char *p, size_t len)
{
	struct pollfd at = { .fd = rec->fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&at, 1, 0) != 1 || (at.revents & POLLOUT) == 0)
		return false;
	do
		n = write(rec->fd, p, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static void
write_line(struct recorder *rec, struct buf *b)
{
	char note[96];
	int n;

	buf_putc(b, '\n');
	if (b->failed) {
		rec->lost++;
		return;
	}
	if (rec->lost > 0) {
		n = snprintf(note, sizeof note, "{\"level\":\"error\","
		    "\"message\":\"records lost\",\"lines\":%llu}\n",
		    (unsigned long long)rec->lost);
		if (put(rec, note, (size_t)n))
			rec->lost = 0;
	}
	if (!put(rec, b->data, b->len))
		rec->lost++;
}

static void
write_time(struct json_writer *w)
{
	int64_t now = clock_wall();
	time_t second = (time_t)(now / 1000000);
	char text[64];
	struct tm tm;
	size_t n;

	gmtime_r(&second, &tm);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%03dZ",
	    (int)(now / 1000 % 1000));
	jw_key(w, "time");
	jw_string(w, text);
}

static void
pair(struct json_writer *w, const char *key, const char *value)
{
	size_t len = value == NULL ? 0 : strlen(value);

	if (len == 0)
		return;
	jw_key(w, key);
	jw_stringn(w, value, len < VALUE_MAX ? len : VALUE_MAX);
}

static void
number(struct json_writer *w, const char *key, int64_t n)
{
	jw_key(w, key);
	jw_int(w, n);
}

static void
millis(struct json_writer *w, const char *key, int64_t us)
{
	char text[DECIMAL_SIZE];
	size_t len = decimal(text, us, 3);

	jw_key(w, key);
	jw_raw(w, text, len);
}

void
recorder_note(struct recorder *rec, const char *level, const char *fmt, ...)
{
	struct json_writer w;
	char text[1024];
	struct buf b;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_init(&b, RECORD_MAX);
	jw_init(&w, &b);
	jw_object(&w);
	write_time(&w);
	pair(&w, "level", level);
	pair(&w, "message", text);
	number(&w, "pid", getpid());
	jw_end_object(&w);
	write_line(rec, &b);
	buf_free(&b);
}

static void
write_usage(struct json_writer *w, const struct attempt *at)
{
	static const struct {
		enum unit unit;
		const char *name;
	} counts[] = {
		{ UNIT_CACHED_INPUT, "cached_tokens" },
		{ UNIT_REASONING, "reasoning_tokens" },
		{ UNIT_SEARCH, "searches" },
		{ UNIT_IMAGE, "images" },
		{ UNIT_CHARACTERS, "characters" },
		{ UNIT_SECOND, "seconds" },
	};
	const struct usage *u = &at->usage;
	char cost[32];
	size_t i;

	number(w, "input_tokens", usage_input(u));
	number(w, "output_tokens", usage_output(u));
	for (i = 0; i < sizeof counts / sizeof counts[0]; i++)
		if (u->n[counts[i].unit] != 0)
			number(w, counts[i].name, u->n[counts[i].unit]);
	if (u->service != SERVICE_STANDARD)
		pair(w, "service_tier", service_name(u->service));
	if (u->estimated) {
		jw_key(w, "estimated");
		jw_bool(w, true);
	}
	if (at->doubtful) {
		jw_key(w, "usage_doubtful");
		jw_bool(w, true);
	}
	if (at->sent != 0 && (at->draining || (at->left &&
	    at->deployment->provider->on_abort == ABORT_DRAIN))) {
		jw_key(w, "drained");
		jw_bool(w, at->served);
	}
	if (at->cost < 0)
		return;
	number(w, "cost_nano", at->cost);
	price_format(at->cost, cost, sizeof cost);
	pair(w, "cost", cost);
}

static void
write_attempt(struct json_writer *w, const struct attempt *at)
{
	jw_object(w);
	pair(w, "provider", at->deployment->provider->name);
	pair(w, "model", at->deployment->model);
	if (at->status != 0)
		number(w, "status", at->status);
	pair(w, "failure", at->reason);
	if (at->hedge) {
		jw_key(w, "hedge");
		jw_bool(w, true);
	}
	millis(w, "ms", at->ended - at->started);
	if (at->usage.known)
		write_usage(w, at);
	jw_end_object(w);
}

static void
write_forward(struct json_writer *w, const struct request *r, bool each)
{
	const struct attempt *at, *last = forward_shown(r);

	if (last == NULL)
		return;
	pair(w, "provider", last->deployment->provider->name);
	pair(w, "deployment", last->deployment->id);
	if (last->usage.known)
		write_usage(w, last);
	if (last->first_content != 0 && r->chat.stream)
		millis(w, "ttft_ms", last->first_content - r->arrived);
	number(w, "attempt_count", r->forward->pursuit.count);
	if (!each)
		return;
	jw_key(w, "attempts");
	jw_array(w);
	for (at = r->forward->first; at != NULL; at = at->next)
		write_attempt(w, at);
	jw_end_array(w);
}

/* The line of a request; `each`: with every attempt, not only the last. */
static void
write_request(struct buf *b, const struct request *r, bool each)
{
	struct json_writer w;

	jw_init(&w, b);
	jw_object(&w);
	write_time(&w);
	pair(&w, "level", r->err == ERR_OK ? "info" : "error");
	pair(&w, "id", r->id);
	if (r->endpoint != NULL)
		pair(&w, "operation", r->chat.count ? "count" :
		    r->endpoint->operation);
	if (r->key != NULL) {
		pair(&w, "key", r->key->name);
		pair(&w, "team", r->key->team);
		pair(&w, "user", r->key->user);
	}
	pair(&w, "model", r->chat.model);
	if (r->plan.rule != NULL)
		pair(&w, "rule", r->plan.rule->name);
	jw_key(&w, "stream");
	jw_bool(&w, r->chat.stream);
	number(&w, "status", r->status);
	if (r->err != ERR_OK)
		pair(&w, "error", err_row(r->err)->label);
	millis(&w, "ms", r->ended - r->arrived);
	number(&w, "bytes_out", (int64_t)r->bytes_out);
	if (r->forward != NULL)
		write_forward(&w, r, each);
	else if (r->filed != NULL && r->plan.count > 0)
		pair(&w, "provider", r->plan.order[0]->provider->name);
	pair(&w, "policy", r->policy->hash);
	jw_end_object(&w);
}

void
record_batch(struct recorder *rec, const struct entry *e,
    const struct usage_row *who)
{
	struct json_writer w;
	struct buf b;
	char cost[32];

	buf_init(&b, RECORD_MAX);
	jw_init(&w, &b);
	jw_object(&w);
	write_time(&w);
	pair(&w, "level", "info");
	pair(&w, "id", e->id);
	pair(&w, "operation", "batch");
	pair(&w, "key", who->key);
	pair(&w, "team", who->team);
	pair(&w, "user", who->user);
	pair(&w, "model", e->model);
	pair(&w, "provider", e->provider);
	pair(&w, "deployment", e->deployment);
	pair(&w, "batch", batch_status_word(e->state.status));
	number(&w, "requests", e->lines);
	number(&w, "answered", e->answered);
	number(&w, "input_tokens", e->input_tokens);
	number(&w, "output_tokens", e->output_tokens);
	if (e->cached != 0)
		number(&w, "cached_tokens", e->cached);
	number(&w, "cost_nano", e->spent);
	price_format(e->spent, cost, sizeof cost);
	pair(&w, "cost", cost);
	jw_end_object(&w);
	write_line(rec, &b);
	buf_free(&b);
}

void
record_write(struct request *r)
{
	struct buf b;

	if (r->endpoint != NULL && r->endpoint->open && r->err == ERR_OK)
		return; /* health checks would drown the rest */
	buf_init(&b, RECORD_MAX);
	write_request(&b, r, true);
	if (b.failed || b.len == RECORD_MAX) { /* what it cost must stand */
		buf_clear(&b);
		write_request(&b, r, false);
	}
	write_line(r->worker->recorder, &b);
	buf_free(&b);
}
