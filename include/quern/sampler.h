// Sampler: chooses the next token from logits. Names, defaults and order as in llama.cpp.
#pragma once

#include <quern/model.h>
#include <quern/result.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern {

struct LogitBias {
  Token token = 0;
  float bias = 0;  ///< Added to the logit; -infinity forbids the token.
};

/// A step is off at the value given as off.
struct SamplerOptions {
  uint32_t seed = 0xFFFFFFFF;  ///< 0xFFFFFFFF: a random one, which Sampler::seed() tells.
  float temperature = 0.8f;    ///< <= 0: greedy.
  float dynatemp_range = 0;    ///< Off 0: the temperature varies by this much with the entropy.
  float dynatemp_exponent = 1;
  int32_t top_k = 40;           ///< Off <= 0.
  float top_p = 0.95f;          ///< Off 1.
  float min_p = 0.05f;          ///< Off 0.
  float typical_p = 1;          ///< Off 1.
  float top_n_sigma = -1;       ///< Off <= 0.
  uint32_t min_keep = 0;        ///< Tokens that top_p, min_p, typical_p and XTC leave at least.
  float xtc_probability = 0;    ///< Off 0.
  float xtc_threshold = 0.1f;   ///< Off > 0.5.
  int32_t penalty_last_n = 64;  ///< Tokens looked back at: 0 off, -1 all.
  float repeat_penalty = 1;     ///< Off 1.
  float frequency_penalty = 0;  ///< Off 0.
  float presence_penalty = 0;   ///< Off 0.
  float dry_multiplier = 0;     ///< Off 0.
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = 64;  ///< 0 off, -1 all.
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
  int32_t mirostat = 0;  ///< 1 or 2: replaces every step but bias, penalties and temperature.
  float mirostat_tau = 5;
  float mirostat_eta = 0.1f;
  bool ignore_eos = false;  ///< Forbids the end-of-generation tokens.
  std::vector<LogitBias> logit_bias = {};
  /// The order of the steps, one letter each: e penalties, d dry, s top_n_sigma, k top_k, y typical_p, p top_p, m
  /// min_p, x xtc, t temperature. A step not named does not run.
  std::string order = "edskypmxt";
};

struct TokenProbability {
  Token token = 0;
  float probability = 0;
};

/// Seeded: the same logits, history and options give the same tokens on every platform. Not thread-safe; one per
/// sequence.
class Sampler {
 public:
  /// Errc::argument names the option that is out of range.
  static Result<Sampler> create(const Model& model, const SamplerOptions& options = {});
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  ~Sampler();

  /// Chooses a token from logits [n_vocab]. Does not change the history: call accept() with what is really used.
  Token sample(std::span<const float> logits);
  /// Adds a token to the history that penalties look at.
  void accept(Token token);
  /// Forgets the history and starts again from the seed.
  void reset();
  uint32_t seed() const;
  /// What the last sample() chose from, most probable first, after all steps.
  std::vector<TokenProbability> candidates(size_t max_count) const;

 private:
  struct Impl;
  explicit Sampler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
