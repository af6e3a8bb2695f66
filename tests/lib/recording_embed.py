"""The independent reader of recorded embeddings, of every provider.

What an answer means: vectors as lists of numbers in the order of the inputs,
and the input tokens that it tells. It shares nothing with the product.
"""

import base64
import json
import struct

# How a path ends, and who speaks so.
PATHS = (("/embeddings", "openai"), ("/v1/embed", "cohere"),
         ("/v2/embed", "cohere"), ("/api/embed", "ollama"),
         (":batchEmbedContents", "gemini"), (":embedContent", "gemini"),
         (":predict", "gemini"), ("/invoke", "bedrock"))


def dialect_of(case):
    """The dialect of a case of embeddings, or None."""
    if "embed" not in case.path.lower():
        return None
    path = case.path.split("?")[0]
    return next((d for end, d in PATHS if path.endswith(end)), None)


def at(doc, *path):
    for step in path:
        if not isinstance(doc, dict):
            return None
        doc = doc.get(step)
    return doc


def numbers(v, one="f"):
    """Floats, or bytes, of what may be packed."""
    if isinstance(v, str):
        raw = base64.b64decode(v, validate=True)
        size = struct.calcsize(one)
        v = list(struct.unpack("<%d%s" % (len(raw) // size, one), raw))
    if not isinstance(v, list) or not v or \
            any(isinstance(x, bool) or not isinstance(x, (int, float))
                for x in v):
        raise ValueError("no vector")
    return v


def openai(case, doc):
    rows = sorted(doc["data"], key=lambda d: d.get("index", 0))
    one = "b" if case.meta["provider"] == "perplexity" else "f"
    usage = doc.get("usage") or {}
    return [numbers(d["embedding"], one) for d in rows], \
        usage.get("prompt_tokens", usage.get("total_tokens"))


def gemini(case, doc):
    vertex = "/publishers/" in case.path
    told = at(doc, "usageMetadata", "promptTokenCount")
    if "predictions" in doc:
        rows = [p["embeddings"] for p in doc["predictions"]]
        return [numbers(r["values"]) for r in rows], \
            sum(r["statistics"]["token_count"] for r in rows)
    if vertex:
        return [numbers(doc["embedding"]["values"])], told
    return [numbers(e["values"]) for e in doc["embeddings"]], told


def cohere(case, doc):
    return [numbers(v) for v in doc["embeddings"]["float"]], \
        at(doc, "meta", "billed_units", "input_tokens")


def ollama(case, doc):
    return [numbers(v) for v in doc["embeddings"]], \
        doc.get("prompt_eval_count")


def bedrock(case, doc):
    if "embedding" in doc:
        return [numbers(doc["embedding"])], doc.get("inputTextTokenCount")
    rows = doc["embeddings"]
    rows = rows["float"] if isinstance(rows, dict) else rows
    return [numbers(v) for v in rows], None


READ = {"openai": openai, "gemini": gemini, "cohere": cohere,
        "ollama": ollama, "bedrock": bedrock}


def read(case):
    """(vectors, tokens or None), or None: no answer can be read of it."""
    try:
        vectors, told = READ[dialect_of(case)](case, json.loads(case.body()))
    except (ValueError, KeyError, TypeError):
        return None
    return (vectors, told) if len(vectors) == len(inputs(case)) else None


def inputs(case):
    """The texts that the recorded request asked for."""
    doc = json.loads(case.request() or b"{}")
    found = doc.get("input") or doc.get("texts") or doc.get("inputText") or \
        [i.get("content") for i in doc.get("instances", [])] or \
        [r["content"]["parts"][0]["text"] for r in doc.get("requests", [])] \
        or [p["text"] for p in at(doc, "content", "parts") or []] or "hello"
    return [found] if isinstance(found, str) else found


def dimensions(case):
    doc = json.loads(case.request() or b"{}")
    rows = doc.get("requests") or [{}]
    return doc.get("dimensions") or doc.get("output_dimension") or \
        rows[0].get("outputDimensionality") or \
        at(doc, "parameters", "outputDimensionality")
