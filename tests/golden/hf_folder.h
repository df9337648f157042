// The tiny models as Hugging Face folders, by the descriptions in tests/data/golden/hf (hf_families.py).
#pragma once

#include <cmath>
#include <map>

#include "tests/golden/tiny_models.h"
#include "tests/hf/raw_safetensors.h"

namespace quern::testing {

/// A row-major array.
struct NdArray {
  std::vector<size_t> extents;
  std::vector<float> elements;
};

/// The steps of hf_families.py, with a stack.
class NdStack {
 public:
  using Json = nlohmann::json;
  explicit NdStack(const std::map<std::string, GoldenTensor>& tensors) : tensors_(tensors) {}

  NdArray run(const Json& steps, size_t first) {
    for (size_t i = first; i < steps.size(); ++i) step(steps[i]);
    REQUIRE(stack_.size() == 1);
    return std::move(stack_.back());
  }

 private:
  void step(const Json& s) {
    const std::string what = s[0];
    if (what == "load") return load(s[1]);
    if (what == "values") return stack_.push_back({s[1], s[2]});
    if (what == "stack") return stack(s[1]);
    if (what == "concat") return concat(s[1], s[2]);
    NdArray& top = stack_.back();
    if (what == "reshape") {
      top.extents = s[1].get<std::vector<size_t>>();
      size_t n = 1;
      for (const size_t extent : top.extents) n *= extent;
      REQUIRE(n == top.elements.size());
    } else if (what == "transpose") {
      top = transposed(top, s[1]);
    } else if (what == "slice") {
      REQUIRE(s[1] == 0);
      const size_t width = top.elements.size() / top.extents[0];
      NdArray out{top.extents, {}};
      out.extents[0] = 0;
      for (size_t i = s[2]; i < s[3].get<size_t>(); i += s[4].get<size_t>(), ++out.extents[0])
        out.elements.insert(out.elements.end(), top.elements.begin() + static_cast<ptrdiff_t>(i * width),
                            top.elements.begin() + static_cast<ptrdiff_t>((i + 1) * width));
      top = std::move(out);
    } else if (what == "add") {
      for (float& x : top.elements) x += s[1].get<float>();
    } else {
      REQUIRE(what == "log_of_minus");
      for (float& x : top.elements) x = std::log(-x);
    }
  }

  void load(const std::string& name) {
    const GoldenTensor& tensor = tensors_.at(name);
    NdArray out;
    for (uint32_t i = tensor.shape.rank; i-- > 0;) out.extents.push_back(tensor.shape.ne[i]);
    out.elements = tensor.elements;
    stack_.push_back(std::move(out));
  }

  std::vector<NdArray> pop(size_t n) {
    REQUIRE(stack_.size() >= n);
    std::vector<NdArray> out(stack_.end() - static_cast<ptrdiff_t>(n), stack_.end());
    stack_.resize(stack_.size() - n);
    return out;
  }

  void stack(size_t n) {
    std::vector<NdArray> parts = pop(n);
    for (NdArray& part : parts) part.extents.insert(part.extents.begin(), 1);
    stack_.push_back(joined(parts, 0));
  }
  void concat(size_t n, size_t axis) { stack_.push_back(joined(pop(n), axis)); }

  static NdArray joined(const std::vector<NdArray>& parts, size_t axis) {
    NdArray out{parts[0].extents, {}};
    out.extents[axis] = 0;
    size_t outer = 1;
    for (size_t i = 0; i < axis; ++i) outer *= parts[0].extents[i];
    for (const NdArray& part : parts) out.extents[axis] += part.extents[axis];
    for (size_t i = 0; i < outer; ++i) {
      for (const NdArray& part : parts) {
        const size_t each = part.elements.size() / outer;
        out.elements.insert(out.elements.end(), part.elements.begin() + static_cast<ptrdiff_t>(i * each),
                            part.elements.begin() + static_cast<ptrdiff_t>((i + 1) * each));
      }
    }
    return out;
  }

  static NdArray transposed(const NdArray& in, const std::vector<size_t>& axes) {
    const size_t rank = in.extents.size();
    REQUIRE(axes.size() == rank);
    std::vector<size_t> strides(rank, 1);
    for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * in.extents[i];
    NdArray out;
    for (const size_t axis : axes) out.extents.push_back(in.extents[axis]);
    std::vector<size_t> at(rank, 0);
    for (size_t n = 0; n < in.elements.size(); ++n) {
      size_t from = 0;
      for (size_t i = 0; i < rank; ++i) from += at[i] * strides[axes[i]];
      out.elements.push_back(in.elements[from]);
      for (size_t i = rank; i-- > 0 && ++at[i] == out.extents[i];) at[i] = 0;
    }
    return out;
  }

  const std::map<std::string, GoldenTensor>& tensors_;
  std::vector<NdArray> stack_;
};

/// A description, and the folder made of it in the system's temporary folder, removed at the end.
class HfFolder {
 public:
  nlohmann::json json;
  Golden golden;

  explicit HfFolder(const std::string& name) : json(read(name)), golden(json["golden"], "") {
    static int counter = 0;
    const std::string folder = "quern-hf-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
    path_ = (std::filesystem::temp_directory_path() / folder).string();
    for (GoldenTensor& tensor : replaced(all_tensors())) {
      const std::string own = tensor.name;
      tensors_.emplace(own, std::move(tensor));
    }
    write_json("config.json", json["config"]);
    for (const auto& [file, value] : json["files"].items()) write_json(file, value);
    write_tokenizer();
    write_arrays("model.safetensors", json["arrays"]);
    for (const auto& [sub, arrays] : json["folders"].items()) write_arrays(sub + "/model.safetensors", arrays);
  }
  HfFolder(const HfFolder&) = delete;
  HfFolder& operator=(const HfFolder&) = delete;
  ~HfFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  /// Of the GGUF that it is to be equal to.
  const std::map<std::string, GoldenTensor>& tensors() const { return tensors_; }
  std::vector<GoldenTensor> replaced(std::vector<GoldenTensor> tensors) const {
    for (GoldenTensor& tensor : tensors) {
      const auto found = json["replace"].find(tensor.name);
      if (found != json["replace"].end()) tensor.elements = found->get<std::vector<float>>();
    }
    return tensors;
  }
  void write_json(const std::string& name, const nlohmann::json& value) const { write(name, value.dump()); }
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

 private:
  static nlohmann::json read(const std::string& name) {
    std::ifstream text(QUERN_TEST_DATA_DIR "/golden/hf/" + name + ".json");
    REQUIRE_MESSAGE(text.good(), name);
    return nlohmann::json::parse(text);
  }

  std::vector<GoldenTensor> all_tensors() const {
    std::vector<GoldenTensor> out;
    for (size_t t = 0; t < golden.json["tensors"].size(); ++t) out.push_back(golden_tensor(golden, t));
    return out;
  }

  /// The GGUF's tokenizer as a tokenizer.json, cut as Qwen 2's.
  void write_tokenizer() const {
    nlohmann::json vocab, tokens, merges;
    for (const auto& key : golden.json["keys"]) {
      if (key[0] == "tokenizer.ggml.tokens") tokens = key[2];
      if (key[0] == "tokenizer.ggml.merges") merges = key[2];
    }
    for (size_t i = 0; i + 2 < tokens.size(); ++i) vocab[tokens[i].get<std::string>()] = i;
    const auto added = [](int id, const char* text) {
      return nlohmann::json{{"id", id},        {"content", text},      {"special", true},    {"lstrip", false},
                            {"rstrip", false}, {"single_word", false}, {"normalized", false}};
    };
    constexpr char kQwen2[] =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    const nlohmann::json split = {
        {"type", "Split"}, {"pattern", {{"Regex", kQwen2}}}, {"behavior", "Isolated"}, {"invert", false}};
    const nlohmann::json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
    write_json("tokenizer.json", {{"version", "1.0"},
                                  {"added_tokens", {added(94, "<s>"), added(95, "</s>")}},
                                  {"normalizer", nullptr},
                                  {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
                                  {"post_processor", nullptr},
                                  {"decoder", {{"type", "ByteLevel"}}},
                                  {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}});
    write_json("tokenizer_config.json", {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"add_bos_token", false}});
  }

  void write_arrays(const std::string& file, const nlohmann::json& arrays) const {
    hf::test::RawSafetensors out;
    for (const auto& array : arrays) {
      const NdArray made = NdStack(tensors_).run(array, 1);
      const std::string_view bytes(reinterpret_cast<const char*>(made.elements.data()),
                                   made.elements.size() * sizeof(float));
      out.add(array[0].get<std::string>(), "F32", nlohmann::json(made.extents).dump(), bytes);
    }
    write(file, out.bytes());
  }

  std::string path_;
  std::map<std::string, GoldenTensor> tensors_;
};

}  // namespace quern::testing
