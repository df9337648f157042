"""The Rust crates: their tests, their examples beside the command line, and the declarations beside the headers.

usage: rust_test.py SOURCE_DIR LIBRARY_DIR QUERN SCRATCH_DIR
"""
import os
import re
import sys

import support

root, library, quern, scratch = sys.argv[1:]
sys.path.insert(0, os.path.join(root, "tests", "capi"))
import headers  # noqa: E402

DEMO = os.path.join(root, "examples/models/quern-demo-q8_0.gguf")
TYPES = {"void": "c_void", "char": "c_char", "int": "c_int", "float": "f32", "double": "f64", "size_t": "usize",
         "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64"}


def rust_type(text):
    """A C type in Rust: `const char* const*` is `*const *const c_char`."""
    words = [word for word in re.findall(r"\w+|\*", text) if word != "struct"]
    const = words[0] == "const"
    words = words[const:]
    result = TYPES.get(words[0], words[0])
    for word in words[1:]:
        if word == "*":
            result, const = ("*const " if const else "*mut ") + result, False
        elif word == "const":
            const = True
    return result


def check_declarations():
    """What quern-sys declares is what the headers declare; what they have beyond that is only named."""
    with open(os.path.join(root, "bindings/rust/quern-sys/src/lib.rs"), encoding="utf-8") as file:
        text = file.read()
    ours = {}
    for name, parameters, result in re.findall(r"pub fn (quern_\w+)\(([^)]*)\)(?:\s*-> ([^;]+))?;", text):
        ours[name] = ([" ".join(p.split(":", 1)[1].split()) for p in parameters.split(",") if p.strip()], result)
    missing = []
    for result, name, parameters in headers.functions(os.path.join(root, "capi/include")):
        types = [rust_type(re.sub(r"\w+$", "", p.strip())) for p in parameters.split(",") if p.strip() != "void"]
        if name not in ours:
            missing.append(name)
            continue
        wanted_result = "" if result == "void" else rust_type(result)
        if ours.pop(name) != (types, wanted_result):
            sys.exit(f"{name}: quern-sys declares other types than {types} -> {wanted_result or '()'}")
    if ours:
        sys.exit(f"not in the headers: {sorted(ours)}")
    print(f"not declared in quern-sys yet: {missing}" if missing else "every function is declared in quern-sys")

    constants = dict(re.findall(r"pub const (QUERN_\w+): \w+ = (-?\w+);", text))
    everything = ""
    for name in sorted(os.listdir(os.path.join(root, "capi/include"))):
        with open(os.path.join(root, "capi/include", name), encoding="utf-8") as file:
            everything += file.read()
    compared = 0
    for name, value in re.findall(r"^#define (QUERN_\w+) (?:\(\(\w+\))?\(?(-?\d+)u?\)?(?!\w)", everything, re.MULTILINE):
        if name in constants:
            compared += 1
            if constants[name] != value:
                sys.exit(f"{name} is {constants[name]} in quern-sys and {value} in the header")
    if compared < 40:
        sys.exit(f"only {compared} constants were compared")


def main():
    cargo = support.need("cargo")
    check_declarations()
    environment = support.environment(QUERN_LIB_DIR=library, CARGO_TARGET_DIR=os.path.join(scratch, "cargo"))
    folder = os.path.join(root, "bindings/rust")
    print(support.run([cargo, "test", "--offline", "--locked", "--features", "quern-sys/layout"], cwd=folder, env=environment))

    def example(name, *arguments, **options):
        program = os.path.join(scratch, "cargo/debug/examples", name)
        return support.run([program, DEMO, *arguments], env=environment, **options)

    wanted = support.answers(quern, DEMO)
    for question, answer in zip(support.QUESTIONS, wanted):
        support.expect(f"hello: {question}", example("hello", question), answer + "\n")
    support.expect("chat_stream", example("chat_stream", input=support.QUESTIONS[0] + "\n"), wanted[0] + "\n")
    lines = example("embed", *support.SENTENCES).splitlines()
    support.expect_near("embed", lines, support.SENTENCES, support.nearness(quern, DEMO))


main()
