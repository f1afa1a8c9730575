"""What the rigs of this folder share: the real binary, its town and bank as processes of their own, people who act over HTTP, and
the comparison of everybody's books at the end. Standard library only (and `psql`, where a PostgreSQL is asked).
"""

import collections
import contextlib
import glob
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

# From the start of a process until its page answers; what is promised is checked by the rigs, this only ends a wait in vain.
START_SECONDS = 60
STOP_SECONDS = 60


class Failed(Exception):
    """What did not happen, as one sentence."""


def expect(fact, sentence):
    """Fails with the sentence unless the fact holds."""
    if not fact:
        raise Failed(sentence)


def waits_for(what, look, seconds=60, every=0.1):
    """Looks until `look()` gives something, `seconds` at most."""
    end = time.monotonic() + seconds
    while True:
        expect(not ENDED.is_set(), "the rig was interrupted")
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


# -- the bank's journal -----------------------------------------------------------------------------------------------


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


def bank_books(data):
    """How often each payment key reached the bank, and what it carried out by key; fails if it did anything twice."""
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
    return received, carried_out


# -- databases --------------------------------------------------------------------------------------------------------


class Sqlite:
    """A database in a file."""

    kind = "sqlite"

    def __init__(self, data):
        self.path = os.path.join(data, "obole.db")
        self.url = f"sqlite:{self.path}"

    def rows(self, statement):
        if not os.path.exists(self.path):
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in database.execute(statement)]
            except sqlite3.OperationalError as error:
                # Before its tables are made.
                if "no such table" in str(error):
                    return []
                raise

    def drop(self):
        pass


def find_psql():
    """The program itself: what Debian has on the PATH is a script around it that takes longer than most questions."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))
    return found[-1] if found else "psql"


class Postgres:
    """A database of its own on a server that is there. Those given back are emptied and used again: to drop one makes the server
    write everything it has to disk."""

    kind = "postgres"
    made, free = [], []
    lock = threading.Lock()
    psql = find_psql()

    def __init__(self, server):
        self.server = server
        with Postgres.lock:
            is_new = not Postgres.free
            self.name = f"obole_rig_{os.getpid()}_{len(Postgres.made) + 1}" if is_new else Postgres.free.pop()
            if is_new:
                Postgres.made.append((server, self.name))
        if is_new:
            self._psql(server, f'CREATE DATABASE "{self.name}"')
        self.url = urllib.parse.urlunsplit(urllib.parse.urlsplit(server)._replace(path=f"/{self.name}"))

    @staticmethod
    def _psql(url, statement):
        command = [Postgres.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise Failed(f"psql: {done.stderr.strip()[:500]}")
        return done.stdout.strip()

    def run(self, statement):
        return self._psql(self.url, statement)

    def rows(self, statement):
        try:
            return json.loads(self._psql(self.url, f"SELECT json_agg(t) FROM ({statement}) AS t") or "null") or []
        except Failed as failure:
            if "does not exist" in str(failure):
                return []
            raise

    def drop(self):
        """Gives it back. Whoever died with a session open may still have it for a moment."""
        ends = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{self.name}' AND pid <> pg_backend_pid()"
        self.run(f"{ends}; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        with Postgres.lock:
            Postgres.free.append(self.name)

    @staticmethod
    def drop_all():
        """Drops every database that was made, at the end."""
        while Postgres.made:
            server, name = Postgres.made.pop()
            with contextlib.suppress(Failed):
                Postgres._psql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


# -- processes --------------------------------------------------------------------------------------------------------

TAKEN = set()
TAKING = threading.Lock()


def free_port():
    """A port that is free now and that nobody else of this rig was given."""
    with TAKING:
        while True:
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))
                port = held.getsockname()[1]
            if port not in TAKEN:
                TAKEN.add(port)
                return port


RUNNING = set()
ENDED = threading.Event()


def end_all():
    """Whoever interrupts a rig interrupts what it has started; nothing is started any more."""
    ENDED.set()
    for process in list(RUNNING):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            process.send_signal(signal.SIGCONT)
            process.kill()


def without_cores():
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def spawn(command, log, environment=None, **more):
    expect(not ENDED.is_set(), "the rig was interrupted")
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=log,
        env={**clean_environment(), **(environment or {})},
        preexec_fn=without_cores,
        **more,
    )
    RUNNING.add(process)
    return process


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("OBOLE_")}


class SandboxServer:
    """The sandbox town or bank, alone in a process that nobody strikes."""

    def __init__(self, binary, part, data):
        self.log = open(os.path.join(data, f"{part}.log"), "ab")
        command = [binary, "sandbox", part, "--data", data, "--listen", "localhost:0", "--log", "warn"]
        self.process = spawn(command, self.log, stdout=subprocess.PIPE)
        said = self.process.stdout.readline().decode()
        found = re.search(r"http://\S+", said)
        expect(found, f"the sandbox {part} did not start: {said!r}")
        self.url = found.group(0).rstrip("/")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        RUNNING.discard(self.process)
        self.log.close()


# -- HTTP -------------------------------------------------------------------------------------------------------------


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())

NO_ANSWER = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, OSError)


def ask(method, url, body=None, form=None, token=None, headers=None, seconds=30):
    """One request: (status, headers, JSON or text). No answer at all is an exception of NO_ANSWER."""
    headers = dict(headers or {})
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    if form is not None:
        data, headers["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with OPENER.open(request, timeout=seconds) as answer:
            status, told, text = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            status, told, text = answer.code, answer.headers, answer.read()
    try:
        return status, told, json.loads(text)
    except ValueError:
        return status, told, text.decode(errors="replace")


def surely(method, url, **more):
    """A request to a server that is not struck: its answer's body, or a failure."""
    status, _, body = ask(method, url, **more)
    expect(status < 300, f"{method} {url} was answered with {status}: {str(body)[:300]}")
    return body


# -- people -----------------------------------------------------------------------------------------------------------


def plain(content):
    text = re.sub(r"<[^>]+>", " ", content.replace("<br />", "\n").replace("</p>", "\n"))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text.replace("\u00a0", " ").replace("\u202f", " ")


class Person:
    """Somebody with an account in the town and one at the bank."""

    def __init__(self, world, name, opening="100.00"):
        self.world, self.name = world, name
        made = surely("POST", f"{world.town.url}/sandbox/people", body={"username": name, "display_name": name, "existing": True})
        self.token = made["access_token"]
        wish = {"login": name, "name": name.title(), "opening": opening}
        self.iban = surely("POST", f"{world.bank.url}/sandbox/accounts", body=wish)["iban"]

    def post(self, text, visibility="public", answering=None):
        draft = {"status": text, "visibility": visibility}
        if answering:
            draft["in_reply_to_id"] = answering
        return str(surely("POST", f"{self.world.town.url}/api/v1/statuses", body=draft, token=self.token)["id"])

    def tells(self, text, answering=None):
        return self.post(f"@obole {text}", "direct", answering)

    def inbox(self):
        """What was written to this person, newest first: (id, text, visibility)."""
        address = f"{self.world.town.url}/api/v1/notifications?types[]=mention&include_filtered=true&limit=80"
        told = surely("GET", address, token=self.token)
        return [(int(note["status"]["id"]), plain(note["status"]["content"]), note["status"]["visibility"]) for note in told]

    def code_after(self, last=0, seconds=60):
        """The newest code that a private message newer than `last` asks to be sent back: (id of the message, code)."""

        def look():
            for number, text, _ in self.inbox():
                found = re.search(r"(?:OUI|YES) (\d{6})", text)
                if number > last and found:
                    return number, found.group(1)
            return None

        return waits_for(f"{self.name}'s code", look, seconds)

    def enrols(self, obole, seconds=90):
        """Enrols, however often Obole goes away meanwhile. Asks the rows at last, as a person would look at the page."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self._enrols_once(obole, end):
                    return
            except NO_ANSWER:
                pass
            if self.world.is_linked(self):
                return
            time.sleep(0.2)
        raise Failed(f"{self.name} could not enrol within {seconds} s")

    def _enrols_once(self, obole, end):
        cookie, sent = None, False

        def step(method, path, form=None):
            nonlocal cookie
            headers = {"Accept": "application/json", "X-Forwarded-For": self.world.address_of(self)}
            if cookie:
                headers["Cookie"] = cookie
            # What Obole cannot do at the moment is asked for again, as a person presses a button again.
            while True:
                status, told, body = ask(method, f"{obole()}{path}", form=form, headers=headers)
                if status < 500 or time.monotonic() > end:
                    break
                time.sleep(0.2)
            for line in told.get_all("Set-Cookie") or []:
                if "obole-enrol=" in line:
                    cookie = line.split(";")[0]
            return status, body

        status, state = step("POST", "/enrol", {"language": "fr", "phrase": f"pomme {self.name}"})
        while time.monotonic() < end:
            if status >= 300:
                return False
            where = state["step"]
            if where == "awaiting_consent":
                page = state["authorise_at"]
                status, told, _ = ask("POST", page, form={"answer": "approve", "login": self.name})
                back = told.get("Location")
                if not back:
                    return False
                status, state = step("GET", "/" + back.split("/", 3)[3])
            elif where == "awaiting_code":
                if not sent:
                    self.tells(state["code"])
                    sent = True
                status, state = step("GET", "/enrol?after=awaiting_code&seconds=5")
            elif where == "awaiting_word":
                status, state = step("POST", "/enrol/word", {"mine": "yes"})
            else:
                return where == "done"
        return False


class World:
    """A town, a bank, a payee, and an Obole's configuration. Town and bank live through everything."""

    def __init__(self, binary, data, database, **wishes):
        os.makedirs(data, exist_ok=True)
        self.binary, self.data, self.database = binary, data, database
        self.passed = os.path.join(data, "passed")
        self.servers = []
        self.town = self._serve("town")
        self.bank = self._serve("bank")
        wide = {"limit": 1_000_000, "period_seconds": 300}
        surely("PUT", f"{self.town.url}/sandbox/limits", body={"statuses": wide, "requests": wide})
        settings = surely("GET", f"{self.bank.url}/sandbox/settings")
        settings["execution_delay_ms"] = wishes.pop("execution_delay_ms", 1200)
        surely("PUT", f"{self.bank.url}/sandbox/settings", body=settings)
        bot = surely("POST", f"{self.town.url}/sandbox/people", body={"username": "obole", "display_name": "Obole", "bot": True})
        self.bot_token = bot["access_token"]
        self.payee = Person(self, "croixrouge", "0.00")
        self.people = []
        self.wishes = wishes

    def _serve(self, part):
        server = SandboxServer(self.binary, part, self.data)
        self.servers.append(server)
        return server

    def person(self, name):
        person = Person(self, name)
        self.people.append(person)
        return person

    def address_of(self, person):
        """An address of the documentation's block: the form for beginners is governed by address."""
        place = self.people.index(person) if person in self.people else 0
        return f"198.51.{100 + place // 250}.{1 + place % 250}"

    def is_linked(self, person):
        number = surely("GET", f"{self.town.url}/api/v1/accounts/lookup?acct={person.name}")["id"]
        return bool(self.database.rows(f"SELECT account FROM links WHERE account = '{number}'"))

    def configuration(self, port):
        """Writes a configuration for an Obole on this port, and gives its path."""
        wish = {
            "confirmation": 120,
            "payer_wait": 4,
            "look_up_horizon": 6,
            "ask_at_most": 1,
            "reconcile_every": 1,
            "request_timeout": 4,
            **self.wishes,
        }
        text = f"""
[store]
url = {json.dumps(self.database.url)}
[web]
listen = "127.0.0.1:{port}"
public_url = "http://localhost:{port}"
[secrets]
key = "{'5a' * 32}"
[platforms.town]
kind = "mastodon"
base_url = "{self.town.url}"
access_token = "{self.bot_token}"
from_beginning = true
poll_seconds = 2
request_timeout_seconds = 10
send_windows = [{{ limit = 1000000, period_seconds = 300 }}]
[banks.bank]
kind = "berlin_group"
base_url = "{self.bank.url}"
product = "instant-sepa-credit-transfers"
psu_ip_address = "192.0.2.1"
request_timeout_seconds = {wish['request_timeout']}
requests_per_second = 500
[timing]
payer_wait_seconds = {wish['payer_wait']}
confirmation_seconds = {wish['confirmation']}
ask_first_seconds = 1
ask_at_most_seconds = {wish['ask_at_most']}
look_up_horizon_seconds = {wish['look_up_horizon']}
[reconcile]
every_seconds = {wish['reconcile_every']}
account_every_seconds = 1
booking_delay_seconds = 3600
[[payees]]
slug = "croixrouge"
legal_name = "Croix-Rouge"
class = "charity"
iban = "{self.payee.iban}"
registry_number = "W000000001"
identities = [{{ platform = "town", handle = "croixrouge" }}]
"""
        path = os.path.join(self.data, f"obole-{port}.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def close(self):
        for server in self.servers:
            server.stop()

    # -- what everybody says at the end -------------------------------------------------------------------------------

    def orders(self):
        """Every order by the short name of the post it was made from; fails if a post has made two."""
        found = {}
        for row in self.database.rows("SELECT id, state, data FROM orders"):
            source = json.loads(row["data"])["source"]["native_id"]
            expect(source not in found, f"the post {source} has made two orders")
            found[source] = row
        return found

    def order_of(self, post, seconds=60):
        return waits_for(f"an order of the post {post}", lambda: self.orders().get(post), seconds)

    def is_at_rest(self, posts):
        """Whether every post has its order, none of them is open, and nothing is left to be done but by an operator."""
        open_states = ("awaiting_payer", "awaiting_payee", "awaiting_confirmation", "held")
        orders = self.orders()
        if any(post not in orders or orders[post]["state"] in open_states for post in posts):
            return False
        moving = "('ready', 'submitting', 'executing', 'awaiting_bank')"
        rows = self.database.rows(
            "SELECT (SELECT count(*) FROM effects WHERE state = 'pending' AND lane <> 'operator') AS effects,"
            f" (SELECT count(*) FROM payments WHERE state IN {moving}) AS payments"
        )
        return bool(rows) and rows[0]["effects"] == 0 and rows[0]["payments"] == 0

    def compare(self, wanted):
        """Compares bank, database and people. `wanted`: the state that the order of each post has to have come to. Gives what was
        settled and what is unknown, unpaid and with an operator."""
        orders = self.orders()
        lost = [post for post in wanted if post not in orders]
        expect(not lost, f"{len(lost)} posts have made no order: {lost[:3]}")
        expect(len(orders) == len(wanted), f"{len(wanted)} people posted and there are {len(orders)} orders")
        other = {post: orders[post]["state"] for post, state in wanted.items() if orders[post]["state"] != state}
        expect(not other, f"orders ended otherwise than their payers wanted: {other}, not {[wanted[post] for post in other]}")
        received, carried_out = bank_books(self.data)
        payments = self.database.rows("SELECT key, order_id, state, amount_minor FROM payments")
        settled = {row["key"]: row["amount_minor"] for row in payments if row["state"] == "settled"}
        unknown = {row["key"]: row["order_id"] for row in payments if row["state"] == "unknown"}
        only_ours, only_theirs = set(settled.items()) - set(carried_out.items()), set(carried_out.items()) - set(settled.items())
        expect(not only_ours, f"settled for Obole and not carried out by the bank: {only_ours}")
        expect(not only_theirs, f"carried out by the bank and not settled for Obole: {only_theirs}")
        states = collections.Counter(row["state"] for row in payments)
        unexpected = set(states) - {"settled", "unknown", "proposed"}
        expect(not unexpected, f"payments ended in states that nothing here leads to: {dict(states)}")
        confirmed = {orders[post]["id"] for post, state in wanted.items() if state == "confirmed"}
        paid = {row["order_id"] for row in payments if row["state"] in ("settled", "unknown")}
        expect(paid == confirmed, f"{len(confirmed)} orders are confirmed, and {len(paid)} have a payment that was made or is asked about")
        # Struck after `submitting` was committed and before the bank was reached: nobody can tell this from a lost answer, so it is
        # never called again but asked about, and at last an operator is called. Unpaid it must be, and nobody forgotten.
        reached = [key for key in unknown if received[key]]
        expect(not reached, f"{len(reached)} payments have reached the bank, which can be asked, and are unknown: {reached[:3]}")
        calls = sorted(row["order_id"] for row in self.database.rows("SELECT DISTINCT order_id FROM effects WHERE lane = 'operator'"))
        missing = set(unknown.values()) - set(calls)
        expect(not missing, f"no operator is called for {missing}, whose payment is unknown")
        self.compare_messages()
        return len(settled), len(unknown)

    def compare_messages(self):
        """No question and no receipt twice: each carries its code or its order's number. A public hint carries neither."""
        for person in self.people:
            told = collections.Counter()
            for _, text, seen in person.inbox():
                # A question about several orders is another one as soon as it is about others.
                code = " ".join(re.findall(r"(?:OUI|YES) \d{6}", text))
                if code or seen != "direct" or re.search(r"\b\d{8}\b", text):
                    told[code or text] += 1
            twice = [what for what, times in told.items() if times > 1]
            expect(not twice, f"{person.name} was told the same more than once: {twice[:1]}")

    def audit(self, environment=None):
        """Runs `obole audit`. Gives its exit code and what it said."""
        command = [self.binary, "audit", "--store", self.database.url]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**clean_environment(), **(environment or {})},
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr


class Node:
    """An `obole run` that is started again whenever it dies, as a supervisor would."""

    def __init__(self, world, name, environments=(), haste=20):
        self.world, self.name, self.haste = world, name, haste
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = world.configuration(self.port)
        # What each start is told besides, in turn; further ones are told nothing.
        self.environments = list(environments)
        self.log_path = os.path.join(world.data, f"{name}.log")
        self.ready_seconds, self.codes = [], []
        self.process, self.wanted = None, True
        self.lock = threading.Lock()
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()

    def environment(self, more=None):
        base = {"OBOLE_CRASH_PASSED": self.world.passed, "OBOLE_CRASH_PAUSE_MS": "5000", "OBOLE_CRASH_HASTE": str(self.haste)}
        return {**base, **(more or {})}

    def _start(self):
        more = self.environments.pop(0) if self.environments else {}
        with open(self.log_path, "ab") as log:
            self.process = spawn(
                [self.world.binary, "run", "--config", self.config, "--log", "info"],
                log,
                self.environment(more),
                stdout=subprocess.DEVNULL,
            )

    def _keep(self):
        while True:
            with self.lock:
                if not self.wanted:
                    return
                began = time.monotonic()
                try:
                    self._start()
                except Failed:
                    return
            self._time_until_ready(began)
            code = self.process.wait()
            RUNNING.discard(self.process)
            self.codes.append(code)

    def _time_until_ready(self, began):
        while self.process.poll() is None and time.monotonic() - began < START_SECONDS:
            if self.is_ready():
                self.ready_seconds.append(time.monotonic() - began)
                return
            time.sleep(0.02)

    def is_ready(self):
        try:
            return ask("GET", f"{self.url}/readyz", seconds=5)[0] == 200
        except NO_ANSWER:
            return False

    def wait_until_ready(self, seconds=60):
        waits_for(f"{self.name} to be ready", self.is_ready, seconds, 0.05)

    def operate(self, *words, environment=None):
        """An operator's command, given again until it was answered. Gives what was said at last."""
        command = [self.world.binary, "operator", *words, "--config", self.config]
        for _ in range(20):
            self.wait_until_ready()
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env={**clean_environment(), **self.environment(environment)},
                timeout=60,
            )
            environment = None
            said = (done.stdout + done.stderr).strip()
            # Done before, by the very command that was struck: an operator would read just this.
            if done.returncode == 0 or "held already" in said or "is not held" in said:
                return said
            time.sleep(0.3)
        raise Failed(f"an operator was not answered: {' '.join(words)}: {said}")

    def stop(self, seconds=STOP_SECONDS):
        """Asks it to stop until it has ended in good order."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                process = self.process
            self.wait_until_ready()
            with self.lock:
                if self.process is not process:
                    continue
                # From here on nobody starts it again; if it is struck on the way out, the next turn does.
                self.wanted = False
                process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise Failed(f"{self.name} did not stop within {seconds} s of being asked to:\n{self.log_end()}") from None
            self.keeper.join(5)
            if code == 0:
                return
            expect(code in (-signal.SIGKILL, -signal.SIGTERM), f"{self.name} ended with {code} when asked to stop:\n{self.log_end()}")
            self.wanted = True
            self.keeper = threading.Thread(target=self._keep, daemon=True)
            self.keeper.start()
            # The new process has to be seen before it is asked.
            waits_for(f"{self.name} to start again", lambda: self.process is not process, 10, 0.02)
        raise Failed(f"{self.name} could not be stopped in good order")

    def kill(self):
        """Ends it for good."""
        with self.lock:
            self.wanted = False
            if self.process:
                with contextlib.suppress(ProcessLookupError):
                    self.process.send_signal(signal.SIGCONT)
                    self.process.kill()
        self.keeper.join(5)

    def log_end(self, lines=15):
        with contextlib.suppress(FileNotFoundError), open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])
        return ""

    def panicked(self):
        with contextlib.suppress(FileNotFoundError), open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "panicked" in log.read()
        return False
