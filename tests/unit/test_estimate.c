/*
 * The token estimate: against what two public vocabularies count, and at the
 * edges of what a text can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/estimate.h"

/* Tokens by a vocabulary of 200,000 and by one of 100,000. */
static const struct {
	const char *name;
	int new, old;
	const char *text;
} texts[] = {
	{ "English", 70, 70,
	    "The proxy reads a request, finds out who is asking, and "
	    "chooses a provider that may answer it. When that provide"
	    "r fails before the first word of the answer has come, th"
	    "e next one is asked; afterwards never. What was used is "
	    "written down at the end, whatever happened in between, a"
	    "nd the money that was set aside is given back." },
	{ "manual", 81, 81,
	    "To start the service by hand, run `tollgate serve --poli"
	    "cy /etc/tollgate/policy.yaml`. The options are:\n\n- `--"
	    "workers N`: how many processes to keep (default: one for"
	    " each core)\n- `--drain SECONDS`: how long a stopping wo"
	    "rker may finish its streams\n\nSee the section *Signals*"
	    " for what SIGHUP and SIGTERM do.\n" },
	{ "German", 60, 80,
	    "Der Dienst liest jede Anfrage vollständig ein, prüft d"
	    "en Schlüssel und wählt danach einen Anbieter aus. Fäl"
	    "lt dieser aus, bevor das erste Wort der Antwort eingetro"
	    "ffen ist, so wird der nächste gefragt. Die Abrechnung e"
	    "rfolgt immer am Ende, auch wenn die Verbindung vorher ab"
	    "gebrochen wurde." },
	{ "French", 61, 70,
	    "Le service lit chaque requête en entier, vérifie la cl"
	    "é et choisit ensuite un fournisseur. Si celui-ci tombe "
	    "en panne avant le premier mot de la réponse, le suivant"
	    " est interrogé. Le décompte se fait toujours à la fin"
	    ", même quand la connexion a été coupée auparavant." },
	{ "Spanish", 55, 58,
	    "El servicio lee cada solicitud por completo, comprueba l"
	    "a clave y después elige un proveedor. Si este falla ant"
	    "es de la primera palabra de la respuesta, se pregunta al"
	    " siguiente. El gasto se anota siempre al final, incluso "
	    "cuando la conexión se ha cortado antes." },
	{ "Russian", 52, 88,
	    "Сервис полностью читает каждый"
	    " запрос, проверяет ключ и затем"
	    " выбирает поставщика. Если тот "
	    "отказал до первого слова ответ"
	    "а, запрос получает следующий. Р"
	    "асход записывается всегда в са"
	    "мом конце, даже если соединение"
	    " было прервано раньше." },
	{ "Chinese", 55, 76,
	    "服务会完整地读取每个请求，检查密钥，然"
	    "后选择一个供应商。如果该供应商在回答的"
	    "第一个词到达之前失败，就会询问下一个供"
	    "应商。费用总是在最后记录，即使连接在此"
	    "之前已经中断。" },
	{ "Japanese", 76, 114,
	    "サービスは各リクエストを最後まで読み取"
	    "り、キーを確認してからプロバイダーを選"
	    "びます。回答の最初の単語が届く前に失敗"
	    "した場合は、次のプロバイダーに問い合わ"
	    "せます。接続が途中で切れても、費用は必"
	    "ず最後に記録されます。" },
	{ "Korean", 57, 99,
	    "서비스는 각 요청을 끝까지 읽고 키를 확인"
	    "한 다음 공급자를 선택합니다. 답변의 첫 단"
	    "어가 도착하기 전에 실패하면 다음 공급자"
	    "에게 요청합니다. 연결이 중간에 끊어져도"
	    " 비용은 항상 마지막에 기록됩니다." },
	{ "C", 84, 84,
	    "static int\ncount_lines(const char *text, size_t len)\n{"
	    "\n\tint lines = 0;\n\n\tfor (size_t i = 0; i < len; i++)"
	    " {\n\t\tif (text[i] == '\\n')\n\t\t\tlines++;\n\t}\n\tif"
	    " (len > 0 && text[len - 1] != '\\n')\n\t\tlines++; /* th"
	    "e last line has no end */\n\treturn lines;\n}\n" },
	{ "Python", 84, 84,
	    "def average_latency(records, provider=None):\n    \"\"\""
	    "Mean latency of the records of a provider, in millisecon"
	    "ds.\"\"\"\n    total, count = 0, 0\n    for record in re"
	    "cords:\n        if provider is not None and record[\"pro"
	    "vider\"] != provider:\n            continue\n        tot"
	    "al += record[\"end\"] - record[\"start\"]\n        count"
	    " += 1\n    return total / count if count else None\n" },
	{ "JSON", 83, 80,
	    "{\"type\":\"function\",\"function\":{\"name\":\"get_weat"
	    "her\",\"description\":\"The weather of a city, now or on"
	    " a day to come\",\"parameters\":{\"type\":\"object\",\"p"
	    "roperties\":{\"city\":{\"type\":\"string\",\"description"
	    "\":\"Name of the city\"},\"day\":{\"type\":\"string\",\""
	    "format\":\"date\"},\"unit\":{\"type\":\"string\",\"enum\""
	    ":[\"celsius\",\"fahrenheit\"]}},\"required\":[\"city\"]}"
	    "}}" },
	{ "log", 106, 105,
	    "2026-07-02T14:03:11.482Z INFO request id=8f14e45f status"
	    "=200 bytes=18233 ms=412\n2026-07-02T14:03:11.977Z WARN r"
	    "equest id=c9f0f895 status=429 bytes=211 ms=38\n2026-07-0"
	    "2T14:03:12.030Z INFO request id=45c48cce status=200 byte"
	    "s=9127 ms=1204\n" },
	{ "base64", 177, 183,
	    "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAYAAADgdz34AAAABHNCSVQI"
	    "CAgIfAhkiAAAAAlwSFlzAAAApgAAAKYB3X3OOAAAABl0RVh0U29mdHdh"
	    "cmUAd3d3Lmlua3NjYXBlLm9yZ5vuPBoAAANCSURBVEiJtZZPbBtFFMZ/"
	    "M7ubXdtdb1xSFyeilBapySVU8h8OoFaooFSqiihIVIpQBKci6KEg9Q6H"
	    "9kovIHoCIVQJJCKE1ENFjnAgcaSGC6rEnxBwA04Tx43t2FnvDAfjkNib"
	    "xgHxnWb2e" },
	{ "hex", 95, 95,
	    "d41d8cd98f00b204e9800998ecf8427e0cc175b9c0f1b6a831c399e2"
	    "69772661900150983cd24fb0d6963f7d28e17f72f96b697d7cb7938d"
	    "525a2f31aaf161d0c3fcd3d76192e4007dfb496cca67e13b" },
};

#define TEXTS (sizeof texts / sizeof texts[0])

/* Within 15 per cent of the newer count, or between it and the older one. */
static void
test_texts(void **state)
{
	int64_t sum = 0, want = 0, n;
	size_t i;

	(void)state;
	for (i = 0; i < TEXTS; i++) {
		int low = texts[i].new < texts[i].old ? texts[i].new :
		    texts[i].old, high = texts[i].new + texts[i].old - low;

		n = estimate_tokens(texts[i].text, strlen(texts[i].text));
		if (n * 100 < low * 85 || n * 100 > high * 115)
			fail_msg("%s: %d, not %d or %d", texts[i].name,
			    (int)n, texts[i].new, texts[i].old);
		sum += n;
		want += texts[i].new;
	}
	/* All together: within 15 per cent of the newer count. */
	assert_true(sum * 100 > want * 85 && sum * 100 < want * 115);
}

/* Where nothing but the language differs, it must be seen. */
static void
test_kinds(void **state)
{
	int64_t count[EST_COUNT];
	const char *hex = "d41d8cd98f00b204e9800998ecf8427e",
		   *code = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0",
		   *name = "configuration_of_the_loadBalancer",
		   *cut = "\xd0\xb4\xd0";

	(void)state;
	estimate_features(hex, strlen(hex), count);
	assert_int_equal(count[EST_HEX], 32);
	assert_int_equal(count[EST_DIGITS], 0);
	estimate_features(code, strlen(code), count);
	assert_int_equal(count[EST_BLOB], 30);
	estimate_features(name, strlen(name), count);
	assert_int_equal(count[EST_BLOB] + count[EST_HEX], 0);
	assert_int_equal(count[EST_GLUED + 12], 1); /* configuration */
	assert_int_equal(count[EST_GLUED + 1], 1);  /* of */
	assert_int_equal(count[EST_GLUED + 2], 1);  /* the */
	assert_int_equal(count[EST_GLUED + 3], 1);  /* load */
	assert_int_equal(count[EST_GLUED + 7], 1);  /* Balancer */
	assert_int_equal(count[EST_CAPITAL], 1);
	assert_int_equal(count[EST_PUNCT_LETTER], 3);
	estimate_features("  HTTPServer 12345", 18, count);
	assert_int_equal(count[EST_CAPS], 1);
	assert_int_equal(count[EST_CAPS_LETTERS], 4);
	assert_int_equal(count[EST_GLUED + 5], 1);
	assert_int_equal(count[EST_DIGITS], 2);
	assert_int_equal(count[EST_SPACED_DIGITS], 1);
	assert_int_equal(count[EST_MORE_DIGITS], 3);
	assert_int_equal(count[EST_BLANKS], 1);
	/* A whole letter, and one cut off at the end. */
	estimate_features(cut, 3, count);
	assert_int_equal(count[EST_SCRIPTS + 1], 1);
	assert_int_equal(count[EST_COUNT - 1], 1);
}

static void
test_edges(void **state)
{
	static const char *const one[] = { "a", " ", "\n", "\xff", "0", "!",
		"\xe4\xb8\xad", "\xf0\x9f\x98" };
	char nul[4] = { 'a', '\0', 'b', '\0' };
	size_t i;

	(void)state;
	assert_int_equal(estimate_tokens("", 0), 0);
	assert_int_equal(estimate_tokens(NULL, 0), 0);
	for (i = 0; i < sizeof one / sizeof one[0]; i++)
		assert_in_range(estimate_tokens(one[i], strlen(one[i])), 1, 2);
	assert_in_range(estimate_tokens(nul, 4), 1, 6);
	assert_int_equal(estimate_text_bytes(-5), 0);
	assert_int_equal(estimate_text_bytes(0), 0);
	assert_int_equal(estimate_text_bytes(1), 1);
	assert_int_equal(estimate_text_bytes(4), 1);
	assert_int_equal(estimate_text_bytes(5), 2);
	assert_int_equal(estimate_text_bytes(INT64_MAX),
	    INT64_MAX / 4 + 1);
}

/* n copies take n times the tokens, but for what meets at the seams. */
static void
test_copies(void **state)
{
	size_t i, k, len;
	int64_t one, all;
	char *copies;

	(void)state;
	for (i = 0; i < TEXTS; i++) {
		len = strlen(texts[i].text);
		copies = malloc(len * 50);
		assert_non_null(copies);
		for (k = 0; k < 50; k++)
			memcpy(copies + k * len, texts[i].text, len);
		one = estimate_tokens(texts[i].text, len);
		all = estimate_tokens(copies, len * 50);
		assert_in_range(all, one * 50 - 150, one * 50 + 150);
		free(copies);
	}
}

/* Any bytes, in blocks of just their size: never out of bounds or reason. */
static void
test_noise(void **state)
{
	uint64_t seed = 42;
	size_t i, len, round;
	char *p;

	(void)state;
	for (round = 0; round < 20000; round++) {
		len = 1 + round % 67;
		p = malloc(len);
		assert_non_null(p);
		for (i = 0; i < len; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			p[i] = (char)(seed >> (round % 2 ? 56 : 58));
			if (round % 3 == 0)
				p[i] |= (char)0x80;
		}
		assert_in_range(estimate_tokens(p, len), 1, 3 * len + 1);
		free(p);
	}
}

/*
 * What providers counted for recorded chats: their text as it is estimated,
 * and what they told. Each of another family of templates or another rule.
 */
static void
test_templates(void **state)
{
	static const struct {
		const char *id, *dialect;
		struct estimate_chat chat;
		int64_t truth;
	} rows[] = {
		{ "groq/openai/gpt-oss-120b", "openai", { .messages = 1,
		    .text = 10 }, 81 },
		{ "bedrock/openai.gpt-oss-20b", "responses", { .messages = 3,
		    .text = 33, .digits = 1, .calls = 2, .tools = 1,
		    .tools_text = 41, .tools_words = 14, .tools_fields = 1 },
		    183 },
		{ "openai/gpt-4.1-nano", "openai", { .messages = 3,
		    .text = 30 }, 43 },
		{ "openai/gpt-5", "openai", { .messages = 1, .text = 8 }, 13 },
		{ "azure/gpt-5-mini", "openai", { .messages = 2, .systems = 1,
		    .text = 16, .tools = 1, .tools_text = 31, .tools_words = 11,
		    .tools_fields = 1, .thinks = true }, 145 },
		{ "azure/gpt-5-mini", "responses", { .messages = 2,
		    .systems = 1, .text = 16, .tools = 1, .tools_text = 31,
		    .tools_words = 11, .tools_fields = 1, .thinks = true },
		    63 },
		{ "openai/gpt-5.5", "responses", { .messages = 7, .text = 79,
		    .seals = 3, .sealed = 4840, .last_seals = 3,
		    .last_sealed = 4840, .calls = 6, .tools = 1,
		    .tools_text = 30, .tools_words = 15, .tools_fields = 1,
		    .thinks = true }, 532 },
		{ "anthropic/claude-sonnet-4-5", "anthropic", { .messages = 1,
		    .text = 9, .tools = 3, .tools_text = 88, .tools_words = 18,
		    .tools_fields = 5, .must_call = true }, 781 },
		{ "openrouter/anthropic/claude-haiku-4.5", "openai", {
		    .messages = 2, .systems = 1, .text = 44, .digits = 12,
		    .tools = 2, .tools_text = 101, .tools_words = 46,
		    .tools_fields = 2, .one_call = true }, 508 },
		{ "azure/claude-opus-4-1", "anthropic", { .messages = 2,
		    .systems = 1, .text = 28, .digits = 1, .thinks = true },
		    67 },
		{ "snowflake/claude-sonnet-4-6", "openai", { .messages = 1,
		    .text = 5, .schema_text = 31, .schema_words = 4,
		    .schema_fields = 2 }, 668 },
		{ "gemini/gemini-flash-latest", "gemini", { .messages = 1,
		    .text = 11, .schema_text = 60, .schema_words = 5,
		    .schema_fields = 3 }, 11 },
		{ "vertex/gemini-2.0-flash", "gemini", { .messages = 1,
		    .text = 7, .schema_text = 70, .schema_words = 19,
		    .schema_fields = 3 }, 35 },
		{ "gemini/gemini-2.5-flash", "gemini", { .messages = 3,
		    .text = 12, .seals = 1, .sealed = 336, .last_seals = 1,
		    .last_sealed = 336, .calls = 2, .tools = 1,
		    .tools_text = 10, .tools_words = 4 }, 105 },
		{ "together/meta-llama/Llama-3.3-70B-Instruct-Turbo", "openai", {
		    .messages = 1, .text = 14 }, 48 },
		{ "huggingface/Qwen/Qwen3-4B", "openai", { .messages = 1,
		    .text = 15 }, 23 },
		{ "ollama/qwen3", "openai", { .messages = 3, .text = 64,
		    .digits = 26, .reasoning = 102, .last_reasoning = 102,
		    .calls = 2, .tools = 1, .tools_text = 73, .tools_words = 35,
		    .tools_fields = 2, .unthinks = true }, 377 },
		{ "qwen/qwen3-vl-flash", "openai", { .messages = 3, .text = 40,
		    .digits = 11, .calls = 2, .tools = 1, .tools_text = 50,
		    .tools_words = 13, .tools_fields = 1, .unthinks = true,
		    .no_tools = true }, 83 },
		{ "fireworks/deepseek-ai/DeepSeek-V4-Pro-0813", "openai", {
		    .messages = 1, .text = 8 }, 12 },
		{ "deepseek/deepseek-v4-flash", "responses", { .messages = 1,
		    .text = 8 }, 90 },
		{ "mistral/mistral-large-latest", "openai", { .messages = 3,
		    .text = 89, .schema_text = 44, .schema_words = 13,
		    .schema_fields = 2 }, 104 },
		{ "openrouter/moonshotai/kimi-k2.5", "openai", { .messages = 2,
		    .systems = 1, .text = 33, .tools = 2, .tools_text = 80,
		    .tools_words = 21, .tools_fields = 4 }, 129 },
		{ "xai/grok-4.3", "responses", { .messages = 3, .text = 17,
		    .reasoning = 36, .seals = 1, .sealed = 1143,
		    .thinks = true }, 409 },
		{ "xiaomi/mimo-v2.5-pro", "openai", { .messages = 1, .text = 28,
		    .digits = 4, .tools = 1, .tools_text = 50,
		    .tools_words = 13, .tools_fields = 1, .unthinks = true },
		    554 },
		{ "perplexity/llama-3.1-sonar-small-128k-online", "openai", {
		    .messages = 1, .text = 12 }, 12 },
	};
	int64_t n;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = estimate_chat(&rows[i].chat, rows[i].id,
		    rows[i].dialect);
		if (n * 100 < rows[i].truth * 85 ||
		    n * 100 > rows[i].truth * 115)
			fail_msg("%s: %d, not %d", rows[i].id, (int)n,
			    (int)rows[i].truth);
	}
}

/* The same chat but for one thing: what a template makes of it. */
static void
test_template_rules(void **state)
{
	struct estimate_chat c = { .messages = 1, .text = 50, .tools = 2,
		.tools_text = 80, .tools_words = 30, .tools_fields = 4 };
	int64_t claude = estimate_chat(&c, "x/claude-sonnet-4-5", ""),
		qwen = estimate_chat(&c, "x/qwen3", ""),
		gpt = estimate_chat(&c, "x/gpt-4o", ""),
		sealed = estimate_chat(&c, "openai/gpt-5", "responses");

	(void)state;
	assert_true(estimate_chat(&c, "openai/gpt-5", "openai") > sealed + 50);
	c.must_call = true;
	assert_int_equal(estimate_chat(&c, "x/claude-sonnet-4-5", ""),
	    claude + 92);
	c.must_call = false;
	c.no_tools = true;
	assert_int_equal(estimate_chat(&c, "x/claude-sonnet-4-5", ""), claude);
	assert_true(estimate_chat(&c, "x/qwen3", "") < qwen - 150);
	c.no_tools = false;
	c.digits = 7;
	assert_int_equal(estimate_chat(&c, "x/qwen3", ""), qwen + 7);
	assert_int_equal(estimate_chat(&c, "x/gpt-4o", ""), gpt);
	c.reasoning = 100;
	assert_int_equal(estimate_chat(&c, "x/qwen3", ""), qwen + 7);
	c.last_reasoning = 40;
	assert_int_equal(estimate_chat(&c, "x/qwen3", ""), qwen + 47);
	c.reasoning = c.last_reasoning = 0;
	c.seals = 2;
	c.sealed = 4000;
	assert_int_equal(estimate_chat(&c, "openai/gpt-5", "responses"),
	    sealed);
	c.last_seals = 1;
	c.last_sealed = 1560;
	assert_int_equal(estimate_chat(&c, "openai/gpt-5", "responses"),
	    sealed + 100);
	/* Less than a seal has that is no text. */
	c.last_sealed = 100;
	assert_int_equal(estimate_chat(&c, "openai/gpt-5", "responses"),
	    sealed);
	/* A provider's name is no model's. */
	assert_int_equal(estimate_chat(&c, "ollama/house", ""),
	    estimate_chat(&c, "", ""));
}

static int64_t
words_of(const char *json, size_t len, struct estimate_schema *s)
{
	memset(s, 0, sizeof *s);
	estimate_schema(json, len, s);
	return estimate_weigh(s->words);
}

/* What a schema's author says, apart from what JSON Schema does. */
static void
test_schemas(void **state)
{
	static const char nested[] = "{\"type\": \"object\", \"properties\": "
	    "{\"type\": {\"enum\": [\"red\", \"green\"], \"description\": "
	    "\"say \\\"which\\\" it is\"}, \"list\": {\"type\": \"array\", "
	    "\"items\": {\"anyOf\": [{\"properties\": {\"inner\": {\"type\": "
	    "\"integer\", \"minimum\": 3}}}]}}}, \"required\": [\"type\"]}",
	    bare[] = "{\"type\":\"object\",\"properties\":{},\"required\":"
		     "[\"absent\"],\"additionalProperties\":false}";
	struct estimate_schema s;
	char deep[500];
	size_t i;

	(void)state;
	assert_int_equal(words_of("", 0, &s), 0);
	assert_int_equal(words_of(NULL, 0, &s), 0);
	assert_int_equal(words_of(bare, sizeof bare - 1, &s), 0);
	assert_int_equal(s.fields, 0);
	assert_in_range(estimate_schema_json(&s), 14, 24);
	assert_in_range(words_of(nested, sizeof nested - 1, &s), 9, 15);
	assert_int_equal(s.fields, 3);
	assert_in_range(estimate_schema_json(&s), 45, 75);
	/* Cut off anywhere, in a block of just its size. */
	for (i = 1; i < sizeof nested; i++) {
		char *p = malloc(i);

		assert_non_null(p);
		memcpy(p, nested, i);
		words_of(p, i, &s);
		assert_true(s.fields <= 3);
		free(p);
	}
	memset(deep, '[', sizeof deep);
	assert_int_equal(words_of(deep, sizeof deep, &s), 0);
	memset(deep, ']', sizeof deep);
	assert_int_equal(words_of(deep, sizeof deep, &s), 0);
}

static void
test_template_edges(void **state)
{
	static const struct estimate_chat none = { .messages = 0 },
		plain = { .messages = 1, .text = 100 },
		most = { .messages = 10000, .text = INT64_C(1) << 50,
		    .tools = 10000, .tools_text = INT64_C(1) << 50 };
	char name[600];

	(void)state;
	assert_true(estimate_chat(&none, "cohere/command-a", "") >= 1);
	assert_int_equal(estimate_chat(&plain, "", ""),
	    estimate_chat(&plain, "house/our-own", ""));
	assert_in_range(estimate_chat(&plain, "", ""), 100, 115);
	assert_int_equal(estimate_chat(&plain, "x/GPT-OSS-20B", ""),
	    estimate_chat(&plain, "y/gpt-oss-120b", ""));
	assert_true(estimate_chat(&most, "z-ai/glm-4.7", "") >
	    INT64_C(1) << 50);
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(estimate_chat(&plain, name, ""),
	    estimate_chat(&plain, "", ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_template_rules),
		cmocka_unit_test(test_schemas),
		cmocka_unit_test(test_template_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
