#!/usr/bin/env python3
"""Malformed model files through the C interface, `quern run` and `quern check`: none may crash, hang or grow the process.

  bad_gguf.py --probe GGUF_PROBE [--quern QUERN] [--flips 200] [--jobs 2] [--files DIR] [--list-refused]

Generates the corpus (tests/data/badgguf/make_bad_gguf.py: 1,119 named cases and N seeded header flips), runs every file in a
process of its own with a time limit and a memory limit, and holds the outcome against the case's expectation: `reject` files
must be refused with a message, `accept` files must run, the others may do either. Prints a table; exit status 1 if anything
is amiss.
"""
import argparse, collections, concurrent.futures, os, resource, subprocess, sys, tempfile

SECONDS = 5        # more than this is a hang
MEMORY_MIB = 1024  # more than this is endless growth: the valid model needs about 30 MiB

# Valid files that need what Quern cannot do yet: they must be refused, and the message must say so.
NOT_YET = {}


def limits(sanitized):
    def apply():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not sanitized:  # address sanitizers reserve terabytes
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    return apply


def run(command, sanitized):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=SECONDS * (4 if sanitized else 1), preexec_fn=limits(sanitized))
    except subprocess.TimeoutExpired:
        return "hang", ""
    text = done.stderr.decode("utf-8", "replace")
    if done.returncode == 0: return "ran", text
    if command[1] == "check": return ("refused" if done.returncode == 1 else "crash"), text
    if done.returncode in (1, 2) and text.strip(): return "refused", text  # 2: the model makes no tokens of the prompt
    return "crash", f"status {done.returncode}: {text}"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--probe", required=True); ap.add_argument("--quern"); ap.add_argument("--flips", type=int, default=200)
    ap.add_argument("--jobs", type=int, default=2); ap.add_argument("--files"); ap.add_argument("--sanitized", action="store_true")
    ap.add_argument("--list-refused", action="store_true", help="print the message of every refused file")
    a = ap.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as temporary:
        folder = a.files or temporary
        if not os.path.exists(os.path.join(folder, "manifest.tsv")):
            subprocess.run([sys.executable, os.path.join(here, "..", "data", "badgguf", "make_bad_gguf.py"), folder, "--flips", str(a.flips)],
                           check=True, stdout=subprocess.DEVNULL)
        return check(folder, a)


def check(folder, a):
    rows = [line.rstrip("\n").split("\t") for line in open(os.path.join(folder, "manifest.tsv"), encoding="utf-8")][1:]
    ways = {"C interface": lambda f: [a.probe, f]}
    if a.quern: ways["quern run"] = lambda f: [a.quern, "run", f, "-p", "Hello", "-n", "4", "--temp", "0", "--raw"]
    if a.quern: ways["quern check"] = lambda f: [a.quern, "check", f]
    failures = 0
    for way, command in ways.items():
        table = collections.defaultdict(collections.Counter)
        wrong = []
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            outcomes = pool.map(lambda row: run(command(os.path.join(folder, row[0] + ".gguf")), a.sanitized), rows)
            for (name, category, expect, _, note), (outcome, text) in zip(rows, outcomes):
                table[category][outcome] += 1
                allowed = {"reject": ("refused",), "accept": ("ran",)}.get(expect, ("ran", "refused"))
                if name in NOT_YET: allowed = ("refused",) if NOT_YET[name] in text else ()
                if outcome not in allowed:
                    wrong.append(f"{name} ({note}): expected {expect}, {outcome}: {text.strip()[-300:]}")
                elif a.list_refused and outcome == "refused":
                    print(f"  {name}: {text.strip()[:200]}")
        print(f"\n{way}: {len(rows)} files\n{'category':24}{'ran':>8}{'refused':>9}{'crash':>7}{'hang':>6}")
        total = collections.Counter()
        for category, counts in table.items():
            total.update(counts)
            print(f"{category:24}{counts['ran']:8}{counts['refused']:9}{counts['crash']:7}{counts['hang']:6}")
        print(f"{'total':24}{total['ran']:8}{total['refused']:9}{total['crash']:7}{total['hang']:6}")
        for line in wrong: print("WRONG", line)
        print(f"{len(wrong)} outcomes differ from what is expected")
        failures += len(wrong)
    return 1 if failures else 0


sys.exit(main())
