#!/usr/bin/env python3
"""A provider for the demo: it speaks OpenAI's chat API and knows nothing.

Answers are prose about the question, streamed at the pace of a reader, with
usage; when the request offers tools, the first one is called. Standard
library only. It prints its port and serves until it is told to stop.
"""

import json
import random
import re
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKENS_A_SECOND = 25

OPENINGS = (
    "You asked: “{question}” Let me think about that for a moment.",
    "“{question}” is a fair thing to ask.",
    "Let us look at “{question}” step by step.",
)
MIDDLES = (
    "I am the demo provider that comes with tollgate, so I have no model"
    " behind me and will not pretend to know the answer.",
    "What you see is nevertheless real: your request went through the web"
    " server, was checked against your key, routed by the policy, translated,"
    " and every word of this answer came back as an event of its own.",
    "A provider with a model would now write about {topic}; I only show what"
    " it looks like when the words arrive one by one.",
)
CLOSINGS = (
    "Set the variable of a provider's key, for example OPENAI_API_KEY, start"
    " the demo again, and the same request is answered by that provider.",
    "Ask again with a provider's key in the environment, and you will hear"
    " something worth knowing about {topic}.",
)


def text_of(content):
    """The text of a message's content, whether string or parts."""
    if isinstance(content, str):
        return content
    return " ".join(p.get("text", "") for p in content or []
                    if isinstance(p, dict))


def tokens(text):
    """Words and marks, each with the blank before it."""
    return re.findall(r"\s?\w+|\s?[^\w\s]|\s", text)


def prose(messages):
    asked = [text_of(m.get("content")) for m in messages
             if m.get("role") == "user"]
    question = " ".join(asked[-1].split())[:200] if asked else "nothing"
    words = sorted(re.findall(r"\w{4,}", question), key=len)
    topic = words[-1] if words else "it"
    parts = [random.choice(OPENINGS), *MIDDLES, random.choice(CLOSINGS)]
    if messages and messages[-1].get("role") == "tool":
        parts[0] = ("The tool answered “%s”." %
                    text_of(messages[-1].get("content"))[:200]
                    ).replace("{", "{{").replace("}", "}}")
    return " ".join(parts).format(question=question, topic=topic)


def example(schema):
    """A value that a JSON Schema accepts, in the simple cases."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return {name: example(s) for name, s in
                schema.get("properties", {}).items()
                if name in schema.get("required", [])}
    return {"integer": 1, "number": 1.5, "boolean": True, "array": [],
            "null": None}.get(kind, "example")


def tool_call(request):
    """A call of the first tool, unless its result is there already."""
    tools = request.get("tools")
    last = request["messages"][-1] if request["messages"] else {}
    if not tools or last.get("role") == "tool" or \
            request.get("tool_choice") == "none":
        return None
    function = tools[0].get("function", {})
    return {"id": "call_" + uuid.uuid4().hex[:24], "type": "function",
            "function": {"name": function.get("name", ""), "arguments":
                         json.dumps(example(function.get("parameters", {})))}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def answer(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, {"object": "list", "data": [
            {"id": "demo", "object": "model", "created": 0,
             "owned_by": "tollgate-demo"}]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            request = json.loads(body)
            messages = request["messages"]
            prompt = sum(len(tokens(text_of(m.get("content"))))
                         for m in messages)
            call = tool_call(request)
            said = [] if call else tokens(prose(messages))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.answer(400, {"error": {
                "message": "not a chat request", "param": None,
                "type": "invalid_request_error", "code": None}})
            return
        cap = request.get("max_completion_tokens") or \
            request.get("max_tokens") or len(said)
        finish = "tool_calls" if call else \
            "length" if cap < len(said) else "stop"
        said = said[:cap]
        made = len(said) or len(tokens(json.dumps(call)))
        usage = {"prompt_tokens": prompt, "completion_tokens": made,
                 "total_tokens": prompt + made}
        try:
            self.reply(request, said, call, finish, usage)
        except ConnectionError:
            self.close_connection = True

    def reply(self, request, said, call, finish, usage):
        base = {"id": "chatcmpl-" + uuid.uuid4().hex, "created":
                int(time.time()), "model": request.get("model", "demo")}
        if request.get("stream"):
            self.stream(base, request, said, call, finish, usage)
            return
        time.sleep(len(said) / TOKENS_A_SECOND / 4)
        message = {"role": "assistant", "content": "".join(said) or None}
        if call:
            message["tool_calls"] = [call]
        self.answer(200, dict(base, object="chat.completion", usage=usage,
                              choices=[{"index": 0, "message": message,
                                        "finish_reason": finish}]))

    def stream(self, base, request, said, call, finish, usage):
        base["object"] = "chat.completion.chunk"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.delta(base, {"role": "assistant", "content": ""})
        if call:
            self.delta(base, {"tool_calls": [dict(call, index=0)]})
        for word in said:
            time.sleep(random.uniform(0.6, 1.4) / TOKENS_A_SECOND)
            self.delta(base, {"content": word})
        self.delta(base, {}, finish)
        if (request.get("stream_options") or {}).get("include_usage"):
            self.event(json.dumps(dict(base, choices=[], usage=usage)))
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def delta(self, base, delta, finish=None):
        self.event(json.dumps(dict(base, choices=[
            {"index": 0, "delta": delta, "finish_reason": finish}])))

    def event(self, data):
        line = ("data: %s\n\n" % data).encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
