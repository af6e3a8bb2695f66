#!/usr/bin/env python3
"""Make the demo's policy: policy.py TOLLGATE CATALOG DIR DEMO_URL

Every provider of the catalog whose key is in the environment (as NAME_API_KEY)
is served with those of its models whose dialect TOLLGATE speaks; without any,
the demo provider at DEMO_URL. TOLLGATE_STORE becomes its store. Writes DIR/policy.yaml and DIR/key; prints what
is served.
"""

import json
import os
import secrets
import subprocess
import sys
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHEAP = 2.0  # USD a million output tokens: what a demo may use


def new_key():
    """tg_, 30 random digits, and their CRC32 in 6 digits."""
    body = "".join(secrets.choice(DIGITS) for _ in range(30))
    crc, tail = zlib.crc32(body.encode()), ""
    for _ in range(6):
        crc, digit = divmod(crc, 62)
        tail = DIGITS[digit] + tail
    return "tg_" + body + tail


def chats(catalog, provider):
    """The provider's chat models, the newest first."""
    rows = [m for m in catalog["models"] if m["provider"] == provider
            and {"text_in", "text_out"} <= set(m.get("caps", "").split())
            and "image_out" not in m["caps"] and not m.get("status")]
    return sorted(rows, key=lambda m: m.get("released", ""), reverse=True)


def output_price(model):
    return float(model.get("price", {}).get("output", CHEAP + 1))


def keyed(catalog):
    """Providers whose key is there; of several with one key, the first."""
    found = {}
    for p in sorted(catalog["providers"], key=lambda p: len(p["name"])):
        for env in p.get("env", "").split():
            if env.endswith("_API_KEY") and os.environ.get(env):
                found.setdefault(env, p["name"])
                break
    return sorted((name, env) for env, name in found.items())


def dialects(catalog, provider):
    """What its chat models speak; None is the provider's own dialect."""
    return sorted({m.get("adapter") for m in chats(catalog, provider)},
                  key=str)


def real(catalog, providers):
    """Each provider's models by their own names, and `demo`; providers are
    rows of name, variable and the dialects to serve."""
    models, first = {}, []
    for name, _env, spoken in providers:
        rows = [m for m in chats(catalog, name) if m.get("adapter") in spoken]
        for m in rows:
            if "/" not in m["name"]:
                models.setdefault(m["name"],
                                  {"targets": [name + "/" + m["name"]]})
        cheap = [m for m in rows if output_price(m) <= CHEAP] or rows
        if cheap:
            first.append(name + "/" + cheap[0]["name"])
    if first:
        models["demo"] = {"targets": first}
    return {"providers": {n: {"key": "env:" + e} for n, e, _ in providers},
            "models": models}


def canned(catalog, url):
    """The demo provider, also under the names of OpenAI's models."""
    target = {"provider": "demo", "model": "demo",
              "price": {"input": 0, "output": 0}}
    names = ["demo"] + [m["name"] for m in chats(catalog, "openai")]
    return {"providers": {"demo": {"adapter": "openai", "base_url": url,
                                   "key": "none"}},
            "models": {n: {"targets": [target]} for n in names}}


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8") as f:
        f.write(text)


def save(folder, policy):
    policy["keys"] = [{"name": "demo", "secret": "file:" + folder + "/key"}]
    policy["log"] = folder + "/records.jsonl"
    if os.environ.get("TOLLGATE_STORE"):
        policy["store"] = os.environ["TOLLGATE_STORE"]
    path = folder + "/policy.yaml"
    write(path, json.dumps(policy, indent=1) + "\n")
    return path


def main():
    program, catalog, folder, url = sys.argv[1:]
    with open(catalog, encoding="utf-8") as f:
        catalog = json.load(f)
    write(folder + "/key", new_key() + "\n")

    def check(policy):
        return subprocess.run([program, "check", save(folder, policy)],
                              capture_output=True, text=True, check=False)

    usable = []
    for name, env in keyed(catalog):
        spoken = [d for d in dialects(catalog, name)
                  if check(real(catalog, [(name, env, [d])])).returncode == 0]
        if spoken:
            usable.append((name, env, spoken))
    policy = real(catalog, usable) if usable else canned(catalog, url)
    checked = check(policy)
    if checked.returncode != 0:
        sys.exit("the demo's policy is refused:\n" + checked.stdout +
                 checked.stderr)
    print("provider: " + ", ".join(n for n, _, _ in usable) if usable else
          "provider: deploy/demo/upstream.py (set OPENAI_API_KEY or another "
          "provider's key to use a real one)")


if __name__ == "__main__":
    main()
