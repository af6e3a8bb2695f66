"""Money as the tests see it: what the provider's own bill says that something
cost, and what the ledger says."""

import json
import subprocess

from client import CHAT, Call, bearer, chat_body
from house import Policy, virtual_key, wait_until

PRICE = {"input": 1, "output": 2}      # USD a million tokens, of all targets
N = 1000                               # n$ a token of such a price


def usd(nano):
    """n$ as the policy reads it."""
    return f"{nano // 10**9}.{nano % 10**9:09d} USD"


class Books(Policy):
    """A policy whose keys have limits, by name; secrets in self.secret."""

    def __init__(self, site, redis=None, **more):
        super().__init__(site, **more)
        self.secret = {}
        if redis:
            self.doc["store"] = redis.address

    def key(self, name, **row):
        self.secret[name] = virtual_key()
        self.doc["keys"].append({
            "name": name, "secret": "plain:" + self.secret[name], **row})
        return self


def call(front, key, model, text="hello there", path=CHAT, body=None,
         headers=(), timeout=60.0, **more):
    """One request with this secret; the whole answer."""
    with Call(front.port, "POST", path, [
            *bearer(key), ("Content-Type", "application/json"), *headers],
            chat_body(model, text, **more) if body is None else
            json.dumps(body).encode(), timeout=timeout) as c:
        return c.read()


def told(site, by="key"):
    """Rows of `tollgate usage`, by the words of `by`."""
    more = {"user": site.user, "group": site.user, "extra_groups": []} \
        if site.user else {}
    out = subprocess.run(
        [site.libexec / "tollgate.fcgi", "usage", "--by", by, "--format",
         "json"], env=site.environment(), capture_output=True, text=True,
        timeout=20, cwd=site.dir, check=False, **more)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)["rows"]


def spent(site, key):
    """What the ledger has of this key: dict of requests, cost … (n$)."""
    none = {"requests": 0, "input_tokens": 0, "output_tokens": 0,
            "cost_nano": 0, "held_nano": 0}
    return next((r for r in told(site) if r["key"] == key), none)


def settled(site, key, cost, requests=None, seconds=5):
    """Wait until the key's row is this, and nothing is held."""
    def fits():
        row = spent(site, key)
        assert row["cost_nano"] == cost and row["held_nano"] == 0, \
            (row, cost)
        assert requests is None or row["requests"] == requests, row
        return True
    wait_until(fits, seconds, "settled")


def billed(site, *modes, rates=(N, 2 * N)):
    """n$ for what the provider's bill has of these modes."""
    total = 0
    for mode in modes:
        bill = site.upstream.bill(mode)
        total += bill["input_tokens"] * rates[0] + \
            bill["output_tokens"] * rates[1]
    return total


def asked(site, *modes):
    """How often these were asked."""
    return sum(site.upstream.bill(m)["requests"] for m in modes)


def refusal(reply, status, code):
    """Assert that this is that refusal, in OpenAI's shape."""
    assert reply.status == status, (reply.status, reply.body[:300])
    error = reply.error()
    assert error["code"] == code, error
    return error
