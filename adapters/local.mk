noinst_LIBRARIES += libadapters.a
libadapters_a_SOURCES = \
	adapters/adapter.h adapters/adapters.def adapters/chat.h
