"""A provider's bad day is not the client's (promises T54 to T62): every fault
before the first content, each dialect's too, ends in the next provider's
answer and in nothing else; every fault after it ends the stream in one error.

All faults of a server are asked for at once, streamed and not, each of its
own deployment; the tests look at what came of them.
"""

import re
import time

import pytest

from client import bearer, chat_body, Call, CHAT, crowd, is_error, say
from house import ROOTS, Policy, Site, descendants, sanitized
from servers import chosen, open_front

TIMERS = {"connect": "1s", "first_token": "700ms", "first_byte": "700ms",
          "idle": "700ms", "bytes": "900ms", "total": "20s"}
BOTH = (False, True)

# name: (target of the first deployment, adapter, streamed or not, what the
# record of it says: its status, or a pattern for its failure)
FAULTS = {}


def fault(name, target, why, adapter="openai", streams=BOTH):
    FAULTS[name] = (target, adapter, streams, why)


def port(name, scheme="http", host="127.0.0.1"):
    return lambda up: f"{scheme}://{host}:{getattr(up, name)}"


# T54: refused, no way there, bad certificates
fault("refused", port("closed_port"), "connect")
fault("reset at once", port("reset_port"), "broken|connect")
fault("blackhole", port("blackhole_port"), "connect_timeout")
for kind in ("self", "expired", "host", "old"):
    fault("tls " + kind, port("tls_" + kind, "https", "localhost"),
          "connect")

# T55: statuses that pass
for code in (401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529):
    fault(f"status {code}", f"m/status/{code}", code)
fault("no quota", "m/quota", 429)

# T56: resets and ends in the head and in a body that is no stream
for at in ("accept", "h1", "h9", "h17", "h40", "h200", "mid-headers",
           "headers", "mid-body"):
    fault("reset at " + at, "m/reset/" + at, "broken|connect|truncated")
    fault("close at " + at, "m/close/" + at, "broken|connect|.")
for at in ("b1", "b20", "b100", "b9999"):
    for how in ("reset", "close"):
        fault(f"{how} at {at}", f"m/{how}/{at}", ".", streams=(False,))

# T57: silence before the first byte
fault("silence", "m/hang", "first_(token|byte)_timeout")
fault("silence after headers", "m/headers-hang",
      "(first_token|first_byte|bytes)_timeout")
fault("silence after the role", "m/stall/0", "first_token_timeout",
      streams=(True,))
fault("only comments", "m/comments/50", "first_token_timeout",
      streams=(True,))

# T61: a stream that begins well and then fails without content
for dialect in ("openai", "anthropic", "gemini", "responses"):
    for then in ("error", "reset", "close", "stall", "end"):
        fault(f"{dialect} begins, {then}", f"m/lifecycle/{dialect}/{then}",
              ".", dialect, (True,))
fault("error first", "m/error-first", ".", streams=(True,))
fault("role, error", "m/role-error", ".", streams=(True,))

# T62: content that is not what it says
for mode in ("html", "html/502", "empty", "empty/503", "204", "truncated",
             "text", "text/500", "error-200", "error-200/40000", "redirect"):
    fault("lies " + mode, "m/" + mode, ".")
fault("stream for json", "m/sse-for-json/0", ".", streams=(False,))
fault("gzip twice", "m/gzip/2", ".")
fault("stream without content", "m/just-end/0", ".", streams=(True,))

# What only answers that fail hold.
MARKS = (b"UPSTREAM", b"w0", b"cut off", b"half", b"msg_up", b"resp_up",
         b"overloaded", b"it failed", b"evil")

# What may go wrong after the first content: name → (mode, words before)
LATER = {f"stall {n}": (f"m/stall/{n}", n) for n in (1, 2, 3, 5, 10, 25, 50)}
LATER |= {f"reset {n}": (f"m/reset/{n}", n) for n in (1, 2, 3, 5, 10, 25, 50)}
LATER |= {f"close {n}": (f"m/close/{n}", n) for n in (1, 3, 50)}
LATER |= {f"error {n}": (f"m/error-after/{n}", n) for n in (1, 3, 50)}
LATER |= {"error, then done": ("m/error-after/3/500/error/1", 3),
          "ends": ("m/just-end/3", 3), "huge": ("m/huge-event", 1)}

# T59: strange, but well: the same as a plain stream of three words
WELL = ["trickle/0/3", "lines/crlf", "lines/cr", "lines/nospace", "lines/bom",
        "lines/names", "no-done"]


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text)


def first_target(up, name, stream):
    target, adapter, _, _ = FAULTS[name]
    tag = f"tag={slug(name)}-{'s' if stream else 'w'}"
    if callable(target):
        target = f"{target(up)}/m/ok/{tag}"
        return {"to": target + "/" + ROOTS[adapter], "adapter": adapter}
    return {"to": f"{target}/{tag}", "adapter": adapter}


class Results:
    """Everything asked of one server, once."""

    def __init__(self, front):
        self.front, self.up = front, front.site.upstream
        todo = [(n, s) for n, (_, _, streams, _) in FAULTS.items()
                for s in streams]
        asked = crowd([lambda n=n, s=s: say(
            front, f"{slug(n)}-{'s' if s else 'w'}", stream=s)
            for n, s in todo], 48)
        self.before = dict(zip(todo, asked))
        self.after = dict(zip(LATER, crowd([lambda n=n: say(
            front, "later-" + slug(n), stream=True) for n in LATER], 16)))
        self.bill = self.up.bill()["modes"]
        self.records = {r["model"]: r for r in front.site.records()}

    def entry(self, key):
        return self.bill.get(key, {"requests": 0})


def write(site):
    up, p = site.upstream, Policy(site)
    for name, (_, _, streams, _) in FAULTS.items():
        for s in streams:
            model = f"{slug(name)}-{'s' if s else 'w'}"
            p.model(model, first_target(up, name, s),
                    f"m/ok/tag=next-{model}", timeouts=TIMERS)
    for name, (mode, _) in LATER.items():
        p.model("later-" + slug(name), mode + "/tag=" + slug(name),
                "m/ok/tag=no-" + slug(name), timeouts=TIMERS)
    for mode in WELL:
        p.model("well-" + slug(mode), "m/" + mode, timeouts=TIMERS)
    p.model("good-tls", port("tls_good", "https", "localhost")(up) +
            "/m/ok/tag=tls/v1", timeouts=TIMERS)
    for kind in ("self", "expired", "host", "old"):
        p.model("only-" + kind, port("tls_" + kind, "https", "localhost")(up)
                + "/m/ok/tag=only/v1", timeouts=TIMERS)
    for name, target in (
            ("refused", port("closed_port")(up) + "/v1"),
            ("hole", port("blackhole_port")(up) + "/v1"),
            ("silent", "m/hang/tag=only"), ("empty", "m/empty/tag=only"),
            ("page", "m/html/tag=only")):
        p.model("only-" + name, target, timeouts=TIMERS)
    p.model("endless", "m/endless/5/tag=cut",
            timeouts=dict(TIMERS, total="1500ms"))
    p.model("endless-fast", "m/endless/0/tag=cut",
            timeouts=dict(TIMERS, total="1500ms"))
    p.model("noise", "m/comments/20/tag=cut", timeouts=dict(
        TIMERS, first_token="10s", total="1500ms"))
    p.model("hangs", *[f"m/hang/tag=h{i}" for i in range(3)],
            timeouts=dict(TIMERS, first_token="400ms", first_byte="400ms",
                          total="10s"))
    return p.write()


@pytest.fixture(scope="module", params=[
    n for n in ("lighttpd", "apache-proxy") if n in chosen()]
    or chosen()[:1])
def front(request, upstream, certs):
    upstream.reset()
    with Site(upstream) as site:
        site.trust(certs)
        write(site)
        yield open_front(site, request.param)


@pytest.fixture(scope="module")
def results(front):
    return Results(front)


@pytest.mark.parametrize("name", FAULTS)
def test_next_provider_answers(results, name):
    """T54 to T57, T61, T62: whole, from the second, and nothing else."""
    up = results.up
    for stream in FAULTS[name][2]:
        said = results.before[name, stream]
        assert said.good(), (stream, said.status, said.reply.body[:300])
        assert said.header("attempts") == "2"
        assert said.header("fallbacks") == "1"
        model = f"{slug(name)}-{'s' if stream else 'w'}"
        assert results.entry(f"m/ok/tag=next-{model}")["requests"] == 1
        target = first_target(up, name, stream)["to"]
        reached = 0 if "://" in target else 1
        assert results.entry(target)["requests"] == reached
        record = results.records[model]
        attempts = record["attempts"]
        assert record["status"] == 200 and len(attempts) == 2
        why = FAULTS[name][3]
        assert why == attempts[0].get("status") or \
            re.search(str(why), attempts[0]["failure"]), attempts
        assert "failure" not in attempts[1]


def test_no_request_is_lost(results, figure):
    lost = [k for k, said in results.before.items() if not said.good()]
    marked = [k for k, said in results.before.items()
              if any(m in said.reply.body for m in MARKS)]
    figure(f"lost {len(lost)} of {len(results.before)} requests that met a "
           f"fault before content, {len(marked)} hold anything of it")
    assert not lost and not marked


def test_no_bad_certificate(results, figure):
    """T54: nothing was said to a server that could not prove its name, and
    much to the one that could."""
    front, up = results.front, results.up
    assert say(front, "good-tls").good()
    for kind in ("self", "expired", "host", "old"):
        is_error(say(front, "only-" + kind).reply, 502)
    reached = sum(e["requests"] for k, e in up.bill()["modes"].items()
                  if "tag=tls-" in k or k == "m/ok/tag=only")
    figure(f"requests that reached a server with a bad certificate {reached}")
    assert reached == 0


def test_alone_it_is_our_error(front):
    """T54, T62: without another provider 502 or 504 in our own words."""
    asked = [(name, status, stream) for stream in BOTH for name, status in
             (("refused", 502), ("hole", 504), ("silent", 504),
              ("empty", 502), ("page", 502))]
    said = crowd([lambda n=n, s=s: say(front, "only-" + n, stream=s)
                  for n, _, s in asked], len(asked))
    for (_, status, _), one in zip(asked, said):
        is_error(one.reply, status)
        assert b"UPSTREAM" not in one.reply.body


def test_timers_act_in_time(results, figure):
    """T54, T57: how late a failover is after the limit that caused it."""
    late = {}
    for name, limit in (("blackhole", 1.0), ("silence", 0.7),
                        ("silence after headers", 0.7),
                        ("only comments", 0.7)):
        for stream in FAULTS[name][2]:
            said = results.before[name, stream]
            record = results.records[
                f"{slug(name)}-{'s' if stream else 'w'}"]
            late[name, stream] = record["attempts"][0]["ms"] / 1e3 - limit
            assert said.seconds < limit + 1.0
    worst = max(late.values())
    figure(f"timer error at most {worst * 1e3:.0f} ms")
    assert min(late.values()) > -0.02 and worst <= 0.1, late


def test_one_error_after_content(results, figure):
    """T58: the words that came, one error, no end mark, no second answer."""
    second = ended = 0
    for name, (_, n) in LATER.items():
        said = results.after[name]
        r = said.reply
        assert r.status == 200 and r.complete, (name, r.status, r.body[:200])
        assert r.text() == "".join(f"w{i} " for i in range(n)), name
        errors = [d["error"] for d in r.documents() if "error" in d]
        assert len(errors) == 1 and "error" in r.documents()[-1], name
        ended += any(d == "[DONE]" for _, d in r.events())
        second += results.entry("m/ok/tag=no-" + slug(name))["requests"]
    figure(f"after content: {len(LATER)} faults, second answers {second}, "
           f"end marks {ended}")
    assert second == 0 and ended == 0


def test_stall_timer(results, figure):
    """T58: a stream that falls silent ends at the idle limit."""
    late = [results.after[n].seconds - 0.7 for n in LATER if "stall" in n]
    figure(f"stalled streams ended {max(late) * 1e3:.0f} ms late at most")
    assert min(late) > -0.02 and max(late) < 0.6


@pytest.mark.parametrize("mode", WELL)
def test_odd_but_well(front, mode):
    """T59: however the bytes come, the same answer."""
    said = say(front, "well-" + slug(mode), stream=True)
    assert said.good("w0 w1 w2 "), said.reply.body


def resident(front):
    """KiB of the workers."""
    top = front.pool.process.pid if front.pool else front.process.pid
    total = 0
    for pid in descendants(top):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("VmRSS"))
    return total


def test_endless_streams_are_cut(front, results, figure):
    """T60: at the limit of the whole call, however busy the stream is."""
    before = resident(front)
    asked = ("endless", "endless-fast", "noise")
    said = dict(zip(asked, crowd([lambda m=m: say(
        front, m, stream=True, timeout=20) for m in asked], 3)))
    for model in asked[:2]:
        r = said[model].reply
        assert r.status == 200 and r.complete
        assert b"[DONE]" not in r.body[-4096:]
        assert b'"upstream_timeout"' in r.body[-1024:]
    words = said["endless"].reply.text().split()
    assert words == [f"w{i}" for i in range(len(words))]
    is_error(said["noise"].reply, 504, "upstream_timeout")
    late = max(s.seconds for s in said.values()) - 1.5
    grown = resident(front) - before
    figure(f"endless streams cut {late * 1e3:.0f} ms late at most, "
           f"{len(said['endless-fast'].reply.body) >> 10} KiB passed, "
           f"workers' memory {grown:+d} KiB")
    assert -0.02 < late < 0.7
    assert grown < 2048 or sanitized()     # which keeps what was freed


def test_one_deadline_over_all_attempts(front, figure):
    """Three providers that hang 400 ms each: the client's 1 s is kept, and
    the policy's limit holds whatever the client asks."""
    up = front.site.upstream
    hour, *asked = crowd([lambda t=t, s=s: say(
        front, "hangs", stream=s, headers=[("x-tollgate-timeout", t)])
        for t, s in (("3600", False), ("1", False), ("1", True))], 3)
    for said in asked:
        is_error(said.reply, 504, "upstream_timeout")
        figure(f"1 s over three attempts: {said.seconds:.3f} s")
        assert 0.98 <= said.seconds < 1.3
    is_error(hour.reply, 504, "upstream_timeout")
    assert 1.18 <= hour.seconds < 1.6
    assert [up.bill(f"m/hang/tag=h{i}")["requests"]
            for i in range(3)] == [3, 3, 3]


def test_attempts_leave_when_the_client_does(front):
    """A client that leaves between two attempts starts no third."""
    up = front.site.upstream
    before = up.bill("m/hang/tag=h2")["requests"]
    with Call(front.port, "POST", CHAT, [
            *bearer(front.site.key), ("Content-Type", "application/json")],
            chat_body("hangs")):
        time.sleep(0.2)
    time.sleep(1.2)
    bill = up.bill()["modes"]
    assert bill["m/hang/tag=h2"]["requests"] in (before, before + 1)
    assert all(bill[f"m/hang/tag=h{i}"]["running"] == 0 for i in range(3))
