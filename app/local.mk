noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	app/front.c app/front.h app/front_int.h \
	app/front_cgi.c \
	app/front_fcgi.c app/front_fcgi.h \
	app/intake.c app/intake.h \
	app/record_walk.c app/record_walk.h \
	app/transport.h

libapp_a_SOURCES += app/models_cli.c app/models_cli.h
