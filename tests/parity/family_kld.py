#!/usr/bin/env python3
"""How far two engines' logits are from what a quantized file says, for several families: for each family a model with random
weights (tests/golden/families.py, wider), for each type a file made by the other engine's quantizer, and the
Kullback-Leibler divergence of each engine's predictions from those of the scalar reference backend, which sums in float64.
Random weights may predict with certainty, which would hide all differences: logits are divided by their standard deviation.

Both the mean over tokens and the median are shown. In mixtures of experts a few tokens decide the mean: those for which
rounding makes another choice of experts.

  family_kld.py --quern QUERN --peer "PROGRAM ARGUMENT..." [--types 1,7,15] [--seeds 3] [NAME...]

The program behind --peer (llama.cpp v0.5.0 was used) takes MODEL.gguf --logits IDS.json OUT.npy, and
MODEL.gguf --quantize OUT.gguf FTYPE. Needs numpy. Exit status 1 if the median of Quern's is larger anywhere.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
import families
import families_encoders
import families_gated
import families_gemma4
import goldens
import tiny_model

NAMES = ["llama", "qwen3", "qwen3moe", "gemma3", "gpt_oss", "phi3", "deepseek3", "deepseek2_old", "granite", "gemma4",
         "gemma4_small", "gemma4_experts"]
TYPES = {1: "F16", 7: "Q8_0", 14: "Q4_K_S", 15: "Q4_K_M", 18: "Q6_K", 2: "Q4_0"}
N_TOKENS = 192


def widen():
    """Rows that whole super-blocks fit in, and heads of usual lengths."""
    for module in (tiny_model, families, families_encoders, families_gated):
        module.N_EMBD, module.N_FF = 256, 512
    tiny_model.Model.norm.__defaults__ = (tiny_model.N_EMBD,)
    plain = tiny_model.Model.__init__

    def wide(self, *args, **options):
        plain(self, *args, **options)
        if not isinstance(self, families_gemma4.Gemma4):  # whose heads have lengths of their own
            self.k_dim *= 4

    tiny_model.Model.__init__ = wide


def log_softmax(x, deviation):
    x = x.astype(np.float64) / deviation
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def run(*command):
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)


class Bench:
    def __init__(self, args, folder):
        self.quern, self.peer = [args.quern], shlex.split(args.peer)
        self.folder = folder
        self.ids = os.path.join(folder, "ids.json")
        with open(self.ids, "w", encoding="ascii") as file:
            json.dump([(i * i * 7 + i * 13) % 93 for i in range(N_TOKENS)], file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def own(self, model, *options):
        run(*self.quern, "logits", model, "--tokens", self.ids, "-o", self.path("own.npy"), *options)
        return np.load(self.path("own.npy"))

    def others(self, model):
        run(*self.peer, model, "--logits", self.ids, self.path("other.npy"))
        return np.load(self.path("other.npy"))

    def divergences(self, source, ftype):
        file = self.path("quantized.gguf")
        run(*self.peer, source, "--quantize", file, ftype)
        judge = self.own(file, "--backend", "reference", "-ctk", "f32", "-ctv", "f32")
        deviation, p = judge.std(), log_softmax(judge, judge.std())
        results = (log_softmax(x, deviation) for x in (self.own(file), self.others(file)))
        return [(np.exp(p) * (p - q)).sum(axis=1) for q in results]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("names", nargs="*", default=NAMES)
    ap.add_argument("--quern", required=True)
    ap.add_argument("--peer", required=True)
    ap.add_argument("--types", default="1,7,15")
    ap.add_argument("--seeds", type=int, default=3)
    args = ap.parse_args()
    widen()
    worse = 0
    print(f"{'model':16}{'type':8}{'mean: own':>12}{'other':>12}{'ratio':>8}{'median: own':>14}{'other':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        for name in args.names:
            results = {int(t): [] for t in args.types.split(",")}
            for seed in range(args.seeds):
                model = families.describe(name)
                model["seed"] += 100 * seed
                goldens.write_gguf(bench.path("source.gguf"), model)
                for ftype, list_of in results.items():
                    list_of.append(bench.divergences(bench.path("source.gguf"), ftype))
            for ftype, list_of in results.items():
                own, other = np.concatenate(list_of, axis=1)
                worse += np.median(own) > np.median(other)
                text = f"{name:16}{TYPES.get(ftype, ftype):8}"
                for width, measure in ((12, np.mean), (14, np.median)):
                    a, b = measure(own), measure(other)
                    text += f"{a:{width}.3e}{b:12.3e}{a / b:8.3f}"
                print(text, flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
