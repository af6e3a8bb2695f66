"""Fixtures of the stack tests: the test provider, the fronts, their logs."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

from house import TOP, Site, standard  # noqa: E402
from servers import chosen, open_front  # noqa: E402
from upstream import Upstream  # noqa: E402

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the logs of what was running when a test failed."""
    report = (yield).get_result()
    if report.failed:
        for site in Site.live:
            for name, text in site.logs().items():
                report.sections.append((f"{site.dir}/{name}", text))


@pytest.fixture(scope="session")
def upstream():
    with Upstream() as up:
        yield up


@pytest.fixture(scope="session", params=chosen())
def front(request, upstream):
    """A web server with tollgate, serving the standard models."""
    with Site(upstream) as site:
        standard(site).write()
        yield open_front(site, request.param)


@pytest.fixture
def site(upstream):
    """A folder for one test that starts servers of its own."""
    with Site(upstream) as site:
        yield site


@pytest.fixture(scope="session")
def node_modules():
    """Where npm put the Node SDK; tests/run does."""
    path = Path(os.environ.get("TOLLGATE_NODE_MODULES",
                               TOP / "build/test/node/node_modules"))
    if not (path / "openai").is_dir():
        pytest.skip("the openai package of npm is not installed")
    return path
