/* A multipart body: its type in the first line, then the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/arena.h"
#include "app/base/form.h"
#include "app/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = memchr(data, '\n', size);
	struct arena *a = arena_new(MIB(16));
	struct form form;
	struct fault f;
	const char *type, *body;
	size_t i, len;

	if (nl != NULL && a != NULL) {
		type = arena_dup(a, (const char *)data, (size_t)(nl - data));
		len = size - (size_t)(nl + 1 - data);
		body = (const char *)nl + 1;
		if (type != NULL && form_read(&form, a, type, body, len, &f) ==
		    ERR_OK)
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
