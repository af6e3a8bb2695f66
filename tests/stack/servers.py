"""The ways that a web server runs tollgate, by the very files of deploy/. A
wrapper sets ports, places and variables, and includes one of them."""

import os
import signal
import urllib.error
import urllib.request

from house import WRAPPER, Pool, free_port, wait_until

LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{dir}/htdocs"
server.errorlog = "{dir}/lighttpd.log"
{user}
var.tollgate_share = "{dir}/share"
var.tollgate_fcgi = "{dir}/libexec/tollgate.fcgi"
var.tollgate_cgi = "{dir}/libexec/{cgi}"
var.tollgate_policy = "{dir}/policy.yaml"
var.tollgate_state = "{dir}/state"
var.tollgate_socket = "{dir}/run/tollgate.sock"
include var.tollgate_share + "/lighttpd/{conf}.conf"
include var.tollgate_share + "/lighttpd/tollgate-only.conf"
"""

APACHE_MODULES = ("mpm_event", "authz_core", "headers", "env", "alias",
                  "mime", "reqtimeout", "rewrite", "proxy", "proxy_fcgi",
                  "fcgid", "cgid")
APACHE = """
ServerRoot {dir}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
DefaultRuntimeDir {dir}/run
PidFile {dir}/run/apache.pid
ErrorLog {dir}/apache.log
TypesConfig /etc/mime.types
{modules}
{user}
ScriptSock {dir}/run/cgisock
FcgidIPCDir {dir}/run/fcgid
FcgidProcessTableFile {dir}/run/fcgid_shm
MaxKeepAliveRequests 0
DocumentRoot {dir}/htdocs
<Directory {dir}/htdocs>
	AllowOverride All
	Require all granted
</Directory>
Define TOLLGATE_SHARE {dir}/share
Define TOLLGATE_LIBEXEC {dir}/libexec
Define TOLLGATE_CGI {dir}/libexec/{cgi}
Define TOLLGATE_SOCKET {dir}/run/tollgate.sock
Define TOLLGATE_POLICY {dir}/policy.yaml
Define TOLLGATE_STATE {dir}/state
Include {dir}/share/apache/tollgate-mpm.conf
Include {dir}/share/apache/{conf}.conf
Include {dir}/share/apache/tollgate-errors.conf
"""


def apache_modules():
    where = "/usr/lib/apache2/modules"
    return "\n".join(f"LoadModule {m}_module {where}/mod_{m}.so"
                     for m in APACHE_MODULES)


class Front:
    """A web server on a free port, and the pool behind it if it needs one."""

    def __init__(self, site, server, conf, cgi="tollgate.cgi", pool=None):
        self.site, self.server, self.pool = site, server, pool
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        user, text = "", LIGHTTPD if server == "lighttpd" else APACHE
        if site.user:
            user = (f'server.username = "{site.user}"\n'
                    f'server.groupname = "{site.user}"'
                    if server == "lighttpd" else
                    f"User {site.user}\nGroup {site.user}")
        self.conf = site.dir / (server + ".conf")
        self.conf.write_text(text.format(
            dir=site.dir, port=self.port, conf=conf, cgi=cgi, user=user,
            modules=apache_modules()))
        self.argv = ["/usr/sbin/lighttpd", "-D", "-f", self.conf] \
            if server == "lighttpd" else \
            ["/usr/sbin/apache2", "-DFOREGROUND", "-f", self.conf]
        self.start()

    def start(self):
        self.process = self.site.start(self.server + ".out", self.argv,
                                       as_root=True)
        wait_until(self.ready, 60 if WRAPPER else 15, "serving")

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.server + " has ended")
        try:
            with urllib.request.urlopen(self.url + "/healthz", timeout=30):
                return True
        except urllib.error.HTTPError as e:
            with e:
                raise AssertionError(f"{e.code} {e.read()}") from e

    def reload(self):
        """The server's graceful restart."""
        self.process.send_signal(signal.SIGUSR1)

    def stop(self):
        self.site.stop(self.process)


# name: (server, configuration, program of CGI, needs a pool)
FRONTS = {
    "lighttpd": ("lighttpd", "tollgate", "", False),
    "lighttpd-socket": ("lighttpd", "tollgate-socket", "", True),
    "apache-proxy": ("apache", "tollgate-proxy", "", True),
    "apache-fcgid": ("apache", "tollgate-fcgid", "", False),
    "lighttpd-cgi": ("lighttpd", "tollgate-cgi", "tollgate.cgi", True),
    "lighttpd-cgi-alone": ("lighttpd", "tollgate-cgi", "tollgate.fcgi",
                           False),
    "apache-cgi": ("apache", "tollgate-cgi", "tollgate.cgi", True),
    "apache-cgi-alone": ("apache", "tollgate-cgi", "tollgate.fcgi", False),
}
POOLED = ("lighttpd", "lighttpd-socket", "apache-proxy")


def open_front(site, name, workers=2):
    """The front of this name, its pool first."""
    server, conf, cgi, pooled = FRONTS[name]
    pool = Pool(site, workers) if pooled else None
    return Front(site, server, conf, cgi, pool)


def asked(front, *tags):
    """How many requests each target with one of these tags got."""
    bill = front.site.upstream.bill()["modes"]
    return [sum(e["requests"] for k, e in bill.items()
                if k.endswith("/tag=" + tag)) for tag in tags]


def chosen():
    """All fronts, or those that TOLLGATE_FRONTS names."""
    names = os.environ.get("TOLLGATE_FRONTS", "").split()
    return [n for n in FRONTS if not names or n in names]
