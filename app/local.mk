noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	app/answer.c app/answer.h \
	app/auth.c app/auth.h \
	app/commands.c app/commands.h \
	app/credential.c app/credential.h \
	app/endpoint.c app/endpoint.h \
	app/forward.c app/forward.h \
	app/front.c app/front.h app/front_int.h \
	app/front_cgi.c \
	app/front_fcgi.c app/front_fcgi.h \
	app/health.c app/health.h \
	app/intake.c app/intake.h \
	app/models.c app/models.h \
	app/pipeline.c app/pipeline.h \
	app/record.c app/record.h \
	app/record_walk.c app/record_walk.h \
	app/transport.h

libapp_a_SOURCES += app/models_cli.c app/models_cli.h
	app/relay.c app/relay.h \
	app/request.h \
	app/transport.h \
	app/worker.c app/worker.h

# The program: a FastCGI worker, a CGI and the command line in one.
tollgatedir = $(libexecdir)/tollgate
tollgate_PROGRAMS = app/tollgate.fcgi
app_tollgate_fcgi_SOURCES = app/main.c
app_tollgate_fcgi_LDADD = $(HOUSE_LINK)
	app/address.c app/address.h app/front.h app/headers.c app/headers.h \
	app/transport.c app/transport.h
