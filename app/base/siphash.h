/*
 * SipHash-1-3: a keyed hash for tables whose keys strangers choose. Not for
 * anything that leaves the process.
 */
#ifndef TOLLGATE_BASE_SIPHASH_H
#define TOLLGATE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *p, size_t n);

/* A key that nobody outside can know. */
void siphash_key(uint64_t key[2]);

#endif
