/* What the parts of the policy's table share. Private to schema*.c. */
#ifndef TOLLGATE_POLICY_SCHEMA_INT_H
#define TOLLGATE_POLICY_SCHEMA_INT_H

#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/schema.h"

#define US INT64_C(1000000)
#define MINUTE (60 * US)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define USD INT64_C(1000000000)
#define NAME_MAX_BYTES 64
#define TEXT_BYTES 256
#define MILLION_MAX (10000 * USD) /* sanity: USD per million of anything */
#define EACH_MAX (1000 * USD)	  /* sanity: USD for one of anything */

#define AT(s, member) .offset = offsetof(struct s, member)
#define LATER(name, words) { .key = name, .type = V_LATER, .help = words }
#define END { .key = NULL }

#define ATTEMPTS(s, initial, other)                                          \
	{ .key = "attempts", .type = V_COUNT, AT(s, attempts), .min = 1,     \
	  .max = 10, .preset = initial, .otherwise = other,                  \
	  .help = "tries of one request at most, over all targets" }

/* What may be asked for: members of a struct src_limits in another one. */
#define LIMITS(s, member, whose, other)                                      \
	{ .key = "rpm", .type = V_COUNT, AT(s, member.rpm), .min = 1,        \
	  .max = 1000000000, .otherwise = other,                             \
	  .help = "requests in any 60 s" whose },                            \
	{ .key = "tpm", .type = V_COUNT, AT(s, member.tpm), .min = 1,        \
	  .max = 1000000000000, .otherwise = other,                          \
	  .help = "tokens of requests and answers in any 60 s" whose },      \
	{ .key = "parallel", .type = V_COUNT, AT(s, member.parallel),        \
	  .min = 1, .max = 1000000, .otherwise = other,                      \
	  .help = "requests at the same time" whose },                       \
	{ .key = "budget", .type = V_LIST, .flags = F_ONE,                   \
	  AT(s, member.budgets), .min = 1, .max = BUDGETS_MAX,               \
	  .shape = &budget_shape, .otherwise = other,                        \
	  .help = "money" whose "; of a list each must hold" }

/* The names of what a model can do. */
#define CAP_WORDS                                                            \
	{ "tools", CAP_TOOLS, "calls of tools" },                            \
	{ "reasoning", CAP_REASONING, "thinking before it answers" },        \
	{ "structured", CAP_STRUCTURED, "answers by a JSON Schema" },        \
	{ "images", CAP_IMAGE_IN, "pictures in the prompt" },                \
	{ "pdf", CAP_PDF_IN, "PDF files in it" },                            \
	{ "audio", CAP_AUDIO_IN, "sound in it" },                            \
	{ "video", CAP_VIDEO_IN, "films in it" },                            \
	{ "image_output", CAP_IMAGE_OUT, "pictures in the answer" },         \
	{ "audio_output", CAP_AUDIO_OUT, "sound in it" },                    \
	{ "video_output", CAP_VIDEO_OUT, "films in it" }

extern const struct shape timeouts_shape, provider_shape, model_shape,
    rule_shape, price_shape, budget_shape, limits_shape;

#endif
