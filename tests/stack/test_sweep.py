"""T16: every route of the official SDKs, with every method, in odd forms: each
is served or refused in its surface's shape, none goes to a provider but by
admission, and none is anything to who has no key."""

import json
import re
from collections import Counter

import pytest

import routes
from books import N, Books, call, settled, usd
from client import Call, crowd
from house import Site, virtual_key
from servers import chosen, open_front

FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPEN = ("/healthz", "/readyz")
COST = 10**6                             # n$ a request
PRICE = {"input": 0, "output": 0, "request": COST / 10**9}
HELLO = [{"role": "user", "content": "hello there"}]

# Bodies that are taken, by the end of the path; else one that names a model.
BODIES = {
    "/chat/completions": {"messages": HELLO},
    "/completions": {"prompt": "hello there"},
    "/responses": {"input": "hello there"},
    "/messages": {"messages": HELLO, "max_tokens": 9},
    "/count_tokens": {"messages": HELLO},
    "/input_tokens": {"input": "hello there"},
    "/embeddings": {"model": "embed", "input": "hello there"},
    ":embedContent": {"content": {"parts": [{"text": "hello there"}]}},
    ":batchEmbedContents": {"requests": [
        {"content": {"parts": [{"text": "hello there"}]}}]},
    "enerateContent": {"contents": [{"parts": [{"text": "hello there"}]}]},
    ":countTokens": {"contents": [{"parts": [{"text": "hello there"}]}]},
}
CREDENTIALS = {
    "openai": lambda key: [("Authorization", "Bearer " + key)],
    "anthropic": lambda key: [("X-Api-Key", key),
                              ("anthropic-version", "2023-06-01")],
    "gemini": lambda key: [("x-goog-api-key", key)],
}


def is_openai(doc):
    return set(doc) == {"error"} and \
        {"message", "type", "param", "code"} <= set(doc["error"])


def is_anthropic(doc):
    return doc.get("type") == "error" and {"type", "message"} <= set(doc["error"])


def is_gemini(doc):
    return isinstance(doc["error"].get("code"), int) and \
        {"message", "status"} <= set(doc["error"])


SHAPES = {"openai": is_openai, "anthropic": is_anthropic,
          "gemini": is_gemini}


def policy(site):
    p = Books(site)
    p.model("sweep", {"to": site.tag("m/ok/tag=sweep"), "price": PRICE})
    p.model("embed", {"to": site.tag("m/doors/tag=sweep"), "price": PRICE})
    p.model("keeps", {"to": site.tag("m/kept/tag=sweep"), "price": PRICE,
                      "adapter": "responses"})
    p.passes = next(n for n in p.doc["providers"] if "tag-sweep" in n)
    p.doc["providers"][p.passes]["passthrough"] = [
        {"path": "/**", "methods": list(METHODS), "price": {"request": 0}}]
    p.key("rich", budget=usd(10**13) + " / day")
    p.key("used", passthrough="*", budget=usd(COST) + " / day")
    return p


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = policy(site).write()
        p.front = open_front(site, request.param)
        p.kept = {}
        p.kept["used"] = keep(p, "used")
        settled(site, "used", COST)      # to the last nano-dollar
        p.kept["rich"] = keep(p, "rich")
        yield p


def keep(books, key):
    """The id of an answer that is kept for this key."""
    r = call(books.front, books.secret[key], "keeps", path="/v1/responses",
             body={"model": "keeps", "input": "hello there"})
    assert r.status == 200, r.body
    return r.json()["id"]


def reached(books):
    """Requests that came to the provider by this front."""
    return sum(e["requests"] for mode, e in
               books.site.upstream.bill()["modes"].items()
               if mode.endswith(books.front_tag))


def body_of(path):
    end = path.partition("?")[0]
    more = next((b for tail, b in BODIES.items() if end.endswith(tail)), {})
    named = {} if re.search("Content|:count", end) else {"model": "sweep"}
    return json.dumps({**named, **more}).encode()


def send(books, method, path, headers=(), body=None):
    body = body_of(path) if body is None else body
    if method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE"):
        body = b""
    with Call(books.front.port, method, path, [
            *headers, ("Content-Type", "application/json")], body,
            timeout=30) as c:
        if method == "HEAD":
            return c.head()
        return c.read()


def filled(books, path, key):
    path = path.replace("{response_id}", books.kept.get(key, "resp_x"))
    path = path.replace("{model}", "embed" if "mbedContent" in path else
                        "sweep")
    path = path.replace("{provider}", books.passes)
    return re.sub(r"\{[^}]*\}", "x1", path)


def all_routes():
    """(surface, method, path), each method and path once a surface."""
    return sorted((name, method, path) for name, find in
                  routes.SURFACES.items() for method, path in find())


def fits(reply, surface, where):
    """Served, or refused in this shape (None: in any); never what a client
    cannot read."""
    assert reply.complete and 200 <= reply.status < 500, (where, reply.status,
                                                          reply.body[:300])
    if reply.status < 300:
        return True
    assert reply.headers["content-type"].startswith("application/json"), where
    doc = reply.json()
    assert any(is_it(doc) for name, is_it in SHAPES.items()
               if surface in (name, None)), (where, doc)
    message = doc["error"]["message"]
    assert message and "<" not in message, (where, message)
    return False


def sweep(books, key, secret, what):
    """what(surface, method, path, reply) of every route, in order."""
    def one(surface, method, path):
        at = filled(books, path, key)
        return what(surface, method, path, send(
            books, method, at, [] if secret is None else
            CREDENTIALS[surface](secret)))
    return crowd([lambda r=r: one(*r) for r in all_routes()], 6)


@pytest.fixture
def swept(books, request):
    books.front_tag = books.site.tag("")
    return books


# --- what is there --------------------------------------------------------------

def test_with_a_key(swept, figure):
    """Each is served or refused, in words and in shape."""
    def what(surface, method, path, reply):
        served = fits(reply, surface, (surface, method, path))
        if reply.status == 404 and path.count("{") == 0:
            assert "tollgate does not offer" in \
                reply.json()["error"]["message"], (path, reply.body)
        if reply.status == 405:
            assert method not in reply.headers["allow"].split(", "), path
        return "served" if served else "refused"
    count = Counter(sweep(swept, "rich", swept.secret["rich"], what))
    figure(f"{sum(count.values())} routes, {count['served']} served, "
           f"{count['refused']} refused")
    assert count["served"] >= 12


def test_wrong_methods(swept, figure):
    """What has another method says which: 405, and what it says is taken."""
    known = set(all_routes())
    paths = sorted({(s, p) for s, _, p in known})

    def one(surface, path):
        headers = CREDENTIALS[surface](swept.secret["rich"])
        said = {}
        for method in METHODS:
            at = filled(swept, path, None)
            r = send(swept, method, at, headers)
            fits(r, surface if (surface, method, path) in known else None,
                 (method, path))
            said[method] = r.headers.get("allow", "") \
                if r.status == 405 else None
        allowed = {a for a in said.values() if a is not None}
        assert len(allowed) <= 1, (path, said)
        for a in allowed:
            taken = set(a.split(", "))
            assert taken and taken == {m for m in METHODS
                                       if said[m] is None}, (path, said)
        return sum(a is not None for a in said.values())
    count = crowd([lambda r=r: one(*r) for r in paths], 6)
    figure(f"{len(paths)} paths with {len(METHODS)} methods: {sum(count)} "
           "times 405")
    assert sum(count) > 20


# --- who may ---------------------------------------------------------------------

def test_used_up(swept, figure):
    """No route reaches a provider for a key whose budget is used up."""
    before = reached(swept)

    def what(surface, method, path, reply):
        fits(reply, surface, (surface, method, path))
        return reply.status
    count = Counter(sweep(swept, "used", swept.secret["used"], what))
    figure(f"{reached(swept) - before} of {sum(count.values())} routes "
           f"reached the provider; {count[429]} times 429")
    assert reached(swept) == before
    assert count[429] >= 10


@pytest.mark.parametrize("secret", [None, virtual_key(), "x"],
                         ids=["none", "wrong", "short"])
def test_without_a_key(swept, secret):
    """All but what is open is 401, also what is not there."""
    before = reached(swept)

    def what(surface, method, path, reply):
        assert reply.status == 401, (surface, method, path, reply.status)
        if secret is not None:           # whose client it is, a key tells
            assert SHAPES[surface](reply.json()), (path, reply.body)
        return reply.status
    sweep(swept, "rich", secret, what)
    for path in ("/v1", "/v1/", "/v1/none", "/metrics", "/v1beta",
                 "/admin/keys"):
        for method in METHODS:
            assert send(swept, method, path).status == 401, (method, path)
    for path in OPEN:
        assert send(swept, "GET", path).status == 200
    assert reached(swept) == before


# --- odd forms ---------------------------------------------------------------------

DOORS = ("/v1/chat/completions", "/v1/completions", "/v1/responses",
         "/v1/messages", "/v1/messages/count_tokens", "/v1/embeddings",
         "/v1beta/models/sweep:generateContent",
         "/v1/models/sweep:generateContent", "/v1/models", "/metrics",
         "/admin/keys", "/v1/responses/{response_id}",
         "/v1/responses/input_tokens", "/passthrough/{provider}/files/x")


def forms(path):
    """A path in forms that somebody may take for the same."""
    first, _, rest = path[1:].partition("/")
    yield path + "/"
    yield path + "//"
    yield "/" + path
    yield path.replace("/", "//")
    yield path.upper()
    yield "/" + "%2F".join(path[1:].split("/"))
    yield "/%" + format(ord(first[0]), "02x") + first[1:] + "/" + rest
    yield f"/{first}/../{first}/{rest}"
    yield f"/{first}/./{rest}"
    yield f"/{first}/x/../{rest}"
    yield f"/healthz/../{first}/{rest}"
    yield f"/{first}%2f..%2f{first}/{rest}"
    yield f"/x/..%2f{first}/{rest}"
    yield f"/{first};x=y/{rest}"
    yield path + "?x=/healthz"
    yield path + "%00"
    yield path + "%20"
    yield path + "%3Fkey=x"
    yield path + "#healthz"
    yield path + "\\"
    yield "http://127.0.0.1" + path


def odd():
    """(method, path) for all that is odd in one of them or in both."""
    for door in DOORS:
        for path in (door, *forms(door)):
            for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
                yield method, path
        for method in ("TRACE", "CONNECT", "BREW", "get", "Post",
                       "PROPFIND"):
            yield method, door


def readable(reply, where):
    """Never an own page of the web server, whatever it makes of it."""
    kind = reply.headers.get("content-type", "application/json")
    assert "html" not in kind and b"<html" not in reply.body.lower(), (
        where, reply.status, reply.body[:300])
    assert reply.status < 500 or reply.status == 501, (where, reply.status)


def nobodys(reply, method, path):
    """What is anybody's: health, and what Apache says of its own of methods."""
    return "/healthz" in path or (method == "OPTIONS" and not reply.body and
                                  "x-request-id" not in reply.headers)


def test_odd_forms(swept, figure):
    """Odd paths and methods: none skips authentication or admission."""
    before = reached(swept)
    good = CREDENTIALS["openai"]

    def one(method, path):
        at = filled(swept, path, "used")
        r = send(swept, method, at)
        readable(r, (method, path))
        assert r.status >= 400 or nobodys(r, method, path), (
            method, path, r.status, r.body[:300])
        used = send(swept, method, at, good(swept.secret["used"]))
        readable(used, (method, path))
        return r.status, used.status
    said = crowd([lambda r=r: one(*r) for r in odd()], 6)
    figure(f"{len(said)} odd requests, {reached(swept) - before} reached; "
           f"without a key {dict(Counter(a for a, _ in said))}, used up "
           f"{dict(Counter(b for _, b in said))}")
    assert reached(swept) == before
