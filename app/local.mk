# One file a line, so that two branches can both add theirs.
noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = app/request.h
libapp_a_SOURCES += app/front_int.h
libapp_a_SOURCES += app/address.c app/address.h
libapp_a_SOURCES += app/admit.c app/admit.h
libapp_a_SOURCES += app/admin.c app/admin.h
libapp_a_SOURCES += app/alone.c app/alone.h
libapp_a_SOURCES += app/answer.c app/answer.h
libapp_a_SOURCES += app/ask.c app/ask.h
libapp_a_SOURCES += app/attempt.c app/attempt.h
libapp_a_SOURCES += app/auth.c app/auth.h
libapp_a_SOURCES += app/batches.c app/batches.h
libapp_a_SOURCES += app/bounds.c app/bounds.h
libapp_a_SOURCES += app/cgi_names.c app/cgi_names.h
libapp_a_SOURCES += app/cli.c app/cli.h
libapp_a_SOURCES += app/commands.c app/commands.h
libapp_a_SOURCES += app/counters.c app/counters.h
libapp_a_SOURCES += app/refusal.c app/refusal.h
libapp_a_SOURCES += app/credential.c app/credential.h
libapp_a_SOURCES += app/endpoint.c app/endpoint.h
libapp_a_SOURCES += app/entry.c app/entry.h
libapp_a_SOURCES += app/explain.c app/explain.h
libapp_a_SOURCES += app/explain_cli.c app/explain_cli.h
libapp_a_SOURCES += app/facts.c app/facts.h
libapp_a_SOURCES += app/filed.c app/filed.h app/filed_int.h
libapp_a_SOURCES += app/filed_batch.c
libapp_a_SOURCES += app/filed_content.c
libapp_a_SOURCES += app/filed_file.c
libapp_a_SOURCES += app/filed_help.c
libapp_a_SOURCES += app/filed_list.c
libapp_a_SOURCES += app/filed_plan.c
libapp_a_SOURCES += app/filed_upload.c
libapp_a_SOURCES += app/forward.c app/forward.h
libapp_a_SOURCES += app/front.c app/front.h
libapp_a_SOURCES += app/front_cgi.c
libapp_a_SOURCES += app/front_fcgi.c app/front_fcgi.h
libapp_a_SOURCES += app/front_head.c app/front_head.h
libapp_a_SOURCES += app/headers.c app/headers.h
libapp_a_SOURCES += app/health.c app/health.h
libapp_a_SOURCES += app/health_budget.c app/health_int.h
libapp_a_SOURCES += app/health_tell.c
libapp_a_SOURCES += app/health_cli.c app/health_cli.h
libapp_a_SOURCES += app/health_rest.c app/health_rest.h
libapp_a_SOURCES += app/health_share.c app/health_share.h
libapp_a_SOURCES += app/health_stat.c app/health_stat.h
libapp_a_SOURCES += app/retry_after.c
libapp_a_SOURCES += app/health_table.c app/health_table.h
libapp_a_SOURCES += app/intake.c app/intake.h
libapp_a_SOURCES += app/house.c app/house.h
libapp_a_SOURCES += app/keycache.c app/keycache.h
libapp_a_SOURCES += app/keys.c app/keys.h
libapp_a_SOURCES += app/keys_cli.c app/keys_cli.h
libapp_a_SOURCES += app/keystore.c app/keystore.h app/keystore_int.h
libapp_a_SOURCES += app/keystore_redis.c
nodist_libapp_a_SOURCES = app/keystore_lua.h
libapp_a_SOURCES += app/keystore_sqlite.c
libapp_a_SOURCES += app/ledger.c app/ledger.h app/ledger_int.h
libapp_a_SOURCES += app/ledger_cli.c app/ledger_cli.h
libapp_a_SOURCES += app/ledger_journal.c app/ledger_journal.h
libapp_a_SOURCES += app/ledger_rebuild.c app/ledger_rebuild.h
libapp_a_SOURCES += app/ledger_redis.c
nodist_libapp_a_SOURCES += app/ledger_lua.h
libapp_a_SOURCES += app/ledger_sql.c app/ledger_sql.h
libapp_a_SOURCES += app/ledger_sqlite.c
libapp_a_SOURCES += app/ledger_text.c
libapp_a_SOURCES += app/lines.c app/lines.h
libapp_a_SOURCES += app/listener.c app/listener.h
libapp_a_SOURCES += app/meter.c app/meter.h
libapp_a_SOURCES += app/metrics.c app/metrics.h
libapp_a_SOURCES += app/models.c app/models.h
libapp_a_SOURCES += app/nowhere.c app/nowhere.h
libapp_a_SOURCES += app/models_cli.c app/models_cli.h
libapp_a_SOURCES += app/passthrough.c app/passthrough.h
libapp_a_SOURCES += app/pipeline.c app/pipeline.h
libapp_a_SOURCES += app/previous.c app/previous.h
libapp_a_SOURCES += app/token_lock.c app/token_lock.h
libapp_a_SOURCES += app/providers_cli.c app/providers_cli.h
libapp_a_SOURCES += app/purse.c app/purse.h
libapp_a_SOURCES += app/pursuit.c app/pursuit.h
libapp_a_SOURCES += app/ready.c app/ready.h
libapp_a_SOURCES += app/ratelimit.c app/ratelimit.h
libapp_a_SOURCES += app/record.c app/record.h
libapp_a_SOURCES += app/record_walk.c app/record_walk.h
libapp_a_SOURCES += app/relay.c app/relay.h
libapp_a_SOURCES += app/registry.c app/registry.h app/registry_int.h
libapp_a_SOURCES += app/registry_redis.c
nodist_libapp_a_SOURCES += app/registry_lua.h
libapp_a_SOURCES += app/registry_sqlite.c
libapp_a_SOURCES += app/reprice.c app/reprice.h
libapp_a_SOURCES += app/reprice_cli.c app/reprice_cli.h
libapp_a_SOURCES += app/results.c app/results.h
libapp_a_SOURCES += app/serve.c app/serve.h
libapp_a_SOURCES += app/share.c app/share.h
libapp_a_SOURCES += app/hmac.c app/hmac.h
libapp_a_SOURCES += app/sigv4.c app/sigv4.h
libapp_a_SOURCES += app/spool.c app/spool.h
libapp_a_SOURCES += app/sqlite_file.c app/sqlite_file.h
libapp_a_SOURCES += app/store.c app/store.h app/store_err.def app/store_int.h
libapp_a_SOURCES += app/store_conn.c
libapp_a_SOURCES += app/store_url.c app/store_url.h
libapp_a_SOURCES += app/tally.c app/tally.h
libapp_a_SOURCES += app/upload.c app/upload.h
libapp_a_SOURCES += app/token.c app/token.h
libapp_a_SOURCES += app/token_aws.c app/token_int.h
libapp_a_SOURCES += app/token_cloud.c
libapp_a_SOURCES += app/token_source.c app/token_source.h
libapp_a_SOURCES += app/transport.c app/transport.h
libapp_a_SOURCES += app/transport_call.c app/transport_int.h
libapp_a_SOURCES += app/transport_loop.c app/transport_request.c
libapp_a_SOURCES += app/usage.c app/usage.h
libapp_a_SOURCES += app/usage_cli.c app/usage_cli.h
libapp_a_SOURCES += app/webhook.c app/webhook.h
libapp_a_SOURCES += app/will.c app/will.h
libapp_a_SOURCES += app/worker.c app/worker.h

# The program: a FastCGI worker, a CGI and the command line in one.
tollgatedir = $(libexecdir)/tollgate
tollgate_PROGRAMS = app/tollgate.fcgi
app_tollgate_fcgi_SOURCES = app/main.c
app_tollgate_fcgi_LDADD = $(HOUSE_LINK)

# The CGI connector: libc only, so that it starts in no time.
tollgate_PROGRAMS += app/tollgate.cgi
app_tollgate_cgi_SOURCES = app/connector.c
app_tollgate_cgi_SOURCES += app/cgi_names.c app/cgi_names.h
app_tollgate_cgi_SOURCES += app/record_walk.c app/record_walk.h
app_tollgate_cgi_CFLAGS = $(AM_CFLAGS)

# The ledger's scripts, as strings: lua_NAME for app/lua/NAME.lua.
LUA = app/lua/counters.lua
LUA += app/lua/head.lua
LUA += app/lua/hold.lua
LUA += app/lua/lease.lua
LUA += app/lua/leases.lua
LUA += app/lua/look.lua
LUA += app/lua/reap.lua
LUA += app/lua/rebuild.lua
LUA += app/lua/renew.lua
LUA += app/lua/roll.lua
LUA += app/lua/settle.lua
LUA += app/lua/settled.lua
EXTRA_DIST += $(LUA)
BUILT_SOURCES += app/ledger_lua.h
CLEANFILES += app/ledger_lua.h

app/ledger_lua.h: $(LUA)
	$(AM_V_GEN)$(MKDIR_P) app && for f in $(LUA); do \
		echo "static const char lua_`basename $$f .lua`[] ="; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' "$(srcdir)/$$f" && \
		echo ";"; \
	done > $@.tmp && mv $@.tmp $@

app/ledger_redis.$(OBJEXT) app/ledger_rebuild.$(OBJEXT): app/ledger_lua.h

# The store of keys has one script, made in the same way.
EXTRA_DIST += app/lua/keys.lua
BUILT_SOURCES += app/keystore_lua.h
CLEANFILES += app/keystore_lua.h

app/keystore_lua.h: app/lua/keys.lua
	$(AM_V_GEN)$(MKDIR_P) app && { \
		echo "static const char lua_keys[] ="; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' "$(srcdir)/app/lua/keys.lua" && \
		echo ";"; \
	} > $@.tmp && mv $@.tmp $@

app/keystore_redis.$(OBJEXT): app/keystore_lua.h

# So has the registry of what is kept.
EXTRA_DIST += app/lua/kept.lua
BUILT_SOURCES += app/registry_lua.h
CLEANFILES += app/registry_lua.h

app/registry_lua.h: app/lua/kept.lua
	$(AM_V_GEN)$(MKDIR_P) app && { \
		echo "static const char lua_kept[] ="; \
		sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' "$(srcdir)/app/lua/kept.lua" && \
		echo ";"; \
	} > $@.tmp && mv $@.tmp $@

app/registry_redis.$(OBJEXT): app/registry_lua.h
