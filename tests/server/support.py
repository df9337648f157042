"""What the tests of `quern serve` share: a server on a free port with a store of its own, and a client that fetches answers
piece by piece. Standard library alone."""
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

CHAT = [{"role": "user", "content": "What is the capital of France?"}]
GREEDY = {"temperature": 0}


class Answer:
    """An answer: status, headers, and the body as bytes, JSON, lines of JSON, or events."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def lines(self):
        assert self.headers["Content-Type"] == "application/x-ndjson", self.headers["Content-Type"]
        assert self.body.endswith(b"\n")
        return [json.loads(line) for line in self.body.splitlines()]

    def events(self):
        assert self.headers["Content-Type"].startswith("text/event-stream"), self.headers["Content-Type"]
        parts = self.body.decode().split("\n\n")
        assert parts.pop() == "" and all(part.startswith("data: ") for part in parts)
        return [json.loads(part[6:]) for part in parts if part != "data: [DONE]"]

    def error(self):
        """The message, whatever the shape of errors is."""
        error = self.json()["error"]
        return error["message"] if isinstance(error, dict) else error


class Server:
    """`quern serve` with these arguments. Kept for the tests of one file; a with statement ends it."""

    def __init__(self, quern, *arguments, store=None, environment=None):
        self.folder = None if store else tempfile.TemporaryDirectory(prefix="quern-store-")
        self.store = store or self.folder.name
        # Only what is named here: no proxies, tokens or settings of who runs the tests.
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": self.store, "LC_ALL": "C", "QUERN_MODELS": self.store,
                            **(environment or {})}
        self.log = []
        self.process = subprocess.Popen([quern, "serve", *arguments, "--port", "0"], stderr=subprocess.PIPE, text=True,
                                        env=self.environment)
        self.port = None
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"serving at http://[^ ]*:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        assert self.port, "the server did not start: " + "".join(self.log)
        threading.Thread(target=self.log.extend, args=(self.process.stderr,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.port}"
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        code = self.process.wait(30)
        if self.folder:
            self.folder.cleanup()
        assert code == 0, f"the server ended with {code}: {''.join(self.log)[-2000:]}"

    def open(self, method, path, body=None, headers=None, timeout=60):
        """(connection, response) whose body has not been read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if body is None or isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        return connection, connection.getresponse()

    def ask(self, method, path, body=None, headers=None, status=None, timeout=60):
        """The whole answer. Another status than expected is a failure."""
        data = body if body is None or isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body)
        for attempt in (0, 1):
            fresh = self.connection is None
            if fresh:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            try:
                self.connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
                answer = Answer(self.connection.getresponse())
                break
            except (ConnectionError, http.client.HTTPException):
                # A kept connection may have been closed meanwhile; a new one must not be.
                self.connection.close()
                self.connection = None
                if fresh or attempt:
                    raise
        if answer.headers.get("Connection") == "close":
            self.connection.close()
            self.connection = None
        assert status is None or answer.status == status, f"{method} {path}: {answer.status}, expected {status}: {answer.body[:500]!r}"
        return answer

    def get(self, path, status=200):
        return self.ask("GET", path, status=status)

    def post(self, path, body, status=200, **options):
        return self.ask("POST", path, body, status=status, **options)


@contextlib.contextmanager
def within(seconds):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < seconds, f"took {took:.1f} s, {seconds} allowed"


def wait_for(condition, seconds=10, what="it did not happen in time"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def main(names, *state):
    """Runs the functions test_*, each with `state`."""
    tests = [(name, function) for name, function in names.items() if name.startswith("test_")]
    failures = 0
    for name, function in tests:
        began = time.monotonic()
        try:
            function(*state)
            print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # an assertion, a timeout, JSON that does not parse
            failures += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    assert tests, "no tests"
    return failures
