"""Quantizing, converting, importance matrices, perplexity."""
import math
import os
import threading
import unittest

import numpy as np

import quern
from support import DEMO, TestCase, folder, work

TEXT = "the in er the in her the inner thing the there in the third inn " * 30


class ConvertTest(TestCase):
    def test_convert_and_quantize_with_progress(self):
        seen = []
        target = work("f16.gguf")
        result = quern.convert(folder(), target, "f16", progress=lambda *step: seen.append(step))
        self.assertEqual(result.files, [target])
        self.assertEqual({stage for stage, _, _ in seen}, {"quantize"})
        self.assertEqual([done for _, done, _ in seen], sorted(done for _, done, _ in seen))
        self.assertEqual(quern.Model(target).info.file_type, "F16")
        small = work("q8.gguf")
        result = quern.quantize(target, small, "Q8_0", tensor_types=[("ffn_down", "Q4_0")], report=TEXT)
        types = {t.name: (t.from_type, t.to_type) for t in result.tensors}
        self.assertEqual(types["blk.0.ffn_down.weight"], ("F16", "Q4_0"))
        self.assertEqual(types["blk.0.ffn_up.weight"], ("F16", "Q8_0"))
        self.assertGreater(result.bits_per_weight, 4)
        self.assertGreater(result.quality.kl_divergence, 0)
        self.assertLess(os.path.getsize(small), os.path.getsize(target))
        quern.Model(small).close()
        dry = quern.quantize(target, None, "Q4_0", dry_run=True)
        self.assertEqual(dry.files, [])

    def test_cancel_leaves_the_target_as_it_was(self):
        target = work("kept.gguf")
        with open(target, "w", encoding="utf-8") as file:
            file.write("mine")
        for stop in (lambda *step: False, None):
            token = quern.CancelToken()
            if stop is None:
                token.cancel()
            with self.assertRaises(quern.CancelledError):
                quern.quantize(folder(), target, "Q8_0", progress=stop, cancel=token)
        with self.assertRaises(ZeroDivisionError):
            quern.convert(folder(), target, progress=lambda *step: 1 // 0)
        with open(target, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")

    def test_in_another_thread(self):
        errors = []

        def make():
            try:
                quern.quantize(folder(), work("thread.gguf"), "Q8_0", progress=lambda *step: None)
            except Exception as error:
                errors.append(error)
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        self.assertEqual(errors, [])
        self.assertTrue(quern.check(work("thread.gguf")).opens)

    def test_refusals(self):
        with self.assertRaisesRegex(quern.ArgumentError, "Q99"):
            quern.quantize(folder(), work("x.gguf"), "Q99")
        with self.assertRaises(quern.NotFoundError):
            quern.convert("no/such/folder", work("x.gguf"))
        with self.assertRaisesRegex(TypeError, "colour"):
            quern.quantize(folder(), work("x.gguf"), colour=1)
        names = [t.name for t in quern.quantization_types()]
        self.assertIn("Q4_K_M", names)
        self.assertIn("BNB_NF4", names)

    def test_bitsandbytes_on_the_way_in(self):
        plain = quern.Model(folder())
        nf4 = quern.Model(folder(), quantize="nf4", double_quant=True)
        self.assertLess(nf4.footprint().matrix_bytes, plain.footprint().matrix_bytes)


class EvaluateTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO)
        cls.ids = cls.model.tokenizer.tokenize("The old house stood near the river. Nobody lived in it. " * 12)

    def test_perplexity(self):
        windows = []
        result = quern.perplexity(self.model, self.ids, n_ctx=32, on_window=windows.append)
        self.assertEqual(len(windows), result.n_windows)
        self.assertAlmostEqual(result.ppl, math.exp(result.nll), places=6)
        self.assertEqual(windows[-1].nll, result.nll)
        same = quern.compare(self.model, self.model, self.ids, n_ctx=32)
        self.assertEqual((same.kl_divergence, same.top1_agreement, same.n_tokens), (0, 1, result.n_tokens))
        with self.assertRaises(quern.ArgumentError):
            quern.perplexity(self.model, self.ids[:3])
        with self.assertRaises(ZeroDivisionError):
            quern.perplexity(self.model, self.ids, n_ctx=32, on_window=lambda r: 1 // 0)

    def test_imatrix(self):
        seen = []
        with quern.Imatrix() as imatrix:
            imatrix.collect(self.model, self.ids, n_ctx=32, max_chunks=2, dataset="house", progress=lambda *s: seen.append(s))
            self.assertEqual((imatrix.n_chunks, imatrix.chunk_size, imatrix.datasets), (2, 32, ["house"]))
            statistics = imatrix.statistics()
            self.assertEqual(len(statistics), imatrix.n_tensors)
            self.assertEqual(imatrix.layer_statistics()[0].layer, 0)
            name = statistics[0].name
            weights = imatrix.weights(name)
            self.assertEqual((weights.dtype, len(weights)), (np.float32, statistics[0].n_values))
            self.assertEqual(len(imatrix.weights("no such tensor")), 0)
            other = quern.Imatrix()
            other.collect(self.model, self.ids[64:], n_ctx=32, max_chunks=1)
            imatrix.merge(other)
            self.assertEqual(imatrix.n_chunks, 3)
            with self.assertRaises(ValueError):
                imatrix.merge(imatrix)
            imatrix.save(work("m.gguf"))
            imatrix.save(work("m.dat"), "dat")
        self.assertTrue(seen and seen[0][0] == "imatrix")
        np.testing.assert_allclose(quern.Imatrix(work("m.dat")).weights(name), quern.Imatrix(work("m.gguf")).weights(name), rtol=1e-5)
        with self.assertRaises(quern.FormatError):
            quern.Imatrix(DEMO)


if __name__ == "__main__":
    unittest.main()
