#!/usr/bin/env python3
"""Writes tests/data/golden: NAME.json, the description of a tiny model (families.py), and NAME.f32, the reference engine's
logits of its tokens, float32 [tokens, vocabulary]. Needs numpy and llama.cpp (v0.5.0 was used), behind a program that
takes MODEL.gguf --logits IDS.json OUT.npy and writes the logits of every position:

  goldens.py --peer "PROGRAM ARGUMENT..." [NAME...]     all, or those named
  goldens.py --models FOLDER [NAME...]                  writes the models alone, as GGUF files

NAME.embd holds embeddings of the tokens, cut into texts (families.TEXTS) that share a batch, not normalized: of every
token, then with each pooling (mean, cls, last) of every text. They come from a program that takes MODEL.gguf
--embeddings TEXTS.json POOLING OUT.npy, POOLING being 0 (none) to 3 (last):

  goldens.py --peer-embeddings "PROGRAM ARGUMENT..." [NAME...]

The reference should hold its cache in float32 and attend without its fused half-precision kernel.
"""
import argparse
import json
import os
import shlex
import struct
import subprocess
import tempfile

import numpy as np

import families
import tiny_model

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "golden")
U32, I32, F32, BOOL, STR, ARRAY = 4, 5, 6, 7, 8, 9


def text(s):
    raw = s.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(kind, v):
    if kind == "str":
        return struct.pack("<I", STR) + text(v)
    if kind == "strs":
        return struct.pack("<IIQ", ARRAY, STR, len(v)) + b"".join(map(text, v))
    if kind == "i32s":
        return struct.pack("<IIQ", ARRAY, I32, len(v)) + struct.pack(f"<{len(v)}i", *v)
    if kind == "bools":
        return struct.pack("<IIQ", ARRAY, BOOL, len(v)) + struct.pack(f"<{len(v)}?", *v)
    number = {"u32": (U32, "I"), "f32": (F32, "f"), "bool": (BOOL, "?")}[kind]
    return struct.pack("<I" + number[1], number[0], v)


def weights(seed, t, extents, scale, offset):
    n = int(np.prod(extents))
    with np.errstate(over="ignore"):
        x = np.uint64((seed * 1024 + t) << 32) + np.arange(n, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    u = (x >> np.uint64(48)).astype(np.float64)
    out = offset + scale * (u - 32768) / 32768
    assert np.all(out == out.astype(np.float32)), "float32 does not hold this weight exactly"
    return out.astype("<f4")


def write_gguf(path, model):
    infos, blobs, offset = b"", [], 0
    for t, (name, extents, scale, add) in enumerate(model["tensors"]):
        raw = weights(model["seed"], t, extents, scale, add).tobytes()
        raw += b"\0" * (-len(raw) % 32)
        infos += text(name) + struct.pack("<I", len(extents)) + struct.pack(f"<{len(extents)}Q", *extents)
        infos += struct.pack("<IQ", 0, offset)
        blobs.append(raw)
        offset += len(raw)
    keys = b"".join(text(name) + value(kind, v) for name, kind, v in model["keys"])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(model["tensors"]), len(model["keys"])) + keys + infos
    with open(path, "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32))
        for raw in blobs:
            file.write(raw)


def rows(items, indent):
    return ",\n".join(indent + json.dumps(item, ensure_ascii=True) for item in items)


def write_description(path, model):
    with open(path, "w", encoding="ascii") as file:
        file.write(f'{{\n"seed": {model["seed"]}, "n_ctx": {model["n_ctx"]}, "tolerance": {model["tolerance"]},\n"tokens": {json.dumps(model["tokens"])},\n')
        file.write(f'"keys": [\n{rows(model["keys"], " ")}\n],\n"tensors": [\n{rows(model["tensors"], " ")}\n]\n}}\n')


def run_peer(peer, model, arguments):
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "model.gguf"), os.path.join(folder, "out.npy")
        write_gguf(path, model)
        subprocess.run(shlex.split(peer) + [path, *arguments, out], check=True)
        return np.load(out)


def write_embeddings(peer, name, model):
    texts, left = [], list(model["tokens"])
    for n in families.TEXTS:
        texts.append(left[:n])
        left = left[n:]
    assert not left
    parts = [run_peer(peer, model, ["--embeddings", json.dumps(texts), str(pooling)]) for pooling in range(4)]
    for part, rows in zip(parts, [len(model["tokens"])] + 3 * [len(texts)]):
        assert part.shape == (rows, tiny_model.N_EMBD) and np.all(np.isfinite(part))
    write_description(os.path.join(DATA, name + ".json"), model)
    np.concatenate(parts).astype("<f4").tofile(os.path.join(DATA, name + ".embd"))
    print(f"{name}: embeddings of standard deviation {parts[0].std():.3f}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("names", nargs="*")
    ap.add_argument("--peer")
    ap.add_argument("--peer-embeddings")
    ap.add_argument("--models")
    args = ap.parse_args()
    group = families.EMBEDDING if args.peer_embeddings else families.FAMILIES
    for name in args.names or [f.__name__ for f in group]:
        model = families.describe(name)
        if args.models:
            write_gguf(os.path.join(args.models, name + ".gguf"), model)
        if args.peer_embeddings:
            write_embeddings(args.peer_embeddings, name, model)
        if not args.peer:
            continue
        logits = run_peer(args.peer, model, ["--logits", json.dumps(model["tokens"])])
        assert logits.shape == (len(model["tokens"]), tiny_model.N_VOCAB) and np.all(np.isfinite(logits))
        write_description(os.path.join(DATA, name + ".json"), model)
        logits.astype("<f4").tofile(os.path.join(DATA, name + ".f32"))
        print(f"{name}: standard deviation {logits.std():.3f}")


if __name__ == "__main__":
    main()
