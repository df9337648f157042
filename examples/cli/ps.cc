// quern ps, quern stop: what a running server has loaded.
#include "examples/cli/ps.h"

#include <chrono>
#include <ctime>
#include <memory>

#include "examples/cli/console.h"
#include "examples/cli/report.h"
#include "examples/cli/server_client.h"

namespace quern::cli {
namespace {

using Json = ServerClient::Json;

struct Args {
  std::string host, name;
  bool json = false;
};

/// How long from now, of an RFC 3339 time in UTC; servers elsewhere may write other zones, which are shown as they are.
std::string until_text(const std::string& time) {
  std::tm parts{};
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr || time.back() != 'Z') return time;
  const auto seconds = static_cast<int64_t>(timegm(&parts)) - static_cast<int64_t>(std::time(nullptr));
  constexpr int64_t kYear = 365 * 86400;
  if (seconds > kYear) return "stays";
  if (seconds <= 0) return "now";
  return seconds < 120 ? std::to_string(seconds) + " s" : std::to_string(seconds / 60) + " min";
}

std::string text_of(const Json& model, const char* name) {
  const auto it = model.find(name);
  return it != model.end() && it->is_string() ? it->get<std::string>() : std::string("?");
}
uint64_t number_of(const Json& model, const char* name) {
  const auto it = model.find(name);
  return it != model.end() && it->is_number_unsigned() ? it->get<uint64_t>() : 0;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size() + 2, width), ' ');
  return text;
}

int ps(const Args& args) {
  const ServerClient client(args.host);
  const auto answer = client.get("/api/ps");
  if (!answer) return report(answer.error());
  if (args.json) return finish_output(print(dump(*answer)) ? kOk : kFailed);
  if (!answer->is_object() || !answer->contains("models") || !(*answer)["models"].is_array())
    return report(Error{Errc::format, client.url() + "/api/ps: there is no list of models in the answer"});
  constexpr size_t kName = 32, kColumn = 12;
  print(padded("NAME", kName) + padded("ID", 14) + padded("SIZE", kColumn) + padded("CONTEXT", kColumn) + "UNTIL\n");
  for (const Json& model : (*answer)["models"]) {
    if (!model.is_object()) continue;
    print(padded(text_of(model, "name"), kName) + padded(text_of(model, "digest").substr(0, 12), 14) +
          padded(bytes_text(number_of(model, "size")), kColumn) +
          padded(std::to_string(number_of(model, "context_length")), kColumn) +
          until_text(text_of(model, "expires_at")) + "\n");
  }
  return finish_output(kOk);
}

int stop(const Args& args) {
  const ServerClient client(args.host);
  const auto answer = client.post("/api/generate", {{"model", args.name}, {"keep_alive", 0}, {"stream", false}});
  if (!answer) return report(answer.error());
  return kOk;
}

void add_host(CLI::App& command, Args& args) {
  command
      .add_option("--host", args.host,
                  "The server (QUERN_HOST, else OLLAMA_HOST, else 127.0.0.1:11434); its key is QUERN_API_KEY's")
      ->type_name("HOST:PORT");
}

}  // namespace

void add_ps(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("ps", "List the models that a running server has loaded");
  add_host(*command, *args);
  command->add_flag("--json", args->json, "Print one JSON document, as /api/ps answers");
  add_examples(*command,
               "  quern ps\n"
               "  quern ps --host 192.168.1.5:11434\n");
  command->callback([args, &action] { action = [args] { return ps(*args); }; });
}

void add_stop(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("stop", "Have a running server unload a model");
  command->add_option("NAME", args->name, "The model, as `quern ps` shows it")->type_name("NAME")->required();
  add_host(*command, *args);
  add_examples(*command, "  quern stop llama3.2\n");
  command->callback([args, &action] { action = [args] { return stop(*args); }; });
}

}  // namespace quern::cli
