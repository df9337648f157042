"""Runtimes, models, tokenizers, chat templates, the check of a file, exceptions."""
import gc
import os
import pickle
import threading
import unittest

import quern
from support import CHAT, DEMO, FRANCE, TestCase, cli, folder, needs_cli, work


class ModelTest(TestCase):
    def test_what_it_is(self):
        seen = []
        with quern.Model(DEMO, progress=lambda *step: seen.append(step)) as model:
            self.assertEqual(model.info.architecture, "llama")
            self.assertEqual(model.info.n_vocab, 4096)
            self.assertEqual(model.metadata["general.architecture"], "llama")
            self.assertEqual(len(model.tensors()), 57)
            tensor = {t.name: t for t in model.tensors()}["token_embd.weight"]
            self.assertEqual(tensor.shape, (256, 4096))
            foot = model.footprint()
            self.assertEqual(foot.total_bytes, foot.matrix_bytes + foot.vector_bytes + foot.table_bytes + foot.kept_bytes)
            self.assertGreaterEqual(model.runtime.n_threads, 1)
            self.assertIn("im_start", model.chat_template)
        self.assertTrue(seen and all(stage == "load" for stage, _, _ in seen))
        self.assertEqual(seen[-1][1], seen[-1][2])
        self.assertTrue(model.closed)
        with self.assertRaisesRegex(ValueError, "closed"):
            model.info

    def test_paths(self):
        import pathlib
        self.assertEqual(quern.Model.open(pathlib.Path(DEMO), vocab_only=True).info.n_vocab, 4096)
        self.assertEqual(quern.Model(os.fsencode(DEMO), vocab_only=True).info.n_vocab, 4096)
        with self.assertRaises(TypeError):
            quern.Model(17)

    def test_runtime(self):
        messages = []
        runtime = quern.Runtime(n_threads=1, log=lambda level, text: messages.append((level, text)))
        self.assertEqual(runtime.n_threads, 1)
        self.assertIn("cpu", runtime.description)
        model = quern.Model(DEMO, runtime=runtime)
        self.assertEqual(model.runtime.n_threads, 1)
        with self.assertRaises(quern.ArgumentError):
            quern.Runtime(backend="abacus")
        self.assertGreater(runtime.measure_read_bandwidth(1 << 22), 0)

    def test_a_model_outlives_its_name(self):
        model = quern.Model(DEMO)
        context = quern.Context(model)
        tokens = model.tokenizer
        model.close()
        del model
        gc.collect()
        context.append(tokens.tokenize("The old house"))
        self.assertEqual(context.last_logits.shape, (4096,))

    def test_many_threads(self):
        model = quern.Model(DEMO)
        results = []

        def work_on():
            for _ in range(20):
                results.append(tuple(model.tokenizer.tokenize("Threads share a model.")))
        threads = [threading.Thread(target=work_on) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(len(results), 80)
        self.assertEqual(len(set(results)), 1)


class ExceptionTest(TestCase):
    def test_status(self):
        with self.assertRaises(quern.NotFoundError) as caught:
            quern.Model("no/such/file.gguf")
        error = caught.exception
        self.assertIsInstance(error, (quern.QuernError, FileNotFoundError))
        self.assertIsInstance(error, FileNotFoundError)
        self.assertEqual((error.code, error.status), (11, "not_found"))
        self.assertIn("no/such/file.gguf", str(error))
        copy = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(copy), copy.code, str(copy)), (type(error), error.code, str(error)))

    def test_format_and_argument(self):
        with open(work("bad.gguf"), "wb") as file:
            file.write(b"GGUF\x03\0\0\0rubbish")
        with self.assertRaises(quern.FormatError):
            quern.Model(work("bad.gguf"))
        with self.assertRaises(quern.ArgumentError) as caught:
            quern.Model(DEMO, quantize="purple")
        self.assertIn("purple", str(caught.exception))
        self.assertIsInstance(caught.exception, ValueError)

    def test_cancelled(self):
        with self.assertRaises(quern.CancelledError):
            quern.Model(DEMO, progress=lambda *step: False)
        token = quern.CancelToken()
        token.cancel()
        with self.assertRaises(quern.CancelledError):
            quern.Model(DEMO, cancel=token)
        self.assertTrue(token.cancelled)
        token.reset()
        quern.Model(DEMO, cancel=token).close()

    def test_what_a_callback_raises(self):
        def fail(stage, done, total):
            raise KeyError("mine")
        with self.assertRaisesRegex(KeyError, "mine"):
            quern.Model(DEMO, progress=fail)

    def test_unknown_keyword(self):
        with self.assertRaisesRegex(TypeError, "unexpected keyword argument 'colour'"):
            quern.Model(DEMO, colour="red")
        with self.assertRaisesRegex(TypeError, "vocab_only"):
            quern.Model(DEMO, vocab_only="certainly")


class TextTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO, vocab_only=True)
        cls.tokens = cls.model.tokenizer

    def test_tokenizer(self):
        ids = self.tokens.tokenize("Grüße, 世界!")
        self.assertEqual(ids[0], self.tokens.bos)
        self.assertEqual(self.tokens.detokenize(ids), "Grüße, 世界!")
        self.assertEqual(self.tokens.detokenize_bytes(ids), "Grüße, 世界!".encode())
        self.assertEqual(self.tokens.tokenize("Hi".encode()), self.tokens.tokenize("Hi"))
        self.assertNotEqual(self.tokens.tokenize("Hi", add_special=False)[0], self.tokens.bos)
        end = self.tokens.find("<|im_end|>")
        self.assertTrue(self.tokens.is_end(end) and self.tokens.is_control(end))
        self.assertEqual(self.tokens.tokenize("<|im_end|>", add_special=False, parse_special=True), [end])
        self.assertNotIn(end, self.tokens.tokenize("<|im_end|>"))
        self.assertEqual(self.tokens.find("no such token"), -1)
        self.assertEqual(len(self.tokens), 4096)
        with self.assertRaises(TypeError):
            self.tokens.tokenize(5)
        with self.assertRaises(TypeError):
            self.tokens.detokenize("text")

    @needs_cli
    def test_tokens_are_those_of_the_command_line(self):
        self.assertEqual(self.tokens.tokenize(FRANCE), cli("tokenize", DEMO, "-p", FRANCE, "--bos"))

    def test_numpy_ids(self):
        import numpy as np
        ids = self.tokens.tokenize("The river")
        self.assertEqual(self.tokens.detokenize(np.array(ids, dtype=np.int64)), "The river")

    def test_stream_never_ends_inside_a_character(self):
        ids = self.tokens.tokenize("世界🙂", add_special=False)
        stream = self.tokens.stream()
        parts = [stream.push(token) for token in ids]
        self.assertIn("", parts)  # a character of several tokens
        self.assertEqual(("".join(parts) + stream.finish()).strip(), "世界🙂")

    def test_chat_template(self):
        template = quern.ChatTemplate(self.model)
        text = template.render(CHAT)
        self.assertIn(FRANCE, text)
        self.assertTrue(text.rstrip().endswith("assistant"))
        self.assertFalse(template.render(CHAT, add_generation_prompt=False).rstrip().endswith("assistant"))
        self.assertEqual(template.tokenize(CHAT).count(self.tokens.bos), 1)
        own = quern.ChatTemplate(self.model, "{{ messages[0].content }}|{{ colour }}")
        self.assertEqual(own.render(CHAT, extra={"colour": "red"}), FRANCE + "|red")
        with self.assertRaises(quern.FormatError):
            quern.ChatTemplate(self.model, "{% for %}")
        with self.assertRaisesRegex(ValueError, "role"):
            template.render([{"content": "x"}])


class CheckTest(TestCase):
    def test_check(self):
        report = quern.check(DEMO, n_ctx=256)
        self.assertTrue(report.opens and report.runs)
        self.assertEqual((report.problems, report.n_ctx), ([], 256))
        bad = quern.check("no/such/file.gguf")
        self.assertFalse(bad.opens)
        self.assertEqual((bad.problems[0].part, bad.problems[0].code), ("file", 11))

    def test_folder(self):
        self.assertTrue(quern.check(folder()).opens)
        self.assertEqual(quern.Model(folder()).info.architecture, "llama")


if __name__ == "__main__":
    unittest.main()
