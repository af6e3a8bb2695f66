"""What the upstream of the tests answers to rerank and moderations: each form
as SDKs and recordings have it, with no member that these do not name.

A search is billed as a unit of output.
"""

import json


def refused(why):
    return 400, "application/json", json.dumps(
        {"message": why, "error": {"message": why,
                                   "type": "invalid_request_error",
                                   "param": None, "code": None}}).encode()


def whole(answer):
    return 200, "application/json", json.dumps(answer).encode()


def unknown(doc, *names):
    return [n for n in doc if n not in names]


def score(query, text):
    """How many of the words are the query's; with the place of nothing."""
    words = text.split() or [""]
    return sum(w in query.split() for w in words) / len(words)


def ranked(doc, key="relevance_score"):
    rows = [{"index": i, key: score(doc["query"], d)}
            for i, d in enumerate(doc["documents"])]
    return sorted(rows, key=lambda r: (-r[key], r["index"]))


def wrong(doc, top):
    if not isinstance(doc.get("query"), str) or not doc["query"]:
        return "query"
    if not doc.get("documents") or \
            not all(isinstance(d, str) for d in doc["documents"]):
        return "documents"
    n = doc.get(top)
    return top if n is not None and not 0 < n <= len(doc["documents"]) \
        else None


def tokens(doc):
    """The query's count with every document, as Voyage has it."""
    return len(doc["query"].split()) * len(doc["documents"]) + sum(
        len(t.split()) for t in doc["documents"])


# docs.cohere.com/reference/rerank, v2
def cohere(x, doc, bill):
    bad = unknown(doc, "model", "query", "documents", "top_n",
                  "max_tokens_per_doc", "priority") or wrong(doc, "top_n")
    if bad:
        return refused(f"{bad}")
    units = (len(doc["documents"]) + 99) // 100
    bill(output=units)
    return whole({"id": "r-1", "results": ranked(doc)[:doc.get("top_n")],
                  "meta": {"api_version": {"version": "2"},
                           "billed_units": {"search_units": units}}})


# docs.voyageai.com/reference/reranker-api
def voyage(x, doc, bill):
    bad = unknown(doc, "model", "query", "documents", "top_k",
                  "return_documents", "truncation") or wrong(doc, "top_k")
    if bad:
        return refused(f"{bad}")
    bill(input=tokens(doc))
    return whole({"object": "list", "data": ranked(doc)[:doc.get("top_k")],
                  "model": doc["model"],
                  "usage": {"total_tokens": tokens(doc)}})


# api.jina.ai/redoc, docs.together.ai/reference/rerank
def jina(x, doc, bill):
    bad = unknown(doc, "model", "query", "documents", "top_n",
                  "return_documents") or wrong(doc, "top_n")
    if bad:
        return refused(f"{bad}")
    bill(input=tokens(doc))
    rows = ranked(doc)
    if doc["model"] == "unordered":  # and without a top_n of its own
        rows = sorted(rows, key=lambda r: r["index"])
        rows = [{"index": r["index"], "score": r["relevance_score"]}
                for r in rows]
    else:
        rows = rows[:doc.get("top_n")]
    if doc["model"] == "twice":
        rows.append(rows[0])
    if doc["model"] == "stranger":
        rows[0] = {**rows[0], "index": len(doc["documents"])}
    return whole({"model": doc["model"], "results": rows, **jina_usage(doc)})


def jina_usage(doc):
    """Who speaks so tells of it in several places."""
    n = tokens(doc)
    if doc["model"] == "bge-reranker":  # docs.siliconflow.cn
        return {"meta": {"tokens": {"input_tokens": n, "output_tokens": 0}}}
    if doc["model"] == "routed":        # openrouter.ai/docs, rerank
        return {"usage": {"total_tokens": n, "search_units": 1, "cost": 0.1}}
    return {"usage": {"total_tokens": n}}


# deepinfra.com/Qwen/Qwen3-Reranker-0.6B/api
def pairs(x, doc, bill):
    queries, documents = doc["queries"], doc["documents"]
    bad = unknown(doc, "queries", "documents", "instruction",
                  "service_tier", "webhook")
    if bad or len(queries) != len(documents):
        return refused(f"{bad or 'queries'}")
    n = sum(len(t.split()) for t in [*queries, *documents])
    bill(input=n)
    return whole({"scores": [score(q, d) for q, d in zip(queries, documents)],
                  "input_tokens": n, "request_id": "r-1",
                  "inference_status": {"status": "succeeded",
                                       "tokens_input": n}})


def v1_rerank(x, doc, bill):
    return (voyage if doc["model"].startswith("rerank-2") else jina)(
        x, doc, bill)


# docs.aws.amazon.com/bedrock/latest/userguide/rerank-supported.html
def bedrock(x, doc, bill):
    more = ["api_version"] if "cohere." in x.path else []
    bad = unknown(doc, "query", "documents", "top_n", *more) or \
        wrong(doc, "top_n")
    if bad or (more and doc.get("api_version") != 2):
        return refused(f"{bad or 'api_version'}")
    bill(output=(len(doc["documents"]) + 99) // 100)
    return whole({"results": ranked(doc)[:doc.get("top_n")]})


def moderations(x, doc, bill):
    """platform.openai.com/docs/api-reference/moderations; docs.mistral.ai."""
    mistral = doc.get("model", "").startswith("mistral")
    given = doc.get("input")
    if unknown(doc, "model", "input") or not doc.get("model"):
        return refused("unknown parameter")
    texts = [given] if isinstance(given, str) else given
    if mistral and not all(isinstance(t, str) for t in texts):
        return refused("input")
    if texts and isinstance(texts[0], dict):
        for p in texts:
            body = p[p["type"]]
            if unknown(p, "type", p["type"]) or \
                    not (body if p["type"] == "text" else body["url"]):
                return refused("part")
        texts = [" ".join(p.get("text", "") for p in texts)]
    rows = []
    for t in texts:
        bad = "kill" in t
        row = {"categories": {"violence": bad},
               "category_scores": {"violence": 0.9 if bad else 1e-7}}
        if not mistral:
            row.update(flagged=bad, category_applied_input_types={
                "violence": ["text"]})
        rows.append(row)
    out = {"id": "modr-1", "model": doc["model"], "results": rows}
    if mistral:
        n = sum(len(t.split()) for t in texts)
        bill(input=n)
        out["usage"] = {"prompt_tokens": n, "total_tokens": n,
                        "completion_tokens": 0}
    return whole(out)


DOORS = {"/inference/Qwen/Qwen3-Reranker-0.6B": pairs,
         "/v2/rerank": cohere, "/v1/rerank": v1_rerank,
         "/v1/moderations": moderations}
