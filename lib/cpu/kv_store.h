// Keys and values of the CPU backend. A cache block is one allocation; in it, layer after layer and head after head:
//   keys    [k_dim][kKvBlockTokens]   transposed, so that one vector holds one dimension of several tokens
//   values  [kKvBlockTokens][v_stride]  v_stride = v_dim rounded up to a multiple of 16; the padding is zero
// in the cache's element type.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/compute/ops.h"

namespace quern::cpu {

/// One key-value head's part of one block.
struct KvTile {
  std::byte* keys;
  std::byte* values;
};

class KvStore final : public compute::KvStore {
 public:
  explicit KvStore(const compute::KvShape& shape);

  uint32_t n_blocks() const override { return static_cast<uint32_t>(blocks_.size()); }
  Status grow(uint32_t n_blocks) override;
  uint64_t block_bytes() const override { return block_bytes_; }
  void copy_block(uint32_t from, uint32_t to) override;
  void move_slot(uint32_t from, uint32_t to) override;
  void read_block(uint32_t block, std::span<std::byte> out) const override;
  void write_block(uint32_t block, std::span<const std::byte> in) override;
  std::string layout() const override;

  KvTile tile(uint32_t block, uint32_t layer, uint32_t head) const;
  const compute::KvShape& shape() const { return shape_; }
  static size_t v_stride(size_t v_dim) { return (v_dim + 15) / 16 * 16; }

 private:
  struct LayerLayout {
    uint64_t offset, head_bytes, values_offset;
  };
  struct FreeAligned {
    void operator()(std::byte* p) const;
  };
  compute::KvShape shape_;
  std::vector<LayerLayout> layers_;
  uint64_t block_bytes_ = 0;
  std::vector<std::unique_ptr<std::byte[], FreeAligned>> blocks_;
};

}  // namespace quern::cpu
