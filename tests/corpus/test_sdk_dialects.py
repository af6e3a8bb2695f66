"""The official SDKs of Anthropic and Google against the program, over a real
web server, with providers of every dialect behind it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
from google.genai import types  # noqa: E402

import pool  # noqa: E402
import world  # noqa: E402

LIGHTTPD = shutil.which("lighttpd") or "/usr/sbin/lighttpd"
CASES = {  # what the provider says → cases that say it, by dialect
    "text": ["shape/whole-plain", "anthropic/whole-text",
             "gemini/whole-text"],
    "calls": ["tools/whole", "anthropic/whole-calls", "gemini/whole-calls"],
    "text-stream": ["shape/utf8", "anthropic/text", "gemini/text"],
    "calls-stream": ["tools/parallel", "tools/interleaved",
                     "anthropic/calls", "gemini/calls"],
    "thought-stream": ["reasoning/reasoning-content",
                       "anthropic/thinking-twice", "gemini/thought"],
}
ROOTS = {"anthropic": "", "gemini": "v1beta"}
CONF = """
server.document-root = "%(folder)s"
server.port = %(port)d
server.bind = "127.0.0.1"
server.modules = ( "mod_fastcgi" )
server.stream-response-body = 2
fastcgi.server = ( "/" => (( "socket" => "%(socket)s",
    "check-local" => "disable" )) )
"""


def alias(case):
    return case.replace("/", "-")


def policy(up):
    out = {"log": os.devnull, "attempts": 1, "providers": {}, "models": {},
           "keys": [{"name": "corpus",
                     "secret": "plain:" + world.CLIENT_KEY}]}
    for case in {c for cases in CASES.values() for c in cases} | {
            "errors/openai"}:
        dialect = case.split("/")[0]
        dialect = dialect if dialect in ROOTS else "openai"
        out["providers"][alias(case)] = {
            "adapter": dialect, "key": "plain:sk-x",
            "base_url": up.base("replay/" + case,
                                ROOTS.get(dialect, "v1"))}
        out["models"][alias(case)] = {"targets": [
            {"provider": alias(case), "model": "m"}]}
    return out


@pytest.fixture(scope="module")
def url(up):
    """A lighttpd in front of a pool; its address."""
    if not os.access(LIGHTTPD, os.X_OK):
        pytest.skip("no lighttpd here")
    folder = tempfile.mkdtemp(prefix="tollgate-sdk-")
    with pool.Pool(policy(up)) as p:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        conf = os.path.join(folder, "lighttpd.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(CONF % {"folder": folder, "port": port,
                            "socket": p.socket})
        server = subprocess.Popen([LIGHTTPD, "-D", "-f", conf])
        try:
            wait(port)
            yield "http://127.0.0.1:%d" % port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(10)
            shutil.rmtree(folder)


def wait(port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < end, "no server"
            time.sleep(0.05)


def claude(url):
    return anthropic.Anthropic(api_key=world.CLIENT_KEY, base_url=url,
                               max_retries=0)


CLIENTS = {}


def google(url):
    """It closes its connections when nobody holds it: so it is held."""
    if url not in CLIENTS:
        CLIENTS[url] = genai.Client(
            api_key=world.CLIENT_KEY,
            http_options={"base_url": url, "timeout": 20000})
    return CLIENTS[url]


ASK = [{"role": "user", "content": "When?"}]
TOOL = {"name": "tide_at", "input_schema": {
    "type": "object", "properties": {"port": {"type": "string"}}}}
G_TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(
    name="tide_at", parameters_json_schema=TOOL["input_schema"])])


def rows(kind):
    return pytest.mark.parametrize("case", CASES[kind])


@rows("text")
def test_anthropic_text(url, case):
    m = claude(url).messages.create(model=alias(case), max_tokens=99,
                                    messages=ASK)
    assert m.type == "message" and m.stop_reason == "end_turn"
    assert [b.type for b in m.content] == ["text"] and m.content[0].text
    assert m.usage.input_tokens > 0 and m.usage.output_tokens > 0


@rows("calls")
def test_anthropic_calls_and_back(url, case):
    """A call, and the whole answer as the client gives it back."""
    c = claude(url)
    m = c.messages.create(model=alias(case), max_tokens=99, messages=ASK,
                          tools=[TOOL])
    calls = [b for b in m.content if b.type == "tool_use"]
    assert m.stop_reason == "tool_use" and calls
    assert all(b.name and isinstance(b.input, dict) for b in calls)
    results = [{"type": "tool_result", "tool_use_id": b.id,
                "content": "04:12"} for b in calls]
    m = c.messages.create(
        model=alias(case), max_tokens=99, tools=[TOOL],
        messages=ASK + [{"role": "assistant", "content": m.content},
                        {"role": "user", "content": results}])
    assert m.type == "message"


@pytest.mark.parametrize("case", CASES["text-stream"] +
                         CASES["calls-stream"] + CASES["thought-stream"])
def test_anthropic_stream(url, case):
    """The accumulated message is what the events said."""
    kinds, text, args = [], "", ""
    with claude(url).messages.stream(
            model=alias(case), max_tokens=99, messages=ASK,
            tools=[TOOL]) as s:
        for ev in s:
            kinds.append(ev.type)
            if ev.type == "text":
                text += ev.text
            if ev.type == "input_json":
                args += ev.partial_json
        m = s.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert kinds.count("message_start") == 1
    assert text == "".join(b.text for b in m.content if b.type == "text")
    calls = [b for b in m.content if b.type == "tool_use"]
    assert (m.stop_reason == "tool_use") == bool(calls)
    if case in CASES["calls-stream"]:
        assert [b.input for b in calls] and all(
            b.input.get("port") for b in calls)
    if case in CASES["thought-stream"]:
        assert any(b.type == "thinking" and b.thinking for b in m.content)


def test_anthropic_errors(url):
    with pytest.raises(anthropic.NotFoundError) as e:
        claude(url).messages.create(model="none", max_tokens=9, messages=ASK)
    assert e.value.body["type"] == "error"
    with pytest.raises(anthropic.AuthenticationError):
        anthropic.Anthropic(api_key="wrong", base_url=url,
                            max_retries=0).messages.create(
            model="none", max_tokens=9, messages=ASK)


def test_anthropic_count(url):
    n = claude(url).messages.count_tokens(
        model=alias("shape/whole-plain"), messages=ASK)
    assert 1 < n.input_tokens < 50


@rows("text")
def test_google_text(url, case):
    r = google(url).models.generate_content(model=alias(case),
                                            contents="When?")
    assert r.text and r.candidates[0].finish_reason.name == "STOP"
    assert r.usage_metadata.total_token_count == \
        r.usage_metadata.prompt_token_count + \
        r.usage_metadata.candidates_token_count


@rows("calls")
def test_google_calls_and_back(url, case):
    c = google(url)
    config = types.GenerateContentConfig(tools=[G_TOOL])
    r = c.models.generate_content(model=alias(case), contents="When?",
                                  config=config)
    assert r.function_calls and all(f.name for f in r.function_calls)
    history = [types.Content(role="user", parts=[types.Part(text="When?")]),
               r.candidates[0].content,
               types.Content(role="user", parts=[
                   types.Part(function_response=types.FunctionResponse(
                       id=f.id, name=f.name, response={"result": "04:12"}))
                   for f in r.function_calls])]
    r = c.models.generate_content(model=alias(case), contents=history,
                                  config=config)
    assert r.candidates


@pytest.mark.parametrize("case", CASES["text-stream"] +
                         CASES["calls-stream"] + CASES["thought-stream"])
def test_google_stream(url, case):
    chunks = list(google(url).models.generate_content_stream(
        model=alias(case), contents="When?",
        config=types.GenerateContentConfig(tools=[G_TOOL])))
    parts = [p for c in chunks for k in c.candidates or []
             for p in (k.content and k.content.parts) or []]
    assert chunks[-1].candidates[0].finish_reason.name == "STOP"
    calls = [p.function_call for p in parts if p.function_call]
    if case in CASES["calls-stream"]:
        assert calls and all(f.args.get("port") for f in calls)
    elif case in CASES["text-stream"]:
        assert "".join(p.text or "" for p in parts)
    else:
        assert any(p.thought and p.text for p in parts)


def test_google_errors(url):
    from google.genai import errors
    with pytest.raises(errors.ClientError) as e:
        google(url).models.generate_content(model="none", contents="x")
    assert e.value.code == 404 and e.value.status == "NOT_FOUND"


def test_google_count(url):
    n = google(url).models.count_tokens(model=alias("shape/whole-plain"),
                                        contents="When?")
    assert 1 < n.total_tokens < 50
