/* Images and speech: bounds, what providers are sent, what is no answer. */
#include <stdlib.h>

#include "adapters/canon.h"
#include "adapters/images.h"
#include "adapters/speech.h"
#include "adapters/transcripts.h"
#include "app/base/form.h"
#include "app/bounds.h"
#include "tests/unit/adapter_help.h"

/* Read a request at a door; the whole of it too when it is taken. */
static enum err
read_body(struct bench *b, const struct adapter *door, const char *body)
{
	enum err e;

	bench_init(b, "openai", "openai");
	b->surface = b->chat.surface = door;
	e = json_parse(&b->chat.doc, b->arena, body, strlen(body), &b->fault);
	assert_int_equal(e, ERR_OK);
	e = door->read_request(b->arena, &b->chat, &b->fault);
	return e == ERR_OK ? door->read_chat(b->arena, &b->chat, &b->fault) :
	    e;
}

static void
test_most(void **state)
{
	static const struct {
		const char *more;
		int64_t images, tokens;
	} rows[] = {
		{ "", 1, 7024 },
		{ ",\"n\":3", 3, 3 * 7024 },
		{ ",\"quality\":\"low\",\"partial_images\":2", 1, 2200 },
		{ ",\"quality\":\"low\",\"size\":\"1024x1024\"", 1, 2000 },
		{ ",\"quality\":\"odd\",\"size\":\"3072x1024\"", 1, 14048 },
		{ ",\"size\":\"99999x99999\"", 1, 7024 },
		{ ",\"size\":\"axb\"", 1, 7024 },
		{ ",\"size\":null,\"n\":null,\"partial_images\":0", 1, 7024 },
	};
	char body[256];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body,
		    "{\"model\":\"m\",\"prompt\":\"p\"%s}", rows[i].more);
		assert_int_equal(read_body(&b, &adapter_images, body),
		    ERR_OK);
		assert_int_equal(b.chat.task.most[UNIT_IMAGE],
		    rows[i].images);
		assert_int_equal(b.chat.task.most[UNIT_OUTPUT],
		    rows[i].tokens);
		bench_free(&b);
	}
}

static void
test_ratios(void **state)
{
	static const char *const ratios[] = { "1:1", "3:4", "4:3", "9:16",
		"16:9" };
	static const struct {
		const char *size, *ratio;
	} rows[] = {
		{ "1024x1024", "1:1" }, { "1536x1024", "4:3" },
		{ "1024x1536", "3:4" }, { "1792x1024", "16:9" },
		{ "1x16384", "9:16" }, { "auto", NULL }, { "x", NULL },
		{ "10x", NULL }, { "0x5", NULL }, { "", NULL },
	};
	const char *ratio;
	char body[256];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body, "{\"model\":\"m\",\"prompt\":"
		    "\"p\",\"size\":\"%s\"}", rows[i].size);
		assert_int_equal(read_body(&b, &adapter_images, body),
		    ERR_OK);
		ratio = images_ratio(&b.chat, ratios, 5);
		if (rows[i].ratio == NULL)
			assert_null(ratio);
		else
			assert_string_equal(ratio, rows[i].ratio);
		bench_free(&b);
	}
}

/* What is no answer, whatever the provider. */
static void
test_no_images(void **state)
{
	static const struct {
		const char *to, *model, *body;
	} rows[] = {
		{ "images", "m", "{}" },
		{ "images", "m", "[]" },
		{ "images", "m", "{\"data\":[]}" },
		{ "images", "m", "{\"data\":{\"b64_json\":\"AAAA\"}}" },
		{ "gemini_images", "gemini", "{}" },
		{ "gemini_images", "gemini", "{\"candidates\":[{\"content\":"
		  "{\"parts\":[{\"text\":\"No.\"}]},\"finishReason\":"
		  "\"STOP\"}]}" },
		{ "gemini_images", "gemini", "{\"candidates\":[{\"content\":"
		  "{\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\","
		  "\"data\":\"!\"}}]}}]}" },
		{ "gemini_images", "imagen", "[]" },
		{ "gemini_images", "imagen", "{\"predictions\":[{"
		  "\"bytesBase64Encoded\":\"\"}]}" },
		{ "bedrock_images", "amazon.nova-canvas-v1:0",
		  "{\"images\":[]}" },
		{ "bedrock_images", "amazon.nova-canvas-v1:0",
		  "{\"images\":[\"?\"]}" },
		{ "speech", "m", "{}" },
		{ "speech", "m", "{\"audio_data\":\"\"}" },
		{ "speech", "m", "{\"audio_data\":\"*\"}" },
	};
	const struct adapter *to;
	struct reply reply;
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(read_body(&b, &adapter_images,
		    "{\"model\":\"m\",\"prompt\":\"p\"}"), ERR_OK);
		to = adapter_find(rows[i].to);
		assert_non_null(to);
		b.deployment.model = rows[i].model;
		memset(&reply, 0, sizeof reply);
		assert_int_equal(to->read_reply(b.arena, &b.chat,
		    &b.deployment, rows[i].body, strlen(rows[i].body),
		    &reply, &b.fault), ERR_BAD_UPSTREAM);
		bench_free(&b);
	}
}

#define DATA "data:image/png;base64,iVBORw0KGgo="

/* Pictures in JSON: how many, and what of the document is theirs. */
static void
test_edits(void **state)
{
	static const struct {
		const char *more;
		size_t media, bulk;
		enum err err;
	} rows[] = {
		{ "\"images\":[{\"image_url\":\"" DATA "\"}]", 1,
		  sizeof DATA + 1, ERR_OK },
		{ "\"images\":[{\"image_url\":\"https://x\"},{\"file_id\":"
		  "\"f\"}],\"mask\":{\"image_url\":\"" DATA "\"}", 3,
		  sizeof DATA + 1, ERR_OK },
		{ "\"images\":[{\"file_id\":\"f\"}],\"mask\":null", 1, 0,
		  ERR_OK },
		{ "\"images\":null", 0, 0, ERR_BAD_REQUEST },
		{ "\"images\":\"x\"", 0, 0, ERR_BAD_REQUEST },
		{ "\"images\":[[]]", 0, 0, ERR_BAD_REQUEST },
		{ "\"images\":[{\"image_url\":\"data:,\"}],\"n\":11", 0, 0,
		  ERR_BAD_REQUEST },
		{ "\"images\":[{\"image_url\":\"data:image/;base64,QQ==\"}]",
		  0, 0, ERR_BAD_REQUEST },
	};
	char body[512];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(body, sizeof body, "{\"model\":\"m\",\"prompt\":"
		    "\"p\",%s}", rows[i].more);
		assert_int_equal(read_body(&b, &adapter_image_edits, body),
		    rows[i].err);
		if (rows[i].err == ERR_OK) {
			assert_int_equal(b.chat.task.media, rows[i].media);
			assert_int_equal(b.chat.task.bulk, rows[i].bulk);
			assert_int_equal(b.chat.task.most[UNIT_SENT_IMAGE],
			    rows[i].media);
			assert_true(b.chat.input_estimate >= (int64_t)
			    rows[i].media * IMAGES_SENT_TOKENS);
		}
		bench_free(&b);
	}
}

/* A form says the same as JSON, with numbers and booleans. */
static void
test_edit_form(void **state)
{
	static const char form[] =
	    "--x\r\nContent-Disposition: form-data; name=\"mask\"; "
	    "filename=\"m\"\r\n\r\n\xff\xd8\xff\r\n"
	    "--x\r\nContent-Disposition: form-data; name=\"image[]\"; "
	    "filename=\"i\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n"
	    "--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n"
	    "3\r\n--x--";
	static const char fields[] = "{\"model\":\"m\",\"prompt\":\"p\","
	    "\"n\":\"3\",\"stream\":\"true\"}";
	struct form read;
	struct bench b;
	struct str s;

	(void)state;
	bench_init(&b, "openai", "openai");
	b.surface = b.chat.surface = &adapter_image_edits;
	assert_int_equal(form_read(&read, b.arena,
	    "multipart/form-data; boundary=x", form, sizeof form - 1,
	    &b.fault), ERR_OK);
	b.chat.form = &read;
	assert_int_equal(json_parse(&b.chat.doc, b.arena, fields,
	    sizeof fields - 1, &b.fault), ERR_OK);
	assert_int_equal(adapter_image_edits.read_request(b.arena, &b.chat,
	    &b.fault), ERR_OK);
	assert_int_equal(b.chat.task.most[UNIT_IMAGE], 3);
	assert_true(b.chat.stream);
	assert_int_equal(b.chat.task.media, 2);
	assert_ptr_equal(images_mask(&b.chat), &b.chat.task.pictures[0]);
	assert_int_equal(images_url(b.arena, &b.chat.task.pictures[1], &s,
	    &b.fault), ERR_OK);
	assert_true(canon_is(s, DATA));
	bench_free(&b);
}

/* No more is held for the bytes of a picture than for the picture. */
static void
test_held(void **state)
{
	static const char head[] = "{\"model\":\"m\",\"prompt\":\"p\","
	    "\"images\":[{\"image_url\":\"data:image/png;base64,";
	size_t n = 4 << 20, at = sizeof head - 1;
	char *body = malloc(n + 1);
	struct bounds small, large;
	struct bench b;

	(void)state;
	assert_non_null(body);
	assert_int_equal(read_body(&b, &adapter_image_edits,
	    "{\"model\":\"m\",\"prompt\":\"p\",\"images\":[{\"image_url\":\""
	    DATA "\"}]}"), ERR_OK);
	assert_int_equal(bounds_set(&small, b.arena, &b.chat, &b.deployment,
	    1000, &b.fault), ERR_OK);
	bench_free(&b);
	memset(body, 'A', n);
	memcpy(body, head, at);
	memcpy(body + at + (n - at - 4) / 4 * 4, "\"}]}", 5);
	assert_int_equal(read_body(&b, &adapter_image_edits, body), ERR_OK);
	assert_int_equal(bounds_set(&large, b.arena, &b.chat, &b.deployment,
	    1000, &b.fault), ERR_OK);
	assert_int_equal(small.input, large.input);
	bench_free(&b);
	free(body);
}

/* Text and images apart, as OpenAI tells them, and where it does not. */
static void
test_tokens(void **state)
{
	static const struct {
		const char *usage;
		int64_t text, pictures, words, images;
	} rows[] = {
		{ "\"input_tokens\":50,\"output_tokens\":7", 50, 0, 0, 7 },
		{ "\"input_tokens\":50,\"output_tokens\":7,"
		  "\"input_tokens_details\":{\"image_tokens\":40,"
		  "\"text_tokens\":10},\"output_tokens_details\":{"
		  "\"image_tokens\":5,\"text_tokens\":2}", 10, 40, 2, 5 },
		{ "\"input_tokens\":50,\"output_tokens\":7,"
		  "\"input_tokens_details\":{\"image_tokens\":90},"
		  "\"output_tokens_details\":{\"text_tokens\":-1}", 0, 50, 0,
		  7 },
	};
	struct reply reply;
	char body[512];
	struct bench b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(read_body(&b, &adapter_images,
		    "{\"model\":\"m\",\"prompt\":\"p\"}"), ERR_OK);
		snprintf(body, sizeof body, "{\"data\":[{\"b64_json\":\"QQ=="
		    "\"}],\"usage\":{%s}}", rows[i].usage);
		memset(&reply, 0, sizeof reply);
		assert_int_equal(images_read_reply(b.arena, &b.chat,
		    &b.deployment, body, strlen(body), &reply, &b.fault),
		    ERR_OK);
		assert_int_equal(reply.usage.n[UNIT_INPUT], rows[i].text);
		assert_int_equal(reply.usage.n[UNIT_IMAGE_INPUT],
		    rows[i].pictures);
		assert_int_equal(reply.usage.n[UNIT_OUTPUT], rows[i].words);
		assert_int_equal(reply.usage.n[UNIT_IMAGE_OUTPUT],
		    rows[i].images);
		bench_free(&b);
	}
}

/* RFC 4648, 10. */
static void
test_base64(void **state)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" } };
	struct bench b;
	struct str s;
	size_t i;

	(void)state;
	bench_init(&b, "openai", "openai");
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		s = canon_encode(b.arena, canon_lit(rows[i][0]));
		assert_true(canon_is(s, rows[i][1]));
		assert_true(canon_is(canon_decode(b.arena, s), rows[i][0]));
	}
	bench_free(&b);
}

static void
test_characters(void **state)
{
	struct bench b;

	(void)state;
	assert_int_equal(read_body(&b, &adapter_speech, "{\"model\":\"m\","
	    "\"input\":\"Z\\u00fcrich \xf0\x9f\x98\x80\"}"), ERR_OK);
	assert_int_equal(b.chat.task.most[UNIT_CHARACTERS], 8);
	assert_true(b.chat.task.bytes);
	bench_free(&b);
	assert_int_equal(read_body(&b, &adapter_speech, "{\"model\":\"m\","
	    "\"input\":\"a\",\"stream_format\":\"sse\"}"), ERR_OK);
	assert_false(b.chat.task.bytes);
	bench_free(&b);
}

/* A WAV file of ten seconds, 16 kHz, 16 bits; what a header says of itself. */
static void
test_seconds(void **state)
{
	static const char head[] = "RIFF\0\0\0\0WAVEfmt \x10\0\0\0"
	    "\x01\0\x01\0\x80\x3e\0\0\x00\x7d\0\0\x02\0\x10\0data";
	const size_t size = 320000;
	char *file = calloc(1, size);

	(void)state;
	assert_non_null(file);
	memcpy(file, head, sizeof head - 1);
	assert_int_equal(transcripts_about(file, size, size), 11);
	/* A rate that is a lie makes it no shorter. */
	memset(file + 28, 0xff, 4);
	assert_int_equal(transcripts_about(file, size, size), 11);
	/* What is packed, or is no WAV, is as others are. */
	file[20] = 2;
	assert_int_equal(transcripts_about(file, size, size), 81);
	assert_int_equal(transcripts_about("ID3", 3, 3), 1);
	/* Never more than it can be. */
	file[20] = 1;
	memset(file + 24, 0, 4);
	file[24] = 1;
	assert_int_equal(transcripts_about(file, size, size), 641);
	assert_int_equal(transcripts_most(size), 641);
	free(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_ratios),
		cmocka_unit_test(test_no_images),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_edit_form),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
