/*
 * Token counts guessed from text, where no provider told them. Pure, no
 * memory, any bytes.
 */
#ifndef TOLLGATE_POLICY_ESTIMATE_H
#define TOLLGATE_POLICY_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

/* Tokens of len bytes of text, 0.. */
int64_t estimate_tokens(const char *text, size_t len);

/* The same when only the number of bytes is known. */
int64_t estimate_text_bytes(int64_t bytes);

#endif
