/*
 * Keys for AWS, in the order of its SDKs: policy, environment, web identity,
 * shared credentials file, container, instance.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/token_int.h"
#include "policy/url.h"

#define FILE_MAX KIB(256)
#define STATIC_LIFE 60 /* seconds after which a file is looked at again */
#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define ROLES "/latest/meta-data/iam/security-credentials/"

int64_t
find_time(const char *s)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end == NULL)
		return -1;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) : -1;
}

/* ---------------------------------------------------- policy, environment */

static bool
policy_there(struct finding *f)
{
	return *f->access_key != '\0' && *f->secret_key != '\0';
}

static enum find
policy_begin(struct finding *f, int64_t now, struct http_call *call)
{
	(void)now;
	(void)call;
	f->found.access_key = f->access_key;
	f->found.secret_key = f->secret_key;
	f->found.session_token = f->session_token;
	f->found.life = TOKEN_FOREVER;
	return FIND_DONE;
}

const struct token_source source_aws_policy = {
	.auth = AUTH_SIGV4, .there = policy_there, .begin = policy_begin };

static bool
environment_there(struct finding *f)
{
	(void)f;
	return *find_env("AWS_ACCESS_KEY_ID") != '\0' &&
	    *find_env("AWS_SECRET_ACCESS_KEY") != '\0';
}

static enum find
environment_begin(struct finding *f, int64_t now, struct http_call *call)
{
	(void)now;
	(void)call;
	f->found.access_key = find_env("AWS_ACCESS_KEY_ID");
	f->found.secret_key = find_env("AWS_SECRET_ACCESS_KEY");
	f->found.session_token = find_env("AWS_SESSION_TOKEN");
	f->found.life = TOKEN_FOREVER;
	return FIND_DONE;
}

const struct token_source source_aws_environment = {
	.auth = AUTH_SIGV4, .there = environment_there,
	.begin = environment_begin };

/* --------------------------------------------------------- web identity */

static bool
web_there(struct finding *f)
{
	(void)f;
	return *find_env("AWS_WEB_IDENTITY_TOKEN_FILE") != '\0' &&
	    *find_env("AWS_ROLE_ARN") != '\0';
}

static enum find
web_begin(struct finding *f, int64_t now, struct http_call *call)
{
	const char *session = find_env("AWS_ROLE_SESSION_NAME");
	const char *own = find_env("AWS_ENDPOINT_URL_STS");
	char *token = find_file(f->arena,
	    find_env("AWS_WEB_IDENTITY_TOKEN_FILE"), TOKEN_TEXT);
	const char *url = *own != '\0' ? own : arena_printf(f->arena,
	    "https://sts.%s.amazonaws.com/", f->region);
	struct buf b;

	(void)now;
	if (token == NULL || url == NULL)
		return find_failed(f, "the web identity cannot be read");
	token[strcspn(token, "\r\n")] = '\0';
	f->private_net = url_private(url);
	buf_init(&b, KIB(64));
	find_form(&b, "Action", "AssumeRoleWithWebIdentity");
	find_form(&b, "Version", "2011-06-15");
	find_form(&b, "RoleArn", find_env("AWS_ROLE_ARN"));
	find_form(&b, "RoleSessionName", *session != '\0' ? session :
	    "tollgate");
	find_form(&b, "WebIdentityToken", token);
	return find_post(f, url, &b, call);
}

static enum find
web_answer(struct finding *f, int64_t now, int status, const char *body,
    size_t len, struct http_call *call)
{
	struct json doc;
	int64_t ends;
	uint32_t c;

	(void)call;
	if (status != 200 ||
	    json_parse(&doc, f->arena, body, len, NULL) != ERR_OK)
		return find_failed(f, "STS refused the web identity");
	c = json_at(&doc, JSON_ROOT, "AssumeRoleWithWebIdentityResponse",
	    "AssumeRoleWithWebIdentityResult", "Credentials", NULL);
	f->found.access_key = find_text(f, &doc, c, "AccessKeyId");
	f->found.secret_key = find_text(f, &doc, c, "SecretAccessKey");
	f->found.session_token = find_text(f, &doc, c, "SessionToken");
	if (json_int(&doc, json_get(&doc, c, "Expiration"), &ends))
		f->found.life = ends - now;
	return *f->found.secret_key == '\0' ?
	    find_failed(f, "STS sent no keys") : FIND_DONE;
}

const struct token_source source_aws_web_identity = {
	.auth = AUTH_SIGV4, .there = web_there, .begin = web_begin,
	.answer = web_answer };

/* ----------------------------------------------- shared credentials file */

static char *
file_text(struct finding *f)
{
	const char *path = find_env("AWS_SHARED_CREDENTIALS_FILE");
	const char *home = find_env("HOME");

	if (*path == '\0' && *home != '\0')
		path = arena_printf(f->arena, "%s/.aws/credentials", home);
	return path == NULL || *path == '\0' ? NULL :
	    find_file(f->arena, path, FILE_MAX);
}

static char *
trimmed(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]) != NULL)
		*--end = '\0';
	return s;
}

static void
file_line(struct finding *f, char *line)
{
	const struct {
		const char *key, **out;
	} keys[] = {
		{ "aws_access_key_id", &f->found.access_key },
		{ "aws_secret_access_key", &f->found.secret_key },
		{ "aws_session_token", &f->found.session_token },
	};
	char *eq = strchr(line, '=');
	size_t i;

	if (eq == NULL)
		return;
	*eq = '\0';
	line = trimmed(line);
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(line, keys[i].key) == 0)
			*keys[i].out = trimmed(eq + 1);
}

/* The keys of AWS_PROFILE, else of [default], in f->found. */
static bool
file_there(struct finding *f)
{
	const char *profile = find_env("AWS_PROFILE");
	char *text = file_text(f), *line, *rest = text, *name;
	bool ours = false;

	if (*profile == '\0')
		profile = "default";
	while (text != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line = trimmed(line);
		if (*line == '#' || *line == ';')
			continue;
		if (*line == '[') {
			name = line + 1;
			name[strcspn(name, "]")] = '\0';
			ours = strcmp(trimmed(name), profile) == 0;
		} else if (ours) {
			file_line(f, line);
		}
	}
	return *f->found.access_key != '\0' && *f->found.secret_key != '\0';
}

static enum find
file_begin(struct finding *f, int64_t now, struct http_call *call)
{
	(void)now;
	(void)call;
	f->found.life = STATIC_LIFE; /* someone may have changed it by then */
	return FIND_DONE;
}

const struct token_source source_aws_file = {
	.auth = AUTH_SIGV4, .there = file_there, .begin = file_begin };

/* ------------------------------------------------- container, instance */

/* { AccessKeyId, SecretAccessKey, Token, Expiration } */
static enum find
read_role(struct finding *f, int64_t now, int status, const char *body,
    size_t len)
{
	struct json doc;
	int64_t ends;

	if (status != 200 ||
	    json_parse(&doc, f->arena, body, len, NULL) != ERR_OK)
		return find_failed(f, status == 0 ?
		    "the metadata service does not answer" :
		    "the metadata service gives no keys");
	f->found.access_key = find_text(f, &doc, JSON_ROOT, "AccessKeyId");
	f->found.secret_key = find_text(f, &doc, JSON_ROOT,
	    "SecretAccessKey");
	f->found.session_token = find_text(f, &doc, JSON_ROOT, "Token");
	ends = find_time(find_text(f, &doc, JSON_ROOT, "Expiration"));
	f->found.life = ends < 0 ? 0 : ends - now;
	return *f->found.access_key == '\0' || *f->found.secret_key == '\0' ?
	    find_failed(f, "the metadata service gives no keys") : FIND_DONE;
}

static bool
container_there(struct finding *f)
{
	(void)f;
	return *find_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") == '/' ||
	    *find_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != '\0';
}

static enum find
container_begin(struct finding *f, int64_t now, struct http_call *call)
{
	const char *path = find_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *file = find_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *word = find_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	char *text;

	(void)now;
	f->private_net = true;
	if (*file != '\0') {
		text = find_file(f->arena, file, TOKEN_TEXT);
		if (text == NULL)
			return find_failed(f,
			    "the container's token cannot be read");
		text[strcspn(text, "\r\n")] = '\0';
		word = text;
	}
	if (*word != '\0')
		find_header(call, "authorization", word);
	return find_get(f, *path == '/' ? arena_printf(f->arena,
	    CONTAINER_HOST "%s", path) : arena_str(f->arena,
	    find_env("AWS_CONTAINER_CREDENTIALS_FULL_URI")), call);
}

static enum find
container_answer(struct finding *f, int64_t now, int status,
    const char *body, size_t len, struct http_call *call)
{
	(void)call;
	return read_role(f, now, status, body, len);
}

const struct token_source source_aws_container = {
	.auth = AUTH_SIGV4, .there = container_there,
	.begin = container_begin, .answer = container_answer };

static bool
instance_there(struct finding *f)
{
	(void)f;
	return strcmp(find_env("AWS_EC2_METADATA_DISABLED"), "true") != 0;
}

static char *
instance_url(struct finding *f, const char *path, const char *more)
{
	const char *own = find_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");

	if (*own == '\0')
		own = INSTANCE_HOST;
	return arena_printf(f->arena, "%.*s%s%s", (int)url_trimmed(own), own,
	    path, more);
}

/* A session first (IMDSv2), then the role's name, then its keys. */
static enum find
instance_begin(struct finding *f, int64_t now, struct http_call *call)
{
	(void)now;
	f->private_net = true;
	call->method = "PUT";
	call->url = instance_url(f, "/latest/api/token", "");
	find_header(call, "x-aws-ec2-metadata-token-ttl-seconds", "21600");
	return call->url == NULL ? find_failed(f, "out of memory") :
	    FIND_CALL;
}

/* One line of printable characters without blanks, or NULL. */
static const char *
one_word(struct finding *f, const char *body, size_t len)
{
	char *s = len == 0 || len > TOKEN_TEXT ? NULL :
	    arena_dup(f->arena, body, len);
	size_t i;

	if (s == NULL)
		return NULL;
	s[strcspn(s, "\r\n")] = '\0';
	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] <= 0x20 || (unsigned char)s[i] > 0x7e)
			return NULL;
	return i == 0 ? NULL : s;
}

static enum find
instance_answer(struct finding *f, int64_t now, int status,
    const char *body, size_t len, struct http_call *call)
{
	const char *word;

	if (f->step == 2)
		return read_role(f, now, status, body, len);
	word = status == 200 ? one_word(f, body, len) : NULL;
	if (word == NULL)
		return find_failed(f, f->step == 0 ?
		    "no credentials are given, and there is no metadata "
		    "service" : "this instance has no role");
	if (f->step++ == 0)
		f->note = word;
	find_header(call, "x-aws-ec2-metadata-token", f->note);
	return find_get(f, instance_url(f, ROLES, f->step == 2 ? word : ""),
	    call);
}

const struct token_source source_aws_instance = {
	.auth = AUTH_SIGV4, .there = instance_there,
	.begin = instance_begin, .answer = instance_answer };
