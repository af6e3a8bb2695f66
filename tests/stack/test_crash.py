"""Workers are killed in the middle of everything: what was under way is paid
once and in full, what never went out is not paid, and nothing stays held."""

import os
import random
import signal
import threading
import time

import pytest

from books import N, Books, asked, call, spent
from client import CHAT, Call, bearer, chat_body, crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

LEASE = 30.0
ROUNDS = 25         # of each store
CLIENTS = 6
FRONT = ([n for n in ("lighttpd-socket", "apache-proxy") if n in chosen()] or
         [None])[0]
BODY = {"stream": True, "max_tokens": 30}
HOLD = (1024 + len(chat_body("paced", **BODY)) + 30 * 2) * N
PAID = (2 + 30 * 2) * N


def open_host(site, store, upstream):
    redis = Redis(site) if store == "redis" else None
    p = Books(site, redis, timeouts={"connect": "60s"})
    site.tag = lambda mode: f"{mode}/tag={store}-crash"
    p.model("paced", site.tag("m/stream/30/15"))
    p.model("nowhere", f"http://127.0.0.1:{upstream.blackhole_port}/v1")
    for key in ("streams", "early"):
        p.key(key, budget="50 USD / day", rpm=100000, parallel=1000)
    p.write()
    front = open_front(site, FRONT, workers=3)
    front.books, front.redis = p, redis
    return front


def stream(host):
    """Is it whole?"""
    r = call(host, host.books.secret["streams"], "paced", **BODY)
    return r.status == 200 and r.complete and r.done()


def kill_one(host):
    pids = host.pool.workers()
    if pids:
        os.kill(random.choice(pids), signal.SIGKILL)


def rounds(host, whole):
    """Streams, and each time one worker is killed meanwhile."""
    for _ in range(ROUNDS):
        killer = threading.Timer(random.uniform(0.02, 0.4), kill_one, [host])
        killer.start()
        whole += crowd([lambda: stream(host)] * CLIENTS, CLIENTS)
        killer.join()


def kill_early(host):
    """All workers, while requests wait for a connection."""
    calls = [Call(host.port, "POST", CHAT, [
        *bearer(host.books.secret["early"]),
        ("Content-Type", "application/json")], chat_body("nowhere"))
        for _ in range(4)]
    wait_until(lambda: spent(host.site, "early")["held_nano"] > 0, 5, "held")
    time.sleep(0.2)
    for pid in host.pool.workers():
        os.kill(pid, signal.SIGKILL)
    for c in calls:
        r = c.read()
        assert r.status in (500, 502, 503), r.status
        assert r.headers["content-type"].startswith("application/json")
        c.close()


def freed(host):
    return all(spent(host.site, k)["held_nano"] == 0
               for k in ("streams", "early"))


@pytest.mark.skipif(FRONT is None, reason="no front with a pool of its own")
def test_killed(upstream, figure):
    """The same with the file and with a Redis, at the same time."""
    with Site(upstream) as a, Site(upstream) as b:
        hosts = [open_host(a, "file", upstream),
                 open_host(b, "redis", upstream)]
        whole = [[], []]
        threads = [threading.Thread(target=rounds, args=(h, w))
                   for h, w in zip(hosts, whole)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for host in hosts:
            kill_early(host)
        killed = time.monotonic()
        for host in hosts:
            wait_until(lambda h=host: freed(h), LEASE + 5, "free")
        took = time.monotonic() - killed
        for host, done in zip(hosts, whole):
            assert len(done) == ROUNDS * CLIENTS
            at = asked(host.site, host.site.tag("m/stream/30/15"))
            row = spent(host.site, "streams")
            over, rest = divmod(row["cost_nano"] - sum(done) * PAID, HOLD)
            assert rest == 0, (row, sum(done))
            assert at - sum(done) <= over <= len(done) - sum(done), \
                (at, over, sum(done))
            assert row["requests"] == sum(done) + over
            assert spent(host.site, "early")["cost_nano"] == 0
            figure(f"{host.site.tag('')[5:]}: {ROUNDS} kills, {over} streams "
                   f"of {len(done)} cut, unbilled 0, billed twice 0, held 0 "
                   f"after {took:.1f} s")
        for host in hosts:
            if host.redis:
                host.redis.close()
