"""What the tests of images have in common, of those that are made and of those
that are edited: models, a client, what a stream that broke is paid."""

from contextlib import contextmanager

import openai

from books import Books, call, spent, usd
from house import Site, wait_until
from servers import chosen, open_front

FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
RATES = (5000, 40000)     # n$ a token of gpt-image-1
PROMPT = "a red stop sign"


def others(gpt):
    """Of other dialects: form of the upstream, adapter, the provider's name,
    price; gpt: that of tokens."""
    return {
        "banana": ("gemini", "gemini", "gemini-2.5-flash-image", gpt),
        "imagen": ("imagen", "gemini", "imagen-4.0-generate-001",
                   {"image": "0.04"}),
        "nova": ("nova", "bedrock", "amazon.nova-canvas-v1:0",
                 {"image": "0.08"}),
        "sd": ("stability", "bedrock", "stability.sd3-5-large-v1:0",
               {"image": "0.08"}),
    }


def model(p, name, mode, price, **row):
    p.model(name, {"to": p.site.tag(mode), "price": price, **row})


def known(p, name, provider, mode, price, model_id=None):
    """A model of a provider that the catalog knows, at our address."""
    p.doc["providers"][provider] = {
        "base_url": p.site.upstream.base(p.site.tag(mode)), "key": "none"}
    p.doc["models"][name] = {"targets": [
        {"provider": provider, "model": model_id or "up-" + name,
         "price": price}]}


def rich(p, *names):
    """Keys that may use more than a test does."""
    for name in names:
        p.key(name, budget=usd(10**12) + " / day")


def policy(site, gpt):
    """The models that all have; each of others() has a key of its own."""
    p = Books(site)
    model(p, "gpt-image", "m/images/openai/tag=g", gpt)
    model(p, "paced", "m/images/openai/300/tag=p", gpt)
    model(p, "cut", "m/images/openai/50/2/tag=c", gpt)
    p.model("fallback", {"to": site.tag("m/status/500/tag=f"), "price": gpt},
            {"to": site.tag("m/images/openai/tag=f"), "price": gpt})
    for name, (form, adapter, model_id, price) in others(gpt).items():
        model(p, name, f"m/images/{form}/tag=o", price, adapter=adapter)
        p.doc["models"][name]["targets"][0]["model"] = model_id
        rich(p, "k-" + name)
    p.model("no-images", {"to": "m/ok/tag=no", "adapter": "anthropic"})
    return p


@contextmanager
def served(upstream, front, make):
    """The policy that make(site) makes, behind this web server."""
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{front}"
        p = make(site).write()
        p.front = open_front(site, front)
        yield p


def client(books, key):
    return openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                         api_key=books.secret[key], timeout=30)


def post(books, key, path, body, **more):
    return call(books.front, books.secret[key], "", path=path, body=body,
                **more)


def left(books, mode, begin):
    """The client that begin() gives leaves after an event: how many the
    provider had sent until it heard of it."""
    def aborted():
        return books.site.upstream.bill(mode)["aborted"]
    before = len(aborted())
    with begin() as c:
        c.read(events=1)
    wait_until(lambda: len(aborted()) > before, 8, "aborted upstream")
    return aborted()[-1]["events"]


def partly(books, key, partials, most, images=0):
    """The ledger has these partial images, n$ for images that were sent, and a
    prompt of our counting: less than so many tokens."""
    def fits():
        row = spent(books.site, key)
        rest = row["cost_nano"] - partials * 100 * RATES[1] - images
        return row["held_nano"] == 0 and 0 < rest < most * RATES[0]
    wait_until(fits, 8, "settled")
