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
	int64_t reasoning;    /* tokens of reasoning in turns, beside these */
	int64_t calls;	      /* calls of tools, and results */
	int64_t tools;	      /* tools that the client brings */
	int64_t tools_text;   /* tokens of their names, descriptions, schemas */
	int64_t schema_text;  /* tokens of a JSON Schema for the answer */
	bool thinks;	      /* it asks for reasoning of its own */
};

/*
 * Input tokens of a chat for a deployment, "provider/model" ("" or one that
 * is not known: the middle of all): its bare text and what the model's
 * template puts around it (estimate_model.def). 1..
 */
int64_t estimate_chat(const struct estimate_chat *c, const char *id);

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

#endif
