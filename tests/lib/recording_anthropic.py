"""The independent reader of Anthropic Messages: recordings, and answers of
the program to clients of that dialect.

Written from the public API documentation (messages, streaming, errors); it
shares nothing with the product.  It is lenient about members that it does
not know and strict about the order of events: faults tell what the official
SDKs could stumble over.
"""

import json

import reader
from recording import error_of
from said import Meaning, is_count

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop",
          "max_tokens": "length", "model_context_window_exceeded": "length",
          "tool_use": "tools", "refusal": "content"}
KNOWN_ERRORS = {
    "invalid_request_error", "authentication_error", "billing_error",
    "permission_error", "not_found_error", "request_too_large",
    "rate_limit_error", "timeout_error", "api_error", "overloaded_error"}


def finish_of(reason):
    return None if reason is None else FINISH.get(reason, "stop")


def add_usage(m, known, usage):
    """Members that are given replace what was known."""
    if not isinstance(usage, dict):
        return
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens",
                 "cache_creation_input_tokens"):
        if is_count(usage.get(name)):
            known[name] = usage[name]
    m.usage = {"in": sum(known.get(n, 0) for n in (
        "input_tokens", "cache_read_input_tokens",
        "cache_creation_input_tokens")), "out": known.get("output_tokens", 0)}


def add_block(m, said, b):
    kind = b.get("type")
    if kind == "text":
        said.text += b.get("text") or ""
    elif kind == "thinking":
        said.reasoning += b.get("thinking") or ""
        if b.get("signature"):
            said.signatures.append(b["signature"])
    elif kind == "redacted_thinking":
        said.sealed.append(b.get("data"))
    elif kind == "tool_use":
        args = b.get("input")
        said.calls.append([b.get("id"), b.get("name"),
                           args if isinstance(args, str)
                           else json.dumps(args if args is not None else {})])
    else:
        return
    m.content = True


def check_head(m, doc):
    for name, want in (("type", "message"), ("role", "assistant")):
        if doc.get(name) != want:
            m.fault("%s is %r", name, doc.get(name))
    for name in ("id", "model"):
        if not isinstance(doc.get(name), str) or not doc[name]:
            m.fault("%s is %r", name, doc.get(name))
    if not isinstance(doc.get("content"), list):
        m.fault("content is %r", doc.get("content"))
    m.id, m.model = doc.get("id"), doc.get("model")
    usage = doc.get("usage")
    if not isinstance(usage, dict) or not is_count(
            usage.get("input_tokens")) or not is_count(
            usage.get("output_tokens")):
        m.fault("usage is %r", usage)


def check_error(m, doc):
    if doc.get("type") != "error":
        m.fault("an error of type %r", doc.get("type"))
    inner = doc.get("error")
    if not isinstance(inner, dict) or inner.get("type") not in \
            KNOWN_ERRORS or not isinstance(inner.get("message"), str):
        m.fault("error is %r", inner)


def read_whole(status, raw):
    m = Meaning()
    try:
        doc = json.loads(raw)
    except ValueError:
        doc = None
    if status >= 400:
        m.error = error_of(status, doc if doc is not None else {})
        if isinstance(doc, dict):
            check_error(m, doc)
        return m
    if not isinstance(doc, dict):
        m.broken = "no object"
        return m
    if doc.get("error"):
        m.error = error_of(200, doc)
        return m
    if not isinstance(doc.get("content"), list):
        m.broken = "no content"
        return m
    check_head(m, doc)
    said = m.choice(0)
    for b in doc["content"]:
        add_block(m, said, b)
    for _, name, args in said.calls:
        if not isinstance(json.loads(args), dict):
            m.fault("input of %r is no object", name)
    said.finish = finish_of(doc.get("stop_reason")) or (
        "tools" if said.calls else "stop")
    said.stop = doc.get("stop_sequence")
    add_usage(m, {}, doc.get("usage"))
    return m


# --- streams -------------------------------------------------------------------

class Stream:
    """Events in their order: one message, blocks one after the other."""

    def __init__(self):
        self.m = Meaning()
        self.usage = {}
        self.block = None      # the open one
        self.args = ""
        self.blocks = 0
        self.started = self.finished = self.ended = False

    def event(self, name, doc):
        m, kind = self.m, doc.get("type")
        if name != kind:
            m.fault("event %r carries type %r", name, kind)
        if self.ended:
            m.fault("%s after the end", kind)
        if kind not in ("message_start", "ping", "error") and \
                not self.started:
            m.fault("%s before message_start", kind)
        run = getattr(self, "on_" + str(kind), None)
        if run:
            run(doc)

    def on_message_start(self, doc):
        msg = doc.get("message") or {}
        if self.started:
            self.m.fault("two message_start")
        self.started = True
        check_head(self.m, msg)
        if msg.get("content") != [] or msg.get("stop_reason") is not None:
            self.m.fault("message_start is not empty")
        self.m.choice(0)
        add_usage(self.m, self.usage, msg.get("usage"))

    def on_content_block_start(self, doc):
        b = doc.get("content_block") or {}
        if self.block is not None:
            self.m.fault("a block begins in a block")
        if self.finished:
            self.m.fault("a block behind message_delta")
        if doc.get("index") != self.blocks:
            self.m.fault("block %r, expected %d", doc.get("index"),
                         self.blocks)
        self.block, self.args = dict(b), ""
        if b.get("type") == "tool_use" and (
                not b.get("id") or not b.get("name")):
            self.m.fault("tool_use %r", b)
        if b.get("text") or b.get("thinking") or \
                b.get("type") == "redacted_thinking":
            self.m.content = True
        if b.get("type") == "tool_use":
            self.m.content = True

    def on_content_block_delta(self, doc):
        d, b = doc.get("delta") or {}, self.block
        if b is None or doc.get("index") != self.blocks:
            self.m.fault("a delta of block %r", doc.get("index"))
            return
        fits = {"text_delta": "text", "thinking_delta": "thinking",
                "signature_delta": "thinking", "citations_delta": "text"}
        want = fits.get(d.get("type"))
        if want and b.get("type") != want:
            self.m.fault("%s in a block %s", d["type"], b.get("type"))
        for kind, name in (("text_delta", "text"),
                           ("thinking_delta", "thinking"),
                           ("signature_delta", "signature")):
            if d.get("type") == kind:
                b[name] = (b.get(name) or "") + d[name]
                self.m.content = self.m.content or bool(d[name])
        if d.get("type") == "input_json_delta":
            self.args += d["partial_json"]

    def on_content_block_stop(self, doc):
        b = self.block
        if b is None or doc.get("index") != self.blocks:
            self.m.fault("the end of block %r", doc.get("index"))
            return
        if self.args:
            b["input"] = self.args
        add_block(self.m, self.m.choice(0), b)
        self.block = None
        self.blocks += 1

    def on_message_delta(self, doc):
        said, d = self.m.choice(0), doc.get("delta") or {}
        if self.block is not None: # cut inside a call by max_tokens
            self.leave_block()
        self.finished = True
        said.finish = finish_of(d.get("stop_reason"))
        said.stop = d.get("stop_sequence")
        if not is_count((doc.get("usage") or {}).get("output_tokens")):
            self.m.fault("usage of message_delta is %r", doc.get("usage"))
        add_usage(self.m, self.usage, doc.get("usage"))

    def leave_block(self):
        self.m.fault("a block was left open")
        self.on_content_block_stop({"index": self.blocks})

    def on_message_stop(self, _doc):
        if not self.finished:
            self.m.fault("message_stop without message_delta")
        self.ended = True


def read_stream(raw):
    s, faults = Stream(), []
    events, _ = reader.sse(raw, faults)
    s.m.faults += faults
    for ev in events:
        try:
            doc = reader.strict_json(ev.data)
        except reader.Bad as e:
            s.m.broken = str(e)
            break
        if ev.name == "error" or doc.get("error") is not None:
            check_error(s.m, doc)
            s.m.error = error_of(200, doc)
            break
        s.event(ev.name, doc)
    if s.block is not None and s.m.error is not None:
        add_block(s.m, s.m.choice(0), dict(s.block, input=s.args))
    if s.m.error is None and s.m.broken is None and not s.ended:
        s.m.broken = "cut off"
    return s.m


def read_body(status, raw, stream):
    return read_stream(raw) if stream and status < 400 else \
        read_whole(status, raw)


def read(case):
    """A recording; its recorder may have lost the last line end."""
    stream = case.body_file == "stream.sse"
    raw = case.body() + (b"\n\n" if stream else b"")
    return read_body(case.status, raw, stream)
