"""Fixtures of the stack tests: the test provider, the fronts, their logs."""

import json
import os
import subprocess
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
def certs(tmp_path_factory):
    """A folder with a CA, ca.crt, and the certificates of certs.sh."""
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run(["sh", TOP / "tests/unit/certs.sh", folder, "certs"],
                   check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="session")
def upstream(certs):
    with Upstream(certs=certs) as up:
        yield up


@pytest.fixture
def figure(request, record_property):
    """Call it with a text: it stands in the summary of the run."""
    def tell(text):
        record_property("figure", f"{request.node.name}: {text}")
    return tell


def pytest_terminal_summary(terminalreporter):
    """All figures, also those of workers of pytest-xdist."""
    lines = [value for reports in terminalreporter.stats.values()
             for r in reports if getattr(r, "when", "") == "call"
             for name, value in r.user_properties if name == "figure"]
    if lines:
        terminalreporter.section("figures")
        for line in sorted(lines):
            terminalreporter.line(line)


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


@pytest.fixture(scope="session")
def node(node_modules):
    """The official Node SDK: node(front, secret, (what, request), …) gives
    what each scenario of sdk.cjs has to say."""
    def run(front, secret, *asks):
        out = subprocess.run(
            ["node", HERE / "sdk.cjs", front.url + "/v1", secret],
            check=True, timeout=90, text=True, stdout=subprocess.PIPE,
            input="".join(json.dumps({"what": what, "request": request}) +
                          "\n" for what, request in asks),
            env={"NODE_PATH": str(node_modules),
                 "PATH": "/usr/bin:/bin"}).stdout
        answers = [json.loads(line) for line in out.splitlines()]
        assert len(answers) == len(asks)
        return answers
    return run
