// The list of architectures. A new one: its file beside this one, its declaration and its line here.
#include "lib/arch/hf.h"
#include "lib/arch/spec.h"

namespace quern::arch {

extern const ArchSpec kDeepSeek2, kGemma, kGemma2, kGemma3, kGemma4, kGlm4, kGlm4Moe, kGptOss, kGranite, kGraniteMoe,
    kLlama, kMiniMaxM2, kMistral3, kOlmo2, kPhi3, kQwen2, kQwen3, kQwen35, kQwen35Moe, kQwen3Moe, kQwen3Next, kSeedOss,
    kSmolLm3;
// Those that make embeddings.
extern const ArchSpec kBert, kEuroBert, kGemmaEmbedding, kJinaBertV3, kLlamaEmbed, kModernBert, kNomicBert;
// The same in the classes of transformers.
extern const HfArch kHfBert, kHfDeepSeek2, kHfEuroBert, kHfGemma, kHfGemma2, kHfGemma3, kHfGemma4, kHfGemmaEmbedding,
    kHfGlm4, kHfGlm4Moe, kHfGptOss, kHfGranite, kHfGraniteMoe, kHfJinaBertV3, kHfLlama, kHfLlamaEmbed, kHfMiniMaxM2,
    kHfMistral3, kHfMistral3Seeing, kHfModernBert, kHfNomicBert, kHfOlmo2, kHfPhi3, kHfQwen2, kHfQwen3, kHfQwen35,
    kHfQwen35Moe, kHfQwen3Moe, kHfQwen3Next, kHfRoberta, kHfSeedOss, kHfSmolLm3;

namespace {
constexpr const ArchSpec* kArchitectures[] = {
    &kDeepSeek2,
    &kGemma,
    &kGemma2,
    &kGemma3,
    &kGemma4,
    &kGlm4,
    &kGlm4Moe,
    &kGptOss,
    &kGranite,
    &kGraniteMoe,
    &kLlama,
    &kMiniMaxM2,
    &kMistral3,
    &kOlmo2,
    &kPhi3,
    &kQwen2,
    &kQwen3,
    &kQwen35,
    &kQwen35Moe,
    &kQwen3Moe,
    &kQwen3Next,
    &kSeedOss,
    &kSmolLm3,
    // embeddings
    &kBert,
    &kEuroBert,
    &kGemmaEmbedding,
    &kJinaBertV3,
    &kLlamaEmbed,
    &kModernBert,
    &kNomicBert,
};

constexpr const HfArch* kHfClasses[] = {
    &kHfBert,           &kHfDeepSeek2,  &kHfEuroBert,  &kHfGemma,    &kHfGemma2,         &kHfGemma3,     &kHfGemma4,
    &kHfGemmaEmbedding, &kHfGlm4,       &kHfGlm4Moe,   &kHfGptOss,   &kHfGranite,        &kHfGraniteMoe, &kHfJinaBertV3,
    &kHfLlama,          &kHfLlamaEmbed, &kHfMiniMaxM2, &kHfMistral3, &kHfMistral3Seeing, &kHfModernBert, &kHfNomicBert,
    &kHfOlmo2,          &kHfPhi3,       &kHfQwen2,     &kHfQwen3,    &kHfQwen35,         &kHfQwen35Moe,  &kHfQwen3Moe,
    &kHfQwen3Next,      &kHfRoberta,    &kHfSeedOss,   &kHfSmolLm3,
};
}  // namespace

std::span<const ArchSpec* const> architectures() { return kArchitectures; }

const ArchSpec* find_arch(std::string_view name) {
  for (const ArchSpec* spec : kArchitectures) {
    if (spec->name == name) return spec;
  }
  return nullptr;
}

std::span<const HfArch* const> hf_classes() { return kHfClasses; }

}  // namespace quern::arch
