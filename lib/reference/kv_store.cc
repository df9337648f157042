#include "lib/reference/kv_store.h"

#include <cstring>
#include <new>

namespace quern::reference {

using compute::kKvBlockTokens;

KvStore::KvStore(const compute::KvShape& shape) : shape_(shape) {
  for (const compute::KvLayer& layer : shape.layers) {
    k_offset_.push_back(slot_floats_);
    slot_floats_ += uint64_t{layer.n_heads} * layer.k_dim;
    v_offset_.push_back(slot_floats_);
    slot_floats_ += uint64_t{layer.n_heads} * layer.v_dim;
  }
}

Status KvStore::grow(uint32_t n_blocks) {
  if (n_blocks <= n_blocks_) return {};
  try {
    floats_.resize(n_blocks * slot_floats_ * kKvBlockTokens);
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for ", n_blocks, " cache blocks of ", block_bytes(), " bytes");
  }
  n_blocks_ = n_blocks;
  return {};
}

void KvStore::copy_block(uint32_t from, uint32_t to) {
  std::memcpy(row(to * kKvBlockTokens), row(from * kKvBlockTokens), block_bytes());
}

void KvStore::move_slot(uint32_t from, uint32_t to) { std::memmove(row(to), row(from), slot_floats_ * sizeof(float)); }

void KvStore::read_block(uint32_t block, uint32_t begin, uint32_t end, std::span<std::byte> out) const {
  const uint64_t slot_bytes = slot_floats_ * sizeof(float);
  const float* const first = floats_.data() + block * slot_floats_ * kKvBlockTokens;
  std::memset(out.data(), 0, block_bytes());
  std::memcpy(out.data() + begin * slot_bytes, first + begin * slot_floats_, (end - begin) * slot_bytes);
}

void KvStore::write_block(uint32_t block, std::span<const std::byte> in) {
  std::memcpy(row(block * kKvBlockTokens), in.data(), block_bytes());
}

std::string KvStore::layout() const {
  return cat("reference k ", static_cast<uint32_t>(shape_.type_k), " v ", static_cast<uint32_t>(shape_.type_v));
}

}  // namespace quern::reference
