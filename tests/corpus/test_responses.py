"""Recordings of Responses providers and of chat providers, through the
Responses surface and out of it: the same dialect passes as it came, other
dialects mean the same."""

import hashlib
import hmac
import json
import re

import pytest

import dialects
import pool
import reader
import reader_responses
import recording
import recording_responses
import said
import tree
import world

URI = "/v1/responses"
CASES = [c for root in world.roots() for c in recording.cases(root)
         if recording_responses.is_responses(c)]
PEPPER = "pepper-of-the-responses-tests"
OTHER_KEY = "another-key-of-the-responses-tests"
each_case = pytest.mark.parametrize("case", CASES, ids=repr)
each_chat = pytest.mark.parametrize("case", world.CASES, ids=repr)


def policy(up):
    out = world.policy(up)
    out["pepper"] = "plain:" + PEPPER
    out["keys"].append({"name": "other", "secret": "plain:" + OTHER_KEY})
    for i, c in enumerate(CASES):
        out["providers"]["r%d" % i] = {
            "adapter": "responses",
            "base_url": up.base("replay/%s/%s" % (c.provider, c.name)),
            "key": "plain:" + world.provider_key(c)}
        out["models"][world.alias(c, "r")] = {"targets": [
            {"provider": "r%d" % i, "model": "up-" + c.name}]}
        out["models"][world.alias(c, "c")] = {"targets": [
            {"provider": "cut", "model": repr(c)}]}
    out["providers"]["cut"] = {"adapter": "responses",
                               "base_url": up.base("asked"),
                               "key": "plain:sk-pieces"}
    for i, c in enumerate(dialects.CASES):
        out["providers"]["d%d" % i] = dialects.provider(up, c)
        out["models"][dialects.alias(c)] = {"targets": [
            {"provider": "d%d" % i, "model": "up-" + c.name}]}
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


def post(gate, uri, body, key=world.CLIENT_KEY):
    return gate.post(uri, body, key)


def owned(case, own, key="corpus"):
    """A provider's id of a kept answer as the key's client knows it: with a
    proof behind it, of the key and of the provider."""
    text = "\0".join(["kept answer", key, "r%d" % CASES.index(case), own])
    return own + "_tg" + hmac.new(PEPPER.encode(), text.encode(),
                                  hashlib.sha256).hexdigest()[:32]


def own_ids(case, raw):
    """What the provider said, with the ids of kept answers as the client's:
    of an answer, or of the one in an event. All else as it came."""
    doc = tree.parse(raw)
    response = doc.get("response") if doc.has("response") else doc \
        if doc.get("object") == "response" else None
    if not isinstance(response, tree.Obj):
        return raw
    for name in ("id", "previous_response_id"):
        if response.has(name) and isinstance(response.get(name), str) and \
                response.get(name):
            old = json.dumps(response.get(name))
            new = json.dumps(owned(case, response.get(name)))
            raw = re.sub('("%s"\\s*:\\s*)%s' % (name, re.escape(old)),
                         lambda m, new=new: m.group(1) + new, raw, count=1)
    return raw


def is_stream(case):
    return case.body_file == "stream.sse" or case.streamed()


def recorded(case):
    """What the client of the recording asked, or something plausible."""
    raw = case.request()
    t = None
    if raw is not None and not raw.startswith(b'{"_multipart"'):
        t = tree.parse(raw)
    if not isinstance(t, tree.Obj) or not (
            t.has("input") or t.has("prompt")):
        t = tree.parse('{"model":"","input":"Hello"}')
    if is_stream(case) != (t.get("stream") is True):
        t.set("stream", is_stream(case))
    t.set("model", world.alias(case, "r"))
    return t


def expected_status(case):
    """What a client must see for an error of the provider; None: ours."""
    if world.BAD_KEY.search(case.body().decode("utf-8", "replace")):
        return 502
    return case.status if case.status in (400, 404, 413, 422, 429) else None


def failed(m, case):
    """Must the client see an error before any content?"""
    return (m.broken or m.error is not None) and not (
        is_stream(case) and m.content)


# --- the same dialect on both sides ------------------------------------------------

@each_case
def test_same(gate, up, case):
    asked = recorded(case)
    previous = asked.get("previous_response_id")
    if previous:
        asked.set("previous_response_id", owned(case, previous))
    answer = post(gate, URI, tree.dump(asked).encode())
    m = recording_responses.read(case)
    assert answer.complete
    sent = tree.parse(up.last("replay/%s/%s" % (case.provider,
                                                case.name))["body"])
    asked.set("model", "up-" + case.name)
    if previous:
        asked.set("previous_response_id", previous)
    assert sent == asked
    if failed(m, case):
        assert answer.status >= 400
        r = reader_responses.read_answer(
            answer.status, answer.header("content-type"), answer.body, False)
        assert not r.faults, r.faults
        want = expected_status(case)
        assert want is None or answer.status == want
        return
    assert answer.status == 200, answer.body[:500]
    if not is_stream(case):
        assert answer.body.decode().strip() == own_ids(
            case, case.body().decode()).strip()
        return
    want = []
    for name, data in recording_responses.events(case.body()):
        if data != "[DONE]":
            want.append((json.loads(data).get("type"),
                         own_ids(case, data)))
    got = recording_responses.events(answer.body)
    if m.error is None and m.broken is None:
        assert got == want
    else:
        assert got[-2][0] == "error" and got[-1][0] == "response.failed"


# --- going on with an answer that the provider keeps ---------------------------------

KEPT = next(c for c in CASES if repr(c) == "responses/whole-text")


def go_on(gate, previous, key=world.CLIENT_KEY, case=KEPT):
    return post(gate, URI, {"model": world.alias(case, "r"), "input": "And?",
                            "previous_response_id": previous}, key)


def test_goes_on(gate, up):
    """The id that a client got leads on, and as the provider's own."""
    made = json.loads(post(gate, URI, {
        "model": world.alias(KEPT, "r"), "input": "Hello"}).body)["id"]
    own = json.loads(KEPT.body())["id"]
    assert made == owned(KEPT, own) and re.fullmatch(r"[A-Za-z0-9_]+", made)
    assert go_on(gate, made).status == 200
    sent = json.loads(up.last("replay/%s/%s" % (KEPT.provider,
                                                KEPT.name))["body"])
    assert sent["previous_response_id"] == own


def test_of_others(gate, up):
    """Nobody goes on with another's answer, whatever he does to its id; and
    not at a provider that does not keep it."""
    key = "replay/%s/%s" % (KEPT.provider, KEPT.name)
    own = json.loads(KEPT.body())["id"]
    mine, other = owned(KEPT, own), owned(KEPT, own, "other")
    assert go_on(gate, other, OTHER_KEY).status == 200
    before = up.bill(key)["requests"]
    elsewhere = next(c for c in CASES if c is not KEPT and not is_stream(c)
                     and c.status == 200)
    tries = [(mine, OTHER_KEY, KEPT), (other, world.CLIENT_KEY, KEPT),
             (own, world.CLIENT_KEY, KEPT), (mine, world.CLIENT_KEY,
                                             elsewhere),
             (mine[:-1] + ("0" if mine[-1] != "0" else "1"),
              world.CLIENT_KEY, KEPT), (mine + "0", world.CLIENT_KEY, KEPT),
             ("", world.CLIENT_KEY, KEPT), (own + "_tg" + "0" * 32,
                                            world.CLIENT_KEY, KEPT)]
    for previous, secret, case in tries:
        answer = go_on(gate, previous, secret, case)
        assert answer.status == 404, (previous, answer.body)
        error = json.loads(answer.body)["error"]
        assert error["code"] == "previous_response_not_found"
        assert error["param"] == "previous_response_id"
        assert error["type"] == "invalid_request_error"
    assert up.bill(key)["requests"] == before


STREAMS = [c for c in CASES if c.body_file == "stream.sse" and
           len(c.body()) < 20000 and c.status == 200 and recording_responses.read(c).error is None and
           recording_responses.read(c).broken is None]


@pytest.mark.parametrize("case", STREAMS, ids=repr)
def test_pieces(gate, case):
    """Where the provider's bytes are cut changes nothing."""
    def ask(how):
        return post(gate, URI, {"model": world.alias(case, "c"),
                                "input": "Hello", "stream": True,
                                "x_pieces": how})
    base = ask("replay")
    assert base.status == 200
    for how in ["chunk/1"] + ["comb/67/%d" % o for o in range(1, 67, 11)]:
        answer = ask(how)
        assert recording_responses.events(answer.body) == \
            recording_responses.events(base.body), how


# --- Responses providers for clients of other dialects ------------------------------

def compare_chat(m, r):
    wrong = list(r.faults)
    plain = r.plain()["choices"][0]
    calls = [(c["id"], c["name"], c["arguments"]) for c in plain["calls"]]
    for name, want, got in (
            ("text", m.text, plain["text"]),
            ("refusal", m.refusal, plain["refusal"]),
            ("reasoning", m.reasoning, plain["reasoning"]),
            ("calls", m.calls, calls), ("finish", m.finish,
                                        plain["finish"])):
        if want != got:
            wrong.append("%s is %r, expected %r" % (name, got, want))
    if m.usage is not None:
        got = (r.usage["prompt_tokens"],
               r.usage["prompt_tokens_details"]["cached_tokens"],
               r.usage["completion_tokens"],
               r.usage["completion_tokens_details"]["reasoning_tokens"])
        if got != m.usage:
            wrong.append("usage %r, expected %r" % (got, m.usage))
    return wrong


@each_case
def test_to_chat(gate, up, case):
    stream = is_stream(case)
    body = {"model": world.alias(case, "r"), "stream": stream,
            "messages": [{"role": "system", "content": "Be brief."},
                         {"role": "user", "content": "Hello"}]}
    if stream:
        body["stream_options"] = {"include_usage": True}
    answer = post(gate, "/v1/chat/completions", body)
    m = recording_responses.read(case)
    r = reader.read_answer(answer.status, answer.header("content-type"),
                           answer.body, stream)
    if failed(m, case):
        assert answer.status >= 400 and not r.faults, r.faults
        return
    assert answer.status == 200, answer.body[:500]
    if m.broken or m.error is not None:
        assert r.ended == "error" and not r.faults, r.faults
        assert r.choices[0].text == m.text
        return
    wrong = compare_chat(m, r)
    assert not wrong, "\n".join(wrong) + "\n%r" % answer.body[-1500:]
    last = up.last("replay/%s/%s" % (case.provider, case.name))
    sent = json.loads(last["body"])
    assert last["target"].endswith("/v1/responses")
    assert sent["input"] == [{"role": "system", "content": "Be brief."},
                             {"role": "user", "content": "Hello"}]
    assert sent["store"] is False


# An image that the model made, in a dialect without a word for it.
IMAGE = re.compile(r"!\[image\]\(data:[^)]*\)\s*")


def anthropic_events(raw):
    return [json.loads(d) for _, d in recording_responses.events(raw)]


@each_case
def test_to_anthropic(gate, case):
    stream = is_stream(case)
    answer = post(gate, "/v1/messages", {
        "model": world.alias(case, "r"), "stream": stream,
        "max_tokens": 4000, "messages": [{"role": "user",
                                          "content": "Hello"}]})
    m = recording_responses.read(case)
    if failed(m, case):
        assert answer.status >= 400
        return
    assert answer.status == 200
    text, calls = "", []
    if stream:
        for doc in anthropic_events(answer.body):
            block = doc.get("content_block", {})
            delta = doc.get("delta", {})
            if block.get("type") == "tool_use":
                calls.append([block["id"], block["name"], ""])
            text += delta.get("text", "")
            if "partial_json" in delta:
                calls[-1][2] += delta["partial_json"]
        assert anthropic_events(answer.body)[-1]["type"] in (
            "message_stop", "error")
        calls = [(a, b, json.loads(c or "{}")) for a, b, c in calls]
    else:
        for block in json.loads(answer.body)["content"]:
            text += block.get("text", "")
            if block["type"] == "tool_use":
                calls.append((block["id"], block["name"], block["input"]))
    assert IMAGE.sub("", text) == m.text + m.refusal
    assert calls == [(a, b, json.loads(c)) for a, b, c in m.calls]


@each_case
def test_to_gemini(gate, case):
    stream = is_stream(case)
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    answer = post(gate, "/v1beta/models/%s:%s" % (
        world.alias(case, "r"), verb),
        {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]})
    m = recording_responses.read(case)
    if failed(m, case):
        assert answer.status >= 400
        return
    assert answer.status == 200, answer.body[:300]
    docs = [json.loads(d) for _, d in recording_responses.events(
        answer.body)] if stream else [json.loads(answer.body)]
    text, calls = "", []
    for doc in docs:
        for c in doc.get("candidates") or []:
            for part in (c.get("content") or {}).get("parts") or []:
                if not part.get("thought"):
                    text += part.get("text", "")
                if "functionCall" in part:
                    calls.append((part["functionCall"]["name"],
                                  part["functionCall"].get("args") or {}))
    assert text == m.text + m.refusal
    assert calls == [(b, json.loads(c)) for _, b, c in m.calls]


# --- chat providers for clients of this dialect ----------------------------------------

@each_chat
def test_from_chat(gate, case):
    stream = world.is_stream(case)
    answer = post(gate, URI, {
        "model": world.alias(case), "stream": stream, "input": "Hello",
        "instructions": "Be brief.\nVery."})
    m = world.meaning(case)
    assert answer.complete
    r = reader_responses.read_answer(
        answer.status, answer.header("content-type"), answer.body, stream)
    wrong = list(r.faults)
    broken = m.error is not None or m.broken is not None
    if broken and not (stream and m.content):
        assert answer.status >= 400 and not wrong, wrong
        return
    assert answer.status == 200, answer.body[:500]
    if broken:
        assert r.error is not None and r.ended == "failed", wrong
        return
    want = m.plain()[0]
    calls = [(c["name"], c["arguments"] or "{}") for c in want["calls"]]
    if want["function"] and want["function"]["name"]:
        calls.append((want["function"]["name"],
                      want["function"]["arguments"] or "{}"))
    for name, a, b in (
            ("text", want["text"], r.text),
            ("refusal", want["refusal"], r.refusal),
            ("reasoning", want["reasoning"], r.reasoning),
            ("calls", calls, [c[1:] for c in r.calls])):
        if a != b:
            wrong.append("%s is %r, expected %r" % (name, b, a))
    if want["finish"] in ("length", "content_filter") and \
            r.finish != want["finish"]:
        wrong.append("finish %r, expected %r" % (r.finish, want["finish"]))
    if m.usage and (r.usage is None or r.usage[0] != m.usage["prompt"]):
        wrong.append("usage %r, expected %r" % (r.usage, m.usage))
    assert not wrong, "\n".join(wrong) + "\n%r" % answer.body[-1500:]


@pytest.mark.parametrize("case", [
    c for c in dialects.CASES
    if repr(c) + ">openai" not in world.exceptions()], ids=repr)
def test_from_dialects(gate, case):
    """Anthropic and Gemini recordings for clients of this dialect."""
    stream = dialects.is_stream(case)
    check_from(post(gate, URI, {"model": dialects.alias(case),
                                "stream": stream, "input": "Hello"}),
               dialects.meaning(case), stream)


def check_from(answer, m, stream):
    """An answer of this surface to a recording of another dialect."""
    assert answer.complete
    r = reader_responses.read_answer(
        answer.status, answer.header("content-type"), answer.body, stream)
    wrong = list(r.faults)
    broken = m.error is not None or m.broken is not None
    if broken and not (stream and m.content):
        assert answer.status >= 400 and not wrong, wrong
        return
    assert answer.status == 200, answer.body[:500]
    if broken:
        assert r.error is not None and r.ended == "failed", wrong
        return
    want = m.choices.get(0) or said.Said()
    calls = [(b, said.arguments(c)) for _, b, c in want.calls]
    got = [(b, said.arguments(c)) for _, b, c in r.calls]
    for name, a, b in (
            ("text", want.text + want.refusal, r.text + r.refusal),
            ("reasoning", want.reasoning, r.reasoning),
            ("calls", calls, got),
            ("images", [d for t, d in want.media], r.images),
            ("seals", bool(want.signatures or want.sealed),
             bool(r.sealed))):
        if a != b:
            wrong.append("%s is %r, expected %r" % (name, b, a))
    if want.finish == "length" and r.finish != "length":
        wrong.append("finish %r, expected %r" % (r.finish, want.finish))
    if m.usage and (r.usage is None or r.usage[0] != m.usage["in"]):
        wrong.append("usage %r, expected %r" % (r.usage, m.usage))
    assert not wrong, "\n".join(wrong) + "\n%r" % answer.body[-1500:]


# --- what cannot be carried over ------------------------------------------------------

REFUSED = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"conversation": "conv_1"}, "conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ({"background": True}, "background"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
    ({"input": [{"role": "user", "content": "a"},
                {"type": "web_search_call", "id": "ws_1"}]}, "input[1]"),
    ({"tools": [{"type": "web_search"}]}, "tools"),
    ({"tool_choice": {"type": "mcp"}}, "tool_choice"),
    ({"text": {"format": {"type": "grammar"}}}, "text.format"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"input": 5}, "input"),
]


@pytest.mark.parametrize("more,param", REFUSED, ids=lambda v: str(v)[:40])
def test_refused(gate, more, param):
    case = next(c for c in world.CASES if not world.is_stream(c) and
                c.status == 200)
    answer = post(gate, URI, dict({"model": world.alias(case),
                                   "input": "Hello"}, **more))
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"]["param"] == param


def test_needs_input(gate):
    case = world.CASES[0]
    answer = post(gate, URI, {"model": world.alias(case)})
    assert answer.status == 400
    assert json.loads(answer.body)["error"]["param"] == "input"
