#!/usr/bin/env python3
"""Quantized Hugging Face folders against the weights that they stand for, and a table of the methods. Needs numpy.

  hf_variants.py QUERN FOLDER TEXT [--work DIR] [--tokens 64] [--only NAME,NAME] [--no-table]

tests/hf/variants.py quantizes FOLDER in every way, each with a twin of the same weights as float32. First the logits of the
first tokens of TEXT are compared, variant against twin, both by the reference backend; exit status 1 if any differ by more
than 1e-3. Then the CPU backend: how far its logits are from the twin's (mean Kullback-Leibler divergence), the
perplexity of TEXT, bytes of the model in memory, and speed (`quern bench`, so: on a quiet machine).
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../hf"))
import variants  # noqa: E402

LIMIT = 1e-3


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def logits(args, folder, tokens, *options):
    out = os.path.join(args.work, "logits.npy")
    run(args.quern, "logits", folder, "--tokens", tokens, "--out", out, "--cache-type-k", "f32", "--cache-type-v", "f32", *options)
    return np.load(out).astype(np.float64)


def divergence(p, q):
    def log_softmax(x):
        x = x - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    p, q = log_softmax(p), log_softmax(q)
    return (np.exp(p) * (p - q)).sum(axis=1).mean()


def measure(args, folder):
    ppl = json.loads(run(args.quern, "perplexity", folder, "-f", args.text, "-c", 512, "--json"))["ppl"]
    bench = json.loads(run(args.quern, "bench", folder, "-p", 256, "-n", 64, "-r", 3, "--json"))
    return ppl, bench


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern"), parser.add_argument("folder"), parser.add_argument("text")
    parser.add_argument("--work"), parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--only", default=",".join(variants.VARIANTS)), parser.add_argument("--no-table", action="store_true")
    args = parser.parse_args()
    scratch = None if args.work else tempfile.TemporaryDirectory()
    args.work = args.work or scratch.name
    os.makedirs(args.work, exist_ok=True)
    ids = json.loads(run(args.quern, "tokenize", args.folder, "-f", args.text, "--bos", "--json"))
    ids = (ids["tokens"] if isinstance(ids, dict) else ids)[:args.tokens]
    tokens = os.path.join(args.work, "tokens.json")
    json.dump(ids, open(tokens, "w"))
    arrays = variants.read_safetensors(os.path.join(args.folder, "model.safetensors"))
    failed = False
    print(f"| form | reference: max abs diff of logits | CPU: mean KLD | perplexity | bytes in memory | prompt tok/s | answer tok/s |\n|{'---|' * 7}")
    for name in args.only.split(","):
        folder, twin = variants.write_variant(args.folder, args.work, name, arrays)
        wanted = logits(args, twin, tokens, "--backend", "reference")
        difference = np.abs(logits(args, folder, tokens, "--backend", "reference") - wanted).max()
        failed |= not difference <= LIMIT
        kld = divergence(wanted, logits(args, folder, tokens))
        row = f"| {name} | {difference:.1e}{'' if difference <= LIMIT else ' TOO MUCH'} | {kld:.1e} |"
        if not args.no_table:
            ppl, bench = measure(args, folder)
            size = bench["footprint"]["total_bytes"]
            row += f" {ppl:.4f} | {size} | {bench['pp_tok_s']:.0f} | {bench['tg_tok_s']:.0f} |"
        print(row, flush=True)
        for path in (folder, twin):
            shutil.rmtree(path)
    return 1 if failed else 0


sys.exit(main())
