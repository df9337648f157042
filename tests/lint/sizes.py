"""Files stay under 700 lines (500 is the aim) and functions under 120 (60 is the aim); tables (*_table*.h/.cc) are exempt.

What is over the aim is printed as a note; over the limit is an error.

usage: sizes.py SOURCE_DIR
"""
import os
import re
import sys

import tree

FILE_AIM, FILE_LIMIT = 500, 700
FUNCTION_AIM, FUNCTION_LIMIT = 60, 120
CONTROL = re.compile(r"\b(if|for|while|switch|catch|else|do|namespace|class|struct|union|enum|extern)\b")


def functions(text):
    """(name, first line, number of lines) of each function body: a brace after ')' that no class or control word opens."""
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.MULTILINE)
    stack, start = [], 0
    for position, char in enumerate(text):
        if char in ";{}":
            head = text[start:position]
            start = position + 1
            if char == "{":
                name = re.search(r"([\w:~]+)\s*\(", head)
                inside = any(kind == "function" for kind, _, _ in stack)
                is_function = (name and not inside and not re.match(r"\s*(\w+\s*=|" + CONTROL.pattern + ")", head)
                               and not re.search(r"\bnamespace\b[^()]*$", head))  # a macro may stand before it
                stack.append(("function" if is_function else "other", name[1] if name else "", position))
            elif char == "}" and stack:
                kind, name, opened = stack.pop()
                if kind == "function":
                    yield name, tree.line_of(text, opened), text.count("\n", opened, position) + 1


def main():
    root, errors, notes, checked = sys.argv[1], [], [], 0
    places = ["lib", "include", "capi", "examples", "tests", "bindings"]
    for path in tree.files(root, places, tree.CODE + (".py", ".sh", ".mjs", ".css")):
        checked += 1
        text = tree.read(root, path)
        lines = text.count("\n")
        if re.search(r"_tables?\b", os.path.basename(path)):
            continue
        if lines > FILE_LIMIT:
            errors.append(f"{path}: {lines} lines, limit {FILE_LIMIT}")
        elif lines > FILE_AIM:
            notes.append(f"note: {path}: {lines} lines, aim {FILE_AIM}")
        if not path.endswith(tree.CODE) or path.startswith("tests/"):
            continue
        for name, line, length in functions(tree.without_comments(text)):
            if length > FUNCTION_LIMIT:
                errors.append(f"{path}:{line}: {name}() has {length} lines, limit {FUNCTION_LIMIT}")
            elif length > FUNCTION_AIM:
                notes.append(f"note: {path}:{line}: {name}() has {length} lines, aim {FUNCTION_AIM}")
    print("\n".join(notes))
    tree.finish(errors, checked)


main()
