"""Answers that a provider keeps, with the official SDK: retrieved, streamed
again, deleted, cancelled, their input listed; by their owner only, and paid
for when they are made, whoever still listens."""

import openai
import pytest

from books import N, Books, asked, billed, call, refusal, settled, usd
from client import ask, bearer
from house import Site, wait_until
from servers import chosen, open_front

RESPONSES = "/v1/responses"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
WORDS = 3


def policy(site):
    p = Books(site)
    for name in ("one", "two"):
        p.model(name, {"to": site.tag("m/kept/tag=" + name),
                       "adapter": "responses"})
    p.model("slow", {"to": site.tag("m/kept/50/20/tag=slow"),
                     "adapter": "responses"})
    p.model("chat", site.tag("m/ok/tag=chat"))
    p.model("exact", {"to": site.tag("m/kept/tag=exact"),
                      "adapter": "responses", "price": {"input": 0,
                                                        "output": 0,
                                                        "request": 0.001}})
    p.key("mine", budget=usd(10**12) + " / day")
    p.key("other", budget=usd(10**12) + " / day")
    p.key("left", budget=usd(10**12) + " / day")
    p.key("exact", budget=usd(1000 * N) + " / day")
    p.key("few", rpm=2)
    p.key("forgetful", retention="none")
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
                       api_key=books.secret["mine"], timeout=30) as client:
        yield client


def make(books, key="mine", model="one", **more):
    r = call(books.front, books.secret[key], model, path=RESPONSES,
             body={"model": model, "input": "hello there", **more})
    assert r.status == 200, r.body
    return r.json()["id"]


def kept(books, method, path, key="mine", headers=()):
    return ask(books.front, method, f"{RESPONSES}/{path}",
               [*bearer(books.secret[key]), *headers])


def modes(books, *names):
    return [books.site.tag("m/kept/tag=" + n) for n in names]


def test_sdk(books, sdk):
    """All that the SDK does with a kept answer, at the provider that has it."""
    for model in ("one", "two"):
        r = sdk.responses.create(model=model, input="hello there")
        again = sdk.responses.retrieve(
            r.id, include=["message.output_text.logprobs"])
        assert again.id == r.id and again.output_text == r.output_text
        assert again.output[0].id == r.output[0].id
        on = sdk.responses.create(model=model, input="on",
                                  previous_response_id=r.id)
        assert sdk.responses.retrieve(on.id).previous_response_id == r.id
        sdk.responses.delete(r.id)
        with pytest.raises(openai.NotFoundError) as e:
            sdk.responses.retrieve(r.id)
        assert "not found" in e.value.message


def test_sdk_items(sdk):
    r = sdk.responses.create(model="one", input=[
        {"role": "user", "content": [{"type": "input_text", "text": t}]}
        for t in "abcde"])
    got = sdk.responses.input_items.list(r.id, limit=2, order="asc")
    assert [i.content[0].text for i in got] == list("abcde")
    first = next(iter(got))
    rest = sdk.responses.input_items.list(r.id, order="asc", after=first.id)
    assert [i.content[0].text for i in rest] == list("bcde")


def test_sdk_count(books, sdk):
    """Counted by the provider where it can, else here; never paid."""
    n = sdk.responses.input_tokens.count(model="one", input="one two three")
    assert (n.object, n.input_tokens) == ("response.input_tokens", 3)
    r = sdk.responses.create(model="one", input="hello there")
    n = sdk.responses.input_tokens.count(model="one", input="one two three",
                                         previous_response_id=r.id)
    assert n.input_tokens == 5
    before = asked(books.site, *modes(books, "chat"))
    n = sdk.responses.input_tokens.count(model="chat", input="one two three")
    assert n.object == "response.input_tokens" and 2 < n.input_tokens < 20
    with pytest.raises(openai.BadRequestError):
        sdk.responses.input_tokens.count(model="chat", input="on",
                                         previous_response_id="resp_1")
    assert asked(books.site, *modes(books, "chat")) == before
    last = books.site.records(operation="count")[-1]
    assert last["model"] == "chat" and "cost_nano" not in last


def test_sdk_cancel(sdk):
    with sdk.responses.create(model="one", input="a", background=True,
                              stream=True) as events:
        made = [e for e in events][-1].response
    assert sdk.responses.cancel(made.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        sdk.responses.cancel(sdk.responses.create(model="one", input="a").id)


def test_sdk_stream(books, sdk):
    """Events again, from the place that is asked for; not paid again."""
    r = sdk.responses.create(model="one", input="a")
    before = asked(books.site, *modes(books, "one"))
    events = list(sdk.responses.retrieve(r.id, stream=True))
    assert events[0].response.id == events[-1].response.id == r.id
    assert "".join(e.delta for e in events if e.type.endswith("text.delta")) \
        == r.output_text
    rest = list(sdk.responses.retrieve(r.id, stream=True, starting_after=3))
    assert [e.sequence_number for e in rest] == \
        [e.sequence_number for e in events][4:]
    assert asked(books.site, *modes(books, "one")) == before + 2


def test_node_sdk(books, node):
    """The same with Node's."""
    kept, cancelled = node(
        books.front, books.secret["mine"],
        ("kept", {"model": "one", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": t}]}
            for t in "abcde"]}),
        ("cancelled", {"model": "one", "input": "a"}))
    made = kept["made"]
    assert kept["again"]["output"] == made["output"]
    assert kept["again"]["id"] == made["id"] and "_tg" in made["id"]
    assert [i["content"][0]["text"] for i in kept["items"]] == list("abcde")
    assert [e["sequence_number"] for e in kept["events"]] == \
        list(range(len(kept["events"])))
    assert "".join(e["delta"] for e in kept["events"]
                   if e["type"].endswith("text.delta")) == \
        made["output_text"]
    assert kept["events"][-1]["response"]["id"] == made["id"]
    assert kept["gone"] == 404
    assert cancelled["status"] == "cancelled", cancelled


def test_only_making_is_paid(books):
    """The ledger has what the provider bills: for making them."""
    for action in (("GET", ""), ("GET", "?stream=true"),
                   ("GET", "/input_items"), ("DELETE", "")):
        name = make(books, "other")
        assert kept(books, action[0], name + action[1], "other").status == 200
    row = {"input": 4 * 2, "output": 4 * WORDS}
    settled(books.site, "other", row["input"] * N + row["output"] * 2 * N,
            requests=4)


def test_records(books):
    name = make(books)
    kept(books, "GET", name)
    wait_until(lambda: books.site.records(operation="retrieve"))
    last = books.site.records(operation="retrieve")[-1]
    assert last["key"] == "mine" and last["status"] == 200
    assert last["provider"].startswith("p-m-kept-tag-one")


# --- whose they are -----------------------------------------------------------

@pytest.mark.parametrize("action", [
    ("GET", ""), ("DELETE", ""), ("POST", "/cancel"),
    ("GET", "/input_items")])
def test_not_another_s(books, action):
    """Another's, forged or bare ids: 404, and nobody is asked."""
    name = make(books)
    asked_of = modes(books, "one", "two")
    before = asked(books.site, *asked_of)
    bare = name[:name.index("_tg")]
    for key, given in (("other", name), ("mine", bare), ("mine", name[:-1]),
                       ("mine", name[:-1] + ("0" if name[-1] != "0" else
                                             "1")),
                       ("mine", "resp_9" + name[name.index("_tg"):]),
                       ("mine", bare + "%2F" + name), ("mine", "x" * 3000),
                       ("mine", "%20"), ("mine", "_tg" + "0" * 32)):
        r = kept(books, action[0], given + action[1], key)
        assert r.status == 404, (given, r.body)
        assert r.json()["error"]["code"] in ("response_not_found",
                                             "not_found"), r.body
    assert asked(books.site, *asked_of) == before


def test_nobody_keeps_it(books):
    """An answer of a provider of chat; the refusal says why."""
    name = make(books, model="chat")
    e = refusal(kept(books, "GET", name), 404, "response_not_found")
    assert "Responses API" in e["message"]


def test_retention(books):
    name = make(books)
    r = kept(books, "GET", name, "forgetful")
    assert r.status == 403 and "retention" in r.error()["message"], r.body
    r = kept(books, "GET", name, headers=[("x-tollgate-retention", "none")])
    assert r.status == 400 and r.error()["param"] == "x-tollgate-retention"


# --- what is taken -------------------------------------------------------------

@pytest.mark.parametrize("tail", [
    "?limit=2", "?stream=yes", "?stream=true&stream=false",
    "?starting_after=-1", "?starting_after=1e3", "?include=a%20b", "?x=1",
    "?include", "?%zz=1", "/input_items?limit=0", "/input_items?limit=101",
    "/input_items?order=up", "/input_items?after=a%26limit%3D100",
    "/input_items?stream=true"])
def test_bad_query(books, tail):
    name = make(books)
    before = asked(books.site, *modes(books, "one"))
    r = kept(books, "GET", name + tail)
    assert r.status == 400 and r.error()["type"] == "invalid_request_error", \
        r.body
    assert asked(books.site, *modes(books, "one")) == before


def test_key_in_the_query_stays_here(books):
    name = make(books)
    r = ask(books.front, "GET",
            f"{RESPONSES}/{name}?key={books.secret['mine']}&stream=false", [])
    assert r.status == 200, r.body
    target = books.site.upstream.last(modes(books, "one")[0])["target"]
    assert target.endswith("/responses/" + name[:name.index("_tg")] +
                           "?stream=false")


@pytest.mark.parametrize("method, tail, allow", [
    ("POST", "", {"GET", "DELETE"}), ("PUT", "", {"GET", "DELETE"}),
    ("GET", "/cancel", {"POST"}), ("DELETE", "/input_items", {"GET"})])
def test_method(books, method, tail, allow):
    r = kept(books, method, make(books) + tail)
    assert r.status == 405, r.body
    assert set(r.headers["allow"].split(", ")) == allow


def test_rates(books):
    """They count as requests."""
    name = make(books, "few")
    assert kept(books, "GET", name, "few").status == 200
    refusal(kept(books, "GET", name, "few"), 429, "rate_limit_exceeded")


def test_used_up(books):
    """A budget that is used up opens no door, free or not."""
    name = make(books, "exact", "exact")
    settled(books.site, "exact", 1000 * N)
    before = asked(books.site, *modes(books, "exact"))
    refusal(kept(books, "GET", name, "exact"), 429, "budget_exceeded")
    assert asked(books.site, *modes(books, "exact")) == before


# --- the background -------------------------------------------------------------

def test_background_needs_a_stream(books):
    r = call(books.front, books.secret["mine"], "one", path=RESPONSES,
             body={"model": "one", "input": "a", "background": True})
    assert r.status == 400 and r.error()["param"] == "background"


def test_background_left(books):
    """Whoever leaves its stream pays all that it may have used: the provider
    works on, and the answer can be had afterwards."""
    with openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                       api_key=books.secret["left"], timeout=30) as sdk:
        with sdk.responses.create(model="slow", input="a", background=True,
                                  stream=True, max_output_tokens=64) as s:
            for e in s:
                if e.type == "response.created":
                    name = e.response.id
                if e.type.endswith("text.delta"):
                    break
            s.close()
        wait_until(lambda: books.site.records(key="left"))
        row = books.site.records(key="left")[-1]
        assert row["output_tokens"] == 64 and row["estimated"], row
        assert sdk.responses.retrieve(name).output_text.split() == [
            f"word{i}" for i in range(50)]
    assert row["cost_nano"] >= billed(
        books.site, books.site.tag("m/kept/50/20/tag=slow"))
