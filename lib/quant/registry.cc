// The table of the formats in formats.def, and looking types up in it.
#include <algorithm>
#include <array>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/format.h"

namespace quern::quant {
namespace {

template <class Format>
constexpr FormatInfo info_of() {
  FormatInfo info{Format::kType,
                  Format::kName,
                  Format::kBlockElems,
                  sizeof(typename Format::Block),
                  &Format::decode,
                  nullptr,
                  {},
                  {}};
  if constexpr (requires { &Format::encode; }) info.encode = &Format::encode;
  if constexpr (requires { Format::kLevels; }) {
    using Block = typename Format::Block;
    info.level_access = {
        Format::kLevels, Format::kSub,
        [](const std::byte* block, float* scale, float* min) { Format::scales(load<Block>(block), scale, min); },
        [](const int8_t* levels, std::byte* bytes) {
          auto block = load<Block>(bytes);
          Format::put_levels(levels, block);
          store(block, bytes);
        }};
  }
  if constexpr (requires { Format::kPoints; }) {
    using Block = typename Format::Block;
    info.point_access = {Format::kPoints, Format::kSub,
                         [](const std::byte* block, float* scale) { Format::scales(load<Block>(block), scale); },
                         [](const uint16_t* points, const uint8_t* signs, std::byte* bytes) {
                           auto block = load<Block>(bytes);
                           Format::put_points(points, signs, block);
                           store(block, bytes);
                         }};
  }
  return info;
}

constexpr FormatInfo kFormats[] = {
#define QUERN_FORMAT(stem, Trait) info_of<Trait>(),
#include "lib/quant/formats.def"
#undef QUERN_FORMAT
};

constexpr size_t kIds = [] {
  size_t end = 0;
  for (const FormatInfo& format : kFormats) end = std::max(end, static_cast<size_t>(format.type) + 1);
  return end;
}();

/// By type id: the position in kFormats, or kNone.
constexpr uint8_t kNone = 255;
static_assert(std::size(kFormats) < kNone);
constexpr auto kPositions = [] {
  std::array<uint8_t, kIds> positions{};
  positions.fill(kNone);
  for (size_t i = 0; i < std::size(kFormats); ++i) {
    positions[static_cast<size_t>(kFormats[i].type)] = static_cast<uint8_t>(i);
  }
  return positions;
}();

}  // namespace

std::span<const FormatInfo> formats() { return kFormats; }

const FormatInfo* find_format(tensor::DType type) {
  const auto id = static_cast<size_t>(type);
  if (id >= kIds || kPositions[id] == kNone) return nullptr;
  return &kFormats[kPositions[id]];
}

}  // namespace quern::quant
