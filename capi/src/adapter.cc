// Adapters.
#include "capi/src/door.h"

using namespace quern::capi;

namespace quern::capi {

quern_status read_adapters(const quern_adapter_use* given, size_t n, std::vector<AdapterUse>& out) {
  QUERN_C_CHECK(check_array(given, n, "adapters"));
  for (size_t i = 0; i < n; ++i) {
    const std::string name = "adapters[" + std::to_string(i) + "]";
    if (given[i].adapter == nullptr) return refuse(Errc::argument, name + ".adapter is NULL");
    if (given[i].reserved != 0) return refuse(Errc::unsupported, name + ".reserved is not 0");
    out.push_back({given[i].adapter->adapter, given[i].scale});
  }
  return QUERN_OK;
}

}  // namespace quern::capi

extern "C" {

quern_status quern_adapter_open(const quern_model* model, const char* path, quern_adapter** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  QUERN_C_NEED(path);
  return guard([&] {
    auto adapter = quern::Adapter::open(model->model, path);
    if (!adapter) return refuse(adapter.error());
    *out = new quern_adapter{std::move(*adapter)};
    return QUERN_OK;
  });
}

void quern_adapter_close(quern_adapter* adapter) { delete adapter; }

quern_status quern_adapter_get_info(const quern_adapter* adapter, quern_adapter_info* out) {
  QUERN_C_NEED(adapter);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::AdapterInfo& info = adapter->adapter.info();
    quern_adapter_info from = QUERN_ADAPTER_INFO_INIT;
    from.path = info.path.c_str();
    from.name = info.name.c_str();
    from.n_weights = info.n_weights;
    from.size_bytes = info.size_bytes;
    from.rank = info.rank;
    from.alpha = info.alpha;
    return write_info(from, out, "quern_adapter_info");
  });
}

quern_status quern_context_set_adapters(quern_context* context, int32_t sequence, const quern_adapter_use* adapters,
                                        size_t n_adapters) {
  QUERN_C_NEED(context);
  return guard([&] {
    std::vector<quern::AdapterUse> wanted;
    QUERN_C_CHECK(read_adapters(adapters, n_adapters, wanted));
    return finish(context->context->set_adapters(sequence, wanted));
  });
}

size_t quern_context_n_adapters(const quern_context* context, int32_t sequence) {
  return context ? context->context->adapters(sequence).size() : 0;
}

}  // extern "C"
