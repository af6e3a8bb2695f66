"""What a request says (see facts.py) in the dialects of more providers:
Responses, Bedrock's Converse, Cohere's chat and Ollama's."""

import json

from facts import ERROR, Facts, data_url, parts, result_text

SETTINGS = ("temperature", "top_p", "seed", "frequency_penalty",
            "presence_penalty", "parallel_tool_calls", "user")
JSON_WORDS = "JSON object"


def settle(f, **given):
    """The settings that were given; all others are not."""
    f.settings = dict.fromkeys(SETTINGS)
    f.settings.update(choice=None, max=None, stop=None, schema=None,
                      json=False, thinks=False)
    f.settings.update(given)


def flush(f, later):
    for kind in later:
        f.add("user", *kind)
    del later[:]


# --- Responses ---------------------------------------------------------------------

def responses_part(p):
    kind = p["type"]
    if kind in ("input_text", "output_text", "text"):
        return "text", p["text"]
    if kind == "refusal":
        return "text", p["refusal"]
    if kind == "input_image":
        return ("image",) + data_url(p["image_url"])
    if kind == "input_audio":
        return "audio", "audio/" + p["input_audio"]["format"], \
            p["input_audio"]["data"]
    if kind == "input_file":
        return ("file",) + (data_url(p["file_data"]) if "file_data" in p
                            else (None, p["file_url"]))
    raise AssertionError(kind)


def responses_item(f, i, later):
    kind = i.get("type", "message")
    if kind != "function_call_output":
        flush(f, later)
    if kind == "message":
        said = [responses_part(p) for p in parts(i["content"])]
        if i["role"] in ("system", "developer"):
            f.system += [p[1] for p in said]
        else:
            for p in said:
                f.add(i["role"], *p)
    elif kind == "function_call":
        f.call(i["call_id"], i["name"], json.loads(i["arguments"]))
    elif kind == "function_call_output":
        said = [responses_part(p) for p in parts(i["output"])]
        text = "".join(p[1] for p in said if p[0] == "text")
        f.add("user", "result", f.calls[i["call_id"]], *result_text(text))
        later += [p for p in said if p[0] != "text"]
    else:
        raise AssertionError(kind)


def responses(doc):
    f, later = Facts(), []
    if doc.get("instructions"):
        f.system.append(doc["instructions"])
    for i in [{"role": "user", "content": doc["input"]}] \
            if isinstance(doc["input"], str) else doc["input"]:
        responses_item(f, i, later)
    flush(f, later)
    for t in doc.get("tools") or []:
        f.tools[t["name"]] = (t.get("description") or "", t["parameters"])
    choice = doc.get("tool_choice")
    form = (doc.get("text") or {}).get("format") or {}
    settle(f, choice=("named", choice["name"]) if isinstance(choice, dict)
           else choice, max=doc.get("max_output_tokens"),
           schema=form.get("schema"), json=form["type"] == "json_object"
           if form else False, thinks=(doc.get("reasoning") or {}).get(
               "effort") not in (None, "none"),
           **{k: doc[k] for k in SETTINGS if k in doc})
    return f.plain()


# --- Converse ----------------------------------------------------------------------

TYPES = {"pdf": "application/pdf", "txt": "text/plain"}


def bedrock_block(f, side, b, later):
    (kind, v), = b.items()
    if kind != "toolResult" and later:
        flush(f, later)
    if kind == "text":
        f.add(side, "text", v)
    elif kind == "image":
        f.add(side, "image", "image/" + v["format"], v["source"]["bytes"])
    elif kind == "document":
        f.add(side, "file", TYPES[v["format"]], v["source"]["bytes"])
    elif kind == "toolUse":
        f.call(v["toolUseId"], v["name"], v["input"])
    elif kind == "toolResult":
        f.add(side, "result", f.calls[v["toolUseId"]],
              "".join(p["text"] for p in v["content"] if "text" in p),
              v.get("status") == "error")
        later += [("image", "image/" + p["image"]["format"],
                   p["image"]["source"]["bytes"])
                  for p in v["content"] if "image" in p]
    elif kind != "cachePoint":
        raise AssertionError(kind)


def bedrock(doc):
    f = Facts()
    f.system = [b["text"] for b in doc.get("system") or [] if "text" in b]
    words = [t for t in f.system if JSON_WORDS in t]
    f.system = [t for t in f.system if t not in words]
    for m in doc["messages"]:
        later = []
        for b in m["content"]:
            bedrock_block(f, m["role"], b, later)
        flush(f, later)
    config = doc.get("toolConfig") or {}
    for t in config.get("tools") or []:
        if "toolSpec" in t:
            s = t["toolSpec"]
            f.tools[s["name"]] = (s.get("description") or "",
                                  s["inputSchema"]["json"])
    choice = config.get("toolChoice")
    if choice:
        (word, more), = choice.items()
        choice = ("named", more["name"]) if word == "tool" else {
            "any": "required"}.get(word, word)
    g = doc.get("inferenceConfig") or {}
    form = ((doc.get("outputConfig") or {}).get("textFormat") or {}).get(
        "structure", {}).get("jsonSchema")
    more = doc.get("additionalModelRequestFields") or {}
    settle(f, choice=choice, max=g.get("maxTokens"),
           temperature=g.get("temperature"), top_p=g.get("topP"),
           stop=g.get("stopSequences"), json=bool(words),
           schema=json.loads(form["schema"]) if form else None,
           thinks="thinking" in more)
    return f.plain()


# --- Cohere ------------------------------------------------------------------------

def cohere_message(f, m, later):
    role, content = m["role"], m.get("content")
    if role != "tool":
        flush(f, later)
    if role == "system":
        f.system += [p["text"] for p in parts(content)]
    elif role == "tool":
        text, failed = content, False
        if not isinstance(content, str):
            (doc,), failed = content, True
            text = doc["document"]["data"]["error"]
        f.add("user", "result", f.calls[m["tool_call_id"]], text, failed)
    else:
        f.add(role, "text", m.get("tool_plan") or "")
        for p in parts(content):
            if p["type"] == "text":
                f.add(role, "text", p["text"])
            else:
                f.add(role, "image", *data_url(p["image_url"]["url"]))
        for c in m.get("tool_calls") or []:
            f.call(c["id"], c["function"]["name"],
                   json.loads(c["function"]["arguments"]))


def functions(doc):
    return {t["function"]["name"]: (t["function"].get("description") or "",
                                    t["function"]["parameters"])
            for t in doc.get("tools") or []}


def cohere(doc):
    f, later = Facts(), []
    for m in doc["messages"]:
        cohere_message(f, m, later)
    f.tools = functions(doc)
    form = doc.get("response_format") or {}
    settle(f, choice=(doc.get("tool_choice") or "").lower() or None,
           max=doc.get("max_tokens"), temperature=doc.get("temperature"),
           top_p=doc.get("p"), seed=doc.get("seed"),
           frequency_penalty=doc.get("frequency_penalty"),
           presence_penalty=doc.get("presence_penalty"),
           stop=doc.get("stop_sequences"), schema=form.get("json_schema"),
           json=form.get("type") == "json_object" and
           "json_schema" not in form,
           thinks=(doc.get("thinking") or {}).get("type") == "enabled")
    return f.plain()


# --- Ollama ------------------------------------------------------------------------

def ollama_message(f, m):
    role = m["role"]
    if role == "system":
        f.system.append(m["content"])
    elif role == "tool":
        f.add("user", "result", f.calls[m["tool_call_id"]],
              *result_text(m["content"]))
    else:
        f.add(role, "text", m["content"])
        for i in m.get("images") or []:
            f.add(role, "image", "image/png", i)
        for c in m.get("tool_calls") or []:
            f.call(c["id"], c["function"]["name"],
                   c["function"]["arguments"])


def ollama(doc):
    f = Facts()
    for m in doc["messages"]:
        ollama_message(f, m)
    f.tools = functions(doc)
    o, form = doc.get("options") or {}, doc.get("format")
    settle(f, max=o.get("num_predict"), stop=o.get("stop"),
           schema=form if isinstance(form, dict) else None,
           json=form == "json", thinks=bool(doc.get("think")),
           **{k: o[k] for k in SETTINGS if k in o})
    return f.plain()


READ = {"responses": responses, "bedrock": bedrock, "cohere": cohere,
        "ollama": ollama}
assert ERROR
