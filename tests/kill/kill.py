#!/usr/bin/env python3
"""The demo, killed at random moments and started again on the same data, ends as if nothing had happened.

Everything (Obole, the town, the bank) gets SIGKILL at once, so nobody has a chance to write anything down; one round is ended by
SIGTERM instead, which must be obeyed. Most strikes wait for a random number of payments at the bank, so that they fall while
money moves however fast the machine is; some come at the very start, some later. The last round runs to its end. Then four parties
are asked, and have to agree: the demo itself, the bank's journal, Obole's database, and the number of people.

Only rounds that were really interrupted count. A demo that was faster is compared as well, and another one begun in its place; the
test fails if it cannot interrupt as often as it was asked to, or never while some payments were made and others were not.

    kill.py PATH/TO/obole [--rounds 4] [--orders 60] [--seed N] [--keep]

Standard library only. The seed is printed; with it the same choices are made again (the instant is the machine's).
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from rig import Failed, bank_books, expect, journal_length

# What one demo may take: its own waiting times (a code lives 12 s) and this much for each order, on a slow machine.
PATIENCE_SECONDS = 180
PATIENCE_PER_ORDER_SECONDS = 0.5
# From SIGTERM to the end.
STOP_SECONDS = 15


class Demo:
    """One run of the demo, in a process group of its own."""

    running = None

    def __init__(self, args, data):
        command = [os.path.abspath(args.obole), "demo", "--orders", str(args.orders), "--data", data, "--json"]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True
        )
        Demo.running = self

    def ended_within(self, seconds):
        try:
            self.output, _ = self.process.communicate(timeout=seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def send(self, what):
        try:
            os.killpg(self.process.pid, what)
        except ProcessLookupError:
            pass

    def said(self):
        """The end of what it said on standard error."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-3000:]


def wait_for_strike(args, demo, data, dice):
    """Waits for a moment to strike, and describes it; None if the demo came to its end before."""
    kind = dice.choice(["start", "payments", "payments", "payments", "later"])
    if kind != "payments":
        after = dice.uniform(0.02, 0.6) if kind == "start" else dice.uniform(0.6, 8)
        return None if demo.ended_within(after) else f"{after:.2f} s after the start"
    more = dice.randint(1, max(1, args.orders // 5))
    jitter = dice.uniform(0, 0.05)
    wanted = journal_length(data) + more
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if journal_length(data) >= wanted:
            return None if demo.ended_within(jitter) else f"{more} payments later"
        if demo.ended_within(0.002):
            return None
    demo.send(signal.SIGKILL)
    raise Failed(f"{PATIENCE_SECONDS} s passed without {more} more payments:\n{demo.said()}")


def interrupt(args, data, number, dice, with_signal):
    """Starts the demo and interrupts it. Gives the payments at the bank then; None if it was faster."""
    demo = Demo(args, data)
    name = signal.Signals(with_signal).name
    when = wait_for_strike(args, demo, data, dice)
    if when is None:
        expect(demo.process.returncode == 0, f"round {number} ended by itself with {demo.process.returncode}:\n{demo.said()}")
        return None
    demo.send(with_signal)
    if not demo.ended_within(STOP_SECONDS):
        demo.send(signal.SIGKILL)
        demo.ended_within(STOP_SECONDS)
        raise Failed(f"round {number}: {name} {when} was not obeyed within {STOP_SECONDS} s:\n{demo.said()}")
    code = demo.process.returncode
    if with_signal == signal.SIGKILL and code == 0:
        # It ended in the very instant of the blow.
        return None
    if with_signal == signal.SIGTERM:
        expect(code >= 0, f"round {number}: SIGTERM {when} was not handled; the process died of signal {-code}")
        expect("panicked" not in demo.said(), f"round {number}: a panic on the way out:\n{demo.said()}")
        if code == 0:
            return None
    payments = journal_length(data)
    print(f"  round {number}: {name} {when}, {payments} payments at the bank", flush=True)
    return payments


def interrupt_all(args, directory, dice):
    """Interrupts as often as asked, with as many demos as that takes, and lets each come to its end."""
    graceful = dice.randrange(args.rounds) if args.rounds else None
    done, demos, in_the_middle = 0, 0, 0
    while done < args.rounds or demos == 0:
        demos += 1
        expect(demos <= 2 * args.rounds + 2, f"{demos - 1} demos could be interrupted only {done} times instead of {args.rounds}")
        data = os.path.join(directory, f"data-{demos}")
        struck_at = []
        while done < args.rounds:
            payments = interrupt(args, data, done + 1, dice, signal.SIGTERM if done == graceful else signal.SIGKILL)
            if payments is None:
                break
            struck_at.append(payments)
            done += 1
        in_all = compare(args, data, finish(args, data))
        in_the_middle += sum(0 < payments < in_all for payments in struck_at)
    expect(args.rounds < 4 or in_the_middle > 0, f"none of {done} interruptions came while some payments were made and others not")
    return done, demos, in_the_middle


def finish(args, data):
    demo = Demo(args, data)
    patience = PATIENCE_SECONDS + PATIENCE_PER_ORDER_SECONDS * args.orders
    if not demo.ended_within(patience):
        demo.send(signal.SIGKILL)
        demo.ended_within(STOP_SECONDS)
        raise Failed(f"the last round did not come to its end within {patience:.0f} s:\n{demo.said()}")
    code = demo.process.returncode
    last = (demo.output.decode().strip().splitlines() or [""])[-1]
    expect(code == 0, f"the last round ended with {code}; its last line is {last!r}:\n{demo.said()}")
    return json.loads(last)


def compare(args, data, summary):
    """Asks everybody, and says what they agree on."""
    expect(summary["orders"] == args.orders, f"the demo speaks of {summary['orders']} people, and {args.orders} were asked for")
    handled = sum(summary["states"].values())
    expect(handled == args.orders, f"{args.orders} people posted, and {handled} posts were handled: {summary['states']}")
    expect(summary["bank_minor"] == summary["settled_minor"], f"the sums differ: {summary}")

    received, carried_out = bank_books(data)
    booked = sum(carried_out.values())
    expect(booked == summary["bank_minor"], f"the bank's journal comes to {booked}, and the bank says {summary['bank_minor']}")
    expect(carried_out, "no payment at all was carried out")

    with sqlite3.connect(f"file:{data}/obole.db?mode=ro", uri=True) as database:
        settled = dict(database.execute("SELECT key, amount_minor FROM payments WHERE state = 'settled'"))
        left = database.execute("SELECT count(*) FROM effects WHERE state = 'pending' AND lane <> 'operator'").fetchone()[0]
        unknown = dict(database.execute("SELECT key, order_id FROM payments WHERE state = 'unknown'"))
        calls = sorted(row[0] for row in database.execute("SELECT order_id FROM effects WHERE lane = 'operator'"))
        other = dict(database.execute("SELECT state, count(*) FROM payments GROUP BY state"))
    expect(settled == carried_out, f"{len(settled)} payments are settled for Obole, and {len(carried_out)} were carried out by the bank")
    expect(left == 0, f"{left} effects are left over")
    unexpected = set(other) - {"settled", "unknown", "proposed"}
    expect(not unexpected, f"payments ended in states that a demo at rest does not have: {other}")
    # Struck down after `submitting` was committed and before the bank was reached: nobody can tell this from a lost answer, so it is never
    # called again but asked about, and at last an operator is called. Unpaid it must be, and nobody forgotten.
    reached = [key for key in unknown if received[key]]
    expect(not reached, f"{len(reached)} payments have reached the bank, which can be asked, and are unknown: {reached[:3]}")
    expect(calls == sorted(unknown.values()), f"{len(unknown)} payments are unknown, and an operator is called for {len(calls)}")
    print(
        f"  {handled} posts handled, {len(settled)} payments settled, {booked} cents on both sides, no payment key twice,"
        f" {len(unknown)} unknown, unpaid and with an operator",
        flush=True,
    )
    print(f"  {summary['states']}", flush=True)
    return len(settled)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("obole", help="the executable")
    parser.add_argument("--rounds", type=int, default=4, help="how often it is interrupted before it may come to its end")
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data directory")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    dice = random.Random(seed)
    print(f"kill: {args.rounds} rounds, {args.orders} orders, --seed {seed}", flush=True)
    directory = tempfile.mkdtemp(prefix="obole-kill-")
    began = time.monotonic()
    failed = True
    try:
        done, demos, in_the_middle = interrupt_all(args, directory, dice)
        print(
            f"kill: equal after {done} interruptions of {demos} demos, {in_the_middle} of them between the first and the last payment,"
            f" in {time.monotonic() - began:.0f} s"
        )
        failed = False
        return 0
    except Failed as failure:
        print(f"kill: with --seed {seed}: {failure}", file=sys.stderr)
        return 1
    finally:
        # Whoever interrupts the test interrupts the demo, too.
        if Demo.running and Demo.running.process.poll() is None:
            Demo.running.send(signal.SIGKILL)
        if args.keep or failed:
            print(f"kill: the data is kept in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
