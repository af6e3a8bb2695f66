"""The requests of coding agents: Claude Code's on the surface of Messages and
Codex' on that of Responses, in the forms that these clients send, to
providers of every dialect: nothing is lost unless the client is told; and
answers, streamed, as their SDKs read them."""

import copy
import http.server
import json
import os
import threading

import pytest

anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
pytest.importorskip("google.genai")

import dialects  # noqa: E402
import facts  # noqa: E402
import facts_more  # noqa: E402
import fcgi  # noqa: E402
import pool  # noqa: E402
import sdk_types  # noqa: E402
import test_bedrock  # noqa: E402
import test_natives  # noqa: E402
import test_responses  # noqa: E402
import test_responses_sdk  # noqa: E402
import world  # noqa: E402
from bridge import Bridge  # noqa: E402

# provider → (adapter, what it answers, root, model)
PROVIDERS = {
    "openai": ("openai", "shape/utf8", "v1", "gpt-fixture"),
    "responses": ("responses", "responses/text", "v1", "gpt-fixture"),
    "anthropic": ("anthropic", "anthropic/text", "", "claude-sonnet-4-5"),
    "gemini": ("gemini", "gemini/text", "v1beta", "gemini-2.5-flash"),
    "bedrock": ("bedrock", "bedrock/stream-plain", "",
                "anthropic.claude-sonnet-4-5"),
    "cohere": ("cohere", "cohere/text", "", "command-fixture"),
    "ollama": ("ollama", "ollama/text", "", "llama-fixture"),
    "whole": ("anthropic", "anthropic/whole-text", "", "claude-sonnet-4-5"),
    "counter": ("anthropic", "anthropic/count", "", "claude-sonnet-4-5"),
    "openai-calls": ("openai", "tools/parallel", "v1", "gpt-fixture"),
    "openai-thinks": ("openai", "reasoning/reasoning-content", "v1", "gpt"),
    "responses-calls": ("responses", "responses/calls", "v1", "gpt"),
    "responses-thinks": ("responses", "responses/reasoning-plain", "v1",
                         "gpt"),
    "anthropic-calls": ("anthropic", "anthropic/calls", "", "claude"),
    "anthropic-thinks": ("anthropic", "anthropic/thinking-twice", "",
                         "claude"),
    "gemini-calls": ("gemini", "gemini/calls", "v1beta", "gemini-2.5-pro"),
    "gemini-thinks": ("gemini", "gemini/thought", "v1beta",
                      "gemini-2.5-pro"),
    "bedrock-calls": ("bedrock", "bedrock/stream-calls", "", "claude"),
    "bedrock-thinks": ("bedrock", "bedrock/stream-reasoning", "", "claude"),
    "ollama-calls": ("ollama", "ollama/thinking-calls", "", "llama"),
    "ollama-thinks": ("ollama", "ollama/thinking-calls", "", "llama"),
}
DIALECTS = ("openai", "responses", "anthropic", "gemini", "bedrock",
            "cohere", "ollama")
READ = dict(facts.READ, **facts_more.READ)


def judge_bedrock(doc):
    assert test_bedrock.check_shape(doc, "m") == []


def by_types(dialect):
    def judge(doc):
        assert sdk_types.CHECKS[dialect](doc) == []
    return judge


JUDGES = {
    "responses": test_responses_sdk.check_params, "bedrock": judge_bedrock,
    "cohere": test_natives.judge_cohere, "ollama": test_natives.judge_ollama,
    "openai": by_types("openai"), "anthropic": by_types("anthropic"),
    "gemini": by_types("gemini"),
}


@pytest.fixture(scope="module")
def gate(up):
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for name, (adapter, case, root, model) in PROVIDERS.items():
        policy["providers"][name] = {
            "adapter": adapter, "key": "plain:sk-" + name,
            "base_url": up.base("replay/" + case, root)}
        policy["models"]["to-" + name] = {"targets": [
            {"provider": name, "model": model}]}
    with pool.Pool(policy) as p:
        yield p


def last(up, provider):
    return up.last("replay/" + PROVIDERS[provider][1])


def dropped(answer):
    named = answer.header("x-tollgate-dropped")
    return named.split(", ") if named else []


# --- what both say -----------------------------------------------------------------

PNG = "iVBORw0KGgo="
SIGN = "c2lnbmVkLWJ5LWl0cy1tYWtlcg=="
MARK = {"type": "ephemeral"}
RULES = "You work in a harbour office. Answer in one line."
WHERE = "<env>\nWorking directory: /srv/harbour\nPlatform: linux\n</env>"
SHELL = {"type": "object", "properties": {
    "command": {"type": "string", "description": "The command to run"},
    "timeout": {"type": "number", "description": "In ms (at most 600000)"},
    "background": {"type": "boolean"}}, "required": ["command"],
    "additionalProperties": False}
TODO = {"type": "object", "properties": {"todos": {
    "type": "array", "description": "The whole list", "items": {
        "type": "object", "properties": {
            "content": {"type": "string", "minLength": 1},
            "status": {"type": "string",
                       "enum": ["pending", "in_progress", "completed"]}},
        "required": ["content", "status"],
        "additionalProperties": False}}},
    "required": ["todos"], "additionalProperties": False}
LOOK = {"command": "ls -l berths", "timeout": 5000}
READS = {"file_path": "/srv/harbour/chart.png"}


# --- Claude Code ---------------------------------------------------------------------

CLAUDE_HEADERS = [
    ("User-Agent", "claude-cli/2.0.14 (external, cli)"),
    ("X-App", "cli"), ("Anthropic-Version", "2023-06-01"),
    ("Anthropic-Beta", "claude-code-20250219,interleaved-thinking-2025-05-14,"
     "context-management-2025-06-27"),
    ("Anthropic-Dangerous-Direct-Browser-Access", "true"),
    ("X-Stainless-Lang", "js"), ("X-Stainless-Runtime", "node"),
    ("X-Stainless-Runtime-Version", "v22.11.0"),
    ("X-Stainless-Package-Version", "0.60.0"), ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"), ("X-Stainless-Retry-Count", "0"),
    ("X-Stainless-Timeout", "600"),
    ("X-Stainless-Helper-Method", "stream"),
    ("Accept", "application/json")]
CLAUDE_USER = {
    "opaque": "user_" + "4f" * 32 + "_account__session_"
    "0b9d7a52-6a0e-4c53-9f5e-0d5f6ef0a001",
    "json": json.dumps({"device_id": "4f" * 32, "account_uuid": "",
                        "session_id": "0b9d7a52-6a0e-4c53-9f5e"})}
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
CLAUDE_TOOLS = [
    {"name": "Bash", "description": "Run a command.\n\n - One at a time",
     "input_schema": dict(DRAFT, **SHELL)},
    {"name": "Read", "description": "Read a file", "input_schema": dict(
        DRAFT, type="object", properties={
            "file_path": {"type": "string"},
            "offset": {"type": "integer", "exclusiveMinimum": 0,
                       "maximum": 9007199254740991},
            "pages": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        required=["file_path"], additionalProperties=False)},
    {"name": "TodoWrite", "description": "Keep the list",
     "input_schema": dict(DRAFT, **TODO)},
    {"name": "mcp__tides__at", "description": "", "input_schema": {
        "type": "object", "properties": {"where": {
            "type": "object", "additionalProperties": {"type": "string"}}}}},
    {"name": "ListBerths", "description": "All of them", "input_schema": dict(
        DRAFT, type="object", properties={}, additionalProperties=False),
     "cache_control": MARK}]
CLAUDE_SYSTEM = [
    {"type": "text", "text": "You are a coding agent."},
    {"type": "text", "text": RULES, "cache_control": MARK},
    {"type": "text", "text": WHERE, "cache_control": dict(MARK, ttl="1h")}]


def use(cid, name, args):
    return {"type": "tool_use", "id": cid, "name": name, "input": args}


def result(cid, content, **more):
    return dict({"type": "tool_result", "tool_use_id": cid,
                 "content": content}, **more)


CLAUDE_TURNS = [
    {"role": "user", "content": [
        {"type": "text", "text": "<system-reminder>\nNo list yet.\n"
         "</system-reminder>"},
        {"type": "text", "text": "Which berths are free?",
         "cache_control": MARK}]},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "Look first.", "signature": SIGN},
        {"type": "text", "text": "I look."},
        use("toolu_01A", "Bash", LOOK), use("toolu_01B", "Read", READS),
        use("toolu_01C", "ListBerths", {})]},
    {"role": "user", "content": [
        result("toolu_01A", "exit 2: no such folder", is_error=True),
        result("toolu_01B", [{"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": PNG}}]),
        result("toolu_01C", [{"type": "text", "text": "B1\nB2"}],
               cache_control=MARK)]}]


def claude(target, **more):
    """A turn of Claude Code in the middle of its work."""
    doc = {"model": "to-" + target, "max_tokens": 32000, "stream": True,
           "system": CLAUDE_SYSTEM, "messages": CLAUDE_TURNS,
           "tools": CLAUDE_TOOLS,
           "metadata": {"user_id": CLAUDE_USER["opaque"]},
           "thinking": {"type": "enabled", "budget_tokens": 31999}}
    doc.update(more)
    return copy.deepcopy(doc)


EDITS = {"context_management": {"edits": [
    {"type": "clear_thinking_20251015", "keep": "all"}]}}
CLAUDE = {
    "turns": {},
    "adaptive": {"thinking": {"type": "adaptive"},
                 "output_config": {"effort": "high"}},
    "json user": {"metadata": {"user_id": CLAUDE_USER["json"]}},
    "context edits": EDITS,
    "title": {"thinking": {"type": "disabled"}, "tools": [],
              "max_tokens": 512, "temperature": 1, "messages": [
                  {"role": "user", "content": "Free berths?"}]},
    "quota": {"thinking": {"type": "disabled"}, "tools": [], "system": [],
              "max_tokens": 1, "stream": False, "messages": [
                  {"role": "user", "content": "quota"}]},
}


def ask_claude(gate, doc, path="/v1/messages", headers=()):
    return dialects.ask(gate, path + "?beta=true", doc,
                        CLAUDE_HEADERS + list(headers))


@pytest.mark.parametrize("name", CLAUDE)
def test_claude_same_dialect(gate, up, name):
    """All but the model's name arrives as it was sent, and the headers that
    say what the client can do arrive too."""
    doc = claude("anthropic", **CLAUDE[name])
    target = "anthropic" if doc["stream"] else "whole"
    doc["model"] = "to-" + target
    answer = ask_claude(gate, doc)
    assert answer.status == 200, answer.body
    assert dropped(answer) == []
    got = last(up, target)
    want = json.dumps(doc).replace('"to-%s"' % target,
                                   '"claude-sonnet-4-5"')
    assert got["body"] == want
    heads = {k.lower(): v for k, v in got["headers"]}
    assert heads["anthropic-version"] == "2023-06-01"
    assert "context-management-2025-06-27" in heads["anthropic-beta"]
    assert heads["x-api-key"] == "sk-" + target
    assert world.CLIENT_KEY not in repr(got["headers"])


def test_claude_other_key_header(gate, up):
    """ANTHROPIC_API_KEY comes as x-api-key."""
    heads = [("Content-Type", "application/json"),
             ("X-Api-Key", world.CLIENT_KEY)] + CLAUDE_HEADERS
    answer = fcgi.request(gate.socket, "POST", "/v1/messages?beta=true",
                          json.dumps(claude("anthropic")).encode(), heads)
    assert answer.status == 200, answer.body
    assert world.CLIENT_KEY not in repr(last(up, "anthropic")["headers"])


# What is not said to a provider must be named, by these words.
WORDS = {"choice": "tool_choice", "max": "max_tokens",
         "thinks": "reasoning_effort"}


def tidy(said):
    """JSON in a result may be sent as such: how it is spaced is nothing."""
    return [t[:3] + (spaced(t[3]),) + t[4:] if t[1] == "result" else t
            for t in said["turns"]]


def spaced(text):
    return json.dumps(json.loads(text)) if text.startswith("{") else text


def settle(surface, target, want, have, named):
    """The differences that are meant to be, or that the client is told."""
    a, b = want["settings"], have["settings"]
    for word in a:
        if a[word] != b.get(word) and WORDS.get(word, word) in named:
            a[word] = b.get(word)
    if a["choice"] == "auto" and target in ("cohere", "ollama"):
        a["choice"] = None # what saying nothing says there
    if target in ("anthropic", "bedrock") and a["max"] is None:
        assert b["max"] is None or b["max"] >= 4096
        b["max"] = None # it demands one where the model thinks
    if not want["tools"]: # what says something of tools says nothing then
        a["choice"] = a["parallel_tool_calls"] = None
    if a["parallel_tool_calls"] is not False and surface == "responses":
        a["parallel_tool_calls"] = b["parallel_tool_calls"] # what all do
    want["turns"], have["turns"] = tidy(want), tidy(have)
    # The reasoning of another provider's model goes no further.
    want["turns"] = [t for t in want["turns"] if t[1] != "reasoning"]


@pytest.mark.parametrize("target", [d for d in DIALECTS if d != "anthropic"])
@pytest.mark.parametrize("name", CLAUDE)
def test_claude_elsewhere(gate, up, name, target):
    doc = claude(target, **CLAUDE[name])
    doc["stream"] = True # as the recordings answer
    answer = ask_claude(gate, doc)
    assert answer.status == 200, answer.body
    got = json.loads(last(up, target)["body"])
    JUDGES[target](got)
    want, have = facts.READ["anthropic"](doc), READ[target](got)
    named = dropped(answer)
    settle("anthropic", target, want, have, named)
    assert have["system"] == want["system"]
    assert have["tools"] == want["tools"]
    assert have["turns"] == want["turns"]
    assert have["settings"] == want["settings"]
    if name == "context edits":
        assert "context_management" in named
    if target == "bedrock" and len(doc["messages"]) > 1:
        # Claude there would want the thinking before these calls.
        assert not have["settings"]["thinks"] and "reasoning_effort" in named


@pytest.mark.parametrize("target", ["counter", "anthropic"])
def test_claude_counts(gate, up, target):
    """What is counted is what would be sent; a provider that does not count
    is not asked."""
    doc = claude("counter")
    for k in ("max_tokens", "stream", "metadata"):
        del doc[k]
    answer = ask_claude(gate, doc, "/v1/messages/count_tokens")
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["input_tokens"] > 0
    got = last(up, "counter")
    assert got["target"].split("?")[0].endswith("/v1/messages/count_tokens")
    assert json.loads(got["body"]) == dict(doc, model="claude-sonnet-4-5")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("uri", ["/", "/v1/messages?beta=true"])
def test_claude_looks_whether_we_live(gate, method, uri):
    """It asks for the address alone before its first request, without a
    key."""
    answer = fcgi.request(gate.socket, method, uri, b"", CLAUDE_HEADERS)
    assert answer.complete and answer.status == 401
    if method == "GET": # the web server throws away the other's body
        assert json.loads(answer.body)["error"]["message"]


# --- Codex ---------------------------------------------------------------------------

CODEX_HEADERS = [
    ("User-Agent", "codex_cli_rs/0.46.0 (Debian 13.0.0; x86_64) xterm"),
    ("Originator", "codex_cli_rs"), ("Version", "0.46.0"),
    ("OpenAI-Beta", "responses=experimental"),
    ("Conversation_id", "0199d1a2-33b4-7c55-8d66-e77f88a99b00"),
    ("Session_id", "0199d1a2-33b4-7c55-8d66-e77f88a99b00"),
    ("Accept", "text/event-stream")]
GRAMMAR = """start: begin hunk+ end
begin: "*** Begin Patch" LF
end: "*** End Patch" LF?
hunk: "*** Add File: " /(.+)/ LF ("+" /(.*)/ LF)+
%import common.LF
"""
PATCH = "*** Begin Patch\n*** Add File: a \"b\"\n+one\u00e9\n*** End Patch"
CUSTOM = {"type": "custom", "name": "apply_patch",
          "description": "Edit files. Not JSON: the text alone.",
          "format": {"type": "grammar", "syntax": "lark",
                     "definition": GRAMMAR}}


def function(name, description, schema):
    return {"type": "function", "name": name, "description": description,
            "strict": False, "parameters": schema}


CODEX_TOOLS = [
    function("shell", "Runs a shell command", {
        "type": "object", "properties": {
            "command": {"type": "array", "items": {"type": "string"}},
            "workdir": {"type": "string"},
            "with_escalated_permissions": {"type": "boolean"}},
        "required": ["command"], "additionalProperties": False}),
    function("update_plan", "Keep the plan", TODO),
    function("view_image", "Look at an image", {
        "type": "object", "properties": {"path": {"type": "string"}},
        "required": ["path"], "additionalProperties": False})]
SEALED = "gAAAAABo" + "c2VhbGVk" * 20


def call(cid, name, args):
    return {"type": "function_call", "call_id": cid, "name": name,
            "arguments": json.dumps(args)}


def output(cid, said, kind="function_call_output"):
    return {"type": kind, "call_id": cid, "output": said}


def r_message(role, *texts):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [
        {"type": kind, "text": t} for t in texts]}


CODEX_INPUT = [
    r_message("developer", "<permissions>read only</permissions>"),
    r_message("user", "# AGENTS.md\n\nBe brief.", WHERE),
    r_message("user", "Which berths are free?"),
    {"type": "reasoning", "summary": [], "content": None,
     "encrypted_content": SEALED},
    r_message("assistant", "I look."),
    call("call_1", "shell", {"command": ["ls", "-l"], "workdir": "/srv"}),
    call("call_2", "view_image", {"path": "chart.png"}),
    output("call_1", "{\"output\":\"B1\",\"metadata\":{\"exit_code\":0}}"),
    output("call_2", [{"type": "input_text", "text": "a chart"},
                      {"type": "input_image", "image_url":
                       "data:image/png;base64," + PNG}])]


def codex(target, **more):
    """A turn of Codex in the middle of its work."""
    doc = {"model": "to-" + target, "instructions": RULES,
           "input": CODEX_INPUT, "tools": CODEX_TOOLS, "tool_choice": "auto",
           "parallel_tool_calls": False,
           "reasoning": {"effort": "medium", "summary": "auto"},
           "store": False, "stream": True,
           "include": ["reasoning.encrypted_content"],
           "prompt_cache_key": "0199d1a2-33b4-7c55-8d66-e77f88a99b00",
           "text": {"verbosity": "medium"}}
    doc.update(more)
    return copy.deepcopy(doc)


PATCHED = CODEX_INPUT + [
    {"type": "custom_tool_call", "status": "completed", "call_id": "call_3",
     "name": "apply_patch", "input": PATCH},
    output("call_3", "Done.", "custom_tool_call_output")]
CODEX = {
    "turns": {},
    "first": {"input": CODEX_INPUT[:3], "parallel_tool_calls": True,
              "service_tier": "priority"},
    "summary": {"tools": [], "input": [r_message("user", "Sum up.")]},
    "patch": {"tools": CODEX_TOOLS + [CUSTOM], "input": PATCHED},
}
OWN = {
    "web_search": {"tools": CODEX_TOOLS + [{
        "type": "web_search", "external_web_access": True}]},
    "local_shell": {"tools": CODEX_TOOLS + [{"type": "local_shell"}],
                    "input": CODEX_INPUT + [
        {"type": "local_shell_call", "call_id": "call_3",
         "status": "completed", "action": {
             "type": "exec", "command": ["ls"], "env": {}}},
        output("call_3", "B1")]},
}


def ask_codex(gate, doc):
    return dialects.ask(gate, "/v1/responses", doc, CODEX_HEADERS)


@pytest.mark.parametrize("name", list(CODEX) + list(OWN))
def test_codex_same_dialect(gate, up, name):
    doc = codex("responses", **dict(CODEX, **OWN)[name])
    answer = ask_codex(gate, doc)
    assert answer.status == 200, answer.body
    assert dropped(answer) == []
    got = last(up, "responses")
    assert got["body"] == json.dumps(doc).replace('"to-responses"',
                                                  '"gpt-fixture"')
    assert world.CLIENT_KEY not in repr(got["headers"])


def plain_codex(doc):
    """The custom tool as the function of one text that it is elsewhere."""
    doc = copy.deepcopy(doc)
    for t in doc["tools"]:
        if t["type"] == "custom":
            t.update(type="function", parameters={
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"]})
    for i in doc["input"]:
        if i["type"] == "custom_tool_call":
            i.update(type="function_call", arguments=json.dumps(
                {"input": i["input"]}))
        elif i["type"] == "custom_tool_call_output":
            i["type"] = "function_call_output"
    doc["input"] = [i for i in doc["input"] if i["type"] != "reasoning"]
    return doc


@pytest.mark.parametrize("target", [d for d in DIALECTS if d != "responses"])
@pytest.mark.parametrize("name", CODEX)
def test_codex_elsewhere(gate, up, name, target):
    doc = codex(target, **CODEX[name])
    answer = ask_codex(gate, doc)
    assert answer.status == 200, answer.body
    got = json.loads(last(up, target)["body"])
    JUDGES[target](got)
    want, have = READ["responses"](plain_codex(doc)), READ[target](got)
    named = dropped(answer)
    settle("responses", target, want, have, named)
    if name == "patch":
        told = have["tools"]["apply_patch"]
        assert GRAMMAR in told[0] and CUSTOM["description"] in told[0]
        want["tools"]["apply_patch"] = (told[0],
                                        want["tools"]["apply_patch"][1])
    assert have["system"] == want["system"]
    assert have["tools"] == want["tools"]
    assert have["turns"] == want["turns"]
    assert have["settings"] == want["settings"]
    assert SEALED not in json.dumps(got)


@pytest.mark.parametrize("target", [d for d in DIALECTS if d != "responses"])
@pytest.mark.parametrize("name", OWN)
def test_codex_tools_of_its_maker(gate, name, target):
    """What only its maker's API has is refused, by its name and place."""
    answer = ask_codex(gate, codex(target, **OWN[name]))
    assert answer.status == 400, answer.body
    error = json.loads(answer.body)["error"]
    assert name in error["message"]
    assert error["param"] == ("tools" if name == "web_search"
                              else "input[%d]" % len(CODEX_INPUT))
    answer = ask_codex(gate, codex(target, tools=OWN[name]["tools"]))
    assert answer.status == 400, answer.body
    error = json.loads(answer.body)["error"]
    assert name in error["message"] and error["param"] == "tools"


# --- answers, as the SDKs of these clients read them ---------------------------------

READERS = ((dialects.CASES + world.CASES, dialects.meaning),
           (test_natives.CASES, test_natives.meaning),
           (test_bedrock.CASES, test_bedrock.recording_bedrock.read),
           (test_responses.CASES, test_responses.recording_responses.read))


def said_by(provider):
    """What the recording of a provider says, read by itself."""
    name = PROVIDERS[provider][1]
    case, read = next((c, r) for cases, r in READERS for c in cases
                      if repr(c) == name)
    m = read(case)
    return m.choices[0] if hasattr(m, "choices") else m


@pytest.fixture(scope="module")
def url(gate):
    with Bridge(gate.socket) as b:
        yield b.url


def calls_said(want):
    return [(name, json.loads(args) if isinstance(args, str) else args)
            for _, name, args in want.calls]


ANSWERS = [d + kind for d in DIALECTS if d != "cohere"
           for kind in ("", "-calls", "-thinks")]


@pytest.mark.parametrize("provider", ANSWERS)
def test_claude_reads(url, provider):
    """Events and the message that the SDK makes of them; then the whole of
    it goes back, as the agent does."""
    client = anthropic.Anthropic(api_key=world.CLIENT_KEY, base_url=url,
                                 max_retries=0,
                                 default_headers=dict(CLAUDE_HEADERS))
    doc = claude(provider)
    del doc["stream"]
    text, want = "", said_by(provider)
    with client.beta.messages.stream(betas=["claude-code-20250219"],
                                     **doc) as s:
        for event in s:
            text += event.text if event.type == "text" else ""
        m = s.get_final_message()
    assert text == want.text
    assert text == "".join(b.text for b in m.content if b.type == "text")
    assert "".join(b.thinking for b in m.content
                   if b.type == "thinking") == want.reasoning
    calls = [b for b in m.content if b.type == "tool_use"]
    assert [(b.name, b.input) for b in calls] == calls_said(want)
    assert len({b.id for b in calls}) == len(calls)
    assert (m.stop_reason == "tool_use") == bool(calls)
    assert m.stop_reason in ("tool_use", "end_turn", "stop_sequence")
    assert m.usage.output_tokens > 0
    results = [result(b.id, "done") for b in calls] or [
        {"type": "text", "text": "Go on."}]
    doc["messages"] += [
        {"role": "assistant", "content": [
            b.model_dump(exclude_none=True) for b in m.content
            if b.type != "text" or b.text]},
        {"role": "user", "content": results}]
    with client.beta.messages.stream(**doc) as s:
        assert s.get_final_message().content


@pytest.mark.parametrize("provider", ANSWERS)
def test_codex_reads(url, provider):
    client = openai.OpenAI(base_url=url + "/v1", api_key=world.CLIENT_KEY,
                           max_retries=0,
                           default_headers=dict(CODEX_HEADERS))
    doc = codex(provider)
    text, items, want = "", [], said_by(provider)
    for event in client.responses.create(**doc):
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.output_item.done":
            items.append(event.item) # what the agent goes by
    assert event.type == "response.completed"
    assert event.response.usage.output_tokens > 0
    assert items == event.response.output
    assert text == want.text == event.response.output_text
    calls = [i for i in items if i.type == "function_call"]
    assert [(i.name, json.loads(i.arguments)) for i in calls] == \
        calls_said(want)
    assert len({i.call_id for i in calls}) == len(calls)
    if want.reasoning:
        assert "".join(p.text for i in items if i.type == "reasoning"
                       for p in i.summary or i.content or []
                       ) == want.reasoning
    doc["input"] += [i.model_dump(exclude_none=True) for i in items]
    doc["input"] += [output(i.call_id, "done") for i in calls]
    *_, event = client.responses.create(**doc)
    assert event.type == "response.completed"


# --- a custom tool, called by models that know functions only --------------------------

ARGS = json.dumps({"input": PATCH})
LIST = json.dumps({"command": ["ls"]})
CALLED = [("call_a", "apply_patch", ARGS), ("call_b", "shell", LIST)]


def sse(*docs, names=False):
    return "".join(("event: %s\n" % d["type"] if names else "") +
                   "data: %s\n\n" % (d if isinstance(d, str)
                                     else json.dumps(d)) for d in docs)


def chunk(delta, finish=None, **more):
    return dict({"id": "c", "object": "chat.completion.chunk", "created": 1,
                 "model": "m", "choices": [
                     {"index": 0, "delta": delta, "finish_reason": finish}]},
                **more)


def openai_script():
    first = [chunk({"role": "assistant", "content": "I edit."})]
    for i, (cid, name, _) in enumerate(CALLED):
        first.append(chunk({"tool_calls": [
            {"index": i, "id": cid, "type": "function",
             "function": {"name": name, "arguments": ""}}]}))
    for at in range(0, len(ARGS), 7): # side by side, in small pieces
        first += [chunk({"tool_calls": [
            {"index": i, "function": {"arguments": args[at:at + 7]}}]})
            for i, (_, _, args) in enumerate(CALLED) if args[at:at + 7]]
    return sse(*first, chunk({}, "tool_calls"), dict(
        chunk({}), choices=[], usage={
            "prompt_tokens": 9, "completion_tokens": 8,
            "total_tokens": 17}), "[DONE]")


def anthropic_script():
    docs = [{"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1}}}]
    blocks = [({"type": "text", "text": ""}, [
        {"type": "text_delta", "text": "I edit."}])]
    blocks += [(use(cid, name, {}), [
        {"type": "input_json_delta", "partial_json": args[at:at + 7]}
        for at in range(0, len(args), 7)]) for cid, name, args in CALLED]
    for i, (block, deltas) in enumerate(blocks):
        docs.append({"type": "content_block_start", "index": i,
                     "content_block": block})
        docs += [{"type": "content_block_delta", "index": i, "delta": d}
                 for d in deltas]
        docs.append({"type": "content_block_stop", "index": i})
    docs += [{"type": "message_delta", "usage": {"output_tokens": 8},
              "delta": {"stop_reason": "tool_use", "stop_sequence": None}},
             {"type": "message_stop"}]
    return sse(*docs, names=True)


def gemini_script():
    parts = [{"text": "I edit."}] + [
        {"functionCall": {"name": name, "args": json.loads(args)}}
        for _, name, args in CALLED]
    return sse({"candidates": [{"index": 0, "finishReason": "STOP",
                                "content": {"role": "model",
                                            "parts": parts}}],
                "usageMetadata": {"promptTokenCount": 9,
                                  "candidatesTokenCount": 8,
                                  "totalTokenCount": 17}})


def ollama_script():
    head = {"model": "m", "created_at": "2026-01-01T00:00:00Z"}
    return "".join(json.dumps(dict(head, **d)) + "\n" for d in (
        {"done": False, "message": {"role": "assistant",
                                    "content": "I edit."}},
        {"done": False, "message": {
            "role": "assistant", "content": "", "tool_calls": [
                {"function": {"name": n, "arguments": json.loads(a)}}
                for _, n, a in CALLED]}},
        {"done": True, "done_reason": "stop", "prompt_eval_count": 9,
         "eval_count": 8, "message": {"role": "assistant", "content": ""}}))


SCRIPTS = {"openai": openai_script, "anthropic": anthropic_script,
           "gemini": gemini_script, "ollama": ollama_script}


class Script(http.server.BaseHTTPRequestHandler):
    """A provider that calls both tools; the first part of its path is its
    dialect."""

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        dialect = self.path.split("/")[1]
        self.server.seen[dialect] = json.loads(raw)
        body = SCRIPTS[dialect]().encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson"
                         if dialect == "ollama" else "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def scripted():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Script)
    server.seen = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = "http://127.0.0.1:%d/" % server.server_port
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for name in SCRIPTS:
        policy["providers"][name] = {
            "adapter": name, "key": "plain:sk-x",
            "base_url": at + name + {"openai": "/v1", "gemini": "/v1beta"}
            .get(name, "")}
        policy["models"]["to-" + name] = {"targets": [
            {"provider": name, "model": PROVIDERS[name][3]}]}
    with pool.Pool(policy) as p, Bridge(p.socket) as b:
        yield b.url, server.seen
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("target", SCRIPTS)
def test_codex_patches(scripted, target):
    """The patch comes as the text that a custom tool takes, beside the call
    of a function; and goes back to the model as it was."""
    url, seen = scripted
    client = openai.OpenAI(base_url=url + "/v1", api_key=world.CLIENT_KEY,
                           max_retries=0)
    doc = codex(target, tools=CODEX_TOOLS + [CUSTOM])
    items, deltas = [], ""
    for event in client.responses.create(**doc):
        if event.type == "response.output_item.done":
            items.append(event.item)
        if event.type == "response.custom_tool_call_input.delta":
            deltas += event.delta
    assert event.type == "response.completed"
    assert [i.type for i in items] == ["message", "custom_tool_call",
                                       "function_call"]
    patch, shell = items[1:]
    assert patch.name == "apply_patch" and patch.input == deltas == PATCH
    assert shell.name == "shell" and json.loads(shell.arguments) == \
        json.loads(LIST)
    doc["input"] += [i.model_dump(exclude_none=True) for i in items] + [
        output(patch.call_id, "Done.", "custom_tool_call_output"),
        output(shell.call_id, "B1")]
    *_, event = client.responses.create(**doc)
    assert event.type == "response.completed"
    JUDGES[target](seen[target])
    have = READ[target](seen[target])["turns"][-5:]
    assert have[0] == ("assistant", "text", "I edit.")
    assert [t[2:] for t in have if t[1] == "call"] == [
        (n, json.loads(a)) for _, n, a in CALLED]
    assert [t[3:] for t in have if t[1] == "result"] == [
        ("Done.", False), ("B1", False)]
