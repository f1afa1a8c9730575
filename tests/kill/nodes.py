#!/usr/bin/env python3
"""Three nodes on one PostgreSQL, with one town and one bank outside of them, stopped, woken and killed at random.

The nodes take turns at reading the stream and work on the same lanes, so each message and payment is contended for. Meanwhile
nodes get SIGSTOP for longer than their leases (45 s are 2.25 here) and SIGCONT, or SIGKILL and another start. Afterwards nothing may have
happened twice and nothing may be lost: bank, database and people agree, and `obole audit` is clean.

    nodes.py PATH/TO/obole [--people 16] [--orders 2] [--seconds 25] [--nodes 3] [--postgres URL] [--seed N] [--json]
    nodes.py PATH/TO/obole --takeover    one of two nodes is killed while it holds claims, with the leases of production: how long
                                         until everything it held is done by the other
    nodes.py PATH/TO/obole --frozen      one of two nodes is stopped in the middle of a transaction, and stays so: how long until the
                                         other goes on (production's leases)

`obole` has to be built with `--features crash-points`. PostgreSQL is where --postgres or OBOLE_TEST_POSTGRES says.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

from rig import NO_ANSWER, Failed, Node, Postgres, World, end_all, expect, journal_length, surely, waits_for

# The promise: a dead node's work is taken over within a minute.
TAKEN_OVER_SECONDS = 60


class Chaos(threading.Thread):
    """Stops, wakes and kills nodes, until it is told to end; then all of them are awake."""

    def __init__(self, nodes, dice):
        super().__init__(daemon=True)
        self.nodes, self.dice, self.ended = nodes, dice, threading.Event()
        self.count = collections.Counter()
        self.asleep = {}

    def run(self):
        while not self.ended.wait(self.dice.uniform(0.2, 1.0)):
            self.wake(time.monotonic())
            node = self.dice.choice(self.nodes)
            if node in self.asleep:
                continue
            if self.dice.random() < 0.2:
                self.signal(node, signal.SIGKILL)
            else:
                # Beyond the lease of 2.25 s, and sometimes well beyond the longest that the database waits for a transaction.
                self.signal(node, signal.SIGSTOP)
                self.asleep[node] = time.monotonic() + self.dice.uniform(2.5, 5)
        self.wake(float("inf"))

    def wake(self, now):
        for node, until in list(self.asleep.items()):
            if until <= now:
                del self.asleep[node]
                self.signal(node, signal.SIGCONT)

    def signal(self, node, what):
        with node.lock:
            try:
                node.process.send_signal(what)
                self.count[what.name] += 1
            except ProcessLookupError:
                pass

    def end(self):
        self.ended.set()
        self.join()


def act(world, person, nodes, orders, dice, until):
    """Enrols, and posts one order after the other: most are confirmed, some refused, some called off. Each thing is said once. Goes on
    until a certain time, so that there is somebody to contend for. Gives what each post is to come to."""
    person.enrols(lambda: dice.choice(nodes).url, 150)
    wanted, asked = {}, 0
    for _ in range(orders):
        post = person.post(f"@obole #donner 1,{dice.randrange(10, 99)} € @croixrouge")
        asked, code = person.code_after(asked, 120)
        time.sleep(dice.uniform(0, max(0.0, until - time.monotonic()) / orders))
        word, state = dice.choice([(f"OUI {code}", "confirmed")] * 6 + [("NON", "cancelled"), ("#annuler", "cancelled")])
        person.tells(word, asked if word != "#annuler" else None)
        wanted[post] = state
        waits_for(f"{person.name}'s order to be decided", lambda: world.order_of(post)["state"] == state, 120, 0.5)
    return wanted


def race(args, world, dice):
    """Everybody acts while nodes are struck."""
    nodes = [Node(world, f"node-{place + 1}") for place in range(args.nodes)]
    chaos = Chaos(nodes, random.Random(dice.random()))
    try:
        # The first start makes the schema, the others find it.
        for node in nodes:
            node.wait_until_ready()
        people = [world.person(f"person{place}") for place in range(args.people)]
        until = time.monotonic() + args.seconds
        chaos.start()
        wanted = everybody_acts(args, world, people, nodes, dice, chaos, until)
        chaos.end()
        waits_for("everything to come to its end", lambda: world.is_at_rest(wanted), 120, 0.5)
        for node in nodes:
            node.stop()
    except Failed as failure:
        raise Failed(f"{failure}\n" + "\n".join(f"{node.name}:\n{node.log_end(8)}" for node in nodes)) from None
    finally:
        if chaos.is_alive():
            chaos.end()
        for node in nodes:
            node.kill()
    settled, unknown = finish(world, wanted, nodes)
    passed = collections.Counter(line.split()[0] for line in open(world.passed, encoding="utf-8"))
    claims = world.database.rows("SELECT sum(epoch) AS claims, count(*) AS effects, max(epoch) AS most FROM effects")[0]
    return {
        "nodes": args.nodes,
        "orders": len(wanted),
        "payments_settled": settled,
        "payments_with_an_operator": unknown,
        "effects": claims["effects"],
        "claims": int(claims["claims"]),
        "claims_of_one_effect": claims["most"],
        "claims_taken_over": passed["claim.taken_over"],
        "answers_after_the_lease": passed["settle.late_outcome"],
        "stopped": chaos.count["SIGSTOP"],
        "killed": chaos.count["SIGKILL"],
        "doubled": 0,
        "lost": 0,
    }


def everybody_acts(args, world, people, nodes, dice, chaos, until):
    pool = concurrent.futures.ThreadPoolExecutor(min(args.people, 32))
    try:
        acting = [pool.submit(act, world, person, nodes, args.orders, random.Random(dice.random()), until) for person in people]
        done, wanted = 0, {}
        for ended in concurrent.futures.as_completed(acting):
            wanted.update(ended.result())
            done += 1
            if done % max(1, len(acting) // 5) == 0:
                paid = journal_length(world.data)
                print(f"  {done} of {len(acting)} people done, {paid} payments at the bank, {dict(chaos.count)}", flush=True)
        return wanted
    except BaseException:
        end_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def finish(world, wanted, nodes):
    code, said = world.audit()
    expect(code == 0, f"obole audit ended with {code}:\n{said[-1500:]}")
    for node in nodes:
        expect(not node.panicked(), f"a panic in {node.name}:\n{node.log_end(40)}")
    return world.compare(wanted)


def several_ask(world, node, count):
    """People who have enrolled, posted and been asked: what each post is to come to, and how to say yes."""
    people = [world.person(f"person{place}") for place in range(count)]
    answers, wanted = [], {}
    for person in people:
        person.enrols(lambda: node.url)
        post = person.post("@obole #donner 2,10 € @croixrouge")
        wanted[post] = "confirmed"
        asked, code = person.code_after()
        answers.append((person, f"OUI {code}", asked))
    return wanted, answers


def take_over(args, world):
    """One of two nodes is killed while it holds claims, with production's leases."""
    dying, living = Node(world, "dying", haste=1), None
    try:
        dying.wait_until_ready()
        wanted, answers = several_ask(world, dying, 6)
        living = Node(world, "living", haste=1)
        living.wait_until_ready()
        # While the other sleeps, this one claims everything; the bank is slow, so that it is in the middle of its calls.
        living.process.send_signal(signal.SIGSTOP)
        slow = {"fault": {"kind": "slow", "milliseconds": 3000}, "on": "initiate", "seconds": 30}
        surely("POST", f"{world.bank.url}/sandbox/faults", body=slow)
        for person, answer, asked in answers:
            person.tells(answer, asked)
        held = "SELECT count(*) AS held FROM effects WHERE state = 'pending' AND lane = 'bank:bank' AND lease_until > 0"
        waits_for("claims of the node that is to die", lambda: world.database.rows(held)[0]["held"] == len(answers), 30, 0.02)
        dying.kill()
        began = time.monotonic()
        living.process.send_signal(signal.SIGCONT)
        waiting = "SELECT count(*) AS held FROM payments WHERE state IN ('ready', 'submitting')"
        waits_for("what the dead node held to be taken over", lambda: world.database.rows(waiting)[0]["held"] == 0, 150, 0.1)
        seconds = time.monotonic() - began
        waits_for("what the dead node held to be done", lambda: world.is_at_rest(wanted), 150, 0.1)
        done = time.monotonic() - began
        living.stop()
    finally:
        dying.kill()
        if living:
            living.kill()
    settled, unknown = finish(world, wanted, [dying, living])
    times = {"seconds": round(seconds, 1), "done_seconds": round(done, 1)}
    return {"held": len(answers), "payments_settled": settled, "payments_with_an_operator": unknown, **times}


def freeze(args, world):
    """One of two nodes is stopped in the middle of a transaction that holds rows the other needs, and never wakes."""
    armed = {"OBOLE_CRASH_POINT": "confirm.decided:pause", "OBOLE_CRASH_PAUSE_MS": "600000"}
    frozen, living = Node(world, "frozen", [armed], haste=1), None
    try:
        frozen.wait_until_ready()
        wanted, answers = several_ask(world, frozen, 1)
        person, answer, asked = answers[0]
        person.tells(answer, asked)
        struck = lambda: "confirm.decided pause" in open(world.passed, encoding="utf-8").read()
        waits_for("the node to be in the middle of its transaction", struck, 30, 0.02)
        frozen.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        living = Node(world, "living", haste=1)
        waits_for("the other node to do what the frozen one does not", lambda: world.is_at_rest(wanted), 150, 0.1)
        seconds = time.monotonic() - began
        # It wakes, and nothing of what it still believes may count.
        frozen.process.send_signal(signal.SIGCONT)
        time.sleep(2)
        living.stop()
    except Failed as failure:
        raise Failed(f"{failure}\n{living.log_end() if living else ''}") from None
    finally:
        frozen.kill()
        if living:
            living.kill()
    settled, unknown = finish(world, wanted, [frozen, living])
    return {"payments_settled": settled, "payments_with_an_operator": unknown, "seconds": round(seconds, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("obole", help="the executable, built with --features crash-points")
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--orders", type=int, default=2, help="of each of them")
    parser.add_argument("--seconds", type=float, default=25, help="how long they take their time at least")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--takeover", action="store_true")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--postgres", default=os.environ.get("OBOLE_TEST_POSTGRES"), help="a server on which a database may be made")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the data of a failure")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.postgres:
        parser.error("say where a PostgreSQL is: --postgres URL or OBOLE_TEST_POSTGRES")
    args.obole = os.path.abspath(args.obole)
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1_000_000)
    directory = tempfile.mkdtemp(prefix="obole-nodes-")
    began, code, world, database = time.monotonic(), 1, None, None
    try:
        database = Postgres(args.postgres)
        if args.takeover or args.frozen:
            world = World(args.obole, directory, database, payer_wait=600, confirmation=600, look_up_horizon=120, reconcile_every=900)
            found = take_over(args, world) if args.takeover else freeze(args, world)
            what = "taken over from a node that was killed" if args.takeover else "gone on beside a node that is frozen in a transaction"
            done = f", everything at its end after {found['done_seconds']} s" if args.takeover else ""
            print(
                f"nodes: {what} after {found['seconds']} s{done}: {found['payments_settled']} payments settled,"
                f" {found['payments_with_an_operator']} unknown, unpaid and with an operator"
            )
            expect(found["seconds"] <= TAKEN_OVER_SECONDS, f"that is more than {TAKEN_OVER_SECONDS} s")
        else:
            print(f"nodes: {args.nodes} nodes, {args.people} people with {args.orders} orders each, --seed {seed}", flush=True)
            world = World(args.obole, directory, database, payer_wait=600, confirmation=600, look_up_horizon=10)
            found = race(args, world, random.Random(seed))
            print(
                f"nodes: 0 doubled, 0 lost: {found['orders']} orders, {found['payments_settled']} payments settled,"
                f" {found['payments_with_an_operator']} unknown, unpaid and with an operator; {found['claims']} claims of {found['effects']} effects by"
                f" {args.nodes} nodes, {found['claims_taken_over']} times from another turn; {found['stopped']} times stopped beyond the lease,"
                f" {found['killed']} times killed; {time.monotonic() - began:.0f} s, --seed {seed}"
            )
        if args.json:
            print(json.dumps({**found, "seed": seed}))
        code = 0
        return code
    except (Failed, *NO_ANSWER) as failure:
        print(f"nodes: with --seed {seed}: {failure}", file=sys.stderr)
        return 1
    finally:
        end_all()
        if world:
            world.close()
        if not (code and args.keep):
            Postgres.drop_all()
        if code and args.keep:
            print(f"nodes: the data is kept in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
