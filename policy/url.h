/* Addresses of providers: what they may look like and where they lead. */
#ifndef TOLLGATE_POLICY_URL_H
#define TOLLGATE_POLICY_URL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * NULL when text is a base URL as we want it (http or https, a host, no
 * credentials, query or fragment), else what is wrong with it; the words do
 * not quote the text.
 */
const char *url_flaw(const char *text);

/* Bytes of a checked base URL without slashes at its end. */
size_t url_trimmed(const char *text);

/*
 * Is the host of a checked base URL this machine or in a private network by
 * its very name (localhost, a literal address)?
 */
bool url_private(const char *text);

/* Does it go without TLS? */
bool url_clear(const char *text);

#endif
