// Quantizing as a model is opened: which matrices, the numbers they get, what is said about the others.
#include "lib/model/requantize.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "lib/base/thread_pool.h"
#include "lib/cpu/backend.h"
#include "tests/model/tiny_model.h"

using namespace quern;
using arch::Slot;
using quern::testing::open_tiny;
using quern::testing::TempFile;
using quern::testing::TinyModel;
using tensor::DType;

namespace {

const quant::FormatInfo* format(std::string_view name) {
  const auto found = model::find_load_format(name, false);
  REQUIRE_MESSAGE(found, found.error().message);
  return *found;
}

model::OpenOptions options_for(std::string_view name, std::vector<std::string>* log = nullptr) {
  model::OpenOptions options;
  options.load.quantize = format(name);
  if (log != nullptr) {
    options.log = [log](LogLevel level, std::string_view message) {
      if (level == LogLevel::warning) log->emplace_back(message);
    };
  }
  return options;
}

}  // namespace

TEST_CASE("formats by name") {
  CHECK(format("") == nullptr);
  CHECK(format("Q4_K")->type == DType::q4_k);
  CHECK(format("q8_0")->type == DType::q8_0);
  const auto unknown = model::find_load_format("q4_k_m", false);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::argument);
  CHECK(unknown.error().message.find("expected one of") != std::string::npos);
  CHECK(unknown.error().message.find("Q4_K,") != std::string::npos);
  CHECK(unknown.error().message.find("found 'q4_k_m'") != std::string::npos);
  CHECK(model::find_load_format("", true).error().code == Errc::argument);
  CHECK(model::find_load_format("Q4_K", true).error().code == Errc::argument);
}

TEST_CASE("matrices of products are quantized; output, tables and rows of no whole blocks are not") {
  std::vector<std::string> log;
  const auto opened = open_tiny(TinyModel(), options_for("q8_0", &log));
  REQUIRE_MESSAGE(opened, opened.error().message);
  const model::Weights& weights = (*opened)->weights;
  for (uint32_t layer = 0; layer < TinyModel::kLayers; ++layer) {
    for (const Slot slot : {Slot::attn_q, Slot::attn_k, Slot::attn_v, Slot::attn_output, Slot::ffn_gate, Slot::ffn_up})
      CHECK(weights.get(slot, layer).type() == DType::q8_0);
    CHECK(weights.get(Slot::ffn_down, layer).type() == DType::f32);  // 48 columns
    CHECK(weights.get(Slot::attn_norm, layer).type() == DType::f32);
  }
  CHECK(weights.get(Slot::output).type() == DType::f32);
  CHECK(weights.get(Slot::token_embd).type() == DType::f32);
  REQUIRE(log.size() == 1);
  CHECK(log[0].find("3 matrices are not quantized to Q8_0, the first is 'blk.0.ffn_down.weight': rows of 48 elements "
                    "are no whole blocks of 32") != std::string::npos);
  // The file is as it was, and says so.
  CHECK((*opened)->file_type == "F32");
  CHECK((*opened)->file.tensors.find("blk.0.attn_q.weight")->view.type == DType::f32);
}

TEST_CASE("nothing grows: a type that is no smaller leaves matrices alone") {
  std::vector<std::string> log;
  const auto opened = open_tiny(TinyModel(), options_for("f32", &log));
  REQUIRE(opened);
  CHECK((*opened)->weights.get(Slot::attn_q).type() == DType::f32);
  CHECK(log.empty());
  CHECK((*open_tiny(TinyModel(), options_for("bf16")))->weights.get(Slot::attn_q).type() == DType::bf16);
}

TEST_CASE("rows come in any pieces, within half a step of what the file has") {
  const TempFile path("rows.gguf");
  TinyModel().write(path.path());
  const io::ModelFile file = io::open_model_file(path.path()).value();
  const io::TensorEntry& entry = *file.tensors.find("blk.1.ffn_up.weight");
  const model::RequantizedRows rows(file, entry, entry.view.slice(8, 40), *format("q8_0"));
  const tensor::TensorView view = rows.view();
  CHECK(view.shape.rows() == 40);
  CHECK(view.row_bytes == 34);
  std::vector<std::byte> whole(view.size_bytes()), piece(view.row_bytes * 3);
  rows.read(0, 40, whole.data());
  rows.release(0, 40);
  for (uint64_t r = 0; r + 3 <= 40; r += 3) {
    rows.read(r, r + 3, piece.data());
    CHECK(std::memcmp(piece.data(), whole.data() + r * view.row_bytes, piece.size()) == 0);
  }
  CHECK(rows.status());
  std::vector<float> found(32), expected(32);
  for (uint64_t r = 0; r < 40; ++r) {
    format("q8_0")->decode(whole.data() + r * view.row_bytes, found.data(), 32);
    std::memcpy(expected.data(), entry.view.row(8 + r), 32 * sizeof(float));
    float largest = 0;
    for (const float x : expected) largest = std::max(largest, std::fabs(x));
    // Half a step, and what rounding the scale to half precision adds.
    for (size_t i = 0; i < 32; ++i) CHECK(std::fabs(found[i] - expected[i]) <= largest / 127 * 0.57f);
  }
}

TEST_CASE("numbers that cannot be quantized") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    TinyModel tiny;
    const float value = bad;
    std::memcpy(tiny.tensor("blk.1.attn_k.weight").bytes.data() + (5 * 32 + 7) * sizeof value, &value, sizeof value);
    CHECK(open_tiny(tiny));
    const auto opened = open_tiny(tiny, options_for("q4_0"));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::format);
    CHECK(opened.error().message.find("tensor 'blk.1.attn_k.weight', row 5, column 7: ") != std::string::npos);
    CHECK(opened.error().message.find("cannot be quantized to Q4_0") != std::string::npos);
  }
}

TEST_CASE("the memory that is counted is the memory that is taken, repacked or not") {
  const auto pool = base::ThreadPool::create(2).value();
  const auto backend = cpu::make_backend(*pool).value();
  const TempFile path("memory.gguf");
  TinyModel().write(path.path());
  for (const bool repack : {true, false}) {
    model::OpenOptions options = options_for("q4_0");
    options.load.repack = repack;
    const model::Survey survey = model::survey(path.path(), *backend, options);
    REQUIRE(survey.faults.empty());
    const auto counted = model::weight_bytes(survey.model->file, survey.plan.bindings, *backend, repack);
    REQUIRE(counted);
    const auto opened = model::open(path.path(), *backend, options);
    REQUIRE_MESSAGE(opened, opened.error().message);
    CHECK((*opened)->weights.size_bytes() == *counted);
    CHECK((*opened)->weights.get(Slot::attn_q).usage() == compute::Usage::matmul);
    CHECK(((*opened)->weights.get(Slot::output).usage() == compute::Usage::matmul) == repack);
  }
}

TEST_CASE("a model's fingerprint tells what it was quantized to") {
  const auto plain = open_tiny(TinyModel()).value(), q8 = open_tiny(TinyModel(), options_for("q8_0")).value(),
             q4 = open_tiny(TinyModel(), options_for("q4_0")).value();
  CHECK(plain->fingerprint != q8->fingerprint);
  CHECK(q4->fingerprint != q8->fingerprint);
}
