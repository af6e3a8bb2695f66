"""What is the same in two documents of one dialect, though it is written
differently. Each rule is a line with its reason; what no rule takes away is a
difference. Shares nothing with the product.

normal(dialect, kind, doc) → the document in one spelling, kind "request" or
"answer"; whole(dialect, raw) → the answer that a stream amounts to;
differences(a, b) → [(path, a's, b's)].
"""

import json
import re

import recording_gemini
from said import Meaning


def differences(a, b, path=""):
    """Where two normal documents differ, as texts."""
    if isinstance(a, dict) and (b is None or isinstance(b, dict)) and a:
        b = b or {}
        out = []
        for k in sorted(set(a) | set(b)):
            out += differences(a.get(k), b.get(k), path + "." + k)
        return out
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        out = []
        for i, (x, y) in enumerate(zip(a, b)):
            out += differences(x, y, "%s[%d]" % (path, i))
        return out
    if a == b and isinstance(a, bool) == isinstance(b, bool):
        return []
    return ["%s: %.300r became %.300r" % (path or ".", a, b)]


def told(difference, extras):
    """Is it a member that the client is told about: "messages.prefix"?"""
    words = re.sub(r"\[\d+\]", "", difference.partition(":")[0]).split(".")
    for extra in extras:
        first, _, last = extra.rpartition(".")
        if last in words and (not first or first.split(".")[0] in words):
            return True
    return False


# --- rules of all dialects ------------------------------------------------

def bare(v, free=()):
    """Without members that are null: absent says the same. Not in `free`,
    where the words are somebody else's: schemas, arguments. Nor with those
    that nobody knows: mutate.py adds some."""
    if isinstance(v, dict):
        return {k: x if k in free else bare(x, free) for k, x in v.items()
                if x is not None and not k.startswith("x_new_")}
    if isinstance(v, list):
        return [bare(x, free) for x in v]
    return v


def drop(doc, **defaults):
    """Members whose value says what their absence says."""
    for name, value in defaults.items():
        if name in doc and doc[name] == value and \
                isinstance(doc[name], bool) == isinstance(value, bool):
            del doc[name]


def lose(doc, *names):
    """Members that only the same dialect passes on, or that are the house's
    to set: each call tells why."""
    for name in names:
        doc.pop(name, None)


def rename(doc, old, new):
    """Another name for the same."""
    if old in doc:
        value = doc.pop(old)
        doc.setdefault(new, value)


def only(doc, *names):
    """The members of the dialect; a provider's own additions are not its."""
    for name in list(doc):
        if name not in names:
            del doc[name]


def as_json(text):
    """Arguments are JSON in a string: its blanks say nothing."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def merged(parts, text="text"):
    """Neighbouring texts as one: only an answer's cuts are lost."""
    out = []
    for p in parts:
        if out and set(p) == set(out[-1]) == {"type", text} and \
                p["type"] == out[-1]["type"]:
            out[-1] = dict(p, **{text: out[-1][text] + p[text]})
        else:
            out.append(p)
    return out


def zeros(usage, *names):
    """A count of nothing is no count."""
    for name in names:
        if isinstance(usage.get(name), dict):
            for k, n in list(usage[name].items()):
                drop(usage[name], **{k: 0})
            drop(usage, **{name: {}})
        else:
            drop(usage, **{name: 0})


# --- OpenAI chat ------------------------------------------------

FREE = ("parameters", "schema", "metadata", "logit_bias", "input_schema",
        "args", "input")


def openai_request(doc):
    doc = bare(doc, FREE)
    drop(doc, stream=False, n=1, logprobs=False)
    lose(doc, "stream_options")  # usage is always asked for: the house bills
    rename(doc, "max_completion_tokens", "max_tokens")  # the older name
    if isinstance(doc.get("stop"), str):
        doc["stop"] = [doc["stop"]]
    reasoning = doc.get("reasoning")
    if isinstance(reasoning, dict) and set(reasoning) == {"effort"}:
        doc["reasoning_effort"] = doc.pop("reasoning")["effort"]
    if "functions" in doc:  # the older form of tools
        doc["tools"] = [{"type": "function", "function": f}
                        for f in doc.pop("functions")]
        choice = doc.pop("function_call", None)
        if isinstance(choice, dict):
            choice = {"type": "function", "function": choice}
        if choice is not None:
            doc["tool_choice"] = choice
    if not doc.get("tools"):  # they say something about tools only
        lose(doc, "tools", "tool_choice", "parallel_tool_calls")
    for tool in doc.get("tools", []):
        tool.setdefault("type", "function")
        drop(tool.get("function", {}), strict=False)
    if doc.get("tool_choice") == "any":  # Mistral's word
        doc["tool_choice"] = "required"
    if type(doc.get("logprobs")) is int:  # Together's form
        doc["top_logprobs"] = doc["logprobs"]
        doc["logprobs"] = doc["top_logprobs"] > 0
    schema = doc.get("response_format", {})
    if isinstance(schema, dict) and schema.get("type") == "json_schema":
        inner = schema.get("json_schema", {})
        if not inner.get("name"):
            inner["name"] = "answer"  # OpenAI demands one, others do not
        lose(inner, "strict")  # written where the schema is strict anyhow
    doc["messages"] = [openai_message(m) for m in doc.get("messages", [])]
    return doc


def openai_message(m):
    m = dict(m)
    content = m.get("content")
    if isinstance(content, list):
        content = [openai_part(p) for p in content]
        if len(content) == 1 and set(content[0]) == {"type", "text"}:
            content = content[0]["text"]  # a string is one text
        m["content"] = content
    if m.get("content") in ("", []) and m.get("tool_calls"):
        del m["content"]  # null beside calls
    drop(m, prefix=False)
    rename(m, "reasoning", "reasoning_content")  # OpenRouter's, Groq's name
    details = m.get("reasoning_details", [])
    if not any(d.get("signature") or d.get("data") for d in details):
        lose(m, "reasoning_details")  # text that proves nothing
        m.setdefault("reasoning_content",
                     "".join(d.get("text", "") for d in details))
    drop(m, reasoning_content="", tool_calls=[])
    if m.get("role") == "function":
        m["role"], m["tool_call_id"] = "tool", "call_%s" % m.get("name")
    if m.get("role") == "tool":
        lose(m, "name")  # the id tells which call it was
    older = m.pop("function_call", None)
    if older:  # one call, and no id
        m["tool_calls"] = [{"id": "call_%s" % older.get("name"),
                            "type": "function", "function": older}]
    m["tool_calls"] = [openai_call(c) for c in m.get("tool_calls", [])]
    drop(m, tool_calls=[])
    return m


def openai_call(c):
    lose(c, "index")  # its place in the list
    c.setdefault("type", "function")
    if "arguments" in c.get("function", {}):
        c["function"]["arguments"] = as_json(c["function"]["arguments"])
    return c


def openai_part(p):
    p = dict(p)
    if isinstance(p.get("image_url"), str):
        p["image_url"] = {"url": p["image_url"]}
    if isinstance(p.get("input_audio"), str):  # Mistral's form
        p["input_audio"] = {"data": p["input_audio"], "format": "wav"}
    return p


# Words of other providers for those of OpenAI.
FINISH = {"": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop",
          "tool_call": "tool_calls", "function_call": "tool_calls",
          "max_tokens": "length", "guardrail_intervened": "content_filter"}


def openai_answer(doc):
    doc = bare(doc, FREE)
    # system_fingerprint, service_tier: of OpenAI's own house
    usage = usage_of(doc)
    if usage and not any(type(usage.get(k)) in (int, float) for k in (
            "prompt_tokens", "completion_tokens")):
        usage = None  # it counts nothing
    pages = [cited(p) for p in doc.get("search_results") or
             doc.get("citations") or []]
    pages = [p for p in pages if p["url_citation"]["url"]]
    for c in doc.get("choices", []):  # Perplexity's place for them
        if pages and not c["message"].get("annotations"):
            c["message"]["annotations"] = pages
    only(doc, "id", "model", "choices")
    drop(doc, id="")
    if usage:
        doc["usage"] = openai_usage(usage)
    for c in doc.get("choices", []):
        openai_choice(c)
    return doc


def cited(page):
    """One page, or its address, as an annotation without a place."""
    page = page if isinstance(page, dict) else {"url": page}
    a = {"start_index": 0, "end_index": 0, "url": page["url"],
         "title": page.get("title") or ""}
    if page.get("snippet"):
        a["content"] = page["snippet"]
    return {"type": "url_citation", "url_citation": a}


def usage_of(doc):
    """Where providers put it."""
    u = doc.get("usage") or (doc.get("x_groq") or {}).get("usage")
    for c in doc.get("choices") or []:
        u = u or c.get("usage")
    return u if isinstance(u, dict) else None


def openai_choice(c):
    only(c, "index", "message", "finish_reason", "logprobs")
    m = c["message"]
    only(m, "role", "content", "refusal", "reasoning_content", "reasoning",
         "reasoning_details", "tool_calls", "function_call", "annotations",
         "images")
    rename(m, "reasoning", "reasoning_content")
    if isinstance(m.get("content"), list):  # Mistral's form
        thoughts = [p for p in m["content"] if p["type"] == "thinking"]
        m["reasoning_content"] = "".join(
            t["text"] for p in thoughts for t in p["thinking"])
        m["content"] = "".join(p.get("text", "") for p in m["content"])
    # They repeat the text, but for what proves or seals it.
    m["reasoning_details"] = [
        d for d in m.get("reasoning_details", [])
        if d.get("signature") or d.get("data")]
    older = m.pop("function_call", None)
    if older and older.get("name"):
        m["tool_calls"] = [{"type": "function", "function": older}]
    drop(m, content="", refusal="", reasoning_content="", annotations=[],
         tool_calls=[], images=[], reasoning_details=[])
    m["tool_calls"] = [openai_call(k) for k in m.get("tool_calls", [])]
    drop(m, tool_calls=[])
    for k in m.get("tool_calls", []):
        drop(k, id="")
        rename(k, "custom", "function")  # a call of free text is a call
        k["type"] = "function"
        rename(k["function"], "input", "arguments")
    reason = c.get("finish_reason", "stop")
    c["finish_reason"] = FINISH.get(reason, reason)
    if m.get("tool_calls") and c["finish_reason"] == "stop":
        c["finish_reason"] = "tool_calls"


def count(u, *path):
    """A count as the house reads it: whole, not below nothing."""
    for name in path:
        u = u.get(name) if isinstance(u, dict) else None
    if isinstance(u, float) and u.is_integer():
        u = int(u)
    return max(u, 0) if type(u) is int else 0


def openai_usage(u):
    """Counts in the places of OpenAI; what is counted beside the completion
    (xAI's reasoning) is part of it, and no part is more than the whole."""
    prompt, said = count(u, "prompt_tokens"), count(u, "completion_tokens")
    thought = count(u, "completion_tokens_details", "reasoning_tokens") or \
        count(u, "reasoning_tokens")
    if thought and count(u, "total_tokens") == prompt + said + thought:
        said += thought
    cached = count(u, "prompt_tokens_details", "cached_tokens") or \
        count(u, "prompt_cache_hit_tokens")
    return {"prompt": prompt, "completion": said,
            "cached": min(cached, prompt), "thought": min(thought, said),
            "heard": count(u, "prompt_tokens_details", "audio_tokens"),
            "spoken": count(u, "completion_tokens_details", "audio_tokens")}


def openai_whole(events):
    doc, choices = {}, {}
    for _, data in events:
        if data.strip() == "[DONE]":
            break
        if data.strip() == "":
            continue
        e = json.loads(data)
        for k in ("id", "model", "search_results", "citations"):
            if e.get(k) and not doc.get(k):
                doc[k] = e[k]
        usage = usage_of(e)
        if usage:
            doc["usage"] = usage
        for i, c in enumerate(e.get("choices") or []):
            add_choice(choices.setdefault(c.get("index", i), {
                "message": {"role": "assistant"}, "calls": {}}), c)
    doc["object"] = "chat.completion"
    doc["choices"] = []
    for i, c in sorted(choices.items()):
        calls = [c["calls"][k] for k in sorted(c["calls"])]
        doc["choices"].append(dict(
            {k: v for k, v in c.items() if k != "calls"}, index=i,
            message=dict(c["message"], tool_calls=calls)))
    return doc


def add_choice(out, c):
    delta = c.get("delta") or {}
    if isinstance(delta.get("content"), list):
        for p in delta["content"]:
            if p["type"] == "thinking":
                delta["reasoning_content"] = "".join(
                    t["text"] for t in p["thinking"])
        delta["content"] = "".join(p.get("text", "")
                                   for p in delta["content"])
    if delta.get("function_call"):
        fn = delta["function_call"]
        delta["tool_calls"] = [{"index": 0, "function": fn}]
    for k in ("content", "refusal", "reasoning_content", "reasoning"):
        if isinstance(delta.get(k), str):
            out["message"][k] = out["message"].get(k, "") + delta[k]
    for k in ("annotations", "images"):
        if delta.get(k):
            out["message"].setdefault(k, []).extend(delta[k])
    for j, k in enumerate(delta.get("tool_calls") or []):
        at = k.get("index", j)
        fn = k.get("function") or {}
        call = out["calls"].setdefault(at, {
            "id": k.get("id"), "type": "function",
            "function": {"name": fn.get("name"), "arguments": ""}})
        call["function"]["arguments"] += fn.get("arguments") or ""
    if c.get("finish_reason"):
        out["finish_reason"] = c["finish_reason"]
    for k, v in (c.get("logprobs") or {}).items():
        if isinstance(v, list) and v:
            out.setdefault("logprobs", {}).setdefault(k, []).extend(v)


# --- Anthropic messages ------------------------------------------------

def blocks(content):
    """A string is a list of one text."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [anthropic_block(b) for b in content or []]


def anthropic_block(b):
    b = dict(b)
    drop(b, is_error=False, citations=[])
    if isinstance(b.get("cache_control"), dict):
        drop(b["cache_control"], ttl="5m")
    if b.get("type") == "tool_result":
        b["content"] = blocks(b.get("content"))
    return b


def closed(schema):
    """Anthropic takes structured answers of closed objects only."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: closed(v) for k, v in schema.items()}
    if out.get("type") == "object":
        out.setdefault("additionalProperties", False)
    return out


def anthropic_request(doc):
    doc = bare(doc, FREE)
    drop(doc, stream=False, temperature=1)
    if "system" in doc:
        doc["system"] = blocks(doc["system"])
    drop(doc, system=[])
    rename(doc, "output_format", "output_config")  # the beta's name
    if "type" in doc.get("output_config", {}):
        doc["output_config"] = {"format": doc["output_config"]}
    if "format" in doc.get("output_config", {}):
        doc["output_config"]["format"] = closed(
            doc["output_config"]["format"])
    drop(doc.get("tool_choice", {}), disable_parallel_tool_use=False)
    for t in doc.get("tools", []):
        drop(t.get("cache_control", {}), ttl="5m")
    turns = []
    for m in doc.get("messages", []):
        m = dict(m, content=blocks(m.get("content")))
        if turns and turns[-1]["role"] == m["role"]:
            turns[-1]["content"] += m["content"]  # so the API reads them too
        else:
            turns.append(m)
    for m in turns:  # answers to calls come first: else they are refused
        m["content"].sort(key=lambda b: b.get("type") != "tool_result")
    doc["messages"] = turns
    return doc


def anthropic_answer(doc):
    doc = bare(doc, FREE)
    # container, context_management: of the provider's own tools
    only(doc, "id", "type", "role", "model", "content", "stop_reason",
         "stop_sequence", "usage")
    said = []
    for b in doc.get("content", []):
        lose(b, "caller")
        # Kept in OpenAI's form, which has no room for their cursors.
        lose(b, "citations")
        # What the provider's own tools did is told in this dialect alone.
        if b["type"] in ("text", "thinking", "redacted_thinking",
                         "tool_use"):
            said.append(b)
    doc["content"] = merged(said)
    doc.setdefault("stop_reason", "end_turn")
    u = doc.get("usage", {})
    only(u, "input_tokens", "output_tokens", "cache_read_input_tokens",
         "cache_creation_input_tokens")
    zeros(u, "cache_read_input_tokens", "cache_creation_input_tokens")
    return doc


def anthropic_whole(events):
    doc, texts = {}, {}
    for _, data in events:
        e = json.loads(data)
        kind = e.get("type")
        if kind == "message_start":
            doc = e["message"]
            doc["content"] = []
        elif kind == "content_block_start":
            doc["content"].append(dict(e["content_block"]))
            texts[e["index"]] = [doc["content"][-1], ""]
        elif kind == "content_block_delta":
            add_anthropic(doc["content"][-1], e["delta"])
            texts[e["index"]][1] += e["delta"].get("partial_json", "")
        elif kind == "message_delta":
            doc.update(bare(e["delta"]))
            doc["usage"] = dict(doc.get("usage") or {}, **{
                k: v for k, v in (e.get("usage") or {}).items()
                if v is not None})
    for block, text in texts.values():
        if text:
            block["input"] = as_json(text)
    return doc


def add_anthropic(block, delta):
    for k in ("text", "thinking", "signature"):
        if delta.get(k):
            block[k] = (block.get(k) or "") + delta[k]
    if delta.get("citation"):
        block["citations"] = (block.get("citations") or []) + [
            delta["citation"]]


# --- Responses ------------------------------------------------

def responses_request(doc):
    doc = bare(doc, FREE[:-1])
    drop(doc, stream=False, background=False, parallel_tool_calls=True,
         truncation="disabled")
    # The house keeps no responses and asks for sealed reasoning itself.
    lose(doc, "store", "include")
    reasoning = doc.get("reasoning")
    if isinstance(reasoning, dict):
        drop(reasoning, summary="auto")  # asked for: it is what is shown
        drop(doc, reasoning={})
    text = doc.get("text", {})
    if text.get("format") == {"type": "text"}:
        del text["format"]
    drop(doc, text={})
    items = doc.pop("input", [])
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if "instructions" in doc:
        items = [{"role": "system", "content": doc.pop("instructions")}] + \
            items
    doc["input"] = [responses_item(i) for i in items]
    for t in doc.get("tools", []):
        t.setdefault("strict", False)
        t.setdefault("parameters", {})
    if not doc.get("tools"):
        lose(doc, "tools", "tool_choice")
    return doc


def responses_item(i):
    i = dict(i)
    lose(i, "status")  # what was said is complete
    kind = i.get("type", "message")
    if kind == "message":
        lose(i, "type", "id")  # the id is known to the provider's store only
        content = i.get("content")
        if isinstance(content, list):
            for p in content:
                drop(p, annotations=[], logprobs=[], detail="auto")
                if p.get("type") == "output_text":
                    p["type"] = "input_text"
            content = merged(content)
            if len(content) == 1 and set(content[0]) == {"type", "text"}:
                content = content[0]["text"]
            i["content"] = content
    elif kind in ("function_call", "function_call_output"):
        lose(i, "id")  # call_id is what binds them
        if "arguments" in i:
            i["arguments"] = as_json(i["arguments"])
    return i


def responses_answer(doc):
    doc = bare(doc, FREE[:-1])
    # All else repeats the request, or is the house's own.
    only(doc, "id", "model", "output", "status", "usage",
         "incomplete_details")
    if not doc["id"].startswith("resp_"):
        doc["id"] = "resp_" + doc["id"]  # by which the house knows one
    out = []
    for i in doc.get("output", []):
        kind = i.get("type")
        # What the provider's own tools did is told in this dialect alone.
        if kind not in ("message", "function_call", "reasoning",
                        "custom_tool_call"):
            continue
        lose(i, "id", "status", "phase")  # of its store; said is said
        for p in i.get("content", []):
            drop(p, annotations=[], logprobs=[])
            # Files that the provider keeps cannot be cited elsewhere.
            p["annotations"] = [a for a in p.get("annotations", [])
                                if a["type"] == "url_citation"]
            drop(p, annotations=[])
        if kind == "function_call":
            only(i, "type", "call_id", "name", "arguments")
            i["arguments"] = as_json(i["arguments"] or "{}")
        if kind == "reasoning":  # a summary, or the thoughts themselves
            i["text"] = "\n\n".join(
                p["text"] for p in i.pop("summary", []) + i.pop("content", []))
            if not i["text"] and "encrypted_content" not in i:
                continue  # it says nothing
        if out and kind != "function_call" and same_kind(out[-1], i):
            join_items(out[-1], i)  # such a tool stood between them
        else:
            out.append(i)
    doc["output"] = out
    if doc.get("status") == "complete":
        doc["status"] = "completed"
    u = doc.get("usage", {})
    only(u, "input_tokens", "output_tokens", "total_tokens",
         "input_tokens_details", "output_tokens_details")
    only(u.get("input_tokens_details", {}), "cached_tokens")
    only(u.get("output_tokens_details", {}), "reasoning_tokens")
    zeros(u, "input_tokens_details", "output_tokens_details")
    return doc


def same_kind(a, b):
    return a["type"] == b["type"] and "encrypted_content" not in a


def join_items(a, b):
    if a["type"] == "reasoning":
        a["text"] += b.pop("text")
        a.update(b)
    elif a["type"] == "message":
        a["content"] = merged(a["content"] + b["content"])


def responses_whole(events):
    for _, data in reversed(events):
        if data.strip() == "[DONE]":
            continue
        e = json.loads(data)
        if e.get("type") in ("response.completed", "response.incomplete",
                             "response.done"):
            return e["response"]
    return {}


# --- Gemini ------------------------------------------------

OPAQUE = ("args", "response", "parameters", "parametersJsonSchema",
          "responseSchema", "responseJsonSchema", "labels")


def camel(v):
    """protobuf's JSON: snake_case says the same."""
    if isinstance(v, list):
        return [camel(x) for x in v]
    if not isinstance(v, dict):
        return v
    out = {}
    for k, x in v.items():
        k = re.sub(r"_([a-z])", lambda m: m[1].upper(), k)
        out[k] = x if k in OPAQUE else camel(x)
    return out


def lower_types(schema):
    """The type names of Google's older form: "OBJECT"."""
    if isinstance(schema, list):
        return [lower_types(x) for x in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: v.lower() if k == "type" and isinstance(v, str)
            else lower_types(v) for k, v in schema.items()}


def gemini_request(doc):
    doc = bare(camel(doc), OPAQUE)
    lose(doc, "model")  # it stands in the path
    config = doc.get("generationConfig", {})
    drop(config, candidateCount=1, responseModalities=["TEXT"])
    rename(config, "responseSchema", "responseJsonSchema")
    if "responseJsonSchema" in config:
        config["responseJsonSchema"] = lower_types(
            config["responseJsonSchema"])
    thinking = config.get("thinkingConfig", {})
    if "thinkingLevel" in thinking:
        thinking["thinkingLevel"] = thinking["thinkingLevel"].lower()
    drop(config, thinkingConfig={})
    drop(doc, generationConfig={}, tools=[])
    lose(doc.get("systemInstruction", {}), "role")
    for t in doc.get("tools", []):
        for f in t.get("functionDeclarations", []):
            rename(f, "parameters", "parametersJsonSchema")
            if "parametersJsonSchema" in f:
                f["parametersJsonSchema"] = lower_types(
                    f["parametersJsonSchema"])
            drop(f, description="")
    turns = []
    for c in doc.get("contents", []):
        parts = [gemini_part(p) for p in c.get("parts", [])]
        role = c.get("role", "user")
        if role == "function":
            role = "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        else:
            turns.append({"role": role, "parts": parts})
    for t in turns:
        t["parts"] = with_files(t["parts"])
    doc["contents"] = turns
    return doc


def with_files(parts):
    """Files within an answer of a function: they follow it."""
    out, files = [], []
    for p in parts:
        if "functionResponse" in p:
            files += p["functionResponse"].pop("parts", [])
        out.append(p)
    return out + files


def gemini_part(p):
    p = dict(p)
    for name in ("functionCall", "functionResponse"):
        if name in p:
            drop(p[name], args={})
            response = p[name].get("response", {})
            if set(response) == {"output"}:  # the documented other name
                p[name]["response"] = {"result": response["output"]}
    if "inlineData" in p:
        p["inlineData"]["data"] = p["inlineData"]["data"].replace(
            "-", "+").replace("_", "/")
    return p


NUMBERS = {1: "STOP", 2: "MAX_TOKENS", None: "STOP"}  # of its enumeration


def gemini_answer(doc):
    doc = bare(camel(doc), OPAQUE)
    # createTime, trafficType, safetyRatings, grounding: in this dialect alone
    only(doc, "candidates", "usageMetadata")  # modelVersion: often absent
    for c in doc.get("candidates", []):
        only(c, "content", "finishReason", "index")
        c["finishReason"] = NUMBERS.get(c.get("finishReason"),
                                        c.get("finishReason"))
        c.setdefault("index", 0)
        c.setdefault("content", {})
        c["content"].setdefault("role", "model")
        c["content"]["parts"] = gemini_parts(c["content"].get("parts", []))
    u = doc.get("usageMetadata", {})
    # Its count may be missing beside the sum.
    u.setdefault("promptTokenCount", u.get("totalTokenCount", 0) - sum(
        u.get(k, 0) for k in ("candidatesTokenCount", "thoughtsTokenCount")))
    prompt = u["promptTokenCount"] + u.pop("toolUsePromptTokenCount", 0)
    only(u, "promptTokenCount", "candidatesTokenCount", "totalTokenCount",
         "cachedContentTokenCount", "thoughtsTokenCount")
    u["promptTokenCount"] = prompt  # what its tools read is input as well
    zeros(u, "candidatesTokenCount", "cachedContentTokenCount",
          "thoughtsTokenCount")
    return doc


def gemini_parts(parts):
    out = []
    for p in parts:
        p = dict(gemini_part(p))
        drop(p, thought=False)
        if set(p) == {"text"} and p["text"] == "":
            continue
        if set(p) & {"executableCode", "codeExecutionResult", "toolCall",
                     "toolResponse"}:
            # What the provider's own tools did is told in this dialect alone,
            # but for what proves it.
            p = {"text": "", "thoughtSignature": p.get("thoughtSignature")}
            if p["thoughtSignature"] is None:
                continue
        if "functionCall" in p:
            lose(p["functionCall"], "id")  # made where there is none
        if p.get("text") == "" and "thoughtSignature" in p:
            lose(p, "thought")  # a proof is no thought
        before = out[-1] if out else {}
        if p.get("text") == "" and "thoughtSignature" in p and \
                "text" in before and "thoughtSignature" not in before:
            # It may follow in a part of its own.
            before["thoughtSignature"] = p["thoughtSignature"]
        elif "text" in p and set(before) - {"thoughtSignature"} == \
                set(p) - {"thoughtSignature"} and \
                "thoughtSignature" not in before:
            before["text"] += p["text"]
            if "thoughtSignature" in p:
                before["thoughtSignature"] = p["thoughtSignature"]
        else:
            out.append(p)
    return out


def add_gemini(parts, p):
    """A part; arguments may come in parts of their own."""
    call = p.get("functionCall", {})
    if call.pop("willContinue", None) is None and "partialArgs" not in call:
        if call or "functionCall" not in p:
            parts.append(p)
        return
    if "name" in call:
        parts.append(dict(p, functionCall={k: v for k, v in call.items()
                                           if k != "partialArgs"}))
    last = parts[-1]["functionCall"]
    said = [None, None, json.dumps(last.get("args", {}))]
    recording_gemini.more_arguments(Meaning(), said, call)
    last["args"] = json.loads(said[2])


def gemini_whole(events):
    doc, candidates = {}, {}
    for _, data in events:
        e = camel(json.loads(data))
        for k, v in e.items():
            if k != "candidates":
                doc[k] = v
        for i, c in enumerate(e.get("candidates", [])):
            out = candidates.setdefault(c.get("index", i), {
                "index": c.get("index", i), "content": {"parts": []}})
            for p in c.get("content", {}).get("parts", []):
                add_gemini(out["content"]["parts"], p)
            if c.get("finishReason"):
                out["finishReason"] = c["finishReason"]
    doc["candidates"] = [c for _, c in sorted(candidates.items())]
    return doc


# --- the doors ------------------------------------------------

RULES = {
    "openai": (openai_request, openai_answer, openai_whole),
    "anthropic": (anthropic_request, anthropic_answer, anthropic_whole),
    "responses": (responses_request, responses_answer, responses_whole),
    "gemini": (gemini_request, gemini_answer, gemini_whole),
}


def copy(doc):
    return json.loads(json.dumps(doc))


def unmarked(v):
    """Without the marks of a prompt cache."""
    if isinstance(v, dict):
        return {k: unmarked(x) for k, x in v.items() if k != "cache_control"}
    return [unmarked(x) for x in v] if isinstance(v, list) else v


def normal(dialect, kind, doc, extras=()):
    """extras: what of a request the client is told that it is left out."""
    doc = unmarked(doc) if "cache_control" in extras else copy(doc)
    return RULES[dialect][0 if kind == "request" else 1](doc)


def whole(dialect, events):
    return RULES[dialect][2](events)
