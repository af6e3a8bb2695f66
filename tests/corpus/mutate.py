"""Recordings of the same kinds that nobody has recorded: a corpus made of one
by changes that must not matter. For each case a few are drawn.

    tests/corpus/mutate.py FROM TO [SEED]

Then run the tests of tests/corpus with TOLLGATE_CORPUS=TO."""

import glob
import json
import os
import random
import re
import shutil
import sys

# Where order and members are the model's or the client's own.
OWN = {"args", "arguments", "input", "parameters", "parametersJsonSchema",
       "parameters_json_schema", "responseSchema", "response_schema",
       "responseJsonSchema", "schema", "input_schema", "metadata",
       "logit_bias", "response", "partialArgs", "partial_args", "content"}


def objects(v, f, key=None):
    """f over all objects but those that are somebody's own."""
    if isinstance(v, list):
        return [objects(x, f) for x in v]
    if not isinstance(v, dict):
        return v
    return f({k: x if k in OWN and not isinstance(x, list)
              else objects(x, f, k) for k, x in v.items()})


def shuffled(draw):
    def f(o):
        pairs = list(o.items())
        draw.shuffle(pairs)
        return dict(pairs)
    return lambda doc: objects(doc, f)


def strange(draw):
    """Members that are not known yet, with hard texts in them."""
    def f(o):
        out = {}
        at = draw.randrange(len(o) + 1)
        for i, (k, v) in enumerate(list(o.items()) + [(None, None)]):
            if i == at:
                out["x_new_%d" % draw.randrange(9)] = draw.choice([
                    None, True, -1.5e-7, "\u2028 \"[DONE]\" \ud83c\udf0a\n\n",
                    [], {}, {"content": "no", "error": None}])
            if k is not None:
                out[k] = v
        return out
    return lambda doc: objects(doc, f)


OPTIONAL = {"object", "created", "system_fingerprint", "service_tier",
            "sequence_number", "obfuscation", "created_at", "stop_details",
            "native_finish_reason", "provider", "x_groq_id", "createTime",
            "prompt_filter_results", "content_filter_results", "p"}


def poor(draw):
    """Without what may be missing."""
    def f(o):
        return {k: v for k, v in o.items()
                if v is not None and k not in OPTIONAL}
    return lambda doc: objects(doc, f)


def nulls(draw):
    """Members of nothing."""
    names = ("error", "usage", "tool_calls", "logprobs", "refusal",
             "citations", "reasoning_details", "function_call", "audio",
             "reasoning_content", "reasoning", "annotations", "signature",
             "promptFeedback", "groundingMetadata", "incomplete_details")

    def f(o):
        more = {k: None for k in draw.sample(names, 3) if k not in o}
        return dict(o, **more) if draw.random() < .5 else dict(more, **o)
    return lambda doc: objects(doc, f)


IDS = re.compile(r"(chatcmpl|call|toolu|msg|resp|rs|fc|gen|req|srvtoolu)"
                 r"([-_])([A-Za-z0-9_-]{6,})")


def renamed(draw):
    """Ids of another form: each is another one, wherever it stands."""
    def f(v):
        if isinstance(v, list):
            return [f(x) for x in v]
        if isinstance(v, dict):
            return {k: f(x) for k, x in v.items()}
        if isinstance(v, str) and IDS.fullmatch(v):
            return IDS.sub(lambda m: m[1] + m[2] + m[3][::-1] + "Zz9",
                           v)
        return v
    return f


def elsewhere(draw):
    """Usage of chat completions: in a choice, or under x_groq."""
    def f(doc):
        usage = doc.get("usage") if isinstance(doc, dict) else None
        if not isinstance(usage, dict) or "prompt_tokens" not in usage or \
                "choices" not in doc:
            return doc
        doc = {k: v for k, v in doc.items() if k != "usage"}
        if doc["choices"] and draw.random() < .5:
            doc["choices"] = [dict(doc["choices"][0], usage=usage)] + \
                doc["choices"][1:]
        else:
            doc["x_groq"] = {"id": "req_x", "usage": usage}
        return doc
    return f


def dump(doc, names):
    text = json.dumps(doc)
    if "escaped" in names or re.search(r"\\u[dD][89a-fA-F]", text):
        return text.replace("/", "\\/") # half characters stay escapes
    if "roomy" in names:
        return json.dumps(doc, ensure_ascii=False, separators=(" , ", " : "))
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))


CHANGES = {"shuffled": shuffled, "strange": strange, "poor": poor,
           "nulls": nulls, "renamed": renamed, "elsewhere": elsewhere}
SPELLINGS = ["escaped", "roomy", "tight"]
FRAMES = ["crlf", "cr", "comments", "blanks", "ids", "tight-colon", "bom",
          "nameless", "novel"]
NOVEL = {"message_start": {"type": "novel", "content": "no"},
         "response.created": {"type": "response.novel.delta", "delta": "no",
                              "output_index": 7, "item_id": "x"}}


def change(doc, names, draw):
    for n in names:
        if n in CHANGES:
            doc = CHANGES[n](draw)(doc)
    return doc


def events(text):
    """[(lines before data, data)]"""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    out = []
    for block in re.split(r"\n\n+", text):
        lines = block.split("\n")
        data = [x[5:].removeprefix(" ") for x in lines
                if x.startswith("data:")]
        rest = [x for x in lines if x and not x.startswith("data:")]
        if data or rest:
            out.append((rest, "\n".join(data) if data else None))
    return out


def stream(text, names, draw):
    out = []
    novel = None
    for rest, data in events(text):
        lines = list(rest)
        if "nameless" in names and "event: error" not in rest:
            lines = [x for x in lines if not x.startswith("event:")]
        for start, doc in NOVEL.items():
            if '"%s"' % start in (data or "")[:400]:
                novel = doc
        if "novel" in names and novel and draw.random() < .5:
            out.append("event: %s\ndata: %s" % (novel["type"],
                                               json.dumps(novel)))
        if data is not None:
            try:
                doc = json.loads(data)
                if isinstance(doc, dict) and "error" not in doc:
                    data = dump(change(doc, names, draw), names)
            except ValueError:
                pass
            for line in data.split("\n"):
                lines.append(("data:" if "tight-colon" in names and
                              not line.startswith(" ") else "data: ") + line)
        if "ids" in names and draw.random() < .5:
            lines.insert(0, "id: %d" % len(out))
            lines.append("retry: 3000")
        if "comments" in names:
            lines.insert(0, ": " + draw.choice(["", "ping", "data: x"]))
        out.append("\n".join(lines))
    text = ("\n\n" + ("\n\n" if "blanks" in names else "")).join(out) + "\n\n"
    if "crlf" in names:
        text = text.replace("\n", "\r\n")
    elif "cr" in names:
        text = text.replace("\n", "\r")
    return ("\ufeff" if "bom" in names else "") + text


def answer(text, streamed, names, draw):
    """The text of an answer, changed. ValueError: it is no JSON."""
    if streamed:
        return stream(text, names, draw)
    doc = json.loads(text)
    if isinstance(doc, dict) and "error" not in doc:
        doc = change(doc, names, draw)
    return dump(doc, names)


def draw_names(draw):
    return set(draw.sample(list(CHANGES), draw.randrange(4)) +
               [draw.choice(SPELLINGS)] + draw.sample(FRAMES,
                                                      draw.randrange(4)))


def mutate(folder, names, draw):
    for name in ("response.json", "stream.sse"):
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="utf-8", newline="") as f:
                text = answer(f.read(), name == "stream.sse", names, draw)
        except (OSError, ValueError):
            continue
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)


def main(src, dst, seed="1"):
    draw = random.Random(seed)
    shutil.copytree(src, dst)
    for meta in sorted(glob.glob(os.path.join(dst, "*", "*", "meta.json"))):
        folder = os.path.dirname(meta)
        names = draw_names(draw)
        mutate(folder, names, draw)
        with open(os.path.join(folder, "mutations"), "w",
                  encoding="utf-8") as f:
            f.write(" ".join(sorted(names)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
