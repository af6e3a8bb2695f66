/* The table of sources and the work they share. */
#include "app/token_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/percent.h"
#include "app/headers.h"
#include "app/token_int.h"

static const struct token_source *const sources[] = {
	&source_aws_policy, &source_aws_environment, &source_aws_web_identity,
	&source_aws_file, &source_aws_container, &source_aws_instance,
	&source_google_account, &source_google_machine, &source_azure_client,
};
#define SOURCES (sizeof sources / sizeof sources[0])

bool
find_needed(const struct provider *p)
{
	return p->auth == AUTH_SIGV4 || p->auth == AUTH_GOOGLE ||
	    p->auth == AUTH_AZURE;
}

bool
find_init(struct finding *f, struct arena *a, const struct provider *p)
{
	const struct {
		const char **to, *from;
	} copies[] = {
		{ &f->credentials, p->credentials },
		{ &f->access_key, p->access_key },
		{ &f->secret_key, p->secret_key },
		{ &f->session_token, p->session_token },
		{ &f->region, p->region },
		{ &f->form.scope, p->form.scope },
		{ &f->form.token_url, p->form.token_url },
	};
	size_t i;

	memset(f, 0, sizeof *f);
	f->arena = a;
	f->auth = p->auth;
	f->failure = f->note = "";
	f->found.bearer = f->found.access_key = f->found.secret_key =
	    f->found.session_token = "";
	for (i = 0; i < sizeof copies / sizeof copies[0]; i++) {
		*copies[i].to = arena_str(a, copies[i].from == NULL ? "" :
		    copies[i].from);
		if (*copies[i].to == NULL)
			return false;
	}
	return true;
}

enum find
find_failed(struct finding *f, const char *why)
{
	f->failure = why;
	return FIND_FAILED;
}

const char *
find_env(const char *name)
{
	const char *s = getenv(name);

	return s == NULL ? "" : s;
}

/* The content of a small file from the arena, NULL when there is none. */
char *
find_file(struct arena *a, const char *path, size_t max)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n;

	if (f == NULL)
		return NULL;
	text = arena_alloc(a, max + 1);
	if (text != NULL) {
		n = fread(text, 1, max + 1, f);
		if (n > max || memchr(text, '\0', n) != NULL)
			text = NULL;
		else
			text[n] = '\0';
	}
	fclose(f);
	return text;
}

void
find_header(struct http_call *call, const char *name, const char *value)
{
	/* A source has few of them; without one it is refused, and said so. */
	(void)http_call_header(call, name, value);
}

/* A string of a JSON object, "" when it is not there. */
const char *
find_text(struct finding *f, const struct json *doc, uint32_t obj,
    const char *key)
{
	const char *s = json_cstr(doc, json_get(doc, obj, key), f->arena);
	const char *p;

	/* It goes into headers: nothing else than printable characters. */
	for (p = s; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return "";
	return s == NULL || strlen(s) > TOKEN_TEXT ? "" : s;
}

void
find_form(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s%s=", b->len > 0 ? "&" : "", key);
	percent_put(b, value, strlen(value));
}

enum find
find_post(struct finding *f, const char *url, struct buf *form,
    struct http_call *call)
{
	call->method = "POST";
	call->url = arena_str(f->arena, url);
	call->body = form->failed ? NULL :
	    arena_dup(f->arena, form->data, form->len);
	call->body_len = form->len;
	buf_free(form);
	find_header(call, "content-type",
	    "application/x-www-form-urlencoded");
	find_header(call, "accept", "application/json");
	return call->url == NULL || call->body == NULL ?
	    find_failed(f, "out of memory") : FIND_CALL;
}

enum find
find_get(struct finding *f, const char *url, struct http_call *call)
{
	call->method = "GET";
	call->url = url;
	return url == NULL ? find_failed(f, "out of memory") : FIND_CALL;
}

/* { access_token, expires_in }: what OAuth token endpoints answer. */
enum find
find_oauth(struct finding *f, int status, const char *body, size_t len)
{
	struct json doc;

	if (status != 200)
		return find_failed(f, status == 0 ?
		    "the token endpoint does not answer" :
		    "the token endpoint refused");
	if (json_parse(&doc, f->arena, body, len, NULL) != ERR_OK)
		return find_failed(f, "the token endpoint sent no JSON");
	f->found.bearer = find_text(f, &doc, JSON_ROOT, "access_token");
	json_int(&doc, json_get(&doc, JSON_ROOT, "expires_in"),
	    &f->found.life);
	if (*f->found.bearer == '\0')
		return find_failed(f, "the token endpoint sent no token");
	return FIND_DONE;
}

enum find
find_begin(struct finding *f, int64_t now, struct http_call *call)
{
	size_t i;

	for (i = 0; i < SOURCES; i++) {
		if (sources[i]->auth != f->auth || !sources[i]->there(f))
			continue;
		f->source = sources[i];
		f->step = 0;
		memset(call, 0, sizeof *call);
		return f->source->begin(f, now, call);
	}
	return find_failed(f, "no credentials are given, nor in the "
	    "environment");
}

enum find
find_answer(struct finding *f, int64_t now, int status, const char *body,
    size_t len, struct http_call *call)
{
	memset(call, 0, sizeof *call);
	return f->source->answer(f, now, status, body, len, call);
}
