"""Rerank and moderations with the official SDKs."""

import cohere
import openai
import pytest

import doors_rank
from books import Books, asked, billed, call, refusal, settled, usd
from house import ROOTS, Site
from servers import chosen, open_front

FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
SEARCH = 2 * 10**6   # n$ a search
TOKEN = 50           # n$ a token
BY_SEARCH = {"input": 0, "output": 0, "search": 0.002}
BY_TOKEN = {"input": 0.05, "output": 0}
RANKERS = {
    "cohere": {"adapter": "cohere", "model": "rerank-v3.5",
               "price": BY_SEARCH},
    "voyage": {"provider": "voyage", "model": "rerank-2.5"},
    "jina": {"model": "jina-reranker-v3"},
    "deepinfra": {"provider": "deepinfra", "root": "v1/openai",
                  "model": "Qwen/Qwen3-Reranker-0.6B"},
    "siliconflow": {"model": "bge-reranker"},
    "openrouter": {"model": "routed"},
    "unordered": {"model": "unordered"},
    "bedrock": {"adapter": "bedrock", "auth": "bearer", "price": BY_SEARCH,
                "model": "cohere.rerank-v3-5:0"},
    "amazon": {"adapter": "bedrock", "auth": "bearer", "price": BY_SEARCH,
               "model": "amazon.rerank-v1:0"},
}
BROKEN = {"twice": {"model": "twice"}, "stranger": {"model": "stranger"}}
MODERATORS = {
    "omni-moderation-latest": {"price": {"input": 0, "output": 0}},
    "mod-mistral": {"provider": "mistral",
                    "model": "mistral-moderation-latest",
                    "price": BY_TOKEN},
    "mod-priced": {"model": "house-moderation", "price": BY_TOKEN},
}
QUERY = "what is red"
DOCUMENTS = ["blue sky", "red is what it is", "red", "grass and red"]


def add(p, site, name, provider=None, model="m", price=BY_TOKEN, root=None,
        **row):
    provider = provider or "p-" + name
    p.doc["providers"][provider] = {
        "base_url": site.upstream.base(
            site.tag(f"m/doors/tag={name}"),
            root or ROOTS[row.get("adapter", "openai")]), "key": "none",
        **row}
    if provider.startswith("p-"):
        p.doc["providers"][provider].setdefault("adapter", "openai")
    p.doc["models"][name] = {"targets": [
        {"provider": provider, "model": model, "price": price}]}


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = Books(site)
        for name, row in {**RANKERS, **BROKEN, **MODERATORS}.items():
            add(p, site, name, **({"model": name} if name.startswith("omni")
                                  else {}), **row)
        for key in ("rich", "other", "settling", "free"):
            p.key(key, budget=usd(10**12) + " / day")
        p.key("poor", budget=usd(1) + " / day")
        p.key("some", budget=usd(100 * 500 * TOKEN) + " / day")
        p.key("narrow", budget=usd(10**9) + " / day", models=["cohere"])
        p.write()
        p.front = open_front(site, request.param)
        yield p


def client(books, key="rich"):
    return cohere.ClientV2(base_url=books.front.url, timeout=30,
                           api_key=books.secret[key])


def post(books, key, path, **body):
    return call(books.front, books.secret[key], "", path=path, body=body)


def best(top=None):
    return [(r["index"], r["relevance_score"]) for r in doors_rank.ranked(
        {"query": QUERY, "documents": DOCUMENTS})][:top]


# --- rerank -----------------------------------------------------------------

@pytest.mark.parametrize("name", RANKERS)
@pytest.mark.parametrize("top", [None, 2, 9])
def test_rerank(books, name, top):
    r = client(books).rerank(model=name, query=QUERY, documents=DOCUMENTS,
                             **({"top_n": top} if top else {}))
    assert [(x.index, x.relevance_score) for x in r.results] == best(top)
    assert r.id
    if RANKERS[name].get("price") is BY_SEARCH:
        assert r.meta.billed_units.search_units == 1


@pytest.mark.parametrize("name", RANKERS)
def test_first_version(books, name):
    """Objects, fields of them, and documents given back."""
    given = [{"title": d, "text": "sky"} for d in DOCUMENTS]
    r = post(books, "other", "/v1/rerank", model=name, query=QUERY,
             documents=given, rank_fields=["title"], return_documents=True)
    assert r.status == 200, r.body
    assert [(x["index"], x["relevance_score"], x["document"])
            for x in r.json()["results"]] == \
        [(i, s, given[i]) for i, s in best()]
    r = post(books, "other", "/v1/rerank", model=name, query=QUERY,
             documents=[DOCUMENTS[0], {"text": DOCUMENTS[1]}],
             return_documents=True, top_n=1)
    assert r.status == 200, r.body
    assert r.json()["results"] == [
        {"index": 1, "relevance_score": doors_rank.score(QUERY, DOCUMENTS[1]),
         "document": {"text": DOCUMENTS[1]}}]


@pytest.mark.parametrize("name", ["cohere", "jina", "bedrock"])
def test_odd_documents(books, name):
    """Empty ones keep their place; a word of the first version goes."""
    r = post(books, "other", "/v1/rerank", model=name, query=QUERY,
             documents=["", {"text": ""}, "red"], max_chunks_per_doc=3)
    assert r.status == 200, r.body
    assert [x["index"] for x in r.json()["results"]] == [2, 0, 1]


@pytest.mark.parametrize("name", BROKEN)
def test_broken(books, name):
    r = post(books, "other", "/v2/rerank", model=name, query=QUERY,
             documents=DOCUMENTS)
    assert r.status == 502 and r.json()["message"], r.body


def test_rerank_settles(books):
    """By the search or the token, as the provider bills."""
    paid = {n: (TOKEN, 0) if r.get("price") is not BY_SEARCH else (0, SEARCH)
            for n, r in RANKERS.items()}
    modes = {n: books.site.tag(f"m/doors/tag={n}") for n in RANKERS}
    def bill():
        return sum(billed(books.site, modes[n], rates=paid[n])
                   for n in RANKERS)
    before = bill()
    for n in RANKERS:
        r = post(books, "settling", "/v2/rerank", model=n, query=QUERY,
                 documents=DOCUMENTS * 60)
        assert r.status == 200, r.body
    settled(books.site, "settling", bill() - before)


@pytest.mark.parametrize("name", ["cohere", "jina", "bedrock"])
def test_over_budget(books, name):
    mode = books.site.tag(f"m/doors/tag={name}")
    before = asked(books.site, mode)
    r = post(books, "poor", "/v2/rerank", model=name, query=QUERY,
             documents=DOCUMENTS)
    assert r.status == 429 and set(r.json()) == {"id", "message"}, r.body
    with pytest.raises(cohere.errors.TooManyRequestsError):
        client(books, "poor").rerank(model=name, query=QUERY,
                                     documents=DOCUMENTS,
                                     request_options={"max_retries": 0})
    assert asked(books.site, mode) == before


@pytest.mark.parametrize("name", [
    n for n, r in RANKERS.items() if r.get("price") is not BY_SEARCH])
def test_query_counts_with_each(books, name):
    """A long query with many documents costs much more than their bytes: it
    is held, and so is refused to who cannot pay it."""
    mode = books.site.tag(f"m/doors/tag={name}")
    before = asked(books.site, mode)
    body = {"model": name, "query": "q " * 500, "documents": ["d"] * 200}
    r = post(books, "some", "/v2/rerank", **body)
    assert r.status == 429, r.body
    assert asked(books.site, mode) == before
    r = post(books, "rich", "/v2/rerank", **body)
    assert r.status == 200, r.body
    assert billed(books.site, mode, rates=(TOKEN, 0)) > 200 * 500 * TOKEN


@pytest.mark.parametrize("more, word", [
    ({"model": None}, "model"), ({"query": ""}, "query"),
    ({"query": 1}, "query"), ({"documents": []}, "documents"),
    ({"documents": [1]}, "document"), ({"documents": [{"a": "b"}]}, "text"),
    ({"documents": "a"}, "documents"), ({"top_n": 0}, "top_n"),
    ({"top_n": "1"}, "top_n"), ({"max_tokens_per_doc": -1},
                                "max_tokens_per_doc"),
    ({"return_documents": 1}, "return_documents"),
])
def test_bad_rerank(books, more, word):
    r = post(books, "rich", "/v2/rerank", **{
        "model": "cohere", "query": QUERY, "documents": ["a"], **more})
    assert r.status == 400 and word in r.json()["message"], r.body


# --- moderations --------------------------------------------------------------

@pytest.fixture
def sdk(books):
    with openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                       api_key=books.secret["free"], timeout=30) as c:
        yield c


@pytest.mark.parametrize("more", [{}, {"model": "mod-mistral"},
                                  {"model": "mod-priced"}])
def test_moderations(sdk, more):
    r = sdk.moderations.create(input=["I will kill", "a b"], **more)
    assert [x.categories.violence for x in r.results] == [True, False]
    r = sdk.moderations.create(input="kill", **more)
    assert r.results[0].category_scores.violence == 0.9


def test_moderate_parts(sdk):
    r = sdk.moderations.create(model="omni-moderation-latest", input=[
        {"type": "text", "text": "kill"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64,aGVsbG8="}}])
    assert len(r.results) == 1 and r.results[0].flagged


def test_node_moderations(books, node):
    plain, parts, priced = node(
        books.front, books.secret["other"],
        ("moderations", {"input": ["kill", "a"]}),
        ("moderations", {"model": "omni-moderation-latest", "input": [
            {"type": "text", "text": "kill"}, {"type": "image_url",
             "image_url": {"url": "data:image/png;base64,aGVsbG8="}}]}),
        ("moderations", {"model": "mod-priced", "input": "a"}))
    assert [r["flagged"] for r in plain["results"]] == [True, False]
    assert [r["flagged"] for r in parts["results"]] == [True]
    assert [r["flagged"] for r in priced["results"]] == [False]


def test_moderations_free(books):
    """What costs nothing is open to a key whose budget is small."""
    r = post(books, "poor", "/v1/moderations", input="a")
    assert r.status == 200, r.body
    mode = books.site.tag("m/doors/tag=mod-mistral")
    before = asked(books.site, mode)
    refusal(post(books, "poor", "/v1/moderations", model="mod-mistral",
                 input="a b"), 429, "budget_exceeded")
    assert asked(books.site, mode) == before


def test_moderations_default_of_key(books):
    """The model that is asked for unnamed is one that the key may use."""
    r = post(books, "narrow", "/v1/moderations", input="a")
    assert r.status in (403, 404), r.body


@pytest.mark.parametrize("body, param", [
    ({}, "input"), ({"input": []}, "input"), ({"input": [1]}, "input"),
    ({"input": ["a", {"type": "text", "text": "b"}]}, "input"),
    ({"input": [{"type": "audio"}]}, "input"),
    ({"input": [{"type": "image_url", "image_url": {}}]}, "input"),
    ({"input": "a", "model": ""}, "model"),
    ({"input": "a", "model": 1}, "model"),
])
def test_bad_moderations(books, body, param):
    r = post(books, "rich", "/v1/moderations", **body)
    assert r.status == 400 and r.error()["param"] == param, r.body
