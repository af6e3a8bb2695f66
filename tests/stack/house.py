"""What the stack tests stand on: a folder with everything the servers need,
processes that end, policies, keys. Nothing here knows a web server."""

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TOLLGATE_BUILD", TOP / "build")).resolve()
WRAPPER = os.environ.get("TOLLGATE_WRAPPER", "").split()
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def virtual_key():
    """A new key: 30 digits and their CRC32."""
    body = "".join(secrets.choice(DIGITS) for _ in range(30))
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        tail = DIGITS[digit] + tail
    return "tg_" + body + tail


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(ready, seconds=15.0, what="ready"):
    """Poll until ready() is true; what it last raised is told at the end."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if ready():
                return
        except (OSError, AssertionError) as e:
            last = e
        time.sleep(0.02)
    raise AssertionError(f"not {what} within {seconds} s ({last})")


# What a dialect's own SDK takes for a base URL below an address.
ROOTS = {"openai": "v1", "responses": "v1", "anthropic": "",
         "gemini": "v1beta", "cohere": "", "ollama": "", "bedrock": ""}
OF_PROVIDERS = ("adapter", "key", "region", "retention", "budget",
                "timezone", "on_abort")


def sanitized():
    """Is the program built with the address sanitizer?"""
    return b"__asan_init" in (BUILD / "app/tollgate.fcgi").read_bytes()


class Policy:
    """A policy in the making. A target is a mode of the test provider
    ("m/ok") or a whole base URL; or a map with it as "to" and whatever else
    its row of targets or of providers is to say."""

    def __init__(self, site, **more):
        self.site = site
        self.doc = {"providers": {}, "models": {}, "log": str(
            site.dir / "records.jsonl"), "keys": [
                {"name": "tester", "secret": "plain:" + site.key}], **more}

    def provider(self, target, **row):
        base = target if "://" in target else self.site.upstream.base(
            target, ROOTS[row.get("adapter", "openai")])
        name = "p-" + re.sub(r"[^a-z0-9]+", "-", target.split("//")[-1])
        self.doc["providers"].setdefault(name, {
            "adapter": "openai", "base_url": base, "key": "none", **row})
        return name

    def target(self, target, model):
        """A row of targets; the same model at the same target is the same
        deployment, whose health all models share that name it."""
        row = dict(target) if isinstance(target, dict) else {"to": target}
        to = row.pop("to")
        own = {k: row.pop(k) for k in OF_PROVIDERS if k in row}
        return {"provider": self.provider(to, **own), "model": model,
                "price": {"input": 1, "output": 2}, **row}

    def model(self, name, *targets, **row):
        self.doc["models"][name] = {"targets": [
            self.target(t, "up-" + name) for t in targets], **row}
        return self

    def write(self):
        text = json.dumps(self.doc, indent=1) + "\n"
        part = self.site.dir / "policy.part"
        part.write_text(text, encoding="utf-8")
        part.chmod(0o600)
        self.site.own(part)
        part.rename(self.site.policy)
        return self


class Site:
    """A folder of its own: programs, configurations, policy, state, logs.

    Web servers that root starts answer as another user, who cannot look into
    any checkout; so what they need is copied here, and all belongs to them.
    """

    live = []

    def __init__(self, upstream):
        self.upstream = upstream
        self.key = virtual_key()
        self.variables = {}      # more of the environment
        self.dir = Path(tempfile.mkdtemp(prefix="tg-"))
        self.dir.chmod(0o755)
        self.user = "www-data" if os.geteuid() == 0 else None
        self.share = self.dir / "share"
        self.libexec = self.dir / "libexec"
        self.state = self.dir / "state"
        self.policy = self.dir / "policy.yaml"
        shutil.copytree(TOP / "deploy", self.share)
        for sub in (self.libexec, self.state, self.dir / "htdocs",
                    self.dir / "run"):
            sub.mkdir()
        for program in ("tollgate.fcgi", "tollgate.cgi"):
            if (BUILD / "app" / program).exists():
                shutil.copy(BUILD / "app" / program, self.libexec)
        if WRAPPER:
            self.wrap(self.libexec / "tollgate.fcgi")
        for p in [self.dir, *self.dir.rglob("*")]:
            self.own(p)
        self.running = []
        Site.live.append(self)

    def wrap(self, program):
        """Let a command run the program, as valgrind. (The pool's master
        starts its workers as what it is itself, so not for a pool.)"""
        real = program.rename(program.with_suffix(".real"))
        program.write_text("#!/bin/sh\nexec " + " ".join(
            WRAPPER).replace("@DIR@", str(self.dir)) + f' {real} "$@"\n')
        program.chmod(0o755)

    def own(self, path):
        if self.user:
            shutil.chown(path, self.user, pwd.getpwnam(self.user).pw_gid)

    def trust(self, certs):
        """Let the programs believe the CA of certs.sh, and no other."""
        shutil.copy(certs / "ca.crt", self.dir)
        self.own(self.dir / "ca.crt")
        self.variables["SSL_CERT_FILE"] = str(self.dir / "ca.crt")

    def environment(self):
        return dict(os.environ, TOLLGATE_POLICY=str(self.policy),
                    TOLLGATE_STATE=str(self.state),
                    TMPDIR=str(self.dir / "run"),
                    ASAN_OPTIONS=f"log_path={self.dir}/sanitizer:exitcode=99",
                    UBSAN_OPTIONS=f"log_path={self.dir}/sanitizer:"
                    "print_stacktrace=1", **self.variables)

    def start(self, name, argv, as_root=False, **more):
        """A process in a group of its own, as the site's user."""
        if self.user and not as_root:
            more.update(user=self.user, group=pwd.getpwnam(self.user).pw_gid,
                        extra_groups=[])
        with open(self.dir / (name + ".log"), "ab") as log:
            p = subprocess.Popen([str(a) for a in argv], stdout=log,
                                 stderr=log, stdin=subprocess.DEVNULL,
                                 cwd=self.dir, env=self.environment(),
                                 start_new_session=True, **more)
        self.running.append(p)
        return p

    def stop(self, p, seconds=15.0):
        """End a process and its group; the exit status of the first."""
        if p in self.running:
            self.running.remove(p)
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            try:
                p.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        status = p.wait()
        end = time.monotonic() + 5    # what it started leaves by itself
        try:
            while time.monotonic() < end:
                os.killpg(p.pid, 0)
                time.sleep(0.02)
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return status

    def faults(self):
        """What the sanitizers and valgrind wrote down."""
        found = [f"{p.name}:\n{p.read_text(errors='replace')}"
                 for p in sorted(self.dir.glob("sanitizer.*"))]
        summed = not WRAPPER
        for p in sorted(self.dir.glob("valgrind.*")):
            text = p.read_text(errors="replace")
            summed = summed or "ERROR SUMMARY" in text
            if re.search(r"ERROR SUMMARY: [1-9]", text):
                found.append(f"{p.name}:\n{text}")
        return found if summed else [*found, "valgrind summed up nothing"]

    def records(self, **like):
        """The records of requests whose members are these."""
        found = []
        for line in (self.dir / "records.jsonl").read_text().splitlines():
            doc = json.loads(line)
            if all(doc.get(k) == v for k, v in like.items()):
                found.append(doc)
        return found

    def logs(self):
        return {p.name: p.read_text(errors="replace")[-2000:]
                for p in sorted(self.dir.rglob("*.log")) if p.stat().st_size}

    def __enter__(self):
        return self

    def __exit__(self, _kind, fault, _trace):
        if fault is not None:        # what did not start: say why
            for name, text in self.logs().items():
                fault.add_note(f"--- {name}\n{text}")
        self.close()

    def close(self):
        for p in reversed(self.running[:]):
            self.stop(p)
        Site.live.remove(self)
        faults = self.faults()
        if not os.environ.get("TOLLGATE_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not faults, "\n".join(faults)


def standard(site):
    """The models that most tests ask for."""
    p = Policy(site)
    p.model("ok", "m/ok")
    p.model("name:1", "m/ok/tag=named")
    p.model("paced", "m/stream/100/20")
    p.model("tools", "m/tools/2/3")
    p.model("late", "m/late/300")
    p.model("talking", "m/endless/20")
    p.model("silent", "m/stall/2")
    p.model("flood", "m/flood/67108864/16384")
    p.model("refused", "m/status/400/message=odd%20temperature")
    p.model("down", "m/status/503")
    return p


class Pool:
    """`tollgate serve`: a master and its workers on a Unix socket."""

    def __init__(self, site, workers=2):
        self.site = site
        self.socket = site.dir / "run" / "tollgate.sock"
        self.process = site.start("pool", [
            site.libexec / "tollgate.fcgi", "serve", "--socket", self.socket,
            "--workers", workers])
        wait_until(self.open, 15, "listening")

    def open(self):
        if self.process.poll() is not None:
            raise RuntimeError("the pool has ended")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.socket))
        return True

    def workers(self):
        return children(self.process.pid)

    def signal(self, number):
        self.process.send_signal(number)


def children(pid):
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path, encoding="ascii") as f:
        return [int(c) for c in f.read().split()]


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found
