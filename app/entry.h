/*
 * A record of the registry: a file or a batch that a provider keeps for a key,
 * with all that is needed to go on with it on any host: whose it is, who keeps
 * it, what is held for it and what its answers are sold at, whatever the
 * policy says by then. As JSON; times are s since 1970.
 */
#ifndef TOLLGATE_APP_ENTRY_H
#define TOLLGATE_APP_ENTRY_H

#include "adapters/batch.h"
#include "app/registry.h"

struct entry {
	const char *kind;     /* "file", "batch" */
	const char *id;	      /* the client's */
	const char *own;      /* the provider's; "": the house has it sealed */
	const char *key;      /* of the policy or the store */
	const char *provider; /* names of the policy */
	const char *adapter;  /* that asks it: "openai" */
	const char *deployment;
	const char *up;	      /* the provider's name of the model */
	const char *model;    /* as the client named it, "" */
	const char *path;     /* of its requests: "/v1/responses" */
	int64_t made, expires; /* expires 0: not said */
	int64_t lines;	      /* requests */
	int64_t most;	      /* n$ that they may cost */
	struct price price;
	/* of a file */
	const char *purpose, *filename;
	int64_t bytes, pieces; /* pieces: of its sealed body */
	/* of a batch */
	const char *input;    /* the client's id of its file */
	const char *window;
	const char *metadata; /* JSON text of an object, "" */
	const char *hold;     /* ledger_leave's text */
	int64_t tried;	      /* when its provider was last asked */
	bool settled;
	int64_t spent, answered, input_tokens, output_tokens, cached;
	struct batch_state state;
};

/* Zeroed, strings "". */
void entry_init(struct entry *e);

/* As text, from the arena; NULL: no memory. */
const char *entry_write(struct arena *a, const struct entry *e);

/* False: it is none, or no memory. The arena keeps its strings. */
bool entry_read(struct arena *a, const char *text, size_t len,
    struct entry *e);

/* "file KEY": the owner of its records. */
const char *entry_owner(struct arena *a, const char *kind, const char *key);

/* Is the dialect of its answers not the one that its client asked in? */
bool entry_translates(const struct entry *e);

/* When an open batch is looked at again, and a record forgotten, µs. */
int64_t entry_due(const struct entry *e, int64_t now);
int64_t entry_forget(const struct entry *e);

/* In OpenAI's form. owner: of its key and provider. */
void entry_show(struct json_writer *w, struct arena *a,
    const struct owner *owner, const struct entry *e);

/* What goes into the registry; NULL: no memory. */
const char *entry_row(struct arena *a, const struct entry *e, int64_t now,
    struct registry_row *out);

#endif
