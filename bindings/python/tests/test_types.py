"""The types that are declared: held against the extension (stubtest), and against programs that use them rightly and not."""
import os
import re
import subprocess
import sys
import unittest

import quern
from support import TestCase, work

try:
    import mypy  # noqa: F401
    import mypy.stubtest  # noqa: F401
except ImportError:
    mypy = None  # type: ignore

RIGHT = """
import numpy as np
import quern
model = quern.Model("x.gguf", quantize="nf4", progress=lambda stage, done, total: done < total)
context = quern.Context(model, n_ctx=512)
answer: quern.Generation = context.generate("Hello", max_tokens=8, temperature=0.0, stop=["."])
for step in context.stream([1, 2, 3], logprobs=2):
    text: str = step.text
row: "np.ndarray[object, np.dtype[np.float32]]" = context.last_logits
vectors = quern.Embedder(model).embed(["a", "b"])
length: int = len(vectors[0])
future = quern.Scheduler(model).submit("Hello")
done: bool = future.done()
reply = quern.Llama("x.gguf").create_chat_completion(messages=[{"role": "user", "content": "Hi"}])
"""
WRONG = [('quern.Model("x").info.n_layers', "attr-defined"), ('quern.Context(quern.Model("x"), n_ctx="many")', "arg-type"),
         ('quern.Model("x", vocab=True)', "call-arg"), ('quern.Llama("x", n_gpu_layer=1)', "call-arg"),
         ('quern.Context(quern.Model("x")).generate("x", max_token=1)', "call-arg")]


@unittest.skipUnless(mypy, "mypy is not installed")
class TypeTest(TestCase):
    def run_mypy(self, module, *arguments):
        environment = {**os.environ, "MYPY_CACHE_DIR": work("mypy")}
        run = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=240,
                             env=environment, cwd=os.path.dirname(work("x")))
        return run.returncode, run.stdout + run.stderr

    def test_stub(self):
        allowed = work("allowed.txt")
        with open(allowed, "w", encoding="utf-8") as file:
            # What all classes of pybind11 have: a metaclass, and an __init__ that any class has. _Floats is for NumPy alone.
            file.write("quern\\._quern\\.[A-Z]\\w+\nquern\\._quern\\.\\w+\\.__init__\nquern\\._quern\\._Floats\n")
        code, out = self.run_mypy("mypy.stubtest", "quern._quern", "--allowlist", allowed, "--ignore-unused-allowlist")
        self.assertEqual(code, 0, out)
        with open(os.path.join(os.path.dirname(quern.__file__), "_quern.pyi"), encoding="utf-8") as file:
            declared = set(re.findall(r"^class (\w+)", file.read(), re.MULTILINE))
        there = {name for name, value in vars(quern._quern).items() if isinstance(value, type) and name != "_Floats"}
        self.assertEqual(declared, there)

    def test_programs(self):
        lines = ["import quern", *(line for line, _ in WRONG)]
        for name, text in (("right.py", RIGHT), ("wrong.py", "\n".join(lines) + "\n")):
            with open(work(name), "w", encoding="utf-8") as file:
                file.write(text)
        code, out = self.run_mypy("mypy", "--strict", work("right.py"), work("wrong.py"))
        self.assertEqual(code, 1, out)
        self.assertNotIn("right.py", out)
        for number, (_, kind) in enumerate(WRONG, 2):
            self.assertRegex(out, rf"wrong.py:{number}: error: .*\[{kind}\]")

    def test_package(self):
        code, out = self.run_mypy("mypy", "-p", "quern")
        self.assertEqual(code, 0, out)


class NamesTest(TestCase):
    def test_everything_is_there(self):
        for name in quern.__all__:
            self.assertTrue(hasattr(quern, name), name)
        self.assertEqual(quern.__version__, quern.version())
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(quern.__file__), "py.typed")))


if __name__ == "__main__":
    unittest.main()
