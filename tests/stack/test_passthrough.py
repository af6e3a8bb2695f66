"""Requests of a provider's own API as they are: who may, what goes on and what
comes back, what it costs, and what never gets there."""

import base64
import json
import time

import openai
import pytest

import passed
from books import Books, refusal, settled, spent, usd
from client import Call, bearer
from house import Site, wait_until
from servers import chosen, open_front

FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
OURS = "sk-of-the-house-4711"          # what the provider knows us by
FEE = 1000                             # n$ a request
IN, OUT, SECOND = 5000, 7000, 10**6    # n$ a token, a second
MOST = {"in": 100, "out": 10, "seconds": 40}
FREE = {"request": 0}
PRICE = {"request": FEE / 10**9, "input": IN / 1000, "output": OUT / 1000}
UNITS = {"input": {"at": "/usage/in", "at_most": MOST["in"]},
         "output": {"at": "/usage/out", "at_most": MOST["out"]}}
BOUND = FEE + MOST["in"] * IN + MOST["out"] * OUT
ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]

ROUTES = [
    *({"path": "/" + name, "methods": "POST", "price": PRICE, "units": UNITS}
      for name in ("jobs", "untold", "lie", "events", "lines", "cut", "mute",
                   "slow", "away")),
    {"path": "/fault/*", "methods": "POST", "price": PRICE, "units": UNITS},
    {"path": "/jobs/seconds", "methods": "POST",
     "price": {"second": SECOND / 10**9},
     "units": {"second": {"at": "/usage/seconds", "at_most": 40}}},
    {"path": "/files/*", "methods": ["GET", "DELETE"], "price": FREE},
    {"path": "/files/*/content", "price": FREE},
    {"path": "/files/*:verb", "methods": "POST", "price": FREE},
    {"path": "/paced/*", "price": FREE},
    {"path": "/seen/**", "methods": ALL, "price": FREE},
    "/seen",                            # a GET without a price
]


def policy(site):
    p = Books(site)

    def provider(name, **row):
        p.doc["providers"][name] = {
            "adapter": "openai",
            "base_url": site.upstream.base(mode_of(site, name), "v1"),
            **({} if "secret_key" in row else {"key": "plain:" + OURS}),
            **row}

    provider("own", passthrough=ROUTES)
    provider("near", passthrough=ROUTES, region="eu", retention="none")
    provider("read", passthrough=ROUTES, on_abort="drain")
    provider("shut")
    provider("head", passthrough=ROUTES, auth={"scheme": "header",
                                               "header": "x-api-key"},
             headers={"x-of-ours": "1", "anthropic-beta": "ours"})
    provider("signed", passthrough=ROUTES, region="eu-west-1",
             access_key="plain:AKIDEXAMPLE", secret_key="plain:" + OURS,
             auth={"scheme": "sigv4", "service": "execute-api"})
    provider("sealed", passthrough=ROUTES, access_key="plain:id",
             auth={"scheme": "hmac", "header": "x-signature",
                   "key_id_header": "x-key-id",
                   "sign": ["method", "path", "query", "body"]})
    p.model("plain", {"to": site.tag("m/ok/tag=plain")})
    p.key("may", passthrough=["own", "head", "signed", "sealed"])
    p.key("any", passthrough="*")
    p.key("none")
    p.key("eu", passthrough="*", region="eu")
    p.key("forgetful", passthrough="*", retention="none")
    for name in ("told", "untold", "lie", "events", "lines", "cut", "mute",
                 "fault", "seconds", "rich", "gone"):
        p.key(name, passthrough="own", budget=usd(10**12) + " / day")
    p.key("read", passthrough="read", budget=usd(10**12) + " / day")
    p.key("poor", passthrough="own", budget=usd(BOUND - 1) + " / day")
    p.key("used", passthrough="own", budget=usd(0) + " / day")
    p.key("few", passthrough="own", rpm=2)
    return p


def mode_of(site, name="own"):
    return site.tag("m/passed/tag=" + name)


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = policy(site).write()
        p.front = open_front(site, request.param)
        yield p


def send(books, method, path, key="may", body=b"", headers=(), to="own",
         credential=None, **how):
    """A request of this provider's API."""
    credential = bearer(books.secret[key]) if credential is None else \
        credential
    with Call(books.front.port, method, f"/passthrough/{to}{path}",
              [*credential, *headers], body, **how) as c:
        return c.read()


def reached(books, *names):
    """How often the providers were asked."""
    return sum(books.site.upstream.bill(mode_of(books.site, n))["requests"]
               for n in names or ("own", "near", "shut", "head", "signed",
                                  "sealed"))


def last(books, to="own"):
    return books.site.upstream.last(mode_of(books.site, to))


def names(headers):
    return {n.lower(): v for n, v in headers}


# --- what goes on, and what comes back ---------------------------------------

def test_as_it_is(books):
    """Any method, any body, the query; nothing of who asks us."""
    body = bytes(range(256)) * 3
    for method in ALL:
        sent = b"" if method == "GET" else body
        r = send(books, method, "/seen/a/b-1?x=1&y=a+b&x=%2F", body=sent,
                 headers=[("Content-Type", "application/x-odd; a=b"),
                          ("Accept", "a/b"), ("OpenAI-Beta", "x=y"),
                          ("Idempotency-Key", "once")])
        assert r.status == 200, r.body
        got = r.json()
        assert got["method"] == method
        assert got["target"].endswith("/v1/seen/a/b-1?x=1&y=a%20b&x=%2F")
        assert base64.b64decode(got["body"]) == sent
        had = names(last(books)["headers"])
        assert had["content-type"] == "application/x-odd; a=b"
        assert had["accept"] == "a/b" and had["openai-beta"] == "x=y"
        assert had["idempotency-key"] == "once"
        assert r.headers["x-tollgate-provider"] == "own"


def test_sdk(books):
    """An official SDK needs nothing but another base URL."""
    with openai.OpenAI(base_url=books.front.url + "/passthrough/own",
                       api_key=books.secret["may"], max_retries=0) as client:
        assert client.files.content("file-1").read() == passed.FILE
        with pytest.raises(openai.NotFoundError):
            client.files.list()
        with pytest.raises(openai.PermissionDeniedError):
            client.with_options(base_url=books.front.url +
                                "/passthrough/near").files.content("file-1")


def test_range(books):
    """It goes on; where the provider takes none, a server may."""
    r = send(books, "GET", "/seen/x", headers=[("Range", "bytes=0-1")])
    assert r.status in (200, 206)
    assert names(last(books)["headers"])["range"] == "bytes=0-1"


@pytest.mark.parametrize("kind", [
    "application/octet-stream", "multipart/form-data; boundary=x"])
def test_large(books, kind):
    """Twenty megabytes go on; more than the house takes does not."""
    body = bytes(range(256)) * (20 * 4096)
    r = send(books, "POST", "/seen/x", body=body, headers=[
        ("Content-Type", kind)])
    assert base64.b64decode(r.json()["body"]) == body
    before = reached(books)
    assert send(books, "POST", "/seen/x", body=body * 2).status == 413
    assert reached(books) == before


def test_file(books):
    r = send(books, "GET", "/files/a.b_c-1")
    assert r.status == 200 and r.body == passed.FILE and r.complete
    assert r.headers.get("content-length") in (None, str(len(passed.FILE)))
    assert r.headers["content-type"] == "application/pdf"
    assert r.headers["content-disposition"].startswith("attachment")
    assert r.headers["etag"] == '"e1"'
    assert r.headers["x-ratelimit-remaining-requests"] == "7"
    assert "set-cookie" not in r.headers
    assert "provider" != r.headers.get("server")
    r = send(books, "DELETE", "/files/a")
    assert r.status == 204 and r.body == b""


def test_status(books):
    r = send(books, "POST", "/jobs", body=b"{}")
    assert r.status == 201 and r.json()["id"] == "job_1"


def test_as_it_comes(books):
    """Pieces arrive before the last one has left."""
    with Call(books.front.port, "GET", "/passthrough/own/paced/300",
              bearer(books.secret["may"])) as c:
        r = c.read()
    assert r.headers["content-type"] == "audio/x-odd" and r.complete
    assert r.body == b"".join(b"%d-" % i + bytes(10) for i in range(5))
    first, final = r.pieces[0][0], r.pieces[-1][0]
    assert final - first > 0.8, [t for t, _ in r.pieces]


def test_faults(books):
    """What the client did wrong is told as the provider tells it, without our
    key; what is between us and the provider is not."""
    for code in (400, 404, 409, 422):
        r = send(books, "POST", f"/fault/{code}", "any", body=b"{}")
        assert r.status == code, (code, r.body)
        assert r.complete and r.json()["odd"]["why"] == "no"
        assert r.headers["content-type"] == "application/problem+json"
        assert r.headers["etag"] == '"e1"' and "set-cookie" not in r.headers
    for code, ours in ((401, 502), (403, 502), (429, 429), (500, 502),
                       (503, 503)):
        r = send(books, "POST", f"/fault/{code}", "any", to="near",
                 body=b"{}")
        assert r.status == ours or r.status in (429, 503), (code, r.body)
        assert "odd" not in r.json() and "message" in r.error()
        assert not {"etag", "content-disposition"} & set(r.headers)
    r = send(books, "POST", "/away", body=b"{}")
    assert r.status == 502 and "location" not in r.headers


# --- credentials -------------------------------------------------------------

CREDENTIALS = [lambda k: bearer(k), lambda k: [("X-Api-Key", k)],
               lambda k: [("x-goog-api-key", k)]]


def leaks(books, to, key):
    """Does a byte of the key stand in what reached the provider?"""
    return key in json.dumps(last(books, to))


@pytest.mark.parametrize("to", ["own", "head", "signed", "sealed"])
def test_credentials(books, to):
    """Ours goes out, that of the client never; cookies neither."""
    key = books.secret["may"]
    ways = [(c(key), "") for c in CREDENTIALS]
    ways += [([], f"?key={key}"), ([], f"?a=1&key={key}&b"),
             (bearer(key), f"?%6bey={key}&KEY={key}")]
    for credential, query in ways:
        r = send(books, "POST", "/seen/x" + query, to=to, body=b"b",
                 credential=credential, headers=[
                     ("Cookie", "a=" + key),
                     ("Proxy-Authorization", "Basic x"),
                     ("Api-Key", key), ("X-Auth-Token", key),
                     ("X-Forwarded-For", "10.1.2.3"), ("Te", "trailers"),
                     ("X-HTTP-Method-Override", "DELETE"),
                     ("x-amz-security-token", "theirs"),
                     ("anthropic-beta", "theirs")])
        assert r.status == 200, (query, r.body)
        assert not leaks(books, to, key)
        had = names(last(books, to)["headers"])
        assert not {"cookie", "proxy-authorization", "api-key", "te",
                    "x-auth-token", "x-forwarded-for", "x-goog-api-key",
                    "x-http-method-override"} & set(had), had
        assert had.get("x-amz-security-token") != "theirs"
        assert OURS not in r.body.decode()
        shown(to, had)


def shown(to, had):
    if to == "own":
        assert had["authorization"] == "Bearer " + OURS
        assert "x-api-key" not in had and had["anthropic-beta"] == "theirs"
    elif to == "head":
        assert had["x-api-key"] == OURS and "authorization" not in had
        assert had["x-of-ours"] == "1" and had["anthropic-beta"] == "ours"
    elif to == "signed":
        assert had["authorization"].startswith("AWS4-HMAC-SHA256 Credential="
                                               "AKIDEXAMPLE/")
    else:
        assert had["x-key-id"] == "id" and len(had["x-signature"]) == 64


def test_faults_hide_the_key(books):
    r = send(books, "POST", "/fault/400", body=b"{}")
    assert OURS not in r.body.decode() and r.json()["odd"]["why"] == "no"


@pytest.mark.parametrize("query", [
    "access_token=x", "a=1&API_KEY=x", "api-key=x", "X-Amz-Signature=x",
    "%24httpMethod=DELETE", "$httpHeaders=x", "_method=DELETE", "a=%zz",
    "a=%", "a=%00", "a=b%0d%0ac", "&".join(f"a{i}=1" for i in range(65))])
def test_queries(books, query):
    """What would stand for another credential or method does not go on."""
    before = reached(books)
    r = send(books, "GET", "/seen/x?" + query)
    assert r.status in (400, 404), r.body  # a server may have refused it
    assert reached(books) == before


# --- who may -----------------------------------------------------------------

def test_who_may(books):
    """Nobody, but who has the provider's name in the policy."""
    before = reached(books)
    for key in ("none", "may"):
        for to in ("near", "shut", "nobody", "own." if key == "may"
                   else "own"):
            refusal(send(books, "GET", "/files/a", key, to=to), 403,
                    "not_allowed")
    for to in ("shut", "nobody"):
        refusal(send(books, "GET", "/files/a", "any", to=to), 404,
                "not_found")
    refusal(send(books, "GET", "/files/a", credential=[]), 401,
            "missing_api_key")
    for path in ("/files", "/files/a/b", "/files/a:verb2", "/jobs/x",
                 "/nothing", "/Files/a", "/seen"):
        r = send(books, "GET", path, "used" if path == "/seen" else "any")
        assert r.status in (404, 405, 400), (path, r.body)
    r = send(books, "POST", "/files/a", "any")
    assert r.status == 405 and r.headers["allow"] == "GET, DELETE"
    assert send(books, "GET", "/files/a", "any", body=b"x").status == 400
    assert reached(books) == before


def test_demands(books):
    """Region and retention of the key hold here too."""
    before = reached(books, "own")
    for key in ("eu", "forgetful"):
        refusal(send(books, "GET", "/files/a", key), 503,
                "no_compliant_route")
        r = send(books, "GET", "/files/a", key, to="near")
        assert r.status == 200 and r.headers["x-tollgate-region"] == "eu"
    for header in ("x-tollgate-region", "x-tollgate-retention"):
        value = {"x-tollgate-region": "eu"}.get(header, "none")
        refusal(send(books, "GET", "/files/a", headers=[(header, value)]),
                503, "no_compliant_route")
    assert reached(books, "own") == before


def test_deadline(books):
    began = time.time()
    r = send(books, "GET", "/paced/4000", headers=[
        ("x-tollgate-timeout", "1")])
    assert not r.complete and time.time() - began < 4


# --- money -------------------------------------------------------------------

def billed(before, after):
    return FEE * (after["requests"] - before["requests"]) + \
        IN * (after["input_tokens"] - before["input_tokens"]) + \
        OUT * (after["output_tokens"] - before["output_tokens"])


@pytest.mark.parametrize("path,key", [
    ("/jobs", "told"), ("/events", "events"), ("/lines", "lines")])
def test_settled_as_told(books, path, key):
    """To the nano-dollar what the provider bills."""
    mode = mode_of(books.site)
    before = books.site.upstream.bill(mode)
    for n in (1, 17, 0):
        r = send(books, "POST", path, key, body=b"word " * n)
        assert r.status in (200, 201) and r.complete
    settled(books.site, key, billed(before, books.site.upstream.bill(mode)),
            requests=3)
    for row in books.site.records(key=key):
        assert row["operation"] == "passthrough"
        assert row["model"] == "/passthrough/own" + path
        assert row["provider"] == "own"
        assert "estimated" not in row


def test_seconds(books):
    """Fractions of a unit are paid as a whole one."""
    r = send(books, "POST", "/jobs/seconds", "seconds", body=b"a b c")
    assert r.json()["usage"]["seconds"] == 1.5
    settled(books.site, "seconds", 2 * SECOND, requests=1)


@pytest.mark.parametrize("path,key,cost", [
    ("/untold", "untold", BOUND), ("/cut", "cut", BOUND),
    ("/mute", "mute", BOUND), ("/lie", "lie", BOUND)])
def test_settled_at_the_bound(books, path, key, cost):
    """What is not told, or cannot be, is paid as the policy bounds it."""
    r = send(books, "POST", path, key, body=b"a b c")
    assert (r.status, r.complete) == {
        "/cut": (200, False), "/mute": (502, True)}.get(path, (200, True))
    settled(books.site, key, cost)
    assert books.site.records(key=key)[-1]["estimated"] is True


@pytest.mark.parametrize("to,key,cost", [
    ("own", "gone", BOUND), ("read", "read", FEE + 2 * IN + 3 * OUT)])
def test_left(books, to, key, cost):
    """So it is when the client goes, but where answers are read to the end."""
    with Call(books.front.port, "POST", f"/passthrough/{to}/slow",
              bearer(books.secret[key]), b"a b") as c:
        c.head()
    settled(books.site, key, cost, requests=1, seconds=8)


def test_refused_is_free(books):
    for code in (400, 404, 422):
        send(books, "POST", f"/fault/{code}", "fault", body=b"a")
    wait_until(lambda: len(books.site.records(key="fault")) == 3)
    settled(books.site, "fault", 0)


def test_budgets(books):
    """What may cost more than there is does not go out; nor what has no
    price, nor what is free, when nothing is left."""
    before = reached(books)
    for path in ("/jobs", "/untold", "/events"):
        r = send(books, "POST", path, "poor", body=b"a")
        refusal(r, 429, "budget_exceeded")
    for method, path in (("POST", "/jobs"), ("GET", "/files/a")):
        refusal(send(books, method, path, "used"), 429, "budget_exceeded")
    r = send(books, "GET", "/seen", "rich")
    assert r.status == 400 and "price" in r.error()["message"]
    assert reached(books) == before
    assert spent(books.site, "poor")["cost_nano"] == 0


def test_rates(books):
    before = reached(books)
    said = [send(books, "GET", "/files/a", "few").status for _ in range(4)]
    assert said == [200, 200, 429, 429] and reached(books) == before + 2


def test_records(books):
    """Never what the query says."""
    send(books, "GET", "/seen/x?secret=of-the-client")
    wait_until(lambda: books.site.records(
        model="/passthrough/own/seen/**"))
    text = (books.site.dir / "records.jsonl").read_text()
    assert "of-the-client" not in text and OURS not in text


# --- hostile paths -----------------------------------------------------------

HOSTILE = [
    "/files/..", "/files/../jobs", "/files/%2e%2e/jobs",
    "/files/%2e%2e%2fjobs",
    "/files/..%2fjobs", "/files/a%2fb", "/files/a%2Fb", "/files/a%5cb",
    "/files/a\\b", "/files//a", "//files/a", "/files/a/", "/files/a//",
    "/files/.", "/files/./a", "/files/...", "/files/a;x=y", "/files/..;/jobs",
    "/files/a%3bx", "/files/a%00", "/files/a%0a", "/files/a%20", "/files/a%",
    "/files/a%2", "/files/a%zz", "/files/a%252fb", "/files/a%25",
    "/files/%c0%ae",
    "/files/%ef%bc%8f", "/files/a%3fx", "/files/a%23x", "/files/a#x",
    "/files/a*", "/files/[a]", "/files/a|b", "/files/{a}", "/files/a^b",
    "/files/a%40b@", "/%66iles%2fa", "/@127.0.0.1/", "/files/a:verb/../b",
    "/files/" + "a" * 3000, "/seen" + "/a" * 40, "/seen/../files/a",
    "/seen/x/..%2f..%2fjobs", "/seen/%2e", "/seen/x%2f..%2f..%2fjobs",
]


def test_hostile_paths(books):
    """None of it is sent to the provider, whatever a server makes of it."""
    before = reached(books)
    for path in HOSTILE:
        r = send(books, "GET", path, "any")
        assert 400 <= r.status < 500, (path, r.status, r.body[:200])
        assert b"<html" not in r.body.lower(), (path, r.body)
    assert reached(books) == before
    for path in ("", "/", "//", "/own", "/%6fwn/files/a", "/own%2ffiles/a",
                 "/near/../own/files/a", "/OWN/files/a", "/own;a/files/a"):
        with Call(books.front.port, "GET", "/passthrough" + path,
                  bearer(books.secret["may"])) as c:
            assert 400 <= c.read().status < 500, path
    assert reached(books) == before


def test_same_form(books):
    """%XX of a letter is the letter: for the match, and for the provider."""
    r = send(books, "GET", "/s%65en/%61%2D%5fb%7E")
    assert r.status == 200, r.body
    assert r.json()["target"].endswith("/v1/seen/a-_b~")
    assert send(books, "POST", "/files/a:verb").status == 200


def test_plain_doors_stay(books):
    """A model's way is not this one, and the other way round."""
    r = send(books, "POST", "/chat/completions", "any", body=b"{}")
    assert r.status == 404
