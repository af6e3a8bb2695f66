"""What is charged beside tokens, in the header, the stream and the record."""

import json
import re

import pytest

import pool

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
