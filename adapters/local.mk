noinst_LIBRARIES += libadapters.a
libadapters_a_SOURCES = \
	adapters/adapter.c adapters/adapter.h adapters/adapters.def \
	adapters/chat.h adapters/params.def \
	adapters/reply.c adapters/reply.h \
	adapters/errors.c adapters/errors.h \
	adapters/canon.c adapters/canon.h adapters/canon_chat.c \
	adapters/canon_proof.c adapters/canon_schema.c \
	adapters/reading.c adapters/reading.h \
	adapters/owned.c adapters/owned.h \
	adapters/openai.c adapters/openai.h adapters/openai_answer.c \
	adapters/openai_ask.c adapters/openai_chat.c \
	adapters/openai_mend.c adapters/openai_mend.h \
	adapters/openai_parts.c adapters/openai_quirks.c \
	adapters/openai_stream.c adapters/openai_write.c
libadapters_a_SOURCES += adapters/anthropic.c adapters/anthropic.h
libadapters_a_SOURCES += adapters/anthropic_answer.c adapters/anthropic_ask.c
libadapters_a_SOURCES += adapters/anthropic_chat.c
libadapters_a_SOURCES += adapters/anthropic_write.c
libadapters_a_SOURCES += adapters/gemini.c adapters/gemini.h
libadapters_a_SOURCES += adapters/gemini_answer.c adapters/gemini_ask.c
libadapters_a_SOURCES += adapters/gemini_chat.c
libadapters_a_SOURCES += adapters/gemini_write.c
libadapters_a_SOURCES += adapters/responses.c adapters/responses.h
libadapters_a_SOURCES += adapters/responses_answer.c adapters/responses_answer.h
libadapters_a_SOURCES += adapters/responses_ask.c adapters/responses_chat.c
libadapters_a_SOURCES += adapters/responses_events.c adapters/responses_input.c
libadapters_a_SOURCES += adapters/responses_items.c
libadapters_a_SOURCES += adapters/responses_items.h adapters/responses_tell.c
libadapters_a_SOURCES += adapters/responses_tell.h adapters/responses_write.c
libadapters_a_SOURCES += adapters/cohere.c adapters/cohere.h
libadapters_a_SOURCES += adapters/cohere_answer.c
libadapters_a_SOURCES += adapters/ollama.c adapters/ollama.h
libadapters_a_SOURCES += adapters/ollama_answer.c
libadapters_a_SOURCES += adapters/completions.c adapters/completions.h
libadapters_a_SOURCES += adapters/completions_answer.c
libadapters_a_SOURCES += adapters/completions_chat.c
libadapters_a_SOURCES += adapters/completions_write.c
libadapters_a_SOURCES += adapters/bedrock.c adapters/bedrock.h
libadapters_a_SOURCES += adapters/bedrock_answer.c
libadapters_a_SOURCES += adapters/bedrock_block.c
libadapters_a_SOURCES += adapters/bedrock_ask.c
libadapters_a_SOURCES += adapters/envelope.c adapters/envelope.h
