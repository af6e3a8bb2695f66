"""Requests of every surface, to providers of every dialect: what the
provider gets is what the official SDK's types allow, and says all that the
client said."""

import copy
import json
import os

import pytest

pytest.importorskip("anthropic")
pytest.importorskip("google.genai")
pytest.importorskip("openai")

import dialects  # noqa: E402
import facts  # noqa: E402
import pool  # noqa: E402
import sdk_types  # noqa: E402
import world  # noqa: E402

PNG = "iVBORw0KGgo="
PDF = "JVBERi0xLjQK"
URL = "https://pictures.example/harbour.png"
SIGN = "c2lnbmVkLWJ5LWl0cy1tYWtlcg=="
SCHEMA = {"type": "object", "properties": {
    "port": {"type": "string"}, "hours": {"type": "array", "items": {
        "type": "object", "properties": {"h": {"type": "integer"}},
        "required": ["h"], "additionalProperties": False}}},
    "required": ["port", "hours"], "additionalProperties": False}
ARGS = {"port": "Brest", "hours": [{"h": 6}]}

# target → (provider, case that answers, model)
TARGETS = {
    "openai": ("openai", "shape/whole-plain", "gpt-fixture"),
    "anthropic": ("anthropic", "anthropic/whole-text", "claude-sonnet-4-5"),
    "adaptive": ("anthropic", "anthropic/whole-text", "claude-opus-5"),
    "gemini": ("gemini", "gemini/whole-text", "gemini-2.5-flash"),
    "gemini3": ("gemini", "gemini/whole-text", "gemini-3-pro"),
}
COUNTERS = {
    "anthropic-counts": ("anthropic", "anthropic/count", "counter"),
    "gemini-counts": ("gemini", "gemini/count", "counter"),
}


@pytest.fixture(scope="module")
def gate(up):
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for name, (dialect, case, model) in {**TARGETS, **COUNTERS}.items():
        root = {"openai": "v1", "anthropic": "", "gemini": "v1beta"}[dialect]
        policy["providers"][name] = {
            "adapter": dialect, "key": "plain:sk-" + name,
            "base_url": up.base("replay/" + case, root)}
        policy["models"]["to-" + name] = {"targets": [
            {"provider": name, "model": model}]}
    with pool.Pool(policy) as p:
        yield p


# --- the table: what each surface says ---------------------------------------------

def o_user(content):
    return {"role": "user", "content": content}


def o_call(cid, args=None):
    return {"id": cid, "type": "function", "function": {
        "name": "tide_at", "arguments": json.dumps(
            ARGS if args is None else args)}}


def a_call(cid, args=None):
    return {"type": "tool_use", "id": cid, "name": "tide_at",
            "input": ARGS if args is None else args}


def g_call(args=None, **more):
    return dict({"functionCall": {"name": "tide_at", "args": ARGS
                                  if args is None else args}}, **more)


def g_user(*parts):
    return {"role": "user", "parts": list(parts)}


def g_model(*parts):
    return {"role": "model", "parts": list(parts)}


def g_answer(**body):
    return {"functionResponse": {"name": "tide_at", "response": body}}


O_TOOLS = [{"type": "function", "function": {
    "name": "tide_at", "description": "High water", "parameters": SCHEMA}}]
A_TOOLS = [{"name": "tide_at", "description": "High water",
            "input_schema": SCHEMA}]
G_TOOLS = [{"functionDeclarations": [{
    "name": "tide_at", "description": "High water",
    "parametersJsonSchema": SCHEMA}]}]
ASK = o_user("When?")
G_ASK = [g_user({"text": "When?"})]
STRUCTURED = {"type": "json_schema", "json_schema": {
    "name": "tides", "strict": True, "schema": SCHEMA}}

CASES = {
    "turns": {
        "openai": {"messages": [
            {"role": "system", "content": "Be brief."}, o_user("One"),
            {"role": "assistant", "content": "Two"}, o_user("Three")]},
        "anthropic": {"system": "Be brief.", "messages": [
            o_user("One"), {"role": "assistant", "content": "Two"},
            o_user([{"type": "text", "text": "Three"}])]},
        "gemini": {"systemInstruction": {"parts": [{"text": "Be brief."}]},
                   "contents": [g_user({"text": "One"}),
                                g_model({"text": "Two"}),
                                g_user({"text": "Three"})]}},
    "system in the middle": {
        "openai": {"messages": [
            {"role": "system", "content": "Be brief. "}, o_user("One"),
            {"role": "assistant", "content": "Two"},
            {"role": "developer", "content": [
                {"type": "text", "text": "Be briefer."}]},
            o_user("Three")]}},
    "neighbours": {
        "openai": {"messages": [o_user("One, "), o_user("two"),
                                {"role": "assistant", "content": "Three"},
                                {"role": "assistant", "content": ""},
                                o_user("Four")]},
        "anthropic": {"messages": [o_user("One, "), o_user("two")]},
        "gemini": {"contents": [g_user({"text": "One, "}),
                                g_user({"text": "two"})]}},
    "tool results": {
        "openai": {"tools": O_TOOLS, "messages": [
            ASK, {"role": "assistant", "content": "I look.",
                  "tool_calls": [o_call("c1"), o_call("c2", {})]},
            {"role": "tool", "tool_call_id": "c1", "content": "04:12"},
            {"role": "tool", "tool_call_id": "c2", "content": [
                {"type": "text", "text": "05:"},
                {"type": "text", "text": "30"}]},
            o_user("Thanks")]},
        "anthropic": {"tools": A_TOOLS, "messages": [
            ASK, {"role": "assistant", "content": [
                {"type": "text", "text": "I look."}, a_call("c1"),
                a_call("c2", {})]},
            o_user([{"type": "tool_result", "tool_use_id": "c1",
                     "content": "04:12"},
                    {"type": "tool_result", "tool_use_id": "c2",
                     "is_error": True, "content": [
                         {"type": "text", "text": "no such port"}]},
                    {"type": "text", "text": "Thanks"}])]},
        "gemini": {"tools": G_TOOLS, "contents": G_ASK + [
            g_model({"text": "I look."}, g_call(), g_call({})),
            g_user(g_answer(result="04:12"), g_answer(error="no such port"),
                   {"text": "Thanks"})]}},
    "results with images": {
        "anthropic": {"tools": A_TOOLS, "messages": [
            ASK, {"role": "assistant", "content": [
                a_call("c1"), a_call("c2", {})]},
            o_user([{"type": "tool_result", "tool_use_id": "c1",
                     "content": [
                         {"type": "text", "text": "see"},
                         {"type": "image", "source": {
                             "type": "base64", "media_type": "image/png",
                             "data": PNG}}]},
                    {"type": "tool_result", "tool_use_id": "c2",
                     "content": "none"}])]}},
    "results out of order": {
        "openai": {"tools": O_TOOLS, "messages": [
            ASK, {"role": "assistant", "content": None,
                  "tool_calls": [o_call("c1"), o_call("c2", {})]},
            o_user("Wait: "),
            {"role": "tool", "tool_call_id": "c1", "content": "04:12"},
            {"role": "tool", "tool_call_id": "c2", "content": "05:30"}]}},
    "images": {
        "openai": {"messages": [o_user([
            {"type": "text", "text": "See"},
            {"type": "image_url", "image_url": {"url": URL}},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64," + PNG}}])]},
        "anthropic": {"messages": [o_user([
            {"type": "text", "text": "See"},
            {"type": "image", "source": {"type": "url", "url": URL}},
            {"type": "image", "source": {
                "type": "base64", "media_type": "image/png",
                "data": PNG}}])]},
        "gemini": {"contents": [g_user(
            {"text": "See"}, {"fileData": {"mimeType": "image/png",
                                           "fileUri": URL}},
            {"inlineData": {"mimeType": "image/png", "data": PNG}})]}},
    "pdf": {
        "openai": {"messages": [o_user([
            {"type": "file", "file": {
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64," + PDF}},
            {"type": "text", "text": "Sum up"}])]},
        "anthropic": {"messages": [o_user([
            {"type": "document", "title": "a.pdf", "source": {
                "type": "base64", "media_type": "application/pdf",
                "data": PDF}}, {"type": "text", "text": "Sum up"}])]},
        "gemini": {"contents": [g_user(
            {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
            {"text": "Sum up"})]}},
    "structured": {
        "openai": {"messages": [ASK], "response_format": STRUCTURED},
        "anthropic": {"messages": [ASK], "output_config": {"format": {
            "type": "json_schema", "schema": SCHEMA}}},
        "gemini": {"contents": G_ASK, "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA}}},
    "json": {
        "openai": {"messages": [ASK],
                   "response_format": {"type": "json_object"}},
        "gemini": {"contents": G_ASK, "generationConfig": {
            "responseMimeType": "application/json"}}},
    "old schema": {
        "gemini": {"contents": G_ASK, "generationConfig": {
            "responseMimeType": "application/json", "responseSchema": {
                "type": "OBJECT", "properties": {"a": {"type": "STRING"}},
                "required": ["a"], "additionalProperties": False}},
            "tools": [{"functionDeclarations": [
                {"name": "f", "description": "d", "parameters": {
                    "type": "OBJECT", "properties": {
                        "n": {"type": "INTEGER"}}}}]}]}},
    "sampling": {
        "openai": {"messages": [ASK], "temperature": 0.25, "top_p": 0.75,
                   "max_completion_tokens": 77, "stop": ["END", "."]},
        "anthropic": {"messages": [ASK], "temperature": 0.25, "top_p": 0.75,
                      "stop_sequences": ["END", "."]},
        "gemini": {"contents": G_ASK, "generationConfig": {
            "temperature": 0.25, "topP": 0.75, "maxOutputTokens": 77,
            "stopSequences": ["END", "."]}}},
    "one stop": {"openai": {"messages": [ASK], "stop": "END"}},
    "user": {"openai": {"messages": [ASK], "user": "u-17"},
             "anthropic": {"messages": [ASK],
                           "metadata": {"user_id": "u-17"}}},
    "cache marks": {
        "anthropic": {"system": [{"type": "text", "text": "Be brief.",
                                  "cache_control": {"type": "ephemeral",
                                                    "ttl": "1h"}}],
                      "messages": [o_user([{
                          "type": "text", "text": "When?",
                          "cache_control": {"type": "ephemeral"}}])]},
        "openai": {"messages": [{"role": "system", "content": [{
            "type": "text", "text": "Be brief.",
            "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, ASK]}},
    "plain document": {
        "anthropic": {"messages": [o_user([
            {"type": "document", "source": {
                "type": "text", "media_type": "text/plain",
                "data": "Tides."}}, {"type": "text", "text": " Sum up"}])]}},
}
for word, a, g in (("auto", {"type": "auto"}, {"mode": "AUTO"}),
                   ("none", {"type": "none"}, {"mode": "NONE"}),
                   ("required", {"type": "any"}, {"mode": "ANY"}),
                   ("named", {"type": "tool", "name": "tide_at"},
                    {"mode": "ANY", "allowedFunctionNames": ["tide_at"]})):
    CASES["choice " + word] = {
        "openai": {"messages": [ASK], "tools": O_TOOLS, "tool_choice": {
            "type": "function", "function": {"name": "tide_at"}}
            if word == "named" else word},
        "anthropic": {"messages": [ASK], "tools": A_TOOLS,
                      "tool_choice": a},
        "gemini": {"contents": G_ASK, "tools": G_TOOLS,
                   "toolConfig": {"functionCallingConfig": g}}}
CASES["one call at a time"] = {
    "openai": {"messages": [ASK], "tools": O_TOOLS,
               "parallel_tool_calls": False},
    "anthropic": {"messages": [ASK], "tools": A_TOOLS, "tool_choice": {
        "type": "auto", "disable_parallel_tool_use": True}}}
CASES["effort"] = {
    "openai": {"messages": [ASK], "reasoning_effort": "high",
               "max_completion_tokens": 30000},
    "anthropic": {"messages": [ASK], "max_tokens": 30000, "thinking": {
        "type": "enabled", "budget_tokens": 10000}},
    "gemini": {"contents": G_ASK, "generationConfig": {
        "maxOutputTokens": 30000,
        "thinkingConfig": {"thinkingLevel": "HIGH"}}}}
CASES["adaptive effort"] = {
    "anthropic": {"messages": [ASK], "max_tokens": 30000, "thinking": {
        "type": "adaptive"}, "output_config": {"effort": "high"}}}

# What a dialect has no word for: dropped, and named to the client.
NO_WORD = {"gemini": {"parallel_tool_calls", "user"},
           "adaptive": {"temperature", "top_p"}}


def complete(surface, doc, target):
    """(uri, document) of a case."""
    doc, name = copy.deepcopy(doc), "to-" + target
    if surface == "gemini":
        return dialects.gemini_uri(name, False), doc
    doc["model"] = name
    if surface == "anthropic":
        doc.setdefault("max_tokens", 500)
        return "/v1/messages", doc
    return "/v1/chat/completions", doc


def send(gate, up, surface, doc, target, headers=()):
    """(answer, what the provider got)."""
    uri, doc = complete(surface, doc, target)
    answer = dialects.ask(gate, uri, doc, headers)
    if answer.status != 200:
        return answer, None
    return answer, json.loads(up.last("replay/" + TARGETS[target][1])["body"])


ROWS = [(name, surface, target) for name, docs in CASES.items()
        for surface in docs for target in TARGETS]


@pytest.mark.parametrize("name,surface,target", ROWS,
                         ids=["%s-%s-%s" % r for r in ROWS])
def test_request(gate, up, name, surface, target):
    client = complete(surface, CASES[name][surface], target)[1]
    answer, got = send(gate, up, surface, CASES[name][surface], target)
    assert answer.status == 200, answer.body[:500]
    dialect = TARGETS[target][0]
    if dialect != surface:
        assert sdk_types.CHECKS[dialect](got) == []
    want = facts.READ[surface](client)
    have = facts.READ[dialect](got)
    dropped = answer.header("x-tollgate-dropped") or ""
    if dialect != surface:
        settle(name, surface, target, want, have, dropped)
    assert have["turns"] == want["turns"]
    assert have == want


def settle(name, surface, target, want, have, dropped):
    """The differences that are meant to be."""
    dialect = TARGETS[target][0]
    a, b = want["settings"], have["settings"]
    for word in NO_WORD.get(target, NO_WORD.get(dialect, ())):
        if a[word] is not None:
            assert b[word] is None and word in dropped, dropped
            a[word] = None
    if a["max"] is None and dialect == "anthropic":
        b["max"] = None # the dialect demands one
    if a["choice"] is None and a["parallel_tool_calls"] is False and \
            dialect == "anthropic":
        a["choice"] = "auto" # the place of the other setting
    if dialect != "gemini" and surface == "gemini":
        a["parallel_tool_calls"] = b["parallel_tool_calls"]
    if name == "results out of order" and dialect == "anthropic":
        text = want["turns"].pop(3)
        want["turns"].append(text)
    if name == "results out of order" and dialect == "openai":
        return


# --- reasoning goes back to its maker, and to no other -------------------------------

def history(surface, sign, sealed=None):
    """A turn that thought and called."""
    if surface == "anthropic":
        blocks = [{"type": "thinking", "thinking": "Tides.",
                   "signature": sign}, a_call("c1")]
        return {"max_tokens": 30000, "tools": A_TOOLS, "messages": [
            ASK, {"role": "assistant", "content": blocks},
            o_user([{"type": "tool_result", "tool_use_id": "c1",
                     "content": "04:12"}])]}
    if surface == "gemini":
        return {"tools": G_TOOLS, "contents": G_ASK + [
            g_model({"text": "Ti", "thought": True},
                    {"text": "des.", "thought": True,
                     "thoughtSignature": sign}, g_call()),
            g_user(g_answer(result="04:12"))]}
    return {"tools": O_TOOLS, "messages": [ASK, {
        "role": "assistant", "content": None, "reasoning_content": "Tides.",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Ti", "index": 0,
             "format": "anthropic-claude-v1"},
            {"type": "reasoning.text", "text": "des.", "index": 0,
             "format": "anthropic-claude-v1"},
            {"type": "reasoning.text", "signature": sign, "index": 0,
             "format": "anthropic-claude-v1"}],
        "tool_calls": [o_call("c1")]},
        {"role": "tool", "tool_call_id": "c1", "content": "04:12"}]}


MARK_A, MARK_G = "tollgate/anthropic++", "tollgate/gemini+"


@pytest.mark.parametrize("surface,sign", [
    ("openai", SIGN), ("gemini", MARK_A + SIGN), ("anthropic", SIGN)])
def test_thinking_to_anthropic(gate, up, surface, sign):
    answer, got = send(gate, up, surface, history(surface, sign),
                       "anthropic")
    assert answer.status == 200, answer.body
    assert got["messages"][1]["content"][0] == {
        "type": "thinking", "thinking": "Tides.", "signature": SIGN}
    if surface != "anthropic":
        assert sdk_types.check_anthropic(got) == []


@pytest.mark.parametrize("surface,sign,target", [
    ("openai", SIGN, "gemini"), ("openai", SIGN, "openai"),
    ("gemini", SIGN, "anthropic"), ("gemini", MARK_A + SIGN, "gemini"),
    ("anthropic", MARK_G + SIGN, "anthropic"), ("anthropic", "", "anthropic"),
    ("anthropic", SIGN, "gemini"), ("anthropic", SIGN, "openai"),
    ("gemini", SIGN, "openai")])
def test_thinking_to_others(gate, up, surface, sign, target):
    answer, got = send(gate, up, surface, history(surface, sign), target)
    assert answer.status == 200, answer.body
    if (surface, target) != ("openai", "openai"):
        text = json.dumps(got)
        assert SIGN not in text and "tollgate/" not in text
        assert '"signature"' not in text and "thinking" not in text
        assert "Tides." not in text or target == "gemini"


def test_call_signature(gate, up):
    """Gemini's signature of a call, through each client, and none."""
    o = history("openai", SIGN)
    o["messages"][1]["tool_calls"][0]["extra_content"] = {
        "google": {"thought_signature": SIGN}}
    a = history("anthropic", SIGN)
    a["messages"][1]["content"][0] = {"type": "redacted_thinking",
                                      "data": MARK_G + SIGN}
    for surface, doc in (("openai", o), ("anthropic", a)):
        _, got = send(gate, up, surface, doc, "gemini3")
        part = got["contents"][1]["parts"][-1]
        assert part["thoughtSignature"] == SIGN and "functionCall" in part
        assert sdk_types.check_gemini(got) == []
    for surface in ("openai", "anthropic", "gemini"):
        doc = history(surface, SIGN)
        if surface == "gemini":
            doc["contents"][1]["parts"][-1]["thoughtSignature"] = \
                MARK_A + SIGN
        _, got = send(gate, up, surface, doc, "gemini3")
        part = got["contents"][1]["parts"][-1]
        assert part["thoughtSignature"] == "skip_thought_signature_validator"


def test_no_thinking_behind_foreign_calls(gate, up):
    """Anthropic refuses thinking where the turn's calls are not its own."""
    doc = history("gemini", SIGN)
    doc["generationConfig"] = {"thinkingConfig": {"thinkingLevel": "high"}}
    _, got = send(gate, up, "gemini", doc, "anthropic")
    assert "thinking" not in got


# --- sound, and documents by their address --------------------------------------------

SOUND = "UklGRg=="
PAPER = "https://papers.example/tides.pdf"


@pytest.mark.parametrize("surface,part,target,want", [
    ("openai", {"type": "input_audio", "input_audio": {
        "data": SOUND, "format": "mp3"}}, "gemini",
     {"inlineData": {"mimeType": "audio/mp3", "data": SOUND}}),
    ("gemini", {"inlineData": {"mimeType": "audio/mpeg", "data": SOUND}},
     "openai", {"type": "input_audio", "input_audio": {
         "data": SOUND, "format": "mp3"}}),
    ("gemini", {"inlineData": {"mimeType": "audio/wav", "data": SOUND}},
     "openai", {"type": "input_audio", "input_audio": {
         "data": SOUND, "format": "wav"}}),
    ("anthropic", {"type": "document", "source": {
        "type": "url", "url": PAPER}}, "gemini",
     {"fileData": {"mimeType": "application/pdf", "fileUri": PAPER}}),
    ("gemini", {"fileData": {"mimeType": "application/pdf",
                             "fileUri": PAPER}}, "anthropic",
     {"type": "document", "source": {"type": "url", "url": PAPER}})])
def test_media(gate, up, surface, part, target, want):
    doc = {"contents": [g_user(part, {"text": "?"})]} \
        if surface == "gemini" else {"messages": [o_user([
            part, {"type": "text", "text": "?"}])]}
    answer, got = send(gate, up, surface, doc, target)
    assert answer.status == 200, answer.body
    assert answer.header("x-tollgate-dropped") is None
    turn = (got.get("messages") or got.get("contents"))[0]
    assert (turn.get("content") or turn["parts"])[0] == want


# --- what cannot be said ----------------------------------------------------------------

@pytest.mark.parametrize("surface,doc,target", [
    ("openai", {"messages": [o_user([{"type": "file", "file": {
        "file_id": "file-1"}}])]}, "anthropic"),
    ("openai", {"messages": [o_user([{"type": "file", "file": {
        "file_id": "file-1"}}])]}, "gemini"),
    ("anthropic", {"messages": [o_user([{"type": "image", "source": {
        "type": "file", "file_id": "file_1"}}])]}, "openai"),
    ("anthropic", {"messages": [o_user([{"type": "search_result",
                                         "source": "x", "title": "t",
                                         "content": []}])]}, "openai"),
    ("anthropic", {"messages": [ASK], "tools": [
        {"type": "web_search_20250305", "name": "web_search"}]}, "gemini"),
    ("gemini", {"contents": G_ASK, "tools": [{"googleSearch": {}}]},
     "anthropic"),
    ("openai", {"messages": [{"role": "system", "content": "x"}]},
     "anthropic"),
    ("openai", {"messages": [{"role": "system", "content": "x"}]},
     "gemini")])
def test_refused(gate, up, surface, doc, target):
    answer, _ = send(gate, up, surface, doc, target)
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"]["message"]


def test_nobody_can(gate, up):
    """The catalog knows that this model hears nothing: it is not asked."""
    doc = {"messages": [o_user([{"type": "input_audio", "input_audio": {
        "data": PNG, "format": "wav"}}])]}
    answer, _ = send(gate, up, "openai", doc, "anthropic")
    assert answer.status == 503, answer.body
    assert json.loads(answer.body)["error"]["code"] == "no_compliant_route"


# --- counting -----------------------------------------------------------------------------

COUNTED = {"anthropic": ("/v1/messages/count_tokens", "input_tokens"),
           "gemini": ("/v1beta/models/%s:countTokens", "totalTokens"),
           "responses": ("/v1/responses/input_tokens", "input_tokens")}
WORDS = "The harbour master looked at the tide table. " * 20


def count_request(surface, target):
    name = "to-" + target
    if surface == "gemini":
        return COUNTED[surface][0] % name, {"contents": [
            g_user({"text": WORDS})], "tools": G_TOOLS}
    if surface == "responses":
        return COUNTED[surface][0], {"model": name, "input": WORDS, "tools": [
            {"type": "function", "name": t["name"],
             "parameters": t["input_schema"]} for t in A_TOOLS]}
    return COUNTED[surface][0], {"model": name, "tools": A_TOOLS,
                                 "messages": [o_user(WORDS)]}


@pytest.mark.parametrize("surface,target", [
    ("anthropic", "openai"), ("anthropic", "gemini"),
    ("gemini", "openai"), ("gemini", "anthropic"),
    ("responses", "openai"), ("responses", "anthropic")])
def test_count_here(gate, up, surface, target):
    """No provider of this dialect: our own estimate, nobody is asked."""
    key = "replay/" + TARGETS[target][1]
    before = up.bill(key)["requests"]
    answer = dialects.ask(gate, *count_request(surface, target))
    assert answer.status == 200, answer.body
    n = json.loads(answer.body)[COUNTED[surface][1]]
    # Claude is told of tools in some five hundred tokens more.
    least, most = (600, 1000) if target == "anthropic" else (180, 500)
    assert least < n < most
    assert up.bill(key)["requests"] == before


@pytest.mark.parametrize("surface", ["anthropic", "gemini"])
def test_count_there(gate, up, surface):
    """The provider speaks it: its own answer."""
    target = surface + " counts"
    uri, doc = count_request(surface, target.replace(" ", "-"))
    answer = dialects.ask(gate, uri, doc)
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)[COUNTED[surface][1]] == 41
    last = up.last("replay/%s/count" % surface)
    assert last["target"].endswith(
        "/v1/messages/count_tokens" if surface == "anthropic"
        else "/models/counter:countTokens")
    assert json.loads(last["body"]) == dict(
        doc, **({"model": "counter"} if surface == "anthropic" else {}))


def test_count_refused(gate, up):
    uri, doc = count_request("anthropic", "openai")
    del doc["messages"]
    assert dialects.ask(gate, uri, doc).status == 400
    uri, doc = count_request("gemini", "openai")
    del doc["contents"]
    assert dialects.ask(gate, uri, doc).status == 400
    uri, doc = count_request("responses", "openai")
    doc["previous_response_id"] = "resp_1"  # nobody here knows its length
    assert dialects.ask(gate, uri, doc).status == 400
