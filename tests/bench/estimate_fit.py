#!/usr/bin/env python3
"""
Make policy/estimate_model.def anew, and tell how well it foresees.

    tests/bench/estimate -f CORPUS >numbers; estimate_fit.py numbers >rows.def

What is known of a template, because its maker published it or documents the
number, stands in the first part of a row and is taken as it is, and so is what
is plain in several recordings ("seen"). What is not stands in the second part
as (what to expect, by how much to be wrong), and is fitted to the recordings:
least squares on relative errors, of which large ones count less, held to what
is expected. On stderr: the share of requests within 15 per cent, all together
and with each one left out of the fit that judges it.
"""

import fnmatch
import json
import sys

NEAR = 0.15
SIGMA = 0.04  # relative error of a good estimate

# Parameters that are 0 unless a row says so.
LINEAR = ("request", "message", "system", "tools", "tool", "field", "forced",
          "serial", "schema", "json", "thinking", "unthinking", "call")
FIXED = ("reasoning", "tools_form", "schema_form",
         "digits", "schema_tool", "seal_skip", "seal_chars", "seal_all",
         "drops")

# Which reasoning in turns is read again: none, all, or what came since the
# user spoke, as most templates have it.
ALL, LAST = "reasoning", "last_reasoning"

# A function in TypeScript, as OpenAI's models are shown it: "// ",
# "type f = (_: {", "}) => any;", and "// ", "?: string," for a parameter.
TYPES = {"tools_form": "WORDS", "tool": 6, "field": 4}
# A function as JSON with {"type": "function", "function": …} around it.
FUNCTION = {"tool": 18}

ROWS = [
    # Seen: who searches counts nothing but the text, in models of any family.
    (["*sonar*", "*search-preview*"], dict(schema_form="NOTHING"), {}),
    # Harmony: "<|start|>user<|message|>…<|end|>", and a system message.
    (["*gpt-oss*"], dict(TYPES, message=4, schema=0, reasoning=LAST),
     dict(request=(68, 5), tools=(30, 10), call=(6, 4), system=(3, 5),
          schema=(20, 30))),
    # Anthropic documents what tools bring with them ("tool use system prompt
    # token count", at choice "auto" and at "any"), and that models from
    # Opus 4.7 on count a text by another tokenizer. One call at a time needs
    # no words about several.
    (["*claude*opus-5*", "*claude*fable*"],
     dict(request=8, message=4, tools=290, forced=120, tool=35,
          reasoning=LAST), {}),
    (["*claude*sonnet-5*"],
     dict(request=8, message=4, tools=354, forced=120, tool=35,
          reasoning=LAST), {}),
    (["*claude*4-8*", "*claude*4.8*"],
     dict(request=8, message=4, tools=290, forced=120, tool=35,
          reasoning=LAST), {}),
    (["*claude*4-7*", "*claude*4.7*"],
     dict(request=8, message=4, tools=675, forced=129, tool=35,
          reasoning=LAST), {}),
    # Seen once: there a schema of the answer becomes a tool.
    (["snowflake/*claude*"],
     dict(request=5, message=4, system=-4, tools=496, forced=92, tool=35,
          schema_tool=1, reasoning=LAST, call=30), {}),
    (["*claude*4-5*", "*claude*4.5*", "*claude*4-6*", "*claude*4.6*"],
     dict(tools=496, forced=92, message=4, reasoning=LAST),
     dict(request=(5, 3), system=(-4, 4), serial=(-183, 30), call=(20, 20),
          schema=(100, 100), thinking=(20, 20), tool=(20, 20))),
    (["*claude*3-5-haiku*", "*claude*3.5-haiku*"],
     dict(tools=264, forced=91, tool=35, message=4, system=-4, request=4,
          call=30, thinking=28, reasoning=LAST), {}),
    (["*claude*"],
     dict(tools=313, forced=2, message=4, reasoning=LAST),
     dict(request=(4, 3), system=(-4, 4), call=(20, 20),
          thinking=(20, 20), tool=(20, 20))),
    # "<|im_start|>user<|im_sep|>…<|im_end|>" and the answer's beginning.
    (["*gpt-3*", "*gpt-4*", "*gpt-audio*"],
     dict(TYPES, request=3, message=4, reasoning=LAST),
     dict(tools=(16, 4), call=(5, 5), schema=(4, 4))),
    # Seen: OpenAI's own door of Chat Completions says more about tools than
    # its door of Responses. Of reasoning that only it reads what came after
    # the user spoke is read again (documented), at 8 characters a token after
    # 760 that are no text (seen).
    (["openai/gpt-5*@openai", "azure/gpt-5*@openai"],
     dict(TYPES, request=2, message=4, reasoning=LAST, schema_form="NOTHING"),
     dict(tools=(60, 60), call=(7, 5), schema=(20, 20))),
    (["*gpt-5*", "*/codex*", "*/o1*", "*/o3*", "*/o4*"],
     dict(TYPES, request=2, message=4, reasoning=LAST, schema_form="NOTHING",
          seal_skip=760, seal_chars=80),
     dict(tools=(16, 4), call=(7, 5), schema=(20, 20))),
    # Seen: Google counts what a schema says, and from Gemini 3 on its shape
    # too, though not in Vertex; there a schema of the answer counts as well.
    (["vertex/*gemini*", "vercel*/*gemini*"],
     dict(tools_form="WORDS", schema_form="WORDS", tool=2, field=2,
          reasoning=LAST), dict(call=(2, 5), request=(0, 1))),
    (["*gemini-3*", "*gemini*latest*"],
     dict(tools_form="WORDS", schema_form="NOTHING", seal_chars=53,
          reasoning=LAST),
     dict(request=(1, 1), tool=(18, 10), field=(8, 8), call=(8, 8))),
    (["*gemini*"],
     dict(tools_form="WORDS", schema_form="NOTHING", seal_chars=53,
          reasoning=LAST),
     dict(request=(0, 1), tool=(8, 8), field=(4, 4), call=(8, 8))),
    # Seen: xAI reads all of its own reasoning again.
    (["*grok-4.3*", "*grok-4-3*"],
     dict(FUNCTION, message=5, seal_chars=67, seal_all=1),
     dict(request=(100, 100), tools=(100, 100), call=(8, 8),
          schema=(0, 20))),
    (["*grok-code*", "*grok-4*"],
     dict(FUNCTION, message=5, reasoning=LAST, seal_chars=67, seal_all=1),
     dict(request=(5, 5), tools=(100, 100), call=(8, 20), json=(0, 10))),
    (["*grok*"],
     dict(FUNCTION, message=5, seal_chars=67, seal_all=1),
     dict(request=(10, 20), tools=(100, 100), call=(8, 8), schema=(0, 20),
          system=(0, 40), thinking=(0, 50))),
    # "<|start_header_id|>user<|end_header_id|>\n\n…<|eot_id|>"; from 3.1 on
    # the dates of its knowledge and of today as a system message.
    (["*/*llama-4*"], dict(request=4, message=5, tool=18),
     dict(tools=(100, 300), call=(8, 8))),
    (["*/*llama3-*", "*/*llama-3-*"], dict(request=5, message=5, tool=18,
                                       tools=80, call=10), {}),
    (["*/*llama*"], dict(request=31, message=5, system=-5, tool=18),
     dict(tools=(80, 50), call=(8, 8))),
    # "<|im_start|>user\n…<|im_end|>\n"; an empty thought where none is
    # wanted; functions within <tools>, which are left out when none may be
    # called. From 3.5 on calls are told of at length.
    # Ollama has its own templates, and shows of a schema what it knows.
    (["ollama/*qwen*"],
     dict(request=3, message=5, digits=1, tool=8, reasoning=LAST),
     dict(tools=(85, 15), call=(10, 8), unthinking=(0, 4))),
    (["*qwen3.8*", "*qwen3.7*", "*qwen-3.8*"],
     dict(FUNCTION, message=5, drops=1, digits=1, reasoning=LAST),
     dict(request=(20, 40), tools=(150, 100), call=(10, 10))),
    (["*qwen3.5*", "*qwen3.6*"],
     dict(FUNCTION, request=3, message=5, drops=1, unthinking=4, tools=220,
          digits=1, reasoning=LAST,
          call=18), {}),
    (["*qwen*"],
     dict(FUNCTION, request=3, message=5, drops=1, digits=1, reasoning=LAST),
     dict(tools=(97, 20), call=(10, 8), unthinking=(4, 2))),
    # "<|User|>…<|Assistant|></think>"; V4 writes into the prompt how hard it
    # is to think, unless it is not to (0731's encoding of messages).
    (["deepseek/*v4*", "together*/*deepseek-v4*"],
     dict(tool=8, request=82, message=1, unthinking=-79, json=18,
          reasoning=LAST),
     dict(tools=(150, 100), call=(10, 10))),
    (["baseten/*deepseek*"],
     dict(tool=8, request=3, message=1, json=18, drops=1,
          reasoning=LAST, tools=255, call=15), {}),
    (["*deepseek*"],
     dict(tool=8, request=3, message=1, json=18, reasoning=LAST),
     dict(tools=(150, 100), call=(10, 10))),
    # "[gMASK]<sop><|user|>\n…<|assistant|>\n<think>"
    (["*glm-5*"], dict(FUNCTION, request=4, message=2, reasoning=LAST),
     dict(tools=(100, 40), call=(8, 8))),
    (["*glm*"], dict(FUNCTION, request=4, message=2, reasoning=LAST),
     dict(tools=(100, 40), call=(8, 8))),
    # "<|im_user|>user<|im_middle|>…<|im_end|>"; from K2.5 on TypeScript.
    (["*kimi-k2.5*", "*kimi-k2.6*", "*kimi-k2.7*", "*kimi-k3*"],
     dict(TYPES, request=3, message=4, reasoning=LAST),
     dict(tools=(16, 16), call=(8, 8))),
    (["*kimi*"], dict(request=3, message=4, reasoning=LAST),
     dict(tools=(5, 5), tool=(18, 18), call=(8, 8))),
    # "[INST]…[/INST]"; functions within [AVAILABLE_TOOLS].
    (["*stral*"], dict(tool=18, request=1, message=2, schema_form="NOTHING",
                       digits=1, reasoning=LAST),
     dict(tools=(20, 20), call=(8, 5), system=(-2, 2))),
    # A system message of the maker's.
    (["*minimax*"], dict(FUNCTION, message=4, reasoning=LAST),
     dict(request=(20, 30), tools=(80, 80))),
    (["*mimo*"], dict(FUNCTION, message=5, reasoning=LAST),
     dict(request=(100, 150), tools=(150, 100), call=(8, 8))),
    (["*palmyra*"], dict(FUNCTION, message=5),
     dict(request=(15, 20), tools=(100, 50))),
    (["*command*"], dict(tool=18, tools=100, reasoning=LAST), {}),
    (["baseten/*"], dict(FUNCTION, request=3, message=4, tools=80, call=8,
                         drops=1, reasoning=LAST), {}),
    (["*"], dict(FUNCTION, request=3, message=4, tools=80, call=8,
                 reasoning=LAST), {}),
]


def row_of(case):
    name = case["id"].lower()
    for i, (patterns, _, _) in enumerate(ROWS):
        if any(fnmatch.fnmatchcase(name, p + ("" if "@" in p else "@*"))
               for p in patterns):
            return i
    raise ValueError(name)


def shown(case, form, what, field):
    if form == "NOTHING":
        return 0
    if form == "WORDS":
        return case[what + "_words"] + field * case[what + "_fields"]
    return case[what + "_text"]


def parts(case, p):
    """(what is certain, how often each linear parameter counts)."""
    tools = case["tools"] > 0 and not (p["drops"] and case["no_tools"])
    schema = case["schema_text"] > 0
    tool_like = schema and p["schema_tool"]
    n = dict.fromkeys(LINEAR, 0)
    n.update(request=1, message=case["messages"], call=case["calls"],
             system=case["systems"] > 0, json=case["json"],
             thinking=case["thinks"], unthinking=case["unthinks"])
    base = case["text"] + case["digits"] * p["digits"]
    base += case[p["reasoning"]] if p["reasoning"] else 0
    if tools or tool_like:
        n["tools"] = 1
        n["forced"] = case["must_call"] or bool(tool_like)
        n["serial"] = case["one_call"]
        n["tool"] = case["tools"] * tools + bool(tool_like)
    if tools:
        base += shown(case, p["tools_form"], "tools", 0)
        if p["tools_form"] == "WORDS":
            n["field"] += case["tools_fields"]
    if schema:
        n["schema"] = not tool_like
        base += shown(case, p["schema_form"], "schema", 0)
        if p["schema_form"] == "WORDS":
            n["field"] += case["schema_fields"]
    if p["seal_chars"]:
        last = "" if p["seal_all"] else "last_"
        base += max(0, case[last + "sealed"] - case[last + "seals"] *
                    p["seal_skip"]) * 10 // p["seal_chars"]
    return base, n


def solve(a, b):
    n = len(b)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(a[k][i]))
        a[i], a[pivot], b[i], b[pivot] = a[pivot], a[i], b[pivot], b[i]
        for k in range(i + 1, n):
            f = a[k][i] / a[i][i]
            a[k] = [x - f * y for x, y in zip(a[k], a[i])]
            b[k] -= f * b[i]
    for i in reversed(range(n)):
        b[i] = (b[i] - sum(a[i][k] * b[k] for k in range(i + 1, n))) / a[i][i]
    return b


def fit(row, cases):
    """The row's parameters, fitted to these cases of it."""
    _, known, free = row
    p = dict.fromkeys(LINEAR + FIXED, 0)
    p.update(tools_form="JSON", schema_form="JSON")
    p.update(known)
    p.update((k, v[0]) for k, v in free.items())
    names = sorted(free)
    if not names or not cases:
        return p
    for _ in range(30):
        a = [[(i == k) / free[names[i]][1] ** 2 for k in range(len(names))]
             for i in range(len(names))]
        b = [free[k][0] / free[k][1] ** 2 for k in names]
        for c in cases:
            base, n = parts(c, p)
            rest = c["truth"] - base - sum(
                n[k] * p[k] for k in LINEAR if k not in free)
            x = [n[k] for k in names]
            error = (sum(u * p[k] for u, k in zip(x, names)) - rest) / \
                c["truth"]
            weight = 1 / (SIGMA * c["truth"]) ** 2 / \
                (1 + (error / SIGMA) ** 2)
            for i in range(len(names)):
                b[i] += weight * x[i] * rest
                for k in range(len(names)):
                    a[i][k] += weight * x[i] * x[k]
        p.update(zip(names, solve(a, b)))
    p.update((k, round(p[k])) for k in names)
    return p


def estimate(case, p):
    base, n = parts(case, p)
    return max(1, int(base) + sum(n[k] * p[k] for k in LINEAR))


def near(case, p):
    return abs(estimate(case, p) / case["truth"] - 1) <= NEAR


def show(patterns, p):
    words = [".%s = %s" % (k, p[k]) for k in LINEAR if p[k]]
    for k in ("tools_form", "schema_form"):
        if p[k] != "JSON":
            words.append(".%s = FORM_%s" % (k, p[k]))
    if p["reasoning"]:
        words.append(".reasoning = READ_" + (
            "LAST" if p["reasoning"] == LAST else "ALL"))
    words += [".%s = %s" % (k, p[k]) for k in
              ("digits", "schema_tool", "seal_skip", "seal_chars",
               "seal_all", "drops") if p[k]]
    for pattern in patterns:
        line = "MODEL(\"%s\"" % pattern
        for w in words:
            if len(line.expandtabs(8)) + len(w) + 3 > 79:
                print(line + ",")
                line = "\t" + w
            else:
                line += ", " + w
        print(line + ")")


HEAD = """\
/*
 * What families of models put around the text of a chat: the members of
 * struct template in policy/estimate_chat.c. The first pattern that matches
 * "provider/model@dialect" in small letters counts.
 *
 * Made by tests/bench/estimate_fit.py, where the reasons stand and what of it
 * is known and what fitted; change it there.
 */
"""


def main():
    print(HEAD, end="")
    with open(0 if sys.argv[1] == "-" else sys.argv[1],
              encoding="utf-8") as f:
        cases = [json.loads(line) for line in f]
    of = {}
    for c in cases:
        of.setdefault(row_of(c), []).append(c)
    hits, left = [], []
    for i, row in enumerate(ROWS):
        mine = of.get(i, [])
        p = fit(row, mine)
        show(row[0], p)
        hits += [(c, near(c, p)) for c in mine]
        for k, c in enumerate(mine):
            q = fit(row, mine[:k] + mine[k + 1:])
            ok = near(c, q)
            left.append((c, ok))
            if "-v" in sys.argv:
                print("%s %s %4d %4d %4d %s %s" % ("  "[ok:] + "!"[ok:], "  ",
                      estimate(c, p), estimate(c, q), c["truth"], c["id"],
                      c["path"].split("/")[-2][-30:]), file=sys.stderr)
    for what, some in (("in sample", hits), ("left out", left)):
        for name, want in (("without tools", 0), ("with tools", 1)):
            ok = [x for c, x in some if (c["tools"] > 0) == want]
            print("%s, %s: %d of %d" % (what, name, sum(ok), len(ok)),
                  file=sys.stderr)
        print("%s: %.1f %%" % (what, 100 * sum(x for _, x in some) /
                               len(some)), file=sys.stderr)


main()
