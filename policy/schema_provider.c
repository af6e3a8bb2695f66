/* The part of the table that tells of providers. */
#include "policy/schema_int.h"

static const struct word schemes[] = {
	{ "bearer", AUTH_BEARER, "`Authorization: Bearer` with the key" },
	{ "header", AUTH_HEADER, "the key in a header of its own" },
	{ "sigv4", AUTH_SIGV4, "AWS Signature Version 4" },
	{ "google", AUTH_GOOGLE, "a token for a Google service account" },
	{ "azure", AUTH_AZURE, "a token of Microsoft Entra ID (AAD) for "
			       "client credentials" },
	{ "hmac", AUTH_HMAC, "a signature by HMAC in a header" },
	{ "none", AUTH_NONE, "nothing" },
	{ NULL, 0, NULL }
};

static const struct word hashes[] = {
	{ "sha256", SIGN_SHA256, "" },
	{ "sha512", SIGN_SHA512, "" },
	{ NULL, 0, NULL }
};

static const struct word encodings[] = {
	{ "hex", SIGN_HEX, "lower-case digits" },
	{ "base64", SIGN_BASE64, "" },
	{ NULL, 0, NULL }
};

static const struct word stamps[] = {
	{ "seconds", STAMP_SECONDS, "since 1970" },
	{ "milliseconds", STAMP_MILLISECONDS, "since 1970" },
	{ "iso8601", STAMP_ISO8601, "`2026-01-31T23:59:59Z`" },
	{ NULL, 0, NULL }
};

static const struct word separators[] = {
	{ "newline", SEPARATE_NEWLINE, "" },
	{ "none", SEPARATE_NOT, "" },
	{ "dot", SEPARATE_DOT, "" },
	{ "colon", SEPARATE_COLON, "" },
	{ NULL, 0, NULL }
};

static const struct word on_aborts[] = {
	{ "abort", ABORT_LEAVE, "the call is cancelled; what had come is "
				"paid" },
	{ "drain", ABORT_DRAIN, "the answer is read to its end, for what the "
				"provider says that it used" },
	{ NULL, 0, NULL }
};

#define FORM(name, words)                                                    \
	{ .key = #name, .type = V_TEXT, AT(src_auth, form.name),             \
	  .max = TEXT_BYTES, .help = words }

static const struct field auth_fields[] = {
	{ .key = "scheme", .type = V_CHOICE, .flags = F_NEEDED,
	  AT(src_auth, scheme), .words = schemes,
	  .help = "how the credential is shown" },
	{ .key = "header", .type = V_TEXT, AT(src_auth, form.header),
	  .max = TEXT_BYTES,
	  .help = "of `header` and `hmac`: the header that holds the key or "
		  "the signature" },
	FORM(prefix, "of `hmac`: text before the signature"),
	{ .key = "hash", .type = V_CHOICE, AT(src_auth, form.hash),
	  .words = hashes, .preset = "sha256",
	  .help = "of `hmac`: the digest" },
	{ .key = "encoding", .type = V_CHOICE, AT(src_auth, form.encoding),
	  .words = encodings, .preset = "hex",
	  .help = "of `hmac`: how the signature is written" },
	{ .key = "sign", .type = V_STRINGS, AT(src_auth, sign),
	  .max = SIGN_MAX,
	  .help = "of `hmac`: what is signed, in order: `method`, `host`, "
		  "`path`, `query`, `timestamp`, `key_id`, `body`, "
		  "`body_hash` (its digest in hex)" },
	{ .key = "separator", .type = V_CHOICE,
	  AT(src_auth, form.separator), .words = separators, .preset = "newline",
	  .help = "of `hmac`: what stands between them" },
	FORM(key_id_header, "of `hmac`: the header that holds `access_key`"),
	FORM(timestamp_header, "of `hmac`: the header that holds the time"),
	{ .key = "timestamp", .type = V_CHOICE, AT(src_auth, form.stamp),
	  .words = stamps, .preset = "seconds",
	  .help = "of `hmac`: how the time is written" },
	{ .key = "service", .type = V_NAME, AT(src_auth, form.service),
	  .max = NAME_MAX_BYTES, .preset = "bedrock",
	  .help = "of `sigv4`: the name of the service" },
	{ .key = "scope", .type = V_TEXT, AT(src_auth, form.scope),
	  .max = TEXT_BYTES,
	  .otherwise = "that of the cloud's AI services",
	  .help = "of `google` and `azure`: what the token is for" },
	{ .key = "token_url", .type = V_URL, AT(src_auth, form.token_url),
	  .max = 2048, .otherwise = "that of the cloud",
	  .help = "of `google` and `azure`: where tokens are asked for" },
	END
};

static const struct shape auth_shape = {
	.name = "auth",
	.title = "auth",
	.size = sizeof(struct src_auth),
	.brief = "scheme",
	.fields = auth_fields,
	.help = "How a provider wants its credential, where it is not as the "
		"catalog or its dialect has it. `sigv4` takes `access_key`, "
		"`secret_key` and `session_token`, else those of the "
		"environment, of the shared credentials file or of the role "
		"that the host or container has. `google` takes the "
		"`credentials` of a service account, else what "
		"GOOGLE_APPLICATION_CREDENTIALS names, else the account that "
		"the machine has. `azure` takes `credentials`: JSON with "
		"`tenant_id`, `client_id` and `client_secret`, else "
		"AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET. "
		"`hmac` signs with `key`.",
	.example = "auth: sigv4\n"
		   "auth: { scheme: hmac, header: x-signature, "
		   "key_id_header: x-key-id,\n"
		   "        timestamp_header: x-timestamp, "
		   "sign: [ method, path, timestamp, body ] }\n",
};

#define FACT(name, words)                                                    \
	{ .key = #name, .type = V_TEXT, AT(src_provider, p.name), .min = 1,  \
	  .max = TEXT_BYTES, .help = words }

static const struct field measure_fields[] = {
	{ .key = "at", .type = V_TEXT, .flags = F_NEEDED, AT(src_measure, at),
	  .max = TEXT_BYTES,
	  .help = "where the number stands: a JSON pointer (RFC 6901) into "
		  "the answer, or into the last event of a stream that has "
		  "it" },
	{ .key = "at_most", .type = V_COUNT, .flags = F_NEEDED,
	  AT(src_measure, at_most), .min = 1, .max = 1000000000,
	  .help = "so many are held while it runs, and paid when the answer "
		  "does not tell" },
	END
};

static const struct shape measure_shape = {
	.name = "unit",
	.title = "units",
	.size = sizeof(struct src_measure),
	.fields = measure_fields,
	.help = "Numbers of an answer that are paid for, by the names that "
		"rates of a price have (`input`, `output`, `characters`, "
		"`image`, `search`, `second` …); each is paid for itself, "
		"fractions are rounded up. One that is more than four times "
		"its bound is not believed.",
	.example = "units: { second: { at: /duration, at_most: 600 } }\n",
};

static const struct word methods[] = {
	{ "GET", METHOD_GET, "" },
	{ "POST", METHOD_POST, "" },
	{ "PUT", METHOD_PUT, "" },
	{ "PATCH", METHOD_PATCH, "" },
	{ "DELETE", METHOD_DELETE, "" },
	{ NULL, 0, NULL }
};

static const struct field passage_fields[] = {
	{ .key = "path", .type = V_TEXT, .flags = F_NEEDED,
	  AT(src_passage, path), .max = TEXT_BYTES,
	  .help = "below `base_url`; `*` stands for one character or more "
		  "but `/` and `:`, `**` as the last segment for all that "
		  "may follow" },
	{ .key = "methods", .type = V_SET, AT(src_passage, methods),
	  .words = methods, .preset = "GET", .help = "its methods" },
	{ .key = "price", .type = V_STRUCT, .flags = F_BARE,
	  AT(src_passage, price), .shape = &price_shape,
	  .otherwise = "not known: refused where money is limited",
	  .help = "what it costs: `request` each, and what `units` count" },
	{ .key = "units", .type = V_MAP, AT(src_passage, units),
	  .min = 1, .max = UNIT_COUNT, .shape = &measure_shape,
	  .otherwise = "none",
	  .help = "what of an answer is paid for beside the request" },
	END
};

static const struct shape passage_shape = {
	.name = "passage",
	.title = "passthrough",
	.size = sizeof(struct src_passage),
	.brief = "path",
	.fields = passage_fields,
	.help = "Requests of the provider's own API that go there as they "
		"are; the first row counts that has path and method. What "
		"one row lets in is not looked at: no model, rule or "
		"fallback is about it, so name what you need and no more.",
	.example = "passthrough:\n"
		   "  - { path: /vector_stores, methods: [ GET, POST ], "
		   "price: { request: 0.001 } }\n"
		   "  - { path: /vector_stores/*, methods: [ GET, DELETE ], "
		   "price: { request: 0 } }\n"
		   "  - { path: /audio/isolation, methods: POST, "
		   "price: { second: 0.001 },\n"
		   "      units: { second: { at: /duration, at_most: 600 } } "
		   "}\n",
};

static const struct field provider_fields[] = {
	{ .key = "adapter", .type = V_NAME, AT(src_provider, p.adapter),
	  .max = NAME_MAX_BYTES,
	  .otherwise = "that of the catalog, else `openai`",
	  .help = "the dialect it speaks" },
	{ .key = "base_url", .type = V_URL, AT(src_provider, p.base_url),
	  .max = 2048, .otherwise = "that of the catalog",
	  .help = "its address, as its official SDK takes it; no credentials, "
		  "query or fragment" },
	{ .key = "key", .type = V_SECRET, .flags = F_NONE,
	  AT(src_provider, p.key), .max = 8192,
	  .otherwise = "the environment variable that the catalog knows",
	  .help = "its API key; `none` sends none" },
	{ .key = "auth", .type = V_STRUCT, AT(src_provider, auth),
	  .shape = &auth_shape,
	  .otherwise = "as the catalog or the dialect has it",
	  .help = "how it wants its credential" },
	FACT(organization, "sent as the organisation of the account"),
	FACT(project, "project of the account"),
	FACT(region, "where requests are processed"),
	FACT(api_version, "version of the interface, where it is asked for"),
	{ .key = "credentials", .type = V_DOCUMENT,
	  AT(src_provider, p.credentials), .max = 65536,
	  .help = "a file of credentials, as of a service account" },
	{ .key = "headers", .type = V_HEADERS, AT(src_provider, headers),
	  .max = 16,
	  .help = "headers sent with every request; a value may be a secret "
		  "reference" },
	{ .key = "timezone", .type = V_ZONE, AT(src_provider, p.timezone),
	  .otherwise = "UTC", .help = "whose days its account has: its "
		  "budgets follow them" },
	{ .key = "retention", .type = V_RETENTION,
	  AT(src_provider, p.retention),
	  .help = "how long it keeps prompts: `none` or a duration; a "
		  "statement of fact" },
	{ .key = "access_key", .type = V_SECRET,
	  AT(src_provider, p.access_key), .max = 8192,
	  .help = "access key, for providers with signed requests" },
	{ .key = "secret_key", .type = V_SECRET,
	  AT(src_provider, p.secret_key), .max = 8192, .help = "its secret" },
	{ .key = "session_token", .type = V_SECRET,
	  AT(src_provider, p.session_token), .max = 8192,
	  .help = "its session" },
	{ .key = "passthrough", .type = V_LIST, .flags = F_ONE,
	  AT(src_provider, passages), .max = 256, .shape = &passage_shape,
	  .otherwise = "nothing",
	  .help = "what of its own API keys may use as it is, below "
		  "`/passthrough/NAME`: keys that have its name in their "
		  "`passthrough`" },
	{ .key = "private", .type = V_BOOL, AT(src_provider, p.private_net),
	  .preset = "false",
	  .help = "its name may lead to private addresses; a private address "
		  "in `base_url` needs no such word" },
	{ .key = "margin", .type = V_SHARE, AT(src_provider, margin), .min = 0,
	  .max = 1000, .preset = "0 %",
	  .help = "what is added to every price of its models, rounded up" },
	{ .key = "on_abort", .type = V_CHOICE, AT(src_provider, p.on_abort),
	  .words = on_aborts, .preset = "abort",
	  .help = "what becomes of its answer when the client leaves" },
	LIMITS(src_provider, limits, ", of all that goes to it", "not bounded"),
	END
};

const struct shape provider_shape = {
	.name = "provider",
	.title = "providers",
	.size = sizeof(struct src_provider),
	.fields = provider_fields,
	.help = "Accounts at providers. A name that the catalog knows needs "
		"nothing but its key, and not even that when the usual "
		"environment variable holds it.",
	.example = "providers:\n"
		   "  openai: { key: env:OPENAI_API_KEY, organization: org-123 "
		   "}\n"
		   "  anthropic: { key: file:/etc/tollgate/anthropic.key }\n"
		   "  house:\n"
		   "    adapter: openai\n"
		   "    base_url: http://10.0.0.7:8000/v1\n"
		   "    key: none\n"
		   "    region: eu\n"
		   "    retention: none\n",
};
