/*
 * A will that anybody has changed: what heirs are told of it must be texts of
 * settles as the ledger reads them. The input is changes of a sound one: three
 * bytes of where, one of how many, and so many bytes, as long as there are.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/ledger_int.h"
#include "app/will.h"

#define STORE "redis://one"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/tg-fuzz-will-XXXXXX";
static char path[512];
static char *sound, *changed;
static size_t length;

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
leave(void)
{
	const struct will_part parts[] = {
		{ COUNTER_MONEY, 1796000000000000, "key:web|m|day||1795824" },
		{ COUNTER_TPM, 0, "key:web|t" } };
	struct will_settle s = { .id = "0123456789abcdefghijklm", .rows = 2,
		.actual = { 1, 2 } };
	struct will *w = will_open(dir, STORE);
	int i;

	must(w != NULL);
	for (i = 0; i < 2; i++)
		snprintf(s.row[i].who, WILL_WHO,
		    "20261128\x1fweb\x1f\x1f\x1f\x1fgpt\x1fopenai");
	for (i = 0; i < 2; i++) {
		must(will_begin(w, parts, 2) == i);
		will_say(w, i, &s, &s);
	}
	will_close(w);
}

static void
find_path(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	must(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
	closedir(d);
}

static void
clean(void)
{
	unlink(path);
	rmdir(dir);
}

static void
prepare(void)
{
	struct stat st;
	int fd;

	must(mkdtemp(dir) != NULL);
	leave();
	find_path();
	atexit(clean);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && fstat(fd, &st) == 0);
	length = (size_t)st.st_size;
	sound = malloc(length);
	changed = malloc(length);
	must(sound != NULL && changed != NULL &&
	    read(fd, sound, length) == (ssize_t)length);
	close(fd);
}

static void
change(const uint8_t *data, size_t size)
{
	size_t at, n;

	memcpy(changed, sound, length);
	while (size >= 4) {
		at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) %
		    length;
		n = data[3];
		data += 4;
		size -= 4;
		n = n > size ? size : n;
		n = n > length - at ? length - at : n;
		memcpy(changed + at, data, n);
		data += n;
		size -= n;
	}
}

/* Numbers with a blank behind each; what is behind them, NULL: it is not so. */
static char *
numbers(char *p, int n, int64_t max)
{
	char *blank;
	int64_t v;

	for (; n > 0; n--, p = blank + 1) {
		blank = strchr(p, ' ');
		must(blank != NULL);
		*blank = '\0';
		must(strtoll(p, NULL, 10) <= max);
		must(max > LEDGER_MAX || amount_read(p, &v));
	}
	return p;
}

static char *
line_of(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	must(end != NULL);
	*end = '\0';
	*text = end + 1;
	return line;
}

static void
check_one(const char *text)
{
	char *copy = strdup(text), *rest = copy, *p, id[LEDGER_ID];
	unsigned parts, rows;
	struct usage_row row;

	must(copy != NULL && sscanf(line_of(&rest), "s %23s %u %u", id,
	    &parts, &rows) == 3);
	must(parts <= WILL_PARTS && rows <= WILL_ROWS);
	for (; parts > 0; parts--) {
		p = numbers(line_of(&rest), 1, COUNTER_KINDS - 1);
		p = numbers(p, 1, LEDGER_MAX);
		p = numbers(p, 1, INT64_MAX);
		must(*p != '\0' && strlen(p) < NAME_SIZE);
	}
	for (; rows > 0; rows--) {
		p = numbers(line_of(&rest), 5, LEDGER_MAX);
		must(strlen(p) < WILL_WHO && who_read(p, &row));
	}
	must(*rest == '\0');
	free(copy);
}

static void
check(void *arg, const char *before, const char *now)
{
	(void)arg;
	if (before != NULL)
		check_one(before);
	check_one(now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct legacy *l;
	int fd;

	if (sound == NULL)
		prepare();
	change(data, size);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	must(fd >= 0 && write(fd, changed, length) == (ssize_t)length);
	close(fd);
	l = will_inherit(dir, STORE, NULL);
	if (l != NULL)
		legacy_each(l, check, NULL);
	legacy_end(l, false);
	return 0;
}
