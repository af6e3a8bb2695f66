/* Pages of secrets: a list of mappings, cut from the newest. */
#include "policy/vault.h"

#include <openssl/crypto.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN alignof(max_align_t)
#define PAGES 65536 /* bytes of a usual mapping: whole pages everywhere */

struct pages {
	struct pages *prev;
	size_t size, used; /* both with this head */
};

struct vault {
	struct pages *top;
	size_t cap, used;
};

struct vault *
vault_new(size_t cap)
{
	struct vault *v = calloc(1, sizeof *v);

	if (v != NULL)
		v->cap = cap;
	return v;
}

void
vault_free(struct vault *v)
{
	struct pages *p, *prev;
	size_t size;

	if (v == NULL)
		return;
	for (p = v->top; p != NULL; p = prev) {
		prev = p->prev;
		size = p->size;
		OPENSSL_cleanse(p, p->used);
		munmap(p, size);
	}
	free(v);
}

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static struct pages *
pages_new(struct vault *v, size_t n)
{
	size_t head = round_up(sizeof(struct pages), ALIGN);
	size_t size = round_up(head + n, PAGES);
	struct pages *p;

	if (size > v->cap - v->used)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* Old kernels may refuse: then a dump holds them, nothing else. */
	(void)madvise(p, size, MADV_DONTDUMP);
	p->prev = v->top;
	p->size = size;
	p->used = head;
	v->top = p;
	v->used += size;
	return p;
}

void *
vault_alloc(struct vault *v, size_t n)
{
	struct pages *p = v->top;
	void *q;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = round_up(n == 0 ? 1 : n, ALIGN);
	if (p == NULL || p->size - p->used < n) {
		p = pages_new(v, n);
		if (p == NULL)
			return NULL;
	}
	q = (char *)p + p->used;
	p->used += n;
	return q;
}

char *
vault_dup(struct vault *v, const char *p, size_t n)
{
	char *q;

	if (n == SIZE_MAX)
		return NULL;
	q = vault_alloc(v, n + 1);
	if (q != NULL && n > 0)
		memcpy(q, p, n); /* the NUL is there: pages come zeroed */
	return q;
}
