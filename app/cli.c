/* Files in, text out. */
#include "app/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
cli_misused(const struct fault *f, const char *usage)
{
	if (*f->text == '\0')
		fputs(usage, stderr);
	else
		fprintf(stderr, "tollgate: --%s: %s\n", f->param, f->text);
	return CLI_MISUSED;
}

enum err
cli_read(const char *path, struct buf *b, struct fault *f)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	const char *why = NULL;
	char piece[16384];
	size_t n;

	if (file == NULL)
		return fault_set(f, ERR_INTERNAL, path, "%s",
		    strerror(errno));
	while (!b->failed && (n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_put(b, piece, n);
	if (b->failed)
		why = "too large";
	else if (ferror(file))
		why = strerror(errno);
	if (file != stdin)
		fclose(file);
	return why == NULL ? ERR_OK : fault_set(f, ERR_INTERNAL, path, "%s",
	    why);
}

int
cli_print(struct buf *out)
{
	const char *why = NULL;

	if (out->failed)
		why = "out of memory";
	else if (fwrite(out->data, 1, out->len, stdout) != out->len ||
	    fflush(stdout) != 0)
		why = strerror(errno);
	if (why != NULL)
		fprintf(stderr, "tollgate: %s\n", why);
	buf_free(out);
	return why == NULL ? 0 : CLI_FAILED;
}
