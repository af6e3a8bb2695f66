"""The test provider itself, asked without the gateway."""

import http.client
import json
import socket
import time

import pytest

import recording
import world


def ask(up, mode, stream=False, timeout=5.0, **more):
    """(status, headers, body) of one request."""
    c = http.client.HTTPConnection("127.0.0.1", up.port, timeout=timeout)
    body = {"model": "x", "stream": stream,
            "messages": [{"role": "user", "content": "one two three"}]}
    body.update(more)
    try:
        c.request("POST", "/%s/v1/chat/completions" % mode, json.dumps(body))
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read()
    finally:
        c.close()


def test_echo_and_bill(up):
    key = "m/ok/tag=echo"
    status, _, body = ask(up, key)
    doc = json.loads(body)
    assert status == 200
    assert doc["choices"][0]["message"]["content"] == "one two three"
    assert doc["usage"] == {"prompt_tokens": 3, "completion_tokens": 3,
                            "total_tokens": 6}
    bill = up.bill(key)
    assert (bill["requests"], bill["finished"]) == (1, 1)
    assert (bill["input_tokens"], bill["output_tokens"]) == (3, 3)
    assert up.last(key)["doc"]["model"] == "x"


def test_stream_respects_the_cap(up):
    _, _, body = ask(up, "m/stream/5/1", True, max_tokens=2)
    assert body.count(b'"content": "') == 3  # the role, then two words
    assert b'"finish_reason": "length"' in body
    assert body.endswith(b"data: [DONE]\n\n")


def test_abort_is_seen(up):
    key = "m/stream/1000/20/tag=abort"
    s = socket.create_connection(("127.0.0.1", up.port))
    body = b'{"stream":true,"messages":[]}'
    s.sendall(b"POST /%s/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
              b"Content-Length: %d\r\n\r\n%s" % (key.encode(), len(body),
                                                 body))
    while s.recv(4096).count(b"content") < 1:
        pass
    s.close()
    end = time.monotonic() + 5
    while not up.bill(key)["aborted"] and time.monotonic() < end:
        time.sleep(0.01)
    bill = up.bill(key)
    assert len(bill["aborted"]) == 1 and bill["running"] == 0
    assert bill["aborted"][0]["tokens"] < 1000


@pytest.mark.parametrize("mode,error", [
    ("m/reset/accept", ConnectionResetError),
    ("m/reset/mid-body", ConnectionResetError),
    ("m/close/accept", http.client.RemoteDisconnected),
    ("m/close/mid-body", http.client.IncompleteRead),
    ("m/hang", TimeoutError), ("m/stall/2", TimeoutError)])
def test_faults(up, mode, error):
    with pytest.raises(error):
        ask(up, mode, timeout=0.5)


def test_retry_after(up):
    status, headers, _ = ask(up, "m/status/429/retry=7")
    assert status == 429 and headers["retry-after"] == "7"
    status, headers, _ = ask(up, "m/status/503/retry_ms=1500")
    assert status == 503 and headers["retry-after-ms"] == "1500"


def test_trap_ports(up):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", up.closed_port), 1)
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", up.blackhole_port), 0.3)


def test_pieces_are_the_whole(up):
    case = next(c for c in recording.cases(world.FIXTURES)
                if c.body_file == "stream.sse")
    for how in ("replay", "chunk/1", "split/3", "comb/7/2", "cut/5",
                "cut/5,9,200", "cut/99999"):
        _, _, body = ask(up, "%s/%s" % (how, case))
        assert body == case.body(), how


def test_unknown(up):
    assert ask(up, "m/nothing")[0] == 404
    assert ask(up, "m/ok/1")[0] == 404
    assert ask(up, "m/stream/x")[0] == 404
    assert ask(up, "replay/no/such")[0] == 404
