// The low-rank adapters of tests/data/golden/lora: NAME.json describes them (tests/golden/adapters.py), NAME.f32 holds
// the reference engine's logits of the model's tokens with them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/golden/tiny_models.h"

namespace quern::testing {

struct GoldenAdapters {
  Golden of;     ///< its "adapters" describe files; its logits, if any, are those with them
  Golden model;  ///< the model's own
  explicit GoldenAdapters(const std::string& name)
      : of(name, has_results(name) ? ".f32" : "", "golden/lora/"), model(of.json["model"].get<std::string>()) {
    of.n_vocab = model.n_vocab;
    of.tokens = model.tokens;
  }
  static bool has_results(const std::string& name) {
    return std::filesystem::exists(QUERN_TEST_DATA_DIR "/golden/lora/" + name + ".f32");
  }
  const nlohmann::json& adapter(size_t i) const { return of.json["adapters"][i]; }
  size_t n_adapters() const { return of.json["adapters"].size(); }
  float scale(size_t i) const { return adapter(i)["scale"]; }
};

inline std::vector<std::string> golden_adapter_names() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(QUERN_TEST_DATA_DIR "/golden/lora")) {
    if (entry.path().extension() == ".json") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The model with the adapters added to its matrices, in double.
inline GoldenFile::Alter merged_with(const GoldenAdapters& golden) {
  return [&golden](std::vector<GoldenTensor> tensors) {
    for (size_t i = 0; i < golden.n_adapters(); ++i) {
      const auto& description = golden.adapter(i);
      double alpha = 0;
      for (const auto& key : description["keys"]) {
        if (key[0] == "adapter.lora.alpha") alpha = key[2];
      }
      for (size_t t = 0; t < description["tensors"].size(); t += 2) {
        const GoldenTensor a = golden_tensor(description, t), b = golden_tensor(description, t + 1);
        const std::string target = a.name.substr(0, a.name.size() - std::string(".lora_a").size());
        const auto found = std::find_if(tensors.begin(), tensors.end(),
                                        [&](const GoldenTensor& tensor) { return tensor.name == target; });
        REQUIRE(found != tensors.end());
        const uint64_t rank = b.shape.ne[0], cols = found->shape.ne[0], rows = found->shape.ne[1];
        const double scale = double{golden.scale(i)} * (alpha == 0 ? 1 : alpha / static_cast<double>(rank));
        const bool looked_up = target == "token_embd.weight";
        for (uint64_t e = 0; e < found->elements.size(); ++e) {
          const uint64_t col = e % cols, row = e / cols % rows, expert = e / cols / rows;
          double sum = 0;
          for (uint64_t k = 0; k < rank; ++k) {
            sum += looked_up ? double{a.elements[row * rank + k]} * b.elements[col * rank + k]
                             : double{a.elements[(expert * rank + k) * cols + col]} *
                                   b.elements[(expert * rows + row) * rank + k];
          }
          found->elements[e] = static_cast<float>(found->elements[e] + scale * sum);
        }
      }
    }
    return tensors;
  };
}

}  // namespace quern::testing
