#!/usr/bin/env python3
"""The logits of another engine (llama.cpp's C API, v0.5.0 was used) with low-rank adapters. Needs numpy.

  adapter_logits.py PEER_FOLDER MODEL.gguf IDS.json OUT.npy [--lora FILE SCALE]...

PEER_FOLDER holds the engine's shared libraries. Writes float32 [tokens, vocabulary], the logits of every position. The cache
is in float32, and attention without the fused half-precision kernel.
"""
import argparse
import ctypes as C
import glob
import json
import os
import sys

import numpy as np


class Blob(C.Structure):
    """A parameter struct whose fields are set by their offsets; larger than the real one."""
    _fields_ = [("words", C.c_uint32 * 128)]


class Batch(C.Structure):
    _fields_ = [("n", C.c_int32), ("token", C.POINTER(C.c_int32)), ("embd", C.c_void_p), ("pos", C.POINTER(C.c_int32)),
                ("n_seq", C.POINTER(C.c_int32)), ("seq", C.POINTER(C.POINTER(C.c_int32))), ("logits", C.POINTER(C.c_int8))]


def load(folder):
    os.chdir(folder)  # the variants for processors are looked for beside the library
    for pattern in ("libggml-base*.so", "libggml.*so"):
        for name in glob.glob(pattern):
            base = C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
    base.ggml_backend_load_all_from_path.argtypes = [C.c_char_p]
    base.ggml_backend_load_all_from_path(folder.encode())
    lib = C.CDLL(os.path.join(folder, sorted(glob.glob("libllama.*so"))[0]))
    lib.quiet = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)(lambda *_: None)
    if not os.environ.get("PEER_LOG"):
        lib.llama_log_set(lib.quiet, None)
        base.ggml_log_set(lib.quiet, None)
    for name in ("model_load_from_file", "init_from_model", "get_logits", "model_get_vocab", "adapter_lora_init"):
        getattr(lib, "llama_" + name).restype = C.c_void_p
    for name in ("model", "context"):
        getattr(lib, f"llama_{name}_default_params").restype = Blob
    lib.llama_model_load_from_file.argtypes = [C.c_char_p, Blob]
    lib.llama_init_from_model.argtypes = [C.c_void_p, Blob]
    lib.llama_adapter_lora_init.argtypes = [C.c_void_p, C.c_char_p]
    lib.llama_set_adapters_lora.argtypes = [C.c_void_p, C.c_void_p, C.c_size_t, C.c_void_p]
    lib.llama_batch_init.restype = Batch
    lib.llama_decode.argtypes = [C.c_void_p, Batch]
    lib.llama_get_logits.argtypes = lib.llama_model_get_vocab.argtypes = lib.llama_vocab_n_tokens.argtypes = [C.c_void_p]
    return lib


def context_params(lib, n_tokens):
    """n_ctx, n_batch, n_ubatch and n_seq_max come first; a cache of float16 is written as two ones."""
    params = lib.llama_context_default_params()
    w = params.words
    assert (w[0], w[1], w[2]) == (512, 2048, 512), "unexpected layout of the context's parameters"
    w[0], w[1], w[2] = (n_tokens + 255) // 256 * 256, 2048, 512
    threads = next(i for i in range(4, 12) if w[i] == w[i + 1] and 1 <= w[i] <= 512)
    w[threads] = w[threads + 1] = 1
    # The kinds of rope scaling, pooling, attention and fused attention, all left open.
    kinds = next(i for i in range(threads + 2, 20) if all(C.c_int32(w[i + j]).value == -1 for j in range(4)))
    w[kinds + 3] = 0
    types = next(i for i in range(kinds + 4, 40) if w[i] == 1 and w[i + 1] == 1)
    w[types] = w[types + 1] = 0
    return params


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("peer", "model", "ids", "out"):
        parser.add_argument(name)
    parser.add_argument("--lora", nargs=2, action="append", default=[])
    args = parser.parse_args()
    ids = json.loads(args.ids) if args.ids.startswith("[") else json.load(open(args.ids))
    model_path, out = os.path.abspath(args.model), os.path.abspath(args.out)
    adapters = [(os.path.abspath(path), float(scale)) for path, scale in args.lora]
    lib = load(os.path.abspath(args.peer))
    model = lib.llama_model_load_from_file(os.fsencode(model_path), lib.llama_model_default_params())
    if not model:
        sys.exit(f"{model_path}: the other engine does not open it")
    handles = [lib.llama_adapter_lora_init(model, os.fsencode(path)) for path, _ in adapters]
    if not all(handles):
        sys.exit("the other engine does not open an adapter")
    context = lib.llama_init_from_model(model, context_params(lib, len(ids)))
    if adapters:
        scales = (C.c_float * len(adapters))(*[scale for _, scale in adapters])
        if lib.llama_set_adapters_lora(context, (C.c_void_p * len(adapters))(*handles), len(adapters), scales) != 0:
            sys.exit("the other engine does not take the adapters")
    batch = lib.llama_batch_init(len(ids), 0, 1)
    batch.n = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq[i], batch.logits[i] = token, i, 1, 1
        batch.seq[i][0] = 0
    if lib.llama_decode(context, batch) != 0:
        sys.exit("the other engine does not decode")
    n_vocab = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
    logits = np.ctypeslib.as_array(C.cast(lib.llama_get_logits(context), C.POINTER(C.c_float)), (len(ids), n_vocab))
    np.save(out, logits.copy())


if __name__ == "__main__":
    main()
