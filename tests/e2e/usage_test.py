"""The command line itself: help, version, exit codes, hints for flags that do not apply."""
import support
from support import quern

COMMANDS = ["run", "chat", "tokenize", "logits", "perplexity", "embed", "bench", "imatrix", "inspect", "quantize", "convert"]


def test_version():
    out, err = quern("--version")
    assert out.startswith(b"quern ") and out.count(b".") == 2 and err == b""


def test_help_goes_to_stdout():
    out, err = quern("--help")
    assert err == b""
    for command in COMMANDS:
        assert command.encode() in out, command


def test_help_of_each_command_has_examples():
    for command in COMMANDS:
        out, err = quern(command, "--help")
        assert b"Examples:" in out and f"Usage: quern {command} ".encode() in out and err == b"", command


def test_words_without_a_flag_are_shown_once():
    out, _ = quern("quantize", "--help")
    assert b"[OPTIONS] [IN] [OUT] TYPE [THREADS]\n" in out and b"\n  IN   " in out, out
    for command in COMMANDS:
        usage = quern(command, "--help")[0].split(b"\n")[1]
        assert b"[]" not in usage and b"x)" not in usage, usage


def test_the_types_to_quantize_to():
    lines = quern("quantize", "--list")[0].decode().splitlines()
    assert any(line.startswith("Q4_K_M ") and " 4.89 " in line for line in lines), lines
    assert any(line.startswith("IQ1_S ") and "needs --imatrix" in line for line in lines), lines


def test_no_command_shows_the_help_as_an_error():
    out, err = quern(code=2)
    assert out == b"" and b"quern run demo" in err


def test_wrong_usage():
    for arguments, message in [
        (["frobnicate"], b"unknown command 'frobnicate'"),
        (["--frobnicate"], b"--frobnicate"),
        (["run"], b"no prompt"),
        (["run", "-p", "x"], b"no model"),
        (["run", "demo", "-p", "x", "surplus"], b"surplus"),
        (["run", "demo", "-p", "x", "-n", "many"], b"many"),
        (["run", "demo", "-p", "x", "--tempp", "1"], b"did you mean --temp"),
        (["run", "demo", "-p", "x", "-ngl", "99"], b"CPU"),
        (["run", "demo", "-p", "x", "-fa"], b"attention"),
        (["run", "-hf", "repo", "-p", "x"], b"hf:user/repo"),
        (["run", "demo", "-p", "x", "--top-p", "7"], b"top_p"),
        (["run", "demo", "-p", "x", "--samplers", "top_k;magic"], b"magic"),
        (["run", "demo", "-p", "x", "--logit-bias", "abc"], b"abc"),
        (["run", "demo", "-p", "x", "-ctk", "q3"], b"q3"),
        (["run", "demo", "-p", "x", "--backend", "abacus"], b"abacus"),
        (["run", "demo", "-p", "x", "--raw", "-sys", "y"], b"-sys"),
        (["tokenize", "demo"], b"no text"),
        (["logits", "demo"], b"--tokens"),
        (["perplexity", "demo"], b"-f"),
        (["bench", "demo", "-p", "1,x"], b"1,x"),
        (["imatrix", "demo"], b"-f"),
        (["imatrix", "demo", "-f", __file__, "--output-format", "npz"], b"npz"),
        (["imatrix", "demo", "-f", __file__, "--no-ppl"], b"perplexity"),
        (["quantize", "demo"], b"TYPE"),
        (["quantize", "demo", "Q9_Z"], b"Q9_Z"),
        (["quantize", "demo", support.path("x.gguf"), "Q4_K_M"], b"already quantized"),
        (["quantize", "demo", support.path("x.gguf"), "Q4_K_M", "--tensor-type", "ffn_down"], b"REGEX=TYPE"),
        (["quantize", "--tensor-type", "ffn_down", "demo", support.path("x.gguf"), "Q4_K_M"], b"--tensor-type ffn_down: expected REGEX=TYPE"),
        (["quantize", "demo", support.path("x.gguf"), "IQ2_XS", "--allow-requantize"], b"importance matrix"),
    ]:
        out, err = quern(*arguments, code=2)
        assert out == b"", (arguments, out)
        assert message in err, (arguments, err)


def test_what_fails_is_named():
    missing = support.path("missing.gguf")
    for arguments in (["run", missing, "-p", "x"], ["inspect", missing], ["chat", "-m", missing], ["bench", missing]):
        out, err = quern(*arguments, code=1)
        assert out == b"" and b"missing.gguf" in err, err
    damaged = support.write("damaged.gguf", b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    out, err = quern("inspect", damaged, code=1)
    assert b"damaged.gguf" in err
    out, err = quern("tokenize", "demo", "-f", support.path("missing.txt"), code=1)
    assert b"missing.txt" in err


def test_a_full_disk_is_noticed():
    import os
    import subprocess
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "wb") as full:
        run = subprocess.run([support.QUERN, "inspect", "demo", "--json"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert run.returncode == 1 and b"cannot write" in run.stderr


support.main(globals())
