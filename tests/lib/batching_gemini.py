"""Batches as Google's AI Studio has them: ai.google.dev/api/batch-api and
…/gemini-api/docs/batch-api, with requests in the body. Counts are strings, as
protobuf's JSON has 64 bits."""

WORDS = 3
TIME = "2023-11-14T22:%02d:00.123456789Z"


def error(code, message):
    return code, {"error": {"code": code, "message": message,
                            "status": "INVALID_ARGUMENT"}}


def words_of(request):
    contents = list(request["contents"])
    if "systemInstruction" in request:
        contents.append(request["systemInstruction"])
    return " ".join(p["text"] for c in contents for p in c["parts"]).split()


def wrong(doc):
    """What is wrong with an order, or None."""
    batch = doc.get("batch")
    if set(doc) != {"batch"} or set(batch) != {"displayName", "inputConfig"}:
        return "batch: unknown members"
    found = batch["inputConfig"]["requests"]["requests"]
    if not found:
        return "no requests"
    for r in found:
        if set(r) != {"request", "metadata"} or set(r["metadata"]) != {"key"}:
            return "a request of unknown members"
        if set(r["request"]) - {"contents", "generationConfig", "tools",
                                "systemInstruction", "safetySettings",
                                "toolConfig"}:
            return "request: " + repr(r["request"])
    return None


def show(row):
    n = len(row["requests"])
    good = sum("response" in r for r in row["results"] or [])
    stats = {"requestCount": str(n)}
    if row["results"] is None:
        stats["pendingRequestCount"] = str(n)
    else:
        stats.update(successfulRequestCount=str(good),
                     failedRequestCount=str(n - good))
    about = {"@type": "type.googleapis.com/google.ai.generativelanguage"
                      ".v1main.GenerateContentBatch",
             "model": row["model"], "displayName": "tollgate",
             "createTime": TIME % 1, "updateTime": TIME % 2,
             "batchStats": stats, "state": row["state"],
             "name": row["name"]}
    doc = {"name": row["name"], "metadata": about}
    if row["results"] is not None:
        about["endTime"] = TIME % 9
        doc.update(done=True, response={
            "@type": about["@type"] + "Output", "inlinedResponses": {
                "inlinedResponses": row["results"]}})
    return doc


def result(x, request, i, row):
    words = words_of(request["request"])
    about = {"metadata": request["metadata"]}
    if (row["cancelled"] and i > 0) or words[0] == "fail":
        return {**about, "error": {"code": 3, "message": "no"}}
    x.bill_tokens(WORDS, len(words))
    return {**about, "response": {
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {
            "role": "model", "parts": [{"text": "word0 word1 word2"}]}}],
        "usageMetadata": {"promptTokenCount": len(words),
                          "candidatesTokenCount": WORDS,
                          "totalTokenCount": len(words) + WORDS},
        "modelVersion": row["model"], "responseId": "r%d" % i}}


async def answer(x, looks):
    kept = x.server.batching.setdefault(x.key() + "#gemini", {})
    path = x.path[x.path.index("/v1beta") + len("/v1beta"):]
    if path.endswith(":batchGenerateContent"):
        bad = wrong(x.json)
        model = path.removeprefix("/").partition(":")[0]
        if bad or not model.startswith("models/up-"):
            return error(400, bad or "no such model")
        name = "batches/%d" % (len(kept) + 1)
        kept[name] = {"name": name, "model": model, "looks": looks,
                      "state": "BATCH_STATE_PENDING", "results": None,
                      "cancelled": False, "requests":
                          x.json["batch"]["inputConfig"]["requests"][
                              "requests"]}
        return 200, show(kept[name])
    name, _, verb = path.removeprefix("/").partition(":")
    row = kept.get(name)
    if row is None:
        return error(404, "no such batch")
    if verb == "cancel":
        row.update(cancelled=True, looks=2)
        return 200, {}
    row["looks"] -= 1
    if row["looks"] <= 0 and row["results"] is None:
        row["state"] = "BATCH_STATE_CANCELLED" if row["cancelled"] else \
            "BATCH_STATE_SUCCEEDED"
        row["results"] = [result(x, r, i, row)
                          for i, r in enumerate(row["requests"])]
    elif row["results"] is None:
        row["state"] = "BATCH_STATE_RUNNING"
    return 200, show(row)
