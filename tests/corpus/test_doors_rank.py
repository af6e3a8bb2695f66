"""Every recording of rerank and moderations, through the gateway: what it
answers is what an independent reading of the recording says."""

import json

import pytest

import pool
import recording
import world

KEY = "rank-client-key-0123456789"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.path.split("?")[0].rsplit("/", 1)[-1] in
         ("rerank", "moderations")]


def policy(up, log, case):
    cohere = case.meta["provider"] == "cohere"
    name = "voyage" if case.meta["provider"] == "voyage" else "p"
    return {"log": str(log), "attempts": 1, "providers": {name: {
        "adapter": "cohere" if cohere else "openai", "key": "plain:sk",
        "base_url": up.base("replay/%s/%s" % (case.provider, case.name),
                            "" if cohere else "v1")}},
        "models": {"m": {"targets": [{
            "provider": name, "model": case.meta.get("model") or "m",
            "price": {"input": 1, "output": 0}}]}},
        "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def asked(case, doc):
    """The recorded request, or one that the answer fits."""
    try:
        with open(case.folder.rstrip("/") + "/request.json", encoding="utf-8") as f:
            body = json.load(f)
    except OSError:
        return {"input": "a"} if "moderations" in case.path else {
            "query": "a", "documents": ["b"] * (1 + max(
                r["index"] for r in doc.get("results") or doc["data"]))}
    if "top_k" in body:
        body["top_n"] = body.pop("top_k")
    return {k: v for k, v in body.items() if k != "truncation"}


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_recorded(up, tmp_path, case):
    doc = json.loads(case.body())
    door = "/v1/moderations" if "moderations" in case.path else "/v2/rerank"
    with pool.Pool(policy(up, tmp_path / "records", case)) as running:
        r = running.post(door, {**asked(case, doc), "model": "m"}, KEY)
    assert r.status == case.status, r.body
    got = json.loads(r.body)
    if door == "/v1/moderations":
        assert got == doc
        return
    rows = doc["results"] if "results" in doc else doc["data"]
    want = sorted(((-x["relevance_score"], x["index"]) for x in rows))
    assert [(-x["relevance_score"], x["index"]) for x in got["results"]] == \
        want
    told = doc.get("meta", {}).get("billed_units", {})
    billed = got["meta"]["billed_units"]
    if told:
        assert billed["search_units"] == told["search_units"]
    else:
        assert billed["input_tokens"] == doc["usage"]["total_tokens"]
