"""The independent reader of recorded rerank and moderations, of every
provider. It shares nothing with the product.
"""

import json

DOORS = {"rerank": "/v2/rerank", "moderations": "/v1/moderations"}


def door_of(case):
    """The door of the gateway for a case, or None."""
    path = case.path.split("?")[0]
    word = path.rsplit("/", 1)[-1]
    if word in DOORS:
        return DOORS[word]
    ranks = "rerank" in path.lower() and (
        word == "invoke" or "/inference/" in path)
    return DOORS["rerank"] if ranks else None


def dialect_of(case):
    """(adapter, name of the provider or None, path of its base URL)"""
    who = case.meta["provider"]
    if who in ("cohere", "bedrock"):
        return who, None, ""
    if who == "deepinfra":
        return "openai", who, "v1/openai"
    return "openai", who if who in ("voyage", "mistral") else None, "v1"


def scores(doc):
    """[(index, score)], the most relevant first; None: no such answer."""
    if not isinstance(doc, dict):
        return None
    rows = next((doc[k] for k in ("results", "data", "scores")
                 if isinstance(doc.get(k), list)), None)
    if not rows:
        return None
    if "scores" in doc:
        found = list(enumerate(rows))
    else:
        found = [(r.get("index"), r.get("relevance_score", r.get("score")))
                 for r in rows]
    for index, score in found:
        if not isinstance(index, int) or not isinstance(score, (int, float)):
            return None
    return sorted(found, key=lambda r: (-r[1], r[0]))


def ranking(case, request):
    """The same, when it fits the request."""
    try:
        found = scores(json.loads(case.body()))
    except ValueError:
        return None
    n = len(request["documents"])
    if found is None or len({i for i, _ in found}) != len(found) or \
            any(not 0 <= i < n for i, _ in found) or \
            ("queries" in (given(case) or {}) and len(found) != n):
        return None
    return found


def units(case):
    """(searches, tokens) that the answer tells of; None each."""
    doc = json.loads(case.body())
    meta, usage = doc.get("meta") or {}, doc.get("usage") or {}
    billed = meta.get("billed_units") or {}
    return billed.get("search_units", usage.get("search_units")), \
        usage.get("total_tokens", (meta.get("tokens") or {}).get(
            "input_tokens", doc.get("input_tokens")))


def given(case):
    raw = case.request()
    return json.loads(raw) if raw else None


def request(case):
    """The recorded request as clients write it, or one that the answer
    fits."""
    doc = given(case)
    if door_of(case) == DOORS["moderations"]:
        return doc or {"input": "a"}
    if doc is None:
        rows = scores(json.loads(case.body()))
        return {"query": "a", "documents": ["b"] * (1 + max(
            i for i, _ in rows))}
    if "queries" in doc:
        return {"query": doc["queries"][0], "documents": doc["documents"]}
    if "top_k" in doc:
        doc["top_n"] = doc.pop("top_k")
    return {k: v for k, v in doc.items()
            if k not in ("truncation", "api_version")}
