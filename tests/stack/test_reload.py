"""Changes while requests run: the policy, the workers, the web servers. No
stream is cut, no request is lost, each one sees one version."""

import os
import signal
import threading
import time

import pytest

from client import Reply, ask, begin, chat, is_error
from house import Policy, Pool, descendants, wait_until
from servers import Front, chosen, open_front


class Load:
    """Clients that ask all the time, and streams that run meanwhile."""

    def __init__(self, front, model="ok", streams=20, clients=4):
        self.front, self.model = front, model
        self.replies, self.streams, self.slowest = [], [], 0.0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask)
                        for _ in range(clients)]
        self.threads += [threading.Thread(target=self.stream)
                         for _ in range(streams)]

    def ask(self):
        while not self.stop.is_set():
            began = time.time()
            self.replies.append(self.one(self.model))
            self.slowest = max(self.slowest, time.time() - began)
            time.sleep(0.01)

    def stream(self):
        self.streams.append(self.one("long", stream=True))

    def one(self, model, **more):
        """A reply, also when none came."""
        try:
            return chat(self.front, model, timeout=25, **more)
        except (OSError, EOFError, ValueError) as e:
            reply = Reply()
            reply.body = repr(e).encode()
            return reply

    def __enter__(self):
        for t in self.threads:
            t.start()
        time.sleep(0.7)
        return self

    def __exit__(self, *_exc):
        self.stop.set()
        for t in self.threads:
            t.join()

    def check(self, words=150):
        """Nothing failed, nothing was cut."""
        bad = [(r.status, r.body[:200]) for r in self.replies
               if r.status != 200 or r.text() != "hello there"]
        assert not bad, (len(bad), len(self.replies), bad[:3])
        assert len(self.replies) > 20
        for r in self.streams:
            assert r.status == 200 and r.complete and r.done(), r.body[-300:]
            assert len(r.text().split()) == words


def running(upstream):
    return upstream.bill("m/stream/150/20")["running"]


def policy(site):
    return Policy(site).model("ok", "m/ok").model("long", "m/stream/150/20")


# --- the policy ---------------------------------------------------------------

def versions(site, v):
    """Version v: its provider and its name of the model say which it is."""
    p = policy(site)
    p.model("which", f"m/echo/tag=v{v}")
    p.doc["models"]["which"]["targets"][0]["model"] = f"name-v{v}"
    return p


@pytest.mark.parametrize("name", [n for n in ("lighttpd", "lighttpd-socket")
                                  if n in chosen()])
def test_policy_changes_under_load(site, name):
    versions(site, 0).write()
    front = open_front(site, name)
    seen = set()
    faults = []
    stop = threading.Event()

    def client():
        while not stop.is_set():
            r = chat(front, "which")
            if r.status != 200:
                faults.append((r.status, r.body[:200]))
                continue
            text = r.text()
            found = {v for v in range(100)
                     if f"/tag=v{v}/" in text or f"name-v{v}\\" in text}
            if len(found) != 1:
                faults.append(text)
            seen.update(found)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for v in range(1, 6):
        versions(site, v).write()
        if front.pool:
            front.pool.signal(signal.SIGHUP)
        time.sleep(1.3)
    stop.set()
    for t in threads:
        t.join()
    assert not faults, faults[:3]
    assert seen >= {0, 5} and len(seen) >= 5, seen


def test_broken_policy_keeps_the_old_one(site):
    policy(site).write()
    front = open_front(site, chosen()[0])
    site.policy.write_text("models: { ok: [ }\n")
    site.own(site.policy)

    def said():
        return b"policy.yaml:1" in ask(front, "GET", "/readyz", []).body

    wait_until(said, 5, "told by /readyz")
    assert ask(front, "GET", "/readyz", []).status == 200
    assert chat(front, "ok").text() == "hello there"
    policy(site).model("new", "m/ok/tag=new").write()
    wait_until(lambda: chat(front, "new").status == 200, 5, "in force")
    wait_until(lambda: not said(), 5, "well again")


# --- the workers ----------------------------------------------------------------

pooled = pytest.mark.parametrize(
    "name", [n for n in ("lighttpd-socket", "apache-proxy") if n in chosen()])


@pooled
def test_workers_are_replaced(site, name):
    policy(site).write()
    front = open_front(site, name)
    old = front.pool.workers()
    with Load(front) as load:
        front.pool.signal(signal.SIGUSR1)
        wait_until(lambda: not set(old) & set(front.pool.workers())
                   or running(site.upstream) == 0, 20, "replaced")
    load.check()
    wait_until(lambda: not set(old) & set(front.pool.workers()), 10,
               "replaced")
    assert len(front.pool.workers()) == len(old)
    assert load.slowest < 2.0


@pooled
def test_pool_restarts_on_a_socket_that_stays(site, name):
    """As under systemd: the socket outlives the pool, requests wait."""
    policy(site).write()
    front = open_front(site, name)
    with begin(front, "long", stream=True) as call:
        call.read(events=5)
        front.pool.process.send_signal(signal.SIGTERM)
        assert call.read().done()
    assert front.pool.process.wait(10) == 0
    is_error(chat(front, "ok"), 503)
    Pool(site)
    wait_until(lambda: chat(front, "ok").status == 200, 5, "serving again")


with_pool = pytest.mark.skipif("lighttpd-socket" not in chosen(),
                               reason="not asked for")


@with_pool
def test_killed_worker(site):
    """SIGKILL before the answer: an error in JSON; within one: the client
    can tell; others do not notice; a new worker stands in."""
    policy(site).model("hang", "m/hang").write()
    front = open_front(site, "lighttpd-socket", workers=1)
    pid = front.pool.workers()[0]
    with begin(front, "hang") as waiting, \
            begin(front, "long", stream=True) as cut:
        cut.read(events=5)
        wait_until(lambda: site.upstream.bill("m/hang")["running"] == 1)
        os.kill(pid, signal.SIGKILL)
        r = waiting.read()
        is_error(r, r.status)
        assert r.status in (500, 502, 503)
        r = cut.read()
        assert not r.done() and not r.complete
    wait_until(lambda: chat(front, "ok").status == 200, 5, "serving again")


@with_pool
def test_crashing_worker_harms_no_other(site):
    """A worker dies every half second; only its own requests fail."""
    policy(site).write()
    front = open_front(site, "lighttpd-socket")
    with Load(front, streams=0) as load:
        for _ in range(4):
            os.kill(front.pool.workers()[0], signal.SIGKILL)
            wait_until(lambda: len(front.pool.workers()) == 2, 3)
            time.sleep(0.5)
    bad = [r for r in load.replies if r.status != 200]
    assert len(bad) <= 4 * 4
    for r in bad:
        is_error(r, r.status)
    assert len(load.replies) > 50


# --- the web servers ---------------------------------------------------------------

@pytest.mark.parametrize("name", [
    n for n in ("lighttpd-socket", "lighttpd", "apache-proxy")
    if n in chosen()])
def test_web_server_reloads(site, name):
    """Streams run to their end. Where the pool is apart new requests are
    served at once; a lighttpd that spawns it lets them wait instead."""
    policy(site).write()
    front = open_front(site, name)
    with Load(front) as load:
        front.reload()
        wait_until(lambda: running(site.upstream) == 0, 20, "finished")
        time.sleep(0.5)
    load.check()
    if front.pool:
        assert load.slowest < (2.0 if name == "lighttpd-socket" else 6.0)


@pytest.mark.skipif("apache-fcgid" not in chosen(), reason="not asked for")
def test_fcgid_reloads(site):
    """mod_fcgid lets running streams end. (What waits for a process while
    it restarts its process manager may wait for good: its own fault.)"""
    policy(site).write()
    front = open_front(site, "apache-fcgid")
    with Load(front, streams=4, clients=0) as load:
        wait_until(lambda: running(site.upstream) == 4, 10, "streaming")
        front.reload()
    assert [r for r in load.streams
            if not r.done() or len(r.text().split()) != 150] == []
    wait_until(lambda: chat(front, "ok").status == 200, 10, "serving")


def test_stop_leaves_nothing(site):
    """The pool's end is the end of all its processes."""
    policy(site).write()
    pool = Pool(site)
    pids = [pool.process.pid, *descendants(pool.process.pid)]
    assert len(pids) >= 3
    pool.process.send_signal(signal.SIGTERM)
    assert pool.process.wait(10) == 0
    assert [p for p in pids if os.path.exists(f"/proc/{p}")] == []
    assert not pool.socket.exists()


def test_pool_does_not_take_a_busy_socket(site):
    policy(site).write()
    pool = Pool(site)
    second = site.start("second", [site.libexec / "tollgate.fcgi", "serve",
                                   "--socket", pool.socket])
    assert second.wait(10) != 0
    assert pool.open()


def test_front_without_a_pool(site):
    """The web server answers in the clients' shape when the pool is away."""
    policy(site).write()
    name = next(n for n in ("lighttpd-socket", "apache-proxy")
                if n in chosen())
    front = open_front(site, name)
    site.stop(front.pool.process)
    is_error(chat(front, "ok"), 503, "overloaded_error",
             "gateway_unavailable")
    assert isinstance(front, Front)
