"""Quern runs, quantizes and serves large language models on small hardware.

Two faces: the classes of the library (Model, Context, Sampler, Chat, Embedder, Scheduler, ...), and the ones that programs
written for others know: Llama, and from_pretrained() with AutoModelForCausalLM, AutoTokenizer and BitsAndBytesConfig.
"""

from ._quern import (Adapter, CancelToken, Chat, ChatTemplate, Context, Embedder, Imatrix, Model, Runtime, Sampler, Stream,
                     TextStream, Tokenizer, abi_version, check, compare, convert, cosine_similarity, perplexity,
                     quantization_types, quantize, version)
from .errors import (ArgumentError, BusyError, CancelledError, ContextFullError, DeviceError, FormatError,
                     InputOutputError, InternalError, NotFoundError, OutOfMemoryError, QuernError, UnsupportedError)
from .llama import (Llama, LlamaDiskCache, LlamaGrammar, LlamaRAMCache, LlamaState, LogitsProcessorList, MinTokensLogitsProcessor,
                    StoppingCriteriaList)
from .results import (AdapterInfo, CheckProblem, CheckReport, Comparison, Footprint, Generation, ImatrixLayer,
                      ImatrixTensor, ModelInfo, Perplexity, QuantizationType, QuantizedTensor, QuantizeQuality,
                      QuantizeResult, Running, SchedulerStats, Step, TensorInfo, Timings)
from .scheduler import GenerationFuture, Scheduler
from .transformers import (AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, CausalLM, TextStreamer,
                           from_pretrained)

__version__ = version()
ChatSession = Chat

__all__ = [
    "Adapter", "AdapterInfo", "ArgumentError", "AutoModelForCausalLM", "AutoTokenizer", "BitsAndBytesConfig",
    "BusyError", "CancelToken", "CancelledError", "CausalLM", "Chat", "ChatSession", "ChatTemplate", "CheckProblem",
    "CheckReport", "Comparison", "Context", "ContextFullError", "DeviceError", "Embedder", "Footprint",
    "FormatError", "Generation", "GenerationFuture", "Imatrix", "ImatrixLayer", "ImatrixTensor", "InputOutputError",
    "InternalError", "Llama", "LlamaDiskCache", "LlamaGrammar", "LlamaRAMCache", "LlamaState",
    "LogitsProcessorList", "MinTokensLogitsProcessor", "Model", "ModelInfo", "NotFoundError", "OutOfMemoryError",
    "Perplexity", "QuantizationType", "QuantizeQuality", "QuantizeResult", "QuantizedTensor", "QuernError",
    "Running", "Runtime", "Sampler", "Scheduler", "SchedulerStats", "Step", "StoppingCriteriaList", "Stream",
    "TensorInfo", "TextStream", "TextStreamer", "Timings", "Tokenizer", "UnsupportedError", "abi_version", "check",
    "compare", "convert", "cosine_similarity", "from_pretrained", "perplexity", "quantization_types", "quantize",
    "version",
]
