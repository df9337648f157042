"""Adapters: --lora and --lora-scaled, where a model is run."""
import json
import random
import struct

import support
from support import quern, quern_json

KEYS = (("general.type", "adapter"), ("adapter.type", "lora"))


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def write_adapter(name, tensors, alpha=2.0):
    """A GGUF of float tensors by name: (extents, numbers)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(KEYS) + 1)
    for key, value in KEYS:
        head += text(key) + struct.pack("<I", 8) + text(value)
    head += text("adapter.lora.alpha") + struct.pack("<If", 6, alpha)
    data = b""
    for tensor, (extents, numbers) in tensors.items():
        head += text(tensor) + struct.pack("<I", len(extents)) + struct.pack(f"<{len(extents)}Q", *extents)
        head += struct.pack("<IQ", 0, len(data))
        raw = struct.pack(f"<{len(numbers)}f", *numbers)
        data += raw + b"\0" * (-len(raw) % 32)
    return support.write(name, head + b"\0" * (-len(head) % 32) + data)


def change(weights, rank=2, seed=1, shapes={}):
    """Random matrices for some weights of the demo model."""
    if not shapes:
        shapes.update((t["name"], t["shape"]) for t in quern_json("inspect", "demo")["tensors"])
    source, tensors = random.Random(seed), {}
    for name in weights:
        cols, rows = shapes[name]
        for end, extents in ((".lora_a", [cols, rank]), (".lora_b", [rank, rows])):
            tensors[name + end] = (extents, [source.uniform(-0.1, 0.1) for _ in range(extents[0] * extents[1])])
    return tensors


Q, DOWN = "blk.0.attn_q.weight", "blk.1.ffn_down.weight"


def logits(*arguments):
    ids = support.write("adapter_ids.json", json.dumps([1, 5, 9, 60, 30, 7]))
    out = support.path("adapter.npy")
    quern("logits", "demo", "--tokens", ids, "--out", out, *arguments)
    rows, cols, numbers = support.read_npy(out)
    return struct.unpack(f"<{rows * cols}f", numbers)


def test_scales_and_sums():
    one, two = write_adapter("one.gguf", change([Q])), write_adapter("two.gguf", change([DOWN], rank=3, seed=2))
    plain, with_one = logits(), logits("--lora", one)
    assert with_one != plain
    assert logits("--lora-scaled", one + ":1") == with_one
    assert logits("--lora-scaled", f"{one}:0.5") not in (plain, with_one)
    both = logits("--lora", one, "--lora", two)
    assert both not in (plain, with_one)
    assert logits("--lora", f"{one},{two}") == both
    assert logits("--lora-scaled", f"{one}:1,{two}:1") == both
    assert logits("--lora", one, "--lora-scaled", f"{two}:1.0") == both
    # A scale of -1 takes away what is there: the sums differ in their last bits alone.
    undone = logits("--lora", one, "--lora-scaled", f"{one}:-1")
    assert max(abs(a - b) for a, b in zip(undone, plain)) < 1e-3


def test_every_command_that_runs_a_model():
    one = write_adapter("one.gguf", change([Q, DOWN]))
    ask = ["demo", "-p", "What is the capital of France?", "--temp", 0, "-n", 12]
    plain = quern_json("run", *ask)
    assert quern_json("run", *ask, "--lora-scaled", one + ":0")["tokens"] == plain["tokens"]
    assert quern_json("run", *ask, "--lora-scaled", one + ":400")["tokens"] != plain["tokens"]
    out, _ = quern("chat", "demo", "--temp", 0, "-n", 12, "--lora-scaled", one + ":400", stdin="What is the capital of France?\n")
    assert b"The capital of France is Paris." not in out
    prose = support.write("prose.txt", "The old house stood near the river, and nobody had lived in it for years. " * 12)
    score = lambda *arguments: quern_json("perplexity", "demo", "-f", prose, "-c", 64, *arguments)["ppl"]
    assert score("--lora", one) != score()
    bench = quern_json("bench", "demo", "-p", 8, "-n", 2, "-r", 1, "--lora", one)
    assert bench["pp_tok_s"] > 0
    vector = lambda *arguments: quern("embed", "demo", "-p", "A house.", *arguments)[0]
    assert vector("--lora", one) != vector()


def test_refusals():
    one = write_adapter("one.gguf", change([Q]))
    run = ["run", "demo", "-p", "x", "-n", 1]
    for bad in ("one.gguf", ":0.5", one + ":", one + ":much", one + ":nan"):
        _, err = quern(*run, "--lora-scaled", bad, code=2)
        assert b"expected FILE:SCALE" in err, err
    _, err = quern(*run, "--lora", support.path("nowhere.gguf"), code=1)
    assert b"nowhere.gguf" in err
    _, err = quern(*run, "--lora", "demo", code=1)
    broken = change([Q])
    broken["blk.99.attn_q.weight.lora_a"] = broken.pop(Q + ".lora_a")
    broken["blk.99.attn_q.weight.lora_b"] = broken.pop(Q + ".lora_b")
    _, err = quern(*run, "--lora", write_adapter("broken.gguf", broken), code=2)
    assert b"has no weight 'blk.99.attn_q.weight'" in err, err


if __name__ == "__main__":
    support.main(globals())
