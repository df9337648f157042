"""The way in that programs written for transformers and bitsandbytes use: from_pretrained(), tokenizer(...), generate().

There is no torch here: tensors are NumPy arrays, whatever `return_tensors` asks for, and everything is on the CPU.
"""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, Dict, Iterable, List, Optional, Sequence

import numpy as np

from . import _quern, hub
from .errors import ArgumentError, UnsupportedError

_QUANT_TYPES = ("nf4", "fp4")


class BitsAndBytesConfig:
    """How the weights are quantized when the model is opened. The dtypes of computing and storing are accepted and have no
    effect: products are computed in Quern's own arithmetic."""

    def __init__(self, load_in_8bit: bool = False, load_in_4bit: bool = False, llm_int8_threshold: float = 6.0,
                 llm_int8_skip_modules: Optional[List[str]] = None, llm_int8_enable_fp32_cpu_offload: bool = False,
                 llm_int8_has_fp16_weight: bool = False, bnb_4bit_compute_dtype: Any = None,
                 bnb_4bit_quant_type: str = "fp4", bnb_4bit_use_double_quant: bool = False,
                 bnb_4bit_quant_storage: Any = None) -> None:
        if load_in_4bit and load_in_8bit:
            raise ValueError("load_in_4bit and load_in_8bit: one of them")
        if bnb_4bit_quant_type not in _QUANT_TYPES:
            raise ValueError(f"bnb_4bit_quant_type: {bnb_4bit_quant_type!r} is not one of {', '.join(_QUANT_TYPES)}")
        if llm_int8_skip_modules:
            raise UnsupportedError("llm_int8_skip_modules: the output layer stays as it is, and no others can be named", 30)
        if llm_int8_threshold != 6.0 or llm_int8_has_fp16_weight:
            raise UnsupportedError("llm_int8_threshold, llm_int8_has_fp16_weight: only their defaults are supported", 30)
        self.load_in_8bit = load_in_8bit
        self.load_in_4bit = load_in_4bit
        self.bnb_4bit_quant_type = bnb_4bit_quant_type
        self.bnb_4bit_use_double_quant = bnb_4bit_use_double_quant
        self.bnb_4bit_compute_dtype = bnb_4bit_compute_dtype

    def model_options(self) -> Dict[str, Any]:
        """Keywords of quern.Model."""
        if self.load_in_8bit:
            return {"quantize": "int8"}
        if not self.load_in_4bit:
            return {}
        if self.bnb_4bit_use_double_quant and self.bnb_4bit_quant_type != "nf4":
            raise UnsupportedError("bnb_4bit_use_double_quant needs bnb_4bit_quant_type='nf4'", 30)
        return {"quantize": self.bnb_4bit_quant_type, "double_quant": self.bnb_4bit_use_double_quant}


def _config_of(given: Any) -> Dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, BitsAndBytesConfig):
        return given.model_options()
    if isinstance(given, dict):
        known = {k: v for k, v in given.items() if k not in ("quant_method",)}
        return BitsAndBytesConfig(**known).model_options()
    names = ("load_in_8bit", "load_in_4bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant")
    if all(hasattr(given, name) for name in names):  # transformers' own class
        return BitsAndBytesConfig(**{name: getattr(given, name) for name in names}).model_options()
    raise TypeError(f"quantization_config: a BitsAndBytesConfig expected, not {type(given).__name__}")


def _check_device(device: Any, what: str) -> None:
    name = str(device)
    if device is not None and not name.startswith(("cpu", "auto")):
        warnings.warn(f"{what}: {name!r} has no effect: the model runs on the CPU", stacklevel=3)


class BatchEncoding(dict):
    """Token ids and what goes with them; the keys are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to(self, device: Any = None, **_: Any) -> "BatchEncoding":
        _check_device(device, "to()")
        return self


class AutoTokenizer:
    """A model's tokenizer, with transformers' methods. Made by from_pretrained()."""

    padding_side = "left"

    def __init__(self, model: Any, name_or_path: str) -> None:
        self._model = model
        self._tokens = model.tokenizer
        self._template: Any = None
        self.name_or_path = name_or_path
        self.chat_template = model.chat_template or None
        self.pad_token_id: Optional[int] = None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *, cache_dir: Any = None, revision: Optional[str] = None,
                        use_fast: bool = True, trust_remote_code: bool = False, local_files_only: bool = False,
                        padding_side: str = "left", token: Any = None) -> "AutoTokenizer":
        if padding_side not in ("left", "right"):
            raise ValueError(f"padding_side: {padding_side!r} is neither left nor right")
        folder = hub.find_folder(pretrained_model_name_or_path, cache_dir, revision)
        out = cls(_quern.Model(_file_of(folder), vocab_only=True), folder)
        out.padding_side = padding_side
        return out

    # ---- vocabulary ----------------------------------------------------------------------------------------------

    @property
    def vocab_size(self) -> int:
        return self._tokens.n_tokens

    def __len__(self) -> int:
        return self._tokens.n_tokens

    @property
    def bos_token_id(self) -> Optional[int]:
        return self._tokens.bos if self._tokens.bos >= 0 else None

    @property
    def eos_token_id(self) -> Optional[int]:
        return self._tokens.eos if self._tokens.eos >= 0 else None

    def _text_of(self, token: Optional[int]) -> Optional[str]:
        return None if token is None else self._tokens.piece(token, special=True).decode("utf-8", "replace")

    @property
    def bos_token(self) -> Optional[str]:
        return self._text_of(self.bos_token_id)

    @property
    def eos_token(self) -> Optional[str]:
        return self._text_of(self.eos_token_id)

    @property
    def pad_token(self) -> Optional[str]:
        return self._text_of(self.pad_token_id)

    @pad_token.setter
    def pad_token(self, text: Optional[str]) -> None:
        self.pad_token_id = None if text is None else self.convert_tokens_to_ids(text)

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        found = self._tokens.find(tokens)
        if found < 0:
            raise ArgumentError(f"{tokens!r} is not a token of {self.name_or_path}", 40)
        return found

    # ---- text to tokens ------------------------------------------------------------------------------------------

    def encode(self, text: str, add_special_tokens: bool = True, return_tensors: Optional[str] = None) -> Any:
        ids = self._tokens.tokenize(text, add_special=add_special_tokens, parse_special=True)
        return np.array([ids], dtype=np.int64) if return_tensors else ids

    def __call__(self, text: Any, *, add_special_tokens: bool = True, padding: Any = False, truncation: Any = False,
                 max_length: Optional[int] = None, return_tensors: Optional[str] = None,
                 return_attention_mask: bool = True) -> BatchEncoding:
        single = isinstance(text, str)
        texts = [text] if single else list(text)
        ids = [self.encode(one, add_special_tokens) for one in texts]
        if truncation:
            if max_length is None:
                raise ValueError("truncation needs max_length")
            ids = [one[:max_length] for one in ids]
        return self._batch(ids, single, padding, max_length, return_tensors, return_attention_mask)

    def _batch(self, ids: List[List[int]], single: bool, padding: Any, max_length: Optional[int],
               return_tensors: Optional[str], with_mask: bool) -> BatchEncoding:
        masks = [[1] * len(one) for one in ids]
        if padding:
            width = max_length if padding == "max_length" and max_length else max(map(len, ids), default=0)
            pad = self.pad_token_id if self.pad_token_id is not None else self.eos_token_id
            if pad is None and any(len(one) < width for one in ids):
                raise ValueError("padding needs a token: set pad_token")
            for rows, value in ((ids, pad or 0), (masks, 0)):
                for i, row in enumerate(rows):
                    fill = [value] * (width - len(row))
                    rows[i] = fill + row if self.padding_side == "left" else row + fill
        out: Dict[str, Any]
        if return_tensors:
            if len({len(one) for one in ids}) > 1:
                raise ValueError("texts of different lengths make no array: ask for padding=True")
            out = {"input_ids": np.array(ids, dtype=np.int64), "attention_mask": np.array(masks, dtype=np.int64)}
        else:
            out = {"input_ids": ids[0] if single else ids, "attention_mask": masks[0] if single else masks}
        if not with_mask:
            del out["attention_mask"]
        return BatchEncoding(out)

    def apply_chat_template(self, conversation: Sequence[Dict[str, str]], chat_template: Optional[str] = None,
                            tokenize: bool = True, add_generation_prompt: bool = False,
                            return_tensors: Optional[str] = None, return_dict: bool = False, tools: Any = None,
                            **variables: Any) -> Any:
        """`variables` are handed to the template, as enable_thinking=False."""
        if tools:
            raise UnsupportedError("tools: tools are not supported yet", 30)
        if chat_template is not None:
            template = _quern.ChatTemplate(self._model, chat_template)
        else:
            if self._template is None:
                self._template = _quern.ChatTemplate(self._model)
            template = self._template
        options: Dict[str, Any] = {"add_generation_prompt": add_generation_prompt, "extra": variables or None}
        if not tokenize:
            return template.render(conversation, **options)
        ids = template.tokenize(conversation, **options)
        if return_dict:
            return self._batch([ids], True, False, None, return_tensors, True)
        return np.array([ids], dtype=np.int64) if return_tensors else ids

    # ---- tokens to text ------------------------------------------------------------------------------------------

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **_: Any) -> str:
        ids = np.asarray(token_ids, dtype=np.int64).reshape(-1)
        return self._tokens.detokenize(ids, special=not skip_special_tokens)

    def batch_decode(self, sequences: Iterable[Any], skip_special_tokens: bool = False, **options: Any) -> List[str]:
        return [self.decode(one, skip_special_tokens, **options) for one in sequences]


def _file_of(folder: str) -> str:
    """What quern.Model opens: the folder itself, or the one GGUF file in it."""
    if os.path.isdir(folder) and not os.path.exists(os.path.join(folder, "config.json")):
        return hub.find_file(folder, None)
    return folder


def _read_json(folder: str, name: str) -> Dict[str, Any]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            out = json.load(file)
    except (OSError, ValueError):
        return {}
    return out if isinstance(out, dict) else {}


def _integers(value: Any) -> List[int]:
    if value is None:
        return []
    return [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]


# Arguments of generate() beyond those named in it, with what asks for nothing. Others are errors: never silence.
_WITHOUT_EFFECT = {"use_cache": (True, False), "return_dict_in_generate": (False,), "output_scores": (False,),
                   "num_beams": (1,), "num_return_sequences": (1,), "early_stopping": (False, True), "synced_gpus": (False,),
                   "length_penalty": (1.0,), "no_repeat_ngram_size": (0,), "diversity_penalty": (0.0,)}
# What generation_config.json may set.
_CONFIG_KEYS = ("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "max_length",
                "max_new_tokens", "eos_token_id", "pad_token_id")


class CausalLM:
    """A model with transformers' generate() and get_memory_footprint(). Made by from_pretrained()."""

    device = "cpu"

    def __init__(self, model: Any, name_or_path: str) -> None:
        self.quern_model = model
        self.name_or_path = name_or_path
        self.config = _read_json(name_or_path, "config.json") if os.path.isdir(name_or_path) else {}
        defaults = _read_json(name_or_path, "generation_config.json") if os.path.isdir(name_or_path) else {}
        self.generation_config = {k: defaults[k] for k in _CONFIG_KEYS if defaults.get(k) is not None}
        self._context: Any = None

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Bytes of the weights."""
        return self.quern_model.footprint().total_bytes

    def num_parameters(self) -> int:
        return self.quern_model.info.n_parameters

    def eval(self) -> "CausalLM":
        return self

    def to(self, device: Any = None, **_: Any) -> "CausalLM":
        _check_device(device, "to()")
        return self

    def close(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context = None
        self.quern_model.close()

    def __enter__(self) -> "CausalLM":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _room(self, needed: int) -> Any:
        """A context for so many tokens, the same as before where it does."""
        most = self.quern_model.info.n_ctx_train or needed
        if needed > most:
            raise ArgumentError(f"generate(): {needed} tokens, prompt and answer, are more than the model's {most}", 40)
        if self._context is None or self._context.n_ctx < needed:
            if self._context is not None:
                self._context.close()
            self._context = _quern.Context(self.quern_model, n_ctx=min(most, max(512, 2 * needed)))
        return self._context

    def generate(self, input_ids: Any = None, *, inputs: Any = None, attention_mask: Any = None,
                 max_new_tokens: Optional[int] = None, max_length: Optional[int] = None, do_sample: Optional[bool] = None,
                 temperature: Optional[float] = None, top_k: Optional[int] = None, top_p: Optional[float] = None,
                 min_p: Optional[float] = None, typical_p: Optional[float] = None,
                 repetition_penalty: Optional[float] = None, eos_token_id: Any = None, pad_token_id: Optional[int] = None,
                 stop_strings: Any = None, tokenizer: Any = None, streamer: Any = None, seed: Optional[int] = None,
                 **others: Any) -> Any:
        """int64 [n_texts, n_tokens]: the prompts and what continues them, filled up with pad_token_id. Defaults are those of
        generation_config.json, then of transformers: greedy, 20 tokens in all."""
        for name, value in others.items():
            if name not in _WITHOUT_EFFECT:
                raise TypeError(f"generate() got an unexpected keyword argument {name!r}")
            if value not in _WITHOUT_EFFECT[name]:
                raise UnsupportedError(f"generate(): {name}={value!r} is not supported", 30)
        given = input_ids if input_ids is not None else inputs
        if given is None:
            raise TypeError("generate(): input_ids expected")
        rows = np.atleast_2d(np.asarray(given, dtype=np.int64))
        masks = np.ones_like(rows) if attention_mask is None else np.atleast_2d(np.asarray(attention_mask))
        if masks.shape != rows.shape:
            raise ValueError(f"generate(): attention_mask {masks.shape} does not fit input_ids {rows.shape}")
        if streamer is not None and len(rows) != 1:
            raise ValueError("generate(): a streamer takes one text")

        def option(name: str, value: Any, default: Any) -> Any:
            return value if value is not None else self.generation_config.get(name, default)

        new_tokens = max_new_tokens
        if new_tokens is None and max_length is None:
            new_tokens = self.generation_config.get("max_new_tokens")
        if new_tokens is None:
            new_tokens = option("max_length", max_length, 20) - rows.shape[1]
        if new_tokens <= 0:
            raise ValueError(f"generate(): no room for an answer: the prompt has {rows.shape[1]} tokens; raise max_new_tokens")
        sampling: Dict[str, Any] = {"repeat_penalty": option("repetition_penalty", repetition_penalty, 1.0),
                                    "penalty_last_n": -1}
        if option("do_sample", do_sample, False):
            sampling.update(temperature=option("temperature", temperature, 1.0), top_k=option("top_k", top_k, 50),
                            top_p=option("top_p", top_p, 1.0), min_p=option("min_p", min_p, 0.0),
                            typical_p=option("typical_p", typical_p, 1.0), seed=seed, order="etkypm")
        else:
            sampling.update(temperature=0.0)
        ends = set(_integers(option("eos_token_id", eos_token_id, None)))
        tokens = self.quern_model.tokenizer
        pad = option("pad_token_id", pad_token_id, tokens.eos if tokens.eos >= 0 else 0)
        answers = [self._continue(row[mask != 0].tolist(), new_tokens, ends, stop_strings, streamer, sampling)
                   for row, mask in zip(rows, masks)]
        width = max(map(len, answers), default=0)
        filled = [answer + [pad] * (width - len(answer)) for answer in answers]
        return np.concatenate([rows, np.array(filled, dtype=np.int64).reshape(len(rows), width)], axis=1)

    def _continue(self, prompt: List[int], new_tokens: int, ends: Any, stop: Any, streamer: Any,
                  sampling: Dict[str, Any]) -> List[int]:
        """What follows a prompt, with the token that ended it, as transformers has it."""
        if not prompt:
            raise ValueError("generate(): a prompt without tokens")
        tokens = self.quern_model.tokenizer
        context = self._room(len(prompt) + new_tokens)
        stops = [stop] if isinstance(stop, str) else list(stop or [])
        sampler = _quern.Sampler(self.quern_model, **sampling)
        for token in prompt:
            sampler.accept(token)
        cached = context.sequence_tokens()
        n = 0
        while n < min(len(cached), len(prompt) - 1) and cached[n] == prompt[n]:
            n += 1
        n = context.sequence_rewind(0, n)
        out: List[int] = []
        todo = prompt[n:]
        if streamer is not None:
            streamer.put(np.array([prompt], dtype=np.int64))
        while len(out) < new_tokens:
            context.append(todo)
            token = sampler.sample(context.last_logits)
            sampler.accept(token)
            out.append(token)
            todo = [token]
            if streamer is not None:
                streamer.put(np.array([token], dtype=np.int64))
            if tokens.is_end(token) or token in ends:
                break
            if stops and any(text in tokens.detokenize(out) for text in stops):
                break
        if streamer is not None:
            streamer.end()
        return out


class TextStreamer:
    """Prints an answer while generate() makes it."""

    def __init__(self, tokenizer: AutoTokenizer, skip_prompt: bool = False, skip_special_tokens: bool = True,
                 **_: Any) -> None:
        self.tokenizer = tokenizer
        self.skip_prompt = skip_prompt
        self.skip_special_tokens = skip_special_tokens
        self._next_is_prompt = True
        self._characters = tokenizer._tokens.stream()

    def put(self, value: Any) -> None:
        is_prompt, self._next_is_prompt = self._next_is_prompt, False
        ids = np.asarray(value).reshape(-1).tolist()
        if is_prompt:
            if not self.skip_prompt:
                self.on_finalized_text(self.tokenizer.decode(ids, skip_special_tokens=self.skip_special_tokens))
            return
        for token in ids:
            if self.skip_special_tokens and self.tokenizer._tokens.is_control(token):
                continue
            self.on_finalized_text(self._characters.push(token))

    def end(self) -> None:
        self.on_finalized_text(self._characters.finish(), stream_end=True)
        self._next_is_prompt = True
        self._characters = self.tokenizer._tokens.stream()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        print(text, flush=True, end="\n" if stream_end else "")


def from_pretrained(pretrained_model_name_or_path: Any, *, load_in_4bit: bool = False, load_in_8bit: bool = False,
                    bnb_4bit_quant_type: str = "fp4", bnb_4bit_use_double_quant: bool = False,
                    bnb_4bit_compute_dtype: Any = None, quantization_config: Any = None, device_map: Any = None,
                    torch_dtype: Any = None, dtype: Any = None, low_cpu_mem_usage: Any = None,
                    trust_remote_code: bool = False, attn_implementation: Any = None, use_safetensors: Any = None,
                    local_files_only: bool = False, cache_dir: Any = None, revision: Optional[str] = None, token: Any = None,
                    n_threads: Optional[int] = None, progress: Any = None, cancel: Any = None) -> CausalLM:
    """A model from a Hugging Face folder (or a GGUF file), its weights quantized on the way into memory where that is asked
    for. Weights that are quantized already stay as they are. torch_dtype, attn_implementation and the like have no effect."""
    options = _config_of(quantization_config)
    if load_in_4bit or load_in_8bit:
        if options:
            raise ValueError("load_in_4bit, load_in_8bit and quantization_config: one of them")
        options = BitsAndBytesConfig(load_in_8bit=load_in_8bit, load_in_4bit=load_in_4bit,
                                     bnb_4bit_quant_type=bnb_4bit_quant_type,
                                     bnb_4bit_use_double_quant=bnb_4bit_use_double_quant,
                                     bnb_4bit_compute_dtype=bnb_4bit_compute_dtype).model_options()
    for device in device_map.values() if isinstance(device_map, dict) else [device_map]:
        _check_device(device, "device_map")
    folder = hub.find_folder(pretrained_model_name_or_path, cache_dir, revision)
    runtime = _quern.Runtime(n_threads=n_threads) if n_threads else None
    model = _quern.Model(_file_of(folder), runtime=runtime, progress=progress, cancel=cancel, **options)
    return CausalLM(model, folder)


class AutoModelForCausalLM:
    """from_pretrained(), by the name that transformers has for it."""

    from_pretrained = staticmethod(from_pretrained)
