"""The layout of every public struct is recorded in layout.c, as assertions of the compiler for x86-64.

  layout.py check CC CAPI_DIR    Every struct and field of the headers is in the record. Of the first header (first/), no
                                 field has moved, and none that came later lies where an older program's struct ends. The
                                 library takes structs of the first size that they had (FIRST).
  layout.py update CC CAPI_DIR   Adds what is new to the record. What is recorded does not change: fields only follow, and
                                 the size of a struct grows only where it begins with struct_size.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

import headers

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "layout.c")
HEAD = f"""/* Sizes and offsets of the public structs on x86-64, as programs have been compiled with. Written by
 * `layout.py update`, which adds lines and changes none, but for the size of structs that begin with struct_size. */
#include <quern_c.h>

/* clang-format off */
#if {headers.RECORDED_TARGET}
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size than recorded")
#define FIRST(type, size) _Static_assert((size) <= sizeof(type), #type " is shorter than it was")
#define FIELD(type, field, offset, size)                                           \\
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved"); \\
  _Static_assert(sizeof(((type*)0)->field) == (size), #type "." #field " has another size than recorded")
"""
TAIL = """
#endif

int main(void) { return 0; }
"""


def measured(compiler, folder):
    """{struct: (size, {field: (offset, size)})}, as the compiler lays them out."""
    lines = []
    for name, fields in headers.structs(folder).items():
        lines.append(f'printf("{name} - %zu 0\\n", sizeof({name}));')
        for field in fields:
            lines.append(f'printf("{name} {field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name}*)0)->{field}));')
    with tempfile.TemporaryDirectory() as scratch:
        source, program = os.path.join(scratch, "layout.c"), os.path.join(scratch, "layout")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <quern_c.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\nreturn 0; }\n")
        subprocess.run([compiler, "-std=c99", "-I", folder, source, "-o", program], check=True)
        output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    layout = {}
    for name, field, first, second in (line.split() for line in output.splitlines()):
        if field == "-":
            layout[name] = (int(first), {})
        else:
            layout[name][1][field] = (int(first), int(second))
    return layout


def recorded():
    layout = {}
    if not os.path.exists(RECORD):
        return layout
    with open(RECORD, encoding="utf-8") as file:
        text = file.read()
    for name, size in re.findall(r"^SIZE\((\w+), (\d+)\);", text, re.MULTILINE):
        layout[name] = (int(size), {})
    for name, field, offset, size in re.findall(r"^FIELD\((\w+), (\w+), (\d+), (\d+)\);", text, re.MULTILINE):
        layout[name][1][field] = (int(offset), int(size))
    return layout


def faults(old, new):
    """What a program compiled with the old layout would misread."""
    found = []
    for name, (size, fields) in old.items():
        if name not in new:
            found.append(f"{name} is gone")
            continue
        new_size, new_fields = new[name]
        grows = "struct_size" in fields
        if new_size < size or new_size != size and not grows:
            found.append(f"{name} had {size} bytes, and has {new_size}")
        for field, place in fields.items():
            if new_fields.get(field) != place:
                found.append(f"{name}.{field} was at (offset, size) {place}, and is at {new_fields.get(field)}")
        for field, (offset, _) in new_fields.items():
            if field not in fields and offset < size:
                found.append(f"{name}.{field} lies at {offset}, within the {size} bytes of programs that do not set it")
    return found


def first_sizes():
    """{struct: its size when it was first recorded}, of those that begin with struct_size."""
    if not os.path.exists(RECORD):
        return {}
    with open(RECORD, encoding="utf-8") as file:
        return {name: int(size) for name, size in re.findall(r"^FIRST\((\w+), (\d+)\);", file.read(), re.MULTILINE)}


def refused(layout, sources):
    """Structs that the library would refuse at their first size: read_options() and write_info() are told it by name."""
    found, calls = [], 0
    for name, given in re.findall(r'\b(?:read_options|write_info)\([^;"]*"(\w+)"(?:,\s*([^;]*?))?\)*;', sources):
        calls += 1
        size, fields = layout[name]
        first = first_sizes().get(name, size)
        field = re.match(rf"offsetof\({name}, (\w+)", given)
        accepted = fields[field[1]][0] if field else size if not given else None
        if accepted != first:
            found.append(f"{name} had {first} bytes at first, and the library takes at least {accepted or given}: pass "
                         f"offsetof({name}, the first field added), so that older programs are served")
    if calls < 20:
        found.append(f"only {calls} calls of read_options() and write_info() were understood")
    return found


def write(layout):
    lines, first = [], first_sizes()
    for name, (size, fields) in layout.items():
        lines.append(f"\nSIZE({name}, {size});")
        if "struct_size" in fields:
            lines.append(f"FIRST({name}, {first.get(name, size)});")
        lines += [f"FIELD({name}, {field}, {offset}, {length});" for field, (offset, length) in fields.items()]
    with open(RECORD, "w", encoding="utf-8") as file:
        file.write(HEAD + "\n".join(lines) + "\n" + TAIL)


def sources_of(folder):
    text = ""
    for path in sorted(glob.glob(os.path.join(folder, "*.cc"))):
        with open(path, encoding="utf-8") as file:
            text += file.read()
    return text


def main():
    mode, compiler, capi = sys.argv[1:]
    if os.uname().machine != "x86_64":
        print("skipped: the record is of x86-64")
        sys.exit(77)
    now = measured(compiler, os.path.join(capi, "include"))
    old = recorded()
    errors = faults(old, now)
    if mode == "update":
        if not errors:
            write(now)
    else:
        errors += ["since the first header: " + fault for fault in faults(measured(compiler, os.path.join(HERE, "first")), now)]
        errors += refused(now, sources_of(os.path.join(capi, "src")))
        for name, (size, fields) in now.items():
            if name not in old or old[name][0] != size or list(old[name][1]) != list(fields):
                errors.append(f"{name} is not in layout.c as it is: run layout.py update {compiler} {capi}")
    print("\n".join(errors) or f"{len(now)} structs, {sum(len(fields) for _, fields in now.values())} fields")
    sys.exit(1 if errors or len(now) < 20 else 0)


if __name__ == "__main__":
    main()
