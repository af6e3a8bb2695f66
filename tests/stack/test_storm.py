"""Providers under a storm, through both web servers: what fails rests, what
rests is not asked but by one probe, a request costs few attempts and none is
lost while one provider is well."""

import threading
import time

import pytest

from client import crowd, is_error, say
from house import Policy, Site, wait_until
from servers import chosen, open_front

STORM = {"429": "m/status/429/retry=60", "503": "m/status/503",
         "529": "m/status/529"}
# name: (query of the 429, is the next request certainly kept away)
RETRY_AFTER = {"seconds": ("retry=30", True), "date": ("retry=date30", True),
               "huge": ("retry=1000000000", True),
               "ms": ("retry_ms=30000", True),
               "both": ("retry=0/retry_ms=30000", True),
               "none": ("message=slow", True), "negative": ("retry=-1", True),
               "zero": ("retry=0", False), "past": ("retry=date-30", False)}
KEYS = ("wrong-key-0123456789", "right-key-0123456789")


def write(site, key=KEYS[0]):
    p = Policy(site)
    for name, mode in STORM.items():
        p.model("storm-" + name, mode + "/tag=storm",
                f"m/late/150/1/tag=a{name}", f"m/late/150/1/tag=b{name}",
                strategy="weighted")
    p.model("crowd", "m/status/429/tag=crowd", "m/late/1000/1/tag=ca",
            "m/late/1000/1/tag=cb", strategy="weighted")
    p.model("flap", "m/flap/1/503/50", "m/late/50/1/tag=fa",
            "m/late/50/1/tag=fb", strategy="weighted")
    p.model("flap-reset", "m/flap/1/0/50", "m/late/50/1/tag=ra",
            "m/late/50/1/tag=rb", strategy="weighted")
    for name, (query, _) in RETRY_AFTER.items():
        p.model("after-" + name, f"m/status/429/{query}/tag=after",
                f"m/ok/tag=after-{name}")
    p.model("all-down", "m/status/429/retry=30/tag=down",
            "m/status/429/retry=9/tag=down")
    p.model("all-busy", "m/status/503/retry=40/tag=down",
            "m/status/503/retry=11/tag=down")
    p.model("all-mute", "m/status/429/tag=mute1", "m/status/429/tag=mute2")
    p.model("all-slow", "m/dial/slow")
    p.model("half-open", "m/dial/half", "m/ok/tag=half")
    p.model("heals", "m/dial/heals", "m/ok/tag=heals")
    right = f"m/auth/{KEYS[1]}"
    p.model("credential", {"to": right, "key": "plain:" + key},
            "m/ok/tag=credential")
    return p.write()


@pytest.fixture(scope="module", params=[
    n for n in ("lighttpd", "apache-proxy") if n in chosen()]
    or chosen()[:1])
def front(request, upstream):
    upstream.reset()
    for name in ("slow", "half", "heals"):
        upstream.dial(name)
    with Site(upstream) as site:
        write(site)
        yield open_front(site, request.param)


def asked(front, *keys):
    """How many requests reached these."""
    bill = front.site.upstream.bill()["modes"]
    return sum(bill[k]["requests"] for k in keys if k in bill)


def test_storm(front, figure):
    """T55: 2,000 requests of 64 clients, one provider of three refusing."""
    models = [f"storm-{name}" for name in STORM]
    said = crowd([lambda i=i: say(front, models[i % 3], stream=i % 2 == 0)
                  for i in range(2000)], 64)
    lost = sum(not s.good("w0 ") for s in said)
    bill = front.site.upstream.bill()["modes"]
    for i, (name, mode) in enumerate(STORM.items()):
        bad = bill[mode + "/tag=storm"]
        attempts = bad["requests"] + sum(
            bill[f"m/late/150/1/tag={x}{name}"]["requests"] for x in "ab")
        requests = len(said[i::3])
        begun = min(bad["times"])
        cooled = [t - begun for t in bad["times"] if t > begun + 0.5]
        figure(f"storm of {name}: {attempts / requests:.3f} attempts a "
               f"request, {bad['requests']} calls to what refuses, "
               f"{len(cooled)} of them after 0.5 s "
               f"({max(bad['times']) - begun:.1f} s)")
        assert attempts / requests <= 1.2
        # It asked for a minute: nobody may call, not even a probe. The
        # others are probed, each time after a longer rest.
        assert len(cooled) <= (0 if name == "429" else 3), cooled
    figure(f"storm: lost {lost} of {len(said)}")
    assert lost == 0


def test_flapping(front, figure):
    """1,000 requests while one of three fails every other second, half of
    them by a status, half by a reset."""
    models = ("flap", "flap-reset")
    began = time.time()
    said = crowd([lambda i=i: say(front, models[i % 2], "w0",
                                  stream=i % 4 < 2) for i in range(1000)], 16)
    seconds = time.time() - began
    good = sum(s.good("w0 ") or s.good("w0") for s in said)
    attempts = sum(int(s.header("attempts")) for s in said)
    figure(f"flapping: {good} of {len(said)} answered in {seconds:.1f} s, "
           f"{attempts / len(said):.3f} attempts a request")
    assert good == len(said)
    assert seconds > 2      # it did flap


def test_storm_of_a_thousand_clients(front, figure):
    """T55: all at the same moment, as far as one client can."""
    said = crowd([lambda: say(front, "crowd", stream=True)] * 1000, 1000)
    lost = sum(not s.good("w0 ") for s in said)
    attempts = sum(int(s.header("attempts")) for s in said)
    figure(f"1,000 clients at once: lost {lost}, {attempts / 1000:.3f} "
           f"attempts a request, {asked(front, 'm/status/429/tag=crowd')} "
           f"calls to what refuses")
    assert lost == 0 and attempts <= 1200


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_retry_after(front, name):
    """T55: the next provider at once, and the first rests as it asked."""
    query, rests = RETRY_AFTER[name]
    first = f"m/status/429/{query}/tag=after"
    said = say(front, "after-" + name)
    assert said.good() and said.header("attempts") == "2"
    assert said.seconds < 1
    again = [say(front, "after-" + name) for _ in range(3)]
    assert all(s.good() for s in again)
    if rests:
        assert [s.header("attempts") for s in again] == ["1"] * 3
        assert asked(front, first) == 1


@pytest.mark.parametrize("model,status,soonest", [
    ("all-down", 429, 9), ("all-busy", 503, 11)])
def test_all_down(front, model, status, soonest):
    """T55: the least time that anyone asked for, first and later."""
    r = say(front, model).reply
    is_error(r, status)
    assert soonest - 1 <= int(r.headers["retry-after"]) <= soonest
    time.sleep(1.1)
    r = say(front, model).reply
    assert r.status in (429, 503)
    is_error(r, r.status)
    assert soonest - 3 <= int(r.headers["retry-after"]) <= soonest


def test_all_down_without_a_word(front):
    """Nobody said how long: as long as they will be left alone."""
    r = say(front, "all-mute").reply
    is_error(r, 429)
    assert 1 <= int(r.headers["retry-after"]) <= 2


def test_least_bad_is_tried_by_one(front, figure):
    """All rest: one request at a time asks, the others hear it at once."""
    up, key = front.site.upstream, "m/dial/slow"
    up.dial("slow", code=429, retry=60)
    is_error(say(front, "all-slow").reply, 429)
    up.dial("slow", ms=700, code=429, retry=60)
    before = asked(front, key)
    said = crowd([lambda: say(front, "all-slow")] * 30, 30)
    calls = asked(front, key) - before
    figure(f"30 requests while all rest: {calls} asked")
    for s in said:
        is_error(s.reply, s.status)
        assert s.status in (429, 503)
        assert int(s.reply.headers["retry-after"]) >= 1
    assert calls == 1
    up.dial("slow")
    assert say(front, "all-slow").good()      # and it may find it well


def test_half_open(front, figure):
    """What fails rests; then one probe finds out, and no other request waits
    for it; then it is back."""
    up, key = front.site.upstream, "m/dial/half"
    up.dial("half", code=503)
    said = [say(front, "half-open") for _ in range(12)]
    assert all(s.good() for s in said)
    calls = asked(front, key)
    assert 5 <= calls <= 8, calls         # then it rested
    assert said[-1].header("attempts") == "1"
    up.dial("half", ms=1500)
    began, over, background = time.time(), threading.Event(), []

    def keep_asking():
        while not over.is_set():
            background.append(say(front, "half-open"))
            time.sleep(0.05)

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        wait_until(lambda: asked(front, key) > calls, 15, "probed")
        rested = time.time() - began
        said += crowd([lambda: say(front, "half-open")] * 20, 20)
        probes = asked(front, key) - calls
    finally:
        over.set()
        for t in threads:
            t.join()
    figure(f"half open: probed after {rested:.1f} s by {probes} of "
           f"{len(background) + 20} requests")
    assert probes == 1
    assert all(s.good() for s in said + background)
    assert max(s.seconds for s in said) < 1.4     # none waited for it
    up.dial("half")
    before = asked(front, "m/ok/tag=half")
    assert say(front, "half-open").good()
    assert asked(front, "m/ok/tag=half") == before


def test_comes_back_after_rest(front):
    """A 429 with Retry-After: 1 keeps away for a second, not for longer."""
    up, key = front.site.upstream, "m/dial/heals"
    up.dial("heals", code=429, retry=1)
    assert say(front, "heals").header("attempts") == "2"
    up.dial("heals")
    assert say(front, "heals").header("attempts") == "1"
    assert asked(front, key) == 1
    time.sleep(1.3)
    assert say(front, "heals").good()
    assert asked(front, key) == 2


def test_credential_rests_until_it_changes(front):
    """401: not asked again, until the policy has another key for it."""
    key = f"m/auth/{KEYS[1]}"
    assert say(front, "credential").header("attempts") == "2"
    again = [say(front, "credential") for _ in range(5)]
    assert all(s.good() and s.header("attempts") == "1" for s in again)
    assert asked(front, key) == 1
    write(front.site, KEYS[1])
    name = "p-" + key.replace("/", "-")

    def back():
        said = say(front, "credential")
        assert said.good()
        return said.header("provider") == name

    wait_until(back, 5, "asked with the new key")
