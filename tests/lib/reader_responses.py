"""The strict reader of what a client gets on the Responses surface.

It accumulates a stream as the official SDKs do and checks every rule that
they and Codex lean on; what is wrong goes into Reading.faults. It must not
share code with the product nor with recording_responses.py.
"""

import json

from reader import Bad, sse, strict_json

NEED = ("id", "object", "created_at", "status", "model", "output", "error",
        "incomplete_details", "instructions", "metadata", "tools",
        "parallel_tool_calls", "tool_choice", "temperature", "top_p",
        "store", "usage", "previous_response_id", "text", "reasoning",
        "truncation", "max_output_tokens")


class Reading:
    def __init__(self):
        self.faults = []
        self.text = self.refusal = self.reasoning = ""
        self.sealed = []
        self.calls = []
        self.images = []
        self.finish = None
        self.usage = None
        self.error = None
        self.ended = None
        self.response = None
        self.events = []

    def fault(self, text, *args):
        if len(self.faults) < 20:
            self.faults.append(text % args if args else text)


def is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def check_usage(r, usage):
    parts = {"input_tokens": None, "output_tokens": None,
             "total_tokens": None}
    for name in parts:
        if not is_int(usage.get(name)) or usage[name] < 0:
            r.fault("usage.%s is %r", name, usage.get(name))
            return
    if usage["total_tokens"] != usage["input_tokens"] + \
            usage["output_tokens"]:
        r.fault("total_tokens is no sum: %r", usage)
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens")
    thought = (usage.get("output_tokens_details") or {}).get(
        "reasoning_tokens")
    if not is_int(cached) or not is_int(thought):
        r.fault("details of usage: %r", usage)
    r.usage = (usage["input_tokens"], cached, usage["output_tokens"],
               thought)


def check_object(r, doc, status=None):
    if not isinstance(doc, dict):
        r.fault("the response is %r", doc)
        return False
    for name in NEED:
        if name not in doc:
            r.fault("the response has no %r", name)
    if doc.get("object") != "response":
        r.fault("object is %r", doc.get("object"))
    if not isinstance(doc.get("id"), str) or not \
            doc["id"].startswith("resp_"):
        r.fault("id is %r", doc.get("id"))
    if not is_int(doc.get("created_at")):
        r.fault("created_at is %r", doc.get("created_at"))
    if not isinstance(doc.get("model"), str) or not doc["model"]:
        r.fault("model is %r", doc.get("model"))
    if doc.get("store") is not False:
        r.fault("store is %r", doc.get("store"))
    if doc.get("previous_response_id") is not None:
        r.fault("previous_response_id")
    if status is not None and doc.get("status") != status:
        r.fault("status %r, expected %r", doc.get("status"), status)
    return True


def check_id(r, item, prefix):
    if not isinstance(item.get("id"), str) or \
            not item["id"].startswith(prefix) or len(item["id"]) > 64:
        r.fault("item id %r", item.get("id"))


def read_message(r, item):
    check_id(r, item, "msg_")
    if item.get("role") != "assistant":
        r.fault("role %r", item.get("role"))
    if not item.get("content"):
        r.fault("a message without content")
    for part in item.get("content") or []:
        if part.get("type") == "refusal":
            r.refusal += part["refusal"]
        elif part.get("type") == "output_text":
            if not isinstance(part.get("annotations"), list) or \
                    not isinstance(part.get("logprobs"), list):
                r.fault("part %r", part)
            r.text += part["text"]
        else:
            r.fault("part of type %r", part.get("type"))


def read_items(r, output):
    for item in output:
        kind = item.get("type")
        if kind == "message":
            read_message(r, item)
        elif kind == "reasoning":
            check_id(r, item, "rs_")
            for part in item["summary"]:
                r.reasoning += part["text"]
            if item.get("encrypted_content"):
                r.sealed.append(item["encrypted_content"])
            if not item["summary"] and not item.get("encrypted_content"):
                r.fault("an empty reasoning item")
        elif kind == "function_call":
            check_id(r, item, "fc_")
            if not item.get("call_id") or not item.get("name"):
                r.fault("call %r", item)
            r.calls.append((item["call_id"], item["name"],
                            item["arguments"]))
        elif kind == "image_generation_call":
            check_id(r, item, "ig_")
            r.images.append(item["result"])
        else:
            r.fault("item of type %r", kind)
    ids = [i.get("id") for i in output]
    if len(set(ids)) != len(ids):
        r.fault("item ids %r", ids)


def read_whole(r, doc):
    if not check_object(r, doc):
        return
    r.response = doc
    read_items(r, doc["output"])
    status = doc["status"]
    want = {"completed": "completed", "incomplete": "incomplete"}
    for i, item in enumerate(doc["output"]):
        last = i == len(doc["output"]) - 1
        if item.get("status") != "completed" and not (
                last and item.get("status") == want.get(status)):
            r.fault("item %d is %r", i, item.get("status"))
    if doc.get("usage") is not None:
        check_usage(r, doc["usage"])
    if status == "incomplete":
        why = (doc["incomplete_details"] or {}).get("reason")
        r.finish = {"max_output_tokens": "length",
                    "content_filter": "content_filter"}.get(why)
        if r.finish is None:
            r.fault("incomplete for %r", why)
    elif status == "completed":
        r.finish = "tool_calls" if r.calls else "stop"
        if doc["incomplete_details"] is not None:
            r.fault("complete with incomplete_details")
    elif status != "failed":
        r.fault("status %r at the end", status)
    r.ended = status


class Stream:
    """One stream, accumulated event by event."""

    def __init__(self, r):
        self.r = r
        self.items = {}
        self.open = {}    # output index → what is open in it
        self.done = {}
        self.head = None

    def item(self, doc):
        i = doc.get("output_index")
        if i not in self.items or i in self.done:
            self.r.fault("%s for item %r", doc["type"], i)
            return None
        if doc.get("item_id") != self.items[i]["id"]:
            self.r.fault("%s for id %r", doc["type"], doc.get("item_id"))
        return self.items[i]

    def response_created(self, doc):
        check_object(self.r, doc["response"], "in_progress")
        if doc["response"]["output"] != [] or \
                doc["response"]["usage"] is not None:
            self.r.fault("a response that begins with output or usage")
        self.head = doc["response"]

    def response_in_progress(self, doc):
        if doc["response"] != self.head:
            self.r.fault("response.in_progress differs from .created")

    def response_output_item_added(self, doc):
        i = doc["output_index"]
        if i != len(self.items):
            self.r.fault("output_index %r after %d", i, len(self.items))
        item = dict(doc["item"])
        if item.get("status") != "in_progress":
            self.r.fault("an item that begins %r", item.get("status"))
        blank = {"message": "content", "reasoning": "summary",
                 "function_call": "arguments",
                 "image_generation_call": "result"}.get(item["type"])
        if blank is None or item[blank] not in ("", [], None):
            self.r.fault("an item that begins with %r", item)
        self.items[i] = item

    def response_content_part_added(self, doc):
        item = self.item(doc)
        part = dict(doc["part"])
        if doc["content_index"] != len(item["content"]):
            self.r.fault("content_index %r", doc["content_index"])
        if part.get("text", part.get("refusal")) != "":
            self.r.fault("a part that begins with text")
        item["content"] = item["content"] + [part]
        self.open[doc["output_index"]] = "part"

    def part(self, doc, kind):
        item = self.item(doc)
        if self.open.get(doc["output_index"]) != "part":
            self.r.fault("%s without an open part", doc["type"])
        part = item["content"][doc["content_index"]]
        if part["type"] != kind:
            self.r.fault("%s in a part %r", doc["type"], part["type"])
        return part

    def response_output_text_delta(self, doc):
        part = self.part(doc, "output_text")
        part["text"] += doc["delta"]
        part["logprobs"] = part["logprobs"] + doc["logprobs"]

    def response_output_text_annotation_added(self, doc):
        part = self.part(doc, "output_text")
        if doc["annotation_index"] != len(part["annotations"]):
            self.r.fault("annotation_index %r", doc["annotation_index"])
        part["annotations"] = part["annotations"] + [doc["annotation"]]

    def response_output_text_done(self, doc):
        part = self.part(doc, "output_text")
        if doc["text"] != part["text"]:
            self.r.fault("done %r, the deltas said %r", doc["text"][:80],
                         part["text"][:80])

    def response_refusal_delta(self, doc):
        self.part(doc, "refusal")["refusal"] += doc["delta"]

    def response_refusal_done(self, doc):
        if doc["refusal"] != self.part(doc, "refusal")["refusal"]:
            self.r.fault("another refusal at its end")

    def response_content_part_done(self, doc):
        item = self.item(doc)
        if doc["part"] != item["content"][doc["content_index"]]:
            self.r.fault("another part at its end: %r", doc["part"])
        self.open.pop(doc["output_index"], None)

    def response_reasoning_summary_part_added(self, doc):
        item = self.item(doc)
        if doc["summary_index"] != len(item["summary"]):
            self.r.fault("summary_index %r", doc["summary_index"])
        item["summary"] = item["summary"] + [dict(doc["part"])]
        self.open[doc["output_index"]] = "summary"

    def response_reasoning_summary_text_delta(self, doc):
        item = self.item(doc)
        if self.open.get(doc["output_index"]) != "summary":
            self.r.fault("a summary's text without an open part")
        item["summary"][doc["summary_index"]]["text"] += doc["delta"]

    def response_reasoning_summary_text_done(self, doc):
        item = self.item(doc)
        if doc["text"] != item["summary"][doc["summary_index"]]["text"]:
            self.r.fault("another summary at its end")

    def response_reasoning_summary_part_done(self, doc):
        item = self.item(doc)
        if doc["part"] != item["summary"][doc["summary_index"]]:
            self.r.fault("another summary part at its end")
        self.open.pop(doc["output_index"], None)

    def response_function_call_arguments_delta(self, doc):
        self.item(doc)["arguments"] += doc["delta"]

    def response_function_call_arguments_done(self, doc):
        if doc["arguments"] != self.item(doc)["arguments"]:
            self.r.fault("other arguments at their end")

    def response_output_item_done(self, doc):
        i = doc["output_index"]
        if i not in self.items or i in self.done:
            self.r.fault("done of item %r", i)
            return
        if i in self.open:
            self.r.fault("item %d ends with an open part", i)
        want = dict(self.items[i], status=doc["item"].get("status"))
        for late in ("encrypted_content", "result"):  # no deltas tell it
            if late in doc["item"]:
                want[late] = doc["item"][late]
        if doc["item"] != want:
            self.r.fault("item %d ends as %r, was told as %r", i,
                         doc["item"], want)
        self.done[i] = doc["item"]

    def end(self, doc, status):
        r, whole = self.r, doc["response"]
        if sorted(self.done) != sorted(self.items):
            r.fault("items without an end: %r", sorted(
                set(self.items) - set(self.done)))
        if whole.get("status") != status:
            r.fault("%s with status %r", doc["type"], whole.get("status"))
        if status != "failed" and whole["output"] != [
                self.done[i] for i in sorted(self.done)]:
            r.fault("the last output differs from the items told")
        if self.head is not None and (
                whole["id"] != self.head["id"] or
                whole["created_at"] != self.head["created_at"] or
                whole["model"] != self.head["model"]):
            r.fault("the response's head changed")
        read_whole(r, whole)

    def response_completed(self, doc):
        self.end(doc, "completed")

    def response_incomplete(self, doc):
        self.end(doc, "incomplete")

    def response_failed(self, doc):
        r, whole = self.r, doc["response"]
        if not whole.get("error") or not whole["error"].get("message"):
            r.fault("a failure without an error: %r", whole.get("error"))
        r.error = r.error or whole.get("error")
        r.ended = "failed"


def read_stream(raw):
    r = Reading()
    s = Stream(r)
    events, _ = sse(raw, r.faults)
    for n, ev in enumerate(events):
        try:
            doc = strict_json(ev.data)
        except Bad as e:
            r.fault("%s: %s", e, ev.data[:80])
            continue
        r.events.append(doc)
        if r.ended is not None:
            r.fault("an event after the end: %s", ev.name)
        if ev.name != doc.get("type"):
            r.fault("event %r of type %r", ev.name, doc.get("type"))
        if doc.get("sequence_number") != n:
            r.fault("sequence_number %r at %d", doc.get("sequence_number"),
                    n)
        if n < 2 and ev.name != ("response.created",
                                 "response.in_progress")[n]:
            r.fault("event %d is %s", n, ev.name)
        if doc.get("type") == "error":
            r.error = doc.get("error")
            if not isinstance(r.error, dict) or \
                    r.error.get("message") != doc.get("message"):
                r.fault("error event %r", doc)
            continue
        fn = getattr(s, str(doc.get("type")).replace(".", "_"), None)
        if fn is None:
            r.fault("event %r", doc.get("type"))
            continue
        try:
            fn(doc)
        except (KeyError, TypeError, IndexError) as e:
            r.fault("%s: %r in %s", doc["type"], e, json.dumps(doc)[:200])
    if r.ended is None:
        r.fault("the stream has no end")
    return r


def read_answer(status, content_type, body, stream):
    r = Reading()
    kind = (content_type or "").split(";")[0].strip()
    if status == 200 and stream:
        if kind != "text/event-stream":
            r.fault("content-type %r", content_type)
        out = read_stream(body)
        out.faults[:0] = r.faults
        return out
    if kind != "application/json":
        r.fault("content-type %r", content_type)
    try:
        doc = strict_json(body)
    except Bad as e:
        r.fault("%s", e)
        return r
    if status == 200:
        read_whole(r, doc)
        return r
    r.error = doc.get("error")
    if not isinstance(r.error, dict) or not r.error.get("message") or \
            not r.error.get("type"):
        r.fault("error body %r", doc)
    return r
