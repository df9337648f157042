#!/usr/bin/env python3
"""Malformed Hugging Face folders through the C interface and `quern check`: none may crash, hang or grow the process.

  bad_hf.py --probe GGUF_PROBE [--quern QUERN] [--flips 60] [--jobs 2] [--list]

Makes a tiny random model (tests/parity/make_random_hf.py) and alters one of its files at a time: the header and the data of
the safetensors, the index of its shards, config.json, tokenizer.json, tokenizer_config.json. Every folder is opened in a
process of its own with a time limit and a memory limit. What must be refused has to be, with a message that names a file of
the folder; the others may also run. Prints a table; exit status 1 if anything is amiss.
"""
import argparse, collections, concurrent.futures, copy, json, os, random, resource, shutil, struct, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "parity"))
import make_random_hf

SECONDS = 10       # more than this is a hang
MEMORY_MIB = 1024  # more than this is endless growth: the valid model needs about 30 MiB
SHAPE = dict(layers=2, hidden=64, ff=96, heads=4, kv_heads=2, vocab=300, tied=False)
MODEL, INDEX, CONFIG, TOKENIZER, TOKENIZER_CONFIG = ("model.safetensors", "model.safetensors.index.json", "config.json", "tokenizer.json",
                                                     "tokenizer_config.json")
WEIGHT, NORM = "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"


def read(path):
    with open(path, "rb") as file: return file.read()


def split(data):
    """The header of a safetensors file and the bytes behind it."""
    n = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + n]), data[8 + n:]


def join(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def safetensors_cases(whole):
    """(name, new bytes, must it be refused)."""
    header, data = split(whole)
    size, text = len(data), whole[8:8 + struct.unpack("<Q", whole[:8])[0]]

    def with_array(name, **parts):
        new = copy.deepcopy(header)
        for key, value in parts.items():
            if value is None: del new[name][key]
            else: new[name][key] = value
        return join(new, data)

    def renamed(old, new_name):
        return join({new_name if key == old else key: value for key, value in header.items()}, data)

    begin, end = header[WEIGHT]["data_offsets"]
    yield from (("empty", b"", True), ("seven bytes", whole[:7], True), ("length alone", whole[:8], True), ("zeros", bytes(4096), True),
                ("ones", b"\xff" * 4096, True), ("pickle", b"PK\3\4" + bytes(4096), True), ("gguf", b"GGUF" + bytes(4096), True),
                ("lfs pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", True))
    for cut in (9, 8 + len(text) // 2, 8 + len(text), len(whole) // 2, len(whole) - 1): yield f"cut at {cut}", whole[:cut], True
    yield "more behind the data", whole + b"\0", True
    for length in (0, 1, len(text) - 1, len(text) + 1, 10 ** 8 + 1, 1 << 32, 1 << 63, (1 << 64) - 1):
        yield f"header length {length}", join(text, data, length), True
    yield from (("header not UTF-8", join(text.replace(b"norm", b"n\xffrm", 1), data), True),
                ("header with NUL", join(text[:-1] + b"\0}", data), True), ("NUL behind the header", join(text + b"\0", data), True),
                ("header an array", join(b"[" + text + b"]", data), True), ("space before the header", join(b" " + text, data), True),
                ("two headers", join(text + text, data), True), ("header without end", join(text.rstrip()[:-1], data), True),
                ("deep header", join(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", data), True),
                ("wide header", join(b'{"a":[' + b"1," * 500000 + b"1]}", data), True),
                ("no arrays", join({}, b""), True), ("no arrays, but data", join({}, data), True))
    yield from (("array is a number", join({**header, WEIGHT: 1}, data), True), ("array is null", join({**header, WEIGHT: None}, data), True),
                ("array missing", join({k: v for k, v in header.items() if k != WEIGHT}, data), True),
                ("unnamed array", renamed(WEIGHT, ""), True), ("name with NUL", renamed(WEIGHT, WEIGHT + "\0"), True),
                ("long name", renamed(WEIGHT, "x" * 100000), True), ("other name", renamed(WEIGHT, "model.layers.7.x"), True),
                ("array twice", join(text[:-1] + b"," + json.dumps({WEIGHT: header[WEIGHT]}).encode()[1:], data), True),
                ("extra field", with_array(WEIGHT, offset=3), True), ("metadata a list", join({**header, "__metadata__": []}, data), True),
                ("metadata of numbers", join({**header, "__metadata__": {"a": 1}}, data), True))
    for part in ("dtype", "shape", "data_offsets"): yield f"without {part}", with_array(WEIGHT, **{part: None}), True
    for dtype in ("F33", "", 7, "f16", "F32", "F64", "U8", "F4", "C64"): yield f"dtype {dtype!r}", with_array(WEIGHT, dtype=dtype), True
    for dtype in ("F16", "I16", "U16"): yield f"dtype {dtype}", with_array(WEIGHT, dtype=dtype), dtype != "F16"
    rows, columns = header[WEIGHT]["shape"]
    for shape in ([], [rows * columns], [columns, rows + 1], [rows, columns, 1], [rows * 2, columns // 2], [0, columns], [-1, columns], [1.5, columns],
                  ["64", 64], [1 << 63, 2], [1 << 62, 1 << 62], [18446744073709551616], [1] * 70 + [rows * columns], 64, None, {}):
        if shape is None: continue
        yield f"shape {str(shape)[:40]}", with_array(WEIGHT, shape=shape), True
    for offsets in ([begin, end - 2], [begin + 2, end + 2], [end, begin], [begin], [], [begin, end, end], [0, end - begin], [-2, end], [begin, size + 2],
                    [size, size + end - begin], [begin, 1 << 63], [1.0, 2.0], ["0", "2"], "0", [1 << 64, 1 << 65]):
        yield f"data_offsets {str(offsets)[:40]}", with_array(WEIGHT, data_offsets=offsets), True
    yield "norm as a matrix", with_array(NORM, shape=[1, 64]), None
    yield "NaN weights", whole[:len(whole) - size + begin] + b"\xff" * (end - begin) + whole[len(whole) - size + end:], False


def index_cases(whole):
    index = json.loads(whole)
    names = index["weight_map"]
    file = names[WEIGHT]
    other = next(name for name in names.values() if name != file)

    def with_map(**changes): return json.dumps({**index, "weight_map": {**names, **changes}}).encode()

    for name, text in (("empty", b""), ("not JSON", b"{"), ("array", b"[]"), ("null", b"null"), ("no map", b"{}"), ("NUL", whole[:-1] + b"\0}"),
                       ("empty map", b'{"weight_map":{}}'), ("map a list", b'{"weight_map":[]}'), ("map a string", b'{"weight_map":"x"}'),
                       ("map twice", whole.rstrip()[:-1] + b',"weight_map":{}}'), ("cut", whole[:len(whole) // 2]), ("deep", b"[" * 100000)):
        yield name, text, True
    for value in (1, None, [], "", ".", "..", "../" + file, "/" + file, "./" + file, "a/" + file, "a\\" + file, file + "\0", "none.safetensors", CONFIG,
                  "x" * 300 + ".safetensors", other):
        yield f"array in {str(value)[:30]!r}", with_map(**{WEIGHT: value}), True
    yield "array that is nowhere", with_map(**{"model.layers.9.x": file}), True
    yield "array left out", json.dumps({"weight_map": {k: v for k, v in names.items() if k != WEIGHT}}).encode(), True
    yield "total_size wrong", json.dumps({**index, "metadata": {"total_size": -5}}).encode(), False
    yield "metadata a string", json.dumps({**index, "metadata": "x"}).encode(), False


def json_cases(whole, keys):
    """What any JSON file may be instead, and every value of `keys` of another kind. A name with '.' leads into objects."""
    for name, text in (("empty", b""), ("not JSON", b"{"), ("array", b"[]"), ("number", b"1"), ("cut", whole[:len(whole) // 2]), ("deep", b'{"a":' * 5000),
                       ("not UTF-8", whole.replace(b":", b':"\xff",', 1)), ("comma", whole.rstrip()[:-1] + b",}"), ("two", whole + whole)):
        yield name, text, None if name == "cut" else True
    content = json.loads(whole)
    for path, values in keys.items():
        for value, refused in values:
            new = copy.deepcopy(content)
            at = new
            *folders, last = path.split(".")
            for folder in folders: at = at[folder]
            if value is DELETE: at.pop(last, None)
            else: at[last] = value
            yield f"{path} = {'absent' if value is DELETE else str(value)[:24]}", json.dumps(new).encode(), refused


DELETE = object()
HUGE = 1 << 40
NUMBER = [("x", True), (-1, True), (0, True), (1.5, True), (HUGE, True), (1 << 70, True), ([], True), ({}, True)]
CONFIG_KEYS = {
    "model_type": [(DELETE, None), (1, None), ("", None), ("quernish", None), ([], None)],
    "architectures": [(DELETE, True), (1, True), ([], True), (["XForCausalLM"], True), ([1], True)],
    "hidden_size": NUMBER + [(DELETE, True), (32, True), (65, True)], "num_hidden_layers": NUMBER + [(DELETE, True), (3, True), (1, None)],
    "num_attention_heads": NUMBER + [(DELETE, True), (5, True)], "num_key_value_heads": NUMBER[:1] + NUMBER[4:] + [(3, True), (8, True)],
    "intermediate_size": NUMBER + [(DELETE, True), (97, True)], "vocab_size": [("x", True), (-1, None), (HUGE, True), (10, None)],
    "head_dim": [("x", True), (-1, True), (15, True), (HUGE, True)], "rms_norm_eps": [("x", True), (-1, None), ([], True), (1e300, None)],
    "rope_theta": [("x", True), (-1, None), (0, None), (1e300, None)], "max_position_embeddings": [("x", True), (-1, True), (HUGE, None)],
    "rope_scaling": [(1, None), ({"type": "quern"}, None), ({"rope_type": "linear", "factor": "x"}, None), ({"rope_type": "llama3"}, None)],
    "tie_word_embeddings": [("x", None), (True, None)], "hidden_act": [("quern", None), (1, None)],
    "quantization_config": [(1, None), ({}, None), ({"quant_method": "quern"}, None), ({"quant_method": 5}, None)],
    "bos_token_id": [("x", None), (HUGE, None), (-7, None)], "eos_token_id": [([], None), ([HUGE], None), (["x"], None)],
}
TOKENIZER_KEYS = {
    "model": [(DELETE, True), (1, True), ({}, True)], "model.type": [("Quern", True), (1, True)],
    "model.vocab": [(DELETE, True), (1, True), ({}, True), ({"a": "x"}, True), ({"a": -1}, True), ({"a": HUGE}, True), ({"a": 1.5}, True)],
    "model.merges": [(1, True), ([1], True), (["a"], True), (["zz yy"], None), ([["a"]], True), ([["a", "b", "c"]], True)],
    "added_tokens": [(1, True), ([1], True), ([{}], True), ([{"id": HUGE, "content": "x"}], True), ([{"id": -1, "content": "x"}], True),
                     ([{"id": 3, "content": 5}], True)],
    "pre_tokenizer": [(1, True), ({"type": "Quern"}, True), ({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"}, True)],
    "normalizer": [(1, True), ({"type": "Quern"}, True)], "decoder": [(1, None), ({"type": "Quern"}, None)],
    "post_processor": [(1, None), ({"type": "Quern"}, None)],
}
TOKENIZER_CONFIG_KEYS = {
    "bos_token": [(1, None), ("none such", None), ({"content": 5}, None)], "eos_token": [([], None)], "tokenizer_class": [(1, None)],
    "chat_template": [(1, None), ("{% for %}", None), ([{"name": 1}], None), ("{{ x" * 1000, None)], "add_bos_token": [("x", None)],
    "added_tokens_decoder": [(1, None), ({"x": 1}, None), ({"99999999999": {"content": "x"}}, None)],
}


def cases(single, sharded, n_flips):
    """(category, file, name, new bytes, must it be refused, of which folder)."""
    whole = read(os.path.join(single, MODEL))
    for name, new, refused in safetensors_cases(whole): yield "safetensors", MODEL, name, new, refused, single
    for name, new, refused in index_cases(read(os.path.join(sharded, INDEX))): yield "index", INDEX, name, new, refused, sharded
    for file, keys in ((CONFIG, CONFIG_KEYS), (TOKENIZER, TOKENIZER_KEYS), (TOKENIZER_CONFIG, TOKENIZER_CONFIG_KEYS)):
        for name, new, refused in json_cases(read(os.path.join(single, file)), keys):
            if file == TOKENIZER_CONFIG and refused: refused = None  # it only adds to what tokenizer.json says
            yield file, file, name, new, refused, single
    rng = random.Random(1)
    for file in (MODEL, CONFIG, TOKENIZER):
        data = read(os.path.join(single, file))
        span = 8 + struct.unpack("<Q", data[:8])[0] if file == MODEL else len(data)
        for i in range(n_flips):
            new = bytearray(data)
            at = rng.randrange(span)
            new[at] ^= 1 << rng.randrange(8)
            yield "flipped bits", file, f"{file} {i}", bytes(new), None, single


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))


def run(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, preexec_fn=limits)
    except subprocess.TimeoutExpired:
        return "hang", ""
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode == 0: return "ran", text
    return ("refused" if done.returncode == 1 and text.strip() else "crash"), f"status {done.returncode}: {text}"


def try_case(case, number, work, ways):
    """A folder of links to the model's files, with one altered: (outcome, text) of each way."""
    _, file, _, new, _, source = case
    folder = os.path.join(work, f"case{number}")
    os.mkdir(folder)
    for name in os.listdir(source):
        if name != file: os.symlink(os.path.join(source, name), os.path.join(folder, name))
    with open(os.path.join(folder, file), "wb") as out: out.write(new)
    outcomes = [(*run(command(folder)), folder) for command in ways.values()]
    shutil.rmtree(folder)
    return outcomes


def verdict(case, outcome, text, folder):
    """What is wrong, or nothing."""
    refused = case[4]
    if outcome in ("crash", "hang"): return outcome
    if refused is True and outcome != "refused": return "expected a refusal"
    if refused is False and outcome != "ran": return "expected it to run"
    if outcome == "refused" and folder not in text: return "no file is named"
    return None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--probe", required=True); ap.add_argument("--quern"); ap.add_argument("--flips", type=int, default=60)
    ap.add_argument("--jobs", type=int, default=2); ap.add_argument("--list", action="store_true", help="print every outcome")
    a = ap.parse_args()
    ways = {"C interface": lambda folder: [a.probe, folder]}
    if a.quern: ways["quern check"] = lambda folder: [a.quern, "check", folder]
    n_wrong, table = 0, collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as work:
        single, sharded = os.path.join(work, "single"), os.path.join(work, "sharded")
        make_random_hf.make(single, **SHAPE)
        make_random_hf.make(sharded, **SHAPE, n_shards=3)
        for folder in (single, sharded):
            for command in ways.values():
                outcome, text = run(command(folder))
                if outcome != "ran": sys.exit(f"the model that is not altered: {outcome}: {text}")
        every = list(cases(single, sharded, a.flips))
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            results = pool.map(lambda item: try_case(item[1], item[0], work, ways), enumerate(every))
            for case, outcomes in zip(every, results):
                for way, (outcome, text, folder) in zip(ways, outcomes):
                    table[way, case[0]][outcome] += 1
                    wrong = verdict(case, outcome, text, folder)
                    n_wrong += wrong is not None
                    if wrong or a.list: print("WRONG" if wrong else "     ", f"{way}: {case[1]}: {case[2]}: {wrong or outcome}: {text.strip()[:300]}")
    print(f"{'':40}{'ran':>8}{'refused':>9}{'crash':>7}{'hang':>6}")
    for (way, category), counts in table.items():
        print(f"{way + ': ' + category:40}{counts['ran']:8}{counts['refused']:9}{counts['crash']:7}{counts['hang']:6}")
    print(f"{len(every)} folders; {n_wrong} outcomes differ from what is expected")
    return 1 if n_wrong else 0


sys.exit(main())
