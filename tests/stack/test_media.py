"""Images and speech with the official SDKs: priced, held and settled to the
nano-dollar, given on as they come."""

import json
import subprocess
import time

import openai
import pytest

import doors_media as media
from books import Books, asked, billed, call, refusal, settled, spent, usd
from client import Call, bearer
from house import Site, wait_until
from servers import chosen, open_front

IMAGES = "/v1/images/generations"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
RATES = (5000, 40000)     # n$ a token of gpt-image-1
GPT = {"input": 5, "output": 40}
EACH = 120_000_000        # n$ an image of dall-e-3
PROMPT = "a red stop sign"


def known(p, name, provider, mode, price):
    """A model of a provider that the catalog knows, at our address."""
    p.doc["providers"][provider] = {
        "base_url": p.site.upstream.base(p.site.tag(mode)), "key": "none"}
    p.doc["models"][name] = {"targets": [
        {"provider": provider, "model": "up-" + name, "price": price}]}


def policy(site):
    p = Books(site)

    def model(name, mode, price, **row):
        p.model(name, {"to": site.tag(mode), "price": price, **row})

    model("gpt-image", "m/images/openai/tag=g", GPT)
    model("paced", "m/images/openai/300/tag=p", GPT)
    model("cut", "m/images/openai/50/2/tag=c", GPT)
    model("cut-at-once", "m/images/openai/50/1/tag=c1", GPT)
    model("large", "m/images/openai/0/0/3000000/tag=l", GPT)
    model("dall-e-3", "m/images/dalle/tag=d", {"image": "0.12"})
    known(p, "flux", "togetherai", "m/images/together/tag=t",
          {"image": "0.003"})
    known(p, "router", "openrouter", "m/images/router/tag=r", GPT)
    p.model("fallback", {"to": site.tag("m/status/500/tag=f"), "price": GPT},
            {"to": site.tag("m/images/openai/tag=f"), "price": GPT})
    p.model("no-images", {"to": "m/ok/tag=no", "adapter": "anthropic"})
    for name in ("rich", "sdk", "stream", "leaver", "cutter", "each"):
        p.key(name, budget=usd(10**12) + " / day")
    p.key("poor", budget=usd(6000 * 40000) + " / day")
    return p


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = policy(site).write()
        p.front = open_front(site, request.param)
        yield p


def client(books, key):
    return openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                         api_key=books.secret[key], timeout=30)


def post(books, key, path, body, **more):
    return call(books.front, books.secret[key], "", path=path, body=body,
                **more)


def images(books, key, model, **more):
    return post(books, key, IMAGES, {"model": model, "prompt": PROMPT,
                                     **more})


def node(books, key, node_modules, what, request):
    out = subprocess.run(
        ["node", __file__.replace("test_media.py", "sdk.cjs"),
         books.front.url + "/v1", books.secret[key]],
        input=json.dumps({"what": what, "request": request}) + "\n",
        capture_output=True, text=True, timeout=60, check=True,
        env={"NODE_PATH": str(node_modules), "PATH": "/usr/bin:/bin"}).stdout
    return json.loads(out)


# --- images -----------------------------------------------------------------

def test_images(books, node_modules):
    """Both SDKs; the ledger has what the provider bills."""
    mode = books.site.tag("m/images/openai/tag=g")
    before = billed(books.site, mode, rates=RATES)
    with client(books, "sdk") as sdk:
        r = sdk.images.generate(
            model="gpt-image", prompt=PROMPT, n=2, size="1024x1536",
            quality="medium", background="transparent", moderation="low",
            output_format="webp", output_compression=42, user="u")
    assert [d.b64_json for d in r.data] == [
        media.picture(PROMPT, i) for i in range(2)]
    assert r.usage.output_tokens == 2 * 1584
    assert r.usage.input_tokens == 4
    told = node(books, "sdk", node_modules, "images",
                {"model": "gpt-image", "prompt": PROMPT, "quality": "low",
                 "size": "1024x1024"})
    assert told["data"][0]["b64_json"] == media.picture(PROMPT), told
    settled(books.site, "sdk",
            billed(books.site, mode, rates=RATES) - before)


def test_image_stream(books, node_modules):
    """Events come when the provider sends them, large ones too."""
    modes = [books.site.tag(m) for m in (
        "m/images/openai/300/tag=p", "m/images/openai/0/0/3000000/tag=l")]
    late = []
    with client(books, "stream") as sdk:
        events = []
        for e in sdk.images.generate(
                model="paced", prompt=PROMPT, stream=True, partial_images=3,
                quality="high", size="1024x1024"):
            events.append(e)
            if hasattr(e, "sent"):
                late.append(time.time() - e.sent)
    assert [e.type for e in events] == [
        "image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [e.b64_json for e in events] == [
        media.picture(PROMPT, i) for i in (0, 1, 2, 99)]
    assert events[-1].usage.output_tokens == 4160 + 300
    assert len(late) == 3 and max(late) < 0.25, late
    told = node(books, "stream", node_modules, "imageStream",
                {"model": "large", "prompt": PROMPT, "partial_images": 1,
                 "quality": "low", "size": "1024x1024"})
    assert [len(e["b64_json"]) for e in told["events"]] == [4000012] * 2
    settled(books.site, "stream", billed(books.site, *modes, rates=RATES))


def test_images_each(books):
    """Sold by the image, as many as came; a URL is passed on as it is."""
    with client(books, "each") as sdk:
        r = sdk.images.generate(model="dall-e-3", prompt=PROMPT,
                                response_format="b64_json", quality="hd",
                                style="vivid")
    assert r.data[0].url == "https://images.invalid/1.png"
    assert r.data[0].revised_prompt == "So."
    images(books, "each", "dall-e-3", n=3)
    settled(books.site, "each", 4 * EACH, 2)


def test_together(books):
    r = images(books, "rich", "flux", size="768x1024", n=2,
               response_format="b64_json")
    assert r.status == 200, r.body
    assert [d["b64_json"] for d in r.json()["data"]] == [
        media.picture(PROMPT, i) for i in range(2)]
    assert (r.json()["width"], r.json()["height"]) == (768, 1024)
    assert r.headers["x-tollgate-cost"] == "0.006"
    assert images(books, "rich", "flux", steps=4, width=256,
                  height=256).status == 200


def test_router(books):
    r = images(books, "rich", "router")
    assert r.status == 200, r.body
    assert r.headers["x-tollgate-cost"] == "0.04482"


def test_image_fallback(books):
    r = images(books, "rich", "fallback")
    assert r.status == 200 and r.headers["x-tollgate-fallbacks"] == "1"


def test_images_over_budget(books):
    """The most that it can be is held: high quality is too much."""
    mode = books.site.tag("m/images/openai/tag=g")
    before = asked(books.site, mode)
    refusal(images(books, "poor", "gpt-image", quality="high"), 429,
            "budget_exceeded")
    refusal(images(books, "poor", "gpt-image", quality="low", n=4), 429,
            "budget_exceeded")
    assert asked(books.site, mode) == before
    assert images(books, "poor", "gpt-image", quality="low",
                  size="1024x1024").status == 200


def begin(books, key, path, body, **more):
    return Call(books.front.port, "POST", path, [
        *bearer(books.secret[key]), ("Content-Type", "application/json")],
        json.dumps(body).encode(), **more)


def partly(books, key, partials):
    """The ledger has these partial images, and a prompt of our counting."""
    def fits():
        row = spent(books.site, key)
        rest = row["cost_nano"] - partials * 100 * RATES[1]
        return row["held_nano"] == 0 and 0 < rest < 50 * RATES[0]
    wait_until(fits, 8, "settled")


def test_image_client_leaves(books):
    mode = books.site.tag("m/images/openai/300/tag=p")
    before = len(books.site.upstream.bill(mode)["aborted"])
    with begin(books, "leaver", IMAGES, {
            "model": "paced", "prompt": PROMPT, "stream": True,
            "partial_images": 3}) as c:
        c.read(events=1)
    wait_until(lambda: len(books.site.upstream.bill(mode)["aborted"]) >
               before, 8, "aborted upstream")
    row = books.site.upstream.bill(mode)["aborted"][-1]
    partly(books, "leaver", row["events"])


def test_image_broken_off(books):
    """The client hears that it broke, and what came is paid."""
    with begin(books, "cutter", IMAGES, {
            "model": "cut", "prompt": PROMPT, "stream": True,
            "partial_images": 3}) as c:
        r = c.read()
    types = [d["type"] for d in r.documents()]
    assert types == ["image_generation.partial_image"] * 2 + ["error"]
    partly(books, "cutter", 2)
    with client(books, "rich") as sdk, pytest.raises(openai.APIError):
        list(sdk.images.generate(model="cut", prompt=PROMPT, stream=True,
                                 partial_images=3))


@pytest.mark.parametrize("body, param", [
    ({"model": "gpt-image"}, "prompt"),
    ({"model": "gpt-image", "prompt": ""}, "prompt"),
    ({"model": "gpt-image", "prompt": ["a"]}, "prompt"),
    ({"model": "gpt-image", "prompt": "a", "n": 0}, "n"),
    ({"model": "gpt-image", "prompt": "a", "n": 11}, "n"),
    ({"model": "gpt-image", "prompt": "a", "n": "2"}, "n"),
    ({"model": "gpt-image", "prompt": "a", "size": 7}, "size"),
    ({"model": "gpt-image", "prompt": "a", "stream": 1}, "stream"),
    ({"model": "gpt-image", "prompt": "a", "partial_images": 4},
     "partial_images"),
    ({"model": "gpt-image", "prompt": "a", "partial_images": -1},
     "partial_images"),
    ({"prompt": "a"}, "model"),
])
def test_bad_images(books, body, param):
    r = post(books, "rich", IMAGES, body)
    assert r.status == 400, r.body
    assert r.error()["param"] == param


def test_images_refused(books):
    """The provider's own words come through, and nothing is paid."""
    r = images(books, "rich", "gpt-image", size="7x7")
    assert r.status == 400 and "size is none of" in r.error()["message"]


def test_images_not_offered(books):
    r = images(books, "rich", "no-images")
    assert r.status == 400 and r.error()["param"] == "model", r.body
    assert r.error()["message"].endswith("offers images")
