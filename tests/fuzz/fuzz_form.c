/*
 * A multipart body: its type in the first line, then the body. Read whole, and
 * as it comes: both must find the same data.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/form.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The data of the part that is open after n bytes, in steps. */
static void
in_steps(const struct form *whole, struct arena *a, const char *type,
    const char *body, size_t len, size_t n)
{
	struct form form;
	struct fault f;
	enum form_says says = FORM_DATA;
	const struct form_part *last;
	size_t at, have = n, got;

	if (form_begin(&form, a, type, body, n, &f) != ERR_OK ||
	    !form.open || form.count == 0)
		return;
	last = &form.part[form.count - 1];
	if (last->data < body || last->data + last->held > body + n)
		abort();
	at = (size_t)(last->data - body);
	while (says == FORM_DATA && have < len) {
		have += 1 + have % 5;
		if (have > len)
			have = len;
		got = form_data(&form, body + at, have - at, &says);
		if (got > have - at)
			abort();
		at += got;
	}
	if (says != FORM_END || form_rest(&form, a, body + at, len - at, &f) !=
	    ERR_OK)
		return;
	if (whole == NULL || whole->count != form.count ||
	    whole->part[form.begun - 1].len !=
		(size_t)(body + at - last->data))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = memchr(data, '\n', size);
	struct arena *a = arena_new(MIB(16));
	struct form form;
	struct fault f;
	const char *type, *body;
	size_t i, len;
	bool good;

	if (nl != NULL && a != NULL) {
		type = arena_dup(a, (const char *)data, (size_t)(nl - data));
		len = size - (size_t)(nl + 1 - data);
		body = (const char *)nl + 1;
		good = type != NULL && form_read(&form, a, type, body, len,
		    &f) == ERR_OK;
		for (i = 0; type != NULL && i < len && i < 64; i++)
			in_steps(good ? &form : NULL, a, type, body, len,
			    len * i / 64);
		if (good)
			for (i = 0; i < form.count; i++)
				if (form.part[i].data < body ||
				    form.part[i].data + form.part[i].len >
					body + len ||
				    form.part[i].name == NULL)
					abort();
	}
	arena_free(a);
	return 0;
}
