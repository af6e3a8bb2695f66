/*
 * Which addresses the gateway may connect to. A name in the policy (or one
 * that a provider's answer brought in) may resolve to anything; what decides
 * is the address that a socket is about to be connected to.
 */
#ifndef TOLLGATE_APP_ADDRESS_H
#define TOLLGATE_APP_ADDRESS_H

#include <stdbool.h>

struct sockaddr;

/*
 * May a call to a URL with this host connect to sa? Public addresses: yes.
 * Loopback, private, shared, reserved and documentation networks: only with
 * private_net. Link-local networks, where clouds keep their credentials
 * (169.254.169.254): only with private_net and when host is that very
 * address. Multicast, broadcast, unspecified and anything but IPv4 and IPv6:
 * never. An IPv6 address that carries an IPv4 address (mapped, compatible,
 * NAT64, 6to4) is judged by both. host may be NULL or a name.
 */
bool address_allowed(const struct sockaddr *sa, bool private_net,
    const char *host);

/* The same for an address as text ("192.0.2.1", "2001:db8::1"). */
bool address_text_allowed(const char *ip, bool private_net, const char *host);

#endif
