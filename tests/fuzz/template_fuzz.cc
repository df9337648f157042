// Any bytes as a chat template: compiled, and rendered for a conversation within tight limits.
#include <cstddef>
#include <cstdint>

#include "lib/chat/json.h"
#include "lib/chat/template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::chat;
  static const Value variables = *parse_json(R"({
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Gr\u00fc\u00dfe <b>"},
                 {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1.5}}}]}],
    "tools": [{"type": "function", "function": {"name": "add", "parameters": {"required": ["a"]}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": true})");
  const auto compiled = Template::compile({reinterpret_cast<const char*>(data), size});
  if (!compiled) return 0;
  RenderOptions options;
  options.limits = {.steps = 20'000, .output_bytes = 1u << 16, .memory_bytes = 1u << 20, .depth = 16};
  options.now = LocalTime{2025, 7, 10, 12, 0, 0};
  (void)compiled->render(variables, options);
  return 0;
}
