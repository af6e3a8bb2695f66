/*
 * Errors as values. err.def is the one table; every function that can fail
 * returns an enum err (ERR_OK is 0) and leaves its outputs untouched when it
 * fails. Detail for the one who asked travels beside it in a struct fault.
 */
#ifndef TOLLGATE_BASE_ERR_H
#define TOLLGATE_BASE_ERR_H

enum err {
#define ERR(name, status, type, code, text) ERR_##name,
#include "app/base/err.def"
#undef ERR
	ERR_COUNT
};

struct err_row {
	const char *label; /* "BAD_JSON" */
	int status;	   /* HTTP, 200..599 */
	const char *type;  /* "invalid_request_error" */
	const char *code;  /* "invalid_json" */
	const char *text;  /* a sentence without full stop */
};

/* The row of an error; never NULL for 0 <= e < ERR_COUNT. */
const struct err_row *err_row(enum err e);

/*
 * What went wrong in words for the client: lower case, no full stop, never a
 * secret and never content of a prompt. Empty strings mean "use the row's".
 */
struct fault {
	enum err code;
	char param[96];	 /* the field, as "messages[3].content" */
	char text[512];
	/* A provider's own words for it take the place of the row's. */
	int status;
	char type[64], name[64];
};

/* What the client is told: the fault's own words, else the row's. */
int fault_status(enum err e, const struct fault *f);
const char *fault_type(enum err e, const struct fault *f);
const char *fault_name(enum err e, const struct fault *f);
const char *fault_text(enum err e, const struct fault *f);

/*
 * Fill a fault (all of it) and return its code, so that `return fault_set(...)` reads.
 * f may be NULL. param may be NULL. Text is cut, never overrun; control
 * characters are replaced by '?'.
 */
enum err fault_set(struct fault *f, enum err code, const char *param,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The fault of an arena or buffer that is full: ERR_INTERNAL. */
enum err fault_memory(struct fault *f);

#endif
