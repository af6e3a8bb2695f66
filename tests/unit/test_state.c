/* Which directory is taken, by environment; and that it can be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/state.h"

static char dir[] = "/tmp/test_state.XXXXXX";

static void
environment(const char *state, const char *xdg, const char *home)
{
	const char *const names[] = { "TOLLGATE_STATE", "XDG_STATE_HOME",
		"HOME" };
	const char *const values[] = { state, xdg, home };
	int i;

	for (i = 0; i < 3; i++)
		if (values[i] == NULL)
			unsetenv(names[i]);
		else
			setenv(names[i], values[i], 1);
}

static void
test_order(void **state)
{
	char huge[5000];

	(void)state;
	memset(huge, 'x', sizeof huge);
	huge[0] = '/';
	huge[sizeof huge - 1] = '\0';
	environment("/s", "/x", "/h");
	assert_string_equal(state_dir(), "/s");
	environment("relative", "/x", "/h");
	assert_string_equal(state_dir(), "relative");
	environment(huge, "/x", "/h");
	assert_null(state_dir());
	if (access("/var/lib/tollgate", W_OK) == 0) {
		environment("", "/x", "/h");
		assert_string_equal(state_dir(), "/var/lib/tollgate");
		return;
	}
	environment("", "/x", "/h");
	assert_string_equal(state_dir(), "/x/tollgate");
	environment(NULL, "relative", "/h");
	assert_string_equal(state_dir(), "/h/.local/state/tollgate");
	environment(NULL, "", "/h");
	assert_string_equal(state_dir(), "/h/.local/state/tollgate");
	environment(NULL, NULL, NULL);
	assert_null(state_dir());
}

static void
test_make(void **state)
{
	char path[128], below[160];
	struct fault f;
	struct stat st;
	FILE *file;

	(void)state;
	snprintf(path, sizeof path, "%s/a/b", dir);
	assert_int_equal(state_dir_make(path, &f), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 077, 0);
	assert_int_equal(state_dir_make(path, &f), ERR_OK);
	snprintf(below, sizeof below, "%s/file", path);
	file = fopen(below, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(state_dir_make(below, &f), ERR_INTERNAL);
	assert_string_equal(f.text, "not a directory");
	snprintf(below, sizeof below, "%s/file/c", path);
	assert_int_equal(state_dir_make(below, &f), ERR_INTERNAL);
	assert_string_equal(f.param, below);
	assert_int_equal(state_dir_make("", &f), ERR_INTERNAL);
	snprintf(below, sizeof below, "%s/file", path);
	unlink(below);
	rmdir(path);
	snprintf(path, sizeof path, "%s/a", dir);
	rmdir(path);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_make),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
