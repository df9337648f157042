#include <quern/runtime.h>

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

}  // namespace quern
