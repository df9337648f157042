#!/usr/bin/env python3
"""Writes mix_rules.txt anew: the types that llama.cpp gives to the tensors of the models listed there, in every recipe.

The models' shapes are read from mix_rules.txt itself; for each, an empty file of these tensors is made, and
llama_model_quantize() tells its choice in a dry run.

usage: mix_rules.py LIBRARY_DIR        the folder of libllama.so, libggml.so and libggml-base.so (any version suffix)

Made with llama.cpp v0.5.0.
"""
import ctypes as C
import glob
import os
import re
import struct
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "mix_rules.txt")
RECIPES = dict(Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13, Q4_K_S=14, Q4_K_M=15,
               Q5_K_S=16, Q5_K_M=17, Q6_K=18, IQ2_XXS=19, IQ2_XS=20, Q2_K_S=21, IQ3_XS=22, IQ3_XXS=23, IQ1_S=24, IQ4_NL=25,
               IQ3_S=26, IQ3_M=27, IQ2_S=28, IQ2_M=29, IQ4_XS=30, IQ1_M=31, TQ1_0=36, TQ2_0=37, MXFP4_MOE=38, Q1_0=40, Q2_0=41)
# With an importance matrix only these recipes choose differently; the others are recorded for one model.
WITH_IMATRIX = {"IQ3_XXS", "IQ4_NL", "IQ4_XS", "Q4_0", "Q5_0"}
LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWX", ["IQ1_M", "IQ1_S", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_S", "IQ3_XXS", "IQ4_NL",
                                               "IQ4_XS", "MXFP4", "Q2_0", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0",
                                               "Q5_1", "Q5_K", "Q6_K", "Q8_0", "TQ1_0", "TQ2_0", "Q1_0"]))


class Series:
    """Tensors of one shape: a single one, or one per layer of a range."""

    def __init__(self, line):
        kind, *rest = line.split()
        layers = range(0)
        if kind == "layers":
            first, last = rest.pop(0).split("-")
            layers = range(int(first), int(last) + 1)
        self.line, self.ne = line, [int(n) for n in rest[1].split(",")]
        self.names = [f"blk.{i}.{rest[0]}" for i in layers] or [rest[0]]


def read_models(path):
    """The comments, and [(model line, [Series])]."""
    comments, models = [], []
    for line in open(path).read().splitlines():
        if line.startswith("#"):
            comments.append(line)
        elif line.startswith("model "):
            models.append((line, []))
        elif line.startswith(("tensor ", "layers ")):
            models[-1][1].append(Series(line))
    return comments, models


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def write_gguf(path, facts, series):
    arch, number = facts["arch"], {k: int(v) for k, v in facts.items() if v.isdigit()}
    ints = {"context_length": 2048, "embedding_length": number["n_embd"], "block_count": number["n_layer"],
            "feed_forward_length": number["n_ff"], "attention.head_count": number["n_head"],
            "attention.head_count_kv": number["n_head_kv"], "rope.dimension_count": number["hd"],
            "attention.key_length": number["hd"], "attention.value_length": number["hd"], "vocab_size": number["vocab"]}
    if number["n_expert"]:
        ints.update({"expert_count": number["n_expert"], "expert_used_count": 2, "expert_feed_forward_length": number["n_ff"]})
    if arch == "deepseek2":
        ints.update({"attention.kv_lora_rank": 512, "attention.q_lora_rank": 1536, "leading_dense_block_count": 1,
                     "expert_shared_count": 1, "attention.key_length_mla": 192, "attention.value_length_mla": 128})
    floats = {"attention.layer_norm_rms_epsilon": 1e-5, "attention.layer_norm_epsilon": 1e-5, "expert_weights_scale": 1.0}
    keys = [text("general.architecture") + struct.pack("<I", 8) + text(arch)]
    keys += [text(f"{arch}.{k}") + struct.pack("<II", 4, v) for k, v in ints.items()]
    keys += [text(f"{arch}.{k}") + struct.pack("<If", 6, v) for k, v in floats.items()]
    infos, offset, n = b"", 0, 0
    for s in series:
        size = 2
        for extent in s.ne:
            size *= extent
        for name in s.names:
            infos += text(name) + struct.pack("<I", len(s.ne)) + struct.pack(f"<{len(s.ne)}Q", *s.ne)
            infos += struct.pack("<IQ", 1, offset)
            offset += (size + 31) // 32 * 32
            n += 1
    head = b"GGUF" + struct.pack("<IQQ", 3, n, len(keys)) + b"".join(keys) + infos
    head += bytes(-len(head) % 32)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + offset)  # a hole: nothing reads the weights


class Params(C.Structure):
    """llama_model_quantize_params, with room to spare."""
    _fields_ = [("n_thread", C.c_int32), ("ftype", C.c_int32), ("output_type", C.c_int32), ("embd_type", C.c_int32),
                ("allow_requantize", C.c_bool), ("quantize_output", C.c_bool), ("only_copy", C.c_bool), ("pure", C.c_bool),
                ("keep_split", C.c_bool), ("dry_run", C.c_bool), ("imatrix", C.c_void_p), ("rest", C.c_uint64 * 60)]


class ImatrixData(C.Structure):
    _fields_ = [("name", C.c_char_p), ("data", C.c_void_p), ("size", C.c_size_t)]


class Peer:
    def __init__(self, folder):
        os.chdir(folder)
        def load(stem, mode):
            return C.CDLL(os.path.abspath(sorted(glob.glob(stem))[0]), mode=mode)
        load("libggml-base*.so*", C.RTLD_GLOBAL)
        ggml = load("libggml.*so*", C.RTLD_GLOBAL)
        self.lib, self.log = load("libllama.*so*", 0), []
        ggml.ggml_backend_load_all_from_path.argtypes = [C.c_char_p]
        ggml.ggml_backend_load_all_from_path(folder.encode())
        self.callback = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)(
            lambda level, line, user: self.log.append(line.decode(errors="replace")))
        self.lib.llama_log_set(self.callback, None)
        self.lib.llama_model_quantize_default_params.restype = Params
        self.lib.llama_model_quantize.argtypes = [C.c_char_p, C.c_char_p, C.c_void_p]

    def types(self, path, recipe, series, imatrix):
        params = self.lib.llama_model_quantize_default_params()
        params.n_thread, params.ftype, params.dry_run = 1, RECIPES[recipe], True
        names = [(name, s.ne[0] * (s.ne[2] if len(s.ne) > 2 else 1)) for s in series for name in s.names]
        ones = (C.c_float * max(n for _, n in names))(*[1.0] * max(n for _, n in names))
        data = (ImatrixData * (len(names) + 1))()
        for i, (name, n) in enumerate(names):
            data[i] = ImatrixData(name.encode(), C.addressof(ones), n)
        params.imatrix = C.addressof(data) if imatrix else None
        self.log.clear()
        if self.lib.llama_model_quantize(path.encode(), b"/nowhere.gguf", C.byref(params)):
            sys.exit(f"{recipe}: " + "".join(self.log)[-300:])
        found = re.findall(r"^\[ *\d+/ *\d+\] +(\S+) +- \[.*?type = *(\w+), size = *[\d.]+ MiB(?: -> *[\d.]+ MiB \((\w+)\))?",
                           "".join(self.log), re.MULTILINE)
        return {name: (new or old).upper() for name, old, new in found}


def packed(letters):
    """Runs: "PPPPTPP" is "4PT2P"."""
    return re.sub(r"(.)\1*", lambda m: (str(len(m[0])) if len(m[0]) > 1 else "") + m[1], letters)


def main():
    peer, (comments, models) = Peer(os.path.abspath(sys.argv[1])), read_models(FILE)
    letter = {name: c for c, name in LETTERS.items()}
    lines = list(comments) + ["types " + " ".join(f"{c}={name}" for c, name in LETTERS.items())]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.gguf")
        for number, (model, series) in enumerate(models):
            write_gguf(path, dict(word.split("=") for word in model.split()[2:]), series)
            lines += [model] + [s.line for s in series]
            for imatrix in (0, 1):
                for recipe in RECIPES:
                    odd = any(s.ne[0] % 128 for s in series)
                    if (imatrix and number and recipe not in WITH_IMATRIX) or (recipe == "Q1_0" and odd):
                        continue  # llama.cpp has no stand-in for Q1_0
                    types = peer.types(path, recipe, series, imatrix)
                    lines.append(f"recipe {recipe} {imatrix} " +
                                 " ".join(packed("".join(letter[types[name]] for name in s.names)) for s in series))
            print(model.split()[1], file=sys.stderr)
    open(FILE, "w").write("\n".join(lines) + "\n")


main()
