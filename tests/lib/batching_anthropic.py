"""Message batches as Anthropic has them: docs.anthropic.com/en/api, creating,
retrieving and cancelling message batches, and their results. What a request may
not have is a 400, as there."""

import json
import re

WORDS = 3
MEMBERS = {"model", "messages", "max_tokens", "system", "temperature", "top_p",
           "stop_sequences", "tools", "tool_choice", "metadata", "stream"}
TIME = "2023-11-14T22:%02d:00.123456Z"


def error(code, message, kind="invalid_request_error"):
    return code, {"type": "error", "error": {"type": kind,
                                             "message": message}}


def words_of(params):
    texts = [params.get("system") or ""]
    for m in params["messages"]:
        content = m["content"]
        texts.append(content if isinstance(content, str) else " ".join(
            p["text"] for p in content))
    return " ".join(texts).split()


def wrong(doc):
    """What is wrong with an order, or None."""
    if set(doc) != {"requests"} or not doc["requests"]:
        return "requests are what is needed"
    ids = [r["custom_id"] for r in doc["requests"]]
    if len(set(ids)) != len(ids):
        return "custom_id must be unique"
    for r in doc["requests"]:
        if set(r) != {"custom_id", "params"}:
            return "unknown members"
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", r["custom_id"]):
            return "custom_id: no such form"
        if set(r["params"]) - MEMBERS or r["params"].get("stream"):
            return "params: " + repr(r["params"])
        if not isinstance(r["params"].get("max_tokens"), int):
            return "max_tokens: needed"
        if not r["params"]["model"].startswith("up-"):
            return "no such model"
    return None


def show(row):
    n = len(row["requests"])
    made = row["results"] or []
    counts = {k: sum(r["result"]["type"] == k for r in made)
              for k in ("succeeded", "errored", "canceled", "expired")}
    return {"id": row["id"], "type": "message_batch",
            "processing_status": row["status"],
            "request_counts": {"processing": 0 if row["results"] else n,
                               **counts},
            "created_at": TIME % 1, "expires_at": TIME % 50,
            "ended_at": TIME % 9 if row["results"] else None,
            "cancel_initiated_at": TIME % 5 if row["cancelled"] else None,
            "archived_at": None, "results_url":
                "http://elsewhere.invalid/" if row["results"] else None}


def result(x, request, i, cancelled):
    words = words_of(request["params"])
    if cancelled and i > 0:
        return {"type": "canceled"}
    if "late" in words:
        return {"type": "expired"}
    if "fail" in words:
        return {"type": "errored", "error": error(400, "no")[1]}
    x.bill_tokens(WORDS, len(words))
    return {"type": "succeeded", "message": {
        "id": "msg_%d" % i, "type": "message", "role": "assistant",
        "model": request["params"]["model"], "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{
            "type": "text", "text": "word0 word1 word2"}],
        "usage": {"input_tokens": len(words), "output_tokens": WORDS,
                  "service_tier": "batch"}}}


def look(x, row):
    row["looks"] -= 1
    if row["looks"] <= 0 and not row["results"]:
        row["status"] = "ended"
        row["results"] = [{"custom_id": r["custom_id"], "result": result(
            x, r, i, row["cancelled"])}
            for i, r in enumerate(row["requests"])]
        row["results"].reverse()          # in no order
    return 200, show(row)


async def answer(x, looks):
    kept = x.server.batching.setdefault(x.key() + "#anthropic", {})
    if not any(k.lower() == "anthropic-version" for k, _ in x.headers):
        return error(400, "anthropic-version: header is required")
    rest = x.segments[x.segments.index("batches") + 1:]
    if not rest:
        bad = wrong(x.json)
        if bad:
            return error(400, bad)
        name = "msgbatch_%d" % (len(kept) + 1)
        kept[name] = {"id": name, "requests": x.json["requests"],
                      "status": "in_progress", "looks": looks,
                      "results": None, "cancelled": False}
        return 200, show(kept[name])
    row = kept.get(rest[0])
    if row is None:
        return error(404, "no such batch", "not_found_error")
    if rest[1:] == ["cancel"]:
        if row["results"]:
            return error(400, "it has ended")
        row.update(cancelled=True, status="canceling", looks=2)
        return 200, show(row)
    if rest[1:] == ["results"]:
        if not row["results"]:
            return error(400, "it has not ended")
        text = "".join(json.dumps(r) + "\n" for r in row["results"])
        await x.reply(200, text.encode(), "application/x-jsonl")
        return None
    return look(x, row)
