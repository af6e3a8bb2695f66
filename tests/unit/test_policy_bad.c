/*
 * Policies that must be refused, with every word of the refusal. The cases
 * are in policies/bad.txt: "=== title", the policy, "---", what is said.
 */
#include "tests/unit/policy_help.h"

#define CASES_MIN 110

struct reading {
	FILE *f;
	char title[256];
	char line[4096];
	bool more; /* line holds the next title */
};

static void
set_environment(void)
{
	char long_key[600];

	memset(long_key, 'k', sizeof long_key - 1);
	long_key[sizeof long_key - 1] = '\0';
	setenv("KEY1", "sk-upstream-0123456789", 1);
	setenv("EMPTY", "", 1);
	setenv("CTL", "abc\r\nX-Evil: 1", 1);
	setenv("SHORT", "pepper", 1);
	setenv("VK1", "client-secret-number-one", 1);
	setenv("VK2", "client-secret-number-two", 1);
	setenv("VK3", "client-secret-number-three", 1);
	setenv("VK4", "client-secret-number-four", 1);
	setenv("VKBAD", "tg_012345678901234567890123456789012345", 1);
	setenv("VKLONG", long_key, 1);
	unsetenv("NOT_SET_AT_ALL");
	unsetenv("OPENAI_API_KEY");
	unsetenv("ANTHROPIC_API_KEY");
	unsetenv("CLOUDY_ACCOUNT_ID");
}

/* Lines up to one that begins with the mark, or to the next title. */
static void
take_lines(struct reading *r, const char *mark, struct buf *out)
{
	buf_clear(out);
	r->more = false;
	while (fgets(r->line, sizeof r->line, r->f) != NULL) {
		if (strcmp(r->line, mark) == 0)
			break;
		if (strncmp(r->line, "=== ", 4) == 0) {
			r->more = true;
			break;
		}
		buf_puts(out, r->line);
	}
	buf_putc(out, '\0');
	assert_false(out->failed);
}

static bool
take_title(struct reading *r)
{
	if (!r->more && fgets(r->line, sizeof r->line, r->f) == NULL)
		return false;
	r->more = false;
	assert_memory_equal(r->line, "=== ", 4);
	snprintf(r->title, sizeof r->title, "%.*s",
	    (int)strcspn(r->line + 4, "\n"), r->line + 4);
	return true;
}

static void
refused(void **state)
{
	struct reading r = { .f = fopen(POLICIES "/bad.txt", "r") };
	struct buf text, expected;
	char *said;
	int cases = 0, wrong = 0;

	(void)state;
	assert_non_null(r.f);
	set_environment();
	buf_init(&text, 1 << 20);
	buf_init(&expected, 1 << 20);
	while (take_title(&r)) {
		take_lines(&r, "--- said\n", &text);
		take_lines(&r, "=== ", &expected);
		cases++;
		if (load_text(text.data, &said) != NULL ||
		    strcmp(said, expected.data) != 0) {
			wrong++;
			print_error("=== %s\n%s--- said\n%s", r.title,
			    text.data, said);
		}
		free(said);
	}
	fclose(r.f);
	buf_free(&text);
	buf_free(&expected);
	assert_int_equal(wrong, 0);
	assert_true(cases >= CASES_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
