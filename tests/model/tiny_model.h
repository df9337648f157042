// A tiny Llama with random weights, as a GGUF file that a test may alter before it is written.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/half.h"
#include "lib/io/gguf_writer.h"
#include "lib/model/open.h"
#include "lib/reference/backend.h"

namespace quern::testing {

/// A path in the system's temporary folder, removed at the end.
class TempFile {
 public:
  explicit TempFile(const std::string& name) {
    static int counter = 0;
    const auto folder = std::filesystem::temp_directory_path();
    path_ =
        (folder / ("quern-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + "-" + name)).string();
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct TinyTensor {
  std::string name;
  std::vector<uint64_t> ne;
  uint32_t type = 0;  // 0 F32, 1 F16
  std::vector<std::byte> bytes;
};

struct TinyModel {
  static constexpr uint32_t kEmbd = 32, kLayers = 3, kHeads = 4, kHeadsKv = 2, kFf = 48, kVocab = 270, kCtx = 256;
  std::vector<io::MetaTable::Entry> meta;
  std::vector<TinyTensor> tensors;

  TinyModel() {
    text("general.architecture", "llama");
    number("llama.context_length", kCtx);
    number("llama.embedding_length", kEmbd);
    number("llama.block_count", kLayers);
    number("llama.attention.head_count", kHeads);
    number("llama.attention.head_count_kv", kHeadsKv);
    number("llama.feed_forward_length", kFf);
    real("llama.attention.layer_norm_rms_epsilon", 1e-5);
    add_vocab();
    const uint64_t kv = kEmbd / kHeads * kHeadsKv;
    random_tensor("token_embd.weight", {kEmbd, kVocab}, 1.0f);
    random_tensor("output_norm.weight", {kEmbd}, 0.2f, 1);
    random_tensor("output.weight", {kEmbd, kVocab}, 0.5f);
    for (uint32_t i = 0; i < kLayers; ++i) {
      const std::string blk = "blk." + std::to_string(i) + ".";
      random_tensor(blk + "attn_norm.weight", {kEmbd}, 0.2f, 1);
      random_tensor(blk + "attn_q.weight", {kEmbd, kEmbd}, 0.4f);
      random_tensor(blk + "attn_k.weight", {kEmbd, kv}, 0.4f);
      random_tensor(blk + "attn_v.weight", {kEmbd, kv}, 0.4f);
      random_tensor(blk + "attn_output.weight", {kEmbd, kEmbd}, 0.4f);
      random_tensor(blk + "ffn_norm.weight", {kEmbd}, 0.2f, 1);
      random_tensor(blk + "ffn_gate.weight", {kEmbd, kFf}, 0.4f);
      random_tensor(blk + "ffn_up.weight", {kEmbd, kFf}, 0.4f);
      random_tensor(blk + "ffn_down.weight", {kFf, kEmbd}, 0.4f);
    }
  }

  void set(std::string key, io::MetaValue value, io::ValueType type) {
    erase(key);
    meta.push_back({std::move(key), std::move(value), static_cast<uint32_t>(type)});
  }
  void number(const std::string& key, uint64_t value) { set(key, value, io::ValueType::u32); }
  void real(const std::string& key, double value) { set(key, value, io::ValueType::f32); }
  void text(const std::string& key, std::string value) { set(key, std::move(value), io::ValueType::string); }
  void erase(const std::string& key) {
    meta.erase(std::remove_if(meta.begin(), meta.end(), [&](const auto& e) { return e.key == key; }), meta.end());
  }

  TinyTensor& tensor(const std::string& name) {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const TinyTensor& t) { return t.name == name; });
    REQUIRE(found != tensors.end());
    return *found;
  }
  void erase_tensor(const std::string& name) {
    tensors.erase(std::remove_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; }),
                  tensors.end());
  }
  /// Uniform in center +- spread. Replaces a tensor of that name.
  void random_tensor(const std::string& name, std::vector<uint64_t> ne, float spread, float center = 0) {
    uint64_t n = 1;
    for (const uint64_t extent : ne) n *= extent;
    std::vector<float> values(n);
    for (float& v : values) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      v = center + spread * (static_cast<float>(state_ >> 40) / static_cast<float>(1 << 23) - 1);
    }
    f32_tensor(name, std::move(ne), values);
  }
  void f32_tensor(const std::string& name, std::vector<uint64_t> ne, const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const TinyTensor& t) { return t.name == name; });
    TinyTensor& tensor = found != tensors.end() ? *found : tensors.emplace_back();
    tensor = {name, std::move(ne), 0, std::move(bytes)};
  }

  void write(const std::string& path) const {
    io::GgufWriter writer;
    for (const auto& entry : meta) REQUIRE_MESSAGE(ok(writer.add(entry)), message_);
    for (const TinyTensor& t : tensors) {
      tensor::Shape shape;
      shape.rank = static_cast<uint32_t>(t.ne.size());
      std::copy(t.ne.begin(), t.ne.end(), shape.ne.begin());
      REQUIRE_MESSAGE(ok(writer.add_tensor(t.name, shape, t.type, t.bytes)), message_);
    }
    REQUIRE_MESSAGE(ok(writer.write(path)), message_);
  }

 private:
  bool ok(const Status& status) const {
    message_ = status ? "" : status.error().message;
    return status.has_value();
  }
  void add_vocab() {
    std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
    std::vector<int64_t> types = {2, 3, 3};
    const char* hex = "0123456789ABCDEF";
    for (int b = 0; b < 256; ++b) {
      tokens.push_back(std::string("<0x") + hex[b / 16] + hex[b % 16] + ">");
      types.push_back(6);
    }
    for (char c = 'a'; tokens.size() < kVocab; ++c) {
      tokens.push_back(std::string(1, c));
      types.push_back(1);
    }
    text("tokenizer.ggml.model", "llama");
    set("tokenizer.ggml.scores", std::vector<double>(tokens.size(), 0.0), io::ValueType::f32);
    set("tokenizer.ggml.tokens", std::move(tokens), io::ValueType::string);
    set("tokenizer.ggml.token_type", std::move(types), io::ValueType::i32);
  }

  uint64_t state_ = 12345;
  mutable std::string message_;
};

inline compute::Backend& reference_backend() {
  static const std::unique_ptr<compute::Backend> backend = reference::make_backend().value();
  return *backend;
}

inline Result<std::unique_ptr<const model::LoadedModel>> open_tiny(const TinyModel& tiny,
                                                                   const model::OpenOptions& options = {},
                                                                   compute::Backend& backend = reference_backend()) {
  const TempFile file("tiny.gguf");
  tiny.write(file.path());
  QUERN_TRY(std::unique_ptr<const model::LoadedModel> loaded, model::open(file.path(), backend, options));
  return loaded;  // the mapping outlives the name
}

}  // namespace quern::testing
