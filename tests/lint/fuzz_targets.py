"""Every parser of untrusted bytes has a fuzz target: PARSERS says which source needs which tests/fuzz/<target>_fuzz.cc.

A source that looks like a parser (a name from PARSER_NAMES below lib/) and is not in the table is an error too, so that a
new parser is not forgotten.

usage: fuzz_targets.py SOURCE_DIR
"""
import glob
import os
import re
import sys

import tree

# (source of the parser, without suffix; fuzz target)
PARSERS = [
    ("lib/io/gguf", "gguf"),
    ("lib/io/adapter", "adapter"),
    ("lib/hf/peft", "adapter"),
    ("lib/hf/peft_config", "adapter"),
    ("lib/io/safetensors", "safetensors"),
    ("lib/hf/config", "hf_folder"),
    ("lib/hf/fields", "hf_folder"),
    ("lib/hf/rope", "hf_folder"),
    ("lib/hf/names", "hf_folder"),
    ("lib/io/json", "tokenizer_json"),
    ("lib/io/tokenizer_json", "tokenizer_json"),
    ("lib/io/tokenizer_steps", "tokenizer_json"),
    ("lib/io/sentencepiece", "sentencepiece"),
    ("lib/io/tiktoken", "tiktoken"),
    ("lib/chat/template", "template"),
    ("lib/chat/parser", "template"),
    ("lib/chat/lexer", "template"),
    ("lib/grammar/gbnf", "grammar"),
    ("lib/grammar/json_schema", "json_schema"),
    ("lib/convert/imatrix", "imatrix"),
    ("lib/text/charsmap", "vocab"),
    ("examples/store/name", "model_name"),
    ("examples/store/modelfile", "modelfile"),
    ("examples/store/parameters", "modelfile"),
    ("examples/store/manifest", "manifest"),
    ("examples/store/hub_files", "manifest"),
    ("examples/store/http_fields", "manifest"),
    ("examples/store/digest", "manifest"),
]
PARSER_NAMES = re.compile(r"(^|_)(parser?|lexer|reader|gguf|gbnf|sentencepiece|tiktoken|safetensors|json_schema|npy|imatrix)$")
# Look like parsers by name, and read only what another one has validated.
NOT_PARSERS = {"lib/io/reader", "lib/engine/imatrix", "lib/engine/api/imatrix"}


def main():
    root, errors, checked = sys.argv[1], [], 0
    table = dict(PARSERS)
    for source, target in PARSERS:
        if glob.glob(os.path.join(root, source + ".cc")):
            checked += 1
            if not os.path.exists(os.path.join(root, "tests/fuzz", target + "_fuzz.cc")):
                errors.append(f"{source}.cc reads untrusted input, and tests/fuzz/{target}_fuzz.cc does not exist")
    for path in tree.files(root, ["lib"], (".cc",)):
        stem = path[:-len(".cc")]
        if PARSER_NAMES.search(os.path.basename(stem)) and stem not in table and stem not in NOT_PARSERS:
            errors.append(f"{path}: looks like a parser; name its fuzz target in tests/lint/fuzz_targets.py")
    tree.finish(errors, checked)


main()
