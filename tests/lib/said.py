"""What an answer says, whatever dialect it was said in.

The readers of single dialects fill it; tests compare two of them.  Calls are
compared as (name, arguments as JSON), texts as they read in one piece.
"""

import json


class Said:
    def __init__(self):
        self.text = ""
        self.reasoning = ""
        self.refusal = ""
        self.calls = []        # [id, name, arguments as text]
        self.signatures = []   # opaque strings that prove reasoning
        self.sealed = []       # reasoning that only its maker can read
        self.media = []        # (type, base64)
        self.finish = None     # "stop", "length", "tools", "content"
        self.stop = None       # the stop sequence

    def plain(self):
        return {"text": self.text, "reasoning": self.reasoning,
                "refusal": self.refusal, "finish": self.finish,
                "media": list(self.media),
                "calls": [(name, arguments(args))
                          for _, name, args in self.calls]}


class Meaning:
    def __init__(self):
        self.choices = {}
        self.usage = None      # {"in", "out"}
        self.error = None      # {"status", "message", "doc"}
        self.broken = None     # why it is no answer
        self.content = False   # something for the reader came before the end
        self.faults = []       # what is against the dialect's grammar
        self.id = self.model = None

    def choice(self, i):
        return self.choices.setdefault(i, Said())

    def plain(self):
        return {i: c.plain() for i, c in sorted(self.choices.items())}

    def fault(self, fmt, *args):
        self.faults.append(fmt % args if args else fmt)


def arguments(text):
    """Arguments as a value; text that is no JSON stays text."""
    if not isinstance(text, str):
        return text
    if text.strip() == "":
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_count(v):
    return isinstance(v, int) and not isinstance(v, bool) and v >= 0
