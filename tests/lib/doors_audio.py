"""Speech to text as the upstream of the tests has it: forms in, text out
(platform.openai.com/docs/api-reference/audio). A row of doors.DOORS each."""

import email
import email.policy
import json

SECONDS = 3     # that every file lasts


def form(x):
    """The parts of a multipart body: {name: (filename, type, bytes)}."""
    kind = next(v for k, v in x.headers if k.lower() == "content-type")
    message = email.message_from_bytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + x.body,
        policy=email.policy.HTTP)
    parts = {}
    for p in message.iter_parts():
        name = p.get_param("name", header="content-disposition")
        data = p.get_payload(decode=True)
        parts.setdefault(name, []).append(
            (p.get_filename(), p.get_content_type(), data))
    return parts


def heard(data):
    """What is said in a file: its bytes tell."""
    return f"heard {len(data)} bytes of {data[:4].hex()}"


def said(data, how, bill):
    words = heard(data)
    bill(input=SECONDS, output=0)
    usage = {"type": "duration", "seconds": SECONDS}
    if how in ("text", "srt", "vtt"):
        return 200, "text/plain; charset=utf-8", (words + "\n").encode()
    if how == "verbose_json":
        return 200, "application/json", json.dumps(
            {"task": "transcribe", "language": "english",
             "duration": SECONDS - 0.5, "text": words, "segments": []}
        ).encode()
    return 200, "application/json", json.dumps(
        {"text": words, "usage": usage}).encode()


def events(data, bill):
    bill(input=20, output=4)
    words = heard(data).split(" ")
    rows = [{"type": "transcript.text.delta", "delta": w + " "}
            for w in words]
    rows.append({"type": "transcript.text.done", "text": heard(data),
                 "usage": {"type": "tokens", "input_tokens": 20,
                           "input_token_details": {"text_tokens": 5,
                                                   "audio_tokens": 15},
                           "output_tokens": 4, "total_tokens": 24}})
    return 200, "text/event-stream", b"".join(
        b"event: " + r["type"].encode() + b"\ndata: " +
        json.dumps(r).encode() + b"\n\n" for r in rows)


def door(known):
    def answer(x, _doc, bill):
        from doors import Refused
        parts = form(x)
        for name in parts:
            if name not in known:
                raise Refused(f"unknown parameter: {name}")
        one = {k: v[0][2].decode() for k, v in parts.items()
               if v[0][0] is None}
        filename, _kind, data = parts["file"][0]
        if not filename or not data or not one["model"].startswith("up-"):
            raise Refused("a file and a model")
        if one.get("stream") == "true":
            return events(data, bill)
        return said(data, one.get("response_format", "json"), bill)
    return answer


transcriptions = door(["file", "model", "language", "prompt", "stream",
                       "response_format", "temperature", "include[]",
                       "timestamp_granularities[]"])
translations = door(["file", "model", "prompt", "response_format",
                     "temperature"])
