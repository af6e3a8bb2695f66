/*
 * POST /v1/rerank and /v2/rerank as Cohere defines them (its Python
 * SDK's types and recordings of 2024..2026; docs.cohere.com/reference/rerank
 * itself was not read): the surface, and Cohere as the
 * provider. What the first version has beside (documents as objects,
 * rank_fields, return_documents) is done here, whoever answers. The query is
 * the first message, each document one more.
 *
 * A search is a query with up to 100 documents; a document that is longer
 * than 500 tokens with its query counts once a piece (cohere.com/pricing as
 * quoted by others; rerank-v4.0 has longer pieces, so this bounds it too).
 * Where tokens are sold, they are those of the query times the documents, and
 * of the documents (voyageai's RerankRequest.d.ts of Voyage, read 2026-11).
 */
#ifndef TOLLGATE_ADAPTERS_RERANK_H
#define TOLLGATE_ADAPTERS_RERANK_H

#include "adapters/adapter.h"

struct json_writer;

#define RERANK_DOOR "rerank"

/* How many documents the client gave. */
size_t rerank_documents(const struct chat *chat);

/* top_n of the client, at most its documents; all of them if not given. */
size_t rerank_top(const struct chat *chat);

/* "documents", as texts; the chat was read whole. */
void rerank_put_documents(struct json_writer *w, const struct chat *chat);

/*
 * "query", "documents" and, by this name, top_n where the client gave it; the
 * chat was read whole.
 */
void rerank_put(struct json_writer *w, const struct chat *chat,
    const char *top);

/*
 * A provider's answer, whose list is "results" or "data" with an index and
 * relevance_score or score, or "scores" of all documents in their order: into
 * reply->scores, the most relevant first, no more than rerank_top(). What it
 * says of usage (meta.billed_units, meta.tokens, usage, input_tokens), or the
 * searches as counted where they are sold and not told.
 * ERR_BAD_UPSTREAM: no such list, an index that is not the client's or comes
 * twice, or not a score for each document.
 */
enum err rerank_read(struct arena *a, const struct adapter *from,
    const struct chat *chat, const struct deployment *d, const char *body,
    size_t len, struct reply *reply, struct fault *f);

extern const struct adapter adapter_rerank;
extern const struct adapter adapter_openai_rerank;
extern const struct adapter adapter_bedrock_rerank;

#endif
