#!/usr/bin/env python3
"""A Hugging Face folder of Llama's shape with random BF16 weights, streamed to disk: for measuring what opening one takes.

  make_random_hf.py FOLDER [--layers 16 --hidden 2048 --ff 8192 --heads 32 --kv-heads 8 --vocab 128256] [--untied] [--shards N]

The defaults are the shape of Llama 3.2 1B: 1.24 billion weights, 2.5 GB. With --shards there are several files and an index.
The tokenizer is of byte-level BPE: 256 bytes, two special tokens, pairs of letters, and words that stand for nothing. The same
arguments make the same bytes. Standard library alone.
"""
import argparse, json, os, random, struct

PIECE = 1 << 22  # weights made at a time


def tensors(shape):
    """Names, extents (slowest first) and whether the numbers are ones, in the order of the file."""
    hidden, ff, head = shape["hidden"], shape["ff"], shape["hidden"] // shape["heads"]
    q, kv = shape["heads"] * head, shape["kv_heads"] * head
    yield "model.embed_tokens.weight", (shape["vocab"], hidden), False
    for layer in range(shape["layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (hidden,), True
        for name, extents in (("self_attn.q_proj", (q, hidden)), ("self_attn.k_proj", (kv, hidden)), ("self_attn.v_proj", (kv, hidden)),
                              ("self_attn.o_proj", (hidden, q)), ("mlp.gate_proj", (ff, hidden)), ("mlp.up_proj", (ff, hidden)),
                              ("mlp.down_proj", (hidden, ff))):
            yield prefix + name + ".weight", extents, False
        yield prefix + "post_attention_layernorm.weight", (hidden,), True
    yield "model.norm.weight", (hidden,), True
    if not shape["tied"]: yield "lm_head.weight", (shape["vocab"], hidden), False


def count(extents):
    n = 1
    for extent in extents: n *= extent
    return n


def exponents(columns):
    """For a random byte, the sign and the upper 7 bits of the exponent of a BF16: magnitudes around 1 / sqrt(columns)."""
    top = max(1, 127 - (columns.bit_length() - 1 + 1) // 2) // 2
    return bytes((r & 0x80) | (top - (r % 4 == 0) - (r % 16 == 0)) for r in range(256))


def weights(extents, ones, source):
    """The bytes of an array, in pieces."""
    table, left = exponents(extents[-1]), count(extents)
    while left > 0:
        n = min(PIECE, left)
        piece = bytearray(2 * n)
        piece[0::2] = bytes([0x80]) * n if ones else source.randbytes(n)
        piece[1::2] = bytes([0x3F]) * n if ones else source.randbytes(n).translate(table)
        yield piece
        left -= n


def write_file(path, arrays, seed):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, extents, _ in arrays:
        header[name] = {"dtype": "BF16", "shape": list(extents), "data_offsets": [at, at + 2 * count(extents)]}
        at += 2 * count(extents)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, extents, ones in arrays:
            source = random.Random(f"{seed} {name}")
            for piece in weights(extents, ones, source): out.write(piece)


def write_weights(folder, shape, n_shards=1, seed=0):
    arrays = list(tensors(shape))
    total = sum(2 * count(extents) for _, extents, _ in arrays)
    if n_shards == 1: return write_file(os.path.join(folder, "model.safetensors"), arrays, seed)
    groups, at = [[] for _ in range(n_shards)], 0
    for array in arrays:
        groups[min(n_shards - 1, at * n_shards // total)].append(array)
        at += 2 * count(array[1])
    names = {}
    for i, group in enumerate(groups):
        file = f"model-{i + 1:05}-of-{n_shards:05}.safetensors"
        write_file(os.path.join(folder, file), group, seed)
        names.update({name: file for name, _, _ in group})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as out:
        json.dump({"metadata": {"total_size": total}, "weight_map": names}, out, indent=1)


def byte_letters():
    """The letters that stand for bytes in byte-level BPE: printable ones for themselves, the others from U+0100 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in own else chr(next(others)) for b in range(256)]


def write_tokenizer(folder, n_vocab):
    specials = ["<|begin|>", "<|end|>"]
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    pairs = [(a, b) for a in letters for b in letters][:max(0, n_vocab - 258)]
    texts = (byte_letters() + specials + [a + b for a, b in pairs] + [f"word{i}" for i in range(n_vocab)])[:n_vocab]
    added = [{"id": 256 + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, text in enumerate(specials)]
    bytelevel = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None, "pre_tokenizer": bytelevel,
                 "post_processor": None, "decoder": bytelevel,
                 "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                           "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                           "vocab": {text: i for i, text in enumerate(texts)}, "merges": [f"{a} {b}" for a, b in pairs]}}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": specials[0], "eos_token": specials[1], "model_max_length": 2048,
              "chat_template": "{% for m in messages %}{{ '<|begin|>' + m['role'] + ' ' + m['content'] + '<|end|>' }}{% endfor %}"}
    for name, content in (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out: json.dump(content, out, ensure_ascii=False)


def write_config(folder, shape):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": shape["hidden"],
              "intermediate_size": shape["ff"], "num_hidden_layers": shape["layers"], "num_attention_heads": shape["heads"],
              "num_key_value_heads": shape["kv_heads"], "head_dim": shape["hidden"] // shape["heads"], "vocab_size": shape["vocab"],
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False,
              "mlp_bias": False, "tie_word_embeddings": shape["tied"], "bos_token_id": 256, "eos_token_id": 257, "torch_dtype": "bfloat16"}
    with open(os.path.join(folder, "config.json"), "w") as out: json.dump(config, out, indent=1)


def make(folder, layers=16, hidden=2048, ff=8192, heads=32, kv_heads=8, vocab=128256, tied=True, n_shards=1, seed=0):
    """Writes the folder; returns the number of weights."""
    shape = {"layers": layers, "hidden": hidden, "ff": ff, "heads": heads, "kv_heads": kv_heads, "vocab": vocab, "tied": tied}
    os.makedirs(folder, exist_ok=True)
    write_config(folder, shape)
    write_tokenizer(folder, vocab)
    write_weights(folder, shape, n_shards, seed)
    return sum(count(extents) for _, extents, _ in tensors(shape))


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder")
    for name, value in (("layers", 16), ("hidden", 2048), ("ff", 8192), ("heads", 32), ("kv-heads", 8), ("vocab", 128256), ("shards", 1), ("seed", 0)):
        ap.add_argument("--" + name, type=int, default=value)
    ap.add_argument("--untied", action="store_true", help="an output layer of its own")
    a = ap.parse_args()
    n = make(a.folder, a.layers, a.hidden, a.ff, a.heads, a.kv_heads, a.vocab, not a.untied, a.shards, a.seed)
    print(f"{n:,} weights")
