/*
 * Scanning with SSE2, or with 64-bit words where there is none (or where
 * SCAN_PORTABLE asks for it, as a test does). Knows bytes, not formats.
 */
#include "app/base/scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>
#define STEP 16
typedef __m128i chunk;

#define LOAD(p) _mm_loadu_si128((const void *)(p))
#define ANY(a, b) _mm_or_si128(a, b)
#define EQUAL(x, c) _mm_cmpeq_epi8(x, _mm_set1_epi8((char)(c)))
/* Bytes below c, and those from 0x80 on: they are negative. */
#define BELOW_OR_HIGH(x, c) _mm_cmplt_epi8(x, _mm_set1_epi8((char)(c)))
#define HIT(m) ((unsigned)_mm_movemask_epi8(m))
#define FIRST(hit) ((size_t)__builtin_ctz(hit))
#else
#define STEP 8
typedef uint64_t chunk;

#define ALL(c) (UINT64_C(0x0101010101010101) * (uint64_t)(c))
#define LOAD(p) load(p)
#define ANY(a, b) ((a) | (b))
#define EQUAL(x, c) below((x) ^ ALL(c), 1)
#define BELOW_OR_HIGH(x, c) (below(x, c) | (x))
#define HIT(m) (((m) & ALL(0x80)) != 0)
#define FIRST(hit) ((size_t)0 * (hit)) /* the byte loop finds it */

static uint64_t
load(const unsigned char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof x);
	return x;
}

/* Top bits set for bytes below c <= 0x80; wrong only beside a right one. */
static uint64_t
below(uint64_t x, uint64_t c)
{
	return (x - ALL(c)) & ~x;
}
#endif

/*
 * The loop that the three share: whole chunks, then byte by byte. Made into
 * three by inlining, so that neither test is a call.
 */
#define SCANNER(name, x, test, c, stop)                                    \
	const unsigned char *                                              \
	name(const unsigned char *p, const unsigned char *end)             \
	{                                                                  \
		for (; end - p >= STEP; p += STEP) {                       \
			chunk x = LOAD(p);                                 \
			unsigned hit = HIT(test);                          \
                                                                           \
			if (hit != 0) {                                    \
				p += FIRST(hit);                           \
				break;                                     \
			}                                                  \
		}                                                          \
		for (; p < end; p++) {                                     \
			unsigned char c = *p;                              \
                                                                           \
			if (stop)                                          \
				break;                                     \
		}                                                          \
		return p;                                                  \
	}

SCANNER(scan_plain, x,
    ANY(BELOW_OR_HIGH(x, 0x20), ANY(EQUAL(x, '"'), EQUAL(x, '\\'))), c,
    c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
SCANNER(scan_ascii, x, BELOW_OR_HIGH(x, 1), c, c == 0 || c >= 0x80)
SCANNER(scan_line, x, ANY(EQUAL(x, '\n'), EQUAL(x, '\r')), c,
    c == '\n' || c == '\r')

/*
 * What may follow a lead byte: the range of the second byte and the number
 * of bytes. No row for ASCII, continuations, C0, C1 and F5 to FF.
 */
struct lead {
	unsigned char low, high, length;
};

static struct lead
lead_of(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return (struct lead){ 0, 0, 0 };
	if (c < 0xe0)
		return (struct lead){ 0x80, 0xbf, 2 };
	if (c < 0xf0) /* no overlong forms, no surrogates */
		return (struct lead){ c == 0xe0 ? 0xa0 : 0x80,
			c == 0xed ? 0x9f : 0xbf, 3 };
	return (struct lead){ c == 0xf0 ? 0x90 : 0x80,
		c == 0xf4 ? 0x8f : 0xbf, 4 }; /* up to U+10FFFF */
}

static bool
goes_on(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

const unsigned char *
scan_utf8(const unsigned char *p, const unsigned char *end)
{
	struct lead l;

	while (p < end && *p >= 0x80) {
		l = lead_of(*p);
		if (l.length == 0 || end - p < l.length || p[1] < l.low ||
		    p[1] > l.high)
			break;
		if (l.length > 2 && !goes_on(p[2]))
			break;
		if (l.length > 3 && !goes_on(p[3]))
			break;
		p += l.length;
	}
	return p;
}

size_t
scan_malformed(const unsigned char *p, const unsigned char *end)
{
	struct lead l = lead_of(*p);
	size_t n = 1;

	if (l.length == 0 || end - p < 2 || p[1] < l.low || p[1] > l.high)
		return 1;
	for (n = 2; n < l.length && p + n < end && goes_on(p[n]); n++)
		;
	return n;
}
