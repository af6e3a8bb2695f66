/* Digests by libcrypto; virtual keys. */
#include "app/base/hash.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define BLOCK 64 /* bytes that SHA-256 takes at a time */
#define RANDOM_LEN 30
#define CHECK_LEN 6
#define PREFIX_LEN (sizeof HASH_VKEY_PREFIX - 1)

_Static_assert(PREFIX_LEN + RANDOM_LEN + CHECK_LEN == HASH_VKEY_LEN,
    "length of a virtual key");

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz";

/*
 * SHA-256, fetched once: EVP_sha256() would have libcrypto look it up with
 * each use, which takes longer than the digest of a short text.
 */
static const EVP_MD *
sha256(void)
{
	static EVP_MD *md;

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md;
}

enum err
hash_sha256(unsigned char out[HASH_LEN], const void *p, size_t n)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;

	if (sha256() == NULL ||
	    !EVP_Digest(p, n, digest, &len, sha256(), NULL) || len != HASH_LEN)
		return ERR_INTERNAL;
	memcpy(out, digest, HASH_LEN);
	return ERR_OK;
}

/* The digest of a block (the key, padded) and of a text behind it. */
static bool
digest_two(EVP_MD_CTX *ctx, const unsigned char block[BLOCK], const void *p,
    size_t n, unsigned char out[EVP_MAX_MD_SIZE])
{
	unsigned len;

	return EVP_DigestInit_ex2(ctx, sha256(), NULL) &&
	    EVP_DigestUpdate(ctx, block, BLOCK) &&
	    EVP_DigestUpdate(ctx, p, n) &&
	    EVP_DigestFinal_ex(ctx, out, &len) && len == HASH_LEN;
}

/*
 * RFC 2104. libcrypto's HMAC() fetches and sets up so much with each call
 * that this alone was a tenth of a request's work.
 */
enum err
hash_hmac(unsigned char out[HASH_LEN], const void *key, size_t key_len,
    const void *p, size_t n)
{
	unsigned char inner[BLOCK] = { 0 }, outer[BLOCK];
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	enum err err = ERR_INTERNAL;
	size_t i;

	if (key_len > BLOCK && hash_sha256(inner, key, key_len) != ERR_OK)
		return ERR_INTERNAL;
	if (key_len <= BLOCK && key_len > 0)
		memcpy(inner, key, key_len);
	for (i = 0; i < BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	ctx = sha256() == NULL ? NULL : EVP_MD_CTX_new();
	if (ctx != NULL && digest_two(ctx, inner, p, n, digest) &&
	    digest_two(ctx, outer, digest, HASH_LEN, digest)) {
		memcpy(out, digest, HASH_LEN);
		err = ERR_OK;
	}
	EVP_MD_CTX_free(ctx);
	OPENSSL_cleanse(inner, sizeof inner);
	OPENSSL_cleanse(outer, sizeof outer);
	OPENSSL_cleanse(digest, sizeof digest);
	return err;
}

void
hash_hex(char *out, const void *p, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *in = p;
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = hex[in[i] >> 4];
		*out++ = hex[in[i] & 15];
	}
	*out = '\0';
}

enum err
hash_sha256_hex(char out[HASH_HEX_SIZE], const void *p, size_t n)
{
	unsigned char digest[HASH_LEN];
	enum err err = hash_sha256(digest, p, n);

	if (err == ERR_OK)
		hash_hex(out, digest, sizeof digest);
	return err;
}

enum err
hash_hmac_hex(char out[HASH_HEX_SIZE], const void *key, size_t key_len,
    const void *p, size_t n)
{
	unsigned char digest[HASH_LEN];
	enum err err = hash_hmac(digest, key, key_len, p, n);

	if (err == ERR_OK)
		hash_hex(out, digest, sizeof digest);
	OPENSSL_cleanse(digest, sizeof digest);
	return err;
}

bool
hash_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len &&
	    (a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0);
}

/* The CRC of zlib, PNG and Ethernet. */
static uint32_t
crc32(const char *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	for (; n > 0; n--) {
		crc ^= (unsigned char)*p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (-(crc & 1) &
			    UINT32_C(0xedb88320));
	}
	return ~crc;
}

/* The check digits of the random part. */
static void
check_digits(char out[CHECK_LEN], const char *random)
{
	uint32_t crc = crc32(random, RANDOM_LEN);
	int i;

	for (i = CHECK_LEN - 1; i >= 0; i--, crc /= 62)
		out[i] = base62[crc % 62];
}

/* n random base62 characters. */
static enum err
random_base62(char *out, size_t n)
{
	unsigned char pool[64];
	size_t i;

	while (n > 0) {
		if (getrandom(pool, sizeof pool, 0) != sizeof pool) {
			if (errno == EINTR)
				continue;
			return ERR_INTERNAL;
		}
		for (i = 0; i < sizeof pool && n > 0; i++)
			if (pool[i] < 4 * 62) { /* all as likely */
				*out++ = base62[pool[i] % 62];
				n--;
			}
	}
	OPENSSL_cleanse(pool, sizeof pool);
	return ERR_OK;
}

enum err
hash_vkey_make(char out[HASH_VKEY_SIZE])
{
	char random[RANDOM_LEN];
	enum err err = random_base62(random, sizeof random);

	if (err != ERR_OK)
		return err;
	memcpy(out, HASH_VKEY_PREFIX, PREFIX_LEN);
	memcpy(out + PREFIX_LEN, random, RANDOM_LEN);
	check_digits(out + PREFIX_LEN + RANDOM_LEN, random);
	out[HASH_VKEY_LEN] = '\0';
	OPENSSL_cleanse(random, sizeof random);
	return ERR_OK;
}

/* In the same time for all, as the rest of what keys are looked at with. */
static unsigned
is_base62(unsigned char c)
{
	return ((unsigned)c - '0' < 10U) | ((c | 0x20U) - 'a' < 26U);
}

bool
hash_vkey_check(const char *s, size_t n)
{
	char digits[CHECK_LEN];
	unsigned good = 1;
	size_t i;

	if (n != HASH_VKEY_LEN || memcmp(s, HASH_VKEY_PREFIX, PREFIX_LEN) != 0)
		return false;
	for (i = PREFIX_LEN; i < n; i++)
		good &= is_base62((unsigned char)s[i]);
	if (good == 0)
		return false;
	s += PREFIX_LEN;
	check_digits(digits, s);
	return hash_equal(digits, CHECK_LEN, s + RANDOM_LEN, CHECK_LEN);
}
