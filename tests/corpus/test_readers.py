"""The tests' own readers: they must agree where both are right, and the
strict one must see what is wrong."""

import pytest

import reader
import recording
import world

OPENAI = [c for r in world.roots() for c in recording.cases(r)
          if c.provider == "openai" and c.is_chat() and c.status == 200]

CHUNK = ('{"id":"c","object":"chat.completion.chunk","created":1,'
         '"model":"m","choices":[{"index":0,"delta":%s,'
         '"finish_reason":%s}]}')
CALL = '{"tool_calls":[%s]}'
FIRST = ('{"index":0,"id":"a","type":"function",'
         '"function":{"name":"f","arguments":""}}')
ERROR = ('{"error":{"message":"m","type":"t","param":null,"code":null},'
         '"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}')


def chunk(delta="{}", finish="null"):
    return "data: %s\n\n" % (CHUNK % (delta, finish))


STOP = chunk("{}", '"stop"')
DONE = "data: [DONE]\n\n"
GOOD = chunk('{"content":"a"}') + STOP + DONE


@pytest.mark.parametrize("case", OPENAI, ids=repr)
def test_agree_on_openai(case):
    """OpenAI's own answers are without fault, and both read the same."""
    m = recording.read(case)
    if m.error:
        pytest.skip("an error")
    raw = case.body()
    r = reader.read_stream(raw) if case.body_file == "stream.sse" \
        else reader.read_json(raw)
    assert r.faults == []
    assert r.plain()["choices"] == m.plain()
    assert (r.usage is None) == (m.usage is None)


def test_good_stream():
    r = reader.read_stream(GOOD.encode())
    assert r.faults == [] and r.ended == "done"
    assert r.choices[0].text == "a"
    r = reader.read_stream((chunk('{"content":"a"}') + "data: " + ERROR +
                            "\n\n").encode())
    assert r.faults == [] and r.ended == "error"


BAD_STREAMS = {
    "no end": chunk('{"content":"a"}') + STOP,
    "two ends": GOOD + DONE,
    "after the end": GOOD + STOP,
    "error and end": chunk() + "data: " + ERROR + "\n\n" + DONE,
    "no finish": chunk('{"content":"a"}') + DONE,
    "odd finish": chunk("{}", '"eos"') + DONE,
    "empty finish": chunk("{}", '""') + STOP + DONE,
    "no delta": 'data: {"id":"c","object":"chat.completion.chunk",'
                '"created":1,"model":"m","choices":[{"index":0,'
                '"finish_reason":"stop"}]}\n\n' + DONE,
    "other object": GOOD.replace("chat.completion.chunk", "x"),
    "no id": GOOD.replace('"id":"c",', ""),
    "cut line": GOOD + "data: x",
    "cut event": GOOD + ": x\ndata: x\n",
    "not JSON": "data: {\n\n" + GOOD,
    "NaN": "data: {\"x\":NaN}\n\n" + GOOD,
    "twins": GOOD.replace('"index":0', '"index":0,"index":0'),
    "list content": chunk('{"content":[]}') + STOP + DONE,
    "index from 1": chunk(CALL % FIRST.replace('"index":0', '"index":1')) +
                    STOP + DONE,
    "index string": chunk(CALL % FIRST.replace('"index":0', '"index":"0"')) +
                    STOP + DONE,
    "no call id": chunk(CALL % FIRST.replace('"id":"a",', "")) + STOP + DONE,
    "no call type": chunk(CALL % FIRST.replace('"type":"function",', "")) +
                    STOP + DONE,
    "id twice": chunk(CALL % FIRST) + chunk(CALL % FIRST) + STOP + DONE,
    "null type later": chunk(CALL % FIRST) + chunk(
        CALL % '{"index":0,"type":null,"function":{"arguments":"x"}}') +
        STOP + DONE,
    "object arguments": chunk(CALL % FIRST.replace('""', "{}")) + STOP +
                        DONE,
    "named event": "event: x\n" + GOOD,
    "id field": "id: 1\n" + GOOD,
    "usage null": GOOD.replace('"choices"', '"usage":{"prompt_tokens":null},'
                                            '"choices"'),
    "usage negative": GOOD.replace(
        '"choices"', '"usage":{"prompt_tokens":-1,"completion_tokens":1,'
                     '"total_tokens":0},"choices"'),
    "surrogate": chunk('{"content":"\\ud800"}') + STOP + DONE,
    "bad error": chunk() + 'data: {"error":"x","choices":[{"index":0,'
                           '"delta":{},"finish_reason":"error"}]}\n\n',
    "bare error": chunk() + 'data: {"error":{"message":"m","type":"t",'
                            '"param":null,"code":null}}\n\n',
}


@pytest.mark.parametrize("name", BAD_STREAMS)
def test_sees(name):
    assert reader.read_stream(BAD_STREAMS[name].encode()).faults


def test_sees_bad_utf8():
    assert reader.read_stream(GOOD.encode().replace(b'"a"', b'"\xff"')).faults


WHOLE = ('{"id":"c","object":"chat.completion","created":1,"model":"m",'
         '"choices":[{"index":0,"message":{"role":"assistant",'
         '"content":"a"},"finish_reason":"stop"}]}')


def test_good_whole():
    r = reader.read_json(WHOLE.encode())
    assert r.faults == [] and r.choices[0].text == "a"


@pytest.mark.parametrize("was,now", [
    ('"stop"', "null"), ('"stop"', '"eos"'), ('"role":"assistant",', ""),
    (',"content":"a"', ""), ('"index":0', '"index":1'),
    ("chat.completion", "x"), ('"id":"c",', ""), ('"content":"a"',
                                                  '"content":[]')])
def test_sees_whole(was, now):
    assert reader.read_json(WHOLE.replace(was, now).encode()).faults
