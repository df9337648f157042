"""What opening a Hugging Face folder takes: weights are quantized on their way into memory, without a second copy."""
import json
import os
import subprocess
import sys

import support
from support import quern, quern_json

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "parity"))
import make_random_hf

MIB = 1 << 20
# Pages of the file in work, threads, what the allocator keeps, and 6 MiB of shared libraries: the peak that the system tells
# for a child is at least what Python had when it forked, which hides these in `base`. A second copy would be 99 MiB.
SLACK = 24 * MIB


def peak(*arguments):
    """The JSON document that the command prints, and the most memory it had."""
    run = subprocess.Popen([support.QUERN, *map(str, arguments), "--json"], stdout=subprocess.PIPE, env=support.GOOD)
    out = run.stdout.read()
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0, arguments
    return json.loads(out), usage.ru_maxrss * 1024


def folder(name, **options):
    path = support.path(name)
    make_random_hf.make(path, layers=8, hidden=768, ff=2048, heads=12, kv_heads=4, vocab=2048, **options)
    return path


def check_peak(path, *flags):
    _, base = peak("inspect", path)  # everything but the weights
    model, most = peak("inspect", path, "--footprint", *flags)
    footprint = model["footprint"]
    final = footprint["matrix_bytes"] + footprint["vector_bytes"]
    print(f"    {flags}: file {footprint['file_bytes'] / MIB:.1f} MiB, weights {final / MIB:.1f}, peak {most / MIB:.1f}, before {base / MIB:.1f}")
    assert footprint["file_mapped"] and final < footprint["file_bytes"] and final + SLACK < footprint["file_bytes"]
    assert final <= most <= base + final + SLACK
    return footprint


def test_quantized_without_a_second_copy():
    path = folder("one_file")
    for type_name, bits in (("q4_0", 4.5), ("q8_0", 8.5), ("nf4", 4.5)):
        footprint = check_peak(path, "--quantize", type_name)
        n_output, n_others = 2048 * 768, 8 * (2 * 768 * 768 + 2 * 256 * 768 + 3 * 2048 * 768)
        expected = 2 * n_output + n_others * bits / 8
        assert abs(footprint["matrix_bytes"] / expected - 1) < 0.02, (type_name, footprint, expected)
    single, double = (quern_json("inspect", path, "--footprint", "--quantize", "nf4", *flags)["footprint"] for flags in ((), ("--double-quant",)))
    assert single["matrix_bytes"] - double["matrix_bytes"] == n_others / 8 * 0.125


def logits(path, name):
    tokens, out = support.write("ids.json", "[256, 1, 2, 300]"), support.path(name)
    quern("logits", path, "--tokens", tokens, "--out", out, "--quantize", "q8_0")
    return support.read_npy(out)


def test_shards():
    shards = folder("shards", n_shards=4, tied=False)
    assert len([name for name in os.listdir(shards) if name.endswith(".safetensors")]) == 4
    check_peak(shards, "--quantize", "q4_0")
    assert logits(shards, "shards.npy") == logits(folder("one_file", tied=False), "one_file.npy")


support.main(globals())
