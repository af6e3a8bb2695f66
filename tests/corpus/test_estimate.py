"""The token estimate against what providers counted."""

import os
import re
import subprocess
import sys

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
    assert share["without tools"][1] >= 92
    assert share["with tools"][1] >= 89
    assert share["all"][1] >= 91
    # Never a reason to refuse: below the smallest window there is.
    assert int(re.search(r"a quarter too large.*up to (\d+)",
                         out).group(1)) < 2048
    fit(build, corpus)


def fit(build, corpus):
    """With each request left out of the fit that judges it."""
    numbers = subprocess.run([os.path.join(build, "tests/bench/estimate"),
                              "-f", corpus], check=True, timeout=60,
                             capture_output=True, text=True).stdout
    done = subprocess.run([sys.executable, os.path.join(
        world.ROOT, "tests/bench/estimate_fit.py"), "-"], input=numbers,
        check=True, timeout=100, capture_output=True, text=True)
    print(done.stderr)
    share = re.search(r"^left out: ([\d.]+) %", done.stderr, re.M)
    assert float(share.group(1)) >= 85
