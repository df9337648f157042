#include "lib/model/hparams.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lib/arch/spec.h"

using namespace quern;
using quern::io::MetaTable;
using quern::io::MetaValue;
using quern::model::Hparams;
using quern::model::read_hparams;

namespace {

/// The keys of a small model, with some replaced or (an empty string) left out.
struct Keys {
  std::vector<std::pair<std::string, MetaValue>> entries = {
      {"context_length", uint64_t{512}},
      {"embedding_length", uint64_t{64}},
      {"block_count", uint64_t{2}},
      {"feed_forward_length", uint64_t{172}},
      {"attention.head_count", uint64_t{8}},
      {"attention.head_count_kv", uint64_t{4}},
      {"attention.layer_norm_rms_epsilon", 1e-5},
  };
  Keys& set(const std::string& key, MetaValue value) {
    drop(key);
    entries.emplace_back(key, std::move(value));
    return *this;
  }
  Keys& drop(const std::string& key) {
    for (size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].first == key) entries.erase(entries.begin() + static_cast<ptrdiff_t>(i--));
    }
    return *this;
  }
  Result<Hparams> read(const std::string& arch = "llama") const {
    MetaTable meta("m.gguf");
    for (const auto& [key, value] : entries) REQUIRE(meta.add({arch + "." + key, value, 0}).has_value());
    return read_hparams(meta, *arch::find_arch(arch));
  }
};

Error error_of(const Keys& keys) {
  const auto result = keys.read();
  REQUIRE(!result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("hyper-parameters and their defaults") {
  const auto hp = Keys().read();
  REQUIRE(hp.has_value());
  CHECK(hp->n_ctx_train == 512);
  CHECK(hp->n_embd == 64);
  CHECK(hp->n_layer == 2);
  CHECK(hp->k_dim == 8);
  CHECK(hp->v_dim == 8);
  CHECK(hp->n_rot == 8);
  CHECK(hp->vocab_size == 0);
  CHECK(hp->rms_eps == 1e-5f);
  CHECK(hp->rope.base == 10000);
  CHECK(hp->rope.scaling == model::RopeScaling::none);
  CHECK(hp->rope.attn_factor == 1);
  CHECK(hp->rope.original_context == 512);
  REQUIRE(hp->layers.size() == 2);
  CHECK(hp->layers[1].n_head == 8);
  CHECK(hp->layers[1].n_head_kv == 4);
  CHECK(hp->layers[1].n_ff == 172);
  CHECK(hp->dim(arch::Dim::q, 0) == 64);
  CHECK(hp->dim(arch::Dim::k, 0) == 32);
  CHECK(Keys().drop("attention.head_count_kv").read()->layers[0].n_head_kv == 8);
}

TEST_CASE("every integer at its limits and beyond") {
  struct Limit {
    const char* key;
    uint64_t min, max;
    bool max_fits_alone;  // or another check refuses the largest value in this model
  };
  const Limit limits[] = {
      {"context_length", 1, 2147483647, true},
      {"embedding_length", 1, 1 << 20, true},
      {"block_count", 1, 1024, true},
      {"vocab_size", 1, 1 << 22, true},
      {"attention.head_count", 1, 1 << 14, false},
      {"attention.head_count_kv", 1, 1 << 14, false},
      {"attention.key_length", 1, 1 << 14, true},
      {"attention.value_length", 1, 1 << 14, true},
      {"feed_forward_length", 1, 1 << 24, true},
      {"rope.dimension_count", 2, 1 << 14, false},
      {"expert_count", 0, 1024, false},
      {"expert_used_count", 0, 1024, true},
      {"expert_feed_forward_length", 0, 1 << 24, true},
      {"attention.sliding_window", 0, 2147483647, true},
      {"rope.scaling.original_context_length", 1, 2147483647, true},
  };
  for (const Limit& limit : limits) {
    CAPTURE(limit.key);
    for (const uint64_t outside : {limit.min - 1, limit.max + 1, uint64_t{1} << 32, UINT64_MAX}) {
      const Error error = error_of(Keys().set(limit.key, outside));
      CHECK(error.code == Errc::format);
      CHECK(error.message == cat("m.gguf: key 'llama.", limit.key, "': expected an integer from ", limit.min, " to ",
                                 limit.max, ", found ", static_cast<double>(outside)));
    }
    const auto range = [&](uint64_t value) {
      const auto hp = Keys().set("rope.dimension_count", uint64_t{2}).set(limit.key, value).read();
      return hp.has_value() || hp.error().message.find("expected an integer from") == std::string::npos;
    };
    CHECK(range(limit.min));
    CHECK(range(limit.max));
    if (limit.max_fits_alone && std::string(limit.key) != "embedding_length") {
      Keys keys;
      keys.set("rope.dimension_count", uint64_t{2}).set("attention.key_length", uint64_t{8}).set(limit.key, limit.max);
      CHECK(keys.read().has_value());
    }
    CHECK(error_of(Keys().set(limit.key, int64_t{-1})).code == Errc::format);
    CHECK(error_of(Keys().set(limit.key, std::string("8"))).code == Errc::format);
    CHECK(error_of(Keys().set(limit.key, 8.0)).code == Errc::format);
  }
}

TEST_CASE("every number at its limits and beyond") {
  struct Limit {
    const char* key;
    double min, max;
  };
  const Limit limits[] = {
      {"attention.layer_norm_rms_epsilon", 1e-30, 1},
      {"rope.freq_base", 1e-3, 1e30},
      {"attention.scale", 0, 1e6},
      {"expert_weights_scale", 0, 1e6},
      {"rope.scaling.factor", 0, 1e6},
      {"rope.scale_linear", 0, 1e6},
      {"rope.scaling.attn_factor", 1e-3, 1e3},
      {"rope.scaling.yarn_ext_factor", 0, 1},
      {"rope.scaling.yarn_attn_factor", 1e-3, 1e3},
      {"rope.scaling.yarn_beta_fast", 1e-3, 1e6},
      {"rope.scaling.yarn_beta_slow", 1e-3, 1e6},
  };
  constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
  for (const Limit& limit : limits) {
    CAPTURE(limit.key);
    CHECK(Keys().set(limit.key, limit.min).read().has_value());
    CHECK(Keys().set(limit.key, limit.max).read().has_value());
    for (const double bad :
         {kInf, -kInf, kNan, -1.0, std::nextafter(limit.min, -kInf), std::nextafter(limit.max, kInf)}) {
      CAPTURE(bad);
      const Error error = error_of(Keys().set(limit.key, bad));
      CHECK(error.code == Errc::format);
      CHECK(error.message.find(cat("m.gguf: key 'llama.", limit.key, "': expected a number from ")) == 0);
    }
    CHECK(error_of(Keys().set(limit.key, uint64_t{1})).code == Errc::format);
  }
  CHECK(error_of(Keys().set("rope.scaling.factor", 1e-4)).message ==
        "m.gguf: key 'llama.rope.scaling.factor': expected 0 or a number from 0.001 to 1e+06, found 1e-04");
}

TEST_CASE("required keys") {
  for (const char* key : {"context_length", "embedding_length", "block_count", "feed_forward_length",
                          "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    CHECK(error_of(Keys().drop(key)).message == cat("m.gguf: key 'llama.", key, "': missing"));
  }
}

TEST_CASE("constraints between keys") {
  CHECK(error_of(Keys().set("attention.head_count_kv", uint64_t{3})).message ==
        "m.gguf: key 'llama.attention.head_count_kv': expected a divisor of attention.head_count = 8, found 3 in layer "
        "0");
  CHECK(error_of(Keys().set("rope.dimension_count", uint64_t{7})).message ==
        "m.gguf: key 'llama.rope.dimension_count': expected an even number up to the length of a head, 8, found 7");
  CHECK(error_of(Keys().set("rope.dimension_count", uint64_t{10})).code == Errc::format);
  CHECK(Keys().set("rope.dimension_count", uint64_t{6}).read()->n_rot == 6);
  CHECK(error_of(Keys().set("embedding_length", uint64_t{65})).message ==
        "m.gguf: key 'llama.attention.key_length': missing, and embedding_length = 65 is no multiple of "
        "attention.head_count = 8");
  CHECK(error_of(Keys().set("expert_count", uint64_t{8})).message ==
        "m.gguf: key 'llama.expert_used_count': expected 1 to expert_count = 8, found 0");
  CHECK(error_of(Keys().set("expert_count", uint64_t{8}).set("expert_used_count", uint64_t{9})).message ==
        "m.gguf: key 'llama.expert_used_count': expected 1 to expert_count = 8, found 9");
  const auto moe = Keys().set("expert_count", uint64_t{8}).set("expert_used_count", uint64_t{2}).read();
  REQUIRE(moe.has_value());
  CHECK(moe->experts.n == 8);
  CHECK(moe->experts.n_used == 2);
  CHECK(moe->experts.n_ff == 172);
  CHECK(moe->layers[1].experts);
  CHECK(Keys().set("expert_count", uint64_t{0}).read().has_value());
}

TEST_CASE("arrays with one element per layer") {
  using Ints = std::vector<uint64_t>;
  const auto hp = Keys().set("attention.head_count_kv", Ints{4, 2}).set("feed_forward_length", Ints{100, 200}).read();
  REQUIRE(hp.has_value());
  CHECK(hp->layers[0].n_head_kv == 4);
  CHECK(hp->layers[1].n_head_kv == 2);
  CHECK(hp->max_dim(arch::Dim::ff) == 200);
  CHECK(error_of(Keys().set("attention.head_count_kv", Ints{4})).message ==
        "m.gguf: key 'llama.attention.head_count_kv': expected one element for each of 2 layers, found 1");
  CHECK(error_of(Keys().set("attention.head_count_kv", Ints{4, 2, 2})).code == Errc::format);
  CHECK(error_of(Keys().set("attention.head_count_kv", Ints{})).code == Errc::format);
  CHECK(error_of(Keys().set("attention.head_count_kv", Ints{4, 0})).message ==
        "m.gguf: key 'llama.attention.head_count_kv': element 1: expected an integer from 1 to 16384, found 0");
  CHECK(error_of(Keys().set("attention.head_count_kv", std::vector<int64_t>{4, -1})).code == Errc::format);
  CHECK(error_of(Keys().set("attention.head_count_kv", std::vector<std::string>{"4", "2"})).code == Errc::format);
  CHECK(error_of(Keys().set("block_count", Ints{1, 2})).code == Errc::format);
}

TEST_CASE("rope scaling") {
  using model::RopeScaling;
  const auto rope = [](const char* type, double factor) {
    Keys keys;
    if (type) keys.set("rope.scaling.type", std::string(type));
    if (factor >= 0) keys.set("rope.scaling.factor", factor);
    return keys.read()->rope;
  };
  CHECK(rope("linear", 4).scaling == RopeScaling::linear);
  CHECK(rope("linear", 4).factor == 4);
  CHECK(rope(nullptr, 4).scaling == RopeScaling::linear);
  CHECK(rope("none", 4).scaling == RopeScaling::none);
  CHECK(rope("none", 4).factor == 1);
  CHECK(rope("linear", -1).scaling == RopeScaling::none);
  CHECK(rope("yarn", 0).scaling == RopeScaling::none);
  CHECK(rope("yarn", 4).scaling == RopeScaling::yarn);
  CHECK(Keys().set("rope.scale_linear", 2.0).read()->rope.factor == 2);
  CHECK(Keys().set("rope.scale_linear", 2.0).set("rope.scaling.factor", 8.0).read()->rope.factor == 8);
  CHECK(error_of(Keys().set("rope.scaling.type", std::string("su\n"))).message ==
        "m.gguf: key 'llama.rope.scaling.type': expected none, linear, yarn or longrope, found 'su\\x0a'");
  CHECK(rope("longrope", 4).scaling == RopeScaling::none);
}

namespace {

/// One letter per layer: w sees the window alone, . everything.
std::string windows(const Hparams& hp) {
  std::string out;
  for (const model::LayerParams& layer : hp.layers) out += layer.windowed ? 'w' : '.';
  return out;
}

}  // namespace

TEST_CASE("which layers keep to the sliding window") {
  using Ints = std::vector<uint64_t>;
  Keys keys;
  keys.set("block_count", uint64_t{8});
  CHECK(windows(*keys.read()) == "........");
  CHECK(windows(*keys.read("gemma2")) == "w.w.w.w.");  // with a window of 4096 unless the file says otherwise
  CHECK(keys.read("gemma2")->sliding_window == 4096);
  CHECK(windows(*keys.read("gemma3")) == "........");
  keys.set("attention.sliding_window", uint64_t{16});
  CHECK(keys.read("gemma2")->sliding_window == 16);
  CHECK(windows(*keys.read()) == "wwwwwwww");
  CHECK(windows(*keys.read("gemma3")) == "wwwww.ww");
  CHECK(windows(*keys.set("attention.sliding_window_pattern", uint64_t{3}).read("gemma3")) == "ww.ww.ww");
  keys.set("attention.sliding_window_pattern", Ints{1, 0, 0, 1, 1, 0, 0, 1});
  CHECK(windows(*keys.read("gemma3")) == "w..ww..w");
  CHECK(windows(*keys.set("attention.sliding_window", uint64_t{0}).read("gemma2")) == "........");
}

TEST_CASE("rotary embedding by layer") {
  using model::LayerRope;
  Keys keys;
  keys.set("block_count", uint64_t{8}).set("attention.sliding_window", uint64_t{16});
  const auto gemma = keys.read("gemma3");
  CHECK(gemma->layers[0].rope == LayerRope::local);
  CHECK(gemma->layers[5].rope == LayerRope::global);
  CHECK(gemma->rope_local.base == 10000);
  CHECK(keys.set("rope.freq_base_swa", 500.0).read("gemma3")->rope_local.base == 500);
  CHECK(keys.read("gemma2")->layers[0].rope == LayerRope::global);
  const auto smol = keys.read("smollm3");
  for (size_t i = 0; i < 8; ++i) CHECK((smol->layers[i].rope == LayerRope::none) == (i % 4 == 3));
}

TEST_CASE("scales that a family or a file sets") {
  Keys keys;
  CHECK(keys.read()->embedding_scale == 1);
  CHECK(keys.read("gemma")->embedding_scale == 8);
  CHECK(keys.read("gemma2")->attention_softcap == 50);
  CHECK(keys.read("gemma2")->logit_softcap == 30);
  CHECK(keys.read("gemma3")->logit_softcap == 0);
  CHECK(keys.set("final_logit_softcapping", 7.0).read("gemma3")->logit_softcap == 7);
  CHECK(keys.set("logit_scale", 4.0).read("granite")->logit_scale == 0.25f);
  // Heads of 4 elements; the models of 46 and 62 layers go by 64 / 8.
  keys.set("attention.key_length", uint64_t{4});
  CHECK(keys.read("gemma2")->attention_scale == doctest::Approx(0.5));
  CHECK(keys.set("block_count", uint64_t{46}).read("gemma2")->attention_scale == doctest::Approx(1 / std::sqrt(8.0)));
  CHECK(keys.read("gemma3")->attention_scale == doctest::Approx(0.5));
  CHECK(keys.set("block_count", uint64_t{62}).read("gemma3")->attention_scale == doctest::Approx(1 / std::sqrt(8.0)));
}

TEST_CASE("latent attention") {
  Keys keys;
  keys.set("attention.head_count_kv", uint64_t{1}).set("rope.dimension_count", uint64_t{6});
  const auto message = [&] { return keys.read("deepseek2").error().message; };
  CHECK(message() == "m.gguf: key 'deepseek2.attention.kv_lora_rank': missing");
  keys.set("attention.kv_lora_rank", uint64_t{20}).set("attention.key_length", uint64_t{10});
  keys.set("attention.key_length_mla", uint64_t{16}).set("attention.value_length_mla", uint64_t{8});
  CHECK(message().find(
            "key_length': expected kv_lora_rank + rope.dimension_count = 26 and a value_length of 20, found 10 "
            "and 8") != std::string::npos);
  keys.set("attention.key_length", uint64_t{26}).set("attention.value_length", uint64_t{20});
  keys.set("attention.key_length_mla", uint64_t{6});
  CHECK(message() ==
        "m.gguf: key 'deepseek2.attention.key_length_mla': expected more than rope.dimension_count = 6, found 6");
  const auto hp = keys.set("attention.key_length_mla", uint64_t{16}).read("deepseek2");
  REQUIRE(hp.has_value());
  CHECK(hp->dim(arch::Dim::q_full, 0) == 128);
  CHECK(hp->dim(arch::Dim::kv_latent, 0) == 26);
  CHECK(hp->dim(arch::Dim::k_plain, 0) == 10);
  CHECK(hp->attention_scale == 0.25f);
  keys.set("attention.head_count_kv", uint64_t{2});
  CHECK(message() == "m.gguf: key 'deepseek2.attention.head_count_kv': expected 1, found 2");
}

TEST_CASE("latent attention of files that have no lengths of heads once made") {
  Keys keys;
  keys.set("attention.head_count_kv", uint64_t{8}).set("rope.dimension_count", uint64_t{6});
  keys.set("attention.kv_lora_rank", uint64_t{20}).set("attention.key_length", uint64_t{16});
  keys.set("attention.value_length", uint64_t{12});
  const auto hp = keys.read("deepseek2");
  REQUIRE_MESSAGE(hp.has_value(), hp.error().message);
  CHECK(hp->latent.full_cache);
  CHECK(hp->dim(arch::Dim::kv_full, 0) == 8 * (10 + 12));
  CHECK(hp->dim(arch::Dim::attn_full, 0) == 8 * 12);
  CHECK(hp->attention_scale == 0.25f);
  CHECK(Keys(keys).set("attention.head_count_kv", uint64_t{1}).read("deepseek2").error().message ==
        "m.gguf: key 'deepseek2.attention.head_count_kv': expected 8, found 1");
  CHECK(Keys(keys).set("attention.value_length_mla", uint64_t{10}).read("deepseek2").error().message ==
        "m.gguf: key 'deepseek2.attention.value_length_mla': expected value_length = 12, found 10");
}

TEST_CASE("groups of experts") {
  Keys keys;
  keys.set("expert_count", uint64_t{12}).set("expert_used_count", uint64_t{4});
  keys.set("attention.kv_lora_rank", uint64_t{2}).set("rope.dimension_count", uint64_t{6});
  keys.set("attention.head_count_kv", uint64_t{1}).set("attention.value_length", uint64_t{2});
  keys.set("attention.key_length_mla", uint64_t{16}).set("leading_dense_block_count", uint64_t{1});
  keys.set("expert_group_count", uint64_t{4}).set("expert_group_used_count", uint64_t{2});
  const auto hp = keys.read("deepseek2");
  REQUIRE_MESSAGE(hp.has_value(), hp.error().message);
  CHECK_FALSE(hp->layers[0].experts);
  CHECK(hp->layers[1].experts);
  CHECK(hp->experts.n_groups == 4);
  CHECK_FALSE(hp->experts.normalize);
  for (const uint64_t bad : {uint64_t{5}, uint64_t{12}}) {
    CHECK(Keys(keys).set("expert_group_count", bad).read("deepseek2").error().message.find("expert_group_count'") !=
          std::string::npos);
  }
}

TEST_CASE("encoders: epsilon, pooling, what tokens see, activation") {
  Keys keys;
  keys.drop("attention.layer_norm_rms_epsilon");
  const auto message = [&](const char* arch) {
    const auto hp = keys.read(arch);
    return hp ? std::string() : hp.error().message;
  };
  CHECK(message("bert") == "m.gguf: key 'bert.attention.layer_norm_epsilon': missing");
  keys.set("attention.layer_norm_epsilon", 1e-12);
  const auto bert = keys.read("bert");
  REQUIRE(bert.has_value());
  CHECK(bert->layer_norm_eps == 1e-12f);
  CHECK_FALSE(bert->causal);
  CHECK(bert->pooling == 0);
  CHECK(bert->n_rot == 0);
  CHECK(bert->layers[0].rope == model::LayerRope::none);
  CHECK(bert->ffn == arch::Ffn::gelu);
  CHECK(bert->dim(arch::Dim::positions, 0) == 512);
  CHECK(keys.set("pooling_type", uint64_t{2}).read("bert")->pooling == 2);
  CHECK(keys.set("attention.causal", true).read("bert")->causal);
  CHECK(Keys().read()->causal);
  CHECK_FALSE(Keys().set("attention.causal", false).read()->causal);
  CHECK(keys.set("pooling_type", uint64_t{7}).read("bert")->pooling == 7);  // of no meaning to who makes no embeddings
  keys.drop("pooling_type").drop("attention.causal");

  keys.set("block_count", uint64_t{5}).set("attention.sliding_window", uint64_t{8});
  const auto modern = keys.read("modern-bert");
  REQUIRE(modern.has_value());
  for (const size_t layer : {0, 1, 2, 3, 4}) {
    CHECK(modern->layers[layer].windowed == (layer % 3 != 0));
    CHECK((modern->layers[layer].rope == model::LayerRope::local) == (layer % 3 != 0));
  }
  CHECK(modern->rope_local.base == 10000);
  CHECK(modern->ffn == arch::Ffn::geglu);
  CHECK(keys.set("hidden_activation", std::string("silu")).read("modern-bert")->ffn == arch::Ffn::swiglu);
  CHECK(keys.set("hidden_activation", std::string("gelu")).read("modern-bert")->ffn == arch::Ffn::geglu);
  keys.set("hidden_activation", std::string("relu"));
  CHECK(message("modern-bert") ==
        "m.gguf: key 'modern-bert.hidden_activation': expected gelu, geglu, silu, swish or swiglu, found 'relu'");
}

namespace {

/// Six layers, every third without a window, where heads are longer and fewer.
Keys gemma4_keys() {
  return Keys()
      .set("block_count", uint64_t{6})
      .set("attention.head_count_kv", std::vector<uint64_t>{4, 4, 2, 4, 4, 2})
      .set("attention.key_length", uint64_t{32})
      .set("attention.value_length", uint64_t{32})
      .set("attention.key_length_swa", uint64_t{16})
      .set("attention.value_length_swa", uint64_t{16})
      .set("rope.dimension_count", uint64_t{32})
      .set("rope.dimension_count_swa", uint64_t{16})
      .set("attention.sliding_window", uint64_t{8})
      .set("attention.sliding_window_pattern", std::vector<uint64_t>{1, 1, 0, 1, 1, 0})
      .set("attention.shared_kv_layers", uint64_t{3});
}

Error gemma4_error(const Keys& keys) {
  const auto result = keys.read("gemma4");
  REQUIRE(!result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("heads of layers with a window, and layers that use the keys and values of others") {
  const auto hp = gemma4_keys().read("gemma4");
  REQUIRE_MESSAGE(hp.has_value(), hp.error().message);
  const uint32_t kv_layers[] = {0, 1, 2, 1, 1, 2};
  for (uint32_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    const model::LayerParams& layer = hp->layers[i];
    CHECK(layer.k_dim == (i % 3 == 2 ? 32 : 16));
    CHECK(layer.v_dim == layer.k_dim);
    CHECK(layer.n_rot == layer.k_dim);
    CHECK(layer.own_kv == (i < 3));
    CHECK(layer.kv_layer == kv_layers[i]);
  }
  CHECK(hp->dim(arch::Dim::q, 0) == 8 * 16);
  CHECK(hp->dim(arch::Dim::q, 2) == 8 * 32);
  CHECK(hp->dim(arch::Dim::k, 2) == 2 * 32);
  CHECK(hp->attention_scale == 1);
  CHECK(gemma4_error(gemma4_keys().set("attention.shared_kv_layers", uint64_t{6})).message.find("shared_kv_layers") !=
        std::string::npos);
  // Layer 4 has a window, but of the first two, which keep keys and values, none has.
  CHECK(gemma4_error(gemma4_keys()
                         .set("attention.shared_kv_layers", uint64_t{4})
                         .set("attention.head_count_kv", uint64_t{2})
                         .set("attention.sliding_window_pattern", std::vector<uint64_t>{0, 0, 0, 0, 1, 0}))
            .message.find("layer 4 has no earlier one") != std::string::npos);
  CHECK(gemma4_error(gemma4_keys().set("attention.head_count_kv", std::vector<uint64_t>{4, 4, 2, 4, 2, 2}))
            .message.find("in layer 4") != std::string::npos);
  CHECK(gemma4_error(gemma4_keys().set("attention.value_length_swa", uint64_t{8})).message.find("value_length_swa") !=
        std::string::npos);
  CHECK(gemma4_error(gemma4_keys().set("rope.dimension_count_swa", uint64_t{32}))
            .message.find("rope.dimension_count_swa") != std::string::npos);
}
