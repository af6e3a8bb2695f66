/* Multipart bodies, well formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/form.h"
#include "app/base/limits.h"

#define TYPE "multipart/form-data; boundary=xx"

struct read {
	struct arena *a;
	struct form form;
	struct fault f;
	char *body; /* of exactly its length, so that overruns are seen */
	enum err e;
};

static void
take(struct read *r, const char *type, const char *body, size_t len)
{
	memset(r, 0, sizeof *r);
	r->a = arena_new(MIB(1));
	r->body = malloc(len + 1);
	assert_non_null(r->body);
	memcpy(r->body, body, len);
	r->body = realloc(r->body, len == 0 ? 1 : len);
	r->e = form_read(&r->form, r->a, type, r->body, len, &r->f);
}

static void
drop(struct read *r)
{
	free(r->body);
	arena_free(r->a);
}

static void
is_part(const struct read *r, size_t i, const char *name,
    const char *filename, const char *type, const char *data)
{
	const struct form_part *p = &r->form.part[i];

	assert_true(i < r->form.count);
	assert_string_equal(p->name, name);
	if (filename == NULL)
		assert_null(p->filename);
	else
		assert_string_equal(p->filename, filename);
	assert_string_equal(p->type, type);
	assert_int_equal(p->len, strlen(data));
	assert_memory_equal(p->data, data, p->len);
}

static void
test_plain(void **state)
{
	static const char body[] =
	    "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n"
	    "whisper-1\r\n"
	    "--xx\r\ncontent-disposition: form-data; name=\"file\"; "
	    "filename=\"a \\\"b%22.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n"
	    "ID3\r\n--x\r\n\r\n"
	    "--xx \t\r\nContent-Disposition: form-data; name=empty\r\n\r\n"
	    "\r\n--xx--\r\nafter";
	struct read r;

	(void)state;
	take(&r, TYPE, body, sizeof body - 1);
	assert_int_equal(r.e, ERR_OK);
	assert_int_equal(r.form.count, 3);
	is_part(&r, 0, "model", NULL, "", "whisper-1");
	is_part(&r, 1, "file", "a \"b\".mp3", "audio/mpeg",
	    "ID3\r\n--x\r\n");
	is_part(&r, 2, "empty", NULL, "", "");
	assert_ptr_equal(form_find(&r.form, "file"), &r.form.part[1]);
	assert_null(form_find(&r.form, "none"));
	drop(&r);
}

static void
test_types(void **state)
{
	static const char body[] = "preamble\r\n--a'b c\r\nContent-Disposition"
	    ": form-data; name=\"n\"\r\n\r\nv\r\n--a'b c--";
	struct read r;

	(void)state;
	assert_true(form_is("multipart/form-data"));
	assert_true(form_is("Multipart/Form-Data;boundary=x"));
	assert_false(form_is("multipart/form-datax"));
	assert_false(form_is("application/json"));
	assert_false(form_is(NULL));
	take(&r, "multipart/form-data; charset=utf-8; boundary=\"a'b c\"", body,
	    sizeof body - 1);
	assert_int_equal(r.e, ERR_OK);
	is_part(&r, 0, "n", NULL, "", "v");
	drop(&r);
}

/* Every beginning of a good body, and bodies that are wrong. */
static void
test_bad(void **state)
{
	static const char good[] = "--xx\r\nContent-Disposition: form-data; "
	    "name=\"a\"\r\n\r\nv\r\n--xx--";
	static const char *const wrong[][2] = {
		{ "multipart/form-data", good },
		{ "multipart/form-data; boundary=", good },
		{ "multipart/form-data; boundary=\"", good },
		{ "multipart/form-data; boundary=yy", good },
		{ TYPE, "" },
		{ TYPE, "--xx" },
		{ TYPE, "--xxjunk\r\n\r\nv\r\n--xx--" },
		{ TYPE, "--xx\r\n\r\nno name\r\n--xx--" },
		{ TYPE, "--xx\r\nContent-Disposition: form-data; name=\"a\r\n"
			"\r\nv\r\n--xx--" },
		{ TYPE, "--xx\r\nContent-Disposition: form-data; name=\"\1\""
			"\r\n\r\nv\r\n--xx--" },
		{ TYPE, "--xx\r\nContent-Disposition: form-data; name=a\1"
			"\r\n\r\nv\r\n--xx--" },
	};
	struct read r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good - 1; i++) {
		take(&r, TYPE, good, i);
		assert_int_equal(r.e, ERR_BAD_REQUEST);
		drop(&r);
	}
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		take(&r, wrong[i][0], wrong[i][1], strlen(wrong[i][1]));
		assert_int_equal(r.e, ERR_BAD_REQUEST);
		assert_string_not_equal(r.f.text, "");
		drop(&r);
	}
}

/* As many parts as may be, and one more; a head without end. */
static void
test_bounds(void **state)
{
	static const struct form_part part = { .name = "n", .type = "",
		.data = "v", .len = 1 };
	struct read r;
	struct buf b;
	int n, i;

	(void)state;
	for (n = FORM_PARTS; n <= FORM_PARTS + 1; n++) {
		buf_init(&b, MIB(1));
		for (i = 0; i < n; i++)
			form_put(&b, "xx", &part);
		form_end(&b, "xx");
		take(&r, TYPE, b.data, b.len);
		assert_int_equal(r.e, n <= FORM_PARTS ? ERR_OK :
							ERR_BAD_REQUEST);
		drop(&r);
		buf_free(&b);
	}
	buf_init(&b, MIB(1));
	buf_puts(&b, "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n");
	for (i = 0; i < FORM_HEAD; i++)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\n\r\nv\r\n--xx--");
	take(&r, TYPE, b.data, b.len);
	assert_int_equal(r.e, ERR_BAD_REQUEST);
	drop(&r);
	buf_free(&b);
}

/* What is written is read as it was. */
static void
test_written(void **state)
{
	static const struct form_part parts[] = {
		{ "a\"b", NULL, "", "one", 3, 3, true },
		{ "file", "x\"y.wav", "audio/wav", "\0\r\n\r\n--xy", 9, 9,
		    true },
		{ "c\\", "d\\", "", "two", 3, 3, true },
	};
	struct read r;
	struct buf b;

	(void)state;
	buf_init(&b, MIB(1));
	form_put(&b, "xx", &parts[0]);
	form_put(&b, "xx", &parts[1]);
	form_put(&b, "xx", &parts[2]);
	form_end(&b, "xx");
	take(&r, TYPE, b.data, b.len);
	assert_int_equal(r.e, ERR_OK);
	assert_int_equal(r.form.count, 3);
	is_part(&r, 0, "a\"b", NULL, "", "one");
	is_part(&r, 2, "c%5C", "d%5C", "", "two");
	assert_string_equal(r.form.part[1].filename, "x\"y.wav");
	assert_int_equal(r.form.part[1].len, 9);
	assert_memory_equal(r.form.part[1].data, parts[1].data, 9);
	drop(&r);
	buf_free(&b);
}

/* ---- as it comes ---- */

static const char streamed[] =
    "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
    "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\""
    "\r\n\r\n1\r\n-\r\n--x\r2\r\n"
    "--xx\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nv\r\n"
    "--xx--\r\n";
#define DATA "1\r\n-\r\n--x\r2"

/* The rest of it in steps of one size: its data, then its last parts. */
static void
read_on(struct read *r, size_t at, size_t step)
{
	size_t begin = at, have = at, n;
	enum form_says says = FORM_DATA;

	while (says == FORM_DATA && have < sizeof streamed - 1) {
		have += step;
		if (have > sizeof streamed - 1)
			have = sizeof streamed - 1;
		n = form_data(&r->form, streamed + at, have - at, &says);
		assert_true(n <= have - at);
		at += n;
	}
	assert_int_equal(says, FORM_END);
	assert_int_equal(at - begin, sizeof DATA - 1);
	assert_memory_equal(streamed + begin, DATA, sizeof DATA - 1);
	assert_int_equal(form_rest(&r->form, r->a, streamed + at,
	    sizeof streamed - 1 - at, &r->f), ERR_OK);
	assert_false(r->form.open);
	assert_int_equal(r->form.begun, 2);
	assert_int_equal(r->form.count, 3);
	is_part(r, 2, "late", NULL, "", "v");
}

/* Begun with any part of it, and gone on with in steps of any size. */
static void
test_begin(void **state)
{
	size_t data = (size_t)(strstr(streamed, DATA) - streamed), n, step;
	struct read r;

	(void)state;
	for (n = 6; n < data + sizeof DATA + 3; n++)
		for (step = 1; step < 40; step++) {
			memset(&r, 0, sizeof r);
			r.a = arena_new(MIB(1));
			assert_int_equal(form_begin(&r.form, r.a, TYPE,
			    streamed, n, &r.f), ERR_OK);
			assert_true(r.form.open);
			assert_int_equal(r.form.begun, r.form.count);
			if (n >= data) {
				assert_int_equal(r.form.count, 2);
				is_part(&r, 0, "model", NULL, "", "m");
				assert_int_equal(r.form.part[1].held,
				    n - data);
				read_on(&r, data, step);
			} else {
				assert_true(r.form.count <= 2);
			}
			arena_free(r.a);
		}
}

/* What another reader might take for a part, or for more of the form. */
static void
test_smuggled(void **state)
{
	static const char *const odd[] = {
		"data\n--xx\r\nContent-Disposition: form-data; name=\"model\"",
		"--xx--", "x--xx\r\n", "a\r--xx\n",
	};
	static const char *const tails[] = {
		"\r\n--xx--more", "\r\n--xx--\r\n\r\n", "\r\n--xx",
		"\r\n--xxy\r\n", "\r\n--xx\r\n", "\r\n--xx--\r\n--xx\r\n"
		"Content-Disposition: form-data; name=\"model\"\r\n\r\nm"
		"\r\n--xx--\r\n",
	};
	struct form_part part[FORM_PARTS];
	struct form form = { .boundary = "xx", .part = part, .open = true };
	struct arena *a = arena_new(MIB(1));
	struct fault f;
	enum form_says says;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		assert_int_equal(form_data(&form, odd[i], strlen(odd[i]),
		    &says), 0);
		assert_int_equal(says, FORM_ODD);
	}
	for (i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		form.count = 0;
		assert_int_equal(form_rest(&form, a, tails[i],
		    strlen(tails[i]), &f), ERR_BAD_REQUEST);
	}
	arena_free(a);
}

/* Headers that say one name, to all readers; and such that may say two. */
static void
test_one_name(void **state)
{
	static const struct {
		const char *head;
		bool plain;
	} heads[] = {
		{ "Content-Disposition: form-data; name=\"a\"", true },
		{ "content-type: text/plain\r\n"
		  "content-disposition: form-data; name=\"a[]\"", true },
		{ "Content-Disposition: form-data; name=\"a\"\r\n"
		  "Content-Disposition: form-data; name=\"model\"", false },
		{ "Content-Disposition: form-data; name=\"a\"; "
		  "name=\"model\"", false },
		{ "Content-Disposition: form-data; name=\"a\"; "
		  "name*=UTF-8''model", false },
		{ "Content-Disposition: form-data; name=\"a\"\r\n"
		  " ; name=\"model\"", false },
		{ "X: y\rContent-Disposition: form-data; name=\"model\"\r\n"
		  "Content-Disposition: form-data; name=\"a\"", false },
		{ "Content-Disposition: form-data; name=\"a%22\"", false },
		{ "Content-Disposition: form-data; name=\"a\\\"\"", false },
	};
	struct form_part part[FORM_PARTS];
	struct form form = { .boundary = "xx", .part = part };
	struct arena *a = arena_new(MIB(1));
	struct fault f;
	char tail[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		form.count = 0;
		snprintf(tail, sizeof tail, "\r\n--xx\r\n%s\r\n\r\nv"
		    "\r\n--xx--\r\n", heads[i].head);
		assert_int_equal(form_rest(&form, a, tail, strlen(tail), &f),
		    ERR_OK);
		assert_int_equal(form.count, 1);
		assert_int_equal(part[0].plain, heads[i].plain);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_begin),
		cmocka_unit_test(test_smuggled),
		cmocka_unit_test(test_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
