"""The admin API: keys over HTTP for one credential; for all others there is
nothing at its path, whatever they send."""

import json
import secrets
import time

import pytest

import fcgi
from client import Call, ask, bearer, chat, is_error
from house import Policy, Pool, Site, virtual_key, wait_until
from servers import chosen, open_front
from stores import Redis
from test_keys import status_within, tollgate, use

KEYS = "/admin/keys"
FRONTS = [n for n in ("lighttpd", "apache-proxy", "apache-cgi-alone")
          if n in chosen()] or chosen()[:1]


@pytest.fixture(scope="module", params=[
    f"{front}-{store}" for front in FRONTS for store in ("file", "redis")
    if (front, store) != ("apache-cgi-alone", "redis")])
def front(request, upstream):
    name, store = request.param.rsplit("-", 1)
    with Site(upstream) as site:
        site.admin = secrets.token_urlsafe(32)
        redis = Redis(site) if store == "redis" else None
        p = Policy(site, admin={"secret": "plain:" + site.admin},
                   **({"store": redis.address} if redis else {}))
        p.model("ok", "m/ok")
        p.model("other", "m/ok/tag=other")
        p.doc["tiers"] = {"free": {"models": ["ok"]}}
        p.write()
        yield open_front(site, name)
        if redis:
            redis.close()


def admin(front, method, path, doc=None, headers=None):
    body = b"" if doc is None or method == "GET" else \
        json.dumps(doc).encode()     # lighttpd takes no GET with a body
    headers = bearer(front.site.admin) if headers is None else headers
    return ask(front, method, path, [
        *headers, ("Content-Type", "application/json")], body)


def good(front, method, path, doc=None, status=200):
    reply = admin(front, method, path, doc)
    assert reply.status == status, reply.body
    return reply.json()


def test_life(front):
    made = good(front, "POST", KEYS, {"name": "shop", "tier": "free",
                                      "rpm": 100}, status=201)
    key = made["secret"]
    assert set(made["key"]) == {"name", "state", "made", "settings"}
    assert made["key"]["state"] == "active"
    assert use(front, key).status == 200
    assert use(front, key, "other").status == 403
    assert good(front, "GET", KEYS + "/shop") == {"key": made["key"]}
    changed = good(front, "PATCH", KEYS + "/shop", {
        "tier": None, "models": ["other"]})
    assert "secret" not in changed
    assert changed["key"]["settings"] == {"name": "shop", "rpm": 100,
                                          "models": ["other"]}
    status_within(front, key, 200, model="other")
    fresh = good(front, "POST", KEYS + "/shop/rotate", {"grace": "1h"})
    assert use(front, fresh["secret"], "other").status == 200
    status_within(front, key, 200, model="other")
    assert "old_secret_until" in fresh["key"]
    assert good(front, "POST", KEYS + "/shop/rotate")["secret"] != key
    status_within(front, key, 401, model="other")
    names = [k["name"] for k in good(front, "GET", KEYS)["keys"]]
    assert names == ["shop"]
    gone = good(front, "DELETE", KEYS + "/shop")
    assert gone["key"]["state"] == "revoked" and "secret" not in gone
    status_within(front, fresh["secret"], 401, model="other")
    is_error(admin(front, "DELETE", KEYS + "/shop"), 409)
    is_error(admin(front, "POST", KEYS, {"name": "shop"}), 409)


def test_refused(front):
    for doc, status in (({}, 400), ([], 400), ({"name": "a b"}, 400),
                        ({"name": "a", "tier": "none"}, 400),
                        ({"name": "tester"}, 400),
                        ({"name": "a", "secret": "env:HOME"}, 400),
                        ({"name": "a", "hash": "00"}, 400),
                        ({"name": "a", "models": ["none"]}, 400),
                        ({"name": "a" * 65}, 400)):
        is_error(admin(front, "POST", KEYS, doc), status)
    for method, path, status in (
            ("GET", "/nobody", 404), ("DELETE", "/nobody", 404),
            ("POST", "/nobody/rotate", 404), ("POST", "/nobody", 404),
            ("GET", "/a%2Fb", 404), ("GET", "/%25", 404),
            ("PUT", "/nobody", 405), ("PATCH", "", 405)):
        reply = admin(front, method, KEYS + path, {})
        assert reply.status == status, (method, path, reply.body)
    allow = admin(front, "PUT", KEYS + "/x").headers["allow"]
    assert set(allow.split(", ")) == {"GET", "PATCH", "DELETE", "POST"}
    with Call(front.port, "POST", KEYS, bearer(front.site.admin),
              b"{\"name\":") as call:
        assert call.read().status == 400
    assert good(front, "GET", KEYS)["keys"] == [
        k for k in good(front, "GET", KEYS)["keys"] if k["name"] != "a"]


def test_reached_by_nobody_else(front):
    """T44: with any other credential, in any place, it is not there."""
    site = front.site
    made = good(front, "POST", KEYS, {"name": f"k{time.time_ns()}"},
                status=201)["secret"]
    credentials = [[]]
    for key in (site.key, made, virtual_key(), "", "x"):
        credentials += [bearer(key), [("X-Api-Key", key)],
                        [("X_Api_Key", key)], [("x-goog-api-key", key)]]
    credentials += [
        [("X-Api-Key", site.admin)], [("x-goog-api-key", site.admin)],
        [("X-Authorization", "Bearer " + site.admin)],
        [("Proxy-Authorization", "Bearer " + site.admin)],
        [("Authorization", site.admin)],
        [("Authorization", "Basic " + site.admin)],
        bearer(site.admin + "x"), bearer(site.admin[:-1]),
        bearer(site.key) + bearer(site.admin),
        bearer(site.admin) + bearer(site.key)]
    reached = 0
    for headers in credentials:
        for method, path in (
                ("GET", ""), ("POST", ""), ("PUT", ""), ("GET", "/tester"),
                ("PATCH", "/x"), ("DELETE", "/x"), ("POST", "/x/rotate"),
                ("GET", "?key=" + site.admin), ("GET", "/?a=b")):
            reply = admin(front, method, KEYS + path, {}, headers)
            with Call(front.port, method, "/v1/nothing" +
                      "".join(path.partition("?")[1:]), headers,
                      b"" if method in ("GET", "DELETE") else b"{}") as call:
                nothing = call.read()
            reached += reply.status < 400
            assert reply.status == nothing.status, (method, path, headers)
            assert reply.body == nothing.body
            assert "allow" not in reply.headers
    assert reached == 0
    # And it is no key.
    is_error(use(front, site.admin), 401)
    assert chat(front, "ok").status == 200


def test_not_there(upstream):
    """Without `admin` in the policy there is nothing."""
    with Site(upstream) as site:
        Policy(site).model("ok", "m/ok").write()
        front = open_front(site, FRONTS[0])
        assert admin(front, "GET", KEYS, headers=bearer("")).status == 401
        assert admin(front, "GET", KEYS,
                     headers=bearer("x" * 32)).status == 401
        assert admin(front, "GET", KEYS,
                     headers=bearer(site.key)).status == 404


def test_traces(front):
    """The log says who was changed, and nothing has the credential."""
    name = f"traced{time.time_ns()}"
    made = good(front, "POST", KEYS, {"name": name}, status=201)
    log = (front.site.dir / "records.jsonl").read_text()
    assert f"key '{name}' made by the admin API" in log
    assert '"operation":"admin"' in log
    for path in front.site.dir.rglob("*"):
        if path.is_file() and path != front.site.policy and \
                path.stat().st_size < 50_000_000:
            data = path.read_bytes()
            assert front.site.admin.encode() not in data, path
            assert made["secret"].encode() not in data, path


def rows(front, query):
    return good(front, "GET", "/admin/usage" + query)["rows"]


def test_usage(front):
    """What a key used stands under its name, here and on the command line."""
    name = f"user{time.time_ns()}"
    key = good(front, "POST", KEYS, {
        "name": name, "team": "spenders", "budget": "5 USD / day",
        "tags": [name + "-a", name + "-b"]}, status=201)["secret"]
    for _ in range(3):
        assert use(front, key).status == 200

    def mine():
        return [r for r in rows(front, "?by=key,team,model,provider&since=1d")
                if r["key"] == name]

    wait_until(lambda: sum(r["requests"] for r in mine()) == 3, 10, "told")
    row, = mine()
    assert set(row) == {"key", "team", "model", "provider", "requests",
                        "input_tokens", "output_tokens", "cached_tokens",
                        "cost_nano", "held_nano"}
    assert row["team"] == "spenders" and row["model"] == "ok"
    assert row["input_tokens"] > 0 and row["output_tokens"] > 0
    assert row["cost_nano"] == 1000 * row["input_tokens"] + \
        2000 * row["output_tokens"]
    assert row["held_nano"] == 0
    out = tollgate(front.site, "usage", "--by", "key,team,model,provider",
                   "--format", "json")
    assert out.returncode == 0, out.stderr
    assert row in json.loads(out.stdout)["rows"]
    tags = {r["tag"]: r["requests"] for r in rows(front, "?by=tag")}
    assert tags[name + "-a"] == tags[name + "-b"] == 3
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert all("key" not in r for r in rows(front, ""))
    assert rows(front, f"?since={today}&until={today}&by=team")
    assert rows(front, "?since=2020-01-01&until=2020-01-31") == []
    for query in ("?by=colour", "?since=soon", "?until=x", "?x=1", "?by",
                  "?by=", "?since=%zz", "?by=key&by="):
        is_error(admin(front, "GET", "/admin/usage" + query), 400)
    assert admin(front, "GET", "/admin/usage", headers=bearer(
        front.site.key)).status == 404


def test_output_does_not_fit(front):
    """What a command printed and nobody got is an error, and told."""
    for words in (("usage",), ("rank", "ok"), ("keys", "list"), ("models",)):
        with open("/dev/full", "w", encoding="ascii") as full:
            out = tollgate(front.site, *words, stdout=full)
        assert out.returncode == 1, words
        assert "No space left" in out.stderr, words


def test_limits_take_effect(front):
    """A limit of a key of the store is one, and another is soon one too."""
    name = f"limited{time.time_ns()}"
    key = good(front, "POST", KEYS, {"name": name, "rpm": 2},
               status=201)["secret"]
    assert [use(front, key).status for _ in range(4)] == [200, 200, 429, 429]
    good(front, "PATCH", KEYS + "/" + name, {"rpm": 100})
    status_within(front, key, 200)
    good(front, "PATCH", KEYS + "/" + name, {"budget": "0 USD / day"})
    # Another worker may still know the first limit for a moment.
    wait_until(lambda: status_within(front, key, 429)[1].json()["error"][
        "type"] == "insufficient_quota", 3, "told of the budget")
    _, reply = status_within(front, key, 429)
    is_error(reply, 429, "insufficient_quota")
    good(front, "PATCH", KEYS + "/" + name, {"budget": None})
    status_within(front, key, 200)


def through(path, method, uri, secret):
    """One request at a pool's own socket."""
    answer = fcgi.request(path, method, uri, headers=bearer(secret))
    return answer.status, answer.body


def test_apart(upstream):
    """On a socket of its own: the pool of the clients has not got it, and the
    other one has nothing else."""
    with Site(upstream) as site:
        secret = secrets.token_urlsafe(32)
        p = Policy(site, admin={"secret": "plain:" + secret, "apart": True})
        p.model("ok", "m/ok").write()
        pool, own = Pool(site, 1), str(site.dir / "run" / "admin.sock")
        site.start("admin", [site.libexec / "tollgate.fcgi", "serve",
                             "--admin", "--workers", 1, "--socket", own])
        wait_until(lambda: through(own, "GET", KEYS, secret)[0] == 200, 10,
                   "served")
        clients = str(pool.socket)
        for uri in (KEYS, "/admin/usage", "/admin"):
            assert through(clients, "GET", uri, secret) == \
                through(clients, "GET", "/nothing", secret), uri
        assert through(clients, "GET", "/v1/models", site.key)[0] == 200
        nothing = through(own, "GET", "/nothing", site.key)
        assert nothing[0] == 404
        for uri in ("/v1/models", "/healthz", "/readyz", "/metrics", KEYS):
            assert through(own, "GET", uri, site.key) == nothing, uri
        p.doc["admin"].pop("apart")
        p.write()
        wait_until(lambda: through(clients, "GET", KEYS, secret)[0] == 200, 5,
                   "together again")
        assert through(own, "GET", "/healthz", site.key) == nothing
