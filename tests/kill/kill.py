#!/usr/bin/env python3
"""The demo, killed at random moments and started again on the same data, ends as if nothing had happened.

Everything (Obole, the town, the bank) gets SIGKILL at once, so nobody has a chance to write anything down; one round is ended by
SIGTERM instead, which must be obeyed. The last round runs to its end. Then four parties are asked, and have to agree: the demo
itself, the bank's journal, Obole's database, and the number of people.

    kill.py PATH/TO/obole [--rounds 4] [--orders 60] [--seed N] [--keep]

Standard library only. The seed is printed; with it the same moments are chosen again.
"""

import argparse
import collections
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

# What one demo may take: its own waiting times (a code lives 12 s) and this much for each order, on a slow machine.
PATIENCE_SECONDS = 180
PATIENCE_PER_ORDER_SECONDS = 0.5
# From SIGTERM to the end.
STOP_SECONDS = 15


class Failed(Exception):
    """What did not happen, as one sentence."""


def expect(fact, sentence):
    if not fact:
        raise Failed(sentence)


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


def moment(dice, orders):
    """When to strike, in seconds after the start: mostly while much is going on, sometimes at the very start, sometimes later."""
    busy = 1.0 + orders / 25
    return dice.choice([dice.uniform(0.02, 0.6), dice.uniform(0.3, busy), dice.uniform(0.3, busy), dice.uniform(busy, busy + 12)])


def interrupt(args, data, number, dice, with_signal):
    """One round that does not come to its end by itself, unless it is faster."""
    demo = Demo(args, data)
    after = moment(dice, args.orders)
    name = signal.Signals(with_signal).name
    if demo.ended_within(after):
        expect(demo.process.returncode == 0, f"round {number} ended by itself with {demo.process.returncode}:\n{demo.said()}")
        print(f"  round {number}: had come to its end before {after:.2f} s", flush=True)
        return
    demo.send(with_signal)
    stopped = demo.ended_within(STOP_SECONDS)
    if not stopped:
        demo.send(signal.SIGKILL)
        demo.ended_within(STOP_SECONDS)
        raise Failed(f"round {number}: {name} after {after:.2f} s was not obeyed within {STOP_SECONDS} s:\n{demo.said()}")
    code = demo.process.returncode
    if with_signal == signal.SIGTERM:
        expect(code >= 0, f"round {number}: SIGTERM after {after:.2f} s was not handled; the process died of signal {-code}")
        expect("panicked" not in demo.said(), f"round {number}: a panic on the way out:\n{demo.said()}")
    print(f"  round {number}: {name} after {after:.2f} s, {journal_length(data)} payments at the bank", flush=True)


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


def journal(data):
    """The bank's decisions, in order. The last line may have been torn by a kill, and then never happened."""
    path = os.path.join(data, "bank.journal")
    if not os.path.exists(path):
        return
    with open(path, "rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                for change in json.loads(line)["changes"]:
                    yield from change.items()


def journal_length(data):
    return sum(kind == "payment_received" for kind, _ in journal(data))


def compare(args, data, summary):
    """Asks everybody, and says what they agree on."""
    expect(summary["orders"] == args.orders, f"the demo speaks of {summary['orders']} people, and {args.orders} were asked for")
    handled = sum(summary["states"].values())
    expect(handled == args.orders, f"{args.orders} people posted, and {handled} posts were handled: {summary['states']}")
    expect(summary["bank_minor"] == summary["settled_minor"], f"the sums differ: {summary}")

    received = collections.Counter()
    carried_out = {}
    for kind, what in journal(data):
        if kind == "payment_received":
            received[what["instruction"]["end_to_end"]] += 1
        elif kind == "booked" and what["payment"] is not None:
            key = what["end_to_end"]
            expect(key not in carried_out, f"the bank booked the payment key {key} twice")
            carried_out[key] = what["amount"]["minor"]
        expect(kind != "payment_returned", "the bank gave a payment back, which nobody asked for")
    twice = [key for key, times in received.items() if times > 1]
    expect(not twice, f"{len(twice)} payment keys reached the bank more than once: {twice[:3]}")
    booked = sum(carried_out.values())
    expect(booked == summary["bank_minor"], f"the bank's journal comes to {booked}, and the bank says {summary['bank_minor']}")
    expect(carried_out, "no payment at all was carried out")

    with sqlite3.connect(f"file:{data}/obole.db?mode=ro", uri=True) as database:
        settled = dict(database.execute("SELECT key, amount_minor FROM payments WHERE state = 'settled'"))
        pending = database.execute("SELECT count(*) FROM effects WHERE state = 'pending'").fetchone()[0]
    expect(settled == carried_out, f"{len(settled)} payments are settled for Obole, and {len(carried_out)} were carried out by the bank")
    expect(pending == 0, f"{pending} effects are left over")
    print(f"  {handled} posts handled, {len(settled)} payments settled, {booked} cents on both sides, no payment key twice", flush=True)
    print(f"  {summary['states']}", flush=True)


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
    data = os.path.join(directory, "data")
    began = time.monotonic()
    failed = True
    try:
        graceful = dice.randrange(args.rounds) if args.rounds else None
        for number in range(args.rounds):
            interrupt(args, data, number + 1, dice, signal.SIGTERM if number == graceful else signal.SIGKILL)
        compare(args, data, finish(args, data))
        print(f"kill: equal after {args.rounds} interruptions, in {time.monotonic() - began:.0f} s")
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
            print(f"kill: the data is kept in {data}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
