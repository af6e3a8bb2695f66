/*
 * The catalog: what is publicly known of providers and models (addresses,
 * key names, prices, limits, capabilities, benchmark scores). It is compiled
 * at build time from policy/catalog.json into one position-independent image
 * that is part of the program (read on demand from the executable, shared by
 * all workers); `tollgate models update FILE` writes a newer image to
 * $TOLLGATE_STATE/catalog.bin, which then takes its place.
 *
 * All pointers handed out live as long as the catalog. Immutable, so any
 * number of readers. An image from a file is checked whole (magic, version,
 * offsets, order) when opened.
 */
#ifndef TOLLGATE_POLICY_CATALOG_H
#define TOLLGATE_POLICY_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "policy/price.h"

struct catalog;

/* How a provider wants its credential. */
enum auth_scheme {
	AUTH_BEARER, /* Authorization: Bearer KEY */
	AUTH_HEADER, /* auth_header: KEY, as x-api-key or api-key */
	AUTH_SIGV4,  /* AWS */
	AUTH_GOOGLE, /* service account */
	AUTH_NONE,
	/* Of a policy only. */
	AUTH_AZURE,  /* Entra ID (AAD), client credentials */
	AUTH_HMAC    /* headers signed with the key: struct auth_form */
};

/* Departures from the OpenAI chat dialect, as bits (rows, not files). */
enum quirk {
	QUIRK_NO_STREAM_OPTIONS = 1 << 0, /* refuses stream_options */
	QUIRK_MAX_TOKENS = 1 << 1, /* the older form: max_tokens, not
				    * max_completion_tokens; role system, not
				    * developer */
	QUIRK_MAX_COMPLETION = 1 << 2, /* wants max_completion_tokens */
	QUIRK_RAW_PREDICT = 1 << 3, /* anthropic on Vertex: base_url is followed
				     * by /models/MODEL:rawPredict or
				     * :streamRawPredict, and the body has
				     * anthropic_version, no model */
	QUIRK_RANDOM_SEED = 1 << 4, /* calls a seed random_seed */
	QUIRK_SHORT_IDS = 1 << 5, /* ids of calls are 9 letters and figures */
	QUIRK_PLAIN_TURNS = 1 << 6, /* refuses reasoning in turns */
	QUIRK_REASONING_BACK = 1 << 7, /* wants reasoning_content in turns */
	QUIRK_THINKING_TYPE = 1 << 8, /* thinking: {type: enabled | disabled} */
	QUIRK_ENABLE_THINKING = 1 << 9, /* enable_thinking: true | false */
	QUIRK_STREAMED_THINKING = 1 << 10, /* thinks in streams only */
	QUIRK_NO_EFFORT = 1 << 11, /* the model refuses reasoning_effort */
	QUIRK_INVOKE = 1 << 12, /* not Converse on Bedrock: base_url is followed
				 * by /model/MODEL/invoke or
				 * /invoke-with-response-stream, whose events
				 * come in an envelope; the body as above */
	QUIRK_TAKE_TURNS = 1 << 13, /* user and assistant must alternate */
	QUIRK_EMBED_VOYAGE = 1 << 14, /* embeddings as Voyage has them */
	QUIRK_EMBED_MISTRAL = 1 << 15, /* as Mistral */
	QUIRK_EMBED_BYTES = 1 << 16, /* as signed bytes (Perplexity) */
	QUIRK_IMAGES_PATH = 1 << 17, /* images at /images, not
				      * /images/generations */
	QUIRK_IMAGE_PIXELS = 1 << 18, /* images: width and height, no size;
				      * base64, not b64_json */
	QUIRK_EMBED_STRICT = 1 << 19, /* refuses input_type for embeddings */
	QUIRK_IMAGE_RATIO = 1 << 20, /* images: aspect_ratio, no size, quality
				      * and style */
	QUIRK_RERANK_PAIRS = 1 << 21, /* reranks at /inference/MODEL, with a
				       * query for each document */
	QUIRK_IMAGE_WORKFLOW = 1 << 22 /* an image a call, at
					* /workflows/MODEL/text_to_image */
};

/*
 * base_url may hold ${region} and ${project}, which are fields of the
 * policy's provider row, and ${VAR} for an environment variable VAR.
 */

struct catalog_provider {
	const char *name;	 /* "anthropic" */
	const char *title;	 /* "Anthropic" */
	const char *adapter;	 /* "openai", "anthropic", …; "" = none yet */
	const char *base_url;	 /* without a slash at the end */
	const char *env;	 /* names of the variable with the key, with blanks between, "" = none */
	const char *doc;	 /* page of its documentation */
	const char *auth_header; /* for AUTH_HEADER, lower case */
	enum auth_scheme auth;
	unsigned quirks;	 /* QUIRK_* */
	uint32_t first, count;	 /* its models, for catalog_model_at */
};

/* What a model can do. */
enum cap {
	CAP_TOOLS = 1 << 0,
	CAP_REASONING = 1 << 1,
	CAP_STRUCTURED = 1 << 2,
	CAP_IMAGE_IN = 1 << 3,
	CAP_PDF_IN = 1 << 4,
	CAP_AUDIO_IN = 1 << 5,
	CAP_VIDEO_IN = 1 << 6,
	CAP_TEXT_OUT = 1 << 7,
	CAP_IMAGE_OUT = 1 << 8,
	CAP_AUDIO_OUT = 1 << 9,
	CAP_TEMPERATURE = 1 << 10, /* not known to refuse it */
	CAP_ATTACHMENT = 1 << 11,
	CAP_OPEN_WEIGHTS = 1 << 12,
	CAP_TEXT_IN = 1 << 13,
	CAP_VIDEO_OUT = 1 << 14
};

struct catalog_score {
	const char *benchmark; /* "SWE-Bench Verified" */
	double value;
};

struct catalog_model {
	const char *provider;  /* "openai" */
	const char *name;      /* the provider's own name, may hold '/' */
	const char *title;
	const char *family;    /* "" = unknown */
	const char *released;  /* "2026-03-19", "" = unknown */
	const char *status;    /* "", "beta", "deprecated", … */
	uint32_t context;      /* tokens, 0 = unknown */
	uint32_t max_input;    /* tokens, 0 = what context leaves */
	uint32_t max_output;   /* tokens, 0 = unknown */
	unsigned caps;	       /* CAP_* */
	struct price price;    /* price.known says whether there is one */
	uint32_t scores;       /* number of them, for catalog_score */
	uint32_t first_score;  /* opaque */
	/* How this model is spoken to: most often just as its provider. */
	const char *adapter, *base_url, *auth_header;
	enum auth_scheme auth;
	unsigned quirks;
};

/*
 * The catalog in force: file when it is not NULL and valid, else the one in
 * the program. The fault tells why a file was not taken (the result is then
 * still the built-in one); its code is ERR_OK when all is well, also when
 * the file is not there. f may be NULL. NULL only when memory is short.
 */
struct catalog *catalog_open(const char *file, struct fault *f);
void catalog_close(struct catalog *c);

/* "2026-07-02": the day of the facts. */
const char *catalog_date(const struct catalog *c);

/*
 * By name, or false (out untouched). A provider is found under its aliases
 * too ("gemini" is "google"); out->name is always the one name.
 */
bool catalog_provider(const struct catalog *c, const char *name,
    struct catalog_provider *out);
bool catalog_model(const struct catalog *c, const char *provider,
    const char *model, struct catalog_model *out);

/* In order of name: 0 <= i < count. */
uint32_t catalog_providers(const struct catalog *c);
bool catalog_provider_at(const struct catalog *c, uint32_t i,
    struct catalog_provider *out);
uint32_t catalog_models(const struct catalog *c);
bool catalog_model_at(const struct catalog *c, uint32_t i,
    struct catalog_model *out);

/* Score i < m->scores of a model. */
bool catalog_score(const struct catalog *c, const struct catalog_model *m,
    uint32_t i, struct catalog_score *out);

/*
 * Compile JSON in the form of policy/catalog.json into an image at path
 * (written beside it and renamed). Errors name the row.
 */
enum err catalog_compile(const char *json, size_t len, const char *path,
    struct fault *f);

#endif
