"""Completions in llama-cpp-python's form: a generator of chunks, and the dictionary that they join to."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional

import numpy as np

from .errors import UnsupportedError


def log_softmax(logits: Any, axis: int = -1) -> Any:
    shifted = logits - np.amax(logits, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


class StopTexts:
    """Lets text through, but not a stop text, nor what may be the beginning of one."""

    def __init__(self, stop: Any) -> None:
        texts = [stop] if isinstance(stop, str) else list(stop or [])
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"stop: a str or a list of them expected, not {type(text).__name__}")
        self.texts = [text for text in texts if text]
        self.waiting = ""
        self.found = False

    def push(self, text: str) -> str:
        self.waiting += text
        places = [place for place in (self.waiting.find(stop) for stop in self.texts) if place >= 0]
        if places:
            self.found = True
            out, self.waiting = self.waiting[:min(places)], ""
            return out
        held = max((n for stop in self.texts for n in range(1, len(stop)) if self.waiting.endswith(stop[:n])), default=0)
        out, self.waiting = self.waiting[:len(self.waiting) - held], self.waiting[len(self.waiting) - held:]
        return out

    def finish(self) -> str:
        out, self.waiting = self.waiting, ""
        return out


class Piece:
    """What one step of a completion adds."""

    __slots__ = ("text", "tokens")

    def __init__(self, text: str, tokens: List["TokenLogprobs"]) -> None:
        self.text = text
        self.tokens = tokens


class TokenLogprobs:
    """A token, its logprob and the highest ones."""

    __slots__ = ("token", "logprob", "top")

    def __init__(self, token: int, logits: Any, n: int) -> None:
        row = log_softmax(np.asarray(logits, dtype=np.float64))
        best = np.argsort(-row, kind="stable")[:n]
        self.token = token
        self.logprob = float(row[token])
        self.top = [(int(i), float(row[i])) for i in best]


def prompt_tokens(llama: Any, prompt: Any) -> List[int]:
    if isinstance(prompt, (str, bytes)):
        text = prompt.encode("utf-8") if isinstance(prompt, str) else prompt
        tokens = llama.tokenize(text, add_bos=True, special=True)
        return tokens or [llama.token_bos()]
    return [int(token) for token in prompt]


class Run:
    """One completion: an iterator of Pieces, and how it ended. `finish_reason` is "stop" or "length"."""

    def __init__(self, llama: Any, tokens: List[int], *, max_tokens: Optional[int], stop: Any, n_logprobs: Optional[int],
                 logits_processor: Any, stopping_criteria: Any, sampler: Any) -> None:
        if len(tokens) >= llama.n_ctx():
            raise ValueError(f"Requested tokens ({len(tokens)}) exceed context window of {llama.n_ctx()}")
        room = llama.n_ctx() - len(tokens)
        self.limit = room if max_tokens is None or max_tokens <= 0 else min(max_tokens, room)
        self.llama = llama
        self.prompt = tokens
        self.n_logprobs = n_logprobs
        self.stop = StopTexts(stop)
        self.completion: List[int] = []
        self.finish_reason = "length"
        self._steps = (sampler, logits_processor, stopping_criteria)

    def __iter__(self) -> Iterator[Piece]:
        llama = self.llama
        sampler, logits_processor, stopping_criteria = self._steps
        if llama.cache is not None:
            _restore(llama, self.prompt)
        characters = llama._tokens.stream()
        waiting: List[TokenLogprobs] = []
        steps = llama._generate(list(self.prompt), True, sampler, logits_processor, None)
        ended = False
        try:
            for token in steps:
                if llama._tokens.is_end(token):
                    self.finish_reason = "stop"
                    break
                self.completion.append(token)
                if self.n_logprobs is not None:
                    waiting.append(TokenLogprobs(token, llama._last, self.n_logprobs))
                text = self.stop.push(characters.push(token))
                if self.stop.found:
                    self.finish_reason = "stop"
                    yield Piece(text, waiting)
                    return
                if text:
                    yield Piece(text, waiting)
                    waiting = []
                if stopping_criteria is not None and stopping_criteria(
                        np.array(llama._history + [token], dtype=np.intc), llama._last):
                    self.finish_reason = "stop"
                    break
                if len(self.completion) >= self.limit:
                    break
            ended = True
        finally:
            steps.close()
            if llama.cache is not None and (ended or self.stop.found):
                llama.cache[tuple(self.prompt + self.completion)] = llama.save_state()
        text = self.stop.push(characters.finish())
        if not self.stop.found:
            text += self.stop.finish()
        else:
            self.finish_reason = "stop"
        if text or waiting:
            yield Piece(text, waiting)


def _restore(llama: Any, prompt: List[int]) -> None:
    try:
        state = llama.cache[tuple(prompt)]
    except KeyError:
        return
    if llama.longest_token_prefix(state.input_ids.tolist(), prompt) > llama.longest_token_prefix(llama._history, prompt):
        llama.load_state(state)


def start(llama: Any, tokens: List[int], *, max_tokens: Optional[int], stop: Any, n_logprobs: Optional[int],
          logits_processor: Any, stopping_criteria: Any, temperature: float, **sampling: Any) -> Run:
    sampler = llama._init_sampler(temp=temperature, **sampling)
    return Run(llama, tokens, max_tokens=max_tokens, stop=stop, n_logprobs=n_logprobs, logits_processor=logits_processor,
               stopping_criteria=stopping_criteria, sampler=sampler)


def token_text(llama: Any, token: int) -> str:
    return llama._tokens.piece(token).decode("utf-8", errors="replace")


class Logprobs:
    """The dictionary of a text completion's logprobs, token by token."""

    def __init__(self, llama: Any, offset: int) -> None:
        self.llama = llama
        self.offset = offset

    def of(self, tokens: List[TokenLogprobs]) -> Dict[str, Any]:
        out: Dict[str, Any] = {"tokens": [], "text_offset": [], "token_logprobs": [], "top_logprobs": []}
        for one in tokens:
            text = token_text(self.llama, one.token)
            out["tokens"].append(text)
            out["text_offset"].append(self.offset)
            out["token_logprobs"].append(one.logprob)
            top = {token_text(self.llama, token): value for token, value in one.top}
            top.setdefault(text, one.logprob)
            out["top_logprobs"].append(top)
            self.offset += len(text)
        return out

    def of_prompt(self, tokens: List[int], n: int) -> Dict[str, Any]:
        """With logits_all: the first token has no logprob."""
        rows = self.llama.scores
        out = self.of([TokenLogprobs(token, rows[i], n) for i, token in enumerate(tokens[1:])])
        first = token_text(self.llama, tokens[0])
        out["text_offset"] = [0] + [offset + len(first) for offset in out["text_offset"]]
        self.offset += len(first)
        return {"tokens": [first] + out["tokens"], "text_offset": out["text_offset"],
                "token_logprobs": [None] + out["token_logprobs"], "top_logprobs": [None] + out["top_logprobs"]}


class Chunks:
    """An iterator of dictionaries, and the Run behind it. Errors of arguments come at once, not with the first chunk."""

    def __init__(self, generator: Any, run: Run) -> None:
        self.generator = generator
        self.run = run

    def __iter__(self) -> "Chunks":
        return self

    def __next__(self) -> Dict[str, Any]:
        return next(self.generator)

    def close(self) -> None:
        self.generator.close()


def chunks(llama: Any, id: str, created: int, *, prompt: Any, suffix: Any, logprobs: Optional[int], echo: bool, model: Any,
           **options: Any) -> Chunks:
    if suffix is not None:
        raise UnsupportedError("suffix: completions that end in a given text are not supported yet", 30)
    if echo and logprobs is not None and not llama._logits_all:
        raise ValueError("echo with logprobs needs the logits of the prompt: make this Llama with logits_all=True")
    tokens = prompt_tokens(llama, prompt)
    run = start(llama, tokens, n_logprobs=logprobs, **options)
    name = model if model is not None else llama.model_path

    def chunk(text: str, marks: Any, reason: Optional[str]) -> Dict[str, Any]:
        return {"id": id, "object": "text_completion", "created": created, "model": name,
                "choices": [{"text": text, "index": 0, "logprobs": marks, "finish_reason": reason}]}

    def make() -> Iterator[Dict[str, Any]]:
        marks = Logprobs(llama, 0)
        shown = prompt if isinstance(prompt, str) else llama.detokenize(tokens).decode("utf-8", errors="replace")
        first = echo
        if echo and logprobs is None:
            yield chunk(shown, None, None)
        for piece in run:
            if first and logprobs is not None:
                first = False
                yield chunk(shown, marks.of_prompt(tokens, logprobs), None)
            yield chunk(piece.text, marks.of(piece.tokens) if logprobs is not None else None, None)
        yield chunk("", None, run.finish_reason)

    return Chunks(make(), run)


def joined(parts: Chunks) -> Dict[str, Any]:
    """The dictionary of a completion that is not streamed."""
    text = ""
    marks: Optional[Dict[str, Any]] = None
    out: Dict[str, Any] = {}
    for out in parts:
        choice = out["choices"][0]
        text += choice["text"]
        if choice["logprobs"] is not None:
            before = marks or {}
            marks = {key: before.get(key, []) + value for key, value in choice["logprobs"].items()}
    n_prompt, n = len(parts.run.prompt), len(parts.run.completion)
    choice = {"text": text, "index": 0, "logprobs": marks, "finish_reason": parts.run.finish_reason}
    return {**out, "choices": [choice],
            "usage": {"prompt_tokens": n_prompt, "completion_tokens": n, "total_tokens": n_prompt + n}}
