// What the CPU backend needs of one weight format on the instruction set it runs on: how to pack panels, and the
// kernels that multiply one panel by one tile. One table per format and target, made from the format's description of
// its panel.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/cpu/matmul/activations.h"
#include "lib/tensor/dtype.h"

namespace quern::cpu {

/// Multiplies one panel by one tile: out[c * out_stride + r] for its first n_rows rows r and every column c of the
/// tile.
using PanelTileFn = void (*)(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out, size_t out_stride,
                             size_t n_rows);

struct PanelKernels {
  size_t lanes;        ///< rows of a panel
  size_t group_elems;  ///< elements of K that one group covers
  size_t group_bytes;  ///< of all rows of the panel
  ActivationKind activation;
  size_t max_width;  ///< widest tile that fits this target's registers
  /// rows[r]: the blocks of row r, nullptr past the last row.
  void (*pack_panel)(const uint8_t* const* rows, size_t n_groups, uint8_t* panel);
  PanelTileFn by_width[9];  ///< index: the tile's width; nullptr for widths that are not in kTileWidths
  /// The kernels of the same target for machines without an extension that these use, or nullptr. Same results.
  const PanelKernels* portable;
};

/// The kernels of a type for this machine, or nullptr if the type has none.
const PanelKernels* panel_kernels(tensor::DType type);

}  // namespace quern::cpu
