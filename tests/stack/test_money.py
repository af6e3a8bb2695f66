"""Budgets through real web servers: what the provider's own bill says must
stand in the ledger to the nano-dollar, and never go beyond what was allowed."""

import json
import signal
import threading
import time

import pytest

from books import (N, Books, asked, billed, call, refusal, settled, spent,
                   usd)
from client import CHAT, Call, bearer, chat_body, crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

FREE_INPUT = {"input": 0, "output": 2}
TEN = 10 * 2 * N        # n$: ten words at FREE_INPUT
DEAR = {"input": 10, "output": 20}
LIES = ["negative", "huge", "float", "string", "null", "bool", "e", "empty",
        "list", "twice", "missing"]
UNTRUE = ["negative", "huge", "e"]
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]


def policy(site, who, redis):
    p = Books(site, redis)
    site.tag = lambda mode: f"{mode}/tag={who}"

    def model(name, mode, *others, **more):
        p.model(name, {"to": site.tag(mode), **more.pop("row", {})}, *others,
                **more)

    def limited(name, nano, **more):
        p.key(name, budget=usd(nano) + " / day", **more)

    model("ten", "m/stream/10/0", row={"price": FREE_INPUT})
    limited("racers", 100 * TEN)
    model("worst", "m/late/150/100", row={"price": FREE_INPUT})
    limited("worst", 3 * 64000 * 2 * N)
    model("plain", "m/ok")
    limited("rich", 10**9)
    p.key("endless")
    limited("poor", 0)
    p.key("renter", may=["user"],
          end_users={"budget": "0.000000001 USD / day"})
    for kind in LIES:
        model("lie-" + kind, "m/usage/" + kind)
        limited("lie-" + kind, 10**9)
    for n in (1, 10, 99):
        model(f"leave-{n}", f"m/stream/100/10/tag=leave={n}")
        limited(f"leave-{n}", 10**9)
    model("leave-0", "m/late/600/100")
    limited("leave-0", 10**9)
    model("fallback", "m/lifecycle/anthropic/error", site.tag("m/ok/tag=fb"),
          row={"adapter": "anthropic", "price": DEAR})
    limited("fallback", 10**9)
    limited("barely", 1500 * 2 * N)
    model("step-up", "m/status/503", {
        "to": site.tag("m/ok/tag=dear"), "price": {"input": 1000,
                                                   "output": 1000}})
    model("priceless", "m/ok/tag=priceless")
    p.doc["models"]["priceless"]["targets"][0].pop("price")
    limited("priceless", 10**9)
    model("half-priced", "m/ok/tag=half", site.tag("m/ok/tag=other-half"))
    p.doc["models"]["half-priced"]["targets"][0].pop("price")
    limited("saver", 10**9, may="explain")
    model("both", "m/late/400/3", {"to": site.tag("m/late/100/3/tag=r2"),
                                   "price": DEAR}, strategy="race",
          hedge={"after": "0s", "budget": "100 %"})
    limited("both", 10**9)
    limited("either", 1400 * N)
    for d in ("openai", "anthropic", "gemini", "responses"):
        model("on-" + d, f"m/endless/1/{d}", row={
            "adapter": d, "price": FREE_INPUT})
    limited("talker", 10**9)
    capped = {"to": site.tag("m/stream/10/0/tag=cap"), "price": FREE_INPUT,
              "budget": usd(5 * TEN) + " / day"}
    p.model("only-capped", {**capped, "to": site.tag(
        "m/stream/10/0/tag=only")})
    p.key("credit", budget=usd(TEN) + " once")
    p.model("capped", capped, site.tag("m/ok/tag=uncapped"))
    p.model("behind", site.tag("m/status/503"), {
        **capped, "to": site.tag("m/stream/10/0/tag=behind")})
    p.key("viewer", may="explain")
    model("overdrawn", "m/usage/twice/3/tag=over", site.tag("m/ok/tag=beside"),
          row={"price": FREE_INPUT, "budget": usd(2 * 2 * N) + " / day"})
    limited("tiny", 2000 * N)
    p.key("tiny-once", budget=usd(2000 * N) + " once")
    p.model("none-left", {**capped, "to": site.tag("m/stream/10/0/tag=left"),
                          "budget": usd(TEN) + " / day"},
            {"to": site.tag("m/ok/tag=nothing"), "budget": "0 USD / day"})
    many = [f"t{i}" for i in range(31)]
    p.doc["tags"] = {t: {"rpm": 1000, "tpm": 10**9} for t in many}
    p.key("tagged", tags=many)
    p.model("too-many", {"to": site.tag("m/ok/tag=much"),
                         "budget": "0 USD / day"},
            {"to": site.tag("m/ok/tag=more"),
             "budget": ["1 USD / day", "1 USD / hour", "1 USD / week"]})
    model("returning", "m/dial/back", {"to": site.tag("m/ok/tag=closed"),
                                       "budget": "0 USD / day"})
    return p.write()


@pytest.fixture(scope="module", params=list(dict.fromkeys(
    (FRONTS[0], FRONTS[-1]))) if len(FRONTS) > 1 else FRONTS * 2)
def books(request, upstream):
    """A front and its policy: lighttpd on the file, Apache on a Redis."""
    with Site(upstream) as site:
        redis = Redis(site) if request.param_index else None
        p = policy(site, f"{request.param}{request.param_index}", redis)
        front = open_front(site, request.param, workers=4)
        front.books, front.redis = p, redis
        yield front
        if redis:
            redis.close()


def spend(books, key, model, **more):
    return call(books, books.books.secret[key], model, **more)


def test_race_for_a_budget(books, figure):
    """A budget of 100 calls and 1,000 at once: 100 pass."""
    mode = books.site.tag("m/stream/10/0")
    said = crowd([lambda: spend(books, "racers", "ten", max_tokens=10)] *
                 1000, 64)
    good = [r for r in said if r.status == 200]
    for r in said:
        if r.status != 200:
            error = r.error()
            assert r.status == 429 and error["code"] in (
                "budget_exceeded", "budget_reserved"), r.body
            assert error["type"] == "insufficient_quota"
            assert int(r.headers["retry-after"]) > 0
    assert len(good) == 100 == asked(books.site, mode)
    settled(books.site, "racers", 100 * TEN, 100)
    assert billed(books.site, mode, rates=(0, 2 * N)) == 100 * TEN
    r = spend(books, "racers", "ten", max_tokens=10)
    refusal(r, 429, "budget_exceeded")
    assert r.headers["x-should-retry"] == "false"
    left = 86400 - time.time() % 86400
    assert abs(int(r.headers["retry-after"]) - left) <= 2
    figure(f"{len(good)} of 1000 passed, overspent n$0")


def test_first_use(books):
    """The first requests of a user nobody knew, all at once."""
    before = asked(books.site, books.site.tag("m/ok"))
    said = crowd([lambda: spend(books, "renter", "plain", user="new-one")] *
                 64, 32)
    assert {r.status for r in said} == {429}
    assert asked(books.site, books.site.tag("m/ok")) == before


def test_worst_cases(books, figure):
    """Holds of 64,000 tokens for answers of 100: three at a time, and what
    is free again is used at once."""
    mode, running, most = books.site.tag("m/late/150/100"), [], []
    stop = threading.Event()
    reserved = []

    def watch():
        while not stop.is_set():
            running.append(books.site.upstream.bill(mode)["running"])
            time.sleep(0.03)

    def one():
        for _ in range(400):
            r = spend(books, "worst", "worst", max_tokens=64000)
            if r.status == 200:
                return r
            refusal(r, 429, "budget_reserved")
            assert "x-should-retry" not in r.headers
            assert 1 <= int(r.headers["retry-after"]) <= 30
            reserved.append(r)
            time.sleep(0.02)
        return r

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    said = crowd([one] * 20, 20)
    took = time.monotonic() - began
    stop.set()
    watcher.join()
    most = max(running)
    assert [r.status for r in said] == [200] * 20 and reserved
    assert most <= 3
    settled(books.site, "worst", 20 * 100 * 2 * N, 20)
    figure(f"20 of 3 at a time in {took:.2f} s, most {most}")


@pytest.mark.parametrize("kind", LIES)
def test_lying_usage(books, kind):
    """What a provider says of usage is counted as far as it can be true; what
    it does not say, as far as it was seen."""
    key = "lie-" + kind
    for stream in (False, True):
        before = spent(books.site, key)
        r = spend(books, key, key, stream=stream, max_tokens=50)
        assert r.status == 200, r.body
        wait_until(lambda b=before: spent(books.site, key)["requests"] ==
                   b["requests"] + 1, 5, "counted")
        row = spent(books.site, key)
        cost = row["cost_nano"] - before["cost_nano"]
        assert row["held_nano"] == 0
        assert 0 < cost <= (2000 + 50 * 2) * N, (kind, cost)
        record = books.site.records(key=key)[-1]
        assert record.get("usage_doubtful", False) == (kind in UNTRUE), record


@pytest.mark.parametrize("events", [0, 1, 10, 99])
def test_client_leaves(books, events):
    """Who leaves pays for what came until then, once; the provider is left
    as well."""
    key = f"leave-{events}"
    mode = books.site.tag(f"m/stream/100/10/tag=leave={events}" if events
                          else "m/late/600/100")
    with Call(books.port, "POST", CHAT, [
            *bearer(books.books.secret[key]),
            ("Content-Type", "application/json")],
            chat_body(key, stream=True)) as c:
        if events:
            assert len(c.read(events=events).events()) >= events
        else:
            wait_until(lambda: asked(books.site, mode) == 1, 5, "asked")
    wait_until(lambda: books.site.upstream.bill(mode)["running"] == 0, 6,
               "left")
    wait_until(lambda: books.site.records(key=key), 5, "recorded")
    wait_until(lambda: spent(books.site, key)["held_nano"] == 0, 5, "free")
    row, doc = spent(books.site, key), books.site.records(key=key)
    gone = {"CLIENT_GONE"} if events in (1, 10) else {"CLIENT_GONE", None}
    assert len(doc) == 1 and doc[0].get("error") in gone
    assert row["cost_nano"] == doc[0].get("cost_nano", 0)
    seen = books.site.upstream.bill(mode)["output_tokens"]
    if events:
        assert row["requests"] == 1
        assert min(events, seen) * 2 * N <= row["cost_nano"]
    else:
        assert row["cost_nano"] > 0     # its input was read all the same


def test_each_at_its_own_price(books, figure):
    """The first failed after it had read the input: both are paid."""
    r = spend(books, "fallback", "fallback", stream=True, text="a b c")
    assert r.status == 200 and r.text() == "a b c"
    want = 3 * 10 * N + 1 * 20 * N + 3 * N + 3 * 2 * N
    settled(books.site, "fallback", want, 1)
    figure(f"n${want} for both")


def test_fallback_beyond_the_budget(books):
    """What a dearer fallback would cost is not there: it is not asked."""
    before = asked(books.site, books.site.tag("m/ok/tag=dear"))
    r = spend(books, "barely", "step-up", max_tokens=10)
    assert r.status in (429, 502, 503), r.body
    assert asked(books.site, books.site.tag("m/ok/tag=dear")) == before
    settled(books.site, "barely", 0)


def test_unknown_price(books):
    mode = books.site.tag("m/ok/tag=priceless")
    r = spend(books, "priceless", "priceless")
    error = r.error()
    assert r.status == 400 and "price" in error["message"], r.body
    assert asked(books.site, mode) == 0
    assert spend(books, "endless", "priceless").status == 200


def test_both_of_a_race(books):
    """Both sides of a race are paid, each at its own price."""
    r = spend(books, "both", "both", text="one two three", stream=True)
    assert r.status == 200
    record = books.site.records(key="both")[-1]
    assert len(record["attempts"]) == 2
    each = [a["cost_nano"] for a in record["attempts"]]
    assert min(each) > 0
    dear = 3 * 10 * N + 3 * 20 * N
    assert dear in each
    settled(books.site, "both", sum(each), 1)


def test_budget_for_one_of_a_race(books):
    """Where money is for one only, one is asked."""
    second = books.site.tag("m/late/100/3/tag=r2")
    before = asked(books.site, second)
    r = spend(books, "either", "both", max_tokens=3)
    assert r.status == 200, r.body
    assert asked(books.site, second) == before


def test_capped_provider(books, figure):
    """A provider whose day is used up rests; the traffic goes elsewhere."""
    site = books.site
    first, other = (site.tag(m) for m in (
        "m/stream/10/0/tag=cap", "m/ok/tag=uncapped"))
    said = crowd([lambda: spend(books, "endless", "capped",
                                max_tokens=10)] * 40, 16)
    assert [r.status for r in said] == [200] * 40
    assert asked(site, first) == 5
    assert asked(site, other) == 35
    assert billed(site, first, rates=(0, 2 * N)) == 5 * TEN
    figure("asked after its cap: 0")


def test_capped_fallback(books):
    """A provider's budget holds for who comes there as a fallback."""
    site = books.site
    mode = site.tag("m/stream/10/0/tag=behind")
    said = crowd([lambda: spend(books, "endless", "behind",
                                max_tokens=10)] * 20, 8)
    good = [r for r in said if r.status == 200]
    assert len(good) == 5 == asked(site, mode)
    assert billed(site, mode, rates=(0, 2 * N)) == 5 * TEN
    wait_until(lambda: site.upstream.bill(mode)["running"] == 0)
    assert spend(books, "endless", "behind", max_tokens=10).status != 200
    assert asked(site, mode) == 5


def test_overdrawn_provider(books):
    """One that used more than it had is passed over as well: its counter is
    not asked of those who go elsewhere."""
    first, other = (books.site.tag(m) for m in (
        "m/usage/twice/3/tag=over", "m/ok/tag=beside"))
    for n in (0, 1, 2):
        r = spend(books, "endless", "overdrawn", max_tokens=1, timeout=10)
        assert r.status == 200, r.body
        assert (asked(books.site, first), asked(books.site, other)) == (1, n)
        wait_until(lambda: books.site.upstream.bill(first)["running"] == 0)
        time.sleep(0.2)


def test_capped_without_an_attempt(books):
    """The first of the plan was another request's probe by the time that this
    one came to it: the next one's budget holds all the same."""
    up, closed = books.site.upstream, books.site.tag("m/ok/tag=closed")
    up.dial("back", code=429, retry=1)
    assert spend(books, "endless", "returning").status == 429
    up.dial("back", ms=500)
    time.sleep(1.05)
    if books.redis:         # all have their plan before one has its hold
        books.redis.process.send_signal(signal.SIGSTOP)
        threading.Timer(0.06, books.redis.process.send_signal,
                        (signal.SIGCONT,)).start()
    said = crowd([lambda: spend(books, "rich", "returning", max_tokens=10)] *
                 8, 8)
    assert {r.status for r in said} == {200, 503}
    assert asked(books.site, closed) == 0


def test_explained_price(books):
    """The plan in words tells what a budget leaves out."""
    def outs(key):
        r = call(books, books.books.secret[key], "half-priced", headers=[
            ("x-tollgate-explain", "1")])
        assert r.status == 200, r.body
        doc = json.loads(r.headers["x-tollgate-explain"])
        return [d["out"] for d in doc["deployments"]]

    assert outs("viewer") == [None, None]
    assert outs("saver") == ["unpriced", None]


def test_nothing_but_a_capped_provider(books):
    """It is the provider's budget, not the client's: 503, and until when."""
    said = crowd([lambda: spend(books, "endless", "only-capped",
                                max_tokens=10)] * 12, 4)
    assert sorted(r.status for r in said) == [200] * 5 + [503] * 7
    wait_until(lambda: books.site.upstream.bill(books.site.tag(
        "m/stream/10/0/tag=only"))["running"] == 0)
    r = spend(books, "endless", "only-capped", max_tokens=10)
    error = refusal(r, 503, "provider_overloaded")
    assert error["type"] == "overloaded_error"
    assert "x-should-retry" not in r.headers
    left = 86400 - time.time() % 86400
    assert abs(int(r.headers["retry-after"]) - left) <= 2


def test_soonest_of_capped_providers(books):
    """One has nothing until tomorrow, the last one never has: tomorrow."""
    assert spend(books, "endless", "none-left", max_tokens=10).status == 200
    wait_until(lambda: books.site.upstream.bill(books.site.tag(
        "m/stream/10/0/tag=left"))["running"] == 0)
    time.sleep(0.2)
    r = spend(books, "endless", "none-left", max_tokens=10)
    error = refusal(r, 503, "provider_overloaded")
    assert "is reached" in error["message"]
    assert "x-should-retry" not in r.headers
    left = 86400 - time.time() % 86400
    assert abs(int(r.headers["retry-after"]) - left) <= 2


def test_more_counters_than_a_hold_has(books):
    """What cannot be counted is not let through."""
    mode = books.site.tag("m/ok/tag=more")
    refusal(spend(books, "tagged", "too-many"), 500, "internal_error")
    assert asked(books.site, mode) == 0


@pytest.mark.parametrize("key", ["tiny", "tiny-once"])
def test_budget_below_one_request(books, key):
    """Nothing of it is used, and no time would make it fit."""
    mode = books.site.tag("m/stream/10/0")
    before = asked(books.site, mode)
    r = spend(books, key, "ten", max_tokens=1001)
    error = refusal(r, 429, "budget_exceeded")
    assert error["type"] == "insufficient_quota"
    assert "may cost 0.002002 USD, with 1001 tokens of output: more than " \
        "the budget of 0.002 USD " in error["message"], error
    assert "retry-after" not in r.headers
    assert r.headers["x-should-retry"] == "false"
    assert asked(books.site, mode) == before
    assert spend(books, key, "ten", max_tokens=1000).status == 200


def test_credit(books):
    """What is used up once does not come back: no time is told."""
    assert spend(books, "credit", "ten", max_tokens=10).status == 200
    wait_until(lambda: spent(books.site, "credit")["held_nano"] == 0)
    r = spend(books, "credit", "ten", max_tokens=10)
    refusal(r, 429, "budget_exceeded")
    assert "retry-after" not in r.headers
    assert r.headers["x-should-retry"] == "false"


LONG = {
    "openai": (CHAT, lambda m: {"model": m, "stream": True,
                                "max_tokens": 100, "messages": [
                                    {"role": "user", "content": "go on"}]}),
    "anthropic": ("/v1/messages", lambda m: {
        "model": m, "stream": True, "max_tokens": 100, "messages": [
            {"role": "user", "content": "go on"}]}),
    "gemini": ("/v1beta/models/%s:streamGenerateContent?alt=sse", lambda _: {
        "generationConfig": {"maxOutputTokens": 100}, "contents": [
            {"role": "user", "parts": [{"text": "go on"}]}]}),
    "responses": ("/v1/responses", lambda m: {
        "model": m, "stream": True, "max_output_tokens": 100,
        "input": "go on"}),
}
ENDS = {"openai": '"finish_reason":"length"', "gemini": "MAX_TOKENS",
        "anthropic": '"stop_reason":"max_tokens"',
        "responses": "max_output_tokens"}


@pytest.mark.parametrize("provider", LONG)
@pytest.mark.parametrize("client", LONG)
def test_past_the_bound(books, client, provider):
    """A provider that goes on past max_tokens is cut off: the answer ends as
    too long, in the client's dialect, and its call is over."""
    mode = books.site.tag(f"m/endless/1/{provider}")
    path, body = LONG[client]
    model = "on-" + provider
    was = books.site.upstream.bill(mode)
    r = call(books, books.books.secret["talker"], model,
             path=path.replace("%s", model), body=body(model), timeout=20)
    assert r.status == 200 and r.complete
    text = r.body.decode().replace(" ", "")
    if client == provider == "responses":
        assert "event:error" in text
    else:
        assert text.count(ENDS[client]) >= 1 and '"error":{' not in text
    wait_until(lambda: books.site.upstream.bill(mode)["running"] == 0, 3,
               "cut off")
    bill = books.site.upstream.bill(mode)
    assert bill["output_tokens"] - was["output_tokens"] <= 105 + 256 + 60
    if client == "anthropic":
        ends = [e for e in text.split("\n") if e.startswith("event:")]
        assert ends[-3:] == ["event:content_block_stop",
                             "event:message_delta", "event:message_stop"]
        assert ends.count("event:message_start") == 1


DOORS = {
    "/v1/chat/completions": {"model": "plain", "messages": [
        {"role": "user", "content": "hi"}]},
    "/v1/responses": {"model": "plain", "input": "hi"},
    "/v1/completions": {"model": "plain", "prompt": "hi"},
    "/v1/messages": {"model": "plain", "max_tokens": 10, "messages": [
        {"role": "user", "content": "hi"}]},
    "/v1beta/models/plain:generateContent": {"contents": [
        {"role": "user", "parts": [{"text": "hi"}]}]},
    "/v1beta/models/plain:streamGenerateContent": {"contents": [
        {"role": "user", "parts": [{"text": "hi"}]}]},
    "/v1/models/plain:generateContent": {"contents": [
        {"role": "user", "parts": [{"text": "hi"}]}]},
}


@pytest.mark.parametrize("path", DOORS)
def test_every_door(books, path):
    """A key without money gets nothing by any door, in its dialect's words."""
    mode = books.site.tag("m/ok")
    before = asked(books.site, mode)
    for more in ({}, {"stream": True}):
        if more and "generate" in path.lower():
            continue
        r = call(books, books.books.secret["poor"], "plain", path=path,
                 body={**DOORS[path], **more})
        assert r.status == 429, (r.status, r.body)
        assert r.headers["x-should-retry"] == "false"
        doc = r.json()
        doc = doc[0] if isinstance(doc, list) else doc
        if path == "/v1/messages":
            assert doc["type"] == "error"
            assert doc["error"]["type"] == "rate_limit_error"
        elif "v1beta" in path or "generate" in path:
            assert doc["error"]["code"] == 429
            assert doc["error"]["status"] == "RESOURCE_EXHAUSTED"
        else:
            assert doc["error"]["code"] == "budget_exceeded"
        assert "budget" in doc["error"]["message"]
    assert asked(books.site, mode) == before


def test_unlimited_key(books):
    """What it uses is counted within seconds, though nothing is held."""
    before = spent(books.site, "endless")
    assert spend(books, "endless", "plain", text="a b c").status == 200
    settled(books.site, "endless", before["cost_nano"] + 9 * N)


def test_books_are_right(books, figure):
    """After all of it: records, ledger and bill say the same."""
    site = books.site
    keys = {k["name"] for k in books.books.doc["keys"]}
    for key in keys - {"tester"}:
        in_records = sum(
            a.get("cost_nano", 0) for r in site.records(key=key)
            for a in r.get("attempts", []))
        settled(site, key, in_records)
    figure(f"{len(keys) - 1} keys, error n$0, held 0")
