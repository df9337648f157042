"""Generation, streams, conversations, the scheduler; interrupts, cancelling, and other threads meanwhile."""
import os
import signal
import threading
import time
import unittest

import quern
from support import ANSWER, CHAT, DEMO, FRANCE, TestCase, cli, needs_cli


class GenerateTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO)
        cls.prompt = quern.ChatTemplate(cls.model).tokenize(CHAT)

    def setUp(self):
        self.context = quern.Context(self.model)

    @needs_cli
    def test_greedy_text_is_that_of_the_command_line(self):
        expected = cli("run", DEMO, "-p", FRANCE, "--temp", 0)
        answer = self.context.generate(self.prompt, temperature=0)
        self.assertEqual((answer.text, answer.tokens), (expected["text"], expected["tokens"]))
        expected = cli("run", DEMO, "-p", "The old house", "-n", 24, "--temp", 0, "--raw")
        answer = self.context.generate("The old house", max_tokens=24, temperature=0)
        self.assertEqual((answer.text, answer.tokens), (expected["text"], expected["tokens"]))

    def test_result(self):
        answer = self.context.generate(self.prompt, temperature=0)
        self.assertEqual((answer.text, str(answer), answer.stop_reason), (ANSWER, ANSWER, "end_of_generation"))
        self.assertEqual((answer.timings.n_prompt, answer.timings.n_generated), (len(self.prompt), len(answer.tokens)))
        again = self.context.generate(self.prompt, temperature=0)
        self.assertEqual((again.text, again.timings.n_cached), (ANSWER, len(self.prompt) - 1))
        self.assertEqual(self.context.generate(self.prompt, max_tokens=2, temperature=0).stop_reason, "length")
        self.assertEqual(self.context.generate(self.prompt, max_tokens=0).tokens, [])
        stopped = self.context.generate(self.prompt, temperature=0, stop=["is Paris"])
        self.assertEqual((stopped.text, stopped.stop_reason), ("The capital of France ", "stop_text"))

    def test_stream_is_the_same(self):
        for options in ({"temperature": 0}, {"seed": 3, "temperature": 1.2, "max_tokens": 30}, {"temperature": 0, "stop": "is Par"}):
            whole = self.context.generate(self.prompt, logprobs=2, **options)
            with self.context.stream(self.prompt, logprobs=2, **options) as stream:
                self.assertIsNone(stream.generation)
                steps = list(stream)
            self.assertEqual("".join(s.text for s in steps), whole.text)
            self.assertEqual((stream.generation.tokens, stream.generation.text), (whole.tokens, whole.text))
            self.assertEqual(stream.generation.logprobs, whole.logprobs)
            self.assertEqual(list(stream), [])

    def test_logprobs(self):
        answer = self.context.generate(self.prompt, temperature=0, logprobs=3)
        self.assertEqual([s.token for s in answer.logprobs], answer.tokens)
        for step in answer.logprobs:
            self.assertEqual(step.top[0], (step.token, step.logprob))
            self.assertEqual(len(step.top), 3)
            self.assertLessEqual(step.logprob, 0)
        self.assertIsNone(self.context.generate(self.prompt, temperature=0).logprobs)

    def test_on_token(self):
        seen = []
        answer = self.context.generate(self.prompt, temperature=0, on_token=seen.append)
        self.assertEqual("".join(s.text for s in seen), answer.text)
        answer = self.context.generate(self.prompt, temperature=0, on_token=lambda s: s.text != " France")
        self.assertEqual((answer.text, answer.stop_reason), ("The capital of France", "cancelled"))

        def fail(step):
            raise LookupError(step.text)
        with self.assertRaisesRegex(LookupError, "The"):
            self.context.generate(self.prompt, temperature=0, on_token=fail)
        self.assertEqual(self.context.generate(self.prompt, temperature=0).text, ANSWER)

    def test_cancel_token(self):
        token = quern.CancelToken()
        answer = self.context.generate(self.prompt, temperature=0, cancel=token,
                                       on_token=lambda s: token.cancel() if s.text == " of" else None)
        self.assertEqual((answer.text, answer.stop_reason), ("The capital of", "cancelled"))
        self.assertTrue(token.cancelled)

    def test_an_abandoned_stream(self):
        stream = self.context.stream(self.prompt, ignore_eos=True, max_tokens=300)
        next(stream)
        with self.assertRaises(quern.BusyError):
            self.context.append([1])
        stream.close()
        self.assertEqual(stream.generation.stop_reason, "cancelled")
        self.assertEqual(self.context.generate(self.prompt, temperature=0).text, ANSWER)
        for _ in self.context.stream(self.prompt, ignore_eos=True):
            break  # the iterator is gone, and the context free again
        self.assertEqual(self.context.generate(self.prompt, temperature=0).text, ANSWER)
        stream = self.context.stream(self.prompt, ignore_eos=True)
        next(stream)
        self.context.close()
        del stream

    def test_errors_of_a_stream(self):
        with self.assertRaises(quern.ArgumentError):
            list(self.context.stream([]))
        with self.assertRaises(quern.ContextFullError):
            list(quern.Context(self.model, n_ctx=4).stream(self.prompt))
        with self.assertRaisesRegex(TypeError, "on_token"):
            self.context.stream(self.prompt, on_token=print)

    def test_chat(self):
        chat = quern.Chat(self.model, "You are a helpful assistant.")
        self.assertEqual(chat.send(FRANCE, temperature=0).text, ANSWER)
        self.assertEqual([m["role"] for m in chat.messages], ["system", "user", "assistant"])
        used = chat.n_used
        self.assertGreater(used, 0)
        text = "".join(s.text for s in chat.stream("What is the capital of Norway?", temperature=0))
        self.assertEqual(chat.messages[-1], {"role": "assistant", "content": text})
        chat.undo()
        self.assertEqual(chat.messages[-1]["content"], ANSWER)
        chat.clear()
        self.assertEqual(len(chat.messages), 1)
        with quern.Chat(self.model, n_ctx=16) as small:
            with self.assertRaises(quern.ContextFullError):
                small.send(FRANCE + " And so on." * 20)
            self.assertEqual(small.messages, [])


class InterruptTest(TestCase):
    """The slow backend, so that there is something to interrupt."""

    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO, runtime=quern.Runtime(backend="reference", n_threads=1))
        cls.ids = cls.model.tokenizer.tokenize("The old house stood near the river. " * 60)[:480]
        start = time.monotonic()
        quern.Context(cls.model).append(cls.ids[:60])
        cls.seconds = (time.monotonic() - start) / 60  # of a token, on this machine as busy as it is

    def interrupted(self, call):
        """The call takes 480 tokens or more, and an interrupt ends it: after a layer of six, and well before the end."""
        times = []

        def interrupt():
            time.sleep(40 * self.seconds)
            times.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with self.assertRaises(KeyboardInterrupt):
                call()
            self.assertLess(time.monotonic() - times[0], 0.5 + 300 * self.seconds)
        finally:
            thread.join()

    def test_prompt(self):
        context = quern.Context(self.model)
        self.interrupted(lambda: context.append(self.ids))
        self.assertEqual(context.n_used, 0)

    def test_generate_and_stream(self):
        token = quern.CancelToken()
        context = quern.Context(self.model)
        self.interrupted(lambda: context.generate(self.ids[:8], ignore_eos=True, max_tokens=480, cancel=token))
        self.assertFalse(token.cancelled)  # the caller's flag is as it was
        self.interrupted(lambda: list(context.stream(self.ids[:8], ignore_eos=True, max_tokens=480)))
        self.interrupted(lambda: quern.perplexity(self.model, self.ids, n_ctx=240))
        context.append([1])  # it is free

    def test_a_handler_that_does_not_raise_interrupts_nothing(self):
        seen = []
        before = signal.signal(signal.SIGALRM, lambda *a: seen.append(a))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            context = quern.Context(self.model)
            context.append(self.ids[:120])
            self.assertEqual((len(seen), context.n_used), (1, 120))
        finally:
            signal.signal(signal.SIGALRM, before)

    def test_other_threads_run_meanwhile(self):
        ticks, stop = [0], threading.Event()

        def count():
            while not stop.is_set():
                ticks[0] += 1
                time.sleep(0.001)
        thread = threading.Thread(target=count)
        thread.start()
        try:
            for call in (lambda: quern.Context(self.model).append(self.ids[:120]),
                         lambda: [quern.Context(self.model).append(self.ids[:1]) for _ in range(40)],
                         lambda: quern.Embedder(self.model, pooling="mean").embed([self.ids[:100]])):
                before, start = ticks[0], time.monotonic()
                call()
                seconds = time.monotonic() - start
                self.assertGreater(ticks[0] - before, seconds / 0.1, f"{seconds} s without other threads")
        finally:
            stop.set()
            thread.join()

    def test_two_contexts_in_two_threads(self):
        model = quern.Model(DEMO)
        prompt = quern.ChatTemplate(model).tokenize(CHAT)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(quern.Context(model).generate(prompt, temperature=0).text))
                   for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(answers, [ANSWER] * 4)


class SchedulerTest(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = quern.Model(DEMO)
        cls.prompt = quern.ChatTemplate(cls.model).tokenize(CHAT)

    def test_steps(self):
        scheduler = quern.Scheduler(self.model, n_parallel=2, n_ctx=400)
        self.assertFalse(scheduler.step())
        texts = []
        one = scheduler.submit(self.prompt, temperature=0, logprobs=1, on_token=lambda s: texts.append(s.text))
        two = scheduler.submit("The old house", temperature=0, max_tokens=12)
        self.assertFalse(one.done())
        self.assertTrue(scheduler.step())
        self.assertEqual({r.id for r in scheduler.stats.running}, {one.id, two.id})
        while scheduler.step():
            pass
        self.assertEqual((one.result().text, "".join(texts)), (ANSWER, ANSWER))
        self.assertEqual(len(one.result().logprobs), len(one.result().tokens))
        alone = quern.Context(self.model).generate("The old house", temperature=0, max_tokens=12)
        self.assertEqual(two.result().tokens, alone.tokens)
        self.assertEqual((scheduler.stats.n_finished, scheduler.stats.n_ctx), (2, 400))

    def test_a_thread_runs_it(self):
        scheduler = quern.Scheduler(self.model, n_parallel=3)
        stop = quern.CancelToken()
        thread = threading.Thread(target=scheduler.run, args=(stop,))
        thread.start()
        try:
            futures = [scheduler.submit(self.prompt, temperature=0) for _ in range(6)]
            self.assertEqual([f.result(30).text for f in futures], [ANSWER] * 6)
            self.assertGreater(scheduler.stats.n_cached_tokens, 0)
            long = scheduler.submit(self.prompt, ignore_eos=True)
            self.assertTrue(long.cancel())
            self.assertEqual(long.result(30).stop_reason, "cancelled")
        finally:
            stop.cancel()
            thread.join()

    def test_errors(self):
        scheduler = quern.Scheduler(self.model, n_parallel=1, max_queued=1, n_ctx=64)
        with self.assertRaises(quern.ArgumentError):
            scheduler.submit([])
        with self.assertRaises(quern.ContextFullError):
            scheduler.submit([1] * 100)
        with self.assertRaisesRegex(TypeError, "colour"):
            scheduler.submit(self.prompt, colour=1)

        def fail(step):
            raise LookupError("mine")
        failing = scheduler.submit(self.prompt, temperature=0, on_token=fail)
        while scheduler.step():
            pass
        with self.assertRaisesRegex(LookupError, "mine"):
            failing.result()
        waiting = scheduler.submit(self.prompt)
        with self.assertRaises(quern.BusyError):
            for _ in range(9):
                scheduler.submit(self.prompt)
        scheduler.close()
        with self.assertRaises(quern.CancelledError):
            waiting.result()
        with self.assertRaisesRegex(ValueError, "closed"):
            scheduler.step()


if __name__ == "__main__":
    unittest.main()
