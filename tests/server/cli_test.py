"""`quern ps`, `stop`, `run` and `chat` with a running server. cli_test.py QUERN"""
import json
import re
import socket
import subprocess
import sys

from support import Server, main, within

QUERN = sys.argv[1]
PROMPT = ["-p", "What is the capital of France?"]
ASK = [*PROMPT, "--temp", "0"]


def quern(server, *arguments, stdin="", code=0, environment=None, host=None):
    """Runs the command against the server; (stdout, stderr)."""
    own = {**server.environment, "QUERN_HOST": host or f"127.0.0.1:{server.port}", **(environment or {})}
    run = subprocess.run([QUERN, *arguments], input=stdin, capture_output=True, text=True, timeout=60, env=own)
    assert run.returncode == code, f"{arguments}: {run.returncode}: {run.stdout} {run.stderr}"
    return run.stdout, run.stderr


def nobody():
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def loaded(server):
    return [m["name"] for m in server.get("/api/ps").json()["models"]]


def test_ps_and_stop(server):
    server.post("/api/create", {"model": "other", "from": "demo", "system": "You are short.", "parameters": {"num_ctx": 96}, "stream": False})
    server.post("/api/generate", {"model": "other", "keep_alive": "10m"})
    out, _ = quern(server, "ps")
    assert out.splitlines()[0].split() == ["NAME", "ID", "SIZE", "CONTEXT", "UNTIL"]
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert re.search(r"[0-9a-f]{12} .*MiB +96 +(9|10) min$", rows["other:latest"]), rows
    assert rows["demo"].endswith("stays")
    document = json.loads(quern(server, "ps", "--json")[0])
    assert {m["name"] for m in document["models"]} == {"demo", "other:latest"}
    assert quern(server, "stop", "other") == ("", "")
    assert loaded(server) == ["demo"]
    assert "not found" in quern(server, "stop", "nothing", code=1)[1]
    for flags, environment in ((["--host", server.url], {"QUERN_HOST": nobody()}), ([], {"QUERN_HOST": "", "OLLAMA_HOST": server.url})):
        assert "demo" in quern(server, "ps", *flags, environment=environment)[0]


def test_nobody_there(server):
    _, err = quern(server, "ps", code=1, host=nobody())
    assert "quern serve" in err and "127.0.0.1" in err
    with within(20):
        out, err = quern(server, "run", "demo", *ASK, host=nobody())
    assert "Paris" in out and "server" not in err


def test_run(server):
    out, err = quern(server, "run", "demo", *ASK)
    assert server.url in err and "--no-server" in err
    alone, err = quern(server, "run", "demo", *ASK, "--no-server")
    assert alone == out and err == ""
    for flags in (["-n", "3"], ["--raw", "-n", "20"], ["-sys", "You are a pirate."], ["--stop", "Paris"]):
        here, there = quern(server, "run", "demo", *ASK, *flags, "--no-server"), quern(server, "run", "demo", *ASK, *flags)
        assert here[0] == there[0] and server.url in there[1], flags
    chosen = ["--raw", "-p", "One day", "-n", "30", "--temp", "1.5", "--top-k", "50", "--top-p", "0.99", "-s"]
    here = [quern(server, "run", "demo", *chosen, seed, "--no-server")[0] for seed in ("3", "4")]
    there = [quern(server, "run", "demo", *chosen, seed)[0] for seed in ("3", "4")]
    assert here == there and here[0] != here[1], (here, there)
    for flags in (["-c", "256"], ["-t", "1"], ["--json"], ["--local"], ["--dry-multiplier", "1"]):
        assert "server" not in quern(server, "run", "demo", *ASK, *flags)[1], flags
    assert "context" in quern(server, "run", "demo", "-p", "word " * 5000, code=1)[1]


def test_stored_models_are_the_same_here_and_there(server):
    server.post("/api/create", {"model": "own/pirate", "from": "demo", "system": "You are a pirate.", "stream": False,
                                "parameters": {"num_predict": 7, "temperature": 0, "stop": ["Oslo"]}})
    for flags in ([], ["-n", "4"], ["--stop", "is"], ["-sys", "You are brief."]):
        there = quern(server, "run", "own/pirate", "-p", "What is the capital of Norway?", *flags)
        here = quern(server, "run", "own/pirate:latest", "-p", "What is the capital of Norway?", *flags, "--no-server")
        assert there[0] == here[0] and there[0].strip() and server.url in there[1], (flags, there, here)
    server.ask("DELETE", "/api/delete", {"model": "own/pirate"}, status=200)


def test_chat(server):
    lines = "What is the capital of France?\nAnd of Norway?\n/undo\nAnd of Norway?\n/regen\n/clear\nWhat is the capital of France?\n/exit\n"
    there = quern(server, "chat", "demo", "--temp", "0", stdin=lines)
    here = quern(server, "chat", "demo", "--temp", "0", "--no-server", stdin=lines)
    assert there[0] == here[0] and there[0].count("Paris") >= 2
    assert server.url in there[1] and there[1].replace(there[1].splitlines()[0] + "\n", "") == here[1]
    assert "Paris" in quern(server, "chat", "demo", "-st", *ASK)[0]


def test_key(server):
    with Server(QUERN, "demo", "--api-key", "secret") as keyed:
        assert "key" in quern(keyed, "ps", code=1)[1]
        assert "demo" in quern(keyed, "ps", environment={"QUERN_API_KEY": "secret"})[0]
        out, err = quern(keyed, "run", "demo", *ASK, environment={"QUERN_API_KEY": "secret"})
        assert "Paris" in out and keyed.url in err
        assert keyed.url not in quern(keyed, "run", "demo", *ASK)[1]  # without the key there is no server for us


if __name__ == "__main__":
    with Server(QUERN, "demo") as shared:
        failed = main(globals(), shared)
    sys.exit(1 if failed else 0)
