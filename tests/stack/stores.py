"""Stores of the tests' own: a redis-server on a Unix socket in a folder."""

import shutil
import socket
import tempfile
from pathlib import Path

from house import wait_until


class Redis:
    """One redis-server that forgets all at its end; site's own process."""

    def __init__(self, site):
        self.site = site
        self.dir = Path(tempfile.mkdtemp(prefix="tg-redis-"))
        self.dir.chmod(0o755)
        site.own(self.dir)
        self.path = self.dir / "redis.sock"
        self.address = f"redis+unix://{self.path}?db=0"
        self.start()

    def start(self):
        self.process = self.site.start("redis", [
            "redis-server", "--port", "0", "--unixsocket", self.path,
            "--unixsocketperm", "777", "--save", "", "--appendonly", "no",
            "--enable-debug-command", "yes",
            "--dir", self.dir])
        wait_until(self.answers, 15, "answering")

    def answers(self):
        return self.ask("PING") == b"+PONG\r\n"

    def ask(self, *words):
        """The first piece of the reply to a command, as it stands."""
        with self.give(*words) as s:
            return s.recv(65536)

    def give(self, *words):
        """The socket on which a command went out."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(str(self.path))
        s.sendall(b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode())
            for w in words))
        return s

    def stop(self):
        self.site.stop(self.process)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
