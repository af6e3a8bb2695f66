"""How deployments stand, as people and Prometheus see it: one table for all
workers, the same through each web server, and no name in it that a client
made up."""

import json
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from client import ask, bearer, chat, crowd, is_error, say
from house import Policy, Site, virtual_key, wait_until
from servers import chosen, open_front

METRICS = "/metrics"


@pytest.fixture(scope="module", params=[
    n for n in ("lighttpd", "apache-proxy") if n in chosen()]
    or chosen()[:1])
def watched(request, upstream):
    """A front whose second key may read the metrics."""
    with Site(upstream) as site:
        site.watcher = virtual_key()
        p = Policy(site)
        p.model("ok", "m/ok")
        p.model("slow", "m/late/300")
        p.model("limited", "m/status/429/retry=60", "m/ok/tag=other")
        p.doc["keys"].append({"name": "prometheus", "may": "metrics",
                              "secret": "plain:" + site.watcher})
        p.write()
        yield open_front(site, request.param)


def scrape(front):
    """{name: {labels: value}} of what a strict reader finds."""
    reply = ask(front, "GET", METRICS, bearer(front.site.watcher))
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        assert family.documentation and family.type in ("gauge", "counter")
        for s in family.samples:
            labels = tuple(sorted(s.labels.items()))
            assert labels not in found.setdefault(s.name, {}), s
            found[s.name][labels] = s.value
    return found


def value(found, name, part, **labels):
    """The value of the only deployment whose id ends like that."""
    rows = [v for k, v in found["tollgate_deployment_" + name].items()
            if dict(k)["deployment"].endswith(part) and
            all(dict(k).get(n) == v for n, v in labels.items())]
    assert len(rows) == 1, (name, part, found)
    return rows[0]


def health(site, *more):
    return subprocess.run([site.libexec / "tollgate.fcgi", "health", *more],
                          env=site.environment(), capture_output=True,
                          text=True, timeout=20)


def standing(site, part):
    out = health(site, "--json")
    assert out.returncode == 0, out.stderr
    rows = [r for r in json.loads(out.stdout)["deployments"]
            if r["deployment"].endswith(part)]
    assert len(rows) == 1, out.stdout
    return rows[0]


def test_metrics(watched):
    for _ in range(25):
        assert chat(watched, "slow").status == 200
    for _ in range(6):
        assert chat(watched, "limited").status == 200
    found = scrape(watched)
    assert value(found, "served_total", "up-slow") == 25
    assert value(found, "success_ratio", "up-slow") == 1
    assert value(found, "available", "up-slow") == 1
    assert value(found, "in_flight", "up-slow") == 0
    assert value(found, "tokens_total", "up-slow", direction="output") > 0
    # The limited one was asked once, and rests for as long as it said.
    assert value(found, "failures_total", "429-retry-60/up-limited",
                 kind="rate") == 1
    assert 50 < value(found, "cooling_seconds", "429-retry-60/up-limited") <= 60
    assert value(found, "available", "429-retry-60/up-limited") == 0
    assert value(found, "served_total", "other/up-limited") == 6
    (labels, one), = found["tollgate_build_info"].items()
    assert one == 1 and dict(labels)["version"]


def test_who_may(watched):
    r = ask(watched, "GET", METRICS)
    is_error(r, 403, "permission_error")
    assert r.error()["code"] == "not_allowed"
    is_error(ask(watched, "GET", METRICS, []), 401)
    is_error(ask(watched, "POST", METRICS, bearer(watched.site.watcher)), 405)


def test_names_of_clients(watched):
    """Names that clients make up are no series."""
    chat(watched, "ok")
    before = sum(len(v) for v in scrape(watched).values())
    provider = next(p for p in json.loads(
        watched.site.policy.read_text())["providers"] if p.startswith("p-m-ok"))
    crowd([lambda i=i: say(watched, f"{provider}/junk-{i}" if i % 2 else
                           f"junk-{i}") for i in range(3000)], 8)
    found = scrape(watched)
    assert not [k for rows in found.values() for k in rows
                if "junk" in str(k)]
    assert sum(len(v) for v in found.values()) <= before + 20
    assert "junk" not in health(watched.site, "--json").stdout


def test_storm(watched, figure):
    """A crowd that finds the first provider limited: who is told so tells all
    workers, and no other call goes there while it rests."""
    health(watched.site, "--pardon", "--all")
    up, clients = watched.site.upstream, 50
    before = {m: up.bill(m)["requests"] for m in ("m/status/429/retry=60",
                                                  "m/ok/tag=other")}
    replies = crowd([lambda: say(watched, "limited") for _ in range(1000)],
                    clients)
    assert {r.status for r in replies} == {200}
    calls = {m: up.bill(m)["requests"] - n for m, n in before.items()}
    assert calls["m/ok/tag=other"] == 1000
    # At most those that were on their way when the first was refused.
    assert 1 <= calls["m/status/429/retry=60"] <= clients
    figure(f"{calls['m/status/429/retry=60']} calls to the limited one, "
           f"{sum(calls.values()) / 1000:.3f} attempts a request")


def test_command(watched):
    site = watched.site
    chat(watched, "ok")
    chat(watched, "limited")
    row = standing(site, "429-retry-60/up-limited")
    assert row["state"] == "cooling" and row["why"] == "rate"
    assert 0 < row["rests_ms"] <= 60000 and row["failed"]["rate"] >= 1
    table = health(site)
    assert table.returncode == 0 and "cooling" in table.stdout
    assert "well" in table.stdout and "up-ok" in table.stdout
    pardoned = health(site, "--pardon", row["deployment"])
    assert pardoned.returncode == 0, pardoned.stderr
    assert standing(site, "429-retry-60/up-limited")["state"] == "well"
    chat(watched, "limited")
    assert standing(site, "429-retry-60/up-limited")["state"] == "cooling"
    assert health(site, "--pardon", "--all").returncode == 0
    assert standing(site, "429-retry-60/up-limited")["state"] == "well"
    # What is no deployment, what is no use of it, and where nothing is.
    assert health(site, "--pardon", "no/such").returncode == 1
    assert health(site, "more").returncode == 2
    assert health(site, "--json", "--pardon", "--all").returncode == 2
    bare = dict(site.environment(), TOLLGATE_STATE=str(site.dir / "none"))
    out = subprocess.run([site.libexec / "tollgate.fcgi", "health"], env=bare,
                         capture_output=True, text=True, timeout=20)
    assert out.returncode == 1 and "no worker" in out.stderr
    assert not (site.dir / "none").exists()


@pytest.mark.parametrize("name", [
    n for n in ("lighttpd-cgi-alone", "apache-cgi-alone", "apache-fcgid")
    if n in chosen()])
def test_processes_know(site, name):
    """What one process learned the next one knows, if each request has a
    process of its own."""
    p = Policy(site)
    p.model("limited", f"m/status/429/retry=60/tag={name}",
            f"m/ok/tag={name}").write()
    front = open_front(site, name)
    for _ in range(8):
        assert chat(front, "limited").status == 200
    assert site.upstream.bill(
        f"m/status/429/retry=60/tag={name}")["requests"] == 1
    row = standing(site, f"429-retry-60-tag-{name}/up-limited")
    assert row["state"] == "cooling" and row["in_flight"] == 0


def test_new_credential(site):
    """A refused credential is not used again; the next one is, at once."""
    up, name = site.upstream, "lighttpd" if "lighttpd" in chosen() else \
        chosen()[0]
    p = Policy(site).model("m", {"to": "m/dial/keyed", "key": "plain:first"},
                           "m/ok/tag=spare")
    p.write()
    calls = [up.bill("m/dial/keyed")["requests"]]

    def called():
        calls.append(up.bill("m/dial/keyed")["requests"])
        return calls[-1] - calls[-2]

    front = open_front(site, name)
    up.dial("keyed", code=401)
    for _ in range(10):
        assert chat(front, "m").status == 200
    assert called() == 1
    row = standing(site, "dial-keyed/up-m")
    assert row["state"] == "cooling" and row["why"] == "auth"
    up.dial("keyed", ms=0)
    assert chat(front, "m").status == 200
    assert called() == 0
    p.doc["providers"]["p-m-dial-keyed"]["key"] = "plain:second"
    p.write()
    wait_until(lambda: chat(front, "m").status == 200 and called() > 0, 10,
               "asked with the new key")
    wait_until(lambda: standing(site, "dial-keyed/up-m")["state"] == "well",
               10, "well")
