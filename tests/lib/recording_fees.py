"""What a recorded answer says that is billed beside its tokens.

searches(docs): how many searches its provider counts as billed; tier(docs):
the service tier that it ran in. docs: the JSON objects of the answer, in
order. It must not share code with the product.
"""

import json

STANDARD = {"default", "standard", "on_demand", "ON_DEMAND"}
OTHERS = {"flex": "flex", "priority": "priority", "batch": "batch",
          "scale": "reserved", "reserved": "reserved",
          "ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority",
          "PROVISIONED_THROUGHPUT": "reserved"}


def documents(case):
    """The objects of a body: one, or those of its events."""
    if case.body_file == "stream.eventstream":
        from botocore.eventstream import EventStreamBuffer
        frames = EventStreamBuffer()
        frames.add_data(case.body())
        texts = [f.payload.decode("utf-8", "replace") for f in frames]
    else:
        text = case.body().decode("utf-8", "replace")
        texts = [line[5:] for line in text.splitlines()
                 if line.startswith("data:")] or [text]
    docs = []
    for text in texts:
        try:
            docs.append(json.loads(text))
        except ValueError:
            continue
    return [d for d in docs if isinstance(d, dict)]


def at(doc, *names):
    for n in names:
        doc = doc.get(n) if isinstance(doc, dict) else None
    return doc


def last(docs, *names):
    found = [v for v in (at(d, *names) for d in docs) if v is not None]
    return found[-1] if found else None


TIERS = [("service_tier",), ("serviceTier", "type"),
         ("response", "service_tier"), ("usage", "service_tier"),
         ("message", "usage", "service_tier"),
         ("usageMetadata", "trafficType"), ("usageMetadata", "serviceTier")]

COUNTS = [("usage", "server_tool_use_details", "web_search_requests"),
          ("usage", "server_tool_use", "web_search_requests"),
          ("message", "usage", "server_tool_use", "web_search_requests"),
          ("usage", "billed_units", "search_units"),
          ("delta", "usage", "billed_units", "search_units"),
          ("tool_usage", "web_search", "num_requests"),
          ("response", "tool_usage", "web_search", "num_requests"),
          ("usage", "num_search_queries")]

CALLS = ("usage", "server_side_tool_usage_details")


def tier(docs):
    """Its name in records; None: standard, or nothing is said."""
    words = [w for w in (last(docs, *t) for t in TIERS)
             if isinstance(w, str) and w not in ("", "auto")]
    if not words or words[-1] in STANDARD:
        return None
    return OTHERS.get(words[-1], "other")


def made(response):
    return sum(1 for o in response.get("output") or []
               if at(o, "type") == "web_search_call" and
               at(o, "action", "type") == "search")


def searches(docs):
    for place in COUNTS:
        n = last(docs, *place)
        if n is not None:
            return int(n)
    for place in CALLS, ("response",) + CALLS:
        calls = last(docs, *place)
        if calls:
            return calls["web_search_calls"] + calls["x_search_calls"]
    if not docs:
        return 0
    end = docs[-1].get("response") or docs[-1]
    return made(end) if isinstance(end, dict) else 0
