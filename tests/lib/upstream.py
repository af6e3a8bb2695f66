"""A provider that does what the path says, and keeps its own bill.

One asyncio HTTP/1.1 server on raw sockets, so that every byte and every fault
is ours.  It must not share code with the product: it is an oracle of tests.

    /replay/<provider>/<case>/...     a recording as it came
    /chunk/<n>/<provider>/<case>/...  in HTTP chunks of n bytes, written at once
    /split/<n>/<provider>/<case>/...  in HTTP chunks of n bytes, one TCP
                                      segment each as far as that is ours
    /comb/<n>/<o>/<provider>/<case>/  as chunk, but the first piece has o bytes
    /cut/<k>/<provider>/<case>/...    cut at byte k; k,k,k: at each of them
    /asked/v1/...                     the recording that the request's "model"
                                      names ("provider/case"), in pieces as its
                                      "x_pieces" says: "cut/17", "comb/67/3"
    /m/<mode>/<args>.../v1/...        a row of MODES; args by place or name=value;
                                      tag=x only tells two providers apart
    GET /bill, POST /reset, GET /last/<key>, GET /modes
    POST /dial/<name>/ms=N/code=N/retry=S/reset=1
                                      what m/dial/<name> does from now on
    POST /pieces/<how>                from now on /replay/ comes in these
                                      pieces ("/pieces/comb/67/3"), until
                                      POST /pieces: whole again

The key of a bill entry is the path in front of the API's own part: what stands
before /v1 (or /v1beta, /v2), e.g. "m/stream/10/5" or "replay/groq/x".
Its "log" has a row for each request: who (the last user's first words), t
(when it came), first (when the first content left), gone (when the other side
left early), all in s since 1970.  Tokens are counted the simple way: words
between blanks.

As a program: upstream.py [--port N] [--corpus DIR]... [--tls CERT KEY]
[--certs DIR]; it prints one JSON line with its ports and serves until it is
told to stop.  DIR holds what tests/unit/certs.sh makes: then there are ports
"tls_NAME", one for each row of TLS.
As a module: with Upstream(corpora) as up: up.base("m/ok") ...
"""

import argparse
import asyncio
import email.utils
import gzip
import inspect
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import batching
import doors
import doors_media
import kept
import passed

HEAD_MAX = 256 * 1024
API_ROOTS = ("v1", "v1beta", "v2", "v1alpha", "api", "model")
OWN_HEADERS = ("content-length", "transfer-encoding", "connection",
               "content-encoding", "content-type", "keep-alive")


class Gone(Exception):
    """The other side left, or we cut the connection ourselves."""


class BadArguments(Exception):
    """The path asks for what no mode has."""


class BadRequest(Exception):
    """What came is no HTTP request that we take."""


def count(text):
    """The simple count: words between blanks."""
    return len(text.split()) if isinstance(text, str) else 0


def text_of(content):
    """The text of a message's content, whether string or parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(p.get("text") or "") for p in content
                        if isinstance(p, dict))
    return ""


# --- recordings -----------------------------------------------------------

class Recordings:
    """Cases of <root>/<provider>/<case>/, read once."""

    def __init__(self, roots):
        self.roots = roots
        self.seen = {}

    def get(self, provider, case):
        key = provider, case
        if key not in self.seen:
            self.seen[key] = self._load(provider, case)
        return self.seen[key]

    def _load(self, provider, case):
        if "/" in provider + case or ".." in (provider, case):
            return None
        for root in self.roots:
            folder = os.path.join(root, provider, case)
            name = os.path.join(folder, "meta.json")
            if os.path.isfile(name):
                with open(name, encoding="utf-8") as f:
                    meta = json.load(f)
                body = b""
                if meta.get("body_file"):
                    with open(os.path.join(folder, meta["body_file"]),
                              "rb") as f:
                        body = f.read()
                return meta, body
        return None


def replay_headers(meta):
    headers = [("content-type", meta.get("content_type") or
                "application/octet-stream")]
    for name, value in (meta.get("response_headers") or {}).items():
        if name.lower() not in OWN_HEADERS:
            headers.append((name, str(value)))
    return headers


def pieces_of(body, lengths):
    """body in pieces of these lengths; what is left over comes last."""
    at = 0
    for n in lengths:
        if n > 0 and at < len(body):
            yield body[at:at + n]
            at += n
    if at < len(body):
        yield body[at:]


# --- one connection, one exchange -----------------------------------------

class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.buf = bytearray()
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self.gone_at = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.server.open.add(self)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=65536, low=16384)
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def data_received(self, data):
        self.buf += data
        self.arrived.set()

    def eof_received(self):
        self.left()
        return False

    def connection_lost(self, _exc):
        self.left()
        self.server.open.discard(self)

    def left(self):
        if self.gone_at is None:
            self.gone_at = time.time()
        self.gone.set()
        self.arrived.set()
        self.writable.set()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    async def more(self):
        self.arrived.clear()
        if self.gone.is_set():
            raise Gone()
        await self.arrived.wait()
        if self.gone.is_set():
            raise Gone()

    async def take(self, n):
        while len(self.buf) < n:
            await self.more()
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    async def line(self):
        while b"\n" not in self.buf:
            if len(self.buf) > HEAD_MAX:
                raise BadRequest("line too long")
            await self.more()
        return await self.take(self.buf.index(b"\n") + 1)

    async def head(self):
        while b"\r\n\r\n" not in self.buf:
            if len(self.buf) > HEAD_MAX:
                raise BadRequest("head too large")
            await self.more()
        raw = await self.take(self.buf.index(b"\r\n\r\n") + 4)
        lines = raw[:-4].decode("latin-1").split("\r\n")
        try:
            method, target, _version = lines[0].split(" ")
        except ValueError:
            raise BadRequest("request line") from None
        headers = []
        for h in lines[1:]:
            name, sep, value = h.partition(":")
            if not sep or name != name.strip():
                raise BadRequest("header line")
            headers.append((name, value.strip()))
        return method, target, headers

    async def body(self, headers):
        low = {n.lower(): v for n, v in headers}
        if low.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in low.get("transfer-encoding", "").lower():
            out = b""
            while True:
                n = int((await self.line()).split(b";")[0], 16)
                if n == 0:
                    while (await self.line()).strip():
                        pass
                    return out
                out += (await self.take(n + 2))[:-2]
        return await self.take(int(low.get("content-length", "0")))

    async def serve(self):
        try:
            while True:
                method, target, headers = await self.head()
                body = await self.body(headers)
                x = Exchange(self, method, target, headers, body)
                if not await x.run():
                    break
        except (Gone, ConnectionError):
            pass
        except (BadRequest, ValueError) as e:
            self.server.bill["bad_requests"].append(str(e))
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n"
                                 b"content-length: 0\r\n"
                                 b"connection: close\r\n\r\n")
        finally:
            self.transport.close()


class Exchange:
    """One request and the means to answer it, well or badly."""

    def __init__(self, conn, method, target, headers, body):
        self.conn = conn
        self.server = conn.server
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.path, _, self.query = target.partition("?")
        self.segments = [urllib.parse.unquote(s)
                         for s in self.path.split("/") if s]
        self.t = time.time()
        self.keep = True
        self.chunked = False
        self.events = 0
        self.tokens = 0
        self.sent = 0
        self.done = False
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None
        doc = self.json if isinstance(self.json, dict) else {}
        self.stream = doc.get("stream") is True
        options = doc.get("stream_options")
        self.wants_usage = isinstance(options, dict) and \
            options.get("include_usage") is True
        self.model = doc.get("model") or "model"
        messages = doc.get("messages")
        messages = [m for m in messages if isinstance(m, dict)] \
            if isinstance(messages, list) else []
        self.prompt_tokens = sum(
            count(text_of(m.get("content"))) for m in messages)
        users = [m for m in messages if m.get("role") == "user"]
        self.last_user = text_of(users[-1].get("content")) if users else ""
        cap = doc.get("max_completion_tokens") or doc.get("max_tokens")
        self.cap = cap if isinstance(cap, int) else None
        self.entry = self.row = None

    # -- the bill

    def key(self):
        for i, s in enumerate(self.segments):
            if s in API_ROOTS:
                return "/".join(self.segments[:i])
        return "/".join(self.segments)

    def book(self):
        e = self.server.entry(self.key())
        e["requests"] += 1
        self.row = {"who": self.last_user[:48], "t": self.t, "first": None,
                    "gone": None}
        e["log"].append(self.row)
        e["bytes_in"] += len(self.body)
        e["times"].append(self.t)
        e["last"] = {"t": self.t, "method": self.method,
                     "target": self.target, "headers": self.headers,
                     "body": self.body.decode("utf-8", "replace")}
        if self.stream:
            e["streams"] += 1
        e["running"] += 1
        self.entry = e

    def bill_tokens(self, output, prompt=0):
        self.tokens += output
        self.entry["output_tokens"] += output
        self.entry["input_tokens"] += prompt

    def usage(self, completion):
        return {"prompt_tokens": self.prompt_tokens,
                "completion_tokens": completion,
                "total_tokens": self.prompt_tokens + completion}

    async def run(self):
        if self.segments and self.segments[0] in OWN_PAGES:
            await OWN_PAGES[self.segments[0]](self)
            return self.keep
        self.book()
        try:
            await self.dispatch()
            self.done = True
            self.entry["finished"] += 1
            return self.keep
        except (Gone, ConnectionError):
            kind = "aborted" if not self.done else "cut"
            self.row["gone"] = None if self.done else \
                self.conn.gone_at or time.time()
            self.entry[kind].append({
                "t": self.conn.gone_at or time.time(), "began": self.t,
                "events": self.events, "tokens": self.tokens,
                "bytes": self.taken()})
            return False
        finally:
            self.entry["running"] -= 1

    async def dispatch(self):
        kind = self.segments[0] if self.segments else ""
        if kind == "asked":
            how = (self.json or {}).get("x_pieces") or "replay"
            self.segments = how.split("/") + str(self.model).split("/")
            kind = self.segments[0]
        if kind == "replay" and self.server.pieces:
            how = self.server.pieces
            await replay(self, how[0], how[1:] + self.segments[1:])
            return
        if kind in REPLAYS:
            await replay(self, kind, self.segments[1:])
            return
        if kind != "m" or len(self.segments) < 2 or \
                self.segments[1] not in MODES:
            await self.reply(404, {"error": {"message": "no such mode"}})
            return
        fn = MODES[self.segments[1]][0]
        try:
            await fn(self, **self.arguments(fn))
        except BadArguments as e:
            await self.reply(404, {"error": {"message": str(e)}})

    def arguments(self, fn):
        """Path segments → arguments of fn, typed as its defaults are."""
        params = list(inspect.signature(fn).parameters.values())[1:]
        by_name = {p.name: p for p in params}
        out, at = {}, 0
        for s in self.segments[2:]:
            if s in API_ROOTS:
                break
            name, sep, value = s.partition("=")
            if sep and name == "tag":
                continue
            if not (sep and name in by_name):
                if at >= len(params):
                    raise BadArguments("too many arguments")
                name, value = params[at].name, s
                at += 1
            default = by_name[name].default
            try:
                out[name] = type(default)(value)
            except ValueError:
                raise BadArguments("bad " + name) from None
        return out

    # -- bytes out

    def taken(self):
        """Bytes that the socket took of us."""
        left = self.conn.transport.get_write_buffer_size()
        return max(0, self.sent - left)

    async def raw(self, data):
        if self.conn.gone.is_set():
            raise Gone()
        self.conn.transport.write(data)
        self.sent += len(data)
        self.entry_add("bytes_out", len(data))
        if not self.conn.writable.is_set():
            await self.conn.writable.wait()
            if self.conn.gone.is_set():
                raise Gone()

    def entry_add(self, name, n):
        if self.entry is not None:
            self.entry[name] += n

    async def flush(self):
        """Give the loop a turn: what was written becomes its own segment."""
        await asyncio.sleep(0)
        if self.conn.gone.is_set():
            raise Gone()

    async def sleep(self, seconds):
        """Sleep, or Gone as soon as the other side leaves."""
        if seconds <= 0:
            await self.flush()
            return
        try:
            await asyncio.wait_for(self.conn.gone.wait(), seconds)
        except asyncio.TimeoutError:
            return
        raise Gone()

    async def forever(self):
        await self.conn.gone.wait()
        raise Gone()

    async def head(self, status=200, ctype="text/event-stream", headers=(),
                   chunked=True, length=None):
        out = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Status"))]
        if ctype:
            out.append("content-type: " + ctype)
        out += ["%s: %s" % h for h in headers]
        if length is not None:
            out.append("content-length: %d" % length)
        elif chunked:
            out.append("transfer-encoding: chunked")
        else:
            out.append("connection: close")
            self.keep = False
        self.chunked = chunked and length is None
        await self.raw(("\r\n".join(out) + "\r\n\r\n").encode("latin-1"))

    async def send(self, data):
        """One piece of the body, a chunk of its own."""
        if data:
            await self.raw(b"%x\r\n%s\r\n" % (len(data), data)
                           if self.chunked else data)

    async def end(self):
        if self.chunked:
            await self.raw(b"0\r\n\r\n")

    async def reply(self, status, body, ctype="application/json", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if status == 204:
            await self.raw(b"HTTP/1.1 204 No Content\r\n\r\n")
            return
        await self.head(status, ctype, headers, length=len(body))
        await self.raw(body)

    async def event(self, doc, eol="\n", space=" ", name=None):
        data = doc if isinstance(doc, str) else json.dumps(doc)
        lines = ["event:%s%s" % (space, name)] if name else []
        lines += ["data:%s%s" % (space, data), "", ""]
        self.events += 1
        await self.send(eol.join(lines).encode())

    def reset(self):
        """RST now, whatever is still queued."""
        sock = self.conn.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        self.conn.transport.abort()
        self.done = True
        raise Gone()

    def cut(self):
        """FIN now, after what is queued; the answer stays unfinished."""
        self.conn.transport.close()
        self.done = True
        raise Gone()

    # -- chat answers

    def content_leaves(self):
        if self.row["first"] is None:
            self.row["first"] = time.time()

    def chunk(self, delta, finish=None, **more):
        doc = {"id": "chatcmpl-up", "object": "chat.completion.chunk",
               "created": int(self.t), "model": self.model,
               "choices": [{"index": 0, "delta": delta,
                            "finish_reason": finish}]}
        doc.update(more)
        return doc

    def whole(self, message, finish="stop", completion=0, **more):
        doc = {"id": "chatcmpl-up", "object": "chat.completion",
               "created": int(self.t), "model": self.model,
               "choices": [{"index": 0, "message": message,
                            "finish_reason": finish}],
               "usage": self.usage(completion)}
        doc.update(more)
        return doc

    async def say(self, words, delay=0.0, finish="stop", **how):
        """Words as a chat answer, streamed or whole as was asked.

        words may be an iterator of any length; output stops at the cap that
        the request set, as providers do."""
        if self.cap:
            words, finish = capped(words, self.cap, finish)
        if self.stream:
            await self.head()
            await self.contents(words, delay, **how)
            await self.close_stream(finish, **how)
            return
        said = []
        for w in words:
            if delay:
                await self.sleep(delay)
            said.append(w() if callable(w) else w)
        self.bill_tokens(len(said), self.prompt_tokens)
        self.content_leaves()
        await self.reply(200, self.whole(
            {"role": "assistant", "content": "".join(said)}, finish,
            len(said)))

    async def contents(self, words, delay=0.0, role=True, **how):
        """The role chunk and one event a word; a callable word is called
        when it is sent (time stamps)."""
        self.bill_tokens(0, self.prompt_tokens)
        if role:
            await self.event(self.chunk(
                {"role": "assistant", "content": ""}), **how)
        for w in words:
            if delay:
                await self.sleep(delay)
            self.content_leaves()
            await self.event(self.chunk(
                {"content": w() if callable(w) else w}), **how)
            self.bill_tokens(1)

    async def close_stream(self, finish="stop", done=True, usage=None,
                           end=True, **how):
        await self.event(self.chunk({}, finish), **how)
        if self.wants_usage or usage is not None:
            u = self.usage(self.tokens) if usage is None else usage
            await self.event(self.chunk({}, choices=[], usage=u), **how)
        if done:
            await self.event("[DONE]", **how)
        if end:
            await self.end()


def row(table, name):
    if name not in table:
        raise BadArguments("no such kind")
    return table[name]


def capped(words, cap, finish):
    out = []
    for w in words:
        if len(out) == cap:
            return out, "length"
        out.append(w)
    return out, finish


def stamped(n):
    """n words that carry their index and the time they are sent."""
    for i in range(n):
        yield lambda i=i: "%d:%.6f " % (i, time.time())


def plain(n):
    return ["w%d " % i for i in range(n)]


REASONS = {200: "OK", 204: "No Content", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout", 529: "Overloaded"}


# --- replays --------------------------------------------------------------

async def replay(x, kind, segments):
    """How recordings come: whole, or in pieces (see the head of this file)."""
    argc = REPLAYS[kind]
    try:
        args = [int(a) for a in ",".join(segments[:argc]).split(",") if a]
        provider, case = segments[argc:argc + 2]
    except ValueError:
        await x.reply(404, {"error": {"message": "bad replay path"}})
        return
    found = x.server.recordings.get(provider, case)
    if found is None:
        await x.reply(404, {"error": {"message": "no such recording"}})
        return
    meta, body = found
    status = meta.get("status") or 200
    if status == 204:
        await x.reply(204, b"")
        return
    headers = replay_headers(meta)
    ctype = headers.pop(0)[1]
    if kind == "replay" and not meta.get("chunk_lengths"):
        await x.reply(status, body, ctype, headers)
        return
    await x.head(status, ctype, headers)
    lengths = {"replay": lambda: meta["chunk_lengths"],
               "chunk": lambda: every(args[0], len(body)),
               "split": lambda: every(args[0], len(body)),
               "comb": lambda: [args[1]] + every(args[0], len(body)),
               "cut": lambda: gaps(args)}[kind]()
    if kind == "split":
        for piece in pieces_of(body, lengths):
            await x.send(piece)
            await x.flush()
        await x.end()
        return
    out = [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces_of(body, lengths)]
    await x.raw(b"".join(out) + b"0\r\n\r\n")


def gaps(points):
    """Lengths of the pieces between rising points."""
    return [b - a for a, b in zip([0] + points, points)]


def every(n, total):
    return [max(1, n)] * (total // max(1, n) + 1)


# name → how many numbers stand between it and the provider
REPLAYS = {"replay": 0, "chunk": 1, "split": 1, "comb": 2, "cut": 1}


# --- modes: answers that are well ------------------------------------------

async def m_ok(x):
    """Echo the last user text; also a plain models list and embeddings."""
    if x.path.endswith("/models"):
        await x.reply(200, {"object": "list", "data": [
            {"id": "model", "object": "model", "created": 0,
             "owned_by": "upstream"}]})
    elif x.path.endswith("/embeddings"):
        inputs = (x.json or {}).get("input", "")
        inputs = inputs if isinstance(inputs, list) else [inputs]
        n = sum(count(i) for i in inputs)
        x.bill_tokens(0, n)
        await x.reply(200, {"object": "list", "model": x.model, "data": [
            {"object": "embedding", "index": i,
             "embedding": embedding(t)} for i, t in enumerate(inputs)],
            "usage": {"prompt_tokens": n, "total_tokens": n}})
    else:
        await x.say(echo(x))


async def m_doors(x, fail_after=0):
    """Embeddings and all that is no chat, in any dialect (doors.py); from
    the call after so many on it fails."""
    if fail_after and x.entry["requests"] > fail_after:
        await x.reply(500, {"error": {"message": "no more"}})
        return
    status, kind, body = doors.answer(
        x, lambda input=0, output=0: x.bill_tokens(output, input))
    await x.reply(status, body, kind)


async def m_kept(x, n=3, delay_ms=0.0):
    """Responses that it keeps (kept.py), of n words, delay_ms apart."""
    said = await kept.answer(x, n, delay_ms / 1000)
    if said is not None:
        await x.reply(*said)


async def m_batch(x, looks=1, fail=0):
    """Files and batches (batching.py) that end with the looks-th look; orders
    are answered with status `fail`."""
    if fail and x.method == "POST" and x.path.endswith("/batches"):
        await x.reply(int(fail), {"error": {"message": "not now"}})
        return
    said = await batching.answer(x, int(looks))
    if said is not None:
        await x.reply(*said)


async def m_passed(x):
    """An API that no dialect has (passed.py)."""
    await passed.answer(x)


def echo(x):
    """The last user's words."""
    words = x.last_user.split()
    return [w + (" " if i + 1 < len(words) else "")
            for i, w in enumerate(words)]


def embedding(text):
    """Unit vector of letter counts: near texts have near vectors."""
    v = [0.0] * 26
    for c in str(text).lower():
        if "a" <= c <= "z":
            v[ord(c) - 97] += 1.0
    norm = sum(a * a for a in v) ** 0.5 or 1.0
    return [a / norm for a in v]


async def m_stream(x, n=10, delay_ms=0.0):
    """n words, delay_ms apart; each "index:time sent"."""
    await x.say(stamped(n), delay_ms / 1000)


async def m_late(x, ms=100.0, n=3, delay_ms=0.0):
    """n words, delay_ms apart, after a wait before the headers (a fixed
    TTFT)."""
    await x.sleep(ms / 1000)
    await x.say(plain(n), delay_ms / 1000)


async def m_lognormal(x, median_ms=50.0, sigma=0.5, n=5, seed=0,
                      stalls=0.0, stall_ms=5000.0, delay_ms=0.0):
    """n words, delay_ms apart, after a wait drawn from a lognormal
    distribution; stalls per cent of the requests wait stall_ms instead.
    seed (not 0): the same draws in each run."""
    draw = x.server.draws.setdefault(x.key(), random.Random(seed or None))
    ms = median_ms * draw.lognormvariate(0, sigma)
    if draw.random() * 100 < stalls:
        ms = stall_ms
    await x.sleep(ms / 1000)
    await x.say(plain(n), delay_ms / 1000)


async def m_dial(x, name="a", n=0):
    """What POST /dial/<name>/… said last: ms=N of waiting, then an echo or
    n words, or code=N with retry=S, or reset=1."""
    how = x.server.dials.get(name, {})
    await x.sleep(float(how.get("ms", 0)) / 1000)
    if how.get("reset"):
        x.reset()
    if int(how.get("code", 200)) != 200:
        await m_status(x, int(how["code"]), how.get("retry", ""))
    else:
        await x.say(plain(n) if n else echo(x))


async def m_tools(x, calls=1, parts=3):
    """Tool calls, arguments in parts when streamed."""
    args = [json.dumps({"city": "Zürich", "n": i}) for i in range(calls)]
    full = [{"id": "call_%d" % i, "type": "function",
             "function": {"name": "look_up", "arguments": a}}
            for i, a in enumerate(args)]
    n = sum(count(a) for a in args)
    if not x.stream:
        x.bill_tokens(n, x.prompt_tokens)
        await x.reply(200, x.whole(
            {"role": "assistant", "content": None, "tool_calls": full},
            "tool_calls", n))
        return
    await x.head()
    await x.event(x.chunk({"role": "assistant", "content": None}))
    for i, call in enumerate(full):
        first = {"index": i, "id": call["id"], "type": "function",
                 "function": {"name": "look_up", "arguments": ""}}
        await x.event(x.chunk({"tool_calls": [first]}))
        step = max(1, -(-len(args[i]) // parts))
        for at in range(0, len(args[i]), step):
            await x.event(x.chunk({"tool_calls": [
                {"index": i,
                 "function": {"arguments": args[i][at:at + step]}}]}))
    x.bill_tokens(n, x.prompt_tokens)
    await x.close_stream("tool_calls")


async def m_big(x, size=1048576, word=1000):
    """An answer of about size bytes in words of this length."""
    n = max(1, size // word)
    await x.say([("%0*d " % (word - 1, i)) for i in range(n)])


async def m_flood(x, size=104857600, piece=16384):
    """A stream of size bytes as fast as the other side takes it."""
    sock = x.conn.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    x.cap = None
    await x.head()
    word = "f" * (piece - 1) + " "
    while x.sent < size:
        await x.event(x.chunk({"content": word}))
        x.bill_tokens(1)
        x.entry["taken"] = x.taken()
    await x.close_stream()


async def m_echo(x):
    """The answer's text is the request as it came, as JSON."""
    text = json.dumps({"method": x.method, "target": x.target,
                       "headers": x.headers,
                       "body": x.body.decode("utf-8", "replace")})
    x.cap = None
    await x.say([text])


async def m_auth(x, key="secret"):
    """Only for this key, as bearer, x-api-key, api-key or x-goog-api-key."""
    given = {v.removeprefix("Bearer ") for n, v in x.headers if n.lower() in
             ("authorization", "x-api-key", "api-key", "x-goog-api-key")}
    if given != {key}:
        await m_status(x, 401)
    else:
        await m_ok(x)


# --- modes: status codes ----------------------------------------------------

ERRORS = {400: ("invalid_request_error", None, "the request is bad"),
          401: ("invalid_request_error", "invalid_api_key", "bad key"),
          402: ("insufficient_quota", "insufficient_quota", "no money"),
          403: ("permission_error", None, "not allowed"),
          404: ("invalid_request_error", "model_not_found", "no such model"),
          408: ("timeout", None, "timed out"),
          413: ("invalid_request_error", None, "too large"),
          422: ("invalid_request_error", None, "cannot be processed"),
          429: ("rate_limit_error", "rate_limit_exceeded", "slow down")}


def error_body(code, message=None):
    kind, name, text = ERRORS.get(code, ("server_error", None, "it failed"))
    return {"error": {"message": message or text, "type": kind,
                      "param": None, "code": name}}


async def m_status(x, code=500, retry="", retry_ms="", message="",
                   err_code=""):
    """An error status; retry= seconds, date+N, or any text."""
    headers = []
    if retry.startswith("date"):
        at = time.time() + float(retry[4:] or 0)
        headers.append(("retry-after", email.utils.formatdate(
            at, usegmt=True)))
    elif retry:
        headers.append(("retry-after", retry))
    if retry_ms:
        headers.append(("retry-after-ms", retry_ms))
    body = error_body(code, message)
    if err_code:
        body["error"]["code"] = err_code
    await x.reply(code, body, headers=headers)


REFUSED = "invalid_request_error"
# dialect: the body of a 400 with this message and code
FORMS = {
    "openai": lambda message, code: {"error": {
        "message": message, "type": REFUSED, "param": "messages",
        "code": code}},
    "anthropic": lambda message, _code: {"type": "error", "error": {
        "type": REFUSED, "message": message}, "request_id": "req_up"},
    "gemini": lambda message, _code: {"error": {
        "code": 400, "message": message, "status": "INVALID_ARGUMENT"}}}
TOO_LONG = {
    "openai": "This model's maximum context length is 8192 tokens. However, "
              "your messages resulted in 9000 tokens.",
    "anthropic": "prompt is too long: 213462 tokens > 200000 maximum",
    "gemini": "The input token count (1250074) exceeds the maximum number "
              "of tokens allowed (1048576)."}
UNWANTED = {
    "openai": "Your request was rejected by the safety system.",
    "anthropic": "Output blocked by content filtering policy"}


async def m_context(x, dialect="openai"):
    """400, the prompt is too long for the model, as FORMS say it."""
    await x.reply(400, row(FORMS, dialect)(
        TOO_LONG[dialect], "context_length_exceeded"))


async def m_policy(x, dialect="openai"):
    """The content policy refused the prompt; gemini says so under a 200,
    azure with its own code."""
    if dialect == "azure":
        await m_status(x, 400, err_code="content_filter",
                       message="content management policy")
    elif dialect == "gemini":
        doc = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
               "usageMetadata": {"promptTokenCount": 3,
                                 "totalTokenCount": 3}}
        if ":stream" in x.path:
            await x.head()
            await x.event(doc)
            await x.end()
        else:
            await x.reply(200, doc)
    else:
        await x.reply(400, row(FORMS, dialect)(
            row(UNWANTED, dialect), "content_policy_violation"))


async def m_quota(x):
    """429 that is not a rate limit: the account has no money."""
    await m_status(x, 429, err_code="insufficient_quota",
                   message="you exceeded your current quota")


async def m_fails(x, n=1, code=503):
    """The first n requests fail with code, then ok."""
    if x.entry["requests"] <= n:
        await m_status(x, code)
    else:
        await m_ok(x)


async def m_every(x, n=2, code=503):
    """Each n-th request fails with code, the others are ok."""
    if x.entry["requests"] % n == 0:
        await m_status(x, code)
    else:
        await m_ok(x)


async def m_flap(x, period_s=1.0, code=503, ms=0.0):
    """Fails (code 0: by RST) during every second period of the wall clock
    of this length; an answer takes ms."""
    if int(time.time() / period_s) % 2 and code == 0:
        x.reset()
    elif int(time.time() / period_s) % 2:
        await m_status(x, code)
    else:
        await x.sleep(ms / 1000)
        await m_ok(x)


async def m_random(x, percent=10.0, code=503):
    """Fails by chance."""
    if random.random() * 100 < percent:
        await m_status(x, code)
    else:
        await m_ok(x)


async def m_redirect(x, code=302, to="http://127.0.0.1:1/"):
    """A redirect; to is percent-encoded in the path."""
    await x.reply(code, b"", headers=[("location", to)])


# --- modes: silence, resets, cuts -------------------------------------------

async def m_hang(x, seconds=0.0):
    """Silence before the headers (0 = until the other side leaves)."""
    await (x.sleep(seconds) if seconds else x.forever())
    x.cut()


async def m_headers_hang(x):
    """Headers, then silence."""
    await x.head(200, "text/event-stream" if x.stream
                 else "application/json")
    await x.forever()


async def m_stall(x, n=1):
    """n content events, then silence."""
    await x.head()
    await x.contents(plain(n))
    await x.forever()


PLACES = ("accept", "mid-headers", "headers", "mid-body")


def is_place(at):
    return at in PLACES or at.isdigit() or \
        (at[:1] in ("h", "b") and at[1:].isdigit())


async def ends_badly(x, at, how):
    """Answer up to a place (PLACES, or that many content events, or hN, bN:
    N bytes of the head, of a body that is no stream)."""
    if at == "accept":
        how()
    if at[0] in "hb" and at[1:].isdigit():
        body = json.dumps(x.whole({"role": "assistant",
                                   "content": "cut off"})).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" \
            b"content-length: %d\r\n\r\n" % len(body)
        n = int(at[1:])
        await x.raw(head[:min(n, len(head) - 1)] if at[0] == "h"
                    else head + body[:min(n, len(body) - 1)])
        await x.sleep(0.02)
        how()
    if at == "mid-headers":
        await x.raw(b"HTTP/1.1 200 OK\r\ncontent-ty")
        await x.sleep(0.02)
        how()
    if not x.stream and not at.isdigit():
        body = json.dumps(x.whole({"role": "assistant",
                                   "content": "cut off"})).encode()
        await x.head(200, "application/json", length=len(body))
        await x.raw(body[:len(body) // 2] if at == "mid-body" else b"")
    else:
        await x.head()
        if at == "mid-body":
            await x.send(b'data: {"id":"chatcmpl-up","obj')
        elif at.isdigit():
            await x.contents(plain(int(at)))
    await x.sleep(0.02)
    how()


async def m_reset(x, at="accept"):
    """RST at: accept, mid-headers, headers, mid-body or after N events."""
    if not is_place(at):
        raise BadArguments("no such place")
    await ends_badly(x, at, x.reset)


async def m_close(x, at="accept"):
    """FIN at the same places: the answer is truncated."""
    if not is_place(at):
        raise BadArguments("no such place")
    await ends_badly(x, at, x.cut)


async def m_trickle(x, ms=1000.0, n=3):
    """n words, the body a byte a write, each after ms (0: a loop turn)."""
    words = plain(n)
    body = "".join("data: %s\n\n" % json.dumps(x.chunk({"content": w}))
                   for w in words)
    body += "data: %s\n\ndata: [DONE]\n\n" % json.dumps(x.chunk({}, "stop"))
    if not x.stream:
        body = json.dumps(x.whole({"role": "assistant",
                                   "content": "".join(words)}, "stop", n))
    await x.head(200, "text/event-stream" if x.stream
                 else "application/json")
    x.bill_tokens(n, x.prompt_tokens)
    for b in body.encode():
        await x.sleep(ms / 1000)
        await x.send(bytes([b]))
    await x.end()


# --- modes: content that lies -------------------------------------------------

async def m_html(x, code=200):
    """A page instead of an answer."""
    await x.reply(code, b"<html><body><h1>UPSTREAM-PAGE</h1></body></html>",
                  "text/html")


async def m_empty(x, code=200):
    """No body at all."""
    await x.reply(code, b"")


async def m_204(x):
    """204 No Content."""
    await x.reply(204, b"")


async def m_truncated(x):
    """JSON that ends too early, its length true."""
    body = json.dumps(x.whole({"role": "assistant", "content": "half"}))
    await x.reply(200, body[:len(body) // 2].encode())


async def m_text(x, code=200):
    """Text labelled JSON."""
    await x.reply(code, b"UPSTREAM-TEXT: too many requests")


async def m_json_for_stream(x):
    """A whole JSON answer though a stream was asked."""
    words = plain(3)
    x.bill_tokens(3, x.prompt_tokens)
    await x.reply(200, x.whole({"role": "assistant",
                                "content": "".join(words)}, "stop", 3))


async def m_sse_for_json(x, n=3):
    """A stream though a whole answer was asked."""
    await x.head()
    await x.contents(plain(n))
    await x.close_stream()


async def m_error_200(x, pad=0):
    """HTTP 200, but the JSON is an error (after pad blanks)."""
    await x.reply(200, b" " * pad + json.dumps(error_body(500)).encode())


async def m_charset(x, charset="iso-8859-1"):
    """The body in another charset than UTF-8."""
    doc = x.whole({"role": "assistant", "content": "Zürich"}, "stop", 1)
    body = json.dumps(doc, ensure_ascii=False).encode(charset)
    await x.reply(200, body, "application/json; charset=" + charset)


BAD_TEXT = {"utf8": b"a\xff\xfe\xc3(b", "overlong": b"a\xc0\xafb",
            "surrogate": b"a\\ud800b", "raw-surrogate": b"a\xed\xa0\x80b",
            "nul": b"a\\u0000b", "raw-nul": b"a\x00b",
            "newline": b"a\nb", "bom": b"a\xef\xbb\xbfb"}


async def m_bad_text(x, kind="utf8"):
    """Content with bytes that no JSON text may have (BAD_TEXT)."""
    bad = row(BAD_TEXT, kind)
    if not x.stream:
        body = json.dumps(x.whole({"role": "assistant",
                                   "content": "@@"}, "stop", 1)).encode()
        await x.reply(200, body.replace(b"@@", bad))
        return
    await x.head()
    body = json.dumps(x.chunk({"content": "@@"})).encode()
    await x.contents(["first "])
    await x.send(b"data: " + body.replace(b"@@", bad) + b"\n\n")
    await x.close_stream()


async def m_gzip(x, layers=1, size=1048576):
    """A body of size zeros in a JSON string, compressed, asked or not."""
    body = b'{"x":"' + b"0" * size + b'"}'
    for _ in range(layers):
        body = gzip.compress(body, 9)
    await x.reply(200, body, headers=[("content-encoding", ", ".join(
        ["gzip"] * layers))])


HOSTILE = {
    "crlf": [("x-request-id", "a\r\nSet-Cookie: evil=1")],
    "nul": [("x-request-id", "a\0b")],
    "cookie": [("set-cookie", "evil=1"), ("server", "evil")],
    "status": [("status", "500"), ("x-tollgate-cost", "0")],
    "latin": [("x-request-id", "\xe9\xff")],
    "twins": [("content-type", "text/html"), ("retry-after", "1"),
              ("retry-after", "2")],
    "many": [("x-h%d" % i, "v") for i in range(5001)],
    "large": [("x-big", "v" * 307200)],
    "long-name": [("x" * 70000, "v")]}


async def m_hostile_headers(x, kind="cookie"):
    """A good answer under bad headers (HOSTILE)."""
    body = x.whole({"role": "assistant", "content": "fine"}, "stop", 1)
    x.bill_tokens(1, x.prompt_tokens)
    await x.reply(200, body, headers=row(HOSTILE, kind))


async def m_odd_http(x, kind="early"):
    """Odd but legal HTTP: early (103), http10, trailers, extensions, lf."""
    body = json.dumps(x.whole({"role": "assistant", "content": "odd"},
                              "stop", 1)).encode()
    x.bill_tokens(1, x.prompt_tokens)
    j = b"content-type: application/json\r\n"
    if kind == "early":
        await x.raw(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        await x.reply(200, body)
    elif kind == "http10":
        await x.raw(b"HTTP/1.0 200 OK\r\n" + j + b"\r\n" + body)
        x.keep = False
    elif kind in ("trailers", "extensions"):
        ext = b";a=b;c=\"d\"" if kind == "extensions" else b""
        tail = b"x-trailer: 1\r\n" if kind == "trailers" else b""
        await x.raw(b"HTTP/1.1 200 OK\r\n" + j +
                    b"transfer-encoding: chunked\r\n\r\n" +
                    b"%x%s\r\n%s\r\n0%s\r\n%s\r\n" % (
                        len(body), ext, body, ext, tail))
    elif kind == "lf":
        await x.raw((b"HTTP/1.1 200 OK\n" + j + b"content-length: %d\n\n" %
                     len(body)).replace(b"\r\n", b"\n") + body)
    else:
        raise BadArguments("no such kind")


# --- modes: streams that misbehave ----------------------------------------------

def endless_word(x, dialect, word):
    """One more word in a stream of this dialect."""
    if dialect == "openai":
        return x.chunk({"content": word})
    if dialect == "gemini":
        return {"candidates": [{"index": 0, "content": {
            "role": "model", "parts": [{"text": word}]}}]}
    if dialect == "responses":
        return {"type": "response.output_text.delta", "item_id": "msg_up",
                "sequence_number": 9, "output_index": 0, "content_index": 0,
                "delta": word}
    return {"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": word}}


async def m_endless(x, ms=0.0, dialect="openai"):
    """Words without end, whatever cap was asked, in a dialect."""
    await x.head()
    for doc in row(LIFECYCLES, dialect)[0]:
        await x.event(doc, name=doc.get("type"))
    i = 0
    while True:
        await x.sleep(ms / 1000)
        doc = endless_word(x, dialect, "w%d " % i)
        await x.event(doc, name=doc.get("type"))
        x.bill_tokens(1)
        i += 1


async def m_comments(x, ms=100.0, n=0):
    """Only comments, n of them (0: without end), then a short answer."""
    await x.head()
    i = 0
    while n == 0 or i < n:
        await x.send(b": UPSTREAM PROCESSING\n\n")
        await x.sleep(ms / 1000)
        i += 1
    await x.contents(plain(2))
    await x.close_stream()


async def m_error_first(x, code=500):
    """A stream whose first event is an error."""
    await x.head()
    await x.event(error_body(code))
    await x.end()


ANTHROPIC_BEGIN = [
    {"type": "message_start", "message": {
        "id": "msg_up", "type": "message", "role": "assistant",
        "model": "up", "content": [], "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0,
     "content_block": {"type": "text", "text": ""}}]
RESPONSE = {"id": "resp_up", "object": "response", "created_at": 1,
            "model": "up", "output": [], "status": "in_progress"}
RESPONSES_BEGIN = [
    {"type": "response.created", "sequence_number": 0,
     "response": RESPONSE},
    {"type": "response.in_progress", "sequence_number": 1,
     "response": RESPONSE},
    {"type": "response.output_item.added", "sequence_number": 2,
     "output_index": 0, "item": {
         "id": "msg_up", "type": "message", "role": "assistant",
         "status": "in_progress", "content": []}},
    {"type": "response.content_part.added", "sequence_number": 3,
     "item_id": "msg_up", "output_index": 0, "content_index": 0,
     "part": {"type": "output_text", "text": "", "annotations": []}}]
# dialect: what a stream begins with before its first content, and its error
LIFECYCLES = {
    "openai": ([{"id": "chatcmpl-up", "object": "chat.completion.chunk",
                 "created": 1, "model": "up", "choices": [
                     {"index": 0, "finish_reason": None,
                      "delta": {"role": "assistant", "content": ""}}]}],
               error_body(500)),
    "anthropic": (ANTHROPIC_BEGIN, {"type": "error", "error": {
        "type": "overloaded_error", "message": "Overloaded"}}),
    "gemini": ([{"candidates": [{"index": 0, "content": {
        "role": "model", "parts": [{"text": ""}]}}],
        "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}],
        {"error": {"code": 503, "message": "The model is overloaded.",
                   "status": "UNAVAILABLE"}}),
    "responses": (RESPONSES_BEGIN, {
        "type": "response.failed", "sequence_number": 4, "response": dict(
            RESPONSE, status="failed", error={
                "code": "server_error", "message": "it failed"})})}


async def m_lifecycle(x, dialect="openai", then="error"):
    """A stream's first events without content, then error, reset, close,
    stall or end."""
    begin, error = row(LIFECYCLES, dialect)
    await x.head()
    for doc in begin:
        await x.event(doc, name=doc.get("type"))
    await x.sleep(0.02)
    if then == "reset":
        x.reset()
    elif then == "close":
        x.cut()
    elif then == "stall":
        await x.forever()
    elif then == "error":
        await x.event(error, name=error.get("type"))
    await x.end()


async def m_role_error(x, code=500):
    """A role chunk, then an error event."""
    await m_error_after(x, 0, code)


async def m_error_after(x, n=3, code=500, event="", done=0):
    """n contents, then an error event (event= its name, done=1 an end mark)."""
    await x.head()
    await x.contents(plain(n))
    await x.event(error_body(code), name=event or None)
    if done:
        await x.event("[DONE]")
    await x.end()


async def m_broken_event(x, n=2):
    """n contents, an event that is no JSON, then a proper end."""
    await x.head()
    await x.contents(plain(n))
    await x.event('{"id":"chatcmpl-up","choices":[{"ind')
    await x.close_stream()


async def m_no_done(x, n=3):
    """A finish, but no end mark."""
    await x.head()
    await x.contents(plain(n))
    await x.close_stream(done=False)


async def m_no_finish(x, n=3):
    """An end mark, but no finish reason."""
    await x.head()
    await x.contents(plain(n))
    await x.event("[DONE]")
    await x.end()


async def m_just_end(x, n=3):
    """Neither finish nor end mark; the HTTP body ends well."""
    await x.head()
    await x.contents(plain(n))
    await x.end()


async def m_after_done(x, n=2):
    """More events after the end mark."""
    await x.head()
    await x.contents(plain(n))
    await x.close_stream(end=False)
    await x.event(x.chunk({"content": "AFTER-DONE"}))
    await x.event(error_body(500))
    await x.end()


async def m_lines(x, kind="crlf", n=3):
    """Other framings: crlf, cr, nospace, bom, multi, names."""
    eol = {"crlf": "\r\n", "cr": "\r"}.get(kind, "\n")
    space = "" if kind == "nospace" else " "
    how = {"eol": eol, "space": space}
    if kind == "names":
        how["name"] = "completion"
    await x.head()
    if kind == "bom":
        await x.send(b"\xef\xbb\xbf")
    if kind == "multi":
        doc = json.dumps(x.chunk({"content": "multi "}), indent=1)
        x.events += 1
        await x.send("".join("data: %s\n" % line
                             for line in doc.split("\n")).encode() + b"\n")
        x.bill_tokens(1)
    await x.contents(plain(n), **how)
    await x.close_stream(**how)


LIES = {
    "negative": -5, "huge": 2 ** 63, "float": 3.5, "string": "7",
    "null": None, "bool": True, "e": 1e308}
USAGE_PLACES = ("missing", "twice", "empty", "list", "finish", "each",
                "x_groq")


async def m_usage(x, kind="negative", n=3):
    """Usage that lies: LIES, or missing, twice, empty, list, finish
    (on the finish chunk), each (on every chunk), x_groq."""
    if kind not in LIES and kind not in USAGE_PLACES:
        raise BadArguments("no such kind")
    lie = LIES.get(kind, 0)
    doc = {"prompt_tokens": lie, "completion_tokens": lie,
           "total_tokens": lie}
    true = x.usage(n)
    if not x.stream:
        body = x.whole({"role": "assistant",
                        "content": "".join(plain(n))}, "stop", n)
        if kind in LIES:
            body["usage"] = doc
        elif kind == "missing":
            del body["usage"]
        elif kind in ("empty", "list"):
            body["usage"] = {} if kind == "empty" else []
        x.bill_tokens(n, x.prompt_tokens)
        await x.reply(200, body)
        return
    await x.head()
    if kind == "each":
        x.bill_tokens(n, x.prompt_tokens)
        for i, w in enumerate(plain(n)):
            await x.event(x.chunk({"content": w}, usage=x.usage(i + 1)))
        await x.event(x.chunk({}, "stop", usage=true))
    else:
        await x.contents(plain(n))
        extra = {"finish": {"usage": true}, "x_groq": {
            "x_groq": {"id": "r", "usage": true}}}.get(kind, {})
        await x.event(x.chunk({}, "stop", **extra))
    times = {"missing": 0, "finish": 0, "x_groq": 0, "each": 0,
             "twice": 2}.get(kind, 1)
    body = {"empty": {}, "list": [], "twice": true}.get(kind, doc)
    for _ in range(times):
        await x.event(x.chunk({}, choices=[], usage=body))
    await x.event("[DONE]")
    await x.end()


async def m_huge_event(x, size=1572864, before=1):
    """One event of this size after some contents."""
    await x.head()
    await x.contents(plain(before))
    await x.event(x.chunk({"content": "h" * size}))
    x.bill_tokens(1)
    await x.close_stream()


async def m_long_line(x, size=10485760, before=1):
    """A line of this size that never ends."""
    await x.head()
    await x.contents(plain(before))
    await x.send(b"data: ")
    for _ in range(size // 65536):
        await x.send(b"x" * 65536)
    await x.end()


MODES = {
    # name: (function, what a test takes it for)
    "ok": (m_ok, "echo"),
    "doors": (m_doors, "what is no chat"),
    "kept": (m_kept, "answers that a provider keeps"),
    "batch": (m_batch, "files and batches"),
    "passed": (m_passed, "requests as they came"),
    "speech": (doors_media.m_speech, "speech, paced, time stamped"),
    "images": (doors_media.m_images, "images, whole and streamed"),
    "stream": (m_stream, "paced, time stamped"),
    "late": (m_late, "fixed TTFT"),
    "lognormal": (m_lognormal, "drawn TTFT, stalls"),
    "dial": (m_dial, "what changes while it runs"),
    "tools": (m_tools, "tool calls"),
    "big": (m_big, "big answer"),
    "flood": (m_flood, "slow consumer"),
    "echo": (m_echo, "what reached the provider"),
    "auth": (m_auth, "credentials"),
    "status": (m_status, "error statuses, Retry-After"),
    "context": (m_context, "context window"),
    "policy": (m_policy, "content policy"),
    "quota": (m_quota, "our account is empty"),
    "fails": (m_fails, "first n fail"),
    "every": (m_every, "each n-th fails"),
    "flap": (m_flap, "fails every other period"),
    "random": (m_random, "fails by chance"),
    "redirect": (m_redirect, "SSRF by redirect"),
    "hang": (m_hang, "silence before headers"),
    "headers-hang": (m_headers_hang, "headers, then silence"),
    "stall": (m_stall, "silence after n events"),
    "reset": (m_reset, "RST"),
    "close": (m_close, "FIN in the middle"),
    "trickle": (m_trickle, "a byte a write"),
    "html": (m_html, "lying content"),
    "empty": (m_empty, "lying content"),
    "204": (m_204, "lying content"),
    "truncated": (m_truncated, "lying content"),
    "text": (m_text, "lying content"),
    "json-for-stream": (m_json_for_stream, "lying content"),
    "sse-for-json": (m_sse_for_json, "lying content"),
    "error-200": (m_error_200, "an error under HTTP 200"),
    "charset": (m_charset, "lying content"),
    "bad-text": (m_bad_text, "invalid text"),
    "gzip": (m_gzip, "bombs"),
    "hostile-headers": (m_hostile_headers, "headers"),
    "odd-http": (m_odd_http, "legal but rare HTTP"),
    "endless": (m_endless, "past the cap"),
    "comments": (m_comments, "only comments"),
    "error-first": (m_error_first, "error before content"),
    "role-error": (m_role_error, "error before content"),
    "lifecycle": (m_lifecycle, "error before content, each dialect"),
    "error-after": (m_error_after, "error after content"),
    "broken-event": (m_broken_event, "bad JSON in a stream"),
    "no-done": (m_no_done, "end marks"),
    "no-finish": (m_no_finish, "end marks"),
    "just-end": (m_just_end, "end marks"),
    "after-done": (m_after_done, "end marks"),
    "lines": (m_lines, "framings"),
    "usage": (m_usage, "usage that lies"),
    "huge-event": (m_huge_event, "bounds"),
    "long-line": (m_long_line, "bounds"),
}


# --- the server's own pages ---------------------------------------------------

async def page_bill(x):
    await x.reply(200, x.server.bill)


async def page_reset(x):
    x.server.clear()
    await x.reply(200, {})


async def page_last(x):
    e = x.server.bill["modes"].get("/".join(x.segments[1:]))
    if e is None or e["last"] is None:
        await x.reply(404, {"error": {"message": "nothing came there"}})
    else:
        await x.reply(200, e["last"])


async def page_pieces(x):
    x.server.pieces = x.segments[1:]
    await x.reply(200, {})


async def page_dial(x):
    x.server.dials[x.segments[1]] = dict(
        s.split("=", 1) for s in x.segments[2:])
    await x.reply(200, {})


async def page_modes(x):
    await x.reply(200, {n: [f.__doc__, why] for n, (f, why) in MODES.items()})


OWN_PAGES = {"bill": page_bill, "reset": page_reset, "last": page_last,
             "modes": page_modes, "pieces": page_pieces, "dial": page_dial}


def tls_context(cert, key):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def old_tls(cert, key):
    """A server that speaks nothing newer than TLS 1.0."""
    import ssl
    import warnings
    context = tls_context(cert, key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    return context


# name of a port: (certificate of certs.sh, how a server is made of it)
TLS = {"good": ("good", tls_context), "self": ("self", tls_context),
       "expired": ("old", tls_context), "host": ("other", tls_context),
       "old": ("good", old_tls)}


class Server:
    def __init__(self, corpora=()):
        self.recordings = Recordings(list(corpora))
        self.open = set()
        self.pieces = []
        self.dials = {}
        self.kept = {}
        self.batching = {}
        self.clear()

    def clear(self):
        self.draws = {}      # of modes with a seed
        self.bill = {"bad_requests": [], "modes": {}}

    def entry(self, key):
        return self.bill["modes"].setdefault(key, {
            "requests": 0, "running": 0, "finished": 0, "streams": 0,
            "bytes_in": 0, "bytes_out": 0, "input_tokens": 0,
            "output_tokens": 0, "taken": 0, "aborted": [], "cut": [],
            "times": [], "log": [], "last": None})

    async def listen(self, port=0, context=None):
        return await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", port, ssl=context,
            backlog=1024)

    async def start(self, port=0, tls=None, certs=None):
        self.main = await self.listen(
            port, tls_context(*tls) if tls else None)
        self.traps = Traps(asyncio.get_running_loop())
        ports = {"port": self.main.sockets[0].getsockname()[1],
                 "reset_port": self.traps.reset_port,
                 "closed_port": self.traps.closed_port,
                 "blackhole_port": self.traps.blackhole_port}
        self.others = []
        for name, (cert, make) in TLS.items() if certs else ():
            at = os.path.join(certs, cert)
            s = await self.listen(context=make(at + ".crt", at + ".key"))
            self.others.append(s)
            ports["tls_" + name] = s.sockets[0].getsockname()[1]
        return ports


class Traps:
    """Ports without HTTP: reset at accept, refused, never answered."""

    def __init__(self, loop):
        self.resetter = self._bound()
        self.resetter.listen(64)
        self.resetter.setblocking(False)
        self.reset_port = self.resetter.getsockname()[1]
        loop.add_reader(self.resetter, self._reset)
        # bound and not listening: refused, and nobody else gets the port
        self.closed = self._bound()
        self.closed_port = self.closed.getsockname()[1]
        # a full backlog: further SYNs are dropped
        self.blackhole = self._bound()
        self.blackhole.listen(0)
        self.blackhole_port = self.blackhole.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.blackhole_port))
            self.fillers.append(s)

    @staticmethod
    def _bound():
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        return s

    def _reset(self):
        try:
            s, _ = self.resetter.accept()
        except OSError:
            return
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                     struct.pack("ii", 1, 0))
        s.close()


class Upstream:
    """The server in a process of its own, for tests."""

    def __init__(self, corpora=(), tls=None, certs=None):
        self.argv = [sys.executable, os.path.abspath(__file__)]
        for c in corpora:
            self.argv += ["--corpus", str(c)]
        if tls:
            self.argv += ["--tls", str(tls[0]), str(tls[1])]
        if certs:
            self.argv += ["--certs", str(certs)]
        self.scheme = "https" if tls else "http"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE)
        ports = json.loads(self.process.stdout.readline())
        self.__dict__.update(ports)
        self.url = "%s://127.0.0.1:%d" % (self.scheme, self.port)
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    __enter__ = start

    def __exit__(self, *_exc):
        self.stop()

    def base(self, mode, root="v1"):
        """The base_url of a provider that behaves like this."""
        return "%s/%s/%s" % (self.url, mode, root) if root else \
            "%s/%s" % (self.url, mode)

    def _get(self, path, method="GET"):
        import ssl
        context = ssl._create_unverified_context() \
            if self.scheme == "https" else None
        rq = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(rq, timeout=10, context=context) as f:
            return json.load(f)

    def bill(self, key=None):
        """The whole bill, or one entry of it (zeros when nothing came)."""
        bill = self._get("/bill")
        if key is None:
            return bill
        return bill["modes"].get(key) or Server().entry(key)

    def last(self, key):
        """The last request there; its body parsed as doc when JSON."""
        last = self._get("/last/" + urllib.parse.quote(key, safe="/=+"))
        try:
            last["doc"] = json.loads(last["body"])
        except ValueError:
            last["doc"] = None
        return last

    def reset(self):
        self._get("/reset", "POST")

    def dial(self, name, **how):
        """What m/dial/<name> does from now on."""
        self._get("/".join(["/dial", name] + [
            "%s=%s" % item for item in how.items()]), "POST")

    def pieces(self, how=""):
        """How replays come from now on: "cut/17", "" = as recorded."""
        self._get("/pieces/" + how, "POST")


async def serve(args):
    server = Server(args.corpus)
    print(json.dumps(await server.start(args.port, args.tls, args.certs)),
          flush=True)
    stop = asyncio.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(s, stop.set)
    await stop.wait()


def main():
    p = argparse.ArgumentParser(description="a provider with faults")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--corpus", action="append", default=[])
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--certs", metavar="DIR")
    asyncio.run(serve(p.parse_args()))


if __name__ == "__main__":
    main()
