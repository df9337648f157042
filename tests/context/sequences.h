// Texts that are decoded into the sequences of a context, and what a context that has nothing else makes of them.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/context/context.h"
#include "lib/cpu/backend.h"
#include "tests/golden/tiny_models.h"
#include "tests/model/tiny_model.h"

namespace quern::testing {

/// How much of what is tried at random: sanitizers take ten times as long.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int kEffort = 1;
#else
inline constexpr int kEffort = 10;
#endif

using Rows = std::vector<std::vector<float>>;

inline compute::Backend& cpu_backend() {
  static const auto pool = base::ThreadPool::create(2).value();
  static const std::unique_ptr<compute::Backend> backend = cpu::make_backend(*pool).value();
  return *backend;
}

inline std::vector<compute::Backend*> both_backends() { return {&reference_backend(), &cpu_backend()}; }

/// One of tests/data/golden.
inline std::unique_ptr<const model::LoadedModel> open_golden(const std::string& name, compute::Backend& backend) {
  const Golden golden(name);
  const GoldenFile file(golden);
  return model::open(file.path(), backend).value();
}

inline std::unique_ptr<context::Context> context_of(const model::LoadedModel& model,
                                                    const ContextOptions& options = {}) {
  return context::Context::create(model, options).value();
}

/// Any text; other numbers begin otherwise.
inline int32_t token_of(int32_t position, int32_t text = 0) { return (position * 7 + text * 31 + 3) % 90; }

/// Tokens of a text at positions [begin, end) for a sequence, all with logits.
inline std::vector<BatchToken> tokens_of(int32_t begin, int32_t end, int32_t sequence = 0, int32_t text = 0) {
  std::vector<BatchToken> out;
  for (int32_t i = begin; i < end; ++i) out.push_back({token_of(i, text), i, sequence, true});
  return out;
}

/// Decodes in batches of `step`, and gathers the rows.
inline Rows decode(context::Context& context, const std::vector<BatchToken>& tokens, size_t step = SIZE_MAX) {
  Rows rows;
  for (size_t i = 0; i < tokens.size(); i += std::min(step, tokens.size() - i)) {
    const auto part = std::span(tokens).subspan(i, std::min(step, tokens.size() - i));
    const Status status = context.decode(part, {});
    REQUIRE_MESSAGE(status.has_value(), status.error().message);
    for (size_t r = 0; r < context.n_logits(); ++r)
      rows.emplace_back(context.logits(r).begin(), context.logits(r).end());
  }
  return rows;
}

/// In a context that has nothing else and computes it in one pass, which needs every cell.
inline Rows decode_alone(const model::LoadedModel& model, std::vector<BatchToken> tokens) {
  if (tokens.empty()) return {};
  for (BatchToken& token : tokens) token.sequence = 0;
  return decode(*context_of(model, {.n_ctx = 4096, .n_batch = 4096}), tokens);
}

/// Bit for bit, the rows from number `first` of `expected` on.
inline bool same_rows(const Rows& found, const Rows& expected, size_t first = 0) {
  if (first + found.size() > expected.size()) return false;
  for (size_t i = 0; i < found.size(); ++i) {
    const auto &a = found[i], &b = expected[first + i];
    if (a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0) return false;
  }
  return true;
}

/// Where the context's pools stand.
inline uint32_t window_blocks(const context::Context& context) { return context.cache().window_pool->n_used(); }

}  // namespace quern::testing
