"""What the built libraries define and need, seen through nm.

  symbols.py archive FILE.a    No strong symbol is defined twice among the members, and none needs a function of IMPORTS.
  symbols.py shared FILE.so    Exports begin with quern_; no function of IMPORTS is needed.

IMPORTS are the functions that end the host's process, print, or read its environment. Allowed because the compiler or the
standard library put them in: operator new and delete, std::terminate behind noexcept (never reached: nothing throws past the
door), __stack_chk_fail and the _FORTIFY_SOURCE checks, the std::__throw_* functions, and assertions inside other shared
libraries (they are those libraries' imports, not ours).
"""
import collections
import re
import subprocess
import sys

import tree

IMPORTS = re.compile(
    r"^(abort|exit|_exit|_Exit|quick_exit|__assert_fail|printf|puts|putchar|perror|fprintf|vfprintf|__printf_chk|__fprintf_chk"
    r"|getenv|secure_getenv|setenv|putenv|unsetenv|setlocale|rand|srand|system|fork|signal|sigaction"
    r"|_ZSt4(cout|cerr|clog)|_ZN3hwy5AbortEPKciS1_z)$"
)


def nm(*arguments):
    """(member, symbol kind, name) of each line of nm."""
    run = subprocess.run(["nm", "-A", "-P", *arguments], capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        member, _, rest = line.partition(": ")
        fields = rest.split()
        if len(fields) >= 2:
            yield member, fields[1], fields[0].split("@")[0]


def main():
    kind, path = sys.argv[1], sys.argv[2]
    errors, checked, places = [], 0, collections.defaultdict(list)
    for member, letter, name in nm(*(["-D"] if kind == "shared" else []), path):
        checked += 1
        if letter == "U":
            if IMPORTS.match(name):
                errors.append(f"{member}: needs {name}")
        elif letter in "TDBRSG":
            places[name].append(member)
            if kind == "shared" and not re.match(r"quern_|QUERN_[\d.]+$", name):
                errors.append(f"{member}: exports {name}")
        elif kind == "shared" and letter in "WVu":
            errors.append(f"{member}: exports the weak {name}")
    for name, members in places.items():
        if kind == "archive" and len(members) > 1:
            errors.append(f"{name} is defined in {' and '.join(members)}")
    tree.finish(errors, checked)


main()
