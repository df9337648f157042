"""The text of the tree: ASCII in the library's sources, UTF-8 without control characters elsewhere, no tabs or blanks at the
end of a line, every file ends with a newline, no path of one person's machine, no diary marks.

usage: text.py SOURCE_DIR
"""
import os
import re
import sys

import tree

TEXT = tree.CODE + (".py", ".sh", ".cmake", ".txt", ".md", ".def", ".glsl", ".comp", ".json", ".in", ".symbols",
                    ".mjs", ".css", ".html", ".rs", ".toml", ".go")
PLACES = ["lib", "include", "capi", "examples", "tests", "bindings", "cmake", "conan"]
# Sources of models, corpora and golden texts are data: taken as they are.
DATA = ("tests/data/", "tests/golden/", "examples/models/", "tests/fuzz/corpus/")
MACHINE_PATH = re.compile(r"(?<![\w.$}/*-])/(home|root|work|mnt|Users)/\w+")
DIARY = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def check(path, text, errors):
    strict = path.startswith(("lib/", "include/", "capi/")) and not path.endswith(".md")
    if text and not text.endswith("\n"):
        errors.append(f"{path}: no newline at the end")
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        foreign = [c for c in line if ord(c) > 126 or ord(c) < 32 and c != "\t"]
        if strict and foreign:
            errors.append(f"{where}: not ASCII: {ascii(foreign[0])}")
        elif any(ord(c) < 32 for c in foreign):
            errors.append(f"{where}: control character {ascii(foreign[0])}")
        if "\t" in line and not path.endswith(".go"):  # gofmt indents by tabs
            errors.append(f"{where}: tab")
        if line != line.rstrip():
            errors.append(f"{where}: blanks at the end of the line")
        if path == "tests/lint/text.py" or path == "tests/lint/selftest.py":
            continue
        for pattern, reason in ((MACHINE_PATH, "a path of one machine"), (DIARY, "a diary mark: finish it or open an issue")):
            match = pattern.search(line)
            if match:
                errors.append(f"{where}: '{match.group()}': {reason}")


def main():
    root, errors = sys.argv[1], []
    paths = tree.files(root, PLACES, TEXT)
    paths += [name for name in sorted(os.listdir(root)) if name.endswith(TEXT) and os.path.isfile(os.path.join(root, name))]
    paths = [path for path in paths if not path.startswith(DATA)]
    for path in paths:
        try:
            check(path, tree.read(root, path), errors)
        except UnicodeDecodeError as error:
            errors.append(f"{path}: not UTF-8: {error}")
    tree.finish(errors, len(paths))


main()
