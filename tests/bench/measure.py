"""One measurement at a time: requests by wrk, streams by tests/bench/streams;
figures as plain dicts."""

import json
import os
import re
import subprocess
import time

from fronts import FRONTS, PATH, SAME, ask
from procs import Failed, cpu, pin, pss

HERE = os.path.dirname(os.path.abspath(__file__))


def wrk(bench, front, size, seconds, model, key=None, rest=0):
    p = subprocess.Popen(
        ["wrk", "-t1", f"-c{bench.args.connections}", f"-d{seconds}",
         "--timeout", "10", "-s", os.path.join(HERE, "load.lua"),
         f"http://127.0.0.1:{front.port}{PATH}", "--", str(size),
         key or bench.key, model, str(rest)],
        stdout=subprocess.PIPE, text=True)
    pin(p.pid, bench.args.load_cores)
    out = p.communicate()[0]
    m = re.search(r"^bench (.*)$", out, re.M)
    if p.returncode != 0 or m is None:
        raise Failed(f"wrk: {out}")
    return {k: float(v) for k, v in
            (kv.split("=") for kv in m[1].split())}


def requests(bench, front, size, seconds, model=SAME, key=None, rest=0):
    """Requests/s, ms at p50 and p99, CPU ms a request by part. Connections
    that rest (ms) between requests leave the core idle now and then, so that
    times are those of a request and not of the queue."""
    direct = front.app is None and front.web is bench.upstream
    if direct: # it is what is measured, so it gets the core of that
        pin(bench.upstream.pid, bench.args.sut_cores)
    if not bench.args.quick:
        wrk(bench, front, size, 1, model, key, rest) # warm
    before = {k: cpu([pid]) for k, pid in front.parts().items()}
    r = wrk(bench, front, size, seconds, model, key, rest)
    used = {k: cpu([pid]) - before[k] for k, pid in front.parts().items()}
    if direct:
        pin(bench.upstream.pid, bench.args.load_cores)
    n = max(r["requests"], 1)
    return {"rps": n / r["us"] * 1e6, "p50": r["p50"] / 1000,
            "p99": r["p99"] / 1000, "max": r["max"] / 1000,
            "cpu_ms": {k: v * 1000 / n for k, v in used.items()},
            "errors": int(r["status"] + r["socket"] + r["timeout"])}


class Ping:
    """What a bare way to the Redis and back takes beside a load (µs, p50), by
    the worker's own client on the worker's core."""

    def __init__(self, bench, address, seconds):
        self.p = subprocess.Popen([bench.tool("ledger"), "--ping", address,
                                   str(seconds)], stdout=subprocess.PIPE,
                                  text=True)
        pin(self.p.pid, bench.args.sut_cores)

    def took(self):
        out = self.p.communicate()[0]
        m = re.search(r"p50 +(\d+) us", out)
        if self.p.returncode != 0 or m is None:
            raise Failed(f"ping: {out}")
        return int(m[1])


def request_body(model, size):
    """What load.lua sends, but for its words."""
    body = {"model": model, "stream": False, "max_tokens": 256,
            "temperature": 0.7, "messages": [
                {"role": "system", "content": "You are a patient harbour "
                                              "master."},
                {"role": "user", "content": ""}]}
    words = "The tide turns at noon, and the boats lift one by one.\n"
    room = size - len(json.dumps(body))
    body["messages"][1]["content"] = (words * (room // 50 + 1))[:room]
    return json.dumps(body)


def stream_body(model):
    """A chat request of 1 KiB that asks for a stream."""
    body = {"model": model, "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": ""}]}
    body["messages"][0]["content"] = "x" * (1024 - len(json.dumps(body)))
    return json.dumps(body)


def streams(bench, front, n, model=SAME):
    """n streams at once: delays, first chunks, losses, CPU, memory."""
    a = bench.args
    parts = front.parts()
    idle = {k: pss([pid]) for k, pid in parts.items()}
    used = {k: cpu([pid]) for k, pid in parts.items()}
    p = subprocess.Popen(
        [bench.tool("streams"), "--port", str(front.port), "--streams",
         str(n), "--ramp", str(a.ramp), "--chunks", str(a.chunks),
         "--path", PATH, "--key", bench.key,
         "--body", bench.write("stream.json", stream_body(model))],
        stdout=subprocess.PIPE, text=True)
    pin(p.pid, a.load_cores)
    line = p.stdout.readline()
    memory = {}
    if line == "open\n":
        time.sleep(a.hold / 3)
        memory = {k: (pss([pid]) - idle[k]) / n for k, pid in parts.items()}
        line = p.stdout.readline()
    p.stdout.read()
    if p.wait() != 0 or not line.startswith("{"):
        raise Failed(f"streams through {front.id}: no result")
    r = json.loads(line)
    for kind in ("delay", "ttft", "gap"):
        if r[kind]["n"] == 0: # nothing was measured: that is not 0 ms
            r[kind] = {"n": 0}
    r["memory_kib"] = memory
    r["cpu_us_chunk"] = {k: (cpu([pid]) - used[k]) * 1e6 / max(r["chunks"], 1)
                         for k, pid in parts.items()}
    r["bad"] = n - r["complete"] + r["lost"] + r["disordered"]
    return r


def instructions(bench, body, times, chunks):
    """
    Instructions that the worker runs in its own memory for one request (or
    for one chunk of it): those of many requests less those of a few, so
    that neither its start nor its end is in it. Waits for no quiet machine.
    """
    total = []
    for n in times:
        out = os.path.join(bench.dir, "callgrind.out")
        way = FRONTS["lighttpd"](bench, f"count{n}")
        way.wrapper = ["valgrind", "-q", "--tool=callgrind",
                       "--callgrind-out-file=" + out]
        way.start()
        for _ in range(n):
            status, answer = ask(way.port, bench.key, body, 60)
            if status != 200 or b"[DONE]" not in answer and \
                    b"chat.completion" not in answer:
                raise Failed(f"under valgrind: {status} {answer[:300]!r}")
        way.stop()
        with open(out, encoding="ascii") as f:
            total.append(next(int(line.split()[1]) for line in f
                              if line.startswith(("summary:", "totals:"))))
    few, many = times
    return (total[1] - total[0]) / (many - few) / chunks


def cgi_env(bench, body, **more):
    """What a web server gives to a CGI program (RFC 3875)."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "bench", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": "POST", "REQUEST_URI": PATH, "SCRIPT_NAME": PATH,
        "QUERY_STRING": "", "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)), "PATH": "/usr/bin:/bin",
        "HTTP_HOST": "127.0.0.1", "HTTP_AUTHORIZATION": "Bearer " + bench.key,
        **more}


def run_once(argv, env, stdin, stdout):
    """ms of a process from its start to its end, by the wall; its status."""
    files = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
             (os.POSIX_SPAWN_OPEN, 1, stdout,
              os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=files)
    status = os.waitpid(pid, 0)[1]
    return (time.perf_counter() - began) * 1000, status


def cgi(bench, argv, env, times):
    """One process a request, one after the other: ms at p50 and p99."""
    body = json.dumps({"model": "bench", "messages": [
        {"role": "user", "content": "x" * 900}]})
    stdin = bench.write("cgi.in", body)
    stdout = os.path.join(bench.dir, "cgi.out")
    took, errors = [], 0
    mine = os.sched_getaffinity(0)
    pin(os.getpid(), bench.args.sut_cores)
    for _ in range(times):
        ms, status = run_once(argv, cgi_env(bench, body, **env), stdin, stdout)
        with open(stdout, "rb") as f:
            answer = f.read()
        took.append(ms)
        errors += status != 0 or b"chatcmpl-bench" not in answer
    pin(os.getpid(), mine)
    took.sort()
    return {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100],
            "errors": errors}
