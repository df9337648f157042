"""quern run: text, JSON, raw prompts, stdin, sampling flags."""
import support
from support import quern, quern_json

FRANCE = "What is the capital of France?"


def test_answer():
    out, err = quern("run", "demo", "-p", FRANCE, "--temp", 0)
    assert out == b"The capital of France is Paris.\n" and err == b"", (out, err)


def test_model_after_m_and_prompt_from_everywhere():
    file = support.write("prompt.txt", FRANCE + "\n")
    for arguments, stdin in [
        (["-m", "demo", "-p", FRANCE], ""),
        (["demo", "-p", "-"], FRANCE + "\n"),
        (["demo", "-f", file], ""),
        (["demo", "-f", "-"], FRANCE),
        (["--prompt=" + FRANCE, "demo"], ""),
    ]:
        out, _ = quern("run", *arguments, "--temp", 0, stdin=stdin)
        assert out == b"The capital of France is Paris.\n", (arguments, out)


def test_json():
    answer = quern_json("run", "demo", "-p", FRANCE, "--temp", 0)
    assert set(answer) == {"tokens", "text", "stop_reason", "timings"}
    assert answer["text"] == "The capital of France is Paris." and answer["stop_reason"] == "end_of_generation"
    assert all(isinstance(token, int) for token in answer["tokens"])
    timings = answer["timings"]
    assert timings["predicted_n"] == len(answer["tokens"]) and timings["prompt_n"] > 5
    assert timings["prompt_s"] > 0 and timings["predicted_tok_s"] > 0


def test_raw_and_length():
    answer = quern_json("run", "demo", "-p", "Prince Andrew looked at the", "-n", 12, "--temp", 0, "--raw")
    assert len(answer["tokens"]) == 12 and answer["stop_reason"] == "length"
    ids = quern_json("tokenize", "demo", "-p", "Prince Andrew looked at the", "--bos")
    assert answer["timings"]["prompt_n"] == len(ids)
    assert quern_json("run", "demo", "-p", "x", "-n", 0, "--temp", 0)["tokens"] == []


def test_system_message_and_stop():
    answer = quern_json("run", "demo", "-sys", "You are a helpful assistant.", "-p", FRANCE, "--temp", 0, "--stop", "is Paris")
    assert answer["text"] == "The capital of France " and answer["stop_reason"] == "stop_text", answer


def test_seed():
    def tokens(seed):
        return quern_json("run", "demo", "-p", "Write a short story.", "-n", 30, "-s", seed, "--temp", 1.3)["tokens"]
    assert tokens(3) == tokens(3) != tokens(4)


def test_every_sampling_flag_is_taken():
    answer = quern_json(
        "run", "demo", "-p", "Tell me a story.", "-n", 8, "-s", 1, "--temp", 0.9, "--top-k", 30, "--top-p", 0.9, "--min-p", 0.02,
        "--typical", 0.95, "--top-nsigma", 2, "--min-keep", 1, "--repeat-penalty", 1.1, "--repeat-last-n", 32, "--presence-penalty",
        0.1, "--frequency-penalty", 0.1, "--dry-multiplier", 0.5, "--dry-base", 1.7, "--dry-allowed-length", 3,
        "--dry-penalty-last-n", 40, "--dry-sequence-breaker", "none", "--xtc-probability", 0.1, "--xtc-threshold", 0.2,
        "--dynatemp-range", 0.2, "--dynatemp-exp", 1.1, "--logit-bias", "300-inf", "--logit-bias", "301+1.5", "--ignore-eos",
        "--samplers", "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature")
    assert len(answer["tokens"]) == 8 and 300 not in answer["tokens"]
    for mirostat in (1, 2):
        quern_json("run", "demo", "-p", "Hi", "-n", 4, "--mirostat", mirostat, "--mirostat-ent", 4, "--mirostat-lr", 0.2)
    quern_json("run", "demo", "-p", "Hi", "-n", 4, "--sampling-seq", "kt")


def test_context_and_cache_flags():
    expected = quern_json("run", "demo", "-p", FRANCE, "--temp", 0)["tokens"]
    for flags in (["-t", 1], ["-t", 2, "-tb", 2], ["-b", 3], ["--no-mmap"], ["--no-repack"], ["--no-mmap", "--no-repack"], ["-c", 64]):
        assert quern_json("run", "demo", "-p", FRANCE, "--temp", 0, *flags)["tokens"] == expected, flags
    for kind in ("q8_0", "q4_0"):
        coarse = quern_json("run", "demo", "-p", FRANCE, "--temp", 0, "-ctk", kind, "-ctv", kind)
        assert "Paris" in coarse["text"], (kind, coarse["text"])
    wide = quern_json("run", "demo", "-p", FRANCE, "--temp", 0, "-ctk", "f32", "-ctv", "f32")
    assert wide["text"] == "The capital of France is Paris."
    out, err = quern("run", "demo", "-p", FRANCE + " and so on" * 20, "-c", 32, code=1)
    assert out == b"" and b"32" in err


def test_reference_backend():
    answer = quern_json("run", "demo", "-p", FRANCE, "--temp", 0, "--backend", "reference", "-n", 4)
    assert answer["text"].startswith("The capital")


support.main(globals())
