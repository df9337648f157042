// Generation: the loop of decode, sample and detokenize.
#pragma once

#include <quern/chat.h>
#include <quern/context.h>
#include <quern/sampler.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

enum class StopReason : int32_t { length = 0, end_of_generation = 1, stop_text = 2, cancelled = 3, context_full = 4 };

/// A token, and the natural logarithm of the model's probability of it, before any step of sampling.
struct TokenLogprob {
  Token token = 0;
  float logprob = 0;
};

/// One step of a generation. `text` is what became certain with this token: never ends inside a UTF-8 character, and
/// waits where a stop text may have begun. It is valid during the call. What was waiting at the end comes with token
/// -1.
struct GeneratedToken {
  Token token = 0;
  std::string_view text;
  float logprob = 0;                    ///< Where GenerateOptions::n_logprobs asks for it.
  std::span<const TokenLogprob> top{};  ///< The most probable tokens. Valid during the call.
};

struct GenerateOptions {
  int32_t max_tokens = -1;  ///< -1: until the model ends or the context is full.
  SamplerOptions sampler{};
  std::vector<std::string> stop{};  ///< Texts that end the generation; they are not part of the output.
  int32_t n_logprobs = -1;          ///< 0 and more: tell the tokens' probabilities, and so many of the highest ones.
  /// Returning false ends the generation (StopReason::cancelled).
  std::function<bool(const GeneratedToken&)> on_token{};
  ProgressFn progress{};  ///< Stage "prefill", in tokens.
  CancelToken cancel{};   ///< Ends the generation with what there is; not an error.
  /// What the generation is to be computed with; absent: what the sequence is set to. Where these are others than it
  /// has, what it holds is forgotten, and it keeps them.
  std::optional<std::vector<AdapterUse>> adapters{};
};

struct GenerateTimings {
  uint32_t n_prompt = 0;  ///< Prompt tokens that were computed (not found in the cache).
  uint32_t n_cached = 0;  ///< Prompt tokens taken from the cache.
  uint32_t n_generated = 0;
  double prompt_seconds = 0, generate_seconds = 0;
};

struct Generation {
  std::vector<Token> tokens;  ///< Without the token that ended it, and without those of a stop text.
  std::string text;
  StopReason stop_reason = StopReason::length;
  std::string stop_text{};  ///< Which of the stop texts ended it, where one did.
  GenerateTimings timings;
};

/// Continues `prompt` on sequence 0 of the context. Tokens that the sequence already holds in common with the prompt
/// are not computed again; the rest of the sequence is forgotten.
Result<Generation> generate(Context& context, std::span<const Token> prompt, const GenerateOptions& options = {});

/// A conversation with a model: keeps the messages, renders the template, reuses the cache. Not thread-safe.
class ChatSession {
 public:
  static Result<ChatSession> create(Context context, std::string_view system_prompt = {});
  ChatSession(ChatSession&&) noexcept;
  ChatSession& operator=(ChatSession&&) noexcept;
  ~ChatSession();

  /// Adds the user's message and the answer to the conversation. A cancelled answer is kept as far as it came. If the
  /// conversation no longer fits the context, Errc::context_full, and the message is not added.
  Result<Generation> send(std::string_view message, const GenerateOptions& options = {});
  std::span<const ChatMessage> messages() const;
  /// Takes back the last question and its answer.
  void undo();
  void clear();  ///< Forgets all but the system prompt.
  Context& context();

 private:
  struct Impl;
  explicit ChatSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
