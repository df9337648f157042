"""quern.Llama: llama-cpp-python's calls and dictionaries."""
import inspect
import os
import pickle
import shutil
import unittest
import warnings

import numpy as np

import quern
from support import ANSWER, CHAT, DEMO, FRANCE, HERE, TestCase, cli, needs_cli, work

import llama_shapes


class ShapeTest(TestCase):
    def test_arguments_and_keys(self):
        record = llama_shapes.load()
        self.assertGreater(len(record["calls"]), 25)
        self.assertGreater(len(record["results"]), 10)
        for name, differences in [*llama_shapes.calls(record), *llama_shapes.results(record)]:
            self.assertEqual(differences, [], name)

    def test_the_table_of_the_readme(self):
        with open(os.path.join(os.path.dirname(HERE), "README.md"), encoding="utf-8") as file:
            self.assertIn(llama_shapes.table(), file.read(), "run llama_shapes.py and put what it prints into README.md")


class LlamaTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.llm = quern.Llama(DEMO, verbose=False, seed=1)

    def test_the_usual_snippet(self):
        output = self.llm("Q: " + FRANCE + " A: ", max_tokens=32, stop=["Q:", "\n"], echo=True, temperature=0)
        self.assertEqual(set(output), {"id", "object", "created", "model", "choices", "usage"})
        self.assertEqual((output["object"], output["model"]), ("text_completion", DEMO))
        self.assertTrue(output["id"].startswith("cmpl-"))
        choice = output["choices"][0]
        self.assertTrue(choice["text"].startswith("Q: " + FRANCE + " A: "))
        self.assertIn(choice["finish_reason"], ("stop", "length"))
        usage = output["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_chat(self):
        answer = self.llm.create_chat_completion(messages=CHAT, temperature=0)
        self.assertEqual(answer["choices"][0]["message"], {"role": "assistant", "content": ANSWER})
        self.assertEqual((answer["object"], answer["choices"][0]["finish_reason"]), ("chat.completion", "stop"))
        chunks = list(self.llm.create_chat_completion(messages=CHAT, temperature=0, stream=True))
        self.assertEqual(chunks[0]["choices"][0]["delta"], {"role": "assistant"})
        self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in chunks), ANSWER)
        self.assertEqual((chunks[-1]["choices"][0]["delta"], chunks[-1]["choices"][0]["finish_reason"]), ({}, "stop"))
        self.assertEqual({c["object"] for c in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({c["id"] for c in chunks}), 1)
        parts = [{"role": "user", "content": [{"type": "text", "text": FRANCE}]}]
        self.assertEqual(self.llm.create_chat_completion(parts, temperature=0)["choices"][0]["message"]["content"], ANSWER)
        short = self.llm.create_chat_completion(CHAT, temperature=0, max_tokens=2)
        self.assertEqual((short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]), ("length", 2))

    @needs_cli
    def test_greedy_text_is_that_of_the_command_line(self):
        for prompt in ("The old house", "Prince Andrew looked at the"):
            expected = cli("run", DEMO, "-p", prompt, "-n", 24, "--temp", 0, "--raw")
            self.assertEqual(self.llm(prompt, max_tokens=24, temperature=0)["choices"][0]["text"], expected["text"])
        stopped = cli("run", DEMO, "-p", FRANCE, "--temp", 0, "--stop", "is Paris")
        answer = self.llm.create_chat_completion(CHAT, temperature=0, stop="is Paris")["choices"][0]
        self.assertEqual((answer["message"]["content"], answer["finish_reason"]), (stopped["text"], "stop"))

    def test_stream_is_the_same(self):
        for options in ({"temperature": 0}, {"seed": 5, "temperature": 1.3}, {"temperature": 0, "stop": [" man", "xyz"]},
                        {"temperature": 0, "logprobs": 2}, {"temperature": 0, "echo": True}):
            whole = self.llm("The old house", max_tokens=20, **options)
            chunks = list(self.llm("The old house", max_tokens=20, stream=True, **options))
            self.assertEqual("".join(c["choices"][0]["text"] for c in chunks), whole["choices"][0]["text"])
            self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], whole["choices"][0]["finish_reason"])
            if "logprobs" in options:
                tokens = [t for c in chunks if c["choices"][0]["logprobs"] for t in c["choices"][0]["logprobs"]["tokens"]]
                self.assertEqual(tokens, whole["choices"][0]["logprobs"]["tokens"])

    def test_seed(self):
        def text(seed):
            return self.llm("The old house", max_tokens=20, temperature=2.0, top_p=1.0, min_p=0.0, seed=seed)["choices"][0]["text"]
        self.assertEqual(text(3), text(3))
        self.assertNotEqual(text(3), text(4))
        self.assertEqual(text(-1) == text(-1) == text(-1), False)

    def test_logprobs(self):
        marks = self.llm("The old house", max_tokens=5, temperature=0, logprobs=3)["choices"][0]["logprobs"]
        self.assertEqual(len(marks["tokens"]), 5)
        for token, logprob, top in zip(marks["tokens"], marks["token_logprobs"], marks["top_logprobs"]):
            self.assertEqual(max(top.values()), logprob)
            self.assertEqual(top[token], logprob)
        expected = quern.Context(self.llm.model).generate("The old house", max_tokens=5, temperature=0, logprobs=1)
        np.testing.assert_allclose(marks["token_logprobs"], [s.logprob for s in expected.logprobs], atol=1e-5)
        content = self.llm.create_chat_completion(CHAT, temperature=0, logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]
        self.assertEqual("".join(bytes(t["bytes"]).decode() for t in content["content"]).strip(), ANSWER)
        with self.assertRaisesRegex(ValueError, "logits_all"):
            self.llm("The old house", logprobs=1, echo=True)
        with quern.Llama(DEMO, verbose=False, logits_all=True) as llm:
            out = llm("The old house", max_tokens=2, temperature=0, logprobs=1, echo=True)["choices"][0]
            marks = out["logprobs"]
            self.assertIsNone(marks["token_logprobs"][0])
            self.assertEqual(len(marks["tokens"]), len(llm.tokenize(b"The old house")) + 2)
            self.assertEqual(llm.scores.shape[0], llm.n_tokens)

    def test_bias_processors_and_criteria(self):
        ids = self.llm.tokenize(b" Paris", add_bos=False)
        text = self.llm.create_chat_completion(CHAT, temperature=0, logit_bias={str(t): float("-inf") for t in ids})
        self.assertNotIn("Paris", text["choices"][0]["message"]["content"])
        seen = []

        def forbid(input_ids, scores):
            seen.append((len(input_ids), scores.shape))
            scores[ids] = -np.inf
            return scores
        processors = quern.LogitsProcessorList([forbid])
        text = self.llm.create_chat_completion(CHAT, temperature=0, logits_processor=processors, max_tokens=12)
        self.assertNotIn("Paris", text["choices"][0]["message"]["content"])
        self.assertEqual(seen[0][1], (4096,))
        self.assertEqual([n for n, _ in seen], list(range(seen[0][0], seen[0][0] + len(seen))))
        criteria = quern.StoppingCriteriaList([lambda ids, logits: len(ids) >= 8])
        out = self.llm("The old house", max_tokens=20, temperature=0, stopping_criteria=criteria)
        self.assertEqual((out["usage"]["total_tokens"], out["choices"][0]["finish_reason"]), (8, "stop"))
        least = quern.MinTokensLogitsProcessor(12, self.llm.token_eos())
        scores = least([1], np.zeros(4096, np.single))
        self.assertEqual(scores[self.llm.token_eos()], -np.inf)

    def test_tokens(self):
        ids = self.llm.tokenize("Grüße".encode())
        self.assertEqual(ids[0], self.llm.token_bos())
        self.assertEqual(self.llm.detokenize(ids), "Grüße".encode())
        self.assertNotEqual(self.llm.tokenize(b"Hi", add_bos=False)[0], self.llm.token_bos())
        self.assertEqual(len(self.llm.tokenize(b"<|im_end|>", add_bos=False, special=True)), 1)
        self.assertEqual(self.llm.detokenize(ids[2:], prev_tokens=ids[:2]), self.llm.detokenize(ids)[len(self.llm.detokenize(ids[:2])):])
        self.assertEqual((self.llm.n_vocab(), self.llm.n_embd(), self.llm.n_ctx()), (4096, 256, 512))
        self.assertIs(self.llm.tokenizer(), self.llm)
        self.assertIn("general.name", self.llm.metadata)

    def test_eval_sample_generate(self):
        llm = quern.Llama(DEMO, verbose=False, n_ctx=128)
        ids = llm.tokenize(b"The old house")
        llm.eval(ids)
        self.assertEqual((llm.n_tokens, list(llm.input_ids)), (len(ids), ids))
        best = llm.sample(temp=0)
        self.assertEqual(best, int(np.argmax(llm.scores[-1])))
        expected = quern.Context(llm.model).generate(ids, max_tokens=10, temperature=0).tokens
        out = []
        for token in llm.generate(ids, temp=0):
            out.append(token)
            if len(out) == 10:
                break
        self.assertEqual(out, expected)
        llm.reset()
        self.assertEqual(llm.n_tokens, 0)
        with self.assertRaisesRegex(ValueError, "context window"):
            llm.eval([1] * 200)
        with self.assertRaisesRegex(ValueError, "exceed context window"):
            llm([1] * 200)

    def test_state(self):
        llm = quern.Llama(DEMO, verbose=False)
        expected = llm("The old house", max_tokens=12, temperature=0)["choices"][0]["text"]
        llm.reset()
        llm.eval(llm.tokenize(b"The old house"))
        state = pickle.loads(pickle.dumps(llm.save_state()))
        self.assertEqual(state.llama_state_size, len(state.llama_state))
        llm("Two and two", max_tokens=4)
        other = quern.Llama(DEMO, verbose=False)
        for one in (llm, other):
            one.load_state(state)
            self.assertEqual(one.n_tokens, 4)
            token = one.sample(temp=0)
            self.assertTrue(expected.startswith(one.detokenize([token]).decode().strip()), (expected, token))
            self.assertEqual(one("The old house", max_tokens=12, temperature=0)["choices"][0]["text"], expected)
        copy = pickle.loads(pickle.dumps(llm))
        self.assertEqual(copy("The old house", max_tokens=12, temperature=0)["choices"][0]["text"], expected)

    def test_cache(self):
        expected = self.llm("The old house", max_tokens=12, temperature=0)["choices"][0]["text"]
        for cache in (quern.LlamaRAMCache(), quern.LlamaDiskCache(work("cache"))):
            llm = quern.Llama(DEMO, verbose=False)
            llm.set_cache(cache)
            llm("The old house", max_tokens=12, temperature=0)
            self.assertGreater(cache.cache_size, 0)
            llm("Two and two", max_tokens=2)
            loads = []
            load = llm.load_state
            llm.load_state = lambda state: (loads.append(state.n_tokens), load(state))
            self.assertEqual(llm("The old house", max_tokens=12, temperature=0)["choices"][0]["text"], expected)
            self.assertEqual(len(loads), 1)

    def test_embeddings(self):
        with quern.Llama(DEMO, verbose=False, embedding=True, pooling_type=1) as llm:
            out = llm.create_embedding(["The old house", "A river"])
            self.assertEqual((out["object"], len(out["data"]), out["data"][1]["index"]), ("list", 2, 1))
            self.assertEqual(len(out["data"][0]["embedding"]), 256)
            self.assertEqual(out["usage"]["prompt_tokens"], len(llm.tokenize(b"The old house")) + len(llm.tokenize(b"A river")))
            vector, n = llm.embed("A river", return_count=True)
            self.assertEqual((vector, n), (out["data"][1]["embedding"], len(llm.tokenize(b"A river"))))
            self.assertAlmostEqual(float(np.linalg.norm(llm.embed("A river", normalize=True))), 1, places=5)
            expected = quern.Embedder(llm.model, pooling="mean", normalize=-1).embed("A river")
            np.testing.assert_array_equal(np.array(vector, np.single), expected)
            self.assertEqual(len(llm.embed("word " * 2000)), 256)  # cut off
            with self.assertRaises(quern.ArgumentError):
                llm.embed("word " * 2000, truncate=False)
        with quern.Llama(DEMO, verbose=False, embedding=True) as llm:
            self.assertEqual(len(llm.embed("A river")), len(llm.tokenize(b"A river")))  # no pooling: one per token
        with self.assertRaisesRegex(RuntimeError, "embedding=True"):
            self.llm.embed("x")

    def test_what_is_missing_is_said(self):
        schema = {"type": "json_object"}
        tool = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        for options in ({"response_format": schema}, {"tools": tool}, {"functions": [{"name": "f"}]}, {"grammar": object()},
                        {"tool_choice": "required"}):
            with self.assertRaisesRegex(quern.UnsupportedError, next(iter(options)), msg=options):
                self.llm.create_chat_completion(CHAT, **options)
        self.llm.create_chat_completion(CHAT, response_format={"type": "text"}, max_tokens=1)
        with self.assertRaisesRegex(quern.UnsupportedError, "suffix"):
            self.llm("x", suffix="y")
        with self.assertRaises(quern.UnsupportedError):
            quern.LlamaGrammar.from_string("root ::= \"x\"")
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]
        with self.assertRaisesRegex(quern.UnsupportedError, "image_url"):
            self.llm.create_chat_completion(image)
        for options in ({"rope_freq_base": 1e6}, {"draft_model": object()}, {"type_k": 41}, {"kv_overrides": {"a": 1}}):
            with self.assertRaisesRegex(quern.UnsupportedError, next(iter(options))):
                quern.Llama(DEMO, verbose=False, **options)
        with self.assertRaisesRegex(ValueError, "mistrial"):
            quern.Llama(DEMO, verbose=False, chat_format="mistrial")
        with self.assertRaisesRegex(TypeError, "n_gpu_layer'"):
            quern.Llama(DEMO, n_gpu_layer=1)
        with self.assertRaisesRegex(TypeError, "max_token'"):
            self.llm("x", max_token=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quern.Llama(DEMO, verbose=False, n_gpu_layers=-1, vocab_only=True)
        self.assertIn("n_gpu_layers", str(caught[0].message))
        with self.assertRaises(quern.NotFoundError):
            quern.Llama("no/such/file.gguf", verbose=False)

    def test_chat_format_and_handler(self):
        with quern.Llama(DEMO, verbose=False, chat_format="chatml") as llm:
            self.assertEqual(llm.create_chat_completion(CHAT, temperature=0)["choices"][0]["message"]["content"], ANSWER)
        handler = lambda llama, messages, **options: (messages, options["temperature"])  # noqa: E731
        with quern.Llama(DEMO, verbose=False, chat_handler=handler) as llm:
            self.assertEqual(llm.create_chat_completion(CHAT, temperature=0.5), (CHAT, 0.5))

    def test_cache_types_and_threads(self):
        for options in ({"type_k": 8, "type_v": 8}, {"type_k": 0, "type_v": 0}, {"n_threads": 1}, {"n_batch": 4}, {"use_mmap": False}):
            with quern.Llama(DEMO, verbose=False, **options) as llm:
                self.assertIn("Paris", llm.create_chat_completion(CHAT, temperature=0)["choices"][0]["message"]["content"])

    def test_from_pretrained(self):
        folder = work("repo")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(DEMO, os.path.join(folder, "demo-Q8_0.gguf"))
        with quern.Llama.from_pretrained(folder, "*Q8_0.gguf", verbose=False) as llm:
            self.assertTrue(llm.model_path.endswith("demo-Q8_0.gguf"))
        snapshot = os.path.join(work("hub"), "models--user--repo", "snapshots", "abc")
        os.makedirs(os.path.dirname(snapshot))
        shutil.copytree(folder, snapshot)
        with quern.Llama.from_pretrained(repo_id="user/repo", filename="*Q8_0.gguf", cache_dir=work("hub"), verbose=False) as llm:
            self.assertIn("snapshots", llm.model_path)
        shutil.copy(DEMO, os.path.join(folder, "other-Q8_0.gguf"))
        with self.assertRaisesRegex(quern.ArgumentError, "several"):
            quern.Llama.from_pretrained(folder, "*Q8_0.gguf")
        with self.assertRaisesRegex(quern.NotFoundError, "not on this machine"):
            quern.Llama.from_pretrained("user/other", "*.gguf", cache_dir=work("hub"))

    def test_closed(self):
        llm = quern.Llama(DEMO, verbose=False)
        llm.close()
        with self.assertRaises((RuntimeError, ValueError)):
            llm("x")
        llm.close()
        self.assertEqual(inspect.signature(quern.Llama.__call__), inspect.signature(quern.Llama.create_completion))


if __name__ == "__main__":
    unittest.main()
