#!/usr/bin/env python3
"""Writes tests/data/golden/lora: NAME.json, low-rank adapters with random weights for a tiny model (families.py), and
NAME.f32, the reference engine's logits of the model's tokens with them, float32 [tokens, vocabulary], where it knows how.
Needs numpy and the shared libraries of llama.cpp (v0.5.0 was used):

  adapters.py --peer FOLDER [NAME...]       all, or those named
  adapters.py --files FOLDER [NAME...]      writes the models and adapters alone, as GGUF files

A description holds the model's name and, for each adapter, its scale and the keys and tensors of its file, which are made
as those of the models are (tiny_model.py).
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import families
import goldens
from tiny_model import N_EMBD, N_FF, N_VOCAB, power_of_two

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(goldens.DATA, "lora")


class Adapter:
    def __init__(self, arch, seed, rank, alpha, scale=1.0):
        self.seed, self.rank, self.scale, self.tensors = seed, rank, scale, []
        self.keys = [["general.architecture", "str", arch], ["general.type", "str", "adapter"],
                     ["adapter.type", "str", "lora"], ["adapter.lora.alpha", "f32", alpha]]

    def change(self, name, cols, rows, *experts):
        """The product with A has elements of about 1, that with B of about 1/2."""
        name += ".weight"
        self.tensors.append([name + ".lora_a", [cols, self.rank, *experts], power_of_two(1.7 / cols**0.5), 0.0])
        self.tensors.append([name + ".lora_b", [self.rank, rows, *experts], power_of_two(0.9 / self.rank**0.5), 0.0])

    def change_embeddings(self):
        self.tensors.append(["token_embd.weight.lora_a", [self.rank, N_VOCAB], 0.5, 0.0])
        self.tensors.append(["token_embd.weight.lora_b", [self.rank, N_EMBD], 0.5, 0.0])

    def describe(self):
        return {"seed": self.seed, "scale": self.scale, "keys": self.keys, "tensors": self.tensors}


def attention(adapter, layer, names, q=64, kv=32):
    shapes = {"q": (N_EMBD, q), "k": (N_EMBD, kv), "v": (N_EMBD, kv), "qkv": (N_EMBD, q + 2 * kv), "output": (q, N_EMBD)}
    for name in names.split():
        adapter.change(f"blk.{layer}.attn_{name}", *shapes[name])


def ffn(adapter, layer, names="gate up down", n_ff=N_FF, end=""):
    shapes = {"gate": (N_EMBD, n_ff), "up": (N_EMBD, n_ff), "down": (n_ff, N_EMBD)}
    for name in names.split():
        adapter.change(f"blk.{layer}.ffn_{name}{end}", *shapes[name])


def experts(adapter, layer, n, n_ff):
    for name, cols, rows in (("gate", N_EMBD, n_ff), ("up", N_EMBD, n_ff), ("down", n_ff, N_EMBD)):
        adapter.change(f"blk.{layer}.ffn_{name}_exps", cols, rows, n)


def everything(seed=501):
    a = Adapter("llama", seed, 4, 8.0)
    for i in range(2):
        attention(a, i, "q k v output")
        ffn(a, i)
    a.change("output", N_EMBD, N_VOCAB)
    a.change_embeddings()
    return a


def llama():
    """Every matrix of the model, its table of embeddings and its output."""
    return "llama", [everything()]


def llama_two():
    """Two adapters of different ranks and scales, which share some weights."""
    a, b = Adapter("llama", 502, 3, 2.0, scale=0.5), Adapter("llama", 503, 8, 16.0, scale=-0.75)
    attention(a, 0, "q v"), attention(a, 1, "q v")
    attention(b, 1, "v output"), ffn(b, 1)
    return "llama", [a, b]


def llama_no_alpha():
    """Without alpha the product counts as it is."""
    a = Adapter("llama", 504, 6, 0.0, scale=0.5)
    ffn(a, 0, "up")
    return "llama", [a]


def llama_fused():
    """Queries, keys and values in one tensor."""
    a = Adapter("llama", 505, 4, 8.0)
    attention(a, 0, "qkv output"), attention(a, 1, "qkv")
    return "llama_fused", [a]


def mixtral():
    a = Adapter("llama", 506, 4, 8.0)
    for i in range(2):
        attention(a, i, "q v")
        a.change(f"blk.{i}.ffn_gate_inp", N_EMBD, 6)
        experts(a, i, 6, N_FF)
    return "mixtral", [a]


def phi3():
    """Gate and up of the feed-forward block in one tensor too."""
    a = Adapter("phi3", 507, 4, 8.0)
    for i in range(2):
        attention(a, i, "qkv output")
        a.change(f"blk.{i}.ffn_up", N_EMBD, 2 * N_FF)
        ffn(a, i, "down")
    return "phi3", [a]


def gemma2():
    a = Adapter("gemma2", 508, 4, 4.0)
    for i in range(3):
        attention(a, i, "q k v output", q=128, kv=64)
        ffn(a, i)
    return "gemma2", [a]


def granitemoe():
    """Experts, and one that all tokens share."""
    a = Adapter("granitemoe", 509, 4, 8.0)
    experts(a, 0, 8, N_FF), experts(a, 1, 8, N_FF)
    ffn(a, 1, n_ff=48, end="_shexp")
    return "granitemoe", [a]


def qwen35moe():
    """Gated delta nets, and an expert that all tokens share with a score of its own."""
    a = Adapter("qwen35moe", 510, 4, 8.0)
    for i in range(4):
        if i == 3:
            for name, cols, rows in (("q", N_EMBD, 256), ("k", N_EMBD, 64), ("output", 128, N_EMBD)):
                a.change(f"blk.{i}.attn_{name}", cols, rows)
        else:
            for name, cols, rows in (("attn_qkv", N_EMBD, 128), ("attn_gate", N_EMBD, 64), ("ssm_beta", N_EMBD, 4),
                                     ("ssm_alpha", N_EMBD, 4), ("ssm_out", 64, N_EMBD)):
                a.change(f"blk.{i}.{name}", cols, rows)
        experts(a, i, 8, 40)
        ffn(a, i, n_ff=48, end="_shexp")
    return "qwen35moe", [a]


def deepseek3():
    """Latent attention, to whose weights the reference adds nothing: merged weights are the judge."""
    a = Adapter("deepseek2", 511, 4, 8.0)
    for i in range(3):
        for name, cols, rows in (("q_a", N_EMBD, 48), ("q_b", 48, 160), ("kv_a_mqa", N_EMBD, 48), ("output", 80, N_EMBD)):
            a.change(f"blk.{i}.attn_{name}", cols, rows)
        a.change(f"blk.{i}.attn_k_b", 24, 32, 4), a.change(f"blk.{i}.attn_v_b", 32, 20, 4)
    return "deepseek3", [a]


ADAPTERS = [llama, llama_two, llama_no_alpha, llama_fused, mixtral, phi3, gemma2, granitemoe, qwen35moe, deepseek3]
WITHOUT_REFERENCE = {deepseek3}


def rows(items, indent):
    return ",\n".join(indent + json.dumps(item) for item in items)


def write_description(path, model, adapters):
    parts = []
    for a in adapters:
        parts.append(f'{{"seed": {a["seed"]}, "scale": {a["scale"]},\n "keys": [\n{rows(a["keys"], "  ")}\n ],\n'
                     f' "tensors": [\n{rows(a["tensors"], "  ")}\n ]}}')
    with open(path, "w", encoding="ascii") as file:
        file.write(f'{{\n"model": {json.dumps(model)},\n"adapters": [\n' + ",\n".join(parts) + "\n]\n}\n")


def write_files(folder, name, model, adapters):
    model_path, paths = os.path.join(folder, model + ".gguf"), []
    goldens.write_gguf(model_path, families.describe(model))
    for i, adapter in enumerate(adapters):
        paths.append(os.path.join(folder, f"{name}_{i}.gguf"))
        goldens.write_gguf(paths[-1], adapter)
    return model_path, paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--peer")
    parser.add_argument("--files")
    args = parser.parse_args()
    for make in ADAPTERS:
        if args.names and make.__name__ not in args.names:
            continue
        name, (model, made) = make.__name__, make()
        adapters = [a.describe() for a in made]
        if args.files:
            write_files(args.files, name, model, adapters)
        if not args.peer:
            continue
        os.makedirs(DATA, exist_ok=True)
        write_description(os.path.join(DATA, name + ".json"), model, adapters)
        if make in WITHOUT_REFERENCE:
            continue
        ids = families.describe(model)["tokens"]
        with tempfile.TemporaryDirectory() as folder:
            model_path, paths = write_files(folder, name, model, adapters)
            out, program = os.path.join(folder, "out.npy"), os.path.join(HERE, "..", "parity", "adapter_logits.py")
            loras = [x for path, a in zip(paths, adapters) for x in ("--lora", path, str(a["scale"]))]
            subprocess.run([sys.executable, program, args.peer, model_path, json.dumps(ids), out, *loras], check=True)
            logits = np.load(out)
        assert logits.shape == (len(ids), N_VOCAB) and np.all(np.isfinite(logits))
        plain = np.fromfile(os.path.join(goldens.DATA, model + ".f32"), "<f4").reshape(logits.shape)
        logits.astype("<f4").tofile(os.path.join(DATA, name + ".f32"))
        print(f"{name}: standard deviation {logits.std():.3f}, of the change {(logits - plain).std():.3f}")


if __name__ == "__main__":
    main()
