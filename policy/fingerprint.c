/*
 * What a provider is asked with, in 64 bits: whoever remembers that a
 * credential was refused can tell by them that it is not the same any more,
 * and cannot tell anything else.
 */
#include <openssl/crypto.h>
#include <string.h>

#include "app/base/hash.h"
#include "policy/load.h"

/* chain ← HMAC(chain ‖ HMAC(text)), so that no two lists fall together. */
static bool
add(unsigned char chain[HASH_LEN], const struct policy *p, const char *text)
{
	unsigned char both[2 * HASH_LEN];
	bool good;

	memcpy(both, chain, HASH_LEN);
	good = hash_hmac(both + HASH_LEN, p->pepper, sizeof p->pepper, text,
	    strlen(text)) == ERR_OK &&
	    hash_hmac(chain, p->pepper, sizeof p->pepper, both,
		sizeof both) == ERR_OK;
	OPENSSL_cleanse(both, sizeof both);
	return good;
}

static bool
fingerprint(const struct policy *p, const struct provider *of, uint64_t *out)
{
	const char *const texts[] = { of->adapter, of->base_url, of->key,
		of->credentials, of->access_key, of->secret_key,
		of->session_token, of->organization, of->project, of->region };
	unsigned char chain[HASH_LEN] = { 0 };
	bool good = true;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		good = good && add(chain, p, texts[i]);
	for (i = 0; i < of->header_count; i++)
		good = good && add(chain, p, of->headers[i].name) &&
		    add(chain, p, of->headers[i].value);
	memcpy(out, chain, sizeof *out);
	OPENSSL_cleanse(chain, sizeof chain);
	return good;
}

void
fingerprint_providers(struct load *l, struct policy *p)
{
	struct provider *of;
	size_t i;

	if (diag_failed(l->diag) || l->env->check_only)
		return; /* names, values or secrets may be missing */
	for (i = 0; i < p->provider_count; i++) {
		of = &p->providers[i];
		if (!fingerprint(p, of, &of->fingerprint))
			diag_nomem(l->diag);
		variants_fingerprint(of);
	}
}
