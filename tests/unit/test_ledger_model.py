#!/usr/bin/env python3
"""The ledger's protocol, explored whole.

Two or three requests, each with a worker that may be slow, say a thing twice
or die at any step; a store whose leases may run out at any moment and whose
window may turn. Every state that can be reached is looked at:

  - used + held <= limit in every window;
  - nothing negative; a lease for whatever is held;

and in every state where nothing more can happen:

  - nothing is held, no lease is left;
  - a request that was settled has used exactly what the provider billed, in
    the window in which it was held;
  - one whose worker died has used what was held if anything can have been
    billed, else nothing. Never less than was billed.

Then the protocol is broken in one way after the other, and each must be
found out: a model that finds nothing wrong proves nothing.
"""
import sys
from collections import deque, namedtuple

# One request: what its worker knows, what the store knows.
#   phase   new, held, sent, called, over (settled or released), gave_up, dead
#   window  in which it was held
#   held    what the store holds for it; lease '' none, 'r' reserved, 's' sent
#   done    '' nothing, 'settled', 'charged'
#   bill    what the provider billed, -1: not asked
#   late    a settle was said once and may be said again
#   grown   the hold was raised
Request = namedtuple(
    "Request", "phase window held lease done bill late grown charged")
State = namedtuple("State", "now used requests")

NEW = Request("new", 0, 0, "", "", -1, False, False, 0)


class Protocol:
    """The rules as they are; a name in `broken` turns one of them off."""

    def __init__(self, limit, amounts, broken=""):
        self.limit, self.amounts, self.broken = limit, amounts, broken

    def start(self):
        return State(0, (0, 0), tuple(NEW for _ in self.amounts))

    def held(self, s, window):
        return sum(r.held for r in s.requests if r.window == window)

    def fits(self, s, window, amount):
        if self.broken == "held is not counted":
            return s.used[window] + amount <= self.limit
        return s.used[window] + self.held(s, window) + amount <= self.limit

    @staticmethod
    def put(s, i, **changes):
        requests = list(s.requests)
        requests[i] = requests[i]._replace(**changes)
        return s._replace(requests=tuple(requests))

    @staticmethod
    def use(s, window, amount):
        used = list(s.used)
        used[window] += amount
        return s._replace(used=tuple(used))

    # ---- what may happen to request i ----

    def hold(self, s, i, r):
        if r.phase != "new":
            return
        if self.fits(s, s.now, self.amounts[i]):
            held = self.put(s, i, phase="held", window=s.now, lease="r",
                            held=self.amounts[i])
            yield "hold", held
            # The answer is lost: the worker goes on without.
            yield "hold unheard", self.put(held, i, phase="gave_up")
        else:
            yield "refused", self.put(s, i, phase="over")

    def more(self, s, i, r):
        if r.phase not in ("held", "sent") or r.grown or not r.lease:
            return
        window = s.now if self.broken == "more in the new window" \
            else r.window
        if self.fits(s, window, 1):
            yield "more", self.put(s, i, held=r.held + 1, grown=True)

    def sent(self, s, i, r):
        if r.phase != "held":
            return
        if r.lease:
            yield "sent", self.put(s, i, phase="sent", lease="s")
        elif self.broken == "send without a lease":
            yield "sent", self.put(s, i, phase="sent")
        else:
            yield "lease is over", self.put(s, i, phase="over")

    def call(self, s, i, r):
        if r.phase != "sent" and not (
                self.broken == "call before it is marked"
                and r.phase == "held"):
            return
        most = self.amounts[i] + (1 if r.grown else 0)
        for bill in range(most + 1):
            yield f"billed {bill}", self.put(s, i, phase="called", bill=bill)

    def release(self, s, i, r):
        # Nothing was billed: refused by the provider, or given up.
        if r.phase in ("held", "gave_up", "sent"):
            phase = "over" if r.phase != "gave_up" else "gave_up"
            if r.lease:
                yield "release", self.put(s, i, phase=phase, held=0,
                                          lease="")
            elif r.phase == "held":
                yield "release", self.put(s, i, phase=phase)
            elif r.phase == "sent" and r.done == "charged":
                # Its lease ran out first: the charge is taken back.
                if self.broken != "late release does nothing":
                    s = self.use(s, r.window, -r.charged)
                yield "release late", self.put(
                    s, i, phase="over", done="settled", bill=0)

    def settle(self, s, i, r):
        if r.phase != "called" and not (r.phase == "over" and r.late):
            return
        if r.done == "settled" and self.broken != "settled twice":
            yield "settle again", self.put(s, i, late=False)
            return
        window = r.window
        if self.broken == "settle in the new window":
            window = s.now
        s = self.use(s, window, r.bill)
        if r.done == "charged" and self.broken != "late settle adds":
            s = self.use(s, r.window, -r.charged)
        yield "settle", self.put(s, i, phase="over", held=0, lease="",
                                 done="settled", late=not r.late)

    def run_out(self, s, i, r):
        if not r.lease:
            return
        charge = r.lease == "s" and self.broken != "the dead are free"
        if self.broken == "all are charged":
            charge = True
        held = r.held if self.broken == "expiry keeps the hold" else 0
        if charge:
            s = self.use(s, r.window, r.held)
        yield "lease runs out", self.put(
            s, i, held=held, lease="", charged=r.held if charge else 0,
            done="charged" if charge else r.done)

    def crash(self, s, i, r):
        if r.phase in ("held", "sent", "called"):
            yield "crash", self.put(s, i, phase="dead")

    def steps(self, s):
        for i, r in enumerate(s.requests):
            for rule in (self.hold, self.more, self.sent, self.call,
                         self.release, self.settle, self.run_out,
                         self.crash):
                for what, after in rule(s, i, r):
                    yield f"{i} {what}", after
        if s.now == 0:
            yield "window turns", s._replace(now=1)

    def same(self, s):
        """Requests that are alike may change places."""
        if len(set(self.amounts)) > 1:
            return s
        return s._replace(requests=tuple(sorted(s.requests)))

    # ---- what must hold ----

    def wrong(self, s):
        for window in (0, 1):
            if s.used[window] + self.held(s, window) > self.limit:
                return "used + held > limit"
            if s.used[window] < 0:
                return "used < 0"
        for r in s.requests:
            if r.held and not r.lease:
                return "held without a lease"
        return ""

    def wrong_at_the_end(self, s):
        should = [0, 0]
        for i, r in enumerate(s.requests):
            if r.held or r.lease:
                return "still held"
            if r.done == "settled":
                should[r.window] += r.bill
            elif r.done == "charged":
                should[r.window] += r.charged
                if r.phase != "dead" or r.charged < r.bill:
                    return "charged less than billed"
            elif r.bill > 0:
                return "billed and not charged"
        if tuple(should) != s.used:
            return f"used {s.used} is not {tuple(should)}"
        return ""


def explore(protocol):
    """(states, fault, how it came to it)."""
    start = protocol.start()
    came = {start: None}
    queue = deque([start])
    while queue:
        s = queue.popleft()
        after = list(protocol.steps(s))
        fault = protocol.wrong(s)
        # What can only turn the window is over as well.
        if not fault and all(what == "window turns" for what, _ in after):
            fault = protocol.wrong_at_the_end(s)
        if fault:
            way = []
            while came[s] is not None:
                s, what = came[s]
                way.append(what)
            return len(came), fault, way[::-1]
        for what, t in after:
            t = protocol.same(t)
            if t not in came:
                came[t] = (s, what)
                queue.append(t)
    return len(came), "", []


BROKEN = ["held is not counted", "settled twice", "settle in the new window",
          "late settle adds", "the dead are free", "all are charged",
          "expiry keeps the hold", "send without a lease",
          "call before it is marked", "more in the new window",
          "late release does nothing"]


def main():
    bad = 0
    for limit, amounts in ((2, (1, 2)), (3, (2, 2)), (3, (1, 1, 1))):
        states, fault, way = explore(Protocol(limit, amounts))
        print(f"limit {limit}, holds {amounts}: {states} states, "
              f"{fault or 'all good'}")
        if fault:
            bad += 1
            print("  " + "; ".join(way))
    for broken in BROKEN:
        states, fault, way = explore(Protocol(2, (1, 2), broken))
        print(f"broken ({broken}): {fault or 'NOT FOUND'} after "
              f"{len(way)} steps")
        bad += not fault
    return bad


if __name__ == "__main__":
    sys.exit(main())
