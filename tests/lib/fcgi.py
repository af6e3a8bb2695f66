"""A small FastCGI client, strict about what comes back.

It plays the web server: one request on a connection (or raw records, for
abuse), and every record of the answer is checked against the FastCGI 1.0
text.  What is wrong is raised as FcgiError; a broken-off answer is not an
error but Answer.complete == False, as the product may break off on purpose.
"""

import socket
import struct

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, \
    GET_VALUES_RESULT, UNKNOWN = range(1, 12)
RESPONDER = 1
KEEP_CONN = 1


class FcgiError(Exception):
    """What came back is not FastCGI, or not CGI in it."""


def record(kind, rid, content=b"", pad=None, version=1, reserved=0):
    """One record as bytes; pad None: to a multiple of 8."""
    if pad is None:
        pad = -len(content) % 8
    return struct.pack("!BBHHBB", version, kind, rid, len(content), pad,
                       reserved) + content + b"\0" * pad


def stream(kind, rid, content, piece=65528):
    """A stream in records of at most piece bytes and its empty end."""
    out = [record(kind, rid, content[i:i + piece])
           for i in range(0, len(content), piece)]
    return b"".join(out) + record(kind, rid)


def begin(rid, role=RESPONDER, flags=0):
    return record(BEGIN, rid, struct.pack("!HB5x", role, flags))


def length(n):
    return bytes([n]) if n < 128 else struct.pack("!I", n | 0x80000000)


def pairs(params):
    """Name-value pairs; params is a dict or a list (twins allowed)."""
    items = params.items() if isinstance(params, dict) else params
    out = []
    for name, value in items:
        n = name.encode() if isinstance(name, str) else name
        v = value.encode() if isinstance(value, str) else value
        out.append(length(len(n)) + length(len(v)) + n + v)
    return b"".join(out)


def cgi_params(method, uri, body_len=0, headers=()):
    """What lighttpd would send for this request, as a list of pairs."""
    path, _, query = uri.partition("?")
    out = [("GATEWAY_INTERFACE", "CGI/1.1"), ("SERVER_SOFTWARE", "test"),
           ("SERVER_PROTOCOL", "HTTP/1.1"), ("SERVER_NAME", "127.0.0.1"),
           ("SERVER_PORT", "80"), ("REMOTE_ADDR", "127.0.0.1"),
           ("REMOTE_PORT", "40000"), ("REQUEST_METHOD", method),
           ("REQUEST_URI", uri), ("SCRIPT_NAME", path),
           ("SCRIPT_FILENAME", "/srv/www" + path),
           ("DOCUMENT_ROOT", "/srv/www"), ("QUERY_STRING", query)]
    if method != "GET":
        out.append(("CONTENT_LENGTH", str(body_len)))
    items = headers.items() if isinstance(headers, dict) else headers
    for name, value in items:
        key = name.upper().replace("-", "_")
        out.append((key if key == "CONTENT_TYPE" else "HTTP_" + key, value))
    return out


class Answer:
    """status, headers (list of pairs, names in lower case), body."""

    def __init__(self):
        self.status = None
        self.headers = []
        self.body = b""
        self.stderr = b""
        self.app_status = None
        self.complete = False

    def header(self, name, default=None):
        for n, v in self.headers:
            if n == name.lower():
                return v
        return default


def parse_cgi_head(head, answer):
    """CGI header lines, as strict as a careful web server."""
    for line in head.split(b"\r\n"):
        name, sep, value = line.partition(b":")
        if not sep or not name or not all(
                33 <= c <= 126 and c not in b"()<>@,;\\\"/[]?={}"
                for c in name):
            raise FcgiError("CGI header line %r" % line[:80])
        value = value.strip(b" \t")
        if any(c < 32 and c != 9 or c == 127 for c in value):
            raise FcgiError("control character in header %r" % line[:80])
        name = name.decode().lower()
        if name == "status":
            if answer.status is not None:
                raise FcgiError("two Status lines")
            code = value.split(b" ")[0]
            if len(code) != 3 or not code.isdigit():
                raise FcgiError("Status %r" % value[:40])
            answer.status = int(code)
        else:
            answer.headers.append((name, value.decode("latin-1")))
    if answer.status is None:
        answer.status = 200
    names = [n for n, _ in answer.headers]
    for once in ("content-type", "content-length", "x-request-id"):
        if names.count(once) > 1:
            raise FcgiError("header %s twice" % once)


class Exchange:
    """One request on its own connection; read the answer as it comes."""

    def __init__(self, path, timeout=30.0, rid=1):
        self.rid = rid
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.buf = bytearray()
        self.head = b""
        self.answer = Answer()
        self.stdout_ended = False
        self.ended = False

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def take_record(self):
        """(type, content) of the next record, or None when not whole yet."""
        if len(self.buf) < 8:
            return None
        version, kind, rid, n, pad, _ = struct.unpack_from("!BBHHBB",
                                                           self.buf)
        if version != 1:
            raise FcgiError("record version %d" % version)
        if kind not in (STDOUT, STDERR, END):
            raise FcgiError("record type %d" % kind)
        if rid != self.rid:
            raise FcgiError("record of request %d" % rid)
        if len(self.buf) < 8 + n + pad:
            return None
        content = bytes(self.buf[8:8 + n])
        del self.buf[:8 + n + pad]
        return kind, content

    def on_record(self, kind, content):
        """Check and keep it; returns new body bytes."""
        if self.ended:
            raise FcgiError("a record after END_REQUEST")
        if kind == STDERR:
            self.answer.stderr += content
            return b""
        if kind == END:
            if len(content) != 8:
                raise FcgiError("END_REQUEST of %d bytes" % len(content))
            self.answer.app_status, protocol = struct.unpack_from(
                "!IB", content)
            if protocol != 0:
                raise FcgiError("protocol status %d" % protocol)
            self.ended = True
            return b""
        if self.stdout_ended:
            raise FcgiError("STDOUT after its end")
        if not content:
            self.stdout_ended = True
        return self.on_stdout(content)

    def on_stdout(self, content):
        if self.answer.status is not None:
            return content
        self.head += content
        at = self.head.find(b"\r\n\r\n")
        if at < 0:
            if len(self.head) > 65536:
                raise FcgiError("CGI head over 64 KiB")
            return b""
        parse_cgi_head(self.head[:at], self.answer)
        return self.head[at + 4:]

    def read(self):
        """The next body bytes (may be b"" for other records); None at EOF."""
        while True:
            got = self.take_record()
            if got is not None:
                data = self.on_record(*got)
                self.answer.body += data
                return data
            try:
                more = self.sock.recv(262144)
            except ConnectionResetError:
                more = b""
            if not more:
                if self.buf:
                    raise FcgiError("EOF inside a record")
                return None
            self.buf += more

    def finish(self):
        """Read to the end; the Answer."""
        while self.read() is not None:
            pass
        a = self.answer
        if self.ended:
            if a.status is None:
                raise FcgiError("no CGI head: %r" % self.head[:200])
            declared = a.header("content-length")
            if declared is not None and int(declared) != len(a.body):
                raise FcgiError("content-length %s, body %d" % (
                    declared, len(a.body)))
            a.complete = True
        return a


def request(path, method, uri, body=b"", headers=(), timeout=30.0,
            params=None):
    """One whole request; params replaces what cgi_params would make."""
    if params is None:
        params = cgi_params(method, uri, len(body), headers)
    with Exchange(path, timeout) as x:
        x.send(begin(1) + stream(PARAMS, 1, pairs(params)) +
               stream(STDIN, 1, body))
        return x.finish()


def start(path, method, uri, body=b"", headers=(), timeout=30.0):
    """As request, but the Exchange: the caller reads (and closes)."""
    x = Exchange(path, timeout)
    x.send(begin(1) + stream(PARAMS, 1, pairs(
        cgi_params(method, uri, len(body), headers))) +
        stream(STDIN, 1, body))
    return x
