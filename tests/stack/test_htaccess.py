"""Shared hosting: a folder with .htaccess, the program as tollgate.cgi, no
other configuration and no pool."""

import shutil

import pytest

from client import CHAT, ask, chat, chat_body, is_error
from house import standard, virtual_key
from servers import APACHE, Front, apache_modules, chosen

# What a host has set up for everyone; nothing of tollgate's is included.
HOST = APACHE[:APACHE.index("Define TOLLGATE_SHARE")]


@pytest.fixture
def hosted(site, monkeypatch):
    if "apache-cgi-alone" not in chosen():
        pytest.skip("not asked for")
    web = site.dir / "htdocs"
    shutil.copy(site.libexec / "tollgate.fcgi", web / "tollgate.cgi")
    shutil.copytree(site.share / "errors", web / "errors")
    text = (site.share / "apache/htaccess").read_text()
    text = text.replace("/home/USER/tollgate/policy.yaml", str(site.policy))
    text = text.replace("/home/USER/tollgate/state", str(site.state))
    assert "/home/USER" not in text
    (web / ".htaccess").write_text(text)
    standard(site).write()
    for p in web.rglob("*"):
        site.own(p)
    monkeypatch.setattr("servers.APACHE", HOST)
    assert apache_modules()
    return Front(site, "apache", "")


def test_htaccess(hosted):
    assert chat(hosted, "ok").text() == "hello there"
    r = chat(hosted, "paced", stream=True)
    assert r.done() and len(r.events()) > 100
    arrived = [at for at, _ in r.events()]
    assert arrived[-1] - arrived[0] > 1.5
    is_error(chat(hosted, "none"), 404, "model_not_found")
    is_error(ask(hosted, "POST", CHAT, [("Authorization", "Bearer " +
                                        virtual_key())],
                 chat_body("ok")), 401)
    is_error(ask(hosted, "GET", "/other"), 404)
    assert ask(hosted, "GET", "/v1/models").json()["object"] == "list"
