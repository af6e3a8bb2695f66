/* Between the files of token sources; of no use to others. */
#ifndef TOLLGATE_APP_TOKEN_INT_H
#define TOLLGATE_APP_TOKEN_INT_H

#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/token_source.h"

struct token_source {
	enum auth_scheme auth;
	bool (*there)(struct finding *f);
	enum find (*begin)(struct finding *f, int64_t now,
	    struct http_call *call);
	enum find (*answer)(struct finding *f, int64_t now, int status,
	    const char *body, size_t len, struct http_call *call);
};

extern const struct token_source source_aws_policy, source_aws_environment,
    source_aws_web_identity, source_aws_file, source_aws_container,
    source_aws_instance, source_google_account, source_google_machine,
    source_azure_client;

enum find find_failed(struct finding *f, const char *why);
const char *find_env(const char *name);
char *find_file(struct arena *a, const char *path, size_t max);
void find_header(struct http_call *call, const char *name,
    const char *value);
const char *find_text(struct finding *f, const struct json *doc,
    uint32_t obj, const char *key);
void find_form(struct buf *b, const char *key, const char *value);
enum find find_post(struct finding *f, const char *url, struct buf *form,
    struct http_call *call);
enum find find_get(struct finding *f, const char *url,
    struct http_call *call);
enum find find_oauth(struct finding *f, int status, const char *body,
    size_t len);

/* "2026-01-31T23:59:59Z" as seconds since 1970, -1 when it is none. */
int64_t find_time(const char *s);

/* RS256 of text with a PEM key, base64url from the arena; NULL: bad key. */
const char *find_rs256(struct finding *f, const char *pem, const char *text,
    size_t len);

#endif
