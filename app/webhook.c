/* Posts to an operator's address. */
#include "app/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/transport.h"

#define POSTS 16 /* under way at once */
#define SECOND INT64_C(1000000)

struct post {
	struct webhooks *owner;
	struct call *call; /* NULL: free */
	char *body;
	int status;
};

struct webhooks {
	struct transport *transport;
	void (*told)(void *arg, const char *text);
	void *arg;
	struct post posts[POSTS];
};

struct webhooks *
webhooks_new(struct transport *t, void (*told)(void *arg, const char *text),
    void *arg)
{
	struct webhooks *w = calloc(1, sizeof *w);

	if (w != NULL) {
		w->transport = t;
		w->told = told;
		w->arg = arg;
	}
	return w;
}

static void
release(struct post *p)
{
	p->call = NULL;
	free(p->body);
	p->body = NULL;
}

void
webhooks_free(struct webhooks *w)
{
	size_t i;

	if (w == NULL)
		return;
	for (i = 0; i < POSTS; i++) {
		if (w->posts[i].call != NULL)
			transport_cancel(w->posts[i].call);
		release(&w->posts[i]);
	}
	free(w);
}

static void
on_head(void *arg, struct call *c, int status)
{
	struct post *p = arg;

	(void)c;
	p->status = status;
}

static bool
on_data(void *arg, struct call *c, const char *bytes, size_t len)
{
	(void)arg;
	(void)c;
	(void)bytes;
	(void)len;
	return true; /* nobody reads the answer */
}

static void
on_done(void *arg, enum call_end end)
{
	struct post *p = arg;
	struct webhooks *w = p->owner;
	char text[96];
	int status = p->status;

	release(p);
	if (end == CALL_OK && status / 100 == 2)
		return;
	if (end == CALL_OK)
		snprintf(text, sizeof text, "the webhook answered %d", status);
	else
		snprintf(text, sizeof text, "the webhook cannot be reached");
	w->told(w->arg, text);
}

static void
on_sent(void *arg)
{
	(void)arg;
}

void
webhooks_post(struct webhooks *w, const char *url, const char *body,
    size_t len)
{
	static const struct call_sink sink = { .sent = on_sent,
		.head = on_head, .data = on_data, .done = on_done };
	static const struct call_header type = { "content-type",
		"application/json" };
	struct call_request rq = { .method = "POST", .url = url,
		.headers = &type, .header_count = 1, .body_len = len,
		.connect_timeout = 2 * SECOND, .bytes_timeout = 10 * SECOND,
		.private_net = true };
	size_t i;

	if (*url == '\0')
		return;
	for (i = 0; i < POSTS && w->posts[i].call != NULL; i++)
		continue;
	if (i == POSTS) {
		w->told(w->arg, "too many posts to the webhook at once");
		return;
	}
	w->posts[i] = (struct post){ .owner = w, .body = malloc(len + 1) };
	if (w->posts[i].body != NULL) {
		memcpy(w->posts[i].body, body, len);
		rq.body = w->posts[i].body;
		w->posts[i].call = transport_start(w->transport, &rq, &sink,
		    &w->posts[i]);
	}
	if (w->posts[i].call == NULL) {
		release(&w->posts[i]);
		w->told(w->arg, "the webhook cannot be asked");
	}
}
