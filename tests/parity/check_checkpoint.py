#!/usr/bin/env python3
"""Judges a checkpoint that `quern quantize FOLDER OUT BNB_... | GPTQ_INT4` has made of a plain one. Needs numpy.

    check_checkpoint.py SOURCE_FOLDER QUANTIZED_FOLDER

A reader and quantizers of its own, written from the formats' descriptions. bitsandbytes: the codes and scales must be
those that its rules give for the source's weights, byte by byte (FP4: up to the sign of zero). GPTQ: arrays, packing and
zero points by the format's first version; the error of the decoded weights is told beside that of the usual rounding
(scales from the largest magnitudes), and must not be larger where codes were chosen without a calibration text
(--nearest). Every other array and file must be as in the source.
"""
import argparse
import json
import os
import struct
import sys

import numpy as np

f32 = np.float32
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
                1.0], f32)
FP4 = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3], f32) / f32(12)
TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "I8": "<i1", "U8": "<u1", "I64": "<i8"}
WEIGHTS = (".safetensors", ".index.json")
faults = []


def fault(*words):
    faults.append(" ".join(str(w) for w in words))
    print("FAULT", faults[-1])


def dynamic_map():
    """256 values: seven powers of ten, each divided more finely than the one below it; 0 and 1."""
    values = [0.0, 1.0]
    for level in range(7):
        edges = np.linspace(0.1, 1, 2 ** level + 1).astype(f32)
        middles = ((edges[:-1] + edges[1:]) / f32(2)).astype(f32).astype(float)
        values += list(10.0 ** (level - 6) * middles) + list(-(10.0 ** (level - 6)) * middles)
    return np.sort(np.array(values)).astype(f32)


def read_folder(folder):
    """name -> (type, shape, bytes)."""
    out = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".safetensors"):
            continue
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        size = struct.unpack("<Q", data[:8])[0]
        assert (8 + size) % 8 == 0, f"{name}: the header is not padded"
        header = json.loads(data[8:8 + size])
        assert header.pop("__metadata__")["format"] == "pt"
        for array, info in header.items():
            begin, end = info["data_offsets"]
            assert array not in out, array
            out[array] = (info["dtype"], info["shape"], data[8 + size + begin:8 + size + end])
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        with open(index) as file:
            index = json.load(file)
        assert set(index["weight_map"]) == set(out)
        assert index["metadata"]["total_size"] == sum(len(v[2]) for v in out.values())
    return out


def numbers(entry):
    kind, shape, data = entry
    flat = np.frombuffer(data, TYPES[kind])
    if kind == "BF16":
        flat = (flat.astype(np.uint32) << 16).view(f32)
    return flat.astype(f32).reshape(shape)


def raw(entry):
    return np.frombuffer(entry[2], TYPES[entry[0]]).reshape(entry[1])


def relative(error, weights):
    return float(np.sqrt((error.astype(np.float64) ** 2).sum() / (weights.astype(np.float64) ** 2).sum()))


def nearest(code, x):
    """The position of the nearest value; in the middle between two, the lower."""
    return np.searchsorted((code[:-1] + code[1:]) / f32(2), x, side="left").astype(np.uint8)


def by_blocks(x, size):
    padded = np.zeros(-(-len(x) // size) * size, f32)
    padded[:len(x)] = x
    blocks = padded.reshape(-1, size)
    largest = np.abs(blocks).max(1)
    scaled = np.clip(blocks * (f32(1) / np.maximum(largest, f32(1e-38)))[:, None], -1, 1).astype(f32)
    return scaled.reshape(-1)[:len(x)], largest


def check_4bit(name, source, arrays, kind):
    weights = numbers(source)
    code = NF4 if kind == "nf4" else FP4
    state = json.loads(arrays[f"{name}.quant_state.bitsandbytes__{kind}"][2])
    names = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
    if (state["quant_type"], state["blocksize"], state["shape"], state["dtype"]) != \
            (kind, 64, source[1], names[source[0]]):
        fault(name, "state", state)
    scaled, largest = by_blocks(weights.reshape(-1), 64)
    packed = raw(arrays[name])
    assert packed.shape == (-(-weights.size // 2), 1) and packed.dtype == np.uint8
    codes = np.stack([packed[:, 0] >> 4, packed[:, 0] & 15], 1).reshape(-1)[:weights.size]
    if kind == "nf4":
        if not np.array_equal(codes, nearest(NF4, scaled)):
            fault(name, "codes differ")
    else:
        order = np.argsort(FP4[:8])
        magnitudes = np.abs(FP4[:8])[order][nearest(np.abs(FP4[:8])[order], np.abs(scaled))]
        if not np.array_equal(FP4[codes], np.where(scaled < 0, -magnitudes, magnitudes)):
            fault(name, "codes differ")
    if not np.array_equal(raw(arrays[name + ".quant_map"]), code):
        fault(name, "quant_map")
    if "nested_offset" in state:
        dynamic = dynamic_map()
        offset = f32(largest.astype(np.float64).mean())
        shifted, nested = by_blocks((largest - offset).astype(f32), 256)
        stored = raw(arrays[name + ".nested_quant_map"])
        if np.abs(stored - dynamic).max() > 1e-7:
            fault(name, "nested_quant_map")
        if f32(state["nested_offset"]) != offset or state["nested_blocksize"] != 256:
            fault(name, "offset", state["nested_offset"], offset)
        small = raw(arrays[name + ".absmax"])
        if not np.array_equal(small, nearest(stored, shifted)):
            fault(name, "codes of scales differ")
        if not np.array_equal(raw(arrays[name + ".nested_absmax"]), nested):
            fault(name, "nested_absmax")
        largest = stored[small] * np.repeat(nested, 256)[:len(small)] + offset
    elif not np.array_equal(raw(arrays[name + ".absmax"]), largest):
        fault(name, "absmax")
    decoded = (code[codes] * np.repeat(largest, 64)[:weights.size]).reshape(weights.shape)
    return relative(decoded - weights, weights), None


def check_int8(module, source, arrays):
    weights = numbers(source).astype(np.float16).astype(f32)
    scales = np.abs(weights).max(1)
    codes = np.rint(weights * (f32(127) / np.where(scales == 0, f32(1), scales))[:, None]).astype(np.int8)
    if not np.array_equal(raw(arrays[module + ".SCB"]), scales):
        fault(module, "SCB")
    if not np.array_equal(raw(arrays[module + ".weight"]), codes):
        fault(module, "codes differ")
    if arrays[module + ".weight_format"] != ("U8", [], b"\0"):
        fault(module, "weight_format")
    return relative(codes * scales[:, None] / f32(127) - weights, weights), None


def unpack(words, n, along):
    """4-bit numbers of words, the lowest first."""
    bits = words.view(np.uint32).astype(np.uint64)
    parts = [(bits >> np.uint64(4 * j)) & np.uint64(15) for j in range(8)]
    return np.stack(parts, along + 1).reshape(*([n, -1] if along == 0 else [-1, n])).astype(np.int64)


def check_gptq(module, source, arrays, config):
    weights = numbers(source)
    rows, cols = weights.shape
    size = config["group_size"] if config["group_size"] > 0 else cols
    groups = -(-cols // size)
    shapes = {"qweight": [cols // 8, rows], "qzeros": [groups, rows // 8], "scales": [groups, rows], "g_idx": [cols]}
    for end, shape in shapes.items():
        if arrays[f"{module}.{end}"][1] != shape:
            fault(module, end, arrays[f"{module}.{end}"][1], shape)
    codes = unpack(raw(arrays[module + ".qweight"]), cols, 0)
    zeros = unpack(raw(arrays[module + ".qzeros"]), rows, 1) + 1
    scales = raw(arrays[module + ".scales"]).astype(f32)
    index = raw(arrays[module + ".g_idx"])
    if not np.array_equal(index, np.arange(cols) // size):
        fault(module, "g_idx")
    if config["sym"] and not (zeros == 8).all():
        fault(module, "zero points of symmetric groups")
    decoded = ((codes - zeros[index]) * scales[index]).T
    # The usual rounding.
    usual = np.zeros_like(weights)
    for g in range(groups):
        x = weights[:, g * size:(g + 1) * size]
        low, high = np.minimum(x.min(1), 0), np.maximum(x.max(1), 0)
        if config["sym"]:
            high = np.maximum(-low, high)
            low = -high
        scale = np.where(high > low, (high - low) / 15, 1).astype(np.float16).astype(f32)[:, None]
        zero = np.full_like(scale, 8) if config["sym"] else np.clip(np.rint(-low[:, None] / scale), 1, 15)
        usual[:, g * size:(g + 1) * size] = (np.clip(np.rint(x / scale) + zero, 0, 15) - zero) * scale
    return relative(decoded - weights, weights), relative(usual - weights, weights)


def check_module(module, source, arrays, config):
    method = config["quant_method"]
    if method == "gptq":
        return check_gptq(module, source, arrays, config)
    if config["load_in_8bit"]:
        return check_int8(module, source, arrays)
    return check_4bit(module + ".weight", source, arrays, config["bnb_4bit_quant_type"])


def check_files(source, made):
    for name in sorted(os.listdir(source)):
        if name.endswith(WEIGHTS) or not os.path.isfile(os.path.join(source, name)):
            continue
        with open(os.path.join(source, name), "rb") as a, open(os.path.join(made, name), "rb") as b:
            x, y = a.read(), b.read()
        if name == "config.json":
            x, y = json.loads(x), json.loads(y)
            y.pop("quantization_config")
            if list(x.items()) != list(y.items()):
                fault("config.json")
        elif x != y:
            fault("file", name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source")
    parser.add_argument("made")
    parser.add_argument("--nearest", action="store_true")
    args = parser.parse_args()
    source, arrays = read_folder(args.source), read_folder(args.made)
    with open(os.path.join(args.made, "config.json")) as file:
        config = json.load(file)["quantization_config"]
    check_files(args.source, args.made)
    marks = (".qweight", ".SCB", ".weight.absmax")
    modules = sorted(name[:-len(mark)] for name in arrays for mark in marks if name.endswith(mark))
    assert modules, "nothing is quantized"
    errors, usual = [], []
    for module in modules:
        error, other = check_module(module, source[module + ".weight"], arrays, config)
        errors.append(error)
        if other is not None:
            usual.append(other)
            if args.nearest and error > other * 1.0001:
                fault(module, "error", error, "usual", other)
    for name, entry in source.items():
        if name.removesuffix(".weight") not in modules and arrays.get(name) != entry:
            fault(name, "is not as in the source")
    extra = [n for n in arrays if n not in source and not any(n.startswith(m + ".") for m in modules)]
    if extra:
        fault("arrays of no module", extra)
    print(f"{len(modules)} modules, relative error {np.mean(errors):.5f}"
          + (f", usual rounding {np.mean(usual):.5f}" if usual else "") + f"; {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
