#!/usr/bin/env python3
"""A post becomes a payment, told by clients that nobody here wrote.

Camille's program is Mastodon.py. With it she signs up in the town, posts, reads and answers her private messages; in a browser
(here: requests and the pages' own forms) she enrols and agrees at the bank; and what was paid she looks up through the
bank's Berlin Group interface, as any other account information service would.

    story.py PATH/TO/obole [--keep]
"""

import argparse
import datetime
import html.parser
import logging
import os
import queue
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
import uuid
from decimal import Decimal

import requests
from mastodon import Mastodon, StreamListener

from obole import Failed, Sandbox, expect, waits_for

SCOPES = ["read", "write"]
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
REQUEST_SECONDS = 30

# Three times what the project wants of a release build on an ordinary machine (1 s and 80 MB): other programs run beside tests.
START_AT_MOST_SECONDS = 3.0
RESIDENT_AT_MOST_MEGABYTES = 240.0


def says(sentence):
    print(f"  {sentence}", flush=True)


class Form(html.parser.HTMLParser):
    """The first form of a page: where it goes, what its fields hold, which buttons it has."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields, self.buttons, self.options, self.inside = None, {}, [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self.inside = attrs.get("action", ""), True
        elif self.inside and tag == "input" and "name" in attrs:
            self.fields[attrs["name"]] = attrs.get("value", "")
        elif self.inside and tag == "button" and "name" in attrs:
            self.buttons.append((attrs["name"], attrs["value"]))
        elif self.inside and tag == "option":
            self.options.append(attrs.get("value"))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Text(html.parser.HTMLParser):
    """What a person sees of a status."""

    def __init__(self, content):
        super().__init__()
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.text += {"br": "\n", "p": "\n"}.get(tag, "")

    def handle_data(self, data):
        self.text += data


def text_of(status):
    # No-break spaces are for the eye.
    return Text(status["content"]).text.replace("\u00a0", " ").replace("\u202f", " ").strip()


class Heard(StreamListener):
    """What the town's stream tells."""

    def __init__(self):
        self.direct = queue.Queue()

    def on_notification(self, notification):
        if notification["type"] == "mention" and notification["status"]["visibility"] == "direct":
            self.direct.put(notification["status"])


class Browser:
    """A browser as far as forms go: cookies, redirects, pages."""

    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy stands before this machine
        self.session.headers["Accept-Language"] = "fr"

    def ask(self, method, url, **more):
        return self.session.request(method, url, timeout=REQUEST_SECONDS, **more)

    def json(self, method, url, **more):
        answer = self.ask(method, url, headers={"Accept": "application/json"}, **more)
        expect(answer.ok, f"{method} {url} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def approve(self, page, login):
        """Agrees on a page of the bank, and returns where the bank then leads."""
        answer = self.ask("GET", page)
        expect(answer.ok, f"the bank's page {page} was answered with {answer.status_code}")
        form = Form(answer.text)
        expect(("answer", "approve") in form.buttons, "the bank's page has no button that approves")
        fields = {**form.fields, "answer": "approve"}
        if "login" in fields:
            fields["login"] = login
        answer = self.ask("POST", urllib.parse.urljoin(page, form.action), data=fields, allow_redirects=False)
        expect(answer.status_code in (302, 303), f"the bank answered the approval with {answer.status_code}")
        return answer.headers["Location"]


class Camille:
    """A payer with a program of her own."""

    name = "camille"

    def __init__(self, sandbox):
        self.sandbox, self.browser, self.seen, self.streams = sandbox, Browser(), set(), []

    # -- the town -----------------------------------------------------------------------------------------------------

    def signs_up(self):
        town = self.sandbox.town
        client_id, secret = Mastodon.create_app("Story", scopes=SCOPES, redirect_uris=OUT_OF_BAND, api_base_url=town)
        newcomer = Mastodon(client_id=client_id, client_secret=secret, api_base_url=town)
        newcomer.create_account(self.name, "correct horse battery", "camille@example.org", agreement=True, locale="fr", scopes=SCOPES)
        expect(newcomer.account_verify_credentials().username == self.name, "the account that was made is not Camille's")
        says("signed up in the town with Mastodon.py")

        # And logs in with another program, as most people do: a page asks her, and shows a code to copy.
        client_id, secret = Mastodon.create_app("Story again", scopes=SCOPES, redirect_uris=OUT_OF_BAND, api_base_url=town)
        self.client = Mastodon(client_id=client_id, client_secret=secret, api_base_url=town, request_timeout=REQUEST_SECONDS)
        address = self.client.auth_request_url(redirect_uris=OUT_OF_BAND, scopes=SCOPES, allow_http=True)
        form = Form(self.browser.ask("GET", address).text)
        expect(self.name in form.options, "the town's consent page does not offer Camille's account")
        agreed = self.browser.ask("POST", urllib.parse.urljoin(address, form.action), data={**form.fields, "account": self.name})
        code = urllib.parse.parse_qs(urllib.parse.urlparse(agreed.url).query)["code"][0]
        expect(code in agreed.text, "the page that should show the code does not")
        self.client.log_in(code=code, redirect_uri=OUT_OF_BAND, scopes=SCOPES, allow_http=True)
        expect(self.client.me().username == self.name, "the program that was let in is not Camille's")
        says("logged in with a second program, by a code copied from the town's page")

    def listens(self):
        heard = Heard()
        self.streams.append(self.client.stream_user(heard, run_async=True, reconnect_async=True, reconnect_async_wait_sec=1))
        return heard

    def stops_listening(self):
        while self.streams:
            self.streams.pop().close()

    def posts(self, text):
        return self.client.status_post(text, visibility="public")

    def tells_obole(self, text, answering=None):
        return self.client.status_post(f"@obole {text}", visibility="direct", in_reply_to_id=answering)

    def direct_messages(self):
        """From the notifications, newest first."""
        told = self.client.notifications(types=["mention"], limit=40)
        return [note.status for note in told if note.status.visibility == "direct" and note.account.acct == "obole"]

    def hears(self, what, wanted, seconds=30):
        """The first new private message of Obole that `wanted` finds something in: (message, what was found)."""

        def look():
            for status in reversed(self.direct_messages()):
                found = status.id not in self.seen and re.search(wanted, text_of(status))
                if found:
                    self.seen.add(status.id)
                    return status, found

        try:
            return waits_for(what, look, seconds)
        except Failed as failure:
            inbox = "\n---\n".join(text_of(status) for status in self.direct_messages()) or "nothing"
            raise Failed(f"{failure}; in private Obole wrote:\n{inbox}") from None

    # -- the bank -----------------------------------------------------------------------------------------------------

    def opens_an_account(self):
        wish = {"login": self.name, "name": "Camille Story", "opening": "100.00"}
        self.iban = self.browser.json("POST", f"{self.sandbox.bank}/sandbox/accounts", json=wish)["iban"]
        says(f"opened an account at the bank, {self.iban}")

    def bank_api(self, method, path, consent=None, **more):
        """One call of the Berlin Group interface."""
        headers = {"X-Request-ID": str(uuid.uuid4()), "PSU-IP-Address": "127.0.0.1", "Accept": "application/json"}
        if consent:
            headers["Consent-ID"] = consent
        headers.update(more.pop("headers", {}))
        answer = self.browser.ask(method, f"{self.sandbox.bank}{path}", headers=headers, **more)
        expect(answer.ok, f"the bank answered {method} {path} with {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def lets_another_service_look(self):
        """Consents that another service than Obole reads the account, and returns what names this consent."""
        account = [{"iban": self.iban}]
        wish = {
            "access": {"accounts": account, "balances": account, "transactions": account},
            "recurringIndicator": True,
            "validUntil": (datetime.date.today() + datetime.timedelta(days=30)).isoformat(),
            "frequencyPerDay": 4,
            "combinedServiceIndicator": False,
        }
        asked = self.bank_api("POST", "/v1/consents", json=wish, headers={"TPP-Redirect-URI": "http://localhost:9/back"})
        page = urllib.parse.urljoin(self.sandbox.bank, asked["_links"]["scaRedirect"]["href"])
        self.browser.approve(page, self.name)
        status = self.bank_api("GET", f"/v1/consents/{asked['consentId']}/status")["consentStatus"]
        expect(status == "valid", f"the consent that Camille gave is {status}")
        return asked["consentId"]

    def entries(self, consent):
        """Her booked entries, through accounts and transactions of the interface."""
        [account] = self.bank_api("GET", "/v1/accounts", consent)["accounts"]
        expect(account["iban"] == self.iban, "the bank shows another account than the one consented to")
        since = (datetime.date.today() - datetime.timedelta(days=2)).isoformat()
        path = f"/v1/accounts/{account['resourceId']}/transactions?bookingStatus=booked&dateFrom={since}"
        return self.bank_api("GET", path, consent)["transactions"]["booked"]

    def balance(self, consent):
        [account] = self.bank_api("GET", "/v1/accounts?withBalance=true", consent)["accounts"]
        [booked] = [b for b in account["balances"] if b["balanceType"] == "interimBooked"]
        return Decimal(booked["balanceAmount"]["amount"])

    # -- Obole --------------------------------------------------------------------------------------------------------

    def enrols(self):
        enrol = f"{self.sandbox.url}/enrol"
        stands = self.browser.json("POST", enrol, data={"language": "fr", "phrase": "pomme bleue"})
        expect(stands["step"] == "awaiting_consent", f"an enrolment that has begun stands at {stands['step']}")
        back = self.browser.approve(stands["authorise_at"], self.name)
        expect(back.startswith(f"{self.sandbox.url}/enrol/return"), f"the bank leads to {back} and not back to Obole")
        stands = self.browser.json("GET", back)
        if stands["step"] == "choosing_account":
            stands = self.browser.json("POST", f"{enrol}/account", data={"iban": self.iban})
        expect(stands["step"] == "awaiting_code", f"after the bank's consent the enrolment stands at {stands['step']}")
        expect(re.fullmatch(r"OBOLE-[0-9A-Z]{4}-[0-9A-Z]{4}", stands["code"]), f"{stands['code']!r} is no enrolment code")
        expect(any(bot["handle"].split("@")[0] == "obole" for bot in stands["write_to"]), "the page does not say to write to @obole")
        self.tells_obole(stands["code"])

        def has_arrived():
            stands = self.browser.json("GET", f"{enrol}?after=awaiting_code&seconds=5")
            return stands if stands["step"] == "awaiting_word" else None

        stands = waits_for("the enrolment code to arrive", has_arrived)
        expect(stands["candidate"]["handle"].split("@")[0] == self.name, f"the code came from {stands['candidate']}")
        expect(not self.is_linked(), "the account is linked before Camille said that it is hers")
        stands = self.browser.json("POST", f"{enrol}/word", data={"mine": "yes", "sender": stands["sender"]})
        expect(stands["step"] == "done", f"after Camille's word the enrolment stands at {stands['step']}")
        self.hears("the welcome", "Bienvenue")
        says("enrolled: consent at the bank, code by private message, her word on the page")

    def is_linked(self):
        return self.browser.json("GET", f"{self.sandbox.url}/enrol")["step"] == "done"


def gives_ten_euros(camille, consent):
    sandbox = camille.sandbox
    heard = camille.listens()
    waits_for("the town's stream to open", lambda: camille.streams[0].is_receiving(), 10)
    camille.posts("@obole #donner 10€ @croixrouge #telethon")
    try:
        question = heard.direct.get(timeout=30)
    except queue.Empty:
        raise Failed("30 s after the post nothing had come over the town's stream") from None
    text = text_of(question)
    camille.seen.add(question["id"])
    for wanted in ("10,00 €", "Croix-Rouge", "#telethon", "« pomme bleue »", "OUI ", "NON"):
        expect(wanted in text, f"the question does not say {wanted!r}:\n{text}")
    expect(re.findall(r"@\w+", text) == [f"@{camille.name}"], f"the question names somebody else than Camille:\n{text}")
    code = re.search(r"OUI (\d{6})\b", text).group(1)
    conversations = camille.client.conversations()
    expect(any(c.last_status and c.last_status.id == question["id"] for c in conversations), "the question is in no conversation")
    says("posted, and was asked in private (heard over the stream, found in the conversations)")
    camille.stops_listening()

    # Nothing of what anybody was told may be lost with the process.
    sandbox.kill()
    sandbox.start()
    says("everything was killed and started again")

    expect(not [e for e in camille.entries(consent) if e.get("endToEndId")], "something was paid before Camille had answered")
    camille.tells_obole(f"OUI {code}", answering=question["id"])
    receipt, _ = camille.hears("the receipt", r"Payé : .*10,00 €.*Croix-Rouge")
    receipt = text_of(receipt)
    number = re.search(r"Reçu (\d{8})", receipt)
    expect(number, f"the receipt has no number of 8 digits:\n{receipt}")
    says(f"answered OUI with the code, and got the receipt {number.group(1)}")

    paid = [e for e in camille.entries(consent) if e.get("endToEndId")]
    expect(len(paid) == 1, f"the bank shows {len(paid)} transfers where one was ordered")
    [entry] = paid
    amount = entry["transactionAmount"]
    expect(Decimal(amount["amount"]) == Decimal("-10.00") and amount["currency"] == "EUR", f"the bank shows {amount}")
    expect("Croix-Rouge" in entry["creditorName"], f"the bank shows {entry['creditorName']} as the payee")
    expect(re.fullmatch(r"[0-9a-f]{32}", entry["endToEndId"]), f"{entry['endToEndId']!r} is no payment key")
    expect(camille.balance(consent) == Decimal("90.00"), f"the balance is {camille.balance(consent)} and not 90.00")
    says(f"found the transfer through the bank's interface: {amount['amount']} EUR, reference {entry['endToEndId']}")

    # The same answer once more pays nothing.
    camille.tells_obole(f"OUI {code}", answering=question["id"])
    camille.hears("an answer to the repeated code", "rien")
    expect(camille.balance(consent) == Decimal("90.00"), "the same code paid twice")
    says("answered once more with the same code: nothing was paid")


def changes_her_mind(camille, consent):
    post = camille.posts("@obole #donner 11€ @croixrouge #telethon")
    _, code = camille.hears("the question about 11 €", r"11,00 €[\s\S]*OUI (\d{6})")
    camille.client.status_update(post.id, "@obole #donner 1€ @croixrouge #telethon")
    camille.hears("word that the edited order is cancelled", r"Annulé, rien n'a été payé[\s\S]*modifié")
    camille.tells_obole(f"OUI {code.group(1)}")
    camille.hears("an answer to the code of the cancelled order", "rien")
    says("edited a post before answering: cancelled, and its code pays nothing")

    camille.posts("@obole #donner 12€ @croixrouge #telethon")
    camille.hears("the question about 12 €", r"12,00 €[\s\S]*OUI \d{6}")
    camille.tells_obole("NON")
    camille.hears("word that the refused order is cancelled", r"Annulé, rien n'a été payé[\s\S]*dit non")
    says("answered NON: cancelled")

    camille.posts("@obole #envoyer 1.000 € @bob")
    near, _ = camille.hears("an answer to 1.000 €", r"1\.000")
    # No handle but hers may stand in a message to her: it would reach its owner.
    expect(re.findall(r"@\w+", text_of(near)) == [f"@{camille.name}"], f"the answer names others:\n{text_of(near)}")
    suggestions = re.findall(r"#envoyer .*bob", text_of(near))
    expect(suggestions, f"the answer to a near miss does not say what would have worked:\n{text_of(near)}")
    camille.posts("@obole #donner 20 balles @croixrouge")
    camille.hears("an answer to 20 balles", "balles")
    says(f"posted what nearly is an order: told what would have worked ({suggestions[0]!r})")

    expect(camille.balance(consent) == Decimal("90.00"), f"the balance is {camille.balance(consent)} and not 90.00 any more")


def tell(sandbox):
    started = sandbox.start()
    says(f"started; the page was served after {started:.2f} s")
    expect(started <= START_AT_MOST_SECONDS, f"the page was served after {started:.1f} s; at most {START_AT_MOST_SECONDS} are allowed")
    time.sleep(2)
    resident = sandbox.resident_megabytes()
    says(f"idle it holds {resident:.0f} MB")
    expect(resident <= RESIDENT_AT_MOST_MEGABYTES, f"idle it holds {resident:.0f} MB; at most {RESIDENT_AT_MOST_MEGABYTES:.0f} are allowed")

    camille = Camille(sandbox)
    camille.signs_up()
    camille.opens_an_account()
    camille.enrols()
    consent = camille.lets_another_service_look()
    says("consented that another service looks at her account")
    gives_ten_euros(camille, consent)
    changes_her_mind(camille, consent)
    sandbox.stop()
    says("stopped in good order when asked to")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("obole", help="the executable")
    parser.add_argument("--keep", action="store_true", help="keep the data directory and the log")
    args = parser.parse_args()
    # Whatever is in the environment about proxies is not about this machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1,::1"
    # A stream that breaks because the town was killed is what this story wants.
    logging.disable(logging.CRITICAL)
    directory = tempfile.mkdtemp(prefix="obole-story-")
    sandbox = Sandbox(os.path.abspath(args.obole), os.path.join(directory, "data"))
    try:
        tell(sandbox)
        print("story: a post became a payment, once")
        return 0
    except Failed as failure:
        print(f"story: {failure}", file=sys.stderr)
    except KeyboardInterrupt:
        print("story: interrupted", file=sys.stderr)
    except Exception as error:  # what a library raises is said in one sentence too
        print(f"story: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        if sandbox.is_running():
            sandbox.kill()
        if args.keep:
            print(f"story: data and log are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Streams of Mastodon.py are threads that nobody waits for.
    try:
        code = main()
    except SystemExit as stopped:
        code = stopped.code
    sys.stdout.flush()
    os._exit(code)
