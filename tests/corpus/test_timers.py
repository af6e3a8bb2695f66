"""Every time limit by itself: the others are far away, so that none of them
can stand in for the one that is tested."""

import os
import time

import pytest

import pool
import reader

KEY = "timers-client-key-0123456789"
FAR = {"connect": "60s", "first_token": "60s", "idle": "60s",
       "bytes": "60s", "total": "60s"}

# limit, mode of the provider, stream, how a stream ends (None: a plain error)
ROWS = [("first_token", "hang", True, None),
        ("first_token", "hang", False, None),
        ("first_token", "headers-hang", True, None),
        ("first_token", "comments/100", True, None),
        ("idle", "stall/3", True, "error"),
        ("bytes", "hang", True, None),
        ("bytes", "headers-hang", False, None),
        ("bytes", "stall/3", False, None),
        ("bytes", "stall/3", True, "error"),
        ("total", "hang", False, None),
        ("total", "stall/3", True, "error")]


def policy(up, mode, timeouts):
    return {"log": os.devnull, "attempts": 1, "timeouts": timeouts,
            "providers": {"p": {"adapter": "openai", "key": "none",
                                "base_url": up.base("m/" + mode)}},
            "models": {"m": {"targets": ["p/x"]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def ask(p, stream):
    began = time.monotonic()
    answer = p.post("/v1/chat/completions", {
        "model": "m", "stream": stream,
        "messages": [{"role": "user", "content": "hello"}]}, KEY)
    return answer, time.monotonic() - began


@pytest.mark.parametrize("limit,mode,stream,ended", ROWS)
def test_limit(up, limit, mode, stream, ended):
    with pool.Pool(policy(up, mode, dict(FAR, **{limit: "500ms"}))) as p:
        answer, seconds = ask(p, stream)
    assert 0.45 <= seconds < 2.5
    assert answer.complete
    r = reader.read_answer(answer.status, answer.header("content-type"),
                           answer.body, stream)
    assert r.faults == []
    assert answer.status == (200 if ended else 504)
    assert r.ended == (ended or r.ended)
    assert r.error["type"] == "upstream_timeout"


def test_ping(up):
    """A client that has content hears of us while the provider is silent."""
    with pool.Pool(policy(up, "stall/3", dict(FAR, idle="7s"))) as p:
        answer, seconds = ask(p, True)
    assert 6.5 <= seconds < 10
    assert answer.body.count(b": ping\n\n") == 2  # one each 2.5 s
