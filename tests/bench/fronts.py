"""What is measured: the ways from the load to the upstream. Each one is
started on free ports of 127.0.0.1; tollgate is put behind the web servers by
the very files of deploy/."""

import http.client
import json
import os
import random
import shutil
import socket
import zlib

from procs import Failed, wait_for

DIGITS = ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
          "abcdefghijklmnopqrstuvwxyz")
PATH = "/v1/chat/completions"

LIGHTTPD = """
server.port = {port}
server.bind = "127.0.0.1"
server.document-root = "{dir}/htdocs"
server.pid-file = "{dir}/{name}.pid"
server.errorlog = "{dir}/{name}.error.log"
server.modules = ()
"""

LIGHTTPD_PROXY = """
server.modules += ( "mod_proxy" )
server.max-fds = 16384
server.max-connections = 8192
server.listen-backlog = 4096
server.max-keep-alive-requests = 1000000
server.stream-request-body = 0
server.stream-response-body = 2
server.feature-flags = ( "server.h2proto" => "disable" )
proxy.server = ( "/v1/" => (( "host" => "127.0.0.1", "port" => {upstream} )) )
"""

LIGHTTPD_TOLLGATE = """
var.tollgate_share = "{deploy}"
var.tollgate_fcgi = "{program}"
var.tollgate_cgi = "{program}"
var.tollgate_policy = "{policy}"
var.tollgate_state = "{state}"
var.tollgate_socket = "{socket}"
var.tollgate_workers = 1
include "{deploy}/lighttpd/tollgate-socket.conf"
"""

APACHE = """
ServerRoot {dir}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {dir}/{name}.pid
ErrorLog {dir}/{name}.error.log
DocumentRoot {dir}/htdocs
TypesConfig /dev/null
KeepAlive On
MaxKeepAliveRequests 0
{modules}
<IfModule unixd_module>
	User {user}
	Group {group}
</IfModule>
Define TOLLGATE_SHARE {deploy}
Define TOLLGATE_SOCKET {socket}
Include {deploy}/apache/tollgate-mpm.conf
Include {deploy}/apache/tollgate-proxy.conf
"""
APACHE_MODULES = ("mpm_event", "unixd", "authz_core", "headers", "env",
                  "alias", "mime", "reqtimeout", "proxy", "proxy_fcgi")
APACHE_DIR = "/usr/lib/apache2/modules"

# What a client asks for: the same dialect on both sides, and another one.
SAME, OTHER = "bench", "bench-messages"
PRICE = {"input": 1, "output": 2}
POLICY = {
    "providers": {SAME: {"adapter": "openai", "key": "none"},
                  OTHER: {"adapter": "anthropic", "key": "plain:bench"}},
    "models": {name: {"targets": [{"provider": name, "model": "bench",
                                   "price": PRICE}]}
               for name in (SAME, OTHER)},
    "keys": [{"name": "bench"}],
}

# Keys that hold and settle, beside one that has no limits: the dearest of
# them in all kinds of counters. No limit is ever reached; of the last key one
# is so near that each request asks the store.
NEAR = "near a limit"
KEYS = {
    "a budget": {"budget": "1000000 USD / day"},
    "all limits": {"budget": ["1000000 USD / day", "2000000 USD / month"],
                   "rpm": 100000000, "tpm": 1000000000000,
                   "parallel": 100000},
    NEAR: {"budget": "1000000 USD / day", "parallel": 1000},
}


def virtual_key(seed):
    """A key of the right form: 30 digits and their CRC."""
    draw = random.Random(seed)
    body = "".join(draw.choice(DIGITS) for _ in range(30))
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, d = divmod(crc, 62)
        tail = DIGITS[d] + tail
    return "tg_" + body + tail


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bench:
    """The surroundings: folders, cores, processes, the upstream."""

    def __init__(self, args, procs, work):
        self.args, self.procs, self.dir = args, procs, work
        self.key = virtual_key(7)
        self.limited = {name: virtual_key(8 + i)
                        for i, name in enumerate(KEYS)}
        self.store = None # of policies written from now on
        self.upstream_port = self.upstream = None
        os.mkdir(os.path.join(work, "htdocs"))

    def tool(self, name):
        path = os.path.join(self.args.build, "tests", "bench", name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is not built: make bench-tools")
        return path

    def start_upstream(self, chunks, every, reply):
        if self.upstream is not None:
            self.procs.stop(self.upstream)
        self.upstream_port = free_port()
        self.upstream = self.procs.start(
            [self.tool("upstream"), "--port", str(self.upstream_port),
             "--chunks", str(chunks), "--every", str(every),
             "--reply", str(reply)], self.args.load_cores, "upstream")
        wait_for("upstream", lambda: reachable(self.upstream_port))

    def policy(self, name):
        """A policy file that knows the upstream and the key."""
        policy = json.loads(json.dumps(POLICY))
        at = f"http://127.0.0.1:{self.upstream_port}"
        policy["providers"][SAME]["base_url"] = at + "/v1"
        policy["providers"][OTHER]["base_url"] = at
        policy["keys"][0]["secret"] = "plain:" + self.key
        if self.store is not None: # without one, no ledger is ever asked
            policy["store"] = self.store
            policy["keys"] += [
                {"name": name.replace(" ", "-"), **KEYS[name],
                 "secret": "plain:" + secret}
                for name, secret in self.limited.items()]
        policy["log"] = os.path.join(self.dir, name + ".records")
        return self.write(name + ".policy.yaml",
                          json.dumps(policy, indent=1) + "\n")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


    def start_redis(self):
        """A Redis of the bench's own, on whatever core is idle; its address
        for a policy goes into self.store."""
        path = os.path.join(self.dir, "redis.sock")
        p = self.procs.start(
            ["redis-server", "--port", "0", "--unixsocket", path, "--save",
             "", "--appendonly", "no", "--dir", self.dir], None, "redis")
        wait_for("redis", lambda: os.path.exists(path))
        self.store = "redis+unix://" + path
        return p


def reachable(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def ask(port, key, body, timeout=10):
    """One request; status and body."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("POST", PATH, body, {
            "Authorization": "Bearer " + key,
            "Content-Type": "application/json"})
        r = c.getresponse()
        return r.status, r.read()
    except (OSError, http.client.HTTPException) as e:
        return 0, str(e).encode()
    finally:
        c.close()


class Front:
    """A way to the upstream: port to ask, web server's and app's pids."""

    name = title = ""

    def __init__(self, bench, tag):
        self.bench, self.id = bench, f"{self.name}-{tag}"
        self.wrapper = [] # before the program, of tollgate's ways
        self.port, self.web, self.app = None, None, None
        self.redis = None # that the app asks

    def start(self):
        self.port = free_port()
        self.launch()
        wait_for(self.id, lambda: self.alive() and reachable(self.port))
        body = json.dumps({"model": "bench", "messages": [
            {"role": "user", "content": "hello"}]})
        status, answer = ask(self.port, self.bench.key, body, 60)
        if status != 200 or b'"chatcmpl-bench"' not in answer:
            raise Failed(f"{self.id}: {status} {answer[:300]!r}")
        return self

    def launch(self):
        raise NotImplementedError

    def alive(self):
        for p in (self.web, self.app):
            if p is not None and p.poll() is not None:
                raise Failed(f"{self.id}: {p.args[0]} ended with "
                             f"{p.returncode}")
        return True

    def stop(self):
        for p in (self.web, self.app):
            if p is not None:
                self.bench.procs.stop(p)

    def parts(self):
        """Name → pid of what does the work."""
        return {k: p.pid for k, p in
                (("web", self.web), ("app", self.app),
                 ("redis", self.redis)) if p is not None}

    def run_lighttpd(self, text, **names):
        b = self.bench
        conf = b.write(self.id + ".conf", (LIGHTTPD + text).format(
            port=self.port, dir=b.dir, name=self.id, **names))
        self.web = b.procs.start(["/usr/sbin/lighttpd", "-D", "-f", conf],
                                 b.args.sut_cores, self.id)

    def run_pool(self):
        """One worker of tollgate with its listening socket as fd 0."""
        b = self.bench
        program = os.path.join(b.args.build, "app", "tollgate.fcgi")
        sock = os.path.join(b.dir, self.id + ".sock")
        state = os.path.join(b.dir, self.id + ".state")
        shutil.rmtree(state, ignore_errors=True)
        os.mkdir(state, 0o700)
        if os.path.exists(sock):
            os.unlink(sock)
        where = {"program": program, "socket": sock, "state": state,
                 "policy": b.policy(self.id)}
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(sock)
            os.chmod(sock, 0o666)
            s.listen(4096)
            self.app = b.procs.start(
                [*self.wrapper, program], b.args.sut_cores, self.id + ".app", stdin=s,
                env=dict(os.environ, TOLLGATE_POLICY=where["policy"],
                         TOLLGATE_STATE=state,
                         TOLLGATE_DEBUG="1")) # its memory may be counted
        return where


class Direct(Front):
    """The upstream by itself: what the load and the machine can do."""

    name, title = "direct", "direct to the upstream"

    def start(self):
        self.port = self.bench.upstream_port
        self.web = self.bench.upstream
        return self

    def stop(self):
        pass


class LighttpdProxy(Front):
    """What a plain reverse proxy costs: the measure of all the others."""

    name, title = "lighttpd-proxy", "lighttpd mod_proxy"

    def launch(self):
        self.run_lighttpd(LIGHTTPD_PROXY, upstream=self.bench.upstream_port)


class LighttpdTollgate(Front):
    name, title = "lighttpd", "tollgate behind lighttpd"

    def launch(self):
        self.run_lighttpd(LIGHTTPD_TOLLGATE, deploy=self.bench.args.deploy,
                          **self.run_pool())


class ApacheTollgate(Front):
    name, title = "apache", "tollgate behind Apache mod_proxy_fcgi"

    def launch(self):
        b = self.bench
        conf = b.write(self.id + ".conf", APACHE.format(
            port=self.port, dir=b.dir, name=self.id, deploy=b.args.deploy,
            modules=modules(), **self.run_pool(), **owner()))
        self.web = b.procs.start(["/usr/sbin/apache2", "-DFOREGROUND",
                                  "-f", conf], b.args.sut_cores, self.id)


def modules():
    """Lines that load what is not built in."""
    files = ((m, f"{APACHE_DIR}/mod_{m}.so") for m in APACHE_MODULES)
    return "\n".join(f"LoadModule {m}_module {path}" for m, path in files
                     if os.path.exists(path))


def owner():
    """Whom Apache's children run as: started by root it wants somebody."""
    if os.geteuid() == 0:
        return {"user": "www-data", "group": "www-data"}
    return {"user": f"#{os.geteuid()}", "group": f"#{os.getegid()}"}


FRONTS = {f.name: f for f in (Direct, LighttpdProxy, LighttpdTollgate,
                              ApacheTollgate)}
