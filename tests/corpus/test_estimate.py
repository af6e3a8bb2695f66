"""The token estimate against what providers counted."""

import os
import re
import subprocess

import pytest

import world


def test_estimate():
    build = os.environ.get("TOLLGATE_BUILD", world.ROOT)
    corpus = world.corpus_root()
    if corpus is None:
        pytest.skip("no recordings")
    subprocess.run(["make", "-s", "-C", build, "tests/bench/estimate"],
                   check=True, timeout=100, stdout=subprocess.DEVNULL)
    out = subprocess.run([os.path.join(build, "tests/bench/estimate"),
                          corpus], check=True, timeout=60,
                         capture_output=True, text=True).stdout
    print(out)
    share = {what.strip(): (int(n), int(near)) for what, n, near in re.findall(
        r"^(.*?) +(\d+) cases, within 15 %: +(\d+) %", out, re.M)}
    assert share["without tools"][0] > 100
    assert share["without tools"][1] >= 90
    assert share["with tools"][1] >= 80
