"""The curl commands in the README's section on the server, as they stand there, against a server. readme_test.py QUERN"""
import json
import os
import re
import shutil
import subprocess
import sys

from support import HERE, Server, main

DOCUMENTED = "http://127.0.0.1:11434"
README = os.path.join(HERE, "..", "..", "README.md")
MODELS = os.path.join(HERE, "..", "..", "examples", "models", "quern-demo-q8_0.gguf")


def section():
    with open(README, encoding="utf-8") as file:
        return re.search(r"^## Server\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL).group(1)


def commands():
    """The curl commands, each with all its lines."""
    blocks = re.findall(r"^```sh\n(.*?)^```", section(), re.MULTILINE | re.DOTALL)
    return [c.strip() for block in blocks for c in re.split(r"^(?=curl )", block, flags=re.MULTILINE) if c.startswith("curl ")]


def openai_chat(body):
    assert json.loads(body)["choices"][0]["message"]["role"] == "assistant"


def openai_stream(body):
    assert body.startswith("data: {") and body.endswith("data: [DONE]\n\n")


def embeddings(body):
    assert [len(entry["embedding"]) for entry in json.loads(body)["data"]] == [256] * 2


def pull(body):
    assert json.loads(body.splitlines()[-1]) == {"status": "success"}


def ollama_chat(body):
    last = json.loads(body.splitlines()[-1])
    assert last["done"] is True and last["model"] == "llama3.2:latest"


def tags(body):
    assert {m["name"] for m in json.loads(body)["models"]} == {"demo", "llama3.2:latest"}


def metrics(body):
    assert "llamacpp:tokens_predicted_total" in body


CHECKS = {"/v1/chat/completions": openai_chat, "/v1/completions": openai_stream, "/v1/embeddings": embeddings, "/api/pull": pull,
          "/api/chat": ollama_chat, "/api/tags": tags, "/metrics": metrics}


def test_commands(server):
    seen = set()
    for command in commands():
        path = re.search(re.escape(DOCUMENTED) + r"(/\S+)", command).group(1)
        seen.add(path)
        mark = "\\nstatus %{http_code}"
        text = command.replace(DOCUMENTED, server.url).replace("curl ", f"curl -sS --max-time 60 -w '{mark}' ", 1)
        run = subprocess.run(["sh", "-c", text], capture_output=True, timeout=90, env=server.environment)
        assert run.returncode == 0 and run.stderr == b"", run.stderr.decode()
        body, status = run.stdout.decode().rsplit("\nstatus ", 1)
        assert status == "200", f"{command}: {status} {body[:300]}"
        CHECKS[path](body)
    assert seen == set(CHECKS), seen ^ set(CHECKS)


if __name__ == "__main__":
    if not shutil.which("curl"):
        print("skipped: there is no curl here (sh cmake/setup_debian.sh test)")
        sys.exit(77)
    from fake_registry import Registry
    registry = Registry()
    with open(MODELS, "rb") as demo:
        registry.add_model("library/llama3.2:latest", demo.read())
    with Server(sys.argv[1], "demo", environment={"QUERN_REGISTRY": registry.url}) as shared:
        failed = main(globals(), shared)
    registry.close()
    sys.exit(1 if failed else 0)
