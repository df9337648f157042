"""Chat completions in llama-cpp-python's form."""

from __future__ import annotations

import uuid
from time import time
from typing import Any, Dict, Iterator, List, Optional

from . import _llama_completion as completion
from . import _quern
from .errors import UnsupportedError

# Forms of conversations that may be asked for by name. Without a name the model's own template is used.
_FORMATS = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
              "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "llama-3": "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
               "{{ m.content | trim }}<|eot_id|>{% endfor %}"
               "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    "gemma": "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n"
             "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
             "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    "zephyr": "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
              "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
}


def template_source(name: str) -> str:
    if name not in _FORMATS:
        raise ValueError(f"chat_format: {name!r} is not one of {', '.join(_FORMATS)}; without it the model's own template is "
                         "used")
    return _FORMATS[name]


def template_of(llama: Any) -> Any:
    if llama._template is None:
        source = None if llama.chat_format is None else template_source(llama.chat_format)
        llama._template = _quern.ChatTemplate(llama._model, source)
    return llama._template


def text_of(message: Dict[str, Any]) -> Dict[str, str]:
    """The message with its content as one text."""
    content = message.get("content")
    for key in ("tool_calls", "function_call"):
        if message.get(key):
            raise UnsupportedError(f"a message with {key}: tools are not supported yet", 30)
    if isinstance(content, list):
        texts = []
        for part in content:
            if part.get("type") != "text":
                raise UnsupportedError(f"a message with a part of type {part.get('type')!r}: only text is supported", 30)
            texts.append(part["text"])
        content = "".join(texts)
    if "role" not in message:
        raise ValueError("a message has no 'role'")
    return {"role": message["role"], "content": content or ""}


def refuse_what_is_missing(functions: Any, function_call: Any, tools: Any, tool_choice: Any, response_format: Any) -> None:
    for name, value in (("functions", functions), ("tools", tools)):
        if value:
            raise UnsupportedError(f"{name}: tools are not supported yet", 30)
    for name, value in (("function_call", function_call), ("tool_choice", tool_choice)):
        if value not in (None, "none", "auto"):
            raise UnsupportedError(f"{name}={value!r}: tools are not supported yet", 30)
    if response_format is not None and response_format.get("type", "text") != "text":
        raise UnsupportedError(f"response_format of type {response_format['type']!r}: only text is supported yet; a "
                               "constraint would be ignored", 30)


def logprobs_of(llama: Any, tokens: List[Any]) -> Dict[str, Any]:
    def entry(token: int, logprob: float) -> Dict[str, Any]:
        data = llama._tokens.piece(token)
        return {"token": data.decode("utf-8", errors="replace"), "logprob": logprob, "bytes": list(data)}

    return {"content": [{**entry(one.token, one.logprob), "top_logprobs": [entry(*pair) for pair in one.top]}
                        for one in tokens], "refusal": None}


def create(llama: Any, *, messages: List[Dict[str, Any]], functions: Any, function_call: Any, tools: Any, tool_choice: Any,
           stream: bool, response_format: Any, model: Optional[str], logprobs: Optional[bool],
           top_logprobs: Optional[int], **options: Any) -> Any:
    refuse_what_is_missing(functions, function_call, tools, tool_choice, response_format)
    tokens = template_of(llama).tokenize([text_of(message) for message in messages])
    run = completion.start(llama, tokens, n_logprobs=(top_logprobs or 0) if logprobs else None, stopping_criteria=None,
                           **options)
    head = {"id": f"chatcmpl-{uuid.uuid4()}", "created": int(time()),
            "model": model if model is not None else llama.model_path}
    if stream:
        return completion.Chunks(chunks(llama, run, head, bool(logprobs)), run)
    pieces = list(run)
    marks = logprobs_of(llama, [one for piece in pieces for one in piece.tokens]) if logprobs else None
    n_prompt, n = len(tokens), len(run.completion)
    return {"id": head["id"], "object": "chat.completion", "created": head["created"], "model": head["model"],
            "choices": [{"index": 0,
                         "message": {"role": "assistant", "content": "".join(piece.text for piece in pieces)},
                         "logprobs": marks, "finish_reason": run.finish_reason}],
            "usage": {"prompt_tokens": n_prompt, "completion_tokens": n, "total_tokens": n_prompt + n}}


def chunks(llama: Any, run: Any, head: Dict[str, Any], with_logprobs: bool) -> Iterator[Dict[str, Any]]:
    def chunk(delta: Dict[str, Any], marks: Any, reason: Optional[str]) -> Dict[str, Any]:
        return {"id": head["id"], "object": "chat.completion.chunk", "created": head["created"], "model": head["model"],
                "choices": [{"index": 0, "delta": delta, "logprobs": marks, "finish_reason": reason}]}

    yield chunk({"role": "assistant"}, None, None)
    for piece in run:
        yield chunk({"content": piece.text}, logprobs_of(llama, piece.tokens) if with_logprobs else None, None)
    yield chunk({}, None, run.finish_reason)
