// The check of a model file agrees with opening it: on every tiny model as it is, and on some with faults.
#include <quern/check.h>

#include <algorithm>

#include "tests/golden/tiny_models.h"

using namespace quern;
using namespace quern::testing;

namespace {

CheckReport checked(const std::string& path) {
  auto report = check_model(path);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  // The first problem is what open() says, and there is none where it succeeds.
  const auto model = Model::open(path);
  CHECK(report->opens == model.has_value());
  if (!model) {
    REQUIRE_FALSE(report->problems.empty());
    CHECK(report->problems[0].fatal);
    CHECK(report->problems[0].error.code == model.error().code);
    CHECK(report->problems[0].error.message == model.error().message);
  }
  return *report;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

GoldenTensor* find(std::vector<GoldenTensor>& tensors, const std::string& name) {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const GoldenTensor& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

}  // namespace

TEST_CASE("every tiny model passes the check") {
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden")) {
    if (entry.path().extension() != ".f32") continue;
    const std::string name = entry.path().stem().string();
    CAPTURE(name);
    const Golden golden(name);
    const GoldenFile file(golden);
    const CheckReport report = checked(file.path());
    CHECK(report.runs);
    CHECK(report.architecture_known);
    CHECK(report.tokenizer_known);
    CHECK(report.problems.empty());
    CHECK(report.n_tensors == golden.json["tensors"].size());
    CHECK(report.n_unused == 0);
    CHECK(report.weight_bytes > 0);
    CHECK(report.cache_bytes > 0);
    CHECK(report.needed_bytes == report.weight_bytes + report.cache_bytes + report.buffer_bytes);
    CHECK(report.n_ctx == 4096);
  }
}

TEST_CASE("layers that predict further tokens are named as skipped") {
  const GoldenFile file(Golden("glm4moe"));
  const CheckReport report = checked(file.path());
  CHECK(report.n_skipped_layers == 1);
  CHECK(report.n_skipped > 10);
}

TEST_CASE("all tensors at fault are named, and those that nobody needs") {
  const GoldenFile file(Golden("qwen3"), [](std::vector<GoldenTensor> tensors) {
    std::erase_if(tensors, [](const GoldenTensor& t) {
      return t.name == "blk.0.attn_k.weight" || t.name == "blk.1.ffn_down.weight";
    });
    GoldenTensor& up = *find(tensors, "blk.1.ffn_up.weight");
    up.shape.ne[1] /= 2;
    up.elements.resize(up.shape.elements());
    tensors.push_back({"blk.0.mystery.weight", {{64, 1, 1, 1}, 1}, std::vector<float>(64)});
    return tensors;
  });
  const CheckReport report = checked(file.path());
  CHECK_FALSE(report.opens);
  CHECK_FALSE(report.runs);
  CHECK(report.n_problems == 3);
  std::vector<std::string> missing, other;
  for (const CheckProblem& problem : report.problems) {
    CHECK(problem.part == CheckPart::tensors);
    CHECK(problem.error.message.find(problem.tensor) != std::string::npos);
    (problem.missing ? missing : other).push_back(problem.tensor);
  }
  CHECK(missing.size() == 2);
  CHECK(has(missing, "blk.0.attn_k.weight"));
  CHECK(has(missing, "blk.1.ffn_down.weight"));
  CHECK(other == std::vector<std::string>{"blk.1.ffn_up.weight"});
  CHECK(report.unused == std::vector<std::string>{"blk.0.mystery.weight"});
  CHECK(report.needed_bytes == 0);  // not found out
}

TEST_CASE("an unknown architecture: which ones are known") {
  Golden golden("llama");
  golden.json["keys"][0][2] = "quernish";
  const GoldenFile file(golden);
  const CheckReport report = checked(file.path());
  CHECK_FALSE(report.architecture_known);
  CHECK(report.tokenizer_known);
  REQUIRE(report.n_problems == 1);
  CHECK(report.problems[0].part == CheckPart::architecture);
  CHECK(report.problems[0].error.message.find("quernish") != std::string::npos);
  CHECK(report.problems[0].error.message.find("qwen3moe") != std::string::npos);
}

TEST_CASE("faults of the tokenizer and of tensors are found together; a template is only warned of") {
  Golden golden("llama");
  for (auto& key : golden.json["keys"]) {
    if (key[0] == "tokenizer.ggml.pre") key[2] = "no-such-pretokenizer";
  }
  golden.json["keys"].push_back({"tokenizer.chat_template", "str", "{% for %}"});
  const GoldenFile file(golden, [](std::vector<GoldenTensor> tensors) {
    std::erase_if(tensors, [](const GoldenTensor& t) { return t.name == "output_norm.weight"; });
    return tensors;
  });
  const CheckReport report = checked(file.path());
  CHECK_FALSE(report.tokenizer_known);
  CHECK(report.pretokenizer == "no-such-pretokenizer");
  REQUIRE(report.problems.size() == 3);
  CHECK(report.problems[0].part == CheckPart::tokenizer);
  CHECK(report.problems[1].part == CheckPart::tensors);
  CHECK(report.problems[1].tensor == "output_norm.weight");
  CHECK(report.problems[2].part == CheckPart::chat_template);
  CHECK_FALSE(report.problems[2].fatal);
}

TEST_CASE("the memory that is counted is the memory that is taken") {
  const GoldenFile file(Golden("mixtral"));
  CheckOptions options;
  options.context.n_ctx = 96;
  options.context.type_k = options.context.type_v = CacheType::f32;
  const CheckReport report = check_model(file.path(), options).value();
  CHECK(report.n_ctx == 96);
  // Layers, heads, elements (heads are padded to 32), keys and values.
  CHECK(report.cache_bytes == 96u * 2 * 2 * 32 * 2 * sizeof(float));
  Context context = Context::create(open_with(file.path(), 1), options.context).value();
  REQUIRE(context.append(std::vector<Token>(96, 5)));
  CHECK(context.cache_bytes() == report.cache_bytes);
  options.repack = false;
  CHECK(check_model(file.path(), options).value().weight_bytes < report.weight_bytes / 4);  // norms alone
  options.context.n_ctx = 1u << 30;
  const CheckReport huge = check_model(file.path(), options).value();
  CHECK(huge.opens);
  if (huge.available_bytes > 0 && huge.available_bytes < huge.needed_bytes) {
    CHECK_FALSE(huge.runs);
    REQUIRE(huge.problems.size() == 1);
    CHECK(huge.problems[0].part == CheckPart::memory);
  }
  options.context.n_batch = 0;
  CHECK(check_model(file.path(), options).error().code == Errc::argument);
}

TEST_CASE("a file that is none") {
  const CheckReport report = checked("/nowhere/model.gguf");
  CHECK_FALSE(report.runs);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].part == CheckPart::file);
  CHECK(report.problems[0].error.code == Errc::not_found);
  CHECK(report.format.empty());
}
