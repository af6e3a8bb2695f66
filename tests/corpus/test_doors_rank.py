"""Every recording of rerank and moderations, through the gateway: what it
answers is what an independent reading of the recording says."""

import json

import pytest

import pool
import recording
import recording_rank as rank
import world

KEY = "rank-client-key-0123456789"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if rank.door_of(c)]
TOKEN, SEARCH = 1000, 2 * 10**6          # n$


def policy(up, log, case):
    adapter, name, root = rank.dialect_of(case)
    row = {"key": "plain:sk", "base_url": up.base(
        "replay/%s/%s" % (case.provider, case.name), root)}
    if name is None:
        row["adapter"] = adapter
    if adapter == "bedrock":
        row["auth"] = "bearer"
    return {"log": str(log), "attempts": 1, "providers": {name or "p": row},
            "models": {"m": {"targets": [{
                "provider": name or "p",
                "model": case.meta.get("model") or "m",
                "price": {"input": 1, "output": 0, "search": 0.002}}]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    asked = rank.request(case)
    with pool.Pool(policy(up, log, case)) as running:
        r = running.post(rank.door_of(case), {**asked, "model": "m"}, KEY)
    got = json.loads(r.body)
    if case.status != 200:
        check_error(case, r.status, got)
    elif rank.door_of(case) == rank.DOORS["moderations"]:
        check_verdict(case, r.status, got)
    else:
        check_ranking(case, asked, r.status, got)
        check_record(case, log, r.status)


def check_error(case, status, got):
    error = {"status": case.status, "doc": json.loads(case.body())}
    assert status in world.expected_statuses(error), got
    message = got["message"] if "message" in got else got["error"]["message"]
    said = error["doc"].get("detail") or error["doc"].get("message") or \
        error["doc"]["error"]["message"]
    if status in (400, 404, 422):
        assert (said if isinstance(said, str) else said[0]["msg"])[:200] in \
            message


def check_verdict(case, status, got):
    try:
        doc = json.loads(case.body())
        good = isinstance(doc["results"], list) and doc["results"]
    except (ValueError, KeyError, TypeError):
        good = False
    assert status == (200 if good else 502), got
    assert not good or got == doc


def check_ranking(case, asked, status, got):
    want = rank.ranking(case, asked)
    if want is None:
        assert status == 502 and got["message"], got
        return
    assert status == 200, got
    assert [(x["index"], x["relevance_score"]) for x in got["results"]] == \
        want
    searches, tokens = rank.units(case)
    billed = got.get("meta", {}).get("billed_units", {})
    assert searches is None or billed["search_units"] == searches
    assert tokens is None or billed["input_tokens"] == tokens


def check_record(case, log, status):
    """What it tells is what is charged."""
    with open(log, encoding="utf-8") as f:
        (r,) = [r for r in map(json.loads, f) if "operation" in r]
    if status != 200:
        return
    searches, tokens = rank.units(case)
    if searches is None:                 # sold, and counted by the house
        assert r.get("estimated"), r
        searches = 1
    assert r["cost_nano"] >= searches * SEARCH
    if tokens is not None:
        assert r["cost_nano"] == searches * SEARCH + tokens * TOKEN, r
