#include "lib/cpu/recurrent/state_store.h"

#include <cstring>
#include <new>

#include "lib/cpu/kernels/delta_rule.h"

namespace quern::cpu {

StateStore::StateStore(const compute::StateShape& shape) : compute::StateStore(shape) {
  constexpr uint64_t kAlignFloats = 16;  // a cache line
  const auto aligned = [](uint64_t n) { return (n + kAlignFloats - 1) / kAlignFloats * kAlignFloats; };
  for (const compute::StateLayer& layer : shape.layers) {
    const uint64_t past = aligned(uint64_t{layer.n_past} * layer.channels);
    const uint64_t matrix = delta_tiles(layer.v_dim) * kDeltaTile * layer.k_dim;
    layers_.push_back({slot_floats_, slot_floats_ + past, matrix});
    slot_floats_ += past + matrix * layer.n_heads;
  }
}

Status StateStore::grow(uint32_t n_slots) {
  if (n_slots <= slots_.size()) return {};
  try {
    const size_t n_new = n_slots - slots_.size();
    QUERN_TRY(ArenaMemory slab, arena_.allocate(n_new * slot_bytes(), nullptr));
    slots_.reserve(n_slots);
    slabs_.reserve(slabs_.size() + 1);
    auto* data = reinterpret_cast<float*>(slab.data());
    for (size_t i = 0; i < n_new; ++i) slots_.push_back(data + i * slot_floats_);
    slabs_.push_back(std::move(slab));
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for ", n_slots, " states of ", slot_bytes(), " bytes");
  }
  return {};
}

void StateStore::read_slot(uint32_t slot, std::span<std::byte> out) const {
  std::memcpy(out.data(), slots_[slot], slot_bytes());
}

void StateStore::write_slot(uint32_t slot, std::span<const std::byte> in) {
  std::memcpy(slots_[slot], in.data(), slot_bytes());
}

}  // namespace quern::cpu
