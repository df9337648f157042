// Jina Embeddings 3 (Sturua et al. 2024, arXiv 2409.10173) with one of its adapters merged, or none: BERT with rotary
// embedding in place of embedded places. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, kRopeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr auto kTensors = join(kTypedTokens, kAttentionWithoutNorm, kAttentionBias, kPlainFfn, kFfnBias, kEndNorms);

}  // namespace

extern const ArchSpec kJinaBertV3;
constinit const ArchSpec kJinaBertV3 = {
    .name = "jina-bert-v3",
    .norm = Norm::layer,
    .rope = Rope::halves,
    .attention = Attention::grouped,
    .ffn = Ffn::gelu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

namespace {

// The class comes with its models. Where there are adapters for tasks, the matrices are those without any.
#define QUERN_HF_ORIGINAL ".parametrizations.weight.original"
constexpr std::array kHfTensors = {
    linear("token_embd", "embeddings.word_embeddings"),
    linear("token_embd", "embeddings.word_embeddings" QUERN_HF_ORIGINAL),
    exact("token_types", "embeddings.token_type_embeddings"),
    exact("token_types", "embeddings.token_type_embeddings" QUERN_HF_ORIGINAL),
    norm("token_embd_norm", "emb_ln"),
    linear("blk.{}.attn_qkv", "{}.mixer.Wqkv"),
    linear("blk.{}.attn_qkv", "{}.mixer.Wqkv" QUERN_HF_ORIGINAL),
    array("blk.{}.attn_qkv.bias", "{}.mixer.Wqkv.bias"),
    linear("blk.{}.attn_output", "{}.mixer.out_proj"),
    linear("blk.{}.attn_output", "{}.mixer.out_proj" QUERN_HF_ORIGINAL),
    array("blk.{}.attn_output.bias", "{}.mixer.out_proj.bias"),
    norm("blk.{}.attn_output_norm", "{}.norm1"),
    linear("blk.{}.ffn_up", "{}.mlp.fc1"),
    linear("blk.{}.ffn_up", "{}.mlp.fc1" QUERN_HF_ORIGINAL),
    array("blk.{}.ffn_up.bias", "{}.mlp.fc1.bias"),
    linear("blk.{}.ffn_down", "{}.mlp.fc2"),
    linear("blk.{}.ffn_down", "{}.mlp.fc2" QUERN_HF_ORIGINAL),
    array("blk.{}.ffn_down.bias", "{}.mlp.fc2.bias"),
    norm("blk.{}.layer_output_norm", "{}.norm2"),
};
constexpr std::array kHfOwnKeys = {
    needed(integer("context_length", "max_position_embeddings-1-pad_token_id|max_position_embeddings")),
    real("rope.freq_base", "rotary_emb_base"),
};
constexpr auto kHfKeys = join(kHfOwnKeys, kHfEncoderKeys, kHfSizes, kHfLayerNorm, kHfRope);
constexpr std::array kHfChecks = {HfCheck{"hidden_act", "gelu|gelu_new|gelu_pytorch_tanh"}};
constexpr std::string_view kHfOwnPrefixes[] = {"", "roberta."};

}  // namespace

extern const HfArch kHfJinaBertV3;
constinit const HfArch kHfJinaBertV3 = {
    .spec = &kJinaBertV3,
    .classes = "XLMRobertaModel",
    .prefixes = kHfOwnPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
    .layers = "encoder.layers.",
    .where = {"position_embedding_type", "rotary"},
};

}  // namespace quern::arch
