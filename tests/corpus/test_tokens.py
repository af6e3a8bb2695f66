"""Credentials that are fetched: one server stands for the token endpoints,
the metadata services and the provider that judges what came of it."""

import base64
import calendar
import contextlib
import fcntl
import http.server
import json
import os
import subprocess
import threading
import time
import urllib.parse

import pytest

import pool

KEY = "tokens-client-key-0123456789"
ANSWER = {"id": "x", "object": "chat.completion", "created": 1,
          "model": "m", "choices": [
              {"index": 0, "finish_reason": "stop",
               "message": {"role": "assistant", "content": "ok"}}],
          "usage": {"prompt_tokens": 1, "completion_tokens": 1,
                    "total_tokens": 2}}
CLAUDE = {"id": "msg_1", "type": "message", "role": "assistant",
          "model": "claude", "content": [{"type": "text", "text": "ok"}],
          "stop_reason": "end_turn", "stop_sequence": None,
          "usage": {"input_tokens": 1, "output_tokens": 1}}
CONVERSE = {"output": {"message": {"role": "assistant", "content": [
    {"text": "ok"}]}}, "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}


class Mock:
    """What was asked, and how to answer."""

    def __init__(self):
        self.seen = []        # (method, path, headers, body)
        self.life = 3600
        self.delay = 0
        self.status = 200
        self.revoked = set()  # tokens that the provider refuses
        self.tokens = 0
        self.busy = self.most = 0 # token requests under way, at most
        self.skew = 0         # how far AWS' clock is ahead of ours, s
        self.words = ("InvalidSignatureException",
                      "Signature expired: it is not the time")
        self.lock = threading.Lock()
        mock = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args):
                pass

            def date_time_string(self, timestamp=None):
                return super().date_time_string(time.time() + mock.skew)

            def run(self):
                n = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(n).decode()
                with mock.lock:
                    mock.seen.append((self.command, self.path, {
                        k.lower(): v for k, v in self.headers.items()},
                        body))
                status, doc = mock.answer(self.command, self.path,
                                          self.headers, body)
                raw = doc.encode() if isinstance(doc, str) else \
                    json.dumps(doc).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = run

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def answer(self, method, path, headers, body):
        if path.startswith("/v1/chat") or ":rawPredict" in path or \
                path.endswith("/converse"):
            if self.late(headers.get("x-amz-date")):
                return 403, {"__type": self.words[0],
                             "message": self.words[1]}
            shown = headers.get("x-amz-security-token") or \
                headers.get("authorization", "")
            if shown.split(" ")[-1] in self.revoked:
                return 401, {"error": {"message": "bad token " + shown}}
            return 200, CONVERSE if path.endswith("/converse") else \
                CLAUDE if "rawPredict" in path else ANSWER
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        time.sleep(self.delay)
        with self.lock:
            self.busy -= 1
        if self.status != 200:
            return self.status, {"error": "no"}
        return 200, self.credential(method, path, body)

    def late(self, date):
        return date is not None and abs(calendar.timegm(time.strptime(
            date, "%Y%m%dT%H%M%SZ")) - time.time() - self.skew) > 300

    def credential(self, method, path, body):
        if method == "PUT":
            return "session-of-instance"
        if path.endswith("/security-credentials/"):
            return "a-role\n"
        with self.lock:
            self.tokens += 1
            name = "token-%d" % self.tokens
        ends = time.time() + self.life
        if path.startswith("/sts"):
            return {"AssumeRoleWithWebIdentityResponse": {
                "AssumeRoleWithWebIdentityResult": {"Credentials": {
                    "AccessKeyId": "AKIDSTS", "SecretAccessKey": "s",
                    "SessionToken": name, "Expiration": int(ends)}}}}
        if path.startswith("/latest/") or path.startswith("/container"):
            return {"AccessKeyId": "AKIDROLE", "SecretAccessKey": "s",
                    "Token": name, "Expiration": time.strftime(
                        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))}
        return {"access_token": name, "expires_in": self.life,
                "token_type": "Bearer"}

    def asked(self, part):
        with self.lock:
            return [s for s in self.seen if part in s[1]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture()
def mock():
    m = Mock()
    yield m
    m.close()


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """A service account and the public key to judge its signatures."""
    folder = tmp_path_factory.mktemp("account")
    pem, pub = str(folder / "key.pem"), str(folder / "pub.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", pem],
                   check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "pkey", "-in", pem, "-pubout", "-out", pub],
                   check=True)
    with open(pem, encoding="ascii") as f:
        return {"type": "service_account", "private_key": f.read(),
                "private_key_id": "kid-1", "client_email": "a@b.example",
                "token_uri": "replaced"}, pub


def policy(rows, attempts=2):
    """One model a provider row, of the same name."""
    return {"log": "stderr", "attempts": attempts, "timeouts": {"connect": "3s"},
            "providers": rows,
            "models": {n: {"targets": [{"provider": n, "model": "m"}]}
                       for n in rows},
            "keys": [{"name": "k", "secret": "plain:" + KEY}]}


CLEAN = {n: "" for n in os.environ if n.startswith(("AWS_", "AZURE_",
                                                    "GOOGLE_"))}


def start(rows, attempts=2, **env):
    return pool.Pool(policy(rows, attempts), dict(CLEAN, **env))


def chat(p, model):
    return p.post("/v1/chat/completions", {"model": model, "messages": [
        {"role": "user", "content": "hi"}]}, KEY)


def google(mock, account, **more):
    doc = dict(account[0], token_uri=mock.url + "/token")
    return dict({"adapter": "openai", "base_url": mock.url + "/v1",
                 "credentials": "plain:" + json.dumps(doc),
                 "auth": "google"}, **more)


def unpack(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_google(mock, account, tmp_path):
    """The assertion is signed and says what it must; many requests that
    wait share one fetch."""
    mock.delay = 0.3
    with start({"g": google(mock, account)}) as p:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            chat(p, "g").status)) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        log = p.log()
    assert answers == [200] * 8
    asked = mock.asked("/token")
    assert len(asked) == 1
    form = urllib.parse.parse_qs(asked[0][3])
    assert form["grant_type"] == [
        "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, sign = form["assertion"][0].split(".")
    assert json.loads(unpack(head)) == {"alg": "RS256", "typ": "JWT",
                                        "kid": "kid-1"}
    said = json.loads(unpack(claims))
    assert said["iss"] == "a@b.example"
    assert said["aud"] == mock.url + "/token"
    assert said["scope"].endswith("/auth/cloud-platform")
    assert abs(said["iat"] - time.time()) < 60
    assert said["exp"] - said["iat"] == 3600
    (tmp_path / "sig").write_bytes(unpack(sign))
    (tmp_path / "text").write_text(head + "." + claims)
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", account[1],
                    "-signature", str(tmp_path / "sig"),
                    str(tmp_path / "text")], check=True,
                   stdout=subprocess.DEVNULL)
    for _, _, headers, _ in mock.asked("/chat"):
        assert headers["authorization"] == "Bearer token-1"
    assert "token-1" not in log and "PRIVATE" not in log


def test_google_file_and_vertex_claude(mock, account, tmp_path):
    """The document may be named by the environment; Claude at Vertex."""
    path = tmp_path / "account.json"
    path.write_text(json.dumps(dict(account[0],
                                    token_uri=mock.url + "/token")))
    with start({"v": {"adapter": "anthropic", "base_url": mock.url +
                      "/publishers/anthropic", "auth": "google"}},
               GOOGLE_APPLICATION_CREDENTIALS=str(path)) as p:
        assert chat(p, "v").status == 200
    _, path, headers, body = mock.asked("rawPredict")[0]
    assert path == "/publishers/anthropic/models/m:rawPredict"
    assert headers["authorization"] == "Bearer token-1"
    doc = json.loads(body)
    assert doc["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in doc


def azure(mock, **more):
    return dict({"adapter": "openai", "base_url": mock.url + "/v1",
                 "credentials": "plain:" + json.dumps({
                     "tenant_id": "t", "client_id": "c id",
                     "client_secret": "s&s="}),
                 "auth": {"scheme": "azure", "token_url": mock.url +
                          "/oauth2/v2.0/token"}}, **more)


def test_azure(mock):
    with start({"a": azure(mock)}) as p:
        assert chat(p, "a").status == 200
        assert chat(p, "a").status == 200
    asked = mock.asked("/oauth2")
    assert len(asked) == 1
    assert urllib.parse.parse_qs(asked[0][3]) == {
        "grant_type": ["client_credentials"], "client_id": ["c id"],
        "client_secret": ["s&s="],
        "scope": ["https://cognitiveservices.azure.com/.default"]}


@pytest.mark.parametrize("attempts", [1, 2])
def test_refused_once(mock, attempts):
    """A token that ended early: one new one, and the client sees nothing,
    even where there is one attempt only."""
    with start({"a": azure(mock)}, attempts) as p:
        assert chat(p, "a").status == 200
        mock.revoked.add("token-1")
        assert chat(p, "a").status == 200
        assert len(mock.asked("/oauth2")) == 2
        mock.revoked.add("token-2")
        answer = chat(p, "a")
        assert answer.status == 502
        assert b"token-" not in answer.body
        assert len(mock.asked("/oauth2")) == 2


def test_renewed_ahead(mock):
    """At about 80 % of its life, with the old one in use meanwhile."""
    mock.life = 5
    with start({"a": azure(mock)}) as p:
        began = time.monotonic()
        while time.monotonic() - began < 5.5:
            at = time.monotonic()
            assert chat(p, "a").status == 200
            assert mock.tokens == 1 or at - began > 3.4
            assert time.monotonic() - at < 0.5
            mock.delay = 0.4 # only the first waits
            time.sleep(0.1)
    assert mock.tokens == 2


def together(pools):
    """A request to each at once: statuses and seconds."""
    out = []

    def one(p):
        at = time.monotonic()
        out.append((chat(p, "a").status, time.monotonic() - at))

    threads = [threading.Thread(target=one, args=(p,)) for p in pools]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def test_one_refresher(mock, tmp_path):
    """Workers of a host fetch one after another, not all at once: at first,
    and after the provider refused the tokens of all."""
    mock.delay = 0.2
    with contextlib.ExitStack() as stack:
        pools = [stack.enter_context(start(
            {"a": azure(mock)}, TOLLGATE_STATE=str(tmp_path)))
            for _ in range(4)]
        assert {s for s, _ in together(pools)} == {200}
        assert mock.tokens == 4 and mock.most == 1
        mock.revoked = {"token-%d" % (i + 1) for i in range(4)}
        assert {s for s, _ in together(pools)} == {200}
        assert mock.tokens == 8 and mock.most == 1
    assert os.stat(tmp_path / "tokens.lock").st_size == 0


def test_lock_is_not_for_ever(mock, tmp_path):
    """Who holds the lock and does nothing stops nobody for long."""
    with open(tmp_path / "tokens.lock", "w", encoding="ascii") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        with start({"a": azure(mock)}, TOLLGATE_STATE=str(tmp_path)) as p:
            (status, took), = together([p])
            assert status == 200 and 0.9 < took < 1.9
            assert chat(p, "a").status == 200
    assert mock.tokens == 1


@pytest.mark.parametrize("fault", ["status", "silent", "closed"])
def test_no_token(mock, fault):
    rows = {"a": azure(mock)}
    if fault == "status":
        mock.status = 401
    elif fault == "silent":
        mock.delay = 8
    else:
        rows["a"]["auth"]["token_url"] = "http://127.0.0.1:9/token"
    with start(rows) as p:
        began = time.monotonic()
        answer = chat(p, "a")
        took = time.monotonic() - began
        log = p.log()
    assert answer.status in (502, 504), answer.body
    assert took < 7 and b"s&s" not in answer.body and "s&s" not in log
    assert mock.asked("/chat") == []


def bedrock(mock, **more):
    return dict({"adapter": "bedrock", "base_url": mock.url,
                 "region": "us-east-1"}, **more)


def session_of(mock):
    return mock.asked("/converse")[-1][2]


def test_aws_instance(mock):
    with start({"b": bedrock(mock)},
               AWS_EC2_METADATA_SERVICE_ENDPOINT=mock.url) as p:
        assert chat(p, "b").status == 200
    put, roles, role = mock.asked("/latest/")
    assert put[0] == "PUT" and put[2][
        "x-aws-ec2-metadata-token-ttl-seconds"] == "21600"
    for got in (roles, role):
        assert got[2]["x-aws-ec2-metadata-token"] == "session-of-instance"
    assert role[1].endswith("/security-credentials/a-role")
    assert session_of(mock)["x-amz-security-token"] == "token-1"
    assert "Credential=AKIDROLE/" in session_of(mock)["authorization"]


def test_aws_container(mock):
    with start({"b": bedrock(mock)},
               AWS_CONTAINER_CREDENTIALS_FULL_URI=mock.url + "/container",
               AWS_CONTAINER_AUTHORIZATION_TOKEN="word") as p:
        assert chat(p, "b").status == 200
    assert mock.asked("/container")[0][2]["authorization"] == "word"
    assert session_of(mock)["x-amz-security-token"] == "token-1"


def test_aws_web_identity(mock, tmp_path):
    (tmp_path / "id").write_text("web.identity.token\n")
    with start({"b": bedrock(mock)}, AWS_ROLE_ARN="arn:aws:iam::0:role/r",
               AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "id"),
               AWS_ENDPOINT_URL_STS=mock.url + "/sts") as p:
        assert chat(p, "b").status == 200
    form = urllib.parse.parse_qs(mock.asked("/sts")[0][3])
    assert form["WebIdentityToken"] == ["web.identity.token"]
    assert form["RoleArn"] == ["arn:aws:iam::0:role/r"]
    assert session_of(mock)["x-amz-security-token"] == "token-1"


def test_aws_file_and_environment(mock, tmp_path):
    """The profile that is asked for; the environment goes before it."""
    path = tmp_path / "credentials"
    path.write_text("# one\n[default]\naws_access_key_id = AKIDFIRST\n"
                    "aws_secret_access_key=x\n[ other ]\r\n"
                    "aws_access_key_id=AKIDOTHER\r\n"
                    "aws_secret_access_key = y\r\n"
                    "aws_session_token = sess\r\n")
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(path)}
    with start({"b": bedrock(mock)}, **env) as p:
        assert chat(p, "b").status == 200
        assert "Credential=AKIDFIRST/" in session_of(mock)["authorization"]
    with start({"b": bedrock(mock)}, AWS_PROFILE="other", **env) as p:
        assert chat(p, "b").status == 200
        assert "Credential=AKIDOTHER/" in session_of(mock)["authorization"]
        assert session_of(mock)["x-amz-security-token"] == "sess"
    with start({"b": bedrock(mock)}, AWS_ACCESS_KEY_ID="AKIDENV",
               AWS_SECRET_ACCESS_KEY="z", **env) as p:
        assert chat(p, "b").status == 200
        assert "Credential=AKIDENV/" in session_of(mock)["authorization"]


KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "z"}
SKEWS = [(900, "InvalidSignatureException", "Signature expired: 1 < 2"),
         (-7200, "InvalidSignatureException",
          "Signature not yet current: 2 > 1"),
         (3600, "RequestTimeTooSkewed", "The difference is too large."),
         (3600, "SignatureDoesNotMatch", "no match")]


@pytest.mark.parametrize("skew,kind,text", SKEWS)
def test_aws_clock(mock, skew, kind, text):
    """A clock that is off is set by the answer's date, and stays set."""
    mock.skew, mock.words = skew, (kind, text)
    with start({"b": bedrock(mock)}, 1, **KEYS) as p:
        assert [chat(p, "b").status for _ in range(3)] == [200] * 3
        assert len(mock.asked("/converse")) == 4
        mock.skew = 0
        assert chat(p, "b").status == 200
        assert len(mock.asked("/converse")) == 6


@pytest.mark.parametrize("skew,kind", [(0, "InvalidSignatureException"),
                                       (3600, "AccessDeniedException")])
def test_aws_not_the_clock(mock, skew, kind):
    """A refusal for another reason is not tried again."""
    mock.late = lambda date: True
    mock.skew, mock.words = skew, (kind, "no")
    with start({"b": bedrock(mock)}, 1, **KEYS) as p:
        assert chat(p, "b").status == 502
    assert len(mock.asked("/converse")) == 1


def test_bedrock_key(mock):
    """An API key of Bedrock's own is a bearer token."""
    with start({"bedrock": {"base_url": mock.url, "region": "us-east-1",
                            "key": "plain:bedrock-key-1"}}) as p:
        assert chat(p, "bedrock").status == 200
    assert session_of(mock)["authorization"] == "Bearer bedrock-key-1"


def test_bedrock_key_of_environment(mock):
    """As AWS' own SDKs have it: before other credentials of the
    environment, not before those of the policy."""
    row = {"base_url": mock.url, "region": "us-east-1"}
    env = dict(KEYS, AWS_BEARER_TOKEN_BEDROCK="bedrock-key-2")
    with start({"bedrock": row}, **env) as p:
        assert chat(p, "bedrock").status == 200
    assert session_of(mock)["authorization"] == "Bearer bedrock-key-2"
    own = dict(row, access_key="plain:AKIDOWN", secret_key="plain:s")
    with start({"bedrock": own}, **env) as p:
        assert chat(p, "bedrock").status == 200
    assert "Credential=AKIDOWN/" in session_of(mock)["authorization"]


def test_hmac(mock):
    import hashlib
    import hmac

    row = {"adapter": "openai", "base_url": mock.url + "/v1",
           "key": "plain:hmac-secret", "access_key": "plain:key-id-7",
           "auth": {"scheme": "hmac", "header": "x-signature",
                    "prefix": "HMAC=", "hash": "sha512",
                    "encoding": "base64", "timestamp": "milliseconds",
                    "key_id_header": "x-key-id",
                    "timestamp_header": "x-timestamp",
                    "sign": ["method", "host", "path", "query", "key_id",
                             "timestamp", "body_hash", "body"]}}
    with start({"h": row}) as p:
        assert chat(p, "h").status == 200
    _, path, h, body = mock.asked("/chat")[0]
    assert h["x-key-id"] == "key-id-7"
    assert abs(int(h["x-timestamp"]) / 1000 - time.time()) < 60
    text = "\n".join(["POST", h["host"], path, "", "key-id-7",
                      h["x-timestamp"],
                      hashlib.sha512(body.encode()).hexdigest(), body])
    want = base64.b64encode(hmac.new(b"hmac-secret", text.encode(),
                                     hashlib.sha512).digest()).decode()
    assert h["x-signature"] == "HMAC=" + want
    assert "authorization" not in h
