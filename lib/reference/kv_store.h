// Keys and values of the reference backend: per layer, one row of heads per slot, stored in the cache's element type.
#pragma once

#include <vector>

#include "lib/compute/ops.h"

namespace quern::reference {

class KvStore final : public compute::KvStore {
 public:
  explicit KvStore(const compute::KvShape& shape);

  uint32_t n_blocks() const override { return n_blocks_; }
  Status grow(uint32_t n_blocks) override;
  uint64_t block_bytes() const override { return slot_floats_ * compute::kKvBlockTokens * sizeof(float); }
  void copy_block(uint32_t from, uint32_t to) override;
  void move_slot(uint32_t from, uint32_t to) override;
  void read_block(uint32_t block, uint32_t begin, uint32_t end, std::span<std::byte> out) const override;
  void write_block(uint32_t block, std::span<const std::byte> in) override;
  std::string layout() const override;

  /// The row of a slot: floats already rounded to the cache's type.
  float* key(uint32_t layer, uint32_t slot) { return row(slot) + k_offset_[layer]; }
  float* value(uint32_t layer, uint32_t slot) { return row(slot) + v_offset_[layer]; }
  const compute::KvShape& shape() const { return shape_; }

 private:
  float* row(uint32_t slot) { return floats_.data() + slot * slot_floats_; }

  compute::KvShape shape_;
  std::vector<uint64_t> k_offset_, v_offset_;
  uint64_t slot_floats_ = 0;
  uint32_t n_blocks_ = 0;
  std::vector<float> floats_;
};

}  // namespace quern::reference
