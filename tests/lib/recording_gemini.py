"""The independent reader of Google's generateContent (Gemini API and Vertex
AI): recordings, and answers of the program to clients of that dialect.

Written from the public API documentation; it shares nothing with the
product.  Faults tell what is against the documented form.
"""

import json
import re

import reader
from recording import error_of
from said import Meaning, is_count

CONTENT = {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST",
           "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR",
           "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"}
STATUSES = {400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION",
                  "OUT_OF_RANGE"},
            401: {"UNAUTHENTICATED"}, 403: {"PERMISSION_DENIED"},
            404: {"NOT_FOUND"}, 409: {"ABORTED", "ALREADY_EXISTS"},
            429: {"RESOURCE_EXHAUSTED"}, 499: {"CANCELLED"},
            500: {"INTERNAL", "UNKNOWN"}, 501: {"UNIMPLEMENTED"},
            503: {"UNAVAILABLE"}, 504: {"DEADLINE_EXCEEDED"}}


def finish_of(reason, calls):
    if not reason or reason == "FINISH_REASON_UNSPECIFIED":
        return None
    if reason == "MAX_TOKENS":
        return "length"
    if reason in CONTENT:
        return "content"
    return "tools" if calls else "stop"


def member(obj, camel):
    """protobuf's JSON may be in snake_case."""
    if camel in obj:
        return obj[camel]
    return obj.get(re.sub(r"([A-Z])", lambda x: "_" + x.group(1).lower(),
                          camel))


VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


def put(value, steps, v):
    """value with v at the end of a path; strings are made longer."""
    if not steps:
        return value + v if isinstance(value, str) else v
    if isinstance(steps[0], int):
        value = value or []
        value += [None] * (steps[0] + 1 - len(value))
        value[steps[0]] = put(value[steps[0]], steps[1:], v)
    else:
        value = value or {}
        value[steps[0]] = put(value.get(steps[0]), steps[1:], v)
    return value


def more_arguments(m, said, call):
    """The next part of arguments that are streamed: values and their
    JSONPaths."""
    args = json.loads(said[2])
    for part in member(call, "partialArgs") or []:
        steps = re.findall(r"""\.([^.\[]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]"""
                           r"""|\["((?:[^"\\]|\\.)*)"\]""",
                           member(part, "jsonPath"))
        steps = [int(n) if n else name or re.sub(r"\\(.)", r"\1", a or b)
                 for name, n, a, b in steps]
        found = [k for k in VALUES if member(part, k) is not None or
                 k in part]
        if len(found) != 1:
            m.fault("%d values of a part", len(found))
            continue
        v = None if found[0] == "nullValue" else member(part, found[0])
        args = put(args, steps, v)
    said[2] = json.dumps(args)


def add_part(m, said, p):
    signature = member(p, "thoughtSignature")
    if signature:
        said.signatures.append(signature)
    call, media = member(p, "functionCall"), member(p, "inlineData")
    if call is not None and said.calls and "name" not in call:
        more_arguments(m, said.calls[-1], call)
    elif call is not None:
        said.calls.append([call.get("id"), call.get("name"),
                           json.dumps(call.get("args") or {})])
        if not isinstance(call.get("name"), str):
            m.fault("a call without a name")
        if member(call, "partialArgs"):
            more_arguments(m, said.calls[-1], call)
        m.content = True
    elif media is not None:
        said.media.append((member(media, "mimeType"), media.get("data")))
        m.content = True
    elif isinstance(p.get("text"), str):
        if p.get("thought"):
            said.reasoning += p["text"]
        else:
            said.text += p["text"]
        m.content = m.content or bool(p["text"])


def add_usage(m, doc):
    u = doc.get("usageMetadata")
    if not isinstance(u, dict) or not is_count(u.get("promptTokenCount")):
        return
    m.usage = {"in": u["promptTokenCount"] +
               u.get("toolUsePromptTokenCount", 0),
               "out": u.get("candidatesTokenCount", 0) +
               u.get("thoughtsTokenCount", 0)}


def add_answer(m, doc):
    """One GenerateContentResponse: a whole one, or a part of a stream."""
    for i, c in enumerate(doc.get("candidates") or []):
        index = c.get("index", i)
        if not is_count(index):
            m.fault("index %r", index)
            continue
        said = m.choice(index)
        content = c.get("content") or {}
        if content.get("role") not in ("model", None):
            m.fault("role %r", content.get("role"))
        for p in content.get("parts") or []:
            add_part(m, said, p)
        finish = finish_of(c.get("finishReason"), said.calls)
        if finish:
            said.finish = finish
    if doc.get("promptFeedback") and not doc.get("candidates"):
        m.choice(0).finish = m.choice(0).finish or "content"
    add_usage(m, doc)
    m.id = m.id or doc.get("responseId")
    m.model = m.model or doc.get("modelVersion")


def check_error(m, status, doc):
    inner = doc.get("error") if isinstance(doc, dict) else None
    if not isinstance(inner, dict) or inner.get("code") != status or \
            not isinstance(inner.get("message"), str) or \
            inner.get("status") not in STATUSES.get(status, {
                inner.get("status")}):
        m.fault("error is %r", inner)


def read_whole(status, raw):
    m = Meaning()
    try:
        doc = json.loads(raw)
    except ValueError:
        doc = None
    if isinstance(doc, list) and doc and status >= 400:
        doc = doc[0]
    if status >= 400:
        m.error = error_of(status, doc if doc is not None else {})
        check_error(m, status, doc)
        return m
    if not isinstance(doc, dict):
        m.broken = "no object"
    elif doc.get("error"):
        m.error = error_of(200, doc)
    elif not doc.get("candidates") and not doc.get("promptFeedback"):
        m.broken = "no candidates"
    else:
        add_answer(m, doc)
        for said in m.choices.values():
            said.finish = said.finish or ("tools" if said.calls else "stop")
    return m


def read_docs(docs, m=None):
    """A stream: answers one after the other."""
    m = m or Meaning()
    for doc in docs:
        if doc.get("error"):
            m.error = error_of(200, doc)
            code = doc["error"].get("code")
            check_error(m, code, doc)
            return m
        add_answer(m, doc)
    if not any(c.finish for c in m.choices.values()):
        m.broken = "cut off"
    return m


def read_stream(raw):
    m, faults, docs = Meaning(), [], []
    events, _ = reader.sse(raw, faults)
    for ev in events:
        if ev.name:
            m.fault("a named event %r", ev.name)
        try:
            docs.append(reader.strict_json(ev.data))
        except reader.Bad as e:
            m.broken = str(e)
            return m
    m.faults += faults
    return read_docs(docs, m)


def read_body(status, raw, stream):
    return read_stream(raw) if stream and status < 400 else \
        read_whole(status, raw)


def read(case):
    """A recording; its recorder may have lost the last line end."""
    stream = case.body_file == "stream.sse"
    raw = case.body() + (b"\n\n" if stream else b"")
    return read_body(case.status, raw, stream)
