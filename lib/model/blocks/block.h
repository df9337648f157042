// What every block works with: the model, one layer of it, and the pass at hand.
#pragma once

#include <cstdint>
#include <span>

#include "lib/arch/spec.h"
#include "lib/compute/ops.h"
#include "lib/model/hparams.h"
#include "lib/model/weights.h"
#include "lib/model/workspace.h"

namespace quern::model {

struct Block {
  compute::Stream& stream;
  const arch::ArchSpec& spec;
  const Hparams& hparams;
  const Weights& weights;
  const Workspace& space;
  uint32_t layer = 0;

  const LayerParams& params() const { return hparams.layers[layer]; }
  uint64_t dim(arch::Dim dim) const { return hparams.dim(dim, layer); }
  const compute::Weight& weight(arch::Slot slot) const { return weights.get(slot, layer); }
  compute::MatmulTarget product(arch::Slot weight, arch::Slot bias, compute::Mat out) const {
    return {weights.find(weight, layer), weights.find(bias, layer), out};
  }
  void normalize(compute::Mat x, arch::Slot slot, compute::Mat out) const {
    stream.rms_norm(x, weight(slot), hparams.rms_eps, out);
  }
};

}  // namespace quern::model
