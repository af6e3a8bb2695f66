"""The store fails: what needs a counter is refused at once and clearly, all
else is served, nothing is forgotten, and it goes on when the store is back."""

import os
import signal
import threading
import time

import pytest

from books import N, Books, billed, call, refusal, spent, usd
from client import CHAT, Call, at_share, bearer, chat_body, crowd
from house import Pool, Site, wait_until
from servers import chosen, open_front
from stores import Redis

AT_ONCE = 0.25      # s until a refusal; once, on a busy machine, twice that
BACK = 2.0          # s until all is well again after the store is
ADDED = 0.06        # s that the 99th of 100 may take longer meanwhile
PAUSE = float(os.environ.get("TEST_STORE_PAUSE", "4"))
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]


@pytest.fixture(params=FRONTS)
def host(request, upstream):
    """A front on a Redis; its name is the tag of its modes."""
    with Site(upstream) as site:
        redis = Redis(site)
        p = Books(site, redis)
        site.tag = lambda mode: f"{mode}/tag={site.dir.name}"
        p.model("plain", site.tag("m/ok"))
        p.model("paced", site.tag("m/stream/60/20"))
        p.key("budgeted", budget="5 USD / day")
        p.key("limited", rpm=100000)
        p.model("ten", {"to": site.tag("m/stream/10/0"),
                        "price": {"input": 0, "output": 2}})
        p.key("ten-calls", budget=usd(10 * 10 * 2 * N) + " / day")
        p.key("free")
        p.write()
        front = open_front(site, request.param, workers=2)
        front.books, front.redis = p, redis
        opens(front)       # of an empty one, its first moment is over
        yield front
        redis.close()


def use(host, key, status, model="plain", **more):
    """One request; how long it took."""
    began = time.monotonic()
    r = call(host, host.books.secret[key], model, **more)
    took = time.monotonic() - began
    assert r.status == status, (r.status, r.body)
    return took


def closed(host, figure):
    """Budgets and limits are closed and say so at once, the rest goes on."""
    late = []
    for _ in range(12):
        for key in ("budgeted", "limited"):
            began = time.monotonic()
            r = call(host, host.books.secret[key], "plain")
            late.append(time.monotonic() - began)
            error = refusal(r, 503, "budget_unavailable")
            assert error["type"] == "budget_unavailable"
        use(host, "free", 200)
    for path, body, where in (
            ("/v1/messages", {"model": "plain", "max_tokens": 5, "messages": [
                {"role": "user", "content": "hi"}]}, "type"),
            ("/v1beta/models/plain:generateContent", {"contents": [
                {"role": "user", "parts": [{"text": "hi"}]}]}, "status")):
        r = call(host, host.books.secret["budgeted"], "plain", path=path,
                 body=body)
        assert r.status == 503
        assert r.json()["error"][where] in (
            "overloaded_error", "api_error", "UNAVAILABLE")
    assert at_share(late, 0.95) <= AT_ONCE and max(late) <= 2 * AT_ONCE, late
    figure(f"refused after at most {max(late) * 1000:.0f} ms")


def opens(host):
    """How long it takes until all is well, at every worker."""
    began = time.monotonic()

    def well():
        said = crowd([lambda: call(host, host.books.secret["budgeted"],
                                   "plain").status] * 24, 8)
        assert said == [200] * 24, said
        return True

    wait_until(well, BACK + 3, "served")
    took = time.monotonic() - began
    assert took <= BACK + 0.5, took
    return took


def spend_some(host, n, passing):
    """n calls of the key whose budget is ten: so many pass."""
    said = crowd([lambda: call(host, host.books.secret["ten-calls"], "ten",
                               max_tokens=10)] * n, 4)
    assert sum(r.status == 200 for r in said) == passing
    assert {r.status for r in said} <= {200, 429}


def books_fit(host):
    """Bill and ledger agree; nothing is held."""
    mode = host.site.tag("m/ok")
    wait_until(lambda: sum(spent(host.site, k)["cost_nano"] for k in
                           host.books.secret) == billed(
        host.site, mode, host.site.tag("m/stream/60/20")) + billed(
            host.site, host.site.tag("m/stream/10/0"), rates=(0, 2 * N)), 5,
        "settled")
    wait_until(lambda: all(spent(host.site, k)["held_nano"] == 0
                           for k in host.books.secret), 5, "given back")


def load(host, seconds, status):
    """Requests of both kinds for so long, each with the status of its kind;
    how long they took."""
    end, late = time.monotonic() + seconds, []

    def one(key):
        while time.monotonic() < end:
            late.append(use(host, key, status[key]))

    crowd([lambda k=k: one(k) for k in status for _ in range(2)], 4)
    return late


@pytest.mark.parametrize("how", ["SIGSTOP", "DEBUG SLEEP"])
def test_paused(host, how, figure):
    """Nothing hangs, nothing waits once it is known, and it goes on when the
    store goes on."""
    before = load(host, 1.0, {"budgeted": 200, "free": 200})
    end = time.monotonic() + PAUSE
    if how == "SIGSTOP":
        host.redis.process.send_signal(signal.SIGSTOP)
    else:
        host.redis.give("DEBUG", "SLEEP", str(PAUSE)).close()
        time.sleep(0.2)
    try:
        closed(host, figure)
        during = load(host, end - time.monotonic() - 0.3,
                      {"budgeted": 503, "free": 200})
        time.sleep(max(0, end - time.monotonic()))
    finally:
        host.redis.process.send_signal(signal.SIGCONT)
    took = opens(host)
    books_fit(host)
    added = at_share(during, 0.99) - at_share(before, 0.99)
    assert len(during) >= 100 and added <= ADDED, (len(during), added)
    figure(f"{how} {PAUSE:.0f} s: p99 of {len(during)} {added * 1000:+.0f} ms,"
           f" open {took:.2f} s after it went on")


def test_killed_and_empty(host, figure):
    """Killed while it is used; it comes back with nothing in it, and what
    was spent is still spent."""
    stop, said = threading.Event(), []

    def traffic(key):
        while not stop.is_set():
            said.append((key, call(host, host.books.secret[key],
                                   "plain").status))

    spend_some(host, 6, 6)
    threads = [threading.Thread(target=traffic, args=(k,))
               for k in ("budgeted", "limited", "free") for _ in range(2)]
    for t in threads:
        t.start()
    time.sleep(0.6)
    host.redis.process.kill()
    host.redis.process.wait()
    time.sleep(0.6)
    stop.set()
    for t in threads:
        t.join()
    assert {s for k, s in said if k == "free"} == {200}
    assert {s for k, s in said if k != "free"} <= {200, 429, 503}
    closed(host, figure)
    host.redis.start()
    took = opens(host)
    spend_some(host, 8, 4)
    books_fit(host)
    figure(f"open {took:.2f} s after an empty one came, forgotten n$0")


def test_flushed(host, figure):
    """FLUSHALL in the middle of a day: what was spent is still spent."""
    spend_some(host, 6, 6)
    host.redis.ask("FLUSHALL")
    took = opens(host)
    # What was under way is held again until its settle comes.
    passed, end = 0, time.monotonic() + 10
    while passed < 4 and time.monotonic() < end:
        said = crowd([lambda: call(host, host.books.secret["ten-calls"],
                                   "ten", max_tokens=10)] * 8, 4)
        passed += sum(r.status == 200 for r in said)
    assert passed == 4
    spend_some(host, 4, 0)
    books_fit(host)
    figure(f"open {took:.2f} s after FLUSHALL, forgotten n$0")


def test_scripts_flushed(host, figure):
    """SCRIPT FLUSH all the time: nobody notices."""
    stop = threading.Event()

    def flush():
        while not stop.is_set():
            host.redis.ask("SCRIPT", "FLUSH")
            time.sleep(0.02)

    t = threading.Thread(target=flush)
    t.start()
    said = crowd([lambda: call(host, host.books.secret["budgeted"],
                               "plain")] * 200, 8)
    stop.set()
    t.join()
    assert [r.status for r in said] == [200] * 200
    books_fit(host)
    figure("200 of 200 served")


def test_settled_while_down(host, figure):
    """A stream ends while the store is away: it is paid when that is back."""
    calls = [Call(host.port, "POST", CHAT, [
        *bearer(host.books.secret["budgeted"]),
        ("Content-Type", "application/json")],
        chat_body("paced", stream=True)) for _ in range(8)]
    for c in calls:
        c.read(events=3)
    host.redis.process.send_signal(signal.SIGSTOP)
    try:
        said = [c.read() for c in calls]
        time.sleep(0.5)
    finally:
        host.redis.process.send_signal(signal.SIGCONT)
    assert all(r.complete and r.done() for r in said)
    opens(host)
    books_fit(host)
    figure("8 streams settled afterwards, error n$0")


def test_opened_later(upstream):
    """A place for the ledger that cannot be used when the workers start, and
    can be later."""
    with Site(upstream) as site:
        p = Books(site)
        p.model("plain", "m/ok")
        p.key("budgeted", budget="5 USD / day")
        p.key("free")
        p.doc["store"] = f"embedded:{site.dir}/later"
        (site.dir / "later").write_text("not a folder")
        p.write()
        front = open_front(site, FRONTS[0], workers=2)
        front.books = p
        use(front, "budgeted", 503)
        use(front, "free", 200)
        notes = [r.get("message", "") for r in site.records(level="error")]
        assert any("no ledger" in n for n in notes), notes
        (site.dir / "later").unlink()
        opens(front)


def test_store_changes(host):
    """Another store in the policy: said in the records."""
    host.books.doc["store"] = "embedded"
    host.books.write()
    wait_until(lambda: any("store" in r.get("message", "")
                           for r in host.site.records(level="warning")),
               5, "told")
    use(host, "budgeted", 200)


def test_all_open_it_at_once(upstream):
    """Workers that meet at a file which is not there yet all get it."""
    for _ in range(6):
        with Site(upstream) as site:
            Books(site).model("plain", "m/ok/tag=born").write()
            pool = Pool(site, workers=8)
            wait_until(lambda: len(pool.workers()) == 8, 10, "started")
            time.sleep(0.4)
            said = [p.read_text() for p in (*site.dir.glob("*.jsonl"),
                                            *site.dir.glob("*.log"))]
            assert not any("no ledger" in text for text in said), said
