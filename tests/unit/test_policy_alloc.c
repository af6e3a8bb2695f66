/*
 * Policies while memory runs short: at each single allocation and mapping in
 * turn. A load either is whole or is refused with the words for it; nothing
 * crashes, and (with the sanitizers) nothing leaks.
 */
#include "tests/unit/policy_help.h"

#include <sys/mman.h>

#include "policy/load.h"
#include "tests/unit/alloc.h"

static const char text[] =
    "providers:\n"
    "  openai: { key: env:KEY1, headers: { X-One: uno } }\n"
    "  anthropic: { key: none }\n"
    "models:\n"
    "  a: [ \"openai/*\", { provider: anthropic, model: x, price: { input: 1,\n"
    "       tiers: [ { above: 1k, input: 2 } ] } } ]\n"
    "  b: { targets: openai/gpt-5.4, rpm: 5, timeouts: { idle: 3s },\n"
    "       fallbacks: { general: [ a, openai/*mini* ] }, require: {\n"
    "       benchmark: { SWE-Bench Verified: 40 } } }\n"
    "  c: { targets: [ { target: openai/gpt-5.4, scores: { x: 2 } } ],\n"
    "       require: { score: { x: 1 } } }\n"
    "rules:\n"
    "  - { when: { prompt: faq, script: Han, team: [ x, y ],\n"
    "      metadata.env: z, header: { X: y } }, use: a }\n"
    "  - { use: openai/gpt-5.4 }\n"
    "timezone: Europe/Berlin\n"
    "teams: { x: { budget: [ 1 USD / day, { limit: 2 USD / day, zone: UTC } ]"
    " } }\n"
    "default_price: { input: 1 }\n"
    "tiers: { free: { models: [ a, b ], budget: 1 USD once, shared: {\n"
    "       rpm: 3 }, may: user, end_users: { budget: 5 USD / hour } } }\n"
    "pepper: env:PEPPER\n"
    "keys:\n"
    "  - { name: a, secret: env:VK1, tags: [ one, two ], tier: free }\n"
    "  - { name: b, secret: env:VK2, models: b }\n";

static const char wrong[] =
    "providers: { opnai: {}, openai: { key: x, hedaers: 1 } }\n"
    "models: { a: [ opnai/x, openai/gtp, openai/gtp ] }\n"
    "keys: [ { name: a }, { name: a } ]\n";

/* mmap has two names: the second one where _FILE_OFFSET_BITS is 64. */
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd,
    off_t offset);
void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd,
    int64_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
    off_t offset);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
    int64_t offset);

static size_t map_count; /* mappings until one fails, 0: none does */
static bool map_failed;

static bool
map_fails(void)
{
	if (map_count == 0 || --map_count > 0)
		return false;
	return map_failed = true;
}

void *
__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return map_fails() ? MAP_FAILED :
	    __real_mmap(at, size, prot, flags, fd, offset);
}

void *
__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
    int64_t offset)
{
	return map_fails() ? MAP_FAILED :
	    __real_mmap64(at, size, prot, flags, fd, offset);
}

static struct policy *
load(const char *path, struct buf *out)
{
	buf_clear(out);
	return policy_load(path, &env, out);
}

static bool
says(const struct buf *out, const char *words)
{
	return memmem(out->data, out->len, words, strlen(words)) != NULL;
}

static void
check_short(struct policy *p, const struct buf *out)
{
	assert_null(p);
	if (!out->failed) {
		assert_non_null(out->data);
		assert_true(says(out, "policy: out of memory\n") ||
		    says(out, "cannot be read: Cannot allocate memory\n") ||
		    says(out, "the time zone 'Europe/Berlin' cannot be read"));
	}
}

static void
every_allocation(void **state)
{
	struct policy *p;
	struct buf out;
	size_t k;

	(void)state;
	put_file("policy.yaml", text, 0644);
	buf_init(&out, 1 << 20);
	buf_puts(&out, "room that is there before");
	for (k = 1;; k++) {
		alloc_fail(k);
		p = load("policy.yaml", &out);
		if (!alloc_failed())
			break;
		alloc_fail(0);
		check_short(p, &out);
	}
	alloc_fail(0);
	assert_non_null(p);
	assert_int_equal(out.len, 0);
	assert_true(k > 20);
	policy_unref(p);
	buf_free(&out);
}

static void
every_mapping(void **state)
{
	struct policy *p;
	struct buf out;
	size_t k;

	(void)state;
	put_file("policy.yaml", text, 0644);
	buf_init(&out, 1 << 20);
	for (k = 1;; k++) {
		map_failed = false;
		map_count = k;
		p = load("policy.yaml", &out);
		map_count = 0;
		if (!map_failed)
			break;
		check_short(p, &out);
	}
	assert_non_null(p);
	assert_true(k > 2);
	policy_unref(p);
	buf_free(&out);
}

/* Faults and short memory together. */
static void
refusals(void **state)
{
	struct policy *p;
	struct buf out;
	size_t k;

	(void)state;
	put_file("policy.yaml", wrong, 0644);
	buf_init(&out, 1 << 20);
	for (k = 1;; k++) {
		alloc_fail(k);
		p = load("policy.yaml", &out);
		assert_null(p);
		if (!alloc_failed())
			break;
	}
	alloc_fail(0);
	assert_true(k > 5);
	assert_true(out.len > 100);
	buf_free(&out);
}

static void
look_ups(void **state)
{
	struct policy *p;
	struct arena *a = arena_new(1 << 16);
	struct deployment d = { .weight = 9 };
	struct buf out;

	(void)state;
	put_file("policy.yaml", text, 0644);
	buf_init(&out, 1 << 20);
	p = load("policy.yaml", &out);
	assert_non_null(p);
	assert_false(policy_changed(p, "policy.yaml"));
	alloc_fail(1); /* who cannot look must look again */
	assert_true(policy_changed(p, "policy.yaml"));
	alloc_fail(1);
	assert_false(policy_direct(p, "openai/unheard-of", a, &d));
	alloc_fail(0);
	assert_int_equal(d.weight, 9);
	assert_true(policy_direct(p, "openai/unheard-of", a, &d));
	arena_free(a);
	policy_unref(p);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation),
		cmocka_unit_test(every_mapping),
		cmocka_unit_test(refusals),
		cmocka_unit_test(look_ups),
	};

	setenv("KEY1", "sk-upstream-0123456789", 1);
	setenv("VK1", "client-secret-number-one", 1);
	setenv("VK2", "client-secret-number-two", 1);
	setenv("PEPPER", "a pepper of enough length", 1);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
