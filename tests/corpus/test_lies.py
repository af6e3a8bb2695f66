"""Providers that lie, stop, or say what no JSON may: every mode of the test
provider through the program, read by the strict reader.

What a client may see is a table: the status of a whole answer, and of a
stream its end: DONE, BROKE (an error event after content) or the status of a
plain error.  However bad the provider is, nothing else reaches a client.
"""

import os

import pytest

import pool
import reader
import upstream

KEY = "lies-client-key-0123456789"
DONE, BROKE = "done", "error"

ROWS = {
    # mode: (whole, stream)
    "ok": (200, DONE), "tools": (200, DONE), "tools/3/5": (200, DONE),
    "big": (200, DONE), "trickle/0": (200, DONE),
    "status/400": (400, 400), "status/401": (502, 502),
    "status/403": (502, 502), "status/404": (404, 404),
    "status/413": (413, 413), "status/422": (422, 422),
    "status/429": (429, 429), "status/500": (502, 502),
    "status/502": (502, 502), "status/503": (503, 503),
    "status/529": (503, 503), "context": (400, 400), "policy": (400, 400),
    "redirect": (502, 502), "html": (502, 502), "html/503": (503, 503),
    "empty": (502, 502), "empty/500": (502, 502), "204": (502, 502),
    "truncated": (502, 502), "text": (502, 502), "text/429": (429, 429),
    "json-for-stream": (200, 502), "sse-for-json": (502, DONE),
    "error-200": (502, 502), "error-200/600": (502, 502),
    "charset": (502, 502), "charset/utf-16": (502, 502),
    "gzip": (502, 502), "gzip/2": (502, 502),
    "reset/accept": (502, 502), "reset/mid-headers": (502, 502),
    "reset/headers": (502, 502), "reset/mid-body": (502, 502),
    "reset/3": (502, BROKE), "close/accept": (502, 502),
    "close/mid-headers": (502, 502), "close/headers": (502, 502),
    "close/mid-body": (502, 502), "close/3": (502, BROKE),
    "comments/1/3": (502, DONE), "error-first": (502, 502),
    "role-error": (502, 502), "error-after": (502, BROKE),
    "error-after/3/500/error/1": (502, BROKE),
    "broken-event": (502, BROKE), "no-done": (502, DONE),
    "no-finish": (502, DONE), "just-end": (502, BROKE),
    "after-done": (502, DONE), "huge-event": (502, BROKE),
    "huge-event/1000000": (502, DONE), "long-line": (502, BROKE),
}
ROWS.update({"lines/" + k: (502, DONE) for k in (
    "crlf", "cr", "nospace", "bom", "multi", "names")})
ROWS.update({"usage/" + k: (200, DONE) for k in (
    *upstream.LIES, *upstream.USAGE_PLACES)})
ROWS.update({"bad-text/" + k: (502, DONE) for k in (
    "utf8", "overlong", "raw-surrogate", "raw-nul")})
ROWS.update({"bad-text/" + k: (200, DONE) for k in ("surrogate", "nul")})
ROWS["bad-text/newline"] = (502, BROKE)
ROWS["bad-text/bom"] = (200, DONE)
ROWS.update({"odd-http/" + k: (200, 502) for k in (
    "early", "http10", "trailers", "extensions", "lf")})
ROWS.update({"hostile-headers/" + k: (200, 502) for k in (
    "crlf", "cookie", "status", "latin", "twins")})
ROWS.update({"hostile-headers/" + k: (502, 502) for k in (
    "nul", "many", "large", "long-name")})
PORTS = {"closed_port": 502, "reset_port": 502, "blackhole_port": 504}


@pytest.fixture(scope="module")
def liars(up):
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "timeouts": {"connect": "500ms"},
              "keys": [{"name": "k", "secret": "plain:" + KEY}]}
    bases = {m: up.base("m/" + m) for m in ROWS}
    bases.update({p: "http://127.0.0.1:%d/v1" % getattr(up, p)
                  for p in PORTS})
    for i, (mode, base) in enumerate(bases.items()):
        policy["providers"]["p%d" % i] = {
            "adapter": "openai", "base_url": base, "key": "none"}
        policy["models"][name(mode)] = {"targets": [
            {"provider": "p%d" % i, "model": "x"}]}
    p = pool.Pool(policy).start()
    yield p
    assert p.alive(), "the program died:\n" + p.log()
    status = p.stop()
    assert status == 0, "exit status %r:\n%s" % (status, p.log())
    p.clean()


def name(mode):
    return "m-" + mode.replace("/", "-")


def ask(liars, mode, stream):
    body = {"model": name(mode), "stream": stream,
            "messages": [{"role": "user", "content": "hello there"}]}
    if stream:
        body["stream_options"] = {"include_usage": True}
    answer = liars.post("/v1/chat/completions", body, KEY, timeout=20)
    assert answer.complete
    r = reader.read_answer(answer.status, answer.header("content-type"),
                           answer.body, stream)
    assert r.faults == []
    for word in (b"UPSTREAM", b"AFTER-DONE"):
        assert word not in answer.body
    for bad in ("set-cookie", "server", "x-trailer"):
        assert answer.header(bad) is None
    return answer, r


@pytest.mark.parametrize("mode", ROWS)
def test_whole(liars, mode):
    answer, _ = ask(liars, mode, False)
    assert answer.status == ROWS[mode][0]


@pytest.mark.parametrize("mode", ROWS)
def test_stream(liars, mode):
    answer, r = ask(liars, mode, True)
    want = ROWS[mode][1]
    assert (r.ended if answer.status == 200 else answer.status) == want


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("port", PORTS)
def test_ports(liars, port, stream):
    answer, _ = ask(liars, port, stream)
    assert answer.status == PORTS[port]


@pytest.mark.parametrize("given,told", [
    ("retry=7", "7"), ("retry_ms=1500", "2"), ("retry=-1", None),
    ("retry=soon", None)])
def test_retry_after(up, given, told):
    """What the provider asks for is told to the client, in seconds."""
    policy = {"log": os.devnull, "keys": [{"name": "k",
                                           "secret": "plain:" + KEY}],
              "providers": {"p": {"adapter": "openai", "key": "none",
                                  "base_url": up.base(
                                      "m/status/429/" + given)}},
              "models": {"m": {"targets": ["p/x"]}}}
    with pool.Pool(policy) as p:
        answer = p.post("/v1/chat/completions", {
            "model": "m", "messages": [{"role": "user", "content": "x"}]},
            KEY)
    assert answer.status == 429
    # Who says nothing usable rests for some seconds, by our own choice.
    assert answer.header("retry-after") == told or (
        told is None and 1 <= int(answer.header("retry-after")) <= 10)


@pytest.mark.parametrize("code", [400, 404, 422, 429, 503])
@pytest.mark.parametrize("before", [0, 480])
def test_echoed_key(up, code, before):
    """Our key in a provider's error, also where its words are cut."""
    secret = "sk-canary-4f1b9d3a-7c2e-echoed-by-the-provider"
    base = up.base("m/status/%d/message=%s%s/err_code=%s" % (
        code, "x" * before, secret, secret))
    policy = {"log": "stderr", "attempts": 1,
              "keys": [{"name": "k", "secret": "plain:" + KEY}],
              "providers": {"p": {"adapter": "openai", "base_url": base,
                                  "key": "plain:" + secret}},
              "models": {"m": {"targets": ["p/x"]}}}
    with pool.Pool(policy) as p:
        answer = p.post("/v1/chat/completions", {
            "model": "m", "messages": [{"role": "user", "content": "x"}]},
            KEY)
        log = p.log()
    assert answer.status == code
    for piece in (secret[:12], secret[-12:]):
        assert piece.encode() not in answer.body
        assert piece not in log
