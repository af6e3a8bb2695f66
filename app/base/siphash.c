/* SipHash with one round a word and three at the end (Aumasson, Bernstein). */
#include "app/base/siphash.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>

#include "app/base/clock.h"

struct state {
	uint64_t a, b, c, d;
};

static uint64_t
turn(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void
mix(struct state *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = turn(s->b, 13) ^ s->a;
	s->d = turn(s->d, 16) ^ s->c;
	s->a = turn(s->a, 32);
	s->c += s->b;
	s->a += s->d;
	s->b = turn(s->b, 17) ^ s->c;
	s->d = turn(s->d, 21) ^ s->a;
	s->c = turn(s->c, 32);
}

static void
take(struct state *s, uint64_t word)
{
	s->d ^= word;
	mix(s);
	s->a ^= word;
}

uint64_t
siphash(const uint64_t key[2], const void *p, size_t n)
{
	const unsigned char *in = p;
	uint64_t word;
	size_t left;
	struct state s = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (left = n; left >= 8; left -= 8, in += 8) {
		memcpy(&word, in, 8);
		take(&s, le64toh(word));
	}
	word = 0;
	if (left > 0)
		memcpy(&word, in, left);
	take(&s, le64toh(word) | (uint64_t)n << 56);
	s.c ^= 0xff;
	mix(&s);
	mix(&s);
	mix(&s);
	return s.a ^ s.b ^ s.c ^ s.d;
}

void
siphash_key(uint64_t key[2])
{
	if (getrandom(key, 2 * sizeof key[0], GRND_NONBLOCK) ==
	    (ssize_t)(2 * sizeof key[0]))
		return;
	/* An early boot without entropy: hard to guess is good enough. */
	key[0] = (uint64_t)clock_mono() ^ (uint64_t)(uintptr_t)key;
	key[1] = (uint64_t)clock_wall() ^ (uint64_t)(uintptr_t)&siphash_key;
}
