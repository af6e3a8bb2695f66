"""The independent reader of Ollama's own chat API: recordings.

Written from the public API documentation; it shares nothing with the
product.
"""

import json

from recording import error_of
from said import Meaning


def add_answer(m, doc):
    """A whole answer, or one line of a stream. True: the last one."""
    msg, said = doc.get("message") or {}, m.choice(0)
    said.text += msg.get("content") or ""
    said.reasoning += msg.get("thinking") or ""
    for call in msg.get("tool_calls") or []:
        fn = call.get("function") or {}
        said.calls.append([call.get("id"), fn.get("name"),
                           json.dumps(fn.get("arguments") or {})])
    m.content = m.content or bool(said.text or said.reasoning or said.calls)
    if not doc.get("done"):
        return False
    said.finish = "length" if doc.get("done_reason") == "length" else \
        "tools" if said.calls else "stop"
    if "eval_count" in doc or "prompt_eval_count" in doc:
        m.usage = {"in": doc.get("prompt_eval_count", 0),
                   "out": doc.get("eval_count", 0)}
    return True


def read_lines(raw):
    m = Meaning()
    for line in raw.split(b"\n"):
        if not line.strip():
            continue
        try:
            doc = json.loads(line)
        except ValueError:
            m.broken = "not JSON"
            return m
        if doc.get("error"):
            m.error = error_of(200, doc)
            return m
        if add_answer(m, doc):
            return m
    m.broken = "cut off"
    return m


def read_whole(status, raw):
    m = Meaning()
    try:
        doc = json.loads(raw)
    except ValueError:
        doc = {}
    if status >= 400:
        m.error = error_of(status, doc)
    elif doc.get("error"):
        m.error = error_of(200, doc)
    elif not isinstance(doc.get("message"), dict) or not doc.get("done"):
        m.broken = "no answer"
    else:
        add_answer(m, doc)
    return m


def is_stream(case):
    if case.body_file == "stream.ndjson":
        return True
    raw = case.request()
    return raw is not None and json.loads(raw).get("stream", True) is True


def read(case):
    if case.body_file == "stream.ndjson":
        return read_lines(case.body())
    return read_whole(case.status, case.body())
