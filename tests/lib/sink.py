"""A provider of speech to text that holds nothing of what it is sent: a
multipart body of any size is counted and hashed as it comes. The first word of
the path says how it behaves; /seen/TAG is not asked over HTTP: `seen` is here."""

import hashlib
import http.server
import json
import threading
import time

HEAD = 64 * 1024    # bytes of a body that are kept for a look


class Seen:
    def __init__(self, headers):
        self.headers = {k.lower(): v for k, v in headers.items()}
        self.length, self.whole = 0, False
        self.head, self.tail = b"", b""
        self.hash = None    # of what stands behind the file's own header

    def add(self, piece):
        self.length += len(piece)
        self.tail = (self.tail + piece)[-4096:]
        if self.hash is None:
            self.head += piece
            at = self.head.find(b'filename="')
            at = self.head.find(b"\r\n\r\n", at) if at >= 0 else -1
            if at < 0:
                return
            piece, self.head = self.head[at + 4:], self.head[:at + 4]
            self.hash = hashlib.sha256()
        self.hash.update(piece)

    def field(self, name):
        """A field before the file, None: it is not there."""
        mark = b'name="%s"' % name.encode()
        if mark not in self.head:
            return None
        rest = self.head.split(mark, 1)[1]
        return rest.split(b"\r\n\r\n", 1)[1].split(b"\r\n")[0].decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def chunks(self):
        """The body as it comes, of a length or in chunks."""
        left = self.headers.get("content-length")
        if left is not None:
            left = int(left)
            while left > 0:
                piece = self.rfile.read1(min(left, 65536))
                if not piece:
                    raise ConnectionError("cut")
                left -= len(piece)
                yield piece
            return
        while True:
            size = int(self.rfile.readline().strip(), 16)
            yield self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return

    def answer(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        how, tag = self.path.split("/")[1:3]
        seen = Seen(self.headers)
        with self.server.lock:
            self.server.seen.setdefault(tag, []).append(seen)
        self.close_connection = how != "ok"
        if how == "refuse":      # before any of the body was read
            self.answer(401, {"error": {"message": "no"}})
            return
        try:
            for piece in self.chunks():
                seen.add(piece)
                if how == "stall" and seen.length > 1 << 20:
                    self.server.over.wait(30)
                    return
                if how == "busy" and seen.length > 1 << 20:
                    self.answer(503, {"error": {"message": "busy"}})
                    return
                if how == "slow":
                    time.sleep(0.001)
        except (ConnectionError, ValueError):
            return
        seen.whole = True
        if how == "bad":
            self.answer(400, {"error": {"message": "no speech in it"}})
            return
        self.answer(200, {"text": f"heard {seen.length} bytes", "usage": {
            "type": "duration", "seconds": 3}})


class Sink(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.seen = threading.Lock(), {}
        self.over = threading.Event()

    def handle_error(self, *_args):
        pass    # the other side left

    def base(self, how, tag):
        return f"http://127.0.0.1:{self.server_address[1]}/{how}/{tag}/v1"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        self.shutdown()
        self.server_close()
