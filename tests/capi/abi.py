"""abidiff (of libabigail) holds the interface to the recorded baseline: functions, structs at the end and constants may be
added; what has been removed or changed fails.

  abi.py check CC CAPI_DIR     compares, then shows on changed copies of the headers that changes would be found
  abi.py update CC CAPI_DIR    writes the baseline, baseline.abi.gz: to be done with a release

What is compared is the debug information of a shared library with a function for each declaration of the headers, linked by
the version script of the real one. That the real library has these very functions is known otherwise: a C++ compiler refuses
to define an extern "C" function that differs from its declaration, and symbols.py compares the lists.
"""
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import headers

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "baseline.abi.gz")
SKIPPED = 77
# (what is done to the headers, pattern, replacement, whether programs keep running)
CHANGES = [
    ("a function removed", r"QUERN_API int32_t quern_n_tokens\(.*?\);", "", False),
    ("a parameter's type changed", r"quern_sampler_accept\(quern_sampler\* sampler, quern_token token\)",
     "quern_sampler_accept(quern_sampler* sampler, int64_t token)", False),
    ("a parameter added", r"quern_sampler_reset\(quern_sampler\* sampler\)",
     "quern_sampler_reset(quern_sampler* sampler, int mode)", False),
    ("a result's type changed", r"QUERN_API uint32_t quern_sampler_seed", "QUERN_API uint64_t quern_sampler_seed", False),
    ("a field inserted", r"(  uint32_t n_ctx;     /\* cached)", r"  uint64_t inserted;\n\1", False),
    ("a field removed", r"  int32_t ignore_eos;.*?\n", "", False),
    ("a field's type changed", r"  float temperature; ", "  double temperature;", False),
    ("a plain struct's field changed", r"  int32_t position; ", "  int64_t position; ", False),
    ("a callback's type changed", r"(quern_token_fn\)\(void\* user, quern_token token, const char\* text), size_t size",
     r"\1, uint32_t size", False),
    ("a function added", r"(QUERN_API uint32_t quern_abi_version\(void\);)", r"\1\nQUERN_API int quern_added(int x);", True),
    ("a field appended", r"(  int64_t n_checkpoints;\n)", r"\1  uint64_t appended;\n", True),
]


def library(compiler, include, symbols, scratch):
    """A shared library of empty functions, one for each that the headers declare."""
    source, path = os.path.join(scratch, "stubs.c"), os.path.join(scratch, "libquern_c.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write("#include <quern_c.h>\n")
        for result, name, parameters in headers.functions(include):
            file.write(f"{result} {name}({parameters}) {{ {'' if result == 'void' else f'return ({result})0; '}}}\n")
    subprocess.run([compiler, "-std=c99", "-g", "-O0", "-fPIC", "-shared", "-fno-eliminate-unused-debug-types", "-I", include,
                    source, "-o", path, f"-Wl,--version-script={symbols}", f"-Wl,-soname,libquern_c.so.{major(include)}"],
                   check=True)
    return path


def major(include):
    with open(os.path.join(include, "quern_c.h"), encoding="utf-8") as file:
        return re.search(r"define QUERN_C_ABI_VERSION (\d+)", file.read())[1]


def fields(struct):
    return [member for member in struct if member.tag == "data-member"]


def name_of(member):
    return member.find("var-decl").get("name")


def without_growth(old, new):
    """Takes from the new structs that begin with struct_size what follows the old fields: programs have shorter structs."""
    before = {struct.get("name"): struct for struct in old.iter("class-decl") if fields(struct)}
    for struct in new.iter("class-decl"):
        known = before.get(struct.get("name"))
        if known is None or not fields(struct) or name_of(fields(struct)[0]) != "struct_size":
            continue
        for member in fields(struct)[len(fields(known)):]:
            struct.remove(member)
            struct.set("size-in-bits", known.get("size-in-bits"))


def describe(path):
    """libabigail's description of a library, as XML; no paths and places of the sources."""
    run = subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", path], capture_output=True,
                         check=True)
    return run.stdout


def differences(baseline, path, scratch):
    """(exit status, text) of abidiff, additions left out. Bit 0 and 1: abidiff itself failed; bits 2 and 3: changes."""
    new = ElementTree.fromstring(describe(path))
    without_growth(ElementTree.parse(baseline), new)
    described = os.path.join(scratch, "new.abi")
    ElementTree.ElementTree(new).write(described)
    run = subprocess.run(["abidiff", "--no-added-syms", baseline, described], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def changed_copy(capi, folder, pattern, replacement):
    """A copy of the headers and the version script with one change, in which every function is exported."""
    shutil.copytree(os.path.join(capi, "include"), folder)
    path = os.path.join(folder, "quern_c.h")
    with open(path, encoding="utf-8") as file:
        text, n = re.subn(pattern, replacement, file.read(), flags=re.DOTALL if "API" in pattern else 0)
    if n != 1:
        raise ValueError(f"{pattern}: found {n} times in quern_c.h")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    symbols = os.path.join(folder, "symbols")
    with open(symbols, "w", encoding="utf-8") as file:
        file.write("QUERN_1 { global: quern_*; local: *; };\n")
    return folder, symbols


def check(compiler, capi, scratch):
    baseline = os.path.join(scratch, "baseline.abi")
    with gzip.open(BASELINE) as packed, open(baseline, "wb") as file:
        shutil.copyfileobj(packed, file)
    include, symbols = os.path.join(capi, "include"), os.path.join(capi, "quern_c.symbols")
    status, text = differences(baseline, library(compiler, include, symbols, scratch), scratch)
    errors = [f"abidiff says {status}:\n{text}"] if status else []
    print(f"abidiff: {'no removals and no changes' if not status else status}")
    for number, (what, pattern, replacement, compatible) in enumerate(CHANGES):
        here = os.path.join(scratch, str(number))
        os.mkdir(here)
        include, symbols = changed_copy(capi, os.path.join(here, "include"), pattern, replacement)
        found, text = differences(baseline, library(compiler, include, symbols, here), here)
        if found & 3 or bool(found & 12) == compatible:
            errors.append(f"{what}: abidiff says {found}, although that is {'allowed' if compatible else 'a break'}\n{text}")
        else:
            print(f"{what}: {'allowed' if compatible else 'found'}")
    return errors


def main():
    mode, compiler, capi = sys.argv[1:]
    for tool in ("abidiff", "abidw"):
        if not shutil.which(tool):
            print(f"skipped: {tool} (abigail-tools) is not installed")
            sys.exit(SKIPPED)
    if os.uname().machine != "x86_64":
        print("skipped: the baseline is of x86-64")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as scratch:
        if mode == "update":
            path = library(compiler, os.path.join(capi, "include"), os.path.join(capi, "quern_c.symbols"), scratch)
            text = describe(path)
            with open(BASELINE, "wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
                packed.write(text)
            print(f"{os.path.getsize(BASELINE)} bytes, {len(text)} unpacked")
            return
        errors = check(compiler, capi, scratch)
    print("\n".join(errors))
    sys.exit(1 if errors else 0)


main()
