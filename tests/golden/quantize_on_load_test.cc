// Quantizing as a model is opened gives what a file that was quantized before gives, to the bit, and stays as near to
// the reference engine's logits as its type allows.
#include <algorithm>
#include <cmath>

#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

Model open_as(const std::string& path, const std::string& type, uint32_t n_threads = 2,
              const std::string& backend = "cpu") {
  RuntimeOptions runtime;
  runtime.n_threads = n_threads;
  runtime.backend = backend;
  ModelOptions options;
  options.runtime = Runtime::create(runtime).value();
  options.quantize = type;
  auto model = Model::open(path, options);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(model).value();
}

std::vector<float> all_logits(const Model& model, const Golden& golden) {
  ContextOptions options;
  options.n_ctx = golden.n_ctx();
  options.type_k = options.type_v = CacheType::f32;
  Context context = Context::create(model, options).value();
  REQUIRE(context.append(golden.tokens, 0, true));
  std::vector<float> out;
  for (size_t i = 0; i < golden.tokens.size(); ++i) {
    const auto row = context.logits(i);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

/// Mean square difference over the variance of b.
double noise(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double sum = 0, squares = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += b[i];
    squares += static_cast<double>(b[i]) * b[i];
    difference += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  }
  const auto n = static_cast<double>(b.size());
  return difference / (squares - sum * sum / n);
}

}  // namespace

TEST_CASE("the same as a file quantized before, to the bit") {
  for (const char* name : {"llama", "mixtral", "phi3", "llama_fused"}) {
    const Golden golden(name);
    const GoldenFile file(golden);
    for (const char* type : {"Q4_0", "Q5_1", "Q8_0", "IQ4_NL", "Q5_0"}) {
      CAPTURE(name);
      CAPTURE(type);
      QuantizeOptions options;
      options.type = type;
      options.pure = options.leave_output_tensor = true;
      options.token_embedding_type = "F32";
      const std::string quantized = file.path() + ".q";
      const auto written = quantize(Runtime::create().value(), file.path(), quantized, options);
      REQUIRE_MESSAGE(written, written.error().message);
      const auto expected = all_logits(open_as(quantized, ""), golden);
      CHECK(all_logits(open_as(file.path(), type), golden) == expected);
      CHECK(all_logits(open_as(file.path(), type, 1), golden) == expected);
      // Of a file that is quantized already nothing changes.
      CHECK(all_logits(open_as(quantized, "Q4_1"), golden) == expected);
      std::filesystem::remove(quantized);
    }
  }
}

TEST_CASE("the reference engine's logits, as near as the type allows") {
  struct Case {
    const char* type;
    double most, least;  // of the noise: too little of it, and nothing was quantized; other weights would make it 2
  };
  for (const char* name : {"llama", "mixtral", "phi3"}) {
    const Golden golden(name);
    const GoldenFile file(golden);
    for (const Case& c :
         {Case{"Q8_0", 0.05, 1e-8}, Case{"q4_0", 0.7, 1e-4}, Case{"nf4", 0.7, 1e-4}, Case{"BF16", 1e-3, 1e-9}}) {
      for (const char* backend : {"cpu", "reference"}) {
        const double found = noise(all_logits(open_as(file.path(), c.type, 1, backend), golden), golden.logits);
        CAPTURE(name);
        CAPTURE(c.type);
        CAPTURE(backend);
        CAPTURE(found);
        CHECK(found < c.most);
        CHECK(found > c.least);
      }
    }
  }
}

TEST_CASE("unknown types and what does not go together") {
  const GoldenFile file(Golden("llama"));
  ModelOptions options;
  options.quantize = "Q4_K_M";
  const auto unknown = Model::open(file.path(), options);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::argument);
  CHECK(unknown.error().message.find("Q4_K, ") != std::string::npos);
  options.quantize = "Q4_0";
  options.double_quant = true;
  CHECK(Model::open(file.path(), options).error().code == Errc::argument);
  CheckOptions check;
  check.quantize = "nothing";
  CHECK(check_model(file.path(), check).error().code == Errc::argument);
}

TEST_CASE("a check counts the memory of the new type") {
  const GoldenFile file(Golden("llama"));
  CheckOptions options;
  const uint64_t plain = check_model(file.path(), options).value().weight_bytes;
  options.quantize = "Q4_0";
  const uint64_t quantized = check_model(file.path(), options).value().weight_bytes;
  CHECK(quantized < plain / 2);
  options.repack = false;
  const CheckReport report = check_model(file.path(), options).value();
  CHECK(report.weight_bytes < quantized);  // the output layer stays in the file
  CHECK(report.weight_bytes > quantized / 4);
}
