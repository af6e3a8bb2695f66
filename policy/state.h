/*
 * The directory of what the program keeps: pepper, newer catalog, embedded
 * store. Single-threaded.
 */
#ifndef TOLLGATE_POLICY_STATE_H
#define TOLLGATE_POLICY_STATE_H

#include "app/base/err.h"

/*
 * $TOLLGATE_STATE; else /var/lib/tollgate when it is a directory that we may
 * write to; else $XDG_STATE_HOME/tollgate; else $HOME/.local/state/tollgate.
 * Need not exist. NULL when none of these tells. Valid until the next call.
 */
const char *state_dir(void);

/* Make the directory (0700) and what is missing above it. */
enum err state_dir_make(const char *dir, struct fault *f);

struct catalog;

/*
 * The catalog in force: state_dir()/catalog.bin when it is there and sound,
 * else the one in the program; the fault tells why a file was not taken.
 * NULL only when memory is short.
 */
struct catalog *state_catalog(struct fault *f);

/* The path of that file, or NULL without a state directory; static memory. */
const char *state_catalog_path(void);

#endif
