/*
 * From a path to a policy: find the files, read them, merge their sections,
 * and take the steps of the load one after another.
 */
#include "policy/load.h"
#include "policy/schema.h"

#include <openssl/evp.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "policy/files.h"
#include "policy/vault.h"
#include "policy/zone.h"

#define SECTIONS_MAX 1000 /* of a file: each is looked for among the others */

/* All there is while a policy is made. */
struct loading {
	struct load l;
	struct policy *p;
	struct node *root;
	EVP_MD_CTX *digest; /* of all text */
	struct loaded_zone *zones;
};

/* A zone that was looked for, each once: keys may be many. */
struct loaded_zone {
	struct loaded_zone *next;
	const char *name;
	const struct zone *zone; /* NULL: it could not be read */
};

/* The children of more behind those of a section of the same name. */
static void
merge_section(struct loading *ld, struct node *have, struct node *more)
{
	struct node *n;

	if (node_null(have) && have->kind == NODE_SCALAR) {
		have->kind = more->kind;
		have->text = more->text;
		have->len = more->len;
		have->plain = more->plain;
	} else if (node_null(more)) {
		return;
	} else if (have->kind == NODE_SCALAR || have->kind != more->kind) {
		diag_fault(ld->l.diag, more, "stands twice (first at %s:%u)",
		    have->file->path, have->line);
		return;
	}
	if (more->first == NULL)
		return;
	for (n = more->first; n != NULL; n = n->next)
		n->parent = have;
	if (have->last != NULL)
		have->last->next = more->first;
	else
		have->first = more->first;
	have->last = more->last;
	have->count += more->count;
}

/* A file's sections into the whole. */
static void
merge(struct loading *ld, struct node *root)
{
	struct node *n, *next, *have;

	if (ld->root == NULL || root->kind != NODE_MAP ||
	    ld->root->kind != NODE_MAP) {
		if (ld->root != NULL && root->kind != NODE_MAP)
			diag_fault(ld->l.diag, root,
			    "must be a map of sections");
		else if (ld->root == NULL)
			ld->root = root;
		return;
	}
	if (root->count > SECTIONS_MAX) {
		diag_fault(ld->l.diag, root, "has more than %d sections",
		    SECTIONS_MAX);
		return;
	}
	for (n = root->first; n != NULL; n = next) {
		next = n->next;
		n->next = NULL;
		have = node_get(ld->root, n->key);
		if (have != NULL) {
			merge_section(ld, have, n);
			continue;
		}
		n->parent = ld->root;
		if (ld->root->last != NULL)
			ld->root->last->next = n;
		else
			ld->root->first = n;
		ld->root->last = n;
		ld->root->count++;
	}
}

static void
take_text(struct loading *ld, const char *text, size_t len,
    const struct source_file *file)
{
	struct node *root;

	if (EVP_DigestUpdate(ld->digest, text, len) != 1 ||
	    EVP_DigestUpdate(ld->digest, "", 1) != 1)
		diag_nomem(ld->l.diag);
	root = yaml_read(text, len, file, ld->l.scratch, ld->l.diag);
	if (root != NULL)
		merge(ld, root);
}

static struct source_file *
new_file(struct loading *ld, const char *path, unsigned order)
{
	struct source_file *f = arena_alloc(ld->p->arena, sizeof *f);

	if (f != NULL) {
		f->path = arena_str(ld->p->arena, path);
		f->order = order;
	}
	if (f == NULL || f->path == NULL) {
		diag_nomem(ld->l.diag);
		return NULL;
	}
	return f;
}

static void
take_listing(struct loading *ld, const char *path, const struct listing *ls)
{
	struct policy *p = ld->p;
	struct source_file *file;
	size_t i, len = 0;
	char *text;

	p->files = arena_zalloc(p->arena, ls->count * sizeof *p->files);
	if (p->files == NULL) {
		diag_nomem(ld->l.diag);
		return;
	}
	for (i = 0; i < ls->count; i++) {
		file = new_file(ld, ls->paths[i], (unsigned)i + 1);
		if (file == NULL)
			return;
		text = file_read(ld->l.diag, ld->l.scratch, file,
		    &p->files[p->file_count++], &len);
		if (text != NULL)
			take_text(ld, text, len, file);
	}
	file = new_file(ld, path, 0);
	if (file != NULL && ls->count == 0)
		diag_fault_at(ld->l.diag, file, 1, "policy",
		    "no *.yaml, *.yml or *.json in this directory");
	if (file != NULL && ls->more)
		diag_fault_at(ld->l.diag, file, 1, "policy",
		    "more than %d files", LIMIT_POLICY_FILES);
}

static void
take_path(struct loading *ld, const char *path)
{
	struct listing ls;
	struct source_file *file;
	int err = listing_make(&ls, path);

	if (err == 0) {
		take_listing(ld, path, &ls);
		listing_free(&ls);
		return;
	}
	file = new_file(ld, path, 0);
	if (file != NULL)
		file_unreadable(ld->l.diag, file, err);
}

static void
finish_hash(struct loading *ld)
{
	unsigned char raw[HASH_LEN];
	char hex[HASH_HEX_SIZE];

	if (EVP_DigestFinal_ex(ld->digest, raw, NULL) != 1) {
		diag_nomem(ld->l.diag);
		return;
	}
	hash_hex(hex, raw, sizeof raw);
	ld->p->hash = arena_str(ld->p->arena, hex);
	if (ld->p->hash == NULL)
		diag_nomem(ld->l.diag);
}

/* Names that stand in two files: within one they are told already. */
static void
check_names(struct loading *ld)
{
	const struct node *n;

	for (n = ld->root->first; n != NULL; n = n->next)
		if (n->kind == NODE_MAP)
			node_unique(n, true, ld->l.diag);
}

/* Does the text itself give a member of a section? */
static bool
states(const struct node *root, const char *section, const char *key)
{
	const struct node *n = node_get(root, section);

	return n != NULL && node_get(n, key) != NULL;
}

static void
check(struct loading *ld)
{
	struct policy *p = ld->p;
	const struct node *price;
	struct source s;

	check_names(ld);
	read_policy(&ld->l, ld->root, &s);
	if (ld->root->kind != NODE_MAP || diag_short(ld->l.diag))
		return; /* names may be missing */
	p->timeouts = s.timeouts;
	if (p->timeouts.first_byte == UNSET)
		p->timeouts.first_byte = states(ld->root, "timeouts",
		    "first_token") ? p->timeouts.first_token : 0;
	p->attempts = (unsigned)s.attempts;
	p->drain = s.drain;
	p->log = s.log;
	p->webhook = s.webhook == NULL ? "" : s.webhook;
	p->store = s.store;
	p->timezone = s.timezone;
	p->catalog = ld->l.env->catalog;
	price_init(&p->default_price);
	price = node_get(ld->root, "default_price");
	if (price != NULL)
		price_make(&ld->l, &s.default_price, price,
		    &p->default_price);
	check_providers(&ld->l, &s, p);
	check_models(&ld->l, &s, p);
	if (!policy_index_names(p)) {
		diag_nomem(ld->l.diag);
		return;
	}
	check_fallbacks(&ld->l, &s, p);
	if (!policy_index_targets(p))
		diag_nomem(ld->l.diag);
	check_rules(&ld->l, &s, p);
	check_pools(&ld->l, &s, p);
	check_keys(&ld->l, &s, ld->root, p);
	check_priced(&ld->l, &s, p);
	fingerprint_providers(&ld->l, p);
}

static bool
loading_begin(struct loading *ld, const struct policy_env *env, bool outside)
{
	memset(ld, 0, sizeof *ld);
	ld->l.env = env;
	ld->l.outside = outside;
	ld->l.diag = diag_new();
	ld->l.scratch = vault_new(LIMIT_POLICY_MEMORY);
	ld->p = policy_new();
	ld->digest = EVP_MD_CTX_new();
	if (ld->l.diag == NULL || ld->l.scratch == NULL || ld->p == NULL ||
	    ld->digest == NULL ||
	    EVP_DigestInit_ex(ld->digest, EVP_sha256(), NULL) != 1)
		return false;
	ld->l.arena = ld->p->arena;
	ld->l.vault = policy_vault(ld->p);
	return true;
}

/* The zone of that name; "" is the one that holds otherwise. */
static const struct zone *
load_zone(struct loading *ld, const char *name, const struct zone *otherwise)
{
	struct loaded_zone *z;

	if (name == NULL || name[0] == '\0')
		return otherwise;
	for (z = ld->zones; z != NULL; z = z->next)
		if (strcmp(z->name, name) == 0)
			return z->zone;
	z = vault_alloc(ld->l.scratch, sizeof *z);
	if (z == NULL) {
		diag_nomem(ld->l.diag);
		return otherwise;
	}
	z->next = ld->zones;
	z->name = name;
	z->zone = zone_load(ld->p->arena, name);
	ld->zones = z;
	if (z->zone == NULL)
		diag_fault(ld->l.diag, ld->root,
		    "the time zone '%s' cannot be read: "
		    "is tzdata on this host?", name);
	return z->zone;
}

static void
finish_zones(struct loading *ld)
{
	struct policy *p = ld->p;
	struct budget_list *b;
	size_t i;

	p->tz = load_zone(ld, p->timezone, NULL);
	for (i = 0; i < p->provider_count; i++)
		p->providers[i].tz = load_zone(ld, p->providers[i].timezone,
		    NULL);
	for (i = 0; i < p->rule_count; i++)
		p->rules[i].when.hours.tz = load_zone(ld,
		    p->rules[i].when.hours.zone, p->tz);
	for (b = ld->l.budgets; b != NULL; b = b->next)
		for (i = 0; i < b->count; i++)
			b->list[i].tz = load_zone(ld, b->list[i].zone, NULL);
}

/* The policy when all is right; what was found goes out either way. */
static struct policy *
loading_end(struct loading *ld, bool begun, struct buf *out)
{
	struct policy *p = NULL;

	if (begun) {
		if (ld->root != NULL && !diag_failed(ld->l.diag)) {
			finish_hash(ld);
			if (ld->l.outside)
				finish_zones(ld);
		}
		diag_write(ld->l.diag, out);
		if (ld->root != NULL && !diag_failed(ld->l.diag)) {
			p = ld->p;
			ld->p = NULL;
		}
	} else {
		buf_puts(out, "policy: out of memory\n");
	}
	EVP_MD_CTX_free(ld->digest);
	vault_free(ld->l.scratch);
	diag_free(ld->l.diag);
	policy_unref(ld->p);
	return p;
}

struct policy *
policy_load(const char *path, const struct policy_env *env, struct buf *out)
{
	struct loading ld;
	bool begun = loading_begin(&ld, env, true);

	if (begun)
		take_path(&ld, path);
	if (begun && ld.root != NULL)
		check(&ld);
	return loading_end(&ld, begun, out);
}

struct policy *
policy_load_text(const char *name, const char *text, size_t len,
    const struct policy_env *env, struct buf *out)
{
	struct loading ld;
	bool begun = loading_begin(&ld, env, false);
	struct source_file *file = begun ? new_file(&ld, name, 1) : NULL;

	if (file != NULL && len > LIMIT_POLICY)
		diag_fault_at(ld.l.diag, file, 1, "policy",
		    "is larger than %zu bytes", LIMIT_POLICY);
	else if (file != NULL)
		take_text(&ld, text, len, file);
	if (begun && ld.root != NULL)
		check(&ld);
	return loading_end(&ld, begun, out);
}
