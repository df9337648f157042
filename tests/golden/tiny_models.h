// The tiny models of tests/data/golden: NAME.json describes one (tests/golden/families.py), NAME.f32 holds the
// reference engine's logits of its tokens, NAME.embd its embeddings.
#pragma once

#include <doctest/doctest.h>
#include <quern/quern.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/io/gguf_writer.h"

namespace quern::testing {

struct Golden {
  std::string name;
  nlohmann::json json;
  std::vector<Token> tokens;
  std::vector<float> logits;  ///< [tokens, n_vocab]; or what else the file holds
  size_t n_vocab = 0;

  explicit Golden(const std::string& which, const std::string& results = ".f32", const std::string& folder = "golden/")
      : name(which) {
    const std::string base = std::string(QUERN_TEST_DATA_DIR "/") + folder + name;
    std::ifstream text(base + ".json");
    REQUIRE_MESSAGE(text.good(), base);
    json = nlohmann::json::parse(text);
    tokens = json.value("tokens", std::vector<Token>());
    if (results.empty()) return;
    std::ifstream in(base + results, std::ios::binary | std::ios::ate);
    REQUIRE_MESSAGE(in.good(), (base + results));
    logits.resize(static_cast<size_t>(in.tellg()) / sizeof(float));
    in.seekg(0);
    in.read(reinterpret_cast<char*>(logits.data()), static_cast<std::streamsize>(logits.size() * sizeof(float)));
    if (!tokens.empty()) n_vocab = logits.size() / tokens.size();
  }
  uint32_t n_ctx() const { return json["n_ctx"]; }
};

/// splitmix64 (Steele et al. 2014), whose n-th number is a function of n.
inline uint64_t mixed(uint64_t n) {
  uint64_t x = n + 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

/// A tensor by name and extents, and its elements.
struct GoldenTensor {
  std::string name;
  tensor::Shape shape;
  std::vector<float> elements;
};

/// The t-th tensor of a description.
inline GoldenTensor golden_tensor(const nlohmann::json& description, size_t t) {
  const auto& json = description["tensors"][t];
  GoldenTensor out;
  out.name = json[0];
  for (const uint64_t extent : json[1]) out.shape.ne[out.shape.rank++] = extent;
  const double scale = json[2], offset = json[3];
  const uint64_t first = (description["seed"].get<uint64_t>() * 1024 + t) << 32;
  for (uint64_t i = 0; i < out.shape.elements(); ++i) {
    const auto u = static_cast<double>(mixed(first + i) >> 48);
    out.elements.push_back(static_cast<float>(offset + scale * (u - 32768) / 32768));
  }
  return out;
}

inline GoldenTensor golden_tensor(const Golden& golden, size_t t) { return golden_tensor(golden.json, t); }

inline void add_key(io::GgufWriter& writer, const nlohmann::json& key) {
  const std::string name = key[0], kind = key[1];
  const auto& value = key[2];
  Status status;
  if (kind == "u32") status = writer.add(name, value.get<uint64_t>(), io::ValueType::u32);
  if (kind == "f32") status = writer.add(name, value.get<double>(), io::ValueType::f32);
  if (kind == "bool") status = writer.add(name, value.get<bool>(), io::ValueType::boolean);
  if (kind == "str") status = writer.add(name, value.get<std::string>(), io::ValueType::string);
  if (kind == "strs") status = writer.add(name, value.get<std::vector<std::string>>(), io::ValueType::string);
  if (kind == "bools") {
    const auto flags = value.get<std::vector<bool>>();
    status = writer.add(name, std::vector<uint64_t>(flags.begin(), flags.end()), io::ValueType::boolean);
  }
  if (kind == "i32s") status = writer.add(name, value.get<std::vector<int64_t>>(), io::ValueType::i32);
  REQUIRE_MESSAGE(status.has_value(), status.error().message);
}

/// A golden model as a file in the system's temporary folder, removed at the end. `alter` may change its tensors.
class GoldenFile {
 public:
  using Alter = std::function<std::vector<GoldenTensor>(std::vector<GoldenTensor>)>;

  explicit GoldenFile(const Golden& golden, const Alter& alter = {}) : GoldenFile(golden.json, alter) {}
  /// Of a description.
  explicit GoldenFile(const nlohmann::json& description, const Alter& alter = {}) {
    static int counter = 0;
    const std::string file = "quern-golden-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + ".gguf";
    path_ = (std::filesystem::temp_directory_path() / file).string();
    io::GgufWriter writer;
    for (const auto& key : description["keys"]) add_key(writer, key);
    std::vector<GoldenTensor> tensors;
    for (size_t t = 0; t < description["tensors"].size(); ++t) tensors.push_back(golden_tensor(description, t));
    if (alter) tensors = alter(std::move(tensors));
    for (const GoldenTensor& tensor : tensors) {
      REQUIRE(writer.add_tensor(tensor.name, tensor.shape, 0, std::as_bytes(std::span(tensor.elements))));
    }
    REQUIRE(writer.write(path_));
  }
  GoldenFile(const GoldenFile&) = delete;
  GoldenFile& operator=(const GoldenFile&) = delete;
  ~GoldenFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline Model open_with(const std::string& path, uint32_t n_threads, const std::string& backend = "cpu",
                       bool repack = true) {
  RuntimeOptions runtime;
  runtime.n_threads = n_threads;
  runtime.backend = backend;
  ModelOptions options;
  options.runtime = Runtime::create(runtime).value();
  options.repack = repack;
  auto model = Model::open(path, options);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(model).value();
}

}  // namespace quern::testing
