"""What is no chat, with the official SDKs: each door to each dialect that
offers it, priced and bounded as any other request."""

import json

import openai
import pytest

import doors
from books import N, Books, asked, billed, call, refusal, settled, usd
from client import Call, bearer
from house import Site
from servers import chosen, open_front

EMBEDDINGS = "/v1/embeddings"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
DIALECTS = ["openai"]


def policy(site):
    p = Books(site)

    def model(name, mode, **row):
        p.model(name, {"to": site.tag(mode),
                       "price": {"input": 1, "output": 0}, **row})

    for d in DIALECTS:
        model("embed-" + d, f"m/doors/tag={d}", adapter=d)
    model("embed-fails", "m/doors/1/tag=fails")
    p.model("chat-only", {"to": "m/ok/tag=chat", "adapter": "anthropic"})
    p.key("rich", budget=usd(10**9) + " / day")
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


@pytest.mark.parametrize("dialect", DIALECTS)
def test_embeddings_forms(books, dialect):
    """Numbers where numbers are asked for, and as many as were asked for."""
    r = embed(books, "rich", "embed-" + dialect, ["a b", "c"],
              encoding_format="float", dimensions=16)
    assert r.status == 200, r.body
    for text, d in zip(["a b", "c"], r.json()["data"]):
        assert near(d["embedding"], doors.vector(text, 16))


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


def test_embeddings_settle(books):
    """The ledger has what the provider bills."""
    modes = [books.site.tag(f"m/doors/tag={d}") for d in DIALECTS]
    for d in DIALECTS:
        embed(books, "rich", "embed-" + d, "hello there")
    settled(books.site, "rich", billed(books.site, *modes, rates=(N, 0)))


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
