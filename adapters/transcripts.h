/*
 * POST /v1/audio/transcriptions and /v1/audio/translations as OpenAI defines
 * them (platform.openai.com/docs/api-reference/audio, read 2026-11): the
 * surfaces, and providers that speak the same (Groq, Azure, Together …). The
 * form goes on as it came but for the model's name.
 */
#ifndef TOLLGATE_ADAPTERS_TRANSCRIPTS_H
#define TOLLGATE_ADAPTERS_TRANSCRIPTS_H

#include "adapters/adapter.h"

/*
 * Seconds of an audio file of so many bytes, the first of them held: the most that it can hold (no
 * codec that these providers take goes below 4 kbit/s), and about how many it
 * has: exactly for WAV (by its header), else at 32 kbit/s.
 */
int64_t transcripts_most(size_t bytes);
int64_t transcripts_about(const char *file, size_t held, size_t bytes);

extern const struct adapter adapter_transcriptions, adapter_translations;

#endif
