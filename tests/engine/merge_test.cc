// Adapters merged by conversion: the new file's logits are those of the adapter at run time.
#include <doctest/doctest.h>
#include <quern/convert.h>
#include <quern/quern.h>

#include <cmath>

#include "tests/golden/adapters.h"
#include "tests/hf/peft_folder.h"
#include "tests/model/tiny_model.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<float> logits_with(const Model& model, const std::vector<Token>& tokens,
                               const std::vector<AdapterUse>& adapters = {}) {
  ContextOptions options;
  options.n_ctx = 512;
  options.type_k = options.type_v = CacheType::f32;
  options.adapters = adapters;
  auto context = Context::create(model, options).value();
  REQUIRE(context.append(tokens, 0, true));
  std::vector<float> out;
  for (size_t i = 0; i < context.n_logits(); ++i) {
    const auto row = context.logits(i);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

/// The largest difference, in standard deviations of b.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double squares = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    squares += double{b[i]} * b[i];
    const double d = std::abs(double{a[i]} - b[i]);
    largest = d <= largest ? largest : d;
  }
  return largest / std::sqrt(squares / static_cast<double>(b.size()));
}

Runtime runtime() {
  RuntimeOptions options;
  options.n_threads = 2;
  return Runtime::create(options).value();
}

Result<QuantizeResult> convert(const std::string& in, const std::string& out, std::vector<MergedAdapter> adapters,
                               const std::string& type = "f32") {
  ConvertOptions options;
  options.type = type;
  options.adapters = std::move(adapters);
  return convert_model(runtime(), in, out, options);
}

Adapter open_adapter(const Model& model, const std::string& path) {
  auto adapter = Adapter::open(model, path);
  REQUIRE_MESSAGE(adapter.has_value(), adapter.error().message);
  return std::move(*adapter);
}

}  // namespace

TEST_CASE("a merged model gives the logits of its adapters at run time") {
  for (const std::string& name : golden_adapter_names()) {
    CAPTURE(name);
    const GoldenAdapters golden(name);
    const GoldenFile file(golden.model);
    const Model model = open_with(file.path(), 2);
    std::vector<std::unique_ptr<GoldenFile>> files;
    std::vector<AdapterUse> uses;
    std::vector<MergedAdapter> merged;
    for (size_t i = 0; i < golden.n_adapters(); ++i) {
      files.push_back(std::make_unique<GoldenFile>(golden.adapter(i)));
      uses.push_back({open_adapter(model, files.back()->path()), golden.scale(i)});
      merged.push_back({files.back()->path(), golden.scale(i)});
    }
    const TempFile out("merged.gguf");
    const auto result = convert(file.path(), out.path(), merged);
    REQUIRE_MESSAGE(result.has_value(), result.error().message);
    const auto& tokens = golden.model.tokens;
    const auto at_run_time = logits_with(model, tokens, uses), found = logits_with(open_with(out.path(), 2), tokens);
    CHECK(difference(found, at_run_time) < 1e-4);
    CHECK(difference(found, logits_with(model, tokens)) > 0.1);
  }
}

TEST_CASE("a table of embeddings that is the output too: each is changed alone") {
  const Golden golden("llama_fused");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 2);
  const std::vector<float> a(size_t{2} * 64, 0.01f), b(size_t{96} * 2, 0.25f), tokens_a(size_t{2} * 96, 0.5f),
      length_b(size_t{64} * 2, 0.125f);
  for (const bool output : {true, false}) {
    CAPTURE(output);
    PeftFolder folder;
    if (output) {
      folder.add("lm_head.lora_A.weight", 2, a);
      std::vector<float> uneven = b;
      for (size_t i = 0; i < uneven.size(); ++i) uneven[i] *= static_cast<float>(i % 7);
      folder.add("lm_head.lora_B.weight", 96, uneven);
    } else {
      std::vector<float> uneven = tokens_a;
      for (size_t i = 0; i < uneven.size(); ++i) uneven[i] *= static_cast<float>(i % 11);
      folder.add("model.embed_tokens.lora_embedding_A", 2, uneven);
      folder.add("model.embed_tokens.lora_embedding_B", 64, length_b);
    }
    folder.write(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 2})");
    const TempFile out("merged.gguf");
    const auto result = convert(file.path(), out.path(), {{folder.path(), 1.0f}});
    REQUIRE_MESSAGE(result.has_value(), result.error().message);
    const auto at_run_time = logits_with(model, golden.tokens, {{open_adapter(model, folder.path()), 1.0f}});
    const Model merged = open_with(out.path(), 2);
    CHECK(merged.tensors().size() == model.tensors().size() + 1);
    CHECK(difference(logits_with(merged, golden.tokens), at_run_time) < 1e-4);
    CHECK(difference(at_run_time, logits_with(model, golden.tokens)) > 0.01);
  }
}

TEST_CASE("factors beside the weights go into them") {
  // The same adapter with a model whose tensors have a number to multiply them by.
  const Golden golden("llama_scaled");
  const GoldenFile file(golden);
  const Model model = open_with(file.path(), 2);
  const GoldenAdapters adapters("llama_two");
  const GoldenFile adapter(adapters.adapter(1));
  const TempFile out("merged.gguf");
  const auto result = convert(file.path(), out.path(), {{adapter.path(), 0.5f}});
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  const auto at_run_time = logits_with(model, golden.tokens, {{open_adapter(model, adapter.path()), 0.5f}});
  CHECK(difference(logits_with(open_with(out.path(), 2), golden.tokens), at_run_time) < 1e-4);
}

TEST_CASE("merged weights follow the type that is asked for") {
  const GoldenAdapters golden("llama");
  const GoldenFile file(golden.model), adapter(golden.adapter(0));
  const TempFile full("full.gguf"), small("small.gguf"), again("again.gguf");
  REQUIRE(convert(file.path(), full.path(), {{adapter.path(), 1.0f}}));
  REQUIRE(convert(file.path(), small.path(), {{adapter.path(), 1.0f}}, "q8_0"));
  REQUIRE(convert(full.path(), again.path(), {}, "q8_0"));
  const auto type_of = [](const Model& model, const std::string& name) {
    for (const TensorInfo& tensor : model.tensors()) {
      if (tensor.name == name) return tensor.type;
    }
    return std::string();
  };
  const Model merged = open_with(small.path(), 1);
  CHECK(type_of(merged, "blk.0.attn_q.weight") == "Q8_0");
  // The same as in two steps.
  CHECK(logits_with(merged, golden.model.tokens) == logits_with(open_with(again.path(), 1), golden.model.tokens));
  // From weights that are quantized already.
  const TempFile from_small("from_small.gguf");
  REQUIRE(convert(again.path(), from_small.path(), {{adapter.path(), -1.0f}}, "f16"));
  CHECK(type_of(open_with(from_small.path(), 1), "blk.0.attn_q.weight") == "F16");
}

TEST_CASE("adapters that cannot be merged are refused, and nothing is written") {
  const GoldenAdapters golden("llama");
  const GoldenFile fused(Golden("llama_fused")), adapter(golden.adapter(0)), other(GoldenAdapters("phi3").adapter(0));
  const TempFile out("refused.gguf");
  const auto refusal = [&](const MergedAdapter& merged) {
    const auto result = convert(fused.path(), out.path(), {merged});
    REQUIRE_FALSE(result.has_value());
    CHECK_FALSE(std::filesystem::exists(out.path()));
    return result.error().message;
  };
  CHECK(refusal({adapter.path(), 1.0f}).find("has no tensor 'blk.0.attn_k.weight' to merge it into") !=
        std::string::npos);
  CHECK(refusal({other.path(), 1.0f})
            .find("expected an adapter for the model's architecture 'llama', found one for "
                  "'phi3'") != std::string::npos);
  CHECK(refusal({fused.path(), 1.0f}).find("'general.type': missing: not an adapter") != std::string::npos);
  CHECK(refusal({out.path(), 1.0f}).find(out.path()) != std::string::npos);
}
