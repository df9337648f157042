#include "lib/engine/runtime.h"

#include "lib/cpu/backend.h"
#include "lib/engine/cores.h"
#include "lib/reference/backend.h"

namespace quern::engine {

namespace {
constexpr uint32_t kMaxThreads = 4096;
}

Result<std::unique_ptr<RuntimeState>> RuntimeState::create(const RuntimeOptions& options) {
  QUERN_ENSURE(options.n_threads <= kMaxThreads, Errc::argument, "n_threads: expected at most ", kMaxThreads,
               ", found ", options.n_threads);
  auto state = std::make_unique<RuntimeState>();
  state->log = options.log;
  uint32_t n_threads = options.n_threads;
  if (options.pin_threads || !options.processors.empty()) {
    QUERN_TRY(const RankedProcessors ranked, binding_processors(options.processors));
    state->places = {ranked.order, options.pin_threads};
    if (n_threads == 0) n_threads = useful_threads(ranked);
  }
  if (options.backend == "cpu") {
    if (n_threads == 0) n_threads = usable_cores();
    QUERN_TRY(state->pool, base::ThreadPool::create(n_threads, state->places));
    QUERN_TRY(state->backend, cpu::make_backend(*state->pool));
  } else if (options.backend == "reference") {
    QUERN_TRY(state->backend, reference::make_backend());  // works on the caller's thread alone
  } else {
    return fail(Errc::argument, "backend: expected \"cpu\" or \"reference\", found \"", options.backend, "\"");
  }
  return state;
}

}  // namespace quern::engine
