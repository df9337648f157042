"""Includes go only down the ranks of the house (lib/README.md).

  - lib/<room> includes itself, the rooms named for it in lib/CMakeLists.txt, include/quern, the standard library, and the
    third-party libraries that lib/CMakeLists.txt links it with. A room may name only rooms of lower rank.
  - include/quern includes itself and the standard library.
  - capi, examples and bindings know include/quern (and each other's public C header), never lib.

usage: include_ranks.py SOURCE_DIR
"""
import re
import sys

import tree

THIRD_PARTY = {"hwy/": "hwy::hwy", "pcre2.h": "PkgConfig::PCRE2", "nlohmann/": "nlohmann_json::nlohmann_json"}
# Headers with a slash that belong to the system.
SYSTEM = re.compile(r"^(sys|linux|asm|netinet|arpa)/")


def read_rooms(root):
    """{room: (rank, deps, linked libraries)} from the quern_room() lines; `# rN` gives the rank of a line and the next ones."""
    rooms, rank = {}, None
    for line in tree.read(root, "lib/CMakeLists.txt").splitlines():
        call = re.match(r"quern_room\((\w+)(?: DEPS ([\w ]+?))?(?: LINK ([\w: ]+))?\)\s*(?:# r(\d+))?", line)
        if call:
            rank = int(call[4]) if call[4] else rank
            rooms[call[1]] = (rank, (call[2] or "").split(), (call[3] or "").split())
    return rooms


def includes(root, path):
    text = tree.without_comments(tree.read(root, path), keep_strings=True)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', text, re.MULTILINE):
        yield tree.line_of(text, match.start()), match[1], match[2]


def check_room_file(path, where, quote, name, rooms):
    room = path.split("/")[1]
    _, deps, links = rooms[room]
    if name.startswith("lib/"):
        target = name.split("/")[1]
        if target != room and target not in deps:
            return f"{where}: room '{room}' includes {name}; it may include {' '.join([room] + deps)}"
    elif name.startswith("quern/"):
        return None
    elif name.startswith(("capi/", "examples/", "tests/", "bindings/")):
        return f"{where}: the library includes {name}"
    else:
        for prefix, library in THIRD_PARTY.items():
            if name.startswith(prefix):
                return None if library in links else f"{where}: room '{room}' includes {name} but does not link {library}"
        if quote == '"' or ("/" in name and not SYSTEM.match(name)):
            return f"{where}: {name}: write \"lib/<room>/...\" for our own files; this one is not known"
    return None


def main():
    root = sys.argv[1]
    rooms, errors, checked = read_rooms(root), [], 0
    if not rooms:
        errors.append("lib/CMakeLists.txt: no quern_room() lines found")
    for room, (rank, deps, _) in rooms.items():
        for dep in deps:
            if dep not in rooms:
                errors.append(f"lib/CMakeLists.txt: room '{room}' names unknown room '{dep}'")
            elif rooms[dep][0] >= rank:
                errors.append(f"lib/CMakeLists.txt: room '{room}' (r{rank}) stands on '{dep}' (r{rooms[dep][0]}), not lower")
    for path in tree.files(root, ["lib", "include", "capi", "examples", "bindings"]):
        checked += 1
        if path.startswith("lib/") and path.split("/")[1] not in rooms:
            errors.append(f"{path}: lib/CMakeLists.txt has no such room")
            continue
        for line, quote, name in includes(root, path):
            where = f"{path}:{line}"
            if path.startswith("lib/"):
                error = check_room_file(path, where, quote, name, rooms)
                if error:
                    errors.append(error)
            elif path.startswith("include/"):
                if quote == '"' or ("/" in name and not name.startswith("quern/")) or name.endswith(".h") and "/" not in name:
                    errors.append(f"{where}: a public header includes {name}; only <quern/...> and the standard library")
            elif name.startswith("lib/") or "/lib/" in name:
                errors.append(f"{where}: {path.split('/')[0]} includes {name}; only include/quern is open to it")
    tree.finish(errors, checked)


main()
