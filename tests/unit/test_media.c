/* Images and speech: bounds, what providers are sent, what is no answer. */
#include <stdlib.h>

#include "adapters/images.h"
#include "adapters/speech.h"
#include "adapters/transcripts.h"
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
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
