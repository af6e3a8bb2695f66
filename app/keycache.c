/* Keys of the store in a worker's memory. */
#include "app/keycache.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/keystore.h"
#include "policy/issue.h"

#define WAYS 4
#define SETS (KEYCACHE_SLOTS / WAYS)
#define NOTE_EVERY INT64_C(60000000) /* µs between two notes */

/* What the store said of a secret. */
struct slot {
	unsigned char hash[KEY_HASH];
	int64_t asked;	       /* clock_mono, 0: an empty slot */
	char *row;	       /* NULL: there is none */
	size_t len;
	struct issued *issued; /* of row, as it was last needed */
};

/* A look-up under way, and who waits for it. */
struct question {
	struct question *next, **link;
	struct keycache *cache;
	unsigned char hash[KEY_HASH];
	int64_t asked;
	struct waiting {
		struct waiting *next;
		struct policy *policy;
		struct key_wait *wait;
	} *waiting, **end;
};

struct keycache {
	uv_loop_t *loop;
	const char *state_dir;
	void (*note)(void *arg, const char *text);
	void *note_arg;
	int64_t noted;
	char *address; /* of the store that is open */
	struct keystore *store;
	struct question *questions;
	size_t count;
	struct slot slots[KEYCACHE_SLOTS];
};

/* ---- keys ---- */

void
issued_unref(struct issued *k)
{
	if (k == NULL || --k->refs > 0)
		return;
	policy_unref(k->policy);
	arena_free(k->arena);
	free(k);
}

/* For the log, now and then: the text's first line. */
static void
complain(struct keycache *c, const char *what, const char *why, size_t len)
{
	int64_t now = clock_mono();
	const char *end = len == 0 ? NULL : memchr(why, '\n', len);
	char text[256];

	if (c->noted != 0 && now - c->noted < NOTE_EVERY)
		return;
	c->noted = now;
	snprintf(text, sizeof text, "%s: %.*s", what,
	    (int)(end != NULL ? end - why : (ptrdiff_t)len), len == 0 ? "" :
	    why);
	c->note(c->note_arg, text);
}

/* The row as a key under a policy; NULL: it is none there, or memory. */
static struct issued *
issued_new(struct keycache *c, struct policy *p, const struct slot *s)
{
	struct issued *k = calloc(1, sizeof *k);
	struct buf faults;

	if (k == NULL)
		return NULL;
	buf_init(&faults, KIB(4));
	k->arena = arena_new(KIB(512));
	if (k->arena != NULL)
		k->key = issue_key(p, s->row, s->len, false, k->arena,
		    &faults);
	if (k->key == NULL) {
		complain(c, "a key of the store is not taken", faults.data,
		    faults.len);
		arena_free(k->arena);
		free(k);
		k = NULL;
	} else {
		k->refs = 1;
		k->policy = policy_ref(p);
	}
	buf_free(&faults);
	return k;
}

/* ---- slots ---- */

static void
empty(struct slot *s)
{
	free(s->row);
	issued_unref(s->issued);
	memset(s, 0, sizeof *s);
}

/* The first of the ways of a hash, which nobody can choose. */
static struct slot *
set_of(struct keycache *c, const unsigned char *hash)
{
	size_t i = (size_t)hash[0] << 8 | hash[1];

	return &c->slots[i % SETS * WAYS];
}

static struct slot *
find_slot(struct keycache *c, const unsigned char *hash)
{
	struct slot *set = set_of(c, hash), *found = NULL;
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (set[i].asked != 0 &&
		    CRYPTO_memcmp(set[i].hash, hash, KEY_HASH) == 0)
			found = &set[i];
	return found;
}

/* Where an answer goes: over the oldest, rather over what is no key. */
static struct slot *
take_slot(struct keycache *c, const unsigned char *hash)
{
	struct slot *set = set_of(c, hash), *worst = set, *s;
	size_t i;

	s = find_slot(c, hash);
	if (s != NULL)
		return s;
	for (i = 1; i < WAYS; i++) {
		s = &set[i];
		if ((s->row == NULL) != (worst->row == NULL) ?
		    s->row == NULL : s->asked < worst->asked)
			worst = s;
	}
	return worst;
}

static char *
copy_of(const char *row, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy != NULL) {
		memcpy(copy, row, len);
		copy[len] = '\0';
	}
	return copy;
}

/* Write down an answer. A row that is as it was keeps its key. */
static struct slot *
fill(struct keycache *c, const struct question *q, const char *row,
    size_t len)
{
	struct slot *s = take_slot(c, q->hash);
	char *copy = NULL;

	if (row != NULL && s->row != NULL && s->len == len &&
	    memcmp(s->row, row, len) == 0 &&
	    memcmp(s->hash, q->hash, KEY_HASH) == 0) {
		s->asked = q->asked;
		return s;
	}
	if (row != NULL && (copy = copy_of(row, len)) == NULL)
		return NULL;
	empty(s);
	memcpy(s->hash, q->hash, KEY_HASH);
	s->row = copy;
	s->len = len;
	s->asked = q->asked;
	return s;
}

static void
answer(struct keycache *c, struct slot *s, struct policy *p,
    struct key_wait *w)
{
	w->issued = NULL;
	w->err = ERR_BAD_KEY;
	if (s->row == NULL)
		return;
	if (s->issued == NULL || s->issued->policy != p) {
		issued_unref(s->issued);
		s->issued = issued_new(c, p, s);
	}
	if (s->issued == NULL)
		return;
	s->issued->refs++;
	w->issued = s->issued;
	w->err = ERR_OK;
}

/* ---- look-ups ---- */

/* What was found goes to all who wait. */
static void
on_found(void *arg, enum err e, const char *row, size_t len, const char *why)
{
	struct question *q = arg;
	struct keycache *c = q->cache;
	struct slot *s = NULL;
	struct waiting *w;

	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	c->count--;
	if (e == ERR_OK)
		s = fill(c, q, row, len);
	else
		complain(c, "the store of keys cannot be asked", why,
		    strlen(why));
	while ((w = q->waiting) != NULL) {
		q->waiting = w->next;
		w->wait->issued = NULL;
		w->wait->err = ERR_KEYS;
		if (s != NULL)
			answer(c, s, w->policy, w->wait);
		w->wait->fn(w->wait->arg);
		policy_unref(w->policy);
		free(w);
	}
	free(q);
}

/* The store of the policy, opened anew when it is another one. */
static bool
open_store(struct keycache *c, const struct policy *p)
{
	struct keystore_setup setup = { .loop = c->loop, .store = p->store,
		.dir = c->state_dir };
	struct fault f;
	size_t i;

	if (c->store != NULL && strcmp(c->address, p->store) == 0)
		return true;
	keystore_close(c->store);
	c->store = NULL;
	free(c->address);
	for (i = 0; i < KEYCACHE_SLOTS; i++)
		empty(&c->slots[i]);
	c->address = strdup(p->store);
	if (c->address != NULL)
		c->store = keystore_open(&setup, &f);
	return c->store != NULL;
}

static bool
join(struct question *q, struct policy *p, struct key_wait *w)
{
	struct waiting *me = calloc(1, sizeof *me);

	if (me == NULL)
		return false;
	me->policy = policy_ref(p);
	me->wait = w;
	*q->end = me;
	q->end = &me->next;
	return true;
}

/* False: no memory, or too many. */
static bool
ask(struct keycache *c, struct policy *p, const unsigned char *hash,
    struct key_wait *w)
{
	struct question *q;
	char hex[HASH_HEX_SIZE];

	for (q = c->questions; q != NULL; q = q->next)
		if (memcmp(q->hash, hash, KEY_HASH) == 0)
			return join(q, p, w);
	if (c->count == KEYCACHE_QUESTIONS || !open_store(c, p))
		return false;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return false;
	q->cache = c;
	q->asked = clock_mono();
	q->end = &q->waiting;
	memcpy(q->hash, hash, KEY_HASH);
	if (!join(q, p, w)) {
		free(q);
		return false;
	}
	q->next = c->questions;
	q->link = &c->questions;
	if (q->next != NULL)
		q->next->link = &q->next;
	c->questions = q;
	c->count++;
	hash_hex(hex, hash, KEY_HASH);
	keystore_find(c->store, hex, on_found, q);
	return true;
}

bool
keycache_find(struct keycache *c, struct policy *p,
    const unsigned char hash[KEY_HASH], struct key_wait *w)
{
	struct slot *s = find_slot(c, hash);

	if (s != NULL && clock_mono() - s->asked < KEYCACHE_US &&
	    c->address != NULL && strcmp(c->address, p->store) == 0) {
		answer(c, s, p, w);
		return true;
	}
	if (ask(c, p, hash, w))
		return false;
	w->issued = NULL;
	w->err = ERR_KEYS;
	return true;
}

/* ---- begin and end ---- */

struct keycache *
keycache_new(uv_loop_t *loop, const char *state_dir,
    void (*note)(void *arg, const char *text), void *arg)
{
	struct keycache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->state_dir = state_dir;
	c->note = note;
	c->note_arg = arg;
	return c;
}

void
keycache_free(struct keycache *c)
{
	size_t i;

	if (c == NULL)
		return;
	keystore_close(c->store);
	assert(c->questions == NULL);
	for (i = 0; i < KEYCACHE_SLOTS; i++)
		empty(&c->slots[i]);
	free(c->address);
	free(c);
}
