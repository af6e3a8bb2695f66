/*
 * Looking for the few bytes that matter in long texts, sixteen at a time
 * where the machine can. All take p <= end and read nothing from end on.
 */
#ifndef TOLLGATE_BASE_SCAN_H
#define TOLLGATE_BASE_SCAN_H

#include <stddef.h>

/*
 * The first byte that cannot stand as it is in a JSON string or needs a
 * look: a quote, a backslash, a control character, or one from 0x80 on.
 */
const unsigned char *scan_plain(const unsigned char *p,
    const unsigned char *end);

/* The first byte that is NUL or from 0x80 on. */
const unsigned char *scan_ascii(const unsigned char *p,
    const unsigned char *end);

/* The first CR or LF. */
const unsigned char *scan_line(const unsigned char *p,
    const unsigned char *end);

/*
 * Past all well-formed UTF-8 sequences of two to four bytes at p: the first
 * ASCII byte, the first byte of something malformed, or end.
 */
const unsigned char *scan_utf8(const unsigned char *p,
    const unsigned char *end);

/*
 * How many bytes at p (p < end, malformed there) one U+FFFD stands for: the
 * longest start of a well-formed sequence, at least 1 (Unicode 3.9, WHATWG).
 */
size_t scan_malformed(const unsigned char *p, const unsigned char *end);

#endif
