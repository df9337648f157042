"""What functions of this package return: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, NamedTuple, Optional, Tuple


class Step(NamedTuple):
    """One step of a generation. `text` is what became certain with this token: it never ends inside a character, and
    waits where a stop text may have begun. What was waiting at the end comes with token -1."""

    token: int
    text: str
    logprob: float
    """Natural logarithm of the model's probability, before sampling; 0 where `logprobs` was not asked for."""
    top: List[Tuple[int, float]]
    """The most probable tokens and their logprobs, as many as `logprobs` says."""


@dataclass(frozen=True)
class Timings:
    n_prompt: int
    """Prompt tokens that were computed; those found in the cache are n_cached."""
    n_cached: int
    n_generated: int
    prompt_seconds: float
    generate_seconds: float


@dataclass(frozen=True)
class Generation:
    tokens: List[int]
    """Without the one that ended it, and without those of a stop text."""
    text: str
    stop_reason: str
    """length, end_of_generation, stop_text, cancelled or context_full."""
    timings: Timings
    logprobs: Optional[List[Step]] = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ModelInfo:
    path: str
    name: str
    architecture: str
    file_type: str
    n_parameters: int
    size_bytes: int
    n_vocab: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_ctx_train: int


@dataclass(frozen=True)
class TensorInfo:
    name: str
    type: str
    shape: Tuple[int, ...]
    """Fastest dimension first."""
    size_bytes: int


@dataclass(frozen=True)
class Footprint:
    """The bytes of a model's weights, by what they are for."""

    matrix_bytes: int
    vector_bytes: int
    table_bytes: int
    kept_bytes: int
    total_bytes: int
    file_bytes: int
    file_needed_bytes: int
    file_mapped: bool

    @property
    def resident_bytes(self) -> int:
        """Memory beyond pages of the file that the system may drop."""
        return self.matrix_bytes + self.vector_bytes + (0 if self.file_mapped else self.file_bytes)


@dataclass(frozen=True)
class AdapterInfo:
    path: str
    name: str
    n_weights: int
    size_bytes: int
    rank: int
    alpha: float


@dataclass(frozen=True)
class CheckProblem:
    part: str
    fatal: bool
    code: int
    message: str
    tensor: str
    missing: bool


@dataclass(frozen=True)
class CheckReport:
    opens: bool
    runs: bool
    format: str
    architecture: str
    tokenizer: str
    pretokenizer: str
    file_type: str
    backend: str
    architecture_known: bool
    tokenizer_known: bool
    has_chat_template: bool
    n_ctx: int
    n_problems: int
    n_tensors: int
    n_unused: int
    n_skipped: int
    n_skipped_layers: int
    file_bytes: int
    weight_bytes: int
    cache_bytes: int
    buffer_bytes: int
    needed_bytes: int
    available_bytes: int
    problems: List[CheckProblem] = field(default_factory=list)
    unused: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Perplexity:
    ppl: float
    nll: float
    nll_stderr: float
    n_tokens: int
    n_windows: int


@dataclass(frozen=True)
class Comparison:
    kl_divergence: float
    kl_divergence_stderr: float
    top1_agreement: float
    reference_ppl: float
    ppl: float
    n_tokens: int


@dataclass(frozen=True)
class ImatrixTensor:
    name: str
    layer: int
    n_values: int
    sum: float
    min: float
    max: float
    mean: float
    stddev: float
    active: float
    entropy: float
    normalized_entropy: float
    zd_score: float
    cosine: float


@dataclass(frozen=True)
class ImatrixLayer:
    layer: int
    sum: float
    zd_score: float
    cosine: float


@dataclass(frozen=True)
class QuantizedTensor:
    name: str
    shape: Tuple[int, ...]
    from_type: str
    to_type: str
    reason: str
    fallback: str
    from_bytes: int
    to_bytes: int


@dataclass(frozen=True)
class QuantizeQuality:
    n_tokens: int
    kl_divergence: float
    top1_agreement: float
    ppl: float
    source_ppl: float


@dataclass(frozen=True)
class QuantizeResult:
    tensors: List[QuantizedTensor]
    from_bytes: int
    to_bytes: int
    bits_per_weight: float
    files: List[str]
    quality: Optional[QuantizeQuality] = None


@dataclass(frozen=True)
class QuantizationType:
    name: str
    description: str
    bits_per_weight: float
    needs_imatrix: bool
    makes_folder: bool


@dataclass(frozen=True)
class Running:
    id: int
    n_prompt: int
    n_prompt_done: int
    n_generated: int


@dataclass(frozen=True)
class SchedulerStats:
    n_running: int
    n_queued: int
    n_kept: int
    n_used: int
    n_ctx: int
    n_finished: int
    n_prompt_tokens: int
    n_cached_tokens: int
    n_generated_tokens: int
    n_steps: int
    prompt_seconds: float
    generate_seconds: float
    running: List[Running]
