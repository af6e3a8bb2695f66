"""JSON as a tree that keeps what a dict would lose: order and digits."""

import json


class Num(str):
    """A number as it was written."""


class Obj:
    """An object: its pairs in order."""

    def __init__(self, pairs):
        self.pairs = list(pairs)

    def __eq__(self, other):
        return isinstance(other, Obj) and self.pairs == other.pairs

    def __repr__(self):
        return "{%s}" % ", ".join("%s: %r" % p for p in self.pairs)

    def get(self, key):
        for k, v in self.pairs:
            if k == key:
                return v
        return None

    def has(self, key):
        return any(k == key for k, _ in self.pairs)

    def set(self, key, value):
        """In its place, or at the end."""
        for i, (k, _) in enumerate(self.pairs):
            if k == key:
                self.pairs[i] = (k, value)
                return
        self.pairs.append((key, value))

    def remove(self, key):
        self.pairs = [p for p in self.pairs if p[0] != key]


def parse(raw):
    return json.loads(raw, object_pairs_hook=Obj, parse_int=Num,
                      parse_float=Num)


def dump(v):
    if isinstance(v, Num):
        return str(v)
    if isinstance(v, Obj):
        return "{%s}" % ",".join("%s:%s" % (json.dumps(k), dump(x))
                                 for k, x in v.pairs)
    if isinstance(v, list):
        return "[%s]" % ",".join(dump(x) for x in v)
    return json.dumps(v)
