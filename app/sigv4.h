/*
 * AWS Signature Version 4 of a request, in its headers (docs.aws.amazon.com,
 * IAM User Guide, "Signature Version 4 for API requests", read 2026-11).
 * Pure: no clock, no environment.
 */
#ifndef TOLLGATE_APP_SIGV4_H
#define TOLLGATE_APP_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/adapter.h"

struct arena;

struct sigv4 {
	const char *access_key, *secret_key;
	const char *session_token; /* "" = none */
	const char *region, *service;
	int64_t when;		   /* seconds since 1970 */
};

/*
 * Add x-amz-date, x-amz-security-token (with a session token) and
 * authorization to the call; its URL, its headers so far (each name once)
 * and its body are signed with them. The URL must be in the form in which it
 * is sent. ERR_INTERNAL: no room or no memory.
 */
enum err sigv4_sign(struct arena *a, const struct sigv4 *s,
    struct http_call *call);

/* A header of AWS' answers that names the error, before their bodies do. */
#define SIGV4_ERROR_HEADER "x-amzn-errortype"

/*
 * Does an error of that type or message mean that we signed with a wrong
 * clock, where the answer's Date is `off` seconds ahead of ours (or behind)?
 * AWS takes 5 minutes either way; errors that may have other reasons count
 * from 4 on, as in AWS' own SDKs.
 */
bool sigv4_skewed(const char *type, const char *message, int64_t off);

#endif
