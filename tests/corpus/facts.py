"""What a request says, read independently from each dialect, so that one
before a translation can be held against the one behind it.

A conversation is a list of (side, kind, ...) in order; neighbours of text of
one side are one text.  Results name their call by its place.  Media in a
result stand behind all results of the turn, as not every dialect can say
them inside.
"""

import json
import re

ERROR = "Error: "  # how a failed result begins where no flag tells it


class Facts:
    def __init__(self):
        self.system = []
        self.turns = []
        self.calls = {}       # id → place
        self.names = {}       # Gemini: name → places not yet answered
        self.tools = {}
        self.settings = {}

    def add(self, side, kind, *rest):
        if kind == "text" and self.turns and \
                self.turns[-1][:2] == (side, "text"):
            self.turns[-1] = (side, "text", self.turns[-1][2] + rest[0])
        elif kind != "text" or rest[0]:
            self.turns.append((side, kind) + rest)

    def call(self, cid, name, args):
        place = len(self.names.setdefault("order", []))
        self.names["order"].append(name)
        if cid:
            self.calls[cid] = place
        self.names.setdefault(name, []).append(place)
        self.add("assistant", "call", name, args)

    def plain(self):
        return {"system": "".join(self.system), "turns": self.turns,
                "tools": self.tools, "settings": self.settings}


def result_text(text):
    """(text, failed): the flag may stand in words."""
    return (text[len(ERROR):], True) if text.startswith(ERROR) \
        else (text, False)


def data_url(url):
    m = re.fullmatch(r"data:([^;]*);base64,(.*)", url or "", re.S)
    return (m.group(1), m.group(2)) if m else (None, url)


# --- OpenAI chat -------------------------------------------------------------------

def openai_part(f, side, p):
    kind = p["type"]
    if kind == "text":
        f.add(side, "text", p["text"])
    elif kind == "refusal":
        f.add(side, "text", p["refusal"])
    elif kind == "image_url":
        f.add(side, "image", *data_url(p["image_url"]["url"]))
    elif kind == "file":
        f.add(side, "file", *data_url(p["file"]["file_data"]))
    elif kind == "input_audio":
        f.add(side, "audio", "audio/" + p["input_audio"]["format"],
              p["input_audio"]["data"])
    else:
        raise AssertionError(kind)


def parts(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content or []


def openai_message(f, m):
    role = m["role"]
    if role in ("system", "developer"):
        f.system += [p["text"] for p in parts(m["content"])]
        return
    if role == "tool":
        text = "".join(p["text"] for p in parts(m["content"]))
        f.add("user", "result", f.calls[m["tool_call_id"]],
              *result_text(text))
        return
    for d in m.get("reasoning_details") or []:
        f.add("assistant", "reasoning", d.get("text") or "",
              d.get("signature") or d.get("data"))
    for p in parts(m.get("content")):
        openai_part(f, role, p)
    for c in m.get("tool_calls") or []:
        f.call(c["id"], c["function"]["name"],
               json.loads(c["function"]["arguments"]))


def openai(doc):
    f = Facts()
    for m in doc["messages"]:
        openai_message(f, m)
    for t in doc.get("tools") or []:
        fn = t["function"]
        f.tools[fn["name"]] = (fn.get("description") or "",
                               fn.get("parameters") or EMPTY)
    choice = doc.get("tool_choice")
    if isinstance(choice, dict):
        choice = ("named", choice["function"]["name"])
    s = f.settings
    s["choice"] = choice
    s["max"] = doc.get("max_completion_tokens") or doc.get("max_tokens")
    s["stop"] = [doc["stop"]] if isinstance(doc.get("stop"), str) \
        else doc.get("stop")
    form = doc.get("response_format") or {}
    s["schema"] = (form.get("json_schema") or {}).get("schema")
    s["json"] = form.get("type") == "json_object"
    for k in ("temperature", "top_p", "seed", "frequency_penalty",
              "presence_penalty", "parallel_tool_calls", "user"):
        s[k] = doc.get(k)
    s["thinks"] = doc.get("reasoning_effort") not in (None, "none")
    return f.plain()


EMPTY = {"type": "object", "properties": {}}


# --- Anthropic Messages ------------------------------------------------------------

def anthropic_media(b):
    s = b["source"]
    if s["type"] == "base64":
        return s["media_type"], s["data"]
    return None, s["url"]


def anthropic_block(f, side, b, later):
    kind = b["type"]
    if kind == "text":
        f.add(side, "text", b["text"])
    elif kind in ("image", "document"):
        if b["source"]["type"] == "text":
            f.add(side, "text", b["source"]["data"])
            return
        f.add(side, "file" if kind == "document" else kind,
              *anthropic_media(b))
    elif kind == "tool_use":
        f.call(b["id"], b["name"], b["input"])
    elif kind == "tool_result":
        inner = parts(b.get("content"))
        f.add(side, "result", f.calls[b["tool_use_id"]],
              "".join(p["text"] for p in inner if p["type"] == "text"),
              b.get("is_error") is True)
        later += [p for p in inner if p["type"] != "text"]
    elif kind == "thinking":
        f.add(side, "reasoning", b["thinking"], b["signature"])
    elif kind == "redacted_thinking":
        f.add(side, "reasoning", "", b["data"])
    else:
        raise AssertionError(kind)


def anthropic(doc):
    f = Facts()
    f.system = [p["text"] for p in parts(doc.get("system"))]
    for m in doc["messages"]:
        later, blocks = [], parts(m["content"])
        for b in blocks:
            if b["type"] != "tool_result" and later:
                flush(f, later)
            anthropic_block(f, m["role"], b, later)
        flush(f, later)
    for t in doc.get("tools") or []:
        f.tools[t["name"]] = (t.get("description") or "", t["input_schema"])
    choice = doc.get("tool_choice") or {}
    s = f.settings
    s["choice"] = {"auto": "auto", "any": "required", "none": "none",
                   "tool": ("named", choice.get("name")),
                   None: None}[choice.get("type")]
    off = choice.get("disable_parallel_tool_use")
    s["parallel_tool_calls"] = None if off is None else not off
    s["max"] = doc["max_tokens"]
    s["stop"] = doc.get("stop_sequences")
    form = (doc.get("output_config") or {}).get("format") or {}
    s["schema"] = form.get("schema")
    s["json"] = "JSON object" in "".join(f.system)
    f.system = [t for t in f.system if not (
        "JSON object" in t and t.startswith("Answer with"))]
    for k in ("temperature", "top_p", "seed", "frequency_penalty",
              "presence_penalty"):
        s[k] = doc.get(k)
    s["user"] = (doc.get("metadata") or {}).get("user_id")
    s["thinks"] = (doc.get("thinking") or {}).get("type") in (
        "enabled", "adaptive")
    return f.plain()


def flush(f, later):
    for b in later:
        anthropic_block(f, "user", b, [])
    del later[:]


# --- generateContent ---------------------------------------------------------------

def gemini_media(p):
    d = p.get("inlineData")
    if d:
        kind = d["mimeType"].split("/")[0]
        return kind if kind in ("image", "audio", "video") else "file", \
            d["mimeType"], d["data"]
    d = p["fileData"]
    kind = (d.get("mimeType") or "").split("/")[0]
    return kind if kind in ("image", "audio", "video") else "file", None, \
        d["fileUri"]


def gemini_result(f, r):
    places = f.names.get(r["name"]) or [None]
    place = f.calls.get(r.get("id"))
    if place is None:
        place = places.pop(0) if places else None
    body = r["response"]
    if set(body) == {"error"}:
        text, failed = body["error"], True
    elif set(body) in ({"result"}, {"output"}):
        text, failed = list(body.values())[0], False
    else:
        text, failed = json.dumps(body), False
    f.add("user", "result", place, text, failed)


def gemini_part(f, side, p):
    if "functionCall" in p:
        c = p["functionCall"]
        sign = p.get("thoughtSignature")
        if sign and sign != "skip_thought_signature_validator":
            f.add(side, "reasoning", "", sign)
        f.call(c.get("id"), c["name"], c.get("args") or {})
    elif "functionResponse" in p:
        gemini_result(f, p["functionResponse"])
    elif "inlineData" in p or "fileData" in p:
        f.add(side, *gemini_media(p))
    elif p.get("thought") or (not p["text"] and p.get("thoughtSignature")):
        f.add(side, "reasoning", p["text"], p.get("thoughtSignature"))
    else:
        f.add(side, "text", p["text"])


def gemini(doc):
    f = Facts()
    for p in (doc.get("systemInstruction") or {}).get("parts") or []:
        f.system.append(p["text"])
    for c in doc["contents"]:
        for p in c["parts"]:
            gemini_part(f, "assistant" if c["role"] == "model" else "user",
                        p)
    for t in doc.get("tools") or []:
        for fn in t["functionDeclarations"]:
            f.tools[fn["name"]] = (fn.get("description") or "",
                                   fn.get("parametersJsonSchema") or
                                   lower(fn.get("parameters")) or EMPTY)
    cfg = (doc.get("toolConfig") or {}).get("functionCallingConfig") or {}
    names = cfg.get("allowedFunctionNames")
    s, g = f.settings, doc.get("generationConfig") or {}
    s["choice"] = ("named", names[0]) if names else {
        "AUTO": "auto", "ANY": "required", "NONE": "none",
        None: None}[cfg.get("mode")]
    s["max"] = g.get("maxOutputTokens")
    s["stop"] = g.get("stopSequences")
    s["schema"] = g.get("responseJsonSchema") or lower(
        g.get("responseSchema"))
    s["json"] = g.get("responseMimeType") == "application/json" and \
        not s["schema"]
    for k, name in (("temperature", "temperature"), ("top_p", "topP"),
                    ("seed", "seed"),
                    ("frequency_penalty", "frequencyPenalty"),
                    ("presence_penalty", "presencePenalty")):
        s[k] = g.get(name)
    s["parallel_tool_calls"] = s["user"] = None
    think = g.get("thinkingConfig") or {}
    s["thinks"] = think.get("thinkingBudget", 0) != 0 or \
        "thinkingLevel" in think
    return f.plain()


def lower(v):
    """Google's older names of types."""
    if isinstance(v, dict):
        return {k: x.lower() if k == "type" and isinstance(x, str)
                else lower(x) for k, x in v.items()}
    return [lower(x) for x in v] if isinstance(v, list) else v


READ = {"openai": openai, "anthropic": anthropic, "gemini": gemini}
