#!/usr/bin/env python3
"""`quern serve` under load.

  load_test.py QUERN [--model MODEL] [--clients 32] [--tokens 64] [--soak SECONDS] [--pace SECONDS] [--speedup RATIO]

First all prompts at once, greedy and streamed; then each alone, which must give the very same answers. Reports tokens per
second of one client and of all, and the time to the first token. With --speedup, all together must reach so many times
the speed of one. Then, for --soak seconds, requests of all kinds from as many clients, a third of which are broken off:
nothing but 200 and the 503 of a full queue may come back, and at the end memory, open files and slots must be what they were
after the first minute. Standard library alone.
"""
import argparse
import http.client
import json
import random
import selectors
import sys
import threading
import time

from abuse_test import Server, n_running

WORDS = ("the old house stood at the end of a long road and nobody knew who had built it or why the windows were never lit but "
         "every evening a man walked by with his dog and looked up as if he waited for someone to call him in").split()


def prompts(n):
    """Texts of 5 to 60 words; half of them begin alike."""
    random.seed(5)
    return [" ".join((WORDS[:20] if i % 2 else []) + random.choices(WORDS, k=random.randint(5, 40))) for i in range(n)]


def request_bytes(prompt, n_tokens):
    body = json.dumps({"prompt": prompt, "n_predict": n_tokens, "temperature": 0, "stream": True, "ignore_eos": True}).encode()
    return b"POST /completion HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def events(data):
    """Of a chunked answer with events, their objects."""
    head, rest = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 "), data[:300]
    body = b""
    while rest:
        size, rest = rest.split(b"\r\n", 1)
        body += rest[:int(size, 16)]
        rest = rest[int(size, 16) + 2:]
    return [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")]


def streams(server, texts, n_tokens):
    """All at once, by one thread that does nothing but fetch: (text, tokens, seconds to the first) of each, and seconds in all."""
    selector = selectors.DefaultSelector()
    began = time.monotonic()
    data, first = [b""] * len(texts), [None] * len(texts)
    for i, text in enumerate(texts):
        connection = server.connect(600)
        connection.sendall(request_bytes(text, n_tokens))
        selector.register(connection, selectors.EVENT_READ, i)
    left = len(texts)
    while left:
        for key, _ in selector.select():
            piece = key.fileobj.recv(1 << 20)
            i = key.data
            if not piece:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                left -= 1
            elif first[i] is None and b"data: " in piece:
                first[i] = time.monotonic() - began
            data[i] += piece
        time.sleep(0.001)  # the server wants the processors
    seconds = time.monotonic() - began
    out = []
    for i, own in enumerate(data):
        parts = events(own)
        assert parts[-1].get("stop"), parts[-1]
        out.append(("".join(part["content"] for part in parts), parts[-1]["tokens_predicted"], first[i]))
    return out, seconds


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def check_together(server, args):
    texts = prompts(args.clients)
    results, seconds = streams(server, texts, args.tokens)  # first, while nothing is in the cache
    together = sum(r[1] for r in results) / seconds
    alone, spent = [], 0
    for text in texts:
        (result,), seconds = streams(server, [text], args.tokens)
        alone.append(result)
        spent += seconds
    one = sum(r[1] for r in alone) / spent
    wrong = [i for i in range(args.clients) if results[i][:2] != alone[i][:2]]
    assert not wrong, f"together other answers than alone: {wrong}, e.g. {results[wrong[0]]!r} instead of {alone[wrong[0]]!r}"
    firsts = [r[2] for r in results]
    print(f"{args.clients} clients, {args.tokens} tokens each: all answers as alone; one client {one:.0f} tokens/s, all {together:.0f} "
          f"({together / one:.2f} times); first token after p50 {share(firsts, .5) * 1e3:.0f} ms, p99 {share(firsts, .99) * 1e3:.0f} ms")
    assert args.speedup is None or together >= args.speedup * one, "too little is gained by working together"


class Soak:
    def __init__(self, server, args):
        self.server, self.args = server, args
        self.counts, self.errors, self.lock = {}, [], threading.Lock()
        self.end = time.monotonic() + args.soak

    def count(self, what, error=None):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            if error: self.errors.append(error)

    def request(self, rng):
        kind = rng.choice(["chat", "chat", "chat", "completion", "completions", "embeddings", "tokenize", "models"])
        prompt = " ".join(rng.choices(WORDS, k=rng.randint(1, 120)))
        options = {"temperature": rng.choice([0, 0.8, 1.5]), "max_tokens": rng.randint(1, 200), "stream": rng.random() < 0.6,
                   "top_p": rng.choice([0.5, 0.95, 1]), "seed": rng.randint(0, 1 << 31)}
        if kind == "chat":
            return "/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], "n": rng.choice([1, 1, 1, 3]), **options}
        if kind == "completion": return "/completion", {"prompt": prompt, **options}
        if kind == "completions": return "/v1/completions", {"prompt": [prompt, prompt[:20]], **options}
        if kind == "embeddings": return "/v1/embeddings", {"input": [prompt] * rng.randint(1, 4)}
        if kind == "tokenize": return "/tokenize", {"content": prompt}
        return "/v1/models", None

    def once(self, rng):
        path, body = self.request(rng)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        if rng.random() < 0.15:  # gone before the answer begins
            time.sleep(rng.random() * 0.01)
            connection.close()
            return self.count("gone before the answer")
        response = connection.getresponse()
        if body and body.get("stream") and rng.random() < 0.3:
            response.read(rng.randint(1, 2000))
            connection.close()
            return self.count("gone in the answer")
        text = response.read()
        self.count(str(response.status), None if response.status in (200, 503) else (path, body, response.status, text[:300]))
        connection.close()

    def client(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            try:
                self.once(rng)
            except (OSError, http.client.HTTPException) as error:
                self.count("broken", repr(error))
            time.sleep(rng.random() * 2 * self.args.pace)

    def run(self):
        threads = [threading.Thread(target=self.client, args=(i,)) for i in range(self.args.clients)]
        for thread in threads: thread.start()
        warm = min(60, self.args.soak / 3)
        time.sleep(warm)
        rss, files = self.server.rss(), self.server.n_files()
        peak = rss
        while time.monotonic() < self.end:
            time.sleep(min(1, max(0, self.end - time.monotonic())))
            peak = max(peak, self.server.rss())
        for thread in threads: thread.join()
        time.sleep(1)
        assert n_running(self.server) == 0, "slots are stuck"
        last = self.server.rss()
        print(f"{self.args.soak:.0f} s of mixed load: {dict(sorted(self.counts.items()))}; memory {rss >> 20} MiB after {warm:.0f} s, "
              f"{peak >> 20} at most, {last >> 20} at the end; open files {files} then, {self.server.n_files()} at the end")
        assert not self.errors, self.errors[:3]
        assert last < rss * 1.1 + (16 << 20), "memory grows"
        assert self.server.n_files() <= files + 4, "files stay open"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("quern")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--soak", type=float, default=0)
    parser.add_argument("--pace", type=float, default=0.02)
    parser.add_argument("--speedup", type=float)
    args = parser.parse_args()
    server = Server(args.quern, "--slots", "--parallel", str(args.parallel), "--ctx-request", "512", model=args.model)
    check_together(server, args)
    if args.soak: Soak(server, args).run()
    server.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
