/*
 * The scanners against the plainest loops that do the same. Built twice:
 * for the machine, and in the portable way.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/scan.h"
#include "app/base/siphash.h"

typedef unsigned char byte;
typedef const byte *scan_fn(const byte *p, const byte *end);

static bool
plain_stops(byte c)
{
	return c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
}

static bool
ascii_stops(byte c)
{
	return c == 0 || c >= 0x80;
}

static bool
line_stops(byte c)
{
	return c == '\r' || c == '\n';
}

/* Every byte at every place of every short length, behind harmless ones. */
static void
stops(scan_fn *scan, bool (*stop)(byte), byte harmless)
{
	byte *text;
	size_t n, at;
	int c;

	for (n = 0; n <= 50; n++) {
		text = malloc(n + 1); /* so that reading beyond shows */
		assert_non_null(text);
		memset(text + 1, harmless, n);
		assert_ptr_equal(scan(text + 1, text + 1 + n), text + 1 + n);
		for (at = 1; at <= n; at++)
			for (c = 0; c < 256; c++) {
				text[at] = (byte)c;
				if (scan(text + 1, text + 1 + n) !=
				    text + (stop((byte)c) ? at : n + 1))
					fail_msg("byte %d at %zu", c, at - 1);
				text[at] = harmless;
			}
		free(text);
	}
}

static void
finds_all(void **state)
{
	static const byte harmless[] = { 'a', ' ', '!', '#', '[', ']', 0x7f };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof harmless; i++) {
		stops(scan_plain, plain_stops, harmless[i]);
		stops(scan_ascii, ascii_stops, harmless[i]);
		stops(scan_line, line_stops, harmless[i]);
	}
	stops(scan_ascii, ascii_stops, 1);
	stops(scan_line, line_stops, 0);
	stops(scan_line, line_stops, 0xff);
	stops(scan_line, line_stops, 0x8a); /* the line feed's, high */
}

/* The bytes of a code point, or of what would be one. */
static size_t
encode(uint32_t c, size_t n, byte *out)
{
	size_t i;

	for (i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (byte)(0x80 | (c & 0x3f));
	out[0] = (byte)(c | (0xf00u >> n & 0xff));
	return n;
}

/* All code points in all lengths: good only in the shortest. */
static void
knows_utf8(void **state)
{
	byte text[5];
	uint32_t c;
	size_t n;
	bool good;

	(void)state;
	for (n = 2; n <= 4; n++)
		for (c = 0; c < (1u << (n == 2 ? 11 : n == 3 ? 16 : 21)); c++) {
			encode(c, n, text);
			text[n] = 'x';
			good = n == (c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u) &&
			    c >= 0x80 && c <= 0x10ffff &&
			    (c < 0xd800 || c > 0xdfff);
			if (scan_utf8(text, text + n + 1) !=
			    text + (good ? n : 0))
				fail_msg("U+%X in %zu bytes", c, n);
			if (good && (scan_utf8(text, text + n - 1) != text ||
			    scan_malformed(text, text + n - 1) != n - 1))
				fail_msg("U+%X cut", c);
		}
}

struct piece {
	const char *text;
	size_t length;
};

static void
measures_malformed(void **state)
{
	static const struct piece pieces[] = {
		{ "\x80", 1 }, { "\xbf\xbf", 1 }, { "\xc0\x80", 1 },
		{ "\xc1\xbf", 1 }, { "\xc3x", 1 }, { "\xc3\xc3", 1 },
		{ "\xe2\x82x", 2 }, { "\xe2\x82\xe2", 2 }, { "\xe0\x80\x80", 1 },
		{ "\xed\xa0\x80", 1 }, { "\xf0\x9f\x98x", 3 },
		{ "\xf0\x9fx", 2 }, { "\xf0\x80\x80\x80", 1 },
		{ "\xf4\x90\x80\x80", 1 }, { "\xf5\x80", 1 }, { "\xff", 1 },
	};
	const byte *p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		p = (const byte *)pieces[i].text;
		assert_int_equal(scan_malformed(p, p +
		    strlen(pieces[i].text)), pieces[i].length);
	}
}

/*
 * Bytes 0, 1, 2, ... under the key 0, 1, 2, ... as in the paper; the values
 * are of another implementation, checked against CPython's.
 */
static void
hashes(void **state)
{
	static const size_t len[] = { 0, 1, 7, 8, 15, 16 };
	static const uint64_t want[] = {
	    UINT64_C(0xabac0158050fc4dc),
	    UINT64_C(0xc9f49bf37d57ca93),
	    UINT64_C(0xd3927d989bb11140),
	    UINT64_C(0x369095118d299a8e),
	    UINT64_C(0xd320d86d2a519956),
	    UINT64_C(0xcc4fdd1a7d908b66) };
	uint64_t key[2] = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) }, other[2], third[2];
	byte text[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof text; i++)
		text[i] = (byte)i;
	for (i = 0; i < sizeof len / sizeof len[0]; i++)
		assert_true(siphash(key, text, len[i]) == want[i]);
	siphash_key(other);
	siphash_key(third);
	assert_memory_not_equal(other, third, sizeof other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all),
		cmocka_unit_test(knows_utf8),
		cmocka_unit_test(measures_malformed),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
