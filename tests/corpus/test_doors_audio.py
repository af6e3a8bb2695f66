"""Every recording of speech to text, through the gateway: the client hears
what the provider heard, and pays what it tells of."""

import json

import pytest

import fcgi
import pool
import recording
import world

KEY = "audio-client-key-0123456789"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.api in ("transcriptions", "translations")]
TEXT, AUDIO, OUT = 1000, 3000, 2000      # n$ a token
PRICE = {"input": TEXT / 1000, "audio_input": AUDIO / 1000,
         "output": OUT / 1000}


def policy(up, log, case):
    return {"log": str(log), "attempts": 1, "providers": {"p": {
        "adapter": "openai", "key": "plain:sk", "base_url": up.base(
            "replay/%s/%s" % (case.provider, case.name), "v1")}},
        "models": {"m": {"targets": [{
            "provider": "p", "model": case.meta.get("model") or "m",
            "price": PRICE}]}},
        "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def form(case):
    """The recorded form, with bytes for the file that was not kept."""
    doc = json.loads(case.request() or b"{}")
    fields = {**doc.get("fields", {}), "model": "m"}
    parts = ['form-data; name="%s"\r\n\r\n%s' % f for f in fields.items()]
    parts.append('form-data; name="file"; filename="a.mp3"\r\n'
                 "Content-Type: audio/mpeg\r\n\r\nID3")
    return "".join("--xx\r\nContent-Disposition: %s\r\n" % p
                   for p in parts).encode() + b"--xx--\r\n"


def events(body):
    return [json.loads(line[5:]) for line in body.decode().split("\n")
            if line.startswith("data:") and "[DONE]" not in line]


def usage_of(case):
    """(text, audio, output) tokens that it tells of, or None."""
    if case.body_file == "stream.sse":
        told = events(case.body())[-1].get("usage")
    else:
        told = json.loads(case.body()).get("usage")
    if not told or told["type"] != "tokens":
        return None
    of = told.get("input_token_details") or {}
    return told["input_tokens"] - of.get("audio_tokens", 0), \
        of.get("audio_tokens", 0), told["output_tokens"]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    headers = [("Content-Type", "multipart/form-data; boundary=xx"),
               ("Authorization", "Bearer " + KEY)]
    with pool.Pool(policy(up, log, case)) as running:
        r = fcgi.request(running.socket, "POST", "/v1/audio/" + case.api,
                         form(case), headers, 30.0)
    if case.status != 200:
        doc = json.loads(case.body())
        error = {"status": case.status, "doc": doc}
        assert r.status in world.expected_statuses(error), r.body
        assert doc["error"]["message"] in json.loads(
            r.body)["error"]["message"]
        return
    if case.body_file == "stream.sse":
        assert r.status == 200 and events(r.body) == events(case.body())
    elif "text" not in json.loads(case.body()):
        assert r.status == 502, r.body   # nothing was heard
        return
    else:
        assert r.status == 200, r.body
        assert json.loads(r.body) == json.loads(case.body())
    check_record(log, usage_of(case))


def check_record(log, told):
    with open(log, encoding="utf-8") as f:
        (r,) = [r for r in map(json.loads, f) if "operation" in r]
    if told is None:
        assert r.get("estimated"), r
    else:
        text, audio, out = told
        assert not r.get("estimated"), r
        assert r["cost_nano"] == text * TEXT + audio * AUDIO + out * OUT, r
