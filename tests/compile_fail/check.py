"""Compiles a snippet as it is (must succeed) and with QUERN_MUST_NOT_COMPILE (must fail with the expected diagnostic).

usage: check.py SNIPPET COMPILER ARGUMENT...
"""
import os
import re
import subprocess
import sys


def main():
    snippet, command = sys.argv[1], sys.argv[2:]
    with open(snippet, encoding="utf-8") as file:
        expected = re.search(r"^// expect: (.+)$", file.read(), re.MULTILINE)
    if not expected:
        sys.exit(f"{snippet}: no '// expect: REGULAR EXPRESSION' line")
    environment = dict(os.environ, LC_ALL="C")
    control = subprocess.run([*command, snippet], capture_output=True, text=True, env=environment)
    if control.returncode != 0:
        sys.exit(f"{snippet}: does not compile even without the misuse:\n{control.stderr}")
    misuse = subprocess.run([*command, "-DQUERN_MUST_NOT_COMPILE", snippet], capture_output=True, text=True, env=environment)
    if misuse.returncode == 0:
        sys.exit(f"{snippet}: the misuse compiles")
    if not re.search(expected[1], misuse.stderr):
        sys.exit(f"{snippet}: fails, but not with '{expected[1]}':\n{misuse.stderr}")
    print("fails as it should:", re.search(".*error:.*", misuse.stderr)[0])


main()
