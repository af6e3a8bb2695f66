"""The independent reader of a recording of an OpenAI-compatible provider.

What an answer *means*, with all the ways in which providers say it: text,
reasoning, calls, finish, usage wherever it stands, error.  It is lenient
where the product must be lenient, and shares nothing with the product nor
with reader.py.
"""

import base64
import json
import os
import re

FINISH = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls",
    "function_call": "function_call", "content_filter": "content_filter",
    "eos": "stop", "eos_token": "stop", "end_turn": "stop",
    "stop_sequence": "stop", "complete": "stop",
    "tool_call": "tool_calls", "tool_use": "tool_calls",
    "max_tokens": "length", "model_length": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter", "refusal": "content_filter",
    "safety": "content_filter", "sensitive": "content_filter"}


class Case:
    """A folder of the corpus layout."""

    def __init__(self, folder):
        self.folder = folder
        self.provider, self.name = folder.rstrip("/").split("/")[-2:]
        with open(os.path.join(folder, "meta.json"), encoding="utf-8") as f:
            self.meta = json.load(f)
        self.status = self.meta.get("status") or 200
        self.api = self.meta.get("api")
        self.body_file = self.meta.get("body_file") or ""
        self.path = self.meta.get("url_path") or ""

    def __repr__(self):
        return "%s/%s" % (self.provider, self.name)

    def read(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as f:
            return f.read()

    def body(self):
        return self.read(self.body_file) or b""

    def request(self):
        """The recorded request body as bytes, or None."""
        raw = self.read("request.json")
        if raw is not None and raw.startswith(b'{"b64":'):
            raw = base64.b64decode(json.loads(raw)["b64"])
        return raw

    def is_chat(self):
        """Does it speak the OpenAI chat dialect?"""
        if self.api not in ("chat", "openai-compat-chat", "mantle-chat"):
            return False
        if self.path.split("?")[0] == "/api/chat":
            return False  # Ollama's own
        return self.meta.get("method", "POST") == "POST"

    def streamed(self):
        """Was a stream asked for?"""
        raw = self.request()
        if raw is not None:
            try:
                return json.loads(raw).get("stream") is True
            except (ValueError, AttributeError):
                pass
        return self.body_file == "stream.sse"


def cases(root):
    out = []
    for provider in sorted(os.listdir(root)):
        top = os.path.join(root, provider)
        if not os.path.isdir(top):
            continue
        for name in sorted(os.listdir(top)):
            if os.path.exists(os.path.join(top, name, "meta.json")):
                out.append(Case(os.path.join(top, name)))
    return out


# --- the meaning -----------------------------------------------------------

class Meaning:
    def __init__(self):
        self.choices = {}
        self.usage = None    # {"prompt", "completion", "reasoning"}
        self.error = None    # {"status", "message"}
        self.content = False  # anything for a reader before error or end
        self.finished = False
        self.done = False    # an end mark was seen
        self.broken = None   # why no answer can be read of it

    def plain(self):
        return {i: c.plain() for i, c in sorted(self.choices.items())}


class Said:
    """One choice."""

    def __init__(self):
        self.text = ""
        self.thought = {}
        self.refusal = ""
        self.calls = []
        self.by_index = {}
        self.function = None
        self.finish = None

    def plain(self):
        thought = ""
        for name in ("reasoning_content", "reasoning"):
            thought = thought or self.thought.get(name, "")
        return {"text": self.text, "reasoning": thought,
                "refusal": self.refusal, "calls": self.calls,
                "function": self.function, "finish": self.finish}


def split_parts(content):
    """(text, thought) of a string, a list of parts or nothing."""
    if isinstance(content, str):
        return content, ""
    text, thought = "", ""
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            thought += split_parts(inner)[0] if isinstance(
                inner, list) else str(inner or "")
        else:
            text += str(part.get("text") or "")
    return text, thought


def add_call(said, call, streaming):
    fn = call.get("custom") or call.get("function") or {}
    words = fn.get("arguments", fn.get("input"))
    if words is None:
        words = ""
    elif not isinstance(words, str):
        words = json.dumps(words, separators=(",", ":"))
    index, cid, name = call.get("index"), call.get("id"), fn.get("name")
    known = None
    if streaming:
        known = find_call(said, index, cid, name)
    if known is None:
        known = {"id": cid or None, "name": name, "arguments": "",
                 "type": call.get("type") or "function"}
        said.calls.append(known)
        if index is not None:
            said.by_index[index] = known
    known["arguments"] += words


def find_call(said, index, cid, name):
    """The call that a part continues, or None for a new one."""
    if index is not None:
        known = said.by_index.get(index)
        if known is None or (cid and known["id"] and cid != known["id"]):
            return None
        return known
    if cid:
        same = [c for c in said.calls if c["id"] == cid]
        return same[-1] if same else None
    return said.calls[-1] if said.calls and not name else None


CONTENT = ("content", "reasoning_content", "reasoning", "refusal",
           "tool_calls", "function_call", "audio", "images",
           "reasoning_details", "annotations")


def add_message(m, said, msg, streaming):
    text, thought = split_parts(msg.get("content"))
    said.text += text
    for name in ("reasoning_content", "reasoning"):
        more = msg.get(name)
        if isinstance(more, str):
            said.thought[name] = said.thought.get(name, "") + more
    if thought and not isinstance(msg.get("reasoning_content"), str):
        said.thought["reasoning_content"] = said.thought.get(
            "reasoning_content", "") + thought
    said.refusal += msg.get("refusal") or ""
    for call in msg.get("tool_calls") or []:
        add_call(said, call, streaming)
    fn = msg.get("function_call")
    if fn:
        was = said.function or {"name": "", "arguments": ""}
        said.function = {
            "name": was["name"] + (fn.get("name") or ""),
            "arguments": was["arguments"] + (fn.get("arguments") or "")}
    if any(msg.get(name) for name in CONTENT):
        m.content = True


def add_finish(m, said, reason):
    if isinstance(reason, str) and reason:
        said.finish = FINISH.get(reason.lower(), "stop")
        m.finished = True


def count_of(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return min(max(0, int(value)), 2 ** 53)


def add_usage(m, doc):
    found = [doc.get("usage"), (doc.get("x_groq") or {}).get("usage")]
    found += [c.get("usage") for c in doc.get("choices") or []
              if isinstance(c, dict)]
    for u in found:
        if not isinstance(u, dict):
            continue
        prompt = count_of(u.get("prompt_tokens"))
        completion = count_of(u.get("completion_tokens"))
        if prompt is None and completion is None:
            continue
        detail = u.get("completion_tokens_details") or {}
        m.usage = {
            "prompt": prompt or 0, "completion": completion or 0,
            "reasoning": count_of(detail.get("reasoning_tokens")) or
            count_of(u.get("reasoning_tokens")) or 0,
            "total": count_of(u.get("total_tokens"))}
        return


# --- errors ----------------------------------------------------------------

def message_in(doc):
    """The text of an error body, whatever form it has, or ""."""
    if isinstance(doc, str):
        return doc
    if isinstance(doc, list):
        return message_in(doc[0]) if doc else ""
    if not isinstance(doc, dict):
        return ""
    if isinstance(doc.get("error"), dict) and doc["error"]:
        return message_in(doc["error"])
    if isinstance(doc.get("errors"), list) and doc["errors"]:
        return message_in(doc["errors"][0])
    for name in ("message", "detail", "error", "msg"):
        v = doc.get(name)
        if isinstance(v, str) and v:
            return v
        if isinstance(v, list) and v:
            return message_in(v)
    return ""


def is_error(doc):
    if not isinstance(doc, dict):
        return False
    return bool(doc.get("error")) or doc.get("object") == "error" or (
        isinstance(doc.get("errors"), list) and bool(doc["errors"]) and
        "choices" not in doc)


def error_of(status, doc):
    """{"status", "message"}; a status given as code counts under HTTP 200."""
    inner = doc.get("error") if isinstance(doc, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    if status == 200 and re.fullmatch(r"[45]\d\d", str(code)):
        status = int(code)
    return {"status": status, "message": message_in(doc),
            "doc": doc}


# --- reading -----------------------------------------------------------------

def read_whole(case_status, raw):
    m = Meaning()
    try:
        doc = json.loads(raw)
    except ValueError:
        doc = None
    if case_status >= 400:
        m.error = error_of(case_status, doc if doc is not None else {})
        return m
    if doc is None:
        m.broken = "not JSON"
        return m
    if is_error(doc):
        m.error = error_of(200, doc)
        return m
    choices = doc.get("choices") if isinstance(doc, dict) else None
    if not isinstance(choices, list) or not choices:
        m.broken = "no choices"
        return m
    for i, choice in enumerate(choices):
        if choice.get("error"):
            m.error = error_of(200, choice)
        said = m.choices.setdefault(choice.get("index", i), Said())
        add_message(m, said, choice.get("message") or {}, False)
        add_finish(m, said, choice.get("finish_reason"))
    add_usage(m, doc)
    m.done = True
    settle(m)
    return m


def settle(m):
    """Is it a whole answer, and why did its choices end?"""
    if m.error or m.broken:
        return
    if not m.done and not m.finished:
        m.broken = "cut off"
    elif not m.content and not m.finished:
        m.broken = "empty"
    for said in m.choices.values():
        if said.finish is None:
            said.finish = "tool_calls" if said.calls else "stop"


def events(raw):
    """(name, data) of each event; framings as providers write them."""
    text = raw.decode("utf-8", "replace").lstrip("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for block in re.split(r"\n\n+", text):
        name, data = "", []
        for line in block.split("\n"):
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif line.startswith("event:"):
                name = line[6:].strip()
        if data:
            yield name, "\n".join(data)


def read_stream(raw):
    m = Meaning()
    for name, data in events(raw):
        if data.strip() == "[DONE]":
            m.done = True
            break
        if not data.strip():
            continue
        try:
            doc = json.loads(data)
        except ValueError:
            m.broken = "an event that is not JSON"
            break
        if name == "error" or is_error(doc):
            m.error = error_of(200, doc)
            break
        failed = [c for c in doc.get("choices") or [] if c.get("error")]
        if failed:
            m.error = error_of(200, failed[0])
            break
        for i, choice in enumerate(doc.get("choices") or []):
            said = m.choices.setdefault(choice.get("index", i), Said())
            add_message(m, said, choice.get("delta") or {}, True)
            add_finish(m, said, choice.get("finish_reason"))
        add_usage(m, doc)
    settle(m)
    return m


def read(case):
    """The meaning of a case's answer."""
    raw = case.body()
    if case.status < 400 and case.body_file == "stream.sse":
        return read_stream(raw)
    return read_whole(case.status, raw)
