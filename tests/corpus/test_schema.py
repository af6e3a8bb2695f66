"""The JSON Schema of policies against the loader: what the one refuses of the
language of models, rules and keys the other refuses too, and what loads is
right to an editor."""

import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

import pool

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SEEDS = os.path.join(TOP, "tests", "fuzz", "seeds", "policy")

HEAD = """
providers: { openai: { key: env:SCHEMA_KEY } }
tiers: { free: {} }
models:
  plain: openai/gpt-5.4
"""

MODEL = "  m: { targets: [ openai/gpt-5.4, openai/gpt-5.4-mini ], %s }\n"
RULE = "rules: [ { use: plain, when: { %s } } ]\n"
ROOT = "%s\n"
KEY = "keys: [ { name: k, secret: env:SCHEMA_CLIENT, %s } ]\n"

GOOD = [
    (MODEL, "strategy: lowest_latency, sticky: session"),
    (MODEL, "strategy: race, hedge: { after: p95, budget: 20 %, "
     "spend: 1.50 USD / hour, tools: true }"),
    (MODEL, "strategy: race, hedge: { after: 0 }"),
    (MODEL, "fallbacks: { general: plain, context_window: [ plain, "
     "openai/gpt-4.1 ], content_policy: { target: openai/gpt-4.1, "
     "price: { input: 1 } } }"),
    (MODEL, "require: { benchmark: { SWE-Bench Verified: 40 }, "
     "context: 8k, capabilities: [ tools, pdf ] }"),
    (MODEL, "require: { context: auto, capabilities: none }"),
    (RULE, ""),
    (RULE, "key: a, team: [ b, 'c*' ], tier: free, user: 5, tags: x"),
    (RULE, "model: '*', endpoint: chat, stream: false, needs: tools"),
    (RULE, "metadata.env: x, metadata: { a: [ b, 3 ] }, header.X: y"),
    (RULE, "input_tokens: '> 8000', output_tokens: 5, budget_left: < 20 %"),
    (RULE, "input_tokens: 100..2k, budget_left: 10 .. 20 %"),
    (RULE, "prompt: '(?i)faq', prompt_part: all"),
    (RULE, "script: Han, script_share: 30 %"),
    (RULE, "time: '22:00-06:00', days: [ mon, sun ], zone: UTC"),
    (KEY, "may: [ explain, user ], region: eu, retention: none"),
    (KEY, "may: none, tier: free"),
    (KEY, "rpm: 20, tpm: 40k, parallel: 2, budget: 0.50 USD / day"),
    (KEY, "budget: [ 5 USD / day, { limit: 1.5USD/month, soft: true, "
     "warn: [ 50 %, 80% ], zone: Europe/Berlin } ], max_output: 4k"),
    (KEY, "budget: 25 USD once, may: user, end_users: { rpm: 1, budget: "
     "[ 1 USD / hour ] }"),
    (MODEL, "rpm: 1k, budget: { limit: 0 USD / week }"),
    (ROOT, "limits: { parallel: 20, budget: 9000000 USD / day }"),
    (ROOT, "limits: {}"),
    (ROOT, "teams: { web: { tpm: 1.5M }, shop: { budget: 1e3 USD / day } }"),
    (ROOT, "users: { ann@example.com: { rpm: 1 } }\ntags: { x: { rpm: 1 } }"),
    (ROOT, "default_price: { input: 0.15, output: 2, tiers: { above: 1k, "
     "input: 3 } }"),
    (ROOT, "default_price: { input: 1, service_tiers: { flex: 50 %, "
     "priority: 175%, reserved: 0 % } }"),
]

BAD = [
    (MODEL, "strategy: fastest"),
    (MODEL, "sticky: [ key ]"),
    (MODEL, "strategy: race, hedge: { after: p100 }"),
    (MODEL, "strategy: race, hedge: { budget: 20 }"),
    (MODEL, "strategy: race, hedge: { spend: 1 USD / day }"),
    (MODEL, "strategy: race, hedge: 2s"),
    (MODEL, "fallbacks: [ plain ]"),
    (MODEL, "fallbacks: { general: [] }"),
    (MODEL, "fallbacks: { overload: plain }"),
    (MODEL, "fallbacks: { general: { target: plain, weight: 2 } }"),
    (MODEL, "require: { benchmark: {} }"),
    (MODEL, "require: { benchmark: { x: much } }"),
    (MODEL, "require: { context: some }"),
    (MODEL, "require: { capabilities: [ tool ] }"),
    (RULE, "teem: x"),
    (RULE, "metadat.env: x"),
    (RULE, "metadata: x"),
    (RULE, "metadata: {}"),
    (RULE, "stream: yes"),
    (RULE, "input_tokens: => 3"),
    (RULE, "budget_left: 20"),
    (RULE, "needs: [ hands ]"),
    (RULE, "script: han"),
    (RULE, "prompt: x, prompt_part: first"),
    (RULE, "script: Han, script_share: 30"),
    (RULE, "time: '22:00'"),
    (RULE, "days: monday"),
    (KEY, "may: dance"),
    (KEY, "retention: 30 days"),
    (KEY, "rpm: many"),
    (KEY, "rpm: [ 1 ]"),
    (KEY, "budget: 5"),
    (KEY, "budget: 5 USD"),
    (KEY, "budget: 5 USD / year"),
    (KEY, "budget: 5 USDonce"),
    (KEY, "budget: 5 USD / once"),
    (KEY, "budget: []"),
    (KEY, "budget: { warn: 50 % }"),
    (KEY, "budget: { limit: 5 USD / day, warn: 50 }"),
    (KEY, "budget: { limit: 5 USD / day, warn: [] }"),
    (KEY, "budget: { limit: 5 USD / day, soft: sure }"),
    (KEY, "budget: { limit: 5 USD / day, until: noon }"),
    (KEY, "end_users: { models: [ plain ] }"),
    (KEY, "shared: { rpm: 1 }"),
    (MODEL, "max_output: 3"),
    (ROOT, "limits: { rpm: 0.5.1 }"),
    (ROOT, "teams: [ web ]"),
    (ROOT, "teams: { a/b: { rpm: 1 } }"),
    (ROOT, "default_price: 5"),
    (ROOT, "default_price: { input: 1, service_tiers: { flex: 0.5 } }"),
    (ROOT, "default_price: { input: 1, service_tiers: { scale: 50 % } }"),
]


class Loader(yaml.SafeLoader):
    """YAML 1.2 as the loader has it: yes is a word, 22:00 a text."""


Loader.yaml_implicit_resolvers = {}
for pattern, tag, first in [
        (r"^(true|false)$", "bool", "tf"),
        (r"^(null|~|)$", "null", ["n", "~", ""]),
        (r"^-?[0-9]+$", "int", "-0123456789"),
        (r"^-?[0-9]+\.[0-9]+$", "float", "-0123456789")]:
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag,
                                 re.compile(pattern), first)


@pytest.fixture(scope="module")
def schema():
    with open(os.path.join(TOP, "docs", "policy.schema.json")) as f:
        doc = json.load(f)
    jsonschema.Draft202012Validator.check_schema(doc)
    return jsonschema.Draft202012Validator(doc)


def loads(tmp_path, text):
    """What the loader says: (taken, words)."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    env = dict(os.environ, TOLLGATE_STATE=str(tmp_path),
               SCHEMA_KEY="upstream-0123456789",
               SCHEMA_CLIENT="client-secret-0123456789")
    done = subprocess.run([pool.program(), "check", str(path)], env=env,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode in (0, 1), done
    return done.returncode == 0, done.stdout + done.stderr


def policy(case):
    form, words = case
    return HEAD + form % words


@pytest.mark.parametrize("case", GOOD, ids=lambda c: c[1])
def test_taken(schema, tmp_path, case):
    text = policy(case)
    taken, said = loads(tmp_path, text)
    assert taken, said
    schema.validate(yaml.load(text, Loader))


@pytest.mark.parametrize("case", BAD, ids=lambda c: c[1])
def test_refused(schema, tmp_path, case):
    text = policy(case)
    taken, said = loads(tmp_path, text)
    assert not taken, said
    assert not schema.is_valid(yaml.load(text, Loader)), said


@pytest.mark.parametrize("name", ["full", "json", "small", "routing", "limits"])
def test_seeds(schema, name):
    """Policies that the loader's own tests take."""
    with open(os.path.join(SEEDS, name)) as f:
        schema.validate(yaml.load(f.read(), Loader))


def test_counts(tmp_path):
    """What `check` says that a policy has."""
    text = HEAD + ("rules: [ { use: plain } ]\n"
                   "teams: { a: { rpm: 1 }, b: { rpm: 2 } }\n"
                   "limits: { rpm: 3 }\n")
    taken, said = loads(tmp_path, text)
    assert taken
    assert said == (f"{tmp_path}/policy.yaml: ok: 1 provider, 1 model, "
                    "1 rule, 0 keys, 2 teams\n")
