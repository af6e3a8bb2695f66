"""What the upstream of the tests answers beside chat: one row of DOORS a
dialect, told by the end of the path. Each is written from the provider's own
reference, takes nothing that this does not name (400 tells what), and says
what it bills, so that it judges what the gateway sends.

An answer is (status, type, body); bill(input=, output=, …) keeps the books.
"""

import base64
import json
import struct


class Refused(Exception):
    """A 400, as the provider would."""


def count(text):
    """The simple count: words between blanks, or the numbers of a list."""
    return len(text) if isinstance(text, list) else len(str(text).split())


def vector(text, dimensions=8):
    """A vector that tells what it was made of."""
    seed = sum((i + 1) * b for i, b in enumerate(
        json.dumps(text, ensure_ascii=False).encode()))
    return [((seed * (i + 3)) % 1009) / 1009 - 0.5 for i in range(dimensions)]


def packed(numbers):
    """float32, little endian, in base64."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f",
                                        *numbers)).decode()


def members(doc, *names):
    """A request of these members and no others."""
    for name in doc:
        if name not in names:
            raise Refused(f"unknown parameter: {name}")


def whole(answer):
    return 200, "application/json", json.dumps(answer).encode()


# --- OpenAI: platform.openai.com/docs/api-reference/embeddings ---------------

def openai_embeddings(x, doc, bill):
    members(doc, "model", "input", "encoding_format", "dimensions", "user",
            "input_type")
    given = doc["input"]
    if isinstance(given, str) or (given and isinstance(given[0], int)):
        given = [given]
    if not given or len(given) > 2048:
        raise Refused("'input' holds 1 to 2048 texts")
    form = doc.get("encoding_format", "float")
    make = {"float": list, "base64": packed}[form]
    n = sum(count(t) for t in given)
    bill(input=n)
    data = [{"object": "embedding", "index": i,
             "embedding": make(vector(t, doc.get("dimensions", 8)))}
            for i, t in enumerate(given)]
    return whole({"object": "list", "data": data, "model": doc["model"],
                  "usage": {"prompt_tokens": n, "total_tokens": n}})


DOORS = {
    "/v1/embeddings": openai_embeddings,
}


def answer(x, bill):
    """The answer to this request of the upstream."""
    for end, door in DOORS.items():
        if x.path.endswith(end):
            break
    else:
        return 404, "application/json", b'{"error":{"message":"no door"}}'
    try:
        return door(x, x.json, bill)
    except (Refused, KeyError, TypeError, IndexError) as e:
        return 400, "application/json", json.dumps(
            {"error": {"message": f"{e}", "type": "invalid_request_error",
                       "param": None, "code": None}}).encode()
