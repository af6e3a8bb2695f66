"""Images and speech with the official SDKs: priced, held and settled to the
nano-dollar, given on as they come."""

import base64
import json
import time

import openai
import pytest

import doors_media as media
import pictures
from books import asked, billed, refusal, settled, spent, usd
from client import Call, bearer
from house import wait_until
from pictures import PROMPT, RATES, client, known, partly, post, rich

SPEECH = "/v1/audio/speech"
IMAGES = "/v1/images/generations"
GPT = {"input": 5, "output": 40}
OTHERS = pictures.others(GPT)
EACH = 120_000_000        # n$ an image of dall-e-3
CHAR = 15000              # n$ a character of tts-1
TTS = {"characters": 15}
MINI = {"input": "0.6", "audio_output": 12}
TEXT = "Zürich is a town of words."


def policy(site):
    p = pictures.policy(site, GPT)

    def model(name, mode, price):
        pictures.model(p, name, mode, price)

    model("cut-at-once", "m/images/openai/50/1/tag=c1", GPT)
    model("large", "m/images/openai/0/0/3000000/tag=l", GPT)
    model("dall-e-3", "m/images/dalle/tag=d", {"image": "0.12"})
    known(p, "flux", "togetherai", "m/images/together/tag=t",
          {"image": "0.003"})
    known(p, "sparks", "fireworks-ai", "m/images/fireworks/tag=fw",
          {"image": "0.0014"})
    known(p, "grok", "xai", "m/images/xai/tag=x", {"image": "0.07"})
    known(p, "router", "openrouter", "m/images/router/tag=r", GPT)
    model("tts", "m/speech/4/tag=s", TTS)
    model("tts-paced", "m/speech/5/300/tag=s", TTS)
    model("tts-silent", "m/speech/2/6000/tag=s", TTS)
    model("tts-cut", "m/speech/4/50/1000/2/tag=s", TTS)
    model("tts-long", "m/speech/640/0/16384/tag=s", TTS)
    model("tts-flood", "m/speech/4096/0/16384/tag=s", TTS)
    model("tts-mini", "m/speech/4/0/16000/tag=m", MINI)
    model("voxtral", "m/speech/1/0/5000/0/mistral/tag=s", TTS)
    model("odd", "m/ok/tag=odd", TTS)
    p.model("tts-fallback", {"to": site.tag("m/status/500/tag=sf"),
                             "price": TTS},
            {"to": site.tag("m/speech/4/tag=sf"), "price": TTS})
    p.key("few", budget=usd(100 * CHAR) + " / day")
    rich(p, "talker", "heard", "breaks", "leaves", "mini", "sse", "voxtral",
         "rich", "sdk", "stream", "leaver", "cutter", "each")
    p.key("poor", budget=usd(6000 * 40000) + " / day")
    return p


@pytest.fixture(scope="module", params=pictures.FRONTS)
def books(request, upstream):
    with pictures.served(upstream, request.param, policy) as p:
        yield p


def images(books, key, model, **more):
    return post(books, key, IMAGES, {"model": model, "prompt": PROMPT,
                                     **more})


# --- images -----------------------------------------------------------------

def test_images(books, node):
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
    told, = node(books.front, books.secret["sdk"], ("images", {
        "model": "gpt-image", "prompt": PROMPT, "quality": "low",
        "size": "1024x1024"}))
    assert told["data"][0]["b64_json"] == media.picture(PROMPT), told
    settled(books.site, "sdk",
            billed(books.site, mode, rates=RATES) - before)


def test_image_stream(books, node):
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
    told, = node(books.front, books.secret["stream"], ("imageStream", {
        "model": "large", "prompt": PROMPT, "partial_images": 1,
        "quality": "low", "size": "1024x1024"}))
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


def test_xai(books):
    r = images(books, "rich", "grok", size="1792x1024", quality="hd",
               style="vivid")
    assert r.status == 200 and r.json()["ratio"] == "16:9", r.body
    assert r.headers["x-tollgate-cost"] == "0.07"


def test_fireworks(books):
    """An image a call, and as many calls as there are images."""
    mode = books.site.tag("m/images/fireworks/tag=fw")
    before = asked(books.site, mode)
    r = images(books, "rich", "sparks", n=3, size="1792x1024", prompt="a cat")
    assert r.status == 200, r.body
    assert [d["b64_json"] for d in r.json()["data"]] == \
        [media.picture("a cat16:9")] * 3
    assert r.headers["x-tollgate-cost"] == "0.0042"
    assert asked(books.site, mode) == before + 3
    r = images(books, "rich", "sparks", prompt="forbidden")
    assert r.status == 400, r.body
    r = images(books, "rich", "sparks", stream=True)
    assert r.status == 400 and r.json()["error"]["param"] == "stream"
    for name in ("../../v1/sparks", "a//b", "./a"):      # no way elsewhere
        r = images(books, "rich", "fireworks-ai/" + name)
        assert r.status in (400, 404, 429), r.body
    assert asked(books.site, mode) == before + 4


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


def test_image_client_leaves(books):
    mode = books.site.tag("m/images/openai/300/tag=p")
    partly(books, "leaver", pictures.left(books, mode, lambda: begin(
        books, "leaver", IMAGES, {
            "model": "paced", "prompt": PROMPT, "stream": True,
            "partial_images": 3})), 50)


def test_image_broken_off(books):
    """The client hears that it broke, and what came is paid."""
    with begin(books, "cutter", IMAGES, {
            "model": "cut", "prompt": PROMPT, "stream": True,
            "partial_images": 3}) as c:
        r = c.read()
    types = [d["type"] for d in r.documents()]
    assert types == ["image_generation.partial_image"] * 2 + ["error"]
    partly(books, "cutter", 2, 50)
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


@pytest.mark.parametrize("model", OTHERS)
def test_other_dialects(books, model):
    """As many as were asked for, whatever goes into one call; what a provider
    has no word for is named."""
    with client(books, "k-" + model) as sdk:
        r = sdk.images.with_raw_response.generate(
            model=model, prompt=PROMPT, n=6, size="1536x1024",
            quality="high")
        data = r.parse().data
    assert r.headers["x-tollgate-dropped"] == "quality"
    assert len(data) == 6
    assert {d.b64_json for d in data} <= {
        media.picture(PROMPT, i) for i in range(6)}
    price = OTHERS[model][3]
    settled(books.site, "k-" + model, 6 * (4 * RATES[0] + 1290 * RATES[1])
            if price is GPT else 6 * int(float(price["image"]) * 10**9))
    r = images(books, "rich", model, stream=True)
    assert r.status == 400 and r.error()["param"] == "stream", r.body


def test_refused_by_a_filter(books):
    r = post(books, "rich", IMAGES, {"model": "imagen",
                                     "prompt": "something forbidden"})
    refusal(r, 400, "content_filter")


def test_images_not_offered(books):
    r = images(books, "rich", "no-images")
    assert r.status == 400 and r.error()["param"] == "model", r.body
    assert r.error()["message"].endswith("offers images")


# --- speech -----------------------------------------------------------------

def say(books, key, model, text=TEXT, **more):
    return post(books, key, SPEECH, {"model": model, "input": text,
                                     "voice": "alloy", **more})


def talk(books, key, model, text=TEXT, more=(), **how):
    return begin(books, key, SPEECH, {"model": model, "input": text,
                                      "voice": "alloy", **dict(more)}, **how)


def stamps(data, size):
    """The times in pieces of this size."""
    return [float(data[i:i + 40].split(b";")[0].split(b":")[1])
            for i in range(0, len(data), size)]


def test_speech(books, node):
    """Both SDKs hear every byte, and characters are paid to the n$."""
    want = media.bytes_of(TEXT, 1000)
    with client(books, "talker") as sdk:
        r = sdk.audio.speech.create(
            model="tts", input=TEXT, voice="alloy", response_format="wav",
            speed=1.5, instructions="Speak up.")
        assert r.response.headers["content-type"] == "audio/wav"
        assert "x-secret" not in r.response.headers
        data = r.read()
    assert len(data) == 4000
    for i in range(4):
        piece = data[i * 1000:][:1000]
        assert piece[40:] == want[40:] and piece.startswith(b"%d:" % i)
    told, paced = node(
        books.front, books.secret["talker"],
        ("speech", {"model": "tts", "input": TEXT, "voice": "nova"}),
        ("speechPieces", {"model": "tts-paced", "input": TEXT,
                          "voice": "nova"}))
    assert told["type"] == "audio/mpeg" and told["bytes"] == 4000, told
    assert paced["bytes"] == 5000 and paced["pieces"] == 5, paced
    assert 900 < paced["ms"], paced       # as they are made, not at the end
    settled(books.site, "talker", 3 * len(TEXT) * CHAR, 3)


def test_speech_comes_as_it_is_made(books):
    """Each piece within a moment of when the provider sent it."""
    late = []
    with client(books, "heard") as sdk, \
            sdk.audio.speech.with_streaming_response.create(
                model="tts-paced", input=TEXT, voice="alloy") as r:
        for piece in r.iter_bytes(1000):
            late.append(time.time() - stamps(piece, 1000)[0])
    assert len(late) == 5 and max(late) < 0.25, late
    settled(books.site, "heard", len(TEXT) * CHAR)


def test_nothing_between_bytes(books):
    """No keep-alive comments, however long the provider is silent."""
    with talk(books, "rich", "tts-silent") as c:
        r = c.read()
    assert len(r.body) == 2000 and r.complete


def test_speech_broken_off(books):
    """It ends as what was broken off, behind all that came."""
    with talk(books, "breaks", "tts-cut") as c:
        r = c.read()
    assert r.status == 200 and len(r.body) == 2000 and not r.complete
    settled(books.site, "breaks", len(TEXT) * CHAR)
    with client(books, "rich") as sdk, pytest.raises(Exception):
        sdk.audio.speech.create(model="tts-cut", input=TEXT,
                                voice="alloy").read()


def test_speech_client_leaves(books):
    mode = books.site.tag("m/speech/4096/0/16384/tag=s")
    before = len(books.site.upstream.bill(mode)["aborted"])
    with talk(books, "leaves", "tts-flood", receive_buffer=65536) as c:
        c.head()
        next(c.pieces())
    wait_until(lambda: len(books.site.upstream.bill(mode)["aborted"]) >
               before, 8, "aborted upstream")
    settled(books.site, "leaves", len(TEXT) * CHAR, seconds=8)


def test_speech_of_10_mb(books):
    """All of it comes; a client that does not read holds it back."""
    with talk(books, "rich", "tts-long") as c:
        r = c.read()
    assert r.complete and len(r.body) == 640 * 16384
    want = media.bytes_of(TEXT, 16384)
    assert all(r.body[i * 16384 + 40:(i + 1) * 16384] == want[40:]
               for i in range(640))
    mode = books.site.tag("m/speech/4096/0/16384/tag=s")
    with talk(books, "rich", "tts-flood", receive_buffer=65536) as c:
        c.head()
        taken = -1
        while taken != books.site.upstream.bill(mode)["taken"]:
            taken = books.site.upstream.bill(mode)["taken"]
            time.sleep(1.0)
        assert 0 < taken < 16 << 20, taken


def test_speech_fallback(books):
    r = say(books, "rich", "tts-fallback")
    assert r.status == 200 and len(r.body) == 4000
    assert r.headers["x-tollgate-fallbacks"] == "1"


def test_speech_tokens(books):
    """Sold by tokens that nobody tells: by the time that the bytes take."""
    say(books, "mini", "tts-mini")           # 4 s of mp3
    def fits():
        row = spent(books.site, "mini")
        out = row["cost_nano"] - 84 * 12000
        return row["held_nano"] == 0 and 0 < out < 40 * 600
    wait_until(fits, 5, "settled")


def test_speech_events(books):
    with talk(books, "sse", "tts-mini", more={"stream_format": "sse"}) as c:
        docs = c.read().documents()
    assert [d["type"] for d in docs] == ["speech.audio.delta"] * 4 + \
        ["speech.audio.done"]
    settled(books.site, "sse", 600 * 6 + 12000 * 50)


def test_mistral(books):
    """Its JSON becomes what was asked for."""
    want = media.bytes_of(TEXT, 5000)
    r = say(books, "voxtral", "voxtral", response_format="opus")
    assert r.status == 200 and r.body == want
    assert r.headers["content-type"] == "audio/opus"
    with talk(books, "voxtral", "voxtral",
              more={"stream_format": "sse"}) as c:
        docs = c.read().documents()
    assert base64.b64decode(docs[0]["audio"]) == want
    assert docs[1]["type"] == "speech.audio.done"
    settled(books.site, "voxtral", 2 * len(TEXT) * CHAR, 2)


def test_no_speech(books):
    """What is no audio is no answer."""
    r = say(books, "rich", "odd")
    assert r.status == 502 and r.error()["type"] == "bad_upstream", r.body
    r = say(books, "rich", "tts", voice=7)
    assert r.status == 400 and r.error()["param"] == "voice"
    r = say(books, "rich", "tts", speed=9)
    assert r.status == 400 and "speed" in r.error()["message"]


def test_speech_over_budget(books):
    mode = books.site.tag("m/speech/4/tag=s")
    before = asked(books.site, mode)
    refusal(say(books, "few", "tts", "x" * 101), 429, "budget_exceeded")
    assert asked(books.site, mode) == before
    assert say(books, "few", "tts", "x" * 100).status == 200


@pytest.mark.parametrize("body, param", [
    ({"model": "tts", "voice": "alloy"}, "input"),
    ({"model": "tts", "voice": "alloy", "input": ""}, "input"),
    ({"model": "tts", "voice": "alloy", "input": ["a"]}, "input"),
    ({"model": "tts", "voice": "a", "input": "a", "speed": "1"}, "speed"),
    ({"model": "tts", "voice": "a", "input": "a", "response_format": 1},
     "response_format"),
    ({"voice": "alloy", "input": "a"}, "model"),
])
def test_bad_speech(books, body, param):
    r = post(books, "rich", SPEECH, body)
    assert r.status == 400, r.body
    assert r.error()["param"] == param
