#include "examples/server/api/openai.h"

#include <chrono>
#include <random>

namespace quern::server {
namespace {

/// Of a Modelfile's PARAMETERs those that every endpoint knows, by the same names.
void read_parameters(const ModelSpec& spec, GenerateOptions& options) {
  const Fields fields(spec.parameters, "parameters.");
  read_sampler(fields, options.sampler);
  options.stop = read_stop(fields);
  if (const auto n = fields.integer("num_predict", -2, INT32_MAX))
    options.max_tokens = std::max<int32_t>(-1, static_cast<int32_t>(*n));
}

double per_second(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

}  // namespace

std::string make_id(const char* prefix) {
  static constexpr char kLetters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += kLetters[random() % (sizeof(kLetters) - 1)];
  return id;
}

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

const char* finish_reason(StopReason reason) {
  return reason == StopReason::length || reason == StopReason::context_full ? "length" : "stop";
}

Json usage_json(const std::vector<Generation>& all, uint32_t n_per_prompt) {
  uint64_t n_prompt = 0, n_cached = 0, n_generated = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const GenerateTimings& t = all[i].timings;
    n_generated += t.n_generated;
    if (i % n_per_prompt != 0) continue;  // answers to one prompt read it together
    n_prompt += t.n_prompt + t.n_cached;
    n_cached += t.n_cached;
  }
  return {{"prompt_tokens", n_prompt},
          {"completion_tokens", n_generated},
          {"total_tokens", n_prompt + n_generated},
          {"prompt_tokens_details", {{"cached_tokens", n_cached}}}};
}

Json timings_json(const GenerateTimings& t) {
  const double prompt_ms = t.prompt_seconds * 1e3, answer_ms = t.generate_seconds * 1e3;
  return {{"cache_n", t.n_cached},
          {"prompt_n", t.n_prompt},
          {"prompt_ms", prompt_ms},
          {"prompt_per_token_ms", t.n_prompt > 0 ? prompt_ms / t.n_prompt : 0},
          {"prompt_per_second", per_second(t.n_prompt, t.prompt_seconds)},
          {"predicted_n", t.n_generated},
          {"predicted_ms", answer_ms},
          {"predicted_per_token_ms", t.n_generated > 0 ? answer_ms / t.n_generated : 0},
          {"predicted_per_second", per_second(t.n_generated, t.generate_seconds)}};
}

GenerateOptions read_options(const Fields& fields, const Lease& lease) {
  GenerateOptions options;
  read_parameters(lease.spec(), options);
  read_sampler(fields, options.sampler);
  read_logit_bias(fields, lease->model(), options.sampler);
  if (fields.has("stop")) options.stop = read_stop(fields);
  for (const char* name : {"n_predict", "max_tokens", "max_completion_tokens"}) {
    if (const auto n = fields.integer(name, -1, INT32_MAX)) options.max_tokens = static_cast<int32_t>(*n);
  }
  return options;
}

uint32_t read_n(const Fields& fields) {
  constexpr int64_t kMost = 16;
  return static_cast<uint32_t>(fields.integer("n", 1, kMost).value_or(1));
}

bool wants_usage(const Fields& fields, bool stream) {
  const auto options = fields.object("stream_options");
  if (!options) return false;
  if (!stream) bad_field(fields.name("stream_options"), "only a stream has these");
  return options->flag("include_usage").value_or(false);
}

std::optional<KeepAlive> read_keep_alive(const Fields& fields) {
  const Input* value = fields.find("keep_alive");
  if (value == nullptr) return std::nullopt;
  const std::string text = value->is_number() ? dump(*value) : fields.required_text("keep_alive");
  const auto time = parse_keep_alive(text);
  if (!time)
    bad_field(fields.name("keep_alive"),
              "expected seconds, or a time like \"5m\", found \"" + text.substr(0, 40) + "\"");
  return time;
}

Json token_json(const Tokenizer& tokenizer, Token token, float logprob) {
  const std::string piece = tokenizer.piece(token, true);
  Json bytes = Json::array();
  for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", piece}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

Json logprob_json(const Tokenizer& tokenizer, const GeneratedToken& token) {
  Json json = token_json(tokenizer, token.token, token.logprob);
  Json top = Json::array();
  for (const TokenLogprob& other : token.top) top.push_back(token_json(tokenizer, other.token, other.logprob));
  json["top_logprobs"] = std::move(top);
  return json;
}

}  // namespace quern::server
