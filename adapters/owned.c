/* Ids of kept answers, bound to the key that got them. */
#include "adapters/owned.h"

#include <string.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/hash.h"
#include "app/base/limits.h"

#define MARK "_tg"
#define MARK_LEN (sizeof MARK - 1)
#define PROOF_LEN 32 /* hex digits */

/* What proves the id, in hex; false: memory is short. */
static bool
prove(const struct owner *o, struct str id, char proof[HASH_HEX_SIZE])
{
	static const char what[] = "kept answer";
	struct buf b;
	bool ok;

	buf_init(&b, LIMIT_EVENT);
	buf_put(&b, what, sizeof what);
	buf_put(&b, o->key, strlen(o->key) + 1);
	buf_put(&b, o->provider, strlen(o->provider) + 1);
	buf_put(&b, id.p, id.len);
	ok = !b.failed && hash_hmac_hex(proof, o->secret, o->secret_len,
	    b.data, b.len) == ERR_OK;
	buf_free(&b);
	return ok;
}

const char *
owned_id(struct arena *a, const struct owner *o, struct str id)
{
	char proof[HASH_HEX_SIZE];

	if (o->secret == NULL || id.len == 0)
		return arena_dup(a, id.len == 0 ? "" : id.p, id.len);
	if (!prove(o, id, proof))
		return NULL;
	return arena_printf(a, "%.*s" MARK "%.*s", (int)id.len, id.p,
	    PROOF_LEN, proof);
}

const char *
owned_open(struct arena *a, const struct owner *o, struct str given)
{
	struct str id = { given.p, 0 };
	char proof[HASH_HEX_SIZE];
	const char *tail;

	if (o->secret == NULL)
		return arena_dup(a, given.p, given.len);
	if (given.len <= MARK_LEN + PROOF_LEN)
		return NULL;
	id.len = given.len - MARK_LEN - PROOF_LEN;
	tail = given.p + id.len;
	if (memcmp(tail, MARK, MARK_LEN) != 0 || !prove(o, id, proof) ||
	    !hash_equal(tail + MARK_LEN, PROOF_LEN, proof, PROOF_LEN))
		return NULL;
	return arena_dup(a, id.p, id.len);
}
