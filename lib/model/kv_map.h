// Where the keys and values of a model's layers are kept. Layers that see a whole sequence have one cache, those with a
// sliding window another, which forgets what no later token can see.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/model/hparams.h"

namespace quern::model {

/// What of a sequence a layer sees, and so which cache it has.
enum class KvSpan : uint8_t { none, all, window };

/// Where one layer of the model has its keys and values. Layers that read the keys and values of another layer have the
/// same place as that layer, which alone stores there.
struct KvPlace {
  KvSpan span = KvSpan::none;
  uint32_t layer = 0;  ///< its number within that cache
};

struct KvMap {
  std::vector<KvPlace> places;                ///< one per layer of the model
  std::vector<compute::KvLayer> all, window;  ///< the layers of each cache
  std::span<const compute::KvLayer> layers(KvSpan span) const;
  /// The store of one of the caches; `quantized`: the weights of any product are.
  compute::KvShape shape(KvSpan span, bool quantized, compute::KvType type_k, compute::KvType type_v) const;
};

KvMap make_kv_map(const Hparams& hparams);

/// The caches of a context: none where the map has no layers of that kind.
struct KvStores {
  compute::KvStore* all = nullptr;
  compute::KvStore* window = nullptr;
};

}  // namespace quern::model
