"""Which deployment answers, as a client sees it: strategies under load, the
fallbacks by kind, what a request may narrow, rules and the answer's headers.
(policy/route.c has its own tests with many more cases.)"""

import datetime
import json
import math
import threading
import time

import pytest

from client import CHAT, ask, bearer, crowd, is_error, say
from house import Policy, Site, virtual_key
from servers import asked, chosen, open_front

NARROW, EXPLAIN, GRANTED = virtual_key(), virtual_key(), virtual_key()
WEIGHTS = (1, 2, 5)
DIALECTS = ("openai", "anthropic", "gemini")


def clock(hours):
    """The hour in UTC, so many from now."""
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(hours=hours)
    return at.strftime("%H:%M")


def turns(*texts, system=None):
    """Of the user, each answered."""
    said = [{"role": "system", "content": system}] if system else []
    for t in texts:
        said += [{"role": "user", "content": t},
                 {"role": "assistant", "content": "indeed"}]
    return said[:-1]


PICTURE = [{"role": "user", "content": [
    {"type": "text", "text": "what is this"},
    {"type": "image_url", "image_url": {
        "url": "data:image/png;base64,iVBORw0KGgo="}}]}]
TOOLS = [{"type": "function", "function": {
    "name": "look", "parameters": {"type": "object", "properties": {}}}}]
HEADERS = "headers"      # of what follows: not of the body

# name: (condition, what meets it, what does not)
RULES = {
    "key": ({"key": "gran*"}, {"key": GRANTED}, {}),
    "team": ({"team": ["shop", "web"]}, {"key": GRANTED}, {}),
    "tier": ({"tier": "gold"}, {"key": GRANTED}, {}),
    "user-of-key": ({"user": "ann"}, {"key": GRANTED}, {"user": "ann"}),
    "user": ({"user": "bob"}, {"key": GRANTED, "user": "bob"},
             {"user": "bob"}),
    "tag-of-key": ({"tag": "e*"}, {"key": GRANTED}, {}),
    "tag": ({"tags": "beta"}, {HEADERS: {"x-tollgate-tags": "alpha, beta"}},
            {HEADERS: {"x-tollgate-tags": "alphabeta"}}),
    "metadata": ({"metadata.env": "stag*"}, {HEADERS: {
        "x-tollgate-metadata": '{"env": "staging"}'}}, {HEADERS: {
            "x-tollgate-metadata": '{"environment": "staging"}'}}),
    "metadata-of-body": ({"metadata.env": "staging"}, {
        "metadata": {"env": "staging"}}, {"metadata": {"env": "live"}}),
    "header": ({"header.x-plan": "gold"}, {HEADERS: {"x-plan": "gold"}},
               {HEADERS: {"x-plan": "golden"}}),
    "stream": ({"stream": True}, {"stream": True}, {}),
    "whole": ({"stream": False}, {}, {"stream": True}),
    "long": ({"input_tokens": "> 200"}, {"text": "a word " * 200},
             {"text": "a word " * 30}),
    "short-answer": ({"output_tokens": "<= 10"}, {"max_tokens": 10},
                     {"max_tokens": 11}),
    "tools": ({"needs": ["tools"]}, {"tools": TOOLS}, {}),
    "pictures": ({"needs": ["images"]}, {"messages": PICTURE}, {}),
    "prompt": ({"prompt": "(?i)opening hours"},
               {"text": "What are your Opening Hours?"},
               {"messages": turns("opening hours?", "thanks")}),
    "prompt-system": ({"prompt": "^You sell", "prompt_part": "system"},
                      {"messages": turns("hello", system="You sell tea.")},
                      {"text": "You sell what?"}),
    "prompt-all": ({"prompt": "blue|green", "prompt_part": "all"},
                   {"messages": turns("blue sky", "and now")},
                   {"text": "red sky"}),
    "script": ({"script": "Han"}, {"text": "今天天气怎么样? OK"},
               {"text": "how is the weather in 北京"}),
    "share": ({"script": "Cyrillic", "script_share": "20 %"},
              {"text": "say привет to me"}, {"text": "say привет to me, "
                                              "if you can do that at all"}),
    "now": ({"time": f"{clock(-1)}-{clock(1)}", "zone": "UTC"}, {}, None),
    "later": ({"time": f"{clock(2)}-{clock(3)}", "zone": "UTC"}, None, {}),
    "endpoint": ({"endpoint": "messages"}, None, None),
    "both": ({"stream": True, "team": "web"},
             {"stream": True, "key": GRANTED}, {"stream": True}),
}


def fallbacks(p, name, **kinds):
    """{kind: target} as the policy has it."""
    return {kind: [p.target(to, "up-" + name)] for kind, to in kinds.items()}


def write_strategies(p):
    p.model("weighted", *[{"to": f"m/ok/tag=w{w}", "weight": w}
                          for w in WEIGHTS], strategy="weighted")
    p.model("fastest", "m/dial/la", "m/dial/lb", strategy="lowest_latency")
    p.model("idlest", "m/late/400/1/tag=i1", "m/late/40/1/tag=i2",
            strategy="least_busy")
    p.model("cheapest",
            {"to": "m/ok/tag=even", "price": {"input": 100, "output": 0}},
            {"to": "m/ok/tag=flat", "price": {"request": 0.02}},
            {"to": "m/ok/tag=tiered", "price": {
                "request": 0.002, "input": 10, "output": 0,
                "tiers": [{"above": 1000, "input": 100, "output": 0}]}},
            strategy="cheapest")
    p.model("sticky", *[f"m/ok/tag=y{i}" for i in range(4)],
            strategy="weighted", sticky="session")


def write_fallbacks(p):
    for d in DIALECTS:
        p.model("long-" + d, {"to": "m/context/" + d, "adapter": d},
                fallbacks=fallbacks(
                    p, "long-" + d, general="m/ok/tag=general-" + d,
                    context_window="m/ok/tag=long-" + d,
                    content_policy="m/ok/tag=not-" + d))
        p.model("bare-long-" + d, {"to": "m/context/" + d, "adapter": d})
    for d in ("azure", *DIALECTS):
        adapter = d if d in DIALECTS else "openai"
        p.model("bad-" + d, {"to": "m/policy/" + d, "adapter": adapter},
                fallbacks=fallbacks(
                    p, "bad-" + d, general="m/ok/tag=general-" + d,
                    content_policy="m/ok/tag=bad-" + d,
                    context_window="m/ok/tag=not-" + d))
    p.model("small", {"to": "m/context/openai/tag=small", "context": 60},
            fallbacks=fallbacks(p, "small", context_window="m/ok/tag=large"))
    p.model("general", "m/status/500/tag=g", fallbacks=fallbacks(
        p, "general", general="m/ok/tag=g", context_window="m/ok/tag=gno"))
    p.model("no-general", "m/status/500/tag=n", fallbacks=fallbacks(
        p, "no-general", context_window="m/ok/tag=nno"))
    slow = {"to": "m/late/500/1/tag=slow", "model": "up-shared"}
    p.model("in-time", slow, "m/ok/tag=quick")
    p.model("too-late", slow)
    p.model("crowd", *[{"to": "m/ok/tag=crowd", "model": f"m{i}",
                        "context": 10} for i in range(200)])
    p.model("third", "m/status/503/tag=t1", "m/status/503/tag=t2",
            "m/ok/tag=t3")


def write_narrowing(p):
    p.model("narrow-a", "m/status/503/tag=na")
    p.model("narrow-b", "m/echo/tag=nb")
    p.model("wide", "m/ok/tag=wide")
    p.doc["tiers"] = {"gold": {}}
    p.doc["keys"] += [
        {"name": "narrow", "secret": "plain:" + NARROW,
         "models": ["narrow-*"]},
        {"name": "granted", "secret": "plain:" + GRANTED, "tier": "gold",
         "team": "web", "user": "ann", "tags": ["shop", "eu"],
         "may": ["user"]},
        {"name": "curious", "secret": "plain:" + EXPLAIN,
         "may": ["explain"]}]


def write_rules(p):
    """Each rule for a model of its own, that none but the rule knows; what
    does not meet its condition is served by the last one."""
    p.model("ruled", "m/ok/tag=ruled")
    p.model("unruled", "m/ok/tag=unruled")
    p.doc["rules"] = [
        {"name": "is-" + name, "when": {"model": "r-" + name, **when},
         "use": "ruled"} for name, (when, _, _) in RULES.items()]
    p.doc["rules"] += [
        {"name": "first", "when": {"model": "r-order", "stream": True},
         "use": "ruled"},
        {"when": {"model": "r-order"}, "use": "unruled"},
        {"name": "other", "when": {"model": "r-*"}, "use": "unruled"}]


def write(site):
    p = Policy(site, attempts=3)
    write_strategies(p)
    write_fallbacks(p)
    write_narrowing(p)
    write_rules(p)
    return p.write()


@pytest.fixture(scope="module", params=[
    n for n in ("apache-proxy", "lighttpd") if n in chosen()][:1]
    or chosen()[:1])
def front(request, upstream):
    upstream.reset()
    with Site(upstream) as site:
        write(site)
        yield open_front(site, request.param)


# --- strategies ---------------------------------------------------------------

def test_weighted_split(front, figure):
    """Within 3 sigma; by pure chance one run in 150 is not, so there may be a
    second one."""
    for _ in range(2):
        before = asked(front, *[f"w{w}" for w in WEIGHTS])
        said = crowd([lambda: say(front, "weighted")] * 3000, 16)
        assert all(s.good() for s in said)
        after = asked(front, *[f"w{w}" for w in WEIGHTS])
        counts = [b - a for a, b in zip(before, after)]
        n = sum(counts)
        assert n == len(said)
        shares = [w / sum(WEIGHTS) for w in WEIGHTS]
        off = [(c - n * p) / math.sqrt(n * p * (1 - p))
               for c, p in zip(counts, shares)]
        figure(f"weighted {WEIGHTS} of {n}: {counts}, off by "
               + ", ".join(f"{x:+.1f}" for x in off) + " sigma")
        if max(map(abs, off)) <= 3:
            return
    assert False, off


class Steady:
    """A steady load that tells which provider answered when."""

    def __init__(self, front, model, clients=6):
        self.front, self.model = front, model
        self.said, self.over = [], threading.Event()
        self.threads = [threading.Thread(target=self.run)
                        for _ in range(clients)]

    def run(self):
        while not self.over.is_set():
            s = say(self.front, self.model)
            self.said.append((time.time(), s.header("provider"), s.good()))
            time.sleep(0.02)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        for t in self.threads:
            t.join()

    def follows(self, name, seconds):
        """Seconds until four of five of the last 30 answers are its."""
        began, n = time.time(), len(self.said)
        while time.time() < began + seconds:
            last = [p for _, p, _ in self.said[n:][-30:]]
            if len(last) == 30 and sum(
                    p.endswith(name) for p in last) >= 24:
                return time.time() - began
            time.sleep(0.02)
        return math.inf


def test_lowest_latency_follows(front, figure):
    """The fast one becomes slow; then the other one, slower still."""
    up = front.site.upstream
    up.dial("la", ms=40)
    up.dial("lb", ms=160)
    with Steady(front, "fastest") as load:
        took = [load.follows("la", 10)]
        up.dial("la", ms=500)
        took.append(load.follows("lb", 10))
        up.dial("la", ms=40)
        up.dial("lb", ms=900)
        took.append(load.follows("la", 10))
    figure("lowest_latency follows after " +
           ", ".join(f"{t:.1f} s" for t in took))
    assert all(good for _, _, good in load.said)
    assert max(took) <= 10


def test_least_busy(front, figure):
    """A provider ten times as slow gets about a tenth."""
    said = crowd([lambda: say(front, "idlest", "w0")] * 300, 12)
    assert all(s.status == 200 for s in said)
    slow, fast = asked(front, "i1", "i2")
    figure(f"least_busy: {slow} of 300 to the one ten times as slow")
    assert 5 <= slow <= 100


def test_cheapest(front):
    """By the price of this very request."""
    for words, name in ((2, "even"), (300, "tiered"), (3000, "flat"),
                        (20, "tiered"), (2000, "flat"), (2, "even")):
        said = say(front, "cheapest", "word " * words)
        assert said.status == 200
        assert said.header("provider").endswith(name), words


def test_sticky(front):
    """One session, one deployment; many sessions, all of them."""
    def of(session):
        return say(front, "sticky", headers=[
            ("x-tollgate-session", session)]).header("provider")

    where = {}
    for i in range(24):
        where[i] = {of(f"s{i}") for _ in range(4)}
        assert len(where[i]) == 1, where[i]
    assert len(set().union(*where.values())) == 4


# --- fallbacks by kind ---------------------------------------------------------

@pytest.mark.parametrize("stream", (False, True))
@pytest.mark.parametrize("model,right", [
    (f"{kind}-{d}", f"{kind}-{d}") for kind, d in
    [("long", d) for d in DIALECTS] +
    [("bad", d) for d in ("azure", *DIALECTS)]])
def test_fallback_by_kind(front, model, right, stream):
    """In each dialect: the list of that kind, no other."""
    dialect = model.split("-")[1]
    before = asked(front, right, "not-" + dialect, "general-" + dialect)
    said = say(front, model, stream=stream)
    assert said.good(), (said.status, said.reply.body[:300])
    assert said.header("fallbacks") == "1"
    after = asked(front, right, "not-" + dialect, "general-" + dialect)
    assert [b - a for a, b in zip(before, after)] == [1, 0, 0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_the_list_it_is_the_clients_fault(front, dialect):
    error = is_error(say(front, "bare-long-" + dialect).reply, 400)
    assert "8192" in error["message"] or "maximum" in error["message"]


def test_known_window(front):
    """What surely does not fit is tried where nothing else is, and then the
    list for it."""
    text = " ".join(f"word{i}" for i in range(900))
    assert say(front, "small", text).good(text)
    assert asked(front, "large") == [1]


def test_general_fallback(front):
    said = say(front, "general")
    assert said.good() and said.header("fallbacks") == "1"
    is_error(say(front, "no-general").reply, 502)
    assert asked(front, "gno", "nno") == [0, 0]


def test_headers_count(front):
    said = say(front, "third")
    assert said.good()
    assert said.header("attempts") == "3"
    assert said.header("fallbacks") == "2"
    assert said.header("provider").endswith("t3")


# --- time that is left -----------------------------------------------------------

def test_latency_budget(front, figure):
    """What is known to answer too late for the time that is left is not
    asked while there is another; alone it is, for it might be in time."""
    assert all(s.good("w0 ") for s in crowd(
        [lambda: say(front, "in-time")] * 30, 30))
    assert asked(front, "slow", "quick") == [30, 0]
    hurry = [("x-tollgate-timeout", "0.3")]
    said = crowd([lambda: say(front, "in-time", headers=hurry)] * 10, 5)
    assert all(s.good() and s.header("attempts") == "1" for s in said)
    assert asked(front, "slow", "quick") == [30, 10]
    assert say(front, "in-time", headers=[
        ("x-tollgate-timeout", "5")]).good("w0 ")
    late = say(front, "too-late", headers=hurry)
    is_error(late.reply, late.status)
    assert late.status in (503, 504) and late.seconds < 0.7
    figure(f"0.3 s left, 0.5 s learned: 10 of 10 elsewhere, in "
           f"{max(s.seconds for s in said) * 1e3:.0f} ms at most")


# --- what a request may narrow --------------------------------------------------

@pytest.mark.parametrize("word", ("models", "fallbacks"))
def test_more_models(front, word):
    """Further models of the request come behind the first; the provider does
    not hear of them."""
    is_error(say(front, "narrow-a", key=NARROW).reply, 503)
    said = say(front, "narrow-a", key=NARROW, **{word: ["narrow-b"]})
    assert said.status == 200, said.reply.body
    sent = json.loads(json.loads(said.reply.text())["body"])
    assert sent["model"] == "up-narrow-b" and word not in sent


@pytest.mark.parametrize("word", ("models", "fallbacks"))
def test_never_widen(front, word):
    before = asked(front, "wide")
    r = say(front, "narrow-a", key=NARROW, **{word: ["wide"]}).reply
    assert r.status in (403, 503), r.body
    is_error(r, r.status)
    assert asked(front, "wide") == before


# --- rules ----------------------------------------------------------------------

def ask_rule(front, model, how):
    """(name of the rule, who answered)."""
    how = dict(how)
    said = say(front, model, how.pop("text", "hello there"),
               headers=how.pop(HEADERS, {}).items(), **how)
    assert said.status == 200, said.reply.body
    return said.header("route"), said.header("provider").split("-")[-1]


@pytest.mark.parametrize("name", RULES)
def test_rule(front, name):
    _, met, unmet = RULES[name]
    if met is not None:
        assert ask_rule(front, "r-" + name, met) == ("is-" + name, "ruled")
    if unmet is not None:
        assert ask_rule(front, "r-" + name, unmet) == ("other", "unruled")


def test_first_rule_counts(front):
    assert ask_rule(front, "r-order", {"stream": True}) == ("first", "ruled")
    number = len(RULES) + 2
    assert ask_rule(front, "r-order", {}) == (f"rule {number}", "unruled")


def test_rule_by_endpoint(front):
    """The same question by another door."""
    body = {"model": "r-endpoint", "max_tokens": 20, "messages": [
        {"role": "user", "content": "hello there"}]}
    for path, route in ((CHAT, "other"), ("/v1/messages", "is-endpoint")):
        r = ask(front, "POST", path, [
            *bearer(front.site.key), ("Content-Type", "application/json")],
            json.dumps(body).encode())
        assert r.status == 200, r.body
        assert r.headers["x-tollgate-route"] == route


def test_no_rule_no_route(front):
    assert say(front, "wide").header("route") is None


# --- the plan in words ------------------------------------------------------------

def explained(said):
    return json.loads(said.headers["x-tollgate-explain"])


def test_explain_header(front):
    """The very plan, for a key that may see it, and for no other."""
    want = [("x-tollgate-explain", "1")]
    said = say(front, "third", key=EXPLAIN, headers=want)
    doc = explained(said)
    assert said.good() and doc["model"] == "third"
    assert doc["strategy"] == "fallback" and doc["rule"] is None
    assert doc["order"][-1].startswith(said.header("provider") + "/")
    assert {d["out"] for d in doc["deployments"]} <= {
        None, "cooling", "probing"}
    doc = explained(say(front, "r-order", key=EXPLAIN, headers=want))
    assert doc["rule"].startswith("rule ") and doc["model"] == "unruled"
    doc = explained(say(front, "in-time", key=EXPLAIN, headers=[
        *want, ("x-tollgate-timeout", "0.2")]))
    assert [d["out"] for d in doc["deployments"]] == ["deadline", None]
    said = say(front, "crowd", "word " * 300, key=EXPLAIN, headers=want)
    doc = explained(said)
    assert said.status == 200 and len(doc["order"]) == 1
    assert doc["counts"] == {"in": 1, "context": 199}
    for key, asks in ((None, want), (EXPLAIN, [])):
        assert "x-tollgate-explain" not in say(
            front, "third", key=key, headers=asks).headers
