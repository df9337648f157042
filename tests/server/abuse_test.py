#!/usr/bin/env python3
"""`quern serve` against clients that mean harm, or are broken.

  abuse_test.py QUERN [--connections N]

Each case is a conversation over a plain socket, with the status that must come back (None: the connection may just close).
While they run, a bystander asks for /health; it must be answered in time throughout. Standard library alone.
"""
import argparse
import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    def __init__(self, quern, *flags, model="demo"):
        environment = dict(os.environ, QUERN_MODELS="/nonexistent/quern")
        self.process = subprocess.Popen([quern, "serve", model, "--port", "0", *flags], stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.port = None
        for line in self.process.stderr:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found: self.port = int(found.group(1))
            if "is loaded" in line: break
        if self.port is None or self.process.poll() is not None: sys.exit("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def connect(self, timeout=20):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def n_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.process.terminate()
        code = self.process.wait(20)
        if code != 0: raise AssertionError(f"the server ended with {code}")


def read_all(connection):
    data = b""
    try:
        while True:
            piece = connection.recv(65536)
            if not piece: break
            data += piece
    except OSError:
        pass
    return data


def status_of(data):
    found = re.match(rb"HTTP/1\.1 (\d+) ", data)
    return int(found.group(1)) if found else None


def raw(server, text, timeout=20):
    with server.connect(timeout) as connection:
        try:
            connection.sendall(text)
        except OSError:
            pass  # refused before all was sent
        return read_all(connection)


def post(body, path="/v1/chat/completions", extra="", length=None):
    body = body if isinstance(body, bytes) else body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n" \
           f"Content-Length: {len(body) if length is None else length}\r\n{extra}\r\n"
    return head.encode() + body


def get(path="/v1/models", extra="", version="1.1"):
    return f"GET {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n{extra}\r\n".encode()


def chat(**fields):
    return json.dumps({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, **fields})


def chunked(body):
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + body


OK_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(chat()), chat().encode())

# What is sent, and the statuses that are right.
WIRE = {
    "fine": (post(chat()), [200]),
    "fine, in chunks": (chunked(OK_CHUNKED), [200]),
    "fine, one byte a chunk": (chunked(b"".join(b"1\r\n%c\r\n" % b for b in chat().encode()) + b"0\r\n\r\n"), [200]),
    "101 headers": (get(extra="".join(f"X-{i}: 1\r\n" for i in range(101))), [431]),
    "a header of 40 KiB": (get(extra="X: " + "a" * 40960 + "\r\n"), [431]),
    "a path of 16 KiB": (get("/" + "a" * 16384), [414]),
    "NUL in a header": (get(extra="X: a\0b\r\n"), [400]),
    "CR in a header": (get(extra="X: a\rb\r\n"), [400]),
    "a blank before the colon": (get(extra="X : a\r\n"), [400]),
    "lines end with LF alone": (b"GET / HTTP/1.1\nHost: localhost\n\n", [400, 505]),
    "absolute URI": (get("http://localhost/v1/models"), [200]),
    "HTTP/0.9": (b"GET /\r\n\r\n", [400, 505, None]),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]),
    "HTTP/3.7": (get(version="3.7"), [400, 505]),
    "no Host": (b"GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n", [400]),
    "two Hosts": (get(extra="Host: localhost\r\n"), [400]),
    "another's Host": (b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", [403]),
    "another's Host, with a port": (b"GET /v1/models HTTP/1.1\r\nHost: evil.example:11434\r\nConnection: close\r\n\r\n", [403]),
    "IPv6 Host": (b"GET /v1/models HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", [200]),
    "localhost with a dot": (b"GET /v1/models HTTP/1.1\r\nHost: LOCALHOST.:1\r\nConnection: close\r\n\r\n", [200]),
    "another's Origin": (post(chat(), extra="Origin: https://evil.example\r\n"), [403]),
    "Origin null": (post(chat(), extra="Origin: null\r\n"), [403]),
    "Origin of a file": (post(chat(), extra="Origin: file://\r\n"), [403]),
    "own Origin": (post(chat(), extra="Origin: http://localhost\r\n"), [200]),
    "own Origin, a form": (post(chat(), extra="Origin: http://localhost\r\n").replace(b"application/json", b"text/plain"), [415]),
    "preflight of another": (b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: https://evil.example\r\n"
                             b"Access-Control-Request-Method: POST\r\n\r\n", [403]),
    "unknown method": (b"BREW /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [400, 405]),
    "wrong method": (get("/v1/chat/completions"), [405]),
    "unknown path": (get("/etc/passwd"), [404]),
    "a path upwards": (get("/../../etc/passwd"), [404]),
    "an escaped path upwards": (get("/%2e%2e/%2e%2e/etc/passwd"), [404]),
    "a broken escape": (get("/%zz"), [400]),
    "an escaped NUL": (get("/v1/models%00"), [400]),
    "no slash": (get("v1/models"), [400]),
    "Content-Length 2^63": (post("", length=1 << 63), [400, 413]),
    "Content-Length 2^70": (post("", length=1 << 70), [400]),
    "Content-Length -1": (post("", length=-1), [400]),
    "Content-Length x": (post("", length="x"), [400]),
    "two Content-Lengths": (post("{}", extra="Content-Length: 5\r\n"), [400]),
    "both lengths": (post(OK_CHUNKED, extra="Transfer-Encoding: chunked\r\n"), [400]),
    "33 MiB announced": (post("", length=33 << 20), [413]),
    "33 MiB in one chunk": (chunked(b"%x\r\n" % (33 << 20) + b" " * (33 << 20) + b"\r\n0\r\n\r\n"), [413]),
    "33 MiB in many chunks": (chunked(b"".join([b"10000\r\n" + b" " * 65536 + b"\r\n"] * 528) + b"0\r\n\r\n"), [413]),
    "chunk size -2": (chunked(b"-2\r\nab\r\n0\r\n\r\n"), [400]),
    "chunk size 2^64": (chunked(b"10000000000000000\r\nab\r\n0\r\n\r\n"), [400, 413]),
    "chunk size +2": (chunked(b"+2\r\n{}\r\n0\r\n\r\n"), [400]),
    "chunk extensions of a megabyte": (chunked(b"2;" + b"a" * (1 << 20) + b"\r\n{}\r\n0\r\n\r\n"), [400, 413, 431, None]),
    "a compressed body": (post(b"\x1f\x8b\x08", extra="Content-Encoding: gzip\r\n"), [415]),
    "no body": (post(""), [400]),
    "not JSON": (post("hello"), [400]),
    "an array": (post("[]"), [400]),
    "100,000 brackets": (post("[" * 100000), [400]),
    "100,000 braces": (post('{"a":' * 100000), [400]),
    "129 deep in a field": (post('{"messages":' + "[" * 129 + "]" * 129 + "}"), [400]),
    "a million keys": (post("{" + ",".join(f'"k{i}":1' for i in range(200000)) + "}"), [400]),
    "duplicate keys": (post('{"messages":1,"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}'), [200, 400]),
    "1e999999": (post(chat()[:-1] + ',"temperature":1e999999}'), [400]),
    "a number of 400 digits": (post(chat()[:-1] + ',"seed":' + "9" * 400 + "}"), [400]),
    "lone surrogate": (post('{"messages":[{"role":"user","content":"\\ud800"}]}'), [400]),
    "BOM": (post(b"\xef\xbb\xbf" + chat().encode()), [200, 400]),
    "NUL in JSON": (post(chat().encode() + b"\0"), [400]),
    "invalid UTF-8": (post(b'{"messages":[{"role":"user","content":"\xff\xfe"}]}'), [400]),
    "trailing data": (post(chat() + "x"), [400]),
    "a text of 8 MiB": (post(chat(user="a" * (8 << 20))), [200]),
    "a prompt of 1 MiB": (post(json.dumps({"prompt": "a b " * (1 << 18)}), "/v1/completions"), [400]),
    "model upwards": (post(chat(model="../../etc/passwd")), [404]),
    "model absolute": (post(chat(model="/etc/passwd")), [404]),
    "model escaped": (post(chat(model="%2e%2e%2fetc%2fpasswd")), [404]),
    "model with NUL": (post(chat(model="a\0b")), [404]),
    "model of a share": (post(chat(model="\\\\host\\share")), [404]),
    "model of 64 KiB": (post(chat(model="a" * 65536)), [404]),
    "model as a number": (post(chat(model=1)), [400]),
    "images": (post(json.dumps({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]})), [400]),
    "tools": (post(chat(tools=[{"type": "function", "function": {"name": "f"}}])), [400]),
    "structured output": (post(chat(response_format={"type": "json_object"})), [400]),
    "100,000 stops": (post(chat(stop=["x"] * 100000)), [400]),
    "n of a million": (post(chat(n=1000000)), [400]),
    "logprobs of a million": (post(chat(logprobs=True, top_logprobs=1000000)), [400]),
    "logit_bias of unknown tokens": (post(chat(logit_bias={"99999999": 1})), [400]),
    "embedding nothing": (post('{"input":[]}', "/v1/embeddings"), [400]),
    "a token out of range": (post('{"prompt":[1,2,4097]}', "/v1/completions"), [400]),
}


def check_wire(server):
    wrong = []
    for name, (text, expected) in WIRE.items():
        began = time.monotonic()
        data = raw(server, text)
        status = status_of(data)
        if time.monotonic() - began > 5: wrong.append(f"{name}: took {time.monotonic() - began:.1f} s")
        if status not in expected: wrong.append(f"{name}: expected {expected}, found {status}: {data[-300:]!r}")
        if status in (200, None): continue
        body = data.split(b"\r\n\r\n", 1)[1]
        try:
            assert isinstance(json.loads(body).get("error"), (dict, str))
        except (ValueError, AssertionError):
            wrong.append(f"{name}: not an error's shape: {body[:200]!r}")
    assert not wrong, "\n".join(wrong)


def check_keys(quern):
    server = Server(quern, "--api-key", "secret", "--api-key", "second")
    try:
        for header, expected in (("", 401), ("Authorization: Bearer secret\r\n", 200), ("Authorization: bearer second\r\n", 200),
                                 ("X-Api-Key: secret\r\n", 200), ("Authorization: Bearer secre\r\n", 401),
                                 ("Authorization: Bearer Secret\r\n", 401), ("Authorization: Bearer secrets\r\n", 401),
                                 ("Authorization: Bearer \r\n", 401), ("Authorization: secret\r\n", 401),
                                 ("Authorization: Basic c2VjcmV0\r\n", 401), ("Authorization: Bearer " + "a" * 20000 + "\r\n", 401),
                                 ("Authorization: Bearer secret\r\nX-Api-Key: second\r\n", 401)):
            assert status_of(raw(server, get("/v1/models", header))) == expected, header[:60]
        assert status_of(raw(server, get("/v1/models?api_key=secret"))) == 401
        for path in ("/props", "/metrics", "/slots", "/nothing"):
            assert status_of(raw(server, get(path))) == 401, path
        assert status_of(raw(server, get("/health"))) == 200
        # The key is asked for before the body is read.
        assert status_of(raw(server, post("", length=1 << 20))) == 401
    finally:
        server.end()


def check_slow(server):
    """Heads and bodies that do not come to an end: 200 of them, and each must be over within its time."""
    began = time.monotonic()
    heads = [server.connect(30) for _ in range(100)]
    bodies = [server.connect(120) for _ in range(100)]
    for c in bodies: c.sendall(post("{", length=1000))
    alive = True
    while alive and time.monotonic() - began < 9:
        for c in heads: c.sendall(b"G" if time.monotonic() - began < 1 else b"E")
        time.sleep(1)
    for c in heads:
        assert status_of(read_all(c)) in (408, 400, None)
        c.close()
    assert time.monotonic() - began < 20, "slow heads stayed"
    for c in bodies: c.close()


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def n_running(server):
    body = raw(server, get("/slots")).split(b"\r\n\r\n", 1)[1]
    return sum(slot["is_processing"] for slot in json.loads(body))


def n_generated(server):
    return int(re.search(rb"llamacpp:tokens_predicted_total (\d+)", raw(server, get("/metrics"))).group(1))


def check_gone(server):
    """Clients that go away: what runs for them ends. Each asks for 6400 tokens, with their probabilities: megabytes."""
    long = chat(max_tokens=400, n=16, temperature=1, ignore_eos=True, stream=True, seed=3, logprobs=True, top_logprobs=20)
    for way in ("close", "reset", "half-close", "does not read"):
        before = n_generated(server)
        clients = []
        for _ in range(4):
            c = server.connect()
            if way == "does not read": c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            c.sendall(post(long))
            clients.append(c)
        for c in clients:
            if way != "does not read": c.recv(100)
        for c in clients:
            if way == "reset": c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            if way == "half-close": c.shutdown(socket.SHUT_WR)
            if way in ("close", "reset"): c.close()
        if way == "does not read": wait_for(lambda: n_running(server) > 0, 10, "nothing began")
        wait_for(lambda: n_running(server) == 0, 20, f"{way}: generations went on")
        made = n_generated(server) - before
        print(f"  {way}: {made} of {4 * 6400} tokens were generated")
        assert made < 4 * 6400 / 2, f"{way}: generations went on"
        for c in clients: c.close()


def check_connections(server, n):
    """Thousands of connections that say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    n = min(n, hard - 200)
    clients = []
    for _ in range(n):
        c = socket.socket()
        c.setblocking(False)
        try:
            c.connect(("127.0.0.1", server.port))
        except BlockingIOError:
            pass
        clients.append(c)
        if len(clients) % 200 == 0: time.sleep(0.005)
    wait_for(lambda: server.n_files() > min(n, 9000) * 0.9, 8, "the connections were not accepted")
    assert status_of(raw(server, post(chat()))) == 200
    held = server.n_files()
    time.sleep(1)
    for c in clients: c.close()
    wait_for(lambda: server.n_files() < 300, 20, "connections were not closed")
    return held


def check_pipelined(server):
    one = post(chat(temperature=0)).replace(b"Connection: close\r\n", b"")
    with server.connect() as c:
        c.sendall(one * 5 + get("/health"))
        data = read_all(c)
    assert data.count(b"HTTP/1.1 200 OK") == 6, data.count(b"HTTP/1.1 200 OK")


class Bystander:
    """Asks for /health all the time, on new connections, and notes how long it takes."""

    def __init__(self, server):
        self.server, self.times, self.failed, self.go_on = server, [], [], True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.go_on:
            began = time.monotonic()
            try:
                status = status_of(raw(self.server, get("/health"), 5))
            except OSError as error:
                status = error
            self.times.append(time.monotonic() - began)
            if status != 200: self.failed.append(status)
            time.sleep(0.02)

    def end(self):
        self.go_on = False
        self.thread.join()
        times = sorted(self.times)
        return times[len(times) // 2], times[int(len(times) * 0.99)], times[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("quern")
    parser.add_argument("--connections", type=int, default=10000)
    args = parser.parse_args()
    server = Server(args.quern, "--slots")
    bystander = Bystander(server)
    try:
        for name, check in (("wire", check_wire), ("pipelined", check_pipelined), ("slow", check_slow), ("gone", check_gone)):
            began = time.monotonic()
            check(server)
            print(f"{name}: {time.monotonic() - began:.1f} s, {server.rss() >> 20} MiB")
        began = time.monotonic()
        held = check_connections(server, args.connections)
        print(f"connections: {held} open files, {time.monotonic() - began:.1f} s, {server.rss() >> 20} MiB")
    finally:
        median, most, worst = bystander.end()
    print(f"/health: {len(bystander.times)} times, median {median * 1e3:.1f} ms, p99 {most * 1e3:.1f} ms, slowest {worst * 1e3:.1f} ms")
    assert not bystander.failed, bystander.failed[:5]
    assert median < 0.1 and most < 0.5, "the server was too slow for others"
    server.end()
    check_keys(args.quern)
    return 0


if __name__ == "__main__":
    sys.exit(main())
