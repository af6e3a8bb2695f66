"""The provider, the program with a policy of all cases, and their paths."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

import pool  # noqa: E402
import upstream  # noqa: E402
import world  # noqa: E402


@pytest.fixture(scope="session")
def up():
    with upstream.Upstream(world.roots()) as u:
        yield u


@pytest.fixture(scope="session")
def gate(up):
    """The program; it must live to the end and leave when asked."""
    if not os.access(pool.program(), os.X_OK):
        pytest.fail("no program at %s (TOLLGATE_BUILD)" % pool.program())
    p = pool.Pool(world.policy(up)).start()
    yield p
    alive = p.alive()
    status = p.stop()
    log = p.log()
    p.clean()
    assert alive, "the program died:\n" + log
    assert status == 0, "exit status %r:\n%s" % (status, log)
    assert "ERROR: AddressSanitizer" not in log, log
    assert "runtime error:" not in log, log
