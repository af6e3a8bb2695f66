/* Base URLs, read byte by byte; no name is looked up. */
#include "policy/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define HOST_MAX 253

static const char host_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
static const char path_chars[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "-._~!$&'()*+,;=:@/%";
static const char hex[] = "0123456789abcdefABCDEF";

struct parts {
	bool tls;
	bool v6;
	char host[HOST_MAX + 1]; /* without brackets */
	const char *path;	 /* "" or from its slash on */
};

/* The authority without its port, or what is wrong. */
static const char *
read_host(const char *s, size_t len, struct parts *p, size_t *used)
{
	struct in6_addr a6;
	size_t n;
	const char *end;

	p->v6 = len > 0 && s[0] == '[';
	if (p->v6) {
		end = memchr(s, ']', len);
		if (end == NULL)
			return "the address in brackets has no end";
		n = (size_t)(end - s) - 1;
		s++;
		*used = n + 2;
	} else {
		end = memchr(s, ':', len);
		n = end != NULL ? (size_t)(end - s) : len;
		*used = n;
	}
	if (n == 0)
		return "the host is missing";
	if (n > HOST_MAX)
		return "the host is too long";
	memcpy(p->host, s, n);
	p->host[n] = '\0';
	if (p->v6)
		return inet_pton(AF_INET6, p->host, &a6) == 1 ? NULL :
			"the address in brackets is not IPv6";
	if (strspn(p->host, host_chars) != n || p->host[0] == '.' ||
	    p->host[0] == '-' || strstr(p->host, "..") != NULL)
		return "the host has characters that no host name has";
	return NULL;
}

/*
 * Resolvers take 127.1, 0x7f000001 and 2130706433 for addresses: a host
 * whose last label begins with a digit must be a proper one.
 */
static const char *
check_v4(const char *host)
{
	const char *dot = strrchr(host, '.'), *label;
	struct in_addr a4;

	label = dot != NULL ? dot + 1 : host;
	if (*label < '0' || *label > '9')
		return NULL;
	if (inet_pton(AF_INET, host, &a4) == 1)
		return NULL;
	return "the host is neither a name nor an address";
}

static const char *
check_port(const char *s, size_t len)
{
	static const char wrong[] = "the port is not one of 1 to 65535";
	unsigned port = 0;
	size_t i;

	if (len == 0)
		return NULL;
	if (s[0] != ':' || len < 2 || len > 6)
		return wrong;
	for (i = 1; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return wrong;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	return port >= 1 && port <= 65535 ? NULL : wrong;
}

static const char *
check_path(const char *s)
{
	const char *p, *seg;
	size_t n;

	for (p = s; *p != '\0'; p++) {
		if (strchr(path_chars, *p) == NULL)
			return "the path has characters that must be encoded";
		if (*p == '%' && (strspn(p + 1, hex) < 2))
			return "the path has a broken % code";
	}
	for (seg = s; *seg == '/'; seg += n + 1) {
		n = strcspn(seg + 1, "/");
		if ((n == 1 && seg[1] == '.') ||
		    (n == 2 && seg[1] == '.' && seg[2] == '.'))
			return "the path has . or .. in it";
	}
	return NULL;
}

static const char *
parse(const char *s, struct parts *p)
{
	const char *wrong;
	size_t len, used = 0;

	memset(p, 0, sizeof *p);
	if (strncasecmp(s, "https://", 8) == 0) {
		p->tls = true;
		s += 8;
	} else if (strncasecmp(s, "http://", 7) == 0) {
		s += 7;
	} else {
		return "must begin with http:// or https://";
	}
	if (strchr(s, '?') != NULL || strchr(s, '#') != NULL)
		return "has a query or a fragment";
	len = strcspn(s, "/");
	p->path = s + len;
	if (memchr(s, '@', len) != NULL)
		return "has credentials in it; use key or headers";
	wrong = read_host(s, len, p, &used);
	if (wrong == NULL && !p->v6)
		wrong = check_v4(p->host);
	if (wrong == NULL)
		wrong = check_port(s + used, len - used);
	if (wrong == NULL)
		wrong = check_path(p->path);
	return wrong;
}

const char *
url_flaw(const char *text)
{
	struct parts p;

	return parse(text, &p);
}

size_t
url_trimmed(const char *text)
{
	size_t n = strlen(text);

	while (n > 0 && text[n - 1] == '/')
		n--;
	return n;
}

/* Networks that are not of the public Internet. */
static bool
private_v4(uint32_t a)
{
	static const struct {
		uint32_t net, mask;
	} nets[] = {
		{ 0x00000000, 0xff000000 }, /* 0/8, this host */
		{ 0x0a000000, 0xff000000 }, /* 10/8 */
		{ 0x64400000, 0xffc00000 }, /* 100.64/10, carriers */
		{ 0x7f000000, 0xff000000 }, /* 127/8 */
		{ 0xa9fe0000, 0xffff0000 }, /* 169.254/16, link */
		{ 0xac100000, 0xfff00000 }, /* 172.16/12 */
		{ 0xc0a80000, 0xffff0000 }, /* 192.168/16 */
	};
	size_t i;

	for (i = 0; i < sizeof nets / sizeof nets[0]; i++)
		if ((a & nets[i].mask) == nets[i].net)
			return true;
	return false;
}

static bool
private_v6(const struct in6_addr *a)
{
	uint32_t v4;

	if (IN6_IS_ADDR_V4MAPPED(a)) {
		memcpy(&v4, a->s6_addr + 12, 4);
		return private_v4(ntohl(v4));
	}
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) ||
	    IN6_IS_ADDR_LINKLOCAL(a) || (a->s6_addr[0] & 0xfe) == 0xfc;
}

bool
url_private(const char *text)
{
	struct parts p;
	struct in6_addr a6;
	struct in_addr a4;
	size_t n;

	if (parse(text, &p) != NULL)
		return false;
	if (p.v6)
		return inet_pton(AF_INET6, p.host, &a6) == 1 &&
		    private_v6(&a6);
	if (inet_pton(AF_INET, p.host, &a4) == 1)
		return private_v4(ntohl(a4.s_addr));
	n = strlen(p.host);
	return strcasecmp(p.host, "localhost") == 0 ||
	    (n > 10 && strcasecmp(p.host + n - 10, ".localhost") == 0);
}

bool
url_clear(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0;
}
