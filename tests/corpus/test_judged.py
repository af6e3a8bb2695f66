"""No recording is left lying: each is in a list of cases that a test judges,
or stands in exceptions.txt or not_judged.txt with its reason."""

import fnmatch
import importlib
from pathlib import Path

import recording
import world

HERE = Path(__file__).resolve().parent
NOT_JUDGED = HERE / "not_judged.txt"


def found(values):
    return {repr(v) for v in values if isinstance(v, recording.Case)}


def judged():
    """What stands in a list of cases of any module here."""
    out = set()
    for f in HERE.glob("*.py"):
        if f.stem == "conftest":
            continue
        for value in vars(importlib.import_module(f.stem)).values():
            if isinstance(value, (list, tuple)):
                out |= found(value)
    return out


def reasons():
    """{pattern: reason}"""
    out = {}
    for line in NOT_JUDGED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern, _, reason = line.partition("  ")
            assert reason.strip() and pattern not in out, line
            out[pattern] = reason
    return out


def fits(case, pattern):
    return any(fnmatch.fnmatchcase(name, pattern) for name in (
        repr(case), "%s/%s" % (case.provider, case.api)))


def test_every_case():
    cases = [c for root in world.roots() for c in recording.cases(root)]
    known, rows = judged(), reasons()
    left = [repr(c) for c in cases
            if repr(c) not in known and repr(c) not in world.exceptions()
            and not any(fits(c, p) for p in rows)]
    assert not left, "nobody judges: " + ", ".join(left)
    if world.corpus_root():
        assert not [p for p in rows if not any(fits(c, p) for c in cases)]
