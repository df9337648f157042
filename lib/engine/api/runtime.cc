#include <quern/runtime.h>

#include "lib/cpu/bandwidth.h"
#include "lib/engine/api/impl.h"

namespace quern {

Result<Runtime> Runtime::create(const RuntimeOptions& options) {
  return engine::guarded([&]() -> Result<Runtime> {
    Runtime runtime;
    runtime.impl_ = std::make_shared<Impl>();
    QUERN_TRY(runtime.impl_->state, engine::RuntimeState::create(options));
    return runtime;
  });
}

uint32_t Runtime::n_threads() const { return impl_->state->pool ? impl_->state->pool->n_threads() : 1; }

std::string Runtime::description() const { return impl_->state->backend->description(); }

Status Runtime::bind_this_thread() const {
  return engine::guarded([&]() -> Status { return base::bind_this_thread(impl_->state->places.of(0)); });
}

Result<double> Runtime::measure_read_bandwidth(uint64_t size_bytes) const {
  return engine::guarded([&]() -> Result<double> {
    if (impl_->state->pool) return cpu::measure_read_bandwidth(*impl_->state->pool, size_bytes);
    QUERN_TRY(const auto pool, base::ThreadPool::create(1));
    return cpu::measure_read_bandwidth(*pool, size_bytes);
  });
}

}  // namespace quern
