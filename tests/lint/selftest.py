"""The lint checks must be able to fail: each gets a small tree with one fault, and must name it; then the same tree mended.

usage: selftest.py
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOMS = "quern_room(base)  # r0\nquern_room(text DEPS base)  # r1\nquern_room(io DEPS base)\n"
# (check, path, faulty text, what the check must print)
FAULTS = [
    ("include_ranks", "lib/base/a.cc", '#include "lib/text/b.h"\n', "room 'base' includes lib/text/b.h"),
    ("include_ranks", "lib/text/a.cc", '#include "lib/io/b.h"\n', "room 'text' includes lib/io/b.h"),
    ("include_ranks", "lib/text/a.cc", "#include <hwy/highway.h>\n", "does not link hwy::hwy"),
    ("include_ranks", "lib/attic/a.cc", "\n", "has no such room"),
    ("include_ranks", "lib/base/a.cc", "#include <zlib/zlib.h>\n", "this one is not known"),
    ("include_ranks", "include/quern/a.h", '#include "lib/base/b.h"\n', "a public header includes"),
    ("include_ranks", "capi/src/a.cc", '#include "lib/base/b.h"\n', "only include/quern is open to it"),
    ("include_ranks", "lib/CMakeLists.txt", "quern_room(base DEPS text)  # r0\nquern_room(text)  # r1\n", "not lower"),
    ("banned_words", "lib/base/a.cc", "void f() { abort(); }\n", "ends the host's process"),
    ("banned_words", "lib/base/a.cc", "void f() { HWY_ASSERT(true); }\n", "ends the host's process"),
    ("banned_words", "lib/base/a.cc", "void f() { std::cerr << 1; }\n", "prints"),
    ("banned_words", "lib/base/a.cc", "auto v = std::stoi(s);\n", "locale"),
    ("banned_words", "lib/base/a.cc", "void f() { throw 1; }\n", "does not throw"),
    ("banned_words", "lib/base/a.cc", "void f() { try { g(); } catch (...) {} }\n", "is caught"),
    ("banned_words", "capi/src/a.cc", "auto v = getenv(s);\n", "environment"),
    ("sizes", "lib/base/a.cc", "int x;\n" * 701, "701 lines, limit 700"),
    ("sizes", "lib/base/a.cc", "int long_one(int x) {\n" + "  ++x;\n" * 121 + "}\n", "long_one() has 123 lines"),
    ("text", "lib/base/a.cc", "// d\u00e9j\u00e0 vu\n", "not ASCII"),
    ("text", "lib/base/a.cc", "int x; \n", "blanks at the end"),
    ("text", "lib/base/a.cc", "\tint x;\n", "tab"),
    ("text", "lib/base/a.cc", "int x;", "no newline"),
    ("text", "tests/a.py", "open('/home/someone/model')\n", "a path of one machine"),
    ("text", "lib/base/a.cc", "// FIXME\n", "diary"),
    ("fuzz_targets", "lib/io/gguf.cc", "\n", "gguf_fuzz.cc does not exist"),
    ("fuzz_targets", "lib/io/new_parser.cc", "\n", "looks like a parser"),
]
# Harmless look-alikes that no check may mind.
CLEAN = '#include "lib/base/b.h"\n#include <vector>\n#include <sys/mman.h>\n' \
    '// abort() the mission; printf("x")\nconst char* s = "exit(1) and throw";\nvoid exit_loop();\nchar c = \'"\';\n'
CHECKS = ["include_ranks", "banned_words", "sizes", "text"]


def run(check, files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        result = subprocess.run([sys.executable, os.path.join(HERE, check + ".py"), root], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


def main():
    failures = 0
    for check, path, text, expected in FAULTS:
        code, output = run(check, {"lib/CMakeLists.txt": ROOMS, "lib/base/b.h": "\n", path: text})
        if code != 1 or expected not in output:
            failures += 1
            print(f"{check} does not see the fault in {path} ({expected}): exit {code}\n{output}")
    for check in CHECKS:
        code, output = run(check, {"lib/CMakeLists.txt": ROOMS, "lib/base/b.h": "\n", "lib/text/a.cc": CLEAN})
        if code != 0:
            failures += 1
            print(f"{check} minds clean text: exit {code}\n{output}")
    print(f"{len(FAULTS) + len(CHECKS)} cases, {failures} failures")
    sys.exit(1 if failures else 0)


main()
