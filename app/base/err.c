/* The error table and the words that go with an error. */
#include "app/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_row rows[] = {
#define ERR(name, status, type, code, text) { #name, status, type, code, text },
#include "app/base/err.def"
#undef ERR
};

const struct err_row *
err_row(enum err e)
{
	assert((unsigned)e < ERR_COUNT);
	return &rows[e];
}

static void
plain(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

enum err
fault_set(struct fault *f, enum err code, const char *param, const char *fmt,
    ...)
{
	va_list ap;

	if (f == NULL)
		return code;
	memset(f, 0, sizeof *f);
	f->code = code;
	snprintf(f->param, sizeof f->param, "%s", param == NULL ? "" : param);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	plain(f->param);
	plain(f->text);
	return code;
}

enum err
fault_memory(struct fault *f)
{
	return fault_set(f, ERR_INTERNAL, NULL, "out of memory");
}

int
fault_status(enum err e, const struct fault *f)
{
	return f->status != 0 ? f->status : err_row(e)->status;
}

const char *
fault_type(enum err e, const struct fault *f)
{
	return *f->type != '\0' ? f->type : err_row(e)->type;
}

const char *
fault_name(enum err e, const struct fault *f)
{
	return *f->name != '\0' ? f->name : err_row(e)->code;
}

const char *
fault_text(enum err e, const struct fault *f)
{
	return *f->text != '\0' ? f->text : err_row(e)->text;
}
