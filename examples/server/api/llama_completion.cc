// POST /completion: llama-server's own form of completions.
#include "examples/server/api/conversation.h"
#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

const char* stop_type(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_generation:
      return "eos";
    case StopReason::stop_text:
      return "word";
    case StopReason::length:
    case StopReason::context_full:
      return "limit";
    case StopReason::cancelled:
      break;
  }
  return "none";
}

class CompletionFormat : public Format {
 public:
  CompletionFormat(std::shared_ptr<Lease> lease, const Plan& plan, bool tokens)
      : lease_(std::move(lease)),
        max_tokens_(plan.options.max_tokens),
        tokens_(tokens),
        probs_(plan.options.n_logprobs >= 0),
        collected_(plan.prompts.size() * plan.n) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string step(uint32_t index, const GeneratedToken& token) override {
    Json json = {{"index", index}, {"content", std::string(token.text)}, {"tokens", Json::array()}, {"stop", false}};
    if (token.token >= 0) json["tokens"].push_back(token.token);
    if (probs_ && token.token >= 0) {
      Json own = probabilities(token);
      collected_[index].push_back(own);
      json["completion_probabilities"] = Json::array({std::move(own)});
    }
    return event(json);
  }

  std::string end(uint32_t index, const Generation& generation) override {
    Json json = final_json(index, generation);
    json["content"] = "";
    json["tokens"] = Json::array();
    return event(json);
  }

  std::string last(const std::vector<Generation>&) override { return {}; }
  std::string error(const ApiError& e) override { return "data: " + error_body(e, ErrorStyle::llama) + "\n\n"; }

  Json whole(const std::vector<Generation>& all) override {
    Json list = Json::array();
    for (size_t i = 0; i < all.size(); ++i) {
      list.push_back(final_json(i, all[i]));
      if (probs_) list.back()["completion_probabilities"] = std::move(collected_[i]);
    }
    return list.size() == 1 ? list[0] : list;
  }

 private:
  Json probabilities(const GeneratedToken& token) const {
    const Tokenizer& tokenizer = (*lease_)->model().tokenizer();
    Json json = token_json(tokenizer, token.token, token.logprob);
    json["id"] = token.token;
    Json top = Json::array();
    for (const TokenLogprob& other : token.top) {
      top.push_back(token_json(tokenizer, other.token, other.logprob));
      top.back()["id"] = other.token;
    }
    json["top_logprobs"] = std::move(top);
    return json;
  }

  Json final_json(size_t index, const Generation& generation) const {
    const GenerateTimings& t = generation.timings;
    return {{"index", index},
            {"content", generation.text},
            {"tokens", tokens_ ? Json(generation.tokens) : Json::array()},
            {"model", lease_->spec().name},
            {"stop", true},
            {"stop_type", stop_type(generation.stop_reason)},
            {"stopping_word", generation.stop_text},
            {"tokens_predicted", t.n_generated},
            {"tokens_evaluated", t.n_prompt + t.n_cached},
            {"tokens_cached", t.n_cached},
            {"truncated", generation.stop_reason == StopReason::context_full},
            {"generation_settings", {{"n_predict", max_tokens_}, {"n_ctx", (*lease_)->n_ctx_request()}}},
            {"timings", timings_json(t)}};
  }

  std::shared_ptr<Lease> lease_;
  int32_t max_tokens_;
  bool tokens_, probs_;
  std::vector<std::vector<Json>> collected_;
};

}  // namespace

void llama_completion(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  refuse_unsupported(fields);
  with_model(call, fields.text("model").value_or(""), std::nullopt, [=](const std::shared_ptr<Lease>& lease) {
    const Fields request(*body);
    Plan plan;
    plan.options = read_options(request, *lease);
    plan.stream = request.flag("stream").value_or(false);
    if (const auto n = request.integer("n_probs", 0, 100); n && *n > 0)
      plan.options.n_logprobs = static_cast<int32_t>(*n);
    plan.n = static_cast<uint32_t>(request.integer("n_cmpl", 1, 16).value_or(1));
    plan.prompts = read_prompts(request, **lease);
    plan.lease = lease;
    auto format = std::make_unique<CompletionFormat>(lease, plan, request.flag("return_tokens").value_or(false));
    generate(call, std::move(plan), std::move(format));
  });
}

}  // namespace quern::server
