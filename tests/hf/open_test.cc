// Folders as model files: what is made of a small one, and what is wrong with others.
#include "lib/hf/open.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lib/quant/format.h"
#include "lib/quant/rows.h"
#include "tests/hf/raw_safetensors.h"

using namespace quern;
using nlohmann::json;

namespace {

constexpr int kEmbd = 8, kFf = 12, kVocab = 6;

/// A Llama of one layer, whose parts can be changed before it is written.
struct Small {
  json config = {{"architectures", {"LlamaForCausalLM"}},
                 {"hidden_size", kEmbd},
                 {"intermediate_size", kFf},
                 {"num_hidden_layers", 1},
                 {"num_attention_heads", 2},
                 {"num_key_value_heads", 1},
                 {"max_position_embeddings", 64},
                 {"hidden_act", "silu"},
                 {"rms_norm_eps", 1e-5},
                 {"rope_theta", 10000.0}};
  struct Array {
    std::string name, type;
    std::vector<int> shape;
  };
  std::vector<Array> arrays = {
      {"model.embed_tokens.weight", "BF16", {kVocab, kEmbd}},
      {"model.norm.weight", "BF16", {kEmbd}},
      {"lm_head.weight", "BF16", {kVocab, kEmbd}},
      {"model.layers.0.input_layernorm.weight", "BF16", {kEmbd}},
      {"model.layers.0.post_attention_layernorm.weight", "F16", {kEmbd}},
      {"model.layers.0.self_attn.q_proj.weight", "BF16", {kEmbd, kEmbd}},
      {"model.layers.0.self_attn.k_proj.weight", "BF16", {kEmbd / 2, kEmbd}},
      {"model.layers.0.self_attn.v_proj.weight", "BF16", {kEmbd / 2, kEmbd}},
      {"model.layers.0.self_attn.o_proj.weight", "F32", {kEmbd, kEmbd}},
      {"model.layers.0.mlp.gate_proj.weight", "F16", {kFf, kEmbd}},
      {"model.layers.0.mlp.up_proj.weight", "F16", {kFf, kEmbd}},
      {"model.layers.0.mlp.down_proj.weight", "F16", {kEmbd, kFf}},
      {"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {2}},
  };
  int n_tokens = kVocab;

  Array& array(const std::string& name) {
    return *std::find_if(arrays.begin(), arrays.end(), [&](const Array& a) { return a.name == name; });
  }
};

/// Numbers 1, 2, ... that all types hold.
std::string elements(const std::string& type, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) {
    const auto x = static_cast<float>(i % 100 + 1);
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const auto* format = quant::find_format(type == "F16" ? tensor::DType::f16 : tensor::DType::f32);
    char half[4];
    format->encode(&x, nullptr, 1, reinterpret_cast<std::byte*>(half));
    if (type == "F16") out.append(half, 2);
    if (type == "BF16") out.append(reinterpret_cast<const char*>(&bits) + 2, 2);
    if (type == "F32" || type == "I32") out.append(reinterpret_cast<const char*>(&bits), 4);
  }
  return out;
}

class Folder {
 public:
  explicit Folder(const Small& small) {
    static int counter = 0;
    path_ = (std::filesystem::temp_directory_path() /
             ("quern-hf-open-" + std::to_string(::getpid()) + "-" + std::to_string(counter++)))
                .string();
    std::filesystem::create_directories(path_);
    write("config.json", small.config.dump());
    json vocab, merges = json::array();
    for (int i = 0; i < small.n_tokens; ++i) vocab[std::string(1, static_cast<char>('a' + i))] = i;
    write("tokenizer.json", json{{"added_tokens", json::array()},
                                 {"normalizer", nullptr},
                                 {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                                 {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}}
                                .dump());
    hf::test::RawSafetensors out;
    for (const Small::Array& array : small.arrays) {
      size_t n = 1;
      for (const int extent : array.shape) n *= static_cast<size_t>(extent);
      out.add(array.name, array.type, json(array.shape).dump(), elements(array.type, n));
    }
    write("model.safetensors", out.bytes());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  std::string path_;
};

void check_error(const Small& small, std::initializer_list<const char*> words) {
  const Folder folder(small);
  const auto file = hf::open_model(folder.path());
  REQUIRE(!file.has_value());
  for (const char* word : words)
    CHECK_MESSAGE(file.error().message.find(word) != std::string::npos, file.error().message);
}

}  // namespace

TEST_CASE("matrices keep their type and place, norms become F32") {
  const Folder folder((Small()));
  const auto file = hf::open_model(folder.path());
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  const auto* embeddings = file->tensors.find("token_embd.weight");
  REQUIRE(embeddings != nullptr);
  CHECK(embeddings->view.type == tensor::DType::bf16);
  CHECK(to_string(embeddings->view.shape) == "[8, 6]");
  const auto mapping = file->parts.at(0).bytes();
  CHECK(embeddings->view.data > mapping.data());
  CHECK(embeddings->view.data < mapping.data() + mapping.size());
  CHECK(file->tensors.find("blk.0.attn_output.weight")->view.type == tensor::DType::f32);
  const auto* q = file->tensors.find("blk.0.attn_q.weight");
  CHECK(q->view.source != nullptr);
  CHECK(q->view.type == tensor::DType::bf16);
  for (const char* name : {"output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"}) {
    const auto* norm = file->tensors.find(name);
    REQUIRE(norm != nullptr);
    CHECK(norm->view.type == tensor::DType::f32);
    std::vector<float> row(kEmbd);
    quant::RowReader(norm->view, *quant::find_format(norm->view.type)).read(0, 1, row.data());
    for (int i = 0; i < kEmbd; ++i) CHECK(row[static_cast<size_t>(i)] == static_cast<float>(i + 1));
  }
  CHECK(file->tensors.entries().size() == 12);
  CHECK(file->meta.get_uint("general.file_type").value() == 1);  // F16 by bytes
  CHECK(file->meta.get_uint("llama.rope.dimension_count").value() == 4);
}

TEST_CASE("an output beside tied embeddings is not used") {
  Small small;
  small.config["tie_word_embeddings"] = true;
  const Folder folder(small);
  const auto file = hf::open_model(folder.path());
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  CHECK(file->tensors.find("output.weight") == nullptr);
}

TEST_CASE("tokens that only the embeddings know get names") {
  Small small;
  small.n_tokens = 4;
  const Folder folder(small);
  const auto file = hf::open_model(folder.path());
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  const auto tokens = file->meta.get_strings("tokenizer.ggml.tokens");
  REQUIRE((*tokens)->size() == kVocab);
  CHECK((**tokens)[5] == "[PAD5]");
  CHECK(file->meta.get_ints("tokenizer.ggml.token_type").value()->at(5) == 5);
}

TEST_CASE("a folder opened for its tokenizer has no more than that") {
  const Folder folder((Small()));
  const auto file = hf::open_model(folder.path(), {.tokenizers = true});
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  CHECK(file->tokenizer_only);
  CHECK(file->tensors.entries().empty());
}

TEST_CASE("classes that are not known are named, with those that come near") {
  Small small;
  small.config["architectures"] = {"LLamaForCausalLM"};
  check_error(small, {"config.json", "'architectures'", "'LLamaForCausalLM'", "'LlamaForCausalLM'"});
  small.config["architectures"] = json::array();
  check_error(small, {"'architectures'"});
  small.config.erase("architectures");
  check_error(small, {"'architectures'"});
}

TEST_CASE("fields that would make another model are errors") {
  const auto with = [](const char* name, json value) {
    Small small;
    small.config[name] = std::move(value);
    return small;
  };
  check_error(with("hidden_act", "gelu"), {"config.json: 'hidden_act'", "silu", "'gelu'"});
  check_error(with("hidden_size", "eight"), {"'hidden_size'", "'eight'"});
  check_error(with("hidden_size", nullptr), {"'hidden_size'", "missing"});
  check_error(with("num_attention_heads", -2), {"'num_attention_heads'", "-2"});
  check_error(with("num_attention_heads", 1.5), {"'num_attention_heads'", "1.5"});
  check_error(with("num_attention_heads", 0), {"'num_attention_heads'"});
  check_error(with("num_attention_heads", 3), {"2.6"});
  check_error(with("num_attention_heads", 8), {"q_proj", "16 rows"});
  check_error(with("num_hidden_layers", 1e30), {"'num_hidden_layers'", "1e+30"});
  check_error(with("rope_scaling", {{"type", "dynamic"}, {"factor", 2}}), {"'rope_scaling.type'", "'dynamic'"});
  check_error(with("rope_scaling", {{"rope_type", "linear"}}), {"'rope_scaling.factor'", "above 0"});
  check_error(with("rope_scaling", {{"rope_type", "longrope"}, {"long_factor", {1.0}}}),
              {"'rope_scaling.long_factor'"});
  check_error(with("rope_parameters", {{"sliding_attention", {{"rope_type", "yarn"}}}}),
              {"sliding_attention", "'yarn'"});
}

TEST_CASE("arrays that nothing takes, or that do not fit, are errors") {
  Small small;
  small.arrays.push_back({"model.layers.0.self_attn.q_norm.weight", "F32", {4}});
  check_error(small, {"model.safetensors", "'model.layers.0.self_attn.q_norm.weight'", "no place"});
  small = {};
  small.array("model.norm.weight").type = "I32";
  check_error(small, {"'model.norm.weight'", "I32"});
  small = {};
  small.array("model.layers.0.self_attn.q_proj.weight").shape = {7, kEmbd};
  check_error(small, {"q_proj", "found 7"});
  small = {};
  small.array("model.layers.0.input_layernorm.weight").shape = {2, 2, 2};
  check_error(small, {"input_layernorm", "3 dimensions"});
  small = {};
  small.arrays = {{"model.embed_tokens.weight", "F32", {kVocab, kEmbd}}};
  check_error(small, {"layers.0"});
}
