#include "lib/model/kv_map.h"

namespace quern::model {

std::span<const compute::KvLayer> KvMap::layers(KvSpan span) const {
  switch (span) {
    case KvSpan::all:
      return all;
    case KvSpan::window:
      return window;
    case KvSpan::none:
      break;
  }
  return {};
}

compute::KvShape KvMap::shape(KvSpan span, bool quantized, compute::KvType type_k, compute::KvType type_v) const {
  const auto of_span = layers(span);
  return {{of_span.begin(), of_span.end()}, type_k, type_v, quantized};
}

KvMap make_kv_map(const Hparams& hparams) {
  KvMap map;
  for (const LayerParams& params : hparams.layers) {
    if (params.n_head_kv == 0) {
      map.places.push_back({});
      continue;
    }
    std::vector<compute::KvLayer>& layers = params.windowed ? map.window : map.all;
    map.places.push_back({params.windowed ? KvSpan::window : KvSpan::all, static_cast<uint32_t>(layers.size())});
    layers.push_back({params.n_head_kv, hparams.k_dim, hparams.v_dim});
  }
  return map;
}

}  // namespace quern::model
