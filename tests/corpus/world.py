"""The cases, the requests made of them, and what is expected of answers."""

import os
import re

import reader
import recording
import tree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
CLIENT_KEY = "corpus-client-key-0123456789"
EXCEPTIONS = os.path.join(HERE, "exceptions.txt")


def corpus_root():
    """The recordings, where this clone has them beside it; or None."""
    root = os.environ.get("TOLLGATE_CORPUS",
                          os.path.join(os.path.dirname(ROOT), "shared",
                                       "corpus"))
    return root if os.path.isdir(root) else None


def roots():
    return [r for r in (FIXTURES, corpus_root()) if r]


def exceptions():
    """{case: reason} of exceptions.txt."""
    out = {}
    with open(EXCEPTIONS, encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if line:
                case, _, reason = line.partition(" ")
                assert reason.strip(), "no reason: " + case
                out[case] = reason.strip()
    return out


def chat_cases():
    skip = exceptions()
    return [c for root in roots() for c in recording.cases(root)
            if c.is_chat() and repr(c) not in skip]


CASES = chat_cases()
MEANING = {}


def meaning(case):
    if case not in MEANING:
        MEANING[case] = recording.read(case)
    return MEANING[case]


def alias(case, kind="m"):
    return re.sub(r"[^A-Za-z0-9._-]", "-", "%s-%s-%s" % (
        kind, case.provider, case.name[-40:].lstrip("-")))


def policy(up):
    """One provider a case for whole replays, one for all pieces."""
    out = {"log": os.devnull, "attempts": 1, "providers": {}, "models": {},
           "keys": [{"name": "corpus",
                     "secret": "plain:" + CLIENT_KEY}]}
    out["providers"]["pieces"] = {
        "adapter": "openai", "base_url": up.base("asked"),
        "key": "plain:sk-pieces"}
    for i, c in enumerate(CASES):
        out["providers"]["p%d" % i] = {
            "adapter": "openai",
            "base_url": up.base("replay/%s/%s" % (c.provider, c.name)),
            "key": "plain:" + provider_key(c)}
        out["models"][alias(c)] = {"targets": [
            {"provider": "p%d" % i, "model": upstream_model(c)}]}
        out["models"][alias(c, "s")] = {"targets": [
            {"provider": "pieces", "model": repr(c)}]}
    return out


def provider_key(case):
    return "sk-test-%s-%s" % (case.provider, case.name)


def upstream_model(case):
    return "up-" + case.name


# --- requests ----------------------------------------------------------------

def recorded_request(case):
    """The recorded request as a tree; a plausible one where none was kept."""
    raw = case.request()
    if raw is None:
        t = tree.parse('{"model":"","messages":[{"role":"user",'
                       '"content":"Hello"}]}')
    else:
        t = tree.parse(raw)
    streamed = case.body_file == "stream.sse" or case.streamed()
    if streamed != (t.get("stream") is True):
        t.set("stream", streamed)
    return t


def is_stream(case):
    return recorded_request(case).get("stream") is True


def ask_usage(t):
    """stream_options.include_usage, in its place or at the end."""
    options = t.get("stream_options")
    if not isinstance(options, tree.Obj):
        options = tree.Obj([])
        t.set("stream_options", options)
    options.set("include_usage", True)


def client_request(case, usage=True):
    """What a client would send for this case: (bytes, tree)."""
    t = recorded_request(case)
    t.set("model", alias(case))
    if usage and t.get("stream") is True:
        ask_usage(t)
    return tree.dump(t).encode()


def pieces_request(case, pieces):
    t = recorded_request(case)
    t.set("model", alias(case, "s"))
    t.remove("stream_options")
    t.set("x_pieces", pieces)
    return tree.dump(t).encode()


CAPS = ("max_tokens", "max_completion_tokens")


def expected_upstream(case, sent):
    """The recorded request with the gateway's edits, as far as sent has
    those that are the gateway's to choose."""
    t = recorded_request(case)
    t.set("model", upstream_model(case))
    if t.get("stream") is True:
        ask_usage(t)
    else:
        t.remove("stream_options")
    if not any(t.has(c) and t.get(c) is not None for c in CAPS):
        for cap in CAPS:
            if isinstance(sent.get(cap), tree.Num):
                t.set(cap, sent.get(cap))
    return t


# --- answers -----------------------------------------------------------------

def by_words(error):
    """The statuses that fit an error inside a 200 answer."""
    words = repr(error["doc"]).lower()
    if "rate_limit" in words or "rate limit" in words:
        return {429}
    if "invalid_request" in words or "tool_use_failed" in words:
        return {400, 502}
    return {500, 502, 503, 504}


# HTTP status of a provider → the statuses that a client may see for it
STATUSES = {400: {400}, 401: {502}, 403: {502},
            404: {404}, 408: {408, 502, 504}, 413: {413}, 422: {422},
            429: {429}, 503: {503}, 504: {504}, 529: {503}}
TYPES = {400: {"invalid_request_error"},
         404: {"model_not_found", "invalid_request_error",
               "not_found_error"},
         502: {"bad_upstream"}, 504: {"upstream_timeout"}}
BAD_KEY = re.compile("incorrect api key|invalid.api.key|api key not valid",
                     re.I)
OUT_OF_MONEY = re.compile("insufficient_quota")


def expected_statuses(error):
    status = error["status"]
    if status == 200:
        return by_words(error)
    if status in (400, 403) and BAD_KEY.search(repr(error["doc"])):
        return {502}
    if status == 402 or OUT_OF_MONEY.search(repr(error["doc"])):
        return {502}  # the gateway's account, not the client's
    if status >= 500:
        return STATUSES.get(status, {502})
    return STATUSES.get(status, {status})


def check_error_status(m, answer, r):
    """Violations of an error answer, as a list of texts."""
    wrong = []
    if m.broken:
        if answer.status != 502:
            wrong.append("status %d for %s" % (answer.status, m.broken))
        return wrong
    want = expected_statuses(m.error)
    if answer.status not in want:
        wrong.append("status %d, expected %s (provider: %s %s)" % (
            answer.status, sorted(want), m.error["status"],
            m.error["message"][:80]))
    if r.error is None:
        return wrong
    kind = r.error.get("type")
    if answer.status == 429:
        if kind != "rate_limit_exceeded":
            wrong.append("type %r under 429" % kind)
    elif answer.status in TYPES and kind not in TYPES[answer.status]:
        if answer.status != 400 or m.error["status"] not in (400, 200):
            wrong.append("type %r under %d" % (kind, answer.status))
    if answer.status in (400, 404, 413, 422) and \
            m.error["message"].strip()[:200] not in r.error["message"]:
        wrong.append("message %r, the provider said %r" % (
            r.error["message"][:120], m.error["message"][:120]))
    return wrong


def same_calls(want, got):
    if len(want) != len(got):
        return "%d calls, expected %d" % (len(got), len(want))
    for a, b in zip(want, got):
        for name in ("name", "arguments", "type"):
            if a[name] != b[name]:
                return "call %s %r, expected %r" % (name, b[name], a[name])
        if a["id"] is not None and a["id"] != b["id"]:
            return "call id %r, expected %r" % (b["id"], a["id"])
    ids = [b["id"] for b in got]
    if len(set(ids)) != len(ids):
        return "call ids %r" % ids
    return None


def same_choices(want, got, finish=True):
    """Violations between recording's and reader's plain choices."""
    wrong = []
    if sorted(want) != sorted(got):
        return ["choices %s, expected %s" % (sorted(got), sorted(want))]
    for i in want:
        a, b = dict(want[i]), dict(got[i])
        calls = same_calls(a.pop("calls"), b.pop("calls"))
        if calls:
            wrong.append(calls)
        names = ["text", "reasoning", "refusal", "function"]
        names += ["finish"] if finish else []
        for name in names:
            if a[name] != b[name]:
                wrong.append("choice %d: %s is %r, expected %r" % (
                    i, name, b[name], a[name]))
    return wrong


def same_usage(want, got):
    if got is None:
        return ["no usage, expected %r" % want]
    wrong = []
    if got.get("prompt_tokens") != want["prompt"]:
        wrong.append("prompt_tokens %r, expected %r" % (
            got.get("prompt_tokens"), want["prompt"]))
    if got.get("completion_tokens") not in (
            want["completion"], want["completion"] + want["reasoning"]):
        wrong.append("completion_tokens %r, expected %r" % (
            got.get("completion_tokens"), want["completion"]))
    return wrong


def check_answer(case, answer, usage=True):
    """All that is wrong with an answer to this case, as texts."""
    m = meaning(case)
    stream = is_stream(case)
    if not answer.complete:
        return ["the answer is broken off"]
    r = reader.read_answer(answer.status, answer.header("content-type"),
                           answer.body, stream)
    wrong = list(r.faults)
    failed = m.error is not None or m.broken is not None
    if failed and not (stream and m.content):
        if answer.status == 200:
            wrong.append("status 200, expected an error (%s)" % (
                m.broken or m.error["message"]))
            return wrong
        return wrong + check_error_status(m, answer, r)
    if answer.status != 200:
        return wrong + ["status %d: %r" % (answer.status,
                                           answer.body[:200])]
    if failed and r.ended != "error":
        wrong.append("no error event, expected one (%s)" % (
            m.broken or m.error["message"]))
    if not failed and r.ended != "done":
        wrong.append("ended by %s: %r" % (r.ended, r.error))
    wrong += same_choices(m.plain(), r.plain()["choices"], not failed)
    if m.usage and not failed and (usage or not stream):
        wrong += same_usage(m.usage, r.usage)
    if not usage and r.usage_events:
        wrong.append("a usage event that nobody asked for")
    return wrong
