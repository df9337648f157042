"""Fields of requests, one by one, with values that make no sense: 400 that names the field, or the answer where the value is
allowed. fields_test.py QUERN"""
import json
import sys

from support import CHAT, Server, main

MOST = 2**31 - 1
SEED = 2**53
VALUES = [-1, 0, 2**31, 2**63, -2**63, 10**30, 1.5, "1", None, [], {}, True, "NaN"]

# What a request is without the field in question: cheap to answer.
BASE = {
    "/v1/chat/completions": {"model": "demo", "messages": CHAT, "max_tokens": 1},
    "/v1/completions": {"model": "demo", "prompt": "Once", "max_tokens": 1},
    "/v1/embeddings": {"model": "demo", "input": "Once"},
    "/completion": {"prompt": "Once", "n_predict": 1},
    "/api/generate": {"model": "demo", "prompt": "Once", "stream": False, "options": {"num_predict": 1}},
    "/api/chat": {"model": "demo", "messages": CHAT, "stream": False, "options": {"num_predict": 1}},
    "/api/embed": {"model": "demo", "input": "Once"},
    "/api/embeddings": {"model": "demo", "prompt": "Once"},
    "/api/create": {"model": "never-made", "from": "demo"},
    "/api/copy": {"source": "nothing", "destination": "never-made"},
}

SAMPLING = [("seed", -SEED, SEED), ("top_k", -1, 1 << 24), ("repeat_last_n", -1, 1 << 24), ("mirostat", 0, 2)]
LLAMA = SAMPLING + [("min_keep", 0, 1 << 20), ("dry_allowed_length", 0, 1 << 20), ("dry_penalty_last_n", -1, 1 << 24)]
OLLAMA = [("options." + name, least, most) for name, least, most in SAMPLING + [
    ("num_ctx", 1, MOST), ("num_predict", -2, MOST), ("num_keep", -1, MOST), ("num_batch", 1, 1 << 24), ("num_gpu", -1, MOST),
    ("main_gpu", 0, 1 << 16), ("num_thread", 0, 1 << 16), ("draft_num_predict", 0, 1 << 16)]]

# Whole numbers, and the least and most that are taken.
INTEGERS = {
    "/v1/chat/completions": LLAMA + [("max_tokens", -1, MOST), ("max_completion_tokens", -1, MOST), ("n", 1, 16), ("top_logprobs", 0, 20)],
    "/v1/completions": LLAMA + [("max_tokens", -1, MOST), ("n", 1, 16), ("logprobs", 0, 20), ("best_of", 1, 1)],
    "/v1/embeddings": [("dimensions", 1, 256)],
    "/completion": LLAMA + [("n_predict", -1, MOST), ("n_probs", 0, 100), ("n_cmpl", 1, 16)],
    "/api/generate": OLLAMA + [("top_logprobs", 0, 20)],
    "/api/chat": OLLAMA + [("top_logprobs", 0, 20)],
    "/api/embed": [("dimensions", 1, 256)],
}

NUMBERS = [("temperature", 0, 100), ("top_p", 0, 1), ("min_p", 0, 1), ("typical_p", 0, 1), ("repeat_penalty", 1e-6, 100),
           ("presence_penalty", -2, 2), ("frequency_penalty", -2, 2), ("mirostat_tau", 0, 100), ("mirostat_eta", 0, 1)]
FLAGS = {
    "/v1/chat/completions": ["stream", "logprobs", "ignore_eos"], "/v1/completions": ["stream", "echo"], "/completion": ["stream", "return_tokens"],
    "/api/generate": ["stream", "raw", "logprobs", "truncate", "shift", "options.use_mmap", "options.numa"],
    "/api/chat": ["stream", "logprobs", "truncate", "options.low_vram"], "/api/embed": ["truncate", "options.use_mlock"],
}
TEXTS = {
    "/v1/chat/completions": ["model"], "/v1/completions": ["model"], "/v1/embeddings": ["model", "encoding_format"],
    "/api/generate": ["model", "prompt", "system", "template"], "/api/chat": ["model"], "/api/embed": ["model"], "/api/embeddings": ["prompt"],
    "/api/show": ["model"], "/api/pull": ["model"], "/api/create": ["model", "from", "system", "template", "quantize"],
    "/api/copy": ["source", "destination"],
}
N = {"count": 0}


def put(body, field, value):
    out = json.loads(json.dumps(body))
    place, names = out, field.split(".")
    for name in names[:-1]:
        place = place.setdefault(name, {})
    place[names[-1]] = value
    return out


def check(server, path, field, value, fine):
    N["count"] += 1
    body = put(BASE.get(path, {"model": "nothing-of-this-name"}), field, value)
    if field == "top_logprobs":
        body["logprobs"] = True
    answer = server.ask("POST", path, body)
    case = f"{path} {field}={value!r}: {answer.status} {answer.body[:300]!r}"
    assert answer.status == (200 if fine else 400), case
    if fine:
        return
    name = field.split(".")[-1]
    assert name in answer.error(), case
    error = answer.json()["error"]
    assert not isinstance(error, dict) or "param" not in error or error["param"].startswith(field), case


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def test_integers(server):
    for path, fields in INTEGERS.items():
        for field, least, most in fields:
            for value in VALUES:
                fine = value is None or (whole(value) and least <= value <= most)
                check(server, path, field, value, fine)


def test_numbers(server):
    for path in ("/v1/chat/completions", "/completion", "/api/generate"):
        for field, least, most in NUMBERS:
            name = "options." + field if path.startswith("/api") else field
            for value in (*VALUES, 1e308, -1e308, least, most):
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                check(server, path, name, value, value is None or (number and least <= value <= most))


def test_flags(server):
    for path, fields in FLAGS.items():
        for field in fields:
            for value in (1, 0, "true", [], {}, None, 1.5):
                if field == "shift" and value in ([], {}):
                    continue  # as good as absent
                check(server, path, field, value, value is None)


def test_texts(server):
    for path, fields in TEXTS.items():
        for field in fields:
            for value in (1, 1.5, [], {}, True):
                check(server, path, field, value, False)


def test_objects(server):
    for path, field in (("/api/generate", "options"), ("/api/chat", "options"), ("/api/embed", "options"), ("/v1/chat/completions", "stream_options"),
                        ("/v1/chat/completions", "chat_template_kwargs")):
        for value in (1, "x", [1], True):
            check(server, path, field, value, False)
    for path in ("/v1/chat/completions", "/api/chat"):
        for value in (1, "x", {}, [1], ["x"], [[]], [{}], [{"role": "user", "content": 1}], [{"role": 1, "content": "x"}],
                      [{"role": "robot", "content": "x"}], [{"content": "x"}], [{"role": "user", "content": [{"type": "image_url"}]}],
                      [{"role": "user", "content": [1]}], [{"role": "user", "content": {}}], CHAT * 5000):
            check(server, path, "messages", value, False)
    for path, field in (("/v1/completions", "prompt"), ("/v1/embeddings", "input"), ("/api/embed", "input"), ("/completion", "prompt")):
        for value in (1, {}, True, [1, "x"], ["x", 1], [-1], [2**31], [[1.5]], [None], [{}], [[]]):
            check(server, path, field, value, False)
    for value in ([-1], [2**40], ["x"], [1.5], "x", {}, 1):
        check(server, "/api/generate", "context", value, False)
    for path, field in (("/v1/chat/completions", "stop"), ("/completion", "stop"), ("/api/generate", "options.stop"), ("/api/chat", "options.stop")):
        for value in (1, {}, [1], True, ["x"] * 17, ["x" * 1025], [["x"]]):
            check(server, path, field, value, False)
    for path in ("/api/generate", "/api/chat", "/api/embed", "/v1/chat/completions"):
        for value in ("x", "5x", "", [], {}, True, "1h-", "m", "9" * 40):
            check(server, path, "keep_alive", value, False)
        for value in (5, 1.5, -1, "5m", "1h30m", "300ms", None):
            check(server, path, "keep_alive", value, True)


def test_not_json(server):
    for path, body in BASE.items():
        text = json.dumps(body)
        for bad in (text[:-1], text + "}", text[:-1] + ',"x":NaN}', text[:-1] + ',"x":Infinity}', text[:-1] + ',"x":01}', "[]", "1", "null",
                    "\"x\"", "'x'", text[:-1] + ',"x":1e999}', text.encode() + b"\xff", text[:-1] + ',"x":"\x01"}', ""):
            answer = server.ask("POST", path, bad)
            N["count"] += 1
            assert answer.status == 400 and answer.error(), (path, bad[-30:], answer.status, answer.body[:200])


def test_still_there(server):
    answer = server.post("/api/generate", {"model": "demo", "prompt": "What is the capital of France?", "stream": False, "options": {"temperature": 0}})
    assert "Paris" in answer.json()["response"]
    print(f"        {N['count']} cases", flush=True)
    assert N["count"] >= 400


if __name__ == "__main__":
    with Server(sys.argv[1], "demo") as shared:
        failed = main(globals(), shared)
    sys.exit(1 if failed else 0)
