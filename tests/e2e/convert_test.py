"""`quern convert` of a Hugging Face folder, and `quern quantize` into one: what is written, read by other means."""
import importlib.util
import json
import os
import shutil
import struct

import hf_folder
import support
from support import path, quern, quern_json, write

PARITY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity", "compare_gguf.py")
spec = importlib.util.spec_from_file_location("compare_gguf", PARITY)
compare_gguf = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare_gguf)

TYPES = {"F32": 0, "F16": 1, "BF16": 30}
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022833234, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
       0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
MODULES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
           "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
           "mlp.down_proj": "ffn_down"}


def folder(name, *options):
    shutil.rmtree(path(name), ignore_errors=True)
    return hf_folder.make(path(name), *options)


def paired(values, heads):
    """Rows of queries or keys in the order of GGUF: halves of a head become neighbours."""
    cols, half, out = hf_folder.HIDDEN, hf_folder.HEAD // 2, []
    for head in range(heads):
        for i in range(half):
            for row in (head * 2 * half + i, head * 2 * half + half + i):
                out += values[row * cols:(row + 1) * cols]
    return out


def expected_tensors(values):
    out = {"token_embd.weight": values["model.embed_tokens.weight"], "output_norm.weight": values["model.norm.weight"],
           "output.weight": values["lm_head.weight"]}
    for i in range(hf_folder.LAYERS):
        p = f"model.layers.{i}."
        out[f"blk.{i}.attn_norm.weight"] = values[p + "input_layernorm.weight"]
        out[f"blk.{i}.ffn_norm.weight"] = values[p + "post_attention_layernorm.weight"]
        for module, name in MODULES.items():
            v = values[p + module + ".weight"]
            heads = {"attn_q": hf_folder.HEADS, "attn_k": hf_folder.KV_HEADS}.get(name)
            out[f"blk.{i}.{name}.weight"] = paired(v, heads) if heads else v
    return out


def check_tensors(file, values, kind):
    """All tensors of the file are these numbers, vectors in F32 and matrices rounded to that type."""
    tensors, expected = compare_gguf.Gguf(file).tensors, expected_tensors(values)
    assert set(tensors) == set(expected), set(tensors) ^ set(expected)
    for name, (type_id, extents, data) in tensors.items():
        wanted = kind if len(extents) == 2 else "F32"
        assert type_id == TYPES[wanted], (name, type_id)
        assert data == hf_folder.ENCODE[wanted](expected[name]), name


def test_every_type_of_every_folder():
    for source, files in [("F32", 1), ("F16", 2), ("BF16", 3)]:
        values = folder("hf", source, files)
        for kind in ["F32", "F16", "BF16"]:
            quern("convert", path("hf"), path("out.gguf"), "--outtype", kind.lower())
            check_tensors(path("out.gguf"), values, kind)
        quern("convert", path("hf"), "--outfile", path("auto.gguf"))
        check_tensors(path("auto.gguf"), values, "BF16" if source == "BF16" else "F16")


def test_metadata():
    folder("hf", "BF16")
    quern("convert", path("hf"), path("out.gguf"), "--model-name", "tiny")
    keys = {name: value for name, (_, value) in compare_gguf.Gguf(path("out.gguf")).keys.items()}
    for name, value in {"general.architecture": "llama", "general.name": "tiny", "general.size_label": "100K", "general.file_type": 32,
                        "general.quantization_version": 2, "llama.block_count": 2, "llama.embedding_length": 64,
                        "llama.feed_forward_length": 96, "llama.attention.head_count": 4,
                        "llama.attention.head_count_kv": 2, "llama.context_length": 256,
                        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2}.items():
        assert keys[name] == value, (name, keys.get(name))
    assert len(keys["tokenizer.ggml.tokens"][1]) == hf_folder.VOCAB


def test_the_file_answers_as_the_folder():
    folder("hf", "BF16")
    quern("convert", path("hf"), path("out.gguf"))
    text = write("text.txt", "in the winter the rain there is another thing entirely, in their inner ether. " * 40)
    a = quern_json("perplexity", path("hf"), "-f", text, "-c", "128")
    b = quern_json("perplexity", path("out.gguf"), "-f", text, "-c", "128")
    assert a["nll"] == b["nll"] and a["tokens"] == b["tokens"] > 0, (a, b)


def test_quantized_types_and_several_files():
    folder("hf", "BF16")
    quern("convert", path("hf"), path("out.gguf"), "--outtype", "Q8_0")
    quern("convert", path("hf"), path("bf16.gguf"), "--outtype", "bf16")
    quern("quantize", path("bf16.gguf"), path("again.gguf"), "Q8_0")
    assert compare_gguf.Gguf(path("out.gguf")).tensors == compare_gguf.Gguf(path("again.gguf")).tensors
    quern("quantize", path("hf"), path("direct.gguf"), "Q8_0")
    assert compare_gguf.Gguf(path("direct.gguf")).tensors == compare_gguf.Gguf(path("again.gguf")).tensors
    out, _ = quern("convert", path("hf"), path("parts.gguf"), "--split-max-size", "40K")
    parts = out.decode().split()
    assert len(parts) > 2 and parts[0].endswith(f"parts-00001-of-{len(parts):05d}.gguf"), parts
    assert quern_json("inspect", parts[0])["tensors"]
    assert not compare_gguf.Gguf(parts[1]).keys.get("llama.block_count")


def test_what_is_refused():
    folder("hf", "BF16")
    for arguments, message in [
        (["convert", path("hf"), path("no.gguf"), "--outtype", "f17"], b"f17"),
        (["convert", path("hf"), path("no.gguf"), "--split-max-size", "much"], b"much"),
        (["quantize", path("hf"), path("no"), "BNB_NF4", "--pure", "--imatrix", "x"], b"imatrix is not for BNB_NF4"),
        (["quantize", path("hf"), path("no"), "BNB_NF4", "--method", "gptq"], b"is not for BNB_NF4"),
        (["quantize", path("hf"), path("no"), "GPTQ_INT4", "--method", "gptq"], b"calibration"),
        (["quantize", path("hf"), path("no"), "GPTQ_INT4", "--group-size", "48"], b"group_size"),
        (["quantize", path("hf"), path("hf"), "BNB_NF4"], b"exists already"),
        (["quantize", "demo", path("no"), "BNB_NF4"], b"made from a folder"),
    ]:
        _, err = quern(*arguments, code=2)
        assert message in err, (arguments, err)
    assert not os.path.exists(path("no")) and not os.path.exists(path("no.gguf"))


def quantized(type_name, *flags, source="BF16"):
    """(weights of the source, arrays of the new folder, its quantization_config)."""
    values = folder("hf", source)
    shutil.rmtree(path("made"), ignore_errors=True)
    quern("quantize", path("hf"), path("made"), type_name, *flags)
    with open(path("made/config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(path("hf/config.json"), encoding="utf-8") as file:
        assert json.load(file) == {k: v for k, v in config.items() if k != "quantization_config"}
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        with open(path(f"hf/{name}"), "rb") as a, open(path(f"made/{name}"), "rb") as b:
            assert a.read() == b.read(), name
    arrays = hf_folder.read_safetensors(path("made/model.safetensors"))
    source_arrays = hf_folder.read_safetensors(path("hf/model.safetensors"))
    for name in ["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight",
                 "model.layers.1.input_layernorm.weight"]:
        assert arrays[name] == source_arrays[name], name
    return values, arrays, config["quantization_config"]


def modules():
    return [f"model.layers.{i}.{module}" for i in range(hf_folder.LAYERS) for module in MODULES]


def numbers(entry, form):
    return struct.unpack(f"<{len(entry[2]) // struct.calcsize(form)}{form}", entry[2])


def check_nearest(weight, codes, value_of, n_codes):
    """No other code is nearer than the one chosen, rounding of the arithmetic aside."""
    for i, (w, code) in enumerate(zip(weight, codes)):
        best = min(abs(w - value_of(i, c)) for c in range(n_codes))
        assert abs(w - value_of(i, code)) <= best + 1e-6, (i, w, code)


def test_bitsandbytes_4_bits():
    for type_name, double in [("BNB_NF4", False), ("bnb_nf4_dq", True)]:
        values, arrays, config = quantized(type_name)
        assert config["quant_method"] == "bitsandbytes" and config["load_in_4bit"] and not config["load_in_8bit"]
        assert config["bnb_4bit_quant_type"] == "nf4" and config["bnb_4bit_use_double_quant"] is double
        for module in modules():
            name, weight = module + ".weight", values[module + ".weight"]
            state = json.loads(arrays[name + ".quant_state.bitsandbytes__nf4"][2])
            rows, cols = state["shape"]
            assert (rows, cols) == hf_folder.shapes()[name] and state["blocksize"] == 64
            assert state["dtype"] == "bfloat16" and arrays[name][:2] == ("U8", [rows * cols // 2, 1])
            assert list(numbers(arrays[name + ".quant_map"], "f")) == [hf_folder.f32(v) for v in NF4]
            codes = [code for byte in arrays[name][2] for code in (byte >> 4, byte & 15)]
            largest = [max(map(abs, weight[i:i + 64])) for i in range(0, len(weight), 64)]
            stored = arrays[name + ".absmax"]
            if double:
                assert stored[0] == "U8"
                nested = numbers(arrays[name + ".nested_absmax"], "f")
                nested_map = numbers(arrays[name + ".nested_quant_map"], "f")
                scales = [nested_map[c] * nested[i // 256] + state["nested_offset"] for i, c in enumerate(stored[2])]
                assert max(abs(a - b) for a, b in zip(scales, largest)) < 0.02 * max(largest)
            else:
                assert list(numbers(stored, "f")) == largest
            check_nearest(weight, codes, lambda i, c: NF4[c] * largest[i // 64], 16)


def test_bitsandbytes_8_bits():
    values, arrays, config = quantized("BNB_INT8", source="F16")
    assert config["load_in_8bit"] and config["llm_int8_threshold"] == 6.0 and not config["load_in_4bit"]
    for module in modules():
        weight, cols = values[module + ".weight"], hf_folder.shapes()[module + ".weight"][1]
        scales = numbers(arrays[module + ".SCB"], "f")
        assert list(scales) == [max(map(abs, weight[i:i + cols])) for i in range(0, len(weight), cols)]
        assert arrays[module + ".weight_format"] == ("U8", [], b"\0") and arrays[module + ".weight"][0] == "I8"
        for i, (w, q) in enumerate(zip(weight, numbers(arrays[module + ".weight"], "b"))):
            assert abs(w * 127 / scales[i // cols] - q) <= 0.5 + 1e-4


def check_gptq(values, arrays, size, symmetric, nearest):
    for module in modules():
        weight, (rows, cols) = values[module + ".weight"], hf_folder.shapes()[module + ".weight"]
        group = min(size, cols)
        words, zeros = numbers(arrays[module + ".qweight"], "I"), numbers(arrays[module + ".qzeros"], "I")
        scales = numbers(arrays[module + ".scales"], "e")
        assert arrays[module + ".qweight"][:2] == ("I32", [cols // 8, rows])
        assert arrays[module + ".qzeros"][:2] == ("I32", [cols // group, rows // 8])
        assert arrays[module + ".scales"][:2] == ("F16", [cols // group, rows])
        assert list(numbers(arrays[module + ".g_idx"], "i")) == [k // group for k in range(cols)]

        def grid(i):
            row, col = divmod(i, cols)
            at = col // group * rows + row
            return scales[at], (zeros[at // 8] >> 4 * (row % 8) & 15) + 1

        codes = [words[k // 8 * rows + n] >> 4 * (k % 8) & 15 for n in range(rows) for k in range(cols)]
        if symmetric:
            assert all(grid(i)[1] == 8 for i in range(0, len(weight), 8))
        if nearest:
            check_nearest(weight, codes, lambda i, c: grid(i)[0] * (c - grid(i)[1]), 16)
        error = sum((w - grid(i)[0] * (codes[i] - grid(i)[1])) ** 2 for i, w in enumerate(weight))
        # Codes chosen by a text are farther from the weights, where it does not look; other weights would be 2 away.
        assert error < (0.02 if nearest else 0.2) * sum(w * w for w in weight), (module, error)


def test_gptq():
    values, arrays, config = quantized("GPTQ_INT4")
    assert (config["bits"], config["group_size"], config["sym"], config["desc_act"]) == (4, 128, True, False)
    assert config["quant_method"] == "gptq" and config["checkpoint_format"] == "gptq" and "dynamic" not in config
    with open(path("made/quantize_config.json"), encoding="utf-8") as file:
        assert json.load(file) == config
    check_gptq(values, arrays, 128, True, True)
    values, arrays, config = quantized("GPTQ_INT4", "--group-size", "32", "--asym")
    assert config["group_size"] == 32 and config["sym"] is False
    check_gptq(values, arrays, 32, False, True)
    text = write("text.txt", "in the winter the rain there is another thing entirely, in their inner ether. " * 200)
    values, arrays, config = quantized("GPTQ_INT4", "--group-size", "32", "--method", "gptq", "--calibration", text)
    check_gptq(values, arrays, 32, True, False)


def test_modules_that_do_not_fit_stay():
    """Rows of 96 are not whole groups of 64."""
    values, arrays, config = quantized("GPTQ_INT4", "--group-size", "64")
    left = [f"model.layers.{i}.mlp.down_proj" for i in range(hf_folder.LAYERS)]
    assert list(config["dynamic"]) == ["-:^" + name.replace(".", "\\.") + "$" for name in left]
    for name in left:
        assert arrays[name + ".weight"][2] == hf_folder.ENCODE["BF16"](values[name + ".weight"])
        assert name + ".qweight" not in arrays


support.main(globals())
