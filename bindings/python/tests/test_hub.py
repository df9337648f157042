"""Downloads, from a server on loopback that speaks as the Hugging Face Hub does."""
import os
import sys
import unittest
from unittest import mock

import quern
from support import ANSWER, CHAT, DEMO, ROOT, TestCase, folder, work

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from fake_registry import HUB_TOKEN, Registry  # noqa: E402


def content(path):
    with open(path, "rb") as file:
        return file.read()


class HubTest(TestCase):
    def setUp(self):
        self.hub, self.cdn = Registry(), Registry()
        self.hub.cdn = self.cdn
        self.addCleanup(self.hub.close)
        self.addCleanup(self.cdn.close)
        self.cache = work(f"hub-{self.id()}")
        environment = {"HF_ENDPOINT": self.hub.url, "HF_HUB_CACHE": self.cache, "QUERN_OFFLINE": "", "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)
        self.model = content(DEMO)
        self.hub.repos["user/repo"] = {"demo-Q8_0.gguf": self.model, "demo-Q4_K_M.gguf": b"other", "README.md": b"hi"}

    def load(self, **options):
        return quern.Llama.from_pretrained(repo_id="user/repo", filename="*Q8_0.gguf", verbose=False, **options)

    def test_file(self):
        with self.load() as llm:
            self.assertEqual(llm.create_chat_completion(CHAT, temperature=0)["choices"][0]["message"]["content"], ANSWER)
            self.assertTrue(llm.model_path.startswith(self.cache))
        asked = len(self.hub.log) + len(self.cdn.log)
        with self.load():
            pass
        self.assertEqual(len(self.hub.log) + len(self.cdn.log), asked, "what is there is not asked for again")
        names = [name for _, _, files in os.walk(self.cache) for name in files]
        self.assertEqual(names, ["demo-Q8_0.gguf"])

    def test_goes_on_where_it_broke_off(self):
        self.cdn.faults.cut_after = [1000000, 3000000]
        with self.load() as llm:
            self.assertEqual(content(llm.model_path), self.model)
        ranges = [request.range for request in self.cdn.log]
        self.assertEqual(ranges, ["", "bytes=1000000-", "bytes=4000000-"])

    def test_without_ranges(self):
        self.cdn.faults.cut_after = [1000000]
        self.cdn.faults.no_ranges = True
        with self.load() as llm:
            self.assertEqual(content(llm.model_path), self.model)

    def test_wrong_bytes(self):
        self.cdn.faults.flip_byte = 5000
        with self.assertRaisesRegex(quern.InputOutputError, "SHA-256"):
            self.load()
        self.assertEqual([name for _, _, files in os.walk(self.cache) for name in files], [])

    def test_token(self):
        self.hub.private.add("user/repo")
        with self.assertRaisesRegex(quern.InputOutputError, "HF_TOKEN"):
            self.load()
        os.environ["HF_TOKEN"] = HUB_TOKEN
        with self.load() as llm:
            self.assertTrue(llm.model_path)
        self.assertFalse(any(HUB_TOKEN in request.token for request in self.cdn.log),
                         "the token went to another host")

    def test_folder(self):
        path = folder()
        files = {name: content(os.path.join(path, name)) for name in os.listdir(path)}
        self.hub.repos["user/folder"] = {**files, "pytorch_model.bin": b"not wanted", "onnx/model.safetensors": b"nor this"}
        with quern.from_pretrained("user/folder", load_in_4bit=True, bnb_4bit_quant_type="nf4") as model:
            self.assertGreater(model.get_memory_footprint(), 0)
        self.assertTrue(quern.AutoTokenizer.from_pretrained("user/folder")("hello")["input_ids"])
        got = sorted(name for _, _, names in os.walk(self.cache) for name in names)
        self.assertNotIn("pytorch_model.bin", got)
        self.assertIn("config.json", got)

    def test_refusals(self):
        with self.assertRaisesRegex(quern.NotFoundError, "no such model"):
            quern.Llama.from_pretrained("user/none", "*.gguf")
        with self.assertRaisesRegex(quern.NotFoundError, "no file matches"):
            quern.Llama.from_pretrained("user/repo", "*Q2_K.gguf")
        with self.assertRaisesRegex(quern.ArgumentError, "several files"):
            quern.Llama.from_pretrained("user/repo", "*.gguf")
        with self.assertRaisesRegex(quern.NotFoundError, "config.json"):
            quern.from_pretrained("user/repo")
        asked = len(self.hub.log)
        os.environ["HF_HUB_OFFLINE"] = "1"
        with self.assertRaisesRegex(quern.NotFoundError, "HF_HUB_OFFLINE"):
            self.load()
        self.assertEqual(len(self.hub.log), asked)


if __name__ == "__main__":
    unittest.main()
