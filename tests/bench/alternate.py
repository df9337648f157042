#!/usr/bin/env python3
"""Speed of Quern beside another engine, in one run: the two take turns, and the ratios are of neighbours in time.

  alternate.py [--rounds 5] --ours 'quern bench M.gguf -p 512 -n 64 -t 2 -r 1 --json' --other 'COMMAND'

Both commands print one JSON document with pp_tok_s and tg_tok_s (tokens per second of prompt and of answer). Prints every round,
then the medians and the median ratio ours/other. Leave the machine otherwise idle: engines that spin lose most of their
speed when another process takes a core.
"""
import argparse, json, shlex, statistics, subprocess

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--rounds", type=int, default=5); ap.add_argument("--ours", required=True); ap.add_argument("--other", required=True)
a = ap.parse_args()
keys = ("pp_tok_s", "tg_tok_s")


def measure(command):
    text = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout
    return {key: json.loads(text)[key] for key in keys}


rounds = []
for i in range(a.rounds):
    rounds.append((measure(a.ours), measure(a.other)))
    print(f"round {i + 1}: " + ", ".join(f"{key} {rounds[-1][0][key]:.1f} : {rounds[-1][1][key]:.1f}" for key in keys), flush=True)
for key in keys:
    ours, other = ([r[side][key] for r in rounds] for side in (0, 1))
    ratio = statistics.median(x / y for x, y in zip(ours, other))
    print(f"{key}: ours {statistics.median(ours):.1f}, other {statistics.median(other):.1f}, ratio {ratio:.2f}")
