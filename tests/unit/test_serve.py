#!/usr/bin/env python3
"""The master: sockets, workers that die, reloading, replacing, ending."""
import os
import signal
import socket
import stat
import subprocess
import threading
import time

from pool import POOL, Pool, ask, clean_env, field, request, run, wait_for


def test_serves_and_ends():
    with Pool() as p:
        p.ready()
        assert len(p.workers()) == 2
        assert "uri=/x" in ask(p.path, "/x")
        assert stat.S_IMODE(os.stat(p.path).st_mode) == 0o660
        assert p.stop() == 0
        assert not os.path.exists(p.path)


def test_mode_and_default_path():
    with Pool("--mode", "0600", "--workers", "1",
              env=clean_env(TOLLGATE_STATE="/nowhere")) as p:
        assert p.master.wait(20) == 1
        assert "cannot listen on '/nowhere/tollgate.sock'" in p.errors()
    with Pool("--help") as p:
        assert p.master.wait(20) == 2
    for bad in (["--workers", "0"], ["--workers", "x"], ["--mode", "999"],
                ["--listen-fd", "-1"], ["more"]):
        with Pool(*bad) as p:
            assert p.master.wait(20) == 2, bad
    with Pool() as q:
        with Pool("--mode", "0600", "--workers", "1",
                  env=clean_env(TOLLGATE_STATE=q.dir)) as p:
            p.path = q.dir + "/tollgate.sock"
            p.ready()
            assert stat.S_IMODE(os.stat(p.path).st_mode) == 0o600
            assert p.stop(signal.SIGINT) == 0


def test_listen_fd():
    with Pool() as q:
        s = socket.socket(socket.AF_UNIX)
        path = q.dir + "/own"
        s.bind(path)
        s.listen()
        with Pool("--listen-fd", str(s.fileno()), "--workers", "1",
                  pass_fds=[s.fileno()]) as p:
            p.path = path
            p.ready()
            assert p.stop() == 0
        assert os.path.exists(path)  # it is not ours
        with Pool("--workers", "1", stdin=s) as p:
            p.path = path
            p.ready()
            assert p.stop() == 0
        # As systemd does it.
        with Pool() as spare:
            shell = 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 ' \
                'exec "$0" serve --workers 1'
            m = subprocess.Popen(["sh", "-c", shell, POOL], stdin=s,
                                 env=clean_env())
            try:
                spare.path = path
                wait_for(spare.answers)
            finally:
                m.terminate()
                assert m.wait(20) == 0


def test_no_listening_fd():
    with Pool("--listen-fd", "9") as p:
        assert p.master.wait(20) == 1
        assert "no listening socket" in p.errors()


def test_stale_socket():
    with Pool() as q:
        path = q.dir + "/stale"
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen()
        with Pool("--socket", path) as p:
            assert p.master.wait(20) == 1
            assert "listens" in p.errors()
        s.close()
        with Pool("--socket", path, "--workers", "1") as p:
            p.path = path
            p.ready()
            assert p.stop() == 0
        with open(path, "w"):
            pass
        with Pool("--socket", path) as p:
            assert p.master.wait(20) == 1
        assert os.path.exists(path)


def test_death_of_a_worker():
    with Pool() as p:
        p.ready()
        time.sleep(1.1)
        old = wait_for(lambda: len(p.workers()) == 2 and p.workers())
        victim = min(old)
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()
        wait_for(lambda: len(p.workers() - {victim}) == 2, 5)
        assert time.monotonic() - begun < 1
        assert f"worker {victim} died of signal 9" in p.errors()
        assert p.stop() == 0


def test_death_at_once():
    with Pool() as p:
        p.ready()
        open(p.broken, "w").close()
        time.sleep(1.1)
        for pid in p.workers():
            os.kill(pid, signal.SIGKILL)
        time.sleep(3)
        deaths = p.errors().count("left with status 3")
        assert 2 <= deaths <= 12, deaths  # backs off
        os.unlink(p.broken)
        wait_for(lambda: len(p.workers()) == 2)
        assert p.stop() == 0


def test_reload():
    with Pool() as p:
        p.ready()
        before = p.workers()
        p.master.send_signal(signal.SIGHUP)

        def all_reloaded():
            seen = {(field(t, "pid"), field(t, "reloads"))
                    for t in (ask(p.path) for _ in range(20))}
            return all(n == "1" for _, n in seen)
        wait_for(all_reloaded)
        assert p.workers() == before
        assert p.stop() == 0


def test_replace():
    """No request fails, the long one of an old worker runs to its end."""
    with Pool() as p:
        p.ready()
        old = p.workers()
        answers, stop = [], threading.Event()

        def load():
            while not stop.is_set():
                answers.append(field(ask(p.path), "pid"))
        threads = [threading.Thread(target=load) for _ in range(2)]
        for t in threads:
            t.start()
        p.master.send_signal(signal.SIGUSR1)
        time.sleep(0.7)
        long = []
        slow = threading.Thread(
            target=lambda: long.append(ask(p.path, "/slow")))
        slow.start()
        wait_for(lambda: len(p.workers()) == 2 and not p.workers() & old)
        slow.join()
        stop.set()
        for t in threads:
            t.join()
        assert "uri=/slow" in long[0]
        assert set(map(int, answers)) > p.workers()
        assert p.stop() == 0


def test_replace_broken():
    """New workers that die at once do not end the old ones."""
    with Pool() as p:
        p.ready()
        old = p.workers()
        open(p.broken, "w").close()
        p.master.send_signal(signal.SIGUSR1)
        wait_for(lambda: "the old ones go on" in p.errors())
        time.sleep(1.2)
        wait_for(lambda: p.workers() == old)
        assert ask(p.path)
        assert p.stop() == 0


def test_end_drains():
    with Pool() as p:
        p.ready()
        long = []
        slow = threading.Thread(
            target=lambda: long.append(ask(p.path, "/slow")))
        slow.start()
        time.sleep(0.3)
        assert p.stop() == 0
        slow.join()
        assert "uri=/slow" in long[0]


def test_end_at_once():
    with Pool() as p:
        p.ready()
        s = socket.socket(socket.AF_UNIX)
        s.connect(p.path)
        s.sendall(request("/slow"))
        time.sleep(0.2)
        p.master.terminate()
        time.sleep(0.2)
        begun = time.monotonic()
        assert p.stop() == 0
        assert time.monotonic() - begun < 1
        s.close()


def test_master_dies():
    with Pool() as p:
        p.ready()
        workers = p.workers()
        p.master.kill()
        p.master.wait()

        def gone(pid):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    return f.read().split(") ")[1][0] == "Z"
            except FileNotFoundError:
                return True
        wait_for(lambda: all(gone(w) for w in workers))


def connections(pid):
    fds = f"/proc/{pid}/fd"
    return sum("socket:" in os.readlink(f"{fds}/{fd}")
               for fd in os.listdir(fds))


def test_spread():
    """Workers share connections, and a stuck one keeps nobody waiting."""
    with Pool() as p:
        p.ready()
        held = []

        def hold(n):
            for _ in range(n):
                held.append(socket.socket(socket.AF_UNIX))
                held[-1].connect(p.path)
                time.sleep(0.0005)
        base = {w: connections(w) for w in p.workers()}
        hold(200)
        wait_for(lambda: sum(connections(w) - n
                             for w, n in base.items()) == 200)
        few = min(connections(w) - n for w, n in base.items())
        assert few > 70, few
        stuck = min(p.workers())
        os.kill(stuck, signal.SIGSTOP)
        hold(50)
        begun = time.monotonic()
        for _ in range(20):
            ask(p.path)
        assert time.monotonic() - begun < 2
        os.kill(stuck, signal.SIGCONT)
        for s in held:
            s.close()
        assert p.stop() == 0


def test_notify():
    with Pool() as q:
        path = q.dir + "/notify"
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(path)
        s.settimeout(10)
        with Pool("--socket", q.dir + "/n", "--workers", "1",
                  env=clean_env(NOTIFY_SOCKET=path)) as p:
            p.path = q.dir + "/n"
            assert s.recv(999).startswith(b"READY=1\n")
            p.ready()
            p.master.send_signal(signal.SIGHUP)
            assert s.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert s.recv(999).startswith(b"READY=1\n")
            assert p.stop() == 0
            assert s.recv(999).startswith(b"STOPPING=1\n")


raise SystemExit(run([f for n, f in list(globals().items())
                      if n.startswith("test_")]))
