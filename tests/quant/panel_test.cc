// The panels on every SIMD target: packed blocks give the weights of the scalar decoding, bit for bit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/quant/panel_test.cc"
#include "hwy/foreach_target.h"

// After foreach_target.h, which includes this file again.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "hwy/highway.h"
#include "lib/quant/all_formats-inl.h"
#include "lib/quant/format.h"
#include "lib/quant/panel-inl.h"
#include "tests/quant/panel_weights.h"
#include "tests/quant/test_data.h"

#ifndef QUERN_PANEL_TEST_ONCE_
#define QUERN_PANEL_TEST_ONCE_
namespace quern::quant {

/// What unpacking a panel of one format gave.
struct PanelReport {
  size_t lanes = 0, weights = 0;
  size_t wrong = 0;               ///< Weights that differ from the scalar decoding, or are not 0 in a row past the end.
  float found = 0, expected = 0;  ///< The first of them.
};

}  // namespace quern::quant
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// Stores scale * (code - bias) - min of the 16 elements of codes[0..3], element-major.
HWY_ATTR HWY_NOINLINE void store_weights(const uint8_t* codes, VF32 scale, float bias, const VF32* min, float* out) {
  for (size_t e = 0; e < 16; ++e) {
    HWY_ALIGN float code[kLanes];
    for (size_t r = 0; r < kLanes; ++r) code[r] = static_cast<float>(codes[e / 4 * 4 * kLanes + 4 * r + e % 4]);
    VF32 weight = hn::Mul(scale, hn::Sub(hn::Load(DF32(), code), hn::Set(DF32(), bias)));
    if (min) weight = hn::Sub(weight, *min);
    hn::StoreU(weight, DF32(), out + e * kLanes);
  }
}

template <class Panel, size_t J, size_t H>
HWY_ATTR VF32 scale_of(const typename Panel::Group& group) {
  if constexpr (has_float_scales<Panel>()) {
    return group.template scale < J, Panel::kSub == 16 ? H : 0 > ();
  } else {
    return hn::Mul(group.d(), hn::ConvertTo(DF32(), group.template sub_scale < J, Panel::kSub == 16 ? H : 0 > ()));
  }
}

template <class Panel, size_t J, size_t H>
HWY_ATTR VF32 min_of(const typename Panel::Group& group) {
  if constexpr (has_float_scales<Panel>()) {
    return group.template min<J, 0>();
  } else {
    return hn::Mul(group.dmin(), hn::ConvertTo(DF32(), group.template sub_min < J, Panel::kSub == 16 ? H : 0 > ()));
  }
}

template <class Panel, size_t J, size_t H>
HWY_ATTR void unpack_half(const typename Panel::Group& group, const uint8_t* codes, float* out) {
  constexpr float kBias = Panel::kBiasLog2 < 0 ? 0.f : static_cast<float>(1 << (Panel::kBiasLog2 & 31));
  const VF32 scale = scale_of<Panel, J, H>(group);
  codes += 16 * H * kLanes;
  out += (32 * J + 16 * H) * kLanes;
  if constexpr (Panel::kHasMin) {
    const VF32 min = min_of<Panel, J, H>(group);
    store_weights(codes, scale, kBias, &min, out);
  } else {
    store_weights(codes, scale, kBias, nullptr, out);
  }
}

template <class Panel, size_t J, size_t T = 0>
HWY_ATTR void store_codes(const typename Panel::Group& group, uint8_t* codes) {
  if constexpr (T < 8) {
    hn::Store(group.template codes<J, T>(), DU8(), codes + 4 * T * kLanes);
    store_codes<Panel, J, T + 1>(group, codes);
  }
}

template <class Panel, size_t J>
HWY_ATTR void unpack_32(typename Panel::Group& group, float* out) {
  HWY_ALIGN uint8_t codes[32 * kLanes];
  begin_codes<J>(group);
  store_codes<Panel, J>(group, codes);
  unpack_half<Panel, J, 0>(group, codes, out);
  unpack_half<Panel, J, 1>(group, codes, out);
}

template <class Panel, size_t... J>
HWY_ATTR void unpack_group(const uint8_t* bytes, float* out, std::index_sequence<J...>) {
  typename Panel::Group group(bytes);
  for (size_t e = 0; e < Panel::kGroup; e += alike<Panel>()) {
    (unpack_32<Panel, J>(group, out + e * kLanes), ...);
    if constexpr (alike<Panel>() < Panel::kGroup) group.next();
  }
}

/// The group's weights, element-major: out[e * kLanes + r].
template <class Panel>
HWY_ATTR void unpack(const uint8_t* group, float* out) {
  if constexpr (Panel::kFloat && Panel::kGroup > 1) {
    const uint8_t* const elements = elements_of<Panel>(group);
    const VF32 scale = hn::LoadU(DF32(), reinterpret_cast<const float*>(group));
    for (size_t e = 0; e < Panel::kGroup; ++e) {
      const VF32 value = Panel::load(elements + e * kLanes * element_bytes<Panel>());
      hn::StoreU(hn::Mul(value, scale), DF32(), out + e * kLanes);
    }
  } else if constexpr (Panel::kFloat) {
    hn::StoreU(Panel::load(group), DF32(), out);
  } else {
    unpack_group<Panel>(group, out, std::make_index_sequence<alike<Panel>() / 32>());
  }
}

/// What the check needs of a panel; the rest is compiled once for all of them.
struct PanelAccess {
  size_t group, block_bytes;
  void (*pack)(const uint8_t* const* rows, size_t n_groups, uint8_t* panel);
  void (*unpack)(const uint8_t* group, float* out);
};

template <class Panel, class Format>
constexpr PanelAccess access_of() {
  static_assert(Panel::kBlockBytes == sizeof(typename Format::Block) && Panel::kGroup == Format::kBlockElems);
  return {Panel::kGroup, Panel::kBlockBytes, &pack_panel<Panel>, &unpack<Panel>};
}

/// Compares the groups of one row (lane r of the panel) with the scalar decoding of its blocks, nullptr for zeros.
void check_row(const FormatInfo& format, const std::vector<float>& found, size_t r, const uint8_t* blocks,
               PanelReport& report) {
  std::vector<float> expected(found.size() / kLanes);
  if (blocks) decode_panel(format, reinterpret_cast<const std::byte*>(blocks), expected.data(), expected.size());
  for (size_t e = 0; e < expected.size(); ++e, ++report.weights) {
    const float value = found[e * kLanes + r];
    if (value == expected[e]) continue;  // 0 and -0 are the same weight
    if (report.wrong++ == 0) report.found = value, report.expected = expected[e];
  }
}

/// Deals the blocks out to the rows of panels, leaving `empty_rows` rows of each panel past the end.
PanelReport check_panel(const PanelAccess& access, const FormatInfo& format, const uint8_t* blocks, size_t n_blocks,
                        size_t empty_rows) {
  PanelReport report;
  report.lanes = kLanes;
  const size_t n_groups = access.group == 1 ? 35 : 2;  // of a row; where they are single floats, more than a cache line
  const size_t rows = kLanes - empty_rows, row_bytes = n_groups * access.block_bytes;
  const size_t n_rows = n_blocks / n_groups, group_bytes = access.block_bytes * kLanes;
  std::vector<uint8_t> storage(n_groups * group_bytes + 1);
  uint8_t* panel = storage.data() + 1;  // nothing may need alignment
  std::vector<float> found(n_groups * access.group * kLanes);
  for (size_t first = 0; first < n_rows; first += rows) {
    const uint8_t* row_blocks[kLanes] = {};
    for (size_t r = 0; r < rows && first + r < n_rows; ++r) row_blocks[r] = blocks + (first + r) * row_bytes;
    access.pack(row_blocks, n_groups, panel);
    for (size_t g = 0; g < n_groups; ++g) {
      access.unpack(panel + g * group_bytes, found.data() + g * access.group * kLanes);
    }
    for (size_t r = 0; r < kLanes; ++r) check_row(format, found, r, row_blocks[r], report);
  }
  return report;
}

PanelReport check_format(size_t position, const uint8_t* blocks, size_t n_blocks, size_t empty_rows) {
  static constexpr PanelAccess kPanels[] = {
#define QUERN_FORMAT(stem, Trait) access_of<Trait##Panel, Trait>(),
#include "lib/quant/formats.def"
#undef QUERN_FORMAT
  };
  return check_panel(kPanels[position], formats()[position], blocks, n_blocks, empty_rows);
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <doctest/doctest.h>

namespace quern::quant {
namespace {

HWY_EXPORT(check_format);

bool all_finite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

/// n blocks of random bits whose weights are all finite, after the blocks of the format's test vectors.
std::vector<uint8_t> blocks_of(const FormatInfo& format, size_t n) {
  std::vector<uint8_t> out;
  for (const char* kind : {".randbits.q", ".noimat.q", ".layer.q"}) {
    for (const std::byte byte : read_quant_data(std::string(format.name) + kind)) {
      out.push_back(static_cast<uint8_t>(byte));
    }
  }
  std::mt19937 random(20240607u + static_cast<uint32_t>(format.type));
  std::vector<uint8_t> block(format.block_bytes);
  std::vector<float> values(format.block_elems);
  while (n > 0) {
    for (uint8_t& byte : block) byte = static_cast<uint8_t>(random());
    format.decode(reinterpret_cast<const std::byte*>(block.data()), values.data(), values.size());
    if (!all_finite(values)) continue;
    out.insert(out.end(), block.begin(), block.end());
    --n;
  }
  return out;
}

}  // namespace

TEST_CASE("panels hold the weights of the scalar decoding on every SIMD target") {
  size_t targets = 0;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    CAPTURE(std::string(hwy::TargetName(target)));
    for (size_t position = 0; position < formats().size(); ++position) {
      const FormatInfo& format = formats()[position];
      CAPTURE(std::string(format.name));
      const std::vector<uint8_t> blocks = blocks_of(format, 512 / format.block_elems + 67);
      const size_t n_blocks = blocks.size() / format.block_bytes;
      for (const size_t empty_rows : {0, 1, 3}) {
        const PanelReport report = HWY_DYNAMIC_DISPATCH(check_format)(position, blocks.data(), n_blocks, empty_rows);
        CAPTURE(report.found);
        CAPTURE(report.expected);
        CHECK(report.wrong == 0);
        CHECK(report.weights >= (n_blocks - 34) * format.block_elems);  // all but a part of a row
      }
    }
    ++targets;
  }
  hwy::SetSupportedTargetsForTest(0);
  CHECK(targets > 0);
}

TEST_CASE("the whole numbers in panels are near the codebooks' values") {
  for (const Codebook4bit* codebook : {&kNf4, &kBnbFp4}) {
    double largest = 0;
    for (size_t q = 0; q < 16; ++q) {
      const double near = static_cast<double>(codebook->step) * (codebook->biased[q] - 128);
      const double error = std::fabs(near - static_cast<double>(codebook->values[q]));
      largest = std::max(largest, error);
      CHECK((codebook->values[q] == 0) == (near == 0));
      CHECK((codebook->values[q] < 0) == (near < 0));
    }
    CHECK(largest <= codebook->largest_error);
    CHECK(largest > 0.999 * codebook->largest_error);
    CHECK(normal_error(*codebook) < 0.00184);  // of a block's largest magnitude, root mean square
  }
}

TEST_CASE("the tables for unsigned codes are the codebooks plus the bias") {
  for (size_t i = 0; i < 16; ++i) {
    CHECK(kIq4CodebookBiased[i] == kIq4Codebook[i] + 128);
    CHECK(kFp4Times2Biased[i] == kFp4Times2[i] + 16);
  }
}

}  // namespace quern::quant
#endif  // HWY_ONCE
