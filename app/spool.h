/*
 * The input of a batch on its way to a provider that keeps no files: between
 * the upload and the order it must be somewhere. It lies in the store in
 * pieces, each sealed by AES-256-GCM under a random key that stands only in
 * the id which the client gets; so the house cannot read what it holds, and
 * has nothing but noise once the client has thrown the id away. It is gone when
 * its batch has been ordered, when it is deleted, or after its time.
 *
 *	file-0123456789abcdef-<64 hex digits of the key>
 *
 * A key seals one file: the number of a piece is its nonce, and its number,
 * the number of all and the file's name are sealed with it, so that no piece
 * can take another's place.
 */
#ifndef TOLLGATE_APP_SPOOL_H
#define TOLLGATE_APP_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/buf.h"
#include "app/base/err.h"

struct arena;
struct registry;

#define SPOOL_KEY 32
#define SPOOL_NAME 17	     /* hex digits with a NUL */
#define SPOOL_TAG 16
#define SPOOL_PIECE (256 << 10) /* bytes of one, unsealed */
#define SPOOL_TTL 3600	     /* s, where the client says nothing */
#define SPOOL_TTL_MOST 86400

typedef void spool_fn(void *arg, enum err e);

/* The caller's; from a call until its fn was called. */
struct spool {
	char name[SPOOL_NAME];
	unsigned char key[SPOOL_KEY];
	struct registry *registry;
	const char *p;	/* what is written, */
	struct buf *out; /* or read */
	size_t len;
	unsigned pieces, at;
	int64_t forget;
	char *sealed; /* room for a piece */
	spool_fn *fn;
	void *arg;
};

/* A new name and key. False: no randomness. */
bool spool_new(struct spool *s);

/* The provider's part of the client's id; NULL: no memory. */
const char *spool_own(struct arena *a, const struct spool *s);

/* Read one back. False: it is the id of something else. */
bool spool_find(const char *own, struct spool *s);

/* Under what the registry knows it: without the key. */
const char *spool_record(struct arena *a, const struct spool *s);

/* Pieces of so many bytes. */
unsigned spool_pieces(size_t len);

/*
 * Write p, or read so many pieces behind out. ERR_TOO_LARGE: the store has no
 * room; ERR_NOT_FOUND: a piece is gone or is not what was written; ERR_KEPT.
 */
void spool_write(struct spool *s, struct arena *a, struct registry *rg,
    const char *p, size_t len, int64_t forget, spool_fn *fn, void *arg);
void spool_read(struct spool *s, struct arena *a, struct registry *rg,
    unsigned pieces, struct buf *out, spool_fn *fn, void *arg);

/* One piece; out has room for len + SPOOL_TAG, or len - SPOOL_TAG. */
bool spool_seal(const struct spool *s, unsigned n, const char *p, size_t len,
    char *out);
bool spool_open(const struct spool *s, unsigned n, const char *p, size_t len,
    char *out);

#endif
