/* The address guard: every row of its tables, both sides of their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app/address.h"

enum { PUBLIC, PRIVATE, LINK, NEVER };

static const struct {
	const char *ip;
	int net;
} rows[] = {
	{ "1.1.1.1", PUBLIC },
	{ "0.0.0.0", NEVER },
	{ "0.255.255.255", NEVER },
	{ "1.0.0.0", PUBLIC },
	{ "9.255.255.255", PUBLIC },
	{ "10.0.0.0", PRIVATE },
	{ "10.255.255.255", PRIVATE },
	{ "11.0.0.0", PUBLIC },
	{ "100.63.255.255", PUBLIC },
	{ "100.64.0.0", PRIVATE },
	{ "100.100.100.199", PRIVATE },
	{ "100.100.100.200", LINK },
	{ "100.127.255.255", PRIVATE },
	{ "100.128.0.0", PUBLIC },
	{ "126.255.255.255", PUBLIC },
	{ "127.0.0.1", PRIVATE },
	{ "127.255.255.255", PRIVATE },
	{ "128.0.0.0", PUBLIC },
	{ "168.63.129.15", PUBLIC },
	{ "168.63.129.16", LINK },
	{ "169.253.255.255", PUBLIC },
	{ "169.254.0.0", LINK },
	{ "169.254.169.254", LINK },
	{ "169.254.255.255", LINK },
	{ "169.255.0.0", PUBLIC },
	{ "172.15.255.255", PUBLIC },
	{ "172.16.0.0", PRIVATE },
	{ "172.31.255.255", PRIVATE },
	{ "172.32.0.0", PUBLIC },
	{ "191.255.255.255", PUBLIC },
	{ "192.0.0.0", PRIVATE },
	{ "192.0.0.192", LINK },
	{ "192.0.0.255", PRIVATE },
	{ "192.0.1.0", PUBLIC },
	{ "192.0.2.0", PRIVATE },
	{ "192.0.2.255", PRIVATE },
	{ "192.0.3.0", PUBLIC },
	{ "192.88.98.255", PUBLIC },
	{ "192.88.99.1", PRIVATE },
	{ "192.88.100.0", PUBLIC },
	{ "192.167.255.255", PUBLIC },
	{ "192.168.0.0", PRIVATE },
	{ "192.168.255.255", PRIVATE },
	{ "192.169.0.0", PUBLIC },
	{ "198.17.255.255", PUBLIC },
	{ "198.18.0.0", PRIVATE },
	{ "198.19.255.255", PRIVATE },
	{ "198.20.0.0", PUBLIC },
	{ "198.51.99.255", PUBLIC },
	{ "198.51.100.0", PRIVATE },
	{ "198.51.100.255", PRIVATE },
	{ "198.51.101.0", PUBLIC },
	{ "203.0.112.255", PUBLIC },
	{ "203.0.113.0", PRIVATE },
	{ "203.0.113.255", PRIVATE },
	{ "203.0.114.0", PUBLIC },
	{ "223.255.255.255", PUBLIC },
	{ "224.0.0.1", NEVER },
	{ "239.255.255.255", NEVER },
	{ "240.0.0.0", NEVER },
	{ "255.255.255.255", NEVER },

	{ "::", NEVER },
	{ "::1", PRIVATE },
	{ "::2", NEVER }, /* compatible form of 0.0.0.2 */
	{ "::8.8.8.8", PUBLIC },
	{ "::127.0.0.1", PRIVATE },
	{ "::169.254.169.254", LINK },
	{ "::ffff:8.8.8.8", PUBLIC },
	{ "::ffff:127.0.0.1", PRIVATE },
	{ "::ffff:10.1.2.3", PRIVATE },
	{ "::ffff:169.254.169.254", LINK },
	{ "::ffff:0.0.0.0", NEVER },
	{ "::ffff:224.0.0.1", NEVER },
	{ "::ffff:0:8.8.8.8", PUBLIC },
	{ "::ffff:0:10.1.2.3", PRIVATE },
	{ "::1:0:0:0:1", PRIVATE }, /* not assigned */
	{ "64:ff9b::8.8.8.8", PUBLIC },
	{ "64:ff9b::192.168.1.1", PRIVATE },
	{ "64:ff9b::169.254.169.254", LINK },
	{ "64:ff9b:1::8.8.8.8", PRIVATE },
	{ "100::1", PRIVATE },
	{ "2000::1", PUBLIC },
	{ "2001::1", PRIVATE },
	{ "2001:1ff::1", PRIVATE },
	{ "2001:200::1", PUBLIC },
	{ "2001:db7:ffff::1", PUBLIC },
	{ "2001:db8::1", PRIVATE },
	{ "2001:db9::1", PUBLIC },
	{ "2002:808:808::1", PUBLIC },
	{ "2002:7f00:1::1", PRIVATE },
	{ "2002:a9fe:a9fe::1", LINK },
	{ "2002:e000:1::1", NEVER },
	{ "2606:4700:4700::1111", PUBLIC },
	{ "3ffe:ffff::1", PUBLIC },
	{ "3fff::1", PRIVATE },
	{ "3fff:fff:ffff::1", PRIVATE },
	{ "3fff:1000::1", PUBLIC },
	{ "4000::1", PRIVATE },
	{ "fbff::1", PRIVATE },
	{ "fc00::1", PRIVATE },
	{ "fd00:ec2::253", PRIVATE },
	{ "fd00:ec2::254", LINK },
	{ "fdff::1", PRIVATE },
	{ "fe7f::1", PRIVATE },
	{ "fe80::1", LINK },
	{ "febf::1", LINK },
	{ "fec0::1", PRIVATE },
	{ "ff02::1", NEVER },
	{ "ffff::1", NEVER },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* The row's address as a socket address, judged. */
static bool
judge(const char *ip, bool private_net, const char *host)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool by_text = address_text_allowed(ip, private_net, host), by_sa;

	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1) {
		by_sa = address_allowed((struct sockaddr *)&in, private_net,
		    host);
	} else {
		assert_int_equal(inet_pton(AF_INET6, ip, &in6.sin6_addr), 1);
		by_sa = address_allowed((struct sockaddr *)&in6, private_net,
		    host);
	}
	assert_int_equal(by_text, by_sa);
	return by_sa;
}

static void
expect(const char *ip, const char *what, bool got, bool want)
{
	if (got != want)
		fail_msg("%s, %s: %s", ip, what, got ? "allowed" : "refused");
}

static void
test_rows(void **state)
{
	size_t i;
	const char *ip;
	int net;

	(void)state;
	for (i = 0; i < ROWS; i++) {
		ip = rows[i].ip;
		net = rows[i].net;
		expect(ip, "public only", judge(ip, false, NULL),
		    net == PUBLIC);
		expect(ip, "public only, named", judge(ip, false, ip),
		    net == PUBLIC);
		expect(ip, "private", judge(ip, true, "house.example"),
		    net == PUBLIC || net == PRIVATE);
		expect(ip, "private, no host", judge(ip, true, NULL),
		    net == PUBLIC || net == PRIVATE);
		expect(ip, "private, named", judge(ip, true, ip),
		    net != NEVER);
	}
}

static void
test_literals(void **state)
{
	static const char *const others[] = { "", "[", "]", "[]",
		"169.254.169.253", "169.254.169.254.", "metadata",
		"[169.254.169.254", "::ffff:169.254.169.255",
		"0000000000000000000000000000000000000000000000000169.254"
		".169.254" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(judge("169.254.169.254", true, others[i]));
	assert_true(judge("169.254.169.254", true, "169.254.169.254"));
	assert_true(judge("fe80::1", true, "[fe80::1]"));
	assert_true(judge("fe80::1", true, "[FE80:0::1]"));
	assert_false(judge("fe80::1", true, "[fe80::2]"));
	/* The carried address is not what the host names. */
	assert_false(judge("::ffff:169.254.169.254", true,
	    "169.254.169.254"));
}

static void
test_other_families(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX,
		.sun_path = "/run/x" };

	(void)state;
	assert_false(address_allowed((struct sockaddr *)&un, true, NULL));
	assert_false(address_text_allowed("", true, ""));
	assert_false(address_text_allowed("localhost", true, "localhost"));
	assert_false(address_text_allowed("1.1.1.1 ", true, NULL));
	assert_false(address_text_allowed("0x7f.1", true, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_other_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
