"""What a provider's dialect has no word for is not lost in silence: it is
named to the client in x-tollgate-dropped, or refused where the policy is
strict. And what has a word there arrives, from every surface."""

import json
import os

import pytest

import dialects
import pool
import world

PROVIDERS = {
    "openai": ("shape/whole-plain", "v1"),
    "responses": ("responses/whole-text", "v1"),
    "anthropic": ("anthropic/whole-text", ""),
    "gemini": ("gemini/whole-text", "v1beta"),
    "bedrock": ("bedrock/cache", ""),
    "nova": ("bedrock/cache", ""),
    "llama": ("bedrock/cache", ""),
    "cohere": ("cohere/whole", ""),
    "ollama": ("ollama/whole", ""),
}
MODELS = {"anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash",
          "bedrock": "anthropic.claude-sonnet-4-5", "nova": "amazon.nova-pro",
          "llama": "meta.llama3"}
GUESTS = ("nova", "llama")


@pytest.fixture(scope="module")
def gate(up):
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for name, (case, root) in PROVIDERS.items():
        policy["providers"][name] = {
            "adapter": "bedrock" if name in GUESTS else name,
            "key": "plain:sk-" + name,
            "base_url": up.base("replay/" + case, root)}
        target = {"provider": name, "model": MODELS.get(name, "model")}
        policy["models"][name] = {"targets": [target]}
        policy["models"]["strict-" + name] = {"targets": [target],
                                              "strict": True}
    with pool.Pool(policy) as p:
        yield p


MARK = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"at": {"type": "integer"}}}
PNG = "data:image/png;base64,iVBORw0KGgo="


def user(content, **more):
    return dict({"role": "user", "content": content}, **more)


def o_tool(**more):
    return {"type": "function", "function": dict(
        {"name": "f", "parameters": SCHEMA}, **more)}


def a_tool(**more):
    return dict({"name": "f", "input_schema": SCHEMA}, **more)


O_HI, G_HI = [user("hi")], [{"role": "user", "parts": [{"text": "hi"}]}]
MARKED = [{"type": "text", "text": "hi", "cache_control": MARK}]

# (surface, document, what is named, the providers that have a word for it)
ROWS = [
    ("openai", {"messages": [user("hi", name="ann")]}, "messages.name", ()),
    ("openai", {"messages": O_HI + [
        {"role": "assistant", "content": "yes", "name": "bob"}] + O_HI},
     "messages.name", ()),
    ("openai", {"messages": [user(MARKED)]}, "cache_control",
     ("anthropic", "bedrock", "nova")),
    ("openai", {"messages": [user("hi", cache_control=MARK)]},
     "cache_control", ("anthropic", "bedrock", "nova")),
    ("openai", {"messages": O_HI, "tools": [dict(
        o_tool(), cache_control=MARK)]}, "cache_control",
     ("anthropic", "bedrock")),
    ("anthropic", {"messages": [user(MARKED)]}, "cache_control",
     ("bedrock", "nova")),
    ("anthropic", {"messages": O_HI, "system": MARKED}, "cache_control",
     ("bedrock", "nova")),
    ("anthropic", {"messages": O_HI, "tools": [a_tool(
        cache_control=MARK)]}, "cache_control", ("bedrock",)),
    ("openai", {"messages": [user([{"type": "image_url", "image_url": {
        "url": PNG, "detail": "high"}}])]}, "image_url.detail",
     ("responses",)),
    ("openai", {"messages": O_HI, "tools": [o_tool(strict=True)]},
     "tools.strict", ("responses", "anthropic", "bedrock", "nova", "llama",
                      "cohere")),
    ("openai", {"messages": O_HI, "prompt_cache_key": "k"},
     "prompt_cache_key", ("responses",)),
    ("openai", {"messages": O_HI + [{"role": "assistant", "content": "yes",
                                     "audio": {"id": "a1"}}] + O_HI},
     "messages.audio", ()),
    ("openai", {"messages": O_HI, "modalities": ["text"]}, "modalities", ()),
    ("anthropic", {"messages": O_HI, "tools": [a_tool(
        input_examples=[{"at": 1}])]}, "tools.input_examples", ()),
    ("anthropic", {"messages": [user([{
        "type": "document", "context": "Of May.", "source": {
            "type": "text", "media_type": "text/plain", "data": "hi"}}])]},
     "messages.context", ()),
    ("anthropic", {"messages": O_HI, "output_config": {
        "task_budget": {"type": "tokens", "total": 20000}}},
     "output_config.task_budget", ()),
    ("anthropic", {"messages": O_HI, "service_tier": "standard_only"},
     "service_tier", ()),
    ("gemini", {"contents": [{"role": "user", "parts": [
        {"text": "hi", "videoMetadata": {"fps": 1}}]}]},
     "contents.videoMetadata", ()),
    ("gemini", {"contents": G_HI, "tools": [{"functionDeclarations": [
        {"name": "f", "response": {"type": "STRING"}}]}]},
     "tools.response", ()),
    ("gemini", {"contents": G_HI, "toolConfig": {"retrievalConfig": {
        "languageCode": "de"}}}, "toolConfig.retrievalConfig", ()),
    ("gemini", {"contents": G_HI, "safetySettings": [{
        "category": "HARM_CATEGORY_HARASSMENT",
        "threshold": "BLOCK_NONE"}]}, "safetySettings", ()),
    ("gemini", {"contents": G_HI, "generationConfig": {
        "mediaResolution": "MEDIA_RESOLUTION_LOW"}}, "mediaResolution", ()),
    ("responses", {"input": "hi", "truncation": "auto"}, "truncation", ()),
    ("responses", {"input": "hi", "tools": [{
        "type": "function", "name": "f", "parameters": SCHEMA,
        "strict": None, "defer_loading": True}]}, "tools.defer_loading", ()),
]
URIS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
        "responses": "/v1/responses"}
EACH = [(s, d, w, t, p) for s, d, w, t in ROWS for p in PROVIDERS
        if p != s]


def ask(gate, surface, doc, model):
    if surface == "gemini":
        return dialects.ask(gate, dialects.gemini_uri(model, False), doc)
    doc = dict(doc, model=model)
    if surface == "anthropic":
        doc["max_tokens"] = 500
    return dialects.ask(gate, URIS[surface], doc)


@pytest.mark.parametrize("surface,doc,word,takers,provider", EACH, ids=[
    "%s-%s-%s-%d" % (s, w, p, i) for i, (s, d, w, t, p) in enumerate(EACH)])
def test_named(gate, surface, doc, word, takers, provider):
    answer = ask(gate, surface, doc, provider)
    assert answer.status == 200, answer.body
    named = (answer.header("x-tollgate-dropped") or "").split(", ")
    assert (word in named) == (provider not in takers), named
    answer = ask(gate, surface, doc, "strict-" + provider)
    if named != [""]:
        assert answer.status == 400
        assert word in json.loads(answer.body)["error"]["message"] or \
            provider in takers
    else:
        assert answer.status == 200


@pytest.mark.parametrize("surface,doc", [
    ("openai", {"messages": O_HI + [
        {"role": "assistant", "content": "yes", "audio": None,
         "function_call": None, "refusal": None, "annotations": [],
         "tool_calls": []}] + O_HI}),
    ("anthropic", {"messages": O_HI + [
        {"role": "assistant", "content": [
            {"type": "text", "text": "yes", "citations": None}]}] + O_HI,
        "metadata": {"user_id": None}, "tools": [a_tool(
            defer_loading=False)]}),
    ("responses", {"input": "hi", "truncation": "disabled",
                   "metadata": {"a": "b"}})])
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_nothing_to_name(gate, surface, doc, provider):
    """What says nothing is not named; so an SDK's answer goes back even
    where the policy is strict."""
    answer = ask(gate, surface, doc, "strict-" + provider)
    assert answer.status == 200, answer.body
    assert answer.header("x-tollgate-dropped") is None


def last(up, provider):
    return json.loads(up.last("replay/" + PROVIDERS[provider][0])["body"])


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
def test_marks_of_results(gate, up, surface):
    """A mark inside a tool's result: behind the result where there is no
    place in it."""
    call = {"at": 1}
    if surface == "openai":
        doc = {"tools": [o_tool()], "messages": O_HI + [
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c1", "type": "function", "function": {
                    "name": "f", "arguments": json.dumps(call)}}]},
            {"role": "tool", "tool_call_id": "c1", "content": MARKED}]}
    else:
        doc = {"tools": [a_tool()], "messages": O_HI + [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c1", "name": "f",
                 "input": call}]},
            user([{"type": "tool_result", "tool_use_id": "c1",
                   "content": MARKED}])]}
    assert ask(gate, surface, doc, "bedrock").status == 200
    content = last(up, "bedrock")["messages"][2]["content"]
    assert [list(b) for b in content] == [["toolResult"], ["cachePoint"]]
    assert content[0]["toolResult"]["content"] == [{"text": "hi"}]
    assert ask(gate, surface, doc, "anthropic").status == 200
    content = last(up, "anthropic")["messages"][2]["content"]
    assert content[0]["content"] == MARKED


def test_no_marks_where_they_are_refused(gate, up):
    doc = {"system": MARKED, "messages": [user(MARKED)],
           "tools": [a_tool(cache_control=MARK)]}
    assert ask(gate, "anthropic", doc, "llama").status == 200
    assert "cachePoint" not in json.dumps(last(up, "llama"))
    assert ask(gate, "anthropic", doc, "nova").status == 200
    sent = last(up, "nova")
    assert "cachePoint" in json.dumps(sent["system"] + sent["messages"])
    assert "cachePoint" not in json.dumps(sent["toolConfig"])


OLD = {"functions": [{"name": "f", "parameters": SCHEMA}], "messages": O_HI + [
    {"role": "assistant", "content": None, "function_call": {
        "name": "f", "arguments": "{\"at\": 2}"}},
    {"role": "function", "name": "f", "content": "two"}] + O_HI}


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "bedrock",
                                      "responses", "cohere", "ollama"])
def test_old_calls(gate, up, provider):
    """Calls in OpenAI's older form, and their answers."""
    answer = ask(gate, "openai", OLD, provider)
    assert answer.status == 200, answer.body
    assert answer.header("x-tollgate-dropped") is None
    sent = json.dumps(last(up, provider))
    assert sent.count('"call_f"') == (0 if provider == "gemini" else 2)
    assert '"at": 2' in sent or '\\"at\\": 2' in sent
    assert "two" in sent
