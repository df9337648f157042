// POST /api/generate.
#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// The prompt as a conversation of one message, through the request's template or the model's.
std::vector<Token> templated(const Fields& fields, const Lease& lease, const std::string& prompt, bool continues) {
  const ModelSpec& spec = lease.spec();
  std::vector<ChatMessage> messages;
  // What came before has its system message already.
  const std::string system = fields.text("system").value_or(continues ? std::string() : spec.system);
  if (!system.empty()) messages.push_back({"system", system});
  if (!continues) messages.insert(messages.end(), spec.messages.begin(), spec.messages.end());
  messages.push_back({"user", prompt});
  const Input variables = template_variables(fields);
  ChatOptions options;
  if (variables.is_object()) options.extra_json = dump(variables);
  Result<std::vector<Token>> tokens = Error{Errc::internal, {}};
  if (const auto source = fields.text("template"); source && !source->empty()) {
    if (!store::is_jinja(*source))
      bad_field("template", "expected Jinja, as in the chat templates of model files; Go templates are not supported");
    const auto own = ChatTemplate::from_source(lease->model(), *source);
    if (!own) bad_field("template", own.error().message);
    tokens = own->tokenize(messages, options);
  } else {
    tokens = lease->chat_tokens(messages, options);
  }
  if (!tokens) throw api_error(tokens.error());
  return std::move(*tokens);
}

void check_raw(const Fields& fields) {
  for (const char* name : {"template", "system", "context"})
    fields.refuse(name, "raw mode takes the prompt as it is, without this field");
}

std::vector<Token> read_context(const Fields& fields, const Model& model) {
  const Input* list = fields.find("context");
  if (list == nullptr) return {};
  if (!list->is_array()) bad_field("context", "expected the list of tokens of an earlier answer");
  return read_tokens(*list, model, "context");
}

/// The tokens of the prompt, behind those of the request's context.
std::vector<Token> prompt_tokens(const Fields& fields, const Lease& lease, const std::string& prompt, bool raw,
                                 const std::vector<Token>& context) {
  const Tokenizer& tokenizer = lease->model().tokenizer();
  auto tokens = raw ? tokenizer.tokenize(prompt, {true, true}) : templated(fields, lease, prompt, !context.empty());
  if (context.empty()) return tokens;
  std::vector<Token> out = context;
  const bool again = !tokens.empty() && tokens.front() == tokenizer.bos();  // once is enough
  out.insert(out.end(), tokens.begin() + (again ? 1 : 0), tokens.end());
  return out;
}

void generate_on(const std::shared_ptr<Call>& call, const Input& body, const std::shared_ptr<Lease>& lease) {
  const int64_t load_ns = elapsed_ns(*call);
  const Fields fields(body);
  const bool raw = fields.flag("raw").value_or(false);
  const std::string prompt = fields.required_text("prompt");
  Plan plan = read_plan(fields, lease);
  const auto context = read_context(fields, (*lease)->model());
  auto tokens = prompt_tokens(fields, *lease, prompt, raw, context);
  OllamaAnswer answer{call, lease};
  if (tokens.size() >= plan.n_ctx && !context.empty() && fields.flag("truncate").value_or(false)) {
    tokens = prompt_tokens(fields, *lease, prompt, raw, {});
    answer.truncated = true;
  }
  answer.logprobs = plan.options.n_logprobs >= 0;
  answer.load_ns = load_ns;
  if (!raw) answer.context = tokens;
  plan.prompts.push_back(std::move(tokens));
  generate(call, std::move(plan), ollama_format(std::move(answer)));
}

}  // namespace

void ollama_generate(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  const std::string name = required_model(fields);
  refuse_for_ollama(fields);
  fields.refuse("suffix", "filling in between is not supported");
  if (fields.flag("raw").value_or(false)) check_raw(fields);
  const auto keep_alive = read_keep_alive(fields);
  if (fields.text("prompt").value_or("").empty()) {
    check_options(fields);
    return load_or_unload(call, name, keep_alive, {{"response", ""}});
  }
  with_model(call, name, keep_alive,
             [call, body](const std::shared_ptr<Lease>& lease) { generate_on(call, *body, lease); });
}

}  // namespace quern::server
