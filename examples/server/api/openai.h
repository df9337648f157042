// What OpenAI's endpoints have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/server/api/fields.h"
#include "examples/server/generation.h"

namespace quern::server {

/// "chatcmpl-" and 24 random letters.
std::string make_id(const char* prefix);
/// Seconds since 1970.
int64_t unix_time();
const char* finish_reason(StopReason reason);
Json usage_json(const std::vector<Generation>& all, uint32_t n_per_prompt);
/// llama-server's `timings`, in milliseconds.
Json timings_json(const GenerateTimings& timings);

/// The fields that chat and plain completions share: sampling, stop, max_tokens, n. `base`: as the model's parameters
/// and the server's defaults have it.
GenerateOptions read_options(const Fields& fields, const Lease& lease);
uint32_t read_n(const Fields& fields);
/// stream_options.include_usage.
bool wants_usage(const Fields& fields, bool stream);
/// keep_alive, as Ollama spells it: seconds, or "5m"; negative: for ever.
std::optional<KeepAlive> read_keep_alive(const Fields& fields);

/// `prompt`: a text, a list of tokens, or a list of these.
std::vector<std::vector<Token>> read_prompts(const Fields& fields, const Host& host);

/// A field of texts to be embedded, in the same forms.
std::vector<std::vector<Token>> read_inputs(const Fields& fields, const char* name, const Host& host);
/// The vector, or so many of its first dimensions, of length 1 again.
std::vector<float> shortened(const Embedding& embedding, std::optional<int64_t> dimensions);

/// {"token", "logprob", "bytes"} of one token.
Json token_json(const Tokenizer& tokenizer, Token token, float logprob);
/// An entry of a chat completion's logprobs.content.
Json logprob_json(const Tokenizer& tokenizer, const GeneratedToken& token);

}  // namespace quern::server
