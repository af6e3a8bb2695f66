/*
 * POST /v1/audio/speech as OpenAI defines it (platform.openai.com/docs/
 * api-reference/audio/createSpeech and the types of its SDKs, 2026-11): the
 * surface, and providers that speak the same. The answer is a body of bytes that is given on as it
 * comes (task.bytes), or with stream_format "sse" events; Mistral's is JSON
 * with base64 in it (as recorded 2026-11), of which either is made.
 */
#ifndef TOLLGATE_ADAPTERS_SPEECH_H
#define TOLLGATE_ADAPTERS_SPEECH_H

#include "adapters/adapter.h"

#define SPEECH_DOOR "speech"

extern const struct adapter adapter_speech;

#endif
