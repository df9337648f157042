#!/usr/bin/env python3
"""Token ids of Quern and of another engine for many texts and vocabularies. Standard library only.

  compare_tokens.py LIBQUERN_C.so PEER_FOLDER DATA [--texts 20000] [--only NAME] [--show 3] [--work FOLDER]

PEER_FOLDER holds the other engine's shared libraries (libllama*.so, libggml*.so; llama.cpp's C API). DATA is a folder with
llama.cpp-vocab/*.gguf and vocabularies in other formats (see make_vocab_gguf.py), from which vocabularies are built in
FOLDER. The texts are made from a fixed seed (token_corpus.py). Texts are tokenized with and without special tokens; for the
pre-tokenizers' names, with them every fourth text. Differences whose cause is known (KNOWN in token_differences.py) are counted by cause; any other is printed, and the
exit status is 1.
"""
import argparse
import collections
import ctypes as C
import glob
import os
import sys
import tempfile

import make_vocab_gguf
import token_corpus
import token_differences


class Peer:
    """llama.cpp's C API. The fields of its parameter struct that are set here are found by their defaults."""

    class Params(C.Structure):
        _fields_ = [("bytes", C.c_uint8 * 512)]

    def __init__(self, folder):
        here = os.getcwd()
        os.chdir(folder)
        for pattern in ("libggml-base*.so", "libggml.*so"):
            for name in glob.glob(pattern):
                C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
        lib = C.CDLL(os.path.join(folder, sorted(glob.glob("libllama.*so"))[0]))
        os.chdir(here)
        self.quiet = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)(lambda *_: None)
        lib.llama_log_set(self.quiet, None)
        lib.llama_model_default_params.restype = Peer.Params
        lib.llama_model_load_from_file.argtypes = [C.c_char_p, Peer.Params]
        lib.llama_model_load_from_file.restype = C.c_void_p
        lib.llama_model_get_vocab.argtypes = [C.c_void_p]
        lib.llama_model_get_vocab.restype = C.c_void_p
        lib.llama_model_free.argtypes = [C.c_void_p]
        lib.llama_tokenize.argtypes = [C.c_void_p, C.c_char_p, C.c_int32, C.c_void_p, C.c_int32, C.c_bool, C.c_bool]
        self.lib = lib

    def open(self, path):
        params = self.lib.llama_model_default_params()
        params.bytes[72] = 1  # vocab_only, the first of the flags
        model = self.lib.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            return None
        vocab, buffer = self.lib.llama_model_get_vocab(model), (C.c_int32 * (1 << 20))()

        def tokenize(text, add_special, parse_special):
            n = self.lib.llama_tokenize(vocab, text, len(text), buffer, len(buffer), add_special, parse_special)
            return buffer[:n]

        return tokenize, lambda: self.lib.llama_model_free(model)


class Quern:
    class Options(C.Structure):
        _fields_ = [("struct_size", C.c_size_t), ("runtime", C.c_void_p), ("no_mmap", C.c_int32), ("vocab_only", C.c_int32),
                    ("progress", C.c_void_p), ("progress_user", C.c_void_p), ("cancel", C.c_void_p), ("no_repack", C.c_int32)]

    def __init__(self, path):
        self.lib = C.CDLL(os.path.abspath(path))
        self.lib.quern_model_open.argtypes = [C.c_char_p, C.c_void_p, C.c_void_p]
        self.lib.quern_last_error_message.restype = C.c_char_p
        self.lib.quern_model_close.argtypes = [C.c_void_p]
        self.lib.quern_tokenize.argtypes = [C.c_void_p, C.c_char_p, C.c_size_t, C.c_uint32, C.c_void_p, C.c_size_t, C.c_void_p]

    def open(self, path):
        model, options = C.c_void_p(), Quern.Options(C.sizeof(Quern.Options), vocab_only=1)
        if self.lib.quern_model_open(os.fsencode(path), C.byref(options), C.byref(model)) != 0:
            sys.exit(f"{path}: {self.lib.quern_last_error_message().decode()}")
        buffer, needed = (C.c_int32 * (1 << 20))(), C.c_size_t()

        def tokenize(text, add_special, parse_special):
            flags = (1 if add_special else 0) | (2 if parse_special else 0)
            if self.lib.quern_tokenize(model, text, len(text), flags, buffer, len(buffer), C.byref(needed)) != 0:
                sys.exit(f"{path}: {self.lib.quern_last_error_message().decode()}")
            return buffer[:needed.value]

        return tokenize, lambda: self.lib.quern_model_close(model)


def compare(name, ours, theirs, texts, show):
    causes, unknown, n = collections.Counter(), 0, 0
    for i, text in enumerate(texts):
        # How special tokens are found does not depend on the pre-tokenizer's name.
        for special in (False, True) if i % 4 == 0 or not name.startswith("pre:") else (False,):
            n += 1
            a, b = ours(text, special, special), theirs(text, special, special)
            if a == b:
                continue
            cause = token_differences.cause(name, text)
            if cause:
                causes[cause] += 1
                continue
            unknown += 1
            if unknown <= show:
                at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
                print(f"  {text[:300]!r} special={special}: from token {at} on ours {a[at:at + 8]}, theirs {b[at:at + 8]}")
    known = "".join(f"; {n} differ: {cause}" for cause, n in causes.items())
    print(f"{name}: {n} comparisons, {unknown} unexplained differences{known}", flush=True)
    return unknown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("quern"), parser.add_argument("peer"), parser.add_argument("data")
    parser.add_argument("--texts", type=int, default=20000), parser.add_argument("--only", default="")
    parser.add_argument("--names", default="", help="only these vocabularies: a list with commas")
    parser.add_argument("--show", type=int, default=3), parser.add_argument("--work", default=tempfile.gettempdir())
    args = parser.parse_args()
    quern, peer = Quern(args.quern), Peer(args.peer)
    bad, n = 0, 0
    wanted = lambda name: args.only in name and (not args.names or name in args.names.split(","))
    for name, path in make_vocab_gguf.vocabularies(args.data, args.work, wanted):
        opened = peer.open(path)
        if opened is None:
            print(f"{name}: the other engine does not open it")
            bad += 1
            continue
        theirs, close_theirs = opened
        ours, close_ours = quern.open(path)
        texts = token_corpus.texts(args.texts, make_vocab_gguf.special_texts(path))
        bad += compare(name, ours, theirs, texts, args.show)
        n += 1
        close_theirs(), close_ours()
    print(f"{n} vocabularies, {bad} unexplained differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
