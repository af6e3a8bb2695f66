"""Bedrock's Converse through the program: recordings to clients of every
surface, and requests of every surface as botocore would have them."""

import json
import os
import random

import pytest

pytest.importorskip("botocore")

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.validate

import dialects
import pool
import recording
import recording_anthropic
import recording_bedrock
import world

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = "IQoJb3JpZ2luX2VjEXAMPLE//token=="
MODEL = "arn:aws:bedrock:us-east-1:000000000000:inference-profile/" \
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SHORT = 1500

CASES = [c for root in world.roots() for c in recording.cases(root)
         if recording_bedrock.is_converse(c)
         and repr(c) not in world.exceptions()]
GUESTS = [c for root in world.roots() for c in recording.cases(root)
          if c.provider == "bedrock" and c.status == 200 and
          "anthropic.claude" in (c.meta.get("model") or "") and c.api in (
              "invoke", "invoke-with-response-stream")]
each_case = pytest.mark.parametrize("case", CASES, ids=repr)
each_surface = pytest.mark.parametrize("surface", dialects.SURFACES)


def provider(url):
    return {"adapter": "bedrock", "base_url": url, "region": "us-east-1",
            "auth": "sigv4", "access_key": "plain:" + ACCESS,
            "secret_key": "plain:" + SECRET,
            "session_token": "plain:" + SESSION}


MODELS = {"claude": MODEL, "opus": "anthropic.claude-opus-4-7",
          "nova": "us.amazon.nova-pro-v1:0", "nova2": "amazon.nova-2-lite-v1:0",
          "oss": "openai.gpt-oss-20b-1:0", "llama": "meta.llama3-1-8b-v1:0"}


def policy(up):
    out = {"log": os.devnull, "attempts": 1, "providers": {}, "models": {},
           "keys": [{"name": "corpus", "secret": "plain:" +
                     world.CLIENT_KEY}]}
    for i, c in enumerate(CASES):
        out["providers"]["p%d" % i] = provider(up.base(
            "replay/%s/%s" % (c.provider, c.name), ""))
        out["models"][dialects.alias(c)] = {"targets": [
            {"provider": "p%d" % i, "model": MODEL}]}
    for i, c in enumerate(GUESTS):
        out["providers"]["g%d" % i] = dict(provider(up.base(
            "replay/%s/%s" % (c.provider, c.name), "")),
            adapter="anthropic")
        out["models"][dialects.alias(c)] = {"targets": [
            {"provider": "g%d" % i, "model": MODEL}]}
    out["providers"]["ask"] = provider(up.base("replay/bedrock/cache", ""))
    for name, model in MODELS.items():
        out["models"][name] = {"targets": [
            {"provider": "ask", "model": model}]}
    return out


@pytest.fixture(scope="module")
def gate(up):
    p = pool.Pool(policy(up)).start()
    yield p
    alive, status = p.alive(), p.stop()
    log = p.log()
    p.clean()
    assert alive and status == 0, "exit status %r:\n%s" % (status, log)
    assert "ERROR: AddressSanitizer" not in log, log


def plain_request(surface, name, stream):
    if surface == "gemini":
        return dialects.gemini_uri(name, stream), {"contents": [
            {"role": "user", "parts": [{"text": "Hello"}]}]}
    doc = {"model": name, "stream": stream,
           "messages": [{"role": "user", "content": "Hello"}]}
    if surface == "anthropic":
        return "/v1/messages", dict(doc, max_tokens=1000)
    if stream:
        doc["stream_options"] = {"include_usage": True}
    return "/v1/chat/completions", doc


def check_answer(case, surface, answer):
    m = recording_bedrock.read(case)
    stream = recording_bedrock.is_stream(case)
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
        wrong.append("error %r, expected %r" % (got.error,
                                                m.error or m.broken))
    wrong += dialects.check_choices(m.plain(), got.plain(), surface,
                                    not failed)
    if m.usage and not failed:
        wrong += dialects.check_usage(m.usage, got.usage)
    return wrong + dialects.check_proofs(m, surface, answer.body)


@each_surface
@each_case
def test_to_surface(gate, up, case, surface):
    stream = recording_bedrock.is_stream(case)
    uri, doc = plain_request(surface, dialects.alias(case), stream)
    answer = dialects.ask(gate, uri, doc)
    wrong = check_answer(case, surface, answer)
    wrong += check_sent(up.last("replay/%s/%s" % (case.provider,
                                                  case.name)), stream)
    assert not wrong, "\n".join(wrong) + "\nbody: %r" % answer.body[:1500]


def guest_meaning(case):
    """Claude by InvokeModel: Anthropic's dialect, streams in an envelope."""
    if not recording_bedrock.is_stream(case):
        return recording_anthropic.read_body(200, case.body(), False)
    events = [json.loads(e) for e in recording_bedrock.inside(case)]
    return recording_anthropic.read_body(200, b"".join(
        b"event: %s\ndata: %s\n\n" % (e["type"].encode(),
                                      json.dumps(e).encode())
        for e in events), True)


@each_surface
@pytest.mark.parametrize("case", GUESTS, ids=repr)
def test_guests(gate, up, case, surface):
    stream = recording_bedrock.is_stream(case)
    uri, doc = plain_request(surface, dialects.alias(case), stream)
    answer = dialects.ask(gate, uri, doc,
                          [("anthropic-beta", "one-2026, two-2026")])
    m, got = guest_meaning(case), dialects.read_answer(surface, answer,
                                                       stream)
    assert answer.status == 200 and not got.error
    assert not dialects.check_choices(m.plain(), got.plain(), surface, True)
    assert not dialects.check_usage(m.usage, got.usage)
    last = up.last("replay/%s/%s" % (case.provider, case.name))
    assert last["target"].endswith("/model/%s/%s" % (
        MODEL.replace(":", "%3A").replace("/", "%2F"),
        "invoke-with-response-stream" if stream else "invoke"))
    sent = json.loads(last["body"])
    assert sent["anthropic_version"] == "bedrock-2023-05-31"
    assert "model" not in sent and "stream" not in sent
    if surface == "anthropic":
        assert sent["anthropic_beta"] == ["one-2026", "two-2026"]
    h = headers_of(last)
    names = h["authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert signature(last, names.split(";")) in h["authorization"]


# --- pieces ----------------------------------------------------------------

def cuts(case):
    n = len(case.body())
    points = range(1, n) if n <= SHORT else \
        random.Random(repr(case)).sample(range(1, n), 60)
    points = sorted(points)
    return ["cut/" + ",".join(map(str, points[i::len(points) // 5 + 1]))
            for i in range(len(points) // 5 + 1)] + ["chunk/1"]


def steady(answer):
    m = dialects.read_answer("openai", answer, True)
    return answer.status, m.plain(), m.usage, m.faults, m.error is None


@pytest.mark.parametrize("case", [
    c for c in CASES if recording_bedrock.is_stream(c)], ids=repr)
def test_pieces(gate, up, case):
    uri, doc = plain_request("openai", dialects.alias(case), True)
    whole = steady(dialects.ask(gate, uri, doc))
    try:
        for how in cuts(case):
            up.pieces(how)
            assert steady(dialects.ask(gate, uri, doc)) == whole, how
    finally:
        up.pieces()


# --- what providers get ---------------------------------------------------------

def headers_of(last):
    return {n.lower(): v for n, v in last["headers"]}


def signature(last, names):
    """As botocore signs what came."""
    h = headers_of(last)
    url = "http://%s%s" % (h["host"], last["target"])
    rq = botocore.awsrequest.AWSRequest(
        method=last["method"], url=url, data=last["body"].encode(),
        headers={n: h[n] for n in names})
    rq.context["timestamp"] = h["x-amz-date"]
    auth = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials(ACCESS, SECRET), "bedrock",
        "us-east-1")
    text = auth.string_to_sign(rq, auth.canonical_request(rq))
    return auth.signature(text, rq)


def check_sent(last, stream, model=MODEL):
    h = headers_of(last)
    wrong = []
    scheme, _, rest = h["authorization"].partition(" ")
    fields = dict(f.split("=", 1) for f in rest.split(", "))
    names = fields["SignedHeaders"].split(";")
    if scheme != "AWS4-HMAC-SHA256" or not fields["Credential"].startswith(
            ACCESS + "/") or not {"host", "x-amz-date", "content-type",
                                  "x-amz-security-token"} <= set(names):
        wrong.append(h["authorization"])
    if fields["Signature"] != signature(last, names):
        wrong.append("a wrong signature")
    if h.get("x-amz-security-token") != SESSION:
        wrong.append("session %r" % h.get("x-amz-security-token"))
    verb = "converse-stream" if stream else "converse"
    if not last["target"].endswith("/model/%s/%s" % (
            model.replace(":", "%3A").replace("/", "%2F"), verb)):
        wrong.append(last["target"])
    return wrong + check_shape(json.loads(last["body"]), model)


def check_shape(doc, model):
    """What botocore says of the request."""
    service = botocore.session.get_session().get_service_model(
        "bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    report = botocore.validate.ParamValidator().validate(
        dict(doc, modelId=model), shape)
    return [report.generate_report()] if report.has_errors() else []


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" \
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQK"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}},
          "required": ["city"]}
FUNCTION = {"type": "function", "function": {
    "name": "weather", "description": "Tell it.", "parameters": SCHEMA}}
SPEC = {"toolSpec": {"name": "weather", "description": "Tell it.",
                     "inputSchema": {"json": SCHEMA}}}
HELLO = [{"role": "user", "content": "Hello"}]
SAID = [{"role": "user", "content": [{"text": "Hello"}]}]
DIALOGUE = HELLO + [
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {
            "name": "weather", "arguments": "{\"city\": \"Bonn\"}"}},
        {"id": "bad id/" + "x" * 80, "type": "function", "function": {
            "name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    {"role": "tool", "tool_call_id": "bad id/" + "x" * 80,
     "content": "sun"},
    {"role": "user", "content": "And?"}]

CHAT = [
    ("plain", "claude", {"messages": HELLO},
     {"messages": SAID, "inferenceConfig": {}}),
    ("settings", "claude",
     {"messages": [{"role": "system", "content": "Be brief."}] + HELLO +
      [{"role": "developer", "content": "In German."}],
      "max_completion_tokens": 50, "temperature": 1.5, "top_p": 0.5,
      "stop": ["END"], "service_tier": "flex"},
     {"messages": SAID,
      "system": [{"text": "Be brief."}, {"text": "In German."}],
      "inferenceConfig": {"maxTokens": 50, "temperature": 1, "topP": 0.5,
                          "stopSequences": ["END"]},
      "additionalModelResponseFieldPaths": ["/stop_sequence"],
      "serviceTier": {"type": "flex"}}),
    ("media", "claude",
     {"messages": [{"role": "user", "content": [
         {"type": "text", "text": "What?"},
         {"type": "image_url", "image_url": {
             "url": "data:image/png;base64," + PNG}},
         {"type": "file", "file": {
             "filename": "a_b  c.pdf",
             "file_data": "data:application/pdf;base64," + PDF}}]}]},
     {"messages": [{"role": "user", "content": [
         {"text": "What?"},
         {"image": {"format": "png", "source": {"bytes": PNG}}},
         {"document": {"format": "pdf", "name": "a-b c-pdf",
                       "source": {"bytes": PDF}}}]}],
      "inferenceConfig": {}}),
    ("tools", "nova",
     {"messages": HELLO, "tools": [FUNCTION], "tool_choice": "required"},
     {"messages": SAID, "inferenceConfig": {}, "toolConfig": {
         "tools": [SPEC], "toolChoice": {"any": {}}}}),
    ("named", "nova",
     {"messages": HELLO, "tools": [FUNCTION], "tool_choice": {
         "type": "function", "function": {"name": "weather"}}},
     {"messages": SAID, "inferenceConfig": {}, "toolConfig": {
         "tools": [SPEC], "toolChoice": {"tool": {"name": "weather"}}}}),
    ("none", "nova",
     {"messages": HELLO, "tools": [FUNCTION], "tool_choice": "none"},
     {"messages": SAID, "inferenceConfig": {}}),
    ("schema", "claude",
     {"messages": HELLO, "response_format": {
         "type": "json_schema", "json_schema": {
             "name": "place", "schema": SCHEMA, "strict": True}}},
     {"messages": SAID, "inferenceConfig": {}, "outputConfig": {
         "textFormat": {"type": "json_schema", "structure": {
             "jsonSchema": {"name": "place", "schema": SCHEMA}}}}}),
    ("budget", "claude",
     {"messages": HELLO, "reasoning_effort": "low", "temperature": 0.2,
      "max_completion_tokens": 9000},
     {"messages": SAID, "inferenceConfig": {"maxTokens": 9000},
      "additionalModelRequestFields": {
          "thinking": {"type": "enabled", "budget_tokens": 2048}}}),
    ("adaptive", "opus", {"messages": HELLO, "reasoning_effort": "high"},
     {"messages": SAID, "inferenceConfig": {},
      "additionalModelRequestFields": {
          "thinking": {"type": "adaptive"},
          "output_config": {"effort": "high"}}}),
    ("word", "oss", {"messages": HELLO, "reasoning_effort": "medium"},
     {"messages": SAID, "inferenceConfig": {},
      "additionalModelRequestFields": {"reasoning_effort": "medium"}}),
    ("nova2", "nova2", {"messages": HELLO, "reasoning_effort": "low"},
     {"messages": SAID, "inferenceConfig": {},
      "additionalModelRequestFields": {"reasoningConfig": {
          "type": "enabled", "maxReasoningEffort": "low"}}}),
]


def ask(gate, up, uri, doc):
    answer = dialects.ask(gate, uri, doc)
    assert answer.status == 200, answer.body
    return answer, up.last("replay/bedrock/cache")


def checked(last, name):
    assert check_sent(last, False, MODELS[name]) == []
    doc = json.loads(last["body"])
    form = doc.get("outputConfig")
    if form: # the schema travels as a text
        inner = form["textFormat"]["structure"]["jsonSchema"]
        inner["schema"] = json.loads(inner["schema"])
    return doc


@pytest.mark.parametrize("name,model,doc,want", CHAT,
                         ids=[c[0] for c in CHAT])
def test_requests(gate, up, name, model, doc, want):
    _, last = ask(gate, up, "/v1/chat/completions", dict(doc, model=model))
    assert checked(last, model) == want


def test_dialogue(gate, up):
    """Results of one turn are together, ids that are not allowed become
    such that are, and tools of the past are declared."""
    _, last = ask(gate, up, "/v1/chat/completions",
                  {"model": "claude", "messages": DIALOGUE})
    doc = checked(last, "claude")
    roles = [m["role"] for m in doc["messages"]]
    assert roles == ["user", "assistant", "user"]
    calls = [b["toolUse"] for b in doc["messages"][1]["content"]]
    results = [b["toolResult"] for b in doc["messages"][2]["content"][:2]]
    assert [c["input"] for c in calls] == [{"city": "Bonn"}, {}]
    assert calls[0]["toolUseId"] == "call_1"
    assert [c["toolUseId"] for c in calls] == [
        r["toolUseId"] for r in results]
    assert len(calls[1]["toolUseId"]) <= 64
    assert [r["content"] for r in results] == [
        [{"text": "rain"}], [{"text": "sun"}]]
    assert doc["messages"][2]["content"][2] == {"text": "And?"}
    assert [t["toolSpec"]["name"] for t in doc["toolConfig"]["tools"]] == [
        "weather"]


def test_anthropic_request(gate, up):
    """Cache marks and tools' errors; reasoning of another maker stays out."""
    mark = {"type": "ephemeral"}
    _, last = ask(gate, up, "/v1/messages", {
        "model": "claude", "max_tokens": 4000, "top_k": 7,
        "system": [{"type": "text", "text": "Rules",
                    "cache_control": dict(mark, ttl="1h")}],
        "tools": [{"name": "f", "input_schema": SCHEMA,
                   "cache_control": mark}],
        "messages": HELLO + [
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm",
                 "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "f",
                 "input": {"city": "x"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1",
                 "is_error": True, "content": "no such city",
                 "cache_control": mark}]}]})
    doc = checked(last, "claude")
    point = {"cachePoint": {"type": "default"}}
    assert doc["system"] == [{"text": "Rules"}, {
        "cachePoint": {"type": "default", "ttl": "1h"}}]
    assert doc["toolConfig"]["tools"][1] == point
    assert doc["messages"][1]["content"] == [{"toolUse": {
        "toolUseId": "toolu_1", "name": "f", "input": {"city": "x"}}}]
    assert doc["messages"][2]["content"] == [{"toolResult": {
        "toolUseId": "toolu_1", "status": "error",
        "content": [{"text": "no such city"}]}}, point]
    assert doc["additionalModelRequestFields"] == {"top_k": 7}
    assert doc["inferenceConfig"] == {"maxTokens": 4000}


def test_reasoning_returns(gate, up):
    """What Bedrock signed goes back to it, from every surface that can."""
    case = [c for c in CASES if c.name == "reasoning"][0]
    uri, doc = plain_request("openai", dialects.alias(case), False)
    message = json.loads(dialects.ask(gate, uri, doc).body)[
        "choices"][0]["message"]
    _, last = ask(gate, up, "/v1/chat/completions", {
        "model": "claude", "messages": HELLO + [message] + HELLO})
    assert checked(last, "claude")["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {
            "text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"text": "yes"}]


REFUSED = [
    ({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {
            "url": "https://example.com/a.png"}}]}]}, "messages"),
    ({"messages": DIALOGUE, "tools": [FUNCTION], "tool_choice": "none"},
     "tool_choice"),
    ({"messages": HELLO, "service_tier": "gold"}, "service_tier"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
]


@pytest.mark.parametrize("doc,param", REFUSED)
def test_refused(gate, doc, param):
    answer = dialects.ask(gate, "/v1/chat/completions",
                          dict(doc, model="claude"))
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"]["param"] == param


def test_not_taken(gate):
    """What a family of models has no word for is named, not lost."""
    answer = dialects.ask(gate, "/v1/chat/completions", {
        "model": "llama", "messages": HELLO, "reasoning_effort": "low",
        "seed": 1})
    assert answer.status == 200
    dropped = answer.header("x-tollgate-dropped") or ""
    assert "reasoning_effort" in dropped and "seed" in dropped


def test_enough_cases():
    assert len([c for c in recording.cases(world.FIXTURES)
                if recording_bedrock.is_converse(c)]) >= 20
    if world.corpus_root() is not None:
        assert len(CASES) > 40
