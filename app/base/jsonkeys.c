/*
 * Looking for equal keys in one object: by a bit for each key, in pairs when
 * two bits fall together, in a table with a keyed hash when there are many.
 */
#include <stdlib.h>
#include <string.h>

#include "app/base/siphash.h"
#include "app/base/tape.h"

#define FEW_KEYS 16 /* up to here keys are compared in pairs */

struct slot {
	uint32_t hash, key; /* key 0: free (node 0 is never a key) */
};

void
keys_free(struct keys *k)
{
	free(k->slots);
	free(k->decoded);
}

/* The hash of a key as decoded; false when memory is short. */
static bool
hash_key(struct keys *k, const struct json *doc, uint32_t v, uint32_t *hash)
{
	const char *p = NODE_TEXT(doc, v);
	size_t n = NODE_LEN(doc, v);
	char *room;

	if (NODE_INFO(doc, v) & NODE_ESCAPED) {
		if (k->decoded_size < n) {
			room = realloc(k->decoded, n);
			if (room == NULL)
				return false;
			k->decoded = room;
			k->decoded_size = n;
		}
		n = tape_decode(p, n, k->decoded);
		p = k->decoded;
	}
	*hash = (uint32_t)siphash(k->seed, p, n);
	return true;
}

/*
 * A clean table for n keys; returns its size, 0 when memory is short. Full
 * to 7/8 at most: memory is dearer here than a longer search.
 */
static size_t
clear_slots(struct keys *k, uint32_t n)
{
	size_t size = 64;

	while (size / 8 * 7 < n)
		size *= 2;
	if (!k->seeded) {
		siphash_key(k->seed);
		k->seeded = true;
	}
	if (size > k->slots_size) {
		free(k->slots);
		k->slots_size = 0;
		k->slots = malloc(size * sizeof *k->slots);
		if (k->slots == NULL)
			return 0;
		k->slots_size = size;
	}
	memset(k->slots, 0, size * sizeof *k->slots);
	return size;
}

static bool
check_many(struct keys *k, const struct json *doc, uint32_t object,
    uint32_t end, uint32_t *twin)
{
	size_t size = clear_slots(k, NODE_COUNT(doc, object)), i;
	struct slot *s;
	uint32_t v, hash;

	if (size == 0)
		return false;
	for (v = object + 2; v < end; v = NODE_SKIP(doc, v + 1)) {
		if (!hash_key(k, doc, v, &hash))
			return false;
		for (i = hash & (size - 1);; i = (i + 1) & (size - 1)) {
			s = &k->slots[i];
			if (s->key == 0)
				break;
			if (s->hash == hash && tape_same(doc, v, s->key)) {
				*twin = v;
				return true;
			}
		}
		s->hash = hash;
		s->key = v;
	}
	return true;
}

static void
check_pairs(const struct json *doc, uint32_t object, uint32_t end,
    uint32_t *twin)
{
	uint32_t keys[FEW_KEYS], v, i, n = 0;

	for (v = object + 2; v < end; v = NODE_SKIP(doc, v + 1)) {
		for (i = 0; i < n; i++)
			if (tape_same(doc, keys[i], v)) {
				*twin = v;
				return;
			}
		keys[n++] = v;
	}
}

bool
keys_check(struct keys *k, const struct json *doc, uint32_t object,
    uint32_t end, uint32_t *twin)
{
	const unsigned char *p;
	uint64_t seen = 0, bit;
	uint32_t v, n;

	*twin = JSON_NONE;
	if (NODE_COUNT(doc, object) > FEW_KEYS)
		return check_many(k, doc, object, end, twin);
	for (v = object + 2; v < end; v = NODE_SKIP(doc, v + 1)) {
		n = (uint32_t)NODE_LEN(doc, v);
		p = (const unsigned char *)NODE_TEXT(doc, v);
		if (n > 0)
			n += p[0] * 5u + p[n - 1] * 11u;
		bit = UINT64_C(1) << (n & 63);
		if ((seen & bit) || (NODE_INFO(doc, v) & NODE_ESCAPED)) {
			check_pairs(doc, object, end, twin);
			break;
		}
		seen |= bit;
	}
	return true;
}
