"""Nothing that a client or a provider says is kept: not in logs, not in
files of the web server, not in the state; nor are keys."""

import os
import secrets
import signal
from pathlib import Path

import pytest

from client import CHAT, ask, begin, bearer, chat, chat_body
from house import Policy, children, virtual_key, wait_until
from servers import chosen, open_front


def holding(places, needle):
    """Files below the places that hold these bytes."""
    found = []
    for place in places:
        for p in Path(place).rglob("*"):
            try:
                if p.is_file() and needle in p.read_bytes():
                    found.append(str(p))
            except OSError:
                continue
    return found


def open_files(pid):
    """Regular files on disk that a process and its children hold open, also
    those that have no name any more. (The body of a request that still runs
    may be in /dev/shm.)"""
    for p in [pid, *children(pid)]:
        for fd in Path(f"/proc/{p}/fd").glob("*"):
            try:
                in_memory = os.readlink(fd).startswith("/dev/shm/")
                if (fd.stat().st_mode & 0o170000) == 0o100000 and \
                        not in_memory:
                    yield fd.read_bytes()
            except OSError:
                continue


@pytest.mark.parametrize("name", chosen())
def test_no_word_is_kept(site, name):
    policy = Policy(site).model("ok", "m/ok").model("hang", "m/hang")
    policy.model("bad", "m/status/400/message=CANARYERROR")
    policy.write()
    front = open_front(site, name)
    canary = "canary" + secrets.token_hex(16)
    wrong = virtual_key()
    for size in (1, 100, 8000, 200000):   # characters around the canary
        r = chat(front, "ok", canary + "x" * size)
        assert canary in r.text()
    assert chat(front, "ok", canary, stream=True).done()
    chat(front, "bad", canary)
    chat(front, "none", canary)
    ask(front, "POST", CHAT, bearer(wrong), chat_body("ok", canary))
    ask(front, "POST", f"{CHAT}?key={front.site.key}", [],
        chat_body("ok", canary))
    ask(front, "POST", CHAT, body=b'{"model": "' + canary.encode())
    with begin(front, "hang", canary + "y" * 200000):
        wait_until(lambda: site.upstream.bill("m/hang")["running"] > 0)
        if front.pool:
            os.kill(front.pool.workers()[0], signal.SIGKILL)
    wait_until(lambda: chat(front, "ok").status == 200)

    places = [site.dir, "/dev/shm", "/var/tmp"]
    assert holding(places, canary.encode()) == []
    assert holding([site.dir], b"CANARYERROR") == [str(site.policy)]
    assert holding([site.dir], wrong.encode()) == []
    kept = holding([site.dir], site.key.encode())
    assert kept == [str(site.policy)]
    assert not any(canary.encode() in f for f in open_files(
        front.process.pid))
