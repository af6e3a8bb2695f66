"""Every recording of a count of tokens, through the gateway: the provider's
own count, free, on the surface that it is of."""

import json

import pytest

import pool
import recording
import world

KEY = "count-client-key-0123456789"
# What a case is of: the adapter, the path of its base URL, the door, and a
# request where none was kept.
KINDS = {
    "count_tokens": ("anthropic", "", "/v1/messages/count_tokens", {
        "messages": [{"role": "user", "content": "a"}]}),
    "countTokens": ("gemini", "v1beta", "/v1beta/models/m:countTokens", {
        "contents": [{"parts": [{"text": "a"}]}]}),
}
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.api in KINDS]


def policy(up, log, case):
    adapter, root, _, _ = KINDS[case.api]
    return {"log": str(log), "attempts": 1, "providers": {"p": {
        "adapter": adapter, "key": "plain:sk", "base_url": up.base(
            "replay/%s/%s" % (case.provider, case.name), root)}},
        "models": {"m": {"targets": [{
            "provider": "p", "model": case.meta.get("model") or "m",
            "price": {"input": 1, "output": 2}}]}},
        "keys": [{"name": "k", "secret": "plain:" + KEY}]}


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    _, _, door, plain = KINDS[case.api]
    asked = json.loads(case.request() or b"null") or plain
    if "messages" in plain:
        asked["model"] = "m"
    with pool.Pool(policy(up, log, case)) as running:
        r = running.post(door, asked, KEY)
    doc, got = json.loads(case.body()), json.loads(r.body)
    if case.status != 200:
        error = {"status": case.status, "doc": doc}
        assert r.status in world.expected_statuses(error), r.body
        assert got["error"]["message"], r.body
        return
    assert r.status == 200 and got == doc, r.body
    with open(log, encoding="utf-8") as f:
        (row,) = [r for r in map(json.loads, f) if "operation" in r]
    assert not row.get("cost_nano"), row
