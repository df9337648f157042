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
    if (params.mixer != LayerMixer::attention) {
      map.places.push_back({});
      continue;
    }
    if (!params.own_kv) {
      map.places.push_back(map.places[params.kv_layer]);
      continue;
    }
    std::vector<compute::KvLayer>& layers = params.windowed ? map.window : map.all;
    map.places.push_back({params.windowed ? KvSpan::window : KvSpan::all, static_cast<uint32_t>(layers.size())});
    layers.push_back({params.n_head_kv, params.k_dim, params.v_dim});
  }
  return map;
}

}  // namespace quern::model
