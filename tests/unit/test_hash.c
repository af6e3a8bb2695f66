/* Digests against published vectors; the form of virtual keys. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/hash.h"

#define S(text) text, sizeof text - 1
#define TWENTY(b) b b b b b b b b b b b b b b b b b b b b
#define AA10 "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
#define AA130 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10 AA10
#define AA131 AA130 "\xaa"

struct digest {
	const char *text;
	size_t len;
	const char *hex;
};

/* FIPS 180-4 examples. */
static const struct digest sha256[] = {
	{ S(""), "e3b0c44298fc1c149afbf4c8996fb924"
		 "27ae41e4649b934ca495991b7852b855" },
	{ S("abc"), "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad" },
	{ S("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

struct mac {
	const char *key;
	size_t key_len;
	const char *text;
	size_t len;
	const char *hex;
};

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is cut short). */
static const struct mac macs[] = {
	{ S(TWENTY("\x0b")), S("Hi There"),
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{ S("Jefe"), S("what do ya want for nothing?"),
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{ S(TWENTY("\xaa")), S(TWENTY("\xdd") TWENTY("\xdd") "\xdd\xdd\xdd\xdd"
	    "\xdd\xdd\xdd\xdd\xdd\xdd"),
	    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{ S("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
	    "\x11\x12\x13\x14\x15\x16\x17\x18\x19"),
	    S(TWENTY("\xcd") TWENTY("\xcd") "\xcd\xcd\xcd\xcd\xcd"
	    "\xcd\xcd\xcd\xcd\xcd"),
	    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{ S(AA131), S("Test Using Larger Than Block-Size Key - "
	    "Hash Key First"),
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{ S(AA131), S("This is a test using a larger than block-size key and "
	    "a larger than block-size data. The key needs to be hashed before "
	    "being used by the HMAC algorithm."),
	    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	/* No key and no text (known from many libraries). */
	{ S(""), S(""),
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

static void
digests(void **state)
{
	char hex[HASH_HEX_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof sha256 / sizeof sha256[0]; i++) {
		assert_int_equal(hash_sha256_hex(hex, sha256[i].text,
		    sha256[i].len), ERR_OK);
		assert_string_equal(hex, sha256[i].hex);
	}
}

static void
macs_of_rfc_4231(void **state)
{
	unsigned char raw[HASH_LEN];
	char hex[HASH_HEX_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof macs / sizeof macs[0]; i++) {
		assert_int_equal(hash_hmac_hex(hex, macs[i].key,
		    macs[i].key_len, macs[i].text, macs[i].len), ERR_OK);
		assert_string_equal(hex, macs[i].hex);
		assert_int_equal(hash_hmac(raw, macs[i].key, macs[i].key_len,
		    macs[i].text, macs[i].len), ERR_OK);
		hash_hex(hex, raw, sizeof raw);
		assert_string_equal(hex, macs[i].hex);
	}
	assert_int_equal(hash_hmac_hex(hex, NULL, 0, NULL, 0), ERR_OK);
	assert_string_equal(hex, macs[i - 1].hex);
}

static void
compares(void **state)
{
	(void)state;
	assert_true(hash_equal("abc", 3, "abc", 3));
	assert_true(hash_equal("", 0, "", 0));
	assert_true(hash_equal(NULL, 0, "", 0));
	assert_false(hash_equal("abc", 3, "abd", 3));
	assert_false(hash_equal("abc", 3, "abcd", 4));
	assert_false(hash_equal("abc", 3, "", 0));
	assert_false(hash_equal("a\0b", 3, "a\0c", 3));
}

/* Keys made by other means; zlib's crc32 gives their last six digits. */
static const char *const vkeys[] = {
	"tg_0000000000000000000000000000002C8GjS",
	"tg_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4IlJEz",
	"tg_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp",
	"tg_WXYZabcdefghijklmnopqrstuvwxyz4YnbUa",
	"tg_FJ6kPU9541PZwIpm3EXYNHnBq6GDyx21l8sz",
	"tg_1rfpGpHCAJIetkzssuN5scLgOWFBFU0qyY4w",
	"tg_H5yxqtyZrJ0wIajuJsmWCQRcIRSAEJ1c43E8",
	"tg_7wdpuNWRQsjnS4euyCeJxrUR7pZANt00k7nU",
};

static void
knows_virtual_keys(void **state)
{
	char key[HASH_VKEY_LEN + 2];
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof vkeys / sizeof vkeys[0]; i++) {
		assert_true(hash_vkey_check(vkeys[i], strlen(vkeys[i])));
		assert_false(hash_vkey_check(vkeys[i], HASH_VKEY_LEN - 1));
		snprintf(key, sizeof key, "%sA", vkeys[i]);
		assert_false(hash_vkey_check(key, HASH_VKEY_LEN + 1));
		/* A wrong character anywhere. */
		for (at = 0; at < HASH_VKEY_LEN; at++) {
			snprintf(key, sizeof key, "%s", vkeys[i]);
			key[at] = key[at] == 'x' ? 'y' : 'x';
			assert_false(hash_vkey_check(key, HASH_VKEY_LEN));
			key[at] = '\0';
			assert_false(hash_vkey_check(key, HASH_VKEY_LEN));
			key[at] = '-';
			assert_false(hash_vkey_check(key, HASH_VKEY_LEN));
		}
		/* Two neighbours changed about. */
		for (at = 3; at < HASH_VKEY_LEN - 1; at++) {
			snprintf(key, sizeof key, "%s", vkeys[i]);
			if (key[at] == key[at + 1])
				continue;
			key[at] = vkeys[i][at + 1];
			key[at + 1] = vkeys[i][at];
			assert_false(hash_vkey_check(key, HASH_VKEY_LEN));
		}
	}
	assert_false(hash_vkey_check("", 0));
}

static void
makes_virtual_keys(void **state)
{
	char key[HASH_VKEY_SIZE], last[HASH_VKEY_SIZE] = "";
	unsigned seen[128] = { 0 }, i, k;
	unsigned char c;

	(void)state;
	for (i = 0; i < 2000; i++) {
		assert_int_equal(hash_vkey_make(key), ERR_OK);
		assert_int_equal(strlen(key), HASH_VKEY_LEN);
		assert_true(hash_vkey_check(key, HASH_VKEY_LEN));
		assert_string_not_equal(key, last);
		memcpy(last, key, sizeof last);
		for (k = 3; k < 33; k++) {
			assert_in_range(key[k], '0', 'z');
			seen[(unsigned char)key[k]]++;
		}
	}
	/* 60000 draws of 62: 968 each, and 6 standard deviations. */
	for (c = '0', k = 0; c <= 'z'; c++)
		if (seen[c] != 0) {
			assert_in_range(seen[c], 780, 1160);
			k++;
		}
	assert_int_equal(k, 62);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(macs_of_rfc_4231),
		cmocka_unit_test(compares),
		cmocka_unit_test(knows_virtual_keys),
		cmocka_unit_test(makes_virtual_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
