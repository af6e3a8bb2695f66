/*
 * Digests, and the form of virtual keys: "tg_", 30 random base62 characters
 * and their CRC32 in six base62 digits, so that a mistyped key is known
 * without asking the store. Nothing here keeps a secret.
 */
#ifndef TOLLGATE_BASE_HASH_H
#define TOLLGATE_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "app/base/err.h"

#define HASH_LEN 32	     /* bytes of a SHA-256 */
#define HASH_HEX_SIZE 65     /* in lower-case hex, with a NUL */
#define HASH_VKEY_LEN 39     /* characters of a virtual key */
#define HASH_VKEY_SIZE 40    /* with a NUL */
#define HASH_VKEY_PREFIX "tg_"

/* SHA-256 of p[0..n). ERR_INTERNAL when libcrypto fails (memory). */
enum err hash_sha256(unsigned char out[HASH_LEN], const void *p, size_t n);
enum err hash_sha256_hex(char out[HASH_HEX_SIZE], const void *p, size_t n);

/* HMAC-SHA-256 of p[0..n) under a key of any length, also 0. */
enum err hash_hmac(unsigned char out[HASH_LEN], const void *key,
    size_t key_len, const void *p, size_t n);
enum err hash_hmac_hex(char out[HASH_HEX_SIZE], const void *key,
    size_t key_len, const void *p, size_t n);

/* n bytes as 2 * n lower-case hex digits and a NUL. */
void hash_hex(char *out, const void *p, size_t n);

/* Are the two the same? The time tells nothing but the lengths. */
bool hash_equal(const void *a, size_t a_len, const void *b, size_t b_len);

/* A new virtual key. ERR_INTERNAL without randomness. */
enum err hash_vkey_make(char out[HASH_VKEY_SIZE]);

/* Does s[0..n) have the form and the check digits of a virtual key? */
bool hash_vkey_check(const char *s, size_t n);

#endif
