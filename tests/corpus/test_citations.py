"""Pages that an answer rests on: from every dialect that tells of them to
clients of every surface, streamed and not. What a recording cites is read
here, by nothing of the product; the SDKs' types judge what clients get."""

import json

import pytest

import dialects
import pool
import recording
import recording_responses
import world

SURFACES = ("openai", "anthropic", "gemini", "responses")
URIS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
        "responses": "/v1/responses"}


def events(raw):
    """The data of each event of a stream."""
    out = []
    for line in raw.decode("utf-8", "replace").splitlines():
        if line.startswith("data:") and line[5:].strip() not in (
                "", "[DONE]"):
            out.append(json.loads(line[5:]))
    return out


def docs(body, stream):
    return events(body) if stream else [json.loads(body)]


# --- what each dialect says: [(url, title, text that it is for or None)] -------------

def chars(text, note):
    start, end = note.get("start_index") or 0, note.get("end_index") or 0
    return text[start:end] if end > start else None


def openai_pages(found):
    text, notes, beside = "", [], []
    for d in found:
        for c in d.get("choices") or []:
            m = c.get("delta") or c.get("message") or {}
            if c.get("index", 0) != 0 or not isinstance(m, dict):
                continue
            if isinstance(m.get("content"), str):
                text += m["content"]
            notes += [n.get("url_citation") or n
                      for n in m.get("annotations") or []]
        beside = beside or d.get("search_results") or \
            d.get("citations") or []
    if not notes:
        notes = [{"url": b} if isinstance(b, str) else b for b in beside]
    return text, [(n["url"], n.get("title") or "", chars(text, n))
                  for n in notes if n.get("url")]


def anthropic_pages(found):
    blocks = []
    for d in found:
        if "content" in d:
            blocks = d["content"]
        if d.get("type") == "content_block_start":
            blocks.append(dict(d["content_block"]))
        delta = d.get("delta") or {}
        if delta.get("type") == "text_delta":
            blocks[d["index"]]["text"] += delta["text"]
        if delta.get("type") == "citations_delta":
            b = blocks[d["index"]]
            b["citations"] = (b.get("citations") or []) + [
                delta["citation"]]
    blocks = [b for b in blocks if b["type"] == "text"]
    return "".join(b["text"] for b in blocks), [
        (c["url"], c.get("title") or "", b["text"]) for b in blocks
        for c in b.get("citations") or [] if c.get("url")]


def gemini_pages(found):
    text, meta = "", {}
    for d in found:
        for c in d.get("candidates") or []:
            for p in (c.get("content") or {}).get("parts") or []:
                if "text" in p and not p.get("thought"):
                    text += p["text"]
            meta = c.get("groundingMetadata") or meta
    pages = [c.get("web") or c.get("retrievedContext") or {}
             for c in meta.get("groundingChunks") or []]
    out, used = [], set()
    for s in meta.get("groundingSupports") or []:
        seg = s["segment"]
        part = text.encode()[seg.get("startIndex", 0):seg["endIndex"]]
        for i in s.get("groundingChunkIndices") or []:
            if pages[i].get("uri"):
                used.add(i)
                out.append((pages[i]["uri"], pages[i].get("title") or "",
                            part.decode("utf-8", "replace")))
    return text, out + [(p["uri"], p.get("title") or "", None)
                        for i, p in enumerate(pages)
                        if i not in used and p.get("uri")]


def responses_pages(found):
    last = found[-1].get("response") or found[-1]
    text, out = "", []
    for item in last.get("output") or []:
        for p in item.get("content") or [] if item["type"] == "message" \
                else []:
            text += p.get("text") or ""
            out += [(n["url"], n.get("title") or "", chars(p["text"], n))
                    for n in p.get("annotations") or []
                    if n["type"] == "url_citation"]
    return text, out


READ = {"openai": openai_pages, "anthropic": anthropic_pages,
        "gemini": gemini_pages, "responses": responses_pages}


def dialect_of(case):
    if recording_responses.is_responses(case):
        return "responses"
    return dialects.dialect_of(case) or (
        "openai" if case in world.CASES else None)


def cited(case):
    """(dialect, text, pages) of a recording that cites some."""
    dialect = dialect_of(case)
    if dialect is None or case.status != 200:
        return None
    try:
        found = docs(case.body(), case.body_file == "stream.sse")
        text, pages = READ[dialect](found)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None # broken in a way that other tests are about
    return (dialect, text, pages) if pages and text else None


FOUND = {repr(c): (c, cited(c)) for c in
         world.CASES + dialects.CASES + [
             c for root in world.roots() for c in recording.cases(root)
             if recording_responses.is_responses(c)]}
FOUND = {k: v for k, v in FOUND.items() if v[1] is not None}


@pytest.fixture(scope="module")
def gate(up):
    policy = {"log": "/dev/null", "attempts": 1, "providers": {},
              "models": {}, "keys": [
                  {"name": "corpus", "secret": "plain:" + world.CLIENT_KEY}]}
    for i, (name, (c, (dialect, _, _))) in enumerate(FOUND.items()):
        root = {"anthropic": "", "gemini": "v1beta"}.get(dialect, "v1")
        policy["providers"]["p%d" % i] = {
            "adapter": dialect, "key": "plain:sk-cited",
            "base_url": up.base("replay/" + name, root)}
        policy["models"]["m%d" % i] = {"targets": [
            {"provider": "p%d" % i, "model": "up"}]}
    with pool.Pool(policy) as p:
        yield p


def ask(gate, surface, model, stream):
    if surface == "gemini":
        return dialects.ask(gate, dialects.gemini_uri(model, stream), {
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    doc = {"model": model, "stream": stream}
    if surface == "responses":
        doc["input"] = "hi"
    else:
        doc["messages"] = [{"role": "user", "content": "hi"}]
    if surface == "anthropic":
        doc["max_tokens"] = 500
    return dialects.ask(gate, URIS[surface], doc)


def each(value, key):
    """All values of that key, wherever they are."""
    if isinstance(value, dict):
        for k, v in value.items():
            if k == key:
                yield v
            yield from each(v, key)
    elif isinstance(value, list):
        for v in value:
            yield from each(v, key)


def judge(surface, found):
    """The SDKs' types take every citation."""
    pydantic = pytest.importorskip("pydantic")
    if surface == "openai":
        from openai.types.chat.chat_completion_message import Annotation
        kind, key = list[Annotation], "annotations"
    elif surface == "responses":
        from openai.types.responses.response_output_text import Annotation
        kind, key = list[Annotation], "annotations"
    elif surface == "gemini":
        from google.genai.types import GroundingMetadata
        kind, key = GroundingMetadata, "groundingMetadata"
    else:
        from anthropic.types import CitationsWebSearchResultLocation
        kind = list[CitationsWebSearchResultLocation]
        judged = [[c] for c in each(found, "citation")] + [
            c for c in each(found, "citations") if c]
        for c in judged:
            pydantic.TypeAdapter(kind).validate_python(c)
        return
    for v in each(found, key):
        pydantic.TypeAdapter(kind).validate_python(v)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", FOUND)
def test_cited(gate, name, surface):
    case, (dialect, text, pages) = FOUND[name]
    stream = case.body_file == "stream.sse"
    answer = ask(gate, surface, "m%d" % list(FOUND).index(name), stream)
    assert answer.status == 200, answer.body
    found = docs(answer.body, stream)
    got_text, got = READ[surface](found)
    assert got_text == text
    if surface == dialect:
        assert got == pages
        return
    judge(surface, found)
    assert {p[:2] for p in got} == {p[:2] for p in pages}
    if surface == "anthropic":
        return # a citation is of a whole block there
    placed = {p for p in pages if p[2]}
    if surface == "openai" or dialect != "openai":
        assert {p for p in got if p[2]} == placed


def test_goes_back(gate, up):
    """An answer with citations that we made, given back to Anthropic, goes
    without them: it would refuse their proofs; its own stay."""
    name = "anthropic/whole-cited"
    made = json.loads(ask(gate, "anthropic", "m%d" % list(FOUND).index(
        "shape/search-addresses-whole"), False).body)["content"]
    assert len(made[0]["citations"]) == 2
    own = dict(made[0]["citations"][0], encrypted_index="eA==")
    doc = {"model": "m%d" % list(FOUND).index(name), "max_tokens": 5,
           "messages": [
               {"role": "user", "content": "hi"},
               {"role": "assistant", "content": made + [
                   {"type": "text", "text": "yes", "citations": [own]}]},
               {"role": "user", "content": "go on"}]}
    assert dialects.ask(gate, "/v1/messages", doc).status == 200
    sent = json.loads(up.last("replay/" + name)["body"])
    assert sent["messages"][1]["content"] == [
        dict(made[0], citations=[]),
        {"type": "text", "text": "yes", "citations": [own]}]


def test_enough_cases():
    kinds = {(v[1][0], v[0].body_file == "stream.sse")
             for v in FOUND.values()}
    assert {(d, s) for d in ("openai", "anthropic", "gemini")
            for s in (True, False)} <= kinds
    assert ("responses", True) in kinds
    if world.corpus_root() is not None:
        assert len(FOUND) > 15
