"""A price that was wrong is put right: what was used comes out as if it had
been right from the beginning."""

import json

import pytest

from client import chat
from house import Policy, Site, wait_until
from servers import chosen, open_front
from stores import Redis
from test_keys import tollgate

FRONT = "lighttpd" if "lighttpd" in chosen() else chosen()[0]


def policy(site, store, price):
    p = Policy(site, **({"store": store} if store else {}))
    p.model("dear", {"to": "m/ok", "price": price})
    p.model("other", {"to": "m/ok/tag=other", "price": {
        "input": 4, "output": 5}})
    p.write()


def rows(site):
    out = tollgate(site, "usage", "--by", "key,model", "--since", "2d",
                   "--format", "json")
    assert out.returncode == 0, out.stderr
    return {r["model"]: r for r in json.loads(out.stdout)["rows"]}


def reprice(site, *words):
    out = tollgate(site, "reprice", "--since", "2d", *words)
    assert out.returncode == 0, out.stderr
    return out


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_reprice(upstream, kind):
    with Site(upstream) as site:
        redis = Redis(site) if kind == "redis" else None
        store = redis.address if redis else None
        policy(site, store, {"input": 100, "output": 200, "request": 0.5})
        front = open_front(site, FRONT)
        for model in ("dear", "dear", "dear", "other"):
            assert chat(front, model).status == 200
        wait_until(lambda: sum(r["requests"] for r in rows(site).values())
                   == 4, 10, "told")
        before = rows(site)
        assert before["dear"]["cost_nano"] == 3 * 500_000_000 + \
            before["dear"]["input_tokens"] * 100_000 + \
            before["dear"]["output_tokens"] * 200_000
        assert "exact" in reprice(site).stdout
        assert rows(site) == before
        policy(site, store, {"input": 1, "output": 3, "request": 0.25})
        shown = reprice(site, "--dry-run").stdout
        assert rows(site) == before, "only shown"
        line, = [li for li in shown.splitlines() if li.startswith("dear ")]
        right = before["dear"]["input_tokens"] * 1000 + \
            before["dear"]["output_tokens"] * 3000 + 3 * 250_000_000
        assert f"{right / 1e9:.9f}".rstrip("0") in line, shown
        done = reprice(site, "--apply")
        assert "1 sums corrected" in done.stderr
        after = rows(site)
        assert after["dear"] == {**before["dear"], "cost_nano": right}
        assert after["other"] == before["other"]
        again = reprice(site, "--apply")
        assert "0 sums corrected" in again.stderr and rows(site) == after
        for words in ((), ("--since", "soon"), ("--since", "1d", "x"),
                      ("--since", "1d", "--apply", "--dry-run")):
            assert tollgate(site, "reprice", *words).returncode == 2
        if redis:
            redis.close()
