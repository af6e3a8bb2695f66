"""Clients that leave, in every way and at every moment: each has its row, pays
for what came, and its provider is left as well, or read to the end of what it
bills (on_abort: drain)."""

import os
import signal
import socket
import struct
import time

import pytest

from books import N, Books, spent
from client import CHAT, Call, at_share, chat_body, crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

ABORTS = int(os.environ.get("TEST_ABORTS", "120"))
CLIENTS = 16
CLOSED = 6.0        # s until the provider is left, once tokens flow; of a
                    # few a bit more, on a machine that does other things
DRAINS = 16         # of a worker
WORDS = 100
TEXT = "say"        # and the number of the call
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
TALKS = {0: f"m/late/700/{WORDS}/10", 10: f"m/late/5/{WORDS}/10",
         99: f"m/late/6/{WORDS}/10"}
DRAINED = "m/late/100/40/25"


def policy(site, redis):
    p = Books(site, redis, timeouts={"first_token": "3s", "idle": "20s",
                                     "first_byte": "5s"}, drain="4s")
    site.tag = lambda mode: f"{mode}/tag={site.dir.name}"
    for n in (0, 10, 99):
        p.model(f"talks-{n}", site.tag(TALKS[n]))
        p.model(f"silent-{n}", site.tag(f"m/stall/{n}"))

    def drained(name, mode, **row):
        p.model(name, {"to": site.tag(mode), "on_abort": "drain"}, **row)

    drained("drained", DRAINED)
    drained("whole", "m/late/900/7")
    drained("falls-silent", "m/stall/5/tag=f", timeouts={"idle": "7s"})
    drained("flood", "m/flood/8388608/4096")
    drained("slow", "m/stream/60/50/tag=slow")
    drained("endless", "m/endless/20/tag=endless")
    drained("refuses", "m/dial/refuses")
    for key in ("leaver", "drainer", "stopped"):
        p.key(key, budget="500 USD / day")
    return p.write()


@pytest.fixture(scope="module", params=range(len(FRONTS)),
                ids=FRONTS)
def books(request, upstream):
    """The first front on the file, the other one on a Redis; of two workers.
    """
    with Site(upstream) as site:
        redis = Redis(site) if request.param else None
        p = policy(site, redis)
        front = open_front(site, FRONTS[request.param])
        front.books = p
        yield front
        if redis:
            redis.close()


class Leaver:
    """A call that is to be left."""

    def __init__(self, front, key, model, name, **more):
        self.name, self.front = name, front
        body = chat_body(model, f"{TEXT} {name}", **more)
        # The body comes apart: lighttpd watches no connection whose request
        # came in one piece.
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " \
            f"{front.books.secret[key]}\r\nx-request-id: {name}\r\n" \
            "Content-Type: application/json\r\n" \
            f"Content-Length: {len(body)}\r\n\r\n"
        self.call = Call(front.port, "POST", CHAT, raw=head.encode())
        time.sleep(0.02)
        self.call.sock.sendall(body)

    def leave(self, kind):
        if kind == "RST":
            self.call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
        self.call.close()
        self.left = time.time()
        return self

    def seen(self):
        return self.call.reply.text().encode() if self.call.reply.pieces \
            else b""


def rows(books, mode):
    """What the provider noted of each call, by the call's name."""
    return {r["who"].split()[1]: r for r in
            books.site.upstream.bill(books.site.tag(mode))["log"]}


def begun(books, mode, name):
    wait_until(lambda: name in rows(books, mode), 10, "asked")


def recorded(books, names, seconds):
    """The record of each; all of them, and one for each."""
    def there():
        found = [r for r in books.site.records() if r.get("id") in names]
        assert len(found) == len(names), len(found)
        return found
    wait_until(there, seconds, "all recorded")
    return {r["id"]: r for r in there()}


def settled(books, key):
    """Records and ledger say the same, and nothing is held."""
    def fits():
        row = spent(books.site, key)
        said = sum(a.get("cost_nano", 0)
                   for r in books.site.records(key=key)
                   for a in r.get("attempts", []))
        assert (row["cost_nano"], row["held_nano"]) == (said, 0), (row, said)
        return True
    wait_until(fits, 8, "settled")


def abort(books, kind, at, way, name):
    """Leave a stream of this way behind so many of its events."""
    mode = TALKS[at] if way == "talks" else f"m/stall/{at}"
    who = Leaver(books, "leaver", f"{way}-{at}", name, stream=True)
    who.kind, who.at, who.way, who.mode = kind, at, way, mode
    if at == 0:
        begun(books, mode, name)
    else:
        who.call.read(events=at + 1)    # and the role
        assert len(who.call.reply.events()) >= at
    return who.leave(kind)


def judge(who, record, noted):
    """What this one paid; how long it took until its provider was left."""
    whole = record.get("error") is None
    output, seen = record.get("output_tokens", 0), -(-len(who.seen()) // 4)
    if who.at == 0 and who.way == "silent":
        # Before a word goes out no web server tells of a FIN; Apache of
        # nothing at all.
        assert record["error"] in ("CLIENT_GONE", "TIMEOUT"), record
        if record["error"] == "TIMEOUT":
            return None
    else:
        assert whole or record["error"] == "CLIENT_GONE", record
    assert record["input_tokens"] > 0
    assert record["cost_nano"] == record["input_tokens"] * N + \
        output * 2 * N
    told = "estimated" not in record    # its last word was on the way
    assert told == whole or (told and output == WORDS), record
    most = sum(len(f"w{i} ") for i in range(WORDS))
    assert min(seen, WORDS) <= output <= (WORDS if told else
                                          -(-most // 4)), (seen, record)
    if whole or noted["gone"] is None:  # it had said all, too
        return None
    return noted["gone"] - max(who.left, noted["first"] or 0)


def test_client_aborts(books, figure):
    """FIN and RST, at the beginning, within and at the end, of streams that
    talk and that are silent."""
    cases = [(kind, at, way) for kind in ("FIN", "RST") for at in
             (0, 10, 99) for way in ("talks", "silent")]
    before = len(books.site.records(key="leaver"))
    left = crowd([lambda i=i: abort(books, *cases[i % len(cases)],
                                    f"a{before}.{i}")
                  for i in range(ABORTS)], CLIENTS)
    names = {who.name for who in left}
    said = recorded(books, names, 12)
    wait_until(lambda: all(
        books.site.upstream.bill(books.site.tag(m))["running"] == 0
        for m in {who.mode for who in left}), 8, "left")
    noted = {m: rows(books, m) for m in {who.mode for who in left}}
    took = [t for t in (judge(who, said[who.name],
                              noted[who.mode][who.name]) for who in left)
            if t is not None]
    assert at_share(took, 0.95) <= CLOSED and max(took) <= CLOSED + 2, took
    settled(books, "leaver")
    gone = sum(r.get("error") == "CLIENT_GONE" for r in said.values())
    assert gone >= ABORTS // 2
    figure(f"{ABORTS} left, {gone} noticed, lost rows 0, error n$0, provider "
           f"left after {max(took):.2f} s at most")


def test_drained(books, figure):
    """200 leave a provider that bills to the end: what is drained costs what
    it says, what finds no place what was seen; never more than the cap."""
    mode = books.site.tag(DRAINED)

    def one(i):
        who = Leaver(books, "drainer", "drained", f"d{i}", stream=True)
        who.call.read(events=3 + i % 33)
        return who.leave("RST" if i % 2 else "FIN")

    left = crowd([lambda i=i: one(i) for i in range(200)], 60)
    names = {who.name for who in left}
    said = recorded(books, names, 15)
    noted = rows(books, DRAINED)
    full = N * 2 + 40 * 2 * N
    drained = [n for n in names if said[n].get("drained")]
    over = [n for n in names if said[n].get("drained") is False]
    whole = names - {*drained, *over}
    for n in drained:
        assert noted[n]["gone"] is None, noted[n]
        assert said[n]["error"] == "CLIENT_GONE"
        assert said[n]["cost_nano"] == full and \
            "estimated" not in said[n], said[n]
    for n in over:
        assert noted[n]["gone"] is not None
        assert said[n]["estimated"] and said[n]["cost_nano"] == \
            said[n]["input_tokens"] * N + said[n]["output_tokens"] * 2 * N
        assert said[n]["input_tokens"] > 0 and said[n]["output_tokens"] >= 2
    for n in whole:
        assert said[n].get("error") is None, said[n]
        assert said[n]["cost_nano"] == full
    finished = books.site.upstream.bill(mode)["finished"]
    assert finished == len(drained) + len(whole)
    assert drained and over
    settled(books, "drainer")
    figure(f"of 200 {len(drained)} drained, {len(over)} over the cap, "
           f"{len(whole)} whole before it was seen; charged as billed")


def test_cap(books, figure):
    """No more than the cap go on, whatever is left at once; they are held
    as long."""
    before = len(rows(books, "m/stream/60/50/tag=slow"))
    left = [Leaver(books, "drainer", "slow", f"c{before}.{i}", stream=True)
            for i in range(2 * DRAINS + 12)]
    for who in left:
        who.call.read(events=3)
    for who in left:
        who.leave("RST")
    mode = books.site.tag("m/stream/60/50/tag=slow")
    wait_until(lambda: books.site.upstream.bill(mode)["running"] <=
               2 * DRAINS, 2, "down to the cap")
    assert spent(books.site, "drainer")["held_nano"] > 0
    said = recorded(books, {who.name for who in left}, 10)
    assert sum(r["drained"] for r in said.values()) <= 2 * DRAINS
    assert sum(not r["drained"] for r in said.values()) >= 12
    settled(books, "drainer")
    figure(f"{sum(r['drained'] for r in said.values())} of {len(left)} went "
           f"on, 2 workers")


def one_left(books, model, key="drainer", events=3, kind="RST", **more):
    """One call that is left; its record."""
    name = f"{model}.{time.time()}"
    who = Leaver(books, key, model, name, **more)
    if events:
        who.call.read(events=events)
    else:
        time.sleep(0.3)
    who.leave(kind)
    return who


def test_drained_whole_answer(books):
    """An answer that is no stream has its usage at its end alone."""
    who = one_left(books, "whole", events=0)
    record = recorded(books, {who.name}, 8)[who.name]
    assert record["output_tokens"] == 7 and "estimated" not in record
    assert record["cost_nano"] == (2 + 7 * 2) * N
    # Apache sees no RST before it writes: for it this was served.
    if record.get("error"):
        assert record["error"] == "CLIENT_GONE" and record["drained"]


def test_drain_meets_a_limit(books):
    """A provider that falls silent is waited for as long as for a client."""
    who = one_left(books, "falls-silent", stream=True)
    record = recorded(books, {who.name}, 15)[who.name]
    assert record["error"] == "CLIENT_GONE" and record["drained"] is False
    assert record["estimated"] and record["cost_nano"] > 0
    assert record["attempts"][0]["failure"] == "idle_timeout"


def test_drain_of_a_held_stream(books):
    """A client that did not read had stopped its provider; that goes on."""
    mode = "m/flood/8388608/4096"
    name = f"flood.{time.time()}"
    who = Leaver(books, "drainer", "flood", name, stream=True,
                 max_tokens=600000)
    who.call.head()
    taken = -1
    while taken != books.site.upstream.bill(
            books.site.tag(mode)).get("taken"):
        taken = books.site.upstream.bill(books.site.tag(mode)).get("taken")
        time.sleep(0.3)
    who.leave("RST")
    record = recorded(books, {name}, 15)[name]
    assert record.get("error") is None or record["drained"], record
    assert record["output_tokens"] > 1900 and "estimated" not in record


def test_nobody_else_is_asked(books):
    """What fails while it is drained has no second attempt."""
    books.site.upstream.dial("refuses", code=503, ms=900)
    who = one_left(books, "refuses", events=0, stream=True)
    record = recorded(books, {who.name}, 8)[who.name]
    assert record["attempt_count"] == 1 or "error" not in record or \
        record["error"] != "CLIENT_GONE"
    settled(books, "drainer")


@pytest.mark.parametrize("model,whole", [("slow", True), ("endless", False)])
def test_stop(upstream, model, whole):
    """A worker that stops waits for what it drains, and settles it; or ends
    it when its time is over, and settles what was seen."""
    with Site(upstream) as site:
        policy(site, None)
        front = open_front(site, [n for n in ("lighttpd-socket", *FRONTS)
                                  if n in chosen()][0], workers=1)
        if front.pool is None:
            pytest.skip("no pool of its own")
        front.books = policy(site, None)
        time.sleep(1.5)     # the policy is in force
        who = one_left(front, model, "stopped", stream=True)
        wait_until(lambda: spent(site, "stopped")["held_nano"] > 0, 3,
                   "held")
        time.sleep(0.5)
        began = time.monotonic()
        front.pool.signal(signal.SIGTERM)
        assert front.pool.process.wait(12) == 0
        took = time.monotonic() - began
        record = recorded(front, {who.name}, 1)[who.name]
        assert record["error"] == "CLIENT_GONE"
        assert record["drained"] is whole, record
        assert took > (1 if whole else 3), took
        if whole:
            assert record["cost_nano"] == (2 + 60 * 2) * N
        settled(front, "stopped")
