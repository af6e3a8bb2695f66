"""Limits on requests and tokens through real web servers: on three gateways
with one Redis they hold as on one."""

import contextlib
import datetime
import time

import pytest

from books import N, Books, asked, call, refusal, usd
from client import crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

FRONTS = [n for n in ("lighttpd", "apache-proxy", "lighttpd-socket")
          if n in chosen()] or chosen()[:1] * 3


def policy(site, redis, who, secrets):
    p = Books(site, redis)
    site.tag = lambda mode: f"{mode}/tag={who}"
    p.model("plain", site.tag("m/ok"))
    p.model("slow", site.tag("m/late/300/3"))
    p.model("ten", site.tag("m/stream/10/0"))
    p.model("few", site.tag("m/ok/tag=few"), rpm=5)
    p.model("cheap", site.tag("m/ok/tag=cheap"))
    p.key("rpm", rpm=60)
    p.key("rpm-too", rpm=7)
    p.key("tpm", tpm=13000)
    p.key("short", tpm=2000)
    p.key("parallel", parallel=3)
    p.key("spoofer", rpm=10)
    p.key("renter", rpm=10, may=["user"], end_users={"rpm": 3})
    p.key("team-a", team="crew", tags=["x"])
    p.key("team-b", team="crew")
    p.doc["teams"] = {"crew": {"rpm": 8}}
    p.key("ruled", budget=usd(1000000 * N) + " / day")
    p.key("warned", budget={"limit": usd(40 * N) + " / day", "soft": True,
                            "warn": ["50 %", "100 %"]})
    p.key("free")
    p.doc["rules"] = [{"when": {"key": "ruled", "budget_left": "< 50 %"},
                       "use": "cheap"}]
    if secrets:
        for row in p.doc["keys"]:
            if row["name"] in secrets:
                row["secret"] = "plain:" + secrets[row["name"]]
        p.secret = secrets
    return p.write()


@contextlib.contextmanager
def gateways(upstream, names, who, shared=True):
    """Fronts with files of their own, one Redis (or each its own file)."""
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(Site(upstream)) for _ in names]
        redis = Redis(sites[0]) if shared else None
        fronts, secrets = [], None
        for site, name in zip(sites, names):
            p = policy(site, redis, who, secrets)
            secrets = p.secret
            fronts.append(open_front(site, name, workers=3))
            fronts[-1].books = p
        yield fronts
        if redis:
            redis.close()


@pytest.fixture(scope="module")
def three(upstream):
    with gateways(upstream, FRONTS, "three") as fronts:
        yield fronts


@pytest.fixture(scope="module")
def one(upstream):
    """One host, its counters in the file of the state directory."""
    with gateways(upstream, FRONTS[:1], "one", shared=False) as fronts:
        yield fronts


@pytest.fixture(scope="module", params=["three", "one"])
def hosts(request):
    return request.getfixturevalue(request.param)


def spread(fronts, key, model, n, clients=32, **more):
    """n requests of a key, over all gateways in turn."""
    return crowd([lambda f=fronts[i % len(fronts)]: call(
        f, fronts[0].books.secret[key], model, **more) for i in range(n)],
        clients)


def passed(said):
    assert {r.status for r in said} <= {200, 429}, {r.status for r in said}
    return sum(r.status == 200 for r in said)


def test_requests_a_minute(hosts, figure):
    """Five times as many as allowed, from all sides."""
    began = time.monotonic()
    said = spread(hosts, "rpm", "plain", 300)
    took = time.monotonic() - began
    assert passed(said) == 60
    for r in said:
        if r.status == 429:
            error = refusal(r, 429, "rate_limit_exceeded")
            assert "60 requests a minute" in error["message"]
            assert "x-should-retry" not in r.headers
            # The first of them leaves 60 s after it came.
            assert 60 - took - 1 <= int(r.headers["retry-after"]) <= 61
    figure(f"60 of 300 passed on {len(hosts)} hosts")


def test_headers(hosts):
    """What is left stands in every answer."""
    left = []
    for i in range(8):
        r = call(hosts[i % len(hosts)], hosts[0].books.secret["rpm-too"],
                 "plain")
        if i < 7:
            assert r.status == 200
            assert r.headers["x-ratelimit-limit-requests"] == "7"
            left.append(int(r.headers["x-ratelimit-remaining-requests"]))
            reset = r.headers["x-ratelimit-reset-requests"]
            assert reset.endswith("s") and 0 < float(reset[:-1]) <= 60.5
    assert left == [6, 5, 4, 3, 2, 1, 0] and r.status == 429


def test_tokens_a_minute(hosts, figure):
    """Together they never use more than is allowed, and who is refused has
    not been at the provider."""
    mode = hosts[0].site.tag("m/stream/10/0")
    before = asked(hosts[0].site, mode)
    said = spread(hosts, "tpm", "ten", 64, max_tokens=1000)
    good = passed(said)
    assert good == asked(hosts[0].site, mode) - before
    used = sum(r.json()["usage"]["total_tokens"] for r in said
               if r.status == 200)
    assert 5 <= good and used <= 13000
    for r in said:
        if r.status == 429:
            assert "tokens a minute" in r.error()["message"]
            assert 1 <= int(r.headers["retry-after"]) <= 61
    figure(f"{good} of 64 at the provider, {used} of 13000 tokens")


def test_tokens_below_one_request(hosts):
    """No minute has room for it, and the client is told so."""
    secret = hosts[0].books.secret["short"]
    r = call(hosts[0], secret, "ten", max_tokens=2000)
    error = refusal(r, 429, "rate_limit_exceeded")
    assert "with 2000 tokens of output: more than the limit of 2000 tokens " \
        "a minute of key:short" in error["message"], error
    assert "retry-after" not in r.headers
    assert r.headers["x-should-retry"] == "false"
    assert call(hosts[0], secret, "ten", max_tokens=10).status == 200


def test_at_once(hosts):
    """No more at a time than allowed; each end lets one in at once."""
    mode = hosts[0].site.tag("m/late/300/3")
    said = spread(hosts, "parallel", "slow", 12, clients=12)
    assert passed(said) == 3
    assert "at a time" in next(r for r in said if r.status == 429).error()[
        "message"]
    wait_until(lambda: hosts[0].site.upstream.bill(mode)["running"] == 0)
    assert passed(spread(hosts, "parallel", "slow", 3)) == 3


def test_spoofed_users(hosts):
    """Names of users that a client makes up give it nothing."""
    said = crowd([lambda i=i: call(
        hosts[i % len(hosts)], hosts[0].books.secret["spoofer"], "plain",
        user=f"user-{i}", metadata={"user_id": f"m{i}"},
        headers=[("x-user", f"h{i}")]) for i in range(40)], 16)
    assert passed(said) == 10
    # Who may name users has limits of each, and its own above them.
    key = hosts[0].books.secret["renter"]
    assert passed(crowd([lambda i=i: call(
        hosts[i % len(hosts)], key, "plain", user="same")
        for i in range(6)], 6)) == 3
    assert passed(crowd([lambda i=i: call(
        hosts[i % len(hosts)], key, "plain", user=f"u{i}")
        for i in range(20)], 8)) == 7


def test_team_and_model(hosts):
    """Keys of a team share its limit; all keys share a model's."""
    both = crowd([lambda i=i: call(
        hosts[i % len(hosts)],
        hosts[0].books.secret["team-" + "ab"[i % 2]], "plain")
        for i in range(20)], 8)
    assert passed(both) == 8
    assert passed(spread(hosts, "free", "few", 12)) == 5


@pytest.mark.parametrize("path, body", [
    ("/v1/messages", {"model": "few", "max_tokens": 5, "messages": [
        {"role": "user", "content": "hi"}]}),
    ("/v1beta/models/few:generateContent", {"contents": [
        {"role": "user", "parts": [{"text": "hi"}]}]})])
def test_other_dialects(hosts, path, body):
    """A full limit in the words of the other dialects."""
    spread(hosts, "free", "few", 6)
    r = call(hosts[0], hosts[0].books.secret["free"], "few", path=path,
             body=body)
    assert r.status == 429 and int(r.headers["retry-after"]) > 0
    error = r.json()["error"]
    assert error.get("type", error.get("status")) in (
        "rate_limit_error", "RESOURCE_EXHAUSTED")


def test_share_left_chooses(hosts):
    """With less than half of its money a key is sent elsewhere."""
    site, key = hosts[0].site, hosts[0].books.secret["ruled"]
    cheap = site.tag("m/ok/tag=cheap")
    before = asked(site, cheap)
    assert call(hosts[0], key, "plain", max_tokens=5).status == 200
    assert asked(site, cheap) == before
    for _ in range(2):      # 300,000 tokens each, held at twice as many
        assert call(hosts[0], key, "plain", "w " * 300000,
                    max_tokens=5).status == 200
    routes = [call(hosts[0], key, "plain", max_tokens=5) for _ in range(12)]
    assert [r.status for r in routes] == [200] * 12
    # Each worker knows after its own first answer.
    assert asked(site, cheap) - before >= 12 - 3


def test_soft_budget(hosts):
    """It warns in the records and refuses nothing."""
    said = [call(hosts[0], hosts[0].books.secret["warned"], "plain",
                 max_tokens=5) for _ in range(12)]
    assert {r.status for r in said} == {200}
    notes = [r["message"] for r in hosts[0].site.records(level="warning")
             if "key:warned" in r.get("message", "")]
    assert notes and len(notes) <= 2 * 3, notes


def test_capped_until_midnight(upstream, figure):
    """A provider whose day is used up rests until the midnight of its own
    zone, not of another; the store's clock says when that is."""
    zone = datetime.timezone(datetime.timedelta(hours=8))     # all year
    day = datetime.datetime.now(zone) + datetime.timedelta(days=1)
    with Site(upstream) as site:
        redis = Redis(site, clock=True)

        def set_clock(hour, minute, second):
            at = day.replace(hour=hour, minute=minute, second=second)
            redis.shift(at.timestamp() - time.time())

        set_clock(7, 0, 0)
        p = Books(site, redis)
        tag = "/tag=" + site.dir.name
        capped = {"to": "m/stream/10/0" + tag, "price": {"input": 0,
                  "output": 2}, "budget": usd(5 * 10 * 2 * N) + " / day",
                  "timezone": "Asia/Shanghai"}
        p.model("capped", capped, "m/ok" + tag)
        p.model("alone", capped)
        p.key("any")
        p.write()
        front = open_front(site, FRONTS[0], workers=2)

        def at_both(n):
            before = [asked(site, "m/stream/10/0" + tag),
                      asked(site, "m/ok" + tag)]
            for _ in range(n):
                r = call(front, p.secret["any"], "capped", max_tokens=10)
                assert r.status == 200, r.body
            return [asked(site, "m/stream/10/0" + tag) - before[0],
                    asked(site, "m/ok" + tag) - before[1]]

        assert at_both(8) == [5, 3]
        set_clock(8, 0, 5)          # midnight, in Greenwich
        assert at_both(3) == [0, 3]
        set_clock(23, 59, 30)
        assert at_both(3) == [0, 3]
        r = call(front, p.secret["any"], "alone", max_tokens=10)
        assert r.status == 503, r.body
        assert 20 <= int(r.headers["retry-after"]) <= 31
        set_clock(23, 59, 59)
        time.sleep(1.5)             # tomorrow, there
        assert at_both(8) == [5, 3]
        figure("5 before and 5 after its own midnight, none between")
        redis.close()
