"""The real binary, started on free ports for a test, and stopped or killed again. Standard library only."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

START_SECONDS = 30
STOP_SECONDS = 15


class Failed(Exception):
    """What did not happen, as one sentence."""


def expect(fact, sentence):
    """Fails with the sentence unless the fact holds."""
    if not fact:
        raise Failed(sentence)


def waits_for(what, look, seconds=30, every=0.1):
    """Looks until `look()` gives something, `seconds` at most."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


def free_ports(count):
    """Ports that are free on both loopback addresses at this moment."""
    ports, held = [], []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            four = stack.enter_context(socket.socket(socket.AF_INET))
            four.bind(("127.0.0.1", 0))
            port = four.getsockname()[1]
            held.append(four)
            if socket.has_ipv6:
                six = stack.enter_context(socket.socket(socket.AF_INET6))
                try:
                    six.bind(("::1", port))
                except OSError as error:
                    import errno

                    if error.errno == errno.EADDRINUSE:
                        continue  # taken on the other address; a machine without IPv6 says something else
            ports.append(port)
    return ports


class Sandbox:
    """`obole` with no command: Obole, the town and the bank, on one data directory and three ports that stay the same."""

    def __init__(self, binary, data):
        self.binary, self.data = binary, data
        pages, town, bank = free_ports(3)
        self.url, self.town, self.bank = (f"http://localhost:{port}" for port in (pages, town, bank))
        self.listen = [f"localhost:{port}" for port in (pages, town, bank)]
        self.process = None
        self.log_path = f"{data}.log"

    def start(self):
        """Starts it and returns the seconds until its page was served."""
        command = [self.binary, "--data", self.data]
        for option, address in zip(("--listen", "--town-listen", "--bank-listen"), self.listen):
            command += [option, address]
        began = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        while True:
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url, timeout=5) as page:
                    page.read()
                    return time.monotonic() - began
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None:
                raise Failed(f"obole ended with {self.process.returncode} instead of serving {self.url}:\n{self.log_end()}")
            if time.monotonic() - began > START_SECONDS:
                raise Failed(f"obole did not serve {self.url} within {START_SECONDS} s:\n{self.log_end()}")
            time.sleep(0.01)

    def resident_megabytes(self):
        """The memory it holds now."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024

    def kill(self):
        """Kills everything of it at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self):
        """Asks it to stop, and expects that it does so in good order."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"obole did not stop within {STOP_SECONDS} s of being asked to") from None
        expect(code == 0, f"obole was asked to stop and ended with {code}:\n{self.log_end()}")

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log_end(self, lines=15):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])
