"""The independent reader of Cohere's Chat API, version 2: recordings.

Written from the public API documentation; it shares nothing with the
product.  Faults tell what is against the documented form.
"""

import json

import reader
from recording import error_of
from said import Meaning, is_count

FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop",
          "MAX_TOKENS": "length", "TOOL_CALL": "tools",
          "ERROR_TOXIC": "content", "ERROR_LIMIT": "length"}
FAILED = ("ERROR", "TIMEOUT")


def add_usage(m, usage):
    """What is billed; where that is not told, all tokens."""
    usage = usage or {}
    for name in ("billed_units", "tokens"):
        u = usage.get(name) or {}
        if "input_tokens" in u or "output_tokens" in u:
            m.usage = {"in": int(u.get("input_tokens", 0)),
                       "out": int(u.get("output_tokens", 0))}
            return


def add_finish(m, reason, why, usage):
    if reason in FAILED:
        doc = {"message": why or ""}
        m.error = error_of(200, doc)
        m.error["message"] = why or ""
        return
    m.choice(0).finish = FINISH.get(reason, "stop")
    add_usage(m, usage)


def add_call(said, call):
    fn = call.get("function") or {}
    said.calls.append([call.get("id"), fn.get("name"),
                       fn.get("arguments") or ""])


def read_whole(status, raw):
    m = Meaning()
    try:
        doc = json.loads(raw)
    except ValueError:
        doc = {}
    if status >= 400:
        m.error = error_of(status, doc)
        return m
    msg = doc.get("message") if isinstance(doc, dict) else None
    if not isinstance(msg, dict):
        m.broken = "no message"
        return m
    said = m.choice(0)
    for c in msg.get("content") or []:
        said.text += c.get("text") or ""
        said.reasoning += c.get("thinking") or ""
    said.text += msg.get("tool_plan") or ""
    for call in msg.get("tool_calls") or []:
        add_call(said, call)
    m.content = True
    add_finish(m, doc.get("finish_reason"), doc.get("error"),
               doc.get("usage"))
    return m


def add_event(m, calls, doc):
    """One event; calls: the provider's index → ours."""
    kind, msg = doc.get("type"), (doc.get("delta") or {}).get("message") or {}
    said = m.choice(0)
    if kind in ("content-start", "content-delta"):
        c = msg.get("content") or {}
        said.text += c.get("text") or ""
        said.reasoning += c.get("thinking") or ""
        m.content = m.content or bool(c.get("text") or c.get("thinking"))
    elif kind == "tool-plan-delta":
        said.text += msg.get("tool_plan") or ""
        m.content = True
    elif kind == "tool-call-start":
        if not is_count(doc.get("index")):
            m.fault("index %r", doc.get("index"))
        calls[doc.get("index")] = len(said.calls)
        add_call(said, msg.get("tool_calls") or {})
        m.content = True
    elif kind == "tool-call-delta":
        fn = (msg.get("tool_calls") or {}).get("function") or {}
        said.calls[calls[doc.get("index")]][2] += fn.get("arguments") or ""
    elif kind == "message-end":
        d = doc.get("delta") or {}
        add_finish(m, d.get("finish_reason"), d.get("error"),
                   d.get("usage"))
        return True
    return False


def read_stream(raw):
    m, calls, ended = Meaning(), {}, False
    events, _ = reader.sse(raw, m.faults)
    for ev in events:
        if ended:
            break
        if ev.data == "[DONE]":
            break
        try:
            doc = reader.strict_json(ev.data)
        except reader.Bad as e:
            m.broken = str(e)
            return m
        if isinstance(doc.get("message"), str):
            m.error = error_of(200, doc)
            return m
        if ev.name != doc.get("type"):
            m.fault("event %r of type %r", ev.name, doc.get("type"))
        ended = add_event(m, calls, doc)
    if not ended:
        m.broken = "cut off"
    return m


def is_stream(case):
    return case.body_file == "stream.sse" or case.streamed()


def read(case):
    if case.body_file == "stream.sse":
        return read_stream(case.body() + b"\n\n")
    return read_whole(case.status, case.body())
