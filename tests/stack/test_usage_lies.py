"""Providers of every dialect that lie about usage, through a running gateway
with budgets: what is paid is never negative, never nothing and never more than
was held, and the books stay right."""

import binascii
import json
import shutil
import struct

import pytest

from books import N, Books, call, settled, told
from house import ROOTS, TOP, Site, wait_until
from servers import chosen, open_front
from stores import Redis
from upstream import Upstream

# dialect: a streamed answer and a whole one of tests/fixtures
GOOD = {"openai": ("usage/own-event", "usage/whole"),
        "responses": ("responses/text", "responses/whole-text"),
        "anthropic": ("anthropic/text", "anthropic/whole-text"),
        "gemini": ("gemini/text", "gemini/whole-text"),
        "cohere": ("cohere/text", "cohere/whole"),
        "ollama": ("ollama/text", "ollama/whole"),
        "bedrock": ("bedrock/stream-plain", "bedrock/cache")}
PLACES = ("usage", "usageMetadata", "prompt_eval_count", "eval_count")
MISSING = object()
# What stands for each number of the usage. A provider that says 10^12 may be
# believed no more than one that says -5.
LIES = {"true": None, "negative": -5, "most-negative": -2**63,
        "trillion": 10**12, "largest": 2**63 - 1, "huge": 2**63,
        "hundred-digits": 10**100, "float": 3.5, "e": 1e308, "string": "7",
        "null": None, "bool": True, "list": [], "map": {}, "zero": 0,
        "missing": MISSING, "no-usage": MISSING}
# Of some of the numbers only.
PARTS = {"cached": ("cache", 10**12), "cached-negative": ("cache", -10**12),
         "output": ("output completion candidates eval_count", 10**12),
         "output-negative": ("output completion candidates eval_count", -7),
         "input": ("input prompt", 10**12),
         "input-negative": ("input prompt", -7)}
KINDS = [*LIES, *PARTS]
UNTRUE = ("negative", "most-negative", "trillion", "largest", "huge",
          "hundred-digits", "e")
MAX_TOKENS = 50
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]


def lie_of(kind, name, value):
    """What stands in the place of this number."""
    if kind in PARTS:
        words, lie = PARTS[kind]
        # "prompt_tokens_details" has "cached_tokens" below it, and
        # "cacheReadInputTokens" is no "input".
        low = name.lower()
        hits = [w for w in words.split() if w in low]
        return lie if hits and ("cache" in low) == (words == "cache") \
            else value
    return value if kind == "true" else LIES[kind]


def bent(kind, node, name="", inside=False):
    """A copy of the answer with lies where its usage was."""
    if isinstance(node, dict):
        out = {}
        for k, v in node.items():
            here = inside or k in PLACES
            if k in PLACES and kind == "no-usage":
                continue
            v = bent(kind, v, k, here)
            if v is not MISSING:
                out[k] = v
        return out
    if isinstance(node, list):
        return [bent(kind, v, name, inside) for v in node]
    if inside and isinstance(node, int) and not isinstance(node, bool):
        return lie_of(kind, name, node)
    return node


def text_of(kind, text):
    return json.dumps(bent(kind, json.loads(text)))


def lines(kind, body, prefix=""):
    """SSE or lines of JSON."""
    return "\n".join(
        prefix + text_of(kind, line[len(prefix):])
        if line.startswith(prefix + "{") else line
        for line in body.decode().replace("\r\n", "\n").split("\n")).encode()


def framed(kind, body):
    """Amazon's event stream: each message with its sums."""
    out = b""
    while body:
        total, head = struct.unpack(">II", body[:8])
        headers, payload = body[12:12 + head], body[12 + head:total - 4]
        payload = text_of(kind, payload).encode()
        start = struct.pack(">II", 16 + head + len(payload), head)
        start += struct.pack(">I", binascii.crc32(start)) + headers + payload
        out += start + struct.pack(">I", binascii.crc32(start))
        body = body[total:]
    return out


WRITERS = {"stream.sse": lambda k, b: lines(k, b, "data: "),
           "stream.ndjson": lines, "stream.eventstream": framed,
           "response.json": lambda k, b: text_of(k, b).encode()}


@pytest.fixture(scope="module")
def liars(tmp_path_factory):
    """A provider of each dialect, kind and shape: recordings, bent."""
    root = tmp_path_factory.mktemp("lies")
    for dialect, cases in GOOD.items():
        for shape, case in zip(("stream", "whole"), cases):
            source = TOP / "tests/fixtures" / case
            meta = json.loads((source / "meta.json").read_text())
            meta.pop("chunk_lengths", None)
            body = (source / meta["body_file"]).read_bytes()
            for kind in KINDS:
                folder = root / dialect / f"{kind}-{shape}"
                folder.mkdir(parents=True)
                (folder / "meta.json").write_text(json.dumps(meta))
                (folder / meta["body_file"]).write_bytes(
                    WRITERS[meta["body_file"]](kind, body))
    with Upstream([root]) as up:
        yield up
    shutil.rmtree(root)


def provider(up, dialect, case):
    more = {"region": "us-east-1"} if dialect == "bedrock" else {}
    return {"to": up.base(f"replay/{dialect}/{case}", ROOTS.get(dialect, "")),
            "adapter": dialect, "key": "plain:a-key-of-the-provider", **more}


@pytest.fixture(scope="module", params=["embedded", "redis"])
def front(request, liars):
    with Site(liars) as site:
        redis = Redis(site) if request.param == "redis" else None
        p = Books(site, redis)
        for dialect in GOOD:
            for kind in KINDS:
                p.key(f"{dialect}.{kind}", budget="1 USD / day",
                      tpm=10**9)
                for shape in ("stream", "whole"):
                    p.model(f"{dialect}.{kind}.{shape}", provider(
                        liars, dialect, f"{kind}-{shape}"))
        p.write()
        front = open_front(site, FRONTS[redis is not None and
                                        len(FRONTS) > 1], workers=2)
        front.books = p
        yield front
        if redis:
            redis.close()


def ask(front, dialect, kind, shape):
    """One answer; the most that it can have cost, n$."""
    text = "Which way to the river?"
    r = call(front, front.books.secret[f"{dialect}.{kind}"],
             f"{dialect}.{kind}.{shape}", text, max_tokens=MAX_TOKENS,
             stream=shape == "stream")
    assert r.status == 200 and r.complete, (kind, shape, r.status, r.body)
    return (len(text) + 200 + 1024) * N + MAX_TOKENS * 2 * N


def doubted(record):
    """Did the gateway not take the provider's word? (What cannot be read at
    all, as 2^63 in most dialects, is no word: then its own count stands.)"""
    told = [record, *record["attempts"]]
    return any(r.get("usage_doubtful") or r.get("estimated") for r in told)


OWN_COUNT = 20  # tokens: no answer says as much, but the JSON around it is


@pytest.mark.parametrize("dialect", GOOD)
def test_lies(front, dialect, figure):
    site, least, worst = front.site, None, 0
    for kind in KINDS:
        most = [ask(front, dialect, kind, s) for s in ("stream", "whole")]
        name = f"{dialect}.{kind}"
        wait_until(lambda n=name: len(site.records(key=n)) == 2, 5, "recorded")
        for bound, record in zip(most, site.records(key=name)):
            cost = record.get("cost_nano", 0)
            assert 0 < cost <= bound, (name, record)
            assert record["input_tokens"] >= 0 <= record["output_tokens"]
            least, worst = min(least or cost, cost), max(worst, cost / bound)
            if kind in ("missing", "no-usage"):
                assert 0 < record["output_tokens"] < OWN_COUNT, (name, record)
            if kind in UNTRUE:
                assert doubted(record), (name, record)
    figure(f"{2 * len(KINDS)} answers, n${least} at least, at most "
           f"{worst:.0%} of the bound")


def test_books_are_right(front, figure):
    """Records and ledger say the same of every key, and nothing is held."""
    rows = {r["key"]: r for r in told(front.site)}
    sums = 0
    for dialect in GOOD:
        for kind in KINDS:
            name = f"{dialect}.{kind}"
            records = front.site.records(key=name)
            cost = sum(r.get("cost_nano", 0) for r in records)
            if rows.get(name, {}).get("cost_nano") != cost or \
                    rows[name]["held_nano"]:
                settled(front.site, name, cost)
            assert rows[name]["input_tokens"] >= 0 <= \
                rows[name]["output_tokens"]
            sums += cost
    figure(f"n${sums} in records and ledger of {len(GOOD) * len(KINDS)} keys")
