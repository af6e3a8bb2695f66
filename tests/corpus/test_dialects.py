"""Recordings of the dialects anthropic and gemini through the program: to
clients of the same dialect, and to those of every other; and the
OpenAI-compatible recordings to clients of these two."""

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import dialects
import pool
import reader
import recording
import world

SHORT = 4096
COMB = 67
POINTS = 100
TOGETHER = 5
WORKERS = 3

each_case = pytest.mark.parametrize("case", dialects.CASES, ids=repr)
STREAMS = [c for c in dialects.CASES if c.body_file == "stream.sse"]


@pytest.fixture(scope="module")
def gate(up):
    p = pool.Pool(dialects.policy(up)).start()
    yield p
    alive = p.alive()
    status = p.stop()
    log = p.log()
    p.clean()
    assert alive, "the program died:\n" + log
    assert status == 0, "exit status %r:\n%s" % (status, log)
    assert "ERROR: AddressSanitizer" not in log, log
    assert "runtime error:" not in log, log


def events(raw):
    """(name, data) of each event."""
    found, _ = reader.sse(raw, [])
    return [(e.name, e.data) for e in found]


def named(list_of):
    """A provider may leave names out; the program writes them."""
    return [(name or json.loads(data).get("type", ""), data)
            for name, data in list_of]


@each_case
def test_same_dialect(gate, up, case):
    """The provider's own words, and the client's own document."""
    dialect = dialects.dialect_of(case)
    uri, doc = dialects.own_request(case)
    answer = dialects.ask(gate, uri, doc)
    wrong = dialects.check_answer(case, dialect, answer)
    m = dialects.meaning(case)
    if answer.status == 200 and case.body_file == "stream.sse" and \
            m.error is None and m.broken is None:
        sent, got = events(case.body() + b"\n\n"), events(answer.body)
        if dialect == "anthropic":
            sent = named(sent)
        assert got == sent
    elif answer.status == 200 and case.status == 200 and \
            m.error is None and m.broken is None:
        assert json.loads(answer.body) == json.loads(case.body())
    if answer.status == 400 and not answer.header("x-tollgate-provider"):
        return # the program saw itself what the provider complains of
    wrong += check_upstream(up, case, doc)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


def check_upstream(up, case, doc):
    last = up.last("replay/%s/%s" % (case.provider, case.name))
    want = dict(doc)
    name = "up-" + case.name
    if dialects.dialect_of(case) == "anthropic":
        want["model"] = name
        path, auth = "/v1/messages", "x-api-key"
    else:
        want.pop("model", None)
        path, auth = "/v1beta/models/%s:%s" % (
            name, "streamGenerateContent?alt=sse" if dialects.is_stream(case)
            else "generateContent"), "x-goog-api-key"
    wrong = []
    if json.loads(last["body"]) != want:
        wrong.append("sent upstream %s" % last["body"][:1000])
    if not last["target"].endswith(path):
        wrong.append("target %s" % last["target"])
    keys = [v for n, v in last["headers"] if n.lower() == auth]
    if keys != [world.provider_key(case)]:
        wrong.append("%s upstream: %r" % (auth, keys))
    if world.CLIENT_KEY in json.dumps(last):
        wrong.append("the client's key went upstream")
    return wrong


@pytest.mark.parametrize("surface", dialects.SURFACES)
@each_case
def test_to_surface(gate, case, surface):
    if dialects.excepted(case, surface):
        pytest.skip("see exceptions.txt")
    uri, doc = dialects.plain_request(surface, case)
    answer = dialects.ask(gate, uri, doc)
    wrong = dialects.check_answer(case, surface, answer)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


@pytest.mark.parametrize("surface", ["anthropic", "gemini"])
@pytest.mark.parametrize("case", world.CASES, ids=repr)
def test_chat_to_surface(gate, case, surface):
    """What OpenAI-compatible providers say, to clients of other dialects."""
    uri, doc = dialects.plain_request(surface, case)
    answer = dialects.ask(gate, uri, doc)
    wrong = dialects.check_answer(case, surface, answer)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


def unlist(answer):
    """An answer in the form of one array, as the events that it stands for.
    Its pieces are where Google has them: clients cut there."""
    assert answer.header("content-type").split(";")[0] == "application/json"
    said = json.loads(answer.body)
    assert isinstance(said, list) and said
    if answer.status != 200:
        answer.body = json.dumps(said[0]).encode()
        return answer
    text = answer.body.decode()
    assert text.startswith("[{") and text.endswith("}\n]\n")
    assert [json.loads(s) for s in text[1:-2].split(",\r\n")] == said
    answer.headers = [(n, "text/event-stream" if n == "content-type" else v)
                      for n, v in answer.headers]
    answer.body = b"".join(b"data: %s\r\n\r\n" % json.dumps(d).encode()
                           for d in said)
    return answer


@pytest.mark.parametrize("case", STREAMS + [
    c for c in world.CASES if world.is_stream(c)], ids=repr)
def test_list(gate, case):
    """Without alt=sse a stream is one array, as curl users of Google know
    it; an error is its last member, before content its only one."""
    uri, doc = dialects.plain_request("gemini", case)
    answer = dialects.ask(gate, uri.split("?")[0], doc)
    wrong = dialects.check_answer(case, "gemini", unlist(answer))
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


# --- pieces ---------------------------------------------------------------------------

def cuts(case):
    """Ways to cut a stream: short ones before every byte, long at random."""
    n = len(case.body())
    if n <= SHORT:
        return ["comb/%d/%d" % (COMB, o) for o in range(1, COMB + 1)]
    points = random.Random(repr(case)).sample(range(1, n), POINTS)
    return ["cut/" + ",".join(map(str, sorted(points[i:i + TOGETHER])))
            for i in range(0, POINTS, TOGETHER)]


def steady(surface, answer, stream):
    m = dialects.read_answer(surface, answer, stream)
    return answer.status, m.plain(), m.usage, m.faults, m.error is None


@pytest.mark.parametrize("case", STREAMS, ids=repr)
def test_pieces(gate, up, case):
    """The same answers however the provider's bytes come."""
    whole = {s: steady(s, dialects.ask(gate, *dialects.plain_request(
        s, case)), True) for s in dialects.SURFACES}
    bad = []

    def one(how, surface):
        answer = dialects.ask(gate, *dialects.plain_request(surface, case))
        if steady(surface, answer, True) != whole[surface]:
            bad.append((how, surface))

    with ThreadPoolExecutor(WORKERS) as run:
        try:
            for how in cuts(case) + ["chunk/1"]:
                up.pieces(how)
                list(run.map(lambda s, how=how: one(how, s),
                             dialects.SURFACES))
        finally:
            up.pieces()
    assert not bad, bad[:10]


# --- the tests' own ground ---------------------------------------------------------------

@each_case
def test_reader_takes(case):
    """Recordings are without fault for the reader, which so knows the
    dialect as providers speak it."""
    m = dialects.meaning(case)
    if case.status == 200 and case.api not in ("rawPredict",
                                               "streamRawPredict"):
        assert m.broken is None or m.error is not None or \
            "cut" in case.name or "empty" in case.name or m.faults == []


def test_enough_cases():
    own = [c for c in recording.cases(world.FIXTURES)
           if dialects.dialect_of(c)]
    for dialect in ("anthropic", "gemini"):
        assert len([c for c in own
                    if dialects.dialect_of(c) == dialect]) >= 15
    if world.corpus_root() is not None and \
            os.path.isdir(os.path.join(world.corpus_root(), "anthropic")):
        assert len(dialects.CASES) > len(own) + 90
