"""Warnings of budgets: once a window whichever worker sees it, in the
records, at the webhook and in /metrics."""

import json
from contextlib import contextmanager

import pytest

from client import ask, bearer, chat
from house import Policy, Site, virtual_key, wait_until
from servers import chosen, open_front


FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] \
    or chosen()[:1]


@contextmanager
def warned_at(upstream, name, url):
    """A front whose policy has its webhook at an address from the start: its
    workers read a new one each at its own time."""
    with Site(upstream) as site:
        p = Policy(site, webhook=url)
        p.doc["keys"][0].update(may="metrics")
        p.doc["keys"].append({
            "name": "thrifty", "secret": "plain:" + virtual_key(),
            "budget": {"limit": "0.1 USD / day", "warn": ["5 %", "50 %"]}})
        p.model("ok", "m/ok/tag=" + name)
        p.write()
        front = open_front(site, name)
        front.thrifty = p.doc["keys"][-1]["secret"][6:]
        yield front


def warnings(front):
    lines = (front.site.dir / "records.jsonl").read_text().splitlines()
    return [d["message"] for d in map(json.loads, lines)
            if d["level"] == "warning"]


@pytest.mark.parametrize("name", FRONTS)
def test_warned_once(upstream, name):
    hook = "m/ok/tag=hook-" + name
    with warned_at(upstream, name, upstream.base(hook)) as front:
        tester = front.site.key
        front.site.key = front.thrifty
        for _ in range(12):
            assert chat(front, "ok", max_tokens=2000).status == 200
        wait_until(lambda: warnings(front) and upstream.bill(hook)["requests"],
                   5, "warned")
        assert warnings(front) == ["budget of key:thrifty: 5 % used"]
        assert upstream.bill(hook)["requests"] == 1
        told = upstream.last(hook)["doc"]
        assert told.pop("time") > 1700000000
        assert told == {"event": "budget", "scope": "key:thrifty",
                        "used_percent": 5, "limit": "0.1", "window": "day",
                        "soft": False}
        body = ask(front, "GET", "/metrics", bearer(tester)).body.decode()
        assert "tollgate_budget_warnings_total 1\n" in body


@pytest.mark.parametrize("name", FRONTS)
def test_webhook_away(upstream, name):
    """Nobody waits for it; the records say so."""
    away = f"http://127.0.0.1:{upstream.closed_port}/"
    with warned_at(upstream, name, away) as front:
        front.site.key = front.thrifty
        for _ in range(3):
            assert chat(front, "ok", max_tokens=2000).status == 200
        wait_until(lambda: "the webhook cannot be reached" in
                   (front.site.dir / "records.jsonl").read_text(), 5,
                   "said so")
