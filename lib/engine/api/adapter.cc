#include <quern/adapter.h>

#include "lib/engine/api/impl.h"
#include "lib/hf/adapter.h"

namespace quern {

Result<Adapter> Adapter::open(const Model& model, const std::string& path) {
  return engine::guarded([&]() -> Result<Adapter> {
    auto impl = std::make_shared<Impl>();
    impl->model = model;
    QUERN_TRY(auto file, hf::open_adapter(path, model.impl().loaded->file));
    QUERN_TRY(impl->prepared, model::Adapter::prepare(*model.impl().loaded, std::move(file)));
    const io::AdapterFile& read = impl->prepared->file();
    impl->info.path = read.path;
    impl->info.name = read.name;
    impl->info.rank = static_cast<uint32_t>(impl->prepared->rank());
    impl->info.alpha = read.alpha;
    impl->info.n_weights = read.parts.size();
    impl->info.size_bytes = impl->prepared->size_bytes();
    Adapter adapter;
    adapter.impl_ = std::move(impl);
    return adapter;
  });
}

const AdapterInfo& Adapter::info() const { return impl_->info; }

const Model& Adapter::model() const { return impl_->model; }

namespace engine {

model::AdapterList inner_adapters(std::span<const AdapterUse> adapters) {
  model::AdapterList out;
  for (const AdapterUse& use : adapters)
    out.push_back({use.adapter.impl() ? use.adapter.impl()->prepared : nullptr, use.scale});
  return out;
}

}  // namespace engine
}  // namespace quern
