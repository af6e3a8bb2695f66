"""Text completions: recordings of providers that speak them pass as they
came; chat recordings answer as text; what a chat cannot do is refused."""

import json

import pytest

import pool
import reader
import recording
import tree
import world

URI = "/v1/completions"
SKIP = ("portkey", "writer")  # other dialects under this name
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.api == "completions" and c.provider not in SKIP]
each_case = pytest.mark.parametrize("case", CASES, ids=repr)


def policy(up):
    out = world.policy(up)
    for i, c in enumerate(CASES):
        out["providers"]["t%d" % i] = {
            "adapter": "completions",
            "base_url": up.base("replay/%s/%s" % (c.provider, c.name)),
            "key": "plain:" + world.provider_key(c)}
        out["models"][world.alias(c, "t")] = {"targets": [
            {"provider": "t%d" % i, "model": "up-" + c.name}]}
    return out


@pytest.fixture(scope="module")
def gate(up):
    p = pool.Pool(policy(up)).start()
    yield p
    alive = p.alive()
    status = p.stop()
    log = p.log()
    p.clean()
    assert alive and status == 0, log
    assert "AddressSanitizer" not in log and "runtime error:" not in log, log


def datas(raw):
    faults = []
    events, _ = reader.sse(raw, faults)
    assert not faults, faults
    assert not any(e.name for e in events)
    return [e.data for e in events]


@each_case
def test_same(gate, up, case):
    t = tree.parse(case.request())
    t.set("model", world.alias(case, "t"))
    stream = t.get("stream") is True
    if stream and not t.has("stream_options"):
        world.ask_usage(t)
    streamed = case.body_file == "stream.sse"
    if streamed != stream:
        t.set("stream", streamed)
        stream = streamed
    answer = gate.post(URI, tree.dump(t).encode(), world.CLIENT_KEY)
    sent = tree.parse(up.last("replay/%s/%s" % (case.provider,
                                                case.name))["body"])
    t.set("model", "up-" + case.name)
    if stream:
        world.ask_usage(t)
    assert sent == t
    if case.status != 200:
        assert answer.status in (case.status, 502)
        assert json.loads(answer.body)["error"]["message"]
    elif stream:
        want = [d for d in datas(case.body())]
        got = datas(answer.body)
        # Where the provider told no usage, ours stands before the end.
        assert [json.loads(d) for d in got[:len(want) - 1]] == [
            json.loads(d) for d in want[:-1]]
        assert [json.loads(d)["choices"] for d in got[len(want) - 1:-1]
                ] in ([], [[]])
        assert got[-1] == "[DONE]"
    else:
        assert answer.body.strip() == case.body().strip()


@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("case", world.CASES, ids=repr)
def test_from_chat(gate, case, echo):
    stream = world.is_stream(case)
    body = {"model": world.alias(case), "prompt": ["Hellö "], "echo": echo,
            "logprobs": 2, "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    answer = gate.post(URI, body, world.CLIENT_KEY)
    m = world.meaning(case)
    assert answer.complete
    if (m.error or m.broken) and not (stream and m.content):
        assert answer.status >= 400
        return
    assert answer.status == 200, answer.body[:300]
    docs = [] if stream else [json.loads(answer.body)]
    if stream:
        raw = datas(answer.body)
        if m.error or m.broken:
            last = json.loads(raw[-1])
            assert last["error"]["message"]
            assert last["choices"][0]["finish_reason"] == "error"
            return
        assert raw[-1] == "[DONE]"
        docs = [json.loads(d) for d in raw[:-1]]
    texts, finishes, usage = {}, {}, None
    assert len({d["id"] for d in docs}) == 1
    for doc in docs:
        assert doc["object"] == "text_completion"
        assert isinstance(doc["created"], int) and doc["model"]
        usage = doc.get("usage") or usage
        for c in doc["choices"]:
            i = c["index"]
            check_logprobs(c)
            texts[i] = texts.get(i, "") + c["text"]
            assert i not in finishes or not c["text"]
            if c["finish_reason"]:
                finishes[i] = c["finish_reason"]
    want = m.plain()
    assert sorted(texts) == sorted(want)
    for i, c in want.items():
        assert texts[i] == ("Hellö " if echo else "") + c["text"] + \
            c["refusal"]
        if c["finish"] in ("stop", "length", "content_filter"):
            assert finishes[i] == c["finish"]
        else:
            assert finishes[i] == "stop"
    if m.usage:
        assert usage["prompt_tokens"] == m.usage["prompt"]


def check_logprobs(c):
    p = c["logprobs"]
    if p is None:
        return
    n = len(p["tokens"])
    assert n == len(p["token_logprobs"]) == len(p["top_logprobs"]) == \
        len(p["text_offset"])
    assert p["text_offset"] == sorted(p["text_offset"])
    assert all(isinstance(t, dict) for t in p["top_logprobs"])


REFUSED = [({"prompt": ["a", "b"]}, "prompt"), ({"prompt": [1, 2]}, "prompt"),
           ({"prompt": [[1], [2]]}, "prompt"), ({"prompt": []}, "prompt"),
           ({"suffix": "x"}, "suffix"), ({"prompt": None}, "prompt"),
           ({"n": 0}, "n"), ({"n": 200}, "n"), ({"echo": 1}, "echo"),
           ({"max_tokens": 0}, "max_tokens")]


@pytest.mark.parametrize("more,param", REFUSED, ids=str)
def test_refused(gate, more, param):
    case = next(c for c in world.CASES if c.status == 200)
    answer = gate.post(URI, dict({"model": world.alias(case),
                                  "prompt": "Hello"}, **more),
                       world.CLIENT_KEY)
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"]["param"] == param


def test_best_of_is_named(gate):
    case = next(c for c in world.CASES if c.status == 200 and
                not world.is_stream(c) and world.meaning(c).error is None)
    answer = gate.post(URI, {"model": world.alias(case), "prompt": "Hello",
                             "best_of": 3, "n": 1}, world.CLIENT_KEY)
    assert answer.status == 200
    assert answer.header("x-tollgate-dropped") == "best_of"


def test_chat_is_refused(gate):
    answer = gate.post("/v1/chat/completions", {
        "model": world.alias(CASES[0], "t"),
        "messages": [{"role": "user", "content": "Hi"}]}, world.CLIENT_KEY)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["param"] == "model"
