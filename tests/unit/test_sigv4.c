/*
 * The published vectors of AWS (aws-sig-v4-test-suite: request and
 * signature), and what they leave out: encoded paths, ports, bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/limits.h"
#include "app/sigv4.h"

#define HOST "https://example.amazonaws.com"
#define UNRESERVED                                                           \
	"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define SESSION                                                              \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWL" \
	"WsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQr" \
	"mGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HF" \
	"vlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scq" \
	"Kmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define FORM "application/x-www-form-urlencoded"

struct test_vector {
	const char *name, *method, *target;
	struct header headers[3];
	const char *body, *session;
	const char *names, *signature;
};

#define DATED "host;x-amz-date"

static const struct test_vector vectors[] = {
	{ "get-vanilla", "GET", "/", { { 0 } }, "", "", DATED,
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-header-key-duplicate", "GET", "/",
	    { { "My-Header1", "value2,value2,value1" } }, "", "",
	    "host;my-header1;x-amz-date",
	    "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "get-header-value-multiline", "GET", "/",
	    { { "My-Header1", "value1,value2,value3" } }, "", "",
	    "host;my-header1;x-amz-date",
	    "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790" },
	{ "get-header-value-order", "GET", "/",
	    { { "My-Header1", "value4,value1,value3,value2" } }, "", "",
	    "host;my-header1;x-amz-date",
	    "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
	{ "get-header-value-trim", "GET", "/",
	    { { "My-Header1", " value1 " }, { "My-Header2",
	    " \"a   b   c\"" } }, "", "",
	    "host;my-header1;my-header2;x-amz-date",
	    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "get-unreserved", "GET", "/" UNRESERVED, { { 0 } }, "", "", DATED,
	    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ "get-utf8", "GET", "/\xe1\x88\xb4", { { 0 } }, "", "", DATED,
	    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "get-space", "GET", "/example space/", { { 0 } }, "", "", DATED,
	    "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
	{ "get-relative", "GET", "/example/..", { { 0 } }, "", "", DATED,
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash", "GET", "//", { { 0 } }, "", "", DATED,
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash-dot-slash", "GET", "/./", { { 0 } }, "", "", DATED,
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-slash-pointless-dot", "GET", "/./example", { { 0 } }, "", "",
	    DATED,
	    "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5" },
	{ "get-slashes", "GET", "//example//", { { 0 } }, "", "", DATED,
	    "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
	{ "get-vanilla-empty-query-key", "GET", "/?Param1=value1", { { 0 } },
	    "", "", DATED,
	    "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-vanilla-query", "GET", "/?", { { 0 } }, "", "", DATED,
	    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "get-vanilla-query-order-key-case", "GET",
	    "/?Param2=value2&Param1=value1", { { 0 } }, "", "", DATED,
	    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-query-unreserved", "GET",
	    "/?" UNRESERVED "=" UNRESERVED, { { 0 } }, "", "", DATED,
	    "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
	{ "get-vanilla-utf8-query", "GET", "/?%E1%88%B4=bar", { { 0 } }, "",
	    "", DATED,
	    "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
	{ "post-header-key-sort", "POST", "/", { { "My-Header1", "value1" } },
	    "", "", "host;my-header1;x-amz-date",
	    "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
	{ "post-header-value-case", "POST", "/",
	    { { "My-Header1", "VALUE1" } }, "", "",
	    "host;my-header1;x-amz-date",
	    "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
	{ "post-sts-header-before", "POST", "/", { { 0 } }, "", SESSION,
	    "host;x-amz-date;x-amz-security-token",
	    "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
	{ "post-vanilla", "POST", "/", { { 0 } }, "", "", DATED,
	    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "post-vanilla-empty-query-value", "POST", "/?Param1=value1",
	    { { 0 } }, "", "", DATED,
	    "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
	{ "post-vanilla-query-nonunreserved", "POST",
	    "/?%40%23%24%25%5E=&%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B"
	    "%7B%7D", { { 0 } }, "", "", DATED,
	    "66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e" },
	{ "post-vanilla-query-space", "POST", "/?p=", { { 0 } }, "", "",
	    DATED,
	    "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b" },
	{ "post-x-www-form-urlencoded", "POST", "/",
	    { { "Content-Type", FORM } }, "Param1=value1", "",
	    "content-type;host;x-amz-date",
	    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "post-x-www-form-urlencoded-parameters", "POST", "/",
	    { { "Content-Type", FORM "; charset=utf8" } }, "Param1=value1",
	    "", "content-type;host;x-amz-date",
	    "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe" },
};

static struct sigv4
signer(const char *session)
{
	return (struct sigv4){ .access_key = "AKIDEXAMPLE",
		.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		.session_token = session, .region = "us-east-1",
		.service = "service", .when = 1440938160 };
}

static const char *
header(const struct http_call *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->header_count; i++)
		if (strcmp(c->headers[i].name, name) == 0)
			return c->headers[i].value;
	return NULL;
}

static struct http_call
call_of(struct arena *a, const struct test_vector *v)
{
	struct http_call c = { .method = v->method,
		.url = arena_printf(a, HOST "%s", v->target),
		.body = v->body, .body_len = strlen(v->body) };

	while (c.header_count < 3 &&
	    v->headers[c.header_count].name != NULL) {
		c.headers[c.header_count] = v->headers[c.header_count];
		c.header_count++;
	}
	return c;
}

static void
test_vectors(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct http_call c;
	struct sigv4 s;
	const char *want;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		c = call_of(a, &vectors[i]);
		s = signer(vectors[i].session);
		assert_int_equal(sigv4_sign(a, &s, &c), ERR_OK);
		want = arena_printf(a, "AWS4-HMAC-SHA256 Credential="
		    "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
		    "SignedHeaders=%s, Signature=%s", vectors[i].names,
		    vectors[i].signature);
		if (strcmp(header(&c, "authorization"), want) != 0)
			print_error("%s\n", vectors[i].name);
		assert_string_equal(header(&c, "authorization"), want);
		assert_string_equal(header(&c, "x-amz-date"),
		    "20150830T123600Z");
		if (*vectors[i].session != '\0')
			assert_string_equal(header(&c,
			    "x-amz-security-token"), SESSION);
		else
			assert_null(header(&c, "x-amz-security-token"));
	}
	arena_free(a);
}

static const char *
signature_of(struct arena *a, const char *url, const char *body)
{
	struct http_call c = { .method = "POST", .url = url, .body = body,
		.body_len = strlen(body) };
	struct sigv4 s = signer("");

	assert_int_equal(sigv4_sign(a, &s, &c), ERR_OK);
	return header(&c, "authorization");
}

/* A port that goes without saying is not sent, another one is signed. */
static void
test_ports(void **state)
{
	struct arena *a = arena_new(MIB(1));
	const char *plain = signature_of(a, HOST "/x", "");

	(void)state;
	assert_string_equal(signature_of(a, HOST ":443/x", ""), plain);
	assert_string_not_equal(signature_of(a, HOST ":8443/x", ""), plain);
	assert_string_equal(
	    signature_of(a, "http://example.amazonaws.com:80/x", ""), plain);
	assert_string_not_equal(signature_of(a, HOST "/x", "body"), plain);
	/* A path that is encoded already is encoded once more. */
	assert_string_not_equal(signature_of(a, HOST "/a%3Ab", ""),
	    signature_of(a, HOST "/a:b", ""));
	arena_free(a);
}

static void
test_refused(void **state)
{
	struct arena *a = arena_new(MIB(1));
	struct http_call c = { .method = "GET", .url = "ftp://x/",
		.header_count = 0 };
	struct sigv4 s = signer("");

	(void)state;
	assert_int_equal(sigv4_sign(a, &s, &c), ERR_INTERNAL);
	c = (struct http_call){ .method = "GET", .url = HOST "/" };
	for (; c.header_count < sizeof c.headers / sizeof c.headers[0];
	    c.header_count++)
		c.headers[c.header_count] = (struct header){ "x", "y" };
	assert_int_equal(sigv4_sign(a, &s, &c), ERR_INTERNAL);
	arena_free(a);
}

static void
skewed(void **state)
{
	(void)state;
	assert_true(sigv4_skewed("RequestTimeTooSkewed", "", 10));
	assert_true(sigv4_skewed("RequestTimeTooSkewed:http://x", "", -10));
	assert_false(sigv4_skewed("RequestTimeTooSkewed", "", 0));
	assert_true(sigv4_skewed("InvalidSignatureException",
	    "Signature expired: 20261128T140000Z is now earlier than", 301));
	assert_true(sigv4_skewed("", "Signature not yet current: 2026", -301));
	assert_true(sigv4_skewed("SignatureDoesNotMatch", "", -240));
	assert_false(sigv4_skewed("SignatureDoesNotMatch", "", -239));
	assert_false(sigv4_skewed("AccessDeniedException", "", 9000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(skewed),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
