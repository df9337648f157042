#!/usr/bin/env python3
"""Makes the vectors of the formats that only Hugging Face checkpoints have (NF4 .. F8_E5M2) in this folder.

    make_checkpoint_vectors.py FOLDER

FOLDER has bnb_nf4.safetensors and the other files that are named below, each with one linear layer as its method stores
it and with "expected_f32", the weights that it stands for; and W_64x256.f32, what was quantized. They were made with
numpy for this project (CC0), after the methods' papers and formats.

Codes and scales are put into the blocks of lib/quant; "expected_f32" is copied. <TYPE>.randbits has blocks of random
codes and scales, and values that numpy computes.
"""
import json
import os
import struct
import sys

import numpy as np

F32 = np.float32
HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 4  # of 256 columns


class Layer:
    DTYPES = {"F32": "<f4", "F16": "<f2", "I32": "<i4", "I64": "<i8", "U8": "u1", "I8": "i1", "F8_E4M3": "u1"}

    def __init__(self, path):
        data = open(path, "rb").read()
        (size,) = struct.unpack("<Q", data[:8])
        self.arrays = {}
        for name, info in json.loads(data[8:8 + size]).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + size + x for x in info["data_offsets"])
            self.arrays[name] = np.frombuffer(data[begin:end], self.DTYPES[info["dtype"]]).reshape(info["shape"])

    def __getitem__(self, name):
        return self.arrays[name if name == "expected_f32" else "w." + name]


def nibble_order(codes):
    """[n, 32 k] codes as [n, 16 k] bytes."""
    parts = codes.reshape(len(codes), -1, 2, 16).astype(np.uint8)
    return (parts[:, :, 0] | parts[:, :, 1] << 4).reshape(len(codes), -1)


def two_bits(codes):
    """[n, 16 k] codes as [n, 4 k] bytes."""
    parts = codes.reshape(len(codes), -1, 4, 4).astype(np.uint8)
    return sum(parts[:, :, i] << (2 * i) for i in range(4)).astype(np.uint8).reshape(len(codes), -1)


def three_bits(codes):
    """[n, 32 k] codes as [n, 12 k] bytes."""
    low = two_bits(codes & 3).reshape(len(codes), -1, 8)
    parts = (codes >> 2).reshape(len(codes), -1, 8, 4).astype(np.uint8)
    high = sum(parts[:, :, i] << i for i in range(8)).astype(np.uint8)
    return np.concatenate([low, high], axis=2).reshape(len(codes), -1)


PACK = {"INT4": nibble_order, "INT4_32": nibble_order, "INT3": three_bits, "INT2": two_bits,
        "INT8": lambda codes: codes.astype(np.int8).view(np.uint8)}
SIZE = {"INT4": 128, "INT4_32": 32, "INT3": 128, "INT2": 128, "INT8": 128}


def zero_point_blocks(name, codes, d, z):
    """codes [n, block]; d, z [n]"""
    n = len(codes)
    head = np.zeros((n, 4), np.uint8)
    head[:, :2] = np.ascontiguousarray(d, "<f2").view(np.uint8).reshape(n, 2)
    head[:, 2] = z.astype(np.int64) & 255
    return np.concatenate([head, PACK[name](codes)], axis=1)


def write_floats(name, values):
    np.ascontiguousarray(values, "<f4").tofile(os.path.join(HERE, name))


def write(name, kind, blocks, values):
    blocks.astype(np.uint8).tofile(os.path.join(HERE, f"{name}.{kind}.q"))
    write_floats(f"{name}.{kind}.deq.f32", values)


def source_rows(folder):
    return np.fromfile(os.path.join(folder, "W_64x256.f32"), "<f4").reshape(64, 256)[:ROWS]


def bnb_codes(layer, rows):
    flat = layer["weight"].reshape(-1)
    return np.stack([flat >> 4, flat & 15], axis=1).reshape(-1, 256)[:rows]


def bitsandbytes(folder):
    for name, file in (("NF4", "bnb_nf4"), ("FP4", "bnb_fp4")):
        layer = Layer(os.path.join(folder, file + ".safetensors"))
        codes = bnb_codes(layer, ROWS).reshape(-1, 64)
        absmax = layer["weight.absmax"][:len(codes)].astype("<f4").view(np.uint8).reshape(-1, 4)
        write(name, "layer", np.concatenate([absmax, nibble_order(codes)], axis=1), layer["expected_f32"][:ROWS])
    layer = Layer(os.path.join(folder, "bnb_nf4_dq.safetensors"))
    state = json.loads(layer["weight.quant_state.bitsandbytes__nf4"].tobytes())
    head = np.array([layer["weight.nested_absmax"][0], state["nested_offset"]], "<f4").view(np.uint8)
    absmax = layer["weight.absmax"].reshape(-1, 4)[:ROWS]
    blocks = np.concatenate([np.tile(head, (ROWS, 1)), absmax, nibble_order(bnb_codes(layer, ROWS))], axis=1)
    write("NF4_DQ", "layer", blocks, layer["expected_f32"][:ROWS])
    write_floats("dynamic_map.f32", layer["weight.nested_quant_map"])
    return layer["weight.nested_quant_map"]


def unpack_stream(words, bits):
    """The codes along the first axis of [words, n]: one stream of bits, 32 / bits codes a word or 32 in 3 words."""
    as_bits = np.unpackbits(words.astype("<i4").view(np.uint8).reshape(len(words), -1, 4).transpose(1, 0, 2).reshape(
        words.shape[1], -1), axis=1, bitorder="little").reshape(words.shape[1], -1, bits)
    return (as_bits * (1 << np.arange(bits))).sum(2).T  # [codes, n]


def gptq(folder, name, file, bits, v1, groups_twice=False):
    layer = Layer(os.path.join(folder, file + ".safetensors"))
    codes = unpack_stream(layer["qweight"], bits).T[:ROWS]  # [rows, 256]
    zeros = unpack_stream(np.ascontiguousarray(layer["qzeros"].T), bits)[:ROWS] + (1 if v1 else 0)  # [rows, groups]
    scales, expected = layer["scales"].T[:ROWS], layer["expected_f32"][:ROWS]
    order = np.argsort(layer["g_idx"], kind="stable")
    source = source_rows(folder)
    codes, expected, source = codes[:, order], expected[:, order], source[:, order]
    shift = 128 if bits == 8 else 0  # INT8 is signed
    n_blocks = 256 // SIZE[name]
    if groups_twice:  # of 64 elements: half a block
        codes, expected, source = (np.tile(x.reshape(ROWS, 4, 64)[:, ::2], 2).reshape(ROWS, 256)
                                   for x in (codes, expected, source))
        zeros, scales = zeros[:, ::2], scales[:, ::2]
    write_floats(f"{name}.layer.x.f32", source)
    repeat = n_blocks // scales.shape[1]
    blocks = zero_point_blocks(name, codes.reshape(-1, SIZE[name]).astype(np.int64) - shift,
                               np.repeat(scales, repeat, axis=1).reshape(-1),
                               np.repeat(zeros, repeat, axis=1).reshape(-1) - shift)
    write(name, "layer", blocks, expected)


def fp8(folder):
    layer = Layer(os.path.join(folder, "fp8_block128.safetensors"))
    codes, scales = layer["weight"][:ROWS, :256], layer["weight_scale_inv"]
    head = np.tile(scales[0, :2], ROWS).astype("<f4").view(np.uint8).reshape(-1, 4)
    write("F8_E4M3", "layer", np.concatenate([head, codes.reshape(-1, 128)], axis=1), layer["expected_f32"][:ROWS, :256])
    return np.fromfile(os.path.join(folder, "fp8_e4m3fn_table.f32"), "<f4")


def random_blocks(folder, dynamic_map, e4m3):
    rng = np.random.Generator(np.random.PCG64(7))
    n = 8
    for name, bits in (("INT4", 4), ("INT4_32", 4), ("INT3", 3), ("INT2", 2), ("INT8", 8)):
        codes = rng.integers(0, 1 << bits, (n, SIZE[name]))
        d, z = rng.normal(size=n).astype(np.float16), rng.integers(0, 16, n)
        d[0], d[1] = 2.0**-24, 65504
        if name == "INT8":
            codes, z = codes - 128, rng.integers(-128, 128, n)
        values = d.astype(F32)[:, None] * (codes - z[:, None]).astype(F32)
        write(name, "randbits", zero_point_blocks(name, codes, d, z), values)
    for name, file in (("NF4", "bnb_nf4"), ("FP4", "bnb_fp4"), ("NF4_DQ", "bnb_nf4_dq")):
        table = Layer(os.path.join(folder, file + ".safetensors"))["weight.quant_map"]
        size = 256 if name == "NF4_DQ" else 64
        codes = rng.integers(0, 16, (n, size))
        if name == "NF4_DQ":
            scales = np.array([[3.5, 0.25], [1e-3, 2e-3]] * (n // 2), F32)
            eight_bits = rng.integers(0, 256, (n, 4)).astype(np.uint8)
            absmax = dynamic_map[eight_bits] * scales[:, :1] + scales[:, 1:]
            head = np.concatenate([scales.view(np.uint8).reshape(n, 8), eight_bits], axis=1)
        else:
            absmax = np.abs(rng.normal(size=(n, 1))).astype(F32)
            absmax[0], absmax[1] = 2.0**-126, 1e30
            head = absmax.view(np.uint8).reshape(n, 4)
        values = (table[codes].reshape(n, -1, 64) * absmax[:, :, None]).astype(F32)
        write(name, "randbits", np.concatenate([head, nibble_order(codes)], axis=1), values)
    # numpy's half precision is an E5M2 with more digits.
    e5m2 = (np.arange(256, dtype=np.uint16) << 8).view(np.float16).astype(F32)
    for name, table in (("F8_E4M3", e4m3), ("F8_E5M2", e5m2)):
        finite = np.flatnonzero(np.isfinite(table)).astype(np.uint8)
        codes = rng.choice(finite, (n, 128))
        scale = np.abs(rng.normal(size=(n, 1)) * 0.01).astype(F32)
        codes[:2] = np.resize(finite, (2, 128))  # every finite one
        blocks = np.concatenate([scale.view(np.uint8).reshape(n, 4), codes], axis=1)
        write(name, "randbits", blocks, table[codes] * scale)


def main():
    folder = sys.argv[1]
    dynamic_map = bitsandbytes(folder)
    gptq(folder, "INT4", "gptq_w4_g128_sym_v1", 4, True)
    gptq(folder, "INT4_32", "gptq_w4_g32_asym_v2_actorder", 4, False)
    gptq(folder, "INT3", "gptq_w3_g128_sym_v1", 3, True)
    gptq(folder, "INT2", "gptq_w2_g64_asym_v2", 2, False, groups_twice=True)
    gptq(folder, "INT8", "gptq_w8_gm1_sym_v1", 8, True)
    e4m3 = fp8(folder)
    random_blocks(folder, dynamic_map, e4m3)
    for name in ("NF4", "NF4_DQ", "FP4"):
        write_floats(f"{name}.layer.x.f32", source_rows(folder))


if __name__ == "__main__":
    main()
