"""Files and batches with the official SDK: held while they are open, settled
to the nano-dollar from their answers, once; seen by their own key only."""

import hashlib
import hmac
import io
import json
import os
import signal
import threading

import openai
import pytest

from books import N, Books, billed, settled, spent, usd
from client import crowd
from house import Site, wait_until
from servers import chosen, open_front
from stores import Redis

CHAT = "/v1/chat/completions"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
HALF = {"input": 1, "output": 2, "service_tiers": {"batch": "50 %"}}
RATES = (N // 2, N)                    # n$ a token, in a batch


def policy(site, store=None):
    p = Books(site, store)
    p.model("smart", {"to": site.tag("m/batch/tag=one"), "price": HALF})
    p.model("slow", {"to": site.tag("m/batch/looks=1000/tag=slow"),
                     "price": HALF})
    p.model("plain", {"to": site.tag("m/batch/tag=plain")})
    p.model("azure", {"to": site.tag("m/batch/tag=azure") + "/v1/x",
                      "price": HALF})
    p.model("claude", {"to": site.tag("m/batch/tag=claude"),
                       "adapter": "anthropic", "price": HALF})
    p.model("calm", {"to": site.tag("m/batch/looks=1000/tag=calm"),
                     "adapter": "anthropic", "price": HALF})
    p.model("google", {"to": site.tag("m/batch/tag=google"),
                       "adapter": "gemini", "price": HALF})
    p.model("quiet", {"to": site.tag("m/batch/looks=1000/tag=quiet"),
                      "adapter": "gemini", "price": HALF})
    p.model("native", {"to": site.tag("m/batch/tag=native"),
                       "adapter": "responses", "price": HALF})
    p.model("broken", {"to": site.tag("m/batch/fail=500/tag=broken"),
                       "price": HALF})
    p.model("doubtful", {"to": site.tag("m/batch/fail=504/tag=doubtful"),
                         "price": HALF})
    p.model("capped", {"to": site.tag("m/batch/tag=capped"), "price": HALF,
                       "budget": usd(10**5) + " / day"})
    p.model("signed", {"to": site.tag("m/batch/tag=signed"), "price": HALF})
    p.doc["providers"][p.doc["models"]["signed"]["targets"][0][
        "provider"]].update(key="plain:hush", auth={
            "scheme": "hmac", "header": "x-signature",
            "timestamp_header": "x-timestamp",
            "sign": ["method", "path", "timestamp", "body_hash"]})
    p.model("chat", site.tag("m/ok/tag=chat"))
    p.key("mine", budget=usd(10**12) + " / day", models=["*"])
    p.key("other", budget=usd(10**12) + " / day")
    p.key("poor", budget=usd(10**6) + " / day")
    p.key("held", budget=usd(10**12) + " / day")
    p.key("ends", budget=usd(10**12) + " / day")
    p.key("broken", budget=usd(10**12) + " / day")
    p.key("free")
    p.key("forgetful", retention="none")
    row = p.doc["providers"][p.doc["models"]["azure"]["targets"][0][
        "provider"]]
    row["base_url"] = site.upstream.base(site.tag(
        "m/batch/tag=azure")) + "/deployments"
    row["api_version"] = "2024-10-21"
    return p


@pytest.fixture(scope="module", params=[
    (f, s) for f in FRONTS for s in ("embedded", "redis")
    if s == "embedded" or f == FRONTS[0]], ids="-".join)
def books(request, upstream):
    with Site(upstream) as site:
        front, store = request.param
        site.tag = lambda mode: f"{mode}-{front}-{store}"
        redis = Redis(site) if store == "redis" else None
        p = policy(site, redis).write()
        p.front = open_front(site, front)
        yield p
        if redis:
            redis.close()


def sdk_of(books, key="mine"):
    return openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                         api_key=books.secret[key], timeout=30)


@pytest.fixture
def sdk(books):
    with sdk_of(books) as client:
        yield client


def line(name, model="smart", text="hello there", path=CHAT, **more):
    body = {"model": model, **more}
    if path == CHAT:
        body.setdefault("messages", [{"role": "user", "content": text}])
        body.setdefault("max_tokens", 20)
    else:
        body.setdefault("input", text)
    return {"custom_id": name, "method": "POST", "url": path, "body": body}


def packed(lines):
    return io.BytesIO("".join(json.dumps(r) + "\n" for r in lines).encode())


def lines_of(model="smart", n=3, **more):
    return [line("r%d" % i, model, **more) for i in range(n)]


def upload(sdk, lines):
    return sdk.files.create(file=("in.jsonl", packed(lines)),
                            purpose="batch")


def order(sdk, lines, path=CHAT, **more):
    return sdk.batches.create(input_file_id=upload(sdk, lines).id,
                              endpoint=path, completion_window="24h", **more)


def texts(sdk, name):
    return [json.loads(t) for t in sdk.files.content(name).text.splitlines()]


@pytest.mark.parametrize("model", ["smart", "azure"])
def test_whole(books, sdk, model):
    """Uploaded, ordered, read: paid as its provider bills, at half price."""
    mode = books.site.tag("m/batch/tag=" + {"smart": "one"}.get(model, model))
    before = spent(books.site, "mine")["cost_nano"]
    was = billed(books.site, mode, rates=RATES)
    given = upload(sdk, lines_of(model) + [line("bad", model, "fail it")])
    assert given.purpose == "batch" and given.filename == "in.jsonl"
    assert sdk.files.retrieve(given.id).id == given.id
    sent = texts(sdk, given.id)
    assert {s["body"]["model"] for s in sent} == {"up-" + model}
    b = sdk.batches.create(input_file_id=given.id, endpoint=CHAT,
                           completion_window="24h", metadata={"a": "b"})
    assert b.status == "validating" and b.input_file_id == given.id
    assert b.output_file_id is None and b.metadata == {"a": "b"}
    got = sdk.batches.retrieve(b.id)
    assert got.id == b.id and got.status == "completed"
    assert (got.request_counts.total, got.request_counts.completed,
            got.request_counts.failed) == (4, 3, 1)
    out = texts(sdk, got.output_file_id)
    assert [o["custom_id"] for o in out] == ["r0", "r1", "r2"]
    assert out[0]["response"]["body"]["choices"][0]["message"]["content"]
    bad = texts(sdk, got.error_file_id)
    assert [o["custom_id"] for o in bad] == ["bad"]
    cost = billed(books.site, mode, rates=RATES) - was
    assert cost == 3 * (2 * RATES[0] + 3 * RATES[1])
    settled(books.site, "mine", before + cost)
    assert sdk.batches.retrieve(b.id).status == "completed"
    settled(books.site, "mine", before + cost)
    sdk.files.delete(given.id)
    with pytest.raises(openai.NotFoundError):
        sdk.files.retrieve(given.id)


def by_id(found):
    return {o["custom_id"]: o for o in found}


@pytest.mark.parametrize("model", ["claude", "google"])
def test_translated(books, sdk, model):
    """A provider of another dialect that keeps no files: the input waits here,
    sealed; answers come back in OpenAI's form."""
    mode = books.site.tag("m/batch/tag=" + model)
    before = spent(books.site, "mine")["cost_nano"]
    was = billed(books.site, mode, rates=RATES)
    odd = "\u00e4 \"b\" / c"
    given = upload(sdk, [line("plain", model), line(odd, model),
                         line("bad", model, "fail it"),
                         line("gone", model, "late it" if
                              model == "claude" else "fail it")])
    assert given.purpose == "batch" and given.expires_at
    assert sdk.files.retrieve(given.id) == given
    secret = given.id.split("-")[2][:64]
    assert len(secret) == 64
    with pytest.raises(openai.BadRequestError):
        sdk.files.content(given.id)
    b = sdk.batches.create(input_file_id=given.id, endpoint=CHAT,
                           completion_window="24h", metadata={"a": "b"})
    assert b.status in ("validating", "in_progress") and b.metadata == {"a": "b"}
    for gone in (lambda: sdk.files.retrieve(given.id),
                 lambda: sdk.batches.create(
                     input_file_id=given.id, endpoint=CHAT,
                     completion_window="24h")):
        with pytest.raises(openai.NotFoundError):
            gone()
    got = sdk.batches.retrieve(b.id)
    assert got.status == {"claude": "expired", "google": "completed"}[model]
    assert got.metadata == {"a": "b"}
    assert (got.request_counts.total, got.request_counts.completed,
            got.request_counts.failed) == (4, 2, 2)
    out = by_id(texts(sdk, got.output_file_id))
    assert set(out) == {"plain", odd}
    answer = out[odd]["response"]
    assert answer["status_code"] == 200 and out[odd]["error"] is None
    assert answer["body"]["object"] == "chat.completion"
    assert answer["body"]["choices"][0]["message"]["content"] == \
        "word0 word1 word2"
    assert answer["body"]["usage"]["completion_tokens"] == 3
    bad = by_id(texts(sdk, got.error_file_id))
    assert set(bad) == {"bad", "gone"}
    assert bad["bad"]["response"]["status_code"] == 400
    if model == "claude":
        assert bad["gone"]["error"]["code"] == "batch_expired"
    assert sdk.files.retrieve(got.output_file_id).purpose == "batch_output"
    cost = billed(books.site, mode, rates=RATES) - was
    assert cost == 2 * (2 * RATES[0] + 3 * RATES[1])
    settled(books.site, "mine", before + cost)
    assert secret not in kept_text(books)


def kept_text(books):
    """All that the store has, as text."""
    found = b""
    for path in books.site.state.glob("kept.db*"):
        found += path.read_bytes()
    return found.decode("latin-1")


def test_waiting(books, sdk):
    """What waits is noise to the house, and goes when it is deleted."""
    given = upload(sdk, [line("w", "claude", "a very telling sentence")])
    assert "telling" not in kept_text(books)
    assert given.id.split("-")[2][:64] not in kept_text(books)
    with sdk_of(books, "other") as other:
        with pytest.raises(openai.NotFoundError):
            other.files.retrieve(given.id)
    assert given.id not in {f.id for f in sdk.files.list()}
    assert sdk.files.delete(given.id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.files.retrieve(given.id)
    with pytest.raises(openai.BadRequestError) as e:
        upload(sdk, [line("x" * 60 + "\u00e4", "claude")])
    assert "custom_id" in str(e.value)


@pytest.mark.parametrize("model", ["calm", "quiet"])
def test_translated_cancel(books, model):
    with sdk_of(books, "ends") as sdk:
        before = spent(books.site, "ends")
        b = order(sdk, lines_of(model, 3))
        assert spent(books.site, "ends")["held_nano"] > before["held_nano"]
        assert sdk.batches.cancel(b.id).status in ("cancelling",
                                                   "in_progress")
        got = sdk.batches.retrieve(b.id)
        assert got.status == "cancelled"
        assert got.request_counts.completed == 1
        assert len(texts(sdk, got.output_file_id)) == 1
        assert len(texts(sdk, got.error_file_id)) == 2
        row = spent(books.site, "ends")
        assert row["cost_nano"] - before["cost_nano"] == \
            2 * RATES[0] + 3 * RATES[1]
        assert row["held_nano"] == before["held_nano"]


def test_other_files(books, sdk):
    """A file that is no batch is kept as it is, for as long as was said."""
    data = bytes(range(256)) * 9
    for expires in ({}, {"expires_after": {"anchor": "created_at",
                                           "seconds": 7200}}):
        f = sdk.files.create(file=("x.bin", data), purpose="user_data",
                             extra_body={"model": "smart"}, **expires)
        assert f.bytes == len(data) and f.purpose == "user_data"
        assert (f.expires_at is not None) == bool(expires)
        assert sdk.files.content(f.id).content == data
        assert f.id in {k.id for k in sdk.files.list(purpose="user_data")}
        with pytest.raises(openai.BadRequestError):
            sdk.batches.create(input_file_id=f.id, endpoint=CHAT,
                               completion_window="24h")
        sdk.files.delete(f.id)
    with pytest.raises(openai.BadRequestError) as e:
        sdk.files.create(file=("x.bin", data), purpose="user_data",
                         extra_body={"model": "claude"})
    assert "offers upload" in str(e.value)
    with pytest.raises(openai.BadRequestError):
        sdk.files.create(file=("x.bin", data), purpose="user_data",
                         expires_after={"anchor": "created_at",
                                        "seconds": 60})
    with pytest.raises(openai.BadRequestError):
        order(sdk, lines_of(), metadata={"a": "b" * 40000})


def test_other_paths(books, sdk):
    """Embeddings, at the ordinary price of a model that has no other."""
    mode = books.site.tag("m/batch/tag=plain")
    before = spent(books.site, "mine")["cost_nano"]
    path = "/v1/embeddings"
    b = order(sdk, [line(f"e{i}", "plain", path=path) for i in range(4)],
              path)
    got = sdk.batches.retrieve(b.id)
    assert got.status == "completed"
    assert len(texts(sdk, got.output_file_id)) == 4
    settled(books.site, "mine", before + billed(books.site, mode))
    assert billed(books.site, mode) == 4 * 2 * N


def test_lists(books, sdk):
    """A key's own, the newest first, page by page."""
    with sdk_of(books, "other") as other:
        made = [order(other, lines_of("slow", 1)) for _ in range(3)]
        ids = {b.id for b in made}
        assert {b.id for b in other.batches.list()} == ids
        assert {b.id for b in other.batches.list(limit=1)} == ids
        files = {b.input_file_id for b in made}
        assert files <= {f.id for f in other.files.list()}
        assert {f.id for f in other.files.list(purpose="vision")} == set()
        assert files <= {f.id for f in other.files.list(
            purpose="batch", limit=1)}
        one = other.files.create(file=("a.txt", b"a"), purpose="vision")
        [upload(other, lines_of()) for _ in range(3)]
        assert [f.id for f in other.files.list(purpose="vision", limit=1)
                ] == [one.id], "behind files of another purpose"
        assert not ids & {b.id for b in sdk.batches.list()}
        for b in made:
            other.batches.cancel(b.id)


def test_others_see_nothing(books, sdk):
    b = order(sdk, lines_of())
    done = sdk.batches.retrieve(b.id)
    with sdk_of(books, "other") as other:
        for call in (lambda: other.batches.retrieve(b.id),
                     lambda: other.batches.cancel(b.id),
                     lambda: other.files.retrieve(b.input_file_id),
                     lambda: other.files.delete(b.input_file_id),
                     lambda: other.files.content(done.output_file_id),
                     lambda: other.batches.create(
                         input_file_id=b.input_file_id, endpoint=CHAT,
                         completion_window="24h")):
            with pytest.raises(openai.NotFoundError):
                call()
    for name in ("batch_1", "file-1", done.output_file_id[:-1] + "x"):
        with pytest.raises(openai.NotFoundError):
            sdk.files.content(name)


def test_not_any_more(books, sdk):
    """Whose key may no longer ask the model orders no batch with it."""
    name = upload(sdk, lines_of()).id
    row = next(k for k in books.doc["keys"] if k["name"] == "mine")
    for models, good in (["chat"], False), (row["models"], True):
        row["models"] = models
        books.write()
        wait_until(lambda: chat_only(sdk) != good, 15, "read anew")
        try:
            sdk.batches.create(input_file_id=name, endpoint=CHAT,
                               completion_window="24h")
            assert good
        except openai.PermissionDeniedError:
            assert not good


def chat_only(sdk):
    return [m.id for m in sdk.models.list()] == ["chat"]


def test_held(books):
    """What it may cost is held while it is open; cancelled, it is paid for
    what was done."""
    mode = books.site.tag("m/batch/looks=1000/tag=slow")
    with sdk_of(books, "held") as sdk:
        b = order(sdk, lines_of("slow", 5))
        row = spent(books.site, "held")
        most = row["held_nano"]
        assert row["cost_nano"] == 0 and most > 5 * 20 * RATES[1]
        assert sdk.batches.retrieve(b.id).status == "in_progress"
        assert spent(books.site, "held")["held_nano"] == most
        assert sdk.batches.cancel(b.id).status == "cancelling"
        assert spent(books.site, "held")["held_nano"] == most
    assert billed(books.site, mode, rates=RATES) == 0


def test_budget(books):
    """What does not fit does not reach the provider."""
    mode = books.site.tag("m/batch/tag=one")
    with sdk_of(books, "poor") as sdk:
        given = upload(sdk, lines_of(n=50))
        before = books.site.upstream.bill(mode)["requests"]
        with pytest.raises(openai.RateLimitError) as e:
            sdk.batches.create(input_file_id=given.id, endpoint=CHAT,
                               completion_window="24h")
        assert e.value.code == "budget_exceeded"
        assert books.site.upstream.bill(mode)["requests"] == before
    settled(books.site, "poor", 0)


def test_no_budget(books):
    """A key without limits is counted as well, once."""
    with sdk_of(books, "free") as sdk:
        b = order(sdk, lines_of())
        for _ in range(3):
            assert sdk.batches.retrieve(b.id).status == "completed"
    settled(books.site, "free", 3 * (2 * RATES[0] + 3 * RATES[1]), 3)


def test_nobody_asks(books):
    """It is settled though no client looks, and one line of the record
    tells."""
    with sdk_of(books, "free") as sdk:
        before = spent(books.site, "free")["cost_nano"]
        b = order(sdk, lines_of(n=2))
    settled(books.site, "free", before + 2 * (2 * RATES[0] + 3 * RATES[1]),
            seconds=40)
    rows = [json.loads(t) for t in (books.site.dir / "records.jsonl")
            .read_text(encoding="utf-8").splitlines()]
    rows = [r for r in rows if r.get("operation") == "batch" and
            r["id"] == b.id]
    assert len(rows) == 1 and rows[0]["answered"] == 2
    assert rows[0]["cost_nano"] == 2 * (2 * RATES[0] + 3 * RATES[1])


@pytest.mark.parametrize("wrong, words", [
    ([], "empty"),
    ([{"custom_id": "a"}], "line 1: 'method'"),
    ([line("a"), line("a")], "line 2: its 'custom_id'"),
    ([line("a"), line("b", "slow")], "line 2: all lines must name"),
    ([line("a"), line("b", path="/v1/embeddings")], "line 2: all lines"),
    ([line("a", stream=True)], "line 1: a batch has no streams"),
    ([line("a", messages=[])], "line 1: 'messages' must hold"),
    ([line("a", path="/v1/images/generations")], "line 1: 'url' must be"),
    ([line("a", "chat", max_tokens="x")], "line 1: 'max_tokens'"),
])
def test_wrong_lines(sdk, wrong, words):
    with pytest.raises(openai.BadRequestError) as e:
        upload(sdk, wrong)
    assert words in str(e.value)


def test_wrong_orders(books, sdk):
    given = upload(sdk, lines_of())
    with pytest.raises(openai.BadRequestError):
        sdk.batches.create(input_file_id=given.id, endpoint="/v1/responses",
                           completion_window="24h")
    with pytest.raises(openai.NotFoundError):
        sdk.batches.create(input_file_id="file-1", endpoint=CHAT,
                           completion_window="24h")
    with pytest.raises(openai.NotFoundError):
        upload(sdk, [line("a", "none")])


def test_retention(books):
    """Of whom nothing may be kept, nothing is."""
    mode = books.site.tag("m/batch/tag=one")
    before = books.site.upstream.bill(mode)["requests"]
    with sdk_of(books, "forgetful") as sdk:
        for call in (lambda: upload(sdk, lines_of()),
                     lambda: sdk.files.list(), lambda: sdk.batches.list(),
                     lambda: sdk.files.retrieve("file-1"),
                     lambda: sdk.batches.retrieve("batch_1")):
            with pytest.raises(openai.PermissionDeniedError) as e:
                call()
            assert e.value.code == "retention_not_allowed"
    assert books.site.upstream.bill(mode)["requests"] == before


def test_failed_order(books):
    """What the provider says that it did not take is not held; what nobody
    knows of is."""
    with sdk_of(books, "broken") as sdk:
        with pytest.raises(openai.APIStatusError):
            order(sdk, lines_of("broken"))
        wait_until(lambda: spent(books.site, "broken")["held_nano"] == 0)
        with pytest.raises(openai.APIStatusError):
            order(sdk, lines_of("doubtful"))
        row = spent(books.site, "broken")
        assert row["held_nano"] > 0 and row["cost_nano"] == 0


def test_provider_budget(books, sdk):
    """A provider's own budget is nothing that the client could mend."""
    with pytest.raises(openai.InternalServerError) as e:
        order(sdk, lines_of("capped", 50))
    assert e.value.status_code == 503


def test_signed(books, sdk):
    """All that is asked is signed as it is sent: forms, bodies, and none."""
    mode = books.site.tag("m/batch/tag=signed")

    def check(method, tail):
        last = books.site.upstream.last(mode)
        said = {k.lower(): v for k, v in last["headers"]}
        assert last["method"] == method and last["target"].endswith(tail)
        text = "\n".join([method, last["target"], said["x-timestamp"],
                          hashlib.sha256(last["body"].encode()).hexdigest()])
        assert said["x-signature"] == hmac.new(
            b"hush", text.encode(), "sha256").hexdigest()

    given = upload(sdk, lines_of("signed"))
    check("POST", "/files")
    b = sdk.batches.create(input_file_id=given.id, endpoint=CHAT,
                           completion_window="24h")
    check("POST", "/batches")
    got = sdk.batches.retrieve(b.id)
    assert got.status == "completed"
    check("GET", "/content")
    sdk.files.delete(given.id)
    check("DELETE", "/" + given.id.split("_tg")[0])


@pytest.mark.parametrize("model", ["smart", "native"])
def test_responses_path(sdk, model):
    """Answers in the form that was asked in, though the provider is asked in
    another."""
    path = "/v1/responses"
    b = order(sdk, [line("a", model, path=path, max_output_tokens=9),
                    line("b", model, "fail", path=path)], path)
    got = sdk.batches.retrieve(b.id)
    assert got.endpoint == path and got.status == "completed"
    out = texts(sdk, got.output_file_id)
    assert out[0]["response"]["body"]["output"][0]["content"][0]["text"]
    bad = texts(sdk, got.error_file_id)
    assert bad[0]["custom_id"] == "b"
    assert bad[0]["response"]["body"]["error"]["message"] == "no"


@pytest.mark.parametrize("model", ["smart", "claude", "google"])
def test_node(books, node, model):
    got, = node(books.front, books.secret["free"], ("batch", {
        "lines": packed(lines_of(model)).read().decode(), "endpoint": CHAT,
        "completion_window": "24h"}))
    assert got["done"]["status"] == "completed", got
    assert got["made"]["id"] in got["ids"]
    assert {json.loads(t)["custom_id"] for t in got["text"].splitlines()} \
        == {"r0", "r1", "r2"}


def records(site, name):
    text = (site.dir / "records.jsonl").read_text(encoding="utf-8")
    return [r for r in map(json.loads, text.splitlines())
            if r.get("operation") == "batch" and r["id"] == name]


def test_two_hosts(upstream):
    """An id finds its way on every host; of many who look at once, on both,
    one settles."""
    with Site(upstream) as a, Site(upstream) as b:
        redis = Redis(a)
        fronts, books = [], None
        for site in (a, b):
            site.tag = lambda mode: f"{mode}-hosts"
            if books is None:
                books = policy(site, redis)
                books.doc["pepper"] = "plain:a pepper of both hosts"
            else:
                books.site = site
                books.doc["log"] = str(site.dir / "records.jsonl")
            books.write()
            fronts.append(open_front(site, FRONTS[0]))
        clients = [openai.OpenAI(base_url=f.url + "/v1", max_retries=0,
                                 api_key=books.secret["mine"], timeout=30)
                   for f in fronts]
        done = order(clients[0], lines_of(n=20))
        seen = crowd([lambda c=c: c.batches.retrieve(done.id).status
                      for c in clients * 12], 8)
        assert "completed" in seen
        assert clients[1].batches.retrieve(done.id).status == "completed"
        out = clients[1].batches.retrieve(done.id).output_file_id
        assert len(texts(clients[1], out)) == 20
        settled(a, "mine", 20 * (2 * RATES[0] + 3 * RATES[1]), 20)
        assert len(records(a, done.id) + records(b, done.id)) == 1
        for c in clients:
            c.close()
        redis.close()


def killed_while(site, books, front, stop):
    while not stop.is_set():
        for pid in front.pool.workers():
            os.kill(pid, signal.SIGKILL)
        stop.wait(1.5)


@pytest.mark.skipif("apache-proxy" not in chosen(), reason="no pool")
@pytest.mark.parametrize("store", ["embedded", "redis"])
def test_killed(upstream, store):
    """Workers that die at any time: nothing is lost, nothing paid twice."""
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-killed-{store}"
        redis = Redis(site) if store == "redis" else None
        books = policy(site, redis).write()
        books.front = front = open_front(site, "apache-proxy")
        mode = site.tag("m/batch/tag=one")
        with sdk_of(books) as sdk:
            made = [order(sdk, lines_of(n=5)) for _ in range(3)]
        stop = threading.Event()
        killer = threading.Thread(target=killed_while,
                                  args=(site, books, front, stop))
        killer.start()
        stop.wait(8)
        stop.set()
        killer.join()
        cost = 3 * 5 * (2 * RATES[0] + 3 * RATES[1])
        settled(site, "mine", cost, seconds=90)
        assert billed(site, mode, rates=RATES) == cost
        with sdk_of(books) as sdk:
            for b in made:
                assert sdk.batches.retrieve(b.id).status == "completed"
        settled(site, "mine", cost, 15)
        if redis:
            redis.close()
