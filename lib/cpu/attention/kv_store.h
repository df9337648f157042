// Keys and values of the CPU backend. In a cache block there is, layer after layer and head after head, the tile of the
// keys and the tile of the values (kv_layout.h).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/compute/ops.h"
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
  void read_block(uint32_t block, std::span<std::byte> out) const override;
  void write_block(uint32_t block, std::span<const std::byte> in) override;
  std::string layout() const override;

  KvTile tile(uint32_t block, uint32_t layer, uint32_t head) const;
  const compute::KvShape& shape() const { return shape_; }
  KvCodec codec_k() const { return codec_k_; }
  KvCodec codec_v() const { return codec_v_; }

 private:
  struct LayerLayout {
    uint64_t offset, head_bytes, values_offset;
  };
  struct FreeAligned {
    void operator()(std::byte* p) const;
  };
  compute::KvShape shape_;
  KvCodec codec_k_, codec_v_;
  std::vector<LayerLayout> layers_;
  uint64_t block_bytes_ = 0;
  std::vector<std::unique_ptr<std::byte[], FreeAligned>> blocks_;
};

}  // namespace quern::cpu
