"""What the tests share: the demo model, a Hugging Face folder, the command line."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
DEMO = os.path.join(ROOT, "examples", "models", "quern-demo-q8_0.gguf")
# The built command line, where there is one to compare with.
QUERN = os.environ.get("QUERN_CLI", "")
FRANCE = "What is the capital of France?"
ANSWER = "The capital of France is Paris."
CHAT = [{"role": "user", "content": FRANCE}]


def cli(*arguments):
    """One JSON document that the command line prints."""
    run = subprocess.run([QUERN, *map(str, arguments), "--json"], capture_output=True, timeout=120, check=True)
    return json.loads(run.stdout)


def folder(kind="BF16"):
    """A small Hugging Face folder with random weights, made once."""
    path = os.path.join(WORK.name, f"hf-{kind}")
    if not os.path.exists(path):
        sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
        import hf_folder
        # Rows of whole blocks of every type.
        hf_folder.HIDDEN, hf_folder.HEADS, hf_folder.KV_HEADS, hf_folder.HEAD = 256, 4, 2, 64
        hf_folder.FF, hf_folder.LAYERS = 256, 1
        hf_folder.make(path, kind)
    return path


def work(name):
    return os.path.join(WORK.name, name)


WORK = tempfile.TemporaryDirectory(prefix="quern-python-")
TestCase = unittest.TestCase
needs_cli = unittest.skipUnless(QUERN, "QUERN_CLI names no command line")
