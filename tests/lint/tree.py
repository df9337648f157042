"""What the lint checks share: the files of the source tree, C++ text without comments, and the report."""
import os
import re
import sys

CODE = (".cc", ".h", ".c")


def files(root, folders, suffixes=CODE):
    """Paths, relative to root and sorted, of the files below `folders` that end in one of `suffixes`."""
    found = []
    for folder in folders:
        for place, subfolders, names in os.walk(os.path.join(root, folder)):
            subfolders[:] = [s for s in subfolders if not s.startswith((".", "build", "target", "__pycache__"))]
            found += [os.path.relpath(os.path.join(place, n), root) for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(
    r'//(?:[^\n\\]|\\.)*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:[^"\\\n]|\\.)*"|(?<![\w])\'(?:[^\'\\\n]|\\.)+\'',
    re.DOTALL,
)


def without_comments(text, keep_strings=False):
    """C++ text with comments, and unless kept string and character literals, blanked. Line numbers stay."""

    def blank(match):
        token = match.group()
        if not token.startswith("/") and keep_strings:
            return token
        edge = "" if token.startswith("/") else token[-1]
        return edge + re.sub(r"[^\n]", " ", token[len(edge):len(token) - len(edge)]) + edge

    return _TOKEN.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def finish(errors, checked):
    """Prints the errors and ends the check; nothing to look at is an error too."""
    if not checked:
        errors = errors + ["nothing was checked: are the paths right?"]
    for error in errors:
        print(error)
    print(f"{checked} checked, {len(errors)} errors")
    sys.exit(1 if errors else 0)
