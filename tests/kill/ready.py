#!/usr/bin/env python3
"""With ten thousand open orders in the store, a killed Obole is ready again within two seconds, and serves.

One real order waits for its confirmation; its rows are copied ten thousand times (other ids, other payers), some of their messages
claimed by the process that is then killed. Each start is timed until `/readyz` answers, and at last the real order is confirmed and paid.

    ready.py PATH/TO/obole [--orders 10000] [--starts 5] [--postgres URL] [--without-postgres] [--json]
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

from rig import NO_ANSWER, Failed, Node, Postgres, Sqlite, World, end_all, expect, waits_for

READY_SECONDS = 2.0

# Messages that the dead process had claimed.
CLAIMED = 200

# `NUMBERS` gives i from 1 to the number wanted, ID(prefix) 32 hexadecimal digits made of it. No copy has an audit chain of its own.
COPY = """
INSERT INTO orders (id, version, state, due_at, platform, author, payer_id, campaign, currency, total_minor, created_at, data, audit_hash)
 SELECT ID(fff1), version, state, due_at, platform, author, ID(fff5), campaign, currency, total_minor, created_at,
        replace(replace(replace(data, 'THE_ORDER', ID(fff1)), 'THE_KEY', ID(fff2)), 'THE_PAYER', ID(fff5)), audit_hash FROM orders, NUMBERS WHERE id = 'THE_ORDER';
INSERT INTO payments (key, order_id, place, payee_id, bank, currency, amount_minor, state, changed_at)
 SELECT ID(fff2), ID(fff1), place, payee_id, bank, currency, amount_minor, state, changed_at FROM payments, NUMBERS WHERE key = 'THE_KEY';
INSERT INTO posts (platform, channel, post_id, native_id, author, outcome, order_id, seen_at)
 SELECT platform, channel, ID(fff3), ID(fff3), author, outcome, ID(fff1), seen_at FROM posts, NUMBERS WHERE order_id = 'THE_ORDER';
INSERT INTO effects (id, lane, order_id, data, priority, due_at, attempts, lease_until, epoch, state, result, created_at)
 SELECT ID(fff4), lane, ID(fff1), data, priority, due_at, attempts, CASE WHEN i <= CLAIMED THEN THE_LEASE ELSE 0 END, epoch,
        CASE WHEN i <= CLAIMED THEN 'pending' ELSE state END, result, created_at FROM effects, NUMBERS WHERE order_id = 'THE_ORDER';
"""


def fill(database, order, orders):
    """Copies the order's rows."""
    key = database.rows(f"SELECT key FROM payments WHERE order_id = '{order}'")[0]["key"]
    payer = database.rows(f"SELECT payer_id FROM orders WHERE id = '{order}'")[0]["payer_id"]
    lease = str(int((time.time() + 45) * 1_000_000))
    text = COPY.replace("THE_ORDER", order).replace("THE_KEY", key).replace("THE_PAYER", payer)
    text = text.replace("THE_LEASE", lease).replace("CLAIMED", str(CLAIMED))
    for prefix in ("fff1", "fff2", "fff3", "fff4", "fff5"):
        made = f"'{prefix}' || lpad(CAST(i AS text), 28, '0')" if database.kind == "postgres" else f"printf('{prefix}%028d', i)"
        text = text.replace(f"ID({prefix})", made)
    if database.kind == "postgres":
        numbers = f"generate_series(1, {orders}) AS numbers(i)"
        database.run("BEGIN;" + text.replace("NUMBERS", numbers) + "COMMIT; ANALYZE")
        return
    numbers = f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders}) SELECT i FROM n)"
    with contextlib.closing(sqlite3.connect(database.path)) as connection:
        connection.executescript("BEGIN;" + text.replace("NUMBERS", numbers) + "COMMIT;")


def measure(args, kind, directory):
    data = os.path.join(directory, kind)
    os.makedirs(data)
    database = Postgres(args.postgres) if kind == "postgres" else Sqlite(data)
    # Nothing expires meanwhile, and the leases are those of production.
    world = World(args.obole, data, database, confirmation=3600, reconcile_every=900)
    node = Node(world, "first", haste=1)
    ready = []
    try:
        node.wait_until_ready()
        ana = world.person("ana")
        ana.enrols(lambda: node.url)
        post = ana.post("@obole #donner 2,10 € @croixrouge")
        asked, code = ana.code_after()
        order = world.order_of(post)["id"]
        waits_for("the question to be recorded", lambda: world.database.rows("SELECT 1 AS one FROM effects WHERE state = 'pending'") == [])
        node.kill()
        fill(database, order, args.orders)
        found = database.rows("SELECT count(*) AS open FROM orders WHERE state = 'awaiting_confirmation'")[0]["open"]
        expect(found == args.orders + 1, f"{found} orders wait for confirmation, and {args.orders} were copied")
        for start in range(args.starts):
            node = Node(world, f"start-{start + 1}", haste=1)
            waits_for("the process to be ready", lambda: node.ready_seconds, 60, 0.02)
            ready += node.ready_seconds[:1]
            if start + 1 < args.starts:
                node.kill()
        ana.tells(f"OUI {code}", asked)
        paid = f"SELECT 1 AS one FROM payments WHERE order_id = '{order}' AND state = 'settled'"
        waits_for("the real order to be paid", lambda: database.rows(paid), 60, 0.1)
    except Failed as failure:
        raise Failed(f"{kind}: {failure}\n{node.log_end()}") from None
    finally:
        node.kill()
        world.close()
        database.drop()
    ready.sort()
    return {"median": round(ready[len(ready) // 2], 2), "most": round(ready[-1], 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("obole")
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--postgres", default=os.environ.get("OBOLE_TEST_POSTGRES"), help="a server on which a database may be made")
    parser.add_argument("--without-postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.obole = os.path.abspath(args.obole)
    if not args.without_postgres and not args.postgres:
        parser.error("say where a PostgreSQL is (--postgres URL or OBOLE_TEST_POSTGRES), or leave it out (--without-postgres)")
    directory = tempfile.mkdtemp(prefix="obole-ready-")
    try:
        found = {}
        for kind in ["sqlite"] if args.without_postgres else ["sqlite", "postgres"]:
            found[kind] = measure(args, kind, directory)
            print(f"ready: {args.orders} open orders on {kind}: {found[kind]['median']} s (median), {found[kind]['most']} s at most", flush=True)
        slow = [kind for kind, times in found.items() if times["most"] > READY_SECONDS]
        expect(not slow, f"that is more than {READY_SECONDS} s on {' and '.join(slow)}")
        if args.json:
            print(json.dumps({"open_orders": args.orders, "ready_seconds": found}))
        return 0
    except (Failed, *NO_ANSWER) as failure:
        print(f"ready: {failure}", file=sys.stderr)
        return 1
    finally:
        end_all()
        Postgres.drop_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
