"""What the checks of the C interface share: the functions and structs that its headers declare, read from their text.

The headers keep to one style (clang-format, one `typedef struct NAME {...} NAME;` per struct), so no parser of C is needed;
what does not look as expected is an error, and nothing is passed over.
"""
import glob
import os
import re

RECORDED_TARGET = "defined(__x86_64__) && defined(__LP64__)"


def text_of(folder):
    """The text of a folder's headers, without comments and preprocessor lines."""
    whole = ""
    for path in sorted(glob.glob(os.path.join(folder, "*.h"))):
        with open(path, encoding="utf-8") as file:
            whole += file.read()
    whole = re.sub(r"/\*.*?\*/", "", whole, flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", whole, flags=re.MULTILINE)


def functions(folder):
    """[(result type, name, parameters)] of every exported function."""
    found = []
    for declaration in re.findall(r"QUERN_API\b([^;]*);", text_of(folder)):
        match = re.fullmatch(r"\s*(.*?)\b(quern_\w+)\((.*)\)\s*", declaration, re.DOTALL)
        if not match:
            raise ValueError(f"not understood: QUERN_API{declaration};")
        found.append((" ".join(match[1].split()), match[2], " ".join(match[3].split())))
    return found


def structs(folder):
    """{name: [field, ...]} of every public struct, in order."""
    found = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text_of(folder), re.DOTALL):
        fields = []
        for declaration in body.split(";"):
            for part in declaration.split(","):
                field = re.search(r"(\w+)\s*(?:\[\w+\])?\s*$", part)
                if field:
                    fields.append(field[1])
                elif part.strip():
                    raise ValueError(f"{name}: not understood: {part}")
        found[name] = fields
    return found
