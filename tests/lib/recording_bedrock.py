"""The independent reader of recordings of Amazon Bedrock's Converse.

Written from the public API reference; frames are read by botocore.  It
shares nothing with the product.
"""

import base64
import json

from botocore.eventstream import EventStreamBuffer

from recording import error_of
from said import Meaning

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use": "tools",
          "max_tokens": "length", "model_context_window_exceeded": "length",
          "guardrail_intervened": "content", "content_filtered": "content"}
STATUS = {"throttlingException": 429, "validationException": 400,
          "serviceUnavailableException": 503,
          "internalServerException": 500, "modelStreamErrorException": 500}


def is_converse(case):
    return case.provider == "bedrock" and case.api in (
        "converse", "converse-stream") and case.body_file != "stream.ndjson"


def is_stream(case):
    return case.body_file == "stream.eventstream"


def add_usage(m, u):
    if not isinstance(u, dict):
        return
    m.usage = {"in": sum(u.get(n) or 0 for n in (
        "inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")),
        "out": u.get("outputTokens") or 0}


def add_reasoning(said, r):
    text = r.get("reasoningText") or r
    said.reasoning += text.get("text") or ""
    if text.get("signature"):
        said.signatures.append(text["signature"])
    if r.get("redactedContent"):
        said.sealed.append(r["redactedContent"])


def add_block(m, said, b):
    if "text" in b:
        said.text += b["text"]
    elif "toolUse" in b:
        use = b["toolUse"]
        if use.get("type") != "server_tool_use":
            said.calls.append([use["toolUseId"], use["name"],
                               json.dumps(use.get("input", {}))])
    elif "reasoningContent" in b:
        add_reasoning(said, b["reasoningContent"])
    elif "citationsContent" in b:
        for t in b["citationsContent"].get("content") or []:
            said.text += t.get("text") or ""
    else:
        return
    m.content = True


def finish(said, reason):
    said.finish = FINISH.get(reason)
    if said.finish == "tools" and not said.calls:
        said.finish = "stop"


def read_whole(case):
    m = Meaning()
    doc = json.loads(case.body())
    if case.status >= 400:
        status = 500 if case.status == 424 else case.status # the model failed
        if "model identifier is invalid" in (doc.get("message") or ""):
            status = 404
        m.error = error_of(status, doc)
        return m
    said = m.choice(0)
    for b in doc["output"]["message"]["content"]:
        add_block(m, said, b)
    finish(said, doc["stopReason"])
    add_usage(m, doc.get("usage"))
    return m


class Stream:
    def __init__(self):
        self.m = Meaning()
        self.said = self.m.choice(0)
        self.calls = {}
        self.stopped = False

    def event(self, kind, doc):
        index = doc.get("contentBlockIndex")
        if kind == "contentBlockStart":
            use = doc["start"].get("toolUse")
            if use and use.get("type") != "server_tool_use":
                self.calls[index] = [use["toolUseId"], use["name"], ""]
                self.said.calls.append(self.calls[index])
                self.m.content = True
        elif kind == "contentBlockDelta":
            self.delta(index, doc["delta"])
        elif kind == "messageStop":
            self.stopped = True
            finish(self.said, doc["stopReason"])
        elif kind == "metadata":
            add_usage(self.m, doc.get("usage"))

    def delta(self, index, d):
        if "toolUse" in d and index in self.calls:
            self.calls[index][2] += d["toolUse"]["input"]
        elif "text" in d:
            self.said.text += d["text"]
        elif "reasoningContent" in d:
            add_reasoning(self.said, d["reasoningContent"])
        else:
            return
        self.m.content = True


def read_stream(case):
    s = Stream()
    frames = EventStreamBuffer()
    frames.add_data(case.body())
    for frame in frames:
        headers, raw = frame.headers, frame.payload
        if headers[":message-type"] == "event":
            s.event(headers[":event-type"], json.loads(raw))
            continue
        kind = headers.get(":exception-type") or headers[":error-code"]
        message = json.loads(raw).get("message") if raw else \
            headers.get(":error-message")
        s.m.error = {"status": STATUS.get(kind, 500),
                     "message": message or "", "doc": {}}
        return s.m
    if not s.stopped:
        s.m.broken = "cut off"
    for c in s.said.calls:
        c[2] = c[2] or "{}"
    return s.m


def inside(case):
    """What the messages of InvokeModelWithResponseStream hold."""
    frames = EventStreamBuffer()
    frames.add_data(case.body())
    return [base64.b64decode(json.loads(f.payload)["bytes"])
            for f in frames]


def read(case):
    return read_stream(case) if is_stream(case) else read_whole(case)
