"""quern bench: the JSON contract, lists, several sequences."""
import support
from support import quern, quern_json


def test_json():
    result = quern_json("bench", "demo", "-p", 32, "-n", 8, "-d", 16, "-t", 2, "-r", 3)
    for key in ("pp_tok_s", "tg_tok_s", "load_s"):
        assert result[key] > 0, key
    assert result["rss_bytes"] > 1 << 20 and result["peak_rss_bytes"] >= result["rss_bytes"] // 2
    assert (result["n_prompt"], result["n_gen"], result["depth"], result["n_threads"], result["repetitions"]) == (32, 8, 16, 2, 3)
    assert len(result["pp_seconds"]) == len(result["tg_seconds"]) == 3
    middle = sorted(result["tg_seconds"])[1]
    assert abs(result["tg_tok_s"] * middle / 8 - 1) < 1e-9
    assert result["file_type"] == "Q8_0" and result["backend"].startswith("cpu")
    assert len(result["results"]) == 1


def test_lists():
    result = quern_json("bench", "demo", "-p", "8,16", "-n", "4", "-d", "0,8", "-t", "1,2", "-r", 1)
    seen = {(r["n_threads"], r["depth"], r["n_prompt"], r["n_gen"]) for r in result["results"]}
    assert len(seen) == len(result["results"]) == 8, seen
    assert {r["n_gen"] for r in result["results"]} == {4, 0}
    assert all((r["tg_tok_s"] is None) == (r["n_gen"] == 0) for r in result["results"])


def test_several_sequences():
    result = quern_json("bench", "demo", "-p", 0, "-n", 4, "-d", 8, "--batch", 3, "-r", 1)
    assert result["pp_tok_s"] is None and result["n_sequences"] == 3
    assert abs(result["tg_tok_s"] * result["tg_seconds"][0] / 12 - 1) < 1e-9


def test_table():
    out, err = quern("bench", "demo", "-p", 8, "-n", 4, "-r", 1)
    lines = out.decode().splitlines()
    assert any("pp8" in line for line in lines) and any("tg4" in line for line in lines) and err == b"", out


support.main(globals())
