/*
 * The address guard: a table of prefixes (IANA's special-purpose registries
 * and the metadata services of clouds) and one look-up. Pure; resolves
 * nothing, connects nothing.
 */
#include "app/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* From harmless to forbidden: of two the greater one counts. */
enum net {
	NET_PUBLIC,
	NET_PRIVATE, /* with private_net */
	NET_LINK,    /* with private_net, and named literally */
	NET_NEVER
};

struct prefix {
	uint8_t bytes[16];
	uint8_t bits;
	enum net net;
	size_t embeds; /* an IPv4 address begins at this byte; 0 = none */
};

/* In both tables the first match counts: longer prefixes stand first. */
static const struct prefix v4[] = {
	{ { 0 }, 8, NET_NEVER, 0 },		    /* "this network" */
	{ { 10 }, 8, NET_PRIVATE, 0 },		    /* RFC 1918 */
	{ { 100, 100, 100, 200 }, 32, NET_LINK, 0 }, /* metadata */
	{ { 100, 64 }, 10, NET_PRIVATE, 0 },	    /* carrier-grade NAT */
	{ { 127 }, 8, NET_PRIVATE, 0 },		    /* loopback */
	{ { 168, 63, 129, 16 }, 32, NET_LINK, 0 },  /* metadata */
	{ { 169, 254 }, 16, NET_LINK, 0 },	    /* link-local, metadata */
	{ { 172, 16 }, 12, NET_PRIVATE, 0 },	    /* RFC 1918 */
	{ { 192, 0, 0, 192 }, 32, NET_LINK, 0 },    /* metadata */
	{ { 192, 0, 0 }, 24, NET_PRIVATE, 0 },	    /* protocol assignments */
	{ { 192, 0, 2 }, 24, NET_PRIVATE, 0 },	    /* documentation */
	{ { 192, 88, 99 }, 24, NET_PRIVATE, 0 },    /* 6to4 relays */
	{ { 192, 168 }, 16, NET_PRIVATE, 0 },	    /* RFC 1918 */
	{ { 198, 18 }, 15, NET_PRIVATE, 0 },	    /* benchmarks */
	{ { 198, 51, 100 }, 24, NET_PRIVATE, 0 },   /* documentation */
	{ { 203, 0, 113 }, 24, NET_PRIVATE, 0 },    /* documentation */
	{ { 224 }, 4, NET_NEVER, 0 },		    /* multicast */
	{ { 240 }, 4, NET_NEVER, 0 },		    /* reserved, broadcast */
	{ { 0 }, 0, NET_PUBLIC, 0 },
};

static const struct prefix v6[] = {
	{ { 0 }, 128, NET_NEVER, 0 },			/* unspecified */
	{ { [15] = 1 }, 128, NET_PRIVATE, 0 },		/* loopback */
	{ { [10] = 0xff, 0xff }, 96, NET_PUBLIC, 12 },	/* mapped IPv4 */
	{ { [8] = 0xff, 0xff }, 96, NET_PUBLIC, 12 },	/* translated */
	{ { 0 }, 96, NET_PUBLIC, 12 },			/* compatible */
	{ { 0, 0x64, 0xff, 0x9b }, 96, NET_PUBLIC, 12 }, /* NAT64 */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, NET_PRIVATE, 0 }, /* documentation */
	{ { 0x20, 0x01 }, 23, NET_PRIVATE, 0 },		/* Teredo, ORCHID … */
	{ { 0x20, 0x02 }, 16, NET_PUBLIC, 2 },		/* 6to4 */
	{ { 0x3f, 0xff }, 20, NET_PRIVATE, 0 },		/* documentation */
	{ { 0x20 }, 3, NET_PUBLIC, 0 },			/* global unicast */
	{ { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54 }, 128, NET_LINK,
	    0 },					/* metadata */
	{ { 0xfc }, 7, NET_PRIVATE, 0 },		/* unique local */
	{ { 0xfe, 0x80 }, 10, NET_LINK, 0 },		/* link-local */
	{ { 0xff }, 8, NET_NEVER, 0 },			/* multicast */
	{ { 0 }, 0, NET_PRIVATE, 0 },			/* not assigned */
};

static bool
matches(const struct prefix *p, const uint8_t *addr)
{
	size_t whole = p->bits / 8;
	uint8_t rest = p->bits % 8;

	if (memcmp(p->bytes, addr, whole) != 0)
		return false;
	return rest == 0 ||
	    ((p->bytes[whole] ^ addr[whole]) >> (8 - rest)) == 0;
}

/* The tables end with a row that matches all. */
static const struct prefix *
find(const struct prefix *table, const uint8_t *addr)
{
	while (!matches(table, addr))
		table++;
	return table;
}

static enum net
net_of_v6(const uint8_t *addr)
{
	const struct prefix *p = find(v6, addr);
	enum net inner;

	if (p->embeds == 0)
		return p->net;
	inner = find(v4, addr + p->embeds)->net;
	return inner > p->net ? inner : p->net;
}

/* Is the host these bytes, written as an address (perhaps in brackets)? */
static bool
is_literal(int family, const uint8_t *addr, const char *host)
{
	char text[INET6_ADDRSTRLEN + 2];
	uint8_t bytes[16];
	size_t len;

	if (host == NULL)
		return false;
	len = strlen(host);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof text)
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return inet_pton(family, text, bytes) == 1 &&
	    memcmp(bytes, addr, family == AF_INET ? 4 : 16) == 0;
}

static bool
allowed(int family, const uint8_t *addr, bool private_net, const char *host)
{
	enum net net;

	net = family == AF_INET ? find(v4, addr)->net : net_of_v6(addr);
	switch (net) {
	case NET_PUBLIC:
		return true;
	case NET_PRIVATE:
		return private_net;
	case NET_LINK:
		return private_net && is_literal(family, addr, host);
	case NET_NEVER:
		break;
	}
	return false;
}

bool
address_allowed(const struct sockaddr *sa, bool private_net, const char *host)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	uint8_t bytes[16];

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof in);
		memcpy(bytes, &in.sin_addr, 4);
		return allowed(AF_INET, bytes, private_net, host);
	case AF_INET6:
		memcpy(&in6, sa, sizeof in6);
		memcpy(bytes, &in6.sin6_addr, 16);
		return allowed(AF_INET6, bytes, private_net, host);
	default:
		return false;
	}
}

bool
address_text_allowed(const char *ip, bool private_net, const char *host)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, ip, bytes) == 1)
		return allowed(AF_INET, bytes, private_net, host);
	if (inet_pton(AF_INET6, ip, bytes) == 1)
		return allowed(AF_INET6, bytes, private_net, host);
	return false;
}
