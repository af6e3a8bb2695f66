"""Everything at once: providers that fail in all ways, races, clients that
leave, limits, a policy and a pool that change, a Redis that halts. Nobody
hears half an answer, nothing stays held, and no sanitizer finds anything."""

import contextlib
import json
import os
import random
import signal
import socket
import struct
import threading
import time

import pytest

from books import Books, told, usd
from client import CHAT, Call, ask, bearer, chat_body, crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

FRONT = ([n for n in ("lighttpd-socket", "apache-proxy") if n in chosen()] or
         [None])[0]
SECONDS = 3.5
CLIENTS = 24
LEASE = 30.0
FAST = {"first_token": "600ms", "first_byte": "600ms", "idle": "400ms",
        "total": "2500ms"}
MODELS = {      # name: (how, targets)
    "race0": ("0s", ["m/stream/5/10", "m/late/60/3", "m/reset/1"]),
    "race50": ("50ms", ["m/stall/1", "m/late/80/3", "m/status/429/retry=1"]),
    "race-bad": ("0s", ["m/reset/headers", "m/status/503", "m/hang"]),
    "falls": (None, ["m/status/503", "m/status/429/retry=1",
                     "m/stream/4/10"]),
    "rests": (None, ["m/random/50/503", "m/random/50/429"]),
    "busy": (None, ["m/status/429/retry=1"]),
    "stalls": (None, ["m/stall/2", "m/stream/3/5"]),
    "torn": (None, ["m/reset/2", "m/close/mid-body"]),
    "says": (None, ["m/error-after/2", "m/role-error"]),
    "drips": (None, ["m/trickle/1/3"]),
    "long": (None, ["m/stream/40/20", "m/late/400/3"]),
    "talks": (None, ["m/endless/5"]),
}
ENDS = {"/v1/messages": ("message_stop", "error"), "/v1/responses": (
    "response.completed", "response.incomplete", "response.failed")}


def fill(p, left_out=()):
    """The models, without the targets of these places."""
    p.doc["models"], p.doc["providers"] = {}, {}
    for name, (after, targets) in MODELS.items():
        rows = [t for i, t in enumerate(targets) if i not in left_out] or \
            targets[:1]
        how = {} if after is None else {"strategy": "race", "hedge": {
            "after": after, "budget": "100 %"}}
        p.model(name, *(p.site.tag(t) for t in rows), **how)


def open_host(site, store, upstream):
    redis = Redis(site) if store == "redis" else None
    p = Books(site, redis, timeouts=FAST)
    site.tag = lambda mode: f"{mode}/tag={store}-torment"
    p.key("free")
    p.key("rich", budget=usd(5 * 10**9) + " / day", rpm=100000, parallel=500)
    p.key("tight", budget=usd(3 * 10**6) + " / day", rpm=120, parallel=4)
    fill(p)
    p.write()
    front = open_front(site, FRONT, workers=2)
    front.books, front.redis = p, redis
    return front


# ------------------------------------------------------------- the clients

def doors(dice, model, stream):
    """A request in one of three dialects."""
    messages = [{"role": "user", "content": "hello there"}]
    more = {"stream": stream}
    if dice.random() < 0.2:
        more["fallbacks"] = [dice.choice(list(MODELS))]
    return dice.choice([
        (CHAT, {"messages": messages}),
        ("/v1/messages", {"messages": messages, "max_tokens": 50}),
        ("/v1/responses", {"input": "hello there"})]), more


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))


def one(host, seed):
    """A request of any kind; its reply, or None when the client left."""
    dice = random.Random(seed)
    model, stream = dice.choice(list(MODELS)), dice.random() < 0.6
    (path, body), more = doors(dice, model, stream)
    key = dice.choice(["free", "rich", "rich", "tight"])
    leaves = dice.random() < 0.35 or model == "talks"
    data = json.dumps({"model": model, **body, **more}).encode()
    with Call(host.port, "POST", path, [
            *bearer(host.books.secret[key]),
            ("Content-Type", "application/json")], data, timeout=30) as call:
        if not leaves:
            reply = call.read()
            reply.asked = (path, model, stream, key)
            return reply
        if stream and dice.random() < 0.5:
            call.read(events=dice.randrange(1, 4))
        else:
            time.sleep(dice.choice([0, 0.02, 0.06, 0.2, 0.5]))
        if dice.random() < 0.7:
            reset(call.sock)
    return None


def ends(reply, path):
    """How often a stream says that it is over, well or not."""
    events = [d for _, d in reply.events()]
    docs = [json.loads(d) for d in events if d != "[DONE]"]
    if path in ENDS:
        return sum(d["type"] in ENDS[path] for d in docs)
    return events.count("[DONE]") + sum("error" in d for d in docs)


def fault_of(reply, path=CHAT):
    """What is wrong with an answer, in words; None: it is as it should be."""
    kind = reply.headers.get("content-type", "")
    if not reply.status or not reply.complete:
        return "cut"
    if reply.status == 200 and kind.startswith("text/event-stream"):
        n = ends(reply, path)
        return None if n == 1 else f"a stream with {n} ends"
    if not kind.startswith("application/json"):
        return "no JSON"
    doc = reply.json()
    if reply.status == 200:
        said = "choices" in doc or "content" in doc or "output" in doc
        return None if said else "no answer"
    error = doc.get("error")
    if reply.status == 500 or b"no such mode" in reply.body:
        return "nobody's fault but ours"
    return None if isinstance(error, dict) and error.get("message") and \
        error.get("type") else "no error"


def wrong_with(r):
    if isinstance(r, OSError):
        return repr(r)
    fault = fault_of(r, r.asked[0])
    return (fault, r.asked, r.status, r.body[-600:]) if fault else None


# ----------------------------------------------------------- the tormentors

def repeat(over, seconds, what):
    while not over.wait(seconds):
        what()


def change(host, dice):
    fill(host.books, dice.sample(range(3), dice.randrange(3)))
    host.books.write()


def poke(host, dice):
    host.pool.signal(dice.choice([signal.SIGHUP, signal.SIGUSR1]))


def halt(host, dice):
    pid = host.redis.process.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(dice.uniform(0.05, 0.5))
    os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def torment(host, dice):
    over = threading.Event()
    acts = [(0.1, change), (0.7, poke)] + (
        [(0.8, halt)] if host.redis else [])
    threads = [threading.Thread(target=repeat, args=(
        over, s, lambda a=a: a(host, dice))) for s, a in acts]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        over.set()
        for t in threads:
            t.join()


def client(host, until, seed, replies):
    serial = 0
    while time.monotonic() < until:
        serial += 1
        try:
            reply = one(host, f"{seed}/{serial}")
        except OSError as e:
            reply = e
        replies.append(reply)


def held(site):
    return sum(row["held_nano"] for row in told(site))


def settled(host, figure, after):
    began = time.monotonic()
    wait_until(lambda: held(host.site) == 0, LEASE + 5, "free")
    figure(f"{'redis' if host.redis else 'file'}: nothing held "
           f"{time.monotonic() - began:.1f} s after {after}")


@pytest.mark.skipif(FRONT is None, reason="no front with a pool of its own")
@pytest.mark.parametrize("store", ["file", "redis"])
def test_torment(upstream, figure, store):
    seed = int(os.environ.get("TOLLGATE_SEED", "1"))
    with Site(upstream) as site:
        host, replies = open_host(site, store, upstream), []
        until = time.monotonic() + SECONDS
        with torment(host, random.Random(seed)):
            crowd([lambda i=i: client(host, until, f"{seed}/{i}", replies)
                   for i in range(CLIENTS)], CLIENTS)
        heard = [r for r in replies if r is not None]
        wrong = [w for w in map(wrong_with, heard) if w]
        good = sum(not isinstance(r, OSError) and r.status == 200
                   for r in heard)
        figure(f"{store}: {len(replies)} requests, {len(heard)} waited for "
               f"their answer, {good} got one, {len(wrong)} wrong")
        assert not wrong, (len(wrong), wrong[:3])
        assert good > 20
        settled(host, figure, "the last request")
        last_words(host, figure)
        if host.redis:
            host.redis.close()


def last_words(host, figure):
    """SIGTERM while requests run: they end, and nothing is held."""
    threads = [threading.Thread(target=client, args=(
        host, time.monotonic() + 0.3, f"last/{i}", [])) for i in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    assert host.site.stop(host.pool.process) == 0
    for t in threads:
        t.join()
    settled(host, figure, "SIGTERM")


# ------------------------------------------------------------- odd requests

def listed(*lists):
    """A chat whose members are these, as text: they may come twice."""
    return b'{"messages":[{"role":"user","content":"hello there"}],' + \
        ",".join(lists).encode() + b"}"


GOOD = '"model":"plain"'
BODIES = {      # text of members: the statuses that may follow
    '"models":["plain"]': {200}, '"models":null,' + GOOD: {200},
    '"fallbacks":[],' + GOOD: {200}, '"models":[]': {400},
    '"models":{}': {400}, '"models":"plain"': {400}, '"models":7': {400},
    '"models":[null]': {400}, '"models":[""]': {400},
    '"models":[["plain"]]': {400}, '"models":[{"model":"plain"}]': {400},
    '"fallbacks":true,' + GOOD: {400}, '"fallbacks":[1e308],' + GOOD: {400},
    '"fallbacks":["plain\\u0000x"],' + GOOD: {200, 400, 404},
    '"models":["\\u0000"]': {400, 404},
    '"models":["\\ud800"]': {400, 404},
    '"models":["plain"],"models":["plain"]': {200, 400},
    '"model":"plain","models":["plain"],"model":"plain"': {200, 400},
    '"mod\\u0065ls":["plain"]': {200, 400},
    '"models":["' + "x" * 100000 + '"]': {400, 404},
    '"models":[' + ",".join(['"plain"'] * 10000) + "]": {400},
    '"models":' + "[" * 10000 + "]" * 10000: {413},
    '"fallbacks":' + '{"a":' * 60 + "1" + "}" * 60 + "," + GOOD: {400},
}
HEADERS = [     # name, value, the statuses that may follow
    *[("timeout", v, {400}) for v in (
        "-0", "0", "0x10", "nan", "inf", "-1", "1e", "5 s", "1,5", "x" * 60)],
    *[("timeout", v, {200}) for v in ("5", " 5", "2.5", "1e308", "86401")],
    *[("timeout", v, {200, 503, 504}) for v in ("1e-9", "1e-308")],
    *[("metadata", v, {400}) for v in ("[]", "x", "1", '"a"', "{",
                                       '{"a":' * 200,
                                       '{"team":"\\u0000"}')],
    *[("metadata", v, {200}) for v in ("{}", '{"a":null}', '{"a":{"b":[]}}')],
    *[("tags", v, {200}) for v in (",", ",,,,", " , a ,", "a" * 3000,
                                   "\xff\xfe")],
    ("tags", "\x01", {400}),
    *[("session", v, {200}) for v in ("x", "\xe4\xb8\xad", "s" * 3000)],
    *[("region", v, {200, 400, 404, 503}) for v in ("*", "eu", "[", "\xff")],
    *[(n, "y" * 65536, {200, 400, 404, 413, 431, 503}) for n in (
        "timeout", "metadata", "tags", "session", "region")],
]


@pytest.fixture(scope="module")
def plain(upstream):
    with Site(upstream) as site:
        p = Books(site)
        p.model("plain", "m/ok")
        p.doc["rules"] = [
            {"when": {"metadata.team": "a*"}, "use": "plain"},
            {"when": {"tag": "zz*"}, "use": "plain"}]
        p.doc["keys"][0]["may"] = ["explain"]
        p.write()
        yield open_front(site, FRONT)


def send(front, body, *headers):
    return ask(front, "POST", CHAT, [*bearer(front.site.key), (
        "Content-Type", "application/json"), *headers], body)


@pytest.mark.skipif(FRONT is None, reason="no front with a pool of its own")
def test_odd_lists(plain):
    for members, statuses in BODIES.items():
        r = send(plain, listed(members))
        assert r.status in statuses and not fault_of(r), \
            (members[:80], r.status, r.body[:300])


@pytest.mark.skipif(FRONT is None, reason="no front with a pool of its own")
def test_odd_headers(plain):
    bad = []
    for name, value, statuses in HEADERS:
        raw = (f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
               f"Authorization: Bearer {plain.site.key}\r\n"
               "Content-Type: application/json\r\nContent-Length: "
               f"{len(chat_body('plain'))}\r\nX-Tollgate-{name}: {value}"
               "\r\n\r\n").encode("latin-1") + chat_body("plain")
        with Call(plain.port, "POST", CHAT, raw=raw) as call:
            r = call.read()
        if r.status not in statuses or fault_of(r):
            bad.append((name, value[:40], r.status, r.body[:200]))
    assert not bad, bad


@pytest.mark.skipif(FRONT is None, reason="no front with a pool of its own")
def test_explained_names(plain):
    """A header holds no more than ASCII, and is JSON."""
    for model in ("plain", 'n"\u00e4\u4e2d\\', "\u00e9" * 300, '"', "\x7f\n"):
        r = send(plain, json.dumps({"model": model, "messages": [
            {"role": "user", "content": "hi"}]}).encode(),
            ("X-Tollgate-Explain", "1"))
        assert r.status in (200, 400, 404) and not fault_of(r), r.body
        for name, value in r.headers.items():
            assert all(" " <= c for c in value), (name, value)
        if r.status == 200:
            assert json.loads(r.headers["x-tollgate-explain"])["model"] == \
                model
