"""The program as a FastCGI pool of one worker, without a web server."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import fcgi

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def program():
    """The FastCGI program: of TOLLGATE_BUILD, else of the source tree."""
    build = os.environ.get("TOLLGATE_BUILD", ROOT)
    return os.path.join(build, "app", "tollgate.fcgi")


class Pool:
    """Started with a policy (a dict or text) in a folder of its own."""

    def __init__(self, policy, env=None):
        self.policy = policy
        self.env = env or {}
        self.process = None

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="tollgate-pool-")
        self.state = os.path.join(self.folder, "state")
        os.mkdir(self.state, 0o700)
        self.policy_path = os.path.join(self.folder, "policy.yaml")
        self.write_policy(self.policy)
        self.socket = os.path.join(self.folder, "fcgi.sock")
        self.errors = os.path.join(self.folder, "stderr")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.socket)
        listener.listen(1024)
        env = dict(dict(os.environ, TOLLGATE_POLICY=self.policy_path,
                        TOLLGATE_STATE=self.state), **self.env)
        with open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                [program()], stdin=listener, stdout=subprocess.DEVNULL,
                stderr=err, env=env, start_new_session=True)
        listener.close()
        self.wait_ready()
        return self

    def write_policy(self, policy):
        """Replace the policy file in one step."""
        text = policy if isinstance(policy, str) else json.dumps(policy)
        with open(self.policy_path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.policy_path + ".new", 0o600)
        os.rename(self.policy_path + ".new", self.policy_path)

    def wait_ready(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("the program ended with %s:\n%s" % (
                    self.process.returncode, self.log()))
            try:
                if self.get("/healthz", timeout=2).status == 200:
                    return
            except (OSError, fcgi.FcgiError):
                pass
            time.sleep(0.02)
        raise RuntimeError("the program does not answer:\n" + self.log())

    def log(self):
        with open(self.errors, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ask it to leave; the exit status (None: it had to be killed)."""
        status = None
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        return status

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *_exc):
        self.stop()
        self.clean()

    def get(self, uri, headers=(), timeout=30.0):
        return fcgi.request(self.socket, "GET", uri, b"", headers, timeout)

    def post(self, uri, body, key, headers=(), timeout=30.0):
        """A JSON body (or bytes) for a bearer key."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return fcgi.request(self.socket, "POST", uri, raw,
                            bearer(key) + list(headers), timeout)

    def open(self, uri, body, key, headers=(), timeout=30.0):
        """As post, but an fcgi.Exchange to read from as it comes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return fcgi.start(self.socket, "POST", uri, raw,
                          bearer(key) + list(headers), timeout)


def bearer(key):
    return [("Content-Type", "application/json"),
            ("Authorization", "Bearer " + key)]
