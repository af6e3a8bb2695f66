"""What every way of running tollgate must do: the official SDKs, errors in
their shape, all forms of credentials, names with slashes, bodies of all
sizes, and each event at the client when the provider sent it."""

import json
import urllib.parse

import openai
import pytest

from client import Call, ask, bearer, chat, chat_body, begin, is_error, CHAT
from house import virtual_key

TOOL = {"type": "function", "function": {
    "name": "look_up", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def sdk(front):
    with openai.OpenAI(base_url=front.url + "/v1", api_key=front.site.key,
                       max_retries=0, timeout=30) as client:
        yield client


# --- the SDKs ---------------------------------------------------------------

def test_python_sdk_chat(sdk):
    r = sdk.chat.completions.create(model="ok", messages=HELLO)
    assert r.choices[0].message.content == "hello there"
    assert r.choices[0].finish_reason == "stop"
    assert r.usage.prompt_tokens == 2 and r.usage.completion_tokens == 2


def test_python_sdk_stream(sdk):
    chunks = list(sdk.chat.completions.create(
        model="ok", messages=HELLO, stream=True,
        stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or ""
                   for c in chunks if c.choices)
    assert text == "hello there"
    assert chunks[-1].usage.total_tokens == 4
    assert [c.choices[0].finish_reason for c in chunks
            if c.choices and c.choices[0].finish_reason] == ["stop"]


def test_python_sdk_tools(sdk):
    with sdk.chat.completions.stream(model="tools", messages=HELLO,
                                     tools=[TOOL]) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [c.id for c in calls] == ["call_0", "call_1"]
    assert [json.loads(c.function.arguments) for c in calls] == [
        {"city": "Zürich", "n": 0}, {"city": "Zürich", "n": 1}]


def test_python_sdk_errors(sdk):
    with pytest.raises(openai.NotFoundError) as e:
        sdk.chat.completions.create(model="none", messages=HELLO)
    assert e.value.type == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key=virtual_key()).models.list()
    with pytest.raises(openai.BadRequestError) as e:
        sdk.chat.completions.create(model="refused", messages=HELLO)
    assert "temperature" in e.value.message


def test_node_sdk(front, node):
    said, streamed, tools, models, missing = node(
        front, front.site.key,
        ("chat", {"model": "ok", "messages": HELLO}),
        ("stream", {"model": "ok", "messages": HELLO}),
        ("tools", {"model": "tools", "messages": HELLO, "tools": [TOOL]}),
        ("models", None),
        ("chat", {"model": "none", "messages": HELLO}))
    assert said["text"] == "hello there"
    assert said["usage"]["total_tokens"] == 4
    assert (streamed["text"], streamed["finish"]) == ("hello there", "stop")
    assert tools["calls"] == [
        ["call_%d" % i, "look_up", json.dumps({"city": "Zürich", "n": i})]
        for i in (0, 1)]
    assert "ok" in models["ids"] and "name:1" in models["ids"]
    assert (missing["status"], missing["error"]) == (404, "NotFoundError")


# --- errors -------------------------------------------------------------------

def test_no_key(front):
    is_error(ask(front, "POST", CHAT, [], chat_body("ok")), 401,
             "authentication_error", "missing_api_key")


@pytest.mark.parametrize("key", [
    pytest.param(virtual_key(), id="never-issued"), "tg_x",
    pytest.param("x" * 500, id="long"), pytest.param("'; --", id="sql")])
def test_wrong_key(front, key):
    is_error(ask(front, "POST", CHAT, bearer(key), chat_body("ok")), 401,
             "authentication_error", "invalid_api_key")


def test_unknown_model(front):
    is_error(chat(front, "none"), 404, "model_not_found", "model_not_found")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/chat", "/v1/",
                                  "/v1/chat/completions/x", "/other"])
def test_unknown_path(front, path):
    is_error(ask(front, "POST", path, body=b"{}"), 404,
             "invalid_request_error", "not_found")


def test_wrong_method(front):
    is_error(ask(front, "GET", CHAT), 405, "invalid_request_error",
             "method_not_allowed")


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b'"x"', b'{"model": "ok"}',
    b'{"model": "ok", "model": "ok", "messages": []}',
    b'{"model": "o\\u0000k", "messages": []}', b"\xff\xfe{}"])
def test_bad_body(front, body):
    is_error(ask(front, "POST", CHAT, body=body), 400,
             "invalid_request_error")


def test_too_large(front):
    body = chat_body("ok", "x" * (33 << 20))
    is_error(ask(front, "POST", CHAT, body=body), 413,
             "invalid_request_error", "request_too_large")


@pytest.mark.parametrize("raw", [
    b"GET /v1/models HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"])
def test_broken_http(front, raw):
    with Call(front.port, "GET", "/", raw=raw) as call:
        is_error(call.read(), 400, "invalid_request_error")


def test_oversized_header(front):
    r = ask(front, "GET", "/v1/models",
            [*bearer(front.site.key), ("X-Long", "a" * 9000)])
    assert r.status in (400, 431)
    is_error(r, r.status, "invalid_request_error")


# --- credentials -----------------------------------------------------------------

FORMS = {
    "bearer": lambda k: ([("Authorization", "Bearer " + k)], ""),
    "bearer-case": lambda k: ([("authorization", "bearer " + k)], ""),
    "x-api-key": lambda k: ([("X-Api-Key", k)], ""),
    "x-goog-api-key": lambda k: ([("x-goog-api-key", k)], ""),
    "query": lambda k: ([], "?key=" + k),
    "query-second": lambda k: ([], "?alt=sse&key=" + k),
    "same-twice": lambda k: ([("Authorization", "Bearer " + k),
                              ("X-Api-Key", k)], "?key=" + k),
}


@pytest.mark.parametrize("form", FORMS)
def test_credential(front, form):
    headers, query = FORMS[form](front.site.key)
    r = ask(front, "POST", CHAT + query, headers, chat_body("ok"))
    assert (r.status, r.text()) == (200, "hello there")


@pytest.mark.parametrize("form", [
    lambda k, o: (bearer(k) + [("X-Api-Key", o)], ""),
    lambda k, o: (bearer(o) + [("x-goog-api-key", k)], ""),
    lambda k, o: (bearer(k), "?key=" + o),
    lambda k, o: (bearer(k) + bearer(o), "")],
    ids=["api-key", "goog", "query", "twice"])
def test_two_credentials(front, form):
    headers, query = form(front.site.key, virtual_key())
    r = ask(front, "POST", CHAT + query, headers, chat_body("ok"))
    assert r.status in (400, 401)
    is_error(r, r.status)


def test_twin_headers(front):
    """A name with '_' is not the header that it falls together with."""
    other = virtual_key()
    r = ask(front, "POST", CHAT, bearer(front.site.key) + [
        ("X_Api_Key", other), ("X_Goog_Api_Key", other),
        ("Proxy", "http://127.0.0.1:9")], chat_body("ok"))
    assert (r.status, r.text()) == (200, "hello there")
    is_error(ask(front, "POST", CHAT, [("X_Api_Key", front.site.key)],
                 chat_body("ok")), 401)


# --- names, bodies ------------------------------------------------------------------

@pytest.mark.parametrize("name", ["ok", "name:1", "p-m-ok/up-ok"])
def test_names(front, name):
    for sent in (name, urllib.parse.quote(name, safe="")):
        r = ask(front, "GET", "/v1/models/" + sent)
        assert (r.status, r.json()["id"]) == (200, name)


def test_name_with_slash_that_is_none(front):
    for sent in ("nobody/other", "nobody%2Fother"):
        is_error(ask(front, "GET", "/v1/models/" + sent), 404,
                 "model_not_found")


def test_health(front):
    for path in ("/healthz", "/readyz"):
        assert ask(front, "GET", path, []).status == 200


@pytest.mark.parametrize("size", [8 << 10, 64 << 10, 300 << 10, 8 << 20])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_sizes(front, size, chunked):
    text = ("%x" % size) * (size // len("%x" % size))
    body, headers = chat_body("ok", text), bearer(front.site.key)
    if chunked:
        pieces = [body[i:i + 60000] for i in range(0, len(body), 60000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces)
        body += b"0\r\n\r\n"
        headers.append(("Transfer-Encoding", "chunked"))
    r = ask(front, "POST", CHAT, headers, body)
    assert r.status == 200, r.body[:300]
    assert r.text() == text


def test_slow_upload(front):
    """A body that comes in two parts, a second apart."""
    body = chat_body("ok", "slow " * 20000)
    with Call(front.port, "POST", CHAT,
              [*bearer(front.site.key), ("Content-Length", len(body))],
              None) as call:
        call.sock.sendall(body[:70000])
        assert chat(front, "ok").status == 200
        call.sock.sendall(body[70000:])
        assert call.read().text() == ("slow " * 20000).rstrip()


# --- events ------------------------------------------------------------------------------

def test_events_arrive_when_sent(front):
    """100 events 20 ms apart: the way through costs little, for each one."""
    with begin(front, "paced", stream=True) as call:
        r = call.read()
    assert r.done() and r.complete
    assert r.headers["content-type"].startswith("text/event-stream")
    late = []
    for at, data in r.events():
        doc = json.loads(data) if data != "[DONE]" else {"choices": []}
        for choice in doc["choices"]:
            word = choice["delta"].get("content") or ""
            if ":" in word:
                late.append((at - float(word.split(":")[1])) * 1000)
    assert len(late) == 100
    late.sort()
    assert late[50] < 5.0, late
    assert late[98] < 60.0, late


def test_error_before_content_is_plain_json(front):
    is_error(chat(front, "down", stream=True), 503)
