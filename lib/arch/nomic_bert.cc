// Nomic Embed 1 and 1.5 (Nussbaum et al. 2024, arXiv 2402.01613): BERT with rotary embedding in place of embedded
// places and with a gated feed-forward block. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr auto kTensors = join(kTypedTokens, kAttentionWithoutNorm, kAttentionBias, kFfn, kEndNorms);

}  // namespace

extern const ArchSpec kNomicBert;
constinit const ArchSpec kNomicBert = {
    .name = "nomic-bert",
    .norm = Norm::layer,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::swiglu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

namespace {

// The class comes with its models, and its fields are GPT-2's.
constexpr std::array kHfKeys = {
    integer("vocab_size", "vocab_size"),
    needed(integer("context_length", "n_positions")),
    needed(integer("embedding_length", "n_embd")),
    needed(integer("block_count", "n_layer")),
    needed(integer("feed_forward_length", "n_inner|4*n_embd")),
    needed(integer("attention.head_count", "n_head")),
    needed(integer("attention.head_count_kv", "n_head")),
    needed(real("attention.layer_norm_epsilon", "layer_norm_epsilon")),
    needed(real("rope.freq_base", "rotary_emb_base")),
    needed(integer("rope.dimension_count", "n_embd/n_head")),
    HfKey{"pooling_type", HfType::integer, "", false, HfMake::pooling},
    flag("attention.causal", "0"),
    integer("tokenizer.ggml.token_type_count", "type_vocab_size"),
};
constexpr std::array kHfTensors = {
    linear("token_embd", "embeddings.word_embeddings"),
    exact("token_types", "embeddings.token_type_embeddings"),
    norm("token_embd_norm", "emb_ln"),
    linear("blk.{}.attn_qkv", "{}.attn.Wqkv"),
    linear("blk.{}.attn_output", "{}.attn.out_proj"),
    norm("blk.{}.attn_output_norm", "{}.norm1"),
    linear("blk.{}.ffn_up", "{}.mlp.fc11"),
    linear("blk.{}.ffn_gate", "{}.mlp.fc12"),
    linear("blk.{}.ffn_down", "{}.mlp.fc2"),
    norm("blk.{}.layer_output_norm", "{}.norm2"),
};
constexpr std::array kHfChecks = {
    HfCheck{"activation_function", "swiglu"},
    HfCheck{"prenorm", "false"},
    HfCheck{"rotary_emb_fraction", "1"},
    HfCheck{"rotary_emb_interleaved", "false"},
    HfCheck{"rotary_emb_scale_base", "null"},
    HfCheck{"rotary_scaling_factor", "null"},
    HfCheck{"use_rms_norm", "false"},
    HfCheck{"parallel_block", "false"},
    HfCheck{"num_experts", "0"},
};
constexpr std::string_view kHfOwnPrefixes[] = {"", "bert."};

}  // namespace

extern const HfArch kHfNomicBert;
constinit const HfArch kHfNomicBert = {
    .spec = &kNomicBert,
    .classes = "NomicBertModel|NomicBertForPreTraining",
    .prefixes = kHfOwnPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
    .layers = "encoder.layers.",
};

}  // namespace quern::arch
