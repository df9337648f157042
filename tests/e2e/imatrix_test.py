"""quern imatrix: collecting, saving in both formats, adding up, statistics, and what Ctrl-C leaves."""
import json
import math
import os
import signal
import struct
import subprocess
import time

import support
from support import quern, quern_json

TEXT = "The old house stood near the river, and the prince looked at it for a long time. "


def read_dat(name):
    """{tensor: [mean squares]}, number of chunks, name of the text."""
    with open(name, "rb") as file:
        data = file.read()
    at = 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    out = {}
    for _ in range(take("i")[0]):
        tensor = take(f"{take('i')[0]}s")[0].decode()
        chunks, n = take("ii")
        out[tensor] = [value / chunks for value in take(f"{n}f")]
    n_chunks, size = take("ii")
    dataset = take(f"{size}s")[0].decode()
    assert at == len(data)
    return out, n_chunks, dataset


def test_collect():
    file = support.write("text.txt", TEXT * 24)
    gguf, dat = support.path("a.gguf"), support.path("a.dat")
    n_tokens = len(quern_json("tokenize", "demo", "-f", file, "--bos"))
    result = quern_json("imatrix", "demo", "-f", file, "-c", 64, "-o", gguf)
    chunks = n_tokens // 64
    assert result == {"tensors": 42, "chunks": chunks, "chunk_size": 64, "datasets": [file], "output": gguf}
    quern_json("imatrix", "demo", "-f", file, "-c", 64, "-o", dat, "-b", 7, "-t", 1)
    tensors, n_chunks, dataset = read_dat(dat)
    assert n_chunks == chunks and dataset == file and len(tensors) == 42
    assert tensors["blk.0.attn_q.weight"] == tensors["blk.0.attn_v.weight"] != tensors["blk.1.attn_q.weight"]
    # The other way round: the same means.
    again = support.path("b.dat")
    quern("imatrix", "--in-file", gguf, "-o", again)
    for name, values in read_dat(again)[0].items():
        assert all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(values, tensors[name])), name
    by_format = support.path("b.anything")
    quern("imatrix", "--in-file", gguf, "-o", by_format, "--output-format", "dat")
    assert read_dat(by_format) == read_dat(again)


def test_output_has_a_default_name():
    file = support.write("text.txt", TEXT * 8)
    command = [os.path.abspath(support.QUERN), "imatrix", "demo", "-f", os.path.abspath(file), "-c", "64"]
    run = subprocess.run(command, cwd=support.WORK, capture_output=True, timeout=120)
    assert run.returncode == 0 and run.stdout == b"" and b"imatrix.gguf: 42 tensors" in run.stderr
    assert os.path.isfile(support.path("imatrix.gguf"))


def test_chunks_and_output():
    file = support.write("text.txt", TEXT * 24)
    out = support.path("c.gguf")
    run = lambda *flags: quern_json("imatrix", "demo", "-f", file, "-c", 64, "-o", out, *flags)
    total = run()["chunks"]
    assert run("--chunks", 3)["chunks"] == 3
    assert run("--chunk", 2)["chunks"] == run("--from-chunk", 2)["chunks"] == total - 2
    assert run("--process-output", "--chunks", 1)["tensors"] == 43
    quern("imatrix", "demo", "-f", file, "-c", 64, "-o", out, "--chunk", total, code=2)
    special = support.write("special.txt", "<|im_start|>user\nHi<|im_end|>\n" * 200)
    plain = quern_json("imatrix", "demo", "-f", special, "-c", 64, "-o", out)["chunks"]
    assert quern_json("imatrix", "demo", "-f", special, "-c", 64, "-o", out, "--parse-special")["chunks"] < plain


def test_matrices_are_added_up():
    file = support.write("text.txt", TEXT * 24)
    names = [support.path(name) for name in ("1.gguf", "2.gguf", "both.gguf", "all.dat", "sum.dat", "more.dat")]
    one, two, both, whole, summed, more = names
    quern("imatrix", "demo", "-f", file, "-c", 64, "-o", one, "--chunks", 2)
    quern("imatrix", "demo", "-f", file, "-c", 64, "-o", two, "--chunk", 2)
    total = quern_json("imatrix", "--in-file", one, "--in-file", two, "-o", both)["chunks"]
    quern("imatrix", "demo", "-f", file, "-c", 64, "-o", whole)
    quern("imatrix", "--in-file", both, "-o", summed)
    quern("imatrix", "demo", "-f", file, "-c", 64, "--in-file", one, "--chunk", 2, "-o", more)
    expected = read_dat(whole)
    assert expected[1] == total
    for path in (summed, more):
        found = read_dat(path)
        assert found[1] == total
        for name, values in expected[0].items():
            assert all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(values, found[0][name])), name


def test_statistics():
    file = support.write("text.txt", TEXT * 24)
    gguf = support.path("stats.gguf")
    quern("imatrix", "demo", "-f", file, "-c", 64, "-o", gguf)
    dat = support.path("stats.dat")
    quern("imatrix", "--in-file", gguf, "-o", dat)
    before = sorted(os.listdir(support.WORK))
    result = quern_json("imatrix", "--in-file", gguf, "--show-statistics")
    assert "output" not in result and sorted(os.listdir(support.WORK)) == before
    values = read_dat(dat)[0]
    assert [row["tensor"] for row in result["statistics"]] == sorted(values)  # one digit per layer
    for row in result["statistics"]:
        x = values[row["tensor"]]
        n, total = len(x), sum(x)
        mean = total / n
        deviation = math.sqrt(sum((v - mean) ** 2 for v in x) / n)
        expected = {"columns": n, "sum": total, "min": min(x), "max": max(x), "mean": mean, "stddev": deviation,
                    "active": sum(v > 1e-5 for v in x) / n, "zd_score": sum(v > mean + deviation for v in x) / n,
                    "entropy": -sum(v / total * math.log2(v / total) for v in x if v > 0)}
        expected["normalized_entropy"] = expected["entropy"] / math.log2(n)
        for key, value in expected.items():
            assert math.isclose(row[key], value, rel_tol=1e-5, abs_tol=1e-12), (row["tensor"], key, row[key], value)
        if row["layer"] == 0:
            assert row["cosine"] is None
            continue
        y = values[row["tensor"].replace(f"blk.{row['layer']}.", f"blk.{row['layer'] - 1}.")]
        cosine = sum(a * b for a, b in zip(x, y)) / math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
        assert math.isclose(row["cosine"], cosine, rel_tol=1e-5)
    out, err = quern("imatrix", "--in-file", gguf, "--show-statistics")
    assert err == b"" and out.count(b"\n") == 1 + 42 + 3 + 6 and b"blk.5.ffn_up.weight" in out and b"sum E[x^2]" in out


def test_interrupt_keeps_what_there_is():
    file = support.write("long.txt", TEXT * 40000)
    out = support.path("stopped.gguf")
    if os.path.exists(out):
        os.remove(out)
    process = subprocess.Popen([support.QUERN, "imatrix", "demo", "-f", file, "-o", out, "-ofreq", "1", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if os.path.exists(out) or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and b"which are kept" in stderr, (process.returncode, stderr)
    result = json.loads(stdout)
    assert result["chunks"] >= 1
    assert quern_json("imatrix", "--in-file", out, "--show-statistics")["chunks"] == result["chunks"]
    assert not [name for name in os.listdir(support.WORK) if "tmp" in name]


def test_what_is_no_matrix():
    text = support.write("no.txt", "This is a text, not a matrix.")
    out, err = quern("imatrix", "--in-file", text, "-o", support.path("x.gguf"), code=1)
    assert b"no.txt" in err and not os.path.exists(support.path("x.gguf"))
    model = quern_json("inspect", "demo")["path"]
    assert b"general.type" in quern("imatrix", "--in-file", model, "--show-statistics", code=1)[1]
    assert b"missing.gguf" in quern("imatrix", "--in-file", support.path("missing.gguf"), "-o", "x", code=1)[1]
    file = support.write("text.txt", TEXT * 8)
    nowhere = support.path("no/such/folder.gguf")
    assert b"folder.gguf" in quern("imatrix", "demo", "-f", file, "-c", 64, "-o", nowhere, code=1)[1]


support.main(globals())
