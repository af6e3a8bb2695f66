"""Is a request one that the official SDK's types allow? Types are those of
the packages openai, anthropic and google-genai; members that they do not
name are wrong."""

import collections.abc
import types
import typing

import typing_extensions as te

STRIP = (te.Required, te.NotRequired, typing.Required, typing.NotRequired,
         te.Annotated, typing.Annotated)


def check(value, kind, at="$"):
    """Where value is not of the type, as a list of texts; [] = it is."""
    origin, args = te.get_origin(kind), te.get_args(kind)
    if isinstance(kind, te.TypeAliasType):
        return check(value, kind.__value__, at)
    if origin in STRIP:
        return check(value, args[0], at)
    if origin in (typing.Union, types.UnionType):
        return check_union(value, args, at)
    if origin in (typing.Literal, te.Literal):
        return [] if value in args else ["%s: %r is not of %r" % (
            at, value, args)]
    if te.is_typeddict(kind):
        return check_dict(value, kind, at)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        if not isinstance(value, list):
            return ["%s: no list" % at]
        return [e for i, v in enumerate(value)
                for e in check(v, args[0], "%s[%d]" % (at, i))]
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            return ["%s: no object" % at]
        return [e for k, v in value.items()
                for e in check(v, args[1], "%s.%s" % (at, k))]
    return check_plain(value, kind, at)


def check_plain(value, kind, at):
    if kind in (object, typing.Any):
        return []
    if kind is None or kind is type(None):
        return [] if value is None else ["%s: not null" % at]
    if kind is float and isinstance(value, int):
        kind = int
    if not isinstance(kind, type) or te.is_protocol(kind):
        return ["%s: %r fits no %r" % (at, value, kind)]
    if not isinstance(value, kind) or \
            isinstance(value, bool) and kind is not bool:
        return ["%s: %r is no %s" % (at, value, kind.__name__)]
    return []


def check_union(value, args, at):
    best = None
    for a in args:
        wrong = check(value, a, at)
        if not wrong:
            return []
        same = isinstance(value, dict) and te.is_typeddict(a) and \
            not [w for w in wrong if w.startswith("%s.type:" % at) or
                 w.startswith("%s.role:" % at)]
        if best is None or same:
            best = wrong
    return best


def check_dict(value, kind, at):
    if not isinstance(value, dict):
        return ["%s: no object" % at]
    hints = te.get_type_hints(kind, include_extras=True)
    needed = getattr(kind, "__required_keys__", ())
    wrong = ["%s: %s is missing" % (at, k) for k in needed if k not in value]
    for k, v in value.items():
        if k not in hints:
            wrong.append("%s: %s is not known" % (at, k))
        else:
            wrong += check(v, hints[k], "%s.%s" % (at, k))
    return wrong


def check_openai(doc):
    from openai.types.chat import completion_create_params as p
    kind = p.CompletionCreateParamsStreaming if doc.get("stream") \
        else p.CompletionCreateParamsNonStreaming
    return check(doc, kind)


def check_anthropic(doc):
    from anthropic.types import message_create_params as p
    kind = p.MessageCreateParamsStreaming if doc.get("stream") \
        else p.MessageCreateParamsNonStreaming
    # Models before 4.7 take these; the SDK of today no longer names them.
    doc = {k: v for k, v in doc.items()
           if k not in ("temperature", "top_p", "top_k")
           or not isinstance(v, (int, float))}
    return check(doc, kind) + anthropic_rules(doc)


def anthropic_rules(doc):
    """What its documentation demands beyond types."""
    wrong, before, open_calls = [], None, set()
    for i, m in enumerate(doc["messages"]):
        blocks = m["content"] if isinstance(m["content"], list) else [
            {"type": "text", "text": m["content"]}]
        if m["role"] == before:
            wrong.append("messages[%d]: again %s" % (i, before))
        before = m["role"]
        if not blocks:
            wrong.append("messages[%d]: no content" % i)
        answered = {b["tool_use_id"] for b in blocks
                    if b["type"] == "tool_result"}
        if answered != open_calls:
            wrong.append("messages[%d]: answers %r, called %r" % (
                i, answered, open_calls))
        kinds = [b["type"] == "tool_result" for b in blocks]
        if kinds != sorted(kinds, reverse=True):
            wrong.append("messages[%d]: a result behind others" % i)
        open_calls = {b["id"] for b in blocks if b["type"] == "tool_use"}
        if any(b["type"] == "text" and not b["text"].strip()
               for b in blocks):
            wrong.append("messages[%d]: an empty text" % i)
    return wrong


def check_gemini(doc):
    from google.genai import types as g
    from pydantic import ValidationError
    kinds = {"contents": g.Content, "tools": g.Tool,
             "systemInstruction": g.Content, "toolConfig": g.ToolConfig,
             "generationConfig": g.GenerationConfig,
             "safetySettings": g.SafetySetting}
    wrong = ["%s is not known" % k for k in doc if k not in kinds]
    for k, kind in kinds.items():
        values = doc.get(k, [])
        for v in values if isinstance(values, list) else [values]:
            try:
                kind.model_validate(v)
            except ValidationError as e:
                wrong.append("%s: %s" % (k, e))
    before = None
    for i, c in enumerate(doc["contents"]):
        if c["role"] == before or not c["parts"]:
            wrong.append("contents[%d]: %r, %d parts" % (
                i, c["role"], len(c["parts"])))
        before = c["role"]
    return wrong


CHECKS = {"openai": check_openai, "anthropic": check_anthropic,
          "gemini": check_gemini}
