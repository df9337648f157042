#include "examples/server/api/ollama.h"

#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

struct Range {
  const char* name;
  int64_t least, most;
};
/// Whole numbers of `options` that say how the model runs rather than how it answers. This server has decided that when
/// it was started, but for num_ctx and num_predict; all are checked.
constexpr Range kRunning[] = {
    {"num_ctx", 1, INT32_MAX},  {"num_predict", -2, INT32_MAX}, {"num_keep", -1, INT32_MAX},
    {"num_batch", 1, 1 << 24},  {"num_gpu", -1, INT32_MAX},     {"main_gpu", 0, 1 << 16},
    {"num_thread", 0, 1 << 16}, {"num_gqa", 0, 1 << 16},        {"draft_num_predict", 0, 1 << 16},
};

void check_kinds(const Fields& options) {
  for (const auto& [name, value] : options.json().items()) {
    const auto* info = store::find_parameter(name);
    if (info == nullptr || name == "stop") continue;
    constexpr double kMost = 1e9;
    if (info->kind == store::ParameterKind::boolean) static_cast<void>(options.flag(name.c_str()));
    if (info->kind == store::ParameterKind::number) static_cast<void>(options.number(name.c_str(), -kMost, kMost));
    if (info->kind == store::ParameterKind::text) static_cast<void>(options.text(name.c_str()));
  }
  for (const auto& [name, least, most] : kRunning) static_cast<void>(options.integer(name, least, most));
}

void apply(const Fields& options, GenerateOptions& out) {
  check_kinds(options);
  read_sampler(options, out.sampler);
  if (options.has("stop")) out.stop = read_stop(options);
  // -1: until the model ends; -2: until the context is full, where an answer ends here in any case.
  if (const auto n = options.integer("num_predict", -2, INT32_MAX))
    out.max_tokens = static_cast<int32_t>(std::max<int64_t>(*n, -1));
}

/// Tokens of the prompt and its answer. More than a model was made for is as much as it was made for, as with Ollama.
uint32_t context_length(const std::optional<Fields>& options, const Host& host) {
  const uint32_t own = host.n_ctx_request();
  const auto wanted = options ? options->integer("num_ctx", 1, INT32_MAX) : std::nullopt;
  if (!wanted || *wanted <= own) return wanted ? static_cast<uint32_t>(*wanted) : own;
  if (own >= host.model().info().n_ctx_train) return own;
  bad_field(options->name("num_ctx"), "this server was started with " + std::to_string(own) +
                                          " tokens a request: start it with --ctx-request " + std::to_string(*wanted));
}

class OllamaFormat : public Format {
 public:
  explicit OllamaFormat(OllamaAnswer answer) : answer_(std::move(answer)) {}

  const char* stream_type() const override { return "application/x-ndjson"; }

  std::string step(uint32_t, const GeneratedToken& token) override {
    const bool has_logprob = answer_.logprobs && token.token >= 0;
    Json logprob;
    if (has_logprob) {
      logprob = logprob_json((*answer_.lease)->model().tokenizer(), token);
      if (logprob["top_logprobs"].empty()) logprob.erase("top_logprobs");
      logprobs_.push_back(logprob);
    }
    if (token.text.empty() && !has_logprob) return {};
    Json json = head(std::string(token.text), false);
    if (has_logprob) json["logprobs"] = Json::array({std::move(logprob)});
    return json_line(json);
  }

  std::string end(uint32_t, const Generation&) override { return {}; }
  std::string last(const std::vector<Generation>& all) override { return json_line(final_json("", all.front())); }
  std::string error(const ApiError& e) override { return error_body(e, ErrorStyle::ollama) + "\n"; }

  Json whole(const std::vector<Generation>& all) override {
    Json json = final_json(all.front().text, all.front());
    if (answer_.logprobs) json["logprobs"] = std::move(logprobs_);
    return json;
  }

 private:
  Json head(std::string text, bool done) const {
    Json json = {{"model", answer_.lease->spec().name}, {"created_at", now_text()}};
    if (answer_.chat) {
      json["message"] = {{"role", "assistant"}, {"content", std::move(text)}};
    } else {
      json["response"] = std::move(text);
    }
    json["done"] = done;
    return json;
  }

  Json final_json(const std::string& text, const Generation& generation) const {
    Json json = head(text, true);
    json["done_reason"] = finish_reason(generation.stop_reason);
    if (answer_.truncated) json["truncated"] = true;
    if (answer_.context) json["context"] = context(generation);
    const GenerateTimings& t = generation.timings;
    json["total_duration"] = elapsed_ns(*answer_.call);
    json["load_duration"] = answer_.load_ns;
    json["prompt_eval_count"] = t.n_prompt + t.n_cached;
    json["prompt_eval_duration"] = static_cast<int64_t>(t.prompt_seconds * 1e9);
    json["eval_count"] = t.n_generated;
    json["eval_duration"] = static_cast<int64_t>(t.generate_seconds * 1e9);
    return json;
  }

  /// What the next request goes on from. An answer that ended by itself is closed, as the template would have it.
  std::vector<Token> context(const Generation& generation) const {
    std::vector<Token> tokens = *answer_.context;
    tokens.insert(tokens.end(), generation.tokens.begin(), generation.tokens.end());
    const Token eos = (*answer_.lease)->model().tokenizer().eos();
    if (generation.stop_reason == StopReason::end_of_generation && eos >= 0) tokens.push_back(eos);
    return tokens;
  }

  OllamaAnswer answer_;
  Json logprobs_ = Json::array();
};

}  // namespace

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return time_text(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

int64_t elapsed_ns(const Call& call) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - call.began).count();
}

std::string required_model(const Fields& fields) {
  auto model = fields.text("model");
  if (!model || model->empty()) model = fields.text("name");
  if (!model || model->empty()) bad_field("model", "this field is required");
  return std::move(*model);
}

void refuse_for_ollama(const Fields& fields) {
  fields.refuse("images", "images are not supported");
  fields.refuse("tools", "calling tools is not supported yet");
  fields.refuse("format", "structured output is not supported yet");
  fields.refuse("think", "separate thinking is not supported yet: only false is");
  fields.refuse("shift", "the context is not shifted: an answer ends with done_reason \"length\" where it is full");
  for (const char* name : {"shift", "truncate"}) static_cast<void>(fields.flag(name));
}

Input template_variables(const Fields& fields) {
  const Input* think = fields.find("think");
  return think != nullptr && think->is_boolean() ? Input{{"enable_thinking", *think}} : Input();
}

void check_options(const Fields& fields) {
  GenerateOptions ignored;
  if (const auto options = fields.object("options")) apply(*options, ignored);
}

Plan read_plan(const Fields& fields, const std::shared_ptr<Lease>& lease) {
  Plan plan;
  plan.lease = lease;
  SamplerOptions& sampler = plan.options.sampler;
  sampler.temperature = 0.8F;  // Ollama's defaults, https://docs.ollama.com/modelfile#valid-parameters-and-values
  sampler.top_k = 40;
  sampler.top_p = 0.9F;
  sampler.min_p = 0;
  const Fields stored(lease->spec().parameters, "parameters.");
  apply(stored, plan.options);
  const auto options = fields.object("options");
  if (options) apply(*options, plan.options);
  plan.n_ctx = context_length(options, **lease);
  plan.stream = fields.flag("stream").value_or(true);
  const bool logprobs = fields.flag("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top && *top > 0 && !logprobs) bad_field("top_logprobs", "needs \"logprobs\": true");
  if (logprobs) plan.options.n_logprobs = static_cast<int32_t>(top.value_or(0));
  return plan;
}

void load_or_unload(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                    const Json& empty) {
  const auto answer = [call, empty](const std::string& model, const char* reason) {
    Json json = {{"model", model}, {"created_at", now_text()}};
    json.update(empty);
    json["done"] = true;
    json["done_reason"] = reason;
    call->answer(json);
  };
  if (keep_alive && keep_alive->count() == 0) {
    const auto spec = call->service.catalog.find(name);
    if (!spec) throw api_error(spec.error());
    call->service.hosts.unload(name);
    return answer(spec->name, "unload");
  }
  with_model(call, name, keep_alive,
             [answer](const std::shared_ptr<Lease>& lease) { answer(lease->spec().name, "load"); });
}

std::unique_ptr<Format> ollama_format(OllamaAnswer answer) { return std::make_unique<OllamaFormat>(std::move(answer)); }

Json details_json(const store::Details& details) {
  return {{"parent_model", details.parent_model},
          {"format", details.format},
          {"family", details.family},
          {"families", details.families},
          {"parameter_size", details.parameter_size},
          {"quantization_level", details.quantization_level}};
}

store::Store& required_store(const Call& call) {
  store::Store* store = call.service.catalog.stored();
  if (store == nullptr) throw ApiError(400, "this server runs without a store of models");
  return *store;
}

store::ModelName store_name(const std::string& text, const std::string& field) {
  auto name = store::ModelName::parse(text);
  if (!name) bad_field(field, name.error().message);
  return std::move(*name);
}

ApiError store_error(const Call& call, const Error& error) {
  Error own = error;
  const store::Store* store = call.service.catalog.stored();
  if (store == nullptr || call.service.options.show_paths) return api_error(own);
  const std::string root = store->root().string();
  for (size_t at = own.message.find(root); at != std::string::npos; at = own.message.find(root, at))
    own.message.replace(at, root.size(), "<models>");
  return api_error(own);
}

const ModelSpec* fixed_model(const Call& call, const std::string& name) {
  for (const auto& spec : call.service.catalog.fixed()) {
    if (spec.name == name || spec.name + ":latest" == name) return &spec;
  }
  return nullptr;
}

}  // namespace quern::server
