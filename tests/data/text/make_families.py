#!/usr/bin/env python3
"""Writes small vocabularies of the families beside llama and gpt2, and expected_families.json: the ids that llama.cpp gives.

  make_families.py PEER_FOLDER DATA

PEER_FOLDER and DATA are those of tests/parity/compare_tokens.py. Texts whose difference from llama.cpp is known
(tests/parity/token_differences.py) are left out.
"""
import json
import os
import random
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../parity"))
import compare_tokens
import make_vocab_gguf as gguf
import token_corpus
import token_differences

PRE_NAMES = ["afmoe", "bailingmoe", "chameleon", "exaone-moe", "granite-embed-multi-97m", "jais-2", "jina-v5-nano", "kimi-k2", "laguna",
             "minicpm5", "roberta-bpe", "spark2_5", "superbpe", "talkie", "tiny_aya", "ufakzeka", "youtu"]


def wordpiece(data):
    """The special tokens, all single characters and every fifteenth other token of BERT's English vocabulary."""
    keys = gguf.read(os.path.join(data, "llama.cpp-vocab/ggml-vocab-bert-bge.gguf"))
    tokens = [t.decode() for t in keys["tokenizer.ggml.tokens"]]
    kept = [t for i, t in enumerate(tokens) if t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") or 1000 <= i and (len(t.strip("\u2581")) == 1 or i % 15 == 0)]
    ids = {name: kept.index(t) for name, t in (("pad", "[PAD]"), ("unk", "[UNK]"), ("bos", "[CLS]"), ("sep", "[SEP]"), ("mask", "[MASK]"))}
    return {"kind": "wordpiece", "tokens": kept, "types": [3 if t[0] == "[" and len(t) > 2 else 1 for t in kept], "add_bos": True, "add_sep": True,
            "lowercase": True, "strip_accents": True} | ids


def double_array(rules):
    """A precompiled normalizer for {string: replacement}, as charsmap.h describes it."""
    replacements, offsets, taken, bases = b"", {}, {0}, set()
    units = [0] * (1 << 12)
    trie = {}
    for source, target in sorted(rules.items()):
        offsets[source] = len(replacements)
        replacements += target.encode() + b"\0"
        node = trie
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = offsets[source]

    def place(node, unit):
        children = sorted(node)
        base = next(b for b in range(1, 1 << 11) if b not in bases and all((b ^ c) not in taken for c in children))
        bases.add(base)
        units[unit] |= (unit ^ base) << 10 | (0x100 if 0 in node else 0)
        taken.update(base ^ c for c in children)
        for c in children:
            units[base ^ c] = node[c] | 1 << 31 if c == 0 else c
        for c in children:
            if c:
                place(node[c], base ^ c)

    place(trie, 0)
    blob = b"".join(u.to_bytes(4, "little") for u in units)
    return len(blob).to_bytes(4, "little") + blob + replacements


def unigram(data):
    """The pieces of SentencePiece's test model with a small normalizer of its own."""
    pieces, scores, types, _ = gguf.sentencepiece(os.path.join(data, "sentencepiece/spm-test/test_model.model"))
    rules = {"\uff21": "A", "\uff42": "b", "\u2460": "1", "\ufb01": "fi", "\u00bd": "1\u20442", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ",
             "e\u0301": "\u00e9", "\u2026": "...", "\u200b": "", "\u1100\u1161": "\uac00"}
    return {"kind": "unigram", "tokens": [p.decode() for p in pieces] + ["<extra_id_0>", "<sep>"], "scores": scores + [0.0, 0.0],
            "types": types + [4, 3], "charsmap": list(double_array(rules)), "unk": 0, "bos": 1, "eos": 2, "add_eos": True, "add_space_prefix": True,
            "remove_extra_whitespaces": True}


def raw_bpe():
    """The demo model's pieces as merges of characters."""
    spm = json.load(open(os.path.join(HERE, "demo_spm.json")))
    keep = [i for i, t in enumerate(spm["tokens"]) if spm["types"][i] != 1 or len(t) == 1 or i < 1500]
    tokens, types = [spm["tokens"][i] for i in keep], [spm["types"][i] for i in keep]
    known, merges = set(tokens), []
    for t, kind in zip(tokens, types):
        if kind == 1:
            merges += [f"{t[:k]} {t[k:]}" for k in range(1, len(t)) if t[:k] in known and t[k:] in known]
    return {"kind": "raw_bpe", "pre": "gemma4", "tokens": tokens + ["\n\n", "\n\n\n"], "types": types + [1, 1], "merges": merges,
            "bos": spm["bos"], "eos": spm["eos"], "unk": spm["unk"], "add_bos": True}


def trie(data):
    keys = gguf.rwkv(data)
    keep = [i for i in range(len(keys["tokens"])) if i < 258 or i % 40 == 0]
    return {"kind": "trie", "tokens": [keys["tokens"][i] for i in keep], "types": [keys["token_type"][i] for i in keep]}


MODELS = {"wordpiece": "bert", "unigram": "t5", "raw_bpe": "gemma4", "trie": "rwkv", "bpe": "gpt2"}
NAMES = {"types": "token_type", "unk": "unknown_token_id", "bos": "bos_token_id", "eos": "eos_token_id", "sep": "seperator_token_id", "pad": "padding_token_id",
         "mask": "mask_token_id", "charsmap": "precompiled_charsmap", "add_bos": "add_bos_token", "add_eos": "add_eos_token", "add_sep": "add_sep_token",
         "lowercase": "normalizer.lowercase", "strip_accents": "normalizer.strip_accents"}


def expected(peer, vocab, pre, name):
    keys = {NAMES.get(k, k): v for k, v in vocab.items() if k not in ("kind", "pre")} | ({"pre": pre} if pre else {})
    keys.setdefault("add_bos_token", False)
    if "precompiled_charsmap" in keys:
        keys["precompiled_charsmap"] = bytes(keys["precompiled_charsmap"])
    with tempfile.TemporaryDirectory() as work:
        path = gguf.write(os.path.join(work, "v.gguf"), gguf.tokenizer_keys(MODELS[vocab["kind"]], **keys))
        tokenize, close = peer.open(path)
        special = [t for t, kind in zip(vocab["tokens"], vocab["types"]) if kind in (2, 3, 4)][:20]
        texts = [t for t in token_corpus.texts(400, special, seed=7) if len(t) <= 120]
        cases = []
        for i, text in enumerate(random.Random(1).sample(texts, 24 if pre and vocab["kind"] == "bpe" else 70)):
            shown = text.decode("utf-8", "replace")
            if shown.encode() != text or token_differences.cause(name, text):
                continue
            case = {"text": shown, "ids": tokenize(text, i % 2 == 1, i % 2 == 1)}
            cases.append(case | ({"special": True} if i % 2 else {}))
        close()
    return cases


def main():
    peer, data, groups = compare_tokens.Peer(sys.argv[1]), sys.argv[2], []
    made = {"small_wordpiece.json": wordpiece(data), "small_unigram.json": unigram(data), "small_raw_bpe.json": raw_bpe(), "small_trie.json": trie(data)}
    for name, vocab in made.items():
        with open(os.path.join(HERE, name), "w", encoding="ascii") as file:
            json.dump(vocab, file, separators=(",", ":"))
            file.write("\n")
        groups.append({"vocab": name, "pre": vocab.get("pre", ""), "cases": expected(peer, vocab, "", MODELS[vocab["kind"]])})
    bpe = json.load(open(os.path.join(HERE, "small_bpe.json")))
    for pre in PRE_NAMES:
        groups.append({"vocab": "small_bpe.json", "pre": pre, "cases": expected(peer, bpe, pre, "pre:" + pre)})
    with open(os.path.join(HERE, "expected_families.json"), "w", encoding="ascii") as file:
        json.dump(groups, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
