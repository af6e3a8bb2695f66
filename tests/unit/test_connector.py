#!/usr/bin/env python3
"""CGI: the connector against a real pool and false ones, and the front when
it answers a CGI request by itself."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from pool import CONNECTOR, POOL, Pool, clean_env, field, record, run, \
    wait_for

END = record(3, 1, bytes(8))
LIMIT = 32 << 20


def checksum(body):
    total = 0
    for b in body:
        total = (total * 31 + b) & 0xffffffff
    return total


def cgi_env(uri="/", body=None, **more):
    env = clean_env(GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST",
                    REQUEST_URI=uri, HTTP_X_EMPTY="", **more)
    if body is not None:
        env["CONTENT_LENGTH"] = str(len(body))
    return env


def call(program, env, body=b"", **more):
    return subprocess.run([program], env=env, input=body, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **more)


def check_answer(done, body, refused="OK"):
    assert done.returncode == 0, (done.returncode, done.stderr[:400])
    head, text = done.stdout.split(b"\r\n\r\n", 1)
    text = text.decode()
    assert head.startswith(b"Status: 200 OK\r\n")
    kept = body if refused == "OK" else b""
    assert field(text, "len") == str(len(kept)), text
    assert field(text, "sum") == str(checksum(kept)), text
    assert field(text, "refused") == refused
    assert field(text, "path") == "-"  # PATH is none of its business
    return text


def bodies():
    return [b"", b"x", os.urandom(32767), os.urandom(32768),
            os.urandom(65537), os.urandom(1 << 20)]


def test_connector():
    with Pool() as p:
        p.ready()
        for body in bodies():
            env = cgi_env("/x?" + "y" * 300, body, TOLLGATE_SOCKET=p.path)
            done = call(CONNECTOR, env, body + b"beyond the length")
            text = check_answer(done, body)
            assert int(field(text, "pid")) in p.workers()
            assert field(text, "uri").startswith("/x?yyy")
        env = cgi_env("/", TOLLGATE_SOCKET=p.path)
        check_answer(call(CONNECTOR, env), b"")


def test_connector_state_directory():
    with Pool() as q:
        env = clean_env(TOLLGATE_STATE=q.dir)
        with Pool("--workers", "1", env=env) as p:
            p.path = q.dir + "/tollgate.sock"
            p.ready()
            env = cgi_env("/", TOLLGATE_STATE=q.dir)
            text = check_answer(call(CONNECTOR, env), b"")
            assert int(field(text, "pid")) in p.workers()


def test_connector_limits():
    with Pool() as p:
        p.ready()
        body = bytes(LIMIT + 1)
        env = cgi_env("/", body, TOLLGATE_SOCKET=p.path)
        check_answer(call(CONNECTOR, env, body), body, "TOO_LARGE")
        env = cgi_env("/", b"x", TOLLGATE_SOCKET=p.path,
                      HTTP_X_LARGE="x" * 70000)
        check_answer(call(CONNECTOR, env, b"x"), b"", "HEADERS_TOO_LARGE")


def test_connector_faults():
    with Pool() as p:
        p.ready()
        env = cgi_env("/", TOLLGATE_SOCKET=p.path, CONTENT_LENGTH="12x")
        done = call(CONNECTOR, env)
        assert done.stdout.startswith(b"Status: 400 ")
        env = cgi_env("/", b"four", TOLLGATE_SOCKET=p.path)
        done = call(CONNECTOR, env, b"two")
        assert done.stdout.startswith(b"Status: 400 ")
        env = cgi_env("/die", TOLLGATE_SOCKET=p.path)
        done = call(CONNECTOR, env)
        assert done.stdout.startswith(b"Status: 502 ")
        assert done.returncode == 0
        wait_for(p.answers)
        env = cgi_env("/half", TOLLGATE_SOCKET=p.path)
        done = call(CONNECTOR, env)
        assert done.returncode == 0 or b"half" in done.stdout
        env = cgi_env("/big", TOLLGATE_SOCKET=p.path)
        done = call(CONNECTOR, env)
        assert len(done.stdout) == 18 + (40 << 20)


def test_connector_client_leaves():
    """The pool hears of a client that leaves, speaking or silent."""
    for uri in ("/big", "/slow"):
        with Pool() as p:
            p.ready()
            c = subprocess.Popen([CONNECTOR], stdin=subprocess.DEVNULL,
                                 env=cgi_env(uri, TOLLGATE_SOCKET=p.path),
                                 stdout=subprocess.PIPE)
            if uri == "/big":
                c.stdout.read(1000)
            else:
                time.sleep(0.3)
            c.stdout.close()
            assert c.wait(20) != 0
            wait_for(lambda: "gone" in p.errors())


class FalsePool:
    """Answers each connection with the same bytes, then closes."""

    def __init__(self, answer, read=True):
        self.dir = tempfile.mkdtemp(prefix="tollgate-test-")
        self.path = self.dir + "/s"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.answer, self.read = answer, read
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        s, _ = self.listener.accept()
        while self.read and not s.recv(65536).endswith(record(5, 1)):
            pass
        s.sendall(self.answer)
        s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        shutil.rmtree(self.dir)


def relay(answer, read=True):
    with FalsePool(answer, read) as p:
        return call(CONNECTOR, cgi_env("/", TOLLGATE_SOCKET=p.path))


def test_connector_hostile_pool():
    out = record(6, 1, b"Status: 200 OK\r\n\r\nhello", 7)
    done = relay(out + record(7, 1, b"trouble\n") + record(6, 1) + END)
    assert done.returncode == 0 and done.stdout.endswith(b"\r\n\r\nhello")
    assert done.stderr == b"trouble\n"
    done = relay(out + record(3, 1, bytes([0, 0, 0, 5, 0, 0, 0, 0])))
    assert done.returncode == 5
    done = relay(record(11, 0, bytes(8)) + out + END)  # management
    assert done.returncode == 0 and done.stdout.endswith(b"hello")
    for bad in (b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\1\6", record(6, 2, b"x"),
                record(5, 1, b"x"), record(1, 1, bytes(8)),
                record(3, 1, bytes(7)), record(200, 1),
                record(3, 1, bytes([0, 0, 0, 0, 2, 0, 0, 0]))):
        done = relay(bad)
        assert done.stdout.startswith(b"Status: 502 "), (bad, done.stdout)
        done = relay(out + bad)
        assert done.stdout.endswith(b"hello"), (bad, done.stdout)
        assert done.returncode == 1, bad
    done = relay(b"", read=False)
    assert done.stdout.startswith(b"Status: 502 ")


def test_stand_in():
    """Without a pool the program beside the connector answers."""
    with Pool() as q:
        own = shutil.copy(CONNECTOR, q.dir + "/tollgate.cgi")
        body = os.urandom(70000)
        env = cgi_env("/x", body, TOLLGATE_SOCKET=q.dir + "/none")
        done = call(own, env, body)
        assert done.stdout.startswith(b"Status: 503 ")
        os.symlink(POOL, q.dir + "/tollgate.fcgi")
        check_answer(call(own, env, body), body)
        link = q.dir + "/cgi"  # found where the program is, not its link
        os.symlink(own, link)
        check_answer(call(link, env, body), body)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(q.dir + "/stale")
        stale.close()
        env["TOLLGATE_SOCKET"] = q.dir + "/stale"
        check_answer(call(own, env, body), body)
        env["TOLLGATE_SOCKET"] = q.dir + "/" + "long" * 40
        check_answer(call(own, env, body), body)


def test_cgi_front():
    for body in bodies() + [bytes(LIMIT)]:
        if len(body) < 1 << 21:
            check_answer(call(POOL, cgi_env("/x", body), body), body)
        else:
            done = call(POOL, cgi_env("/x", body), body)
            assert field(done.stdout.decode(), "len") == str(len(body))
    check_answer(call(POOL, cgi_env("/x")), b"")
    body = bytes(LIMIT + 1)
    check_answer(call(POOL, cgi_env("/x", body), body), body, "TOO_LARGE")
    many = {f"HTTP_X_{i}": "y" for i in range(256)}
    check_answer(call(POOL, cgi_env("/x", b"x", **many), b"x"), b"x",
                 "HEADERS_TOO_LARGE")
    check_answer(call(POOL, cgi_env("/x", b"four"), b"two"), b"",
                 "BAD_REQUEST")
    check_answer(call(POOL, cgi_env("/x", CONTENT_LENGTH="-1"), b""), b"",
                 "BAD_REQUEST")


def test_cgi_front_outputs():
    done = call(POOL, cgi_env("/big"))
    assert len(done.stdout) == 18 + (40 << 20)
    with tempfile.TemporaryFile() as f:
        subprocess.run([POOL], env=cgi_env("/big"), stdout=f, timeout=60,
                       stdin=subprocess.DEVNULL, check=True)
        assert os.fstat(f.fileno()).st_size == 18 + (40 << 20)
    with tempfile.TemporaryFile() as f:  # lighttpd gives bodies as files
        f.write(b"hello")
        f.seek(0)
        done = subprocess.run([POOL], env=cgi_env("/x", b"hello"), stdin=f,
                              stdout=subprocess.PIPE, timeout=60)
        check_answer(done, b"hello")


def test_cgi_front_client_leaves():
    for uri in ("/big", "/slow"):
        c = subprocess.Popen([POOL], stdin=subprocess.DEVNULL,
                             env=cgi_env(uri), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        if uri == "/big":
            c.stdout.read(1000)
        else:
            time.sleep(0.3)
        c.stdout.close()
        begun = time.monotonic()
        assert c.wait(20) == 7
        assert time.monotonic() - begun < 1
        c.stderr.close()


raise SystemExit(run([f for n, f in list(globals().items())
                      if n.startswith("test_")]))
