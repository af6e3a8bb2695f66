"""Cases of the dialects anthropic and gemini, the requests made of them on
every surface, and how an answer there is held against the recording."""

import json
import os
import re

import reader
import recording
import recording_anthropic
import recording_gemini
import said
import world

SURFACES = ("openai", "anthropic", "gemini")
READERS = {"anthropic": recording_anthropic, "gemini": recording_gemini}
APIS = {"messages": "anthropic", "rawPredict": "anthropic",
        "streamRawPredict": "anthropic", "generateContent": "gemini",
        "streamGenerateContent": "gemini"}
PROVIDERS = ("anthropic", "azure", "gemini", "vertex")
PROMPT = "Say something."


def dialect_of(case):
    if case.provider in PROVIDERS and case.meta.get("method") == "POST":
        return APIS.get(case.api)
    return None


def dialect_cases():
    skip = set(world.exceptions())
    return [c for root in world.roots() for c in recording.cases(root)
            if dialect_of(c) and repr(c) not in skip
            and c.body_file != "stream.json"]


CASES = dialect_cases()
MEANING = {}


def meaning(case):
    """What a case means, in the common form."""
    key = repr(case)
    if key not in MEANING:
        dialect = dialect_of(case)
        MEANING[key] = READERS[dialect].read(case) if dialect \
            else from_chat(world.meaning(case))
    return MEANING[key]


def from_chat(m):
    """The reading of an OpenAI-compatible recording, in the common form."""
    out = said.Meaning()
    out.error, out.broken, out.content = m.error, m.broken, m.content
    for i, c in m.plain().items():
        fill(out.choice(i), c)
    if m.usage:
        total = m.usage["completion"]
        out.usage = {"in": m.usage["prompt"], "out": total,
                     "also": total + m.usage["reasoning"]}
    return out


FINISH = {"stop": "stop", "length": "length", "tool_calls": "tools",
          "function_call": "tools", "content_filter": "content"}


def fill(choice, c):
    choice.text, choice.reasoning = c["text"], c["reasoning"]
    choice.refusal = c["refusal"]
    choice.finish = FINISH.get(c["finish"])
    choice.calls = [[k["id"], k["name"], k["arguments"]] for k in c["calls"]]
    if c["function"] and c["function"]["name"]:  # empty: there is none
        choice.calls.append([None, c["function"]["name"],
                             c["function"]["arguments"]])


def is_stream(case):
    if dialect_of(case) is None:
        return world.is_stream(case)
    if case.api in ("streamGenerateContent", "streamRawPredict"):
        return True
    return case.body_file == "stream.sse" or case.streamed()


# --- the policy ---------------------------------------------------------------------

def alias(case):
    return world.alias(case, "d")


def provider(up, case):
    at = "replay/%s/%s" % (case.provider, case.name)
    dialect = dialect_of(case) or "openai"
    root = {"anthropic": "", "gemini": "v1beta", "openai": "v1"}[dialect]
    return {"adapter": dialect, "base_url": up.base(at, root),
            "key": "plain:" + world.provider_key(case)}


def policy(up):
    out = {"log": os.devnull, "attempts": 1, "providers": {}, "models": {},
           "keys": [{"name": "corpus",
                     "secret": "plain:" + world.CLIENT_KEY}]}
    for i, c in enumerate(CASES + world.CASES):
        out["providers"]["p%d" % i] = provider(up, c)
        out["models"][alias(c)] = {"targets": [
            {"provider": "p%d" % i, "model": "up-" + c.name}]}
    return out


# --- requests -------------------------------------------------------------------------

def plain_request(surface, case):
    """A small request on a surface: (uri, document)."""
    name, stream = alias(case), is_stream(case)
    if surface == "gemini":
        return gemini_uri(name, stream), {"contents": [
            {"role": "user", "parts": [{"text": PROMPT}]}]}
    doc = {"model": name, "messages": [{"role": "user", "content": PROMPT}]}
    if stream:
        doc["stream"] = True
    if surface == "anthropic":
        doc["max_tokens"] = 1000
        return "/v1/messages", doc
    if stream:
        doc["stream_options"] = {"include_usage": True}
    return "/v1/chat/completions", doc


def gemini_uri(name, stream):
    return "/v1beta/models/%s:%s" % (name, "streamGenerateContent?alt=sse"
                                     if stream else "generateContent")


def own_request(case):
    """The recorded request on its own surface: (uri, document)."""
    raw = case.request()
    if raw is None or case.api in ("rawPredict", "streamRawPredict"):
        return plain_request(dialect_of(case), case)
    doc = json.loads(raw)
    if dialect_of(case) == "gemini":
        return gemini_uri(alias(case), is_stream(case)), doc
    doc["model"] = alias(case)
    if is_stream(case):
        doc["stream"] = True
    return "/v1/messages", doc


def ask(gate, uri, doc, headers=()):
    return gate.post(uri, json.dumps(doc).encode(), world.CLIENT_KEY,
                     headers)


# --- answers ---------------------------------------------------------------------------

def read_answer(surface, answer, stream):
    """An answer on a surface in the common form; faults: what the official
    SDKs could stumble over."""
    if surface != "openai":
        m = READERS[surface].read_body(answer.status, answer.body, stream)
    else:
        r = reader.read_answer(answer.status, answer.header("content-type"),
                               answer.body, stream)
        m = said.Meaning()
        m.faults = list(r.faults)
        for i, c in r.plain()["choices"].items():
            fill(m.choice(i), c)
        if r.usage:
            m.usage = {"in": r.usage["prompt_tokens"],
                       "out": r.usage["completion_tokens"]}
        if r.error:
            m.error = {"status": answer.status, "doc": {"error": r.error},
                       "message": r.error.get("message") or ""}
    kind = (answer.header("content-type") or "").split(";")[0]
    want = "text/event-stream" if stream and answer.status == 200 \
        else "application/json"
    if kind != want:
        m.fault("content-type %r", kind)
    return m


def check_error(m, got, answer):
    if m.broken:
        return [] if answer.status == 502 else [
            "status %d for %s" % (answer.status, m.broken)]
    wrong = []
    want = world.expected_statuses(m.error)
    if answer.status not in want:
        wrong.append("status %d, expected %s" % (answer.status,
                                                 sorted(want)))
    if got.error is None:
        return wrong + ["no error body: %r" % answer.body[:200]]
    if answer.status in (400, 404, 413, 422) and \
            m.error["message"].strip()[:200] not in got.error["message"]:
        wrong.append("message %r, the provider said %r" % (
            got.error["message"][:100], m.error["message"][:100]))
    return wrong


def one_text(c, surface):
    """Where a dialect has no word for a refusal or an image it is text."""
    c = dict(c)
    if surface != "openai":
        c["text"], c["refusal"] = c["text"] + c["refusal"], ""
    if surface == "anthropic":
        c["text"] += "".join("![image](data:%s;base64,%s)" % m
                             for m in c["media"])
    if surface != "gemini":
        del c["media"]
    return c


def objects(name, args):
    """Arguments that are no object travel inside one."""
    return name, args if isinstance(args, dict) else {"arguments": args}


def check_choices(want, got, surface, finish):
    if surface == "anthropic":
        want = {i: c for i, c in want.items() if i == 0}
    if not finish: # an error may come before a choice says anything
        want = {i: c for i, c in want.items() if i in got or
                any(c[n] for n in ("text", "reasoning", "calls"))}
    if sorted(want) != sorted(got):
        return ["choices %s, expected %s" % (sorted(got), sorted(want))]
    wrong = []
    for i in want:
        a, b = one_text(want[i], surface), one_text(got[i], surface)
        if surface == "gemini": # STOP is its one word for both
            for c in (a, b):
                c["finish"] = "stop" if c["finish"] == "tools" \
                    else c["finish"]
        a["calls"] = [objects(*c) for c in a["calls"]]
        b["calls"] = [objects(*c) for c in b["calls"]]
        for name in a:
            if name == "finish" and not finish:
                continue
            if a[name] != b[name]:
                wrong.append("choice %d: %s is %r, expected %r" % (
                    i, name, str(b[name])[:600], str(a[name])[:600]))
    return wrong


def check_usage(want, got):
    if got is None:
        return ["no usage, expected %r" % want]
    wrong = []
    if got["in"] != want["in"]:
        wrong.append("input %r, expected %r" % (got["in"], want["in"]))
    if got["out"] not in (want["out"], want.get("also")):
        wrong.append("output %r, expected %r" % (got["out"], want["out"]))
    return wrong


def check_proofs(m, surface, body):
    """No signature of reasoning is lost on the way, no image neither."""
    text = body.decode("utf-8", "replace").replace("\\/", "/")
    out = []
    for c in m.choices.values():
        for s in c.signatures + c.sealed + [d for _, d in c.media]:
            if s and s not in text and (surface != "gemini" or
                                        is_base64(s)):
                out.append("signature %s… is lost" % s[:20])
    return out


def is_base64(s):
    return re.fullmatch(r"[A-Za-z0-9+/]+=*", s) and len(s) % 4 == 0


def excepted(case, surface):
    return "%s>%s" % (case, surface) in world.exceptions()


def check_answer(case, surface, answer):
    """All that is wrong with an answer to a case on a surface."""
    m, stream = meaning(case), is_stream(case)
    if not answer.complete:
        return ["the answer is broken off"]
    same = dialect_of(case) == surface
    got = read_answer(surface, answer, stream)
    wrong = [] if same and answer.status == 200 else list(got.faults)
    failed = m.error is not None or m.broken is not None
    if failed and not (stream and m.content):
        if answer.status == 200:
            return wrong + ["status 200, expected an error (%s)" % (
                m.broken or m.error["message"])]
        return wrong + check_error(m, got, answer)
    if answer.status != 200:
        return wrong + ["status %d: %r" % (answer.status, answer.body[:300])]
    if failed != (got.error is not None):
        wrong.append("error %r, expected %r" % (got.error, m.broken or
                                                m.error))
    if got.broken:
        wrong.append(got.broken)
    wrong += check_choices(m.plain(), got.plain(), surface, not failed)
    if m.usage and not failed:
        wrong += check_usage(m.usage, got.usage)
    return wrong + check_proofs(m, surface, answer.body)
