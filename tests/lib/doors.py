"""What the upstream of the tests answers beside chat: one row of DOORS a
dialect, told by the end of the path. Each is written from the provider's own
reference, takes nothing that this does not name (400 tells what), and says
what it bills, so that it judges what the gateway sends.

An answer is (status, type, body); bill(input=, output=, …) keeps the books.
"""

import base64
import json
import struct

import doors_audio
import doors_rank


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
    if n > 300000:
        raise Refused("more than 300000 tokens")
    bill(input=n)
    data = [{"object": "embedding", "index": i,
             "embedding": make(vector(t, doc.get("dimensions", 8)))}
            for i, t in enumerate(given)]
    return whole({"object": "list", "data": data, "model": doc["model"],
                  "usage": {"prompt_tokens": n, "total_tokens": n}})


def openai_like(doc, given, make, usage, bill):
    """An answer in OpenAI's form."""
    n = sum(count(t) for t in given)
    bill(input=n)
    data = [{"object": "embedding", "index": i, "embedding": make(t)}
            for i, t in enumerate(given)]
    return whole({"object": "list", "data": data, "model": doc["model"],
                  "usage": {u: n for u in usage}})


def texts(given, most, tokens=0):
    """A list of texts within these bounds."""
    given = [given] if isinstance(given, str) else given
    if not 0 < len(given) <= most:
        raise Refused(f"1 to {most} texts, not {len(given)}")
    for t in given:
        if not isinstance(t, str) or not t:
            raise Refused("a text is a string, and not empty")
    if tokens and sum(count(t) for t in given) > tokens:
        raise Refused(f"more than {tokens} tokens")
    return given


def one_of(value, *values):
    if value not in values:
        raise Refused(f"{value!r} is none of {values}")


# docs.voyageai.com/reference/embeddings-api
def voyage_embeddings(x, doc, bill):
    members(doc, "model", "input", "input_type", "truncation",
            "output_dimension", "output_dtype", "encoding_format")
    given = texts(doc["input"], 1000, 120000)
    one_of(doc.get("input_type"), None, "query", "document")
    one_of(doc.get("encoding_format"), None, "base64")
    size = doc.get("output_dimension") or 8
    make = packed if doc.get("encoding_format") else list
    return openai_like(doc, given, lambda t: make(vector(t, size)),
                       ["total_tokens"], bill)


# docs.mistral.ai/api, EmbeddingRequest
def mistral_embeddings(x, doc, bill):
    members(doc, "model", "input", "metadata", "output_dimension",
            "output_dtype", "encoding_format")
    given = texts(doc["input"], 2048, 16384)
    one_of(doc.get("encoding_format"), None, "float", "base64")
    size = doc.get("output_dimension") or 8
    make = packed if doc.get("encoding_format") == "base64" else list
    return openai_like(doc, given, lambda t: make(vector(t, size)),
                       ["prompt_tokens", "total_tokens"], bill)


def signed(text, size=8):
    """A vector of signed bytes."""
    return [round(v * 254) for v in vector(text, size)]


# docs.perplexity.ai/api-reference/embeddings-post
def perplexity_embeddings(x, doc, bill):
    members(doc, "model", "input", "dimensions", "encoding_format")
    given = texts(doc["input"], 512, 120000)
    one_of(doc.get("encoding_format"), None, "base64_int8")
    size = doc.get("dimensions") or 8
    return openai_like(doc, given, lambda t: base64.b64encode(struct.pack(
        f"{size}b", *signed(t, size))).decode(),
        ["prompt_tokens", "total_tokens"], bill)


MAKERS = {"voyage": voyage_embeddings, "mistral": mistral_embeddings,
          "pplx": perplexity_embeddings}


def v1_embeddings(x, doc, bill):
    """Whose model it is tells whose server this plays."""
    maker = MAKERS.get(doc["model"].split("-")[0], openai_embeddings)
    return maker(x, doc, bill)


# --- Gemini: ai.google.dev/api/embeddings, Vertex AI's text-embeddings-api ---

TASKS = (None, "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY",
         "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING",
         "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY")


def gemini_model(x):
    return x.path.rsplit("/", 1)[1].rsplit(":", 1)[0]


def gemini_text(content):
    members(content, "parts", "role")
    for part in content["parts"]:
        members(part, "text", "inlineData")
    return "\n".join(texts(p["text"], 1)[0] if "text" in p else
                     p["inlineData"]["data"] for p in content["parts"])


def gemini_usage(x, n):
    """The older models tell none."""
    return {} if "001" in gemini_model(x) else \
        {"usageMetadata": {"promptTokenCount": n}}


def gemini_batch(x, doc, bill):
    members(doc, "requests")
    if not 0 < len(doc["requests"]) <= 100:
        raise Refused("at most 100 requests can be in one batch")
    out, n = [], 0
    for r in doc["requests"]:
        members(r, "model", "content", "taskType", "title",
                "outputDimensionality")
        if r["model"] != "models/" + gemini_model(x):
            raise Refused("another model than that of the address")
        one_of(r.get("taskType"), *TASKS)
        text = gemini_text(r["content"])
        n += count(text)
        out.append({"values": vector(text, r.get("outputDimensionality", 8))})
    bill(input=n)
    return whole({"embeddings": out, **gemini_usage(x, n)})


def vertex_predict(x, doc, bill):
    members(doc, "instances", "parameters")
    if "/publishers/google/models/" not in x.path:
        raise Refused("no such method")
    most = 1 if "gemini-embedding" in x.path else 250
    given = texts([i["content"] for i in doc["instances"]], most, 20000)
    for i in doc["instances"]:
        members(i, "content", "task_type", "title")
        one_of(i.get("task_type"), *TASKS)
    set_ = doc.get("parameters", {})
    members(set_, "autoTruncate", "outputDimensionality")
    bill(input=sum(count(t) for t in given))
    return whole({"predictions": [{"embeddings": {
        "values": vector(t, set_.get("outputDimensionality", 8)),
        "statistics": {"token_count": count(t), "truncated": False}}}
        for t in given], "metadata": {"billableCharacterCount": 3}})


def vertex_embed(x, doc, bill):
    members(doc, "content", "embedContentConfig")
    set_ = doc.get("embedContentConfig", {})
    members(set_, "taskType", "title", "outputDimensionality", "autoTruncate")
    if "gemini-embedding-001" in x.path or "/publishers/" not in x.path:
        raise Refused("not supported for embedContent")
    text = gemini_text(doc["content"])
    bill(input=count(text))
    return whole({"embedding": {"values": vector(
        text, set_.get("outputDimensionality", 8))}, "usageMetadata": {
            "promptTokenCount": count(text),
            "totalTokenCount": count(text)}})


# --- Cohere: docs.cohere.com/reference/embed ----------------------------------

COHERE_TYPES = ("search_document", "search_query", "classification",
                "clustering", "image")


def cohere_embed(x, doc, bill):
    members(doc, "model", "texts", "images", "inputs", "input_type",
            "max_tokens", "output_dimension", "embedding_types", "truncate",
            "priority")
    given = texts(doc["texts"], 96)
    one_of(doc["input_type"], *COHERE_TYPES)
    if doc["embedding_types"] != ["float"]:
        raise Refused("this server knows float only")
    n = sum(count(t) for t in given)
    bill(input=n)
    return whole({"id": "e-1", "embeddings": {"float": [
        vector(t, doc.get("output_dimension", 8)) for t in given]},
        "texts": given, "meta": {"api_version": {"version": "2"},
                                 "billed_units": {"input_tokens": n}}})


# --- Bedrock: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters ---

def titan_invoke(x, doc, bill):
    names = ["inputText"]
    if "v2" in x.path:
        names += ["dimensions", "normalize", "embeddingTypes"]
    members(doc, *names)
    text = texts(doc["inputText"], 1)[0]
    bill(input=count(text))
    out = vector(text, doc.get("dimensions", 8))
    return whole({"embedding": out, "inputTextTokenCount": count(text),
                  "embeddingsByType": {"float": out}})


def cohere_invoke(x, doc, bill):
    members(doc, "texts", "images", "input_type", "truncate",
            "embedding_types", "output_dimension", "max_tokens")
    given = texts(doc["texts"], 96)
    one_of(doc["input_type"], *COHERE_TYPES)
    bill(input=sum(count(t) for t in given))
    return whole({"id": "e-1", "response_type": "embeddings_floats",
                  "texts": given, "embeddings": [
                      vector(t, doc.get("output_dimension", 8))
                      for t in given]})


def bedrock_invoke(x, doc, bill):
    if "rerank" in x.path:
        return doors_rank.bedrock(x, doc, bill)
    return (titan_invoke if "titan" in x.path else cohere_invoke)(x, doc,
                                                                  bill)


# --- Ollama: docs.ollama.com/api/embed ----------------------------------------

def ollama_embed(x, doc, bill):
    members(doc, "model", "input", "truncate", "dimensions", "options",
            "keep_alive")
    given = texts(doc["input"], 10**6)
    n = sum(count(t) for t in given)
    bill(input=n)
    return whole({"model": doc["model"], "embeddings": [
        vector(t, doc.get("dimensions", 8)) for t in given],
        "total_duration": 14143917, "load_duration": 1019500,
        "prompt_eval_count": n})


DOORS = {
    **doors_rank.DOORS,
    "/v1/embeddings": v1_embeddings,
    ":batchEmbedContents": gemini_batch,
    ":predict": vertex_predict,
    ":embedContent": vertex_embed,
    "/v2/embed": cohere_embed,
    "/invoke": bedrock_invoke,
    "/api/embed": ollama_embed,
    "/v1/audio/transcriptions": doors_audio.transcriptions,
    "/v1/audio/translations": doors_audio.translations,
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
