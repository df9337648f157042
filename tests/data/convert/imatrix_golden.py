#!/usr/bin/env python3
"""Writes an importance matrix (.dat) that llama.cpp's library measures: its callback before each operation sees the inputs of
all matrix products, as llama-imatrix does; the sums are made here, in double.

usage: imatrix_golden.py LIBRARY_DIR MODEL.gguf TOKENS.json N_CTX OUT.dat [BOS]

LIBRARY_DIR: the folder of libllama.so, libggml.so and libggml-base.so (any version suffix). TOKENS.json: a list of token ids,
or a document with one under "tokens"; whole chunks of N_CTX are read, each on its own, with BOS in place of the first token if
that is given.

With llama.cpp v0.5.0:
  stories260K.imatrix.dat   ../model/stories260K-f16.gguf ../model/stories260K_expected.json 128, BOS 1
  NAME.imatrix.dat          NAME.gguf (tests/golden/goldens.py --models) ../golden/NAME.json 64
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
    """What the callback gathers: {weight: [sums of squares [matrices, columns], tokens [matrices]]}."""

    def __init__(self, base):
        self.by_name, self.base = {}, base
        self.callback = C.CFUNCTYPE(C.c_bool, C.POINTER(Tensor), C.c_bool, C.c_void_p)(self.see)

    def see(self, tensor, asks, user):
        t = tensor.contents
        kind = self.base.ggml_op_name(t.op)
        if kind not in (b"MUL_MAT", b"MUL_MAT_ID"):
            return not asks
        weight, x = t.src[0].contents, t.src[1].contents
        name = weight.name.decode()
        if not name.endswith(".weight"):
            return not asks  # the products of attention
        if asks:
            return True
        values = array(x, np.float32).astype(np.float64)[0]  # [tokens, rows of a token, columns]
        if kind == b"MUL_MAT":
            values = values.reshape(-1, values.shape[-1])
            experts = np.zeros(len(values), int)
        else:
            chosen = array(t.src[2].contents, np.int32)[0, 0]  # [tokens, experts of a token]
            values = np.broadcast_to(values, (*chosen.shape, values.shape[-1])).reshape(chosen.size, -1)
            experts = chosen.ravel()
        shape = (weight.ne[2], values.shape[1])
        sums, counts = self.by_name.setdefault(name, (np.zeros(shape), np.zeros(weight.ne[2])))
        np.add.at(sums, experts, values ** 2)
        np.add.at(counts, experts, 1)
        return True


def array(tensor, kind):
    """A view of a tensor of numbers, its extents in reverse: the contiguous one last."""
    shape, strides = [list(reversed(v)) for v in (tensor.ne, tensor.nb)]
    size = sum((n - 1) * stride for n, stride in zip(shape, strides)) + 4
    raw = np.ctypeslib.as_array(C.cast(tensor.data, C.POINTER(C.c_uint8)), (size,))
    return np.ndarray(shape, kind, raw, 0, strides)


def main():
    folder, model_path, tokens_path, n_ctx, out = sys.argv[1:6]
    bos = int(sys.argv[6]) if len(sys.argv) > 6 else None
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
            batch.token[i] = bos if i == 0 and bos is not None else tokens[chunk * n_ctx + i]
            batch.pos[i], batch.n_seq[i], batch.seq[i][0], batch.logits[i] = i, 1, 0, 1
        assert llama.llama_decode(context, batch) == 0
    with open(out, "wb") as file:
        file.write(struct.pack("<i", len(sums.by_name)))
        for name, (values, counts) in sorted(sums.by_name.items()):
            assert len(counts) > 1 or counts[0] == n_chunks * n_ctx, (name, counts)
            means = np.where(counts[:, None] > 0, values / np.maximum(counts[:, None], 1), 1.0) * n_chunks
            file.write(struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", n_chunks, means.size))
            file.write(means.astype("<f4").tobytes())
        file.write(struct.pack("<ii", n_chunks, len("tokens")) + b"tokens")
    print(f"{len(sums.by_name)} weights, {n_chunks} chunks of {n_ctx}", file=sys.stderr)


main()
