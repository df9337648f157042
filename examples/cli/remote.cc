#include "examples/cli/remote.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "examples/cli/console.h"

namespace quern::cli {
namespace {

using Json = ServerClient::Json;

/// Flags that a server honours, by their long names, and its names for those that choose tokens.
constexpr std::pair<const char*, const char*> kHonoured[] = {
    {"model", ""},
    {"prompt", ""},
    {"file", ""},
    {"system-prompt", ""},
    {"predict", ""},
    {"raw", ""},
    {"stop", ""},
    {"single-turn", ""},
    {"seed", "seed"},
    {"temp", "temperature"},
    {"top-k", "top_k"},
    {"top-p", "top_p"},
    {"min-p", "min_p"},
    {"repeat-penalty", "repeat_penalty"},
    {"repeat-last-n", "repeat_last_n"},
    {"presence-penalty", "presence_penalty"},
    {"frequency-penalty", "frequency_penalty"},
};

Json value_of(const std::string& field, const SamplerArgs& args) {
  const SamplerOptions& o = args.options;
  if (field == "seed") return args.seed;
  if (field == "temperature") return std::max(0.0F, o.temperature);
  if (field == "top_k") return std::max(-1, o.top_k);
  if (field == "top_p") return o.top_p;
  if (field == "min_p") return o.min_p;
  if (field == "repeat_penalty") return o.repeat_penalty;
  if (field == "repeat_last_n") return o.penalty_last_n;
  if (field == "presence_penalty") return o.presence_penalty;
  return o.frequency_penalty;
}

/// The sampling fields of the flags that were given; nothing if there is a flag that a server cannot honour.
std::optional<Json> fields_of(const CLI::App& command, const SamplerArgs& sampler) {
  Json fields = Json::object();
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const auto& names = option->get_lnames();
    const auto* known = std::find_if(std::begin(kHonoured), std::end(kHonoured), [&names](const auto& honoured) {
      return std::find(names.begin(), names.end(), honoured.first) != names.end();
    });
    if (known == std::end(kHonoured)) return std::nullopt;
    if (known->second[0] != '\0') fields[known->second] = value_of(known->second, sampler);
  }
  return fields;
}

class LocalConversation : public Conversation {
 public:
  explicit LocalConversation(ChatSession session) : session_(std::move(session)) {}
  Result<Generation> send(const std::string& message, const GenerateOptions& options) override {
    return session_.send(message, options);
  }
  std::span<const ChatMessage> messages() const override { return session_.messages(); }
  void undo() override { session_.undo(); }
  void clear() override { session_.clear(); }

 private:
  ChatSession session_;
};

class RemoteConversation : public Conversation {
 public:
  RemoteConversation(RemoteModel model, const std::string& system) : model_(std::move(model)) {
    if (!system.empty()) messages_.push_back({"system", system});
  }

  Result<Generation> send(const std::string& message, const GenerateOptions& options) override {
    messages_.push_back({"user", message});
    auto generation = model_.chat(messages_, options);
    if (generation) {
      messages_.push_back({"assistant", generation->text});
    } else {
      messages_.pop_back();
    }
    return generation;
  }

  std::span<const ChatMessage> messages() const override { return messages_; }

  void undo() override {
    while (!messages_.empty() && messages_.back().role != "system") {
      const bool question = messages_.back().role == "user";
      messages_.pop_back();
      if (question) break;
    }
  }

  void clear() override {
    std::erase_if(messages_, [](const ChatMessage& message) { return message.role != "system"; });
  }

 private:
  RemoteModel model_;
  std::vector<ChatMessage> messages_;
};

}  // namespace

std::optional<RemoteModel> RemoteModel::find(const CLI::App& command, const std::string& model,
                                             const SamplerArgs& sampler) {
  std::error_code error;
  if (model.empty() || std::filesystem::exists(model, error)) return std::nullopt;
  auto fields = fields_of(command, sampler);
  if (!fields) return std::nullopt;
  RemoteModel out;
  auto name = out.client_.find_model(model);
  if (!name) return std::nullopt;
  out.name_ = std::move(*name);
  out.fields_ = std::move(*fields);
  note("quern: the server at " + out.client_.url() + " answers (--no-server: this program)");
  return out;
}

Json RemoteModel::body(const GenerateOptions& options) const {
  Json json = fields_;
  if (json.contains("seed") && json["seed"] != -1) json["seed"] = options.sampler.seed;
  json["model"] = name_;
  if (options.max_tokens >= 0) json["max_tokens"] = options.max_tokens;  // else the model's own
  if (!options.stop.empty()) json["stop"] = options.stop;
  return json;
}

Result<Generation> RemoteModel::chat(std::span<const ChatMessage> messages, const GenerateOptions& options) const {
  Json json = body(options);
  json["messages"] = Json::array();
  for (const auto& message : messages)
    json["messages"].push_back({{"role", message.role}, {"content", message.content}});
  return client_.generate("/v1/chat/completions", std::move(json), options);
}

Result<Generation> RemoteModel::complete(const std::string& prompt, const GenerateOptions& options) const {
  Json json = body(options);
  json["prompt"] = prompt;
  if (options.max_tokens < 0) json["max_tokens"] = -1;  // there the default is 16
  return client_.generate("/v1/completions", std::move(json), options);
}

void add_server_flag(CLI::App& command) {
  command.add_flag("--no-server,--local")->description("Run the model in this program, although a server has it");
}

std::unique_ptr<Conversation> converse(ChatSession session) {
  return std::make_unique<LocalConversation>(std::move(session));
}
std::unique_ptr<Conversation> converse(RemoteModel model, const std::string& system) {
  return std::make_unique<RemoteConversation>(std::move(model), system);
}

}  // namespace quern::cli
