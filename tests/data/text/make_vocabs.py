#!/usr/bin/env python3
"""Writes the vocabularies of this folder; standard library only, deterministic.

  make_vocabs.py spm MODEL.gguf OUT.json          the tokenizer keys of a GGUF file ("llama" family) as JSON
  make_vocabs.py bpe CORPUS.txt N_MERGES OUT.json trains a small byte-level BPE vocabulary on a text
"""
import collections
import json
import re
import struct
import sys

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read_metadata(path):
    with open(path, "rb") as file:
        data = file.read(16 << 20)
    position = 24

    def string():
        nonlocal position
        (size,) = struct.unpack_from("<Q", data, position)
        position += 8 + size
        return data[position - size : position].decode()

    def value(kind):
        nonlocal position
        if kind == 8:
            return string()
        if kind == 9:
            element, count = struct.unpack_from("<IQ", data, position)
            position += 12
            return [value(element) for _ in range(count)]
        (x,) = struct.unpack_from("<" + SCALARS[kind], data, position)
        position += struct.calcsize(SCALARS[kind])
        return x

    (count,) = struct.unpack_from("<Q", data, 16)
    table = {}
    for _ in range(count):
        key = string()
        (kind,) = struct.unpack_from("<I", data, position)
        position += 4
        table[key] = value(kind)
    return table


def write(path, vocab):
    with open(path, "w", encoding="ascii") as file:
        json.dump(vocab, file, separators=(",", ":"))
        file.write("\n")


def extract_spm(model, out):
    keys = {k[len("tokenizer.ggml.") :]: v for k, v in read_metadata(model).items() if k.startswith("tokenizer.ggml.")}
    write(out, {"kind": "spm", "bos": keys["bos_token_id"], "eos": keys["eos_token_id"], "unk": keys["unknown_token_id"],
                "add_bos": True, "add_space_prefix": keys.get("add_space_prefix", True), "tokens": keys["tokens"],
                "scores": keys["scores"], "types": keys["token_type"]})


def alphabet():
    letters, extra = [], 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174:
            letters.append(chr(byte))
        else:
            letters.append(chr(extra))
            extra += 1
    return letters


def train_bpe(corpus, n_merges, out):
    with open(corpus, encoding="utf-8") as file:
        text = file.read()
    letters = alphabet()
    words = collections.Counter(re.findall(r"[\r\n]+| ?[^\W\d_]+| ?\d| ?[^\w\s]+|\s+", text))
    words = [([letters[b] for b in word.encode()], n) for word, n in words.items()]
    tokens, merges = list(letters), []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for word, n in words:
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best[0] + " " + best[1])
        tokens.append(best[0] + best[1])
        for word, _ in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = [best[0] + best[1]]
                i += 1
    end = len(tokens)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    types = [1] * end + [3, 3, 3, 4, 4]
    write(out, {"kind": "bpe", "bos": end, "eos": end, "tokens": tokens + special, "types": types, "merges": merges})


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "spm":
        extract_spm(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 5 and sys.argv[1] == "bpe":
        train_bpe(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        sys.exit(__doc__)
