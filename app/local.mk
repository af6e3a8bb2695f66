noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	app/front.h app/transport.h
