/* The list that `tollgate models --providers` shows. */
#ifndef TOLLGATE_APP_PROVIDERS_CLI_H
#define TOLLGATE_APP_PROVIDERS_CLI_H

struct buf;
struct catalog;

enum listing_format { LISTING_TABLE, LISTING_JSON, LISTING_MARKDOWN };

/* Appended to out; a failure shows in out->failed. */
void providers_list(const struct catalog *c, enum listing_format format,
    struct buf *out);

#endif
