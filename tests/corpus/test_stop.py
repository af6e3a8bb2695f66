"""A worker that was told to stop leaves, whatever its clients do and whatever
it was started with."""

import os
import signal
import socket
import subprocess
import time

import pytest

import fcgi
import pool

KEY = "stop-client-key-0123456789"


def policy(up, mode, log=os.devnull):
    return {"log": log, "attempts": 1, "drain": "500ms",
            "providers": {"p": {"adapter": "openai", "key": "none",
                                "base_url": up.base("m/" + mode)}},
            "models": {"m": {"targets": ["p/x"]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def begin(p):
    return p.open("/v1/chat/completions", {
        "model": "m", "stream": True,
        "messages": [{"role": "user", "content": "hello"}]}, KEY)


def leaves(p, seconds):
    """Told to stop: its exit status, and None when it stays."""
    p.process.send_signal(signal.SIGTERM)
    try:
        return p.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


@pytest.mark.parametrize("mode", ["flood", "stream/1000/10"])
def test_client_that_does_not_read(up, mode):
    with pool.Pool(policy(up, mode)) as p:
        exchanges = [begin(p) for _ in range(3)]
        time.sleep(1)
        assert leaves(p, 8) == 0
        for x in exchanges:
            assert not x.finish().complete
            x.close()


def test_half_requests(up):
    params = fcgi.stream(fcgi.PARAMS, 1, fcgi.pairs(fcgi.cgi_params(
        "POST", "/v1/chat/completions", 100, pool.bearer(KEY))))
    halves = [b"", fcgi.begin(1)[:5], fcgi.begin(1),
              fcgi.begin(1) + params[:100], fcgi.begin(1) + params,
              fcgi.begin(1) + params + fcgi.record(fcgi.STDIN, 1, b"{")]
    with pool.Pool(policy(up, "ok")) as p:
        socks = []
        for half in halves:
            s = socket.socket(socket.AF_UNIX)
            s.connect(p.socket)
            s.sendall(half)
            socks.append(s)
        time.sleep(0.3)
        assert leaves(p, 10) == 0
        for s in socks:
            s.close()


def test_closed_streams(up):
    """With nothing open but the listening socket (FastCGI 1.0, 2.2)."""
    p = pool.Pool(policy(up, "ok", "stderr"))
    real = subprocess.Popen

    def bare(args, **more):
        return real(args, preexec_fn=lambda: os.closerange(1, 3), **more)
    subprocess.Popen = bare
    try:
        p.start()
    finally:
        subprocess.Popen = real
    answer = p.post("/v1/chat/completions", {
        "model": "m", "messages": [{"role": "user", "content": "x"}]}, KEY)
    status = p.stop()
    p.clean()
    assert answer.status == 200
    assert status == 0
