// Adapters in PEFT's form: the same numbers as in the GGUF adapters that the reference engine has judged, under the
// names and in the order of rows that transformers has.
#include <doctest/doctest.h>
#include <quern/quern.h>

#include <cmath>

#include "tests/golden/adapters.h"
#include "tests/hf/peft_folder.h"

using namespace quern;
using namespace quern::testing;

namespace {

constexpr const char* kConfig = R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "use_dora": false,
  "modules_to_save": null, "rank_pattern": {}, "alpha_pattern": {}, "target_modules": ["q_proj"], "unknown": [1]})";

std::vector<float> logits_with(const Model& model, const std::vector<Token>& tokens,
                               const std::vector<AdapterUse>& adapters) {
  ContextOptions options;
  options.n_ctx = 512;
  options.adapters = adapters;
  auto context = Context::create(model, options);
  REQUIRE_MESSAGE(context.has_value(), context.error().message);
  REQUIRE(context->append(tokens, 0, true));
  std::vector<float> out;
  for (size_t i = 0; i < context->n_logits(); ++i) {
    const auto row = context->logits(i);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

Adapter open_adapter(const Model& model, const std::string& path) {
  auto adapter = Adapter::open(model, path);
  REQUIRE_MESSAGE(adapter.has_value(), adapter.error().message);
  return std::move(*adapter);
}

/// Rows as transformers has them, of heads whose neighbours rotate together here: element i of the first half of a
/// head, and of the second, are elements 2 i and 2 i + 1.
std::vector<float> unpaired(const std::vector<float>& b, uint64_t rank, uint64_t head_dim) {
  std::vector<float> out(b.size());
  for (uint64_t row = 0; row < b.size() / rank; ++row) {
    const uint64_t head = row / head_dim, in_head = row % head_dim;
    const uint64_t from = head * head_dim + in_head % (head_dim / 2) * 2 + in_head / (head_dim / 2);
    std::copy_n(b.begin() + static_cast<ptrdiff_t>(from * rank), rank,
                out.begin() + static_cast<ptrdiff_t>(row * rank));
  }
  return out;
}

struct Names {
  const char *gguf, *module;
};

/// Writes a GGUF adapter's matrices as a PEFT folder. Tensors "blk.N.NAME.weight" are modules "model.layers.N.MODULE".
void write_peft(PeftFolder& folder, const nlohmann::json& description, const std::vector<Names>& names, bool paired,
                const std::string& config = kConfig) {
  for (size_t t = 0; t < description["tensors"].size(); t += 2) {
    const GoldenTensor a = golden_tensor(description, t), b = golden_tensor(description, t + 1);
    const std::string target = a.name.substr(0, a.name.size() - std::string(".weight.lora_a").size());
    const uint64_t rank = b.shape.ne[0];
    if (target == "token_embd") {
      // A lies transposed in GGUF files.
      std::vector<float> turned(a.elements.size());
      const uint64_t n = a.shape.ne[1];
      for (uint64_t i = 0; i < turned.size(); ++i) turned[i % rank * n + i / rank] = a.elements[i];
      folder.add("model.embed_tokens.lora_embedding_A", rank, turned);
      folder.add("model.embed_tokens.lora_embedding_B", b.shape.ne[1], b.elements);
      continue;
    }
    std::string module = "lm_head";
    if (target.compare(0, 4, "blk.") == 0) {
      const size_t dot = target.find('.', 4);
      const auto found = std::find_if(names.begin(), names.end(),
                                      [&](const Names& pair) { return target.substr(dot + 1) == pair.gguf; });
      REQUIRE_MESSAGE(found != names.end(), target);
      module = "model.layers." + target.substr(4, dot - 4) + "." + found->module;
    }
    const bool turns = paired && (module.ends_with("q_proj") || module.ends_with("k_proj"));
    const uint64_t n_experts = a.shape.ne[2];
    for (uint64_t e = 0; e < n_experts; ++e) {
      const auto part = [&](const GoldenTensor& whole) {
        const auto each = static_cast<ptrdiff_t>(whole.elements.size() / n_experts);
        const auto first = whole.elements.begin() + static_cast<ptrdiff_t>(e) * each;
        return std::vector<float>(first, first + each);
      };
      std::string name = module;
      if (const size_t hole = name.find("{}"); hole != std::string::npos) name.replace(hole, 2, std::to_string(e));
      folder.add(name + ".lora_A.weight", rank, part(a));
      folder.add(name + ".lora_B.weight", b.shape.ne[1], turns ? unpaired(part(b), rank, 16) : part(b));
    }
  }
  folder.write(config);
}

const std::vector<Names> kLlama = {{"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
                                   {"attn_v", "self_attn.v_proj"}, {"attn_output", "self_attn.o_proj"},
                                   {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
                                   {"ffn_down", "mlp.down_proj"}};
const std::vector<Names> kMixtral = {{"attn_q", "self_attn.q_proj"},
                                     {"attn_v", "self_attn.v_proj"},
                                     {"ffn_gate_inp", "block_sparse_moe.gate"},
                                     {"ffn_gate_exps", "block_sparse_moe.experts.{}.w1"},
                                     {"ffn_up_exps", "block_sparse_moe.experts.{}.w3"},
                                     {"ffn_down_exps", "block_sparse_moe.experts.{}.w2"}};
const std::vector<Names> kPhi3 = {{"attn_qkv", "self_attn.qkv_proj"},
                                  {"attn_output", "self_attn.o_proj"},
                                  {"ffn_up", "mlp.gate_up_proj"},
                                  {"ffn_down", "mlp.down_proj"}};

}  // namespace

TEST_CASE("PEFT folders give the logits of the same adapters in GGUF files") {
  const struct {
    const char* name;
    const std::vector<Names>& names;
    bool paired;
  } cases[] = {{"llama", kLlama, true}, {"mixtral", kMixtral, true}, {"phi3", kPhi3, false}};
  for (const auto& [name, names, paired] : cases) {
    CAPTURE(std::string(name));
    const GoldenAdapters golden(name);
    const GoldenFile file(golden.model), adapter_file(golden.adapter(0));
    const Model model = open_with(file.path(), 2);
    PeftFolder folder;
    write_peft(folder, golden.adapter(0), names, paired);
    const Adapter gguf = open_adapter(model, adapter_file.path()), peft = open_adapter(model, folder.path());
    CHECK(peft.info().rank == 4);
    CHECK(peft.info().alpha == 8);
    const auto& tokens = golden.model.tokens;
    const auto expected = logits_with(model, tokens, {{gguf, 1.0f}});
    CHECK(logits_with(model, tokens, {{peft, 1.0f}}) == expected);
    CHECK(expected != logits_with(model, tokens, {}));
    const Adapter by_file = open_adapter(model, folder.path() + "/adapter_model.safetensors");
    CHECK(logits_with(model, tokens, {{by_file, 1.0f}}) == expected);
  }
}

TEST_CASE("scales of PEFT adapters: roots of the rank, modules with an alpha of their own") {
  const GoldenAdapters golden("llama");
  const GoldenFile file(golden.model);
  const Model model = open_with(file.path(), 2);
  nlohmann::json description = golden.adapter(0);
  const auto expected = [&](double alpha, double of_down) {
    auto changed = description;
    for (auto& key : changed["keys"]) {
      if (key[0] == "adapter.lora.alpha") key[2] = alpha;
    }
    const GoldenFile adapter(changed, [&](std::vector<GoldenTensor> tensors) {
      for (GoldenTensor& tensor : tensors) {
        if (tensor.name.find("ffn_down.weight.lora_b") == std::string::npos) continue;
        for (float& x : tensor.elements) x *= static_cast<float>(of_down);
      }
      return tensors;
    });
    return logits_with(model, golden.model.tokens, {{open_adapter(model, adapter.path()), 1.0f}});
  };
  const auto found = [&](const std::string& config) {
    PeftFolder folder;
    write_peft(folder, description, kLlama, true, config);
    return logits_with(model, golden.model.tokens, {{open_adapter(model, folder.path()), 1.0f}});
  };
  CHECK(found(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 3, "use_rslora": true})") == expected(6, 1));
  CHECK(found(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "alpha_pattern": {"mlp.down_proj": 16.0}})") ==
        expected(8, 2));
  CHECK(found(R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "alpha_pattern": {"proj": 16}})") == expected(8, 1));
  CHECK(found(R"({"peft_type": "LORA", "r": 9, "lora_alpha": 8, "rank_pattern": {"mlp": 4}})") == expected(8, 1));
}

TEST_CASE("an adapter of latent attention's keys and values goes to the heads' matrices") {
  // The model keeps of every head the matrix of its keys, transposed, and that of its values.
  constexpr uint64_t kHeads = 4, kKeys = 24, kValues = 20, kIn = 32, kRank = 3;
  const Golden golden("deepseek3");
  const nlohmann::json source = {
      {"seed", 600},
      {"tensors", {{"a", {kIn, kRank}, 0.25, 0.0}, {"b", {kRank, kHeads * (kKeys + kValues)}, 0.25, 0.0}}}};
  const GoldenTensor a = golden_tensor(source, 0), b = golden_tensor(source, 1);
  const auto change = [&](uint64_t row, uint64_t col) {
    double sum = 0;
    for (uint64_t k = 0; k < kRank; ++k) sum += double{b.elements[row * kRank + k]} * a.elements[k * kIn + col];
    return sum * 2;  // alpha / rank
  };
  const GoldenFile file(golden), merged(golden, [&](std::vector<GoldenTensor> tensors) {
    for (GoldenTensor& tensor : tensors) {
      const bool keys = tensor.name == "blk.1.attn_k_b.weight", values = tensor.name == "blk.1.attn_v_b.weight";
      const uint64_t cols = tensor.shape.ne[0], rows = tensor.shape.ne[1];
      for (uint64_t i = 0; (keys || values) && i < tensor.elements.size(); ++i) {
        const uint64_t col = i % cols, row = i / cols % rows, first = i / cols / rows * (kKeys + kValues);
        tensor.elements[i] = static_cast<float>(tensor.elements[i] +
                                                (keys ? change(first + col, row) : change(first + kKeys + row, col)));
      }
    }
    return tensors;
  });
  const Model model = open_with(file.path(), 2);
  PeftFolder folder;
  folder.add("model.layers.1.self_attn.kv_b_proj.lora_A.weight", kRank, a.elements);
  folder.add("model.layers.1.self_attn.kv_b_proj.lora_B.weight", kHeads * (kKeys + kValues), b.elements);
  folder.write(R"({"peft_type": "LORA", "r": 3, "lora_alpha": 6})");
  const auto found = logits_with(model, golden.tokens, {{open_adapter(model, folder.path()), 1.0f}});
  const auto expected = logits_with(open_with(merged.path(), 2), golden.tokens, {});
  const auto plain = logits_with(model, golden.tokens, {});
  double largest = 0, changed = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(double{found[i]} - expected[i]));
    changed = std::max(changed, std::abs(double{found[i]} - plain[i]));
  }
  CHECK(largest < 1e-3);
  CHECK(changed > 0.1);
}

TEST_CASE("PEFT adapters that cannot be run are refused by name") {
  const GoldenFile file(Golden("llama"));
  const Model model = open_with(file.path(), 1);
  const std::string q = "model.layers.0.self_attn.q_proj.";
  const std::vector<float> numbers(4 * 64, 0.5f);
  const auto refusal = [&](const std::string& config, const std::vector<std::pair<std::string, uint64_t>>& arrays) {
    PeftFolder folder;
    for (const auto& [name, rows] : arrays) folder.add(name, rows, numbers);
    folder.write(config);
    const auto adapter = Adapter::open(model, folder.path());
    REQUIRE_FALSE(adapter.has_value());
    const std::string& message = adapter.error().message;
    CHECK(message.compare(0, folder.path().size(), folder.path()) == 0);
    return message.substr(folder.path().size() + 1);
  };
  const std::vector<std::pair<std::string, uint64_t>> good = {{q + "lora_A.weight", 4}, {q + "lora_B.weight", 64}};
  const auto has = [](const std::string& text, const std::string& part) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  };
  const std::string begin = R"({"peft_type": "LORA", "r": 4, "lora_alpha": 8)";
  has(refusal(R"({"peft_type": "LOHA"})", good), "adapter_config.json: 'peft_type': expected \"LORA\"");
  has(refusal(R"({"peft_type": "LORA", "lora_alpha": 8})", good), "'r': expected a number");
  has(refusal(R"({"peft_type": "LORA", "r": 4})", good), "'lora_alpha': expected a number");
  has(refusal(R"({"peft_type": "LORA", "r": 4, "lora_alpha": "8"})", good), "'lora_alpha': expected a number");
  has(refusal("[]", good), "adapter_config.json: expected an object");
  for (const char* field : {R"("use_dora": true)", R"("modules_to_save": ["lm_head"])", R"("lora_bias": true)",
                            R"("target_parameters": ["mlp.experts.gate_up_proj"])", R"("trainable_token_indices": [5])",
                            R"("alora_invocation_tokens": [1, 2])", R"("layer_replication": [[0, 2]])"}) {
    CAPTURE(std::string(field));
    const std::string name = std::string(field).substr(1, std::string(field).find('"', 1) - 1);
    has(refusal(begin + ", " + field + "}", good), "adapter_config.json: '" + name + "': expected nothing");
  }
  has(refusal(begin + R"(, "bias": "all"})", good), "'bias': expected \"none\"");
  has(refusal(begin + R"(, "init_lora_weights": "pissa"})", good), "'init_lora_weights': expected");
  has(refusal(begin + R"(, "alpha_pattern": {"^model.*q_proj": 2}})", good), "regular expressions are not supported");
  has(refusal(begin + "}", {good[0]}), "expected its other half beside it");
  has(refusal(begin + "}", {good[0], good[1], {q + "lora_magnitude_vector", 64}}),
      "lora_magnitude_vector': expected a name");
  has(refusal(begin + "}", {good[0], good[1], {"model.norm.weight", 1}}), "other arrays of adapters are not supported");
  has(refusal(begin + "}", {{"model.layers.0.self_attn.z_proj.lora_A.weight", 4},
                            {"model.layers.0.self_attn.z_proj.lora_B.weight", 64}}),
      "no module of that name is known for the architecture 'llama'");
  has(refusal(begin + "}", {{q + "lora_A.weight", 8}, {q + "lora_B.weight", 64}}), "expected the rank 4 of");
  has(refusal(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 8})", good), "expected the rank 2 of adapter_config.json");
  has(refusal(begin + "}", {}), "an adapter without arrays");
  has(refusal(begin + "}",
              {{"model.layers.0.mlp.up_proj.lora_A.weight", 4}, {"model.layers.0.mlp.up_proj.lora_B.weight", 64}}),
      "expected the shape [4, 96] for the model's 'blk.0.ffn_up.weight', found [4, 64]");
}
