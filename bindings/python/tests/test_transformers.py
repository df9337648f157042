"""from_pretrained(), AutoTokenizer and generate(): programs written for transformers and bitsandbytes."""
import contextlib
import io
import json
import os
import shutil
import unittest
import warnings

import numpy as np

import quern
from support import ANSWER, CHAT, DEMO, TestCase, folder, work


def demo_folder():
    """The demo model as a folder with one GGUF file."""
    path = work("demo")
    if not os.path.exists(path):
        os.makedirs(path)
        shutil.copy(DEMO, path)
    return path


class FootprintTest(TestCase):
    def test_four_and_eight_bits(self):
        def bytes_of(**options):
            with quern.from_pretrained(folder(), **options) as model:
                return model.get_memory_footprint()
        plain = bytes_of()
        nf4 = bytes_of(load_in_4bit=True, bnb_4bit_quant_type="nf4")
        double = bytes_of(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
        fp4 = bytes_of(load_in_4bit=True)
        eight = bytes_of(load_in_8bit=True)
        # The matrices of one layer: q and o 256x256, k and v 128x256, gate, up and down 256x256; with 16, 4.5 and 4.375 bits
        # for a weight, and 8 and a few bytes for a row.
        weights = (2 + 1 + 3) * 256 * 256
        rows = 256 + 256 + 128 + 128 + 3 * 256
        self.assertEqual(plain - nf4, weights * (16 - 4.5) / 8)
        self.assertEqual(nf4 - double, weights * 0.125 / 8)
        self.assertEqual(fp4, nf4)
        self.assertTrue(weights - rows * 8 <= plain - eight <= weights - rows * 4, plain - eight)

    def test_configurations(self):
        config = quern.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                          bnb_4bit_compute_dtype="bfloat16")
        one = quern.AutoModelForCausalLM.from_pretrained(folder(), quantization_config=config, device_map="auto")
        two = quern.from_pretrained(folder(), load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
        self.assertEqual(one.get_memory_footprint(), two.get_memory_footprint())
        for bad in ({"load_in_4bit": True, "load_in_8bit": True}, {"bnb_4bit_quant_type": "nf5"}):
            with self.assertRaises(ValueError):
                quern.BitsAndBytesConfig(**bad)
        with self.assertRaises(quern.UnsupportedError):
            quern.BitsAndBytesConfig(load_in_8bit=True, llm_int8_threshold=3.0)
        with self.assertRaisesRegex(TypeError, "load_in_3bit"):
            quern.from_pretrained(folder(), load_in_3bit=True)
        with self.assertRaises(quern.NotFoundError):
            quern.from_pretrained("user/no-such-model")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quern.from_pretrained(folder(), device_map="cuda:0")
        self.assertIn("cuda:0", str(caught[0].message))


class SnippetTest(TestCase):
    def test_the_usual_snippet(self):
        from quern import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
        tokenizer = AutoTokenizer.from_pretrained(folder())
        model = AutoModelForCausalLM.from_pretrained(folder(), quantization_config=config, device_map="auto")
        inputs = tokenizer("the in er", return_tensors="pt").to(model.device)
        outputs = model.generate(**inputs, max_new_tokens=8)
        self.assertEqual(outputs.shape[0], 1)
        self.assertLessEqual(outputs.shape[1], inputs["input_ids"].shape[1] + 8)
        np.testing.assert_array_equal(outputs[:, :inputs.input_ids.shape[1]], inputs.input_ids)
        self.assertTrue(tokenizer.decode(outputs[0], skip_special_tokens=True).startswith("the in er"))
        expected = quern.Context(model.quern_model).generate(inputs.input_ids[0], temperature=0, max_tokens=8).tokens
        self.assertEqual(outputs[0, inputs.input_ids.shape[1]:].tolist()[:len(expected)], expected)

    def test_a_conversation(self):
        tokenizer = quern.AutoTokenizer.from_pretrained(demo_folder())
        model = quern.AutoModelForCausalLM.from_pretrained(demo_folder())
        ids = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, return_tensors="pt")
        out = model.generate(ids, max_new_tokens=32)
        self.assertEqual(tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True), ANSWER)
        self.assertTrue(model.quern_model.tokenizer.is_end(int(out[0, -1])))  # as transformers has it
        self.assertIn("<|im_start|>", tokenizer.apply_chat_template(CHAT, tokenize=False))
        both = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, return_tensors="np", return_dict=True)
        np.testing.assert_array_equal(both["input_ids"], ids)
        sampled = [model.generate(ids, max_new_tokens=20, do_sample=True, temperature=3.0, seed=s).tolist() for s in (1, 1, 2)]
        self.assertEqual(sampled[0], sampled[1])
        self.assertNotEqual(sampled[0], sampled[2])
        stopped = model.generate(ids, max_new_tokens=32, stop_strings=["France"])
        self.assertTrue(tokenizer.decode(stopped[0]).endswith("France"))

    def test_batch_and_padding(self):
        tokenizer = quern.AutoTokenizer.from_pretrained(demo_folder())
        model = quern.from_pretrained(demo_folder())
        texts = ["The old house stood near", "Two"]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        self.assertEqual(batch["input_ids"].shape, batch["attention_mask"].shape)
        self.assertEqual(batch["attention_mask"][1, 0], 0)
        out = model.generate(**batch, max_new_tokens=6)
        for i, text in enumerate(texts):
            alone = tokenizer(text, return_tensors="pt")
            expected = model.generate(**alone, max_new_tokens=6)[0, alone["input_ids"].shape[1]:]
            self.assertEqual(out[i, batch["input_ids"].shape[1]:].tolist()[:len(expected)], expected.tolist())
        with self.assertRaisesRegex(ValueError, "padding"):
            tokenizer(texts, return_tensors="pt")
        self.assertEqual(tokenizer(texts[1])["input_ids"], tokenizer.encode(texts[1]))
        self.assertEqual(len(tokenizer.batch_decode(out)), 2)

    def test_streamer(self):
        tokenizer = quern.AutoTokenizer.from_pretrained(demo_folder())
        model = quern.from_pretrained(demo_folder())
        ids = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True, return_tensors="pt")
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            model.generate(ids, max_new_tokens=32, streamer=quern.TextStreamer(tokenizer, skip_prompt=True))
        self.assertEqual(shown.getvalue(), ANSWER + "\n")

    def test_generation_config_and_refusals(self):
        path = work("configured")
        shutil.copytree(folder(), path)
        with open(os.path.join(path, "generation_config.json"), "w", encoding="utf-8") as file:
            json.dump({"max_new_tokens": 3, "do_sample": False}, file)
        model = quern.from_pretrained(path)
        self.assertLessEqual(model.generate([[1, 5, 6]]).shape[1], 6)
        with self.assertRaisesRegex(TypeError, "max_new_token'"):
            model.generate([[1]], max_new_token=2)
        with self.assertRaisesRegex(quern.UnsupportedError, "num_beams"):
            model.generate([[1]], num_beams=4)
        with self.assertRaisesRegex(quern.ArgumentError, "more than the model's"):
            model.generate([[1] * 10], max_new_tokens=5000)
        with self.assertRaisesRegex(ValueError, "does not fit"):
            model.generate([[1, 2]], attention_mask=[[1]])

    def test_tokenizer(self):
        tokenizer = quern.AutoTokenizer.from_pretrained(folder())
        self.assertEqual((tokenizer.bos_token, tokenizer.eos_token, tokenizer.eos_token_id), ("<s>", "</s>", 2))
        self.assertIsNone(tokenizer.pad_token)
        tokenizer.pad_token = tokenizer.eos_token
        self.assertEqual(tokenizer.pad_token_id, 2)
        self.assertEqual(len(tokenizer), 300)
        self.assertEqual(tokenizer.convert_tokens_to_ids("<s>"), 1)
        with self.assertRaises(quern.ArgumentError):
            tokenizer.convert_tokens_to_ids("<nonsense>")
        ids = tokenizer("the", add_special_tokens=False)["input_ids"]
        self.assertEqual(tokenizer.decode(ids).strip(), "the")
        self.assertEqual(tokenizer.decode([1] + ids, skip_special_tokens=True).strip(), "the")


if __name__ == "__main__":
    unittest.main()
