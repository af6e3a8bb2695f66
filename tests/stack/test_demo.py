"""deploy/demo/run, as a new user runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path

import pytest

from house import BUILD, DIGITS, TOP, free_port, wait_until
from stores import Redis

NO_KEYS = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}


class Demo:
    """The demo under way, from another directory than the checkout's."""

    def __init__(self, port, tmp, **more):
        self.process = subprocess.Popen(
            [TOP / "deploy/demo/run"], cwd="/", text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
            # as a script does with what it starts in the background
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
            env=dict(NO_KEYS, TOLLGATE_PORT=str(port), TMPDIR=str(tmp),
                     **more))
        self.said = ""

    def read_until(self, mark):
        for line in self.process.stdout:
            self.said += line
            if mark in line:
                return self
        raise AssertionError(self.said)

    def interrupt(self):
        """Ctrl-C: the terminal tells the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.stdout.read()
        return self.process.wait(20)


def left_over(tmp):
    """Processes whose environment names the folder."""
    found = []
    for p in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(tmp).encode() in p.read_bytes() and \
                    int(p.parts[2]) != os.getpid():
                found.append((p.parent / "cmdline").read_bytes())
        except OSError:
            continue
    return found


@pytest.fixture
def tmp():
    with tempfile.TemporaryDirectory(prefix="tgd-") as path:
        yield Path(path)


@pytest.mark.timeout(400)
def test_demo(tmp):
    port = free_port()
    for _ in range(2):
        demo = Demo(port, tmp).read_until("Ctrl-C")
        assert f"ready: http://127.0.0.1:{port}/v1\n" in demo.said
        key = re.search(r"^key: (tg_\w{36})$", demo.said, re.M).group(1)
        crc, value = zlib.crc32(key[3:33].encode()), 0
        for digit in key[33:]:
            value = value * 62 + DIGITS.index(digit)
        assert value == crc
        command = demo.said[demo.said.index("curl"):].split("Ctrl-C")[0]
        began = time.time()
        out = subprocess.run(["sh", "-c", command], capture_output=True,
                             text=True, check=True, timeout=60).stdout
        events = [line[6:] for line in out.splitlines()
                  if line.startswith("data: ")]
        assert events[-1] == "[DONE]" and len(events) > 50
        assert time.time() - began > 1.0       # at a reader's pace
        text = "".join(json.loads(e)["choices"][0]["delta"].get("content")
                       or "" for e in events[:-1]
                       if json.loads(e)["choices"])
        assert "Why is the sky blue?" in text
        rq = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/models",
            headers={"Authorization": "Bearer " + key})
        with urllib.request.urlopen(rq, timeout=10) as f:
            ids = [m["id"] for m in json.load(f)["data"]]
        assert "demo" in ids and any(i.startswith("gpt-") for i in ids)
        assert demo.interrupt() == 130
        assert left_over(tmp) == []
        assert list(tmp.iterdir()) == []


@pytest.mark.timeout(400)
def test_demo_on_a_redis(tmp, site):
    """What is used is counted in the Redis that is named."""
    port, redis = free_port(), Redis(site)
    demo = Demo(port, tmp, TOLLGATE_STORE=redis.address).read_until("Ctrl-C")
    command = demo.said[demo.said.index("curl"):].split("Ctrl-C")[0]
    subprocess.run(["sh", "-c", command], capture_output=True, check=True,
                   timeout=60)
    wait_until(lambda: b"{tollgate}:u:" in redis.ask("KEYS", "*"), 10,
               "counted")
    assert demo.interrupt() == 130
    redis.close()


@pytest.mark.timeout(400)
def test_demo_says_that_the_port_is_busy(tmp):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        demo = Demo(port, tmp)
        said = demo.process.stdout.read()
        assert demo.process.wait(20) == 1
    assert f"port {port} is in use" in said
    assert "TOLLGATE_PORT=" in said
    assert list(tmp.iterdir()) == []


def test_demo_serves_the_provider_whose_key_is_there(tmp):
    def made(**keys):
        run = subprocess.run(
            [TOP / "deploy/demo/policy.py", BUILD / "app/tollgate.fcgi",
             TOP / "policy/catalog.json", tmp, "http://127.0.0.1:9/v1"],
            capture_output=True, text=True, check=True,
            env=dict(NO_KEYS, **keys))
        return run.stdout, json.loads((tmp / "policy.yaml").read_text())

    for name, variable in [("openai", "OPENAI_API_KEY"),
                           ("anthropic", "ANTHROPIC_API_KEY"),
                           ("google", "GOOGLE_API_KEY"),
                           ("google", "GEMINI_API_KEY")]:
        said, policy = made(**{variable: "sk-0123456789abcdef"})
        assert said == f"provider: {name}\n"
        assert policy["providers"] == {name: {"key": "env:" + variable}}
        assert all(t.startswith(name + "/")
                   for t in policy["models"]["demo"]["targets"])
    said, policy = made()
    assert "upstream.py" in said and list(policy["providers"]) == ["demo"]
