/*
 * How long the parsers take: a body of 1 KiB, one of 30 KiB, one that is
 * mostly base64, and a chunk of a stream. Prints nanoseconds of CPU time;
 * judges nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/base/sse.h"

static const char prose[] =
    "The river rose in the night and by morning the lower meadow was a "
    "lake. We moved the sheep uphill, mended what fence we could reach, "
    "and waited. \\\"It will drop by noon,\\\" she said.\\n";

/* Microseconds that this process worked. */
static int64_t
work_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A chat request of about `size` bytes. */
static void
chat_body(struct buf *b, size_t size)
{
	int i;

	buf_init(b, LIMIT_BODY);
	buf_puts(b, "{\"model\":\"smart\",\"temperature\":0.7,\"max_tokens\":"
	    "512,\"stream\":true,\"stream_options\":{\"include_usage\":true},"
	    "\"metadata\":{\"env\":\"staging\",\"user\":\"u-17\"},"
	    "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}");
	for (i = 0; b->len + 50 < size; i++)
		buf_printf(b, ",{\"role\":\"%s\",\"content\":\"%s\"}",
		    i % 2 ? "assistant" : "user", prose);
	buf_puts(b, "]}");
}

static void
base64_body(struct buf *b, size_t size)
{
	buf_init(b, LIMIT_BODY);
	buf_puts(b, "{\"model\":\"m\",\"image\":\"");
	while (b->len < size)
		buf_puts(b, "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ");
	buf_puts(b, "\"}");
}

static void
time_json(const char *name, const struct buf *b, int turns)
{
	int64_t t = work_time();
	struct json doc;
	struct arena *a;
	int i;

	for (i = 0; i < turns; i++) {
		a = arena_new(LIMIT_ARENA);
		if (a == NULL ||
		    json_parse(&doc, a, b->data, b->len, NULL) != ERR_OK)
			abort();
		arena_free(a);
	}
	t = work_time() - t;
	printf("%-24s %8zu bytes %10.0f ns\n", name, b->len,
	    1000.0 * (double)t / turns);
}

static enum err
count_event(void *arg, const struct sse_event *ev)
{
	*(size_t *)arg += ev->len;
	return ERR_OK;
}

static void
time_sse(int turns)
{
	char chunk[512];
	size_t got = 0;
	struct sse s;
	int64_t t;
	int n, i;

	n = snprintf(chunk, sizeof chunk, "data: {\"id\":\"chatcmpl-123\","
	    "\"object\":\"chat.completion.chunk\",\"created\":1784000000,"
	    "\"model\":\"gpt-5.4\",\"system_fingerprint\":\"fp_44709d6fcb\","
	    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" meadow\"},"
	    "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,"
	    "\"obfuscation\":\"aZ81xXq0pP17s8Wq\"}\n\n");
	sse_init(&s, LIMIT_EVENT);
	t = work_time();
	for (i = 0; i < turns; i++)
		if (sse_feed(&s, chunk, (size_t)n, count_event, &got) != ERR_OK)
			abort();
	t = work_time() - t;
	sse_free(&s);
	printf("%-24s %8d bytes %10.0f ns\n", "SSE chunk", n,
	    1000.0 * (double)t / turns);
}

int
main(void)
{
	struct buf b;

	chat_body(&b, 1024);
	time_json("JSON, chat", &b, 200000);
	buf_free(&b);
	chat_body(&b, 30 * 1024);
	time_json("JSON, chat", &b, 20000);
	buf_free(&b);
	base64_body(&b, 1024 * 1024);
	time_json("JSON, base64", &b, 2000);
	buf_free(&b);
	time_sse(500000);
	return 0;
}
