"""Writes forms.safetensors and forms.json: small linears in every form of a Hugging Face checkpoint that lib/hf reads.

The packing is written here from the formats' documentation, on its own, one number after the other; each module NAME comes
with "NAME.expected", float32: what every step-th row decodes to, computed in float64 from scales and codes. forms.json is a
list: what config.json would say, the type that the rows should have, whether a note says why it is not the stored one, and
the number of rows and the step.

usage: make_forms.py OUT_DIR [FUZZ_CORPUS_DIR]
"""
import json
import os
import struct
import sys

import numpy as np

rng = np.random.Generator(np.random.PCG64(7))
ARRAYS, FORMS = {}, []
TYPES = {"f4": "F32", "f2": "F16", "f8": "F64", "i4": "I32", "i8": "I64", "i1": "I8", "u1": "U8"}
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
FP4 = [x / 12 for x in (0, 0.0625, 8, 12, 4, 6, 2, 3, -0.0, -0.0625, -8, -12, -4, -6, -2, -3)]
E2M1 = np.array([0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6])


def array(name, values, dtype=None):
    values = np.ascontiguousarray(values)
    ARRAYS[name] = (dtype or TYPES[values.dtype.str[1:]], list(values.shape), values.tobytes())


def form(module, expected, type, config=None, arrays=(), note=False):
    """arrays: (suffix, values) or (suffix, values, dtype)."""
    for suffix, *rest in arrays:
        array(module + suffix, *rest)
    expected = np.asarray(expected, np.float64)
    expected = expected.reshape(-1, expected.shape[-1])
    step = -(-len(expected) // 3)
    array(module + ".expected", expected[::step].astype(np.float32))
    FORMS.append({"module": module, "type": type, "note": note, "rows": len(expected), "step": step,
                  "quantization_config": config})


def bf16(x):
    """Bits, and what they stand for."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    bits = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return bits, (bits.astype(np.uint32) << 16).view(np.float32)


def fp8(bits, exponent_bits, bias):
    mantissa_bits = 7 - exponent_bits
    out = np.zeros(256)
    for code in range(256):
        e, m = code >> mantissa_bits & (2 ** exponent_bits - 1), code & (2 ** mantissa_bits - 1)
        value = m * 2.0 ** (1 - bias - mantissa_bits) if e == 0 else (1 + m / 2 ** mantissa_bits) * 2.0 ** (e - bias)
        out[code] = -value if code & 128 else value
    return out[bits]


def e4m3(bits):
    return fp8(bits, 4, 7)


def e5m2(bits):
    return fp8(bits, 5, 15)


def stream(codes, bits):
    """Codes along the last axis as little-endian words."""
    codes = np.asarray(codes, np.uint64)
    n = codes.shape[-1]
    out = np.zeros(codes.shape[:-1] + (-(-n * bits // 32),), np.uint32)
    for i in range(n):
        for b in range(bits):
            place = i * bits + b
            out[..., place // 32] |= ((codes[..., i] >> np.uint64(b) & np.uint64(1)) << np.uint64(place % 32)).astype(np.uint32)
    return out.view(np.int32)


# ---- bitsandbytes
def dynamic_map():
    values = [0.0, 1.0]
    for i in range(7):
        edges = np.linspace(0.1, 1, 2 ** i + 1)
        for low, high in zip(edges, edges[1:]):
            values += [(low + high) / 2 * 10.0 ** (i - 6), -(low + high) / 2 * 10.0 ** (i - 6)]
    return np.sort(np.array(values, np.float32))


def four_bit(module, kind, shape, block, type, double=False, storage="U8", table=None, note=False):
    n = int(np.prod(shape))
    values = np.array(table or {"nf4": NF4, "fp4": FP4}[kind], np.float32)
    codes = rng.integers(0, 16, n)
    n_blocks = -(-n // block)
    padded = np.append(codes, np.zeros(n % 2, int))
    packed = (padded[0::2] << 4 | padded[1::2]).astype(np.uint8)
    state = {"quant_type": kind, "blocksize": block, "dtype": "bfloat16", "shape": list(shape)}
    absmax = rng.uniform(0.01, 0.2, n_blocks).astype(np.float32)
    arrays = [(".weight.quant_map", values)]
    if double:
        scale_codes = rng.integers(0, 256, n_blocks).astype(np.uint8)
        nested = rng.uniform(0.01, 0.05, -(-n_blocks // 256)).astype(np.float32)
        state.update(nested_blocksize=256, nested_dtype="float32", nested_offset=0.0625)
        absmax = dynamic_map()[scale_codes].astype(np.float64) * nested[np.arange(n_blocks) // 256] + 0.0625
        arrays += [(".weight.absmax", scale_codes), (".weight.nested_absmax", nested),
                   (".weight.nested_quant_map", dynamic_map())]
    else:
        arrays.append((".weight.absmax", absmax))
    arrays.append((f".weight.quant_state.bitsandbytes__{kind}", np.frombuffer(json.dumps(state).encode(), np.uint8)))
    size = {"U8": 1, "BF16": 2, "F32": 4}[storage]
    packed = np.append(packed, np.zeros(-len(packed) % size, np.uint8))
    expected = (values.astype(np.float64)[codes] * absmax[np.arange(n) // block]).reshape(shape)
    form(module, expected, type, None, arrays, note)
    ARRAYS[module + ".weight"] = (storage, [len(packed) // size, 1], packed.tobytes())


four_bit("nf4_128", "nf4", (7, 192), 128, "NF4")  # blocks cross rows
four_bit("nf4_4096", "nf4", (5, 64), 4096, "NF4")
four_bit("nf4_32", "nf4", (5, 64), 32, "F32", note=True)
four_bit("nf4_ragged", "nf4", (5, 45), 64, "F32", note=True)  # rows begin in the middle of a byte
four_bit("nf4_bf16_storage", "nf4", (3, 64), 64, "NF4", storage="BF16")
four_bit("nf4_f32_storage", "nf4", (2, 64), 64, "NF4", storage="F32")
four_bit("nf4_own_table", "nf4", (4, 64), 64, "F32", table=[i / 8 - 0.9 for i in range(16)], note=True)
four_bit("nf4_dq_256", "nf4", (9, 256), 64, "NF4_DQ", double=True)
four_bit("nf4_dq_ragged", "nf4", (70, 320), 64, "NF4", double=True)  # more than one nested block
four_bit("nf4_dq_128", "nf4", (4, 256), 128, "NF4", double=True)
four_bit("fp4_dq", "fp4", (4, 128), 64, "FP4", double=True)
four_bit("nf4_stack", "nf4", (3, 4, 64), 64, "NF4")


def int8(module, shape, type, note=False):
    codes = rng.integers(-127, 128, shape).astype(np.int8)
    scb = rng.uniform(0.01, 0.5, shape[0]).astype(np.float16).astype(np.float32)
    form(module, codes * scb[:, None].astype(np.float64) / 127, type, None,
         [(".weight", codes), (".SCB", scb), (".weight_format", np.array(0, np.uint8))], note)


int8("int8_128", (9, 256), "INT8")
int8("int8_32", (3, 96), "Q8_0")
int8("int8_ragged", (3, 50), "F32", note=True)


# ---- GPTQ
def gptq(module, bits, rows, cols, group, type, v2=False, order=False, centred=False, index=True, config=None, note=False,
         index_of=None):
    size = cols if group == -1 else group
    n_groups = -(-cols // size)
    g_idx = np.arange(cols) // size
    if order:
        g_idx = rng.permutation(g_idx)
    if index_of is not None:
        g_idx = index_of  # groups of different sizes
    scales = rng.uniform(0.001, 0.05, (n_groups, rows)).astype(np.float16)
    zeros = np.full((n_groups, rows), 2 ** (bits - 1)) if centred else rng.integers(0, 2 ** bits, (n_groups, rows))
    codes = rng.integers(0, 2 ** bits, (cols, rows))
    expected = (codes - zeros[g_idx]) * scales.astype(np.float64)[g_idx]
    stored = zeros if v2 else (zeros - 1) % 2 ** bits
    arrays = [(".qweight", stream(codes.T, bits).T), (".qzeros", stream(stored, bits)), (".scales", scales)]
    if index:
        arrays.append((".g_idx", g_idx.astype(np.int32)))
    said = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": order, "sym": centred,
            "checkpoint_format": "gptq_v2" if v2 else "gptq"}
    said.update(config or {})
    form(module, expected.T, type, said, arrays, note)


gptq("gptq4_128_act", 4, 40, 256, 128, "INT4", order=True)
gptq("gptq4_v2_row", 4, 16, 128, -1, "INT4", v2=True)
gptq("gptq4_64_sym", 4, 24, 128, 64, "Q4_0", centred=True)
gptq("gptq4_64_asym", 4, 24, 128, 64, "INT4_32")
gptq("gptq4_no_index", 4, 8, 128, 32, "INT4_32", index=False)
gptq("gptq4_16", 4, 8, 64, 16, "F32", note=True)
gptq("gptq4_72", 4, 8, 72, -1, "F32", note=True)  # a last word group of fewer than 32 codes
gptq("gptq4_irregular", 4, 8, 128, 64, "INT4_32", index_of=np.repeat([0, 1, 0], [32, 64, 32]))
gptq("gptq4_said_v2", 4, 8, 128, 128, "INT4", centred=True, config={"checkpoint_format": "gptq_v2"})
gptq("gptq4_said_v1", 4, 8, 128, 128, "INT4", centred=True, v2=True, config={"checkpoint_format": "gptq"})
gptq("gptq4_no_config", 4, 8, 128, 32, "INT4_32", config={"quant_method": None, "checkpoint_format": None})
gptq("gptq3_128", 3, 32, 256, 128, "INT3", order=True)
gptq("gptq3_32", 3, 32, 128, 32, "INT4_32")
gptq("gptq2_128", 2, 16, 256, 128, "INT2", v2=True)
gptq("gptq2_64", 2, 16, 128, 64, "INT4_32", order=True)
gptq("gptq8_128", 8, 12, 256, 128, "INT8", order=True)
gptq("gptq8_32_sym", 8, 12, 64, 32, "Q8_0", centred=True)
gptq("gptq8_32_asym", 8, 12, 64, 32, "F32", note=True)


# ---- AWQ
def awq(module, rows, cols, group, type, version="gemm"):
    n_groups = cols // group
    scales = rng.uniform(0.001, 0.05, (rows, n_groups)).astype(np.float16)
    zeros, codes = rng.integers(0, 16, (rows, n_groups)), rng.integers(0, 16, (rows, cols))
    g = np.arange(cols) // group
    expected = (codes - zeros[:, g]) * scales.astype(np.float64)[:, g]
    if version == "gemm":
        order = np.array([0, 2, 4, 6, 1, 3, 5, 7])
        mixed = lambda x: stream(x.T.reshape(x.shape[1], -1, 8)[:, :, order].reshape(x.shape[1], -1), 4)
        arrays = [(".qweight", mixed(codes)), (".qzeros", mixed(zeros)), (".scales", scales.T)]
    else:
        width = -(-n_groups // 8) + 1  # padded
        pad = lambda x: np.pad(x, ((0, 0), (0, 8 * width - n_groups)))
        arrays = [(".qweight", stream(codes, 4)), (".qzeros", stream(pad(zeros), 4)), (".scales", pad(scales))]
    form(module, expected, type, {"quant_method": "awq", "bits": 4, "group_size": group, "version": version}, arrays)


awq("awq_128", 40, 256, 128, "INT4")
awq("awq_32", 136, 64, 32, "INT4_32")
awq("awq_gemv", 12, 256, 64, "INT4_32", "gemv")


# ---- compressed-tensors
def ct(module, bits, rows, cols, group, type, zero=None, order=False, plain=False, scale_type="bf16", config=None, note=False):
    size = cols if group in (-1, 0) else group
    n_groups = -(-cols // size)
    low = -2 ** (bits - 1)
    g = np.arange(cols) // size
    if order:
        g = rng.permutation(g)
    shape = (1,) if group == 0 else (rows, n_groups)
    scales = rng.uniform(1e-6, 0.05, shape).astype(np.float32)
    scale_array = (".weight_scale", scales)
    if scale_type == "bf16":
        scale_bits, scales = bf16(scales)
        scale_array = (".weight_scale", scale_bits, "BF16")
    codes = rng.integers(low, -low, (rows, cols))
    zeros = rng.integers(low, -low, shape) if zero else np.zeros(shape, int)
    at = lambda x: x.astype(np.float64) if group == 0 else x.astype(np.float64)[:, g]
    expected = (codes - at(zeros)) * at(scales)
    arrays = [scale_array]
    if plain:
        arrays.append((".weight", codes.astype(np.int8)))
    else:
        arrays += [(".weight_packed", stream(codes - low, bits)), (".weight_shape", np.array([rows, cols], np.int64))]
    if zero == "packed":
        arrays.append((".weight_zero_point", stream((zeros - low).T, bits).T))
    elif zero:
        arrays.append((".weight_zero_point", zeros.astype(np.int8)))
    if order:
        arrays.append((".weight_g_idx", g.astype(np.int32)))
    form(module, expected, type, dict(quant_method="compressed-tensors", **(config or {})), arrays, note)


ct("ct4_channel", 4, 9, 128, -1, "INT4")
ct("ct4_act", 4, 9, 256, 128, "INT4", zero="packed", order=True)
ct("ct4_32", 4, 10, 64, 32, "Q4_0")
ct("ct8_128", 8, 9, 256, 128, "INT8", zero="packed")
ct("ct8_odd_cols", 8, 3, 45, -1, "F32", note=True)
ct("ct4_odd_cols", 4, 3, 45, -1, "F32", note=True)
ct("ct4_uneven", 4, 5, 160, 128, "INT4_32", config={"config_groups": {"group_0": {"weights": {"group_size": 128}}}}, zero="i8")
ct("ct_int8_channel", 8, 9, 128, -1, "INT8", plain=True)
ct("ct_int8_tensor", 8, 5, 128, 0, "INT8", plain=True, zero="i8")
ct("ct_int8_f32_scale", 8, 9, 128, -1, "INT8", plain=True, scale_type="f32")


# ---- 8-bit floats
def eight_bit(module, shape, tiles, type, scale_name, float_type="F8_E4M3", config=None, scale_shape=None, note=False):
    *stack, rows, cols = shape
    limit = 127 if float_type == "F8_E4M3" else 124  # no NaN, no infinity
    codes = (rng.integers(0, limit, shape) | rng.integers(0, 2, shape) << 7).astype(np.uint8)
    tr, tc = tiles
    scales = rng.uniform(0.001, 0.05, tuple(stack) + (-(-rows // tr), -(-cols // tc))).astype(np.float32)
    full = np.repeat(np.repeat(scales.astype(np.float64), tr, -2)[..., :rows, :], tc, -1)[..., :cols]
    values = (e4m3 if float_type == "F8_E4M3" else e5m2)(codes)
    if scale_shape is not None:
        scales = scales.reshape(scale_shape)
    form(module, values * full, type, config, [(".weight", codes, float_type), (scale_name, scales)], note)


eight_bit("fp8_tensor", (5, 128), (5, 128), "F8_E4M3", ".weight_scale", scale_shape=())
eight_bit("fp8_e5m2", (5, 128), (5, 128), "F8_E5M2", ".weight_scale", "F8_E5M2", scale_shape=(1,))
eight_bit("fp8_channel", (6, 128), (1, 128), "F8_E4M3", ".weight_scale")
eight_bit("fp8_channel_1d", (6, 128), (1, 128), "F8_E4M3", ".weight_scale", scale_shape=(6,))
eight_bit("fp8_tiles", (6, 256), (4, 128), "F8_E4M3", ".weight_scale_inv", config={"weight_block_size": [4, 128]})
eight_bit("fp8_small_tiles", (6, 128), (4, 32), "F32", ".weight_scale_inv", config={"weight_block_size": [4, 32]}, note=True)
eight_bit("fp8_scale", (130, 128), (128, 128), "F8_E4M3", ".scale")
eight_bit("fp8_stack", (3, 6, 128), (4, 64), "F32", ".weight_scale_inv", config={"weight_block_size": [4, 64]}, note=True)
eight_bit("fp8_stack_tensor", (3, 4, 128), (4, 128), "F8_E4M3", ".weight_scale")


# ---- 4-bit floats
def neighbours(codes):
    return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8)


def mxfp4(module, shape, names, stack_blocks=False, scale_type="U8", code_type="U8"):
    codes = rng.integers(0, 16, shape)
    exponents = rng.integers(110, 130, shape[:-1] + (shape[-1] // 32,)).astype(np.uint8)
    expected = E2M1[codes] * np.repeat(2.0 ** (exponents.astype(int) - 127), 32, -1)
    packed = neighbours(codes)
    if stack_blocks:
        packed = packed.reshape(shape[:-1] + (shape[-1] // 32, 16))
    form(module, expected, "MXFP4", None, [(names[0], packed, code_type), (names[1], exponents, scale_type)])


mxfp4("mxfp4_stack", (3, 5, 64), ("_blocks", "_scales"), stack_blocks=True)
mxfp4("mxfp4_ct", (5, 96), (".weight_packed", ".weight_scale"))
mxfp4("mxfp4_e8m0", (5, 64), (".weight_packed", ".weight_scale"), scale_type="F8_E8M0")
mxfp4("mxfp4_i8", (5, 64), (".weight", ".scale"), scale_type="F8_E8M0", code_type="I8")


def nvfp4(module, shape, names, divides, type, note=False):
    codes = rng.integers(0, 16, shape)
    scales = rng.integers(1, 127, shape[:-1] + (shape[-1] // 16,)).astype(np.uint8)
    scales[0, 0] |= 128  # negative: allowed by the type
    factor = np.float32(37.5 if divides else 0.013)
    expected = E2M1[codes] * np.repeat(e4m3(scales), 16, -1) * (1 / np.float64(factor) if divides else np.float64(factor))
    arrays = [(names[0], neighbours(codes)), (names[1], scales, "F8_E4M3"), (names[2], factor.reshape((1,) if divides else ()))]
    if not divides:
        arrays.append((".input_scale", np.array(0.5, np.float32)))
    form(module, expected, type, None, arrays, note)


nvfp4("nvfp4_ct", (5, 128), (".weight_packed", ".weight_scale", ".weight_global_scale"), True, "NVFP4")
nvfp4("nvfp4_modelopt", (5, 64), (".weight", ".weight_scale", ".weight_scale_2"), False, "NVFP4", note=True)
nvfp4("nvfp4_ragged", (5, 48), (".weight_packed", ".weight_scale", ".weight_global_scale"), True, "F32", note=True)

# ---- plain numbers
w = rng.normal(0, 1, (3, 20)).astype(np.float32)
form("plain_f32", w, "F32", None, [(".weight", w)])
form("plain_f16", w.astype(np.float16), "F16", None, [(".weight", w.astype(np.float16))])
form("plain_bf16", bf16(w)[1], "BF16", None, [(".weight", bf16(w)[0], "BF16")])
form("plain_f64", w, "F32", None, [(".weight", w.astype(np.float64))], note=True)
form("plain_fp8", e4m3(np.arange(60).reshape(3, 20)), "F32", None,
     [(".weight", np.arange(60, dtype=np.uint8).reshape(3, 20), "F8_E4M3")], note=True)
form("plain_stack", w.reshape(3, 2, 10), "F32", None, [("", w.reshape(3, 2, 10))])



def write(path, arrays, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in arrays.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


write(os.path.join(sys.argv[1], "forms.safetensors"), ARRAYS)
with open(os.path.join(sys.argv[1], "forms.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(f) for f in FORMS) + "\n]\n")
for f in FORMS if len(sys.argv) > 2 else ():  # seeds of tests/fuzz: one module in a file, with its configuration
    name = f["module"]
    own = {k: v for k, v in ARRAYS.items()
           if k.startswith(name) and k[len(name):len(name) + 1] in ("", ".", "_") and not k.endswith(".expected")}
    if sum(len(raw) for _, _, raw in own.values()) <= 1500 and not any(k.startswith(name + "_") for k in ARRAYS if k not in own):
        write(os.path.join(sys.argv[2], name), own, {"config": json.dumps({"quantization_config": f["quantization_config"]})})
