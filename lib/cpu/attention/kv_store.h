// Keys and values of the CPU backend: for every block, layer and head a tile of the keys and, behind it, one of the
// values (kv_layout.h). Blocks that the store grew by at one time are a slab: layer after layer, head after head, the
// tiles of all its blocks. So what one head reads of a long sequence is one long run of memory, at the memory's full
// speed.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/cpu/arena.h"
#include "lib/cpu/attention/kv_layout.h"

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
  void read_block(uint32_t block, uint32_t begin, uint32_t end, std::span<std::byte> out) const override;
  void write_block(uint32_t block, std::span<const std::byte> in) override;
  std::string layout() const override;

  KvTile tile(uint32_t block, uint32_t layer, uint32_t head) const;
  const compute::KvShape& shape() const { return shape_; }
  KvCodec codec_k() const { return codec_k_; }
  KvCodec codec_v() const { return codec_v_; }

 private:
  /// Of one block's tiles, in bytes.
  struct LayerLayout {
    uint64_t offset;  ///< of the layers before
    uint64_t head_bytes, values_offset;
  };
  /// Where a block is: number `index` of a slab of n_blocks.
  struct Place {
    std::byte* slab;
    uint32_t index, n_blocks;
  };
  compute::KvShape shape_;
  KvCodec codec_k_, codec_v_;
  std::vector<LayerLayout> layers_;
  uint64_t block_bytes_ = 0;
  Arena arena_;
  std::vector<ArenaMemory> slabs_;
  std::vector<Place> blocks_;
};

}  // namespace quern::cpu
