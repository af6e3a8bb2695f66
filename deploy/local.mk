# What the web servers include: the files name each other below $(pkgdatadir).
deploylighttpddir = $(pkgdatadir)/lighttpd
dist_deploylighttpd_DATA = \
	deploy/lighttpd/tollgate.conf \
	deploy/lighttpd/tollgate-socket.conf \
	deploy/lighttpd/tollgate-cgi.conf \
	deploy/lighttpd/tollgate-common.conf \
	deploy/lighttpd/tollgate-only.conf \
	deploy/lighttpd/tollgate-settings.conf
dist_deploylighttpd_SCRIPTS = deploy/lighttpd/machine

deployapachedir = $(pkgdatadir)/apache
dist_deployapache_DATA = \
	deploy/apache/tollgate-proxy.conf \
	deploy/apache/tollgate-fcgid.conf \
	deploy/apache/tollgate-cgi.conf \
	deploy/apache/tollgate-common.conf \
	deploy/apache/tollgate-errors.conf \
	deploy/apache/tollgate-mpm.conf \
	deploy/apache/htaccess

deployerrorsdir = $(pkgdatadir)/errors
dist_deployerrors_DATA = \
	deploy/errors/400.html deploy/errors/401.html \
	deploy/errors/403.html deploy/errors/404.html \
	deploy/errors/405.html deploy/errors/408.html \
	deploy/errors/411.html deploy/errors/413.html \
	deploy/errors/414.html deploy/errors/417.html \
	deploy/errors/431.html deploy/errors/500.html \
	deploy/errors/501.html deploy/errors/502.html \
	deploy/errors/503.html deploy/errors/504.html \
	deploy/errors/505.html

deploysystemddir = $(pkgdatadir)/systemd
dist_deploysystemd_DATA = \
	deploy/systemd/tollgate.socket \
	deploy/systemd/tollgate.service \
	deploy/systemd/tmpfiles.conf

# Here they name the places of the prefix /usr/local, so that they can be used
# as they lie; what is installed names the places that it was installed to.
install-data-hook:
	for f in $(dist_deploylighttpd_DATA) $(dist_deployapache_DATA) \
	    $(dist_deploysystemd_DATA); do \
		f="$(DESTDIR)$(pkgdatadir)/$${f#deploy/}" && \
		sed -e 's|/usr/local/share/doc/tollgate|$(docdir)|g' \
		    -e 's|/usr/local/share/tollgate|$(pkgdatadir)|g' \
		    -e 's|/usr/local/libexec|$(libexecdir)|g' \
		    -e 's|/usr/local/bin|$(bindir)|g' "$$f" >"$$f.new" && \
		cat "$$f.new" >"$$f" && rm -f "$$f.new" || exit 1; \
	done

EXTRA_DIST += deploy/install-packages deploy/demo/packages.txt \
	deploy/demo/run deploy/demo/policy.py deploy/demo/upstream.py \
	deploy/demo/lighttpd.conf
