/*
 * Surfaces of the doors for files and batches, in OpenAI's form
 * (platform.openai.com/docs/api-reference/files, …/batch, read 2026-11). They
 * only read what is asked for; app/filed.h does it.
 */
#ifndef TOLLGATE_ADAPTERS_FILES_H
#define TOLLGATE_ADAPTERS_FILES_H

#include "adapters/adapter.h"
#include "app/base/limits.h"

#define FILES_DOOR "files"
#define FILES_TTL_LEAST 3600	/* s: the shortest that a client may set */
#define FILES_TTL_MOST 2592000
#define FILES_METADATA KIB(32) /* of a batch, bytes */

/* POST /v1/files: a form. */
extern const struct adapter adapter_files;
/* POST /v1/batches. */
extern const struct adapter adapter_batches;
/* All that has no body. */
extern const struct adapter adapter_filed;

/* Seconds after which an uploaded file is to go, 0: not said. */
int64_t files_expiry(const struct chat *chat);

#endif
