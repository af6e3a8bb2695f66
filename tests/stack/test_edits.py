"""Images that are edited and varied, with the official SDKs: forms and JSON,
pictures in and out to the byte, every price of theirs to the nano-dollar."""

import base64
import json

import openai
import pytest

import doors_media as media
import pictures
from books import asked, billed, refusal, settled, usd
from client import Call, bearer
from pictures import PROMPT, RATES, client, known, post, rich

EDITS, VARIATIONS = "/v1/images/edits", "/v1/images/variations"
GPT = {"input": 5, "output": 40, "image_input": 10}
OTHERS = pictures.others(GPT)


def png(name, colours=6):
    """As much of a PNG as tells what it is."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08" + \
        bytes([colours]) + b"\0\0\0" + name.encode() + bytes(range(256)) + \
        b"\r\n--xx\r\n"


A, B, MASK = png("a"), b"\xff\xd8\xff\xe0" + b"jpeg" * 99, png("mask")
PLAIN_MASK = png("mask", 2)

# Of OpenAI's dialect in ways of their own: provider, form, model, price.
KNOWN = {
    "kontext": ("togetherai", "together", "black-forest-labs/FLUX.1-kontext",
                {"image": "0.04"}),
    "flux2": ("togetherai", "together", "black-forest-labs/FLUX.2-pro",
              {"image": "0.03"}),
    "grok": ("xai", "xai", "grok-imagine-image",
             {"image": "0.02", "sent_image": "0.002"}),
    "router": ("openrouter", "router", "google/gemini-2.5-flash-image", GPT),
}


def policy(site):
    p = pictures.policy(site, GPT)
    pictures.model(p, "dall-e-2", "m/images/varied/tag=v", {"image": "0.02"})
    for name, (provider, form, model_id, price) in KNOWN.items():
        known(p, name, provider, f"m/images/{form}/tag=k", price, model_id)
        rich(p, "k-" + name)
    rich(p, "rich", "sdk", "stream", "leaver", "cutter", "varied", "json",
         "node")
    # Of what one edit of one image may take, not the half.
    p.key("poor", budget=usd(2000 * 40000 + 8192 * 10000 + 10**8) + " / day")
    return p


@pytest.fixture(scope="module", params=pictures.FRONTS)
def books(request, upstream):
    with pictures.served(upstream, request.param, policy) as p:
        yield p


def made(*sent, i=0):
    return media.picture(media.told(sent), i)


def url(data, kind="image/png"):
    return f"data:{kind};base64," + base64.b64encode(data).decode()


# --- OpenAI's own -------------------------------------------------------------

def test_edit(books):
    """One image, several, a mask: the ledger has what the provider bills."""
    mode = books.site.tag("m/images/openai/tag=g")
    before = billed(books.site, mode, rates=RATES)
    with client(books, "sdk") as sdk:
        one = sdk.images.edit(model="gpt-image", image=("a.png", A),
                              prompt=PROMPT, quality="low")
        assert [d.b64_json for d in one.data] == [made(A)]
        assert one.usage.input_tokens_details.image_tokens == media.SENT
        two = sdk.images.edit(
            model="gpt-image", image=[("a.png", A), ("b.jpg", B)],
            mask=("m.png", MASK), prompt=PROMPT, n=2, size="1024x1536",
            quality="medium", background="transparent",
            input_fidelity="high", output_format="webp",
            output_compression=42, user="u")
        assert [d.b64_json for d in two.data] == [
            made(A, B, MASK, i=i) for i in range(2)]
        assert two.usage.input_tokens_details.image_tokens == 3 * media.SENT
        many = sdk.images.edit(model="gpt-image", prompt=PROMPT,
                               image=[("a.png", A)] * 16, quality="low")
        assert many.data[0].b64_json == made(*[A] * 16)
    bill = billed(books.site, mode, rates=RATES) - before
    assert bill == (3 * 4 + (1 + 3 + 16) * 2 * media.SENT) * RATES[0] + (
        408 + 2 * 1584 + 408) * RATES[1]
    settled(books.site, "sdk", bill, 3)


def test_edit_of_node(books, node):
    """Node's SDK, whole and as a stream."""
    given = {"model": "gpt-image", "prompt": PROMPT, "quality": "low",
             "base64": [base64.b64encode(d).decode() for d in (A, B)]}
    whole, stream = node(books.front, books.secret["node"],
                         ("imageEdit", given), ("imageEditStream", given))
    assert whole["data"][0]["b64_json"] == made(A, B), whole
    assert stream["events"][-1]["type"] == "image_edit.completed", stream


def test_edit_stream(books):
    mode = books.site.tag("m/images/openai/300/tag=p")
    with client(books, "stream") as sdk:
        events = list(sdk.images.edit(
            model="paced", image=("a.png", A), prompt=PROMPT, stream=True,
            partial_images=2, quality="high", size="1024x1024"))
    assert [e.type for e in events] == [
        "image_edit.partial_image"] * 2 + ["image_edit.completed"]
    assert [e.b64_json for e in events] == [made(A, i=i) for i in (0, 1, 99)]
    settled(books.site, "stream", billed(books.site, mode, rates=RATES))


def test_edit_in_json(books):
    """As OpenAI has it beside forms: data, addresses, files that it keeps."""
    mode = books.site.tag("m/images/openai/tag=g")
    before = billed(books.site, mode, rates=RATES)
    r = post(books, "json", EDITS, {
        "model": "gpt-image", "prompt": PROMPT, "quality": "low",
        "images": [{"image_url": url(A)},
                   {"image_url": "https://images.invalid/x.png"},
                   {"file_id": "file-7"}], "mask": {"image_url": url(MASK)}})
    assert r.status == 200, r.body
    assert r.json()["data"][0]["b64_json"] == made(
        A, b"https://images.invalid/x.png", b"file-7", MASK)
    settled(books.site, "json",
            billed(books.site, mode, rates=RATES) - before, 1)


def test_variation(books):
    with client(books, "varied") as sdk:
        r = sdk.images.create_variation(model="dall-e-2", image=("a.png", A),
                                        n=2, size="256x256",
                                        response_format="b64_json")
    assert [d.b64_json for d in r.data] == [
        media.picture(media.VARIED + media.told([A]), i) for i in range(2)]
    settled(books.site, "varied", 2 * 20_000_000, 1)


def test_fallback(books):
    with client(books, "rich") as sdk:
        r = sdk.images.with_raw_response.edit(
            model="fallback", image=("a.png", A), prompt=PROMPT)
    assert r.headers["x-tollgate-fallbacks"] == "1"
    assert r.parse().data[0].b64_json == made(A)


def test_large(books):
    """Twenty megabytes of an image, held as one image and not as its bytes."""
    data = png("large") + bytes(range(256)) * (20 * 4096)
    with client(books, "rich") as sdk:
        r = sdk.images.edit(model="gpt-image", image=("a.png", data),
                            prompt=PROMPT)
        assert r.data[0].b64_json == made(data)
        with pytest.raises(openai.APIStatusError) as e:
            sdk.images.edit(model="gpt-image", prompt=PROMPT,
                            image=[("a.png", data)] * 2)
    assert e.value.status_code == 413


def test_over_budget(books):
    """The most that the images may take is held, in a form and in JSON; their
    bytes are not taken for text."""
    mode = books.site.tag("m/images/openai/tag=g")
    before = asked(books.site, mode)
    with client(books, "poor") as sdk:
        for more in ({"image": [("a.png", A)] * 3}, {"quality": "high"}):
            with pytest.raises(openai.RateLimitError) as e:
                sdk.images.edit(**{
                    "model": "gpt-image", "image": ("a.png", A),
                    "prompt": PROMPT, "quality": "low", **more})
            assert e.value.code == "budget_exceeded"
        refusal(post(books, "poor", EDITS, {
            "model": "gpt-image", "prompt": PROMPT, "quality": "low",
            "images": [{"file_id": "f"}] * 3}), 429, "budget_exceeded")
        assert asked(books.site, mode) == before
        large = png("l") + bytes(3 << 20)
        sdk.images.edit(model="gpt-image", image=("a.png", large),
                        prompt=PROMPT, quality="low", size="1024x1024")
    settled(books.site, "poor", (4 + 2 * media.SENT) * RATES[0] +
            272 * RATES[1], 1)
    r = post(books, "poor", EDITS, {
        "model": "gpt-image", "prompt": PROMPT, "quality": "low",
        "size": "1024x1024", "images": [{"image_url": url(large)}]})
    assert r.status == 200, r.body


# --- streams that break ---------------------------------------------------------

def form_of(*parts):
    """A form of these (name, filename, bytes)."""
    out = b""
    for name, filename, data in parts:
        out += b'--yy\r\nContent-Disposition: form-data; name="' + \
            name.encode() + b'"'
        if filename is not None:
            out += b'; filename="' + filename.encode() + \
                b'"\r\nContent-Type: image/png'
        out += b"\r\n\r\n" + data + b"\r\n"
    return out + b"--yy--\r\n"


def fields(**more):
    return [(k, None, v.encode()) for k, v in more.items()]


def send(books, key, parts, path=EDITS, **more):
    return Call(books.front.port, "POST", path, [
        *bearer(books.secret[key]),
        ("Content-Type", "multipart/form-data; boundary=yy")],
        form_of(*parts), **more)


FILE = ("image", "b.jpg", B)


def partly(books, key, partials):
    """As much of an edit as this; one image was sent."""
    pictures.partly(books, key, partials, 80, 1120 * 2 * RATES[0])


def test_client_leaves(books):
    mode = books.site.tag("m/images/openai/300/tag=p")
    partly(books, "leaver", pictures.left(books, mode, lambda: send(
        books, "leaver", [FILE, *fields(
            model="paced", prompt=PROMPT, stream="true",
            partial_images="3")])))


def test_broken_off(books):
    with send(books, "cutter", [FILE, *fields(
            model="cut", prompt=PROMPT, stream="true",
            partial_images="3")]) as c:
        r = c.read()
    assert [d["type"] for d in r.documents()] == [
        "image_edit.partial_image"] * 2 + ["error"]
    partly(books, "cutter", 2)


# --- others ---------------------------------------------------------------------

@pytest.mark.parametrize("model", KNOWN)
def test_other_ways(books, model):
    """JSON of their own for the client's form."""
    with client(books, "k-" + model) as sdk:
        r = sdk.images.edit(model=model, image=("b.jpg", B), prompt=PROMPT,
                            response_format="b64_json")
        assert r.data[0].b64_json == made(B)
        if model != "kontext":
            r = sdk.images.edit(model=model, prompt=PROMPT,
                                image=[("b.jpg", B), ("a.png", A)],
                                response_format="b64_json")
            assert r.data[0].b64_json == made(B, A)
    cost = {"kontext": 40_000_000, "flux2": 2 * 30_000_000,
            "grok": 2 * 20_000_000 + 3 * 2_000_000,
            "router": 2 * (4 * RATES[0] + 1120 * RATES[1])}[model]
    settled(books.site, "k-" + model, cost)
    r = post(books, "rich", EDITS, {
        "model": model, "prompt": PROMPT, "response_format": "b64_json",
        "images": [{"image_url": "https://images.invalid/x.png"}]})
    assert r.status == 200, r.body
    assert r.json()["data"][0]["b64_json"] == made(
        b"https://images.invalid/x.png")
    r = post(books, "rich", EDITS, {
        "model": model, "prompt": PROMPT, "images": [{"file_id": "f"}]})
    assert r.status == 400, r.body
    r = post(books, "rich", EDITS, {
        "model": model, "prompt": PROMPT, "images": [{"image_url": url(A)}],
        "mask": {"image_url": url(A)}})
    assert r.status == 400 and r.error()["param"] == "mask", r.body


@pytest.mark.parametrize("model", ["banana", "nova", "sd"])
def test_other_dialects(books, model):
    """As many as were asked for; what a provider has no word for is named."""
    with client(books, "k-" + model) as sdk:
        r = sdk.images.with_raw_response.edit(
            model=model, image=("a.png", A), prompt=PROMPT, n=2,
            quality="high", input_fidelity="high")
    assert set(r.headers["x-tollgate-dropped"].split(", ")) == {
        "quality", "input_fidelity"}
    data = r.parse().data
    what = {"nova": PROMPT + media.told([A])}.get(model, media.told([A]))
    assert len(data) == 2
    assert {d.b64_json for d in data} <= {
        media.picture(what, i) for i in range(2)}
    price = OTHERS[model][3]
    settled(books.site, "k-" + model, 2 * (
        (4 + media.GEMINI_SENT * 2) * RATES[0] + 1290 * RATES[1])
        if price is GPT else 2 * 80_000_000)


def test_other_dialects_refuse(books):
    def refused(param, model, more=(), path=EDITS, **how):
        with send(books, "rich", [FILE, *more, *fields(
                model=model, prompt=PROMPT, **how)], path) as c:
            r = c.read()
        assert r.status == 400 and r.error()["param"] == param, r.body

    mask = ("mask", "m.png", MASK)
    refused("stream", "banana", stream="true")
    refused("mask", "banana", [mask])
    refused("mask", "nova", [mask])
    refused("mask", "sd", [mask])
    refused("image", "sd", [("image[]", "a.jpg", B)])
    refused("image", "nova", [("image[]", "a.jpg", B)] * 5)
    refused("image", "imagen")
    refused("model", "no-images")
    refused("model", "banana", path=VARIATIONS)
    refused("model", "grok", path=VARIATIONS)


def test_painting(books):
    """A mask of black and white is what Amazon's models have."""
    with client(books, "rich") as sdk:
        r = sdk.images.edit(model="nova", image=("a.png", A), prompt=PROMPT,
                            mask=("m.png", PLAIN_MASK))
    assert r.data[0].b64_json == made(A, PLAIN_MASK)
    r = post(books, "rich", EDITS, {
        "model": "nova", "prompt": PROMPT, "images": [{"image_url": url(A)}],
        "mask": {"image_url": url(PLAIN_MASK)}})
    assert r.status == 200, r.body
    assert r.json()["data"][0]["b64_json"] == made(A, PLAIN_MASK)


def test_varied_elsewhere(books):
    with client(books, "rich") as sdk:
        r = sdk.images.create_variation(model="nova", image=("a.png", A))
        assert r.data[0].b64_json == media.picture(
            media.VARIED + media.told([A]))
        with pytest.raises(openai.BadRequestError):
            sdk.images.create_variation(model="sd", image=("a.png", A))


# --- what is none ---------------------------------------------------------------

BASE = fields(model="gpt-image", prompt=PROMPT)


@pytest.mark.parametrize("param, parts", [
    ("image", BASE),
    ("image", [("image", None, B), *BASE]),
    ("image", [("image", "x.png", b"GIF is none"), *BASE]),
    ("image", [("image", "x.png", b""), *BASE]),
    ("image", [FILE, FILE, *BASE]),
    ("image", [("image[]", "x.png", B)] * 17 + BASE),
    ("mask", [FILE, ("mask", "m.png", b"?"), *BASE]),
    ("mask", [FILE, ("mask", None, B), *BASE]),
    ("picture", [FILE, ("picture", "x.png", B), *BASE]),
    ("prompt", [FILE, *fields(model="gpt-image")]),
    ("prompt", [FILE, *fields(model="gpt-image", prompt="")]),
    ("prompt", [FILE, ("prompt", "p.png", B), *BASE]),
    ("model", [FILE, *fields(prompt=PROMPT)]),
    ("model", [FILE, *BASE, *fields(model="dear")]),
    ("n", [FILE, *BASE, *fields(n="two")]),
    ("n", [FILE, *BASE, *fields(n="0")]),
    ("n", [FILE, *BASE, *fields(n="011")]),
    ("n", [FILE, *BASE, *fields(n="11")]),
    ("n", [FILE, *BASE, *fields(n="1e0")]),
    ("n", [FILE, *BASE, ("n[]", None, b"2")]),
    ("stream", [FILE, *BASE, *fields(stream="yes")]),
    ("partial_images", [FILE, *BASE, *fields(partial_images="4")]),
    ("images", [FILE, *BASE, *fields(images="x")]),
])
def test_bad_form(books, param, parts):
    mode = books.site.tag("m/images/openai/tag=g")
    before = asked(books.site, mode)
    with send(books, "rich", parts) as c:
        r = c.read()
    assert r.status == 400, r.body
    assert r.error()["param"] == param, r.body
    assert asked(books.site, mode) == before


def test_odd_names(books):
    """Names as long as a header may be, and longer."""
    name = "n" * 3000 + ".png"
    with send(books, "rich", [("image", name, B), *BASE]) as c:
        assert c.read().status == 200
    with send(books, "rich", [("image", "n" * 5000, B), *BASE]) as c:
        assert c.read().status == 400
    with send(books, "rich", [("x" * 3000, "a.png", B), *BASE]) as c:
        assert c.read().status == 400


@pytest.mark.parametrize("param, more", [
    ("images", {}),
    ("images", {"images": []}),
    ("images", {"images": {"image_url": "https://x.invalid"}}),
    ("images", {"images": ["https://x.invalid"]}),
    ("images", {"images": [{}]}),
    ("images", {"images": [{"image_url": 7}]}),
    ("images", {"images": [{"image_url": "u", "file_id": "f"}]}),
    ("images", {"images": [{"image_url": "data:image/png;base64,!"}]}),
    ("images", {"images": [{"image_url": "data:text/html;base64,AAAA"}]}),
    ("images", {"images": [{"file_id": "f"}] * 17}),
    ("images", {"images": [{"file_id": "f"}] * 5000}),
    ("mask", {"images": [{"file_id": "f"}], "mask": "m"}),
    ("mask", {"images": [{"file_id": "f"}], "mask": {}}),
    ("n", {"images": [{"file_id": "f"}], "n": "2"}),
])
def test_bad_json(books, param, more):
    r = post(books, "rich", EDITS, {"model": "gpt-image", "prompt": PROMPT,
                                    **more})
    assert r.status == 400, r.body
    assert r.error()["param"] == param, r.body


def test_bad_variations(books):
    r = post(books, "rich", VARIATIONS, {"model": "dall-e-2"})
    assert r.status == 400, r.body
    for parts in ([FILE, ("mask", "m.png", MASK)], [],
                  [("image[]", "a.png", B)] * 2):
        with send(books, "rich", [*parts, *fields(model="dall-e-2")],
                  VARIATIONS) as c:
            assert c.read().status == 400


def test_records(books):
    """A record tells the door, and the images that were made."""
    rows = list(books.site.records(key="varied"))
    assert rows and rows[-1]["operation"] == "image_variations"
    assert '"images": 2' in json.dumps(rows[-1])
