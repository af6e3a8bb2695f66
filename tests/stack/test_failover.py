"""Failures of providers through a real web server: before content the next
provider answers, after it the stream ends in one error, never in a second
answer; every timeout acts when it should."""

import time

import pytest

from client import begin, chat, is_error
from house import Policy, Site
from servers import chosen, open_front

TIMERS = {"connect": "1s", "first_token": "400ms",
          "idle": "400ms", "bytes": "400ms", "total": "20s"}

# What may go wrong before the first content, each with and without stream.
BEFORE = ["status/401", "status/403", "status/429", "status/500",
          "status/502", "status/503", "status/504", "status/529", "quota",
          "reset/accept", "reset/mid-headers", "reset/headers",
          "reset/mid-body", "close/accept", "close/mid-headers",
          "close/headers", "close/mid-body", "html", "empty", "204",
          "truncated", "text", "error-200", "hang", "headers-hang",
          "redirect"]
BEFORE_STREAM = ["error-first", "role-error", "stall/0", "comments/100",
                 "just-end/0"]
PORTS = ["closed_port", "reset_port", "blackhole_port"]

# What may go wrong after it.
AFTER = ["stall/3", "reset/3", "close/3", "error-after/3", "just-end/3",
         "huge-event"]


def named(mode):
    return mode.replace("/", "-")


@pytest.fixture(scope="module", params=[
    n for n in ("lighttpd", "apache-proxy") if n in chosen()]
    or chosen()[:1])
def fronts(request, upstream):
    """A front whose models are all the failures."""
    with Site(upstream) as site:
        p = Policy(site)
        for mode in BEFORE + BEFORE_STREAM + AFTER:
            p.model("x-" + named(mode), f"m/{mode}/tag=x",
                    "m/ok/tag=y" + named(mode), timeouts=TIMERS)
        for port in PORTS:
            p.model("x-" + port, f"http://127.0.0.1:"
                    f"{getattr(upstream, port)}/v1", "m/ok/tag=y" + port,
                    timeouts=TIMERS)
            p.model("only-" + port, f"http://127.0.0.1:"
                    f"{getattr(upstream, port)}/v1", timeouts=TIMERS)
        p.model("only-hang", "m/hang/tag=only", timeouts=TIMERS)
        p.model("only-stall", "m/stall/2/tag=only", timeouts=TIMERS)
        p.model("only-total", "m/endless/50/tag=total",
                timeouts=dict(TIMERS, total="1s"))
        p.model("both", "m/status/503/tag=b1", "m/status/503/tag=b2")
        p.write()
        yield open_front(site, request.param)


def served_by_second(fronts, name, **more):
    second = "m/ok/tag=y" + name
    before = fronts.site.upstream.bill(second)["requests"]
    r = chat(fronts, "x-" + name, **more)
    assert r.status == 200, r.body[:300]
    assert r.text() == "hello there"
    assert r.complete and r.done() == bool(more)
    assert fronts.site.upstream.bill(second)["requests"] == before + 1


@pytest.mark.parametrize("mode", BEFORE)
@pytest.mark.parametrize("more", [{}, {"stream": True}],
                         ids=["whole", "stream"])
def test_next_before_content(fronts, mode, more):
    served_by_second(fronts, named(mode), **more)


@pytest.mark.parametrize("mode", BEFORE_STREAM)
def test_next_before_content_of_a_stream(fronts, mode):
    served_by_second(fronts, named(mode), stream=True)


@pytest.mark.parametrize("port", PORTS)
def test_next_when_not_connected(fronts, port):
    served_by_second(fronts, port)
    served_by_second(fronts, port, stream=True)


@pytest.mark.parametrize("mode", AFTER)
def test_error_after_content(fronts, mode):
    second = "m/ok/tag=y" + named(mode)
    before = fronts.site.upstream.bill(second)["requests"]
    r = chat(fronts, "x-" + named(mode), stream=True)
    assert r.status == 200 and r.complete
    assert r.text().startswith("w0 ")
    assert not r.done()
    errors = [d["error"] for d in r.documents() if "error" in d]
    assert len(errors) == 1
    assert fronts.site.upstream.bill(second)["requests"] == before


def test_all_failed(fronts):
    r = chat(fronts, "both")
    is_error(r, r.status)
    assert r.status in (502, 503)


def within(seconds, slack, fn):
    began = time.time()
    r = fn()
    took = time.time() - began
    assert seconds - 0.05 <= took <= seconds + slack, took
    return r


def test_connect_timeout(fronts):
    r = within(1.0, 0.5, lambda: chat(fronts, "only-blackhole_port"))
    is_error(r, 504, "upstream_timeout")


def test_first_token_timeout(fronts):
    for more in ({}, {"stream": True}):
        r = within(0.4, 0.4, lambda m=more: chat(fronts, "only-hang", **m))
        is_error(r, 504, "upstream_timeout")


def test_idle_timeout(fronts):
    r = within(0.4, 0.5, lambda: chat(fronts, "only-stall", stream=True))
    assert r.stream_error()["type"] == "upstream_timeout"
    assert not r.done() and r.complete


def test_total_timeout(fronts):
    r = within(1.0, 0.5, lambda: chat(fronts, "only-total", stream=True))
    assert r.stream_error()["type"] == "upstream_timeout"
    assert not r.done() and r.complete


def test_refused_connection(fronts):
    is_error(chat(fronts, "only-closed_port"), 502)


def test_provider_leaves_no_trace(fronts):
    """Bytes of a page that is no answer never reach the client."""
    with begin(fronts, "x-html") as call:
        assert b"UPSTREAM-PAGE" not in call.read().body
