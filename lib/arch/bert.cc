// BERT (Devlin et al. 2018, arXiv 1810.04805) and what shares its shape: RoBERTa, BGE, E5, MiniLM, Arctic Embed. An
// encoder: every token sees all of its text. Places are embedded like tokens, norms stand behind the sums. The GELU is
// the one by tanh, as in llama.cpp. Source: GGUF key and tensor names.
#include "lib/arch/hf_parts.h"
#include "lib/arch/parts.h"

namespace quern::arch {
namespace {

constexpr auto kKeysRead = join(kSizeKeys, std::array{Key::layer_norm_eps});
constexpr KeyDefault kDefaults[] = {{Key::causal, 0}};
constexpr std::array kPlaces = {
    TensorSpec{Slot::position_embd, "position_embd.weight", Role::table, Dim::embd, Dim::positions}};
constexpr auto kTensors =
    join(kTypedTokens, kPlaces, kAttentionWithoutNorm, kAttentionBias, kPlainFfn, kFfnBias, kEndNorms);

}  // namespace

extern const ArchSpec kBert;
constinit const ArchSpec kBert = {
    .name = "bert",
    .norm = Norm::layer,
    .rope = Rope::none,
    .attention = Attention::grouped,
    .ffn = Ffn::gelu,
    .keys = kKeysRead,
    .tensors = kTensors,
    .defaults = kDefaults,
};

namespace {

constexpr std::array kHfOwnFront = {
    linear("token_embd", "embeddings.word_embeddings"),
    exact("token_types", "embeddings.token_type_embeddings"),
    norm("token_embd_norm", "embeddings.LayerNorm"),
    // RoBERTa counts places from behind the number of the padding token on.
    HfTensor{"position_embd", "embeddings.position_embeddings", HfForm::exact, HfRows::last, "context_length"},
};
constexpr std::array kHfLayers = {
    linear("blk.{}.attn_q", "{}.attention.self.query"),
    linear("blk.{}.attn_k", "{}.attention.self.key"),
    linear("blk.{}.attn_v", "{}.attention.self.value"),
    linear("blk.{}.attn_output", "{}.attention.output.dense"),
    norm("blk.{}.attn_output_norm", "{}.attention.output.LayerNorm"),
    linear("blk.{}.ffn_up", "{}.intermediate.dense"),
    linear("blk.{}.ffn_down", "{}.output.dense"),
    norm("blk.{}.layer_output_norm", "{}.output.LayerNorm"),
};
constexpr auto kHfTensors = join(kHfOwnFront, kHfLayers);
constexpr auto kHfKeys = join(kHfEncoderKeys, kHfSizes, kHfLayerNorm);
constexpr std::array kHfPlacesFromPadding = {
    needed(integer("context_length", "max_position_embeddings-1-pad_token_id"))};
constexpr auto kHfRobertaKeys = join(kHfPlacesFromPadding, kHfKeys);
constexpr std::array kHfChecks = {HfCheck{"hidden_act", "gelu|gelu_new|gelu_pytorch_tanh"},
                                  HfCheck{"position_embedding_type", "absolute"}, HfCheck{"is_decoder", "false"}};
constexpr std::string_view kHfOwnPrefixes[] = {"", "bert.", "roberta."};

}  // namespace

extern const HfArch kHfBert;
constinit const HfArch kHfBert = {
    .spec = &kBert,
    .classes = "BertModel|BertForMaskedLM|BertForPreTraining",
    .prefixes = kHfOwnPrefixes,
    .tensors = kHfTensors,
    .keys = kHfKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
    .layers = "encoder.layer.",
};

extern const HfArch kHfRoberta;
constinit const HfArch kHfRoberta = {
    .spec = &kBert,
    .classes =
        "RobertaModel|RobertaForMaskedLM|XLMRobertaModel|XLMRobertaForMaskedLM|CamembertModel|CamembertForMaskedLM",
    .prefixes = kHfOwnPrefixes,
    .tensors = kHfTensors,
    .keys = kHfRobertaKeys,
    .checks = kHfChecks,
    .ignored = kHfIgnoredHeads,
    .layers = "encoder.layer.",
};

}  // namespace quern::arch
