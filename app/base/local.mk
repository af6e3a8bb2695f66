noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	app/base/arena.c app/base/arena.h \
	app/base/buf.c app/base/buf.h \
	app/base/clock.c app/base/clock.h \
	app/base/err.c app/base/err.def app/base/err.h \
	app/base/limits.h
