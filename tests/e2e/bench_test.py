"""quern bench: every form of its output, lists and ranges, several sequences, placement of threads."""
import csv
import io
import json
import os
import re

import support
from support import quern, quern_json

SMALL = ("-p", 8, "-n", 4, "-r", 2, "-t", 1)
# What llama-bench calls these, so that scripts for it find them.
FIELDS = {
    "model_filename": str, "model_type": str, "model_size": int, "model_n_params": int, "cpu_info": str, "backends": str,
    "n_prompt": int, "n_gen": int, "n_depth": int, "n_threads": int, "n_batch": int, "type_k": str, "type_v": str,
    "use_mmap": bool, "test_time": str, "avg_ns": int, "stddev_ns": int, "avg_ts": float, "stddev_ts": float,
}
OWN = {"version": str, "n_parallel": int, "median_ts": float, "load_s": float, "rss_bytes": int}


def not_a_number(text):
    raise AssertionError(f"{text} is no JSON")


def strict(text):
    return json.loads(text, parse_constant=not_a_number)


def check_test(test, samples=True):
    for key, kind in {**FIELDS, **OWN}.items():
        assert type(test[key]) is kind, (key, test[key])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", test["test_time"])
    assert os.path.isfile(test["model_filename"]) and test["model_type"] == "llama 7M Q8_0"
    assert test["avg_ns"] > 0 and test["avg_ts"] > 0 and test["rss_bytes"] > 1 << 20
    if not samples:
        return
    n_tokens = test["n_parallel"] * (test["n_prompt"] + test["n_gen"])
    assert len(test["samples_ns"]) == len(test["samples_ts"]) > 0
    for ns, ts in zip(test["samples_ns"], test["samples_ts"]):
        assert abs(n_tokens / ns * 1e9 / ts - 1) < 1e-3
    mean = sum(test["samples_ts"]) / len(test["samples_ts"])
    assert abs(test["avg_ts"] / mean - 1) < 1e-9
    variance = sum((x - mean) ** 2 for x in test["samples_ts"]) / max(len(test["samples_ts"]) - 1, 1)
    assert abs(test["stddev_ts"] ** 2 - variance) <= 1e-6 * mean ** 2


def bench(*arguments):
    """The tests of -o jsonl."""
    out, err = quern("bench", "demo", *arguments, "-o", "jsonl")
    assert err == b"", err
    tests = [strict(line) for line in out.decode().splitlines()]
    for test in tests:
        check_test(test)
    return tests


def test_document():
    result = quern_json("bench", "demo", "-p", 32, "-n", 8, "-d", 16, "-t", 2, "-r", 3)
    for key in ("pp_tok_s", "tg_tok_s", "load_s"):
        assert result[key] > 0, key
    assert result["rss_bytes"] > 1 << 20 and result["peak_rss_bytes"] >= result["rss_bytes"] // 2
    assert (result["n_prompt"], result["n_gen"], result["depth"], result["n_threads"], result["repetitions"]) == (32, 8, 16, 2, 3)
    assert len(result["pp_seconds"]) == len(result["tg_seconds"]) == 3
    middle = sorted(result["tg_seconds"])[1]
    assert abs(result["tg_tok_s"] * middle / 8 - 1) < 1e-9
    footprint = result["footprint"]
    assert footprint["total_bytes"] == footprint["matrix_bytes"] + footprint["vector_bytes"] + footprint["table_bytes"]
    assert footprint["file_mapped"] and footprint["file_bytes"] == os.path.getsize(result["model"]) and footprint["kept_bytes"] == 0
    assert result["file_type"] == "Q8_0" and result["backend"].startswith("cpu")
    assert result["machine_read_bytes_s"] is None and result["bandwidth_share"] is None
    assert [(test["n_prompt"], test["n_gen"]) for test in result["results"]] == [(32, 0), (0, 8)]
    assert abs(result["results"][1]["median_ts"] / result["tg_tok_s"] - 1) < 1e-9
    for test in result["results"]:
        check_test(test)


def test_document_of_several_sequences():
    result = quern_json("bench", "demo", "-p", 0, "-n", 4, "-d", 8, "--batch", 3, "-r", 1)
    assert result["pp_tok_s"] is None and result["n_sequences"] == 3 and result["n_prompt"] == 0
    assert abs(result["tg_tok_s"] * result["tg_seconds"][0] / 12 - 1) < 1e-9


def test_json():
    out, err = quern("bench", "demo", *SMALL, "-o", "json")
    tests = strict(out)
    assert err == b"" and len(tests) == 2
    for test in tests:
        check_test(test)
        assert len(test["samples_ns"]) == 2


def test_csv():
    out, err = quern("bench", "-m", "demo", *SMALL, "-pg", "8,4", "--output", "csv")
    assert err == b""
    rows = list(csv.reader(io.StringIO(out.decode(), newline=""), strict=True))
    assert len(rows) == 4 and len({len(row) for row in rows}) == 1
    for row in rows[1:]:
        kinds = {**FIELDS, **OWN}
        test = {key: kinds.get(key, str)(value) if kinds.get(key) is not bool else value == "true"
                for key, value in zip(rows[0], row)}
        check_test(test, samples=False)
    assert [row[rows[0].index("n_prompt")] for row in rows[1:]] == ["8", "0", "8"]
    assert [row[rows[0].index("n_gen")] for row in rows[1:]] == ["0", "4", "4"]


def table(out):
    """The rows as dictionaries, and the lines below the table."""
    lines = out.decode().splitlines()
    end = lines.index("")
    assert all(line[0] == line[-1] == "|" for line in lines[:end])
    assert len({len(line) for line in lines[:end]}) == 1, "columns are aligned"
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[:end]]
    assert all(re.fullmatch(r"-+:?", cell) for cell in cells[1])
    return [dict(zip(cells[0], row)) for row in cells[2:]], lines[end + 1:]


def test_table():
    out, err = quern("bench", "demo", *SMALL, "-pg", "8,4", "-d", "0,8")
    rows, below = table(out)
    assert err == b"" and [row["test"] for row in rows] == ["pp8", "tg4", "pp8+tg4", "pp8 @ d8", "tg4 @ d8", "pp8+tg4 @ d8"]
    for row in rows:
        assert list(row) == ["model", "size", "params", "backend", "threads", "test", "t/s"]
        assert (row["model"], row["size"], row["params"], row["threads"]) == ("llama 7M Q8_0", "6.9 MiB", "6.82 M", "1")
        assert re.fullmatch(r"\d+\.\d\d \u00b1 \d+\.\d\d", row["t/s"])
    assert re.search(r"demo.*1 threads: loaded in \d+\.\d\d s, \d+\.\d MiB of memory", below[0]) and below[1].startswith("quern ")
    out, _ = quern("bench", "demo", *SMALL, "-o", "md", "-b", "4,512", "-ctk", "f32", "-ctv", "f16,f32")
    rows, _ = table(out)
    assert {(row["n_batch"], row["type_k"], row["type_v"]) for row in rows} == {
        (batch, "f32", v) for batch in ("4", "512") for v in ("f16", "f32")}


def test_combinations():
    tests = bench("-p", "8,16", "-p", "24", "-n", "4", "-n", "0", "-d", "0,8", "-t", "1,2", "-b", "8", "-b", "512", "-r", 1)
    seen = {tuple(test[key] for key in ("n_threads", "n_depth", "n_prompt", "n_gen", "n_batch")) for test in tests}
    assert len(seen) == len(tests) == 2 * 2 * 4 * 2, seen
    assert all((test["n_prompt"] == 0) != (test["n_gen"] == 0) for test in tests)


def test_ranges():
    lengths = lambda *arguments: [test["n_prompt"] for test in bench("-n", 0, "-r", 1, "-t", 1, "--no-warmup", *arguments)]
    assert lengths("-p", "1-3") == [1, 2, 3]
    assert lengths("-p", "2-9+3,1") == [2, 5, 8, 1]
    assert lengths("-p", "1-9*3", "-p", "4-4") == [1, 3, 9, 4]


def test_parallel():
    tests = bench("-p", "16", "-n", "4", "-pg", "8,4", "-np", "1,3", "-r", 1)
    assert [(test["n_prompt"], test["n_gen"], test["n_parallel"]) for test in tests] == [
        (16, 0, 1), (0, 4, 1), (0, 4, 3), (8, 4, 1), (8, 4, 3)]
    out, _ = quern("bench", "demo", "-p", 0, "-n", 4, "-pg", "16,16", "-np", 3, "-d", 8, "-r", 1)
    assert [row["test"] for row in table(out)[0]] == ["tg4 x3 @ d8", "pp16+tg16 x3 @ d8"]


def test_models():
    other = support.path('a copy, "quoted".gguf')
    with open(bench("-p", 1, "-n", 0, "-r", 1)[0]["model_filename"], "rb") as source:
        support.write(os.path.basename(other), source.read())
    out, _ = quern("bench", "-m", "demo", "-m", other, *SMALL, "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline=""), strict=True))
    assert len(rows) == 4 and [row["model_filename"] == other for row in rows] == [False, False, True, True]
    out, _ = quern("bench", "demo", other, *SMALL)
    rows, below = table(out)
    assert len(rows) == 4 and len(below) == 3 and "quoted" in below[1]


def test_machine():
    tests = bench("-p", 8, "-n", 4, "-d", 8, "-r", 1, "--machine")
    prompt, answer = tests
    assert prompt["machine_read_bytes_s"] == answer["machine_read_bytes_s"] > 1e8
    assert prompt["model_read_bytes_s"] is None and prompt["bandwidth_share"] is None
    assert abs(answer["bandwidth_share"] * answer["machine_read_bytes_s"] / answer["model_read_bytes_s"] - 1) < 1e-9
    # All tensors but the embeddings, and for each of 8 + 2.5 tokens, which is what the middle of the answer attends to, a key
    # and a value in half precision.
    info = quern_json("inspect", "demo")
    cached = 10.5 * info["n_layer"] * info["n_head_kv"] * info["n_embd"] / info["n_head"] * 2 * 2
    embeddings = info["n_vocab"] * info["n_embd"] // 32 * 34
    read = answer["model_read_bytes_s"] / answer["median_ts"]
    assert abs(read - (answer["model_size"] - embeddings + cached)) < 2, (read, embeddings, cached)
    rows, below = table(quern("bench", "demo", *SMALL, "--machine")[0])
    assert rows[0]["reads GB/s"] == "" and float(rows[1]["reads GB/s"]) > 0 and re.fullmatch(r"\d+%", rows[1]["of machine"])
    assert re.search(r"the machine reads \d+\.\d GB/s", below[0])


def test_delay():
    import time
    start = time.monotonic()
    bench("-p", 1, "-n", 1, "-r", 1, "--delay", 0.3, "--no-warmup")
    assert time.monotonic() - start >= 0.6


def test_placement():
    if not hasattr(os, "sched_getaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    first = allowed[0]
    for flags in (["--cpu-range", f"{first}-{first}"], ["-Cr", first], ["-C", hex(1 << first)], ["--cpu-mask", f"{1 << first:X}"]):
        tests = bench("-p", 4, "-n", 0, "-r", 1, "-t", "0,2", *flags)
        assert [test["n_threads"] for test in tests] == [1, 2]
    tests = bench("-p", 4, "-n", 0, "-r", 1, "-t", "1,0", "--cpu-strict", 1)
    assert tests[0]["n_threads"] == 1 and 1 <= tests[1]["n_threads"] <= len(allowed) and tests[1]["cpu_strict"] is True
    quern("run", "demo", "-p", "x", "-n", 2, "--cpu-strict", 1)
    for flags, message in [
        (["--cpu-strict", 1, "-t", len(allowed) + 1], b"processor each"),
        (["--cpu-strict", 2], b"--cpu-strict"),
        (["-C", "0x"], b"--cpu-mask"),
        (["-C", "xyz"], b"xyz"),
        (["-C", "0"], b"no processor"),
        (["--cpu-range", "3-1"], b"3-1"),
        (["--cpu-range", "0-"], b"0-"),
        (["--cpu-range", "60000"], b"60000"),
    ]:
        out, err = quern("bench", "demo", "-p", 4, "-n", 0, *flags, code=2)
        assert out == b"" and message in err, (flags, out, err)


def test_wrong_usage():
    for flags, message in [
        (["-p", "1,x"], b"1,x"),
        (["-p", "1,,2"], b"1,,2"),
        (["-p", ""], b"-p"),
        (["-n", "1-"], b"1-"),
        (["-n", "3-1"], b"3-1"),
        (["-n", "1-3+0"], b"1-3+0"),
        (["-n", "1-3*1"], b"1-3*1"),
        (["-n", "0-3*2"], b"0-3*2"),
        (["-n", "1-3/2"], b"1-3/2"),
        (["-d", "0-16000000"], b"-d"),
        (["-d", "-1"], b"-1"),
        (["-d", "99999999999"], b"99999999999"),
        (["-pg", "8"], b"-pg"),
        (["-pg", "8,4,2"], b"8,4,2"),
        (["-pg", "8,0"], b"8,0"),
        (["-np", "0"], b"-np"),
        (["-t", "5000"], b"-t"),
        (["-b", "0"], b"-b"),
        (["-ub", "8"], b"one batch size"),
        (["-ctk", "q3"], b"q3"),
        (["-ctv", "f16,"], b"f16"),
        (["-r", "0"], b"-r"),
        (["--delay", "-1"], b"--delay"),
        (["-o", "xml"], b"xml"),
        (["-o", "csv", "--json"], b"--json"),
        (["-p", "0", "-n", "0"], b"nothing to measure"),
    ]:
        out, err = quern("bench", "demo", *flags, code=2)
        assert out == b"" and message in err, (flags, out, err)
    assert b"no model" in quern("bench", code=2)[1]


def test_what_fails_is_named():
    out, err = quern("bench", "demo", "-p", 64, "-n", 0, "-c", 32, "-o", "json", code=1)
    assert out == b"" and b"32" in err, err
    out, err = quern("bench", "demo", support.path("missing.gguf"), *SMALL, "-o", "json", code=1)
    assert out == b"" and b"missing.gguf" in err, err


support.main(globals())
