"""The shared library from the outside: every function it exports has the version of the ABI's symbol node, it needs no
libraries but those that README.md names, and it is small.

usage: library.py LIBRARY.so SOURCE_DIR
"""
import os
import re
import subprocess
import sys
import tempfile

LIMIT_BYTES = 16 << 20
RUNTIME = {"libc", "libm", "libstdc++", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso", "libpthread"}
# Library -> how README.md calls it.
NAMED = {"libpcre2-8": "PCRE2", "libhwy": "Highway"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    library, root = sys.argv[1:]
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        dependencies = file.read().split("\n## Dependencies\n")[1]
    errors = []

    loaded = sorted({os.path.basename(line.split()[0]).split(".so")[0] for line in run("ldd", library).splitlines()})
    for name in loaded:
        if name not in RUNTIME and NAMED.get(name, "\0") not in dependencies:
            errors.append(f"needs {name}, which README.md does not name under Dependencies")

    symbols = [line.split()[0] for line in run("nm", "-D", "--defined-only", "-P", library).splitlines()]
    functions = [name for name in symbols if not name.startswith("QUERN_")]
    unversioned = [name for name in functions if not re.search(r"@@QUERN_\d+$", name)]
    if unversioned or not functions:
        errors.append(f"exported without a version: {unversioned or 'nothing is exported'}")
    nodes = set(re.findall(r"Name: (QUERN_\d+)", run("readelf", "--version-info", library)))
    if "QUERN_1" not in nodes:
        errors.append(f"the symbol node QUERN_1 of the first version is not there: {nodes}")

    with tempfile.TemporaryDirectory() as scratch:
        stripped = os.path.join(scratch, "stripped.so")
        run("strip", "--strip-unneeded", "-o", stripped, library)
        size = os.path.getsize(stripped)
    if size > LIMIT_BYTES:
        errors.append(f"stripped it has {size} bytes, more than {LIMIT_BYTES}")
    print(f"{len(functions)} functions, nodes {sorted(nodes)}, stripped {size / 1e6:.1f} MB, loads {' '.join(loaded)}")
    print("\n".join(errors))
    sys.exit(1 if errors else 0)


main()
