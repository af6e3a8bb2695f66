/*
 * The form of a policy as data: every section, key, type, default, bound and
 * meaning stands once, in schema.c. From it come the reader (read.c), the
 * reference and the JSON Schema (doc.c). A new key is a new row.
 */
#ifndef TOLLGATE_POLICY_SCHEMA_H
#define TOLLGATE_POLICY_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_type {
	V_TEXT,	      /* const char * */
	V_NAME,	      /* const char *: letters, digits and . _ - : @ + */
	V_TARGET,     /* const char *: provider/model */
	V_USE,	      /* const char *: the same, or a model of the policy */
	V_MODEL,      /* const char *: a provider's name of a model */
	V_SECRET,     /* const char *, kept with the policy */
	V_ONCE,	      /* const char *: a secret that is only hashed */
	V_DOCUMENT,   /* const char *: a secret of several lines */
	V_URL,	      /* const char * */
	V_STORE,      /* const char * */
	V_LOG,	      /* const char * */
	V_PATH,	      /* const char *: of an URL */
	V_ZONE,	      /* const char * */
	V_RETENTION,  /* const char * */
	V_HASH,	      /* const char *: 64 hex digits */
	V_REGEX,      /* const char *: not compiled yet */
	V_DURATION,   /* int64_t, µs */
	V_COUNT,      /* int64_t; or one of the words */
	V_SHARE,      /* int64_t, per cent */
	V_HOURLY,     /* int64_t, n$ an hour */
	V_RATE,	      /* int64_t, n$ */
	V_DATE,	      /* int64_t, s */
	V_BOOL,	      /* bool */
	V_CHOICE,     /* int: one of the words */
	V_SET,	      /* unsigned: the words' bits */
	V_DELAY,      /* struct src_delay */
	V_BUDGET,     /* struct src_money */
	V_PERCENTS,   /* unsigned [BUDGET_WARNINGS], ascending */
	V_RANGE,      /* struct range, of counts */
	V_SHARES,     /* struct range, of per cent */
	V_HOURS,      /* struct hours: from and to */
	V_STRINGS,    /* struct rows of const char * (V_TEXT each) */
	V_PATTERNS,   /* struct rows of const char *: names with '*' */
	V_HEADERS,    /* struct rows of struct header */
	V_SCORES,     /* struct rows of struct src_score */
	V_MATCHES,    /* struct rows of struct src_match */
	V_STRUCT,     /* the shape's struct in place */
	V_LIST,	      /* struct rows of the shape's struct */
	V_MAP,	      /* the same, each with a name */
	V_LATER,      /* refused: a promise that cannot be kept yet */
	V_TYPES
};

#define F_NEEDED 1 /* must be given */
#define F_BARE 2   /* V_STRUCT: no defaults inside, unset stays unset */
#define F_ONE 4	   /* V_LIST: a single value is a list of one */
#define F_NONE 8   /* V_SECRET: may be `none` */
#define F_DOT 16   /* V_MATCHES: KEY.NAME is taken for NAME in it, too */
#define F_HEADER 32 /* V_MATCHES: the names are those of headers */

#define UNSET INT64_C(-1) /* a number that was not given */

struct word {
	const char *name; /* NULL ends the list */
	int value;	  /* or bit; WORD_LATER: known, refused */
	const char *help;
};
#define WORD_LATER (-1)

struct field {
	const char *key; /* NULL ends the list */
	enum value_type type;
	unsigned flags;
	size_t offset;
	int64_t min, max;	    /* of numbers; of texts their length */
	const struct shape *shape;
	const struct word *words;
	const char *preset;	    /* default as it would be written */
	const char *otherwise;	    /* what holds when left out, in words */
	const char *help;
};

/* A map in the policy and the struct it becomes. */
struct shape {
	const char *name;	    /* of one: "provider" */
	const char *title;	    /* of its chapter: "providers" */
	size_t size;
	const char *brief;	    /* field that a value in its place means */
	const struct field *fields;
	const char *help;
	const char *example;
};

/* The whole policy: its fields are the sections, its struct is source. */
extern const struct shape policy_shape;

/* The shapes that are met from one on, each once. */
#define SHAPES_MAX 32
struct shapes {
	const struct shape *list[SHAPES_MAX];
	size_t count; /* 0 at first */
};
void shapes_gather(struct shapes *all, const struct shape *s);

/* A bound of a field as a person writes it, in the buffer given. */
const char *field_bound(const struct field *f, int64_t v, char *out,
    size_t size);

/* What a type is called and how it is written. */
struct type_words {
	const char *name;    /* "duration" */
	const char *pattern; /* regular expression of its text, or NULL */
	bool number;	     /* editors may hand it over as a number */
};
const struct type_words *type_words(enum value_type t);

#endif
