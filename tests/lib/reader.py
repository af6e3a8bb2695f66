"""The strict reader of what a client gets on the chat surface.

It reads as the strictest of the SDKs together would: SSE by the WHATWG
rules, JSON without duplicate keys or NaN, the OpenAI chat grammar, one end.
Whatever is wrong goes into Reading.faults, in words; nothing is mended.
It must not share code with the product nor with recording.py.
"""

import json

FINISHES = {"stop", "length", "tool_calls", "content_filter",
            "function_call"}
REASONING = ("reasoning_content", "reasoning")


class Bad(Exception):
    """Not JSON as it should be."""


def no_twins(items):
    out = {}
    for key, value in items:
        if key in out:
            raise Bad("duplicate key %r" % key)
        out[key] = value
    return out


def no_constant(name):
    raise Bad("%s is no JSON" % name)


def strict_json(text):
    """The value; Bad when the text is not strict JSON."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(text, object_pairs_hook=no_twins,
                           parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as e:
        raise Bad("not UTF-8 (or a lone surrogate): %s" % e) from None
    except (ValueError, RecursionError) as e:
        raise Bad("not JSON: %s" % e) from None
    return value


class Event:
    def __init__(self, name, data):
        self.name = name
        self.data = data


def sse(raw, faults):
    """([Event], comments) of a whole event stream."""
    try:
        text = raw.decode("utf-8")
    except UnicodeError as e:
        faults.append("the stream is not UTF-8: %s" % e)
        text = raw.decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines.pop() != "":
        faults.append("the stream ends inside a line")
    events, comments, name, data, pending = [], [], "", [], False
    for line in lines:
        if line == "":
            if data:
                events.append(Event(name, "\n".join(data)))
            name, data, pending = "", [], False
            continue
        if line.startswith(":"):
            comments.append(line[1:].strip())
            continue
        pending = True
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        else:
            faults.append("SSE field %r" % field[:40])
    if pending:
        faults.append("the stream ends inside an event")
    return events, comments


class Call:
    def __init__(self):
        self.id = self.type = self.name = None
        self.arguments = ""
        self.parts = 0

    def plain(self):
        return {"id": self.id, "type": self.type, "name": self.name,
                "arguments": self.arguments}


class Choice:
    def __init__(self):
        self.text = ""
        self.reasoning = dict.fromkeys(REASONING, "")
        self.refusal = ""
        self.audio = ""
        self.calls = []
        self.function = None
        self.finish = None
        self.finishes = 0
        self.after_finish = False

    def thought(self):
        """The reasoning, whichever member carried it."""
        for name in REASONING:
            if self.reasoning[name]:
                return self.reasoning[name]
        return ""

    def plain(self):
        return {"text": self.text, "reasoning": self.thought(),
                "refusal": self.refusal,
                "calls": [c.plain() for c in self.calls],
                "function": self.function, "finish": self.finish}


class Reading:
    def __init__(self):
        self.faults = []
        self.choices = {}
        self.usage = None
        self.usage_events = 0
        self.error = None
        self.ended = None  # "done", "error", None
        self.comments = []
        self.chunks = 0
        self.ids = set()
        self.meta = None  # the gateway's own words

    def choice(self, index):
        return self.choices.setdefault(index, Choice())

    def fault(self, text, *args):
        if len(self.faults) < 20:
            self.faults.append(text % args if args else text)

    def plain(self):
        """What was said, comparable."""
        return {"choices": {i: c.plain()
                            for i, c in sorted(self.choices.items())},
                "usage": self.usage, "error": self.error,
                "ended": self.ended}


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def check_head(r, doc, kind):
    if doc.get("object") != kind:
        r.fault("object is %r", doc.get("object"))
    if not isinstance(doc.get("id"), str):
        r.fault("id is %r", doc.get("id"))
    else:
        r.ids.add(doc["id"])
    if not is_int(doc.get("created")):
        r.fault("created is %r", doc.get("created"))
    if not isinstance(doc.get("model"), str):
        r.fault("model is %r", doc.get("model"))


def check_usage(r, usage):
    if usage is None:
        return
    if not isinstance(usage, dict):
        r.fault("usage is %r", usage)
        return
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if not is_int(usage.get(name)) or not 0 <= usage[name] <= 2 ** 53:
            r.fault("usage.%s is %r", name, usage.get(name))
    r.usage = usage


def check_error(r, error):
    if not isinstance(error, dict):
        r.fault("error is %r", error)
        return
    for name in ("message", "type"):
        if not isinstance(error.get(name), str) or not error[name]:
            r.fault("error.%s is %r", name, error.get(name))
    for name in ("param", "code"):
        if name not in error or not isinstance(error[name],
                                               (str, type(None))):
            r.fault("error.%s is %r", name, error.get(name, "absent"))
    r.error = error


def text_member(r, doc, name):
    """A member that is a string or null; "" for null and absent."""
    v = doc.get(name)
    if v is not None and not isinstance(v, str):
        r.fault("%s is %s", name, type(v).__name__)
        return ""
    return v or ""


def read_finish(r, c, choice):
    f = choice.get("finish_reason")
    if f is None:
        return
    if f not in FINISHES:
        r.fault("finish_reason is %r", f)
    c.finish = f
    c.finishes += 1


def read_text(r, c, msg):
    said = text_member(r, msg, "content")
    c.text += said
    for name in REASONING:
        more = text_member(r, msg, name)
        c.reasoning[name] += more
        said += more
    refused = text_member(r, msg, "refusal")
    c.refusal += refused
    audio = msg.get("audio")
    if isinstance(audio, dict):
        c.audio += str(audio.get("transcript") or "")
    return said + refused


def call_body(call):
    """function or custom: (name, text so far)."""
    body = call.get("custom" if call.get("type") == "custom"
                    else "function")
    return body if isinstance(body, dict) else None


def read_call_part(r, c, part):
    if not isinstance(part, dict):
        r.fault("a tool call is %r", part)
        return
    index = part.get("index")
    if not is_int(index) or not 0 <= index <= len(c.calls):
        r.fault("tool call index %r after %d calls", index, len(c.calls))
        return
    body = part.get("function", part.get("custom"))
    if not isinstance(body, dict):
        r.fault("tool call without function: %r", part)
        return
    words = body.get("arguments", body.get("input"))
    if words is not None and not isinstance(words, str):
        r.fault("arguments are %s", type(words).__name__)
        words = ""
    if index == len(c.calls):
        call = Call()
        c.calls.append(call)
        call.id, call.type = part.get("id"), part.get("type")
        call.name = body.get("name")
        check_call(r, call)
        if words is None:
            r.fault("first part of a call without arguments string")
    else:
        call = c.calls[index]
        if part.get("id"):
            r.fault("id said again in a later part")
        if "type" in part and part["type"] != call.type:
            r.fault("type %r in a later part", part["type"])
        if body.get("name"):
            r.fault("name said again in a later part")
    call.arguments += words or ""
    call.parts += 1


def check_call(r, call):
    if not isinstance(call.id, str) or not call.id:
        r.fault("call id is %r", call.id)
    if call.type not in ("function", "custom"):
        r.fault("call type is %r", call.type)
    if not isinstance(call.name, str) or not call.name:
        r.fault("call name is %r", call.name)


def read_function(r, c, delta):
    """The old function_call."""
    fn = delta.get("function_call")
    if fn is None:
        return
    if not isinstance(fn, dict):
        r.fault("function_call is %r", fn)
        return
    if c.function is None:
        c.function = {"name": "", "arguments": ""}
    c.function["name"] += text_member(r, fn, "name")
    c.function["arguments"] += text_member(r, fn, "arguments")


def read_chunk_choice(r, choice):
    if not isinstance(choice, dict) or not is_int(choice.get("index")) \
            or choice["index"] < 0:
        r.fault("choice %r", str(choice)[:80])
        return
    c = r.choice(choice["index"])
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        r.fault("delta is %r", delta)
        return
    if delta.get("role") not in ("assistant", None):
        r.fault("role is %r", delta.get("role"))
    before = c.finishes
    said = read_text(r, c, delta)
    calls = delta.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        r.fault("tool_calls is %r", calls)
        calls = None
    for part in calls or []:
        read_call_part(r, c, part)
    read_function(r, c, delta)
    if before and (said or calls):
        c.after_finish = True
    read_finish(r, c, choice)


def read_chunk(r, doc):
    check_head(r, doc, "chat.completion.chunk")
    if not isinstance(doc.get("choices"), list):
        r.fault("choices is %r", doc.get("choices"))
        return
    for choice in doc["choices"]:
        read_chunk_choice(r, choice)
    check_usage(r, doc.get("usage"))
    if not doc["choices"] and isinstance(doc.get("usage"), dict):
        r.usage_events += 1
    r.meta = doc.get("tollgate", r.meta)


def read_error_event(r, doc):
    check_error(r, doc["error"])
    r.ended = "error"
    choices = doc.get("choices")
    if not (isinstance(choices, list) and choices and
            isinstance(choices[0], dict) and
            choices[0].get("finish_reason") == "error" and
            isinstance(choices[0].get("delta"), dict)):
        r.fault("an error event needs choices[0].finish_reason error")


def read_stream(raw):
    """What the bytes of a streamed answer say."""
    r = Reading()
    events, r.comments = sse(raw, r.faults)
    for ev in events:
        if r.ended is not None:
            r.fault("an event after the end: %s", ev.data[:80])
            continue
        if ev.name:
            r.fault("a named event %r", ev.name)
        if ev.data == "[DONE]":
            r.ended = "done"
            continue
        try:
            doc = strict_json(ev.data)
        except Bad as e:
            r.fault("%s: %s", e, ev.data[:80])
            continue
        if not isinstance(doc, dict):
            r.fault("an event that is no object")
        elif doc.get("error") is not None:  # as the SDKs do
            read_error_event(r, doc)
        else:
            r.chunks += 1
            read_chunk(r, doc)
    if r.ended is None:
        r.fault("the stream has no end mark")
    if r.ended == "done":
        for i, c in r.choices.items():
            if c.finish is None:
                r.fault("choice %d has no finish_reason", i)
        if sorted(r.choices) != list(range(len(r.choices))):
            r.fault("choices %r", sorted(r.choices))
        if not r.choices:
            r.fault("an answer without a choice")
    return r


def read_whole_choice(r, choice, place):
    if not isinstance(choice, dict) or choice.get("index") != place or \
            not is_int(choice["index"]):
        r.fault("choice %r", str(choice)[:80])
        return
    c = r.choice(place)
    msg = choice.get("message")
    if not isinstance(msg, dict):
        r.fault("message is %r", msg)
        return
    if msg.get("role") != "assistant":
        r.fault("role is %r", msg.get("role"))
    if "content" not in msg:
        r.fault("content is absent")
    read_text(r, c, msg)
    for call in msg.get("tool_calls") or []:
        read_whole_call(r, c, call)
    read_function(r, c, msg)
    read_finish(r, c, choice)
    if c.finish is None:
        r.fault("choice %d has no finish_reason", place)


def read_whole_call(r, c, call):
    body = call_body(call) if isinstance(call, dict) else None
    if body is None:
        r.fault("a tool call is %r", str(call)[:80])
        return
    out = Call()
    out.id, out.type, out.name = call.get("id"), call.get("type"), \
        body.get("name")
    words = body.get("arguments", body.get("input"))
    if not isinstance(words, str):
        r.fault("arguments are %s", type(words).__name__)
        words = ""
    out.arguments = words
    check_call(r, out)
    c.calls.append(out)


def read_json(raw):
    """What the bytes of a whole answer, or of an error body, say."""
    r = Reading()
    try:
        doc = strict_json(raw)
    except Bad as e:
        r.fault("%s: %r", e, raw[:80])
        return r
    if not isinstance(doc, dict):
        r.fault("the body is no object")
        return r
    if doc.get("error") is not None:
        check_error(r, doc["error"])
        if set(doc) - {"error"}:
            r.fault("beside error: %r", sorted(doc))
        r.ended = "error"
        return r
    check_head(r, doc, "chat.completion")
    choices = doc.get("choices")
    if not isinstance(choices, list) or not choices:
        r.fault("choices is %r", choices)
        choices = []
    for i, choice in enumerate(choices):
        read_whole_choice(r, choice, i)
    check_usage(r, doc.get("usage"))
    r.meta = doc.get("tollgate")
    r.ended = "done"
    return r


def read_answer(status, content_type, body, stream):
    """The reading of an HTTP answer; stream: what the client asked for."""
    kind = (content_type or "").split(";")[0].strip()
    if status != 200:
        r = read_json(body)
        if kind != "application/json":
            r.fault("an error of type %r", content_type)
        if r.error is None:
            r.fault("status %d without an error body", status)
        return r
    want = "text/event-stream" if stream else "application/json"
    r = read_stream(body) if stream else read_json(body)
    if kind != want:
        r.fault("content-type %r", content_type)
    if not stream and r.error is not None:
        r.fault("an error under status 200")
    return r
