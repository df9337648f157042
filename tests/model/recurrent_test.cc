// Hyper-parameters of models with recurrent layers.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/model/blocks/delta_net.h"
#include "lib/model/hparams.h"

using namespace quern;
using quern::io::MetaTable;
using quern::io::MetaValue;
using quern::model::Hparams;
using quern::model::LayerMixer;

namespace {

/// The keys of a small model, with one of them replaced.
Result<Hparams> read_with(const std::string& key = "", const MetaValue& value = uint64_t{0}) {
  std::vector<std::pair<std::string, MetaValue>> keys = {
      {"context_length", uint64_t{512}},
      {"embedding_length", uint64_t{64}},
      {"block_count", uint64_t{6}},
      {"nextn_predict_layers", uint64_t{1}},
      {"feed_forward_length", uint64_t{172}},
      {"attention.head_count", uint64_t{4}},
      {"attention.head_count_kv", uint64_t{2}},
      {"attention.key_length", uint64_t{32}},
      {"attention.value_length", uint64_t{32}},
      {"attention.layer_norm_rms_epsilon", 1e-6},
      {"rope.dimension_count", uint64_t{16}},
      {"rope.dimension_sections", std::vector<int64_t>{3, 3, 2, 0}},
      {"ssm.conv_kernel", uint64_t{4}},
      {"ssm.state_size", uint64_t{16}},
      {"ssm.group_count", uint64_t{2}},
      {"ssm.time_step_rank", uint64_t{6}},
      {"ssm.inner_size", uint64_t{96}},
  };
  MetaTable meta("m.gguf");
  bool found = key.empty();
  for (const auto& [name, old] : keys) {
    found |= name == key;
    const MetaValue& now = name == key ? value : old;
    const auto* word = std::get_if<std::string>(&now);
    if (word != nullptr && word->empty()) continue;  // left out
    REQUIRE(meta.add({"qwen35." + name, now, 0}).has_value());
  }
  if (!found) REQUIRE(meta.add({"qwen35." + key, value, 0}).has_value());
  return model::read_hparams(meta, *arch::find_arch("qwen35"));
}

std::string attending(const Hparams& hp) {
  std::string out;
  for (const auto& layer : hp.layers) out += layer.mixer == LayerMixer::attention ? 'a' : '-';
  return out;
}

}  // namespace

TEST_CASE("which layers attend, and what the others keep") {
  const auto hp = read_with();
  REQUIRE_MESSAGE(hp.has_value(), hp.error().message);
  CHECK(attending(*hp) == "---a-");
  CHECK(hp->dim(arch::Dim::q, 3) == 2 * 4 * 32);  // with the gate
  CHECK(hp->dim(arch::Dim::attn, 3) == 4 * 32);
  CHECK(hp->dim(arch::Dim::delta_q_k_v, 0) == 2 * 2 * 16 + 96);
  CHECK(hp->dim(arch::Dim::delta_v_head, 0) == 16);
  const auto shape = model::state_shape(*hp);
  REQUIRE(shape.layers.size() == 5);
  CHECK(shape.layers[0].n_past == 3);
  CHECK(shape.layers[0].channels == 160);
  CHECK(shape.layers[4].n_heads == 6);
  CHECK(shape.layers[3].channels == 0);
  CHECK(shape.layers[3].n_heads == 0);
  CHECK(attending(*read_with("full_attention_interval", uint64_t{2})) == "-a-a-");
  CHECK(attending(*read_with("attention.recurrent_layers", std::vector<uint64_t>{0, 1, 1, 0, 0, 0})) == "a--aa");
  CHECK(model::state_shape(*read_with("full_attention_interval", uint64_t{1})).layers.empty());
}

TEST_CASE("keys of recurrent layers that do not fit") {
  const auto message = [](const std::string& key, const MetaValue& value) {
    const auto hp = read_with(key, value);
    REQUIRE_FALSE(hp.has_value());
    return hp.error().message;
  };
  CHECK(message("ssm.state_size", std::string()) == "m.gguf: key 'qwen35.ssm.state_size': missing");
  CHECK(message("ssm.inner_size", uint64_t{95}) ==
        "m.gguf: key 'qwen35.ssm.inner_size': expected a multiple of ssm.time_step_rank = 6, found 95");
  CHECK(message("ssm.group_count", uint64_t{4}) ==
        "m.gguf: key 'qwen35.ssm.group_count': expected a divisor of ssm.time_step_rank = 6, found 4");
  CHECK(message("attention.recurrent_layers", std::vector<uint64_t>{0, 1}) ==
        "m.gguf: key 'qwen35.attention.recurrent_layers': expected one element for each of 6 layers, found 2");
  CHECK(message("attention.value_length", uint64_t{16}) ==
        "m.gguf: key 'qwen35.attention.value_length': expected attention.key_length = 32, found 16");
  CHECK(message("rope.dimension_sections", std::vector<int64_t>{3, 3, 2}) ==
        "m.gguf: key 'qwen35.rope.dimension_sections': expected 4 elements, found 3");
  CHECK(
      message("rope.dimension_sections", std::vector<int64_t>{2, 2, 2, 2}) ==
      "m.gguf: key 'qwen35.rope.dimension_sections': expected the first three sections to cover all 8 pairs in turns, "
      "found 2, 2, 2 and 2");
}
