"""The independent reader of a recording of a Responses provider.

What the answer means: text, refusal, reasoning, calls, finish, usage, error.
It shares nothing with the product nor with reader_responses.py.
"""

import json

APIS = ("responses", "mantle-responses")


def is_responses(case):
    return case.api in APIS and case.meta.get("method", "POST") == "POST"


class Meaning:
    def __init__(self):
        self.text = self.refusal = self.reasoning = ""
        self.sealed = []
        self.calls = []      # (call id, name, arguments)
        self.finish = None
        self.usage = None    # (input, cached, output, reasoning)
        self.error = None
        self.content = False  # anything for a reader before an error
        self.broken = None


def events(raw):
    """[(name, data)] by the WHATWG rules."""
    out, name, data = [], "", []
    text = raw.decode("utf-8", "replace").lstrip("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines + [""]:
        if line == "":
            if data:
                out.append((name, "\n".join(data)))
            name, data = "", []
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:][1:] if line[5:6] == " " else line[5:])
    return out


def thought(item):
    """A summary, else what was really thought."""
    for key in ("summary", "content"):
        texts = [p.get("text") or "" for p in item.get(key) or []]
        if any(texts):
            return "\n\n".join(t for t in texts if t)
    return ""


def read_output(m, output):
    for item in output:
        kind = item.get("type")
        if kind == "message":
            for part in item.get("content") or []:
                if part.get("type") == "refusal":
                    m.refusal += part.get("refusal") or ""
                elif part.get("type") == "output_text":
                    m.text += part.get("text") or ""
        elif kind == "reasoning":
            m.reasoning += thought(item)
            if item.get("encrypted_content"):
                m.sealed.append(item["encrypted_content"])
        elif kind == "function_call":
            m.calls.append((item.get("call_id") or item.get("id"),
                            item["name"], item.get("arguments") or "{}"))


def read_usage(m, usage):
    if not isinstance(usage, dict) or "input_tokens" not in usage:
        return
    given = usage.get("input_tokens_details") or {}
    made = usage.get("output_tokens_details") or {}
    thoughts = made.get("reasoning_tokens") or 0
    output = usage.get("output_tokens") or 0
    if thoughts and usage.get("total_tokens") == \
            usage["input_tokens"] + output + thoughts:
        output += thoughts
    m.usage = (usage["input_tokens"], given.get("cached_tokens") or 0,
               output, min(thoughts, output))


def read_response(m, doc):
    """The response object, whole."""
    if doc.get("error") or doc.get("status") == "failed":
        m.error = doc.get("error") or {"message": ""}
        return
    read_output(m, doc.get("output") or [])
    read_usage(m, doc.get("usage"))
    why = (doc.get("incomplete_details") or {}).get("reason")
    if doc.get("status") == "incomplete":
        m.finish = "content_filter" if why == "content_filter" else "length"
    else:
        m.finish = "tool_calls" if m.calls else "stop"


DELTAS = ("response.output_text.delta", "response.refusal.delta",
          "response.reasoning_summary_text.delta",
          "response.reasoning_text.delta",
          "response.function_call_arguments.delta")


def read_stream(raw):
    """The last event tells the whole; the deltas must not differ from it."""
    m = Meaning()
    said = {"text": ""}
    items = {}
    for name, data in events(raw):
        if data == "[DONE]":
            break
        doc = json.loads(data)
        kind = doc.get("type") or name
        if kind in DELTAS and doc.get("delta"):
            m.content = True
        if kind == "response.output_text.delta":
            said["text"] += doc["delta"]
        if kind == "response.output_item.done":
            items[doc["output_index"]] = doc["item"]
        if kind == "response.output_item.added" and \
                doc["item"]["type"] not in ("message", "reasoning"):
            m.content = True
        if kind == "error" or (kind == "" and "error" in doc):
            m.error = doc.get("error") or doc
            m.text = said["text"]
            return m
        if kind == "response.failed":
            m.error = doc["response"].get("error") or {"message": ""}
            m.text = said["text"]
            return m
        if kind in ("response.completed", "response.incomplete"):
            whole = dict(doc["response"])
            # What the done events said is what a reader has seen; the
            # reasoning may be sealed anew at the end.
            output = list(whole.get("output") or [])
            for i, item in items.items():
                if i < len(output):
                    output[i] = item
                else:
                    output.append(item)
            whole["output"] = output
            read_response(m, whole)
            # Recordings that were shortened by hand: what was streamed.
            m.text = said["text"] or m.text
            return m
    m.broken = "cut off"
    m.text = said["text"]
    return m


def read(case):
    raw = case.body()
    m = Meaning()
    if case.body_file == "stream.sse":
        if case.status == 200:
            return read_stream(raw)
    try:
        doc = json.loads(raw)
    except ValueError:
        m.broken = "not JSON"
        return m
    if case.status != 200:
        m.error = doc.get("error") if isinstance(doc, dict) else None
        m.error = m.error or {"message": ""}
    elif "output" not in doc and not doc.get("error"):
        m.broken = "no output"
    else:
        read_response(m, doc)
    return m
