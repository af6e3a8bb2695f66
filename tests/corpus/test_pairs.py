"""The table of requests (test_requests.py), of four surfaces, to providers of
the dialects that are nobody's surface but one: nothing of a request is lost
on the way, unless the client is told or the request is refused; and the
providers' own SDKs take what is sent. Then: probabilities of tokens."""

import copy
import json
import os

import pytest

import dialects
import facts
import facts_more
import pool
import recording_bedrock
import test_bedrock
import test_natives
import test_requests
import test_responses
import test_responses_sdk
import world

TARGETS = {
    "responses": ("responses/whole-text", "v1", "gpt-fixture"),
    "bedrock": ("bedrock/cache", "", "anthropic.claude-sonnet-4-5"),
    "cohere": ("cohere/whole", "", "command-fixture"),
    "ollama": ("ollama/whole", "", "llama-fixture"),
}
JUDGES = {
    "responses": test_responses_sdk.check_params,
    "cohere": test_natives.judge_cohere,
    "ollama": test_natives.judge_ollama,
}


@pytest.fixture(scope="module")
def gate(up):
    policy = {"log": os.devnull, "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for name, (case, root, model) in TARGETS.items():
        policy["providers"]["x-" + name] = {
            "adapter": name, "key": "plain:sk-" + name,
            "base_url": up.base("replay/" + case, root)}
        policy["models"]["to-" + name] = {"targets": [
            {"provider": "x-" + name, "model": model}]}
    with pool.Pool(policy) as p:
        yield p


# --- the table on the surface of Responses, from that of chat completions -------------

def r_part(p, assistant):
    if p["type"] == "text":
        return {"type": "output_text" if assistant else "input_text",
                "text": p["text"]}
    if p["type"] == "image_url":
        return {"type": "input_image", "detail": "auto",
                "image_url": p["image_url"]["url"]}
    assert p["type"] == "file"
    return {"type": "input_file", "filename": p["file"]["filename"],
            "file_data": p["file"]["file_data"]}


def r_items(m):
    if m["role"] == "tool":
        output = m["content"] if isinstance(m["content"], str) else [
            r_part(p, False) for p in m["content"]]
        return [{"type": "function_call_output", "output": output,
                 "call_id": m["tool_call_id"]}]
    out, said = [], facts.parts(m.get("content"))
    if said:
        out.append({"role": m["role"], "content": [
            r_part(p, m["role"] == "assistant") for p in said]})
    return out + [{"type": "function_call", "call_id": c["id"],
                   "name": c["function"]["name"],
                   "arguments": c["function"]["arguments"]}
                  for c in m.get("tool_calls") or []]


def as_responses(doc):
    """None: that surface has no word for something in it."""
    out = {"input": [i for m in doc["messages"] for i in r_items(m)]}
    for k, v in doc.items():
        if k in ("temperature", "top_p", "user", "parallel_tool_calls"):
            out[k] = v
        elif k == "max_completion_tokens":
            out["max_output_tokens"] = v
        elif k == "tools":
            out[k] = [dict(t["function"], type="function", strict=None)
                      for t in v]
        elif k == "tool_choice":
            out[k] = v if isinstance(v, str) else {
                "type": "function", "name": v["function"]["name"]}
        elif k == "reasoning_effort":
            out["reasoning"] = {"effort": v}
        elif k == "response_format":
            out["text"] = {"format": dict(v.get("json_schema") or {},
                                          type=v["type"])}
        elif k != "messages":
            return None
    return out


def table():
    for name, docs in test_requests.CASES.items():
        docs = dict(docs)
        if "openai" in docs:
            docs["responses"] = as_responses(docs["openai"])
        for surface, doc in docs.items():
            for target in TARGETS:
                if doc is not None and surface != target:
                    yield name, surface, target


READ = dict(facts.READ, **facts_more.READ)
# What a target cannot be told: refused with a word.
REFUSED = {("images", "bedrock"), ("images", "ollama"), ("pdf", "cohere"),
           ("pdf", "ollama")}
NAMES = {"choice": "tool_choice", "max": "max_tokens", "schema":
         "response_format", "json": "response_format",
         "thinks": "reasoning_effort"}


def complete(surface, doc, target):
    if surface != "responses":
        return test_requests.complete(surface, doc, target)
    return "/v1/responses", dict(copy.deepcopy(doc), model="to-" + target)


def document(name, surface):
    docs = test_requests.CASES[name]
    return as_responses(docs["openai"]) if surface == "responses" \
        else docs[surface]


def last_media(turns):
    """Media of results stand in the next turn of the user, where a dialect
    has one only; so all media of neighbours come first or last alike."""
    out, run = [], []
    for t in turns + [(None, None)]:
        if t[0] == "user" and t[1] != "result":
            run.append(t)
            continue
        out += sorted(run, key=lambda x: x[1] == "text") + [t]
        run = []
    return out[:-1]


@pytest.mark.parametrize("name,surface,target", list(table()),
                         ids=lambda v: v)
def test_request(gate, up, name, surface, target):
    uri, client = complete(surface, document(name, surface), target)
    answer = dialects.ask(gate, uri, client)
    if (name, target) in REFUSED:
        assert answer.status == 400, answer.body
        return
    assert answer.status == 200, answer.body[:500]
    last = up.last("replay/" + TARGETS[target][0])
    got = json.loads(last["body"])
    if target == "bedrock":
        assert test_bedrock.check_shape(got, "m") == []
    else:
        JUDGES[target](got)
    want, have = READ[surface](client), READ[target](got)
    named = (answer.header("x-tollgate-dropped") or "").split(", ")
    settle(name, surface, target, want, have, named)
    assert have["system"] == want["system"]
    assert have["tools"] == want["tools"]
    assert last_media(have["turns"]) == last_media(want["turns"])
    assert have["settings"] == want["settings"]


def client_forbids(name):
    return name == "choice none"


def settle(name, surface, target, want, have, named):
    """The differences that are meant to be."""
    a, b = want["settings"], have["settings"]
    for word in a:
        if a[word] != b.get(word) and NAMES.get(word, word) in named:
            a[word] = b[word]
    if a["parallel_tool_calls"] is None or surface == "gemini":
        a["parallel_tool_calls"] = b["parallel_tool_calls"]
    if a["choice"] == "auto" and target in ("cohere", "ollama"):
        a["choice"] = None # what saying nothing says there
    if a["choice"] and a["choice"][0] == "named" and target == "cohere":
        a["choice"] = "required" # of the one tool that is offered
    if client_forbids(name) and target in ("bedrock", "ollama"):
        a["choice"] = b["choice"] = None # no tools are offered
        assert have["tools"] == {}
        want["tools"] = {}
    if name == "results out of order":
        for f in (want, have):
            f["turns"].sort(key=lambda t: (t[1] == "text", repr(t)))


# --- answers of these dialects to clients of Responses --------------------------------

ANSWERS = [(m, c) for m in (test_natives, test_bedrock) for c in m.CASES]


@pytest.fixture(scope="module")
def natives(up):
    gates = {m: pool.Pool(m.policy(up)).start()
             for m in (test_natives, test_bedrock)}
    yield gates
    for p in gates.values():
        p.stop()
        p.clean()


@pytest.mark.parametrize("module,case", ANSWERS, ids=lambda v: repr(v)
                         if not hasattr(v, "CASES") else "")
def test_answer(natives, module, case):
    if module is test_natives:
        name, stream, m = test_natives.alias(case), \
            test_natives.is_stream(case), test_natives.meaning(case)
    else:
        name, stream, m = dialects.alias(case), \
            recording_bedrock.is_stream(case), recording_bedrock.read(case)
    test_responses.check_from(test_responses.post(
        natives[module], "/v1/responses",
        {"model": name, "stream": stream, "input": "Hello"}), m, stream)


# --- probabilities of tokens ------------------------------------------------------------

LOGPROBS = [c for c in dialects.CASES + world.CASES
            if c.status == 200 and b"ogprobs" in c.body() and
            dialects.meaning(c).error is None and
            dialects.meaning(c).broken is None]


def plain_google(doc):
    out = []
    for c in doc.get("candidates") or []:
        r = c.get("logprobsResult") or {}
        tops = r.get("topCandidates") or []
        for i, v in enumerate(r.get("chosenCandidates") or []):
            out.append((v["token"], v["logProbability"], [
                (t["token"], t["logProbability"])
                for t in (tops[i:i + 1] or [{}])[0].get(
                    "candidates") or []]))
    return out


def plain_openai(doc):
    out = []
    for c in doc.get("choices") or []:
        for v in (c.get("logprobs") or {}).get("content") or []:
            out.append((v["token"], v["logprob"], [
                (t["token"], t["logprob"])
                for t in v.get("top_logprobs") or []]))
    return out


PLAIN = {"openai": plain_openai, "gemini": plain_google}


def probabilities(dialect, body, stream):
    docs = [json.loads(line[5:]) for line in body.decode().splitlines()
            if line.startswith("data:") and "[DONE]" not in line] \
        if stream else [json.loads(body)]
    return [p for d in docs for p in PLAIN[dialect](d)]


@pytest.fixture(scope="module")
def replay(up):
    with pool.Pool(dialects.policy(up)) as p:
        yield p


@pytest.mark.parametrize("surface", sorted(PLAIN))
@pytest.mark.parametrize("case", LOGPROBS, ids=repr)
def test_logprobs(replay, case, surface):
    dialect = dialects.dialect_of(case) or "openai"
    stream = dialects.is_stream(case)
    if dialect not in PLAIN:
        pytest.skip("a dialect without them")
    want = probabilities(dialect, case.body(), stream)
    answer = dialects.ask(replay, *dialects.plain_request(surface, case))
    assert answer.status == 200, answer.body
    got = probabilities(surface, answer.body, stream)
    assert got == want
    if dialect == "gemini" and surface == "openai":
        for c in json.loads(answer.body)["choices"] if not stream else []:
            for v in (c.get("logprobs") or {}).get("content") or []:
                assert bytes(v["bytes"]).decode() == v["token"]


def test_enough_cases():
    kinds = {dialects.dialect_of(c) for c in LOGPROBS}
    assert None in kinds and "gemini" in kinds
    assert any(b"logprobsResult" in c.body() and dialects.is_stream(c)
               for c in LOGPROBS)
    assert len(list(table())) > 150
