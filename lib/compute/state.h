// The state of recurrent layers: what such a layer knows of all tokens before, in place of a cache that grows with
// them. One slot holds the state of one sequence at one position, in all layers. Which slot belongs to whom is the
// context's business; how a slot is laid out is the backend's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"

namespace quern::compute {

/// One layer's share of a slot; nothing where the layer is not recurrent.
struct StateLayer {
  uint32_t n_past = 0, channels = 0;           ///< Stream::causal_conv: the inputs of the last n_past tokens
  uint32_t n_heads = 0, k_dim = 0, v_dim = 0;  ///< Stream::delta_rule: a matrix [k_dim, v_dim] for every head
};

struct StateShape {
  std::vector<StateLayer> layers;
};

class StateStore {
 public:
  explicit StateStore(StateShape shape) : shape_(std::move(shape)) {}
  virtual ~StateStore() = default;
  const StateShape& shape() const { return shape_; }
  virtual uint32_t n_slots() const = 0;
  /// Grows to at least `n_slots`; existing slots keep their contents. Errc::memory if there is no room.
  virtual Status grow(uint32_t n_slots) = 0;
  virtual uint64_t slot_bytes() const = 0;
  virtual void read_slot(uint32_t slot, std::span<std::byte> out) const = 0;  ///< out: slot_bytes()
  virtual void write_slot(uint32_t slot, std::span<const std::byte> in) = 0;
  /// Identifies the layout of the bytes of read_slot(): equal only where they can be exchanged.
  virtual std::string layout() const = 0;

 private:
  StateShape shape_;
};

/// The slot that holds zeros: the state before the first token of a sequence. Not one of the store's.
inline constexpr uint32_t kZeroState = std::numeric_limits<uint32_t>::max();

/// Rows of a pass that belong to one sequence, in the order of its tokens. The state before the first of them is read
/// from one slot; the one after the last of them is written to another, or to the same. A slot that is written to
/// belongs to one run of a pass, and no other run reads it. Of a pass that fails, the slots written to hold anything,
/// and the others what they held.
struct StateRun {
  uint32_t from = kZeroState, to = 0;
  std::span<const uint32_t> rows;
};

/// The gated delta rule. Heads of queries and keys serve several heads of values each.
struct DeltaShape {
  uint32_t n_k_heads = 0, n_heads = 0;  ///< of queries and keys; of values, a multiple of it
  uint32_t k_dim = 0, v_dim = 0;
  /// Head h of the values has head h / (n_heads / n_k_heads) of queries and keys, and otherwise h % n_k_heads.
  bool neighbours_share = false;
  float scale = 1;  ///< of what comes out

  uint32_t k_head(uint32_t head) const { return neighbours_share ? head / (n_heads / n_k_heads) : head % n_k_heads; }
};

}  // namespace quern::compute
