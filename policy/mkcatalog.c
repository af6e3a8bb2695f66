/*
 * mkcatalog CATALOG.json CATALOG.bin: compile the catalog when the program
 * is built. Links no part of libpolicy, which will contain its output.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/base/buf.h"
#include "policy/catalog.h"
#include "policy/catalog_image.h"

static bool
read_file(const char *path, struct buf *b)
{
	FILE *file = fopen(path, "rb");
	bool good;

	if (file == NULL)
		return false;
	while (buf_reserve(b, 65536) && !feof(file) && !ferror(file))
		b->len += fread(b->data + b->len, 1, 65536, file);
	good = !b->failed && !ferror(file);
	fclose(file);
	return good;
}

int
main(int argc, char **argv)
{
	struct fault f = { .code = ERR_OK };
	struct buf b;
	int rc = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: mkcatalog CATALOG.json CATALOG.bin\n");
		return 2;
	}
	buf_init(&b, IMAGE_MAX);
	if (!read_file(argv[1], &b))
		perror(argv[1]);
	else if (catalog_compile(b.data, b.len, argv[2], &f) != ERR_OK)
		fprintf(stderr, "%s: %s: %s\n", argv[1], f.param, f.text);
	else
		rc = 0;
	buf_free(&b);
	return rc;
}
