"""Every recording of files and batches, through the gateway: what a client of
OpenAI's form sees, and what is charged, is what an independent reading of the
recording says."""

import http.server
import json
import threading
from datetime import datetime

import pytest

import fcgi
import pool
import recording
import world

KEY = "batch-client-key-0123456789"
BOUNDARY = "batch7boundary"
RATES = {"input": 1, "output": 2, "service_tiers": {"batch": "50 %"}}
IN, OUT = 500, 1000                       # n$ a token of that
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
# Lists are answered from our own registry: nobody's list is read.
NOT_ASKED = {"anthropic/files-files-cc3a9d"}

ALL = [c for root in world.roots() for c in recording.cases(root)
       if c.meta.get("api") in ("batches", "files")]
CASES = [c for c in ALL if repr(c) not in NOT_ASKED]


def made_at(text):
    return int(datetime.fromisoformat(
        text.replace("Z", "+00:00")[:26].rstrip("+:0") + "+00:00")
        .timestamp()) if text else None


class Replay(http.server.ThreadingHTTPServer):
    """Answers by the end of the path; the first row that fits."""

    daemon_threads = True

    def __init__(self, rows):
        super().__init__(("127.0.0.1", 0), Handler)
        self.rows, self.asked = rows, []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.shutdown()
        self.server_close()

    def base(self, root):
        return f"http://127.0.0.1:{self.server_address[1]}/{root}".rstrip("/")


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_args):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path, body))
        found = next((r for m, end, r in self.server.rows
                      if m == self.command and path.endswith(end)), None)
        said = b'{"error":{"message":"not recorded"}}' if found is None else \
            found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_DELETE = answer


def policy(log, adapter, base):
    return {"log": str(log), "attempts": 1,
            "providers": {"p": {"adapter": adapter, "base_url": base,
                                "key": "plain:sk"}},
            "models": {"m": {"targets": [{
                "provider": "p", "model": "up-m", "price": RATES}]}},
            "keys": [{"name": "k", "secret": "plain:" + KEY,
                      "budget": "1000 USD / day"}]}


def ask(running, method, uri, doc=None):
    r = fcgi.request(running.socket, method, uri,
                     b"" if doc is None else json.dumps(doc).encode(),
                     pool.bearer(KEY))
    assert r.status == 200, (method, uri, r.status, r.body)
    return r.body


def upload(running, data, filename, **fields):
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{k}\"\r\n"
        f"\r\n{v}\r\n".encode() for k, v in fields.items())
    body += (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; "
             f"filename=\"{filename}\"\r\n\r\n").encode() + data + \
        f"\r\n--{BOUNDARY}--\r\n".encode()
    r = fcgi.request(running.socket, "POST", "/v1/files", body, [
        ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),
        ("Authorization", "Bearer " + KEY)])
    assert r.status == 200, r.body
    return json.loads(r.body)


def lines(ids, path):
    texts = {CHAT: {"messages": [{"role": "user", "content": "hello"}],
                    "max_tokens": 1000},
             RESPONSES: {"input": "hello", "max_output_tokens": 1000}}
    return "".join(json.dumps({
        "custom_id": i, "method": "POST", "url": path,
        "body": {"model": "m", **texts[path]}}) + "\n"
        for i in ids).encode()


def order(running, ids, path, **more):
    given = upload(running, lines(ids, path), "in.jsonl", purpose="batch")
    return json.loads(ask(running, "POST", "/v1/batches", {
        "input_file_id": given["id"], "endpoint": path,
        "completion_window": "24h", **more}))


def by(provider, api):
    return [pytest.param(c, id=repr(c)) for c in CASES
            if c.meta["provider"] in provider and c.meta["api"] == api]


def test_all_are_judged():
    judged = {repr(p.values[0]) for group in (
        by(("mistral", "xai"), "files"), by(("openai",), "files"),
        by(("openai",), "batches"), by(("anthropic",), "batches"),
        by(("gemini",), "batches")) for p in group}
    assert {repr(c) for c in CASES} == judged


@pytest.mark.parametrize("case", by(("mistral", "xai"), "files"))
def test_upload(case, tmp_path):
    """An id of ours; all else as it was told."""
    sent, said = case.request(), json.loads(case.body())
    sent = json.loads(sent)
    purpose = sent["fields"].get("purpose", "user_data")
    data = b"%PDF-1.7\n" * 100
    with Replay([("POST", "/files", said),
                 ("GET", "/" + said["id"], said)]) as up, \
            pool.Pool(policy(tmp_path / "log", "openai",
                             up.base("v1"))) as running:
        got = upload(running, data, sent["files"][0]["filename"],
                     purpose=purpose, model="m")
        again = json.loads(ask(running, "GET", "/v1/files/" + got["id"]))
    assert got["id"] != said["id"] and again["id"] == got["id"]
    assert got["filename"] == said["filename"]
    assert got["bytes"] == said["bytes"] and got["object"] == "file"
    assert data in up.asked[0][2]


def content_of(batch):
    """The recorded answers of a batch, where they are there too."""
    return next((c for c in CASES if c.meta["api"] == "files" and
                 c.meta["provider"] == "openai" and batch["output_file_id"] and
                 batch["output_file_id"] in c.meta["url_path"]), None)


@pytest.mark.parametrize("case", by(("openai",), "batches") +
                         by(("openai",), "files"))
def test_openai(case, tmp_path):
    """A file's own case is that of the batch whose answers it has."""
    if case.meta["api"] == "files":
        case = next(c for c in CASES if c.meta["api"] == "batches" and
                    c.meta["provider"] == "openai" and content_of(
                        json.loads(c.body())) is case)
    said = json.loads(case.body())
    answers = content_of(said)
    made = [] if answers is None else [
        json.loads(t) for t in answers.body().decode().splitlines()]
    ids = [m["custom_id"] for m in made] or ["a", "b"]
    rows = [("POST", "/files", {"id": said["input_file_id"], "bytes": 10,
                                "object": "file", "purpose": "batch",
                                "created_at": 1, "filename": "in.jsonl"}),
            ("POST", "/batches", {**said, "status": "validating",
                                  "output_file_id": None}),
            ("GET", "/batches/" + said["id"], said)]
    if answers is not None:
        rows.append(("GET", said["output_file_id"] + "/content",
                     answers.body()))
    more = {"metadata": said["metadata"]} if said["metadata"] else {}
    log = tmp_path / "log"
    adapter = "responses" if said["endpoint"] == RESPONSES else "openai"
    with Replay(rows) as up, pool.Pool(policy(log, adapter,
                                              up.base("v1"))) as running:
        b = order(running, ids, said["endpoint"], **more)
        got = json.loads(ask(running, "GET", "/v1/batches/" + b["id"]))
        out = [json.loads(t) for t in ask(
            running, "GET", "/v1/files/" + got["output_file_id"] + "/content"
        ).decode().splitlines()] if made else []
    for name in ("status", "endpoint", "created_at", "completed_at",
                 "expires_at", "completion_window"):
        assert got[name] == said[name], name
    # Ours is known from the start; the provider's only when it has looked.
    assert got["request_counts"] == {**said["request_counts"],
                                     "total": len(ids)}
    assert got["id"] == b["id"] != said["id"]
    assert (got["metadata"] or {}) == (said["metadata"] or {})
    assert len(out) == len(made)
    for mine, theirs in zip(out, made):
        assert mine["custom_id"] == theirs["custom_id"]
        for name in ("output", "choices", "usage"):
            assert mine["response"]["body"].get(name) == \
                theirs["response"]["body"].get(name)
    if made:
        paid(log, said["usage"]["input_tokens"],
             said["usage"]["output_tokens"])


def paid(log, tokens_in, tokens_out):
    row = next(r for r in map(json.loads, log.read_text().splitlines())
               if r.get("operation") == "batch")
    cost = row.get("cost_nano", row.get("cost"))
    want = tokens_in * IN + tokens_out * OUT
    assert int(cost) == want if isinstance(cost, int) else \
        round(float(cost) * 1e9) == want, row


@pytest.mark.parametrize("case", by(("anthropic",), "batches"))
def test_anthropic(case, tmp_path):
    said, sent = json.loads(case.body()), json.loads(case.request())
    ids = [r["custom_id"] for r in sent["requests"]]
    with Replay([("POST", "/messages/batches", said),
                 ("GET", "/messages/batches/" + said["id"], said)]) as up, \
            pool.Pool(policy(tmp_path / "log", "anthropic",
                             up.base(""))) as running:
        b = order(running, ids, CHAT)
        got = json.loads(ask(running, "GET", "/v1/batches/" + b["id"]))
    order_of = next(json.loads(a[2]) for a in up.asked if a[0] == "POST")
    assert [r["custom_id"] for r in order_of["requests"]] == ids
    assert {r["params"]["model"] for r in order_of["requests"]} == {"up-m"}
    assert got["status"] == said["processing_status"] == "in_progress"
    assert got["request_counts"] == {"total": len(ids), "completed": 0,
                                     "failed": 0}
    assert got["created_at"] == made_at(said["created_at"])
    assert got["expires_at"] == made_at(said["expires_at"])


@pytest.mark.parametrize("case", by(("gemini",), "batches"))
def test_gemini(case, tmp_path):
    """Its clients name their requests as they like; ours by `key`."""
    text = case.body().decode().replace('"custom_id"', '"key"')
    said = json.loads(text)
    done = said.get("done", False)
    found = said["response"]["inlinedResponses"]["inlinedResponses"] \
        if done else []
    begun = {"name": said["name"], "metadata": {
        **said["metadata"], "state": "BATCH_STATE_PENDING"}}
    begun["metadata"].pop("output", None)
    log = tmp_path / "log"
    with Replay([("POST", ":batchGenerateContent", begun),
                 ("GET", said["name"], said)]) as up, \
            pool.Pool(policy(log, "gemini", up.base("v1beta"))) as running:
        b = order(running, ["0", "1"], CHAT)
        got = json.loads(ask(running, "GET", "/v1/batches/" + b["id"]))
        out = {r["custom_id"]: r["response"]["body"] for r in (
            json.loads(t) for t in ask(
                running, "GET", "/v1/files/" + got["output_file_id"] +
                "/content").decode().splitlines())} if done else {}
    assert got["status"] == ("completed" if done else "in_progress")
    assert got["request_counts"]["total"] == 2
    assert got["created_at"] == made_at(said["metadata"]["createTime"])
    assert len(out) == len(found)
    tokens = [0, 0]
    for r in found:
        theirs, u = r["response"], r["response"]["usageMetadata"]
        mine = out[r["metadata"]["key"]]
        assert mine["choices"][0]["message"]["content"] == \
            theirs["candidates"][0]["content"]["parts"][0]["text"]
        tokens_out = u["candidatesTokenCount"] + u["thoughtsTokenCount"]
        assert mine["usage"]["prompt_tokens"] == u["promptTokenCount"]
        assert mine["usage"]["completion_tokens"] == tokens_out
        tokens[0] += u["promptTokenCount"]
        tokens[1] += tokens_out
    if done:
        paid(log, *tokens)
