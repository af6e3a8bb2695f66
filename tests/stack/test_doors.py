"""What is no chat, with the official SDKs: each door to each dialect that
offers it, priced and bounded as any other request."""

import base64
import json
import struct

import openai
import pytest
from google import genai

import doors
from books import N, Books, asked, billed, call, refusal, settled, usd
from client import Call, bearer
from house import ROOTS, Site
from servers import chosen, open_front

EMBEDDINGS = "/v1/embeddings"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
# Each dialect, and each provider whose way departs from it: how its row of
# targets and of providers says so. The name of a provider tells its quirks.
DIALECTS = {
    "openai": {},
    "gemini": {"adapter": "gemini", "model": "gemini-embedding-2"},
    "vertex": {"adapter": "gemini", "model": "gemini-embedding-2",
               "root": "v1/projects/p/locations/l/publishers/google"},
    "vertex-001": {"adapter": "gemini", "model": "gemini-embedding-001",
                   "root": "v1/projects/p/locations/l/publishers/google"},
    "vertex-text": {"adapter": "gemini", "model": "text-embedding-005",
                    "root": "v1/projects/p/locations/l/publishers/google"},
    "cohere": {"adapter": "cohere", "model": "embed-v4.0"},
    "bedrock": {"adapter": "bedrock", "auth": "bearer",
                "model": "amazon.titan-embed-text-v2:0"},
    "ollama": {"adapter": "ollama"},
    "voyage": {"provider": "voyage", "model": "voyage-3-large"},
    "mistral": {"provider": "mistral", "model": "mistral-embed"},
}
# What tells no usage, and what has vectors of its own kind.
MORE = {
    "gemini-001": {"adapter": "gemini", "model": "gemini-embedding-001"},
    "bedrock-cohere": {"adapter": "bedrock", "auth": "bearer",
                       "model": "us.cohere.embed-v4:0"},
    "bedrock-v3": {"adapter": "bedrock", "auth": "bearer",
                   "model": "cohere.embed-english-v3"},
    "bedrock-v1": {"adapter": "bedrock", "auth": "bearer",
                   "model": "amazon.titan-embed-text-v1"},
    "bedrock-other": {"adapter": "bedrock", "auth": "bearer",
                      "model": "amazon.nova-lite-v1:0"},
    "strict": {"provider": "openai", "model": "text-embedding-3-small"},
    "perplexity": {"provider": "perplexity", "model": "pplx-embed-v1-0.6b"},
}


def add(p, site, name, provider=None, root=None, model="m", **row):
    """The model embed-NAME of one dialect."""
    provider = provider or "p-" + name
    root = root or ROOTS[row.get("adapter", "openai")]
    p.doc["providers"][provider] = {
        "base_url": site.upstream.base(site.tag(f"m/doors/tag={name}"), root),
        "key": "none", **row}
    if provider.startswith("p-"):
        p.doc["providers"][provider].setdefault("adapter", "openai")
    p.doc["models"]["embed-" + name] = {"targets": [
        {"provider": provider, "model": model,
         "price": {"input": 1, "output": 0}}]}


def policy(site):
    p = Books(site)

    def model(name, mode, **row):
        p.model(name, {"to": site.tag(mode),
                       "price": {"input": 1, "output": 0}, **row})

    for d, row in {**DIALECTS, **MORE}.items():
        add(p, site, d, **row)
    model("embed-fails", "m/doors/1/tag=fails")
    p.model("chat-only", {"to": "m/ok/tag=chat", "adapter": "anthropic"})
    p.key("rich", budget=usd(10**9) + " / day")
    p.key("other", budget=usd(10**12) + " / day")
    p.key("googler", budget=usd(10**9) + " / day")
    p.key("settling", budget=usd(10**9) + " / day")
    p.key("poor", budget=usd(1) + " / day")
    p.key("failing", budget=usd(10**9) + " / day")
    return p


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = policy(site).write()
        p.front = open_front(site, request.param)
        yield p


@pytest.fixture
def sdk(books):
    with openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                       api_key=books.secret["rich"], timeout=30) as client:
        yield client


def embed(books, key, model, given, **more):
    return call(books.front, books.secret[key], model, path=EMBEDDINGS,
                body={"model": model, "input": given, **more})


def unpacked(text):
    raw = base64.b64decode(text, validate=True)
    return struct.unpack(f"<{len(raw) // 4}f", raw)


def near(a, b):
    return len(a) == len(b) and all(abs(x - y) < 1e-6 for x, y in zip(a, b))


# --- embeddings -------------------------------------------------------------

@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("given", ["hello there", ["one", "two words", "Zürich"]])
def test_embeddings(sdk, dialect, given):
    """The SDK asks for base64 where nobody says otherwise."""
    r = sdk.embeddings.create(model="embed-" + dialect, input=given)
    texts = [given] if isinstance(given, str) else given
    assert [d.index for d in r.data] == list(range(len(texts)))
    for text, d in zip(texts, r.data):
        assert near(d.embedding, doors.vector(text)), dialect
    assert r.usage.prompt_tokens == r.usage.total_tokens == \
        sum(doors.count(t) for t in texts)
    assert r.object == "list" and r.model


@pytest.mark.parametrize("more", [
    {}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=str)
def test_node_embeddings(books, node, more):
    """Node's SDK asks for base64 too and unpacks it by itself, if it is not
    told what to ask for."""
    for said in node(books.front, books.secret["other"], *(
            ("embeddings", {"model": "embed-" + d,
                            "input": ["one", "two words"], **more})
            for d in DIALECTS)):
        if more.get("encoding_format") == "base64":
            said["data"] = [unpacked(v) for v in said["data"]]
        assert near(said["data"][0], doors.vector("one")), said
        assert near(said["data"][1], doors.vector("two words")), said
        assert said["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize("dialect", DIALECTS)
def test_embeddings_forms(books, dialect):
    """Numbers where numbers are asked for, and as many as were asked for."""
    r = embed(books, "rich", "embed-" + dialect, ["a b", "c"],
              encoding_format="float", dimensions=16)
    assert r.status == 200, r.body
    for text, d in zip(["a b", "c"], r.json()["data"]):
        assert near(d["embedding"], doors.vector(text, 16))


# --- as Google's clients ask for them ------------------------------------------

GEMINI = "/v1beta/models/embed-"
# Whose names make Google's SDK join the contents are not among them.
OTHERS = [d for d in DIALECTS if d != "gemini"]


@pytest.fixture(scope="module")
def google(books):
    client = genai.Client(api_key=books.secret["rich"], http_options={
        "base_url": books.front.url, "timeout": 30000})
    yield client
    client.close()


def ask_google(books, key, name, body, verb="embedContent", root=GEMINI):
    with Call(books.front.port, "POST", f"{root}{name}:{verb}",
              [("x-goog-api-key", books.secret[key]),
               ("Content-Type", "application/json")],
              json.dumps(body).encode()) as c:
        return c.read()


def said(*texts_, **more):
    return {"content": {"parts": [{"text": t} for t in texts_]}, **more}


@pytest.mark.parametrize("dialect", OTHERS)
def test_google_sdk(books, google, dialect):
    """Google's SDK gets vectors of any provider, in its own form."""
    r = google.models.embed_content(model="embed-" + dialect,
                                    contents=["one", "two words"])
    assert len(r.embeddings) == 2
    for text, e in zip(["one", "two words"], r.embeddings):
        assert near(e.values, doors.vector(text)), dialect
    r = google.models.embed_content(
        model="embed-" + dialect, contents="Zürich",
        config={"output_dimensionality": 16, "task_type": "RETRIEVAL_QUERY"})
    e, = r.embeddings
    assert near(e.values, doors.vector("Zürich", 16))


def test_google_sdk_joins(google):
    """Of newer models it makes one content of all."""
    r = google.models.embed_content(model="embed-gemini",
                                    contents=["one", "two words"])
    e, = r.embeddings
    assert near(e.values, doors.vector("one\ntwo words"))
    with pytest.raises(genai.errors.ClientError) as e:
        google.models.embed_content(model="embed-none", contents="a")
    assert e.value.code == 404 and e.value.status == "NOT_FOUND"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("root", [GEMINI, "/v1/models/embed-"])
def test_google_single(books, dialect, root):
    r = ask_google(books, "other", dialect, said("a b", model=None), root=root)
    assert r.status == 200, r.body
    assert near(r.json()["embedding"]["values"], doors.vector("a b"))
    assert r.json()["usageMetadata"]["promptTokenCount"] == 2
    assert "x-tollgate-dropped" not in r.headers


@pytest.mark.parametrize("dialect", DIALECTS)
def test_google_batch(books, dialect):
    """More requests than one call takes, in their order, in both spellings
    (Google's server of the tests knows the first only)."""
    size = "outputDimensionality" if dialect == "gemini" else \
        "output_dimensionality"
    names = [f"text {i}" for i in range(230)]
    r = ask_google(books, "rich", dialect, {"requests": [
        said(t, model="models/embed-" + dialect,
             **{size: 16}) for t in names]},
        "batchEmbedContents")
    assert r.status == 200, r.body[:300]
    got = [e["values"] for e in r.json()["embeddings"]]
    assert len(got) == 230
    assert all(near(doors.vector(t, 16), v) for t, v in zip(names, got))
    assert r.json()["usageMetadata"]["promptTokenCount"] == 460


def test_google_own(books):
    """Google gets what its client said, but for the model's name."""
    rows = [said("a", taskType="RETRIEVAL_DOCUMENT", title=t)
            for t in ("one", "two")]
    r = ask_google(books, "other", "gemini-001", {"requests": rows},
                   "batchEmbedContents")
    assert r.status == 200 and "x-tollgate-dropped" not in r.headers, r.body
    assert sent(books, "gemini-001") == {"requests": [
        {"model": "models/gemini-embedding-001", **row} for row in rows]}
    image = {"parts": [{"text": "a"}, {"inlineData": {
        "mimeType": "image/png", "data": "aGVsbG8="}}]}
    r = ask_google(books, "other", "gemini", {"content": image})
    assert r.status == 200, r.body
    assert sent(books, "gemini")["requests"][0]["content"] == image
    for name in ("openai", "cohere", "vertex-text"):
        r = ask_google(books, "other", name, {"content": image})
        assert r.status == 400, r.body
        assert is_google(r)


@pytest.mark.parametrize("name, told", [
    ("openai", "input_type, title, x"), ("cohere", "title, x"),
    ("voyage", "title, x"), ("vertex-001", "title"), ("ollama",
                                                      "input_type, title, x")])
def test_google_dropped(books, name, told):
    r = ask_google(books, "other", name, said(
        "a", taskType="RETRIEVAL_DOCUMENT", title="t", x=1))
    assert r.status == 200, r.body
    assert r.headers["x-tollgate-dropped"] == told


def is_google(reply):
    e = reply.json()["error"]
    return e["code"] == reply.status and e["message"] and e["status"]


@pytest.mark.parametrize("body", [
    {}, {"content": "a"}, {"content": {}}, {"content": {"parts": []}},
    said(""), said("a", "b", outputDimensionality=0),
    said("a", outputDimensionality=10**9), said("a", model="models/other"),
    {"content": {"parts": [{"fileData": {"fileUri": "gs://a"}}]}},
    {"requests": []}, {"requests": {}}, {"requests": ["a"]},
    {"requests": [said("a")], **said("b")},
    {"requests": [said("a", taskType="CLUSTERING"), said("b")]},
    {"requests": [said("a"), said("b", outputDimensionality=8)]}, []],
    ids=str)
def test_bad_google(books, body):
    mode = books.site.tag("m/doors/tag=gemini")
    before = asked(books.site, mode)
    r = ask_google(books, "other", "gemini", body)
    assert r.status == 400 and is_google(r), r.body
    assert asked(books.site, mode) == before


def test_google_refusals(books):
    """In Google's shape: no key, no money, no such door, too many."""
    for key, name, status in (("poor", "gemini", 429), ("rich", "none", 404)):
        r = ask_google(books, key, name, said("a"))
        assert r.status == status and is_google(r), r.body
    r = ask_google(books, "rich", "chat-only", said("a"),
                   root="/v1beta/models/")
    assert r.status == 400 and is_google(r), r.body
    r = ask_google(books, "rich", "gemini", {"requests": [said("a")] * 9000},
                   "batchEmbedContents")
    assert r.status == 413 and is_google(r), r.body[:300]


def test_google_settles(books):
    modes = [books.site.tag(f"m/doors/tag={d}") for d in DIALECTS]
    before = billed(books.site, *modes, rates=(N, 0))
    for d in DIALECTS:
        assert ask_google(books, "googler", d, said("hello there")).status \
            == 200
    settled(books.site, "googler",
            billed(books.site, *modes, rates=(N, 0)) - before)


# --- the rest ------------------------------------------------------------------

def test_tokens_pass(books):
    """Lists of tokens go to those who have the same tokens."""
    r = embed(books, "rich", "embed-openai", [[1, 2, 3], [4]],
              encoding_format="float")
    assert r.status == 200, r.body
    assert near(r.json()["data"][0]["embedding"], doors.vector([1, 2, 3]))
    assert r.json()["usage"]["prompt_tokens"] == 4


@pytest.mark.parametrize("dialect", DIALECTS)
def test_large_batches(books, dialect):
    """More inputs than one call takes go in several, in their order."""
    texts = [f"text {i}" for i in range(2100)]
    before = asked(books.site, books.site.tag(f"m/doors/tag={dialect}"))
    r = embed(books, "rich", "embed-" + dialect, texts,
              encoding_format="float")
    assert r.status == 200, r.body[:300]
    data = r.json()["data"]
    assert [d["index"] for d in data] == list(range(2100))
    assert all(near(d["embedding"], doors.vector(t))
               for t, d in zip(texts, data))
    assert r.json()["usage"]["prompt_tokens"] == 4200
    assert asked(books.site, books.site.tag(f"m/doors/tag={dialect}")) > \
        before + 1


def sent(books, name):
    """What the provider was last asked."""
    return json.loads(books.site.upstream.last(
        books.site.tag(f"m/doors/tag={name}"))["body"])


@pytest.mark.parametrize("name, said, path", [
    ("cohere", "search_query", ("input_type",)),
    ("bedrock-cohere", "search_query", ("input_type",)),
    ("voyage", "query", ("input_type",)),
    ("vertex-001", "RETRIEVAL_QUERY", ("instances", 0, "task_type")),
    ("gemini-001", "RETRIEVAL_QUERY", ("requests", 0, "taskType"))])
@pytest.mark.parametrize("word", ["search_query", "query", "RETRIEVAL_QUERY"])
def test_purpose(books, name, said, path, word):
    """input_type in anybody's words reaches everybody in his own."""
    r = embed(books, "other", "embed-" + name, "a b", input_type=word)
    assert r.status == 200, r.body
    doc = sent(books, name)
    for step in path:
        doc = doc[step]
    assert doc == said
    assert "x-tollgate-dropped" not in r.headers


@pytest.mark.parametrize("name, given, told", [
    ("ollama", {"input_type": "query", "user": "u"}, "user, input_type"),
    ("gemini", {"input_type": "query"}, "input_type"),
    ("cohere", {"input_type": "SEMANTIC_SIMILARITY", "x": 1},
     "input_type, x"),
    ("bedrock", {"user": "u"}, "user"),
    ("strict", {"user": "u", "input_type": "query"}, "input_type"),
    ("voyage", {"user": "u", "input_type": "CLUSTERING"}, "user, input_type"),
    ("mistral", {"user": "u", "input_type": "query"}, "user, input_type")])
def test_dropped(books, name, given, told):
    r = embed(books, "other", "embed-" + name, "a b", **given)
    assert r.status == 200, r.body
    assert r.headers["x-tollgate-dropped"] == told


@pytest.mark.parametrize("name", ["gemini-001", "bedrock-cohere"])
def test_untold_usage(books, name):
    """Where the provider tells none, the house counts, and says so."""
    r = embed(books, "other", "embed-" + name, ["a b", "c"],
              encoding_format="float")
    assert r.status == 200, r.body
    for text, d in zip(["a b", "c"], r.json()["data"]):
        assert near(d["embedding"], doors.vector(text))
    assert r.json()["usage"]["prompt_tokens"] > 0
    assert r.json()["usage"]["prompt_tokens"] == \
        r.json()["usage"]["total_tokens"]


def test_signed_bytes(sdk, books):
    """Perplexity's bytes are numbers, in either form."""
    for form in ("float", "base64"):
        r = sdk.embeddings.create(model="embed-perplexity", input=["a", "b c"],
                                  **({} if form == "base64" else
                                     {"encoding_format": form}))
        for text, d in zip(["a", "b c"], r.data):
            assert list(d.embedding) == doors.signed(text)
        assert r.usage.prompt_tokens == 3


@pytest.mark.parametrize("name", [
    d for d, row in DIALECTS.items() if row.get("adapter", "openai") !=
    "openai"])
def test_tokens_of_others(books, name):
    """Another provider has other numbers for tokens."""
    r = embed(books, "other", "embed-" + name, [[1, 2], [3]])
    assert r.status == 400 and r.error()["param"] == "input", r.body


@pytest.mark.parametrize("name, param", [
    ("bedrock-v1", "dimensions"), ("bedrock-v3", "dimensions"),
    ("bedrock-other", "model")])
def test_what_cannot_be_had(books, name, param):
    mode = books.site.tag(f"m/doors/tag={name}")
    before = asked(books.site, mode)
    r = embed(books, "other", "embed-" + name, "a", dimensions=16)
    assert r.status == 400 and r.error()["param"] == param, r.body
    assert asked(books.site, mode) == before


@pytest.mark.parametrize("name", ["openai", "voyage", "mistral"])
def test_tokens_of_a_call(books, name):
    """A call holds no more tokens than the provider takes in one."""
    given = ["w " * 3000 for _ in range(110)]
    mode = books.site.tag(f"m/doors/tag={name}")
    before = asked(books.site, mode)
    r = embed(books, "other", "embed-" + name, given, encoding_format="float")
    assert r.status == 200, r.body[:300]
    assert len(r.json()["data"]) == 110
    assert r.json()["usage"]["prompt_tokens"] == 110 * 3000
    assert asked(books.site, mode) > before + 1


def test_embeddings_settle(books):
    """The ledger has what the provider bills."""
    modes = [books.site.tag(f"m/doors/tag={d}") for d in DIALECTS]
    before = billed(books.site, *modes, rates=(N, 0))
    for d in DIALECTS:
        embed(books, "settling", "embed-" + d, "hello there")
    settled(books.site, "settling",
            billed(books.site, *modes, rates=(N, 0)) - before)


@pytest.mark.parametrize("n, more", [
    (2300, {}), (3000, {"dimensions": 3072}),
    (9000, {"encoding_format": "base64"}),
    (60000, {"dimensions": 512, "encoding_format": "base64"})])
def test_no_room(books, n, more):
    """What no answer can hold is refused before anybody is asked."""
    mode = books.site.tag("m/doors/tag=openai")
    before = asked(books.site, mode)
    r = embed(books, "other", "embed-openai", ["a"] * n, **more)
    assert r.status == 413 and r.error()["param"] == "input", r.body[:300]
    assert asked(books.site, mode) == before


def test_large_vectors(books):
    """Answers of the full size come through, in calls that have room."""
    given = [f"t {i}" for i in range(2048)]
    r = embed(books, "other", "embed-openai", given, encoding_format="base64",
              dimensions=3072)
    assert r.status == 200, r.body[:300]
    assert len(r.json()["data"]) == 2048


def test_a_part_fails(books):
    """What the parts before cost is paid, and the client hears why."""
    r = embed(books, "failing", "embed-fails", ["a b"] * 2100)
    assert r.status >= 500, r.body[:300]
    settled(books.site, "failing", billed(
        books.site, books.site.tag("m/doors/1/tag=fails"), rates=(N, 0)))
    assert billed(books.site, books.site.tag("m/doors/1/tag=fails"),
                  rates=(N, 0)) > 0


def test_over_budget(books):
    mode = books.site.tag("m/doors/tag=openai")
    before = asked(books.site, mode)
    refusal(embed(books, "poor", "embed-openai", "hello there"), 429,
            "budget_exceeded")
    assert asked(books.site, mode) == before


@pytest.mark.parametrize("body, param", [
    ({"model": "embed-openai"}, "input"),
    ({"model": "embed-openai", "input": []}, "input"),
    ({"model": "embed-openai", "input": ""}, "input"),
    ({"model": "embed-openai", "input": ["a", 7]}, "input"),
    ({"model": "embed-openai", "input": [[1, -2]]}, "input"),
    ({"model": "embed-openai", "input": [[1, "a"]]}, "input"),
    ({"model": "embed-openai", "input": {"a": 1}}, "input"),
    ({"model": "embed-openai", "input": "a", "dimensions": 0}, "dimensions"),
    ({"model": "embed-openai", "input": "a", "dimensions": 10**9},
     "dimensions"),
    ({"model": "embed-openai", "input": "a", "encoding_format": 1},
     "encoding_format"),
    ({"input": "a"}, "model"),
])
def test_bad_embeddings(books, body, param):
    r = call(books.front, books.secret["rich"], "", path=EMBEDDINGS,
             body=body)
    assert r.status == 400, r.body
    assert r.error()["param"] == param


def test_not_offered(books):
    """A model whose provider has no such door; the answer says so."""
    r = embed(books, "rich", "chat-only", "a")
    assert r.status == 400 and r.error()["param"] == "model", r.body
    assert r.error()["message"] == \
        "no provider of the model 'chat-only' offers embeddings"


def test_no_key(books):
    with Call(books.front.port, "POST", EMBEDDINGS, bearer("none"),
              json.dumps({"model": "embed-openai", "input": "a"}).encode()) \
            as c:
        assert c.read().status == 401
