"""Every recording of images and speech, through the adapter of its provider:
what it made comes to the client, to the byte."""

import base64
import json

import pytest

import pool
import recording
import world

KEY = "media-client-key-0123456789"
IMAGES, SPEECH = "/v1/images/generations", "/v1/audio/speech"
EDITS = "/v1/images/edits"
# Names that tell how a provider departs from OpenAI's dialect.
NAMED = {"openrouter": "openrouter", "together": "togetherai"}


def dialect_of(case):
    if case.api in ("images", "speech"):
        return "openai"
    if case.provider == "gemini" and (
            "image-out" in case.name or "imagen" in case.name):
        return "gemini"
    return None


CASES = [c for root in world.roots() for c in recording.cases(root)
         if dialect_of(c) and c.meta.get("method", "POST") == "POST"]
each_case = pytest.mark.parametrize("case", CASES, ids=repr)


def model_of(case):
    return (case.meta.get("model") or "m").replace(" ", "-")


def policy(up, log, case):
    row = {"key": "plain:sk", "base_url": up.base(
        "replay/%s/%s" % (case.provider, case.name),
        "v1beta" if dialect_of(case) == "gemini" else "v1")}
    name = NAMED.get(case.meta["provider"], "p")
    if name == "p":
        row["adapter"] = dialect_of(case)
    return {"log": str(log), "attempts": 1, "providers": {name: row},
            "models": {"m": {"targets": [{
                "provider": name, "model": model_of(case),
                "price": {"image": "0.01", "characters": 10}}]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def request(case):
    """The recorded request where it is of this door, else a plain one."""
    own = json.loads(case.request() or b"{}")
    if case.api == "speech":
        return SPEECH, {**own, "model": "m"}
    if case.api != "images":
        own = {"prompt": "a stop sign"}
    # OpenRouter's word for what is edited, at its door for all images.
    for ref in own.pop("input_references", []):
        own.setdefault("images", []).append(
            {"image_url": ref["image_url"]["url"]})
    return EDITS if "images" in own else IMAGES, {**own, "model": "m"}


def pictures(case):
    """What the recorded answer has of images: b64_json or url of each."""
    doc = json.loads(case.body())
    if dialect_of(case) == "openai":
        return [d.get("b64_json") or d["url"] for d in doc["data"]]
    return [p["inlineData"]["data"] for c in doc["candidates"]
            for p in c["content"]["parts"] if "inlineData" in p]


def check(case, answer):
    if answer.status != 200:
        return ["status %d: %r" % (answer.status, answer.body[:200])]
    if case.api == "speech":
        want = case.body()
        if b"audio_data" in want[:20]:
            want = base64.b64decode(json.loads(want)["audio_data"])
        return [] if answer.body == want else ["other bytes"]
    doc = json.loads(answer.body)
    got = [d.get("b64_json") or d["url"] for d in doc["data"]]
    return [] if got == pictures(case) else ["other images"]


@each_case
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    path, body = request(case)
    with pool.Pool(policy(up, log, case)) as running:
        answer = running.post(path, body, KEY)
    if case.status != 200:
        error = {"status": case.status, "doc": json.loads(case.body())}
        assert answer.status in world.expected_statuses(error), answer.body
        assert set(json.loads(answer.body)["error"]) >= {
            "message", "type", "param", "code"}
        return
    wrong = check(case, answer)
    assert not wrong, "\n".join(wrong)
    with open(log, encoding="utf-8") as f:
        (r,) = [r for r in map(json.loads, f) if "operation" in r]
    cost = len(body["input"]) * 10**4 if path == SPEECH else \
        len(pictures(case)) * 10**7
    assert r["cost_nano"] == cost, r
