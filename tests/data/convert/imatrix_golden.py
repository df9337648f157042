#!/usr/bin/env python3
"""Writes an importance matrix (.dat) that llama.cpp's library measures: its callback before each operation sees the inputs of
all matrix products, as llama-imatrix does; the sums are made here, in double.

usage: imatrix_golden.py LIBRARY_DIR MODEL.gguf TOKENS.json N_CTX OUT.dat

LIBRARY_DIR: the folder of libllama.so, libggml.so and libggml-base.so (any version suffix). TOKENS.json: a list of token ids,
or a document with one under "tokens"; whole chunks of N_CTX are read, each on its own. A chunk's first token becomes 1 (BOS).

stories260K.imatrix.dat: ../model/stories260K-f16.gguf ../model/stories260K_expected.json 128, with llama.cpp v0.5.0.
"""
import ctypes as C
import glob
import json
import os
import struct
import sys

import numpy as np

N_SRC = 10


class Tensor(C.Structure):
    """ggml_tensor."""


Tensor._fields_ = [("type", C.c_int32), ("buffer", C.c_void_p), ("ne", C.c_int64 * 4), ("nb", C.c_size_t * 4),
                   ("op", C.c_int32), ("op_params", C.c_int32 * 16), ("flags", C.c_int32),
                   ("src", C.POINTER(Tensor) * N_SRC), ("view_src", C.c_void_p), ("view_offs", C.c_size_t),
                   ("data", C.c_void_p), ("name", C.c_char * 64)]


class Params(C.Structure):
    """A parameter struct passed by value, larger than the real one; fields are set by their offset."""
    _fields_ = [("words", C.c_uint32 * 128)]


class Batch(C.Structure):
    _fields_ = [("n", C.c_int32), ("token", C.POINTER(C.c_int32)), ("embd", C.c_void_p), ("pos", C.POINTER(C.c_int32)),
                ("n_seq", C.POINTER(C.c_int32)), ("seq", C.POINTER(C.POINTER(C.c_int32))), ("logits", C.POINTER(C.c_int8))]


def load(folder):
    os.chdir(folder)
    def library(stem, mode=C.RTLD_GLOBAL):
        return C.CDLL(os.path.abspath(sorted(glob.glob(stem))[0]), mode=mode)
    base, ggml, llama = library("libggml-base*.so*"), library("libggml.*so*"), library("libllama.*so*")
    ggml.ggml_backend_load_all_from_path(folder.encode())
    base.ggml_op_name.restype = C.c_char_p
    for name in ("llama_model_default_params", "llama_context_default_params"):
        getattr(llama, name).restype = Params
    for name in ("llama_model_load_from_file", "llama_init_from_model", "llama_get_memory"):
        getattr(llama, name).restype = C.c_void_p
    llama.llama_model_load_from_file.argtypes = [C.c_char_p, Params]
    llama.llama_init_from_model.argtypes = [C.c_void_p, Params]
    llama.llama_get_memory.argtypes = [C.c_void_p]
    llama.llama_memory_clear.argtypes = [C.c_void_p, C.c_bool]
    llama.llama_batch_init.restype = Batch
    llama.llama_decode.argtypes = [C.c_void_p, Batch]
    return base, llama


class Sums:
    """What the callback gathers: {weight: [sums of squares, tokens]}."""

    def __init__(self, base):
        self.by_name, self.base = {}, base
        self.callback = C.CFUNCTYPE(C.c_bool, C.POINTER(Tensor), C.c_bool, C.c_void_p)(self.see)

    def see(self, tensor, asks, user):
        t = tensor.contents
        if self.base.ggml_op_name(t.op) != b"MUL_MAT":
            return not asks
        weight, x = t.src[0].contents, t.src[1].contents
        name = weight.name.decode()
        if not name.endswith(".weight"):
            return not asks  # the products of attention
        if asks:
            return True
        assert x.type == 0 and x.nb[0] == 4, "F32 rows expected"
        n, rows = x.ne[0], x.ne[1] * x.ne[2] * x.ne[3]
        values = np.ctypeslib.as_array(C.cast(x.data, C.POINTER(C.c_float)), (rows, n)).astype(np.float64)
        sums, _ = self.by_name.setdefault(name, [np.zeros(n), 0])
        sums += (values ** 2).sum(0)
        self.by_name[name][1] += rows
        return True


def main():
    folder, model_path, tokens_path, n_ctx, out = sys.argv[1:6]
    model_path, out, n_ctx = os.path.abspath(model_path), os.path.abspath(out), int(n_ctx)
    tokens = json.load(open(tokens_path))
    tokens = tokens["tokens"] if isinstance(tokens, dict) else tokens
    base, llama = load(os.path.abspath(folder))
    sums = Sums(base)
    model = llama.llama_model_load_from_file(model_path.encode(), llama.llama_model_default_params())
    params = llama.llama_context_default_params()
    words = params.words
    types = next(i for i in range(20, 40, 2) if words[i] == words[i + 1] == 1)  # type_k, type_v: F16
    words[0] = words[1] = words[2] = n_ctx  # n_ctx, n_batch, n_ubatch
    pointer = C.cast(sums.callback, C.c_void_p).value  # cb_eval and its user data stand before the types
    words[types - 4], words[types - 3] = pointer & 0xFFFFFFFF, pointer >> 32
    context = llama.llama_init_from_model(model, params)
    n_chunks = len(tokens) // n_ctx
    batch = llama.llama_batch_init(n_ctx, 0, 1)
    for chunk in range(n_chunks):
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        batch.n = n_ctx
        for i in range(n_ctx):
            batch.token[i] = tokens[chunk * n_ctx + i] if i else 1
            batch.pos[i], batch.n_seq[i], batch.seq[i][0], batch.logits[i] = i, 1, 0, 1
        assert llama.llama_decode(context, batch) == 0
    with open(out, "wb") as file:
        file.write(struct.pack("<i", len(sums.by_name)))
        for name, (values, count) in sorted(sums.by_name.items()):
            assert count == n_chunks * n_ctx, (name, count)
            means = (values / count * n_chunks).astype("<f4")
            file.write(struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", n_chunks, len(means)) + means.tobytes())
        file.write(struct.pack("<ii", n_chunks, len("tokens")) + b"tokens")
    print(f"{len(sums.by_name)} weights, {n_chunks} chunks of {n_ctx}", file=sys.stderr)


main()
