// Collecting importance matrices, judged by llama.cpp's own sums (tests/data/convert/imatrix_golden.py), and in the
// first layer by arithmetic in double.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lib/convert/imatrix.h"
#include "lib/io/reader.h"
#include "lib/quant/format.h"
#include "tests/engine/demo.h"

using namespace quern;
using namespace quern::testing;

namespace {

const std::string kStories = QUERN_TEST_DATA_DIR "/model/stories260K-f16.gguf";

Model stories(uint32_t n_threads = 2, const std::string& backend = "cpu") {
  ModelOptions options;
  options.runtime = runtime(n_threads, backend);
  return Model::open(kStories, options).value();
}

std::vector<Token> story() {
  std::ifstream file(QUERN_TEST_DATA_DIR "/model/stories260K_expected.json");
  return nlohmann::json::parse(file).at("tokens").get<std::vector<Token>>();
}

ImatrixOptions chunks_of(uint32_t n_ctx) {
  ImatrixOptions options;
  options.n_ctx = n_ctx;
  return options;
}

std::string temporary(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

/// The whole file, as it would be saved.
std::string saved(const Imatrix& imatrix) {
  const std::string path = temporary("quern_imatrix_test.gguf");
  imatrix.save(path).value();
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return bytes;
}

std::vector<float> decoded(const io::ModelFile& file, const char* name) {
  const io::TensorEntry& entry = *file.tensors.find(name);
  std::vector<float> out(entry.view.shape.elements());
  quant::resolve_format(entry.type_id).value()->decode(entry.view.data, out.data(), out.size());
  return out;
}

}  // namespace

TEST_CASE("an importance matrix is llama.cpp's") {
  const auto golden = Imatrix::open(QUERN_TEST_DATA_DIR "/convert/stories260K.imatrix.dat");
  REQUIRE(golden);
  Imatrix imatrix;
  ImatrixOptions options = chunks_of(128);
  options.process_output = true;
  REQUIRE(imatrix.collect(stories(), story(), options));
  CHECK(golden->n_tensors() == 36);  // 7 in each of 5 layers, and the output, which is token_embd.weight
  CHECK(imatrix.n_tensors() == 36);
  CHECK(imatrix.n_chunks() == 2);
  double worst = 0;
  for (const ImatrixTensor& tensor : golden->statistics()) {
    CAPTURE(tensor.name);
    const auto expected = golden->weights(tensor.name), found = imatrix.weights(tensor.name);
    REQUIRE(found.size() == expected.size());
    double error = 0, sum = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      error += std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
      sum += expected[i];
    }
    worst = std::max(worst, error / sum);
    CHECK(error / sum < 2e-3);  // both round activations here and there, to different types
  }
  MESSAGE("mean difference of the worst tensor: " << worst);

  Imatrix layers_only;
  REQUIRE(layers_only.collect(stories(), story(), chunks_of(128)));
  CHECK(layers_only.n_tensors() == 35);
  CHECK(layers_only.weights("token_embd.weight").empty());
  for (const ImatrixTensor& tensor : layers_only.statistics())
    CHECK(layers_only.weights(tensor.name) == imatrix.weights(tensor.name));
}

TEST_CASE("the first layer's input is the embedding, normalized") {
  const auto file = io::open_model_file(kStories).value();
  const auto table = decoded(file, "token_embd.weight"), norm = decoded(file, "blk.0.attn_norm.weight");
  const double eps = file.meta.get_float("llama.attention.layer_norm_rms_epsilon").value().value();
  const auto tokens = story();
  const size_t n = norm.size(), n_tokens = 200;
  std::vector<double> expected(n);
  for (size_t t = 0; t < n_tokens; ++t) {
    const Token token = t % 100 == 0 ? 1 : tokens[t];  // BOS begins each chunk
    const float* x = table.data() + static_cast<size_t>(token) * n;
    double squares = 0;
    for (size_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * x[i];
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
    for (size_t i = 0; i < n; ++i) expected[i] += std::pow(x[i] * scale * norm[i], 2) / n_tokens;
  }
  for (const char* backend : {"cpu", "reference"}) {
    Imatrix imatrix;
    REQUIRE(imatrix.collect(stories(2, backend), tokens, chunks_of(100)));
    for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}) {
      const auto found = imatrix.weights(name);
      REQUIRE(found.size() == n);
      for (size_t i = 0; i < n; ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
    }
  }
}

TEST_CASE("the result depends neither on the batch nor on threads, and every tensor counts every token") {
  const auto tokens = story();
  const auto collected = [&](const Model& model, uint32_t n_batch, bool process_output) {
    Imatrix imatrix;
    REQUIRE(imatrix.collect(model, tokens, {.n_ctx = 60, .n_batch = n_batch, .process_output = process_output}));
    return saved(imatrix);
  };
  std::string first, first_with_output;
  for (const uint32_t n_threads : {1u, 2u}) {
    const Model model = stories(n_threads);
    if (first.empty()) first = collected(model, 512, false);
    if (first_with_output.empty()) first_with_output = collected(model, 512, true);
    for (const uint32_t n_batch : {512u, 1u, 7u, 33u}) {
      CHECK(collected(model, n_batch, false) == first);  // to the bit
      CHECK(collected(model, n_batch, true) == first_with_output);
    }
  }
  const auto file = convert::Imatrix::parse(std::as_bytes(std::span(first)), "first").value();
  CHECK(file.n_chunks == 4);
  CHECK(file.chunk_size == 60);
  for (const auto& [name, entry] : file.entries) CHECK(entry.counts == std::vector<double>{240});
}

TEST_CASE("chunks can be skipped, limited, and added later") {
  const Model model = stories();
  const auto tokens = story();
  Imatrix all, parts, merged;
  ImatrixOptions options = chunks_of(64);
  options.dataset = "story";
  std::vector<uint32_t> calls;
  uint64_t last = 0;
  options.on_chunk = [&](uint32_t n) { calls.push_back(n); };
  options.progress = [&](const Progress& progress) {
    last = progress.done;
    return progress.total == 256 && progress.stage == "imatrix";
  };
  REQUIRE(all.collect(model, tokens, options));
  CHECK(calls == std::vector<uint32_t>{1, 2, 3, 4});
  CHECK(last == 256);
  CHECK(all.datasets() == std::vector<std::string>{"story"});
  options.progress = {};
  options.on_chunk = {};
  options.max_chunks = 1;
  REQUIRE(parts.collect(model, tokens, options));
  options.first_chunk = 1;
  options.max_chunks = -1;
  REQUIRE(parts.collect(model, tokens, options));
  CHECK(parts.n_chunks() == 4);
  CHECK(saved(parts) == saved(all));
  options.first_chunk = 2;
  Imatrix end;
  REQUIRE(end.collect(model, tokens, options));
  CHECK(end.n_chunks() == 2);
  options.first_chunk = 0;
  options.max_chunks = 2;
  REQUIRE(merged.collect(model, tokens, options));
  REQUIRE(merged.merge(end));
  for (const ImatrixTensor& tensor : all.statistics()) {
    const auto expected = all.weights(tensor.name), found = merged.weights(tensor.name);
    for (size_t i = 0; i < found.size(); ++i) CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  }
}

TEST_CASE("what was collected before a stop is kept, whole chunks of it") {
  const Model model = stories();
  const auto tokens = story();
  ImatrixOptions options = chunks_of(64);
  Imatrix stopped, expected;
  options.on_chunk = [&](uint32_t n) {
    if (n == 2) options.cancel.cancel();
  };
  const Status status = stopped.collect(model, tokens, options);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::cancelled);
  CHECK(stopped.n_chunks() == 2);
  REQUIRE(expected.collect(model, tokens, {.n_ctx = 64, .max_chunks = 2}));
  CHECK(saved(stopped) == saved(expected));

  Imatrix by_progress;
  options = chunks_of(64);
  options.progress = [](const Progress&) { return false; };
  CHECK(by_progress.collect(model, tokens, options).error().code == Errc::cancelled);
  CHECK(by_progress.n_chunks() == 1);
}

TEST_CASE("what makes no sense is refused") {
  const Model model = stories();
  auto tokens = story();
  Imatrix imatrix;
  CHECK(imatrix.collect(model, tokens, chunks_of(0)).error().code == Errc::argument);
  CHECK(imatrix.collect(model, tokens, chunks_of(1000)).error().code == Errc::argument);
  CHECK(imatrix.collect(model, tokens, {.n_ctx = 64, .n_batch = 0}).error().code == Errc::argument);
  CHECK(imatrix.collect(model, tokens, {.n_ctx = 64, .first_chunk = 4}).error().code == Errc::argument);
  CHECK(imatrix.collect(model, tokens, {.n_ctx = 64, .max_chunks = 0}).error().code == Errc::argument);
  tokens[70] = 512;
  const Status status = imatrix.collect(model, tokens, chunks_of(64));
  CHECK(status.error().message == "token 70 is 512, the vocabulary has 512");
  CHECK(imatrix.n_tensors() == 0);
  CHECK(imatrix.save(temporary("quern_none.gguf")).error().code == Errc::argument);
  CHECK(imatrix.save(temporary("quern_none.gguf"), static_cast<ImatrixFormat>(9)).error().code == Errc::argument);
  CHECK(Imatrix::open(temporary("quern_missing.gguf")).error().code == Errc::not_found);
  CHECK(Imatrix::open(kStories).error().message.find("general.type") != std::string::npos);
  Imatrix other;
  REQUIRE(other.collect(demo(), std::vector<Token>(64, 300), chunks_of(64)));
  REQUIRE(imatrix.collect(model, story(), chunks_of(64)));
  CHECK(imatrix.merge(other).error().code == Errc::argument);
  CHECK(imatrix.n_chunks() == 4);
  CHECK(imatrix.collect(demo(), std::vector<Token>(64, 300), chunks_of(64)).error().code == Errc::argument);
}
