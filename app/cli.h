/* What commands of the command line have in common. */
#ifndef TOLLGATE_APP_CLI_H
#define TOLLGATE_APP_CLI_H

#include "app/base/buf.h"
#include "app/base/err.h"

/* Exit codes where it did not go well. */
#define CLI_FAILED 1
#define CLI_MISUSED 2

/*
 * Say on stderr what is wrong with an option (the fault's param) or, where
 * the fault says nothing, how the command is used. CLI_MISUSED.
 */
int cli_misused(const struct fault *f, const char *usage);

/* The text of a file ("-" is stdin) behind what is in b. */
enum err cli_read(const char *path, struct buf *b, struct fault *f);

/*
 * All that a command prints, to stdout; the buffer is freed. The exit code:
 * CLI_FAILED when it did not get there whole, which stderr has heard.
 */
int cli_print(struct buf *out);

#endif
