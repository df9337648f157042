// quern serve: models behind HTTP.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_args.h"
#include "examples/server/server.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  ContextArgs context;
  std::vector<std::string> models;
  std::string alias, host = "127.0.0.1", keep_alive = "5m", key_file;
  uint16_t port = 11434;
  uint32_t n_parallel = 4, n_ctx_request = 0, max_loaded = 3, max_queued = 256;
  uint64_t max_connections = 16384, max_body_mib = 32;
  std::vector<std::string> api_keys, origins, hosts;
  bool without_key = false, slots = false, without_store = false, props = false;
};

std::string name_of(const std::string& model, const std::string& path) {
  if (model == "demo") return model;
  const std::filesystem::path own(path);
  return own.extension() == ".gguf" ? own.stem().string() : own.filename().string();
}

Result<std::vector<server::ModelSpec>> specs(const Args& args) {
  std::vector<server::ModelSpec> out;
  const auto adapters = named_adapters(args.context.adapters);
  if (!adapters) return adapters.error();
  for (const auto& model : args.models) {
    const auto path = resolve_model(model);
    if (!path) return path.error();
    server::ModelSpec spec;
    spec.path = std::filesystem::absolute(*path).lexically_normal().string();
    if (!std::filesystem::exists(spec.path)) return Error{Errc::not_found, *path + ": no such file"};
    spec.name = args.alias.empty() || !out.empty() ? name_of(model, spec.path) : args.alias;
    spec.adapters = *adapters;
    out.push_back(std::move(spec));
  }
  return out;
}

Status read_keys(const std::string& path, std::vector<std::string>& keys) {
  if (path.empty()) return {};
  std::ifstream file(path);
  if (!file) return Error{Errc::io, path + ": cannot be read"};
  std::string line;
  while (std::getline(file, line)) {
    const size_t end = line.find_last_not_of(" \t\r");
    if (end != std::string::npos && line[0] != '#') keys.push_back(line.substr(0, end + 1));
  }
  if (keys.empty()) return Error{Errc::argument, path + ": there is no key in it"};
  return {};
}

Result<server::ServerOptions> server_options(const Args& args) {
  auto runtime = create_runtime(args.model);
  if (!runtime) return runtime.error();
  const auto context = context_options(args.context);
  if (!context) return context.error();
  auto models = specs(args);
  if (!models) return models.error();
  std::optional<store::Store> store;
  if (!args.without_store) {
    auto opened = store::Store::open();
    if (opened) store = std::move(*opened);
  }
  server::HostsOptions hosts{.host = {.runtime = *runtime}};
  server::ServerOptions options{.models = std::move(*models), .store = std::move(store), .hosts = std::move(hosts)};
  options.host = args.host;
  options.port = args.port;
  options.limits.max_connections = args.max_connections;
  options.limits.max_body_bytes = args.max_body_mib << 20;
  options.guard.api_keys = args.api_keys;
  if (auto status = read_keys(args.key_file, options.guard.api_keys); !status) return status.error();
  options.guard.allowed_hosts = args.hosts;
  options.guard.origins = args.origins;
  options.without_key = args.without_key;
  options.service.slots = args.slots;
  options.service.show_paths = args.props;
  server::HostOptions& host = options.hosts.host;
  host.model.use_mmap = !args.model.no_mmap;
  host.model.repack = !args.model.no_repack;
  host.model.quantize = args.model.quantize;
  host.model.double_quant = args.model.double_quant;
  host.scheduler.context = *context;
  host.scheduler.n_parallel = args.n_parallel;
  host.scheduler.max_queued = args.max_queued;
  host.scheduler.n_ctx_request = args.n_ctx_request;
  options.hosts.max_loaded = args.max_loaded;
  const auto keep = server::parse_keep_alive(args.keep_alive);
  if (!keep) return Error{Errc::argument, "--keep-alive " + args.keep_alive + ": expected seconds, or a time like 5m"};
  options.hosts.keep_alive = *keep;
  options.log = [](LogLevel, std::string_view message) { note("quern: " + std::string(message)); };
  return options;
}

/// Waits for Ctrl-C or SIGTERM, which all other threads leave to this one. The second ends the program at once.
void watch_signals(server::Server& server, const sigset_t& signals) {
  std::thread([&server, signals] {
    int signal = 0;
    sigwait(&signals, &signal);
    note("quern: stopping; once more to stop at once");
    server.stop();
    sigwait(&signals, &signal);
    std::_Exit(130);
  }).detach();
}

int serve(const Args& args) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto options = server_options(args);
  if (!options) return report(options.error());
  auto server = server::Server::create(std::move(*options));
  if (!server) return report(server.error());
  watch_signals(**server, signals);
  note("quern: serving at " + (*server)->address());
  (*server)->preload();
  (*server)->run();
  return kOk;
}

void add_network_flags(CLI::App& command, Args& args) {
  command.add_option("--host", args.host, "Address to listen at (127.0.0.1: this machine alone)")->type_name("ADDRESS");
  command.add_option("--port", args.port, "Port (11434; 0: any free one)")->type_name("PORT");
  command.add_option("--api-key", args.api_keys, "Key that clients must send; may be repeated")
      ->type_name("KEY")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--api-key-file", args.key_file, "File of such keys, one on a line")->type_name("FILE");
  command.add_flag("--no-api-key", args.without_key, "Serve other machines although there is no key");
  command.add_option("--allowed-host", args.hosts, "Host name that requests may be addressed to; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--cors-origin", args.origins, "Web pages that may ask, https://example.com or *; may be repeated")
      ->type_name("ORIGIN")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--max-connections", args.max_connections, "Open connections at most (16384)")->type_name("N");
  command.add_option("--max-body-size", args.max_body_mib, "Size of a request's body at most, in MiB (32)")
      ->type_name("MIB")
      ->check(CLI::Range(1, 4096));
  command.add_flag("--slots", args.slots, "Answer /slots, which tells what is running");
  command.add_flag("--props", args.props, "Tell paths of model files in /props and /api/show");
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      app.add_subcommand("serve", "Serve models to OpenAI, Ollama and llama-server clients, and a chat page");
  command
      ->add_option("MODEL,-m,--model", args->models,
                   "Models that are always loaded; others of the store are loaded when asked for")
      ->type_name("[MODEL ...]");
  command->add_option("-a,--alias", args->alias, "Name of the first MODEL, instead of its file's")->type_name("NAME");
  add_network_flags(*command, *args);
  command->add_option("--parallel", args->n_parallel, "-np: answers that are computed at once (4)")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  command
      ->add_option("--ctx-request", args->n_ctx_request,
                   "Tokens of one request, prompt and answer (-c divided by -np; without -c 8192, or the model's own)")
      ->type_name("N");
  command->add_option("--keep-alive", args->keep_alive, "How long an unused model stays loaded (5m; -1: for ever)")
      ->type_name("TIME");
  command->add_option("--max-loaded-models", args->max_loaded, "Models loaded at once (3)")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  command->add_option("--max-queue", args->max_queued, "Requests that may wait; more get 503 (256)")->type_name("N");
  command->add_flag("--no-store", args->without_store, "Serve the named models alone, not those of `quern list`");
  add_open_args(*command, args->model);
  command->add_option("-t,--threads", args->model.n_threads, "Threads (0: the physical cores this process may use)")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  add_placement_args(*command, args->model.placement);
  add_context_args(*command, args->context);
  add_adapter_args(*command, args->context.adapters);
  add_examples(*command,
               "  quern serve demo                               http://127.0.0.1:11434, also a page to chat at\n"
               "  quern serve model.gguf -c 16384 -np 8          eight answers at once, 2048 tokens each\n"
               "  quern serve --host 0.0.0.0 --api-key secret    the models of `quern list`, for the network\n");
  command->callback([args, &action] { action = [args] { return serve(*args); }; });
}

}  // namespace quern::cli
