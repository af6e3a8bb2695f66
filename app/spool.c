/* Inputs of batches that wait, sealed. */
#include "app/spool.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "app/base/arena.h"
#include "app/base/hash.h"
#include "app/registry.h"

#define PREFIX "file-"
#define NONCE 12

/* ----------------------------------------------------------------- ids */

bool
spool_new(struct spool *s)
{
	unsigned char name[(SPOOL_NAME - 1) / 2];

	memset(s, 0, sizeof *s);
	if (RAND_bytes(name, sizeof name) != 1 ||
	    RAND_bytes(s->key, sizeof s->key) != 1)
		return false;
	hash_hex(s->name, name, sizeof name);
	return true;
}

const char *
spool_own(struct arena *a, const struct spool *s)
{
	char key[SPOOL_KEY * 2 + 1];

	hash_hex(key, s->key, sizeof s->key);
	return arena_printf(a, PREFIX "%s-%s", s->name, key);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
spool_find(const char *own, struct spool *s)
{
	size_t n = sizeof PREFIX - 1, i;
	int high, low;

	memset(s, 0, sizeof *s);
	if (strlen(own) != n + SPOOL_NAME + SPOOL_KEY * 2 ||
	    memcmp(own, PREFIX, n) != 0 || own[n + SPOOL_NAME - 1] != '-')
		return false;
	memcpy(s->name, own + n, SPOOL_NAME - 1);
	own += n + SPOOL_NAME;
	for (i = 0; i < SPOOL_KEY; i++) {
		high = digit(own[2 * i]);
		low = digit(own[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		s->key[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

const char *
spool_record(struct arena *a, const struct spool *s)
{
	return arena_printf(a, "spool-%s", s->name);
}

unsigned
spool_pieces(size_t len)
{
	return (unsigned)((len + SPOOL_PIECE - 1) / SPOOL_PIECE);
}

/* -------------------------------------------------------------- sealing */

/* What is sealed with a piece: whose it is, which, and of how many. */
static size_t
about(const struct spool *s, unsigned n, char *out, size_t size)
{
	return (size_t)snprintf(out, size, "%s %u %u", s->name, n,
	    s->pieces);
}

static void
nonce_of(unsigned n, unsigned char out[NONCE])
{
	memset(out, 0, NONCE);
	out[NONCE - 1] = (unsigned char)n;
	out[NONCE - 2] = (unsigned char)(n >> 8);
	out[NONCE - 3] = (unsigned char)(n >> 16);
}

/* Both ways: begin, and take in what goes with the piece. */
static bool
begin(EVP_CIPHER_CTX *c, const struct spool *s, unsigned n, int seal)
{
	unsigned char nonce[NONCE];
	char more[64];
	size_t len = about(s, n, more, sizeof more);
	int done;

	nonce_of(n, nonce);
	return EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, nonce,
	    seal) == 1 && EVP_CipherUpdate(c, NULL, &done,
	    (const unsigned char *)more, (int)len) == 1;
}

bool
spool_seal(const struct spool *s, unsigned n, const char *p, size_t len,
    char *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char *o = (unsigned char *)out;
	int done = 0, rest = 0;
	bool ok;

	ok = c != NULL && len <= SPOOL_PIECE && begin(c, s, n, 1) &&
	    EVP_CipherUpdate(c, o, &done, (const unsigned char *)p,
		(int)len) == 1 &&
	    EVP_CipherFinal_ex(c, o + done, &rest) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, SPOOL_TAG,
		o + len) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

bool
spool_open(const struct spool *s, unsigned n, const char *p, size_t len,
    char *out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char tag[SPOOL_TAG], *o = (unsigned char *)out;
	int done = 0, rest = 0;
	bool ok = c != NULL && len >= SPOOL_TAG &&
	    len <= SPOOL_PIECE + SPOOL_TAG;

	if (ok)
		memcpy(tag, p + len - SPOOL_TAG, SPOOL_TAG);
	ok = ok && begin(c, s, n, 0) &&
	    EVP_CipherUpdate(c, o, &done, (const unsigned char *)p,
		(int)(len - SPOOL_TAG)) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, SPOOL_TAG, tag) ==
		1 && EVP_CipherFinal_ex(c, o + done, &rest) == 1;
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* ------------------------------------------------------- piece by piece */

static void
end(struct spool *s, enum err e)
{
	s->fn(s->arg, e);
}

static void write_piece(struct spool *s);

static void
on_kept(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct spool *s = arg;

	(void)text;
	(void)len;
	(void)why;
	if (e != ERR_OK || ++s->at == s->pieces)
		end(s, e);
	else
		write_piece(s);
}

static void
write_piece(struct spool *s)
{
	size_t from = (size_t)s->at * SPOOL_PIECE, n = s->len - from;

	if (n > SPOOL_PIECE)
		n = SPOOL_PIECE;
	if (spool_seal(s, s->at, s->p + from, n, s->sealed))
		registry_keep(s->registry, s->name, s->at, s->sealed,
		    n + SPOOL_TAG, s->forget, on_kept, s);
	else
		end(s, ERR_INTERNAL);
}

static bool
set_up(struct spool *s, struct arena *a, struct registry *rg, spool_fn *fn,
    void *arg)
{
	s->registry = rg;
	s->fn = fn;
	s->arg = arg;
	s->at = 0;
	s->sealed = arena_alloc(a, SPOOL_PIECE + SPOOL_TAG);
	if (s->sealed == NULL)
		end(s, ERR_INTERNAL);
	return s->sealed != NULL;
}

void
spool_write(struct spool *s, struct arena *a, struct registry *rg,
    const char *p, size_t len, int64_t forget, spool_fn *fn, void *arg)
{
	s->p = p;
	s->len = len;
	s->pieces = spool_pieces(len);
	s->forget = forget;
	if (set_up(s, a, rg, fn, arg))
		write_piece(s);
}

static void
on_piece(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct spool *s = arg;

	(void)why;
	if (e == ERR_OK && (text == NULL ||
	    !spool_open(s, s->at, text, len, s->sealed)))
		e = ERR_NOT_FOUND;
	if (e == ERR_OK)
		buf_put(s->out, s->sealed, len - SPOOL_TAG);
	if (e == ERR_OK && s->out->failed)
		e = ERR_INTERNAL;
	if (e != ERR_OK || ++s->at == s->pieces)
		end(s, e);
	else
		registry_piece(s->registry, s->name, s->at, on_piece, s);
}

void
spool_read(struct spool *s, struct arena *a, struct registry *rg,
    unsigned pieces, struct buf *out, spool_fn *fn, void *arg)
{
	s->pieces = pieces;
	s->out = out;
	if (set_up(s, a, rg, fn, arg))
		registry_piece(rg, s->name, 0, on_piece, s);
}
