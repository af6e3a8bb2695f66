"""Surface A → canonical form → surface A says the same: every request and
every answer of the recordings, whole and streamed, read and written by one
adapter. tests/corpus/roundtrip.c is the way, judge.py says what is the same.

Completions have no way of their own through the canonical form: a provider of
plain prompts gets those of its own dialect only, and test_completions.py has
them."""

import json
import os
import re
import subprocess

import pytest

import judge
import pool
import recording
import recording_responses
import world

APIS = {"responses": "responses", "mantle-responses": "responses",
        "messages": "anthropic", "rawPredict": "anthropic",
        "streamRawPredict": "anthropic", "generateContent": "gemini",
        "streamGenerateContent": "gemini"}
PLAIN = {
    "openai": {"messages": [{"role": "user", "content": "x"}]},
    "anthropic": {"max_tokens": 10,
                  "messages": [{"role": "user", "content": "x"}]},
    "responses": {"input": "x"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}}

# (dialect, what roundtrip says, why it is right to refuse)
REFUSED = [
    (".*", r"known to its own provider only$",
     "a tool that the provider runs itself: no other one has it"),
    (".*", r"a content part of another dialect$",
     "what the provider's own tools did, and documents to cite from"),
    ("anthropic", r"cannot cite documents$",
     "citations of documents that were sent along: Anthropic's own"),
    ("responses", r"is an item of type '\w+' that this model's provider",
     "what the provider's own tools did"),
    ("responses", r"'(previous_response_id|background|prompt)' is not taken",
     "the provider would have to keep responses"),
    ("responses", r"'tool_choice' names no function$",
     "the choice of a tool that the provider runs itself"),
    ("openai", r"'response_format' (has no JSON schema|is of an unknown "
     "type)$", "grammars and patterns of single providers; broken requests"),
    ("openai", r"'model' holds a space or control character$",
     "recorded for their errors"),
    (".*", r"role: field required$|a role other than user and model$",
     "recorded for their errors"),
]

# (dialect, what differs, why that is right or cannot be helped)
EXCEPTIONS = [
    ("openai", r"^\.(id|model): None became|tool_calls\[\d+\]\.id: None",
     "made where the provider gave none: clients need it"),
    ("openai", r"^\.messages\[\d+\]\.reasoning_details\[\d+\]|"
     r"^\.messages\[\d+\]\.reasoning_details: ",
     "proofs go to their maker, who speaks another dialect"),
    ("openai", r"tool_calls: .*\{\"port\":\"Oslo\"\}\{\"port\":\"Riga\"\}",
     "two calls under one number: the adapter tells them apart by their ids"),
    ("openai", r"finish_reason: 'something_new' became 'stop'",
     "a word that nobody knows"),
    ("anthropic", r"output_config(\.effort)?: .* 'medium'",
     "the canonical form has no thinking without an effort"),
    ("anthropic", r"^\.output_config\.effort: 'xhigh' became 'max'",
     "the canonical form has one word for all beyond high"),
    ("anthropic", r"^\.thinking\.(type|display): None became|"
     r"^\.thinking: None became", "to ask for effort is to ask for thinking"),
    ("responses", r"^\.input(\[\d+\])?: .*reasoning_text",
     "reasoning that proves nothing is not sent back: OpenAI refuses it"),
    ("responses", r"\.phase: ", "nobody else has phases of a turn"),
    ("responses", r"prompt_cache_breakpoint",
     "another form of cache mark, which the client is not told of"),
    ("responses", r"^\.tools\[0\]\.(description|format|type|parameters)",
     "a tool of free text becomes a function with one text; its grammar "
     "goes into the description"),
    ("responses", r"logprob: -?[\d.e-]+ became -?[\d.e-]+",
     "the provider rounds them in its last event only"),
    ("responses", r"'custom_tool_call'.* became \[\]",
     "never asked for across dialects: such a tool becomes a function"),
    ("responses", r"'The command ran successfully in the container",
     "the recording lacks most of its deltas"),
    ("responses", r"encrypted_content: 'gAAA.* became 'gAAA",
     "sealed anew by the provider in its last event"),
    ("responses", r"^\.id: 'resp_capture-id-\d+'",
     "the recording has another one in each event"),
    ("gemini", r"function(Call|Response)\.id: '.* became None",
     "calls are bound to their answers by name, and by an order that is "
     "kept"),
    ("gemini", r"includeThoughts: True became None",
     "asked for with no amount: models that think show it by themselves"),
    ("gemini", r"mode: 'VALIDATED' became 'AUTO'",
     "no other dialect has it"),
    ("gemini", r"finishReason: '(SOMETHING_NEW|MALFORMED_FUNCTION_CALL|"
     r"UNEXPECTED_TOOL_CALL|OTHER|RECITATION|PROHIBITED_CONTENT|"
     r"MODEL_ARMOR|IMAGE_SAFETY|BLOCKLIST|SPII|FAKE_NEW_FINISH_REASON)' "
     r"became",
     "the canonical form knows why in five words"),
    ("gemini", r"^\.candidates: (None|\[\]) became .*'SAFETY'",
     "a prompt that is blocked is an answer that was filtered"),
]
HIT = set()


def dialect_of(case):
    if case.meta.get("method", "POST") != "POST":
        return None
    return "openai" if case.is_chat() else APIS.get(case.api)


def request_of(case, dialect):
    """The recorded request as a document, or None."""
    try:
        doc = json.loads(case.request() or b"")
    except ValueError:
        return None
    if not isinstance(doc, dict):
        return None
    if dialect != "gemini":
        doc.setdefault("model", "m")  # it stands in the path of some
    return doc


def items():
    """[(case, dialect, "request" | "reply" | "stream")]"""
    skip = world.exceptions()
    out = []
    for root in world.roots():
        for case in recording.cases(root):
            dialect = dialect_of(case)
            if dialect is None or repr(case) in skip:
                continue
            if request_of(case, dialect) is not None:
                out.append((case, dialect, "request"))
            if case.status // 100 != 2:
                continue
            kind = {"response.json": "reply", "stream.sse": "stream",
                    "stream.json": "stream"}.get(case.body_file)
            if kind:
                out.append((case, dialect, kind))
    return out


def names(case):
    """Model and the rest of the path."""
    m = re.search(r"models/([^/:]+):(\w+)", case.path)
    model = m[1] if m else "gemini-2.5-flash"
    return model, "%s:%s" % (model, "streamGenerateContent" if case.body_file
                             .startswith("stream") else "generateContent")


def stream_of(case):
    """As events: Google's other form is one array."""
    body = case.body()
    if case.body_file != "stream.json":
        return body
    return b"".join(b"data: %s\n\n" % json.dumps(e).encode()
                    for e in json.loads(body))


def trip(folder, case, dialect, kind, doc, answer=None):
    """(status, extras, what was written or the reason)"""
    model, path = names(case)
    if dialect != "gemini":
        model, path = str(doc.get("model", "m")), ""
    argv = [os.path.join(os.path.dirname(os.path.dirname(pool.program())),
                         "tests", "corpus", "roundtrip"),
            kind, dialect, model, path]
    for i, text in enumerate((json.dumps(doc).encode(), answer)):
        if text is not None:
            argv.append(str(folder / str(i)))
            (folder / str(i)).write_bytes(text)
    p = subprocess.run(argv, capture_output=True, timeout=20, check=False)
    if p.returncode != 0:
        return p.returncode, [], p.stderr.decode().strip()
    extras, _, body = p.stdout.partition(b"\n")
    return 0, json.loads(extras), body


def listed(table, dialect, text):
    for row in table:
        if re.match(row[0] + "$", dialect) and re.search(row[1], text):
            HIT.add(row)
            return True
    return False


def is_error(case, dialect, kind):
    """Does the recording itself end in an error, or is it cut off?"""
    if dialect == "openai":
        m = world.meaning(case)
    elif dialect == "responses":
        m = recording_responses.read(case)
    else:
        import dialects
        m = dialects.READERS[dialect].read(case)
    return bool(m.error or m.broken)


def check_request(folder, case, dialect):
    doc = request_of(case, dialect)
    status, extras, body = trip(folder, case, dialect, "request", doc)
    if status == 3:
        assert listed(REFUSED, dialect, body), body
        return []
    assert status == 0, body
    return [d for d in judge.differences(
        judge.normal(dialect, "request", doc, extras),
        judge.normal(dialect, "request", json.loads(body), extras))
        if not judge.told(d, extras)]


def check_answer(folder, case, dialect, kind):
    return check_text(folder, case, dialect, kind, stream_of(case)
                      if kind == "stream" else case.body())


def check_text(folder, case, dialect, kind, whole):
    doc = request_of(case, dialect)
    # Only what answers repeat of their requests is wanted of these.
    plain = dict(PLAIN[dialect], model=str((doc or {}).get("model", "m")))
    status, _, body = trip(folder, case, dialect, kind, plain, whole)
    if status == 3:
        assert is_error(case, dialect, kind) or \
            listed(REFUSED, dialect, body), body
        return []
    assert status == 0, body
    if kind == "stream":
        a, b = (judge.whole(dialect, recording_responses.events(x))
                for x in (whole, body))
    else:
        a, b = json.loads(whole), json.loads(body)
    return judge.differences(judge.normal(dialect, kind, a),
                             judge.normal(dialect, kind, b))


ITEMS = items()


@pytest.mark.parametrize("case,dialect,kind", ITEMS, ids=[
    "%s>%s" % (c, k) for c, _, k in ITEMS])
def test_same(tmp_path, case, dialect, kind):
    if kind == "request":
        wrong = check_request(tmp_path, case, dialect)
    else:
        wrong = check_answer(tmp_path, case, dialect, kind)
    wrong = [w for w in wrong if not listed(EXCEPTIONS, dialect, w)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not world.corpus_root(), reason="no recordings")
def test_no_idle_exceptions():
    """Each row is still needed (runs last, in the same process)."""
    if len(ITEMS) and not HIT:
        pytest.skip("only part of the tests was run")
    idle = [r[1] for r in REFUSED + EXCEPTIONS if r not in HIT]
    assert not idle, idle
