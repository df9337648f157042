// The vocabulary in which an architecture is written down: plain data that model/ reads its hyper-parameters and
// tensors with, and that the decoder walks. An architecture is one file of such data (llama.cc); registry.cc lists
// them.
//
// A new mechanism is a new enumerator here and a block in model/blocks; an architecture that recombines known
// mechanisms is a data file alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quern::arch {

/// How activations are normalized before a block.
enum class Norm { rms };

/// Which elements of a head rotary embedding turns together: (2i, 2i+1), or (i, i + n_rot/2).
enum class Rope { interleaved, halves };

/// How tokens see each other: queries in groups that share a key-value head.
enum class Attention { grouped };

/// The feed-forward block: down(silu(gate(x)) * up(x)).
enum class Ffn { swiglu };

/// The hyper-parameters that files carry under "{architecture}....". Their keys, types, limits and defaults are one
/// table in model/hparams.cc; an architecture names those it has.
enum class Key : uint32_t {
  context_length,
  embedding_length,
  block_count,
  vocab_size,
  head_count,
  head_count_kv,
  key_length,
  value_length,
  feed_forward_length,
  rms_eps,
  sliding_window,
  expert_count,
  rope_dimension_count,
  rope_freq_base,
  rope_scaling_type,
  rope_scaling_factor,
  rope_scale_linear,
  rope_original_context,
  rope_attn_factor,
  yarn_ext_factor,
  yarn_attn_factor,
  yarn_beta_fast,
  yarn_beta_slow,
  count_,
};
inline constexpr size_t kKeys = static_cast<size_t>(Key::count_);

/// A length that the hyper-parameters give, of the layer concerned: what the shapes of tensors are made of.
enum class Dim {
  one,       ///< 1
  embd,      ///< embedding_length
  vocab,     ///< tokens of the vocabulary
  q,         ///< head_count * key_length
  k,         ///< head_count_kv * key_length
  v,         ///< head_count_kv * value_length
  attn,      ///< head_count * value_length: what attention hands on
  ff,        ///< feed_forward_length
  half_rot,  ///< rope_dimension_count / 2
};

/// The places where tensors go. Those from `attn_norm` on exist once per layer.
enum class Slot : uint32_t {
  token_embd,
  output_norm,
  output,
  rope_freqs,
  attn_norm,
  attn_q,
  attn_k,
  attn_v,
  attn_output,
  attn_q_bias,
  attn_k_bias,
  attn_v_bias,
  attn_output_bias,
  ffn_norm,
  ffn_gate,
  ffn_up,
  ffn_down,
  ffn_gate_bias,
  ffn_up_bias,
  ffn_down_bias,
  none,
};
inline constexpr size_t kSlots = static_cast<size_t>(Slot::none);
inline constexpr bool is_per_layer(Slot slot) { return slot >= Slot::attn_norm && slot < Slot::none; }

/// What a tensor is used as, which decides the types it may have.
enum class Role {
  matrix,   ///< left side of a product: any format that this build runs
  table,    ///< rows are looked up by token: any such format
  vector,   ///< a norm weight or a bias: one row of F32 or F16
  factors,  ///< read by the host: one row of F32, finite and positive
};

/// One tensor: its name in the file ("{}" stands for the layer) and what must be true of it.
struct TensorSpec {
  Slot slot;
  const char* name;
  Role role;
  Dim cols, rows;
  bool optional = false;
  Slot stand_in = Slot::none;  ///< whose tensor serves where this one is absent (tied embeddings)
};

struct ArchSpec {
  std::string_view name;  ///< general.architecture, and the prefix of the keys
  Norm norm;
  Rope rope;
  Attention attention;
  Ffn ffn;
  std::span<const Key> keys;
  std::span<const TensorSpec> tensors;
};

/// The architecture of that name, or nullptr.
const ArchSpec* find_arch(std::string_view name);
/// All architectures, for listing.
std::span<const ArchSpec* const> architectures();

}  // namespace quern::arch
