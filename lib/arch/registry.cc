// The list of architectures. A new one: its file beside this one, its declaration and its line here.
#include "lib/arch/spec.h"

namespace quern::arch {

extern const ArchSpec kDeepSeek2, kGemma, kGemma2, kGemma3, kGptOss, kGranite, kGraniteMoe, kLlama, kMistral3, kPhi3,
    kQwen2, kQwen3, kQwen3Moe, kSmolLm3;

namespace {
constexpr const ArchSpec* kArchitectures[] = {
    &kDeepSeek2, &kGemma,    &kGemma2, &kGemma3, &kGptOss, &kGranite,  &kGraniteMoe,
    &kLlama,     &kMistral3, &kPhi3,   &kQwen2,  &kQwen3,  &kQwen3Moe, &kSmolLm3,
};
}  // namespace

std::span<const ArchSpec* const> architectures() { return kArchitectures; }

const ArchSpec* find_arch(std::string_view name) {
  for (const ArchSpec* spec : kArchitectures) {
    if (spec->name == name) return spec;
  }
  return nullptr;
}

}  // namespace quern::arch
