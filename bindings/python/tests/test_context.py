"""Contexts, logits and their memory, samplers, embeddings."""
import gc
import threading
import unittest

import numpy as np

import quern
from support import CHAT, DEMO, TestCase, folder


class ContextTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO)
        cls.ids = cls.model.tokenizer.tokenize("The old house stood near the river.")

    def test_logits_do_not_depend_on_the_batch(self):
        whole = quern.Context(self.model)
        whole.append(self.ids, all_logits=True)
        rows = whole.logits
        self.assertEqual((rows.shape, rows.dtype), ((len(self.ids), 4096), np.float32))
        single = quern.Context(self.model)
        for i, token in enumerate(self.ids):
            single.append([token])
            np.testing.assert_array_equal(single.last_logits, rows[i])
        both = quern.Context(self.model, n_seq_max=2)
        both.decode([(token, i, s, True) for s in (0, 1) for i, token in enumerate(self.ids)])
        np.testing.assert_array_equal(both.logits[len(self.ids):], rows)

    def test_logits_are_not_copied_and_stay(self):
        context = quern.Context(self.model)
        context.append(self.ids)
        kept, again = context.last_logits, context.last_logits
        self.assertEqual(kept.__array_interface__["data"], again.__array_interface__["data"])
        self.assertFalse(kept.flags.writeable or kept.flags.owndata)
        copy = kept.copy()
        context.append(self.ids, all_logits=True)
        rows = context.logits
        self.assertFalse((rows[-1] == copy).all())
        np.testing.assert_array_equal(kept, copy)
        context.close()
        del context, again
        gc.collect()
        rows = rows[-1].copy()  # reads memory that only the array keeps
        np.testing.assert_array_equal(kept, copy)

    def test_no_logits(self):
        context = quern.Context(self.model)
        self.assertEqual(context.logits.shape, (0, 4096))
        with self.assertRaises(quern.ArgumentError):
            context.last_logits

    def test_sequences(self):
        context = quern.Context(self.model, n_seq_max=2, n_ctx=256)
        context.append(self.ids)
        self.assertEqual((context.sequence_length(), context.n_used, context.n_ctx), (len(self.ids), len(self.ids), 256))
        self.assertEqual(context.sequence_tokens(), self.ids)
        expected = context.last_logits
        state = context.sequence_save()
        context.sequence_fork(0, 1)
        context.sequence_remove(0, 3)
        self.assertEqual(context.next_position(0), 3)
        context.append(self.ids[3:])
        np.testing.assert_array_equal(context.last_logits, expected)
        self.assertEqual(context.sequence_rewind(1, 2), 2)
        context.sequence_keep(0)
        self.assertEqual(context.sequence_length(1), 0)
        context.clear()
        self.assertEqual(context.n_used, 0)
        context.sequence_restore(state, 1)
        self.assertEqual(context.sequence_tokens(1), self.ids)
        context.append([5], sequence=1)
        other = quern.Context(self.model)
        other.append(self.ids + [5])
        np.testing.assert_array_equal(context.last_logits, other.last_logits)
        with self.assertRaises(quern.QuernError):
            context.sequence_restore(state[:-7], 0)

    def test_refusals(self):
        context = quern.Context(self.model, n_ctx=8)
        with self.assertRaises(quern.ContextFullError) as caught:
            context.append(list(range(20)))
        self.assertEqual(caught.exception.status, "context_full")
        self.assertEqual(context.sequence_length(), 0)
        with self.assertRaises(quern.ArgumentError):
            context.append([999999])
        with self.assertRaises(ValueError):
            context.decode([(1, 2)])
        with self.assertRaises(TypeError):
            context.append([1.5])
        with self.assertRaisesRegex(TypeError, "colour"):
            quern.Context(self.model, colour=1)
        with self.assertRaisesRegex(ValueError, "q9"):
            quern.Context(self.model, type_k="q9")
        with quern.Context(self.model) as closed:
            pass
        with self.assertRaisesRegex(ValueError, "closed"):
            closed.append([1])

    def test_threads_take_turns(self):
        context = quern.Context(self.model, n_ctx=4000)
        threads = [threading.Thread(target=lambda: [context.append([7]) for _ in range(50)]) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(context.sequence_length(), 200)

    def test_its_own_callback_may_not_use_it(self):
        context = quern.Context(self.model)

        def progress(stage, done, total):
            context.n_used
        with self.assertRaises(quern.BusyError):
            context.append(self.ids, progress=progress)
        self.assertEqual(context.n_used, 0)  # cancelled by what the callback raised


class SamplerTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO)
        context = quern.Context(cls.model)
        context.append(quern.ChatTemplate(cls.model).tokenize(CHAT))
        cls.logits = context.last_logits

    def test_greedy_and_bias(self):
        greedy = quern.Sampler(self.model, temperature=0)
        best = int(np.argmax(self.logits))
        self.assertEqual(greedy.sample(self.logits), best)
        biased = quern.Sampler(self.model, temperature=0, logit_bias={best: float("-inf")})
        self.assertEqual(biased.sample(self.logits), int(np.argsort(self.logits)[-2]))

    def test_seed(self):
        def draw(seed):
            sampler = quern.Sampler(self.model, seed=seed, temperature=5, top_k=0, min_p=0, top_p=1)
            return [sampler.sample(self.logits) for _ in range(8)]
        self.assertEqual(draw(3), draw(3))
        self.assertNotEqual(draw(3), draw(4))
        self.assertEqual(quern.Sampler(self.model, seed=17).seed, 17)

    def test_candidates_and_history(self):
        sampler = quern.Sampler(self.model, top_k=5, top_p=1, min_p=0, temperature=1)
        sampler.sample(self.logits)
        all_ = sampler.candidates()
        self.assertEqual(len(all_), 5)
        self.assertAlmostEqual(sum(p for _, p in all_), 1, places=5)
        best = int(np.argmax(self.logits))
        sampler = quern.Sampler(self.model, temperature=0, presence_penalty=1000.0)
        sampler.accept(best)
        self.assertNotEqual(sampler.sample(self.logits), best)
        sampler.reset()
        self.assertEqual(sampler.sample(self.logits), best)

    def test_refusals(self):
        sampler = quern.Sampler(self.model)
        with self.assertRaises(quern.ArgumentError):
            sampler.sample(self.logits[:-1])
        with self.assertRaisesRegex(ValueError, "dimensions"):
            sampler.sample(self.logits.reshape(2, -1))
        with self.assertRaises(quern.ArgumentError):
            quern.Sampler(self.model, top_p=7.0)
        with self.assertRaisesRegex(TypeError, "temprature"):
            quern.Sampler(self.model, temprature=0)


class EmbedderTest(TestCase):
    TEXTS = ["The old house stood near the river.", "A house by a river.", "Two plus two is four."]

    def test_vectors(self):
        model = quern.Model(DEMO)
        with quern.Embedder(model, pooling="mean") as embedder:
            self.assertEqual((embedder.pooling, embedder.n_embd), ("mean", 256))
            vectors = embedder.embed(self.TEXTS)
            copies = [v.copy() for v in vectors]
            one = embedder.embed(self.TEXTS[1])
            ids = embedder.embed(model.tokenizer.tokenize(self.TEXTS[1]))
            with self.assertRaises(quern.ArgumentError):
                embedder.embed([[]])
            with self.assertRaises(quern.CancelledError):
                embedder.embed(self.TEXTS, progress=lambda *step: False)
        gc.collect()
        for v, copy in zip(vectors, copies):
            self.assertEqual((v.shape, v.dtype, v.flags.owndata, v.flags.writeable), ((256,), np.float32, False, False))
            np.testing.assert_array_equal(v, copy)
            self.assertAlmostEqual(float(np.linalg.norm(v)), 1, places=5)
        np.testing.assert_array_equal(one, vectors[1])
        np.testing.assert_array_equal(ids, vectors[1])
        self.assertGreater(quern.cosine_similarity(vectors[0], vectors[1]), quern.cosine_similarity(vectors[0], vectors[2]))
        with self.assertRaises(ValueError):
            quern.cosine_similarity(vectors[0], vectors[1][:-1].copy())

    def test_without_pooling(self):
        embedder = quern.Embedder(quern.Model(folder()), pooling="none", normalize=-1)
        rows = embedder.embed("the in er")
        self.assertEqual(rows.ndim, 2)
        self.assertEqual(rows.shape[1], 256)
        self.assertGreater(rows.shape[0], 2)


if __name__ == "__main__":
    unittest.main()
