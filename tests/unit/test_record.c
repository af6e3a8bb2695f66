/* Records must never make requests wait. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/record.h"

static void
test_stalled_reader(void **state)
{
	char dir[] = "/tmp/test_recordXXXXXX", path[64], text[1 << 17];
	struct recorder *rec;
	ssize_t n;
	int fd, i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	rec = recorder_new(path);
	alarm(10); /* a recorder that waits is killed */
	for (i = 0; i < 5000; i++)
		recorder_note(rec, "info", "line %d of many that nobody reads",
		    i);
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(text[n - 1], '\n'); /* whole lines only */
	assert_non_null(strstr(text, "line 0 of many"));
	assert_null(strstr(text, "line 4999 of many"));
	recorder_note(rec, "info", "he reads again");
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "records lost"));
	assert_non_null(strstr(text, "he reads again"));
	alarm(0);
	recorder_free(rec);
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* A pipe that nobody reads is refused, not waited for. */
static void
test_no_reader(void **state)
{
	char dir[] = "/tmp/test_recordXXXXXX", path[64], pipe[64], text[4096];
	struct recorder *rec;
	ssize_t n;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/log", dir);
	snprintf(pipe, sizeof pipe, "%s/pipe", dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	rec = recorder_new(path);
	alarm(10); /* a recorder that waits is killed */
	recorder_reopen(rec, pipe);
	alarm(0);
	recorder_note(rec, "info", "still here");
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "cannot open the log"));
	assert_non_null(strstr(text, "still here"));
	close(fd);
	recorder_free(rec);
	unlink(path);
	unlink(pipe);
	rmdir(dir);
}

/* A place that cannot be opened leaves the old one in force. */
static void
test_bad_place(void **state)
{
	char dir[] = "/tmp/test_recordXXXXXX", path[64], text[4096];
	struct recorder *rec;
	struct stat st;
	ssize_t n;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/log", dir);
	rec = recorder_new(path);
	recorder_reopen(rec, "/nonexistent/place");
	recorder_note(rec, "info", "one \"quoted\"\nline");
	recorder_free(rec);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "cannot open the log"));
	assert_non_null(strstr(text, "one \\\"quoted\\\"\\nline"));
	close(fd);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stalled_reader),
		cmocka_unit_test(test_no_reader),
		cmocka_unit_test(test_bad_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
