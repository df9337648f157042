// Blocks as levels and scales: what scales() and put_levels() say is what decode() does.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "lib/quant/format.h"

using namespace quern;

TEST_CASE("a decoded block is its scales times the levels that were put into it") {
  std::mt19937 rng(3);
  std::normal_distribution<float> normal;
  size_t n_formats = 0;
  for (const quant::FormatInfo& format : quant::formats()) {
    const quant::LevelAccess& access = format.level_access;
    if (access.sub == 0) continue;
    ++n_formats;
    CAPTURE(std::string(format.name));
    const size_t n = format.block_elems;
    std::vector<float> x(n), y(n), scale(n / access.sub), min(n / access.sub);
    std::vector<std::byte> block(format.block_bytes);
    std::vector<int8_t> levels(n);
    for (int round = 0; round < 20; ++round) {
      for (float& v : x) v = normal(rng);
      format.encode(x.data(), nullptr, n, block.data());
      access.scales(block.data(), scale.data(), min.data());
      for (int8_t& level : levels) {
        const quant::Levels& all = access.levels;
        level = all.codebook != nullptr
                    ? all.codebook[rng() % all.codebook_size]
                    : static_cast<int8_t>(all.low +
                                          static_cast<int>(rng() % static_cast<uint32_t>(all.high - all.low + 1)));
      }
      access.put_levels(levels.data(), block.data());
      format.decode(block.data(), y.data(), n);
      size_t wrong = 0;
      for (size_t e = 0; e < n; ++e) {
        wrong += y[e] != scale[e / access.sub] * static_cast<float>(levels[e]) - min[e / access.sub];
      }
      CHECK(wrong == 0);
    }
  }
  CHECK(n_formats >= 17);
}

TEST_CASE("a decoded block is its scales times the points and signs that were put into it") {
  std::mt19937 rng(4);
  std::normal_distribution<float> normal;
  size_t n_formats = 0;
  for (const quant::FormatInfo& format : quant::formats()) {
    const quant::PointAccess& access = format.point_access;
    if (access.sub == 0) continue;
    ++n_formats;
    CAPTURE(std::string(format.name));
    const size_t n = format.block_elems;
    std::vector<float> x(n), y(n), scale(n / access.sub);
    std::vector<std::byte> block(format.block_bytes);
    std::vector<uint16_t> points(n / access.grid.dims);
    std::vector<uint8_t> signs(n / 8);
    for (int round = 0; round < 20; ++round) {
      for (float& v : x) v = normal(rng);
      format.encode(x.data(), nullptr, n, block.data());
      access.scales(block.data(), scale.data());
      for (uint16_t& point : points) point = static_cast<uint16_t>(rng() % access.grid.n);
      for (uint8_t& eight : signs) {
        eight = static_cast<uint8_t>(rng());
        if (access.grid.even_signs && std::popcount(eight) % 2 != 0) eight ^= 128;
      }
      access.put_points(points.data(), signs.data(), block.data());
      format.decode(block.data(), y.data(), n);
      size_t wrong = 0;
      for (size_t e = 0; e < n; ++e) {
        const float size =
            access.grid.coordinate(points[e / access.grid.dims], static_cast<uint32_t>(e) % access.grid.dims);
        wrong += y[e] != scale[e / access.sub] * ((signs[e / 8] >> e % 8 & 1) != 0 ? -size : size);
      }
      CHECK(wrong == 0);
    }
  }
  CHECK(n_formats == 5);
}
