/*
 * Policies that load: every field read back, defaults, files and folders,
 * secrets and their files, the pepper, reload, look-ups, size and leaks.
 */
#include "tests/unit/policy_help.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "app/base/clock.h"
#include "app/base/hash.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/unit.h"
#include "policy/url.h"

#define SECOND INT64_C(1000000)
#define USD INT64_C(1000000000)
#define LIMIT_TEST 600 /* beyond LIMIT_CREDENTIAL */

/* Sanitizers keep freed memory for a while: their own leak check tells. */
#if defined(__SANITIZE_ADDRESS__)
#define RUNNING_SANITIZED true
#else
#define RUNNING_SANITIZED false
#endif

static const char full[] =
    "store: redis://127.0.0.1:6379/2\n"
    "log: /var/log/tollgate.log\n"
    "drain: 45s\n"
    "timezone: Europe/Berlin\n"
    "pepper: env:PEPPER\n"
    "attempts: 5\n"
    "timeouts: { connect: 1500ms, first_token: 10s, idle: none, bytes: 20s, "
    "total: 5m }\n"
    "providers:\n"
    "  openai:\n"
    "    key: env:KEY1\n"
    "    organization: org-123\n"
    "    project: proj\n"
    "    region: eu\n"
    "    api_version: 2026-01-01\n"
    "    timezone: Asia/Shanghai\n"
    "    retention: 30 days\n"
    "    headers: { X-One: uno, X-Two: env:KEY1 }\n"
    "  house:\n"
    "    adapter: anthropic\n"
    "    base_url: http://10.0.0.7:8000/v1//\n"
    "    key: none\n"
    "    retention: none\n"
    "    private: true\n"
    "    on_abort: drain\n"
    "    credentials: env:DOCUMENT\n"
    "    access_key: env:KEY1\n"
    "    secret_key: env:VK1\n"
    "    session_token: env:VK2\n"
    "  mine: { base_url: https://x.example, key: env:KEY1 }\n"
    "models:\n"
    "  line: openai/gpt-5.4\n"
    "  list: [ openai/gpt-5.4-mini, house/org/model ]\n"
    "  map:\n"
    "    strategy: weighted\n"
    "    strict: true\n"
    "    attempts: 2\n"
    "    timeouts: { idle: 9s }\n"
    "    targets:\n"
    "      - { provider: house, model: org/m, weight: 3, context: 128k,\n"
    "          price: { input: 0.15, output: 2, cached_input: 0.05,\n"
    "            cache_write: 1, cache_write_1h: 1.5, reasoning: 3,\n"
    "            audio_input: 4, audio_output: 5, characters: 6,\n"
    "            image_input: 7, image_output: 8, sent_image: 0.05,\n"
    "            request: 0.01, image: 0.02, search: 0.03, second: 0.04,\n"
    "            service_tiers: { flex: 50 %, priority: 175 %,\n"
    "                             reserved: 0 % },\n"
    "            tiers: [ { above: 200k, input: 0.3 },\n"
    "                     { above: 1M, input: 0.6, output: 4 } ] } }\n"
    "      - { target: openai/gpt-5.4, weight: 2 }\n"
    "tiers:\n"
    "  free: { models: [ line, \"*mini*\" ] }\n"
    "  pro:\n"
    "keys:\n"
    "  - { name: shop, secret: env:VK1, tier: free, team: web, user: ann,\n"
    "      tags: [ eu, batch, eu ], expires: 2027-01-31T12:00:00+02:00 }\n"
    "  - { name: lab, secret: env:VK2, tier: free, models: openai/*,\n"
    "      tags: one, expires: 2028-02-29 }\n"
    "  - { name: any, tier: pro, hash: \"hmac-sha256:"
    "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\" }\n";

static int
set_environment(void **state)
{
	setenv("KEY1", "sk-upstream-0123456789", 1);
	setenv("VK1", "client-secret-number-one", 1);
	setenv("VK2", "client-secret-number-two", 1);
	setenv("PEPPER", "a pepper of enough length", 1);
	setenv("DOCUMENT", "{\n\t\"type\": \"service\"\n}", 1);
	unsetenv("OPENAI_API_KEY");
	env.check_only = false;
	env.state_dir = home;
	return chdir(home) + (state == NULL);
}

static void
full_top(void **state)
{
	struct policy *p = load_good(full);

	(void)state;
	assert_string_equal(p->store, "redis://127.0.0.1:6379/2");
	assert_string_equal(p->log, "/var/log/tollgate.log");
	assert_int_equal(p->drain, 45 * SECOND);
	assert_string_equal(p->timezone, "Europe/Berlin");
	assert_string_equal((const char *)p->pepper,
	    "a pepper of enough length");
	assert_int_equal(p->attempts, 5);
	assert_int_equal(p->timeouts.connect, 1500000);
	assert_int_equal(p->timeouts.first_token, 10 * SECOND);
	assert_int_equal(p->timeouts.idle, 0);
	assert_int_equal(p->timeouts.bytes, 20 * SECOND);
	assert_int_equal(p->timeouts.total, 300 * SECOND);
	assert_ptr_equal(p->catalog, catalog);
	assert_int_equal(strlen(p->hash), 64);
	assert_int_equal(p->file_count, 1);
	assert_string_equal(p->files[0].path, "policy.yaml");
	assert_int_equal(p->files[0].size, (int64_t)sizeof full - 1);
	assert_int_equal(p->refs, 1);
	assert_ptr_equal(policy_ref(p), p);
	assert_int_equal(p->refs, 2);
	policy_unref(p);
	assert_int_equal(p->refs, 1);
	policy_unref(p);
	policy_unref(NULL);
}

static void
full_known_provider(const struct provider *p)
{
	assert_string_equal(p->name, "openai");
	assert_string_equal(p->adapter, "openai");
	assert_string_equal(p->base_url, "https://api.openai.com/v1");
	assert_string_equal(p->key, "sk-upstream-0123456789");
	assert_int_equal(p->auth, AUTH_BEARER);
	assert_string_equal(p->auth_header, "");
	assert_int_equal(p->quirks, QUIRK_MAX_COMPLETION);
	assert_string_equal(p->organization, "org-123");
	assert_string_equal(p->project, "proj");
	assert_string_equal(p->region, "eu");
	assert_string_equal(p->api_version, "2026-01-01");
	assert_string_equal(p->timezone, "Asia/Shanghai");
	assert_string_equal(p->retention, "30 days");
	assert_string_equal(p->credentials, "");
	assert_string_equal(p->access_key, "");
	assert_string_equal(p->secret_key, "");
	assert_string_equal(p->session_token, "");
	assert_false(p->private_net);
	assert_int_equal(p->on_abort, ABORT_LEAVE);
	assert_int_equal(p->header_count, 2);
	assert_string_equal(p->headers[0].name, "X-One");
	assert_string_equal(p->headers[0].value, "uno");
	assert_string_equal(p->headers[1].name, "X-Two");
	assert_string_equal(p->headers[1].value, "sk-upstream-0123456789");
	assert_int_equal(p->index, 0);
}

static void
full_own_provider(const struct provider *p)
{
	assert_string_equal(p->name, "house");
	assert_string_equal(p->adapter, "anthropic");
	assert_string_equal(p->base_url, "http://10.0.0.7:8000/v1");
	assert_string_equal(p->key, "");
	assert_int_equal(p->auth, AUTH_NONE);
	assert_int_equal(p->quirks, 0);
	assert_string_equal(p->organization, "");
	assert_string_equal(p->timezone, "");
	assert_string_equal(p->retention, "none");
	assert_int_equal(p->on_abort, ABORT_DRAIN);
	assert_string_equal(p->credentials, "{\n\t\"type\": \"service\"\n}");
	assert_string_equal(p->access_key, "sk-upstream-0123456789");
	assert_string_equal(p->secret_key, "client-secret-number-one");
	assert_string_equal(p->session_token, "client-secret-number-two");
	assert_true(p->private_net);
	assert_int_equal(p->header_count, 0);
	assert_int_equal(p->index, 1);
}

static void
full_providers(void **state)
{
	struct policy *p = load_good(full);

	(void)state;
	assert_int_equal(p->provider_count, 3);
	full_known_provider(&p->providers[0]);
	full_own_provider(&p->providers[1]);
	assert_string_equal(p->providers[2].adapter, "openai");
	assert_int_equal(p->providers[2].auth, AUTH_BEARER);
	assert_int_equal(p->providers[2].quirks, 0);
	assert_false(p->providers[2].private_net);
	assert_ptr_equal(policy_provider(p, "house/x", 5), &p->providers[1]);
	assert_ptr_equal(policy_provider(p, "mine", 4), &p->providers[2]);
	assert_ptr_equal(policy_provider(p, "openai", 6), &p->providers[0]);
	assert_null(policy_provider(p, "hous", 4));
	assert_null(policy_provider(p, "houses", 6));
	assert_null(policy_provider(p, "", 0));
	assert_null(policy_provider(p, "mine\0x", 6));
	policy_unref(p);
}

static void
full_prices(const struct price *r)
{
	static const int64_t rates[UNIT_COUNT] = { 150000000, 2 * USD,
		50000000, USD, 1500000000, 3 * USD, 4 * USD, 5 * USD, 7 * USD,
		8 * USD, 6 * USD, 10000000, 20000000, 50000000, 30000000,
		40000000 };
	unsigned u;

	assert_true(r->known);
	for (u = 0; u < UNIT_COUNT; u++)
		assert_int_equal(r->rate[u], rates[u]);
	assert_int_equal(r->service[SERVICE_FLEX], 50);
	assert_int_equal(r->service[SERVICE_PRIORITY], 175);
	assert_int_equal(r->service[SERVICE_RESERVED], 0);
	assert_int_equal(r->service[SERVICE_BATCH], PRICE_UNSET);
	assert_int_equal(r->service[SERVICE_OTHER], PRICE_UNSET);
	assert_int_equal(r->tiers, 2);
	assert_int_equal(r->tier[0].above, 200000);
	assert_int_equal(r->tier[0].rate[UNIT_INPUT], 300000000);
	assert_int_equal(r->tier[0].rate[UNIT_OUTPUT], PRICE_UNSET);
	assert_int_equal(r->tier[1].above, 1000000);
	assert_int_equal(r->tier[1].rate[UNIT_OUTPUT], 4 * USD);
	assert_int_equal(price_rate(r, UNIT_INPUT, 200000), 150000000);
	assert_int_equal(price_rate(r, UNIT_INPUT, 200001), 300000000);
}

static void
full_models(void **state)
{
	struct policy *p = load_good(full);
	const struct model *m;

	(void)state;
	assert_int_equal(p->model_count, 3);
	m = policy_model(p, "line");
	assert_ptr_equal(m, &p->models[0]);
	assert_int_equal(m->strategy, STRATEGY_FALLBACK);
	assert_int_equal(m->attempts, 5);
	assert_false(m->strict);
	assert_memory_equal(&m->timeouts, &p->timeouts, sizeof m->timeouts);
	assert_int_equal(m->target_count, 1);
	assert_string_equal(m->targets[0].id, "openai/gpt-5.4");
	assert_string_equal(m->targets[0].model, "gpt-5.4");
	assert_ptr_equal(m->targets[0].provider, &p->providers[0]);
	assert_int_equal(m->targets[0].weight, 1);
	assert_int_equal(m->targets[0].context, 400000);
	assert_int_equal(m->targets[0].max_output, 128000);
	assert_int_equal(m->targets[0].caps, CAP_TOOLS | CAP_TEXT_OUT);
	assert_int_equal(m->targets[0].price.rate[UNIT_INPUT], 2500000000);
	assert_int_equal(m->targets[0].price.rate[UNIT_CACHED_INPUT],
	    250000000);
	m = policy_model(p, "list");
	assert_int_equal(m->target_count, 2);
	assert_string_equal(m->targets[1].id, "house/org/model");
	assert_string_equal(m->targets[1].model, "org/model");
	assert_false(m->targets[1].price.known);
	assert_int_equal(m->targets[1].context, 0);
	assert_int_equal(m->targets[1].caps, 0);
	assert_null(policy_model(p, "lin"));
	assert_null(policy_model(p, "line2"));
	assert_null(policy_model(p, ""));
	policy_unref(p);
}

static void
full_map_model(void **state)
{
	struct policy *p = load_good(full);
	const struct model *m = policy_model(p, "map");

	(void)state;
	assert_int_equal(m->strategy, STRATEGY_WEIGHTED);
	assert_int_equal(m->attempts, 2);
	assert_true(m->strict);
	assert_int_equal(m->timeouts.idle, 9 * SECOND);
	assert_int_equal(m->timeouts.connect, 1500000);
	assert_int_equal(m->timeouts.total, 300 * SECOND);
	assert_int_equal(m->target_count, 2);
	assert_string_equal(m->targets[0].id, "house/org/m");
	assert_int_equal(m->targets[0].weight, 3);
	assert_int_equal(m->targets[0].context, 128000);
	full_prices(&m->targets[0].price);
	assert_int_equal(m->targets[1].weight, 2);
	assert_int_equal(m->targets[1].price.rate[UNIT_INPUT], 2500000000);
	policy_unref(p);
}

static const struct vkey *
key_of(const struct policy *p, const char *secret)
{
	return policy_key(p, secret, strlen(secret));
}

static void
full_keys(void **state)
{
	struct policy *p = load_good(full);
	const struct vkey *k;
	unsigned char hash[HASH_LEN];
	size_t i;

	(void)state;
	assert_int_equal(p->key_count, 3);
	for (i = 1; i < 3; i++)
		assert_true(memcmp(p->keys[i - 1].hash, p->keys[i].hash,
		    KEY_HASH) < 0);
	k = key_of(p, "client-secret-number-one");
	assert_string_equal(k->name, "shop");
	assert_string_equal(k->tier, "free");
	assert_string_equal(k->team, "web");
	assert_string_equal(k->user, "ann");
	assert_int_equal(k->tag_count, 2); /* each once */
	assert_string_equal(k->tags[0], "eu");
	assert_string_equal(k->tags[1], "batch");
	assert_int_equal(k->model_count, 2); /* those of the tier */
	assert_string_equal(k->models[1], "*mini*");
	assert_int_equal(k->expires, 1801389600);
	/* The pepper's text is the key of the HMAC, as anyone can redo. */
	assert_int_equal(hash_hmac(hash, "a pepper of enough length", 25,
	    "client-secret-number-one", 24), ERR_OK);
	assert_memory_equal(hash, k->hash, KEY_HASH);
	k = key_of(p, "client-secret-number-two");
	assert_string_equal(k->name, "lab");
	assert_int_equal(k->model_count, 1);
	assert_int_equal(k->tag_count, 1);
	assert_string_equal(k->team, "");
	assert_int_equal(k->expires, 1835395200);
	assert_true(vkey_allows(k, "openai/gpt-5.4"));
	assert_false(vkey_allows(k, "line"));
	for (i = 0; strcmp(p->keys[i].name, "any") != 0; i++)
		;
	assert_int_equal(p->keys[i].hash[0], 0x00);
	assert_int_equal(p->keys[i].hash[15], 0xff);
	assert_int_equal(p->keys[i].model_count, 0);
	assert_true(vkey_allows(&p->keys[i], "what ever"));
	assert_int_equal(p->keys[i].expires, 0);
	policy_unref(p);
}

/* What a key does not say itself its tier says. */
static void
grants(void **state)
{
	static const char text[] =
	    "providers: { openai: { key: none, region: us-east-1 }, "
	    "anthropic: {\n"
	    "  key: none, region: europe-west4, retention: none } }\n"
	    "tiers:\n"
	    "  strict: { may: [ explain, user ], region: eu, retention: none "
	    "}\n"
	    "  open: { may: metrics }\n"
	    "keys:\n"
	    "  - { name: a, secret: env:VK1, tier: strict }\n"
	    "  - { name: b, secret: env:VK2, tier: strict, may: none, "
	    "region: us }\n"
	    "  - { name: c, secret: env:VK3, tier: open, retention: none }\n"
	    "  - { name: d, secret: env:VK4 }\n";
	static const struct {
		const char *secret, *region;
		unsigned may;
		bool no_retention;
	} rows[] = {
		{ "client-secret-number-one", "eu", MAY_EXPLAIN | MAY_USER,
		  true },
		{ "client-secret-number-two", "us", 0, true },
		{ "client-secret-number-three", "", MAY_METRICS, true },
		{ "client-secret-number-four", "", 0, false },
	};
	struct policy *p;
	const struct vkey *k;
	size_t i;

	(void)state;
	setenv("VK3", rows[2].secret, 1);
	setenv("VK4", rows[3].secret, 1);
	p = load_good(text);
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		k = key_of(p, rows[i].secret);
		assert_non_null(k);
		assert_string_equal(k->region, rows[i].region);
		assert_int_equal(k->may, rows[i].may);
		assert_int_equal(k->no_retention, rows[i].no_retention);
	}
	policy_unref(p);
}

/* A demand that nobody is stated to meet is told. */
static void
demands(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	p = load_text("providers: { openai: { key: none, region: us } }\n"
		      "tiers:\n"
		      "  a: { region: eu, retention: none }\n"
		      "  b: { region: us }\n"
		      "keys:\n"
		      "  - { name: a, secret: env:VK1, region: europe }\n"
		      "  - { name: b, secret: env:VK2, tier: a }\n",
	    &said);
	assert_non_null(p);
	assert_string_equal(said,
	    "policy.yaml:3: tiers.a.region: warning: no provider has a region "
	    "that lies in this one\n"
	    "policy.yaml:3: tiers.a.retention: warning: no provider has "
	    "retention: none\n"
	    "policy.yaml:6: keys[0].region: warning: no provider has a region "
	    "that lies in this one\n");
	free(said);
	policy_unref(p);
}

static void
key_look_up(void **state)
{
	struct policy *p = load_good(full);
	char large[LIMIT_TEST], made[HASH_VKEY_SIZE];

	(void)state;
	memset(large, 'x', sizeof large);
	assert_null(policy_key(p, "", 0));
	assert_null(policy_key(p, large, sizeof large));
	assert_null(key_of(p, "client-secret-number-on"));
	assert_null(key_of(p, "client-secret-number-one "));
	assert_null(key_of(p, "Client-secret-number-one"));
	assert_null(policy_key(p, "client-secret-number-one\0", 25));
	assert_int_equal(hash_vkey_make(made), ERR_OK);
	assert_null(key_of(p, made));
	assert_null(key_of(p, "tg_"));
	policy_unref(p);
	setenv("MADE", made, 1);
	p = load_good("providers: { openai: { key: env:KEY1 } }\n"
		      "keys: [ { name: made, secret: env:MADE } ]\n");
	assert_non_null(key_of(p, made));
	made[5] = made[5] == 'a' ? 'b' : 'a';
	assert_null(key_of(p, made));
	policy_unref(p);
}

static void
defaults(void **state)
{
	struct policy *p;

	(void)state;
	setenv("OPENAI_API_KEY", "from-the-usual-variable", 1);
	p = load_good("providers: { openai: }\n");
	assert_string_equal(p->store, "embedded");
	assert_string_equal(p->log, "stderr");
	assert_string_equal(p->timezone, "UTC");
	assert_int_equal(p->drain, 30 * SECOND);
	assert_int_equal(p->attempts, 3);
	assert_int_equal(p->timeouts.connect, 2 * SECOND);
	assert_int_equal(p->timeouts.first_token, 30 * SECOND);
	assert_int_equal(p->timeouts.idle, 30 * SECOND);
	assert_int_equal(p->timeouts.bytes, 30 * SECOND);
	assert_int_equal(p->timeouts.total, 600 * SECOND);
	assert_int_equal(p->model_count, 0);
	assert_int_equal(p->key_count, 0);
	assert_string_equal(p->providers[0].key, "from-the-usual-variable");
	assert_null(policy_model(p, "x"));
	assert_null(key_of(p, "x"));
	policy_unref(p);
	unsetenv("OPENAI_API_KEY");
}

/* Of the variables that a provider's key may be in, the first that is set. */
static void
names_of_key(void **state)
{
	static const char text[] = "providers: { cloudy: { base_url: "
				   "\"https://cloudy.example\" } }\n";
	struct policy *p;
	char *said;

	(void)state;
	p = load_text(text, &said);
	assert_null(p);
	assert_non_null(strstr(said, "variable CLOUDY_KEY is not set"));
	free(said);
	setenv("CLOUDY_KEY", "", 1);
	setenv("CLD_KEY", "key-of-the-third", 1);
	p = load_good(text);
	assert_string_equal(p->providers[0].key, "key-of-the-third");
	policy_unref(p);
	setenv("CLOUD_KEY", "key-of-the-second", 1);
	p = load_good(text);
	assert_string_equal(p->providers[0].key, "key-of-the-second");
	policy_unref(p);
	unsetenv("CLOUDY_KEY");
	unsetenv("CLOUD_KEY");
	unsetenv("CLD_KEY");
}

static void
empty_sections(void **state)
{
	struct policy *p = load_good("providers: { openai: { key: env:KEY1, "
	    "headers: {} } }\nmodels:\nkeys: []\ntiers: {}\ntimeouts:\n");

	(void)state;
	assert_int_equal(p->model_count, 0);
	assert_int_equal(p->timeouts.connect, 2 * SECOND);
	policy_unref(p);
}

/* Service tiers alone stand beside the catalog's rates. */
static void
service_tiers(void **state)
{
	struct policy *p = load_good("providers: { openai: { key: env:KEY1, "
	    "margin: 10 % } }\n"
	    "models:\n"
	    "  a: { targets: { target: openai/gpt-5.4, price: { "
	    "service_tiers: { flex: 50 % } } } }\n"
	    "  b: { targets: { target: openai/gpt-5.4, price: { output: 1, "
	    "service_tiers: { flex: 50 % } } } }\n"
	    "  c: openai/gpt-5.4\n");
	const struct price *r = &policy_model(p, "a")->targets[0].price;

	(void)state;
	assert_true(r->known);
	assert_int_equal(r->rate[UNIT_INPUT], 2750000000);
	assert_int_equal(r->service[SERVICE_FLEX], 50);
	assert_int_equal(r->service[SERVICE_PRIORITY], PRICE_UNSET);
	r = &policy_model(p, "b")->targets[0].price;
	assert_int_equal(r->rate[UNIT_INPUT], PRICE_UNSET);
	assert_int_equal(r->service[SERVICE_FLEX], 50);
	r = &policy_model(p, "c")->targets[0].price;
	assert_int_equal(r->service[SERVICE_FLEX], PRICE_UNSET);
	policy_unref(p);
}

/* Where a list may stand, one value may; BOM and CRLF change nothing. */
static void
single_values(void **state)
{
	struct policy *p = load_good("\xef\xbb\xbf"
	    "providers: { openai: { key: env:KEY1 } }\r\n"
	    "models:\r\n"
	    "  a: { targets: { target: openai/gpt-5.4, price: { input: 1,\r\n"
	    "       tiers: { above: 1k, input: 2 } } } }\r\n"
	    "  b: { targets: openai/gpt-5.4 }\r\n"
	    "keys: [ { name: a, secret: env:VK1, models: a, tags: x } ]\r\n");
	const struct model *m = policy_model(p, "a");

	(void)state;
	assert_int_equal(m->target_count, 1);
	assert_int_equal(m->targets[0].price.tiers, 1);
	assert_int_equal(m->targets[0].price.tier[0].rate[UNIT_INPUT],
	    2 * USD);
	assert_int_equal(policy_model(p, "b")->target_count, 1);
	assert_int_equal(p->keys[0].model_count, 1);
	assert_string_equal(p->keys[0].tags[0], "x");
	policy_unref(p);
}

/* Is the page of this address left out of core dumps? */
static bool
undumped(const void *address)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to, at = (unsigned long)address;
	char line[512];
	bool here = false, found = false;

	assert_non_null(f);
	while (!found && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = at >= from && at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(f);
	return found;
}

static void
secrets_are_not_dumped(void **state)
{
	struct policy *p = load_good(full);
	const struct provider *own = &p->providers[1];

	(void)state;
	assert_true(undumped(p->providers[0].key));
	assert_true(undumped(p->providers[0].headers[1].value));
	assert_true(undumped(own->credentials));
	assert_true(undumped(own->access_key));
	assert_true(undumped(own->secret_key));
	assert_true(undumped(own->session_token));
	assert_true(undumped(p->pepper));
	assert_true(undumped(p->store));
	assert_false(undumped(p->models)); /* the test can tell */
	policy_unref(p);
}

static void
json_policy(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	put_file("policy.json", "{\n\t\"providers\": {\n\t\t\"openai\": "
	    "{ \"key\": \"env:KEY1\" }\n\t},\n\t\"attempts\": 2,\n"
	    "\t\"models\": { \"a\": [ \"openai/*mini*\" ], \"b\": "
	    "{ \"targets\": \"openai\\/gpt-5.4\", \"strict\": true } } }\n",
	    0644);
	p = load_path("policy.json", &said);
	assert_string_equal(said, "");
	assert_int_equal(p->attempts, 2);
	assert_int_equal(policy_model(p, "a")->target_count, 2);
	assert_true(policy_model(p, "b")->strict);
	policy_unref(p);
	free(said);
	unlink("policy.json");
}

static void
wildcards(void **state)
{
	struct policy *p = load_good(
	    "providers: { openai: { key: env:KEY1 }, anthropic: { key: "
	    "env:KEY1 }, local-region: { key: env:KEY1, region: eu } }\n"
	    "models:\n"
	    "  all: \"openai/*\"\n"
	    "  mini: [ openai/o5-mini, openai/*mini*, anthropic/* ]\n"
	    "  slash: local-region/org/*\n"
	    "  map: [ { provider: openai, model: \"gpt*\", weight: 7 } ]\n");
	const struct model *m = policy_model(p, "all");

	(void)state;
	/* speaks-other has a dialect that is not there: left out. */
	assert_int_equal(m->target_count, 3);
	assert_string_equal(m->targets[0].id, "openai/gpt-5.4");
	assert_string_equal(m->targets[1].id, "openai/gpt-5.4-mini");
	assert_string_equal(m->targets[2].id, "openai/o5-mini");
	m = policy_model(p, "mini");
	assert_int_equal(m->target_count, 4);
	assert_string_equal(m->targets[0].id, "openai/o5-mini");
	assert_string_equal(m->targets[1].id, "openai/gpt-5.4-mini");
	assert_string_equal(m->targets[2].id, "anthropic/claude-sonnet-4-5");
	m = policy_model(p, "slash");
	assert_string_equal(m->targets[0].id, "local-region/org/model-7b");
	assert_int_equal(m->targets[0].context, 32000);
	assert_string_equal(m->targets[0].provider->base_url,
	    "https://eu.regional.example/v1");
	m = policy_model(p, "map");
	assert_int_equal(m->target_count, 2);
	assert_int_equal(m->targets[1].weight, 7);
	policy_unref(p);
}

static void
ways_of_single_models(void **state)
{
	struct policy *p = load_good(
	    "providers: { openai: { key: env:KEY1 }, anthropic: { key: "
	    "env:KEY1 } }\n"
	    "models: { a: [ openai/o5-mini, openai/gpt-5.4, "
	    "anthropic/other-door ] }\n");
	const struct model *m = policy_model(p, "a");
	const struct provider *v = m->targets[0].provider;
	struct arena *a = arena_new(65536);
	struct deployment d;

	(void)state;
	assert_int_equal(v->quirks, QUIRK_MAX_TOKENS);
	assert_string_equal(v->name, "openai");
	assert_string_equal(v->key, "sk-upstream-0123456789");
	assert_int_equal(v->index, 0);
	assert_ptr_equal(m->targets[1].provider, &p->providers[0]);
	v = m->targets[2].provider;
	assert_string_equal(v->adapter, "openai");
	assert_string_equal(v->base_url, "https://other.anthropic.example/v1");
	assert_int_equal(v->auth, AUTH_BEARER);
	assert_true(policy_direct(p, "openai/o5-mini", a, &d));
	assert_int_equal(d.provider->quirks, QUIRK_MAX_TOKENS);
	assert_false(policy_direct(p, "openai/speaks-other", a, &d));
	arena_free(a);
	policy_unref(p);
	p = load_good("providers: { openai: { key: env:KEY1, "
	    "base_url: http://127.0.0.1:9/v1 } }\n"
	    "models: { a: [ openai/speaks-other, openai/o5-mini ] }\n");
	m = policy_model(p, "a");
	assert_string_equal(m->targets[0].provider->adapter, "openai");
	assert_string_equal(m->targets[0].provider->base_url,
	    "http://127.0.0.1:9/v1");
	assert_int_equal(m->targets[1].provider->quirks, QUIRK_MAX_TOKENS);
	assert_true(m->targets[1].provider->private_net);
	policy_unref(p);
}

static void
provider_forms(void **state)
{
	struct policy *p;

	(void)state;
	setenv("CLOUDY_ACCOUNT_ID", "acc1", 1);
	p = load_good(
	    "providers:\n"
	    "  cloudy: { key: env:KEY1 }\n"
	    "  ollama: {}\n"
	    "  claude: { adapter: anthropic, base_url: https://c.example, "
	    "key: env:KEY1 }\n"
	    "  anthropic: { key: none, base_url: \"http://[::1]:9\" }\n"
	    "  mute: { adapter: openai, key: env:KEY1 }\n"
	    "  lan: { base_url: http://vllm:8000, key: env:KEY1, private: true "
	    "}\n");
	assert_string_equal(p->providers[0].base_url,
	    "https://api.cloudy.example/acc1/v1");
	assert_int_equal(p->providers[0].quirks, QUIRK_MAX_TOKENS);
	assert_int_equal(p->providers[1].auth, AUTH_NONE);
	assert_true(p->providers[1].private_net);
	assert_int_equal(p->providers[2].auth, AUTH_HEADER);
	assert_string_equal(p->providers[2].auth_header, "x-api-key");
	assert_int_equal(p->providers[3].auth, AUTH_NONE);
	assert_true(p->providers[3].private_net);
	assert_string_equal(p->providers[4].adapter, "openai");
	assert_string_equal(p->providers[4].base_url, "https://mute.example");
	assert_true(p->providers[5].private_net);
	policy_unref(p);
	unsetenv("CLOUDY_ACCOUNT_ID");
}

static void
warnings(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	p = load_text("providers:\n"
	    "  openai: { key: \"plain:sk-very-secret-thing\" }\n"
	    "  far: { base_url: http://x.example/v1, key: env:KEY1 }\n"
	    "models: { a: openai/gtp-5.4 }\n"
	    "keys: [ { name: weak, secret: plain:hunter2 } ]\n", &said);
	assert_non_null(p);
	assert_string_equal(said,
	    "policy.yaml:2: providers.openai.key: warning: a secret stands in "
	    "the policy itself; use env: or file:\n"
	    "policy.yaml:3: providers.far.base_url: warning: the key goes over "
	    "the network without TLS\n"
	    "policy.yaml:4: models.a: warning: the catalog knows no model "
	    "'gtp-5.4' of 'openai' (did you mean 'gpt-5.4'?)\n"
	    "policy.yaml:5: keys[0].secret: warning: a secret stands in the "
	    "policy itself; use env: or file:\n"
	    "policy.yaml:5: keys[0].secret: warning: a secret of less than 16 "
	    "characters is easily guessed\n");
	assert_string_equal(p->providers[0].key, "sk-very-secret-thing");
	assert_non_null(key_of(p, "hunter2"));
	free(said);
	policy_unref(p);
}

static void
check_only(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	env.check_only = true;
	env.state_dir = "/nonexistent/state";
	p = load_text("providers:\n"
	    "  openai: {}\n"
	    "  anthropic: { key: file:/nonexistent/key }\n"
	    "  cloudy: { key: env:KEY1 }\n"
	    "keys: [ { name: a, secret: env:NOT_SET_A }, "
	    "{ name: b, secret: env:NOT_SET_B } ]\n", &said);
	assert_non_null(p);
	assert_string_equal(said,
	    "policy.yaml:2: providers.openai: warning: the environment "
	    "variable OPENAI_API_KEY is not set\n"
	    "policy.yaml:3: providers.anthropic.key: warning: the file cannot "
	    "be read: No such file or directory\n"
	    "policy.yaml:4: providers.cloudy: warning: the address of 'cloudy' "
	    "needs the environment variable CLOUDY_ACCOUNT_ID\n"
	    "policy.yaml:5: keys[0].secret: warning: the environment variable "
	    "NOT_SET_A is not set\n"
	    "policy.yaml:5: keys[1].secret: warning: the environment variable "
	    "NOT_SET_B is not set\n");
	free(said);
	policy_unref(p);
	assert_int_equal(access("/nonexistent", F_OK), -1);
	/* What is wrong stays wrong. */
	p = load_text("providers: { openai: { key: env:EMPTY1 } }\n", &said);
	assert_non_null(p);
	policy_unref(p);
	free(said);
	setenv("EMPTY1", "", 1);
	p = load_text("providers: { openai: { key: env:EMPTY1 } }\n", &said);
	assert_null(p);
	free(said);
}

/* Load a provider whose key is a file; what was said, or the key. */
static void
file_case(const char *name, const char *expected, const char *key)
{
	char text[600], line[600], *said;
	struct policy *p;

	snprintf(text, sizeof text,
	    "providers: { openai: { key: file:%s/%s } }\n", home, name);
	p = load_text(text, &said);
	if (expected == NULL) {
		assert_string_equal(said, "");
		assert_non_null(p);
		assert_string_equal(p->providers[0].key, key);
		policy_unref(p);
	} else {
		assert_null(p);
		snprintf(line, sizeof line,
		    "policy.yaml:1: providers.openai.key: %s\n", expected);
		assert_string_equal(said, line);
	}
	free(said);
}

static void
secret_files(void **state)
{
	static const char mode_text[] =
	    "mode %04o lets others at the secret (chmod 600)";
	static const mode_t open_modes[] = { 0601, 0610, 0620, 0640, 0644,
		0604, 0602, 0777 };
	char text[128], large[10000];
	size_t i;

	(void)state;
	put_file("s", "from-a-file\n", 0600);
	file_case("s", NULL, "from-a-file");
	put_file("s", "no-newline", 0400);
	file_case("s", NULL, "no-newline");
	unlink("s");
	put_file("s", "dos\r\n", 0600);
	file_case("s", NULL, "dos");
	for (i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
		put_file("s", "x\n", open_modes[i]);
		snprintf(text, sizeof text, mode_text, open_modes[i]);
		file_case("s", text, NULL);
	}
	put_file("s", "two\n\n", 0600);
	file_case("s", "the secret holds a control character", NULL);
	put_file("s", "two\nlines\n", 0600);
	file_case("s", "the secret holds a control character", NULL);
	put_file("s", "\n", 0600);
	file_case("s", "the secret is empty", NULL);
	put_file("s", "", 0600);
	file_case("s", "the secret is empty", NULL);
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	put_file("s", large, 0600);
	file_case("s", "the secret is too long", NULL);
	put_file("s", "x\n", 0600);
	assert_int_equal(symlink("s", "link"), 0);
	file_case("link", "is a symbolic link", NULL);
	assert_int_equal(mkdir("folder", 0700), 0);
	file_case("folder", "is not a regular file", NULL);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	file_case("fifo", "is not a regular file", NULL);
	file_case("missing", "the file cannot be read: No such file or "
	    "directory", NULL);
	if (geteuid() == 0) {
		assert_int_equal(chown("s", 12345, 12345), 0);
		file_case("s", "the file belongs to another user", NULL);
	}
	assert_int_equal(unlink("s") | unlink("link") | unlink("fifo") |
	    rmdir("folder"), 0);
}

static const char with_key[] =
    "providers: { openai: { key: env:KEY1 } }\n"
    "keys: [ { name: shop, secret: env:VK1 } ]\n";

static void
pepper_file(void **state)
{
	unsigned char first[PEPPER];
	struct policy *p;
	struct stat st;
	char dir[300], *said;

	(void)state;
	snprintf(dir, sizeof dir, "%s/new/state", home);
	env.state_dir = dir;
	p = load_good(with_key);
	assert_int_equal(stat("new/state/pepper", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 65);
	memcpy(first, p->pepper, sizeof first);
	policy_unref(p);
	p = load_good(with_key);
	assert_memory_equal(first, p->pepper, sizeof first);
	assert_non_null(key_of(p, "client-secret-number-one"));
	policy_unref(p);
	/* The same by reference: hosts can share the file. */
	p = load_text("providers: { openai: { key: env:KEY1 } }\n"
	    "pepper: file:/nonexistent\n", &said);
	assert_null(p);
	free(said);
	assert_int_equal(chmod("new/state/pepper", 0644), 0);
	p = load_text(with_key, &said);
	assert_null(p);
	assert_non_null(strstr(said, "/new/state/pepper:1: policy: mode 0644 "
	    "lets others at the secret"));
	free(said);
	assert_int_equal(unlink("new/state/pepper"), 0);
	p = load_good(with_key);
	assert_memory_not_equal(first, p->pepper, sizeof first);
	policy_unref(p);
	env.state_dir = NULL;
	p = load_text(with_key, &said);
	assert_null(p);
	assert_string_equal(said, "policy.yaml:1: policy: no pepper for the "
	    "keys: there is no state directory to keep one in; give "
	    "`pepper`\n");
	free(said);
}

static void
pepper_unmakeable(void **state)
{
	struct policy *p;
	char dir[300], *said;

	(void)state;
	put_file("plain-file", "x", 0600);
	snprintf(dir, sizeof dir, "%s/plain-file/below", home);
	env.state_dir = dir;
	p = load_text(with_key, &said);
	assert_null(p);
	assert_non_null(strstr(said, "no pepper for the keys: "));
	assert_non_null(strstr(said, "cannot be made: "));
	free(said);
	unlink("plain-file");
}

static void
pepper_long(void **state)
{
	unsigned char hash[HASH_LEN];
	char pepper[201];
	struct policy *p;

	(void)state;
	memset(pepper, 'p', 200);
	pepper[200] = '\0';
	setenv("LONG_PEPPER", pepper, 1);
	p = load_good("providers: { openai: { key: env:KEY1 } }\n"
		      "pepper: env:LONG_PEPPER\n"
		      "keys: [ { name: shop, secret: env:VK1 } ]\n");
	assert_int_equal(hash_hmac(hash, pepper, 200,
	    "client-secret-number-one", 24), ERR_OK);
	assert_memory_equal(p->keys[0].hash, hash, HASH_LEN);
	policy_unref(p);
}

/* Eight processes at once must all end with the one pepper. */
static void
pepper_race(void **state)
{
	unsigned char peppers[8][PEPPER];
	int fds[8][2], go[2], round, i, status;
	char c = 0;

	(void)state;
	for (round = 0; round < 20; round++) {
		unlink("pepper");
		put_file("policy.yaml", with_key, 0644);
		assert_int_equal(pipe(go), 0);
		for (i = 0; i < 8; i++) {
			assert_int_equal(pipe(fds[i]), 0);
			if (fork() == 0) {
				struct policy *p;
				char *said;

				close(go[1]);
				if (read(go[0], &c, 1) != 0)
					_exit(2);
				p = load_path("policy.yaml", &said);
				_exit(p == NULL || write(fds[i][1], p->pepper,
				    PEPPER) != PEPPER);
			}
		}
		close(go[0]);
		close(go[1]); /* the start */
		for (i = 0; i < 8; i++)
			assert_int_equal(read(fds[i][0], peppers[i], PEPPER),
			    PEPPER);
		for (i = 0; i < 8; i++) {
			assert_true(wait(&status) > 0);
			assert_int_equal(status, 0);
			close(fds[i][0]);
			close(fds[i][1]);
			assert_memory_equal(peppers[0], peppers[i], PEPPER);
		}
	}
	/* Nothing else is left behind. */
	assert_int_equal(system("test $(ls pepper* | wc -l) = 1"), 0);
}

static void
folder(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	put_file("d/10-providers.yaml",
	    "providers:\n  openai: { key: env:KEY1 }\nattempts: 2\n", 0644);
	put_file("d/20-more.yml",
	    "providers:\n  ollama:\nmodels:\n  a: openai/gpt-5.4\n"
	    "timeouts: { idle: 5s }\nkeys: [ { name: a, secret: env:VK1 } ]\n",
	    0644);
	put_file("d/30-last.json", "{ \"models\": { \"b\": \"ollama/x\" }, "
	    "\"timeouts\": { \"total\": \"9s\" },\n"
	    "\"keys\": [ { \"name\": \"b\", \"secret\": \"env:VK2\" } ] }",
	    0644);
	put_file("d/.hidden.yaml", "nonsense", 0644);
	put_file("d/README", "nonsense", 0644);
	p = load_path("d", &said);
	assert_string_equal(said, "");
	assert_int_equal(p->provider_count, 2);
	assert_int_equal(p->model_count, 2);
	assert_int_equal(p->key_count, 2);
	assert_int_equal(p->attempts, 2);
	assert_int_equal(p->timeouts.idle, 5 * SECOND);
	assert_int_equal(p->timeouts.total, 9 * SECOND);
	assert_int_equal(p->timeouts.connect, 2 * SECOND);
	assert_int_equal(p->file_count, 3);
	assert_string_equal(p->files[2].path, "d/30-last.json");
	free(said);
	policy_unref(p);
}

static void
folder_faults(void **state)
{
	struct policy *p;
	char *said;

	(void)state;
	put_file("d/40-again.yaml",
	    "models:\n  b: openai/gpt-5.4\n  c: opnai/x\n"
	    "attempts: 3\ntimeouts: { idle: 6s }\nprovdiers: {}\n"
	    "keys:\n  - { name: a, secret: env:VK2 }\n", 0644);
	p = load_path("d", &said);
	assert_null(p);
	assert_string_equal(said,
	    "d/40-again.yaml:2: models.b: stands twice (first at "
	    "d/30-last.json:1)\n"
	    "d/40-again.yaml:3: models.c: unknown provider 'opnai' (did you "
	    "mean 'openai'?)\n"
	    "d/40-again.yaml:4: attempts: stands twice (first at "
	    "d/10-providers.yaml:3)\n"
	    "d/40-again.yaml:5: timeouts.idle: stands twice (first at "
	    "d/20-more.yml:5)\n"
	    "d/40-again.yaml:6: provdiers: unknown key 'provdiers' (did you "
	    "mean 'providers'?)\n"
	    "d/40-again.yaml:8: keys[0]: a key of the name 'a' stands at "
	    "d/20-more.yml:6\n"
	    "d/40-again.yaml:8: keys[0]: has the same secret as the key at "
	    "d/30-last.json:2\n");
	free(said);
	/* A broken file hides no fault of another. */
	put_file("d/50-broken.yaml", "models: [\n", 0644);
	put_file("d/40-again.yaml", "attempts: none\n", 0644);
	put_file("d/10-providers.yaml",
	    "providers:\n  openai: { key: env:KEY1 }\n", 0644);
	p = load_path("d", &said);
	assert_null(p);
	assert_string_equal(said,
	    "d/40-again.yaml:1: attempts: must be a whole number, as 3, 40k or "
	    "1M\n"
	    "d/50-broken.yaml:2: yaml: did not find expected node content "
	    "while parsing a flow node\n");
	free(said);
	assert_int_equal(system("rm -r d && mkdir d"), 0);
	assert_null(load_path("d", &said));
	assert_string_equal(said, "d:1: policy: no *.yaml, *.yml or *.json in "
	    "this directory\n");
	free(said);
	assert_int_equal(rmdir("d"), 0);
}

static void
unreadable_paths(void **state)
{
	char *said;

	(void)state;
	assert_null(load_path("missing.yaml", &said));
	assert_string_equal(said, "missing.yaml:1: policy: cannot be read: No "
	    "such file or directory\n");
	free(said);
	assert_int_equal(mkfifo("fifo.yaml", 0600), 0);
	assert_null(load_path("fifo.yaml", &said));
	assert_string_equal(said,
	    "fifo.yaml:1: policy: is not a regular file\n");
	free(said);
	assert_int_equal(unlink("fifo.yaml"), 0);
}

static void
too_large(void **state)
{
	int fd = open("large.yaml", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char *said;

	(void)state;
	assert_int_equal(ftruncate(fd, 8 * 1024 * 1024 + 1), 0);
	close(fd);
	assert_null(load_path("large.yaml", &said));
	assert_string_equal(said,
	    "large.yaml:1: policy: is larger than 8388608 bytes\n");
	free(said);
	assert_int_equal(truncate("large.yaml", 4096), 0);
	assert_null(load_path("large.yaml", &said));
	assert_string_equal(said, "large.yaml:1: yaml: a NUL byte: this is not "
	    "a text file\n");
	free(said);
	assert_int_equal(unlink("large.yaml"), 0);
}

static void
bounds_of_count(void **state)
{
	struct policy *p;
	struct buf b;
	char *said;
	int i;

	(void)state;
	buf_init(&b, 1 << 24);
	buf_puts(&b, "providers: { openai: { key: env:KEY1 } }\nzz:\n");
	for (i = 0; i < 1000000; i++)
		buf_puts(&b, "- 1\n");
	buf_putc(&b, '\0');
	p = load_text(b.data, &said);
	assert_null(p);
	assert_non_null(strstr(said, ": yaml: too many values in one file\n"));
	free(said);
	buf_clear(&b);
	buf_puts(&b, "providers: { openai: { key: env:KEY1 } }\n"
		     "models:\n  a:\n");
	for (i = 0; i < 1025; i++)
		buf_printf(&b, "  - openai/m%d\n", i);
	buf_putc(&b, '\0');
	p = load_text(b.data, &said);
	assert_null(p);
	assert_string_equal(said,
	    "policy.yaml:3: models.a: has more than 1024 entries\n");
	free(said);
	/* Sections of two files are looked up among each other. */
	assert_int_equal(mkdir("many", 0700), 0);
	put_file("many/a.yaml", "providers: { openai: { key: env:KEY1 } }\n",
	    0644);
	buf_clear(&b);
	for (i = 0; i < 1001; i++)
		buf_printf(&b, "x%d: 1\n", i);
	buf_putc(&b, '\0');
	put_file("many/b.yaml", b.data, 0644);
	p = load_path("many", &said);
	assert_null(p);
	assert_string_equal(said,
	    "many/b.yaml:1: policy: has more than 1000 sections\n");
	free(said);
	assert_int_equal(system("rm -r many"), 0);
	/* Faults beyond the thousandth are counted. */
	buf_clear(&b);
	for (i = 0; i < 1005; i++)
		buf_printf(&b, "x%d: 1\n", i);
	buf_putc(&b, '\0');
	p = load_text(b.data, &said);
	assert_null(p);
	assert_non_null(strstr(said, "policy: 6 more faults are not shown\n"));
	free(said);
	buf_free(&b);
}

static void
wide(int64_t us)
{
	struct timespec t = { 0, (long)us * 1000 };

	nanosleep(&t, NULL);
}

static void
reload(void **state)
{
	struct policy *p;
	struct timespec times[2];
	struct stat st;
	char *said;

	(void)state;
	p = load_good(with_key);
	assert_false(policy_changed(p, "policy.yaml"));
	/* Same size, same inode: the time tells. */
	wide(20000);
	put_file("policy.yaml", with_key, 0644);
	assert_true(policy_changed(p, "policy.yaml"));
	policy_unref(p);
	p = load_good(with_key);
	/* Same time, other size. */
	assert_int_equal(stat("policy.yaml", &st), 0);
	put_file("policy.yaml", "other: size\n", 0644);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, "policy.yaml", times, 0), 0);
	assert_true(policy_changed(p, "policy.yaml"));
	policy_unref(p);
	/* Same time and size, other inode. */
	p = load_good(with_key);
	assert_int_equal(stat("policy.yaml", &st), 0);
	put_file("other.yaml", with_key, 0644);
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, "other.yaml", times, 0), 0);
	assert_int_equal(rename("other.yaml", "policy.yaml"), 0);
	assert_true(policy_changed(p, "policy.yaml"));
	assert_int_equal(unlink("policy.yaml"), 0);
	assert_true(policy_changed(p, "policy.yaml"));
	policy_unref(p);
	/* A folder: files that come and go. */
	assert_int_equal(mkdir("r", 0700), 0);
	put_file("r/a.yaml", with_key, 0644);
	p = load_path("r", &said);
	free(said);
	assert_false(policy_changed(p, "r"));
	put_file("r/notes.txt", "no policy", 0644);
	assert_false(policy_changed(p, "r"));
	put_file("r/b.yaml", "attempts: 2\n", 0644);
	assert_true(policy_changed(p, "r"));
	assert_int_equal(rename("r/b.yaml", "r/b"), 0);
	assert_false(policy_changed(p, "r"));
	assert_int_equal(rename("r/a.yaml", "r/c.yaml"), 0);
	assert_true(policy_changed(p, "r"));
	policy_unref(p);
	assert_int_equal(system("rm -r r"), 0);
}

static void
version(void **state)
{
	struct policy *p = load_good(with_key);
	char hash[65];

	(void)state;
	memcpy(hash, p->hash, sizeof hash);
	policy_unref(p);
	p = load_good(with_key);
	assert_string_equal(p->hash, hash);
	policy_unref(p);
	p = load_good("providers: { openai: { key: env:KEY1 } }\n");
	assert_string_not_equal(p->hash, hash);
	policy_unref(p);
}

static void
globs(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match;
	} rows[] = {
		{ "*", "", true }, { "*", "anything/at all", true },
		{ "", "", true }, { "", "a", false }, { "a", "", false },
		{ "abc", "abc", true }, { "abc", "abd", false },
		{ "abc", "abcd", false }, { "abcd", "abc", false },
		{ "a*", "a", true }, { "a*", "abc", true },
		{ "a*", "ba", false }, { "*c", "abc", true },
		{ "*c", "abcd", false }, { "a*c", "ac", true },
		{ "a*c", "abbbc", true }, { "a*c", "abbbcd", false },
		{ "*mini*", "gpt-5.4-mini-x", true },
		{ "*mini*", "gpt-5.4", false }, { "**", "a", true },
		{ "a**b", "ab", true }, { "a*b*c", "a-b-b-c", true },
		{ "a*b*c", "a-c-b", false }, { "*aab", "aaab", true },
		{ "openai/*", "openai/gpt", true },
		{ "openai/*", "openai", false }, { "?", "a", false },
		{ "[a]", "a", false }, { "A", "a", false },
	};
	char pattern[300], name[3000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(glob_match(rows[i].pattern, rows[i].name),
		    rows[i].match);
	/* What makes a recursive matcher hang. */
	for (i = 0; i < sizeof pattern - 1; i++)
		pattern[i] = i % 2 == 0 ? 'a' : '*';
	pattern[sizeof pattern - 1] = '\0';
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 2] = 'b';
	name[sizeof name - 1] = '\0';
	pattern[sizeof pattern - 2] = 'c';
	assert_false(glob_match(pattern, name));
}

static void
direct(void **state)
{
	struct policy *p = load_good(full);
	struct arena *a = arena_new(65536);
	struct deployment d;
	char large[400];

	(void)state;
	assert_true(policy_direct(p, "openai/o5-mini", a, &d));
	assert_string_equal(d.id, "openai/o5-mini");
	assert_string_equal(d.model, "o5-mini");
	assert_int_equal(d.weight, 1);
	assert_int_equal(d.context, 200000);
	assert_int_equal(d.price.rate[UNIT_INPUT], USD);
	assert_true(policy_direct(p, "openai/not/known", a, &d));
	assert_ptr_equal(d.provider, &p->providers[0]);
	assert_string_equal(d.model, "not/known");
	assert_false(d.price.known);
	assert_int_equal(d.price.rate[UNIT_INPUT], PRICE_UNSET);
	/* A price that the policy states holds here too. */
	assert_true(policy_direct(p, "house/org/m", a, &d));
	assert_int_equal(d.price.rate[UNIT_INPUT], 150000000);
	assert_int_equal(d.weight, 1);
	d.weight = 77;
	assert_false(policy_direct(p, "nobody/x", a, &d));
	assert_false(policy_direct(p, "openai", a, &d));
	assert_false(policy_direct(p, "openai/", a, &d));
	assert_false(policy_direct(p, "/x", a, &d));
	assert_false(policy_direct(p, "", a, &d));
	assert_false(policy_direct(p, "openai/a b", a, &d));
	assert_false(policy_direct(p, "openai/a\nb", a, &d));
	memset(large, 'x', sizeof large);
	memcpy(large, "openai/", 7);
	large[sizeof large - 1] = '\0';
	assert_false(policy_direct(p, large, a, &d));
	assert_int_equal(d.weight, 77); /* untouched by failures */
	arena_free(a);
	policy_unref(p);
}

static void
many_keys(void **state)
{
	char line[128], hex[HASH_HEX_SIZE];
	struct policy *p;
	struct buf b;
	int64_t start;
	int i;

	(void)state;
	buf_init(&b, 1 << 24);
	buf_puts(&b, "providers: { openai: { key: env:KEY1 } }\n"
		     "models: { smart: openai/gpt-5.4 }\n"
		     "tiers: { free: { models: [ smart ] } }\nkeys:\n");
	for (i = 0; i < 10000; i++) {
		snprintf(line, sizeof line, "key %d", i);
		assert_int_equal(hash_sha256_hex(hex, line, strlen(line)),
		    ERR_OK);
		buf_printf(&b, "  - { name: key-%d, tier: free, team: web, "
		    "hash: \"hmac-sha256:%s\" }\n", i, hex);
	}
	buf_puts(&b, "  - { name: real, secret: env:VK1 }\n");
	buf_putc(&b, '\0');
	start = clock_mono();
	p = load_good(b.data);
	/* Far below a second; the bound is wide for sanitizers, valgrind. */
	assert_true(clock_mono() - start < 10 * SECOND);
	print_message("10,000 keys: %lld ms\n",
	    (long long)(clock_mono() - start) / 1000);
	assert_int_equal(p->key_count, 10001);
	assert_string_equal(
	    key_of(p, "client-secret-number-one")->name, "real");
	policy_unref(p);
	buf_free(&b);
}

/* Bytes of memory that this process has. */
static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void
many_loads(void **state)
{
	struct policy *p;
	long before = 0;
	char *said;
	int i, fds;

	(void)state;
	fds = dup(0);
	close(fds);
	for (i = 0; i < 1000; i++) {
		p = load_text(full, &said);
		assert_non_null(p);
		free(said);
		policy_unref(p);
		p = load_text("providers: { openai: { key: env:KEY1 }, x: 1 }\n"
		    "models: { a: b }\n", &said);
		assert_null(p);
		free(said);
		if (i == 100)
			before = resident();
	}
	assert_int_equal(dup(0), fds); /* no file is left open */
	close(fds);
	if (!RUNNING_SANITIZED)
		assert_true(resident() - before < 1 << 20);
}

static void
units(void **state)
{
	int64_t n = -5;

	(void)state;
	assert_true(unit_duration("300ms", &n) && n == 300000);
	assert_true(unit_duration("1.5s", &n) && n == 1500000);
	assert_true(unit_duration("90 days", &n) && n == 7776000000000);
	assert_true(unit_duration("1 hour", &n) && n == 3600 * SECOND);
	assert_true(unit_duration("none", &n) && n == 0);
	n = -5;
	assert_false(unit_duration("", &n));
	assert_false(unit_duration("s", &n));
	assert_false(unit_duration("1", &n));
	assert_false(unit_duration("1.s", &n));
	assert_false(unit_duration(".5s", &n));
	assert_false(unit_duration("1e3s", &n));
	assert_false(unit_duration("-1s", &n));
	assert_false(unit_duration("1 s ", &n));
	assert_false(unit_duration(" 1s", &n));
	assert_false(unit_duration("99999999999999999999s", &n));
	assert_false(unit_duration("999999999999999d", &n));
	assert_false(unit_duration("0.0000001s", &n));
	assert_false(unit_count("1.2345k", &n));
	assert_false(unit_count("1G", &n));
	assert_false(unit_date("2027-1-31", &n));
	assert_false(unit_date("2100-02-29", &n));
	assert_false(unit_date("2027-13-01", &n));
	assert_false(unit_date("2027-00-01", &n));
	assert_false(unit_date("2027-04-31", &n));
	assert_false(unit_date("1969-12-31", &n));
	assert_false(unit_date("1970-01-01T00:00:00+00:01", &n));
	assert_false(unit_date("2027-01-31T12:00:00+2:00", &n));
	assert_false(unit_date("2027-01-31T12:00:00.Z", &n));
	assert_false(unit_date("2027-01-31T12:00:00Zz", &n));
	assert_int_equal(n, -5); /* untouched */
	assert_true(unit_count("1.5M", &n) && n == 1500000);
	assert_true(unit_count("40k", &n) && n == 40000);
	assert_true(unit_date("1970-01-01", &n) && n == 0);
	assert_true(unit_date("2000-02-29T00:00:00z", &n) && n == 951782400);
	assert_true(unit_date("2026-11-22 10:00:00.123-05:30", &n) &&
	    n == 1795361400);
	assert_true(unit_date("9999-12-31T23:59:59Z", &n) &&
	    n == 253402300799);
}

static void
addresses(void **state)
{
	static const char *const inside[] = { "http://localhost", "http://"
		"LocalHost:80/v1", "http://a.localhost/x", "http://127.0.0.1",
		"http://127.9.9.9:1", "http://10.1.2.3", "http://172.16.0.1",
		"http://172.31.255.255", "http://192.168.1.1",
		"http://169.254.169.254", "http://100.64.0.1",
		"http://0.0.0.0", "http://[::1]:80/", "http://[fc00::1]",
		"http://[fd12:3456::1]", "http://[fe80::1]",
		"http://[::ffff:10.0.0.1]", "http://[::]" };
	static const char *const outside[] = { "http://example.com",
		"http://localhost.example", "http://notlocalhost",
		"http://172.15.0.1", "http://172.32.0.1", "http://11.0.0.1",
		"http://100.128.0.1", "http://192.169.0.1",
		"http://[2001:db8::1]", "http://[::ffff:8.8.8.8]",
		"http://10.example.com" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof inside / sizeof inside[0]; i++) {
		assert_null(url_flaw(inside[i]));
		assert_true(url_private(inside[i]));
	}
	for (i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		assert_null(url_flaw(outside[i]));
		assert_false(url_private(outside[i]));
	}
}

static void
stores(void **state)
{
	static const char *const good[] = { "embedded", "embedded:/var/x",
		"redis://h", "redis://h/1", "redis://h:6379", "redis://h:1/15",
		"redis://user:pass@h:1/0", "redis://[::1]:6379/0",
		"rediss://h.example:6380/0", "redis+unix:///run/r.sock",
		"redis+unix:///run/r.sock?db=3",
		"redis+sentinel://a:1,b:2,c/main/0",
		"redis+sentinel://a/main" };
	static const char *const bad[] = { "", "redis", "redis:/h",
		"redis://h:", "redis://h:0", "redis://h:1/0/1", "redis:// h",
		"redis://[::1:6379", "redis://[::x]", "embedded:",
		"embedded:/", "redis+unix://", "redis+unix:///",
		"redis+unix:///a?db=", "redis+unix:///a?db=x",
		"redis+unix:///a?x=1", "redis+sentinel://",
		"redis+sentinel:///main", "redis+sentinel://a/",
		"redis+sentinel://a:1,/main", "redis+sentinel://a/m/x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++)
		if (value_store(good[i]) != NULL)
			fail_msg("refused: %s", good[i]);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (value_store(bad[i]) == NULL)
			fail_msg("taken: %s", bad[i]);
}

/* A page of the tree must be what the table says. */
static void
compare_page(const char *name, void (*write_page)(struct buf *out))
{
	char path[512], *tree;
	struct buf out;
	FILE *f;
	size_t n;

	buf_init(&out, 1 << 20);
	write_page(&out);
	assert_false(out.failed);
	snprintf(path, sizeof path, DOCS "/%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	tree = malloc(out.len + 2);
	assert_non_null(tree);
	n = fread(tree, 1, out.len + 2, f);
	fclose(f);
	if (n != out.len || memcmp(tree, out.data, n) != 0)
		fail_msg("docs/%s is not what the table says: run make docs",
		    name);
	free(tree);
	buf_free(&out);
}

static void
pages(void **state)
{
	(void)state;
	compare_page("policy.md", policy_doc);
	compare_page("policy.schema.json", policy_schema);
}

/* The examples of the reference, put together, are a policy. */
static void
examples(void **state)
{
	const struct field *f;
	struct catalog *real;
	struct policy *p;
	struct buf b;
	char *said, *line;
	size_t len, sections = 0;

	(void)state;
	real = catalog_open(NULL, NULL);
	assert_non_null(real);
	env.catalog = real;
	env.check_only = true;
	buf_init(&b, 1 << 20);
	for (f = policy_shape.fields; f->key != NULL; f++) {
		if (f->shape == NULL)
			continue;
		assert_non_null(f->shape->example);
		len = strlen(f->key);
		if (strncmp(f->shape->example, f->key, len) != 0 ||
		    f->shape->example[len] != ':')
			continue; /* of another section, or none */
		buf_puts(&b, f->shape->example);
		sections++;
	}
	assert_int_equal(sections, 8);
	buf_putc(&b, '\0');
	p = load_text(b.data, &said);
	if (p == NULL)
		fail_msg("%s", said);
	for (line = said; *line != '\0'; line = strchr(line, '\n') + 1)
		if (strstr(line, "warning: the environment variab") == NULL &&
		    strstr(line, "warning: the file cannot be read") == NULL &&
		    strstr(line, "warning: the price of 'house/") == NULL)
			fail_msg("%s", said);
	assert_int_equal(p->model_count, 4);
	assert_int_equal(p->key_count, 2);
	free(said);
	buf_free(&b);
	policy_unref(p);
	env.catalog = catalog;
	catalog_close(real);
}

/* The fingerprint of a provider's row, asked with that key. */
static uint64_t
fingerprint_of(const char *row, const char *key, const char *pepper)
{
	char text[400];
	struct policy *p;
	uint64_t got;

	setenv("A_KEY", key, 1);
	setenv("PEPPER", pepper, 1);
	snprintf(text, sizeof text, "pepper: env:PEPPER\nproviders:\n"
	    "  openai: { key: env:A_KEY%s }\n"
	    "models: { m: [ openai/o5-mini ] }\n", row);
	p = load_good(text);
	got = p->providers[0].fingerprint;
	/* Another way to speak to it is no other credential. */
	assert_true(p->models[0].targets[0].provider != p->providers);
	assert_true(p->models[0].targets[0].provider->fingerprint == got);
	policy_unref(p);
	return got;
}

/* It changes with whatever the provider is asked with, and else never. */
static void
fingerprints(void **state)
{
	static const char *const rows[] = { "", ", organization: o",
		", project: o", ", headers: { X-A: o }",
		", headers: { X-A: p }", ", region: o",
		", base_url: https://o.example" };
	uint64_t got[10];
	size_t i, k;

	(void)state;
	for (i = 0; i < 7; i++)
		got[i] = fingerprint_of(rows[i], "key-of-many-letters",
		    "a pepper of enough length");
	got[7] = fingerprint_of("", "another-key-of-letters",
	    "a pepper of enough length");
	got[8] = fingerprint_of("", "key-of-many-letters",
	    "a pepper of another length");
	for (i = 0; i < 9; i++) {
		assert_true(got[i] != 0);
		for (k = 0; k < i; k++)
			assert_true(got[i] != got[k]);
	}
	assert_true(got[0] == fingerprint_of(", retention: 30 days",
	    "key-of-many-letters", "a pepper of enough length"));
	env.check_only = true; /* secrets may be missing */
	assert_true(fingerprint_of("", "key-of-many-letters",
	    "a pepper of enough length") == 0);
	env.check_only = false;
}

#define TEST(f) cmocka_unit_test_setup(f, set_environment)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(full_top), TEST(full_providers), TEST(full_models),
		TEST(full_map_model), TEST(full_keys), TEST(grants),
		TEST(demands),
		TEST(key_look_up), TEST(defaults), TEST(names_of_key),
		TEST(empty_sections), TEST(service_tiers), TEST(single_values),
		TEST(secrets_are_not_dumped), TEST(json_policy),
		TEST(wildcards), TEST(ways_of_single_models),
		TEST(provider_forms), TEST(warnings), TEST(check_only),
		TEST(secret_files), TEST(pepper_file),
		TEST(pepper_unmakeable), TEST(pepper_long),
		TEST(pepper_race), TEST(folder), TEST(folder_faults),
		TEST(unreadable_paths), TEST(too_large),
		TEST(bounds_of_count), TEST(reload), TEST(version),
		TEST(globs), TEST(direct), TEST(many_keys),
		TEST(many_loads), TEST(units), TEST(addresses),
		TEST(stores), TEST(pages), TEST(examples),
		TEST(fingerprints),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
