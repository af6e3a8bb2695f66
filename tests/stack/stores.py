"""Stores of the tests' own: a redis-server on a Unix socket in a folder."""

import shutil
import socket
import struct
import tempfile
from pathlib import Path

from house import BUILD, wait_until


class Redis:
    """One redis-server that forgets all at its end; site's own process.
    clock: its wall clock can be set."""

    def __init__(self, site, clock=False):
        self.site, self.clock = site, clock
        self.dir = Path(tempfile.mkdtemp(prefix="tg-redis-"))
        self.dir.chmod(0o755)
        site.own(self.dir)
        self.path = self.dir / "redis.sock"
        self.address = f"redis+unix://{self.path}?db=0"
        self.start()

    def start(self):
        self.process = self.site.start("redis", [
            *self.clockwork(), "redis-server", "--port", "0", "--unixsocket", self.path,
            "--unixsocketperm", "777", "--save", "", "--appendonly", "no",
            "--enable-debug-command", "yes",
            "--dir", self.dir])
        wait_until(self.answers, 15, "answering")

    def clockwork(self):
        """The command in front of it."""
        if not self.clock:
            return []
        shutil.copy(BUILD / "tests/unit/shift_time.so", self.dir)
        self.shift(0)
        return ["env", f"LD_PRELOAD={self.dir}/shift_time.so",
                f"SHIFT_TIME={self.dir}/shift"]

    def shift(self, seconds):
        """Its clock goes as much before that of the machine."""
        with open(self.dir / "shift", "r+b" if (self.dir / "shift").exists()
                  else "wb") as f:
            f.write(struct.pack("=q", int(seconds * 1e6)))
        self.site.own(self.dir / "shift")

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
