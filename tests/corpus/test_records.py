"""Records: one line a request, whatever happened, and no content in it."""

import json

import pool

KEY = "records-client-key-0123456789"
CANARY = "canary-5be0cd19137e2179"


def ask(p, model):
    return p.post("/v1/chat/completions", {
        "model": model,
        "messages": [{"role": "user", "content": CANARY}]}, KEY)


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def test_records(up, tmp_path):
    """Ten attempts with the longest names still leave a line."""
    log = tmp_path / "records"
    providers = {"p%02d%s" % (i, "x" * 60): {
        "adapter": "openai", "key": "none",
        "base_url": "http://127.0.0.1:%d/v1" % up.closed_port}
        for i in range(9)}
    last = "last" + "x" * 60
    providers[last] = {"adapter": "openai", "key": "none",
                       "base_url": up.base("m/ok")}
    policy = {"log": str(log), "attempts": 10, "providers": providers,
              "models": {"long": {"targets": [
                  {"provider": p, "model": '"' * 200} for p in providers]},
                  "short": {"targets": [{"provider": last, "model": "m"}]}},
              "keys": [{"name": "k", "secret": "plain:" + KEY}]}
    with pool.Pool(policy) as p:
        assert ask(p, "long").status == 200
        assert ask(p, "short").status == 200
    records = [r for r in lines(log) if "operation" in r]
    assert [r["model"] for r in records] == ["long", "short"]
    long, short = records
    assert long["attempt_count"] == 10 and long["provider"] == last
    assert long["input_tokens"] > 0 and "attempts" not in long
    assert short["attempt_count"] == 1 and len(short["attempts"]) == 1
    text = log.read_text()
    assert CANARY not in text and KEY not in text
    assert all(len(line) < 4096 for line in text.splitlines())
