noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = \
	policy/policy.h \
	policy/price.c policy/price.h \
	policy/filter.c \
	policy/forecast.c policy/forecast.h \
	policy/order.c \
	policy/passage.c policy/passage.h \
	policy/region.c policy/region.def policy/region.h \
	policy/route.c policy/route.h policy/route_int.h \
	policy/rule.c policy/rule.h \
	policy/zone.c policy/zone.h policy/zone_int.h policy/zone_read.c

libpolicy_a_SOURCES += policy/estimate.c policy/estimate.def \
	policy/estimate.h policy/estimate_chat.c policy/estimate_model.def \
	policy/estimate_schema.c

libpolicy_a_SOURCES += \
	policy/address.c \
	policy/check.c \
	policy/check_key.c \
	policy/check_limits.c \
	policy/check_passage.c \
	policy/check_provider.c \
	policy/check_rule.c \
	policy/check_target.c \
	policy/diag.c policy/diag.h \
	policy/doc.c \
	policy/doc_schema.c \
	policy/files.c policy/files.h \
	policy/fingerprint.c \
	policy/issue.c policy/issue.h \
	policy/load.c policy/load.h \
	policy/pattern.c policy/pattern.h \
	policy/policy.c \
	policy/read.c policy/read.h \
	policy/read_form.c \
	policy/read_value.c \
	policy/read_when.c \
	policy/schema.c policy/schema.h policy/schema_int.h \
	policy/schema_limits.c policy/schema_model.c policy/schema_provider.c \
	policy/schema_rule.c \
	policy/script.c policy/script.def policy/script.h \
	policy/secret.c policy/secret.h \
	policy/unit.c policy/unit.h \
	policy/url.c policy/url.h \
	policy/value.c \
	policy/variant.c \
	policy/vault.c policy/vault.h \
	policy/yaml.c policy/yaml.h

libpolicy_a_SOURCES += \
	policy/catalog.c policy/catalog.h \
	policy/catalog_blob.c \
	policy/catalog_build.c policy/catalog_build.h \
	policy/catalog_check.c \
	policy/catalog_compile.c \
	policy/catalog_image.h \
	policy/catalog_row.c policy/catalog_row.h \
	policy/state.c policy/state.h

# The catalog is compiled by a program of its own, which must not need what it
# is part of: it is built from the same sources once more.
noinst_PROGRAMS += policy/mkcatalog
policy_mkcatalog_SOURCES = policy/mkcatalog.c policy/catalog_build.c \
	policy/catalog_check.c policy/catalog_compile.c policy/catalog_row.c \
	policy/price.c
policy_mkcatalog_CPPFLAGS = $(AM_CPPFLAGS)
policy_mkcatalog_LDADD = libbase.a -lm

policy/catalog.bin: policy/mkcatalog$(EXEEXT) policy/catalog.json
	$(AM_V_GEN)policy/mkcatalog$(EXEEXT) $(srcdir)/policy/catalog.json $@

policy/catalog_blob.$(OBJEXT): policy/catalog.bin

EXTRA_DIST += policy/catalog.json tools/catalog.py
CLEANFILES += policy/catalog.bin

# Pages that the tables write; tests compare them.
docs: app/tollgate.fcgi
	app/tollgate.fcgi policy-doc > docs.tmp && \
		mv docs.tmp $(srcdir)/docs/policy.md
	app/tollgate.fcgi policy-doc --schema > docs.tmp && \
		mv docs.tmp $(srcdir)/docs/policy.schema.json
	TOLLGATE_STATE=docs.none app/tollgate.fcgi models --providers \
		--format markdown > docs.tmp && \
		mv docs.tmp $(srcdir)/docs/providers.md
.PHONY: docs


