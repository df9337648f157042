// Hugging Face folders of every architecture: their tensors and keys are those of the GGUF with the same weights, and
// so is what they make. The folders' names are written from the side of transformers (hf_families.py).
#include "tests/golden/hf_folder.h"

#include <algorithm>
#include <set>
#include <span>

#include "lib/arch/hf.h"
#include "lib/hf/open.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

using namespace quern;
using namespace quern::testing;

namespace {

std::vector<std::string> folder_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden/hf"))
    out.push_back(entry.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<float> elements_of(const tensor::TensorView& view) {
  std::vector<float> out(view.shape.elements());
  quant::RowReader reader(view, *quant::find_format(view.type));
  // In pieces that do not match any part.
  for (uint64_t row = 0; row < view.shape.rows(); row += 7) {
    const uint64_t end = std::min(row + 7, view.shape.rows());
    reader.read(row, end, out.data() + row * view.shape.cols());
  }
  return out;
}

/// A number, or as many alike; else the texts and numbers themselves.
bool same_value(const io::MetaValue& value, const nlohmann::json& expected) {
  const auto number = [](const nlohmann::json& json) {
    return json.is_boolean() ? (json.get<bool>() ? 1.0 : 0.0) : static_cast<double>(json.get<float>());
  };
  return std::visit(
      [&](const auto& v) -> bool {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::vector<std::string>>) {
          return nlohmann::json(v) == expected;
        } else if constexpr (std::is_arithmetic_v<T>) {
          const auto same = [&](const nlohmann::json& one) { return number(one) == static_cast<double>(v); };
          return expected.is_array() ? std::all_of(expected.begin(), expected.end(), same)
                                     : !expected.is_string() && same(expected);
        } else {
          bool same = expected.is_array() && expected.size() == v.size();
          for (size_t i = 0; same && i < v.size(); ++i) same = number(expected[i]) == static_cast<double>(v[i]);
          return same;
        }
      },
      value);
}

void check_tensors(const io::ModelFile& file, const HfFolder& folder) {
  std::set<std::string> expected, found;
  for (const auto& [name, tensor] : folder.tensors()) expected.insert(name);
  for (const auto& name : folder.json["without"]) expected.erase(name.get<std::string>());
  for (const io::TensorEntry& entry : file.tensors.entries()) {
    found.insert(entry.name);
    INFO(entry.name);
    if (expected.count(entry.name) == 0) continue;
    const GoldenTensor& tensor = folder.tensors().at(entry.name);
    CHECK(to_string(entry.view.shape) == to_string(tensor.shape));
    if (!(entry.view.shape == tensor.shape)) continue;
    const std::vector<float> elements = elements_of(entry.view);
    // exp undoes log but for rounding
    const float tolerance = entry.name.ends_with("ssm_a") ? 1e-6f : 0;
    const bool same = std::equal(elements.begin(), elements.end(), tensor.elements.begin(),
                                 [&](float a, float b) { return std::abs(a - b) <= tolerance * std::abs(b); });
    CHECK(same);
  }
  CHECK(nlohmann::json(found).dump() == nlohmann::json(expected).dump());
}

void check_keys(const io::ModelFile& file, const HfFolder& folder) {
  const std::string prefix = folder.golden.json["keys"][0][2].get<std::string>() + ".";
  const auto suffix = [&](const std::string& key) { return key.starts_with(prefix) ? key.substr(prefix.size()) : key; };
  std::set<std::string> known = {"general.type", "general.file_type", "tokenizer.ggml.add_eos_token"}, extra;
  for (const auto& key : folder.golden.json["keys"]) {
    const std::string name = key[0];
    INFO(name);
    known.insert(name);
    const auto differs = folder.json["differ"].find(suffix(name));
    const bool other = differs != folder.json["differ"].end();
    const nlohmann::json& expected = other ? *differs : key[2];
    const io::MetaValue* const value = file.meta.find(name);
    if (value == nullptr) {
      CHECK(expected.is_null());
      continue;
    }
    CHECK(same_value(*value, expected));
  }
  for (const io::MetaTable::Entry& entry : file.meta.entries()) {
    if (known.count(entry.key) == 0) extra.insert(suffix(entry.key));
  }
  const auto allowed = folder.json["extra"].get<std::set<std::string>>();
  CHECK(nlohmann::json(extra).dump() == nlohmann::json(allowed).dump());
}

std::vector<float> outputs_of(const Model& model, const Golden& golden) {
  std::vector<float> out;
  const bool logits = std::filesystem::exists(QUERN_TEST_DATA_DIR "/golden/" + golden.name + ".f32");
  if (!logits) {
    auto embedder = Embedder::create(model, {.pooling = Pooling::none, .normalize = -1});
    REQUIRE_MESSAGE(embedder.has_value(), embedder.error().message);
    const std::vector<std::vector<Token>> texts = {{golden.tokens.begin(), golden.tokens.begin() + 37}};
    const auto embeddings = embedder->embed(texts);
    REQUIRE_MESSAGE(embeddings.has_value(), embeddings.error().message);
    for (const Embedding& one : *embeddings) out.insert(out.end(), one.values.begin(), one.values.end());
    return out;
  }
  ContextOptions options;
  options.n_ctx = golden.n_ctx();
  options.type_k = options.type_v = CacheType::f32;
  Context context = Context::create(model, options).value();
  REQUIRE(context.append(golden.tokens, 0, true));
  for (size_t i = 0; i < golden.tokens.size(); ++i) {
    const auto row = context.logits(i);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

/// That of the GGUF, from which that of the GGUF with the original weights is compared with the reference engine's.
void check_outputs(const HfFolder& folder) {
  const GoldenFile gguf(folder.golden, [&](std::vector<GoldenTensor> tensors) { return folder.replaced(tensors); });
  const std::vector<float> own = outputs_of(open_with(folder.path(), 2), folder.golden);
  const std::vector<float> expected = outputs_of(open_with(gguf.path(), 2), folder.golden);
  REQUIRE(own.size() == expected.size());
  double largest = 0, squares = 0;
  for (size_t i = 0; i < own.size(); ++i) {
    largest = std::max<double>(largest, std::abs(own[i] - expected[i]));
    squares += static_cast<double>(expected[i]) * expected[i];
  }
  const double size = std::sqrt(squares / static_cast<double>(own.size()));
  const bool rounded = folder.tensors().count("blk.0.ssm_a") > 0;
  CHECK(largest <= (rounded ? 1e-4 : 0) * size);
}

}  // namespace

TEST_CASE("a folder has the tensors and keys of its GGUF, and the same comes out") {
  for (const std::string& name : folder_names()) {
    CAPTURE(name);
    const HfFolder folder(name);
    const auto file = hf::open_model(folder.path());
    CHECK_MESSAGE(file.has_value(), file.error().message);
    if (!file) continue;
    check_tensors(*file, folder);
    check_keys(*file, folder);
    check_outputs(folder);
  }
}

TEST_CASE("every architecture has a folder here") {
  std::set<std::string> missing;
  for (const arch::ArchSpec* spec : arch::architectures()) missing.insert(std::string(spec->name));
  for (const std::string& name : folder_names()) {
    const HfFolder folder(name);
    missing.erase(folder.golden.json["keys"][0][2].get<std::string>());
  }
  CHECK(nlohmann::json(missing).dump() == "[]");
}
