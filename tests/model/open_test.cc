// Opening a model: binding errors, defaults, progress, cancellation.
#include "lib/model/open.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "lib/model/decoder.h"
#include "tests/model/tiny_model.h"

using namespace quern;
using quern::testing::open_tiny;
using quern::testing::TinyModel;

namespace {

Error error_of(const TinyModel& tiny) {
  const auto model = open_tiny(tiny);
  REQUIRE(!model.has_value());
  return model.error();
}

void check_error(const TinyModel& tiny, Errc code, const std::string& ending) {
  const Error error = error_of(tiny);
  CHECK(error.code == code);
  CHECK_MESSAGE(error.message.find(ending) != std::string::npos, error.message);
}

}  // namespace

TEST_CASE("a whole model opens") {
  const auto model = open_tiny(TinyModel());
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  const model::LoadedModel& m = **model;
  CHECK(m.architecture == "llama");
  CHECK(m.runnable());
  CHECK(m.hparams->n_vocab == TinyModel::kVocab);
  CHECK(m.file_type == "F32");
  CHECK(m.weights.find(arch::Slot::attn_q, 2) != nullptr);
  CHECK(m.weights.find(arch::Slot::attn_q_bias, 2) == nullptr);
  uint64_t n = 0;
  for (const auto& t : TinyModel().tensors) n += t.bytes.size() / 4;
  CHECK(m.n_parameters == n);
  CHECK(m.tensor_bytes == 4 * n);
}

TEST_CASE("missing tensors") {
  TinyModel tiny;
  tiny.erase_tensor("blk.1.ffn_up.weight");
  check_error(tiny, Errc::format, "tensor 'blk.1.ffn_up.weight': missing, but the architecture 'llama' needs it");
  tiny = TinyModel();
  tiny.erase_tensor("token_embd.weight");
  check_error(tiny, Errc::format, "tensor 'token_embd.weight': missing");
  tiny = TinyModel();
  tiny.number("llama.block_count", 4);
  check_error(tiny, Errc::format, "tensor 'blk.3.attn_norm.weight': missing");
}

TEST_CASE("a model without output.weight uses the embeddings") {
  TinyModel tiny;
  tiny.erase_tensor("output.weight");
  const auto model = open_tiny(tiny);
  REQUIRE(model.has_value());
  CHECK((*model)->weights.get(arch::Slot::output).rows() == TinyModel::kVocab);
}

TEST_CASE("shapes are checked against the hyper-parameters") {
  TinyModel tiny;
  tiny.random_tensor("blk.0.attn_k.weight", {32, 32}, 1);
  check_error(tiny, Errc::format, "tensor 'blk.0.attn_k.weight': expected the shape [32, 16], found [32, 32]");
  tiny = TinyModel();
  tiny.random_tensor("blk.2.ffn_down.weight", {32, 48}, 1);
  check_error(tiny, Errc::format, "tensor 'blk.2.ffn_down.weight': expected the shape [48, 32], found [32, 48]");
  tiny = TinyModel();
  tiny.random_tensor("output_norm.weight", {31}, 1);
  check_error(tiny, Errc::format, "tensor 'output_norm.weight': expected the shape [32], found [31]");
  tiny = TinyModel();
  tiny.random_tensor("output_norm.weight", {32, 2}, 1);
  check_error(tiny, Errc::format, "expected the shape [32], found [32, 2]");
  tiny = TinyModel();
  tiny.random_tensor("token_embd.weight", {32, 271}, 1);
  check_error(tiny, Errc::format, "tensor 'token_embd.weight': expected the shape [32, 270], found [32, 271]");
  tiny = TinyModel();
  tiny.random_tensor("blk.0.attn_q.weight", {32, 16, 2}, 1);
  check_error(tiny, Errc::format, "expected the shape [32, 32], found [32, 16, 2]");
  tiny = TinyModel();
  tiny.random_tensor("blk.0.attn_q.bias", {16}, 1);
  check_error(tiny, Errc::format, "tensor 'blk.0.attn_q.bias': expected the shape [32], found [16]");
}

TEST_CASE("types are checked before anything is prepared") {
  TinyModel tiny;
  tiny.tensor("blk.0.attn_q.weight") = {
      "blk.0.attn_q.weight", {32, 32}, 26, std::vector<std::byte>(32 * 32 * 4)};  // I32
  check_error(tiny, Errc::unsupported, "tensor 'blk.0.attn_q.weight': ");
  CHECK(error_of(tiny).message.find("I32") != std::string::npos);
  tiny = TinyModel();
  tiny.tensor("blk.0.attn_norm.weight") = {"blk.0.attn_norm.weight", {32}, 8, std::vector<std::byte>(34)};  // Q8_0
  check_error(tiny, Errc::unsupported, "tensor 'blk.0.attn_norm.weight': expected F32 or F16, found type Q8_0");
}

TEST_CASE("architectures, vocabularies and keys") {
  TinyModel tiny;
  tiny.text("general.architecture", "rwkv9");
  check_error(tiny, Errc::unsupported, "the architecture 'rwkv9' is not supported");
  tiny = TinyModel();
  tiny.erase("general.architecture");
  check_error(tiny, Errc::format, "general.architecture");
  tiny = TinyModel();
  tiny.erase("tokenizer.ggml.tokens");
  check_error(tiny, Errc::format, "tokenizer.ggml.tokens");
  tiny = TinyModel();
  tiny.number("llama.expert_count", 8);
  check_error(tiny, Errc::format, "llama.expert_used_count': expected 1 to expert_count = 8, found 0");
  tiny.number("llama.expert_used_count", 2);
  check_error(tiny, Errc::format, "tensor 'blk.0.ffn_gate_inp.weight': missing, but the architecture 'llama' needs it");
}

TEST_CASE("a vocab_size key that differs from the tokens is reported, not fatal") {
  TinyModel tiny;
  tiny.number("llama.vocab_size", 400);
  std::vector<std::string> messages;
  model::OpenOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) messages.emplace_back(text);
  };
  const auto model = open_tiny(tiny, options);
  REQUIRE(model.has_value());
  CHECK((*model)->hparams->n_vocab == TinyModel::kVocab);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].find("vocab_size says 400, but there are 270 tokens") != std::string::npos);
}

TEST_CASE("tensors that nothing asks for are passed over") {
  TinyModel tiny;
  tiny.random_tensor("blk.7.attn_q.weight", {5}, 1);
  tiny.random_tensor("rotary.inv_freq", {5}, 1);
  std::vector<std::string> messages;
  model::OpenOptions options;
  options.log = [&](LogLevel level, std::string_view text) {
    CHECK(level == LogLevel::debug);
    messages.emplace_back(text);
  };
  REQUIRE(open_tiny(tiny, options).has_value());
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].find("2 tensors are not used, the first is 'blk.7.attn_q.weight'") != std::string::npos);
}

TEST_CASE("a number beside a matrix multiplies it, and is checked") {
  TinyModel tiny;
  tiny.f32_tensor("blk.1.attn_q.scale", {1}, {0.25f});
  tiny.f32_tensor("token_embd.scale", {1}, {4});
  std::vector<std::string> messages;
  model::OpenOptions options;
  options.log = [&](LogLevel, std::string_view text) { messages.emplace_back(text); };
  REQUIRE(open_tiny(tiny, options).has_value());
  CHECK(messages.empty());  // both are used
  tiny.f32_tensor("blk.1.attn_q.scale", {2}, {1, 1});
  check_error(tiny, Errc::format, "tensor 'blk.1.attn_q.scale': expected the shape [1], found [2]");
  tiny.f32_tensor("blk.1.attn_q.scale", {1}, {std::numeric_limits<float>::infinity()});
  check_error(tiny, Errc::format, "tensor 'blk.1.attn_q.scale': element 0: expected a number, found inf");
  tiny.tensor("blk.1.attn_q.scale").type = 1;
  tiny.tensor("blk.1.attn_q.scale").bytes.resize(2);
  check_error(tiny, Errc::unsupported, "tensor 'blk.1.attn_q.scale': expected F32, found type F16");
}

TEST_CASE("rope_freqs must be finite and positive") {
  TinyModel tiny;
  tiny.f32_tensor("rope_freqs.weight", {4}, {1, 2, 4, 8});
  const auto model = open_tiny(tiny);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  CHECK((*model)->ropes.global.inv_freq()[3] == doctest::Approx(std::pow(10000.0, -0.75) / 8));
  for (const float bad :
       {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    tiny.f32_tensor("rope_freqs.weight", {4}, {1, 2, bad, 8});
    check_error(tiny, Errc::format, "tensor 'rope_freqs.weight': element 2: expected a positive number, found");
  }
  tiny.f32_tensor("rope_freqs.weight", {8}, std::vector<float>(8, 1));
  check_error(tiny, Errc::format, "tensor 'rope_freqs.weight': expected the shape [4], found [8]");
}

TEST_CASE("progress counts bytes, and ends a load") {
  std::vector<uint64_t> done;
  model::OpenOptions options;
  options.load.progress = [&](const Progress& p) {
    CHECK(p.stage == "load");
    CHECK(p.done <= p.total);
    done.push_back(p.done);
    return true;
  };
  const auto model = open_tiny(TinyModel(), options);
  REQUIRE(model.has_value());
  REQUIRE(!done.empty());
  CHECK(std::is_sorted(done.begin(), done.end()));
  CHECK(done.back() == (*model)->tensor_bytes);

  options.load.progress = [](const Progress& p) { return p.done * 2 < p.total; };
  const auto stopped = open_tiny(TinyModel(), options);
  REQUIRE(!stopped.has_value());
  CHECK(stopped.error().code == Errc::cancelled);

  options.load = {};
  options.load.cancel.cancel();
  const auto cancelled = open_tiny(TinyModel(), options);
  REQUIRE(!cancelled.has_value());
  CHECK(cancelled.error().code == Errc::cancelled);
}

TEST_CASE("vocabulary alone, of any architecture") {
  model::OpenOptions options;
  options.vocab_only = true;
  TinyModel tiny;
  tiny.tensors.clear();
  auto model = open_tiny(tiny, options);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  CHECK_FALSE((*model)->runnable());
  CHECK((*model)->hparams->n_embd == TinyModel::kEmbd);
  tiny.text("general.architecture", "other");
  model = open_tiny(tiny, options);
  REQUIRE(model.has_value());
  CHECK((*model)->tokenizer->n_tokens() == static_cast<int32_t>(TinyModel::kVocab));
  CHECK_FALSE((*model)->hparams.has_value());
}

TEST_CASE("fingerprints tell models apart") {
  const auto print = [](const TinyModel& tiny) { return (*open_tiny(tiny))->fingerprint; };
  TinyModel tiny;
  const uint64_t first = print(tiny);
  CHECK(print(tiny) == first);
  tiny.text("general.name", "another name for the same model");
  CHECK(print(tiny) == first);
  tiny.number("llama.context_length", 128);
  CHECK(print(tiny) != first);
  tiny = TinyModel();
  tiny.random_tensor("blk.2.ffn_down.weight", {48, 32}, 0.3f);
  CHECK(print(tiny) != first);
}
