// Importance matrices of mixtures of experts and of models with fused weights, against the reference engine's
// (tests/data/convert/imatrix_golden.py).
#include <quern/imatrix.h>

#include <cmath>

#include "lib/convert/imatrix.h"
#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::string saved(const Imatrix& imatrix) {
  const std::string path = (std::filesystem::temp_directory_path() / "quern_golden_imatrix.gguf").string();
  imatrix.save(path).value();
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return bytes;
}

double n_experts_used(const Golden& golden) {
  for (const auto& key : golden.json["keys"]) {
    if (key[0].get<std::string>().ends_with(".expert_used_count")) return key[2];
  }
  return 0;
}

}  // namespace

TEST_CASE("the inputs of experts and of fused weights") {
  for (const char* name : {"qwen3moe", "gpt_oss", "phi3"}) {
    CAPTURE(std::string(name));
    const Golden golden(name);
    const GoldenFile file(golden);
    const auto expected = Imatrix::open(std::string(QUERN_TEST_DATA_DIR "/convert/") + name + ".imatrix.dat");
    REQUIRE(expected);
    ImatrixOptions options;
    options.n_ctx = static_cast<uint32_t>(golden.tokens.size());
    options.process_output = true;
    Imatrix found;
    REQUIRE(found.collect(open_with(file.path(), 2), golden.tokens, options));
    CHECK(found.n_tensors() == expected->n_tensors());
    double worst = 0;
    for (const ImatrixTensor& tensor : expected->statistics()) {
      CAPTURE(tensor.name);
      const auto a = found.weights(tensor.name), b = expected->weights(tensor.name);
      REQUIRE(a.size() == b.size());
      double difference = 0, sum = 0;
      for (size_t i = 0; i < a.size(); ++i) {
        difference += std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        sum += b[i];
      }
      CHECK(difference / sum < 1e-3);
      worst = std::max(worst, difference / sum);
    }
    MESSAGE(golden.name << ": mean difference of the worst tensor: " << worst);

    // The same whatever the batch; and each expert counts the tokens that came to it.
    const std::string bytes = saved(found);
    for (const uint32_t n_batch : {1u, 7u}) {
      options.n_batch = n_batch;
      Imatrix again;
      REQUIRE(again.collect(open_with(file.path(), 1), golden.tokens, options));
      CHECK(saved(again) == bytes);
    }
    const auto data = convert::Imatrix::parse(std::as_bytes(std::span(bytes)), name).value();
    for (const auto& [tensor, entry] : data.entries) {
      CAPTURE(tensor);
      const bool experts = tensor.find("_exps") != std::string::npos;
      const double n_used = experts ? n_experts_used(golden) : 1;
      double tokens = 0;
      for (const double count : entry.counts) tokens += count;
      CHECK(tokens == n_used * static_cast<double>(golden.tokens.size()));
      CHECK((entry.counts.size() > 1) == experts);
    }
  }
}
