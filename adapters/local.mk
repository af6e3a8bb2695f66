noinst_LIBRARIES += libadapters.a
libadapters_a_SOURCES = \
	adapters/adapter.c adapters/adapter.h adapters/adapters.def \
	adapters/chat.h \
	adapters/errors.c adapters/errors.h \
	adapters/openai.c adapters/openai.h adapters/openai_answer.c
