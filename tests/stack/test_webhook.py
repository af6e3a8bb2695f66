"""Warnings of budgets: once a window whichever worker sees it, in the
records, at the webhook and in /metrics."""

import json

import pytest

from client import ask, bearer, chat
from house import Policy, Site, virtual_key, wait_until
from servers import chosen, open_front


@pytest.fixture(params=[n for n in ("lighttpd", "apache-proxy")
                        if n in chosen()] or chosen()[:1])
def front(request, upstream):
    with Site(upstream) as site:
        hook = "m/ok/tag=hook-" + request.node.name.replace("[", "-").strip(
            "]")
        p = Policy(site, webhook=upstream.base(hook))
        p.doc["keys"][0].update(may="metrics")
        p.doc["keys"].append({
            "name": "thrifty", "secret": "plain:" + virtual_key(),
            "budget": {"limit": "0.1 USD / day", "warn": ["5 %", "50 %"]}})
        p.model("ok", "m/ok/tag=" + request.param)
        p.write()
        front = open_front(site, request.param)
        front.hook = hook
        front.thrifty = p.doc["keys"][-1]["secret"][6:]
        yield front


def warnings(front):
    lines = (front.site.dir / "records.jsonl").read_text().splitlines()
    return [d["message"] for d in map(json.loads, lines)
            if d["level"] == "warning"]


def test_warned_once(front):
    tester = front.site.key
    front.site.key = front.thrifty
    for _ in range(12):
        assert chat(front, "ok", max_tokens=2000).status == 200
    wait_until(lambda: warnings(front) and front.site.upstream.bill(
        front.hook)["requests"], 5, "warned")
    assert warnings(front) == ["budget of key:thrifty: 5 % used"]
    assert front.site.upstream.bill(front.hook)["requests"] == 1
    told = front.site.upstream.last(front.hook)["doc"]
    assert told.pop("time") > 1700000000
    assert told == {"event": "budget", "scope": "key:thrifty",
                    "used_percent": 5, "limit": "0.1", "window": "day",
                    "soft": False}
    body = ask(front, "GET", "/metrics", bearer(tester)).body.decode()
    assert "tollgate_budget_warnings_total 1\n" in body


def test_webhook_away(front):
    """Nobody waits for it; the records say so."""
    site, tester = front.site, front.site.key
    policy = json.loads(site.policy.read_text())
    policy["webhook"] = f"http://127.0.0.1:{site.upstream.closed_port}/"
    site.policy.write_text(json.dumps(policy))
    wait_until(lambda: "in force" in (site.dir / "records.jsonl").read_text(),
               5, "in force")
    site.key = front.thrifty
    for _ in range(3):
        assert chat(front, "ok", max_tokens=2000).status == 200
    site.key = tester
    wait_until(lambda: "the webhook cannot be reached" in
               (site.dir / "records.jsonl").read_text(), 5, "said so")
