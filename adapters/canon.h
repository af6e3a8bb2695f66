/*
 * Small things that every adapter does on the way into the canonical form
 * and out of it. Strings and lists come from the arena that is given; a
 * struct str of nothing is { NULL, 0 }.
 */
#ifndef TOLLGATE_ADAPTERS_CANON_H
#define TOLLGATE_ADAPTERS_CANON_H

#include "adapters/chat.h"
#include "app/base/buf.h"
#include "app/base/limits.h"

struct arena;
struct http_call;

#define LIMIT_BODY_TEXT (LIMIT_BODY * 2) /* a text within a body, escaped */

/* A growing list of parts. NULL: out of memory. The part is zeroed. */
struct parts {
	struct arena *arena;
	struct part *list;
	size_t count, size;
};
struct part *parts_add(struct parts *p);

/* A part of this text; none for an empty one. False: no memory. */
bool parts_text(struct parts *p, enum part_kind kind, struct str s);

/*
 * A growing list of pieces of one event; failed when memory was short.
 * pieces_add: NULL then, else a zeroed piece. pieces_text adds nothing for an
 * empty text and returns NULL.
 */
struct pieces {
	struct arena *arena;
	struct piece *list;
	size_t count, size;
	bool failed;
};
struct piece *pieces_add(struct pieces *ps, enum piece_kind kind,
    int64_t choice);
struct piece *pieces_text(struct pieces *ps, enum piece_kind kind,
    int64_t choice, struct str s);

/* What a buffer holds as one piece, if anything; the buffer is freed. */
void pieces_take(struct pieces *ps, enum piece_kind kind, int64_t choice,
    struct buf *b);

/* Each element of a list as a piece, in JSON text. */
void pieces_list(struct pieces *ps, enum piece_kind kind, int64_t choice,
    const struct json *doc, uint32_t list);

/* The decoded content of a JSON string, or nothing. */
struct str canon_str(const struct json *doc, uint32_t v, struct arena *a);

/* The source text of a JSON value, or nothing when absent. */
struct str canon_raw(const struct json *doc, uint32_t v);

/*
 * Bytes of text in a part of an answer, to estimate usage: those of a string,
 * or of the members that hold text, calls or their input, wherever they stand
 * in it. What describes them (ids, signatures, sealed reasoning, pictures,
 * probabilities) is none.
 */
int64_t canon_text_bytes(const struct json *doc, uint32_t v);

/* A literal, a C string, printf. */
struct str canon_lit(const char *s);
struct str canon_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool canon_is(struct str s, const char *word);
bool canon_same(struct str a, struct str b);

/* A copy from the arena; nothing for an empty text. p NULL: no memory. */
struct str canon_keep(struct arena *a, struct str s);

/* What a buffer holds, from the arena. p NULL: it failed, or no memory. */
struct str canon_take(struct arena *a, struct buf *b);

/* The same, but nothing for "[]". */
struct str canon_take_list(struct arena *a, struct buf *b);

/* true 1, false 0, all else -1. */
int canon_flag(const struct json *doc, uint32_t v);

/* Is it an instruction rather than a turn of the talk? */
bool canon_is_system(const struct message *m);

/*
 * Where the turn ends that begins with message `from`: behind it stands the
 * first one of the other side. Only messages that are spoken count.
 */
size_t canon_turn(const struct chat *chat, size_t from,
    bool (*is_spoken)(const struct message *m));

bool canon_is_text(const struct part *p);

/* Before the text of a result that failed, where no flag can say it. */
#define CANON_FAILED "Error: "

/* ERR_BAD_REQUEST for content that a provider has no word for: "audio". */
enum err canon_refuse(struct fault *f, const char *what);

/* The schema of its arguments: that of an empty object if it has none. */
struct str canon_parameters(const struct tool *t);

/* ERR_BAD_REQUEST for a tool that only its own provider runs. */
enum err canon_functions(const struct chat *chat, struct fault *f);

/* A part whose url is "data:TYPE;base64,DATA": split it. */
void canon_data_url(struct part *p);

/*
 * The other way: from the arena, or written; `otherwise` is the type when the
 * part tells none.
 */
struct str canon_data_text(struct arena *a, const struct part *p,
    const char *otherwise);

/* "key": the part's bytes as a data: URL, else its url, if any. */
void canon_put_url(struct json_writer *w, const char *key,
    const struct part *p, const char *otherwise);

/*
 * Line ends behind `from` as blanks: between the tokens of JSON that is all
 * the same, and in an event they would end its line.
 */
void canon_one_line(struct buf *out, size_t from);

/*
 * "key": "string" or "key": raw JSON (as one line); nothing at all for a str
 * of nothing.
 */
void canon_put_str(struct json_writer *w, const char *key, struct str s);
void canon_put_raw(struct json_writer *w, const char *key, struct str s);
void canon_put_int(struct json_writer *w, const char *key, int64_t n);
void canon_put_flag(struct json_writer *w, const char *key, int flag); /* -1: nothing */

/* "key": [strings]; nothing at all for an empty list. */
void canon_put_list(struct json_writer *w, const char *key,
    const struct str *list, size_t count);

/* canon_put_str, but "" for nothing. */
void canon_put_text(struct json_writer *w, const char *key, struct str s);

/* "key": what the buffer holds, as a string; the buffer is freed. */
void canon_put_buf(struct json_writer *w, const char *key, struct buf *b);

/* { "type": "word" … up to jw_end_object(). */
void canon_begin(struct json_writer *w, const char *type);

/*
 * A provider's own event for a client of the same dialect, as SSE: under its
 * name, if that is not NULL, and with the blank line `end` behind it.
 */
void canon_put_event(struct buf *out, const char *name, struct str raw,
    const char *end);

/* "low" → EFFORT_LOW …; EFFORT_UNSET for words nobody knows. */
enum effort canon_effort(struct str word);
const char *canon_effort_word(enum effort e);

/* The adapter a reasoning format belongs to ("anthropic-claude-v1" …), or NULL. */
const char *canon_origin(struct str format);

/* The other way: the word for it in an OpenAI-like answer, "" for NULL. */
const char *canon_format(const char *origin);

/*
 * The member "prompt" as the one message of a request that has nothing else
 * that rules can see (struct adapter's read_chat). ERR_INTERNAL: no memory.
 */
enum err canon_prompt(struct arena *a, struct chat *chat, struct fault *f);

/*
 * The member "model" → chat->model: there, bounded, printable (it goes into
 * logs and addresses).
 */
enum err canon_model(struct chat *chat, struct arena *a, struct fault *f);

/*
 * One segment of a path: all but unreserved characters and
 * "@" as %XX; "" when memory is short.
 */
const char *canon_segment(struct arena *a, const char *s);

/*
 * A model's name that is a path of its own: segments as above, with the
 * slashes between them. "" when one is empty, "." or "..", or memory is short.
 */
const char *canon_path(struct arena *a, const char *s);

/* A C string as JSON text with its quotes; p NULL when memory is short. */
struct str canon_quoted(struct arena *a, const char *s);

/* Is this the text of a JSON object? What a model calls arguments need not be. */
bool canon_is_object(struct str text, struct arena *a);

/*
 * A JSON Schema as text, the type names of Google's older form ("OBJECT") in
 * JSON Schema's own ("object").
 */
struct str canon_schema(const struct json *doc, uint32_t v, struct arena *a);

/*
 * A schema with "additionalProperties": false in every object that does not
 * say, for those who demand it of structured answers: what fits it fits the
 * client's schema too.
 */
struct str canon_closed(struct arena *a, struct str schema);

/* Does it name every property as required, and close every object? */
bool canon_is_strict(struct arena *a, struct str schema);

/*
 * base64 (standard or URL alphabet) as the text that it holds, whatever its
 * bytes. p NULL: it is none, or no memory.
 */
struct str canon_decode(struct arena *a, struct str base64);

/* The other way, of the standard alphabet, padded. p NULL: no memory. */
struct str canon_encode(struct arena *a, struct str bytes);

/* The MIME type that the end of a URL's path tells, else `otherwise`. */
const char *canon_url_type(struct str url, const char *otherwise);

/* An id for a call whose provider gave none: unique, "call_…". */
struct str canon_call_id(struct arena *a);

/*
 * Arguments where a dialect has room for an object only: as they are, or
 * {"arguments": "text"} when a model's text is none. p NULL: no memory.
 */
struct str canon_args(struct arena *a, struct str args);

/*
 * What proves reasoning to its maker, on its way through a client of another
 * dialect: a mark that tells the maker goes before it. Marks are base64
 * themselves, as some clients decode what follows. p NULL: no memory.
 */
struct str canon_mark(struct arena *a, const char *origin, bool sealed,
    struct str proof);

/* The other way: true when there was a mark; it is cut off. */
bool canon_unmark(struct str *proof, const char **origin, bool *sealed);

/* Is this base64 of the standard alphabet, padded? */
bool canon_is_base64(struct str s);

/* A text that grows; p NULL while it is empty. False: no memory. */
struct growing {
	char *p;
	size_t len, size;
};
bool canon_grow(struct arena *a, struct growing *g, struct str more);
struct str canon_grown(const struct growing *g); /* "" while it is empty */

/* Two texts as one. p NULL: no memory. */
struct str canon_join(struct arena *a, struct str first, struct str second);

/* What of a chat that was read whole is text, for estimate_chat. */
void canon_shape(const struct chat *chat, struct estimate_chat *out);

/*
 * Read all of a chat if it was not yet. False: it cannot be read, and stays as
 * it is; its own dialect may still take it. Tried once.
 */
bool canon_whole(struct arena *a, struct chat *chat);

/*
 * Input tokens of a chat as we estimate them for no deployment in particular,
 * by its text where it was not read whole; kept.
 */
int64_t canon_tokens(struct chat *chat);

/* The same for a deployment, "provider/model", and the dialect spoken to it. */
int64_t canon_tokens_at(struct chat *chat, const char *id,
    const char *dialect);

/*
 * adapter.bound_output: word = tokens in the document, or in its member
 * `within` (NULL: in the document itself), which is then parsed anew.
 */
enum err canon_bound(struct arena *a, struct chat *chat, const char *within,
    const char *word, int64_t tokens, struct fault *f);

/* Fields of the second half of chat whose "not given" is not zero. */
void canon_defaults(struct chat *chat);

/*
 * The PARAM_BIT()s of flags and numbers, and of the user, once all of them are
 * read: they are given when they are not at their defaults.
 */
void canon_given(struct chat *chat);

/* `stop`: a string or a list of them; sets PARAM_BIT(STOP). */
enum err canon_stop(struct chat *chat, struct arena *a, uint32_t v,
    struct fault *f);

/*
 * The written body becomes the call's, from the arena; the buffer is freed.
 * Returns e, or ERR_INTERNAL when the address or the body is missing.
 */
enum err canon_body(struct arena *a, struct http_call *call,
    struct buf *body, enum err e, struct fault *f);

/* One more name in chat->extras, once; NULL: ERR_INTERNAL. */
enum err canon_extra(struct chat *chat, struct arena *a, const char *name);

/*
 * Members of an object of the request that are not among the known and say
 * something go into chat->extras, as "tools.defer_loading".
 */
enum err canon_rest(struct chat *chat, struct arena *a, uint32_t obj,
    const char *prefix, const char *const *known, size_t count,
    struct fault *f);

/* A chat was read whole: note what its messages and tools set. */
void canon_done(struct chat *chat);

/* Members of the root that are not among the known: chat->extras. */
enum err canon_extras(struct chat *chat, struct arena *a,
    const char *const *known, size_t count, struct fault *f);

#endif
