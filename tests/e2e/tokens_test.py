"""quern tokenize, logits, perplexity, inspect, check."""
import json
import os
import struct

import support
from support import quern, quern_json


def test_tokenize():
    plain = quern_json("tokenize", "demo", "-p", "Hello world")
    assert plain and all(isinstance(token, int) for token in plain) and plain[0] != 1
    assert quern_json("tokenize", "demo", "-p", "Hello world", "--bos") == [1] + plain
    text = "<|im_start|>user\nHi"
    assert 3 not in quern_json("tokenize", "demo", "-p", text)
    assert quern_json("tokenize", "demo", "-p", text, "--special")[0] == 3
    assert quern_json("tokenize", "demo", "-p", "") == []


def test_tokenize_takes_a_file_to_the_last_byte():
    file = support.write("bytes.txt", b"two lines\n\n\xff\xfe\0end\n")
    from_file = quern_json("tokenize", "demo", "-f", file)
    with open(file, "rb") as content:
        assert quern_json("tokenize", "demo", "-p", "-", stdin=content.read()) == from_file
    assert quern_json("tokenize", "demo", "-p", "-", stdin=b"two lines\n\n\xff\xfe\0end") != from_file


def test_tokenize_for_people():
    out, _ = quern("tokenize", "demo", "-p", "Hello\nworld")
    lines = out.decode().splitlines()
    ids = [int(line.split("\t")[0]) for line in lines]
    assert ids == quern_json("tokenize", "demo", "-p", "Hello\nworld")
    assert "".join(json.loads(line.split("\t")[1]) for line in lines) == " Hello\nworld"


def test_logits_do_not_depend_on_batch_or_threads():
    ids = quern_json("tokenize", "demo", "-p", "The old house stood near the river, and the prince looked at it. " * 4, "--bos")
    tokens = support.write("ids.json", json.dumps(ids))
    first = None
    for batch in (1, 7, 512):
        for threads in (1, 2):
            out = support.path("logits.npy")
            quern("logits", "demo", "--tokens", tokens, "--out", out, "--batch", batch, "-t", threads)
            rows, cols, numbers = support.read_npy(out)
            assert (rows, cols) == (len(ids), 4096)
            first = first or numbers
            assert numbers == first, (batch, threads)
    greedy = quern_json("run", "demo", "--raw", "-p", "The old house stood near the river, and the prince looked at it. " * 4,
                        "-n", 1, "--temp", 0)
    last = struct.unpack("<4096f", first[-4 * 4096:])
    assert greedy["tokens"] == [max(range(4096), key=last.__getitem__)]


def test_logits_of_what_is_no_token_list():
    for text in ("{}", "[1, 2", "[1, -2]", "[1, 2.5]", '["a"]', "[]"):
        tokens = support.write("bad.json", text)
        out, err = quern("logits", "demo", "--tokens", tokens, "--out", support.path("bad.npy"), code=1)
        assert b"bad.json" in err, (text, err)
    tokens = support.write("bad.json", "[1, 5000]")
    quern("logits", "demo", "--tokens", tokens, "--out", support.path("bad.npy"), code=2)
    left = [name for name in os.listdir(support.WORK) if name.startswith("bad.npy")]
    assert left == [], left
    tokens = support.write("good.json", "[1, 2]")
    quern("logits", "demo", "--tokens", tokens, "--out", support.path("no/such/folder.npy"), code=1)


def test_perplexity():
    text = "The old house stood near the river, and the prince looked at it for a long time. " * 12
    file = support.write("text.txt", text)
    n_tokens = len(quern_json("tokenize", "demo", "-f", file, "--bos"))
    result = quern_json("perplexity", "demo", "-f", file, "-c", 64)
    windows = n_tokens // 64
    assert result["windows"] == windows and result["tokens"] == windows * 31 and result["n_ctx"] == 64
    assert result["ppl"] > 1 and abs(2.718281828459045 ** result["nll"] / result["ppl"] - 1) < 1e-9
    assert quern_json("perplexity", "demo", "-f", file, "-c", 64, "-b", 5) == result
    out, err = quern("perplexity", "demo", "-f", "-", "-c", 64, stdin=text)
    assert out.startswith(b"[1]") and f"[{windows}]".encode() in out and f"perplexity {result['ppl']:.4f} ".encode() in out and err == b""
    assert quern_json("perplexity", "demo", "-f", file, "-c", 64, "--chunks", 1)["windows"] == 1
    quern("perplexity", "demo", "-f", support.write("short.txt", "short"), code=2)


def test_inspect():
    model = quern_json("inspect", "demo")
    assert model["architecture"] == "llama" and model["n_parameters"] == 6819072 and model["n_vocab"] == 4096
    assert model["metadata"]["general.architecture"] == "llama"
    assert sum(tensor["size_bytes"] for tensor in model["tensors"]) == model["size_bytes"]
    assert sum(entry["bytes"] for entry in model["types"].values()) == model["size_bytes"]
    assert sum(entry["elements"] for entry in model["types"].values()) == model["n_parameters"]
    assert os.path.isfile(model["path"])
    assert quern_json("inspect", model["path"])["tensors"] == model["tensors"]
    out, _ = quern("inspect", "demo", "--tensors")
    assert b"Q8_0" in out and b"token_embd.weight" in out


def test_quantized_as_it_is_opened():
    file = support.path("plain.gguf")
    quern("quantize", "demo", file, "F16", "--allow-requantize")
    plain, quantized = (quern_json("inspect", file, "--footprint", *flags)["footprint"] for flags in ((), ("--quantize", "q4_0")))
    assert quantized["file_bytes"] == plain["file_bytes"] and quantized["table_bytes"] == plain["table_bytes"]
    assert plain["matrix_bytes"] / 2.5 < quantized["matrix_bytes"] < plain["matrix_bytes"] / 1.5  # the output layer stays
    memory = quern_json("check", file, "--quantize", "q4_0")["memory"]
    assert memory["weight_bytes"] == quantized["matrix_bytes"] + quantized["vector_bytes"]
    out, _ = quern("inspect", file, "--footprint", "--quantize", "q4_0")
    assert b"in memory" in out and b"together" in out
    run = ("run", file, "-p", "The old house", "-n", 8, "--temp", 0, "--raw")
    assert len(quern_json(*run, "--quantize", "q8_0")["tokens"]) == 8
    _, err = quern(*run, "--quantize", "q4_k_m", code=2)
    assert b"quantize: expected one of" in err and b"found 'q4_k_m'" in err
    _, err = quern(*run, "--double-quant", code=2)
    assert b"double_quant" in err


def test_check():
    report = quern_json("check", "demo", "-c", 100, "-ctk", "f32")
    assert report["runs"] and report["opens"] and report["problems"] == [] and report["architecture"] == "llama"
    memory = report["memory"]
    assert memory["n_ctx"] == 100 and memory["cache_bytes"] > 0
    assert memory["needed_bytes"] == memory["weight_bytes"] + memory["cache_bytes"] + memory["buffer_bytes"]
    assert memory["available_bytes"] > memory["needed_bytes"]
    assert quern_json("check", "demo", "-c", 200, "-ctk", "f32")["memory"]["cache_bytes"] > memory["cache_bytes"]
    out, _ = quern("check", "demo")
    assert out.splitlines()[-1].startswith(b"runs here, on cpu (")
    file = support.write("not-a-model.gguf", "something else entirely")
    report = quern_json("check", file, code=1)
    assert not report["runs"] and report["problems"][0]["part"] == "file" and file in report["problems"][0]["message"]
    out, _ = quern("check", file, code=1)
    assert b"PROBLEM" in out and out.splitlines()[-1].startswith(b"does not run here")
    quern("check", code=2)
    quern("check", "demo", "-ctk", "f77", code=2)


support.main(globals())
