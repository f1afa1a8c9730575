#!/usr/bin/env python3
"""Every crash point of the real binary is struck, and everybody's books agree afterwards.

A place in the code (`src/crash.rs` lists them) × what happens there (die: SIGKILL; error: what stands there fails; pause: sleep beyond
the lease) × the database (SQLite, PostgreSQL) is one run: a town and a bank in processes of their own, which live through it; an
`obole run` that is struck and started again; people who enrol, post, answer, call off, never confirm; a bank that loses an answer;
an operator who holds and releases; reconciliation every second. Then bank, database and people are compared: nothing lost, nothing
doubled, `obole audit` clean, ready after every start.

Leases are twenty times shorter here (45 s are 2.25), so that a pause of 5 s is longer than one.

    points.py PATH/TO/obole [--short] [--only NAME] [--action A] [--at-once N] [--postgres URL] [--without-postgres] [--seed N] [--json]

`obole` has to be built with `--features crash-points`. PostgreSQL is where --postgres or OBOLE_TEST_POSTGRES says. The exit code is 1 if
anything differs, or if a place was never struck (--short: never passed).
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from rig import NO_ANSWER, Failed, Node, Postgres, Sqlite, World, ask, clean_environment, end_all, expect, surely, waits_for

ACTIONS = ("die", "error", "pause")

# A place that is passed only after something else has gone wrong, and what that is: in the same process, or in the one before.
PREPARED = {
    "claim.taken_over": ("before", "submit.begun:die"),
    "settle.late_outcome": ("beside", "submit.bank_answered:pause"),
}
# Places passed by many kinds of work: struck early, in the middle and late.
OFTEN = {
    "ledger.before_begin": (1, 8, 16),
    "ledger.before_commit": (1, 8, 16),
    "ledger.after_commit": (1, 8, 16),
    "ledger.before_answers": (1, 8, 16),
    "intake.received": (1, 3),
    "intake.cursor_saved": (1, 2),
    "claim.before_commit": (1, 5, 9),
    "claim.committed": (1, 5, 9),
    "message.after_call": (1, 5),
    "submit.bank_answered": (1, 2),
    "submit.before_call": (1, 2),
}
# One database only.
ONLY = {"start.leases_back": "sqlite"}

# Many runs share the processors here, so a start that takes longer than this hangs; what is promised (2 s) is measured by ready.py, where
# nothing else runs.
READY_SECONDS = 30.0


class Run:
    """One place, action and database."""

    def __init__(self, args, place, action, nth, kind):
        self.args, self.place, self.action, self.nth, self.kind = args, place, action, nth, kind
        self.name = f"{kind}-{place}-{action}-{nth}" if place else f"{kind}-nothing"
        self.seconds, self.ready, self.settled, self.unknown, self.failure = 0.0, [], 0, 0, None
        self.passed = collections.Counter()
        self.struck = False

    def environments(self):
        if not self.place:
            return []
        armed = f"{self.place}:{self.action}:{self.nth}"
        how, what = PREPARED.get(self.place, (None, None))
        if how == "before":
            return [{"OBOLE_CRASH_POINT": what}, {"OBOLE_CRASH_POINT": armed}]
        if how == "beside":
            return [{"OBOLE_CRASH_POINT": f"{what},{armed}"}]
        return [{"OBOLE_CRASH_POINT": armed}]

    def of_command(self, room):
        """What an operator's command or an audit is told: on PostgreSQL these work in a process of their own."""
        if self.place and self.place.startswith(f"{room}."):
            return {"OBOLE_CRASH_POINT": f"{self.place}:{self.action}:{self.nth}"}
        return {}

    def go(self, directory):
        began = time.monotonic()
        data = os.path.join(directory, self.name)
        world = node = database = None
        try:
            os.makedirs(data)
            database = Postgres(self.args.postgres) if self.kind == "postgres" else Sqlite(data)
            world = World(self.args.obole, data, database)
            node = Node(world, "obole", self.environments())
            self.tell(world, node)
        except Failed as failure:
            self.failure = f"{failure}\n{node.log_end() if node else ''}"
        except Exception:
            self.failure = traceback.format_exc()
        finally:
            if node:
                node.kill()
            if world:
                world.close()
            self.seconds = time.monotonic() - began
            if database and not (self.failure and self.args.keep):
                try:
                    database.drop()
                except Failed as failure:
                    self.failure = self.failure or str(failure)
            if not self.failure:
                shutil.rmtree(data, ignore_errors=True)
        return self

    def tell(self, world, node):
        """The story."""
        node.wait_until_ready()
        ana, bea, cleo, dan = (world.person(name) for name in ("ana", "bea", "cleo", "dan"))
        # A stranger is told in public how to enrol, never does, and is not waited for.
        wanted = {dan.post("@obole #donner 2,50 € @croixrouge"): "expired"}
        for person in (ana, bea, cleo):
            person.enrols(lambda: node.url)

        # Ana confirms; her browser comes back from the bank while the payment is on its way.
        first = ana.post("@obole #donner 3,10 € @croixrouge")
        called_off, held = cleo.post("@obole #donner 1,50 € @croixrouge"), bea.post("@obole #donner 4,20 € @croixrouge")
        wanted.update({first: "confirmed", called_off: "cancelled", held: "confirmed"})
        asked_ana, code = ana.code_after()
        ana.tells(f"OUI {code}", asked_ana)
        self.comes_back(node, world.order_of(first)["id"])
        # Cleo calls her order off; Bea's is held by an operator, let go, and she is asked anew.
        cleo.code_after()
        cleo.tells("#annuler")
        asked_bea, _ = bea.code_after()
        order = world.order_of(held)["id"]
        node.operate("hold", order, "--note", "a look", "--as", "ana", environment=self.of_command("operator"))
        node.operate("release", order, "--as", "ana")
        asked_bea, code = bea.code_after(asked_bea)
        bea.tells(f"OUI {code}", asked_bea)
        waits_for("the first two payments", lambda: world.is_at_rest([first, held]), 120, 0.3)

        # The bank takes Ana's second payment, and its answer is lost.
        loses = {"fault": {"kind": "lose_answer"}, "on": "initiate", "times": 1}
        surely("POST", f"{world.bank.url}/sandbox/faults", body=loses)
        second = ana.post("@obole #donner 5,30 € @croixrouge")
        wanted[second] = "confirmed"
        asked_ana, code = ana.code_after(asked_ana)
        ana.tells(f"OUI {code}", asked_ana)

        waits_for("everything to come to its end", lambda: world.is_at_rest(wanted), 120, 0.3)
        node.stop()
        self.check_audit(world)
        self.settled, self.unknown = world.compare(wanted)
        self.read_passed(world)
        expect(not node.panicked(), f"a panic:\n{node.log_end(40)}")
        # How often work is taken together, and so how often a place is passed, is the machine's: only the first pass is sure to come. The
        # table counts what was struck.
        expect(not self.place or self.struck or self.nth > 1, "the place was not struck")
        expect(self.settled > 0, "no payment at all was made")
        # The very first start makes the schema; what is promised is for those after a strike.
        self.ready = node.ready_seconds[1:]
        slow = max(self.ready, default=0)
        expect(slow <= self.args.ready_seconds, f"ready {slow:.1f} s after a restart, not within {self.args.ready_seconds} s")

    def comes_back(self, node, order):
        """A browser comes back from the bank, and loads the page until it is served."""

        def look():
            try:
                return ask("GET", f"{node.url}/bank/return/{order}")[0] == 200
            except NO_ANSWER:
                return False

        waits_for("the page for whoever comes back from the bank", look)

    def check_audit(self, world):
        """An audit that is struck says that it failed, and says nothing wrong when it is run again."""
        environment = self.of_command("audit")
        if environment:
            code, said = world.audit({**environment, "OBOLE_CRASH_PASSED": world.passed, "OBOLE_CRASH_PAUSE_MS": "1000"})
            expect((code == 0) == (self.action == "pause"), f"an audit that was struck ended with {code}: {said[-500:]}")
        code, said = world.audit({"OBOLE_CRASH_PASSED": world.passed})
        expect(code == 0, f"obole audit ended with {code}:\n{said[-1500:]}")

    def read_passed(self, world):
        with open(world.passed, encoding="utf-8") as lines:
            for line in lines:
                name, _, action = line.strip().partition(" ")
                self.passed[name] += 1
                self.struck |= name == self.place and action == self.action


def places(binary):
    """The list that the binary itself gives: name → (can fail, what would be lost)."""
    told = subprocess.run([binary, "parse", "list"], capture_output=True, text=True, env={**clean_environment(), "OBOLE_CRASH_POINT": "list"})
    found = {}
    for line in told.stdout.splitlines():
        parts = line.split("\t")
        if len(parts) == 3:
            found[parts[0]] = (parts[1] == "fails", parts[2])
    expect(len(found) >= 40, f"{binary} is not built with --features crash-points (a debug build)")
    return found


def matrix(args, known, kinds):
    """Every run there is, those without a strike first: their passes show that the story itself goes everywhere."""
    runs = [Run(args, None, None, 1, kind) for kind in kinds]
    for place, (fails, _) in known.items():
        for action in ACTIONS:
            for kind in kinds:
                if action == "error" and not fails or ONLY.get(place, kind) != kind:
                    continue
                runs += [Run(args, place, action, nth, kind) for nth in OFTEN.get(place, (1,))]
    return runs


def sample(runs, known, kinds, dice):
    """A few: what has to be prepared, and a draw in which every action and database comes up."""
    chosen = [run for run in runs if not run.place]
    for place in PREPARED:
        chosen.append(dice.choice([run for run in runs if run.place == place]))
    for kind in kinds:
        for action in ACTIONS:
            fitting = [run for run in runs if run.kind == kind and run.action == action and run.place not in PREPARED]
            chosen += dice.sample(fitting, SHORT_OF_EACH)
    return chosen


SHORT_OF_EACH = 3


def strike_all(args, runs, directory):
    """Runs all of them, some at a time, with a line for each tenth."""
    done, failed, began = 0, 0, time.monotonic()
    lock = threading.Lock()

    def one(run):
        nonlocal done, failed
        run.go(directory)
        with lock:
            done += 1
            failed += run.failure is not None
            if run.failure:
                print(f"  FAILED {run.name}: {run.failure[:args.shown]}", flush=True)
            if done % max(1, len(runs) // 10) == 0 or done == len(runs):
                rest = (time.monotonic() - began) / done * (len(runs) - done)
                print(f"  {done} of {len(runs)} runs, {failed} failed, about {rest:.0f} s to go", flush=True)

    pool = concurrent.futures.ThreadPoolExecutor(args.at_once)
    try:
        for finished in concurrent.futures.as_completed([pool.submit(one, run) for run in runs]):
            finished.result()
    except BaseException:
        end_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def report(args, known, runs, seconds):
    """The table, and what it comes to."""
    struck = collections.Counter((run.place, run.action, run.kind) for run in runs if run.struck)
    passed = sum((run.passed for run in runs), collections.Counter())
    wide = max(map(len, known))
    print(f"\n  {'place':{wide}}  {'passed':>6}  " + "  ".join(f"{action + ' ' + kind[:2]:>8}" for action in ACTIONS for kind in args.kinds))
    for place, (fails, _) in known.items():
        if args.only and not place.startswith(args.only):
            continue
        cells = []
        for action in ACTIONS:
            for kind in args.kinds:
                offered = (action != "error" or fails) and ONLY.get(place, kind) == kind
                bad = any(run.failure for run in runs if (run.place, run.action, run.kind) == (place, action, kind))
                cells.append("FAILED" if bad else str(struck[place, action, kind]) if offered else "-")
        print(f"  {place:{wide}}  {passed[place]:>6}  " + "  ".join(f"{cell:>8}" for cell in cells))
    never = [place for place in known if not passed[place]]
    if not args.short and not args.only and not args.action:
        offered = {(run.place, run.action, run.kind) for run in runs if run.place}
        never += sorted({place for place, action, kind in offered if not struck[place, action, kind]} - set(never))
    ready = sorted(value for run in runs for value in run.ready)
    summary = {
        "places": len(known),
        "runs": len(runs),
        "struck": sum(run.struck for run in runs),
        "strikes": {action: sum(run.struck for run in runs if run.action == action) for action in ACTIONS},
        "databases": args.kinds,
        "failed": [run.name for run in runs if run.failure],
        "never_hit": never if not args.only else [],
        "payments_settled": sum(run.settled for run in runs),
        "payments_with_an_operator": sum(run.unknown for run in runs),
        "lost": 0 if not any(run.failure for run in runs) else None,
        "doubled": 0 if not any(run.failure for run in runs) else None,
        "restarts": len(ready),
        "ready_seconds": {"median": round(ready[len(ready) // 2], 2), "most": round(ready[-1], 2)} if ready else None,
        "seconds": round(seconds),
        "seed": args.seed,
    }
    ready_said = f"ready after a restart in {summary['ready_seconds']['median']} s (median), {summary['ready_seconds']['most']} s at most" if ready else "no restart"
    print(
        f"\npoints: {summary['places']} places, {summary['struck']} strikes in {summary['runs']} runs on {' and '.join(args.kinds)},"
        f" {len(summary['failed'])} failed; {summary['payments_settled']} payments settled, {summary['payments_with_an_operator']} unknown, unpaid and"
        f" with an operator; {ready_said}; {summary['seconds']} s, --seed {args.seed}"
    )
    if summary["never_hit"]:
        print(f"points: never hit: {', '.join(summary['never_hit'])}", file=sys.stderr)
    if args.json:
        print(json.dumps(summary))
    return 1 if summary["failed"] or summary["never_hit"] else 0


def read_line():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("obole", help="the executable, built with --features crash-points")
    parser.add_argument("--short", action="store_true", help="a sample, for every change")
    parser.add_argument("--only", default=None, help="places whose name begins so")
    parser.add_argument("--action", choices=ACTIONS, default=None)
    parser.add_argument("--at-once", type=int, default=8, help="runs at one time")
    parser.add_argument("--postgres", default=os.environ.get("OBOLE_TEST_POSTGRES"), help="a server on which databases may be made")
    parser.add_argument("--without-postgres", action="store_true")
    parser.add_argument("--ready-seconds", type=float, default=READY_SECONDS)
    parser.add_argument("--shown", type=int, default=1500, help="characters shown of a failure")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep what failed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.obole = os.path.abspath(args.obole)
    args.seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    args.kinds = ["sqlite"] if args.without_postgres else ["sqlite", "postgres"]
    if not args.without_postgres and not args.postgres:
        parser.error("say where a PostgreSQL is (--postgres URL or OBOLE_TEST_POSTGRES), or leave it out (--without-postgres)")
    return args


def main():
    args = read_line()
    directory = tempfile.mkdtemp(prefix="obole-points-")
    began = time.monotonic()
    code = 1
    try:
        known = places(args.obole)
        dice = random.Random(args.seed)
        runs = matrix(args, known, args.kinds)
        if args.short:
            runs = sample(runs, known, args.kinds, dice)
        if args.only or args.action:
            runs = [run for run in runs if run.place and run.place.startswith(args.only or "") and run.action in (args.action or ACTIONS)]
        # Runs of one place are alike in what they wait for; mixed, they do not wait together.
        dice.shuffle(runs)
        print(f"points: {len(runs)} runs, {args.at_once} at once, --seed {args.seed}", flush=True)
        strike_all(args, runs, directory)
        code = report(args, known, runs, time.monotonic() - began)
        return code
    except Failed as failure:
        print(f"points: {failure}", file=sys.stderr)
        return 1
    finally:
        end_all()
        if not (code and args.keep):
            Postgres.drop_all()
        if code and args.keep:
            print(f"points: what failed is kept in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
