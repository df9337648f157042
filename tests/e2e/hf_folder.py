"""Makes a small Hugging Face folder of the Llama architecture with random weights. The standard library alone."""
import json
import os
import random
import struct

HIDDEN, HEADS, KV_HEADS, HEAD, FF, LAYERS, VOCAB = 64, 4, 2, 16, 96, 2, 300


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def bf16_bits(x):
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def from_bf16(bits):
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


ENCODE = {"F32": lambda v: struct.pack(f"<{len(v)}f", *v), "F16": lambda v: struct.pack(f"<{len(v)}e", *v),
          "BF16": lambda v: struct.pack(f"<{len(v)}H", *map(bf16_bits, v))}
ROUND = {"F32": f32, "F16": lambda x: struct.unpack("<e", struct.pack("<e", x))[0],
         "BF16": lambda x: from_bf16(bf16_bits(x))}


def shapes():
    out = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,),
           "lm_head.weight": (VOCAB, HIDDEN)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        out |= {p + "input_layernorm.weight": (HIDDEN,), p + "post_attention_layernorm.weight": (HIDDEN,),
                p + "self_attn.q_proj.weight": (HEADS * HEAD, HIDDEN),
                p + "self_attn.k_proj.weight": (KV_HEADS * HEAD, HIDDEN),
                p + "self_attn.v_proj.weight": (KV_HEADS * HEAD, HIDDEN),
                p + "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD), p + "mlp.gate_proj.weight": (FF, HIDDEN),
                p + "mlp.up_proj.weight": (FF, HIDDEN), p + "mlp.down_proj.weight": (HIDDEN, FF)}
    return out


def weights(kind):
    """name -> numbers, as a checkpoint of that type holds them."""
    rng, out = random.Random(7), {}
    for name, shape in shapes().items():
        center, spread, n = (1, 0.1, shape[0]) if len(shape) == 1 else (0, 0.08, shape[0] * shape[1])
        out[name] = [ROUND[kind](rng.gauss(center, spread)) for _ in range(n)]
    return out


def write_safetensors(path, arrays):
    """arrays: name -> (type, shape, bytes)."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, data) in arrays.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in arrays.values()))


def read_safetensors(path):
    """name -> (type, shape, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: (info["dtype"], info["shape"], data[start + info["data_offsets"][0]:start + info["data_offsets"][1]])
            for name, info in header.items()}


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


def write_tokenizer(folder):
    """Bytes and a few merges, as Llama's tokenizers have them."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["\u2581"]
    tokens += [chr(c) for c in range(ord("a"), ord("z") + 1)] + ["th", "the", "\u2581the", "in", "er"]
    tokens += [f"<extra_{i}>" for i in range(VOCAB - len(tokens))]
    merges = [["t", "h"], ["th", "e"], ["\u2581", "the"], ["i", "n"], ["e", "r"]]
    special = [{"id": i, "content": tokens[i], "special": True, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False} for i in range(3)]
    write_json(folder, "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}})
    write_json(folder, "tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>",
                                                "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True,
                                                "add_eos_token": False})


def make(folder, kind="BF16", files=1):
    """The folder, with weights of that type in so many files. Returns weights(kind)."""
    os.makedirs(folder, exist_ok=True)
    values, all_shapes = weights(kind), shapes()
    arrays = {name: (kind, all_shapes[name], ENCODE[kind](v)) for name, v in values.items()}
    if files == 1:
        write_safetensors(os.path.join(folder, "model.safetensors"), arrays)
    else:
        names, places = list(arrays), {}
        for i in range(files):
            file = f"model-{i + 1:05d}-of-{files:05d}.safetensors"
            part = names[i * len(names) // files:(i + 1) * len(names) // files]
            write_safetensors(os.path.join(folder, file), {name: arrays[name] for name in part})
            places |= {name: file for name in part}
        write_json(folder, "model.safetensors.index.json",
                   {"metadata": {"total_size": sum(len(a[2]) for a in arrays.values())}, "weight_map": places})
    torch = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[kind]
    write_json(folder, "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB, "hidden_size": HIDDEN,
        "intermediate_size": FF, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "rope_scaling": None, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": torch})
    write_tokenizer(folder)
    return values
