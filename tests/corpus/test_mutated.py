"""Answers of the same kinds that nobody has recorded: each recorded answer
with changes that must not matter (mutate.py), through the canonical form."""

import random

import pytest

import mutate
import test_roundtrip as roundtrip

ITEMS = [i for i in roundtrip.ITEMS if i[2] != "request"]


@pytest.mark.parametrize("case,dialect,kind", ITEMS, ids=[
    "%s>%s" % (c, k) for c, _, k in ITEMS])
def test_same(tmp_path, case, dialect, kind):
    draw = random.Random(repr(case))
    names = mutate.draw_names(draw)
    text = (roundtrip.stream_of(case) if kind == "stream" else
            case.body()).decode("utf-8", "surrogateescape")
    try:
        changed = mutate.answer(text, kind == "stream", names, draw)
    except ValueError:
        pytest.skip("no JSON to change")
    wrong = roundtrip.check_text(
        tmp_path, case, dialect, kind,
        changed.encode("utf-8", "surrogateescape"))
    wrong = [w for w in wrong if not roundtrip.listed(
        roundtrip.EXCEPTIONS, dialect, w)]
    assert not wrong, "%s\n%s" % (sorted(names), "\n".join(wrong))
