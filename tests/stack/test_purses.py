"""Keys far from their limits, asked for often: workers hold in advance and
give holds out themselves. The books are as exact as if each request had asked
the store, also when workers are killed or replaced and when the store stands
still."""

import contextlib
import fcntl
import json
import os
import random
import re
import signal
import sqlite3
import threading
import time

import pytest

from books import N, Books, billed, spent
from client import CHAT, Call, Reply, bearer, chat_body
from house import Pool, Site, wait_until
from servers import FRONTS, Front, chosen
from stores import Redis

# Both before the same pool: its workers do not see which one asks.
NAMES = [n for n in ("lighttpd-socket", "apache-proxy") if n in chosen()]
WORKERS = 3
CLIENTS = 32
KILLS = 10
INHERITED = 10.0    # s after the last kill; a lease would take 30
CLOSED = 0.4        # s after which a store that stands still is noticed
AT_ONCE = 0.5       # s that a refusal takes
PAUSE = 2.0
BODY = {"max_tokens": 30}
HOLD = (1024 + len(chat_body("late", **BODY)) + 30 * 2) * N
PAID = (2 + 3 * 2) * N

EACH_COUNTER = """
local all = {}
for _, k in ipairs(redis.call('KEYS', '{tollgate}:c:*')) do
	local v = redis.call('HMGET', k, 'u', 'h')
	all[#all + 1] = { k, v[1] or '0', v[2] or '0' }
end
return cjson.encode(all)"""

pytestmark = pytest.mark.skipif(
    not NAMES, reason="no front with a pool of its own")


def is_dead(will):
    """Has nobody locked it?"""
    try:
        with open(will, "rb") as f:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    except (BlockingIOError, FileNotFoundError):
        return False


class Kept(Call):
    """Requests that are all the same, on one connection."""

    def __init__(self, port, key, model, text):
        body = chat_body(model, text, **BODY)
        head = [f"POST {CHAT} HTTP/1.1", "Host: 127.0.0.1",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                *(f"{n}: {v}" for n, v in bearer(key))]
        self.bytes = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        super().__init__(port, "POST", CHAT, raw=self.bytes)

    def again(self):
        self.reply = Reply()
        self.sock.sendall(self.bytes)

    def stays(self):
        return self.reply.complete and \
            self.reply.headers.get("connection", "").lower() != "close"


class Load:
    """Clients that ask all the time, as many at each front. said: when each
    request began, how long it took, its status (0: it was cut)."""

    def __init__(self, host, model):
        self.host, self.model = host, model
        self.said = []
        self.go, self.end = threading.Event(), False
        self.threads = [threading.Thread(target=self.ask, args=(i,))
                        for i in range(CLIENTS)]
        self.idle = threading.Semaphore(0)

    def ask(self, i):
        front = self.host.fronts[i % len(self.host.fronts)]
        text = "hello there" if self.model == "late" else \
            " ".join(["word"] * (1 + i % 5))
        call = None
        while not self.end:
            if not self.go.is_set():
                self.idle.release()
                self.go.wait()
                continue
            began, status = time.monotonic(), 0
            try:
                if call:
                    call.again()
                else:
                    call = Kept(front.port, self.host.secret, self.model,
                                text)
                reply = call.read()
                status = reply.status if reply.complete else 0
            except OSError:
                pass
            self.said.append((began, time.monotonic() - began, status))
            if call and not call.stays():
                call.close()
                call = None
            if status != 200:
                time.sleep(0.02)
        if call:
            call.close()

    def start(self):
        self.go.set()

    def pause(self):
        """Until all have their answers."""
        self.go.clear()
        for _ in self.threads:
            self.idle.acquire()

    def __enter__(self):
        for t in self.threads:
            t.start()
        for _ in self.threads:
            self.idle.acquire()
        self.start()
        return self

    def __exit__(self, *_exc):
        self.end = True
        self.go.set()
        for t in self.threads:
            t.join()

    def whole(self):
        return sum(s == 200 for _, _, s in self.said)

    def others(self, begin=0.0, end=float("inf")):
        """What was no whole answer, of those that began in this time."""
        return [r for r in self.said if begin <= r[0] < end and r[2] != 200]


class Host:
    """A pool, all fronts before it, one key."""

    def __init__(self, site, store):
        self.site, self.name = site, store
        self.redis = Redis(site) if store == "redis" else None
        p = Books(site, self.redis)
        self.modes = {m: f"m/{mode}/tag={site.dir.name}" for m, mode in
                      (("quick", "ok"), ("late", "late/20/3"))}
        for model, mode in self.modes.items():
            p.model(model, mode)
        p.key("busy", budget="50000 USD / day", rpm=100000000,
              tpm=1000000000, parallel=1000000)
        p.write()
        self.secret = p.secret["busy"]
        self.pool = Pool(site, WORKERS)
        self.fronts = [Front(site, server, conf, cgi, self.pool)
                       for server, conf, cgi, _ in (FRONTS[n] for n in NAMES)]

    def wills(self):
        return sorted(self.site.state.glob("will.*"))

    def dead_wills(self):
        return [w for w in self.wills() if is_dead(w)]

    def free(self):
        """Nothing is held, of money or of anything else."""
        assert spent(self.site, "busy")["held_nano"] == 0
        held = {k: h for k, (_, h) in self.counters().items() if h}
        assert not held, held
        return True

    def stop(self):
        """The pool; nothing of any purse is left then."""
        assert self.site.stop(self.pool.process) == 0
        assert not self.wills()

    def counters(self):
        """What the store has of each: (used, held), by its letter."""
        if self.redis:
            said = self.redis.ask("EVAL", EACH_COUNTER, "0").split(b"\r\n", 1)
            rows = json.loads(said[1])
        else:
            rows = self.rows("SELECT name, used, held FROM counter")
        return {name.split("|")[1]: (int(used), int(held))
                for name, used, held in rows}

    def steps(self):
        """How many it took: of a file only those that settle."""
        if self.redis:
            return int(re.search(rb"cmdstat_evalsha:calls=(\d+)",
                                 self.redis.ask("INFO", "commandstats"))[1])
        return self.rows("SELECT count(*) FROM done")[0][0]

    def rows(self, query):
        with contextlib.closing(sqlite3.connect(
                f"file:{self.site.state}/ledger.db?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()


@pytest.fixture
def host(request, upstream):
    with Site(upstream) as site:
        host = Host(site, request.param)
        yield host
        if host.redis:
            host.redis.close()


both = pytest.mark.parametrize("host", ("file", "redis"), indirect=True)


def exact(host, load):
    """Each whole answer is in the books once, as the provider's bill has it,
    and in each counter. Returns how many there were."""
    wait_until(host.free, 5, "free")
    mode, n = host.modes["quick"], load.whole()
    bill, row = host.site.upstream.bill(mode), spent(host.site, "busy")
    used = {k: u for k, (u, _) in host.counters().items()}
    tokens = bill["input_tokens"], bill["output_tokens"]
    assert bill["requests"] == n == row["requests"], (n, row)
    assert tokens == (row["input_tokens"], row["output_tokens"])
    assert billed(host.site, mode) == row["cost_nano"] == used["m"], used
    # (Both of the last minute: the load is shorter. What was refused on the
    # way may stay among the requests.)
    assert used["t"] == sum(tokens) and n <= used["r"] <= len(load.said), used
    return n


def in_use(host):
    wait_until(host.wills, 3, "in use")


def many(host, requests):
    """Far fewer steps of the store than if each request had asked it."""
    steps = host.steps()
    alone = requests * (3 if host.redis else 1)    # hold, sent, settle
    assert steps < alone * 2 / 3, (steps, alone)
    return f"{steps} steps of the store for {requests} requests"


@both
def test_exact(host, figure):
    with Load(host, "quick") as load:
        in_use(host)
        time.sleep(2.0)
        wills = len(host.wills())
    said = many(host, len(load.said))
    n = exact(host, load)
    assert not load.others(), load.others()[:5]
    slow = max(r[1] for r in load.said)
    assert slow <= 1.5, slow      # nothing waits for the end of the load
    host.stop()
    figure(f"{host.name}: {said}, {wills} wills meanwhile, {n} answers paid "
           "as the provider's bill has them, held 0")


def kill_one(host, known):
    """One that is known from before, so that it has a purse, most likely;
    the wills of the dead."""
    pids = host.pool.workers()
    able = [p for p in pids if p in known]
    known.update(pids)
    if len(pids) < WORKERS or not able:
        return None
    pid = random.choice(able)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in host.pool.workers(), 2, "dead")
    return host.dead_wills()


def lone(host):
    """What is held is held for single requests: of a worker that was killed
    while it asked the store itself, until its lease ends. How many."""
    held = {k: h for k, (_, h) in host.counters().items()}
    assert held["m"] == held["p"] * HOLD, held
    assert held["m"] == spent(host.site, "busy")["held_nano"]
    return held["p"]


@both
def test_killed(host, figure):
    """What was whole is paid as it was; what was cut in full, if the provider
    may have seen it; the heirs see to it, not the end of a lease."""
    dead, known, kills = set(), set(), 0
    with Load(host, "late") as load:
        in_use(host)
        end = time.monotonic() + 30
        while kills < KILLS and time.monotonic() < end:
            time.sleep(random.uniform(0.1, 0.5))
            wills = kill_one(host, known)
            kills += wills is not None
            dead.update(wills or ())
        killed = time.monotonic()
    said = many(host, len(load.said))
    assert kills == KILLS and len(dead) >= KILLS / 2, (kills, dead)
    wait_until(lambda: not host.dead_wills(), INHERITED, "inherited")
    wait_until(lambda: lone(host) <= KILLS, INHERITED, "free")
    took = time.monotonic() - killed
    assert took < INHERITED, took
    whole, calls, single = load.whole(), len(load.said), lone(host)
    bill = host.site.upstream.bill(host.modes["late"])
    at, finished = bill["requests"], bill["output_tokens"] // 3
    row = spent(host.site, "busy")
    over, rest = divmod(row["cost_nano"] - row["requests"] * PAID, HOLD - PAID)
    # Those whose answers had come from the provider and were not out yet.
    unseen = row["requests"] - over - whole
    assert rest == 0 and 0 <= unseen <= finished - whole, (row, whole, bill)
    assert at <= row["requests"] + single <= calls, (at, row, single, calls)
    assert row["cost_nano"] == host.counters()["m"][0]
    host.stop()
    figure(f"{host.name}: {KILLS} kills, {len(dead)} wills, {calls - whole} "
           f"of {calls} cut, {over} of them paid in full, {unseen} as whole, "
           f"unbilled 0, billed twice 0, held 0 after {took:.1f} s but for "
           f"{single} without a purse; {said}")


@both
def test_replaced_and_stopped(host, figure):
    """Workers replaced in the midst of it, and the pool stopped and started:
    nothing is cut, lost or left."""
    old = set(host.pool.workers())
    with Load(host, "quick") as load:
        in_use(host)
        host.pool.signal(signal.SIGUSR1)
        wait_until(lambda: not old & set(host.pool.workers()), 10, "replaced")
        time.sleep(0.3)
        host.pool.signal(signal.SIGHUP)
        time.sleep(0.5)
        assert not host.dead_wills() and host.wills()
        stopped = time.monotonic()
        host.stop()
        load.pause()
        host.pool = Pool(host.site, WORKERS)
        wait_until(host.free, 5, "free")
        assert not host.wills()
        for front in host.fronts:
            wait_until(front.ready, 5, "serving again")
        started = time.monotonic()
        load.start()
        in_use(host)
        time.sleep(0.7)
    # (A web server that keeps a connection may use it just when it is closed,
    # and says 503 then: nothing was asked. One whose request waits for a pool
    # that ends says 500.)
    assert {s for _, _, s in load.others(0, stopped - 0.2)} <= {503}
    assert {s for _, _, s in load.others()} <= {500, 503}
    assert sum(s == 500 for _, _, s in load.others()) <= CLIENTS
    assert not load.others(started), load.others(started)[:5]
    assert len(load.others(0, stopped - 0.2)) <= CLIENTS
    slow = max(r[1] for r in load.said)
    assert slow <= 3.0, slow
    said = many(host, load.whole())
    n = exact(host, load)
    host.stop()
    figure(f"{host.name}: {n} answers paid, {len(load.others())} refused "
           f"while there was no pool, none cut, no will left; {said}")


@pytest.mark.parametrize("host", ("redis",), indirect=True)
def test_paused(host, figure):
    """The store stands still: what is in the purses does not go on for long,
    nothing hangs, and all goes on with the store."""
    with Load(host, "quick") as load:
        in_use(host)
        time.sleep(1.0)
        host.redis.process.send_signal(signal.SIGSTOP)
        paused = time.monotonic()
        try:
            time.sleep(PAUSE)
        finally:
            host.redis.process.send_signal(signal.SIGCONT)
        went_on = time.monotonic()
        time.sleep(2.5)
    # (One that waits for it when it goes on is served.)
    late = [r for r in load.said if paused <= r[0] < went_on - AT_ONCE]
    last = max((r[0] for r in late if r[2] == 200), default=paused) - paused
    slow = max(r[1] for r in late)
    shut = [r for r in load.others() if r[0] >= went_on]
    again = max((r[0] for r in shut), default=went_on) - went_on
    assert last <= CLOSED and slow <= AT_ONCE, (last, slow)
    assert {s for _, _, s in load.others()} == {503}
    assert not load.others(0, paused - AT_ONCE) and again <= 2.0, again
    n = exact(host, load)
    host.stop()
    figure(f"stopped for {PAUSE} s: refused from {last * 1000:.0f} ms on, "
           f"after at most {slow * 1000:.0f} ms; all open again after "
           f"{again:.1f} s, {n} answers paid, held 0")
