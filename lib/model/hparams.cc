// What the values of a file's keys mean together, and the checks that join them.
#include "lib/model/hparams.h"

#include <algorithm>
#include <cmath>

#include "lib/model/key_table.h"

namespace quern::model {
namespace {

using arch::Key;

Result<RopeParams> rope_params(const KeyValues& values, const KeyReader& reader) {
  RopeParams rope;
  rope.base = values.scalar(Key::rope_freq_base);
  rope.original_context = values.scalar(Key::rope_original_context);
  rope.attn_factor = values.scalar(Key::rope_attn_factor);
  const double type = values.scalar(Key::rope_scaling_type), factor = values.scalar(Key::rope_scaling_factor);
  // A factor of 0 stands for none; one without a type means linear scaling. LongRoPE scales by its divisors alone.
  QUERN_ENSURE(factor == 0 || factor >= 1e-3, Errc::format, reader.where(Key::rope_scaling_factor),
               "expected 0 or a number from 0.001 to 1e+06, found ", factor);
  if (factor == 0) return rope;
  if (type == kScalingLinear || type == kScalingAbsent) {
    rope.scaling = RopeScaling::linear;
    rope.factor = factor;
  } else if (type == kScalingYarn) {
    rope.scaling = RopeScaling::yarn;
    rope.factor = factor;
    rope.attn_factor *= values.scalar(Key::yarn_attn_factor);
    rope.ext_factor = values.scalar(Key::yarn_ext_factor);
    rope.beta_fast = values.scalar(Key::yarn_beta_fast);
    rope.beta_slow = values.scalar(Key::yarn_beta_slow);
    rope.log_multiplier = values.scalar(Key::yarn_log_multiplier);
  }
  return rope;
}

/// Whether `layer` is one that sees everything, or has no rotary embedding, where every so many layers one does.
bool last_of(uint32_t every, uint32_t layer) { return every > 0 && (layer + 1) % every == 0; }
bool first_of(uint32_t every, uint32_t layer) { return every > 0 && layer % every == 0; }

std::vector<LayerParams> layer_params(const KeyValues& values, const KeyReader& reader, const arch::ArchSpec& spec) {
  // The last layers may be there to predict further tokens: another mechanism, which is not used.
  const auto n_layer = static_cast<uint32_t>(values.scalar(Key::block_count) - values.scalar(Key::nextn_layers));
  const bool window = values.scalar(Key::sliding_window) > 0;
  const bool window_by_layer = reader.per_layer(Key::sliding_window_pattern);
  const bool local_rope = reader.listed(Key::rope_freq_base_local);
  uint32_t full_every = spec.full_layer_every;
  if (const auto every = static_cast<uint32_t>(values.scalar(Key::sliding_window_pattern)); every > 0)
    full_every = every;
  const auto attention_every = static_cast<uint32_t>(values.scalar(Key::full_attention_interval));
  std::vector<LayerParams> out(n_layer);
  for (uint32_t i = 0; i < n_layer; ++i) {
    const auto whole = [&](Key key) { return static_cast<uint32_t>(values.of_layer(key, i)); };
    LayerParams& layer = out[i];
    layer.n_head = whole(Key::head_count);
    layer.n_head_kv = whole(Key::head_count_kv);
    layer.n_ff = whole(Key::feed_forward_length);
    const bool full = spec.full_layer_first ? first_of(full_every, i) : last_of(full_every, i);
    layer.windowed = window && (window_by_layer ? whole(Key::sliding_window_pattern) != 0 : !full);
    layer.k_dim = whole(layer.windowed ? Key::key_length_local : Key::key_length);
    layer.v_dim = whole(layer.windowed ? Key::value_length_local : Key::value_length);
    if (spec.rope != arch::Rope::none)
      layer.n_rot = whole(layer.windowed ? Key::rope_dimension_count_local : Key::rope_dimension_count);
    layer.kv_layer = i;
    const bool rotates = spec.rope != arch::Rope::none && !last_of(spec.no_rope_every, i);
    layer.rope = !rotates ? LayerRope::none : layer.windowed && local_rope ? LayerRope::local : LayerRope::global;
    const bool recurrent =
        reader.per_layer(Key::recurrent_layers) ? whole(Key::recurrent_layers) != 0 : !last_of(attention_every, i);
    layer.mixer = recurrent ? LayerMixer::delta_net : LayerMixer::attention;
    layer.experts = values.scalar(Key::expert_count) > 0 && i >= values.scalar(Key::leading_dense_blocks);
  }
  return out;
}

/// The last layers may do without keys and values of their own: they see those of the last layer before that has some,
/// and that has a sliding window or none as they do.
Status share_kv(Hparams& hp, const KeyValues& values, const KeyReader& reader) {
  const auto n_shared = static_cast<uint32_t>(values.scalar(Key::shared_kv_layers));
  QUERN_ENSURE(n_shared < hp.n_layer, Errc::format, reader.where(Key::shared_kv_layers), "expected less than the ",
               hp.n_layer, " layers, found ", n_shared);
  const uint32_t n_own = hp.n_layer - n_shared;
  for (uint32_t i = n_own; i < hp.n_layer; ++i) {
    LayerParams& layer = hp.layers[i];
    uint32_t from = n_own;
    while (from > 0 && hp.layers[from - 1].windowed != layer.windowed) --from;
    QUERN_ENSURE(from > 0, Errc::format, reader.where(Key::shared_kv_layers), "layer ", i,
                 " has no earlier one whose keys and values it could use");
    layer.own_kv = false;
    layer.kv_layer = from - 1;
    QUERN_ENSURE(layer.n_head_kv == hp.layers[from - 1].n_head_kv, Errc::format, reader.where(Key::head_count_kv),
                 "expected the number of layer ", from - 1, " in layer ", i,
                 ", which uses its keys and values: ", hp.layers[from - 1].n_head_kv, ", found ", layer.n_head_kv);
  }
  return {};
}

Result<ExpertParams> expert_params(const KeyValues& values, const KeyReader& reader) {
  const auto whole = [&](Key key) { return static_cast<uint32_t>(values.scalar(key)); };
  ExpertParams experts;
  experts.n = whole(Key::expert_count);
  if (experts.n == 0) return experts;
  experts.n_used = whole(Key::expert_used_count);
  QUERN_ENSURE(experts.n_used >= 1 && experts.n_used <= experts.n, Errc::format, reader.where(Key::expert_used_count),
               "expected 1 to expert_count = ", experts.n, ", found ", experts.n_used);
  // Without a key of its own an expert has the length of the feed-forward block.
  experts.n_ff = whole(Key::expert_feed_forward_length);
  if (experts.n_ff == 0) experts.n_ff = whole(Key::feed_forward_length);
  experts.n_ff_shared = whole(Key::expert_shared_feed_forward_length);
  if (experts.n_ff_shared == 0) {
    const uint64_t shared = uint64_t{whole(Key::expert_shared_count)} * experts.n_ff;
    QUERN_ENSURE(shared <= kMaxFf, Errc::format, reader.where(Key::expert_shared_count),
                 "expected shared experts of at most ", kMaxFf, " elements together, found ", shared);
    experts.n_ff_shared = static_cast<uint32_t>(shared);
  }
  experts.n_groups = std::max(1u, whole(Key::expert_group_count));
  experts.n_groups_used = std::max(1u, whole(Key::expert_group_used_count));
  if (experts.n_groups == 1) experts.n_groups_used = 1;
  const uint32_t in_groups = experts.n / experts.n_groups * experts.n_groups_used;
  QUERN_ENSURE(
      experts.n % experts.n_groups == 0 && experts.n_groups_used <= experts.n_groups && experts.n_used <= in_groups,
      Errc::format, reader.where(Key::expert_group_count), "expected groups that ", experts.n_used, " of ", experts.n,
      " experts can be chosen from, found ", experts.n_groups, " groups of which ", experts.n_groups_used, " are used");
  if (const uint32_t gating = whole(Key::expert_gating); gating > 0) experts.gating = static_cast<arch::Gating>(gating);
  experts.normalize = values.scalar(Key::expert_weights_norm) != 0;
  if (const double scale = values.scalar(Key::expert_weights_scale); scale > 0)
    experts.scale = static_cast<float>(scale);
  return experts;
}

void set_scales(Hparams& hp, const KeyValues& values, const arch::ArchSpec& spec) {
  const auto real = [&](Key key) { return values.scalar(key); };
  const auto given = [&](Key key, double otherwise) { return real(key) > 0 ? real(key) : otherwise; };
  const double width = hp.n_embd;
  const bool by_width = spec.embedding_scale == arch::EmbeddingScale::sqrt_width;
  hp.embedding_scale = static_cast<float>(given(Key::embedding_scale, by_width ? std::sqrt(width) : 1));
  hp.residual_scale = static_cast<float>(given(Key::residual_scale, 1));
  hp.logit_scale = static_cast<float>(1 / given(Key::logit_scale, 1));
  const bool scores_by_width = spec.scores_by_width_layers == hp.n_layer;
  const double length = scores_by_width         ? width / hp.layers[0].n_head
                        : hp.latent.kv_rank > 0 ? hp.latent.k_dim
                                                : hp.k_dim;
  hp.attention_scale = static_cast<float>(given(Key::attention_scale, 1 / std::sqrt(length)));
  hp.attention_temperature = real(Key::attention_temperature);
  hp.attention_softcap = static_cast<float>(real(Key::attention_softcap));
  hp.logit_softcap = static_cast<float>(real(Key::logit_softcap));
}

Result<DeltaParams> delta_params(const KeyValues& values, const KeyReader& reader) {
  const auto whole = [&](Key key) { return static_cast<uint32_t>(values.scalar(key)); };
  DeltaParams delta{whole(Key::group_count), whole(Key::time_step_rank), whole(Key::state_size), 0,
                    whole(Key::conv_kernel)};
  const uint32_t inner = whole(Key::inner_size);
  for (const Key key : {Key::conv_kernel, Key::state_size, Key::inner_size, Key::time_step_rank, Key::group_count})
    QUERN_ENSURE(whole(key) > 0, Errc::format, reader.where(key), "missing");
  QUERN_ENSURE(inner % delta.n_heads == 0, Errc::format, reader.where(Key::inner_size),
               "expected a multiple of ssm.time_step_rank = ", delta.n_heads, ", found ", inner);
  delta.v_dim = inner / delta.n_heads;
  QUERN_ENSURE(delta.n_heads % delta.n_k_heads == 0, Errc::format, reader.where(Key::group_count),
               "expected a divisor of ssm.time_step_rank = ", delta.n_heads, ", found ", delta.n_k_heads);
  return delta;
}

/// Pairs of rotated elements are dealt to the axes of positions in turns, as long as an axis has any left. The first
/// three axes of text have the same positions; a pair beyond them would not be rotated.
Status check_sections(const Hparams& hp, const KeyValues& values, const KeyReader& reader) {
  const std::vector<double>& sections = values.all(Key::rope_sections);
  if (sections.size() != kRopeAxes) return {};
  uint32_t sum = 0;
  for (const double section : sections) sum += static_cast<uint32_t>(section);
  for (uint32_t pair = 0; pair < hp.n_rot / 2 && sum > 0; ++pair) {
    const uint32_t turn = pair % sum;
    QUERN_ENSURE(turn < 3 * sections[turn % 3], Errc::unsupported, reader.where(Key::rope_sections),
                 "expected the first three sections to cover all ", hp.n_rot / 2, " pairs in turns, found ",
                 sections[0], ", ", sections[1], ", ", sections[2], " and ", sections[3]);
  }
  return {};
}

/// The constraints on latent attention.
Status check_latent(const Hparams& hp, const KeyReader& reader) {
  QUERN_ENSURE(hp.latent.kv_rank > 0, Errc::format, reader.where(Key::kv_rank), "missing");
  QUERN_ENSURE(hp.n_rot < hp.latent.k_dim, Errc::format, reader.where(Key::key_length_full),
               "expected more than rope.dimension_count = ", hp.n_rot, ", found ", hp.latent.k_dim);
  QUERN_ENSURE(hp.latent.full_cache || (hp.k_dim == hp.latent.kv_rank + hp.n_rot && hp.v_dim == hp.latent.kv_rank),
               Errc::format, reader.where(Key::key_length),
               "expected kv_lora_rank + rope.dimension_count = ", hp.latent.kv_rank + hp.n_rot,
               " and a value_length of ", hp.latent.kv_rank, ", found ", hp.k_dim, " and ", hp.v_dim);
  QUERN_ENSURE(!hp.latent.full_cache || hp.v_dim == hp.latent.v_dim, Errc::format, reader.where(Key::value_length_full),
               "expected value_length = ", hp.v_dim, ", found ", hp.latent.v_dim);
  for (const LayerParams& layer : hp.layers) {
    QUERN_ENSURE(layer.n_head == hp.layers[0].n_head, Errc::unsupported, reader.where(Key::head_count),
                 "expected the same number in all layers, found ", layer.n_head, " and ", hp.layers[0].n_head);
    const uint32_t n_head_kv = hp.latent.full_cache ? layer.n_head : 1;
    QUERN_ENSURE(layer.n_head_kv == n_head_kv, Errc::unsupported, reader.where(Key::head_count_kv), "expected ",
                 n_head_kv, ", found ", layer.n_head_kv);
  }
  return {};
}

/// The constraints between keys.
Status check(const Hparams& hp, const arch::ArchSpec& spec, const KeyReader& reader) {
  const bool rms = spec.norm == arch::Norm::rms;
  QUERN_ENSURE((rms ? hp.rms_eps : hp.layer_norm_eps) > 0, Errc::format,
               reader.where(rms ? Key::rms_eps : Key::layer_norm_eps), "missing");
  for (size_t i = 0; i < hp.layers.size(); ++i) {
    const LayerParams& layer = hp.layers[i];
    QUERN_ENSURE(layer.n_head % layer.n_head_kv == 0, Errc::format, reader.where(Key::head_count_kv),
                 "expected a divisor of attention.head_count = ", layer.n_head, ", found ", layer.n_head_kv,
                 " in layer ", i);
    QUERN_ENSURE(
        layer.n_rot % 2 == 0 && layer.n_rot <= layer.k_dim, Errc::format,
        reader.where(layer.windowed && reader.given(Key::rope_dimension_count_local) ? Key::rope_dimension_count_local
                                                                                     : Key::rope_dimension_count),
        "expected an even number up to the length of a head, ", layer.k_dim, ", found ", layer.n_rot);
    QUERN_ENSURE(!spec.normalized_values || layer.k_dim == layer.v_dim, Errc::unsupported,
                 reader.where(layer.windowed ? Key::value_length_local : Key::value_length),
                 "expected the length of a key, ", layer.k_dim, ", found ", layer.v_dim);
  }
  QUERN_ENSURE(!hp.output_gate || hp.k_dim == hp.v_dim, Errc::format, reader.where(Key::value_length),
               "expected attention.key_length = ", hp.k_dim, ", found ", hp.v_dim);
  return hp.latent.k_dim > 0 ? check_latent(hp, reader) : Status{};
}

}  // namespace

Result<Hparams> read_hparams(const io::MetaTable& meta, const arch::ArchSpec& spec) {
  const KeyReader reader(meta, spec);
  QUERN_TRY(const KeyValues values, reader.read());
  const auto whole = [&](Key key) { return static_cast<uint32_t>(values.scalar(key)); };
  Hparams hp;
  hp.n_ctx_train = whole(Key::context_length);
  hp.n_embd = whole(Key::embedding_length);
  QUERN_ENSURE(values.scalar(Key::nextn_layers) < values.scalar(Key::block_count), Errc::format,
               reader.where(Key::nextn_layers), "expected less than block_count = ", whole(Key::block_count),
               ", found ", whole(Key::nextn_layers));
  hp.n_layer_skipped = whole(Key::nextn_layers);
  hp.n_layer = whole(Key::block_count) - hp.n_layer_skipped;
  hp.vocab_size = whole(Key::vocab_size);
  hp.k_dim = whole(Key::key_length);
  hp.v_dim = whole(Key::value_length);
  hp.n_rot = spec.rope == arch::Rope::none ? 0 : whole(Key::rope_dimension_count);
  hp.sliding_window = whole(Key::sliding_window);
  hp.rms_eps = static_cast<float>(values.scalar(Key::rms_eps));
  hp.layer_norm_eps = static_cast<float>(values.scalar(Key::layer_norm_eps));
  hp.ffn = spec.ffn;
  if (const double activation = values.scalar(Key::activation); activation != kActivationAbsent)
    hp.ffn = activation < kActivationSilu ? arch::Ffn::geglu : arch::Ffn::swiglu;
  hp.causal = values.scalar(Key::causal) != 0;
  hp.pooling = whole(Key::pooling);
  hp.dense_2_out = whole(Key::dense_2_out);
  hp.dense_3_in = whole(Key::dense_3_in);
  hp.n_rot_local = whole(Key::rope_dimension_count_local);
  hp.n_layer_input = whole(Key::layer_input_length);
  hp.layers = layer_params(values, reader, spec);
  if (spec.attention == arch::Attention::latent) {
    // Files from before April 2025 do not have the keys for the lengths of heads once made.
    hp.latent = {whole(Key::q_rank), whole(Key::kv_rank), whole(Key::key_length_full), whole(Key::value_length_full),
                 !reader.given(Key::key_length_full)};
  }
  hp.output_gate = spec.output_gate;
  QUERN_CHECK(check(hp, spec, reader));
  QUERN_CHECK(check_sections(hp, values, reader));
  if (reader.listed(Key::state_size)) {
    QUERN_TRY(hp.delta, delta_params(values, reader));
  }
  QUERN_CHECK(share_kv(hp, values, reader));
  QUERN_TRY(hp.experts, expert_params(values, reader));
  set_scales(hp, values, spec);
  QUERN_TRY(hp.rope, rope_params(values, reader));
  if (spec.yarn_scales_scores && hp.rope.scaling == RopeScaling::yarn && hp.rope.log_multiplier > 0) {
    const double growth = 1 + hp.rope.log_multiplier * std::log(hp.rope.factor);
    hp.attention_scale *= static_cast<float>(growth * growth);
    hp.rope.log_multiplier = 1;  // takes back what cosines and sines would grow by
  }
  hp.rope_local.base = values.scalar(Key::rope_freq_base_local);
  return hp;
}

uint64_t Hparams::dim(arch::Dim dim, uint32_t layer) const {
  using arch::Dim;
  const LayerParams& l = layers[layer];
  switch (dim) {
    case Dim::zero:
      return 0;
    case Dim::one:
      return 1;
    case Dim::embd:
      return n_embd;
    case Dim::heads:
      return l.n_head;
    case Dim::vocab:
      return n_vocab;
    case Dim::positions:
      return n_ctx_train;
    case Dim::token_types:
      return n_token_types;
    case Dim::dense_2_out:
      return dense_2_out;
    case Dim::dense_3_in:
      return dense_3_in;
    case Dim::q:
      return uint64_t{l.n_head} * l.k_dim * (output_gate ? 2 : 1);
    case Dim::k:
      return uint64_t{l.n_head_kv} * l.k_dim;
    case Dim::v:
      return uint64_t{l.n_head_kv} * l.v_dim;
    case Dim::k_head:
      return l.k_dim;
    case Dim::q_k:
      return this->dim(Dim::q, layer) + this->dim(Dim::k, layer);
    case Dim::q_k_v:
      return this->dim(Dim::q_k, layer) + this->dim(Dim::v, layer);
    case Dim::q_rank:
      return latent.q_rank;
    case Dim::kv_rank:
      return latent.kv_rank;
    case Dim::kv_latent:
      return uint64_t{latent.kv_rank} + n_rot;
    case Dim::q_full:
      return uint64_t{l.n_head} * latent.k_dim;
    case Dim::k_plain:
      return latent.k_dim - n_rot;
    case Dim::v_full:
      return latent.v_dim;
    case Dim::attn_full:
      return uint64_t{l.n_head} * latent.v_dim;
    case Dim::kv_full:
      return uint64_t{l.n_head} * (uint64_t{latent.k_dim} - n_rot + latent.v_dim);
    case Dim::attn:
      return uint64_t{l.n_head} * l.v_dim;
    case Dim::ff:
      return l.n_ff;
    case Dim::ff_twice:
      return uint64_t{2} * l.n_ff;
    case Dim::experts:
      return experts.n;
    case Dim::ff_expert:
      return experts.n_ff;
    case Dim::ff_expert_twice:
      return uint64_t{2} * experts.n_ff;
    case Dim::ff_shared:
      return experts.n_ff_shared;
    case Dim::half_rot:
      return n_rot / 2;
    case Dim::delta_heads:
      return delta.n_heads;
    case Dim::delta_v_head:
      return delta.v_dim;
    case Dim::delta_v:
      return uint64_t{delta.n_heads} * delta.v_dim;
    case Dim::delta_q_k_v:
      return delta.q_k_v();
    case Dim::delta_rates:
      return uint64_t{2} * delta.n_heads;
    case Dim::conv_taps:
      return delta.n_taps;
    case Dim::layer_input:
      return n_layer_input;
    case Dim::layer_inputs:
      return uint64_t{n_layer} * n_layer_input;
  }
  return 0;
}

uint64_t Hparams::max_dim(arch::Dim which) const {
  uint64_t out = 0;
  for (uint32_t i = 0; i < n_layer; ++i) out = std::max(out, dim(which, i));
  return out;
}

}  // namespace quern::model
