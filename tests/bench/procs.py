"""Processes of the bench: start them on their core, stop them, and read from
/proc what they cost. Nothing here knows what is being measured."""

import os
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """The bench cannot go on; the text says why."""


def pin(pid, cores):
    """All threads of a process onto a set of cores; None leaves them."""
    if cores is None:
        return
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), cores)


class Procs:
    """What was started, to be stopped in the end."""

    def __init__(self, log_dir):
        self.log_dir = log_dir
        self.running = []

    def start(self, argv, cores, name, **kw):
        log = open(os.path.join(self.log_dir, name + ".log"), "ab")

        def setup():
            if cores is not None:
                os.sched_setaffinity(0, cores)

        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", log)
        kw.setdefault("stderr", log)
        try:
            p = subprocess.Popen(argv, preexec_fn=setup,
                                 start_new_session=True, **kw)
        except OSError as e:
            raise Failed(f"{argv[0]}: {e.strerror}") from e
        finally:
            log.close()
        self.running.append(p)
        return p

    def stop(self, p):
        if p in self.running:
            self.running.remove(p)
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()

    def stop_all(self):
        for p in reversed(list(self.running)):
            self.stop(p)


def stat(pid):
    """The fields of /proc/PID/stat behind the name, from the state on."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def tree(pids):
    """These processes and all below them."""
    parent = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent[int(entry)] = int(stat(entry)[1])
            except OSError:
                pass
    found = set(pids)
    grown = True
    while grown:
        more = {p for p, pp in parent.items() if pp in found} - found
        found |= more
        grown = bool(more)
    return found


def exact(pid):
    """Seconds of a process of one thread; None where it has more of them."""
    try:
        if len(os.listdir(f"/proc/{pid}/task")) > 1:
            return None
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def cpu(pids):
    """
    CPU seconds that they and their reaped children have used. Those of the
    clock's ticks, which fall together with chunks that come by the clock,
    only where there is nothing better.
    """
    total = 0
    for pid in tree(pids):
        try:
            f = [int(n) / TICK for n in stat(pid)[11:15]]
        except OSError:
            continue
        mine = exact(pid)
        total += f[2] + f[3] + (f[0] + f[1] if mine is None else mine)
    return total


def pss(pids):
    """User memory in KiB: each page counted by the share they have in it."""
    total = 0
    for pid in tree(pids):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += next((int(line.split()[1]) for line in f
                               if line.startswith("Pss:")), 0)
        except (FileNotFoundError, ProcessLookupError):
            continue
        except OSError as e:
            raise Failed(f"memory of process {pid}: {e.strerror}") from e
    return total


def wait_for(what, ready, seconds=10):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Failed(f"{what}: not ready after {seconds} s")
        time.sleep(0.02)
