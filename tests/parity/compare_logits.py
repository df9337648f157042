#!/usr/bin/env python3
"""Compares logits [n, vocab] of the same tokens from two or three engines or backends. Needs numpy.

  compare_logits.py ORACLE.npy OURS.npy [OTHER.npy]

Prints, for each file after the first, against the first: the largest absolute difference, the root mean square difference,
the mean Kullback-Leibler divergence of the softmax distributions (in float64), and how often the most probable token agrees.
With three files, exit status 1 unless OURS is at least as close (by divergence) as OTHER.

Typical use: ORACLE from `quern logits --backend reference`, OURS from `quern logits`, OTHER from another engine's dump.
"""
import sys
import numpy as np


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def main():
    if len(sys.argv) not in (3, 4): sys.exit(__doc__)
    oracle = np.load(sys.argv[1]); p = log_softmax(oracle); divergences = []
    for path in sys.argv[2:]:
        x = np.load(path)
        if x.shape != oracle.shape: sys.exit(f"{path}: shape {x.shape}, expected {oracle.shape}")
        q = log_softmax(x); kld = (np.exp(p) * (p - q)).sum(axis=1).mean(); divergences.append(kld)
        difference = np.abs(x.astype(np.float64) - oracle)
        print(f"{path}: max |diff| {difference.max():.3e}, rms {np.sqrt((difference ** 2).mean()):.3e}, mean KLD {kld:.4e} nat, "
              f"same top token {100 * (x.argmax(1) == oracle.argmax(1)).mean():.2f} %")
    if len(divergences) == 2 and divergences[0] > divergences[1]: return 1
    return 0


sys.exit(main())
