"""The official OpenAI SDK as a judge of the Responses surface, of what
Responses providers are sent, and of whole turns with tools."""

import json

import pytest

import dialects
import reader_responses
import test_responses
import world
from bridge import Bridge

openai = pytest.importorskip("openai")
pydantic = pytest.importorskip("pydantic")
from openai.types.responses import response_create_params  # noqa: E402

gate = test_responses.gate
TOOL = {"type": "function", "name": "get_weather", "strict": True,
        "parameters": {"type": "object", "additionalProperties": False,
                       "properties": {"city": {"type": "string"}},
                       "required": ["city"]}}


@pytest.fixture(scope="module")
def client(gate):
    with Bridge(gate.socket) as b:
        yield openai.OpenAI(base_url=b.url + "/v1",
                            api_key=world.CLIENT_KEY, max_retries=0)


def good(case, m):
    return m.error is None and m.broken is None and \
        repr(case) + ">openai" not in world.exceptions()


STREAMS = [c for c in dialects.CASES + world.CASES
           if dialects.is_stream(c) and good(c, dialects.meaning(c))]
WHOLE = [c for c in dialects.CASES + world.CASES
         if not dialects.is_stream(c) and good(c, dialects.meaning(c))]
RESPONSES = [c for c in test_responses.CASES
             if test_responses.is_stream(c) and c.status == 200 and
             # Shortened by hand, some contradict themselves.
             c.meta["provenance"] != "fixture" and good(c, test_responses.recording_responses.read(c))]


def name_of(case):
    if case in world.CASES:
        return world.alias(case)
    if case in dialects.CASES:
        return dialects.alias(case)
    return world.alias(case, "r")


def calls_of(response):
    return [(i.call_id, i.name, i.arguments) for i in response.output
            if i.type == "function_call"]


@pytest.mark.parametrize("case", STREAMS, ids=repr)
def test_stream(client, case):
    text, args = "", {}
    with client.responses.stream(model=name_of(case), input="Hello",
                                 tools=[TOOL]) as s:
        for event in s:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.function_call_arguments.delta":
                i = event.output_index
                args[i] = args.get(i, "") + event.delta
                assert event.snapshot == args[i]
            last = event
    assert last.type in ("response.completed", "response.incomplete")
    final = last.response
    if last.type == "response.completed":
        final = s.get_final_response()
    m = dialects.meaning(case)
    want = m.choices.get(0)
    assert final.output_text == text == (want.text if want else "")
    assert [(n, a) for _, n, a in calls_of(final)] == [
        (final.output[i].name, args[i]) for i in sorted(args)]
    assert len(calls_of(final)) == len(want.calls if want else [])
    assert final.store is False


def test_custom_tool(client):
    """A call comes back as one of the custom tool that was named."""
    case = next(c for c in STREAMS if c in world.CASES and
                dialects.meaning(c).choices[0].calls)
    name = dialects.meaning(case).choices[0].calls[0][1]
    with client.responses.stream(
            model=name_of(case), input="Hello",
            tools=[{"type": "custom", "name": name}]) as s:
        deltas = "".join(e.delta for e in s if e.type ==
                         "response.custom_tool_call_input.delta")
        call = [i for i in s.get_final_response().output
                if i.type == "custom_tool_call"][0]
    assert call.name == name and call.call_id
    assert call.input and deltas.startswith(call.input)


@pytest.mark.parametrize("case", WHOLE, ids=repr)
def test_whole(client, case):
    r = client.responses.create(model=name_of(case), input="Hello",
                                max_output_tokens=100)
    want = dialects.meaning(case).choices.get(0)
    assert r.output_text == (want.text if want else "")
    assert len(calls_of(r)) == len(want.calls if want else [])
    assert r.status in ("completed", "incomplete")


@pytest.mark.parametrize("case", RESPONSES, ids=repr)
def test_same_dialect(client, case):
    with client.responses.stream(model=name_of(case), input="Hello") as s:
        last = None
        for last in s:
            pass
    assert last.type in ("response.completed", "response.incomplete")


@pytest.mark.parametrize("stream", [False, True])
def test_goes_on(client, gate, up, stream):
    """The SDK's own way to go on with a kept answer."""
    case = next(c for c in test_responses.CASES if repr(c) ==
                "responses/" + ("text" if stream else "whole-text"))
    made = client.responses.create(model=name_of(case), input="Hello",
                                   stream=stream)
    if stream:
        made = [e for e in made][-1].response
    more = client.responses.create(model=name_of(case), input="And?",
                                   stream=stream,
                                   previous_response_id=made.id)
    if stream:
        more = [e for e in more][-1].response
    assert more.id == made.id # the recording's, which always answers
    assert made.id.startswith(last_sent(up, case)["previous_response_id"])
    assert made.id != last_sent(up, case)["previous_response_id"]
    with pytest.raises(openai.NotFoundError) as e:
        client.with_options(api_key=test_responses.OTHER_KEY) \
            .responses.create(model=name_of(case), input="And?",
                              previous_response_id=made.id)
    assert e.value.code == "previous_response_not_found"


def test_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="none", input="Hello")
    case = next(c for c in WHOLE if c in world.CASES)
    with pytest.raises(openai.BadRequestError) as e:
        client.responses.create(model=name_of(case), input="Hello",
                                previous_response_id="resp_1")
    assert e.value.param == "previous_response_id"


# --- what a provider is sent -----------------------------------------------------------

def check_params(doc):
    kind = response_create_params.ResponseCreateParamsStreaming \
        if doc.get("stream") else \
        response_create_params.ResponseCreateParamsNonStreaming
    pydantic.TypeAdapter(kind).validate_python(doc)


CHAT = {
    "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9,
    "reasoning_effort": "low", "parallel_tool_calls": False,
    "logprobs": True, "top_logprobs": 2, "user": "u1", "verbosity": "low",
    "response_format": {"type": "json_schema", "json_schema": {
        "name": "x", "schema": {"type": "object"}, "strict": True}},
    "tools": [{"type": "function", "function": {
        "name": "f", "description": "d",
        "parameters": {"type": "object", "properties": {}}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data":
                                      "data:application/pdf;base64,AAAA"}}]},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            {"id": "call_1", "type": "function",
             "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "call_2", "type": "function",
             "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": [
            {"type": "text", "text": "two"},
            {"type": "text", "text": "three"}]},
        {"role": "user", "content": "Go on."}]}


def last_sent(up, case):
    return json.loads(up.last("replay/%s/%s" % (case.provider,
                                                case.name))["body"])


def test_params_from_chat(gate, up):
    case = RESPONSES[0]
    gate.post("/v1/chat/completions",
              dict(CHAT, model=name_of(case), stream=True),
              world.CLIENT_KEY)
    doc = last_sent(up, case)
    check_params(doc)
    assert [i.get("type", i.get("role")) for i in doc["input"]] == [
        "developer", "user", "assistant", "function_call", "function_call",
        "function_call_output", "function_call_output", "user"]
    assert doc["text"]["format"]["schema"] == {"type": "object"}
    assert doc["text"]["verbosity"] == "low"
    assert doc["reasoning"] == {"effort": "low", "summary": "auto"}
    assert doc["max_output_tokens"] == 100 and doc["store"] is False
    assert doc["tools"][0]["strict"] is False
    assert doc["tool_choice"] == {"type": "function", "name": "f"}
    assert doc["input"][6]["output"] == [
        {"type": "input_text", "text": "two"},
        {"type": "input_text", "text": "three"}]


def test_params_from_anthropic(gate, up):
    case = RESPONSES[0]
    gate.post("/v1/messages", {
        "model": name_of(case), "stream": True, "max_tokens": 5000,
        "system": "Be brief.", "thinking": {"type": "enabled",
                                            "budget_tokens": 2000},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "f",
                 "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [
                    {"type": "text", "text": "r"},
                    {"type": "image", "source": {
                        "type": "base64", "media_type": "image/png",
                        "data": "AAAA"}}]}]}]}, world.CLIENT_KEY)
    doc = last_sent(up, case)
    check_params(doc)
    assert [i.get("type", i.get("role")) for i in doc["input"]] == [
        "system", "user", "function_call", "function_call_output"]
    assert doc["input"][3]["output"][1]["image_url"] == \
        "data:image/png;base64,AAAA"
    assert doc["tool_choice"] == "required"


# --- turns ------------------------------------------------------------------------------

def turn(gate, up, case, output):
    """Give an answer back, as clients do, to the model that made it."""
    answer = gate.post("/v1/responses", {
        "model": name_of(case), "stream": dialects.is_stream(case),
        "input": [{"role": "user", "content": "Hello"}] + output + [
            {"type": "function_call_output", "call_id": i["call_id"],
             "output": "done"} for i in output
            if i["type"] == "function_call"]}, world.CLIENT_KEY)
    assert answer.status == 200, answer.body
    return last_sent(up, case)


def sealed_cases(dialect):
    out = []
    for c in dialects.CASES:
        m = dialects.meaning(c)
        if dialects.dialect_of(c) == dialect and good(c, m) and \
                m.choices and (m.choices[0].signatures or
                               m.choices[0].sealed):
            out.append(c)
    return out


def answer_of(gate, case):
    stream = dialects.is_stream(case)
    a = gate.post("/v1/responses", {"model": name_of(case),
                                    "stream": stream, "input": "Hello"},
                  world.CLIENT_KEY)
    r = reader_responses.read_answer(a.status, a.header("content-type"),
                                     a.body, stream)
    assert not r.faults
    return r.response["output"]


@pytest.mark.parametrize("case", sealed_cases("anthropic"), ids=repr)
def test_signatures_come_back_anthropic(gate, up, case):
    sent = turn(gate, up, case, answer_of(gate, case))
    blocks = [b for m in sent["messages"] if m["role"] == "assistant"
              for b in m["content"]]
    want = dialects.meaning(case).choices[0]
    got = [b["signature"] for b in blocks if b["type"] == "thinking"]
    assert got == want.signatures
    assert [b["data"] for b in blocks
            if b["type"] == "redacted_thinking"] == want.sealed
    assert "".join(b["thinking"] for b in blocks
                   if b["type"] == "thinking") == want.reasoning


@pytest.mark.parametrize("case", sealed_cases("gemini"), ids=repr)
def test_signatures_come_back_gemini(gate, up, case):
    sent = turn(gate, up, case, answer_of(gate, case))
    parts = [p for c in sent["contents"] if c["role"] == "model"
             for p in c["parts"]]
    got = [p.get("thoughtSignature") for p in parts
           if p.get("thoughtSignature")]
    assert set(got) == set(dialects.meaning(case).choices[0].signatures)


def test_foreign_reasoning_is_left_out(gate, up):
    """Nothing that another dialect's model sealed goes to a provider of
    this one; what it sealed itself does."""
    made = answer_of(gate, sealed_cases("anthropic")[0])
    case = RESPONSES[0]
    own = {"type": "reasoning", "id": "rs_1", "summary": [],
           "encrypted_content": "gAAAA"}
    gate.post("/v1/responses", {"model": name_of(case), "stream": True,
                                "input": [own] + made}, world.CLIENT_KEY)
    sent = last_sent(up, case)["input"]
    assert sent == [own] + [i for i in made if i["type"] != "reasoning"]
