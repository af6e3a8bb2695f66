"""Parts that the tests of the pool share. Run from the build directory."""
import concurrent.futures
import os
import shutil
import socket
import subprocess
import tempfile
import time
import traceback

POOL = os.path.abspath("tests/unit/test_pool")
CONNECTOR = os.path.abspath("app/tollgate.cgi")


def record(kind, ident, content=b"", pad=0):
    return bytes([1, kind]) + ident.to_bytes(2, "big") + \
        len(content).to_bytes(2, "big") + bytes([pad, 0]) + content + \
        bytes(pad)


def pair(name, value):
    out = b""
    for part in (name, value):
        n = len(part)
        out += bytes([n]) if n < 128 else (n | 1 << 31).to_bytes(4, "big")
    return out + name.encode() + value.encode()


def request(uri, body=b""):
    return record(1, 1, bytes([0, 1, 0, 0, 0, 0, 0, 0])) + \
        record(4, 1, pair("REQUEST_URI", uri)) + record(4, 1) + \
        (record(5, 1, body) if body else b"") + record(5, 1)


def ask(path, uri="/", timeout=20):
    """One FastCGI request; the content of its answer."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    s.sendall(request(uri))
    data = b""
    while True:
        more = s.recv(65536)
        if not more:
            break
        data += more
    out = b""
    while data:
        n = int.from_bytes(data[4:6], "big")
        if data[1] == 6:
            out += data[8:8 + n]
        data = data[8 + n + data[6]:]
    return out.decode()


def field(text, name):
    return text.split(name + "=")[1].split()[0]


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("waited in vain")


def clean_env(**more):
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "HOME")}
    env.update(more)
    return env


class Pool:
    """A master with workers on a socket of its own."""

    def __init__(self, *args, env=None, **more):
        self.dir = tempfile.mkdtemp(prefix="tollgate-test-")
        self.path = os.path.join(self.dir, "s")
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.broken = os.path.join(self.dir, "broken")
        env = dict(env or clean_env(), POOL_BROKEN=self.broken)
        if not args:
            args = ("--socket", self.path, "--workers", "2")
        self.want = 1 if "1" in args else 2
        self.master = subprocess.Popen([POOL, "serve", *args], env=env,
                                       stderr=self.log, **more)

    def ready(self):
        """Wait until every worker has answered."""
        seen = set()

        def all_seen():
            text = self.answers()
            if text:
                seen.add(field(text, "pid"))
            return len(seen) == self.want
        wait_for(all_seen, 60)
        assert seen == set(map(str, self.workers()))

    def answers(self):
        try:
            return ask(self.path)
        except OSError:
            return None

    def workers(self):
        path = f"/proc/{self.master.pid}/task/{self.master.pid}/children"
        with open(path) as f:
            return set(map(int, f.read().split()))

    def errors(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self, sig=15):
        self.master.send_signal(sig)
        return self.master.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.master.poll() is None:
            self.master.kill()
            self.master.wait()
        self.log.close()
        shutil.rmtree(self.dir)


def attempt(test):
    try:
        test()
        return None
    except Exception:
        return traceback.format_exc()


def run(tests):
    """Run functions, some at a time; the exit status for make check."""
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for test, fault in zip(tests, pool.map(attempt, tests)):
            print("ok  " if fault is None else "FAIL", test.__name__)
            if fault is not None:
                failed = 1
                print(fault)
    return failed
