/*
 * How many tokens a text has, told without any vocabulary: by kinds of
 * characters and lengths of words, with weights that were fitted to what
 * byte-pair encoders of today count. Most texts come out within 15 per cent.
 * Pure; allocates nothing.
 */
#ifndef TOLLGATE_POLICY_ESTIMATE_H
#define TOLLGATE_POLICY_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tokens of UTF-8 text (bad bytes are counted, not refused). */
int64_t estimate_tokens(const char *text, size_t len);

/*
 * The same; adds to *digits how many more they are where each digit is a
 * token by itself.
 */
int64_t estimate_tokens_digits(const char *text, size_t len, int64_t *digits);

/* Tokens of so many bytes of text of which nothing else is known. */
int64_t estimate_text_bytes(int64_t bytes);

/*
 * What a chat is made of: numbers, and tokens of the bare text by the
 * functions above.
 */
struct estimate_chat {
	int64_t messages;     /* all of them */
	int64_t systems;      /* of these from the system or the developer */
	int64_t text;	      /* tokens of their texts, and of calls and results */
	int64_t digits;	      /* more in texts and tools, each a token */
	int64_t reasoning;    /* tokens of reasoning in turns, beside these */
	int64_t last_reasoning; /* of these in the turn under way */
	int64_t seals;	      /* pieces of reasoning that only its maker reads */
	int64_t sealed;	      /* characters of base64 of these */
	int64_t last_seals, last_sealed; /* of these in the turn under way */
	int64_t calls;	      /* calls of tools, and results */
	int64_t tools;	      /* tools that the client brings */
	int64_t tools_text;   /* tokens of their names, descriptions, schemas */
	int64_t tools_words;  /* of these the words: struct estimate_schema */
	int64_t tools_fields; /* parameters and members of these */
	int64_t schema_text;  /* tokens of a JSON Schema for the answer */
	int64_t schema_words, schema_fields;
	bool thinks, unthinks; /* it asks for reasoning, wants none */
	bool json;	      /* the answer is to be JSON of any shape */
	bool no_tools;	      /* the tools are not to be called */
	bool must_call;	      /* a tool has to be called */
	bool one_call;	      /* one call at a time */
};

/*
 * Input tokens of a chat for a deployment, "provider/model" ("" or one that
 * is not known: the middle of all), by the dialect that it is spoken to in
 * ("" when not known): its bare text and what the model's template puts
 * around it (estimate_model.def). 1..
 */
int64_t estimate_chat(const struct estimate_chat *c, const char *id,
    const char *dialect);

/*
 * What the estimate is made from: how often each feature occurs. For those
 * who fit the weights.
 */
#define ESTIMATE_WORD_MAX 16 /* longer words count as this and more letters */

enum estimate_feature {
	EST_SPACED, /* words behind a blank, by length 1.. */
	EST_GLUED = EST_SPACED + ESTIMATE_WORD_MAX, /* other words */
	EST_MORE_LETTERS = EST_GLUED + ESTIMATE_WORD_MAX,
	EST_CAPITAL,	   /* words of one capital and small letters */
	EST_CAPS,	   /* runs of capitals */
	EST_CAPS_LETTERS,
	EST_LATIN,	   /* Latin letters of western Europe beyond ASCII */
	EST_LATIN_EXT,	   /* other Latin letters */
	EST_LATIN_VIET,	   /* and those of Vietnamese */
	EST_ENGLISH,	   /* "the", "of" and the like */
	EST_DIGITS,	   /* groups of up to three digits */
	EST_SPACED_DIGITS, /* blanks before these: never part of the group */
	EST_MORE_DIGITS,   /* digits beyond the first of each group */
	EST_HEX,	   /* characters of long runs of hexadecimal digits */
	EST_BLOB,	   /* characters of base64 and the like */
	EST_PUNCT_LETTER,  /* one sign just before a letter */
	EST_PUNCT,	   /* other runs of signs */
	EST_PUNCT_MORE,	   /* their signs after the first, if another one */
	EST_PUNCT_SAME,	   /* and if the same again */
	EST_BLANKS,	   /* runs of two blanks or more, within a line */
	EST_INDENT,	   /* blanks at the beginning of a line: runs */
	EST_LINES,	   /* runs of line ends */
	EST_SCRIPTS,	   /* pairs of (runs, characters), by script */
	EST_COUNT = EST_SCRIPTS + 2 * 14
};

void estimate_features(const char *text, size_t len,
    int64_t count[EST_COUNT]);

/* In parts: count more text to what was counted (zeroes first); its tokens. */
void estimate_more(const char *text, size_t len, int64_t count[EST_COUNT]);
int64_t estimate_weigh(const int64_t count[EST_COUNT]);

/*
 * JSON Schemas, one or more (zeroes first): what their authors say in them
 * (names of members, descriptions, words of enum and const), and what is
 * JSON Schema's own, which a template that writes types in another way (of
 * TypeScript, say) does not show.
 */
struct estimate_schema {
	int64_t words[EST_COUNT], own[EST_COUNT];
	int64_t marks;	/* signs between these, and numbers */
	int64_t fields; /* members, of all depths */
};

/* What is no JSON is counted as far as it goes. */
void estimate_schema(const char *json, size_t len,
    struct estimate_schema *s);

/* Tokens of it all, written as JSON without blanks. */
int64_t estimate_schema_json(const struct estimate_schema *s);

#endif
