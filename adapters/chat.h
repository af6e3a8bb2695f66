/*
 * The canonical form: request (chat), answer (reply), streamed part (delta).
 * Every dialect is read into it and written from it, so K dialects cost 2K
 * translations. What a dialect says and this form does not know stays in the
 * parsed document behind it and comes back when the same dialect is on the
 * other side; when it is another one, chat.extras names it.
 *
 * All memory is the arena's that the reader was given. Strings are struct
 * str (valid UTF-8, not NUL-terminated, p NULL = not given) where they are
 * content, C strings where they are names. Numbers that are only passed on
 * stay as the client's digits.
 */
#ifndef TOLLGATE_ADAPTERS_CHAT_H
#define TOLLGATE_ADAPTERS_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/base/err.h"
#include "app/base/json.h"
#include "policy/estimate.h"
#include "policy/price.h"

struct adapter;
struct form;
struct header;
struct passage;
struct picture;
struct provider;
struct upstream_error;

struct str {
	const char *p;
	size_t len;
};

/* ------------------------------------------------------------ request */

enum role { ROLE_SYSTEM, ROLE_DEVELOPER, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };

enum part_kind {
	PART_TEXT,	/* text */
	PART_REFUSAL,	/* text */
	PART_IMAGE,	/* media (type, data | url | file), detail */
	PART_AUDIO,	/* media */
	PART_VIDEO,	/* media */
	PART_FILE,	/* media, name: PDF and other documents */
	PART_CALL,	/* id, name, args */
	PART_RESULT,	/* id, name, parts, failed */
	PART_REASONING,	/* text, signature | sealed, id, origin */
	PART_OTHER	/* raw, of dialect origin: only that one can take it */
};

enum cache_mark { CACHE_NONE, CACHE_5M, CACHE_1H };

/* One piece of content of a message. */
struct part {
	enum part_kind kind;
	enum cache_mark cache; /* "cache the prompt up to here" */
	struct str text;
	struct str media_type; /* "image/png", "application/pdf", "audio/wav" */
	struct str data;       /* base64 (standard alphabet) */
	struct str url;
	struct str file;       /* id of a file that the provider keeps */
	struct str detail;     /* of an image: "low", "high", "auto" */
	struct str id;	       /* of a call; of the call that a result answers */
	struct str name;       /* of a function; of a file */
	struct str args;       /* JSON text of an object; "{}" when none */
	bool failed;	       /* a result that tells of an error */
	struct part *parts;    /* of a result: TEXT, IMAGE, FILE … */
	size_t part_count;
	struct str signature;  /* of reasoning: proves the text to its maker */
	struct str sealed;     /* reasoning that only its maker can read */
	const char *origin;    /* adapter name that made signature, sealed, raw */
	struct str raw;	       /* JSON text as it came */
};

struct message {
	enum role role;
	struct str name; /* of the speaker */
	struct part *parts;
	size_t part_count;
};

/* A tool: a function of the client, or (type not "function") the provider's own. */
struct tool {
	const char *type; /* "function", or the origin's word for its own tool */
	const char *origin; /* adapter name, for a tool of the provider's own */
	struct str name, description;
	struct str schema; /* JSON Schema of the arguments, JSON text, p NULL = none */
	int strict;	   /* 1, 0, -1 = not said */
	enum cache_mark cache;
	struct str raw;	   /* as it came */
};

enum tool_choice { CHOICE_UNSET, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_NAMED };

enum format_kind { FORMAT_UNSET, FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA };

/* Effort of reasoning; which words a provider takes is its adapter's to map. */
enum effort { EFFORT_UNSET, EFFORT_NONE, EFFORT_MINIMAL, EFFORT_LOW, EFFORT_MEDIUM, EFFORT_HIGH, EFFORT_MAX };

/* Bits of chat.set and adapter.takes. */
enum param_index {
#define PARAM(name, word) PARAM_INDEX_##name,
#include "adapters/params.def"
#undef PARAM
	PARAM_COUNT
};
#define PARAM_BIT(name) (UINT64_C(1) << PARAM_INDEX_##name)

/*
 * What other doors than chat ask for. Their texts stand in chat.messages, one
 * each: inputs to embed; a query and then documents.
 */
struct task {
	const char *door;   /* the operation: "embeddings"; NULL: it is a chat */
	size_t texts;	    /* how many there are */
	size_t media;	    /* pictures and files in them */
	const struct picture *pictures; /* … of doors that make images of them
			     * (adapters/images.h) */
	size_t bulk;	    /* bytes of the document that are pictures */
	uint32_t *sizes;    /* of each, in tokens at most, roughly; may be NULL */
	int64_t most[UNIT_COUNT]; /* it can use; of INPUT: beside a token
				   * for each byte of the body */
	int64_t dimensions; /* of a vector, 0 = not said */
	bool base64;	    /* vectors as base64 of float32, not as numbers */
	bool bytes;	    /* the answer is a body of bytes, no JSON and no
			     * events, given on as it comes */
	struct str purpose; /* what vectors are for: "search_query" … */
};

/* A request of a provider's own API, which goes there as it is. */
struct raw {
	const struct provider *provider;
	const struct passage *passage; /* the row of the policy that it is */
	const char *name;   /* of that row: "/passthrough/openai/files" */
	const char *method;
	const char *path;   /* below the base URL, in one form (policy/passage.h) */
	const char *query;  /* encoded anew, "" */
	const char *type;   /* of the body, NULL: there is none */
	struct str body;    /* p NULL: none */
	const struct header *headers;
	size_t header_count;
};

struct chat {
	/* What routing and metering need: always read. */
	const struct adapter *surface; /* the dialect it came in */
	struct json doc;	       /* the body as it came */
	const char *path;	       /* rest of the path, "" (Gemini: model:verb) */
	const char *query;	       /* of the URL, "" */
	const char *beta;	       /* header anthropic-beta of the client, "" */
	const char *word;	       /* of the door, as in rules: "messages" */
	const char *model;	       /* as the client named it */
	const char **more;	       /* further models that it named */
	size_t more_count;
	bool stream;
	bool stream_list;	       /* as one JSON array, piece by piece, not as events */
	bool stream_usage;	       /* the client asked for usage in the stream */
	bool count;		       /* only its input tokens are to be counted */
	bool free;		       /* nothing of it is paid for: a count, a kept answer */
	bool background;	       /* its provider works on when nobody listens */
	struct task task;
	const struct raw *raw;	       /* NULL: it is no such request */
	const struct form *form;       /* of a multipart body, whose fields doc has */
	int64_t max_output;	       /* tokens, 0 = the client set none */
	int64_t choices;	       /* n, 1.. */
	unsigned needs;		       /* CAP_* */
	int64_t input_estimate;	       /* tokens, 0 = not yet estimated */
	struct estimate_chat shape;    /* messages 0 = not yet looked at */
	const char *user;	       /* end user as named by the client, "" */
	const char *previous_id;       /* of a kept answer to go on with, NULL = none */
	const char *previous_own;      /* the same as its provider knows it, NULL until found */

	/* The rest: read by read_chat when another dialect is to take it. */
	bool whole;
	bool unreadable; /* canon_whole has tried */
	struct message *messages;      /* system and developer ones first to last as they came */
	size_t message_count;
	struct tool *tools;
	size_t tool_count;
	enum tool_choice tool_choice;
	struct str tool_name;	       /* CHOICE_NAMED */
	int parallel_calls;	       /* 1, 0, -1 = not said */
	enum format_kind format;
	struct str format_name, format_description, format_schema; /* FORMAT_SCHEMA */
	int format_strict;	       /* 1, 0, -1 */
	enum effort effort;
	int64_t think_budget;	       /* tokens for reasoning, -1 = not said */
	bool think_hidden;	       /* the client does not want to read it */
	struct str temperature, top_p, top_k, seed; /* numbers, the client's digits */
	struct str frequency_penalty, presence_penalty;
	struct str logit_bias, metadata; /* JSON text of an object */
	bool logprobs;
	int64_t top_logprobs;	       /* 0 = none */
	struct str *stop;
	size_t stop_count;
	struct str verbosity, service_tier, cache_key, previous;
	int store;		       /* 1, 0, -1 */
	uint64_t set;		       /* PARAM_BIT()s that the client gave */
	const char **extras;	       /* members without a place here, as named */
	size_t extra_count;
};

/* ------------------------------------------------------------- answer */

/* Why an answer ended. */
enum finish {
	FINISH_NONE,
	FINISH_STOP,
	FINISH_LENGTH,
	FINISH_TOOLS,
	FINISH_CONTENT, /* filtered or refused by the provider */
	FINISH_ERROR
};

struct choice {
	int64_t index;
	struct part *parts; /* TEXT, REASONING, REFUSAL, CALL, AUDIO, IMAGE, OTHER: in order */
	size_t part_count;
	enum finish finish;
	struct str stop;     /* the stop sequence that ended it */
	struct str logprobs; /* OpenAI's form, JSON text */
	struct str citations; /* OpenAI's annotations, JSON text of an array */
};

/* One vector: a JSON array of numbers, or base64 of float32, little endian. */
struct vector {
	struct str numbers, base64; /* one of them is there */
};

/* How relevant a document is, by its place in the client's list. */
struct score {
	size_t index;
	double value;
	struct str digits; /* the same as it came */
};

/* A whole answer. */
struct reply {
	const struct upstream_error *error; /* not NULL: this instead of all else */
	const struct adapter *from; /* the dialect that raw is in */
	struct str raw;		    /* normalised body of that dialect */
	const char *type;	    /* of what is written, where it is no JSON */
	const struct json *doc;	    /* the same as it was parsed, or NULL */
	struct str id, model;	    /* as the provider gave them */
	int64_t created;	    /* seconds since 1970, 0 = not said */
	struct usage usage;
	enum finish finish;	    /* of the first choice */
	bool streams;		    /* write_reply makes what was asked for of
				     * it, though that was a stream */
	int64_t text_bytes;	    /* of all content, to estimate usage */
	struct choice *choices;	    /* only when another dialect will write it */
	size_t choice_count;
	size_t part;		    /* in: which of several it answers, 0.. */
	struct vector *vectors;	    /* one for each text, in their order */
	size_t vector_count;
	struct score *scores;	    /* of documents, the most relevant first */
	size_t score_count;
};

enum delta_kind {
	DELTA_META,    /* nothing for the reader yet: role, id, filter results */
	DELTA_CONTENT, /* text, reasoning, refusal, tool call, audio … */
	DELTA_FINISH,  /* a choice ended */
	DELTA_USAGE,   /* usage and nothing else */
	DELTA_ERROR,   /* the provider failed inside a stream: see error */
	DELTA_END      /* the answer is whole */
};

/* What one event adds to a choice. */
enum piece_kind {
	PIECE_TEXT,	 /* text */
	PIECE_REFUSAL,	 /* text */
	PIECE_REASONING, /* text */
	PIECE_SIGNATURE, /* text: completes the reasoning before it */
	PIECE_SEALED,	 /* text: reasoning that only its maker can read */
	PIECE_CALL,	 /* call, id, name: a call begins; text: its signature */
	PIECE_ARGS,	 /* call, text: more of its arguments */
	PIECE_LOGPROBS,	 /* text: OpenAI's form, JSON text */
	PIECE_CITATION,	 /* text: one of OpenAI's annotations, JSON text */
	PIECE_IMAGE,	 /* text: data: URL, of an image that was made */
	PIECE_FINISH	 /* finish, text: the stop sequence */
};

struct piece {
	enum piece_kind kind;
	int64_t choice; /* 0.. */
	int64_t call;	/* 0.. within the choice */
	struct str text, id, name;
	enum finish finish;
	const char *origin; /* adapter name, for SIGNATURE and SEALED */
};

/*
 * One streamed part: an event of the provider. When the same dialect is on
 * the other side `raw` goes on; else the pieces are written.
 */
struct delta {
	enum delta_kind kind;
	const struct adapter *from; /* the dialect that raw is in */
	struct str raw;		    /* normalised event data of that dialect, or empty */
	const struct json *doc;	    /* the same as it was parsed, or NULL */
	const char *event;	    /* its event name, "" */
	struct str id, model;	    /* of the answer as the provider gave them, or empty */
	const struct piece *pieces; /* only when another dialect will write it */
	size_t piece_count;
	enum finish finish;	    /* with DELTA_FINISH or the last DELTA_CONTENT */
	struct usage usage;	    /* known: it came with this event; END: of all */
	struct usage begun;	    /* known: what is billed before any content */
	int64_t text_bytes;	    /* of content in this event */
	const struct upstream_error *error; /* with DELTA_ERROR */
};

typedef enum err delta_fn(void *arg, const struct delta *d);

/* "temperature": the word for PARAM_INDEX_…, or NULL past the end. */
const char *param_word(unsigned index);

#endif
