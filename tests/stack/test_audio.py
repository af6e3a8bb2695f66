"""Speech to text with the official SDKs: forms, every answer's form, what is
billed by the second and by tokens."""

import base64
import json

import openai
import pytest

import doors_audio
from books import N, Books, asked, call, refusal, settled, usd
from client import Call, bearer
from house import Site
from servers import chosen, open_front

HEAR = "/v1/audio/transcriptions"
FRONTS = [n for n in ("lighttpd", "apache-proxy") if n in chosen()] or \
    chosen()[:1]
SECOND = 100_000        # n$, as OpenAI's whisper-1
MP3 = b"ID3\x04" + bytes(range(256)) * 40 + b"\r\n--xx\r\n\r\n"


def policy(site):
    p = Books(site)

    def model(name, mode, **price):
        p.model(name, {"to": site.tag(mode), "price": price})

    model("by-second", "m/doors/tag=sec", second=0.0001)
    model("by-token", "m/doors/tag=tok", input=1, output=2)
    for who in ("second", "token", "guessed", "verbose", "node"):
        p.key(who, budget=usd(10**11) + " / day")
    p.key("poor", budget=usd(1000) + " / day")
    return p


@pytest.fixture(scope="module", params=FRONTS)
def books(request, upstream):
    with Site(upstream) as site:
        site.tag = lambda mode: f"{mode}-{request.param}"
        p = policy(site).write()
        p.front = open_front(site, request.param)
        yield p


def sdk(books, key):
    return openai.OpenAI(base_url=books.front.url + "/v1", max_retries=0,
                         api_key=books.secret[key], timeout=30)


def test_by_the_second(books):
    with sdk(books, "second") as client:
        r = client.audio.transcriptions.create(
            model="by-second", file=("speech.mp3", MP3), language="en")
        assert r.text == doors_audio.heard(MP3)
        assert r.usage.seconds == doors_audio.SECONDS
        r = client.audio.translations.create(model="by-second",
                                             file=("a.wav", b"RIFF" * 20))
        assert r.text == doors_audio.heard(b"RIFF" * 20)
    settled(books.site, "second", 2 * doors_audio.SECONDS * SECOND, 2)
    for row in books.site.records(key="second"):
        text = json.dumps(row)
        assert "estimated" not in text and '"seconds": 3' in text, row


@pytest.mark.parametrize("how", ["text", "srt", "vtt"])
def test_no_json(books, how):
    """The client gets the text itself; its length is not told, so ours
    counts."""
    with sdk(books, "guessed") as client:
        r = client.audio.transcriptions.create(
            model="by-second", file=("speech.mp3", MP3), response_format=how)
    assert r == doors_audio.heard(MP3) + "\n"
    row = next(r for r in reversed(books.site.records(key="guessed")))
    assert row["operation"] == "transcriptions" and row["status"] == 200


def test_verbose(books):
    with sdk(books, "verbose") as client:
        r = client.audio.transcriptions.create(
            model="by-second", file=("speech.mp3", MP3),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"])
    assert r.text == doors_audio.heard(MP3) and r.segments == []
    settled(books.site, "verbose", doors_audio.SECONDS * SECOND, 1)


def test_stream(books):
    """Events as they come, billed by the tokens of the last one."""
    with sdk(books, "token") as client:
        events = list(client.audio.transcriptions.create(
            model="by-token", file=("speech.mp3", MP3), stream=True))
    text = "".join(e.delta for e in events
                   if e.type == "transcript.text.delta")
    assert text.strip() == doors_audio.heard(MP3)
    assert events[-1].type == "transcript.text.done"
    settled(books.site, "token", 20 * N + 4 * 2 * N, 1)


def test_node_sdk(books, node):
    """Node's SDK: whole, as text, as events, and translated."""
    def spoken(model, **more):
        return {"model": model, "base64": base64.b64encode(MP3).decode(),
                **more}
    whole, text, stream, english = node(
        books.front, books.secret["node"],
        ("transcription", spoken("by-second", language="en")),
        ("transcription", spoken("by-second", response_format="text")),
        ("transcriptionStream", spoken("by-token")),
        ("translation", spoken("by-second")))
    heard = doors_audio.heard(MP3)
    assert whole["text"] == english["text"] == heard
    assert whole["usage"]["seconds"] == doors_audio.SECONDS
    assert text == heard + "\n"
    assert stream["events"][-1]["type"] == "transcript.text.done"
    assert "".join(e["delta"] for e in stream["events"]
                   if e["type"] == "transcript.text.delta").strip() == heard


def test_poor(books):
    """A file that may cost more than there is does not go out."""
    mode = books.site.tag("m/doors/tag=sec")
    before = asked(books.site, mode)
    with sdk(books, "poor") as client, pytest.raises(
            openai.RateLimitError) as e:
        client.audio.transcriptions.create(model="by-second",
                                           file=("speech.mp3", MP3))
    assert e.value.code == "budget_exceeded"
    assert asked(books.site, mode) == before


def test_large(books):
    """Twenty megabytes; tests/stack/test_uploads.py has larger ones."""
    data = bytes(range(256)) * (20 * 4096)
    with sdk(books, "second") as client:
        r = client.audio.transcriptions.create(model="by-second",
                                               file=("long.mp3", data))
        assert r.text == doors_audio.heard(data)


def raw(books, body, kind, key="second"):
    with Call(books.front.port, "POST", HEAR, [
            *bearer(books.secret[key]), ("Content-Type", kind)], body) as c:
        return c.read()


FORM = "multipart/form-data; boundary=xx"
FILE = ('--xx\r\nContent-Disposition: form-data; name="file"; '
        'filename="a.mp3"\r\n\r\nID3\r\n')
MODEL = ('--xx\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
         'by-second\r\n')


@pytest.mark.parametrize("body, kind", [
    (json.dumps({"model": "by-second"}), "application/json"),
    (MODEL + FILE + "--xx--", "multipart/form-data"),
    (MODEL + FILE + "--xx--", "multipart/form-data; boundary=yy"),
    (MODEL + FILE, FORM),
    (FILE + "--xx--", FORM),
    (MODEL + "--xx--", FORM),
    (MODEL + FILE.replace("ID3", "") + "--xx--", FORM),
    (MODEL + FILE + '--xx\r\nContent-Disposition: form-data; name="stream"'
     "\r\n\r\nmaybe\r\n--xx--", FORM),
    ("", FORM),
    (MODEL + FILE + FILE.replace("ID3", "ID3" * 9) + "--xx--", FORM),
    (MODEL + MODEL + FILE + "--xx--", FORM),
])
def test_bad(books, body, kind):
    r = raw(books, body.encode(), kind)
    assert r.status == 400, r.body
    assert r.error()["type"] == "invalid_request_error"


def test_file_first(books):
    """The order of the fields is the client's."""
    r = raw(books, (FILE + MODEL + "--xx--").encode(), FORM, "guessed")
    assert r.status == 200 and r.json()["text"] == doors_audio.heard(b"ID3")


def test_unknown_model(books):
    r = raw(books, (FILE + MODEL.replace("by-second", "none") +
                    "--xx--").encode(), FORM)
    assert r.status == 404, r.body


def test_json_to_no_form(books):
    refused = call(books.front, "tg_wrong", "", path=HEAR, body={})
    refusal(refused, 401, "invalid_api_key")
