"""A provider that keeps the answers of its Responses API: they are made,
retrieved, streamed again, deleted, cancelled, their input listed, tokens of
requests counted. Written from
platform.openai.com/docs/api-reference/responses; what a request may not have
is a 400, as there. Only what is made is billed."""

import asyncio
import json
import urllib.parse

QUERY = {"": {"include", "include[]", "stream", "starting_after",
              "include_obfuscation"},
         "/input_items": {"include", "include[]", "limit", "order", "after"}}


def error(code, message):
    return code, {"error": {"message": message, "param": None, "code": None,
                            "type": "invalid_request_error"}}


def words_of(doc):
    """The input as texts."""
    given = doc.get("input") or ""
    return [given] if isinstance(given, str) else [
        part["text"] for item in given for part in item["content"]]


def made(number, doc, text, usage, status="completed"):
    return {
        "id": "resp_%d" % number, "object": "response", "created_at": 1,
        "status": status, "background": doc.get("background", False),
        "error": None, "incomplete_details": None, "instructions": None,
        "model": doc["model"], "metadata": {}, "parallel_tool_calls": True,
        "previous_response_id": doc.get("previous_response_id"),
        "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto", "tools": [],
        "output": [] if status != "completed" else [{
            "id": "msg_%d" % number, "type": "message", "role": "assistant",
            "status": "completed", "content": [{
                "type": "output_text", "text": text, "annotations": []}]}],
        "usage": usage}


def items(number, doc):
    return [{"id": "item_%d_%d" % (number, i), "type": "message",
             "role": "user", "status": "completed",
             "content": [{"type": "input_text", "text": t}]}
            for i, t in enumerate(words_of(doc))]


def events(answer, words):
    """The events of its stream, in order."""
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    item = answer["output"][0]
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = item["content"][0]
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": {**item, "content": [], "status": "in_progress"}}
    yield {"type": "response.content_part.added", **at,
           "part": {**part, "text": ""}}
    for w in words:
        yield {"type": "response.output_text.delta", **at, "delta": w,
               "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"],
           "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0,
           "item": item}
    yield {"type": "response.completed", "response": answer}


async def stream(x, row, after=-1, delay=0.0):
    await x.head()
    for i, e in enumerate(events(row["answer"], row["words"])):
        if i <= after:
            continue
        if delay and e["type"].endswith(".delta"):
            await asyncio.sleep(delay)
        await x.event({**e, "sequence_number": i}, name=e["type"])
    await x.end()


async def make(x, kept, n, delay):
    doc = x.json
    if doc.get("previous_response_id") not in [None, *kept["rows"]]:
        return error(404, "Previous response not found.")
    kept["next"] += 1
    words = ["word%d " % i for i in range(n)]
    prompt = sum(len(t.split()) for t in words_of(doc))
    usage = {"input_tokens": prompt, "output_tokens": n,
             "total_tokens": prompt + n,
             "input_tokens_details": {"cached_tokens": 0},
             "output_tokens_details": {"reasoning_tokens": 0}}
    row = {"doc": doc, "words": words, "number": kept["next"],
           "answer": made(kept["next"], doc, "".join(words), usage)}
    kept["rows"][row["answer"]["id"]] = row
    x.bill_tokens(n, prompt)
    if not doc.get("stream"):
        return 200, row["answer"]
    await stream(x, row, delay=delay)
    return None


def page(query, row):
    """Input items, the last one first where nobody says otherwise."""
    limit = int(query.get("limit", ["20"])[0])
    all_ = items(row["number"], row["doc"])
    if query.get("order", ["desc"])[0] == "desc":
        all_.reverse()
    if "after" in query:
        ids = [i["id"] for i in all_]
        all_ = all_[ids.index(query["after"][0]) + 1:]
    shown = all_[:limit]
    return 200, {"object": "list", "data": shown,
                 "first_id": shown[0]["id"] if shown else None,
                 "last_id": shown[-1]["id"] if shown else None,
                 "has_more": len(shown) < len(all_)}


async def retrieve(x, query, row):
    if query.get("stream") != ["true"]:
        return 200, row["answer"]
    await stream(x, row, int(query.get("starting_after", ["-1"])[0]))
    return None


async def act(x, kept, name, tail):
    query = urllib.parse.parse_qs(x.query, strict_parsing=bool(x.query))
    if set(query) - QUERY.get(tail, set()):
        return error(400, f"unknown query {x.query}")
    if x.body and json.loads(x.body):
        return error(400, "a body where none belongs")
    row = kept["rows"].get(name)
    if row is None:
        return error(404, f"Response with id '{name}' not found.")
    if (x.method, tail) == ("GET", ""):
        return await retrieve(x, query, row)
    if (x.method, tail) == ("GET", "/input_items"):
        return page(query, row)
    if (x.method, tail) == ("POST", "/cancel"):
        if not row["doc"].get("background"):
            return error(400, "Cannot cancel a synchronous response.")
        return 200, {**row["answer"], "status": "cancelled"}
    if (x.method, tail) == ("DELETE", ""):
        del kept["rows"][name]
        return 200, {"id": name, "object": "response", "deleted": True}
    return error(405, "no such method")


COUNTED = {"conversation", "input", "instructions", "model",
           "parallel_tool_calls", "personality", "previous_response_id",
           "reasoning", "text", "tool_choice", "tools", "truncation"}


def counted(x, kept):
    """What is read of a request: its input, and that of what it goes on."""
    if x.method != "POST" or set(x.json) - COUNTED:
        return error(400, "unknown parameter")
    before = kept["rows"].get(x.json.get("previous_response_id"))
    n = sum(len(t.split()) for doc in (x.json, before["doc"] if before else {})
            for t in words_of(doc))
    return 200, {"object": "response.input_tokens", "input_tokens": n}


async def answer(x, n, delay):
    """(status, body), or None: it has answered as a stream."""
    kept = x.server.kept.setdefault(x.key(), {"next": 0, "rows": {}})
    rest = x.path[x.path.index("/responses") + len("/responses"):]
    if not rest:
        return await make(x, kept, n, delay)
    if rest == "/input_tokens":
        return counted(x, kept)
    _, name, *tail = rest.split("/")
    return await act(x, kept, name, "".join("/" + t for t in tail))
