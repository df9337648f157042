"""Many generations on one model at once."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable, Optional

from . import _quern
from .results import Generation, Step


class GenerationFuture(Future):
    """The Generation to come. cancel() takes effect with the next step, and the result is then what there is."""

    id: int
    """The number that Scheduler.stats.running tells."""

    def __init__(self) -> None:
        super().__init__()
        self._stop = _quern.CancelToken()

    def cancel(self) -> bool:
        if self.done():
            return False
        self._stop.cancel()
        return True


class Scheduler(_quern.Scheduler):
    """Scheduler(model, *, n_parallel=4, max_queued=256, n_ctx_request=0, n_kept=32, n_ctx=0, n_batch=512, ...)

    Has no thread of its own: somebody calls step() or run(stop). submit() may be called from any thread. Each
    generation gets the answer that it would get alone."""

    def submit(self, prompt: Any, *, on_token: Optional[Callable[[Step], Any]] = None, **options: Any) -> GenerationFuture:
        """Keywords as of Context.generate(). on_token is called on the thread that takes the steps and must not take
        long; where it raises, so does the future's result()."""
        if "cancel" in options or "progress" in options:
            raise TypeError("submit(): cancel the future that it returns; progress is not told")
        future = GenerationFuture()

        def on_end(generation: Optional[Generation], error: Optional[BaseException]) -> None:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(generation)

        future.id = self._submit(prompt, on_end, on_token=on_token, cancel=future._stop, **options)
        return future
