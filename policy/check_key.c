/*
 * Keys: hashed under the pepper, ordered by hash, names and secrets unique,
 * tiers and models known. No secret leaves the loader's scratch memory.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/hash.h"
#include "policy/load.h"
#include "policy/region.h"
#include "policy/schema.h"
#include "policy/secret.h"

#define WEAK 16 /* characters below which a secret can be guessed */

/* A key and where it stands, while they are put in order. */
struct placed {
	struct vkey key;
	const struct node *node;
	bool hashed;
};

static const struct node *
place(const struct src_key *s, const char *key)
{
	const struct node *n = node_get(s->row.node, key);

	return n != NULL ? n : s->row.node;
}

/* HMAC pads a short key with zeros and hashes a long one: so do we. */
static void
set_pepper(struct load *l, const char *text, struct policy *p)
{
	size_t len = strlen(text);

	memset(p->pepper, 0, sizeof p->pepper);
	if (len <= sizeof p->pepper)
		memcpy(p->pepper, text, len);
	else if (hash_sha256(p->pepper, text, len) != ERR_OK)
		diag_nomem(l->diag);
	p->peppered = len > 0;
}

static void
make_pepper(struct load *l, const struct source *s, const struct node *root,
    struct policy *p)
{
	const char *why = NULL, *text = s->pepper;

	if (text == NULL && node_get(root, "pepper") == NULL) {
		text = secret_pepper(l, &why);
		if (text == NULL && why != NULL)
			diag_fault(l->diag, root, "no pepper for the keys: %s; "
			    "give `pepper`", why);
	}
	if (text != NULL)
		set_pepper(l, text, p);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) - 'a' + 10;
}

static void
unhex(unsigned char *out, const char *hex)
{
	size_t i;

	for (i = 0; i < KEY_HASH; i++)
		out[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 |
		    hex_digit(hex[2 * i + 1]));
}

static void
hash_secret(struct load *l, const struct src_key *s, const struct policy *p,
    struct placed *to)
{
	const struct node *n = place(s, "secret");
	size_t len = strlen(s->secret);

	if (strncmp(s->secret, HASH_VKEY_PREFIX,
	    sizeof HASH_VKEY_PREFIX - 1) == 0 &&
	    !hash_vkey_check(s->secret, len)) {
		diag_fault(l->diag, n, "the secret begins with "
		    HASH_VKEY_PREFIX " but its check sum is wrong");
		return;
	}
	if (len < WEAK)
		diag_warn(l->diag, n, "a secret of less than %d characters is "
		    "easily guessed", WEAK);
	if (hash_hmac(to->key.hash, p->pepper, sizeof p->pepper, s->secret,
	    len) != ERR_OK)
		diag_nomem(l->diag);
	to->hashed = true;
}

static void
make_hash(struct load *l, const struct src_key *s, const struct policy *p,
    struct placed *to)
{
	bool secret = node_get(s->row.node, "secret") != NULL;
	bool hash = node_get(s->row.node, "hash") != NULL;

	if (secret == hash) {
		diag_fault(l->diag, s->row.node, secret ?
		    "has both secret and hash" : "needs secret or hash");
	} else if (secret && s->secret != NULL) {
		hash_secret(l, s, p, to);
	} else if (hash && s->hash != NULL) {
		unhex(to->key.hash, s->hash);
		to->hashed = true;
	}
}

static struct src_tier *
find_tier(const struct source *s, const char *name)
{
	struct src_tier *rows = s->tiers.items;
	size_t i;

	for (i = 0; i < s->tiers.count; i++)
		if (strcmp(rows[i].row.name, name) == 0)
			return &rows[i];
	return NULL;
}

static void
unknown_tier(struct load *l, const struct source *s, const struct src_key *k)
{
	const struct src_tier *rows = s->tiers.items;
	struct guess g;
	char hint[128];
	size_t i;

	guess_init(&g, k->tier);
	for (i = 0; i < s->tiers.count; i++)
		guess_offer(&g, rows[i].row.name);
	diag_fault(l->diag, place(k, "tier"), "unknown tier '%s'%s", k->tier,
	    guess_words(&g, hint, sizeof hint));
}

const char *const *
keep_strings(struct load *l, const struct rows *rows)
{
	const char **to;

	if (rows->count == 0)
		return NULL;
	to = arena_alloc(l->arena, rows->count * sizeof *to);
	if (to == NULL)
		diag_nomem(l->diag);
	else
		memcpy(to, rows->items, rows->count * sizeof *to);
	return to;
}

void
keep_tags(struct load *l, const struct rows *rows, struct vkey *k)
{
	const char *const *from = rows->items;
	const char **to;
	size_t i, n;

	if (rows->count == 0)
		return;
	to = arena_alloc(l->arena, rows->count * sizeof *to);
	if (to == NULL) {
		diag_nomem(l->diag);
		return;
	}
	k->tags = to;
	for (i = 0; i < rows->count; i++) {
		if (from[i] == NULL)
			continue; /* it was told why */
		for (n = 0; n < k->tag_count; n++)
			if (strcmp(to[n], from[i]) == 0)
				break;
		if (n == k->tag_count)
			to[k->tag_count++] = from[i];
	}
}

/* A name without '*' that leads nowhere is a slip. */
void
check_patterns(struct load *l, const struct policy *p, const struct rows *rows,
    const struct node *list)
{
	const char *const *names = rows->items;
	const struct node *n = list->kind == NODE_LIST ? list->first : list;
	struct guess g;
	char hint[128];
	const char *slash;
	size_t i, j;

	for (i = 0; i < rows->count && n != NULL; i++, n = n->next) {
		if (names[i] == NULL || strchr(names[i], '*') != NULL ||
		    policy_model(p, names[i]) != NULL)
			continue;
		slash = strchr(names[i], '/');
		if (slash != NULL && policy_provider(p, names[i],
		    (size_t)(slash - names[i])) != NULL)
			continue;
		guess_init(&g, names[i]);
		for (j = 0; j < p->model_count && !diag_full(l->diag); j++)
			guess_offer(&g, p->models[j].name);
		diag_fault(l->diag, n, "unknown model '%.80s'%s", names[i],
		    guess_words(&g, hint, sizeof hint));
	}
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

/* What the key says itself, else what its tier says. */
static void
make_grant(struct load *l, const struct src_key *k,
    const struct src_tier *tier, const struct policy *p, struct vkey *to)
{
	const struct src_grant *own = &k->grant;
	const struct src_grant *other = tier != NULL ? &tier->grant : own;
	const struct rows *models = &own->models, *passing = &own->passing;

	if (models->count > 0)
		check_patterns(l, p, models, place(k, "models"));
	else
		models = &other->models;
	to->models = keep_strings(l, models);
	to->model_count = models->count;
	if (passing->count > 0)
		check_passing(l, p, passing, place(k, "passthrough"));
	else
		passing = &other->passing;
	to->passing = keep_strings(l, passing);
	to->passing_count = passing->count;
	to->may = node_get(k->row.node, "may") != NULL ? own->may : other->may;
	to->region = or_empty(own->region != NULL ? own->region :
	    other->region);
	to->no_retention = own->retention != 0 || other->retention != 0;
}

/* How much it may ask for, and how much its end users may. */
static void
make_limits(struct load *l, const struct src_key *k, struct src_tier *tier,
    const struct policy *p, struct vkey *to)
{
	const struct src_grant *own = &k->grant;
	const struct src_grant *other = tier != NULL ? &tier->grant : own;
	const struct node *n = node_get(k->row.node, "end_users");

	limits_make(l, &own->limits, p->timezone, &to->limits);
	limits_make(l, &own->end_users.limits, p->timezone, &to->end_user);
	if (n != NULL && (to->may & MAY_USER) == 0)
		diag_warn(l->diag, n, "the key names no end users: it needs "
		    "may: [ user ]");
	if (tier != NULL) {
		limits_inherit(&to->limits, &tier->limits);
		limits_inherit(&to->end_user, &tier->end_user);
		if ((to->may & MAY_USER) != 0)
			tier->named = true;
	}
	to->max_output = own->max_output != UNSET ? own->max_output :
		other->max_output != UNSET ? other->max_output : KEY_MAX_OUTPUT;
}

static void
make_key(struct load *l, const struct source *s, const struct src_key *k,
    const struct policy *p, struct placed *to)
{
	struct src_tier *tier = NULL;

	to->node = k->row.node;
	to->key.name = or_empty(k->name);
	to->key.tier = or_empty(k->tier);
	to->key.team = or_empty(k->team);
	to->key.user = or_empty(k->user);
	to->key.expires = k->expires == UNSET ? 0 : k->expires;
	if (k->row.node->kind != NODE_MAP)
		return; /* said */
	make_hash(l, k, p, to);
	if (k->tier != NULL) {
		tier = find_tier(s, k->tier);
		if (tier == NULL)
			unknown_tier(l, s, k);
	}
	make_grant(l, k, tier, p, &to->key);
	make_limits(l, k, tier, p, &to->key);
	keep_tags(l, &k->tags, &to->key);
}

/* What a key has by its tier alone: for keys that stand in no file. */
static void
make_tier_keys(struct load *l, const struct source *s, struct policy *p)
{
	const struct src_tier *rows = s->tiers.items;
	struct src_key none;
	struct vkey *k;
	size_t i;

	if (s->tiers.count == 0)
		return;
	p->tier_keys = arena_zalloc(l->arena,
	    s->tiers.count * sizeof *p->tier_keys);
	if (p->tier_keys == NULL) {
		diag_nomem(l->diag);
		return;
	}
	read_key(l, NULL, &none);
	for (i = 0; i < s->tiers.count; i++) {
		k = &p->tier_keys[i];
		k->name = k->tier = or_empty(rows[i].row.name);
		k->team = k->user = "";
		make_grant(l, &none, &rows[i], p, k);
		k->limits = rows[i].limits;
		k->end_user = rows[i].end_user;
		k->max_output = rows[i].grant.max_output != UNSET ?
		    rows[i].grant.max_output : KEY_MAX_OUTPUT;
	}
	p->tier_key_count = s->tiers.count;
}

static int
earlier(const struct node *a, const struct node *b)
{
	if (a->file->order != b->file->order)
		return a->file->order < b->file->order ? -1 : 1;
	return a->line != b->line ? (a->line < b->line ? -1 : 1) :
	    a->column < b->column ? -1 : a->column > b->column;
}

static int
by_name(const void *pa, const void *pb)
{
	const struct placed *a = pa, *b = pb;
	int cmp = strcmp(a->key.name, b->key.name);

	return cmp != 0 ? cmp : earlier(a->node, b->node);
}

static int
by_hash(const void *pa, const void *pb)
{
	const struct placed *a = pa, *b = pb;
	int cmp = memcmp(a->key.hash, b->key.hash, KEY_HASH);

	return cmp != 0 ? cmp : earlier(a->node, b->node);
}

static void
check_unique(struct load *l, struct placed *list, size_t n,
    const char **names)
{
	size_t i;

	qsort(list, n, sizeof *list, by_name);
	for (i = 0; i < n; i++)
		names[i] = list[i].key.name;
	for (i = 1; i < n; i++)
		if (list[i].key.name[0] != '\0' &&
		    strcmp(list[i].key.name, list[i - 1].key.name) == 0)
			diag_fault(l->diag, list[i].node, "a key of the name "
			    "'%s' stands at %s:%u", list[i].key.name,
			    list[i - 1].node->file->path,
			    list[i - 1].node->line);
	qsort(list, n, sizeof *list, by_hash);
	for (i = 1; i < n; i++)
		if (list[i].hashed && list[i - 1].hashed &&
		    memcmp(list[i].key.hash, list[i - 1].key.hash,
			KEY_HASH) == 0)
			diag_fault(l->diag, list[i].node, "has the same secret "
			    "as the key at %s:%u",
			    list[i - 1].node->file->path,
			    list[i - 1].node->line);
}

/* May a provider be in that region? Bedrock's models may, wherever it is. */
static bool
region_met(const struct policy *p, const char *region)
{
	size_t i;

	for (i = 0; i < p->provider_count; i++)
		if (region_within(p->providers[i].region, region) ||
		    strcmp(p->providers[i].adapter, "bedrock") == 0)
			return true;
	return false;
}

static bool
retention_met(const struct policy *p)
{
	size_t i;

	for (i = 0; i < p->provider_count; i++)
		if (strcmp(p->providers[i].retention, "none") == 0)
			return true;
	return false;
}

/*
 * Who demands what no provider is stated to give gets no answer at all: that
 * may be a slip. *met is a region known to be met, NULL at first.
 */
static void
check_demands(struct load *l, const struct policy *p,
    const struct src_grant *g, const struct node *row, const char **met)
{
	if (g->region != NULL &&
	    (*met == NULL || strcmp(*met, g->region) != 0)) {
		if (region_met(p, g->region))
			*met = g->region;
		else
			diag_warn(l->diag, node_get(row, "region"),
			    "no provider has a region that lies in this one");
	}
	if (g->retention != 0 && !retention_met(p))
		diag_warn(l->diag, node_get(row, "retention"),
		    "no provider has retention: none");
}

static void
check_tiers(struct load *l, const struct source *s, const struct policy *p)
{
	struct src_tier *rows = s->tiers.items;
	const struct node *n;
	const char *met = NULL;
	size_t i;

	for (i = 0; i < s->tiers.count; i++) {
		check_demands(l, p, &rows[i].grant, rows[i].row.node, &met);
		n = node_get(rows[i].row.node, "models");
		if (n != NULL)
			check_patterns(l, p, &rows[i].grant.models, n);
		n = node_get(rows[i].row.node, "passthrough");
		if (n != NULL)
			check_passing(l, p, &rows[i].grant.passing, n);
		limits_make(l, &rows[i].grant.limits, p->timezone,
		    &rows[i].limits);
		limits_make(l, &rows[i].grant.end_users.limits, p->timezone,
		    &rows[i].end_user);
	}
}

/* Limits of end users that no key of a tier may name mean nothing. */
static void
check_named(struct load *l, const struct source *s)
{
	const struct src_tier *rows = s->tiers.items;
	const struct node *n;
	size_t i;

	for (i = 0; i < s->tiers.count; i++) {
		n = node_get(rows[i].row.node, "end_users");
		if (n != NULL && !rows[i].named &&
		    (rows[i].grant.may & MAY_USER) == 0)
			diag_warn(l->diag, n, "its keys name no end users: "
			    "they need may: [ user ]");
	}
}

/* The admin's credential is hashed as a key is, and is none. */
static void
make_admin(struct load *l, const struct source *s, const struct node *root,
    struct policy *p)
{
	const struct node *n = node_get(root, "admin");

	p->admin.path = "";
	if (n == NULL || s->admin.secret == NULL)
		return;
	p->admin.path = s->admin.path != NULL ? s->admin.path : "/admin";
	p->admin.apart = s->admin.apart;
	if (hash_hmac(p->admin.hash, p->pepper, sizeof p->pepper,
	    s->admin.secret, strlen(s->admin.secret)) != ERR_OK)
		diag_nomem(l->diag);
	else if (policy_key_of(p, p->admin.hash) != NULL)
		diag_fault(l->diag, n, "its secret is that of a key, too");
}

void
check_keys(struct load *l, const struct source *s, const struct node *root,
    struct policy *p)
{
	const struct src_key *rows = s->keys.items;
	size_t i, n = s->keys.count;
	const char *met = NULL;
	struct placed *list;

	make_pepper(l, s, root, p);
	check_tiers(l, s, p);
	make_tier_keys(l, s, p);
	if (n == 0) {
		make_admin(l, s, root, p);
		return;
	}
	list = calloc(n, sizeof *list);
	p->keys = arena_alloc(l->arena, n * sizeof *p->keys);
	p->key_names = arena_alloc(l->arena, n * sizeof *p->key_names);
	if (list == NULL || p->keys == NULL || p->key_names == NULL) {
		diag_nomem(l->diag);
		goto out;
	}
	for (i = 0; i < n; i++) {
		make_key(l, s, &rows[i], p, &list[i]);
		check_demands(l, p, &rows[i].grant, rows[i].row.node, &met);
	}
	check_named(l, s);
	check_unique(l, list, n, p->key_names);
	for (i = 0; i < n; i++)
		p->keys[i] = list[i].key;
	p->key_count = n;
	make_admin(l, s, root, p);
out:
	free(list);
}
