/* The verbs of keys: read the record, make the new one, exchange them. */
#include "app/keys.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/keystore.h"
#include "policy/issue.h"
#include "policy/policy.h"
#include "policy/unit.h"

#define RECORD_MAX (ISSUE_ROW + KIB(4))
#define WHY_MAX KIB(8)

/* ---- records ---- */

/* Times of a record by the names that they have in it. */
static const struct {
	const char *name;
	size_t offset;
} times[] = {
	{ "made", offsetof(struct key_record, made) },
	{ "rotated", offsetof(struct key_record, rotated) },
	{ "changed", offsetof(struct key_record, changed) },
	{ "revoked", offsetof(struct key_record, revoked) },
	{ "until", offsetof(struct key_record, until) },
};
#define TIMES (sizeof times / sizeof times[0])

static int64_t *
time_of(struct key_record *k, size_t i)
{
	return (int64_t *)(void *)((char *)k + times[i].offset);
}

static int64_t
time_in(const struct key_record *k, size_t i)
{
	return *(const int64_t *)(const void *)((const char *)k +
	    times[i].offset);
}

/* A hash of a record, "" when there is none; false: it is no hash. */
static bool
read_hash(const struct json *doc, const char *key, struct arena *a,
    char out[HASH_HEX_SIZE])
{
	uint32_t v = json_get(doc, JSON_ROOT, key);
	size_t len;
	const char *s = json_str(doc, v, a, &len);

	out[0] = '\0';
	if (v == JSON_NONE)
		return true;
	if (s == NULL || len != HASH_HEX_SIZE - 1 ||
	    strspn(s, "0123456789abcdef") < len)
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return true;
}

bool
key_record_read(struct key_record *k, struct arena *a, const char *text,
    size_t len)
{
	char *copy = len > RECORD_MAX ? NULL : arena_dup(a, text, len);
	struct json doc;
	struct fault f;
	uint32_t row;
	size_t i;

	memset(k, 0, sizeof *k);
	if (copy == NULL || json_parse(&doc, a, copy, len, &f) != ERR_OK)
		return false;
	row = json_get(&doc, JSON_ROOT, "row");
	if (json_type(&doc, row) != JSON_OBJECT ||
	    !read_hash(&doc, "hash", a, k->hash) ||
	    !read_hash(&doc, "old", a, k->old))
		return false;
	for (i = 0; i < TIMES; i++)
		json_int(&doc, json_get(&doc, JSON_ROOT, times[i].name),
		    time_of(k, i));
	k->row = json_raw(&doc, row, &k->row_len);
	k->row = arena_dup(a, k->row, k->row_len);
	k->name = json_cstr(&doc, json_get(&doc, row, "name"), a);
	return k->name != NULL && k->row != NULL;
}

/* The text of a record, from the arena; NULL: memory. */
static const char *
record_text(const struct key_record *k, struct arena *a)
{
	const char *text = NULL;
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, RECORD_MAX);
	jw_init(&w, &b);
	jw_object(&w);
	if (*k->hash != '\0') {
		jw_key(&w, "hash");
		jw_string(&w, k->hash);
	}
	if (*k->old != '\0') {
		jw_key(&w, "old");
		jw_string(&w, k->old);
	}
	for (i = 0; i < TIMES; i++) {
		if (time_in(k, i) == 0)
			continue;
		jw_key(&w, times[i].name);
		jw_int(&w, time_in(k, i));
	}
	jw_key(&w, "row");
	jw_raw(&w, k->row, k->row_len);
	jw_end_object(&w);
	if (!b.failed)
		text = arena_dup(a, b.data, b.len);
	buf_free(&b);
	return text;
}

static int64_t
expiry(const struct key_record *k, struct arena *a)
{
	struct json doc;
	struct fault f;
	int64_t t = 0;
	char *s;

	if (json_parse(&doc, a, k->row, k->row_len, &f) != ERR_OK)
		return 0;
	s = json_cstr(&doc, json_get(&doc, JSON_ROOT, "expires"), a);
	return s != NULL && unit_date(s, &t) ? t : 0;
}

const char *
key_record_state(const struct key_record *k, struct arena *a, int64_t now)
{
	int64_t end = expiry(k, a);

	if (k->revoked != 0)
		return "revoked";
	return end != 0 && end <= now ? "expired" : "active";
}

static void
write_time(struct json_writer *w, const char *key, int64_t t)
{
	char text[32];
	struct tm tm;
	time_t s = (time_t)t;

	if (t == 0 || gmtime_r(&s, &tm) == NULL)
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	jw_key(w, key);
	jw_string(w, text);
}

void
key_record_write(struct json_writer *w, const struct key_record *k,
    struct arena *a, int64_t now)
{
	jw_object(w);
	jw_key(w, "name");
	jw_string(w, k->name);
	jw_key(w, "state");
	jw_string(w, key_record_state(k, a, now));
	write_time(w, "made", k->made);
	write_time(w, "rotated", k->rotated);
	write_time(w, "changed", k->changed);
	write_time(w, "revoked", k->revoked);
	if (k->until > now)
		write_time(w, "old_secret_until", k->until);
	jw_key(w, "settings");
	jw_raw(w, k->row, k->row_len);
	jw_end_object(w);
}

/* ---- verbs ---- */

/* One verb on its way, in the arena of its ask. */
struct doing {
	struct keys_ask ask;
	keys_fn *fn;
	void *arg;
	const char *name, *was;
	struct keystore_change change;
	char fresh[HASH_HEX_SIZE]; /* of a new secret */
	char dropped[2][HASH_HEX_SIZE];
	struct keys_answer answer;
};

static void
finish(struct doing *d, enum err e, const char *why)
{
	d->answer.err = e;
	d->answer.why = why;
	if (e != ERR_OK)
		OPENSSL_cleanse(d->answer.secret, sizeof d->answer.secret);
	d->fn(d->arg, &d->answer);
	OPENSSL_cleanse(d->answer.secret, sizeof d->answer.secret);
}

static void
no_memory(struct doing *d)
{
	finish(d, ERR_INTERNAL, "out of memory");
}

static void
on_changed(void *arg, enum err e, const char *why)
{
	struct doing *d = arg;

	if (e == ERR_CONFLICT)
		why = "it was changed by somebody else at the same time: try "
		      "again";
	else if (e == ERR_KEYS)
		why = arena_printf(d->ask.arena, "the store does not answer "
		    "(%s): the change may have been made", why);
	finish(d, e, why == NULL ? "" : why);
}

/* The record is as it is to be: put it in the place of what was read. */
static void
exchange(struct doing *d)
{
	struct keystore_change *c = &d->change;

	c->name = d->answer.key.name;
	c->was = d->was;
	c->row = d->answer.key.row;
	c->record = record_text(&d->answer.key, d->ask.arena);
	if (c->record == NULL)
		no_memory(d);
	else
		keystore_change(d->ask.store, c, on_changed, d);
}

static void
set(struct doing *d, const char *hash, int64_t until)
{
	struct keystore_change *c = &d->change;

	c->set[c->sets++] = (struct keystore_secret){ hash, until };
}

static void
drop(struct doing *d, const char *hash)
{
	unsigned n = d->change.drops++;

	memcpy(d->dropped[n], hash, HASH_HEX_SIZE);
	d->change.drop[n] = d->dropped[n];
}

/* A secret and its hash. */
static bool
make_secret(struct doing *d)
{
	unsigned char hash[KEY_HASH];
	char *secret = d->answer.secret;

	if (hash_vkey_make(secret) != ERR_OK || !policy_hash(d->ask.policy,
	    secret, HASH_VKEY_LEN, hash))
		return false;
	hash_hex(d->fresh, hash, sizeof hash);
	return true;
}

/* Are the settings what a key can have? Else it has been told. */
static bool
check_row(struct doing *d)
{
	struct arena *a = d->ask.arena;
	const struct vkey *k;
	const char *why;
	struct buf faults;

	buf_init(&faults, WHY_MAX);
	k = issue_key(d->ask.policy, d->answer.key.row,
	    d->answer.key.row_len, true, a, &faults);
	while (faults.len > 0 && faults.data[faults.len - 1] == '\n')
		faults.len--;
	why = faults.len == 0 ? "" : arena_dup(a, faults.data, faults.len);
	buf_free(&faults);
	if (k != NULL)
		return true;
	finish(d, ERR_BAD_REQUEST, why == NULL || *why == '\0' ?
	    "the settings are not right" : why);
	return false;
}

static void
create(struct doing *d, int64_t now)
{
	struct key_record *k = &d->answer.key;

	k->made = now;
	if (!make_secret(d)) {
		no_memory(d);
		return;
	}
	memcpy(k->hash, d->fresh, sizeof k->hash);
	set(d, k->hash, 0);
	exchange(d);
}

static void
rotate(struct doing *d, int64_t now)
{
	struct key_record *k = &d->answer.key;

	if (!make_secret(d)) {
		no_memory(d);
		return;
	}
	if (*k->old != '\0') /* two secrets at most */
		drop(d, k->old);
	memcpy(k->old, k->hash, sizeof k->old);
	memcpy(k->hash, d->fresh, sizeof k->hash);
	k->rotated = now;
	k->until = now + d->ask.grace;
	set(d, k->hash, 0);
	if (d->ask.grace > 0) {
		set(d, k->old, k->until);
	} else {
		drop(d, k->old);
		k->old[0] = '\0';
		k->until = 0;
	}
	exchange(d);
}

/* Members of `more` over those of the row, null takes away. */
static bool
merge(struct doing *d, const struct json *more)
{
	struct key_record *k = &d->answer.key;
	struct arena *a = d->ask.arena;
	struct json doc;
	struct edits e;
	struct fault f;
	struct buf b;
	const char *raw;
	char *key;
	size_t len;
	uint32_t v;

	if (json_parse(&doc, a, k->row, k->row_len, &f) != ERR_OK)
		return false;
	edits_init(&e, &doc, a);
	for (v = json_first(more, JSON_ROOT); v != JSON_NONE;
	    v = json_next(more, JSON_ROOT, v)) {
		key = json_cstr(more, v, a);
		if (key == NULL)
			return false;
		raw = json_raw(more, json_value(more, v), &len);
		if (json_type(more, json_value(more, v)) == JSON_NULL)
			edits_remove(&e, JSON_ROOT, key);
		else
			edits_set(&e, JSON_ROOT, key, raw, len);
	}
	buf_init(&b, ISSUE_ROW);
	k->row = edits_apply(&e, &b) && !b.failed ?
	    arena_dup(a, b.data, b.len) : NULL;
	k->row_len = b.len;
	buf_free(&b);
	return k->row != NULL;
}

static void
change_row(struct doing *d, int64_t now)
{
	struct key_record *k = &d->answer.key;
	struct json more;
	struct fault f;
	uint32_t name;

	if (json_parse(&more, d->ask.arena, d->ask.row, d->ask.row_len, &f) !=
	    ERR_OK || json_type(&more, JSON_ROOT) != JSON_OBJECT) {
		finish(d, ERR_BAD_REQUEST, "the settings must be an object");
		return;
	}
	name = json_get(&more, JSON_ROOT, "name");
	if (name != JSON_NONE && !json_is(&more, name, k->name)) {
		finish(d, ERR_BAD_REQUEST, "a key keeps its name");
		return;
	}
	if (!merge(d, &more)) {
		finish(d, ERR_BAD_REQUEST, "the settings are too long");
		return;
	}
	if (!check_row(d))
		return;
	k->changed = now;
	set(d, k->hash, 0);
	if (*k->old != '\0' && k->until > now)
		set(d, k->old, k->until);
	exchange(d);
}

static void
revoke_key(struct doing *d, int64_t now)
{
	struct key_record *k = &d->answer.key;

	drop(d, k->hash);
	if (*k->old != '\0')
		drop(d, k->old);
	k->hash[0] = k->old[0] = '\0';
	k->until = 0;
	k->revoked = now;
	exchange(d);
}

static void (*const verbs[])(struct doing *d, int64_t now) = {
	[KEYS_CREATE] = create,
	[KEYS_ROTATE] = rotate,
	[KEYS_SET] = change_row,
	[KEYS_REVOKE] = revoke_key,
};

static void
on_record(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct doing *d = arg;
	struct arena *a = d->ask.arena;
	bool create_it = d->ask.verb == KEYS_CREATE;

	if (e != ERR_OK) {
		why = arena_printf(a, "the store does not answer (%s)", why);
		finish(d, e, why == NULL ? "" : why);
	} else if (create_it && text != NULL) {
		finish(d, ERR_CONFLICT, "there is a key of this name already, "
		    "or was one");
	} else if (!create_it && text == NULL) {
		finish(d, ERR_NOT_FOUND, "no key of this name was made here");
	} else if (text != NULL && !key_record_read(&d->answer.key, a, text,
	    len)) {
		finish(d, ERR_INTERNAL, "what the store has of it is damaged");
	} else if (d->answer.key.revoked != 0) {
		finish(d, ERR_CONFLICT, "the key is revoked");
	} else {
		d->was = text == NULL ? "" : arena_dup(a, text, len);
		if (d->was == NULL)
			no_memory(d);
		else
			verbs[d->ask.verb](d, clock_wall() / 1000000);
	}
}

/* The row of a new key and its name; what is wrong has been told. */
static bool
take_row(struct doing *d)
{
	struct key_record *k = &d->answer.key;
	struct arena *a = d->ask.arena;
	struct json doc;
	struct fault f;

	k->row = arena_dup(a, d->ask.row, d->ask.row_len);
	k->row_len = d->ask.row_len;
	if (k->row == NULL) {
		no_memory(d);
		return false;
	}
	if (json_parse(&doc, a, k->row, k->row_len, &f) != ERR_OK ||
	    json_type(&doc, JSON_ROOT) != JSON_OBJECT) {
		finish(d, ERR_BAD_REQUEST, "the settings must be an object");
		return false;
	}
	k->name = json_cstr(&doc, json_get(&doc, JSON_ROOT, "name"), a);
	d->name = k->name;
	if (k->name == NULL || *k->name == '\0') {
		finish(d, ERR_BAD_REQUEST, "a key needs a name");
		return false;
	}
	return check_row(d); /* before the store is asked for the name */
}

void
keys_do(const struct keys_ask *ask, keys_fn *fn, void *arg)
{
	static const struct keys_answer none = { .err = ERR_INTERNAL,
		.why = "out of memory" };
	struct doing *d = arena_zalloc(ask->arena, sizeof *d);

	if (d == NULL) {
		fn(arg, &none);
		return;
	}
	d->ask = *ask;
	d->fn = fn;
	d->arg = arg;
	d->name = ask->name;
	if (!ask->policy->peppered)
		finish(d, ERR_INTERNAL, "the pepper of the policy is not "
		    "known here");
	else if (ask->verb != KEYS_CREATE || take_row(d))
		keystore_get(ask->store, d->name, on_record, d);
}
