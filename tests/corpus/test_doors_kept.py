"""Every recording of an answer that its provider keeps, had again through the
gateway: as it was recorded, but for the id, and free."""

import json

import pytest

import pool
import recording
import world

KEY = "kept-client-key-0123456789"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.api == "responses-item"]


def policy(up, log, case):
    return {"log": str(log), "attempts": 1, "providers": {"p": {
        "adapter": "responses", "key": "plain:sk", "base_url": up.base(
            "replay/%s/%s" % (case.provider, case.name), "v1")}},
        "models": {"m": {"targets": [{"provider": "p", "model": "m",
            "price": {"input": 1, "output": 2}}]}},
        "keys": [{"name": "k", "secret": "plain:" + KEY}]}


def documents(body, streamed):
    if not streamed:
        return [json.loads(body)]
    return [json.loads(line[5:]) for line in body.decode().split("\n")
            if line.startswith("data:")]


def without_proof(x, given, own):
    """The same with the provider's own id in it."""
    return json.loads(json.dumps(x).replace(given, own))


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_recorded(up, tmp_path, case):
    log = tmp_path / "records"
    streamed = case.body_file == "stream.sse"
    own = case.path.split("?")[0].rsplit("/", 1)[1]
    ask = {"model": "m", "input": "a", "stream": streamed}
    with pool.Pool(policy(up, log, case)) as running:
        # The provider of the recordings says the same to whatever it is
        # asked: so the answer is made, and is the client's.
        made = running.post("/v1/responses", ask, KEY)
        assert made.status == 200, made.body
        first = documents(made.body, streamed)[0]
        given = first["response"]["id"] if streamed else first["id"]
        assert given.startswith(own + "_tg"), given
        again = running.get("/v1/responses/" + given + (
            "?stream=true" if streamed else ""), pool.bearer(KEY))
    assert again.status == 200, again.body
    assert [without_proof(d, given, own)
            for d in documents(again.body, streamed)] == \
        documents(case.body(), streamed)
    with open(log, encoding="utf-8") as f:
        rows = [r for r in map(json.loads, f) if "operation" in r]
    assert [r["operation"] for r in rows] == ["chat", "retrieve"]
    assert not rows[1].get("cost_nano") and not rows[1].get("input_tokens")
