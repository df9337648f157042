"""Vocabularies as GGUF files without tensors, for comparisons of tokenizers. Standard library only."""
import glob
import json
import os
import struct

# Names that byte-level BPE vocabularies give their pre-tokenizer, by what cuts alike.
PRE_GROUPS = [
    ["default"], ["gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert", "mpt",
                  "olmo", "jais", "trillion", "granite-docling", "exaone4", "jina-v1-en", "jina-v2-code", "roberta-bpe"],
    ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"],
    ["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
    ["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"],
    ["bailingmoe", "bailingmoe2", "llada-moe"], ["qwen35"], ["laguna"],
    ["starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"], ["falcon"],
    ["deepseek-llm"], ["deepseek-coder"], ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"], ["spark2_5"], ["seed-coder"], ["ufakzeka"],
    ["exaone-moe"], ["minicpm5"], ["jais-2"], ["poro-chat", "bloom", "gpt3-finnish"], ["viking"], ["chameleon"], ["superbpe"],
    ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], ["granite-embed-multi-97m"], ["tekken"], ["kimi-k2"],
    ["youtu"], ["tiny_aya", "cohere2moe"], ["afmoe"],
]


def string(text):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def value(v):
    if isinstance(v, bool):
        return struct.pack("<IB", 7, v)
    if isinstance(v, int):
        return struct.pack("<II", 4, v)
    if isinstance(v, str):
        return struct.pack("<I", 8) + string(v)
    if isinstance(v, bytes):  # an array of bytes
        return struct.pack("<IIQ", 9, 0, len(v)) + v
    head = lambda kind: struct.pack("<IIQ", 9, kind, len(v))
    if isinstance(v[0], (str, bytes)):
        return head(8) + b"".join(map(string, v))
    if isinstance(v[0], float):
        return head(6) + struct.pack(f"<{len(v)}f", *v)
    return head(5) + struct.pack(f"<{len(v)}i", *v)


def write(path, keys):
    body = b"".join(string(k) + value(v) for k, v in keys.items())
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + body + b"\0" * 32)
    return path


def read(path):
    """The metadata of a GGUF file; arrays of strings as lists of bytes."""
    data, at = open(path, "rb").read(), 24

    def text():
        nonlocal at
        (size,) = struct.unpack_from("<Q", data, at)
        at += 8 + size
        return data[at - size:at]

    def item(kind):
        nonlocal at
        if kind == 8:
            return text()
        if kind == 9:
            element, count = struct.unpack_from("<IQ", data, at)
            at += 12
            return [item(element) for _ in range(count)]
        code = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}[kind]
        (x,) = struct.unpack_from("<" + code, data, at)
        at += struct.calcsize(code)
        return x

    keys = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        key = text().decode()
        at += 4
        keys[key] = item(struct.unpack_from("<I", data, at - 4)[0])
    return keys


def special_texts(path):
    keys = read(path)
    types = keys.get("tokenizer.ggml.token_type", [])
    tokens = [t.decode("utf-8", "replace") for t, kind in zip(keys["tokenizer.ggml.tokens"], types) if kind in (2, 3, 4)]
    return tokens[:200] or ["<s>", "</s>"]


def protobuf(data):
    """(field, value) pairs of a message; strings and messages as bytes."""
    at = 0

    def varint():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or varint()
        at += size
        field = data[at - size:at]
        yield key >> 3, struct.unpack("<f", field)[0] if key & 7 == 5 else field


def sentencepiece(path):
    """pieces, scores, types, and the normalizer's fields."""
    pieces, scores, types, normalizer = [], [], [], {}
    for field, content in protobuf(open(path, "rb").read()):
        if field == 1:
            piece = dict(protobuf(content))
            pieces.append(piece[1]), scores.append(piece.get(2, 0.0)), types.append(piece.get(3, 1))
        elif field == 3:
            normalizer = dict(protobuf(content))
    return pieces, scores, types, normalizer


def tokenizer_keys(model, **keys):
    out = {"general.architecture": "llama", "tokenizer.ggml.model": model}
    return out | {"tokenizer.ggml." + k: v for k, v in keys.items()}


def bpe(data):
    """Llama 3.2's vocabulary with its first control tokens, two user-defined ones and its merges."""
    encoder = json.load(open(os.path.join(data, "llama3.2-bpe/encoder.json"), encoding="utf-8"))
    tokens = [t for t, _ in sorted(encoder.items(), key=lambda item: item[1])]
    merges = [m for m in open(os.path.join(data, "llama3.2-bpe/vocab.bpe"), encoding="utf-8").read().split("\n") if m and not m.startswith("#version")]
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|eot_id|>"]
    special = [t for t in special if t not in encoder]
    user = ["<tool_call>", "\u0120\u0120<x>"]
    types = [1] * len(tokens) + [3] * len(special) + [4] * len(user)
    return {"tokens": tokens + special + user, "token_type": types, "merges": merges}


def raw_bpe(data):
    """A SentencePiece BPE vocabulary as merges of characters, with runs of newlines."""
    pieces, scores, types, _ = sentencepiece(os.path.join(data, "sentencepiece/mistral/tokenizer.model.v1"))
    texts = [p.decode() for p in pieces]
    known, merges = set(texts), []
    for i in sorted((i for i in range(len(texts)) if types[i] == 1 and len(texts[i]) > 1), key=lambda i: -scores[i]):
        merges += [f"{texts[i][:k]} {texts[i][k:]}" for k in range(1, len(texts[i])) if texts[i][:k] in known and texts[i][k:] in known]
    runs = ["\n" * n for n in range(1, 9) if "\n" * n not in known]
    return {"tokens": texts + runs, "token_type": types + [1] * len(runs), "merges": merges, "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}


def rwkv(data):
    tokens = ["<s>"]
    for line in open(os.path.join(data, "rwkv-world/rwkv_vocab_v20230424.txt"), encoding="utf-8"):
        token = eval(line[line.index(" "):line.rindex(" ")])  # the file spells tokens as Python literals
        token = token.encode("utf-8") if isinstance(token, str) else token
        tokens.append("".join(chr(b) if 32 <= b < 127 and b != 92 else "\\\\" if b == 92 else f"\\x{b:02x}" for b in token))
    return {"tokens": tokens, "token_type": [3] + [1] * (len(tokens) - 1)}


def unigram(data):
    pieces, scores, types, normalizer = sentencepiece(os.path.join(data, "sentencepiece/spm-test/test_model.model"))
    pieces += [b"<extra_id_0>", b"<sep>"]
    return {"tokens": pieces, "scores": scores + [0.0, 0.0], "token_type": types + [4, 3], "precompiled_charsmap": normalizer[2],
            "unknown_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def vocabularies(data, work, wanted=lambda name: True):
    """(name, path) of the vocabularies whose name is wanted; a file that is made here lives until the next one is."""
    path, made = os.path.join(work, "vocabulary.gguf"), []
    for file in sorted(glob.glob(os.path.join(data, "llama.cpp-vocab/*.gguf"))):
        name = os.path.basename(file)[len("ggml-vocab-"):-len(".gguf")]
        if wanted(name):
            yield name, file
    for name in ("mistral/tokenizer.model.v1", "llama2/tokenizer.model"):
        pieces, scores, types, _ = sentencepiece(os.path.join(data, "sentencepiece", name))
        made.append(("spm:" + name, "llama", dict(tokens=pieces, scores=scores, token_type=types)))
    t5 = unigram(data)
    for prefix in (True, False):
        for merge in (True, False):
            keys = t5 | {"add_space_prefix": prefix, "remove_extra_whitespaces": merge}
            made.append((f"t5:prefix={prefix},merge={merge}", "t5", keys))
    plain = {k: v for k, v in t5.items() if k != "precompiled_charsmap"}
    made.append(("t5:no-charsmap", "t5", plain | {"add_space_prefix": True, "remove_extra_whitespaces": True}))
    made.append(("rwkv", "rwkv", rwkv(data)))
    raw = raw_bpe(data)
    made.append(("raw:gemma4", "gemma4", raw))
    for pre in ("granite-embed-multi-311m", "sarvam-moe"):
        made.append(("raw:" + pre, "gpt2", raw | {"pre": pre}))
    made.append(("raw:whitespace", "whitespace", raw | {"pre": "whitespace"}))
    keys = bpe(data)
    keys |= {"bos_token_id": len(keys["tokens"]) - 6, "eos_token_id": len(keys["tokens"]) - 5}
    made += [("pre:" + pre, "gpt2", keys | {"pre": pre}) for group in PRE_GROUPS for pre in group]
    for name, model, keys in made:
        if wanted(name):
            yield name, write(path, tokenizer_keys(model, **keys))
