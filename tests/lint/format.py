"""The layout of C++ files is what clang-format makes of them (.clang-format). Skipped without clang-format 14, the version
that the layout is defined by: others differ in details.

usage: format.py SOURCE_DIR
"""
import re
import shutil
import subprocess
import sys

import tree

VERSION = 14
SKIPPED = 77


def main():
    root = sys.argv[1]
    program = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else ""
    found = re.search(r"version (\d+)", version)
    if not found or int(found[1]) != VERSION:
        print(f"skipped: clang-format {VERSION} is not installed")
        sys.exit(SKIPPED)
    paths = tree.files(root, ["lib", "include", "capi", "examples", "tests", "bindings"])
    errors = []
    for begin in range(0, len(paths), 50):
        run = subprocess.run([program, "--dry-run", *paths[begin:begin + 50]], cwd=root, capture_output=True, text=True)
        errors += sorted({line.split(":")[0] + ": run clang-format -i" for line in run.stderr.splitlines() if "warning:" in line})
    tree.finish(errors, len(paths))


main()
