"""The shared library exports exactly the functions of quern_c.symbols, the headers declare exactly these, the C client
uses every one, and the library carries the ABI's version.

usage: symbols.py LIBRARY.so CAPI_DIR CLIENT.c...
"""
import glob
import re
import subprocess
import sys

library, capi, *client = sys.argv[1:]


def read(path):
    with open(path, encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)


listed = set(re.findall(r"^\s*(quern_\w+);", read(f"{capi}/quern_c.symbols"), re.MULTILINE))
header = "\n".join(read(path) for path in sorted(glob.glob(f"{capi}/include/*.h")))
declared = set(re.findall(r"QUERN_API[^;(]*?\b(quern_\w+)\(", header))
used = set(re.findall(r"\bquern_\w+(?=\()", "\n".join(read(path) for path in client)))
lines = subprocess.run(["nm", "-D", "--defined-only", "-P", library], capture_output=True, text=True, check=True).stdout
exported = {line.split()[0].split("@")[0] for line in lines.splitlines()} - {"QUERN_1"}
dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
version = re.search(r"define QUERN_C_ABI_VERSION (\d+)", header)[1]

errors = []
for name, one, other in (("listed and exported", listed, exported), ("listed and declared", listed, declared),
                         ("declared and used by the client", declared, used & declared)):
    if one != other:
        errors.append(f"{name} differ: {sorted(one ^ other)}")
if f"soname: [libquern_c.so.{version}]" not in dynamic:
    errors.append(f"the library's name does not end in the ABI's version {version}")
if len(listed) < 80:
    errors.append(f"only {len(listed)} functions are listed")
print("\n".join(errors) or f"{len(listed)} functions")
sys.exit(1 if errors else 0)
