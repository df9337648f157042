// A trained model against logits computed in float64 by an independent program.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lib/model/decoder.h"
#include "tests/model/tiny_model.h"

using namespace quern;

namespace {

const std::string kData = QUERN_TEST_DATA_DIR "/model/";

struct Expected {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> rows;
  std::vector<std::vector<double>> logits;
};

Expected read_expected() {
  std::ifstream in(kData + "stories260K_expected.json");
  const auto json = nlohmann::json::parse(in);
  return {json["tokens"], json["logit_rows"], json["logits"]};
}

/// Logits of every token, in one pass over an f32 cache.
std::vector<float> all_logits(const model::LoadedModel& m, std::span<const int32_t> tokens) {
  const model::Decoder decoder(m, 512);
  const auto n = static_cast<uint32_t>(tokens.size());
  auto stream = m.backend->make_stream().value();
  auto kv = m.backend->make_kv_store(decoder.kv_shape(model::KvSpan::all, compute::KvType::f32, compute::KvType::f32))
                .value();
  kv->grow((n + compute::kKvBlockTokens - 1) / compute::kKvBlockTokens).value();
  model::Workspace workspace = model::Workspace::create(*m.backend, *m.hparams, n).value();
  std::vector<int32_t> positions(n);
  std::vector<uint32_t> numbers(n), blocks(kv->n_blocks());
  std::vector<compute::AttentionRow> rows(n);
  for (uint32_t i = 0; i < blocks.size(); ++i) blocks[i] = i;
  for (uint32_t i = 0; i < n; ++i) {
    positions[i] = static_cast<int32_t>(i);
    numbers[i] = i;
    rows[i] = {blocks.data(), 0, i + 1};
  }
  std::vector<float> logits(uint64_t{n} * m.hparams->n_vocab);
  const model::DecodeBatch batch{tokens, positions, {numbers, rows}, {}, numbers, logits, {}};
  decoder.run(*stream, {kv.get(), nullptr}, workspace, batch, CancelToken()).value();
  return logits;
}

double largest_error(const model::LoadedModel& m, const Expected& expected, std::span<const float> logits) {
  double error = 0;
  for (size_t r = 0; r < expected.rows.size(); ++r) {
    for (size_t i = 0; i < m.hparams->n_vocab; ++i) {
      error = std::max(error, std::abs(logits[expected.rows[r] * m.hparams->n_vocab + i] - expected.logits[r][i]));
    }
  }
  return error;
}

}  // namespace

TEST_CASE("stories260K in F16: greedy tokens, and logits close to those of the F32 weights") {
  const auto opened = model::open(kData + "stories260K-f16.gguf", quern::testing::reference_backend());
  REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
  const model::LoadedModel& m = **opened;
  const Expected expected = read_expected();
  const std::span<const int32_t> tokens = std::span(expected.tokens).first(128);
  const std::vector<float> logits = all_logits(m, tokens);
  CHECK(largest_error(m, expected, logits) < 0.02);
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    const auto row = logits.begin() + static_cast<ptrdiff_t>(i * m.hparams->n_vocab);
    CHECK(std::max_element(row, row + m.hparams->n_vocab) - row == tokens[i + 1]);
  }
}

TEST_CASE("stories260K in F32: logits to a thousandth") {
  const char* data = std::getenv("QUERN_TEST_DATA");
  const std::string path = std::string(data ? data : "") + "/models/stories260K/stories260K-f32.gguf";
  if (!data || !std::filesystem::exists(path)) {
    MESSAGE("QUERN_TEST_DATA is not set: skipped");
    return;
  }
  const auto opened = model::open(path, quern::testing::reference_backend());
  REQUIRE_MESSAGE(opened.has_value(), opened.error().message);
  const Expected expected = read_expected();
  const auto logits = all_logits(**opened, std::span(expected.tokens).first(16));
  const double error = largest_error(**opened, expected, logits);
  MESSAGE("largest error " << error);
  CHECK(error < 1e-3);
}
