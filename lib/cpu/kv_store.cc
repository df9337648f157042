#include "lib/cpu/kv_store.h"

#include <cstring>
#include <new>

namespace quern::cpu {

using compute::kKvBlockTokens;
using compute::KvType;

namespace {
constexpr std::align_val_t kAlignment{64};
size_t element_bytes(KvType type) { return type == KvType::f16 ? 2 : 4; }
}  // namespace

void KvStore::FreeAligned::operator()(std::byte* p) const { ::operator delete[](p, kAlignment); }

KvStore::KvStore(const compute::KvShape& shape) : shape_(shape) {
  for (const compute::KvLayer& layer : shape.layers) {
    const uint64_t key_bytes = uint64_t{layer.k_dim} * kKvBlockTokens * element_bytes(shape.type_k);
    const uint64_t value_bytes = v_stride(layer.v_dim) * kKvBlockTokens * element_bytes(shape.type_v);
    const uint64_t head_bytes = key_bytes + value_bytes;  // a multiple of 64: 32 tokens of 2 or 4 bytes
    layers_.push_back({block_bytes_, head_bytes, key_bytes});
    block_bytes_ += head_bytes * layer.n_heads;
  }
}

Status KvStore::grow(uint32_t n_blocks) {
  try {
    blocks_.reserve(n_blocks);
    while (blocks_.size() < n_blocks) {
      auto* memory = static_cast<std::byte*>(::operator new[](block_bytes_, kAlignment));
      std::memset(memory, 0, block_bytes_);
      blocks_.emplace_back(memory);
    }
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for ", n_blocks, " cache blocks of ", block_bytes_, " bytes");
  }
  return {};
}

KvTile KvStore::tile(uint32_t block, uint32_t layer, uint32_t head) const {
  std::byte* keys = blocks_[block].get() + layers_[layer].offset + head * layers_[layer].head_bytes;
  return {keys, keys + layers_[layer].values_offset};
}

void KvStore::copy_block(uint32_t from, uint32_t to) {
  std::memcpy(blocks_[to].get(), blocks_[from].get(), block_bytes_);
}

void KvStore::move_slot(uint32_t from, uint32_t to) {
  const size_t k_bytes = element_bytes(shape_.type_k), v_bytes = element_bytes(shape_.type_v);
  const uint32_t from_token = from % kKvBlockTokens, to_token = to % kKvBlockTokens;
  for (uint32_t layer = 0; layer < shape_.layers.size(); ++layer) {
    const compute::KvLayer& dims = shape_.layers[layer];
    for (uint32_t head = 0; head < dims.n_heads; ++head) {
      const KvTile a = tile(from / kKvBlockTokens, layer, head), b = tile(to / kKvBlockTokens, layer, head);
      for (uint32_t i = 0; i < dims.k_dim; ++i) {
        std::memcpy(b.keys + (i * kKvBlockTokens + to_token) * k_bytes,
                    a.keys + (i * kKvBlockTokens + from_token) * k_bytes, k_bytes);
      }
      const size_t row_bytes = v_stride(dims.v_dim) * v_bytes;
      std::memmove(b.values + to_token * row_bytes, a.values + from_token * row_bytes, row_bytes);
    }
  }
}

void KvStore::read_block(uint32_t block, std::span<std::byte> out) const {
  std::memcpy(out.data(), blocks_[block].get(), block_bytes_);
}

void KvStore::write_block(uint32_t block, std::span<const std::byte> in) {
  std::memcpy(blocks_[block].get(), in.data(), block_bytes_);
}

std::string KvStore::layout() const {
  return cat("cpu k", 8 * element_bytes(shape_.type_k), " v", 8 * element_bytes(shape_.type_v));
}

}  // namespace quern::cpu
