/*
 * Reading a tape. The tape is checked by the parser; the indexes that come
 * in are only trusted after a look at the tape's length and the type.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/tape.h"

#define MANY_DIGITS 780 /* what the nearest double can depend on: 768 */

static bool
is(const struct json *doc, uint32_t v, enum json_type type)
{
	return v < doc->words / 2 && NODE_TYPE(doc, v) == type;
}

static bool
is_container(const struct json *doc, uint32_t v)
{
	return v < doc->words / 2 && NODE_TYPE(doc, v) >= JSON_ARRAY;
}

enum json_type
json_type(const struct json *doc, uint32_t v)
{
	return v < doc->words / 2 ? NODE_TYPE(doc, v) : JSON_ABSENT;
}

/* --- strings --- */

static unsigned
hex4(const char *p)
{
	unsigned n = 0;
	int i;

	for (i = 0; i < 4; i++)
		n = n << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' :
		    (p[i] | 0x20) - 'a' + 10);
	return n;
}

static size_t
put_utf8(unsigned c, char *out)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	for (i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(c | (n == 1 ? 0 : 0xf00 >> n));
	return n;
}

/* One byte or one escape of a checked string; returns the bytes put out. */
static size_t
decode_one(const char **p, char out[4])
{
	static const char meant[128] = { ['"'] = '"', ['\\'] = '\\',
		['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n',
		['r'] = '\r', ['t'] = '\t' };
	unsigned c;

	if (**p != '\\') {
		out[0] = *(*p)++;
		return 1;
	}
	if ((*p)[1] != 'u') {
		out[0] = meant[(*p)[1] & 127];
		*p += 2;
		return 1;
	}
	c = hex4(*p + 2);
	*p += 6;
	if (c >= 0xd800 && c <= 0xdbff) {
		c = 0x10000 + ((c - 0xd800) << 10) + (hex4(*p + 2) - 0xdc00);
		*p += 6;
	}
	return put_utf8(c, out);
}

size_t
tape_decode(const char *raw, size_t n, char *out)
{
	const char *p = raw, *end = raw + n, *q;
	char *start = out;

	while (p < end) {
		q = memchr(p, '\\', (size_t)(end - p));
		if (q == NULL)
			q = end;
		memcpy(out, p, (size_t)(q - p));
		out += q - p;
		p = q;
		if (p < end)
			out += decode_one(&p, out);
	}
	return (size_t)(out - start);
}

/* A string read byte by byte as decoded. */
struct reader {
	const char *p, *end;
	char one[4];
	size_t n, at; /* of one[]: bytes, and those given */
};

static struct reader
reader(const struct json *doc, uint32_t v)
{
	const char *p = NODE_TEXT(doc, v);

	return (struct reader){ .p = p, .end = p + NODE_LEN(doc, v) };
}

/* The next byte, or -1. */
static int
next_byte(struct reader *r)
{
	if (r->at == r->n) {
		if (r->p == r->end)
			return -1;
		r->n = decode_one(&r->p, r->one);
		r->at = 0;
	}
	return (unsigned char)r->one[r->at++];
}

/* Is the string v, decoded, these bytes? */
static bool
equals(const struct json *doc, uint32_t v, const char *s, size_t n)
{
	struct reader r;
	size_t i;

	if (!(NODE_INFO(doc, v) & NODE_ESCAPED))
		return NODE_LEN(doc, v) == n &&
		    memcmp(NODE_TEXT(doc, v), s, n) == 0;
	if (NODE_LEN(doc, v) < n)
		return false; /* decoding never lengthens */
	r = reader(doc, v);
	for (i = 0; i < n; i++)
		if (next_byte(&r) != (unsigned char)s[i])
			return false;
	return next_byte(&r) == -1;
}

bool
tape_same(const struct json *doc, uint32_t v, uint32_t w)
{
	struct reader a, b;
	int c;

	if (!(NODE_INFO(doc, w) & NODE_ESCAPED))
		return equals(doc, v, NODE_TEXT(doc, w), NODE_LEN(doc, w));
	if (!(NODE_INFO(doc, v) & NODE_ESCAPED))
		return equals(doc, w, NODE_TEXT(doc, v), NODE_LEN(doc, v));
	a = reader(doc, v);
	b = reader(doc, w);
	do {
		c = next_byte(&a);
		if (c != next_byte(&b))
			return false;
	} while (c != -1);
	return true;
}

const char *
json_str(const struct json *doc, uint32_t v, struct arena *a, size_t *len)
{
	char *s;

	if (!is(doc, v, JSON_STRING))
		return NULL;
	if (!(NODE_INFO(doc, v) & NODE_ESCAPED)) {
		*len = NODE_LEN(doc, v);
		return NODE_TEXT(doc, v);
	}
	s = arena_alloc(a, NODE_LEN(doc, v));
	if (s != NULL)
		*len = tape_decode(NODE_TEXT(doc, v), NODE_LEN(doc, v), s);
	return s;
}

char *
json_cstr(const struct json *doc, uint32_t v, struct arena *a)
{
	char *s;

	if (!is(doc, v, JSON_STRING))
		return NULL;
	s = arena_alloc(a, NODE_LEN(doc, v) + 1);
	if (s != NULL)
		s[tape_decode(NODE_TEXT(doc, v), NODE_LEN(doc, v), s)] = '\0';
	return s;
}

bool
json_is(const struct json *doc, uint32_t v, const char *s)
{
	return is(doc, v, JSON_STRING) && equals(doc, v, s, strlen(s));
}

bool
json_nonempty(const struct json *doc, uint32_t v)
{
	return is(doc, v, JSON_STRING) && NODE_LEN(doc, v) > 0;
}

/* --- containers --- */

uint32_t
json_get(const struct json *doc, uint32_t obj, const char *key)
{
	size_t n = strlen(key);
	uint32_t v, end, info, plain = (uint32_t)n << 4 | JSON_STRING;

	if (!is(doc, obj, JSON_OBJECT))
		return JSON_NONE;
	end = NODE_NEXT(doc, obj);
	for (v = obj + 2; v < end; v = NODE_SKIP(doc, v + 1)) {
		/* Nearly all keys are told apart by their length. */
		info = NODE_INFO(doc, v);
		if (info == plain ? memcmp(NODE_TEXT(doc, v), key, n) == 0 :
		    (info & NODE_ESCAPED) && equals(doc, v, key, n))
			return v + 1;
	}
	return JSON_NONE;
}

uint32_t
json_at(const struct json *doc, uint32_t obj, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, obj);
	while (obj != JSON_NONE && (key = va_arg(ap, const char *)) != NULL)
		obj = json_get(doc, obj, key);
	va_end(ap);
	return obj;
}

/* A token of a pointer as it is meant; false: it is none, or too long. */
static bool
pointer_token(const char *p, size_t len, char *out, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len && n + 1 < size; i++) {
		if (p[i] == '~') {
			if (++i == len || (p[i] != '0' && p[i] != '1'))
				return false;
			out[n++] = p[i] == '0' ? '~' : '/';
		} else {
			out[n++] = p[i];
		}
	}
	out[n] = '\0';
	return i >= len;
}

static uint32_t
element_at(const struct json *doc, uint32_t list, const char *token)
{
	uint32_t v = json_first(doc, list), n = 0;
	const char *p;

	if (*token == '\0' || (*token == '0' && token[1] != '\0'))
		return JSON_NONE;
	for (p = token; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > json_count(doc, list))
			return JSON_NONE;
		n = n * 10 + (uint32_t)(*p - '0');
	}
	if (n >= json_count(doc, list))
		return JSON_NONE;
	while (n-- > 0)
		v = json_next(doc, list, v);
	return v;
}

uint32_t
json_pointer(const struct json *doc, const char *pointer)
{
	uint32_t v = JSON_ROOT;
	char token[256];
	size_t len;

	for (; *pointer == '/' && v != JSON_NONE; pointer += len) {
		len = strcspn(++pointer, "/");
		if (!pointer_token(pointer, len, token, sizeof token))
			return JSON_NONE;
		v = json_type(doc, v) == JSON_ARRAY ?
		    element_at(doc, v, token) : json_get(doc, v, token);
	}
	return *pointer == '\0' ? v : JSON_NONE;
}

uint32_t
json_first(const struct json *doc, uint32_t container)
{
	if (!is_container(doc, container) || NODE_COUNT(doc, container) == 0)
		return JSON_NONE;
	return container + 2;
}

uint32_t
json_next(const struct json *doc, uint32_t container, uint32_t v)
{
	if (!is_container(doc, container) || v <= container + 1 ||
	    v >= NODE_NEXT(doc, container))
		return JSON_NONE;
	if (NODE_TYPE(doc, container) == JSON_OBJECT)
		v++;
	v = NODE_SKIP(doc, v);
	return v < NODE_NEXT(doc, container) ? v : JSON_NONE;
}

uint32_t
json_value(const struct json *doc, uint32_t key)
{
	return is(doc, key, JSON_STRING) && key + 1 < doc->words / 2 ?
	    key + 1 : JSON_NONE;
}

uint32_t
json_count(const struct json *doc, uint32_t container)
{
	return is_container(doc, container) ? NODE_COUNT(doc, container) : 0;
}

const char *
json_raw(const struct json *doc, uint32_t v, size_t *len)
{
	if (v >= doc->words / 2)
		return NULL;
	if (NODE_TYPE(doc, v) == JSON_STRING) {
		*len = NODE_LEN(doc, v) + 2;
		return NODE_TEXT(doc, v) - 1;
	}
	*len = NODE_LEN(doc, v);
	return NODE_TEXT(doc, v);
}

/* --- numbers --- */

/*
 * A number as written: digits * 10^power, without zeros at either end. When
 * there are more digits than can matter, the last one stands for the rest.
 */
struct decimal {
	bool negative;
	int count;
	int64_t power;
	char digits[MANY_DIGITS + 32]; /* and an exponent, for strtod */
};

static void
add_digit(struct decimal *d, char c, bool behind_point)
{
	if (d->count == 0 && c == '0') {
		d->power -= behind_point;
	} else if (d->count < MANY_DIGITS) {
		d->digits[d->count++] = c;
		d->power -= behind_point;
	} else {
		if (c != '0')
			d->digits[MANY_DIGITS - 1] |= 1; /* odd: not half */
		d->power += !behind_point;
	}
}

static void
read_decimal(struct decimal *d, const char *p, size_t n)
{
	const char *end = p + n;
	bool behind_point = false, minus;
	int64_t exponent = 0;

	d->count = 0;
	d->power = 0;
	d->negative = *p == '-';
	for (p += d->negative; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.')
			behind_point = true;
		else
			add_digit(d, *p, behind_point);
	}
	if (p < end) {
		minus = p[1] == '-';
		for (p += minus || p[1] == '+' ? 2 : 1; p < end; p++)
			if (exponent < INT32_MAX)
				exponent = exponent * 10 + (*p - '0');
		d->power += minus ? -exponent : exponent;
	}
	while (d->count > 0 && d->digits[d->count - 1] == '0') {
		d->count--;
		d->power++;
	}
}

bool
tape_overflows(const char *digits, size_t n)
{
	/* 2^1024 - 2^970: the first number that rounds to infinity. */
	static const char limit[] =
	    "179769313486231580793728971405303415079934132710037826936173"
	    "778980444968292764750946649017977587207096330286416692887910"
	    "946555547851940402630657488671505820681908902000708383676273"
	    "854845817711531764475730270069855571366959622842914819860834"
	    "936475292719074168444365510704342711559699508093042880177904"
	    "174497792";
	size_t len = sizeof limit - 1;
	struct decimal d;
	int c;

	read_decimal(&d, digits, n);
	if (d.count == 0 || d.count + d.power != 309)
		return d.count > 0 && d.count + d.power > 309;
	c = memcmp(d.digits, limit, (size_t)d.count < len ? (size_t)d.count :
	    len);
	return c > 0 || (c == 0 && (size_t)d.count >= len);
}

/* The nearest double, whatever the locale. */
static double
nearest_double(const char *digits, size_t n)
{
	struct decimal d;
	double x = 0;

	read_decimal(&d, digits, n);
	if (d.count > 0) {
		snprintf(d.digits + d.count, sizeof d.digits - (size_t)d.count,
		    "e%lld", (long long)d.power);
		x = strtod(d.digits, NULL);
	}
	return d.negative ? -x : x;
}

/*
 * Is it a whole number from 0 of so few digits that a double too can tell
 * it? Nearly all are.
 */
static bool
few_digits(const char *p, size_t n, uint64_t *out)
{
	uint64_t sum = 0;

	if (n > 15)
		return false;
	for (; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return false;
		sum = sum * 10 + (uint64_t)(*p - '0');
	}
	*out = sum;
	return true;
}

bool
json_double(const struct json *doc, uint32_t v, double *out)
{
	uint64_t n;

	if (!is(doc, v, JSON_NUMBER))
		return false;
	if (few_digits(NODE_TEXT(doc, v), NODE_LEN(doc, v), &n)) {
		*out = (double)n;
		return true;
	}
	*out = nearest_double(NODE_TEXT(doc, v), NODE_LEN(doc, v));
	return true;
}

bool
json_int(const struct json *doc, uint32_t v, int64_t *out)
{
	struct decimal d;
	uint64_t n = 0;
	int64_t i;

	if (!is(doc, v, JSON_NUMBER))
		return false;
	if (few_digits(NODE_TEXT(doc, v), NODE_LEN(doc, v), &n)) {
		*out = (int64_t)n;
		return true;
	}
	read_decimal(&d, NODE_TEXT(doc, v), NODE_LEN(doc, v));
	if (d.count > 0 && (d.power < 0 || d.count + d.power > 19))
		return false;
	for (i = 0; i < d.count; i++)
		n = n * 10 + (uint64_t)(d.digits[i] - '0');
	for (i = 0; i < d.power && n > 0; i++)
		n *= 10;
	if (n > (uint64_t)INT64_MAX + d.negative)
		return false;
	*out = d.negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}
