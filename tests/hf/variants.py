"""Quantizes a Hugging Face folder of plain numbers in the ways that people's checkpoints are quantized.

Every variant is a folder OUT_DIR/NAME, and with it goes its twin OUT_DIR/NAME-twin: the same weights as float32, computed in
float64 from codes and scales. Packing and rounding are this program's own, from the documentation of the forms. Rounding is to
the nearest: the variants show that forms are read rightly, not how well their methods do. Linears of the layers are
quantized; all else is BF16 (in "f16" F16).

usage: variants.py FOLDER OUT_DIR [NAME...]
"""
import json
import os
import shutil
import struct
import sys

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "I32": np.int32, "I64": np.int64, "I8": np.int8, "U8": np.uint8}
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
                1.0], np.float32)
FP4 = (np.array([0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3]) / 12).astype(np.float32)
E2M1 = np.array([0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6])
E4M3 = np.array([(-1 if c & 128 else 1) * ((c & 7) * 2.0 ** -9 if c >> 3 & 15 == 0 else (8 + (c & 7)) * 2.0 ** ((c >> 3 & 15) - 10))
                 for c in range(256)])
E4M3[[127, 255]] = np.nan


# ---- files
def read_safetensors(path):
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + size])
    out = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + x for x in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw[begin:end], np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw[begin:end], TYPES[entry["dtype"]])
        out[name] = values.astype(np.float32).reshape(entry["shape"])
    return out


def write_folder(source, out, arrays, quantization):
    """arrays: values, or (values, type) where numpy lacks the type."""
    os.makedirs(out, exist_ok=True)
    for name in os.listdir(source):
        if name.endswith((".json", ".model", ".jinja")) and "safetensors" not in name:
            shutil.copy(os.path.join(source, name), os.path.join(out, name))
    config = json.load(open(os.path.join(source, "config.json")))
    config.pop("quantization_config", None)
    if quantization:
        config["quantization_config"] = quantization
    json.dump(config, open(os.path.join(out, "config.json"), "w"), indent=1)
    names = {np.dtype(v): k for k, v in TYPES.items()}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in arrays.items():
        value, type = value if isinstance(value, tuple) else (value, names[value.dtype])
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": type, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(out, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- packing
def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def words(codes, bits):
    """Codes along the last axis as a stream of 32-bit words, lowest bits first."""
    flat = (np.asarray(codes, np.uint8)[..., None] >> np.arange(bits, dtype=np.uint8)) & 1
    flat = flat.reshape(codes.shape[:-1] + (-1,))
    flat = np.pad(flat, [(0, 0)] * (codes.ndim - 1) + [(0, -flat.shape[-1] % 32)])
    return np.packbits(flat, axis=-1, bitorder="little").view(np.int32)


def nearest(x, values):
    """Codes of the nearest values."""
    order = np.argsort(values, kind="stable")
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, x)].astype(np.uint8)


def neighbours(codes):
    return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)


def grouped(w, group, bits, symmetric):
    """Codes 0 .. 2^bits - 1, zero points and half-precision scales of groups of columns."""
    x = w.reshape(w.shape[0], -1, group).astype(np.float64)
    top = 2 ** bits - 1
    low, high = np.minimum(x.min(2), 0), np.maximum(x.max(2), 0)
    if symmetric:
        high = np.maximum(high, -low)
        low = -high
    scale = np.maximum((high - low) / top, 1e-7).astype(np.float16)
    zero = np.full(scale.shape, (top + 1) // 2) if symmetric else np.clip(np.rint(-low / scale), 0, top).astype(int)
    codes = np.clip(np.rint(x / scale[..., None]) + zero[..., None], 0, top).astype(int)
    values = (codes - zero[..., None]) * scale[..., None].astype(np.float64)
    return codes.reshape(w.shape), zero, scale, values.reshape(w.shape)


# ---- the forms: each gives the arrays of a linear, by suffix, and what they stand for
def int8(w, rng):
    half = w.astype(np.float16).astype(np.float64)
    scb = np.abs(half).max(1).astype(np.float32)
    codes = np.rint(half * 127 / scb[:, None]).astype(np.int8)
    return {".weight": codes, ".SCB": scb, ".weight_format": np.array(0, np.uint8)}, codes * scb[:, None].astype(np.float64) / 127


def dynamic_map():
    out = [0.0, 1.0]
    for i in range(7):
        edges = np.linspace(0.1, 1, 2 ** i + 1)
        means = (edges[1:] + edges[:-1]) / 2 * 10.0 ** (i - 6)
        out += [*means, *-means]
    return np.sort(np.array(out, np.float32))


def four_bit(kind, double):
    table = {"nf4": NF4, "fp4": FP4}[kind]

    def quantize(w, rng):
        x = w.reshape(-1, 64).astype(np.float64)
        absmax = np.abs(x).max(1).astype(np.float32)
        codes = nearest((x / np.maximum(absmax, 1e-30)[:, None]).reshape(-1), table)
        state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": list(w.shape)}
        arrays = {".weight": (codes[0::2] << 4 | codes[1::2])[:, None], ".weight.quant_map": table}
        if double:
            offset, table8 = float(absmax.mean()), dynamic_map()
            rest = np.pad(absmax - np.float32(offset), (0, -len(absmax) % 256)).reshape(-1, 256)
            nested = np.abs(rest).max(1).astype(np.float32)
            codes8 = nearest((rest / nested[:, None]).reshape(-1), table8)[:len(absmax)]
            arrays.update({".weight.absmax": codes8, ".weight.nested_absmax": nested, ".weight.nested_quant_map": table8})
            state.update(nested_blocksize=256, nested_dtype="float32", nested_offset=offset)
            absmax = table8[codes8].astype(np.float64) * np.repeat(nested, 256)[:len(absmax)] + offset
        else:
            arrays[".weight.absmax"] = absmax
        arrays[f".weight.quant_state.bitsandbytes__{kind}"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
        return arrays, (table.astype(np.float64)[codes].reshape(-1, 64) * absmax[:, None]).reshape(w.shape)
    return quantize


def gptq(bits, group, symmetric, v2=False, order=False):
    def quantize(w, rng):
        size = w.shape[1] if group == -1 else group
        columns = rng.permutation(w.shape[1]) if order else np.arange(w.shape[1])  # those of group 0 first
        codes, zero, scale, values = grouped(w[:, columns], size, bits, symmetric)
        g_idx = np.empty(w.shape[1], np.int32)
        g_idx[columns] = np.arange(w.shape[1]) // size
        back = np.argsort(columns)
        stored = zero.T if v2 else (zero.T - 1) % 2 ** bits
        return {".qweight": words(codes[:, back], bits).T, ".qzeros": words(stored, bits), ".scales": scale.T,
                ".g_idx": g_idx}, values[:, back]
    return quantize


def awq(w, rng):
    codes, zero, scale, values = grouped(w, 128, 4, False)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    across = lambda x: words(x.T.reshape(x.shape[1], -1, 8)[..., order].reshape(x.shape[1], -1), 4)
    return {".qweight": across(codes), ".qzeros": across(zero), ".scales": scale.T}, values


def ct_pack(w, rng):
    codes, zero, scale, values = grouped(w, 128, 4, False)
    return {".weight_packed": words(codes, 4), ".weight_scale": scale, ".weight_zero_point": words(zero.T, 4).T,
            ".weight_shape": np.array(w.shape, np.int64)}, values


def ct_int8(w, rng):
    bits = bf16(np.abs(w).max(1, keepdims=True) / 127)
    scale = from_bf16(bits)
    codes = np.clip(np.rint(w / scale), -127, 127).astype(np.int8)
    return {".weight": codes, ".weight_scale": (bits, "BF16")}, codes * scale.astype(np.float64)


def fp8(tile_rows, tile_cols, suffix):
    def quantize(w, rng):
        tc = tile_cols or w.shape[1]
        x = w.reshape(w.shape[0] // tile_rows, tile_rows, w.shape[1] // tc, tc).astype(np.float64)
        scale = (np.abs(x).max((1, 3)) / 448).astype(np.float32)
        codes = nearest((x / scale[:, None, :, None]).reshape(-1), np.where(np.isnan(E4M3), np.inf, E4M3))
        codes = np.where(codes == 128, 0, codes).astype(np.uint8)
        values = (E4M3[codes].reshape(x.shape) * scale[:, None, :, None].astype(np.float64)).reshape(w.shape)
        return {".weight": (codes.reshape(w.shape), "F8_E4M3"), suffix: scale}, values
    return quantize


def mxfp4(w, rng):
    x = w.reshape(w.shape[0], -1, 32).astype(np.float64)
    exponent = np.floor(np.log2(np.maximum(np.abs(x).max(2), 1e-30))) - 2
    codes = nearest((x / 2.0 ** exponent[..., None]).reshape(-1), E2M1).reshape(w.shape)
    values = (E2M1[codes].reshape(x.shape) * 2.0 ** exponent[..., None]).reshape(w.shape)
    return {".weight_packed": neighbours(codes), ".weight_scale": (exponent + 127).astype(np.uint8)}, values


def nvfp4(w, rng):
    x = w.reshape(w.shape[0], -1, 16).astype(np.float64)
    factor = np.float32(448 * 6 / np.abs(w).max())
    scale = nearest((np.abs(x).max(2) / 6 * factor).reshape(-1), np.where(np.isnan(E4M3), np.inf, E4M3)).reshape(x.shape[:2])
    step = E4M3[scale] / np.float64(factor)
    codes = nearest((x / np.where(step == 0, 1, step)[..., None]).reshape(-1), E2M1).reshape(w.shape)
    values = (E2M1[codes].reshape(x.shape) * step[..., None]).reshape(w.shape)
    return {".weight_packed": neighbours(codes), ".weight_scale": (scale, "F8_E4M3"),
            ".weight_global_scale": factor.reshape(1)}, values


def gptq_config(bits, group, symmetric, v2=False, order=False):
    return {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric, "desc_act": order,
            "checkpoint_format": "gptq_v2" if v2 else "gptq"}


def bnb_config(**rest):
    return {"quant_method": "bitsandbytes", **rest}


CT = {"quant_method": "compressed-tensors"}
VARIANTS = {
    "bf16": (None, None),
    "f16": (None, None),
    "int8": (int8, bnb_config(load_in_8bit=True)),
    "nf4": (four_bit("nf4", False), bnb_config(load_in_4bit=True, bnb_4bit_quant_type="nf4")),
    "nf4_dq": (four_bit("nf4", True), bnb_config(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)),
    "fp4": (four_bit("fp4", False), bnb_config(load_in_4bit=True, bnb_4bit_quant_type="fp4")),
    "gptq4": (gptq(4, 128, True), gptq_config(4, 128, True)),
    "gptq4_act": (gptq(4, 128, False, order=True), gptq_config(4, 128, False, order=True)),
    "gptq4_32_act": (gptq(4, 32, False, v2=True, order=True), gptq_config(4, 32, False, v2=True, order=True)),
    "gptq8": (gptq(8, -1, True), gptq_config(8, -1, True)),
    "gptq3": (gptq(3, 128, False), gptq_config(3, 128, False)),
    "gptq2": (gptq(2, 64, False, v2=True), gptq_config(2, 64, False, v2=True)),
    "awq": (awq, {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}),
    "ct_pack4": (ct_pack, {**CT, "format": "pack-quantized"}),
    "ct_int8": (ct_int8, {**CT, "format": "int-quantized"}),
    "fp8_block": (fp8(128, 128, ".weight_scale_inv"), {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "fp8_channel": (fp8(1, None, ".weight_scale"), {**CT, "format": "float-quantized"}),
    "mxfp4": (mxfp4, {**CT, "format": "mxfp4-pack-quantized"}),
    "nvfp4": (nvfp4, {**CT, "format": "nvfp4-pack-quantized"}),
}


def write_variant(source, out, name, arrays=None):
    """The variant and its twin: the paths of the two folders."""
    quantize, config = VARIANTS[name]
    rng = np.random.Generator(np.random.PCG64(1))
    stored, twin = {}, {}
    for key, values in (arrays or read_safetensors(os.path.join(source, "model.safetensors"))).items():
        if quantize and ".layers." in key and key.endswith("_proj.weight"):
            parts, exact = quantize(values, rng)
            stored.update({key[:-len(".weight")] + suffix: part for suffix, part in parts.items()})
            twin[key] = exact.astype(np.float32)
        elif name == "f16":
            stored[key] = values.astype(np.float16)
            twin[key] = stored[key].astype(np.float32)
        else:
            bits = bf16(values)
            stored[key], twin[key] = (bits, "BF16"), from_bf16(bits)
    folders = os.path.join(out, name), os.path.join(out, name + "-twin")
    write_folder(source, folders[0], stored, config)
    write_folder(source, folders[1], twin, None)
    return folders


if __name__ == "__main__":
    for variant in sys.argv[3:] or VARIANTS:
        print(write_variant(sys.argv[1], sys.argv[2], variant)[0])
