"""Streams under stress: clients that leave or do not read, many at once."""

import json
import threading
import time

import pytest

from client import begin, chat
from house import wait_until
from servers import POOLED, chosen

pooled = pytest.mark.parametrize(
    "front", [n for n in POOLED if n in chosen()], indirect=True)


SILENT = 3    # events of "silent" before it is: the role and two words


def entry(front, mode):
    return front.site.upstream.bill(mode)


def left_after(front, mode, model, events, seconds):
    """A client that leaves: how soon the provider's connection ends."""
    before = len(entry(front, mode)["aborted"])
    with begin(front, model, stream=True) as call:
        assert len(call.read(events=events).events()) >= events
        gone = time.time()
    wait_until(lambda: len(entry(front, mode)["aborted"]) > before,
               seconds + 5, "aborted upstream")
    assert entry(front, mode)["aborted"][-1]["t"] - gone < seconds


@pooled
def test_client_leaves_while_tokens_flow(front):
    left_after(front, "m/endless/20", "talking", 5, 1.0)


@pooled
def test_client_leaves_while_silent(front):
    left_after(front, "m/stall/2", "silent", SILENT, 6.0)


@pooled
def test_slow_reader_holds_the_provider_back(front):
    """64 MiB are offered; a client that does not read must not make any
    process take them in."""
    mode = "m/flood/67108864/16384"
    with begin(front, "flood", stream=True, receive_buffer=65536) as call:
        call.head()
        taken = -1
        while taken != entry(front, mode)["taken"]:
            taken = entry(front, mode)["taken"]
            time.sleep(1.0)
        assert 0 < taken < 16 << 20, taken
        got = sum(len(p) for p in call.pieces())
    assert got >= 63 << 20
    assert call.reply.complete


@pooled
def test_200_streams(front):
    """All complete, each with its own words in order."""
    replies = [None] * 200

    def one(i):
        with begin(front, "paced", stream=True) as call:
            replies[i] = call.read()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(200)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in replies:
        assert r.status == 200 and r.done() and r.complete
        words = [w.split(":")[0] for w in r.text().split()]
        assert words == [str(i) for i in range(100)]


@pooled
def test_keep_alive_comments(front):
    """While the provider is silent the client hears a comment."""
    with begin(front, "silent", stream=True) as call:
        call.read(events=SILENT)
        call.sock.settimeout(8)
        began = time.time()
        call.buf = b""
        while b"\n:" not in call.buf:
            assert call.more()
        assert time.time() - began < 6.5


def test_streams_and_plain_answers_together(front):
    """A plain answer does not wait for streams."""
    with begin(front, "paced", stream=True) as call:
        call.read(events=3)
        began = time.time()
        assert chat(front, "ok").text() == "hello there"
        assert time.time() - began < 1.8    # the stream takes 2
        r = call.read()
    assert r.done()
    assert json.loads(r.events()[0][1])["object"] == "chat.completion.chunk"
