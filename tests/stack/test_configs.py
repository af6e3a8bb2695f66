"""The configurations are taken by the servers that they are for, also on top
of what Debian ships; the units are sound; the list of packages is whole."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from house import BUILD, TOP, Policy
from servers import FRONTS, LIGHTTPD, APACHE, apache_modules

DEBIAN_LIGHTTPD = Path("/etc/lighttpd/lighttpd.conf")


def output(*argv):
    p = subprocess.run([str(a) for a in argv], capture_output=True,
                       text=True, check=False, timeout=60)
    return p.returncode, p.stdout + p.stderr


def settings(site, conf, cgi="tollgate.cgi"):
    text = LIGHTTPD.format(dir=site.dir, port=1, conf=conf, cgi=cgi, user="")
    return text[text.index("var."):].split("include")[0] + \
        f'include var.tollgate_share + "/lighttpd/{conf}.conf"\n'


@pytest.mark.parametrize("conf", sorted(
    {c for s, c, _, _ in FRONTS.values() if s == "lighttpd"}))
@pytest.mark.parametrize("base", ["plain", "debian"])
def test_lighttpd_takes_it(site, conf, base):
    Policy(site).write()
    if base == "debian" and not DEBIAN_LIGHTTPD.exists():
        pytest.skip("no configuration of Debian's here")
    path = site.dir / "test.conf"
    head = f'server.document-root = "{site.dir}"\n' if base == "plain" \
        else DEBIAN_LIGHTTPD.read_text()
    path.write_text(head + settings(site, conf))
    status, text = output("/usr/sbin/lighttpd", "-tt", "-f", path)
    assert status == 0, text
    assert "WARNING" not in text and "unknown" not in text.lower(), text
    _, parsed = output("/usr/sbin/lighttpd", "-p", "-f", path)
    for line in ("server.stream-response-body", "server.stream-request-body",
                 "server.errorfile-prefix"):
        assert line in parsed


def test_lighttpd_settings_name_every_variable(site):
    """The file that an administrator copies has all that the others use."""
    share = site.share / "lighttpd"
    given = set(re.findall(r"^var\.(\w+)",
                           (share / "tollgate-settings.conf").read_text(),
                           re.M))
    made = {"tollgate_paths", "tollgate_uploads", "tollgate_cores"}
    for conf in share.glob("*.conf"):
        used = set(re.findall(r"var\.(tollgate_\w+)", conf.read_text()))
        assert used <= given | made, conf


@pytest.mark.parametrize("conf", sorted(
    {c for s, c, _, _ in FRONTS.values() if s == "apache"}))
def test_apache_takes_it(site, conf):
    user = f"User {site.user}\nGroup {site.user}" if site.user else ""
    path = site.dir / "test.conf"
    path.write_text(APACHE.format(
        dir=site.dir, port=1, conf=conf, cgi="tollgate.cgi", user=user,
        modules=apache_modules()))
    status, text = output("/usr/sbin/apache2", "-t", "-f", path)
    assert status == 0, text
    assert "warn" not in text.lower(), text


def test_every_error_has_its_document():
    """What Apache is told to use exists, and is what clients can read."""
    import json
    conf = (TOP / "deploy/apache/tollgate-errors.conf").read_text()
    named = dict(re.findall(r"^ErrorDocument (\d+) /\.tollgate/(\S+)$", conf,
                            re.M))
    files = {p.name for p in (TOP / "deploy/errors").glob("*.html")}
    assert set(named.values()) == files
    for status, name in named.items():
        assert name == status + ".html"
        error = json.loads((TOP / "deploy/errors" / name).read_text())
        assert set(error["error"]) == {"message", "type", "param", "code"}


def make(site, *words):
    """make in the build, for a prefix below the site."""
    status, text = output("make", "-s", "-C", BUILD, *words,
                          f"prefix={site.dir}/opt")
    assert status == 0, text


def test_another_prefix(site):
    """What is installed names the places that it was installed to; servers
    take it as it lies there."""
    make(site, "install")
    share, program = site.dir / "opt/share/tollgate", "opt/libexec/tollgate/"
    for path in [*share.glob("*/*.conf"), *share.glob("systemd/*")]:
        assert "/usr/local" not in path.read_text(), path
        named = re.findall(r"(?:=|\s|\")(/[^\s\"$]*/opt/[^\s\"$]*)",
                           path.read_text())
        assert all(Path(n).exists() for n in named), (path, named)
    lighttpd = site.dir / "test.conf"
    lighttpd.write_text(
        f'server.document-root = "{site.dir}"\n'
        f'include "{share}/lighttpd/tollgate-settings.conf"\n'
        f'include var.tollgate_share + "/lighttpd/tollgate.conf"\n')
    status, text = output("/usr/sbin/lighttpd", "-tt", "-f", lighttpd)
    assert status == 0, text
    _, text = output("/usr/sbin/lighttpd", "-p", "-f", lighttpd)
    assert f"{site.dir}/{program}tollgate.fcgi" in text
    user = f"User {site.user}\nGroup {site.user}" if site.user else ""
    text = APACHE.format(dir=site.dir, port=1, conf="tollgate-cgi", user=user,
                         cgi="tollgate.cgi", modules=apache_modules())
    defined = re.compile(r"^Define TOLLGATE_(SHARE|LIBEXEC|CGI)\b.*\n", re.M)
    apache = site.dir / "apache.conf"
    apache.write_text(re.sub(r"Include \S+/apache/", f"Include {share}/apache/",
                             defined.sub("", text)))
    status, text = output("/usr/sbin/apache2", "-t", "-f", apache)
    assert status == 0, text
    make(site, "uninstall")
    assert not [p for p in (site.dir / "opt").rglob("*") if not p.is_dir()]


@pytest.mark.skipif(not shutil.which("systemd-analyze"),
                    reason="no systemd here")
def test_systemd_units(site):
    for name in ("tollgate.service", "tollgate.socket"):
        text = (TOP / "deploy/systemd" / name).read_text()
        (site.dir / name).write_text(
            text.replace("/usr/local/bin/tollgate", "/bin/true"))
    status, text = output("systemd-analyze", "verify",
                          site.dir / "tollgate.service",
                          site.dir / "tollgate.socket")
    assert status == 0 and "tollgate" not in text, text


def test_commands_and_manual():
    """The manual and `tollgate help` have the same commands, and each tells a
    wrong option from a right one."""
    program = BUILD / "app/tollgate.fcgi"
    status, text = output(program, "help")
    assert status == 0
    helped = re.findall(r"^  tollgate ([a-z-]+)", text, re.M)
    page = (TOP / "docs/tollgate.8").read_text().replace("\\-", "-")
    synopsis = page[page.index(".SH SYNOPSIS"):page.index(".SH DESCRIPTION")]
    assert set(helped) == set(re.findall(r"tollgate ([a-z-]+)", synopsis))
    for command in set(helped) - {"help", "version", "check"}:
        status, text = output(program, command, "--colour")
        assert status == 2 and f"usage: tollgate {command}" in text, text


def test_packages_are_all_known():
    """One name a line, in sections, and nothing of them missing here."""
    lines = (TOP / "deploy/demo/packages.txt").read_text().splitlines()
    names = [n for line in lines if (n := line.split("#")[0].strip())]
    sections = [n for n in names if n.startswith("[")]
    assert sections == ["[run]", "[build]", "[test]"]
    for n in names:
        assert n in sections or re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", n), n
    assert output(TOP / "deploy/install-packages") == (0, "")
