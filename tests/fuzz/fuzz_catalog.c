/*
 * The check of a catalog's image, and all look-ups in what passes it. The
 * head's magic, version, size and sum are made right first, or nothing would
 * ever get past them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/catalog.h"
#include "policy/catalog_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t
ask(const struct catalog *c)
{
	struct catalog_provider p;
	struct catalog_model m, again;
	struct catalog_score s;
	size_t n = strlen(catalog_date(c));
	uint32_t i, k;

	for (i = 0; catalog_provider_at(c, i, &p); i++)
		n += strlen(p.title) + strlen(p.adapter) + strlen(p.base_url) +
		    strlen(p.env) + strlen(p.doc) + strlen(p.auth_header);
	for (i = 0; catalog_model_at(c, i, &m); i++) {
		n += strlen(m.title) + strlen(m.family) + strlen(m.released) +
		    strlen(m.status) + strlen(m.adapter) +
		    strlen(m.base_url) + strlen(m.auth_header);
		n += (size_t)price_rate(&m.price, UNIT_INPUT, 1 << i % 30);
		for (k = 0; k < 64 && catalog_score(c, &m, k, &s); k++)
			n += strlen(s.benchmark);
		/* What is in order must be found. */
		if (!catalog_model(c, m.provider, m.name, &again) ||
		    strcmp(again.name, m.name) != 0)
			abort();
	}
	return n + catalog_provider(c, "openai", &p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char path[64];
	static int fd = -1;
	struct catalog *c;
	struct image *image;
	struct fault f;

	if (fd < 0) {
		fd = memfd_create("catalog", MFD_CLOEXEC);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	len -= len % IMAGE_ALIGN;
	if (fd < 0 || len < sizeof *image || len > 65536)
		return 0;
	image = malloc(len);
	if (image == NULL)
		return 0;
	memcpy(image, data, len);
	image->magic = IMAGE_MAGIC;
	image->version = IMAGE_VERSION;
	image->size = (uint32_t)len;
	image->sum = image_sum(image, len);
	if (ftruncate(fd, 0) == 0 && pwrite(fd, image, len, 0) == (ssize_t)len &&
	    fchmod(fd, 0600) == 0) {
		c = catalog_open(path, &f);
		if (c != NULL && f.code == ERR_OK)
			ask(c);
		catalog_close(c);
	}
	free(image);
	return 0;
}
