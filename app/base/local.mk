noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	app/base/arena.c app/base/arena.h \
	app/base/buf.c app/base/buf.h \
	app/base/clock.c app/base/clock.h \
	app/base/err.c app/base/err.def app/base/err.h \
	app/base/form.c app/base/form.h \
	app/base/hash.c app/base/hash.h \
	app/base/json.c app/base/json.h app/base/jsonedit.c \
	app/base/jsonkeys.c \
	app/base/jsonread.c app/base/jsonwrite.c \
	app/base/limits.h \
	app/base/scan.c app/base/scan.h \
	app/base/siphash.c app/base/siphash.h \
	app/base/sse.c app/base/sse.h \
	app/base/tape.h
libbase_a_SOURCES += app/base/decimal.c app/base/decimal.h
libbase_a_SOURCES += app/base/frames.c app/base/frames.h
libbase_a_SOURCES += app/base/jsonescape.c
libbase_a_SOURCES += app/base/eventstream.c app/base/eventstream.h
libbase_a_SOURCES += app/base/percent.c app/base/percent.h
libbase_a_SOURCES += app/base/draw.c app/base/draw.h
libbase_a_SOURCES += app/base/boot.c app/base/boot.h
