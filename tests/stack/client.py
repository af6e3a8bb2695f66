"""A client that hides nothing: raw HTTP over a socket, every piece with the
time it came, an answer that broke off told from one that ended."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

CHAT = "/v1/chat/completions"


class Reply:
    """What came. complete is False when the server broke off."""

    def __init__(self):
        self.status, self.headers, self.body = 0, {}, b""
        self.pieces = []     # (time, bytes), decoded of chunking
        self.complete = False

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]

    def events(self):
        """(time its end came, data) of each SSE event."""
        found, at, buf = [], 0.0, b""
        for at, piece in self.pieces:
            buf += piece
            *whole, buf = re.split(b"\r?\n\r?\n", buf)
            for event in whole:
                data = [line[5:].strip() for line in event.split(b"\n")
                        if line.startswith(b"data:")]
                if data:
                    found.append((at, b"\n".join(data).decode()))
        return found

    def documents(self):
        return [json.loads(d) for _, d in self.events() if d != "[DONE]"]

    def done(self):
        events = self.events()
        return bool(events) and events[-1][1] == "[DONE]"

    def stream_error(self):
        return next((d["error"] for d in self.documents() if "error" in d),
                    None)

    def text(self):
        """The content of a whole or a streamed chat answer."""
        if not self.headers.get("content-type", "").startswith("text/event"):
            return self.json()["choices"][0]["message"]["content"]
        return "".join(c["delta"].get("content") or ""
                       for d in self.documents()
                       for c in d.get("choices", []))


class Call:
    """One request on a connection of its own."""

    def __init__(self, port, method, path, headers=(), body=b"",
                 timeout=60.0, receive_buffer=0, raw=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                 receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.began = time.time()
        self.reply = Reply()
        self.buf = b""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" \
            "Connection: close\r\n"
        head += "".join(f"{n}: {v}\r\n" for n, v in headers)
        if body is not None and "ransfer-Encoding" not in head and \
                (body or method == "POST"):
            head += f"Content-Length: {len(body)}\r\n"
        try:
            self.sock.sendall(raw or head.encode() + b"\r\n" + (body or b""))
        except ConnectionError:
            pass             # refused early: the answer is there to be read

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def more(self):
        try:
            data = self.sock.recv(262144)
        except ConnectionError:
            data = b""
        self.buf += data
        return data != b""

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.more():
                raise EOFError
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line.decode("latin-1")

    def head(self):
        """Read the status and the headers."""
        r = self.reply
        while True:
            r.status = int(self.line().split()[1])
            while (line := self.line()):
                name, _, value = line.partition(":")
                r.headers[name.lower()] = value.strip()
            if r.status >= 200:
                return r

    def pieces(self):
        """Each decoded piece of the body as it comes."""
        if self.reply.headers.get("transfer-encoding") == "chunked":
            yield from self.chunks()
            return
        want = self.reply.headers.get("content-length")
        want = None if want is None else int(want)
        got = 0
        while want is None or got < want:
            if not self.buf and not self.more():
                self.reply.complete = want is None
                return
            piece, self.buf = self.buf, b""
            got += len(piece)
            yield piece
        self.reply.complete = True

    def chunks(self):
        try:
            while (n := int(self.line().split(";")[0], 16)):
                while len(self.buf) < n + 2:
                    if not self.more():
                        return
                piece, self.buf = self.buf[:n], self.buf[n + 2:]
                yield piece
            self.line()
            self.reply.complete = True
        except EOFError:
            return

    def read(self, events=None):
        """The whole answer, or as much as holds this many SSE events."""
        r = self.reply
        try:
            if not r.status:
                self.head()
        except EOFError:
            return r
        body = []
        for piece in self.pieces():
            r.pieces.append((time.time(), piece))
            body.append(piece)
            if events is not None and len(r.events()) >= events:
                break
        r.body += b"".join(body)
        return r


def bearer(key):
    return [("Authorization", "Bearer " + key)]


def chat_body(model, text="hello there", **more):
    return json.dumps({"model": model, "messages": [
        {"role": "user", "content": text}], **more}).encode()


def begin(front, model, text="hello there", **more):
    """A chat under way; more goes into the request."""
    how = {k: more.pop(k) for k in ("timeout", "receive_buffer")
           if k in more}
    return Call(front.port, "POST", CHAT,
                [*bearer(front.site.key),
                 ("Content-Type", "application/json")],
                chat_body(model, text, **more), **how)


def chat(front, model, text="hello there", **more):
    with begin(front, model, text, **more) as call:
        return call.read()


def ask(front, method, path, headers=None, body=b"", **how):
    """Any request; with the site's key unless headers are given."""
    if headers is None:
        headers = bearer(front.site.key)
    with Call(front.port, method, path, headers, body, **how) as call:
        return call.read()


def is_error(reply, status, kind=None, code=None):
    """Assert that this is JSON in the shape of OpenAI's errors."""
    assert reply.status == status, (reply.status, reply.body[:500])
    assert reply.headers["content-type"].startswith("application/json"), \
        reply.headers
    doc = reply.json()
    assert set(doc) >= {"error"}, doc
    error = doc["error"]
    assert {"message", "type", "param", "code"} <= set(error), error
    assert isinstance(error["message"], str) and error["message"]
    assert kind is None or error["type"] == kind, error
    assert code is None or error["code"] == code, error
    return error


class Said:
    """What a request of a crowd came to."""

    def __init__(self, reply, began):
        self.reply = reply
        self.status, self.headers = reply.status, reply.headers
        self.seconds = time.time() - began
        self.ttft = next((at - began for at, data in reply.events()
                          if '"content":"' in data.replace(" ", "")
                          and '"content":""' not in data.replace(" ", "")),
                         self.seconds)

    def header(self, name):
        return self.headers.get("x-tollgate-" + name)

    def good(self, text="hello there"):
        """Whole, with this text and one end; a stream says its role once."""
        r = self.reply
        if self.status != 200 or not r.complete or r.text() != text:
            return False
        if not r.headers["content-type"].startswith("text/event"):
            return True
        choices = [c for d in r.documents() for c in d.get("choices", [])]
        return r.done() and r.stream_error() is None and \
            sum(d == "[DONE]" for _, d in r.events()) == 1 and \
            sum(c.get("finish_reason") is not None for c in choices) == 1 \
            and sum("role" in c["delta"] for c in choices) <= 1


def say(front, model, text="hello there", headers=(), key=None, **more):
    """A chat of a crowd."""
    began = time.time()
    with Call(front.port, "POST", CHAT,
              [*bearer(key or front.site.key), ("Content-Type", "application/json"),
               *headers], chat_body(model, text, **more)) as call:
        return Said(call.read(), began)


def crowd(requests, clients):
    """Call each of these, as many at a time as there are clients; what they
    return, in order."""
    with ThreadPoolExecutor(clients) as pool:
        return [f.result() for f in [pool.submit(r) for r in requests]]


def at_share(values, share):
    """The value that this share of them does not exceed."""
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]
