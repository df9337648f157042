// POST /v1/chat/completions.
#include "examples/server/api/conversation.h"
#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

class ChatFormat : public Format {
 public:
  ChatFormat(std::shared_ptr<Lease> lease, std::string model, bool logprobs, bool usage, uint32_t n)
      : lease_(std::move(lease)), model_(std::move(model)), logprobs_(logprobs), usage_(usage), collected_(n) {}

  const char* stream_type() const override { return "text/event-stream"; }

  std::string first() override {
    std::string out;
    for (size_t i = 0; i < collected_.size(); ++i)
      out += event(chunk(choice(i, {{"role", "assistant"}, {"content", ""}}, nullptr)));
    return out;
  }

  std::string step(uint32_t index, const GeneratedToken& token) override {
    Json logprobs = nullptr;
    if (logprobs_ && token.token >= 0) {
      Json entry = logprob_json((*lease_)->model().tokenizer(), token);
      logprobs = {{"content", Json::array({entry})}, {"refusal", nullptr}};
      collected_[index].push_back(std::move(entry));
    }
    if (token.text.empty() && logprobs.is_null()) return {};
    Json own = choice(index, {{"content", std::string(token.text)}}, nullptr);
    own["logprobs"] = std::move(logprobs);
    return event(chunk(std::move(own)));
  }

  std::string end(uint32_t index, const Generation& generation) override {
    Json json = chunk(choice(index, Json::object(), finish_reason(generation.stop_reason)));
    json["timings"] = timings_json(generation.timings);
    return event(json);
  }

  std::string last(const std::vector<Generation>& all) override {
    if (!usage_) return "data: [DONE]\n\n";
    Json json = chunk(nullptr);
    json["choices"] = Json::array();
    json["usage"] = usage_json(all, static_cast<uint32_t>(collected_.size()));
    return event(json) + "data: [DONE]\n\n";
  }

  std::string error(const ApiError& e) override {
    return "data: " + error_body(e, ErrorStyle::openai) + "\n\ndata: [DONE]\n\n";
  }

  Json whole(const std::vector<Generation>& all) override {
    Json choices = Json::array();
    for (size_t i = 0; i < all.size(); ++i) {
      Json logprobs = nullptr;
      if (logprobs_) logprobs = {{"content", std::move(collected_[i])}, {"refusal", nullptr}};
      choices.push_back({{"index", i},
                         {"message", {{"role", "assistant"}, {"content", all[i].text}, {"refusal", nullptr}}},
                         {"logprobs", std::move(logprobs)},
                         {"finish_reason", finish_reason(all[i].stop_reason)}});
    }
    return {{"id", id_},
            {"object", "chat.completion"},
            {"created", created_},
            {"model", model_},
            {"system_fingerprint", kFingerprint},
            {"choices", std::move(choices)},
            {"usage", usage_json(all, static_cast<uint32_t>(all.size()))},
            {"timings", timings_json(all.front().timings)}};
  }

 private:
  static Json choice(size_t index, Json delta, const char* reason) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", reason != nullptr ? Json(reason) : Json(nullptr)}};
  }
  Json chunk(Json own) const {
    Json json = {{"id", id_},
                 {"object", "chat.completion.chunk"},
                 {"created", created_},
                 {"model", model_},
                 {"system_fingerprint", kFingerprint}};
    json["choices"] = Json::array({std::move(own)});
    if (usage_) json["usage"] = nullptr;
    return json;
  }

  std::shared_ptr<Lease> lease_;
  std::string model_, id_ = make_id("chatcmpl-");
  int64_t created_ = unix_time();
  bool logprobs_, usage_;
  std::vector<std::vector<Json>> collected_;  ///< for each choice, logprobs
};

}  // namespace

void openai_chat(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  refuse_unsupported(fields);
  auto messages = std::make_shared<std::vector<ChatMessage>>(read_messages(fields));
  const std::string name = fields.text("model").value_or("");
  with_model(call, name, read_keep_alive(fields), [=](std::shared_ptr<Lease> lease) {
    const Fields request(*body);
    Plan plan;
    plan.options = read_options(request, *lease);
    plan.n = read_n(request);
    plan.stream = request.flag("stream").value_or(false);
    const bool usage = wants_usage(request, plan.stream);
    const bool logprobs = request.flag("logprobs").value_or(false);
    const auto top = request.integer("top_logprobs", 0, 20);
    if (top && !logprobs) bad_field("top_logprobs", "needs \"logprobs\": true");
    if (logprobs) plan.options.n_logprobs = static_cast<int32_t>(top.value_or(0));
    const auto kwargs = request.object("chat_template_kwargs");
    plan.prompts.push_back(conversation_tokens(*lease, *messages, kwargs ? kwargs->json() : Input()));
    plan.lease = lease;
    auto format = std::make_unique<ChatFormat>(lease, lease->spec().name, logprobs, usage, plan.n);
    generate(call, std::move(plan), std::move(format));
  });
}

}  // namespace quern::server
