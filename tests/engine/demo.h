// The demo model, opened once for all tests of this program.
#pragma once

#include <doctest/doctest.h>
#include <quern/quern.h>

#include <string>
#include <vector>

namespace quern::testing {

inline const char* kDemoPath = QUERN_SOURCE_DIR "/examples/models/quern-demo-q8_0.gguf";

inline Runtime runtime(uint32_t n_threads, const std::string& backend = "cpu") {
  RuntimeOptions options;
  options.n_threads = n_threads;
  options.backend = backend;
  return Runtime::create(options).value();
}

inline Model open_demo(const Runtime& on, bool vocab_only = false) {
  ModelOptions options;
  options.runtime = on;
  options.vocab_only = vocab_only;
  return Model::open(kDemoPath, options).value();
}

inline const Model& demo() {
  static const Model model = open_demo(runtime(2));
  return model;
}

inline Context demo_context(uint32_t n_ctx = 512, uint32_t n_seq_max = 1) {
  ContextOptions options;
  options.n_ctx = n_ctx;
  options.n_seq_max = n_seq_max;
  return Context::create(demo(), options).value();
}

inline std::vector<Token> question(const std::string& text) {
  const ChatMessage message{"user", text};
  return ChatTemplate::from_model(demo()).value().tokenize({&message, 1}).value();
}

inline GenerateOptions greedy(int32_t max_tokens = 64) {
  GenerateOptions options;
  options.max_tokens = max_tokens;
  options.sampler.temperature = 0;
  return options;
}

}  // namespace quern::testing
