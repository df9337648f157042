#!/usr/bin/env python3
"""Greedy continuations of the same prompts by Quern and by another engine, and why they part where they do. Needs numpy.

  compare_greedy.py QUERN MODEL PROMPTS.txt OTHER.json [-n 48]

PROMPTS.txt holds one prompt a line ("\\n" stands for a line break). OTHER.json is a list with, for each prompt, the other
engine's token ids. Where the two part, the gap between the two best logits at that place is printed: a gap that the rounding
of the arithmetic can close is a near-tie.
"""
import json, os, subprocess, sys, tempfile
import numpy as np


def main():
    n = sys.argv[sys.argv.index("-n") + 1] if "-n" in sys.argv else "48"
    quern, model, prompts_file, other_file = sys.argv[1:5]
    prompts = [line.rstrip("\n").replace("\\n", "\n") for line in open(prompts_file, encoding="utf-8")]
    others = json.load(open(other_file)); same = 0
    for prompt, other in zip(prompts, others):
        done = subprocess.run([quern, "run", model, "-p", prompt, "-n", n, "--temp", "0", "--raw", "--json"], capture_output=True, check=True)
        ours = json.loads(done.stdout)["tokens"]; length = min(len(ours), len(other))
        at = next((i for i in range(length) if ours[i] != other[i]), None)
        if at is None and len(ours) == len(other):
            same += 1
            continue
        at = length if at is None else at
        print(f"{prompt[:50]!r}: same for {at} tokens, then {ours[at:at + 1]} and {other[at:at + 1]}; {gap(quern, model, prompt, ours[:at])}")
    print(f"{same} of {len(prompts)} continuations are equal")


def gap(quern, model, prompt, tokens):
    with tempfile.TemporaryDirectory() as folder:
        text, ids, out = (os.path.join(folder, f) for f in ("p.txt", "ids.json", "out.npy"))
        open(text, "w", encoding="utf-8").write(prompt)
        prefix = json.loads(subprocess.run([quern, "tokenize", model, "-f", text, "--json", "--bos", "--special"], capture_output=True, check=True).stdout)
        json.dump(prefix + tokens, open(ids, "w"))
        subprocess.run([quern, "logits", model, "--tokens", ids, "--out", out], check=True, capture_output=True)
        best = np.sort(np.load(out)[-1])[-2:]
        return f"the two best logits are {best[1]:.4f} and {best[0]:.4f}, {best[1] - best[0]:.4f} apart"


main()
