/*
 * POST /v1/embeddings as OpenAI defines it (platform.openai.com/docs/
 * api-reference/embeddings, read 2026-11): the surface, and providers that
 * speak the same. Other dialects' providers read the inputs as messages of
 * one part each, a text, or what only one dialect knows (PART_OTHER: a list of
 * token numbers; a content of Gemini's that is more than text), and give
 * one vector for each in reply.vectors. input_type is an extension of ours,
 * by the words of any provider that has it. Gemini's own surface is
 * gemini_embed.h.
 */
#ifndef TOLLGATE_ADAPTERS_EMBEDDINGS_H
#define TOLLGATE_ADAPTERS_EMBEDDINGS_H

#include "adapters/adapter.h"

#define EMBEDDINGS_DOOR "embeddings"

/*
 * A client's request begins to be read: so many inputs, whose sizes the caller
 * writes into task.sizes. ERR_BAD_REQUEST: none; ERR_TOO_LARGE: too many; both
 * name the member that holds them.
 */
enum err embeddings_begin(struct arena *a, struct chat *chat, size_t texts,
    const char *name, struct fault *f);

/*
 * ERR_BAD_REQUEST or ERR_TOO_LARGE: vectors that are too long, or more of them
 * than any answer has room for; it is refused before it is paid.
 */
enum err embeddings_room(const struct chat *chat, const char *name,
    struct fault *f);

/*
 * "key": a vector, as an array of numbers or as base64, however it came.
 * ERR_INTERNAL: no memory.
 */
enum err embeddings_put_vector(struct arena *a, struct json_writer *w,
    const char *key, const struct vector *v, bool base64);

/* What a provider takes in one call. */
struct embeddings_bound {
	size_t texts;
	int64_t tokens; /* of them all, 0 = any number */
};

/*
 * Bytes of a vector in an answer, at most: of 4,096 numbers where the client
 * did not say how many, and with all digits of a double where it wants digits.
 */
size_t embeddings_size(const struct chat *chat);

/* The inputs of one call. */
struct embeddings_slice {
	size_t first, count;
};

/*
 * Those of part `part`, 0..; *parts (may be NULL): how many there are. An
 * input that is too large by itself has a part of its own.
 */
struct embeddings_slice embeddings_slice(const struct chat *chat, size_t part,
    const struct embeddings_bound *bound, size_t *parts);

/*
 * The text of input i into the writer. ERR_BAD_REQUEST where it is a list of
 * tokens: another provider has other numbers for them.
 */
enum err embeddings_put_text(struct json_writer *w, const struct chat *chat,
    size_t i, struct fault *f);

/* "key": the texts of a slice as a list; errors as above. */
enum err embeddings_put_texts(struct json_writer *w, const char *key,
    const struct chat *chat, struct embeddings_slice s, struct fault *f);

/* "key": the dimensions asked for, if any. */
void embeddings_put_dimensions(struct json_writer *w, const char *key,
    const struct chat *chat);

/* Dialects' words for what vectors are for. */
enum embeddings_words { WORDS_COHERE, WORDS_GEMINI, WORDS_VOYAGE, WORDS_COUNT };

/*
 * The client's input_type, in whosever words, in those of this dialect; NULL:
 * none was given, or it has no word for it.
 */
const char *embeddings_purpose(const struct chat *chat,
    enum embeddings_words words);

/* PARAM_BIT(PURPOSE) where it has no word, for adapter.lacks. */
uint64_t embeddings_unsaid(const struct chat *chat,
    enum embeddings_words words);

/* ERR_BAD_REQUEST: the model has vectors of this length only. */
enum err embeddings_fixed(const struct chat *chat, int64_t has,
    struct fault *f);

/*
 * The answer to a part: doc parsed and reply begun, from `from`.
 * reply->error, and ERR_BAD_UPSTREAM, as reply_parse has them.
 */
enum err embeddings_open(struct arena *a, const struct adapter *from,
    const char *body, size_t len, struct reply *reply, struct json **doc,
    struct fault *f);

/*
 * Append a vector to the reply: an array of numbers, or a string of base64.
 * ERR_BAD_UPSTREAM: it is neither, or empty, or of another length than the
 * client asked for, which would be a wrong answer.
 */
enum err embeddings_vector(struct arena *a, const struct chat *chat,
    struct reply *reply, const struct json *doc, uint32_t v,
    struct fault *f);

/* Each element of a list is a vector, or an object with it in `member`. */
enum err embeddings_vectors(struct arena *a, const struct chat *chat,
    struct reply *reply, const struct json *doc, uint32_t list,
    const char *member, struct fault *f);

/* ERR_BAD_UPSTREAM: not one vector for each input of reply->part. */
enum err embeddings_counted(const struct chat *chat,
    const struct reply *reply, const struct embeddings_bound *bound,
    struct fault *f);

/* Usage: so many input tokens by this member, where it is a number. */
void embeddings_usage(const struct json *doc, uint32_t obj, const char *key,
    struct reply *reply);

/* Of providers that speak OpenAI's dialect. */
uint64_t embeddings_lacks(const struct chat *chat,
    const struct deployment *d);
enum err embeddings_write_request(struct arena *a, const struct chat *chat,
    const struct deployment *d, struct http_call *call, struct fault *f);
enum err embeddings_read_reply(struct arena *a, const struct chat *chat,
    const struct deployment *d, const char *body, size_t len,
    struct reply *reply, struct fault *f);

extern const struct adapter adapter_embeddings;
extern const struct adapter adapter_gemini_embed;
extern const struct adapter adapter_cohere_embed;
extern const struct adapter adapter_ollama_embed;
extern const struct adapter adapter_bedrock_embed;

#endif
