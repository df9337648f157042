#include "lib/cpu/attention/kv_store.h"

#include <cstring>
#include <new>

namespace quern::cpu {

using compute::kKvBlockTokens;
using compute::KvType;

namespace {
KvCodec codec_of(KvType type, bool rounded) {
  switch (type) {
    case KvType::f32:
      return KvCodec::f32;
    case KvType::f16:
      return rounded ? KvCodec::i16 : KvCodec::f16;
    case KvType::q8_0:
      return KvCodec::i8;
    case KvType::q4_0:
      return KvCodec::i4;
  }
  return KvCodec::f32;
}

/// Copies `count` items of `bytes` each, `step` bytes apart.
void copy_strided(const std::byte* from, std::byte* to, size_t count, size_t step, size_t bytes) {
  for (size_t i = 0; i < count; ++i) std::memmove(to + i * step, from + i * step, bytes);
}

/// Copies one token of a tile. Keys of a token lie apart, values in a row; a pair of codes is a unit of the keys, a
/// token of a pair one of the values.
void copy_token(KvCodec codec, bool keys, size_t dim, const std::byte* from, size_t from_token, std::byte* to,
                size_t to_token) {
  const size_t bits = code_bits(codec);
  if (!has_scales(codec)) {
    const size_t bytes = bits / 8;
    if (keys) {
      copy_strided(from + from_token * bytes, to + to_token * bytes, dim, kKvBlockTokens * bytes, bytes);
    } else {
      std::memmove(to + to_token * padded(dim) * bytes, from + from_token * padded(dim) * bytes, dim * bytes);
    }
    return;
  }
  const size_t bytes = bits < 8 ? 1 : bits / 8, units = group_code_bytes(codec) / kKvBlockTokens / bytes;
  const auto offset = [&](size_t token) {
    return keys ? token * 2 * bytes : (token / 2 * units * 2 + token % 2) * bytes;
  };
  for (size_t g = 0; g < padded(dim) / kKvGroup; ++g, from += group_bytes(codec), to += group_bytes(codec)) {
    if (keys) {
      copy_strided(from + offset(from_token), to + offset(to_token), units / 2, kKvBlockTokens * 2 * bytes, 2 * bytes);
    } else {
      copy_strided(from + offset(from_token), to + offset(to_token), units, 2 * bytes, bytes);
    }
    const size_t scales = group_code_bytes(codec);
    std::memmove(to + scales + to_token * 2, from + scales + from_token * 2, 2);
  }
}
}  // namespace

KvStore::KvStore(const compute::KvShape& shape)
    : shape_(shape), codec_k_(codec_of(shape.type_k, shape.rounded)), codec_v_(codec_of(shape.type_v, shape.rounded)) {
  for (const compute::KvLayer& layer : shape.layers) {
    const uint64_t key_bytes = tile_bytes(codec_k_, layer.k_dim);
    const uint64_t head_bytes = key_bytes + tile_bytes(codec_v_, layer.v_dim);
    layers_.push_back({block_bytes_, head_bytes, key_bytes});
    block_bytes_ += head_bytes * layer.n_heads;
  }
}

Status KvStore::grow(uint32_t n_blocks) {
  if (n_blocks <= blocks_.size()) return {};
  try {
    const size_t n_new = n_blocks - blocks_.size();
    QUERN_TRY(ArenaMemory slab, arena_.allocate(n_new * block_bytes_, nullptr));
    blocks_.reserve(n_blocks);
    auto* data = reinterpret_cast<std::byte*>(slab.data());
    for (uint32_t i = 0; i < n_new; ++i) blocks_.push_back({data, i, static_cast<uint32_t>(n_new)});
    slabs_.push_back(std::move(slab));
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for ", n_blocks, " cache blocks of ", block_bytes_, " bytes");
  }
  return {};
}

KvTile KvStore::tile(uint32_t block, uint32_t layer, uint32_t head) const {
  const Place& place = blocks_[block];
  const LayerLayout& l = layers_[layer];
  std::byte* keys = place.slab + (l.offset + head * l.head_bytes) * place.n_blocks + place.index * l.head_bytes;
  return {keys, keys + l.values_offset};
}

void KvStore::copy_block(uint32_t from, uint32_t to) {
  for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
    for (uint32_t head = 0; head < shape_.layers[layer].n_heads; ++head)
      std::memcpy(tile(to, layer, head).keys, tile(from, layer, head).keys, layers_[layer].head_bytes);
  }
}

void KvStore::move_slot(uint32_t from, uint32_t to) {
  const uint32_t from_token = from % kKvBlockTokens, to_token = to % kKvBlockTokens;
  for (uint32_t layer = 0; layer < shape_.layers.size(); ++layer) {
    const compute::KvLayer& dims = shape_.layers[layer];
    for (uint32_t head = 0; head < dims.n_heads; ++head) {
      const KvTile a = tile(from / kKvBlockTokens, layer, head), b = tile(to / kKvBlockTokens, layer, head);
      copy_token(codec_k_, true, dims.k_dim, a.keys, from_token, b.keys, to_token);
      copy_token(codec_v_, false, dims.v_dim, a.values, from_token, b.values, to_token);
    }
  }
}

void KvStore::read_block(uint32_t block, uint32_t begin, uint32_t end, std::span<std::byte> out) const {
  std::byte* to = out.data();
  for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
    const compute::KvLayer& dims = shape_.layers[layer];
    const LayerLayout& l = layers_[layer];
    for (uint32_t head = 0; head < dims.n_heads; ++head, to += l.head_bytes) {
      const std::byte* const from = tile(block, layer, head).keys;
      if (end - begin == kKvBlockTokens) {
        std::memcpy(to, from, l.head_bytes);
        continue;
      }
      std::memset(to, 0, l.head_bytes);
      for (uint32_t token = begin; token < end; ++token) {
        copy_token(codec_k_, true, dims.k_dim, from, token, to, token);
        copy_token(codec_v_, false, dims.v_dim, from + l.values_offset, token, to + l.values_offset, token);
      }
    }
  }
}

void KvStore::write_block(uint32_t block, std::span<const std::byte> in) {
  const std::byte* from = in.data();
  for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
    const uint64_t n = layers_[layer].head_bytes;
    for (uint32_t head = 0; head < shape_.layers[layer].n_heads; ++head, from += n)
      std::memcpy(tile(block, layer, head).keys, from, n);
  }
}

std::string KvStore::layout() const {
  constexpr const char* kNames[kKvCodecs] = {"f32", "f16", "i16", "i8", "i4"};
  return cat("cpu k ", kNames[static_cast<size_t>(codec_k_)], " v ", kNames[static_cast<size_t>(codec_v_)]);
}

}  // namespace quern::cpu
