// POST /v1/completions.
#include "examples/server/api/conversation.h"
#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

constexpr size_t kMaxPrompts = 64;

/// logprobs of this endpoint's shape, as they come.
struct Logprobs {
  Json tokens = Json::array(), logprobs = Json::array(), top = Json::array(), offsets = Json::array();
  size_t offset = 0;  ///< characters of text so far, as bytes

  Json json() const {
    return {{"tokens", tokens}, {"token_logprobs", logprobs}, {"top_logprobs", top}, {"text_offset", offsets}};
  }
  void add(const Tokenizer& tokenizer, const GeneratedToken& token) {
    const std::string piece = tokenizer.piece(token.token, true);
    Json best = Json::object();
    for (const TokenLogprob& other : token.top) best[tokenizer.piece(other.token, true)] = other.logprob;
    tokens.push_back(piece);
    logprobs.push_back(token.logprob);
    top.push_back(std::move(best));
    offsets.push_back(offset);
    offset += piece.size();
  }
};

class TextFormat : public Format {
 public:
  TextFormat(std::shared_ptr<Lease> lease, bool logprobs, bool usage, uint32_t n, std::vector<std::string> echo)
      : lease_(std::move(lease)),
        model_(lease_->spec().name),
        logprobs_(logprobs),
        usage_(usage),
        n_(n),
        echo_(std::move(echo)),
        collected_(echo_.size() * n) {
    for (size_t i = 0; i < collected_.size(); ++i) collected_[i].offset = echo_[i / n_].size();
  }

  const char* stream_type() const override { return "text/event-stream"; }

  std::string first() override {
    std::string out;
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (!echo_[i / n_].empty()) out += event(json(choice(i, echo_[i / n_], nullptr)));
    }
    return out;
  }

  std::string step(uint32_t index, const GeneratedToken& token) override {
    Json own = choice(index, std::string(token.text), nullptr);
    if (logprobs_ && token.token >= 0) {
      Logprobs one;
      one.offset = collected_[index].offset;
      one.add((*lease_)->model().tokenizer(), token);
      collected_[index].add((*lease_)->model().tokenizer(), token);
      own["logprobs"] = one.json();
    } else if (token.text.empty()) {
      return {};
    }
    return event(json(std::move(own)));
  }

  std::string end(uint32_t index, const Generation& generation) override {
    Json out = json(choice(index, "", finish_reason(generation.stop_reason)));
    out["timings"] = timings_json(generation.timings);
    return event(out);
  }

  std::string last(const std::vector<Generation>& all) override {
    if (!usage_) return "data: [DONE]\n\n";
    Json out = json(nullptr);
    out["choices"] = Json::array();
    out["usage"] = usage_json(all, n_);
    return event(out) + "data: [DONE]\n\n";
  }

  std::string error(const ApiError& e) override {
    return "data: " + error_body(e, ErrorStyle::openai) + "\n\ndata: [DONE]\n\n";
  }

  Json whole(const std::vector<Generation>& all) override {
    Json out = json(nullptr);
    Json choices = Json::array();
    for (size_t i = 0; i < all.size(); ++i) {
      choices.push_back(choice(i, echo_[i / n_] + all[i].text, finish_reason(all[i].stop_reason)));
      if (logprobs_) choices.back()["logprobs"] = collected_[i].json();
    }
    out["choices"] = std::move(choices);
    out["usage"] = usage_json(all, n_);
    out["timings"] = timings_json(all.front().timings);
    return out;
  }

 private:
  static Json choice(size_t index, const std::string& text, const char* reason) {
    return {{"text", text},
            {"index", index},
            {"logprobs", nullptr},
            {"finish_reason", reason != nullptr ? Json(reason) : Json(nullptr)}};
  }
  Json json(Json own) const {
    return {{"id", id_},       {"object", "text_completion"},        {"created", created_},
            {"model", model_}, {"system_fingerprint", kFingerprint}, {"choices", Json::array({std::move(own)})}};
  }

  std::shared_ptr<Lease> lease_;
  std::string model_, id_ = make_id("cmpl-");
  int64_t created_ = unix_time();
  bool logprobs_, usage_;
  uint32_t n_;
  std::vector<std::string> echo_;  ///< for each prompt what its answers begin with
  std::vector<Logprobs> collected_;
};

}  // namespace

std::vector<std::vector<Token>> read_prompts(const Fields& fields, const Host& host) {
  const Input* prompt = fields.find("prompt");
  const std::string field = fields.name("prompt");
  if (prompt == nullptr) bad_field(field, "this field is required");
  const auto one = [&](const Input& json) -> std::vector<Token> {
    if (json.is_string()) return host.model().tokenizer().tokenize(json.get<std::string>(), {true, true});
    if (json.is_array() && !json.empty() && json[0].is_number()) return read_tokens(json, host.model(), field);
    bad_field(field, "expected a text, a list of tokens, or a list of these");
  };
  std::vector<std::vector<Token>> out;
  const bool several = prompt->is_array() && !prompt->empty() && !(*prompt)[0].is_number();
  if (several && prompt->size() > kMaxPrompts)
    bad_field(field, "at most " + std::to_string(kMaxPrompts) + " are taken");
  if (several) {
    for (const Input& item : *prompt) out.push_back(one(item));
  } else {
    out.push_back(one(*prompt));
  }
  for (const auto& tokens : out) {
    if (tokens.empty()) bad_field(field, "there is nothing to continue: the prompt has no tokens");
  }
  return out;
}

void openai_completions(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  refuse_unsupported(fields);
  fields.refuse("suffix", "filling in between is not supported");
  with_model(call, fields.text("model").value_or(""), read_keep_alive(fields), [=](std::shared_ptr<Lease> lease) {
    const Fields request(*body);
    Plan plan;
    plan.options = read_options(request, *lease);
    if (!request.has("max_tokens") && !request.has("n_predict")) plan.options.max_tokens = 16;  // OpenAI's default
    plan.n = read_n(request);
    const auto best = request.integer("best_of", 1, 16);
    if (best && *best != plan.n) bad_field("best_of", "is not supported: expected as many as n");
    plan.stream = request.flag("stream").value_or(false);
    const auto logprobs = request.integer("logprobs", 0, 20);
    if (logprobs) plan.options.n_logprobs = static_cast<int32_t>(*logprobs);
    plan.prompts = read_prompts(request, **lease);
    const bool echo = request.flag("echo").value_or(false);
    if (echo && logprobs) bad_field("echo", "not together with logprobs: those of a prompt are not computed");
    std::vector<std::string> echoes(plan.prompts.size());
    for (size_t i = 0; echo && i < echoes.size(); ++i)
      echoes[i] = (*lease)->model().tokenizer().detokenize(plan.prompts[i]);
    plan.lease = lease;
    auto format = std::make_unique<TextFormat>(lease, logprobs.has_value(), wants_usage(request, plan.stream), plan.n,
                                               std::move(echoes));
    generate(call, std::move(plan), std::move(format));
  });
}

}  // namespace quern::server
