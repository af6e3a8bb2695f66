"""Files that are larger than what is held of a request: they go on to the
provider as they come, and nobody has them whole."""

import hashlib
import http.client
import json
import random
import socket
import threading
import time

import openai
import pytest

from books import Books, settled, spent, usd
from client import Call, bearer
from house import WRAPPER, Site, descendants, sanitized, wait_until
from servers import chosen, open_front
from sink import Sink

HEAR = "/v1/audio/transcriptions"
MIB = 1 << 20
SECOND = 100_000        # n$
SECONDS = 3             # that the provider says of every file
BOUNDARY = "x" + "7" * 30
LARGE = 200 * MIB // (10 if WRAPPER else 1)
STREAMING = ("lighttpd", "lighttpd-socket", "apache-proxy")
FRONTS = [n for n in STREAMING if n in chosen()] or chosen()[:1]
HOWS = ("ok", "refuse", "stall", "busy", "bad", "slow")


def policy(site, sink):
    p = Books(site)
    price = {"second": 0.0001}

    def to(how):
        return {"to": sink.base(how, f"{how}-{site.tag}"), "price": price}

    for how in HOWS:
        p.model(how, to(how))
    p.model("after-busy", to("busy"), to("ok"))
    away = f"http://127.0.0.1:{site.upstream.closed_port}/v1"
    p.model("after-away", {"to": away, "price": price}, to("ok"))
    p.doc["models"]["stall"]["timeouts"] = {"first_byte": "2s"}
    for who in ("rich", "one", "twenty", "late", "gone"):
        p.key(who, budget=usd(10**12) + " / day")
    p.key("poor", budget=usd(1000) + " / day")
    return p


@pytest.fixture(scope="module")
def sink():
    with Sink() as s:
        yield s


@pytest.fixture(scope="module", params=chosen())
def books(request, upstream, sink):
    with Site(upstream) as site:
        site.tag = request.param
        p = policy(site, sink).write()
        p.front = open_front(site, request.param)
        p.sink, p.name = sink, request.param
        yield p


def streaming(books):
    if books.name not in STREAMING:
        pytest.skip("a process for each request, or a server that gathers")


def field(name, value):
    return (f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
            f"name=\"{name}\"\r\n\r\n{value}\r\n").encode()


def head_of_file(name="file"):
    return (f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
            f"name=\"{name}\"; filename=\"speech.mp3\"\r\n"
            "Content-Type: audio/mpeg\r\n\r\n").encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


class Form:
    """A form with a file of that size, and what stands before and behind it.
    Its bytes are made as they are sent."""

    def __init__(self, size, before, after=b"", seed=1):
        self.before = before + head_of_file()
        self.after = (b"\r\n" + after + END[2:]) if after else END
        self.size = size
        block = random.Random(seed).randbytes(MIB - 7)
        self.block = block
        self.length = len(self.before) + size + len(self.after)

    def pieces(self):
        yield self.before
        left = self.size
        while left > 0:
            yield self.block[:left]
            left -= min(left, len(self.block))
        yield self.after

    def hash(self):
        """Of what a provider is to get from the file's first byte on."""
        h = hashlib.sha256()
        for i, p in enumerate(self.pieces()):
            if i > 0:
                h.update(p)
        return h.hexdigest()


def send(books, key, form, pieces=None, timeout=120, headers=()):
    """(status, parsed body) of one upload; the answer may come early."""
    c = http.client.HTTPConnection("127.0.0.1", books.front.port,
                                   timeout=timeout)
    try:
        c.putrequest("POST", HEAR)
        for name, value in bearer(books.secret[key]) + list(headers):
            c.putheader(name, value)
        c.putheader("Content-Type",
                    f"multipart/form-data; boundary={BOUNDARY}")
        c.putheader("Content-Length", str(form.length))
        c.endheaders()
        try:
            for p in pieces or form.pieces():
                c.send(p)
        except ConnectionError:
            pass
        r = c.getresponse()
        return r.status, json.loads(r.read())
    finally:
        c.close()


def seen(books, how, of=-1):
    rows = books.sink.seen.get(f"{how}-{books.site.tag}", [])
    return rows[of] if rows else None


def count(books, how):
    return len(books.sink.seen.get(f"{how}-{books.site.tag}", []))


def workers(books):
    if books.front.pool is not None:
        return books.front.pool.workers()
    return [p for p in descendants(books.front.process.pid)
            if "tollgate" in open(f"/proc/{p}/cmdline",
                                  encoding="utf-8").read()]


def memory(pid, what):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith(what)) * 1024


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


def test_large(books, figure):
    """200 MiB arrive byte for byte, and no worker grows by it."""
    form = Form(LARGE, field("model", "ok") + field("language", "en"))
    assert send(books, "rich", Form(MIB, field("model", "ok")))[0] == 200
    before = {}
    for pid in workers(books) if books.name in STREAMING else ():
        reset_peak(pid)
        before[pid] = memory(pid, "VmRSS")
    began = time.monotonic()
    status, doc = send(books, "rich", form)
    took = time.monotonic() - began
    assert status == 200, doc
    row = seen(books, "ok")
    assert row.whole and row.hash.hexdigest() == form.hash()
    assert row.field("model") == "up-ok" and row.field("language") == "en"
    assert int(row.headers["content-length"]) == row.length
    grown = max((memory(p, "VmHWM") - b for p, b in before.items()),
                default=0)
    figure(f"{LARGE // MIB} MiB in {took:.1f} s, a worker grew by "
           f"{grown / MIB:.2f} MiB at most")
    assert WRAPPER or sanitized() or grown < 2 * MIB
    if books.name in STREAMING:
        settled(books.site, "rich", 2 * SECONDS * SECOND, 2)


@pytest.mark.parametrize("size", [0, 1, 511, 513, 700, 1500])
def test_sizes(books, size):
    """Around what is held at a time, the file's end anywhere."""
    for more in (0, 1, 37, 77):
        form = Form(size * 1024 + more, field("model", "ok"),
                    field("response_format", "json"), seed=more)
        status, doc = send(books, "one", form)
        if size * 1024 + more == 0:
            assert status == 400 and doc["error"]["param"] == "file", doc
            continue
        assert status == 200, doc
        row = seen(books, "ok")
        assert row.length > size * 1024
        if size >= 513:
            assert row.hash.hexdigest() == form.hash()


def test_in_crumbs(books):
    """Pieces that end anywhere, also within the delimiter."""
    form = Form(600 * 1024, field("model", "ok"), field("prompt", "so"))
    whole = b"".join(form.pieces())
    cut = len(whole) - 300

    def pieces():
        yield whole[:cut]
        for i in range(cut, len(whole), 3):
            time.sleep(0.002)
            yield whole[i:i + 3]

    status, doc = send(books, "one", form, pieces())
    assert status == 200, doc
    assert seen(books, "ok").hash.hexdigest() == form.hash()


def test_sdk(books):
    data = random.Random(5).randbytes(24 * MIB)
    with openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                       api_key=books.secret["one"], timeout=60) as client:
        r = client.audio.transcriptions.create(
            model="ok", file=("speech.mp3", data), language="en")
    assert r.text.startswith("heard 25")


def test_file_first(books):
    """The fields may stand behind a file that can be held …"""
    form = Form(5 * MIB, b"", field("model", "ok"))
    status, doc = send(books, "one", form)
    assert status == 200, doc
    assert seen(books, "ok").whole
    # … else the client is told what to do.
    status, doc = send(books, "one", Form(40 * MIB, b"",
                                          field("model", "ok")))
    assert status == 413, doc
    assert "before 'file'" in doc["error"]["message"]


@pytest.mark.parametrize("late", [
    field("model", "slow"), field("stream", "true"),
    field("models", "[]"), field('x"; name="model', "slow"),
    field("x", "y").replace(b"\r\n\r\n", b"\r\nContent-Disposition: "
                            b"form-data; name=\"model\"\r\n\r\n"),
    head_of_file() + b"more\r\n",
    head_of_file("other") + b"more\r\n", field("temperature", "0") * 2,
    f"--{BOUNDARY}--\r\n".encode() + field("model", "slow")])
def test_smuggled(books, late):
    """Nothing behind the file changes who is asked, or reaches him."""
    before = spent(books.site, "late") if books.name in STREAMING else None
    status, doc = send(books, "late", Form(2 * MIB, field("model", "ok"),
                                           late))
    assert status == 400, doc
    row = seen(books, "ok")
    if row is not None and not row.whole:
        assert b"slow" not in row.tail and b"more" not in row.tail
    if before is not None:
        wait_until(lambda: spent(books.site, "late")["held_nano"] == 0, 5,
                   "given back")


def test_odd_boundary(books):
    """A boundary within the file, for a reader of bare line ends."""
    form = Form(MIB, field("model", "ok"))
    evil = b"\n" + field("model", "slow")
    form.block = form.block[:700 * 1024] + evil + form.block
    form.size += len(evil)
    form.length += len(evil)
    status, doc = send(books, "late", form)
    assert status == 400, doc


def test_refused_at_once(books):
    """What the provider says before it has all, the client hears."""
    status, doc = send(books, "one", Form(LARGE, field("model", "refuse")))
    assert status in (502, 503), doc
    status, doc = send(books, "one", Form(3 * MIB, field("model", "bad")))
    assert status == 400 and doc["error"]["message"] == "no speech in it"


def test_fallback(books):
    """As long as all of it is held the next one is asked."""
    form = Form(20 * MIB, field("model", "after-away"))
    status, doc = send(books, "one", form)
    assert status == 200, doc
    assert seen(books, "ok").hash.hexdigest() == form.hash()
    # Later there is nothing that could be sent to another one.
    status, doc = send(books, "one", Form(20 * MIB,
                                          field("model", "after-busy")))
    assert status in (502, 503), doc


def test_stalled_provider(books):
    began = time.monotonic()
    status, doc = send(books, "one", Form(20 * MIB, field("model", "stall")))
    assert status in (503, 504), doc
    assert time.monotonic() - began < 12


def test_poor(books):
    """Refused while it is still sent; the provider hears nothing of it."""
    n = count(books, "ok")
    status, doc = send(books, "poor", Form(LARGE, field("model", "ok")))
    assert status == 429 and doc["error"]["code"] == "budget_exceeded", doc
    assert count(books, "ok") == n


def test_no_length(books):
    """A client that does not say how long it is: lighttpd asks it for that."""
    form = Form(3 * MIB, field("model", "ok"))

    def pieces():
        for p in form.pieces():
            yield p

    c = http.client.HTTPConnection("127.0.0.1", books.front.port, timeout=30)
    c.request("POST", HEAR, body=pieces(), encode_chunked=True, headers={
        **dict(bearer(books.secret["one"])), "Transfer-Encoding": "chunked",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    r = c.getresponse()
    doc = json.loads(r.read())
    c.close()
    if "lighttpd" in books.name:
        assert r.status == 411 and doc["error"]["message"], doc
        return
    assert r.status == 200, doc
    assert seen(books, "ok").hash.hexdigest() == form.hash()


def test_no_key(books):
    books.secret["nobody"] = "tg_nobody"
    status, doc = send(books, "nobody", Form(LARGE, field("model", "ok")))
    assert status == 401, doc


def test_too_large(books):
    form = Form(MIB, field("model", "ok"))
    form.length = 600 * MIB
    status, doc = send(books, "one", form, [])
    assert status == 413, doc


def test_client_leaves(books):
    """… in the midst of it: nothing stays held, the provider is left too."""
    streaming(books)
    n = count(books, "ok")
    form = Form(LARGE, field("model", "ok"))
    with socket.create_connection(("127.0.0.1", books.front.port)) as s:
        head = f"POST {HEAR} HTTP/1.1\r\nHost: a\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in bearer(books.secret["gone"])) + \
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n" \
            f"Content-Length: {form.length}\r\n\r\n"
        s.sendall(head.encode())
        for i, p in enumerate(form.pieces()):
            s.sendall(p)
            if i == 10:
                break
        wait_until(lambda: count(books, "ok") > n, 10, "asked")
    wait_until(lambda: spent(books.site, "gone")["held_nano"] == 0, 30,
               "given back")
    assert not seen(books, "ok").whole
    assert spent(books.site, "gone")["input_tokens"] == 0, "not whole"


def test_twenty_at_once(books):
    streaming(books)
    forms = [Form(8 * MIB + i, field("model", "slow"), seed=i)
             for i in range(20)]
    before = [memory(p, "VmRSS") for p in workers(books)]
    said = []
    threads = [threading.Thread(target=lambda f=f: said.append(
        send(books, "twenty", f))) for f in forms]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [s for s, _d in said] == [200] * 20, said
    hashes = {r.hash.hexdigest() for r in
              books.sink.seen[f"slow-{books.site.tag}"]}
    assert {f.hash() for f in forms} <= hashes
    after = [memory(p, "VmRSS") for p in workers(books)]
    assert WRAPPER or sanitized() or sum(after) - sum(before) < 20 * 2 * MIB
    settled(books.site, "twenty", 20 * SECONDS * SECOND, 20)


def test_not_for_json(books):
    """A large form where JSON belongs is refused, and is nobody's command."""
    body = Form(2 * MIB, field("model", "ok"))
    for path in ("/v1/chat/completions", "/v1/embeddings"):
        with Call(books.front.port, "POST", path, [
                *bearer(books.secret["one"]),
                ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")],
                b"".join(body.pieces())) as c:
            r = c.read()
        assert r.status == 400, r.body
