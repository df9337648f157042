"""Llama: the class that programs written for llama-cpp-python use, with its arguments and dictionaries."""

from __future__ import annotations

import os
import sys
import uuid
import warnings
from time import time
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from . import _llama_chat as chat
from . import _llama_completion as completion
from . import _quern, hub
from .errors import UnsupportedError
from .llama_cache import LlamaDiskCache, LlamaRAMCache

__all__ = ["Llama", "LlamaDiskCache", "LlamaGrammar", "LlamaRAMCache", "LlamaState", "LogitsProcessorList",
           "MinTokensLogitsProcessor", "StoppingCriteriaList"]

RANDOM_SEED = 0xFFFFFFFF
_CACHE_TYPES = {None: "f16", 0: "f32", 1: "f16", 2: "q4_0", 8: "q8_0"}
_POOLING = {-1: "from_model", 0: "none", 1: "mean", 2: "cls", 3: "last"}
# Arguments that change what is computed and that Quern does not have: (value that asks for nothing).
_FIXED = {"kv_overrides": None, "rope_scaling_type": -1, "attention_type": -1, "rope_freq_base": 0.0, "rope_freq_scale": 0.0,
          "yarn_ext_factor": -1.0, "yarn_attn_factor": 1.0, "yarn_beta_fast": 32.0, "yarn_beta_slow": 1.0, "yarn_orig_ctx": 0,
          "lora_base": None, "draft_model": None, "spm_infill": False}


class LlamaGrammar:
    """Grammars are not there yet: making one is an error that says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise UnsupportedError("grammars are not supported yet", 30)

    @classmethod
    def from_string(cls, grammar: str, verbose: bool = True) -> "LlamaGrammar":
        return cls(grammar)

    @classmethod
    def from_file(cls, file: Any, verbose: bool = True) -> "LlamaGrammar":
        return cls(file)

    @classmethod
    def from_json_schema(cls, json_schema: str, verbose: bool = True) -> "LlamaGrammar":
        return cls(json_schema)


class LogitsProcessorList(list):
    """Functions (input_ids, scores) -> scores, one after the other."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        for function in self:
            scores = function(input_ids, scores)
        return scores


class StoppingCriteriaList(list):
    """Functions (input_ids, logits) -> bool: whether one of them wants to stop."""

    def __call__(self, input_ids: Any, logits: Any) -> bool:
        return any([function(input_ids, logits) for function in self])


class MinTokensLogitsProcessor:
    """Forbids the end until so many tokens are there, the prompt's not counted."""

    def __init__(self, min_tokens: int, token_eos: int) -> None:
        self.min_tokens = min_tokens
        self.token_eos = token_eos
        self.prompt_tokens: Optional[int] = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self.prompt_tokens is None:
            self.prompt_tokens = len(input_ids)
        if len(input_ids) - self.prompt_tokens < self.min_tokens:
            scores[self.token_eos] = -np.inf
        return scores


class LlamaState:
    """What Llama.save_state() returns: the tokens, the logits and the cache."""

    def __init__(self, input_ids: Any, scores: Any, n_tokens: int, llama_state: bytes, llama_state_size: int,
                 seed: int) -> None:
        self.input_ids = input_ids
        self.scores = scores
        self.n_tokens = n_tokens
        self.llama_state = llama_state
        self.llama_state_size = llama_state_size
        self.seed = seed


def _log_to_stderr(level: int, message: str) -> None:
    if level >= 2:
        print(f"quern: {message}", file=sys.stderr)


class Llama:
    """A model with one sequence of tokens. Takes llama-cpp-python's arguments; those about GPUs are accepted and have no
    effect, as the model runs on the CPU. An argument that is not known is a TypeError."""

    def __init__(self, model_path: str, *, n_gpu_layers: int = 0, split_mode: int = 1, main_gpu: int = 0,
                 tensor_split: Optional[List[float]] = None, vocab_only: bool = False, use_mmap: bool = True,
                 use_mlock: bool = False, kv_overrides: Optional[Dict[str, Any]] = None, seed: int = RANDOM_SEED,
                 n_ctx: int = 512, n_batch: int = 512, n_ubatch: int = 512, n_threads: Optional[int] = None,
                 n_threads_batch: Optional[int] = None, rope_scaling_type: Optional[int] = -1, pooling_type: int = -1,
                 attention_type: int = -1, rope_freq_base: float = 0.0, rope_freq_scale: float = 0.0,
                 yarn_ext_factor: float = -1.0, yarn_attn_factor: float = 1.0, yarn_beta_fast: float = 32.0,
                 yarn_beta_slow: float = 1.0, yarn_orig_ctx: int = 0, logits_all: bool = False, embedding: bool = False,
                 offload_kqv: bool = True, flash_attn: bool = False, op_offload: Optional[bool] = None,
                 swa_full: Optional[bool] = None, no_perf: bool = False, last_n_tokens_size: int = 64,
                 lora_base: Optional[str] = None, lora_scale: float = 1.0, lora_path: Optional[str] = None,
                 numa: Any = False, chat_format: Optional[str] = None, chat_handler: Any = None, draft_model: Any = None,
                 tokenizer: Any = None, type_k: Optional[int] = None, type_v: Optional[int] = None,
                 spm_infill: bool = False, verbose: bool = True) -> None:
        given = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        self._arguments = given
        self._check(given)
        self.model_path = os.fspath(model_path)
        self.verbose = verbose
        self.chat_format = chat_format
        self.chat_handler = chat_handler
        self.tokenizer_ = tokenizer
        self.n_batch = n_batch
        self.last_n_tokens_size = last_n_tokens_size
        self.cache: Any = None
        self._logits_all = logits_all
        self._embedding = embedding
        self._pooling = _POOLING[pooling_type]
        self._seed = seed
        self._log = _log_to_stderr if verbose else None
        self._runtime = _quern.Runtime(n_threads=n_threads or n_threads_batch or 0, log=self._log)
        self._model = _quern.Model(self.model_path, runtime=self._runtime, use_mmap=use_mmap, vocab_only=vocab_only)
        self._tokens = self._model.tokenizer
        self._template: Any = None
        self._embedder: Any = None
        self._context: Any = None
        self._sampler: Any = None
        self._history: List[int] = []  # tokens that eval() has seen
        self._rows: List[Any] = []     # with logits_all: arrays of logits, together one row per token
        self._last: Any = None         # logits of the last token
        if not vocab_only:
            adapters = None
            if lora_path is not None:
                adapters = [(_quern.Adapter(self._model, lora_path), lora_scale)]
            self._adapters = adapters
            if not embedding:
                self._context = _quern.Context(self._model, n_ctx=n_ctx, n_batch=n_batch, type_k=_CACHE_TYPES[type_k],
                                               type_v=_CACHE_TYPES[type_v], adapters=adapters)
        self._n_ctx = n_ctx if n_ctx > 0 else self._model.info.n_ctx_train
        self.metadata: Dict[str, str] = self._model.metadata
        if chat_format is not None:
            chat.template_source(chat_format)  # an error now rather than later

    @staticmethod
    def _check(given: Dict[str, Any]) -> None:
        for name, nothing in _FIXED.items():
            if given[name] != nothing and given[name] is not None:
                raise UnsupportedError(f"Llama(): {name}={given[name]!r} is not supported; leave it at {nothing!r}", 30)
        for name in ("type_k", "type_v"):
            if given[name] not in _CACHE_TYPES:
                raise UnsupportedError(f"Llama(): {name}={given[name]!r} is not supported: 0 (F32), 1 (F16), 2 (Q4_0) or "
                                       "8 (Q8_0)", 30)
        if given["pooling_type"] not in _POOLING:
            raise UnsupportedError(f"Llama(): pooling_type={given['pooling_type']!r} is not supported", 30)
        if given["n_gpu_layers"] != 0:
            warnings.warn("Llama(): n_gpu_layers has no effect: the model runs on the CPU", stacklevel=3)
        if given["use_mlock"] or given["numa"]:
            warnings.warn("Llama(): use_mlock and numa have no effect", stacklevel=3)

    # ---- what it is ----------------------------------------------------------------------------------------------

    @property
    def ctx(self) -> Any:
        """The quern.Context."""
        return self._need_context()

    @property
    def model(self) -> Any:
        """The quern.Model."""
        return self._model

    def n_ctx(self) -> int:
        return self._n_ctx

    def n_embd(self) -> int:
        return self._model.info.n_embd

    def n_vocab(self) -> int:
        return self._tokens.n_tokens

    def token_eos(self) -> int:
        return self._tokens.eos

    def token_bos(self) -> int:
        return self._tokens.bos

    def token_nl(self) -> int:
        """The token of a line's end, or -1."""
        ids = self._tokens.tokenize("\n", add_special=False)
        return ids[-1] if ids else -1

    def tokenizer(self) -> Any:
        """An object with tokenize() and detokenize(): the one that was given, or this."""
        return self.tokenizer_ if self.tokenizer_ is not None else self

    def pooling_type(self) -> int:
        return {name: number for number, name in _POOLING.items()}[self._pooling]

    # ---- text and tokens -----------------------------------------------------------------------------------------

    def tokenize(self, text: Any, add_bos: bool = True, special: bool = False) -> List[int]:
        if self.tokenizer_ is not None:
            return list(self.tokenizer_.tokenize(text, add_bos, special))
        return self._tokens.tokenize(text, add_special=add_bos, parse_special=special)

    def detokenize(self, tokens: Sequence[int], prev_tokens: Optional[Sequence[int]] = None,
                   special: bool = False) -> bytes:
        """With `prev_tokens`, what the tokens add to the text of these."""
        if self.tokenizer_ is not None:
            return self.tokenizer_.detokenize(tokens, prev_tokens=prev_tokens, special=special)
        if prev_tokens is None:
            return self._tokens.detokenize_bytes(tokens, special=special)
        before = self._tokens.detokenize_bytes(prev_tokens, special=special)
        return self._tokens.detokenize_bytes([*prev_tokens, *tokens], special=special)[len(before):]

    # ---- tokens in, logits out -----------------------------------------------------------------------------------

    @property
    def n_tokens(self) -> int:
        """Tokens in the sequence. Making it less forgets the others with the next eval()."""
        return len(self._history)

    @n_tokens.setter
    def n_tokens(self, n: int) -> None:
        if not 0 <= n <= len(self._history):
            raise ValueError(f"n_tokens: {n} of {len(self._history)} tokens")
        if n < len(self._history):
            self._truncate(n)

    @property
    def input_ids(self) -> Any:
        return np.array(self._history, dtype=np.intc)

    _input_ids = input_ids

    @property
    def eval_tokens(self) -> List[int]:
        return list(self._history)

    @property
    def scores(self) -> Any:
        """float32 [n_tokens, n_vocab]: with logits_all the logits of every token, otherwise of the last one, the other
        rows zero."""
        if self._logits_all:
            return np.concatenate(self._rows) if self._rows else np.zeros((0, self.n_vocab()), np.single)
        out = np.zeros((len(self._history), self.n_vocab()), np.single)
        if self._last is not None and len(out):
            out[-1] = self._last
        return out

    _scores = scores

    @property
    def eval_logits(self) -> List[List[float]]:
        if self._logits_all:
            return self.scores.tolist()
        return [] if self._last is None else [self._last.tolist()]

    def _need_context(self) -> Any:
        if self._context is None:
            raise RuntimeError("this Llama has no context: it was made with vocab_only=True or embedding=True, or is closed")
        return self._context

    def _truncate(self, n: int) -> None:
        del self._history[n:]
        self._last = None
        if self._logits_all:
            rows = self.scores[:n] if n else None
            self._rows = [] if rows is None else [rows]
            if n:
                self._last = self._rows[0][-1]

    def reset(self) -> None:
        """The next eval() begins a new text."""
        self._truncate(0)

    def set_seed(self, seed: int) -> None:
        self._seed = seed

    def set_cache(self, cache: Any) -> None:
        self.cache = cache

    def eval(self, tokens: Sequence[int]) -> None:
        """Appends tokens to the sequence."""
        context = self._need_context()
        tokens = [int(token) for token in tokens]
        if len(self._history) + len(tokens) > self._n_ctx:
            raise ValueError(f"{len(self._history)} tokens and {len(tokens)} more exceed the context window of {self._n_ctx}")
        if context.next_position() > len(self._history):
            reached = context.sequence_rewind(0, len(self._history))
            if reached < len(self._history):
                context.append(self._history[reached:])
        if not tokens:
            return
        # A checkpoint before the last token: whoever comes with the same prompt again needs that one's logits.
        parts = [tokens] if self._logits_all or len(tokens) == 1 else [tokens[:-1], tokens[-1:]]
        for part in parts:
            context.append(part, all_logits=self._logits_all)
            self._history += part
            if self._logits_all:
                self._rows.append(context.logits)
        self._last = context.last_logits

    def _make_sampler(self, **options: Any) -> Any:
        return _quern.Sampler(self._model, **options)

    def _init_sampler(self, top_k: int = 40, top_p: float = 0.95, min_p: float = 0.05, typical_p: float = 1.0,
                      temp: float = 0.8, repeat_penalty: float = 1.0, frequency_penalty: float = 0.0,
                      presence_penalty: float = 0.0, tfs_z: float = 1.0, mirostat_mode: int = 0, mirostat_eta: float = 0.1,
                      mirostat_tau: float = 5.0, penalize_nl: bool = True, logits_processor: Any = None,
                      grammar: Any = None, logit_bias: Optional[Dict[int, float]] = None,
                      seed: Optional[int] = None) -> Any:
        if grammar is not None:
            raise UnsupportedError("grammar: grammars are not supported yet", 30)
        if tfs_z != 1.0 or not penalize_nl:
            warnings.warn("tfs_z and penalize_nl have no effect", stacklevel=4)
        return self._make_sampler(
            top_k=top_k, top_p=top_p, min_p=min_p, typical_p=typical_p, temperature=temp, repeat_penalty=repeat_penalty,
            frequency_penalty=frequency_penalty, presence_penalty=presence_penalty, mirostat=mirostat_mode,
            mirostat_eta=mirostat_eta, mirostat_tau=mirostat_tau, penalty_last_n=self.last_n_tokens_size,
            logit_bias={int(k): float(v) for k, v in (logit_bias or {}).items()},
            seed=self._seed if seed is None else seed & RANDOM_SEED)

    def sample(self, top_k: int = 40, top_p: float = 0.95, min_p: float = 0.05, typical_p: float = 1.0, temp: float = 0.8,
               repeat_penalty: float = 1.0, frequency_penalty: float = 0.0, presence_penalty: float = 0.0,
               tfs_z: float = 1.0, mirostat_mode: int = 0, mirostat_eta: float = 0.1, mirostat_tau: float = 5.0,
               penalize_nl: bool = True, logits_processor: Any = None, grammar: Any = None,
               idx: Optional[int] = None) -> int:
        """A token for the logits of the last one, or with logits_all of the one at `idx`."""
        options = {k: v for k, v in locals().items() if k not in ("self", "idx", "logits_processor")}
        sampler = self._sampler
        if sampler is None:
            sampler = self._init_sampler(**options)
            for token in self._history:
                sampler.accept(token)
        logits = self._last if idx is None else self.scores[idx]
        if logits is None:
            raise RuntimeError("sample(): no logits: call eval() first")
        if logits_processor is not None:
            ids = self.input_ids if idx is None else self.input_ids[:idx + 1]
            logits = np.asarray(logits_processor(ids, np.array(logits)), dtype=np.single)
        token = sampler.sample(logits)
        sampler.accept(token)
        return token

    def generate(self, tokens: Sequence[int], top_k: int = 40, top_p: float = 0.95, min_p: float = 0.05,
                 typical_p: float = 1.0, temp: float = 0.8, repeat_penalty: float = 1.0, reset: bool = True,
                 frequency_penalty: float = 0.0, presence_penalty: float = 0.0, tfs_z: float = 1.0, mirostat_mode: int = 0,
                 mirostat_tau: float = 5.0, mirostat_eta: float = 0.1, penalize_nl: bool = True,
                 logits_processor: Any = None, stopping_criteria: Any = None, grammar: Any = None) -> Any:
        """Tokens without end; send() may add tokens before the next. With `reset`, what the sequence holds in common
        with `tokens` is kept and the rest is forgotten."""
        options = {k: v for k, v in locals().items()
                   if k not in ("self", "tokens", "reset", "logits_processor", "stopping_criteria")}
        return self._generate(list(tokens), reset, self._init_sampler(**options), logits_processor, stopping_criteria)

    def _generate(self, tokens: List[int], reset: bool, sampler: Any, logits_processor: Any,
                  stopping_criteria: Any) -> Any:
        seen = list(tokens) if reset else self._history + tokens
        for token in seen:
            sampler.accept(token)
        if reset:
            n = self.longest_token_prefix(self._history, tokens[:-1])
            self.n_tokens = n
            tokens = tokens[n:]
        self._sampler = sampler
        try:
            while True:
                self.eval(tokens)
                self._sampler = sampler
                token = self.sample(logits_processor=logits_processor)
                if stopping_criteria is not None and stopping_criteria(self.input_ids, self._last):
                    return
                more = yield token
                tokens = [token]
                if more is not None:
                    tokens += more
                    for each in more:
                        sampler.accept(each)
        finally:
            self._sampler = None

    # ---- embeddings ----------------------------------------------------------------------------------------------

    def create_embedding(self, input: Any, model: Optional[str] = None) -> Dict[str, Any]:
        vectors, n_tokens = self.embed(input if isinstance(input, list) else [input], return_count=True)
        return {"object": "list",
                "data": [{"object": "embedding", "embedding": v, "index": i} for i, v in enumerate(vectors)],
                "model": model if model is not None else self.model_path,
                "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens}}

    def embed(self, input: Any, normalize: bool = False, truncate: bool = True, return_count: bool = False) -> Any:
        """A list of floats for a text (without pooling a list of them, one per token), a list of these for a list."""
        if not self._embedding:
            raise RuntimeError("embed(): make this Llama with embedding=True")
        if self._embedder is None:
            limit = min(self._n_ctx, self._model.info.n_ctx_train or self._n_ctx)
            self._embedder = _quern.Embedder(self._model, pooling=self._pooling, normalize=-1, n_batch=limit,
                                             adapters=self._adapters)
        texts = input if isinstance(input, list) else [input]
        ids = [self.tokenize(text.encode("utf-8") if isinstance(text, str) else text, special=True) for text in texts]
        if truncate:
            ids = [one[:self._embedder.n_batch] for one in ids]
        vectors = self._embedder.embed(ids) if ids else []
        if normalize:
            vectors = [v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12) for v in vectors]
        lists = [v.tolist() for v in vectors]
        out = lists if isinstance(input, list) else lists[0]
        return (out, sum(map(len, ids))) if return_count else out

    # ---- completions ---------------------------------------------------------------------------------------------

    def create_completion(self, prompt: Any, suffix: Optional[str] = None, max_tokens: Optional[int] = 16,
                          temperature: float = 0.8, top_p: float = 0.95, min_p: float = 0.05, typical_p: float = 1.0,
                          logprobs: Optional[int] = None, echo: bool = False, stop: Any = [],
                          frequency_penalty: float = 0.0, presence_penalty: float = 0.0, repeat_penalty: float = 1.0,
                          top_k: int = 40, stream: bool = False, seed: Optional[int] = None, tfs_z: float = 1.0,
                          mirostat_mode: int = 0, mirostat_tau: float = 5.0, mirostat_eta: float = 0.1,
                          model: Optional[str] = None, stopping_criteria: Any = None, logits_processor: Any = None,
                          grammar: Any = None, logit_bias: Optional[Dict[int, float]] = None) -> Any:
        """OpenAI's text_completion as a dictionary; with `stream` an iterator of them."""
        options = {k: v for k, v in locals().items() if k not in ("self", "stream")}
        chunks = completion.chunks(self, f"cmpl-{uuid.uuid4()}", int(time()), **options)
        return chunks if stream else completion.joined(chunks)

    __call__ = create_completion

    def create_chat_completion(self, messages: List[Dict[str, Any]], functions: Any = None, function_call: Any = None,
                               tools: Any = None, tool_choice: Any = None, temperature: float = 0.2, top_p: float = 0.95,
                               top_k: int = 40, min_p: float = 0.05, typical_p: float = 1.0, stream: bool = False,
                               stop: Any = [], seed: Optional[int] = None, response_format: Any = None,
                               max_tokens: Optional[int] = None, presence_penalty: float = 0.0,
                               frequency_penalty: float = 0.0, repeat_penalty: float = 1.0, tfs_z: float = 1.0,
                               mirostat_mode: int = 0, mirostat_tau: float = 5.0, mirostat_eta: float = 0.1,
                               model: Optional[str] = None, logits_processor: Any = None, grammar: Any = None,
                               logit_bias: Optional[Dict[int, float]] = None, logprobs: Optional[bool] = None,
                               top_logprobs: Optional[int] = None) -> Any:
        """OpenAI's chat.completion as a dictionary; with `stream` an iterator of chat.completion.chunk."""
        options = {k: v for k, v in locals().items() if k != "self"}
        if self.chat_handler is not None:
            return self.chat_handler(llama=self, **options)
        return chat.create(self, **options)

    def create_chat_completion_openai_v1(self, *args: Any, **kwargs: Any) -> Any:
        """The same as objects of the package openai, which must be installed."""
        from openai.types.chat import ChatCompletion, ChatCompletionChunk  # type: ignore

        answer = self.create_chat_completion(*args, **kwargs)
        if kwargs.get("stream", False):
            return (ChatCompletionChunk(**chunk) for chunk in answer)
        return ChatCompletion(**answer)

    # ---- state ---------------------------------------------------------------------------------------------------

    def save_state(self) -> LlamaState:
        context = self._need_context()
        if context.next_position() > len(self._history):
            self.eval([])
        data = context.sequence_save()
        if self._logits_all:
            scores = self.scores
        else:
            scores = np.zeros((0, self.n_vocab()), np.single) if self._last is None else np.array([self._last])
        return LlamaState(self.input_ids, scores, len(self._history), data, len(data), self._seed)

    def load_state(self, state: LlamaState) -> None:
        context = self._need_context()
        context.clear()
        context.sequence_restore(state.llama_state)
        self._history = [int(token) for token in state.input_ids[:state.n_tokens]]
        self._rows = [state.scores[:state.n_tokens]] if self._logits_all else []
        self._last = state.scores[-1] if len(state.scores) else None
        self._seed = state.seed

    def __getstate__(self) -> Dict[str, Any]:
        return dict(self._arguments)

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore

    def close(self) -> None:
        for part in (self._context, self._embedder):
            if part is not None:
                part.close()
        self._context = self._embedder = self._template = None
        self._model.close()

    def __enter__(self) -> "Llama":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    # ---- helpers that programs use -------------------------------------------------------------------------------

    @staticmethod
    def logits_to_logprobs(logits: Any, axis: int = -1) -> Any:
        return completion.log_softmax(np.asarray(logits, dtype=np.single), axis)

    @staticmethod
    def longest_token_prefix(a: Sequence[int], b: Sequence[int]) -> int:
        n = 0
        for x, y in zip(a, b):
            if x != y:
                break
            n += 1
        return n

    @classmethod
    def from_pretrained(cls, repo_id: str, filename: Optional[str], additional_files: Optional[List[str]] = None,
                        local_dir: Any = None, local_dir_use_symlinks: Any = "auto", cache_dir: Any = None,
                        **kwargs: Any) -> "Llama":
        """A file of a model repository, or of a local folder. `filename` may be a pattern ("*Q4_K_M.gguf")."""
        path = hub.find_file(repo_id, filename, additional_files=additional_files, local_dir=local_dir, cache_dir=cache_dir)
        return cls(path, **kwargs)
