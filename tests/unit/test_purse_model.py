#!/usr/bin/env python3
"""Purses, rolls and wills of the ledger's protocol, explored whole.

Workers of one host, each with a purse, places for requests that hold from it,
and a will; beside them requests that hold from the same counter of money in
the store itself. A worker may be killed between any two steps; what was said
to the store may arrive or not, again, and when its worker is long dead; an
answer may be lost; a purse's lease may run out at any moment; an heir may die
at any moment, and the next one says all of it again. Requests come without
end, until the limit is used up. In every state that can be reached:

  - used + held <= limit, and so is all that providers have billed or may bill;
  - a purse holds what its live requests and what it has not told add up to;
  - the store holds what the worker believes it does, or has charged it;

and in every state where all is over (no request lives, no purse is open, the
wills are carried out, leases that nobody ended ran out), used is what was
billed for the requests that were settled, and the full amounts of those that
were sent when their worker died. Neither more nor less.

An heir says the roll of which the dead worker had no answer, word for word,
and settles the new id then. Were it to settle the old one instead, the store
would for a moment hold nothing for what was sent, and others could take it.

A copy of a roll or of a settle that arrives after the answer finds the mark
that its id was settled and changes nothing: it is no step here.

Then the rules are broken in one way after the other, and each must be found
out.
"""
import sys
from collections import namedtuple

from test_ledger_model import explore

# An id of a purse in the store. held: NONE without a lease; done: NONE,
# SETTLED, or what was charged when the lease ran out.
NONE, SETTLED, TWICE = -1, -2, -2
Id = namedtuple("Id", "held done")
BLANK, OVER = Id(NONE, NONE), Id(NONE, SETTLED)

# A worker with its purse.
#   phase   none, open, rolling, closing; dead
#   slots   requests: ' ' none, 'h' held, 's' sent in the will, 'c' gone out;
#           'o' gone out, but not in the will: only where that is broken
#   held    what it believes that the purse's id holds
#   unsaid  used, to be told by the next roll or settle; of the dead: what the
#           will's `now` tells
#   roll    (unsaid that it tells, amount, least) while it is not answered
#   said    it has left: it may arrive
#   answer  of it, on its way: what was granted, TWICE; NONE
#   old     the id of the purse, or of which it is rolled
#   new     the id to which it is rolled
#   stage   of the dead: 0 `before` is to be said, 1 `now`, 2 all is answered
Worker = namedtuple(
    "Worker", "phase slots held unsaid roll said answer old new stage")
GONE = Worker("dead", "", 0, 0, (), False, NONE, BLANK, BLANK, 2)

# due: what must be used when all is over. exact: requests with own holds.
State = namedtuple("State", "used due exact workers")


class Purses:
    """The rules as they are; a name in `broken` turns one of them off."""

    def __init__(self, limit, amount, slots, exact, broken=""):
        self.limit, self.amount = limit, amount
        self.slots, self.exact = slots, exact
        self.broken = broken

    def start(self):
        return State(0, 0, 0, tuple(self.none(n) for n in self.slots))

    @staticmethod
    def none(slots):
        return Worker("none", " " * slots, 0, 0, (), False, NONE, BLANK,
                      BLANK, 0)

    @staticmethod
    def put(s, i, **changes):
        workers = list(s.workers)
        workers[i] = workers[i]._replace(**changes)
        return s._replace(workers=tuple(workers))

    def live(self, w):
        return self.amount * (len(w.slots) - w.slots.count(" "))

    # ---- the store ----

    def held(self, s):
        return self.amount * s.exact + sum(
            max(0, i.held) for w in s.workers for i in (w.old, w.new))

    def fits(self, s, amount):
        return s.used + self.held(s) + amount <= self.limit

    def settle(self, s, i, which, told):
        """Of an id that never was, too: it is marked all the same."""
        done = getattr(s.workers[i], which).done
        if done == SETTLED:
            return s
        if done >= 0 and self.broken != "late settle adds":
            s = s._replace(used=s.used - done)
        return self.put(s._replace(used=s.used + told), i, **{which: OVER})

    def rolled(self, s, i):
        """One step: the old id is settled, the new one holds. (s, answer)"""
        w = s.workers[i]
        told, amount, least = w.roll
        if w.old.done == SETTLED:
            if self.broken == "roll said again holds again":
                return self.put(s, i, new=Id(max(0, w.new.held) + least,
                                             w.new.done)), least
            if self.broken == "roll said again uses again":
                s = s._replace(used=s.used + told)
            return s, TWICE
        s = self.settle(s, i, "old", told)
        if not self.fits(s, amount) and \
                self.broken != "roll does not look at the limit":
            amount = least
        return self.put(s, i, new=Id(amount, w.new.done)), amount

    def run_out(self, s, i, w):
        for which in ("old", "new"):
            held, done = getattr(w, which)
            if held == NONE:
                continue
            if self.broken == "purses run out for nothing":
                yield "lease runs out", self.put(s, i, **{which: BLANK})
            else:
                yield "lease runs out", self.put(
                    s, i, **{which: Id(NONE, held)})._replace(
                        used=s.used + held)

    # ---- a worker's requests ----

    def room(self, w):
        """How much a purse has to give."""
        if w.phase == "open":
            return w.held - w.unsaid - self.live(w)
        # Both the old id and the new one must hold it, as much as is granted.
        told, amount, least = w.roll
        here = w.held - told
        there = min(amount, least)
        if self.broken == "a roll gives what it wants":
            here = there = amount
        elif self.broken == "a roll gives what the old id holds":
            there = here
        return min(here, there) - w.unsaid - self.live(w)

    def hold(self, s, i, w):
        if w.phase in ("open", "rolling") and " " in w.slots and \
                self.room(w) >= self.amount:
            yield "holds", self.move(s, i, " ", "h")

    def move(self, s, i, a, b, **changes):
        w = s.workers[i]
        slots = "".join(sorted(w.slots.replace(a, b, 1)))
        return self.put(s, i, slots=slots, **changes)

    def go(self, s, i, w):
        if "h" in w.slots:
            if self.broken == "will after the request goes out":
                yield "goes out", self.move(s, i, "h", "o")
            else:
                yield "sent", self.move(s, i, "h", "s")
            yield "release", self.move(s, i, "h", " ")
        if "o" in w.slots:
            yield "sent", self.move(s, i, "o", "c")
        if "s" in w.slots:
            yield "goes out", self.move(s, i, "s", "c")
            yield "release", self.move(s, i, "s", " ")
        if "c" in w.slots:
            for bill in range(self.amount + 1):
                yield f"billed {bill}", self.move(
                    s, i, "c", " ", unsaid=w.unsaid + bill)._replace(
                        due=s.due + bill)

    # ---- a worker's purse ----

    def begin(self, s, i, w, amount, least):
        """The content is frozen; it is in the will from here on."""
        return self.put(s, i, phase="rolling", unsaid=0,
                        roll=(w.unsaid, amount, least),
                        said=self.broken == "roll before the will")

    def roll(self, s, i, w):
        live = self.live(w)
        if w.phase == "none" and live == 0:
            for want in (self.amount, 2 * self.amount):
                yield f"opens {want}", self.begin(s, i, w, want, 0)
        elif w.phase == "open":
            least = w.held - w.unsaid # what is live and what is free
            if self.broken == "least is not what is live":
                least -= live
            for want in (0, self.amount):
                yield f"rolls {live}+{want}", self.begin(
                    s, i, w, live + want, least)
            if live == 0 or self.broken == "close before the last has ended":
                yield "closes", self.put(s, i, phase="closing")

    def say(self, s, i, w):
        """What has been said arrives, once more maybe."""
        if w.roll and not w.said and w.phase == "rolling":
            yield "roll leaves", self.put(s, i, said=True)
        if w.roll and w.said:
            roll = w.roll
            if self.broken == "a roll said again tells more":
                s = self.put(s, i, roll=(roll[0] + w.unsaid,) + roll[1:])
            after, answer = self.rolled(s, i)
            after = self.put(after, i, roll=roll)
            yield "roll arrives", self.put(
                after, i, answer=answer if w.phase == "rolling" else NONE)
        if w.phase == "closing" and w.old.done != SETTLED:
            yield "close arrives", self.settle(s, i, "old", w.unsaid)

    def hear(self, s, i, w):
        if w.phase == "closing" and w.old.done == SETTLED:
            yield "close is answered", self.put(
                s, i, **self.none(0)._replace(slots=w.slots)._asdict())
        if w.phase != "rolling" or w.answer == NONE:
            return
        granted = w.answer
        if granted == TWICE:
            # The answer that told it was lost.
            granted = w.roll[1] if self.broken == \
                "twice is all that was wanted" else min(w.roll[1:])
        unsaid = 0 if self.broken == "a roll said again tells more" \
            else w.unsaid
        yield "roll is answered", self.put(
            s, i, phase="open", held=granted, unsaid=unsaid, roll=(),
            said=False, answer=NONE, old=w.new, new=BLANK)

    # ---- its end ----

    def die(self, s, i, w):
        """The will as it is at that moment."""
        if w.phase == "dead":
            return
        sent, out = w.slots.count("s") + w.slots.count("c"), \
            w.slots.count("o")
        now = w.unsaid + self.amount * sent
        if self.broken == "all that live are in the will":
            now = w.unsaid + self.live(w)
        roll, stage = w.roll, 0 if w.roll else 1
        if w.phase == "none":
            stage = 2
        elif roll and self.broken == "roll before the will":
            now, stage = now + roll[0], 1
        elif self.broken == "heir says now only" or \
                self.broken == "an opening is not in the will" and \
                w.old == BLANK:
            stage = 1
        yield "killed", self.put(
            s, i, phase="dead", slots="", held=0, unsaid=now, answer=NONE,
            stage=stage)._replace(due=s.due + self.amount * (sent + out))

    def now(self, s, i, w):
        known = w.roll and self.broken != "roll before the will"
        return self.settle(s, i, "new" if known else "old", w.unsaid)

    def inherit(self, s, i, w):
        if w.phase != "dead":
            if self.broken == "the living have heirs" and w.phase == "open":
                yield "heir of the living", self.settle(
                    s, i, "old", w.unsaid)
            return
        if w.stage == 0:
            if self.broken == "heir says now first":
                yield "now arrives", self.now(s, i, w)
            # The roll itself, word for word: there is no moment in which the
            # store holds nothing for what `now` will tell.
            if self.broken == "before is a settle":
                after = self.settle(s, i, "old", w.roll[0])
            else:
                after = self.rolled(s, i)[0]
            yield "before arrives", after
            yield "before is answered", self.put(after, i, stage=1)
        elif w.stage == 1:
            after = self.now(s, i, w)
            yield "now arrives", after
            yield "now is answered", self.put(after, i, stage=2)
            if w.roll and self.broken not in (
                    "heir says now only", "an opening is not in the will",
                    "roll before the will"):
                yield "next heir", self.put(s, i, stage=0)

    def steps(self, s):
        for i, w in enumerate(s.workers):
            for rule in (self.hold, self.go, self.roll, self.say, self.hear,
                         self.run_out, self.die, self.inherit):
                for what, after in rule(s, i, w):
                    yield f"{i} {what}", after
        if s.exact < self.exact and self.fits(s, self.amount):
            yield "exact holds", s._replace(exact=s.exact + 1)
        if s.exact:
            for bill in range(self.amount + 1):
                yield f"exact settles {bill}", s._replace(
                    used=s.used + bill, due=s.due + bill, exact=s.exact - 1)

    @staticmethod
    def buried(w):
        """What makes no difference any more of one that is dead."""
        if w.old.done != SETTLED:
            return w
        if w.stage == 2 and w.old == OVER and w.new in (OVER, BLANK):
            return GONE
        return w._replace(roll=w.roll and (0, 0, 0), said=False)

    def same(self, s):
        """Workers that are alike may change places."""
        if not self.broken and any(w.phase == "dead" for w in s.workers):
            s = s._replace(workers=tuple(
                self.buried(w) if w.phase == "dead" else w
                for w in s.workers))
        if len(s.workers) > 1 and len(set(self.slots)) == 1:
            return s._replace(workers=tuple(sorted(s.workers)))
        return s

    # ---- what must hold ----

    def wrong(self, s):
        if s.used < 0:
            return "used < 0"
        if s.used + self.held(s) > self.limit:
            return "used + held > limit"
        if s.due + self.amount * s.exact + sum(
                self.live(w) for w in s.workers) > self.limit:
            return "more is spent than the limit"
        for w in s.workers:
            fault = w.phase != "dead" and self.wrong_purse(w)
            if fault:
                return fault
        return self.wrong_when_over(s)

    def wrong_purse(self, w):
        need = w.unsaid + self.live(w)
        if need + sum(w.roll[:1]) > w.held:
            return "a purse gives more than it holds"
        old, new = (max(i.held, i.done) for i in (w.old, w.new))
        if w.phase == "open" and old < w.held:
            return "the store holds less than the worker believes"
        if w.phase == "rolling":
            if need > min(w.roll[1:]):
                return "a purse gives more than its roll may bring"
            if w.old.done != SETTLED and old < w.held and w.held > 0:
                return "the store holds less than the worker believes"
            if w.old.done == SETTLED and new < min(w.roll[1:]):
                return "the store holds less than the roll brings at least"
        return ""

    def wrong_when_over(self, s):
        if s.exact or not all(
                w.phase == "none" and not w.slots.strip() or
                w.phase == "dead" and w.stage == 2 for w in s.workers):
            return ""
        if any(i.held != NONE for w in s.workers for i in (w.old, w.new)):
            return "" # a lease that nobody ends is still to run out
        if s.used != s.due:
            return f"used {s.used} is not {s.due}"
        return ""

    def wrong_at_the_end(self, _):
        return "" # wrong_when_over has seen it


BROKEN = ["will after the request goes out", "roll said again holds again",
          "roll said again uses again", "heir says now only",
          "heir says now first", "before is a settle",
          "a roll gives what it wants", "a roll gives what the old id holds",
          "least is not what is live", "close before the last has ended",
          "twice is all that was wanted", "roll before the will",
          "an opening is not in the will", "a roll said again tells more",
          "purses run out for nothing", "all that live are in the will",
          "late settle adds", "roll does not look at the limit",
          "the living have heirs"]


def main():
    bad = 0
    for limit, amount, slots, exact in ((7, 2, (2,), 1), (3, 2, (1, 1), 1),
                                        (2, 1, (1, 1), 0)):
        states, fault, way = explore(Purses(limit, amount, slots, exact))
        print(f"limit {limit}, holds of {amount}, purses for {slots}, "
              f"{exact} without: {states} states, {fault or 'all good'}")
        if fault:
            bad += 1
            print("  " + "; ".join(way))
    for broken in BROKEN:
        states, fault, way = explore(Purses(5, 2, (2,), 1, broken))
        print(f"broken ({broken}): {fault or 'NOT FOUND'} after "
              f"{len(way)} steps")
        bad += not fault
    return bad


if __name__ == "__main__":
    sys.exit(main())
