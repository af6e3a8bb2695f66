"""A small HTTP server in front of a FastCGI pool, for SDKs that speak HTTP
only. It passes bytes on as they come and decides nothing."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fcgi


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = fcgi.request(self.server.socket_path, self.command,
                              self.path, body, list(self.headers.items()))
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST

    def log_message(self, *_args):
        pass


class Bridge:
    def __init__(self, socket_path):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket_path = socket_path
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.server.shutdown()
        self.server.server_close()
