"""Every OpenAI-compatible chat recording, whole and in pieces."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import recording
import tree
import world

URI = "/v1/chat/completions"
SHORT = 4096
COMB = 67      # a cut every so many bytes, at every offset
POINTS = 200   # cuts of a long stream
TOGETHER = 5   # of them in one replay
WORKERS = 3

each_case = pytest.mark.parametrize("case", world.CASES, ids=repr)
STREAMS = [c for c in world.CASES if c.body_file == "stream.sse"]
each_stream = pytest.mark.parametrize("case", STREAMS, ids=repr)


def ask(gate, body):
    return gate.post(URI, body, world.CLIENT_KEY)


@each_case
def test_whole(gate, up, case):
    """The client reads what the provider meant, the provider got what the
    client sent."""
    answer = ask(gate, world.client_request(case))
    wrong = world.check_answer(case, answer)
    wrong += check_upstream(up, case)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:2000]


def check_upstream(up, case):
    last = up.last("replay/%s/%s" % (case.provider, case.name))
    sent = tree.parse(last["body"])
    want = world.expected_upstream(case, sent)
    wrong = []
    if sent != want:
        wrong.append("sent upstream %s\nexpected %s" % (
            tree.dump(sent)[:1500], tree.dump(want)[:1500]))
    auth = [v for n, v in last["headers"] if n.lower() == "authorization"]
    if auth != ["Bearer " + world.provider_key(case)]:
        wrong.append("authorization upstream: %r" % auth)
    if world.CLIENT_KEY in json.dumps(last):
        wrong.append("the client's key went upstream")
    if last["method"] != "POST" or \
            not last["target"].endswith("/v1/chat/completions"):
        wrong.append("%s %s" % (last["method"], last["target"]))
    return wrong


@pytest.mark.parametrize("case", [
    c for c in STREAMS if "stream_options" not in (c.request() or b"")
    .decode("utf-8", "replace")], ids=repr)
def test_usage_not_asked(gate, case):
    """No usage event for a client that did not ask for one."""
    answer = ask(gate, world.client_request(case, usage=False))
    wrong = world.check_answer(case, answer, usage=False)
    assert not wrong, "\n".join(wrong)


# --- pieces ---------------------------------------------------------------------

def reading(case, answer):
    """What must not depend on where the provider's bytes were cut."""
    return answer.status, world.check_answer(case, answer, usage=False)


def same_in_pieces(gate, case, hows):
    """Ask once for each way of cutting; all must read as the whole one."""
    base = ask(gate, world.pieces_request(case, "replay"))
    wrong = world.check_answer(case, base, usage=False)
    assert not wrong, "\n".join(wrong)

    def one(how):
        answer = ask(gate, world.pieces_request(case, how))
        if answer.body == base.body and answer.status == base.status:
            return None
        return how if reading(case, answer) != reading(case, base) else None

    with ThreadPoolExecutor(WORKERS) as run:
        bad = [how for how in run.map(one, hows) if how]
    assert not bad, "other answer when cut by %s" % bad[:10]


@each_case
def test_byte_by_byte(gate, case):
    same_in_pieces(gate, case, ["chunk/1"])


@pytest.mark.parametrize(
    "case", [c for c in STREAMS if len(c.body()) <= SHORT], ids=repr)
def test_segments(gate, case):
    """Each byte its own TCP segment, as far as that is ours."""
    same_in_pieces(gate, case, ["split/1"])


@each_stream
def test_cuts(gate, case):
    """Short streams: a cut before every byte; long ones: at random. With
    TOLLGATE_ALL_CUTS set every cut is a replay of its own (minutes)."""
    n = len(case.body())
    if "TOLLGATE_ALL_CUTS" in os.environ:
        hows = ["cut/%d" % p for p in range(1, n)]
    elif n <= SHORT:
        hows = ["comb/%d/%d" % (COMB, o) for o in range(1, COMB + 1)]
    else:
        draw = random.Random(repr(case))
        points = draw.sample(range(1, n), POINTS)
        hows = ["cut/" + ",".join(map(str, sorted(points[i:i + TOGETHER])))
                for i in range(0, POINTS, TOGETHER)]
    same_in_pieces(gate, case, hows)


def inside_characters(raw):
    return [i for i, b in enumerate(raw) if b & 0xC0 == 0x80]


@pytest.mark.parametrize(
    "case", [c for c in STREAMS if inside_characters(c.body())], ids=repr)
def test_cuts_inside_characters(gate, case):
    """A character whose bytes come in two pieces."""
    points = inside_characters(case.body())
    random.Random(repr(case)).shuffle(points)
    same_in_pieces(gate, case, ["cut/%d" % p for p in points[:25]])


# --- the tests' own ground --------------------------------------------------------

def test_exceptions_exist():
    """No stale rows in exceptions.txt."""
    if world.corpus_root() is None:
        pytest.skip("no corpus beside this clone")
    known = {repr(c) for r in world.roots() for c in recording.cases(r)}
    assert {e.split(">")[0] for e in world.exceptions()} <= known


def test_enough_fixtures():
    """Clones without the corpus test the same kinds."""
    own = [c for c in recording.cases(world.FIXTURES) if c.is_chat()]
    assert len(own) >= 40
    if world.corpus_root() is not None:
        assert len(world.CASES) > len(own) + 300
