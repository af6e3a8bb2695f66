"""What is charged beside tokens, in the header, the stream and the record."""

import json
import re

import pytest

import dialects
import pool
import recording
import recording_bedrock
import recording_fees
import recording_responses
import world

KEY = "fees-client-key-0123456789"


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [r for r in map(json.loads, f) if "operation" in r]


def policy(log, targets):
    """A model for each row: name → (base, adapter, model, price)."""
    return {"log": str(log), "providers": {
        "p-" + name: {"adapter": adapter, "base_url": base, "key": "none"}
        for name, (base, adapter, _, _) in targets.items()}, "models": {
        name: {"targets": [{"provider": "p-" + name, "model": model,
                            "price": price}]}
        for name, (_, _, model, price) in targets.items()},
        "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def ask(p, model, stream=False):
    got = p.post("/v1/chat/completions", {
        "model": model, "stream": stream,
        "messages": [{"role": "user", "content": "hello"}]}, KEY)
    assert got.status == 200, got.body
    return got


def dollars(text):
    """USD as nano-dollars, without a float."""
    whole, _, part = text.partition(".")
    return int(whole) * 10 ** 9 + int(part.ljust(9, "0"))


@pytest.mark.parametrize("stream", [False, True])
def test_request_fee(up, tmp_path, stream):
    """Once for a request that was answered, not for what failed."""
    log = tmp_path / "records"
    p = policy(log, {
        "fee": (up.base("m/ok"), "openai", "m",
                {"input": 1, "output": 2, "request": 0.01}),
        "down": (up.base("m/status/500"), "openai", "m",
                 {"input": 1, "output": 2, "request": 5})})
    p["models"]["both"] = {"targets": p["models"]["down"]["targets"] +
                           p["models"]["fee"]["targets"]}
    with pool.Pool(p) as running:
        got = ask(running, "both", stream)
    record, = lines(log)
    right = record["input_tokens"] * 1000 + record["output_tokens"] * 2000 + \
        10_000_000
    assert record["cost_nano"] == right
    assert "cost_nano" not in record["attempts"][0]
    told = dict(got.headers).get("x-tollgate-cost")
    if stream:
        told = re.search(rb"^: tollgate .* cost=([0-9.]+)", got.body,
                         re.M)[1].decode()
    assert dollars(told) == right


# --- what recorded providers say ------------------------------------------------

WORDS = (b"service_tier", b"serviceTier", b"trafficType", b"search")


def adapter_of(case):
    if case.status != 200 or not any(w in case.body() for w in WORDS) or \
            case.body_file not in ("response.json", "stream.sse",
                                   "stream.eventstream"):
        return None
    if repr(case) in world.exceptions():
        return None
    if recording_responses.is_responses(case):
        return "responses"
    if recording_bedrock.is_converse(case):
        return "bedrock"
    if case.provider == "cohere" and case.path.endswith("/v2/chat"):
        return "cohere"
    return "openai" if case.is_chat() else dialects.dialect_of(case)


ROOTS = {"openai": "v1", "responses": "v1", "gemini": "v1beta"}
CASES = [(c, a) for root in world.roots() for c in recording.cases(root)
         for a in [adapter_of(c)] if a]


def provider(up, case, adapter):
    row = {"adapter": adapter, "key": "plain:" + world.provider_key(case),
           "base_url": up.base("replay/%s/%s" % (case.provider, case.name),
                               ROOTS.get(adapter, ""))}
    if adapter == "bedrock":
        del row["key"]
        row.update({"region": "us-east-1", "auth": "sigv4",
                    "access_key": "plain:" + "A" * 20,
                    "secret_key": "plain:" + "s" * 40})
    return row


FACTORS = {"flex": 50, "priority": 175, "batch": 60, "reserved": 0}


def charged(record):
    tokens = record["input_tokens"] * 10 ** 6 + \
        record["output_tokens"] * 2 * 10 ** 6
    percent = FACTORS.get(record.get("service_tier"), 100)
    return -(-tokens * percent // (10 ** 3 * 100)) + \
        record.get("searches", 0) * 10_000_000 + 3_000_000


def test_recorded(up, tmp_path):
    """Tiers and searches of all recordings, as an independent reader has
    them, and what they come to."""
    log = tmp_path / "records"
    tiers = {k: "%d %%" % v for k, v in FACTORS.items()}
    p = {"log": str(log), "attempts": 1, "providers": {}, "models": {},
         "keys": [{"name": "k", "secret": "plain:" + KEY}]}
    for i, (case, adapter) in enumerate(CASES):
        p["providers"]["p%d" % i] = provider(up, case, adapter)
        p["models"]["m%d" % i] = {"targets": [{
            "provider": "p%d" % i, "model": "m", "price": {
                "input": 1, "output": 2, "search": 0.01, "request": 0.003,
                "service_tiers": tiers}}]}
    with pool.Pool(p) as running:
        for i, (case, _) in enumerate(CASES):
            running.post("/v1/chat/completions", {
                "model": "m%d" % i,
                "stream": case.body_file != "response.json",
                "messages": [{"role": "user", "content": "hello"}]}, KEY)
    found, wrong = {"tier": set(), "searches": 0}, []
    records = {r["model"]: r for r in lines(log)}
    for i, (case, adapter) in enumerate(CASES):
        record = records["m%d" % i]
        if "input_tokens" not in record or \
                record.get("estimated") and adapter != "openai":
            continue
        docs = recording_fees.documents(case)
        want = recording_fees.tier(docs), recording_fees.searches(docs)
        got = record.get("service_tier"), record.get("searches", 0)
        if want != got or record["cost_nano"] != charged(record):
            wrong.append((case, want, got, record))
        found["tier"].add(got[0])
        found["searches"] += got[1] > 0
    assert not wrong, (len(wrong), wrong[:5])
    assert found["tier"] == {None, *FACTORS, "other"}
    assert found["searches"] >= 2
    if world.corpus_root():
        assert found["searches"] >= 10
