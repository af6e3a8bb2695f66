"""Every recording of embeddings, through the adapter of its provider, as
numbers and as base64."""

import base64
import json
import struct

import pytest

import pool
import recording
import recording_embed
import world

KEY = "embed-client-key-0123456789"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if recording_embed.dialect_of(c)]
# Providers whose name tells how they depart from OpenAI's dialect.
NAMED = ("voyage", "mistral", "perplexity", "azure")
each_case = pytest.mark.parametrize("case", CASES, ids=repr)


def root_of(case):
    """The base URL's path: what stands before the part we add."""
    dialect = recording_embed.dialect_of(case)
    if "/publishers/" in case.path:
        return "v1/projects/p/locations/l/publishers/google"
    return {"openai": "v1", "gemini": "v1beta"}.get(dialect, "")


def name_of(i, case):
    own = case.meta["provider"]
    return own if own in NAMED else "p%d" % i


def policy(up, log, i):
    case = CASES[i]
    dialect = recording_embed.dialect_of(case)
    row = {"adapter": dialect, "key": "plain:sk", "base_url": up.base(
        "replay/%s/%s" % (case.provider, case.name), root_of(case))}
    if dialect == "bedrock":
        row["auth"] = "bearer"
    return {"log": str(log), "attempts": 1,
            "providers": {name_of(i, case): row},
            "models": {"m": {"targets": [{
                "provider": name_of(i, case),
                "model": case.meta.get("model") or "m",
                "price": {"input": 1, "output": 0}}]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def request(case, form):
    body = {"model": "m", "encoding_format": form,
            "input": recording_embed.inputs(case)}
    size = recording_embed.dimensions(case)
    return {**body, "dimensions": size} if size else body


def unpacked(text):
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack("<%df" % (len(raw) // 4), raw))


def single(x):
    """As a float32 has it."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


def check(case, answer, form):
    """What is wrong with an answer, as texts."""
    want = recording_embed.read(case)
    doc = json.loads(answer.body)
    if want is None:
        return [] if answer.status == 502 else ["%d for no vectors" %
                                                answer.status]
    if answer.status != 200:
        return ["status %d: %r" % (answer.status, answer.body[:200])]
    vectors, told = want
    wrong = []
    rows = sorted(doc["data"], key=lambda d: d["index"])
    if doc["object"] != "list" or not doc["model"] or \
            [d["index"] for d in rows] != list(range(len(vectors))) or \
            any(d["object"] != "embedding" for d in rows):
        wrong.append("shape %r" % answer.body[:200])
    for d, v in zip(rows, vectors):
        if isinstance(d["embedding"], str) != (form == "base64"):
            wrong.append("not the form that was asked for")
            continue
        got = d["embedding"] if form == "float" else unpacked(d["embedding"])
        if list(map(single, got)) != list(map(single, v)):
            wrong.append("another vector")
    n = doc["usage"]["prompt_tokens"]
    if doc["usage"]["total_tokens"] != n or (n != told if told is not None
                                             else n <= 0):
        wrong.append("usage %r, told %r" % (doc["usage"], told))
    return wrong


@each_case
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    forms = ("float", "base64") if case.status == 200 else ("float",)
    with pool.Pool(policy(up, log, CASES.index(case))) as running:
        answers = {form: running.post("/v1/embeddings", request(case, form),
                                      KEY) for form in forms}
    if case.status != 200:
        return check_error(case, answers["float"])
    wrong = [w for form, a in answers.items() for w in check(case, a, form)]
    with open(log, encoding="utf-8") as f:
        records = [r for r in map(json.loads, f) if "operation" in r]
    want = recording_embed.read(case)
    for r in records if want else []:
        if want[1] is None:
            wrong += [] if r["estimated"] else ["an estimate that is not told"]
        elif r["input_tokens"] != want[1]:
            wrong.append("recorded %r" % r)
    assert not wrong, "\n".join(wrong)


def check_error(case, answer):
    """In OpenAI's shape, in the provider's words where they are for the
    client."""
    doc = json.loads(case.body())
    error = {"status": case.status, "doc": doc}
    assert answer.status in world.expected_statuses(error), answer.body
    told = json.loads(answer.body)["error"]
    assert set(told) >= {"message", "type", "param", "code"}
    if answer.status in (400, 404):
        said = doc.get("detail") or doc.get("message") or doc["error"]
        said = said["message"] if isinstance(said, dict) else said
        assert said[:200] in told["message"]
