"""Recordings of Cohere's Chat v2 and of Ollama's own chat, which are only
providers here: to clients of every surface; and requests the other way, with
the providers' own SDKs as judges of what is sent."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

import dialects
import pool
import recording
import recording_cohere
import recording_ollama
import world

READERS = {"cohere": recording_cohere, "ollama": recording_ollama}
PATHS = {"cohere": "/v2/chat", "ollama": "/api/chat"}
CASES = [c for root in world.roots() for c in recording.cases(root)
         if c.provider in READERS and c.path == PATHS[c.provider]
         and c.meta.get("method") == "POST"]
STREAMS = [c for c in CASES if c.body_file.startswith("stream")]
SURFACES = dialects.SURFACES
MEANING = {}
WORKERS = 3

each_case = pytest.mark.parametrize("case", CASES, ids=repr)
each_surface = pytest.mark.parametrize("surface", SURFACES)


def alias(case):
    return world.alias(case, "n")


def is_stream(case):
    return READERS[case.provider].is_stream(case)


def meaning(case):
    key = repr(case)
    if key not in MEANING:
        MEANING[key] = READERS[case.provider].read(case)
    return MEANING[key]


def policy(up):
    out = {"log": "/dev/null", "attempts": 1, "providers": {}, "models": {},
           "keys": [{"name": "corpus",
                     "secret": "plain:" + world.CLIENT_KEY}]}
    for i, c in enumerate(CASES):
        out["providers"]["n%d" % i] = {
            "adapter": c.provider,
            "base_url": up.base("replay/%s/%s" % (c.provider, c.name), ""),
            "key": "plain:" + world.provider_key(c)}
        out["models"][alias(c)] = {"targets": [
            {"provider": "n%d" % i, "model": "up-" + c.name}]}
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


def plain_request(surface, case):
    """A small request on a surface: (uri, document)."""
    name, stream = alias(case), is_stream(case)
    if surface == "gemini":
        return dialects.gemini_uri(name, stream), {"contents": [
            {"role": "user", "parts": [{"text": "Say something."}]}]}
    doc = {"model": name, "stream": stream,
           "messages": [{"role": "user", "content": "Say something."}]}
    if surface == "anthropic":
        doc["max_tokens"] = 1000
        return "/v1/messages", doc
    if stream:
        doc["stream_options"] = {"include_usage": True}
    return "/v1/chat/completions", doc


def check_answer(case, surface, answer):
    m, stream = meaning(case), is_stream(case)
    if not answer.complete:
        return ["the answer is broken off"]
    got = dialects.read_answer(surface, answer, stream)
    wrong = list(got.faults)
    failed = m.error is not None or m.broken is not None
    if failed and not (stream and m.content):
        if answer.status == 200:
            return wrong + ["status 200, expected an error"]
        return wrong + dialects.check_error(m, got, answer)
    if answer.status != 200:
        return wrong + ["status %d: %r" % (answer.status, answer.body[:300])]
    if failed != (got.error is not None):
        wrong.append("error %r, expected %r" % (got.error, m.error))
    if got.broken:
        wrong.append(got.broken)
    wrong += dialects.check_choices(m.plain(), got.plain(), surface,
                                    not failed)
    if m.usage and not failed:
        wrong += dialects.check_usage(m.usage, got.usage)
    return wrong


@each_surface
@each_case
def test_to_surface(gate, up, case, surface):
    uri, doc = plain_request(surface, case)
    answer = dialects.ask(gate, uri, doc)
    wrong = check_answer(case, surface, answer)
    last = up.last("replay/%s/%s" % (case.provider, case.name))
    if not last["target"].endswith(PATHS[case.provider]):
        wrong.append("target %s" % last["target"])
    auth = [v for n, v in last["headers"] if n.lower() == "authorization"]
    if auth != ["Bearer " + world.provider_key(case)]:
        wrong.append("authorization upstream: %r" % auth)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


# --- pieces ----------------------------------------------------------------------

def steady(surface, answer):
    """What must not hang on where the bytes were cut; ids of calls that the
    provider did not name are made anew each time."""
    m = dialects.read_answer(surface, answer, True)
    return answer.status, m.plain(), m.usage, m.faults, m.error is None


@pytest.mark.parametrize("case", STREAMS, ids=repr)
def test_pieces(gate, up, case):
    n = len(case.body())
    points = random.Random(repr(case)).sample(range(1, n), min(40, n - 1))
    hows = ["cut/" + ",".join(map(str, sorted(points[i:i + 5])))
            for i in range(0, len(points), 5)] + ["chunk/1"]
    whole = {s: steady(s, dialects.ask(gate, *plain_request(s, case)))
             for s in SURFACES}
    bad = []

    def one(how, surface):
        answer = dialects.ask(gate, *plain_request(surface, case))
        if steady(surface, answer) != whole[surface]:
            bad.append((how, surface))

    with ThreadPoolExecutor(WORKERS) as run:
        try:
            for how in hows:
                up.pieces(how)
                list(run.map(lambda s, how=how: one(how, s), SURFACES))
        finally:
            up.pieces()
    assert not bad, bad[:10]


# --- requests ----------------------------------------------------------------------

def text_of(content):
    """Content as one string where it is nothing but text."""
    if isinstance(content, str) or content is None:
        return content or ""
    if all(p.get("type") == "text" for p in content):
        return "".join(p["text"] for p in content)
    return content


def cohere_as_chat(doc):
    """A recorded Cohere request as an OpenAI client would say it; None where
    that dialect has no word for a part of it."""
    out = {"messages": []}
    for k, v in doc.items():
        if k in ("stream", "temperature", "max_tokens", "seed", "tools"):
            out[k] = v
        elif k == "tool_choice":
            out[k] = v.lower()
        elif k == "stop_sequences":
            out["stop"] = v
        elif k == "logprobs":
            out[k] = v
        elif k not in ("model", "messages", "strict_tools"):
            return None
    for msg in doc["messages"]:
        m = {"role": msg["role"], "content": msg.get("content")}
        if m["role"] == "tool" and not isinstance(m["content"], str):
            return None
        for k in ("tool_calls", "tool_call_id"):
            if k in msg:
                m[k] = msg[k]
        if "tool_plan" in msg:
            m["content"] = msg["tool_plan"]
        out["messages"].append(m)
    return out


def cohere_plain(doc):
    """A Cohere request, spelled in one way only."""
    out = dict(doc)
    out.pop("model")
    out.pop("strict_tools", None)
    if "tool_choice" in out:
        out["tool_choice"] = out["tool_choice"].upper()
    out["messages"] = []
    for msg in doc["messages"]:
        m = dict(msg)
        m["content"] = text_of(m.get("content"))
        out["messages"].append(m)
    return out


def ollama_as_chat(doc):
    out, names = {"messages": [], "stream": doc.get("stream", True)}, {
        "num_predict": "max_tokens", "temperature": "temperature",
        "seed": "seed"}
    for k, v in doc.items():
        if k in ("tools", "logprobs", "top_logprobs") and v:
            out[k] = v
        elif k == "think":
            out["reasoning_effort"] = "medium" if v else "none"
        elif k == "options":
            for name, value in v.items():
                out[names[name]] = value
        elif k not in ("model", "messages", "stream", "tools", "format",
                       "keep_alive"):
            return None
    for msg in doc["messages"]:
        m = {"role": msg["role"], "content": msg.get("content", "")}
        if msg.get("images"):
            if None in msg["images"]:
                return None
            m["content"] = [{"type": "text", "text": m["content"]}] + [
                {"type": "image_url", "image_url": {
                    "url": "data:image/png;base64," + i}}
                for i in msg["images"]]
        if "tool_calls" in msg:
            m["tool_calls"] = [{
                "id": c.get("id", "call_1"), "type": "function",
                "function": {"name": c["function"]["name"], "arguments":
                             json.dumps(c["function"]["arguments"])}}
                for c in msg["tool_calls"]]
        if m["role"] == "tool":
            m["tool_call_id"] = msg.get("tool_call_id", "call_1")
        out["messages"].append(m)
    return out


def ollama_plain(doc):
    out = {k: v for k, v in doc.items()
           if k not in ("model", "keep_alive") and v not in ("", [])}
    out.setdefault("stream", True)
    out.setdefault("options", {})
    out["messages"] = []
    for msg in doc["messages"]:
        m = {k: v for k, v in msg.items()
             if k not in ("tool_name", "tool_call_id")}
        m.setdefault("content", "")
        if "tool_calls" in m:
            m["tool_calls"] = [{"function": {
                "name": c["function"]["name"],
                "arguments": c["function"]["arguments"]}}
                for c in m["tool_calls"]]
        out["messages"].append(m)
    return out


AS_CHAT = {"cohere": (cohere_as_chat, cohere_plain),
           "ollama": (ollama_as_chat, ollama_plain)}


def sayable(case):
    raw = case.request()
    return raw is not None and AS_CHAT[case.provider][0](
        json.loads(raw)) is not None


ASKED = [c for c in CASES if sayable(c)]


@pytest.mark.parametrize("case", ASKED, ids=repr)
def test_request(gate, up, case):
    """What an OpenAI client says reaches the provider as the provider's own
    client said it, and its SDK knows every member."""
    as_chat, plain = AS_CHAT[case.provider]
    recorded = json.loads(case.request())
    doc = as_chat(recorded)
    doc["model"] = alias(case)
    if doc.get("stream"):
        doc["stream_options"] = {"include_usage": True}
    answer = dialects.ask(gate, "/v1/chat/completions", doc)
    assert not check_answer(case, "openai", answer)
    sent = json.loads(up.last("replay/%s/%s" % (
        case.provider, case.name))["body"])
    assert sent.pop("model") == "up-" + case.name
    sent["model"] = recorded["model"]
    assert plain(sent) == plain(recorded)
    JUDGES[case.provider](sent)


def known_only(value, where="body"):
    """Nothing in a validated model that its type does not name."""
    if isinstance(value, list):
        for i, v in enumerate(value):
            known_only(v, "%s[%d]" % (where, i))
    elif hasattr(value, "model_fields_set"):
        assert not value.model_extra, (where, value.model_extra)
        for name in value.model_fields_set:
            known_only(getattr(value, name), where + "." + name)


def judge_cohere(body):
    cohere = pytest.importorskip("cohere")
    pydantic = pytest.importorskip("pydantic")
    import inspect
    from cohere.v2.client import V2Client
    members = set(inspect.signature(V2Client.chat).parameters) - {"self"}
    assert set(body) - {"stream"} <= members
    messages = pydantic.TypeAdapter(list[cohere.ChatMessageV2])
    known_only(messages.validate_python(body["messages"]))
    tools = pydantic.TypeAdapter(list[cohere.ToolV2])
    known_only(tools.validate_python(body.get("tools", [])))


def judge_ollama(body):
    ollama = pytest.importorskip("ollama")
    from ollama._types import ChatRequest
    assert ollama
    assert set(body) <= set(ChatRequest.model_fields)
    known_only(ChatRequest(**body))


JUDGES = {"cohere": judge_cohere, "ollama": judge_ollama}

TURNS = {
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64,iVBORw0KGgo="}}]},
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "a", "type": "function", "function": {
                "name": "look", "arguments": "{\"at\":1}"}},
            {"id": "b", "type": "function", "function": {
                "name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "a tree"},
        {"role": "tool", "tool_call_id": "b", "content": [
            {"type": "text", "text": "a house"}]},
        {"role": "assistant", "content": "A tree.",
         "reasoning_content": "Trees are green."},
        {"role": "user", "content": "And now?"}],
    "tools": [{"type": "function", "function": {
        "name": "look", "description": "Look.", "strict": True,
        "parameters": {"type": "object", "properties": {
            "at": {"type": "integer"}}}}}],
    "tool_choice": "auto", "max_tokens": 50, "temperature": 0.5,
    "top_p": 0.9, "seed": 1, "stop": ["END"], "reasoning_effort": "low",
    "frequency_penalty": 0.5, "presence_penalty": 0.5,
    "response_format": {"type": "json_schema", "json_schema": {
        "name": "n", "schema": {"type": "object", "properties": {}}}}}


@pytest.mark.parametrize("provider", sorted(READERS))
def test_all_members(gate, up, provider):
    """A request with everything in it, for the SDKs to judge."""
    case = next(c for c in CASES if c.provider == provider
                and c.status == 200 and not is_stream(c))
    doc = dict(TURNS, model=alias(case))
    answer = dialects.ask(gate, "/v1/chat/completions", doc)
    assert answer.status == 200, answer.body
    JUDGES[provider](json.loads(up.last("replay/%s/%s" % (
        case.provider, case.name))["body"]))


def test_enough_cases():
    for provider in READERS:
        own = [c for c in recording.cases(world.FIXTURES)
               if c.provider == provider]
        assert len(own) >= 6 and set(map(repr, own)) <= set(map(repr, CASES))
