"""Ollama's endpoints of `quern serve`: fields, streams, errors, the store. ollama_test.py QUERN"""
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time

from support import CHAT, GREEDY, HERE, Server, main, wait_for, within

DEMO = os.path.join(HERE, "..", "..", "examples", "models", "quern-demo-q8_0.gguf")
DURATIONS = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"]
QUESTION = "What is the capital of France?"
JINJA = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def generate(server, status=200, **fields):
    return server.post("/api/generate", {"model": "demo", "prompt": QUESTION, "stream": False, **fields}, status)


def chat(server, status=200, **fields):
    return server.post("/api/chat", {"model": "demo", "messages": CHAT, "stream": False, **fields}, status)


def check_end(json, reason):
    """The fields of a finished answer."""
    assert json["done"] is True and json["done_reason"] == reason, json
    for name in DURATIONS:
        assert isinstance(json[name], int) and json[name] >= 0, name
    assert json["total_duration"] > json["eval_duration"] + json["prompt_eval_duration"] > 0
    assert json["total_duration"] < 60 * 10**9
    assert json["prompt_eval_count"] > 0 and json["eval_count"] > 0
    check_time(json["created_at"])


def check_time(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text), text
    then = datetime.datetime.fromisoformat(text[:26] + "+00:00")
    assert abs((datetime.datetime.now(datetime.timezone.utc) - then).total_seconds()) < 60


def test_generate(server):
    json = generate(server, options=GREEDY).json()
    assert json["model"] == "demo" and "Paris" in json["response"], json["response"]
    assert list(json)[:3] == ["model", "created_at", "response"]
    check_end(json, "stop")
    assert json["context"] and all(isinstance(t, int) for t in json["context"])
    # The same through the other interface.
    other = server.post("/v1/chat/completions", {"model": "demo", "messages": CHAT, "temperature": 0}).json()
    assert other["choices"][0]["message"]["content"] == json["response"]
    assert other["usage"]["prompt_tokens"] == json["prompt_eval_count"]
    assert other["usage"]["completion_tokens"] == json["eval_count"]


def test_streams_equal_wholes(server):
    for fields in ({"options": GREEDY}, {"options": {"seed": 7, "temperature": 1.2}}, {"options": {**GREEDY, "num_predict": 5}},
                   {"options": {**GREEDY, "stop": "Paris"}}, {"options": {"seed": -5}, "raw": True}):
        whole = generate(server, **fields).json()
        answer = generate(server, **{**fields, "stream": True})
        lines = answer.lines()
        assert all(line["done"] is False and set(line) == {"model", "created_at", "response", "done"} for line in lines[:-1])
        assert "".join(line["response"] for line in lines) == whole["response"]
        assert len(lines) > 2 or whole["eval_count"] < 3
        for name in ("done_reason", "eval_count", "prompt_eval_count", "context"):
            assert lines[-1].get(name) == whole.get(name), name
        check_end(lines[-1], whole["done_reason"])
    default = server.post("/api/generate", {"model": "demo", "prompt": QUESTION, "options": {"num_predict": 2}})
    assert len(default.lines()) >= 2, "streams are the default"


def test_chat(server):
    whole = chat(server, options=GREEDY).json()
    assert whole["message"]["role"] == "assistant" and "Paris" in whole["message"]["content"]
    assert "response" not in whole and "context" not in whole
    check_end(whole, "stop")
    lines = chat(server, stream=True, options=GREEDY).lines()
    assert "".join(line["message"]["content"] for line in lines) == whole["message"]["content"]
    assert all(line["message"]["role"] == "assistant" for line in lines)
    check_end(lines[-1], "stop")
    assert len(server.post("/api/chat", {"model": "demo:latest", "messages": CHAT, "options": GREEDY}).lines()) > 2


def test_done_reasons(server):
    short = generate(server, options={**GREEDY, "num_predict": 3}).json()
    assert short["done_reason"] == "length" and short["eval_count"] == 3
    whole = generate(server, options=GREEDY).json()["response"]
    word = whole.split()[2]
    stopped = generate(server, options={**GREEDY, "stop": ["never said", word]}).json()
    assert stopped["response"] == whole[:whole.index(word)] and stopped["done_reason"] == "stop"
    for n in (-1, -2):
        assert generate(server, options={**GREEDY, "num_predict": n}).json()["response"] == whole


def test_options_are_used(server):
    def answer(**options):
        return generate(server, prompt="One day", raw=True, options={"num_predict": 24, **options}).json()["response"]
    assert answer(seed=3, temperature=1.5) == answer(seed=3, temperature=1.5)
    assert len({answer(seed=s, temperature=1.5) for s in range(6)}) > 1
    greedy = answer(temperature=0)
    assert answer(top_k=1, temperature=2, seed=1) == greedy == answer(top_p=0, temperature=2, seed=1) == answer(min_p=1, seed=1)
    raw = {"prompt": "One day", "raw": True}  # the demo model knows its answers by heart, but no stories
    plain = generate(server, **raw, options={**GREEDY, "num_predict": 80}).json()["response"]
    punished = generate(server, **raw, options={**GREEDY, "num_predict": 80, "repeat_penalty": 2, "repeat_last_n": -1}).json()
    assert plain != punished["response"]
    everything = {"num_ctx": 256, "num_predict": 2, "num_keep": 4, "seed": 1, "temperature": 0.8, "top_k": 40, "top_p": 0.9,
                  "min_p": 0.0, "typical_p": 1.0, "repeat_last_n": 64, "repeat_penalty": 1.0, "presence_penalty": 0.5,
                  "frequency_penalty": 0.5, "stop": ["a", "b"], "num_batch": 512, "num_gpu": -1, "main_gpu": 0, "use_mmap": True,
                  "num_thread": 2, "draft_num_predict": 4, "numa": False, "low_vram": False, "f16_kv": True, "tfs_z": 1,
                  "mirostat": 0, "mirostat_tau": 5.0, "mirostat_eta": 0.1, "penalize_newline": True, "use_mlock": False}
    generate(server, options=everything)
    generate(server, options={"a name that nobody knows": [1]})  # as with Ollama


def test_raw_and_context(server):
    raw = generate(server, prompt="Once upon a time", raw=True, options={**GREEDY, "num_predict": 12}).json()
    same = server.post("/v1/completions", {"model": "demo", "prompt": "Once upon a time", "temperature": 0, "max_tokens": 12}).json()
    assert raw["response"] == same["choices"][0]["text"] and "context" not in raw
    first = generate(server, options=GREEDY).json()
    second = generate(server, prompt="And of Norway?", context=first["context"], options=GREEDY).json()
    assert second["context"][:len(first["context"])] == first["context"]
    assert second["prompt_eval_count"] > len(first["context"])
    # What the context says is what a conversation says.
    turns = [*CHAT, {"role": "assistant", "content": first["response"]}, {"role": "user", "content": "And of Norway?"}]
    as_chat = chat(server, messages=turns, options=GREEDY).json()
    assert as_chat["message"]["content"] == second["response"]
    for field, value in (("template", "{{ messages[0].content }}"), ("system", "Hi"), ("context", [1])):
        assert field in generate(server, 400, raw=True, **{field: value}).error()


def test_system_and_template(server):
    plain = generate(server, options=GREEDY).json()
    other = generate(server, system="You are a pirate.", options=GREEDY).json()
    assert other["prompt_eval_count"] > plain["prompt_eval_count"]
    messages = [{"role": "system", "content": "You are a pirate."}, *CHAT]
    assert chat(server, messages=messages, options=GREEDY).json()["prompt_eval_count"] == other["prompt_eval_count"]
    own = generate(server, template=JINJA, options={**GREEDY, "num_predict": 1}).json()
    content = server.post("/detokenize", {"tokens": own["context"]}).json()["content"]
    assert f"<user>{QUESTION}<assistant>" in content
    assert "Jinja" in generate(server, 400, template="{{ .Prompt }}").error()
    assert "template" in generate(server, 400, template="{% for %}").error()


def test_logprobs(server):
    json = generate(server, logprobs=True, top_logprobs=3, options={**GREEDY, "num_predict": 6}).json()
    assert len(json["logprobs"]) == json["eval_count"] == 6
    for entry in json["logprobs"]:
        assert entry["logprob"] <= 0 and bytes(entry["bytes"]).decode(errors="replace") == entry["token"]
        assert len(entry["top_logprobs"]) == 3 and entry["top_logprobs"][0]["token"] == entry["token"]
        assert sorted((t["logprob"] for t in entry["top_logprobs"]), reverse=True) == [t["logprob"] for t in entry["top_logprobs"]]
    lines = chat(server, stream=True, logprobs=True, options={**GREEDY, "num_predict": 4}).lines()
    assert [len(line["logprobs"]) for line in lines[:-1]] == [1] * 4 and "logprobs" not in lines[-1]
    assert "top_logprobs" not in lines[0]["logprobs"][0]
    assert "logprobs" not in generate(server, logprobs=False, options={"num_predict": 1}).json()
    assert "logprobs" in generate(server, 400, top_logprobs=2).error()


def test_context_overflow(server):
    long = "word " * 3000
    for path, fields in (("/api/generate", {"prompt": long}), ("/api/chat", {"messages": [{"role": "user", "content": long}]})):
        for extra in ({}, {"truncate": False}, {"truncate": True}):
            error = server.post(path, {"model": "demo", **fields, **extra}, 400).error()
            assert "tokens" in error and "context" in error, error
    small = {"num_ctx": 64, "temperature": 0}
    assert "64" in chat(server, 400, messages=[{"role": "user", "content": "word " * 100}], options=small).error()
    full = generate(server, prompt="Once upon a time", raw=True, options={**small, "num_ctx": 16, "num_predict": 100})
    assert full.json()["prompt_eval_count"] + full.json()["eval_count"] <= 16 and full.json()["done_reason"] == "length"
    turns = []
    for i in range(12):
        turns += [{"role": "user", "content": f"Question {i}: what is the capital of France?"}, {"role": "assistant", "content": "Paris."}]
    turns = [{"role": "system", "content": "Be brief."}, *turns, *CHAT]
    chat(server, 400, messages=turns, options={**small, "num_ctx": 128})
    json = chat(server, messages=turns, truncate=True, options={**small, "num_ctx": 128}).json()
    assert json["truncated"] is True and json["prompt_eval_count"] <= 96 and json["done_reason"] == "stop"
    # What remained is the conversation's system message and its end.
    ends = [[turns[0], *turns[i:]] for i in range(1, len(turns), 2)]
    counts = [chat(server, messages=end, options={**GREEDY, "num_predict": 1}).json()["prompt_eval_count"] for end in ends]
    assert json["prompt_eval_count"] == max(c for c in counts if c <= 96)
    whole = chat(server, truncate=True, options=GREEDY).json()
    assert "truncated" not in whole
    first = generate(server, options=GREEDY).json()
    cut = generate(server, context=first["context"] * 6, truncate=True, options={**small, "num_ctx": 96}).json()
    assert cut["truncated"] is True and cut["response"] == first["response"]


def test_num_ctx(server):
    trained = server.post("/api/show", {"model": "demo"}).json()["model_info"]["llama.context_length"]
    generate(server, options={"num_ctx": trained * 4, "num_predict": 1})  # as much as the model was made for
    with Server(sys.argv[1], "demo", "--ctx-request", "128") as small:
        error = generate(small, 400, options={"num_ctx": 129}).error()
        assert "num_ctx" in error and "--ctx-request 129" in error, error
        generate(small, options={"num_ctx": 128, "num_predict": 1})


def test_refusals(server):
    cases = [("generate", {"images": ["aGk="]}), ("generate", {"suffix": "end"}), ("generate", {"format": "json"}),
             ("generate", {"format": {"type": "object"}}), ("generate", {"think": True}), ("generate", {"think": "high"}),
             ("generate", {"shift": True}), ("chat", {"format": "json"}), ("chat", {"think": True}),
             ("chat", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
             ("chat", {"messages": [{"role": "user", "content": "Hi", "images": ["aGk="]}]})]
    for path, fields in cases:
        answer = server.post("/api/" + path, {"model": "demo", "prompt": "Hi", "messages": CHAT, **fields}, 400)
        assert list(fields)[0] in answer.error() and set(answer.json()) == {"error"}, answer.body
    for fields in ({"images": []}, {"tools": []}, {"format": ""}, {"format": None}, {"think": False}, {"suffix": ""}, {"shift": False}):
        chat(server, **fields, options={"num_predict": 1})


def test_errors(server):
    for path in ("generate", "chat", "embed", "embeddings", "show"):
        assert server.post("/api/" + path, {"model": "nobody/has-this"}, 404).json()["error"].startswith("model 'nobody/has-this' not found")
        assert "model" in server.post("/api/" + path, {"prompt": "x", "messages": CHAT}, 400).error()
        for name in ("../../etc/passwd", "/etc/passwd", "a b", "a:b:c:d", "x" * 1000, "..", "a/../b/c"):
            assert "not found" in server.post("/api/" + path, {"model": name}, 404).error()
        assert server.post("/api/" + path, "{", 400).error()
        assert server.get("/api/" + path, 405).headers["Allow"] == "POST"
    assert server.get("/api/nothing", 404).error()


def test_load_and_unload(server):
    for path, field in (("generate", "response"), ("chat", "message")):
        server.post("/api/create", {"model": "timed", "from": "demo", "stream": False})
        loaded = lambda: [m["name"] for m in server.get("/api/ps").json()["models"]]
        json = server.post("/api/" + path, {"model": "timed"}).json()
        assert json["done_reason"] == "load" and json["done"] is True
        assert json[field] in ("", {"role": "assistant", "content": ""})
        check_time(json["created_at"])
        assert "timed:latest" in loaded()
        json = server.post("/api/" + path, {"model": "timed", "keep_alive": 0}).json()
        assert json["done_reason"] == "unload"
        wait_for(lambda: "timed:latest" not in loaded())
        server.post("/api/" + path, {"model": "timed", "prompt": "Hi", "messages": CHAT, "stream": False, "keep_alive": "300ms",
                                     "options": {"num_predict": 1}})
        assert "timed:latest" in loaded()
        wait_for(lambda: "timed:latest" not in loaded(), 3)
        server.post("/api/" + path, {"model": "timed", "prompt": "Hi", "messages": CHAT, "stream": False, "keep_alive": "0s",
                                     "options": {"num_predict": 1}})
        wait_for(lambda: "timed:latest" not in loaded(), 1)
    assert "keep_alive" in generate(server, 400, keep_alive="soon").error()
    server.ask("DELETE", "/api/delete", {"model": "timed"}, status=200)


def test_ps(server):
    server.post("/api/create", {"model": "shown", "from": "demo", "stream": False})
    server.post("/api/generate", {"model": "shown", "keep_alive": "10m"})
    model = {m["name"]: m for m in server.get("/api/ps").json()["models"]}["shown:latest"]
    expires = datetime.datetime.fromisoformat(model["expires_at"][:26] + "+00:00")
    left = (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert 590 < left < 601, left
    listed = {m["name"]: m for m in server.get("/api/tags").json()["models"]}["shown:latest"]
    assert model["digest"] == listed["digest"] and model["details"] == listed["details"]
    assert model["model"] == "shown:latest" and model["size"] > 10**6 and model["size_vram"] == 0 and model["context_length"] > 100
    server.post("/api/generate", {"model": "shown", "keep_alive": 0})
    server.ask("DELETE", "/api/delete", {"model": "shown"}, status=200)


def test_embed(server):
    one = server.post("/api/embed", {"model": "demo", "input": "Hello"}).json()
    two = server.post("/api/embed", {"model": "demo", "input": ["Hello", "A longer text."]}).json()
    assert list(one) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert two["embeddings"][0] == one["embeddings"][0] and len(two["embeddings"]) == 2
    assert two["prompt_eval_count"] > one["prompt_eval_count"] > 0
    assert abs(sum(x * x for x in one["embeddings"][0]) - 1) < 1e-5
    same = server.post("/v1/embeddings", {"model": "demo", "input": "Hello"}).json()
    assert same["data"][0]["embedding"] == one["embeddings"][0]
    assert server.post("/api/embeddings", {"model": "demo", "prompt": "Hello"}).json() == {"embedding": one["embeddings"][0]}
    few = server.post("/api/embed", {"model": "demo", "input": "Hello", "dimensions": 8}).json()["embeddings"][0]
    assert len(few) == 8 and abs(sum(x * x for x in few) - 1) < 1e-5
    assert abs(few[0] / few[1] - one["embeddings"][0][0] / one["embeddings"][0][1]) < 1e-3
    for nothing in ([], "", None):
        assert server.post("/api/embed", {"model": "demo", "input": nothing}).json()["embeddings"] == []
    assert server.post("/api/embeddings", {"model": "demo", "prompt": ""}).json() == {"embedding": []}
    long = {"model": "demo", "input": "word " * 5000}
    assert server.post("/api/embed", long).json()["truncated"] is True
    assert "tokens" in server.post("/api/embed", {**long, "truncate": False}, 400).error()


def test_tags_and_show(server):
    server.post("/api/create", {"model": "own/mario:v1", "from": "demo", "system": "You are Mario.", "license": ["MIT", "And more"],
                                "parameters": {"temperature": 0.5, "stop": ["END", "FIN"]}, "template": JINJA,
                                "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "It's me!"}],
                                "stream": False})
    models = {m["name"]: m for m in server.get("/api/tags").json()["models"]}
    for name in ("demo", "own/mario:v1"):
        model = models[name]
        assert list(model) == ["name", "model", "modified_at", "size", "digest", "details"] and model["model"] == name
        assert re.fullmatch("[0-9a-f]{64}", model["digest"]) and model["size"] >= os.path.getsize(DEMO)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", model["modified_at"])
        details = model["details"]
        assert details["format"] == "gguf" and details["family"] == "llama" and details["families"] == ["llama"]
        assert details["parameter_size"] == "6.82M" and details["quantization_level"] == "Q8_0"
        shown = server.post("/api/show", {"model": name}).json()
        assert shown["details"]["family"] == "llama" and shown["model_info"]["general.architecture"] == "llama"
        assert "completion" in shown["capabilities"]
        verbose = server.post("/api/show", {"name": name, "verbose": True}).json()
        assert {"name", "type", "shape"} == set(verbose["tensors"][0]) and "tensors" not in shown
        assert HERE not in json.dumps(shown) and server.store not in json.dumps(shown), "no paths of this machine"
    assert shown["system"] == "You are Mario." and shown["license"] == "MIT\nAnd more" and shown["template"] == JINJA
    assert re.search(r"temperature +0\.5", shown["parameters"]) and re.search(r'stop +"END"', shown["parameters"])
    assert shown["messages"][1] == {"role": "assistant", "content": "It's me!"}
    assert "SYSTEM" in shown["modelfile"] and "FROM own/mario:v1" in shown["modelfile"]
    # Each name has its own system message, although the weights are the same.
    own = server.post("/api/generate", {"model": "own/mario:v1", "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}).json()
    content = server.post("/detokenize", {"model": "own/mario:v1", "tokens": own["context"]}).json()["content"]
    assert "<system>You are Mario.<user>Hi<assistant>It's me!<user>Hi<assistant>" in content, content
    assert own["model"] == "own/mario:v1"
    server.ask("DELETE", "/api/delete", {"model": "own/mario:v1"}, status=200)
    assert "own/mario:v1" not in [m["name"] for m in server.get("/api/tags").json()["models"]]


def test_names_share_weights_not_words(server):
    for name, system in (("one", "You are One."), ("two", "You are the second of these, and say so.")):
        server.post("/api/create", {"model": name, "from": "demo", "system": system, "stream": False, "parameters": {"num_predict": len(name)}})
    answers = [server.post("/api/chat", {"model": name, "messages": CHAT, "stream": False}).json() for name in ("one", "two", "one")]
    assert [a["model"] for a in answers] == ["one:latest", "two:latest", "one:latest"]
    assert answers[0]["prompt_eval_count"] == answers[2]["prompt_eval_count"] < answers[1]["prompt_eval_count"]
    assert len([m for m in server.get("/api/ps").json()["models"] if m["name"] != "demo"]) == 1
    for name in ("one", "two"):
        server.ask("DELETE", "/api/delete", {"model": name}, status=200)


def test_copy_and_delete(server):
    server.post("/api/create", {"model": "first", "from": "demo", "stream": False})
    assert server.post("/api/copy", {"source": "first", "destination": "second:tag"}).body == b""
    names = [m["name"] for m in server.get("/api/tags").json()["models"]]
    assert "first:latest" in names and "second:tag" in names
    assert server.ask("DELETE", "/api/delete", {"name": "first"}, status=200).body == b""
    server.post("/api/generate", {"model": "second:tag", "prompt": "Hi", "options": {"num_predict": 1}})
    server.ask("DELETE", "/api/delete", {"model": "second:tag"}, status=200)
    assert "not found" in server.ask("DELETE", "/api/delete", {"model": "second:tag"}, status=404).error()
    assert "not found" in server.post("/api/copy", {"source": "first", "destination": "third"}, 404).error()
    assert "source" in server.post("/api/copy", {"destination": "third"}, 400).error()
    for bad in ("../x", "a b", "", "/etc/passwd"):
        assert server.post("/api/copy", {"source": "demo2", "destination": bad}, 400).error()
        assert server.ask("DELETE", "/api/delete", {"model": bad}, status=400).error()
    for method, path, body in (("DELETE", "delete", {"model": "demo"}), ("POST", "copy", {"source": "demo", "destination": "x"}),
                               ("POST", "pull", {"model": "demo"}), ("POST", "create", {"model": "demo", "from": "demo"})):
        assert "started" in server.ask(method, "/api/" + path, body, status=400).error()


def test_blobs_and_create(server):
    with open(DEMO, "rb") as file:
        data = file.read()
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    path = "/api/blobs/" + digest
    server.ask("HEAD", path, status=404)
    assert "--max-body-size" in server.post(path, bytes(33 << 20), 413).json()["error"]
    assert "digest" in server.post("/api/blobs/sha256:" + "0" * 64, data[:1000], 400).error()
    server.ask("HEAD", "/api/blobs/sha256:" + "0" * 64, status=404)
    for bad in ("sha256:0", "../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "G" * 64, "%2e%2e%2fx"):
        assert server.ask("POST", "/api/blobs/" + bad, b"x").status == 400, bad
    server.post(path, data, 201)
    server.post(path, data, 200)
    server.ask("HEAD", path, status=200)
    lines = server.post("/api/create", {"model": "uploaded", "files": {"demo.gguf": digest}}).lines()
    assert lines[-1] == {"status": "success"} and all("status" in line for line in lines) and len(lines) > 2
    assert "Paris" in server.post("/api/generate", {"model": "uploaded", "prompt": QUESTION, "stream": False, "options": GREEDY}).json()["response"]
    full = os.path.join(server.store, "full.gguf")
    subprocess.run([sys.argv[1], "quantize", "--allow-requantize", DEMO, full, "F16"], check=True, capture_output=True)
    with open(full, "rb") as file:
        data = file.read()
    os.remove(full)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    server.post("/api/blobs/" + digest, data, 201)
    server.post("/api/create", {"model": "full", "files": {"full.gguf": digest}, "stream": False})
    assert server.post("/api/show", {"model": "full"}).json()["details"]["quantization_level"] == "F16"
    small = server.post("/api/create", {"model": "small", "from": "full", "quantize": "q4_0"}).lines()
    assert small[-1] == {"status": "success"}, small[-1]
    assert any(line["status"].startswith("quantizing") for line in small)
    details = server.post("/api/show", {"model": "small"}).json()["details"]
    assert details["quantization_level"] == "Q4_0" and details["parent_model"] == "full:latest"
    cases = [({}, "from"), ({"from": "nobody"}, "nobody"), ({"from": "../x"}, "from"), ({"from": "demo", "template": "{{ .Prompt }}"}, "template"),
             ({"from": "demo", "parameters": {"temprature": 1}}, "temprature"), ({"from": "demo", "parameters": {"top_k": "many"}}, "top_k"),
             ({"from": "demo", "quantize": "Q9_9"}, "Q9_9"), ({"files": {"a.gguf": "sha256:1"}}, "sha256"), ({"files": {"a": 1}}, "files.a"),
             ({"files": {"a.gguf": "sha256:" + "1" * 64}}, "upload"), ({"from": "demo", "modelfile": "FROM x"}, "modelfile"),
             ({"from": "demo", "messages": [{"role": "robot", "content": "x"}]}, "messages[0]"), ({"from": "demo", "license": [1]}, "license")]
    for fields, named in cases:
        answer = server.post("/api/create", {"model": "wrong", "stream": False, **fields}, None)
        assert answer.status in (400, 404) and named in answer.error(), (fields, answer.status, answer.body)
        answer = server.post("/api/create", {"model": "wrong", **fields}, None)
        error = answer.lines()[-1]["error"] if answer.status == 200 else answer.error()
        assert named in error, (fields, error)
    assert "wrong" not in str(server.get("/api/tags").json())
    for name in ("uploaded", "full", "small"):
        server.ask("DELETE", "/api/delete", {"model": name}, status=200)
    server.ask("HEAD", path, status=404)


def test_create_cannot_read_paths(server):
    secret = os.path.join(server.store, "secret.gguf")
    os.link(DEMO, secret) if os.stat(DEMO).st_dev == os.stat(server.store).st_dev else open(secret, "wb").write(b"GGUF")
    for name in (secret, "./secret.gguf", "secret.gguf", "~/secret.gguf", "file://" + secret):
        answer = server.post("/api/create", {"model": "stolen", "from": name, "stream": False}, None)
        assert answer.status in (400, 404), answer.body
        answer = server.post("/api/create", {"model": "stolen", "from": "demo", "adapters": {"a": name}, "stream": False}, None)
        assert answer.status in (400, 404), answer.body
    os.remove(secret)


def test_pull(server):
    registry = server.registry
    with open(DEMO, "rb") as file:
        registry.add_model("library/tiny:latest", file.read(), params={"num_predict": 3}, system="Hello.")
    lines = server.post("/api/pull", {"model": "tiny"}).lines()
    assert lines[0] == {"status": "pulling manifest"} and lines[-1] == {"status": "success"}
    assert [line["status"] for line in lines[-3:-1]] == ["verifying sha256 digest", "writing manifest"]
    progress = [line for line in lines if "digest" in line]
    for line in progress:
        assert re.fullmatch(r"pulling [0-9a-f]{12}", line["status"]) and line["digest"].startswith("sha256:" + line["status"][8:])
    done = [line for line in progress if line.get("total") == os.path.getsize(DEMO)]
    assert done and done[-1]["completed"] == done[-1]["total"]
    assert server.post("/api/pull", {"name": "tiny", "stream": False}).json() == {"status": "success"}
    answer = server.post("/api/generate", {"model": "tiny", "prompt": QUESTION, "stream": False}).json()
    assert answer["eval_count"] == 3 and answer["model"] == "tiny:latest"
    missing = server.post("/api/pull", {"model": "nothing-here"}).lines()[-1]
    assert "nothing-here" in missing["error"]
    assert "nothing-here" in server.post("/api/pull", {"model": "nothing-here", "stream": False}, 404).error()
    assert "insecure" in server.post("/api/pull", {"model": "tiny", "insecure": True}, 400).error()
    for bad in ("../../x", "a b", "/etc/passwd", "https://example.com/x.gguf", "sha256:0/..", ""):
        assert server.post("/api/pull", {"model": bad}, 400).error()
    server.ask("DELETE", "/api/delete", {"model": "tiny"}, status=200)


def test_pull_is_cancelled_with_its_client(server):
    registry = server.registry
    data = b"GGUF" + bytes(3 << 20)
    registry.add_model("library/slow:latest", data)
    registry.faults.bytes_per_second = 200000
    try:
        held = []
        for _ in range(4):
            held.append(server.open("POST", "/api/pull", {"model": "slow"}))
            assert held[-1][1].readline()
        busy = server.post("/api/pull", {"model": "slow"}, 503)
        assert "Retry-After" in busy.headers and "in progress" in busy.error()
        with within(1):
            server.get("/api/version")
        for connection, response in held:
            response.close()
            connection.close()
        registry.faults.bytes_per_second = 0
        # The threads are free again: another pull begins, and ends with what is wrong with this file.
        wait_for(lambda: server.post("/api/pull", {"model": "slow"}, None).status == 200, 15)
    finally:
        registry.faults.bytes_per_second = 0


def test_root_and_version(server):
    assert server.get("/").body == b"Ollama is running"
    head = server.ask("HEAD", "/", status=200)
    assert head.body == b""
    assert re.fullmatch(r"\d+\.\d+\.\d+", server.get("/api/version").json()["version"])


def test_abort(server):
    """A client that goes away in the middle of a stream ends the generation."""
    body = {"model": "demo", "prompt": "Once", "raw": True, "options": {"num_predict": 100000, "num_ctx": 100000, "temperature": 1}}
    connection, response = server.open("POST", "/api/generate", body)
    assert json.loads(response.readline())["done"] is False
    response.close()
    connection.close()
    wait_for(lambda: all(not s["is_processing"] for s in server.get("/slots").json()), 5)


def test_without_store(server):
    with Server(sys.argv[1], "demo", "--no-store") as alone:
        assert [m["name"] for m in alone.get("/api/tags").json()["models"]] == ["demo"]
        for method, path, body in (("POST", "pull", {"model": "x"}), ("DELETE", "delete", {"model": "x"}),
                                   ("POST", "copy", {"source": "x", "destination": "y"}), ("POST", "create", {"model": "x", "from": "demo"})):
            assert "without a store" in alone.ask(method, "/api/" + path, body, status=400).error()
        alone.post("/api/show", {"model": "demo"})


def test_several_at_once(server):
    """Answers do not depend on what else runs."""
    alone = generate(server, options=GREEDY).json()["response"]
    found, threads = [], []

    def ask(seed):
        connection, response = server.open("POST", "/api/generate", {
            "model": "demo", "prompt": QUESTION, "options": GREEDY if seed % 2 else {"seed": seed, "num_predict": 20}})
        lines = [json.loads(line) for line in response.read().splitlines()]
        connection.close()
        if seed % 2:
            found.append("".join(line["response"] for line in lines))
    for seed in range(16):
        threads.append(threading.Thread(target=ask, args=(seed,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 8


if __name__ == "__main__":
    from fake_registry import Registry
    fake = Registry()
    with Server(sys.argv[1], "demo", "--slots", environment={"QUERN_REGISTRY": fake.url}) as shared:
        shared.registry = fake
        failed = main(globals(), shared)
    fake.close()
    sys.exit(1 if failed else 0)
