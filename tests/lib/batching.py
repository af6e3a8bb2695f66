"""A provider that keeps files and works off batches, in OpenAI's form and in
Azure's older one. Written from platform.openai.com/docs/api-reference/files and
…/batch and from learn.microsoft.com (Azure OpenAI, Batch - Create); what these
do not have is a 400. A batch has ended when it was asked for `looks` times;
what is done then is billed, once.

A line whose text begins with "fail" has no answer.
"""

import email.parser
import json
import time
import urllib.parse

import batching_anthropic
import batching_gemini

WORDS = 3                       # of an answer


def error(code, message):
    return code, {"error": {"message": message, "param": None, "code": None,
                            "type": "invalid_request_error"}}


def parts(x):
    """The fields of a form: {name: (filename, bytes)}."""
    kind = next(v for k, v in x.headers if k.lower() == "content-type")
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    whole = email.parser.BytesParser().parsebytes(head + x.body)
    return {p.get_param("name", header="content-disposition"):
            (p.get_filename(), p.get_payload(decode=True))
            for p in whole.get_payload()}


class Kept:
    """What one account keeps."""

    def __init__(self):
        self.files, self.batches, self.next = {}, {}, 0

    def number(self):
        self.next += 1
        return self.next

    def add(self, name, purpose, data):
        row = {"id": "file-%d" % self.number(), "object": "file",
               "bytes": len(data), "created_at": 1700000000,
               "filename": name, "purpose": purpose, "status": "processed"}
        self.files[row["id"]] = row, data
        return row


def prompt_of(body):
    """(text, words of the prompt) of a request of any of the paths."""
    if "messages" in body:
        text = " ".join(m["content"] for m in body["messages"])
    else:
        text = body.get("input") or body.get("prompt")
        text = " ".join(text) if isinstance(text, list) else text
    return text, len(text.split())


def answered(url, body, number):
    """(answer, tokens in, tokens out) of one line."""
    text, prompt = prompt_of(body)
    said = " ".join("word%d" % i for i in range(WORDS))
    if url.endswith("/embeddings"):
        return {"object": "list", "model": body["model"], "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
            "usage": {"prompt_tokens": prompt, "total_tokens": prompt}}, \
            prompt, 0
    if url.endswith("/responses"):
        usage = {"input_tokens": prompt, "output_tokens": WORDS,
                 "total_tokens": prompt + WORDS}
        return {"id": "resp_%d" % number, "object": "response",
                "status": "completed", "model": body["model"], "output": [{
                    "type": "message", "id": "msg_1", "role": "assistant",
                    "status": "completed", "content": [{
                        "type": "output_text", "text": said,
                        "annotations": []}]}], "usage": usage}, prompt, WORDS
    usage = {"prompt_tokens": prompt, "completion_tokens": WORDS,
             "total_tokens": prompt + WORDS}
    return {"id": "chatcmpl-%d" % number, "object": "chat.completion",
            "created": 1700000000, "model": body["model"], "choices": [{
                "index": 0, "finish_reason": "stop", "message": {
                    "role": "assistant", "content": said}}],
            "usage": usage, "service_tier": "default"}, prompt, WORDS


def check(lines, endpoint):
    """What is wrong with an input, or None."""
    ids, models = set(), set()
    for line in lines:
        if set(line) != {"custom_id", "method", "url", "body"}:
            return "unknown members"
        if line["method"] != "POST" or line["url"] != endpoint:
            return "a line for another endpoint"
        if line["body"].get("stream"):
            return "a stream"
        ids.add(line["custom_id"])
        models.add(line["body"]["model"])
    if len(ids) != len(lines) or len(models) != 1:
        return "ids that are not unique, or several models"
    if not next(iter(models)).startswith("up-"):
        return "no such model"
    return None


def work(x, kept, row):
    """The batch ends: its answers become files."""
    good, bad = [], []
    for i, line in enumerate(row["lines"]):
        text, _ = prompt_of(line["body"])
        out = {"id": "batch_req_%d" % i, "custom_id": line["custom_id"],
               "response": None, "error": None}
        if text.startswith("fail"):
            out["response"] = {"status_code": 400, "request_id": "r%d" % i,
                               "body": error(400, "no")[1]}
            bad.append(out)
            continue
        body, n_in, n_out = answered(line["url"], line["body"], i)
        out["response"] = {"status_code": 200, "request_id": "r%d" % i,
                           "body": body}
        x.bill_tokens(n_out, n_in)
        good.append(out)
    doc = row["doc"]
    for name, found in (("output_file_id", good), ("error_file_id", bad)):
        if found:
            text = "".join(json.dumps(o, ensure_ascii=False) + "\n"
                           for o in found).encode()
            doc[name] = kept.add(name + ".jsonl", "batch_output", text)["id"]
    doc["request_counts"] = {"total": len(row["lines"]),
                             "completed": len(good), "failed": len(bad)}


def settle(x, kept, row):
    """One look at it."""
    doc = row["doc"]
    row["looks"] -= 1
    if row["looks"] > 0 or doc["status"] in ("completed", "cancelled",
                                             "failed"):
        if doc["status"] == "validating":
            doc["status"] = "in_progress"
        return 200, doc
    if doc["status"] == "cancelling":
        row["lines"] = row["lines"][:1]   # so much was done
        work(x, kept, row)
        doc.update(status="cancelled", cancelled_at=1700000200)
    else:
        work(x, kept, row)
        doc.update(status="completed", completed_at=1700000300)
    return 200, doc


def order(x, kept, looks, versioned):
    doc = x.json
    if set(doc) - {"input_file_id", "endpoint", "completion_window",
                   "metadata"}:
        return error(400, "unknown parameter")
    if doc["input_file_id"] not in kept.files:
        return error(400, "no such file")
    if doc["endpoint"].startswith("/v1/") == versioned:
        return error(400, "no such endpoint")
    lines = [json.loads(t) for t in
             kept.files[doc["input_file_id"]][1].splitlines()]
    endpoint = doc["endpoint"] if not versioned else "/v1" + doc["endpoint"]
    wrong = check(lines, endpoint)
    row = {"lines": lines, "looks": looks, "doc": {
        "id": "batch_%d" % kept.number(), "object": "batch",
        "endpoint": doc["endpoint"], "errors": None,
        "input_file_id": doc["input_file_id"],
        "completion_window": doc["completion_window"],
        "status": "validating", "output_file_id": None,
        "error_file_id": None, "created_at": 1700000000,
        "in_progress_at": None, "expires_at": 1700086400,
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": doc.get("metadata")}}
    if wrong:
        row["doc"].update(status="failed", failed_at=1700000100, errors={
            "object": "list", "data": [{"code": "invalid", "line": 1,
                                        "message": wrong, "param": None}]})
    kept.batches[row["doc"]["id"]] = row
    return 200, row["doc"]


async def files(x, kept, rest):
    if not rest and x.method == "POST":
        form = parts(x)
        if set(form) - {"purpose", "file", "expires_after[anchor]",
                        "expires_after[seconds]"}:
            return error(400, "unknown field")
        name, data = form["file"]
        row = kept.add(name, form["purpose"][1].decode(), data)
        if "expires_after[seconds]" in form:
            row["expires_at"] = int(time.time()) + int(
                form["expires_after[seconds]"][1])
        return 200, row
    if not rest or rest[0] not in kept.files:
        return error(404, "No such File object")
    row, data = kept.files[rest[0]]
    if rest[1:] == ["content"]:
        await x.reply(200, data, "application/octet-stream")
        return None
    if x.method == "DELETE":
        del kept.files[rest[0]]
        return 200, {"id": rest[0], "object": "file", "deleted": True}
    return 200, row


async def answer(x, looks):
    """(status, document), or None: it has answered."""
    if "messages" in x.segments:
        return await batching_anthropic.answer(x, looks)
    if "v1beta" in x.segments:
        return await batching_gemini.answer(x, looks)
    kept = x.server.batching.setdefault(x.key(), Kept())
    segments = x.segments
    versioned = "api-version" in urllib.parse.parse_qs(x.query)
    if "files" in segments:
        return await files(x, kept, segments[segments.index("files") + 1:])
    rest = segments[segments.index("batches") + 1:]
    if not rest:
        return order(x, kept, looks, versioned)
    row = kept.batches.get(rest[0])
    if row is None:
        return error(404, "No batch found")
    if rest[1:] == ["cancel"]:
        if row["doc"]["status"] not in ("validating", "in_progress"):
            return error(409, "it has ended")
        row["doc"].update(status="cancelling", cancelling_at=1700000150)
        return 200, row["doc"]
    return settle(x, kept, row)
