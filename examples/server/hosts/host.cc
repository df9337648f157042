#include "examples/server/hosts/host.h"

#include <algorithm>
#include <chrono>

namespace quern::server {

uint32_t ModelSpec::n_ctx() const {
  const auto it = parameters.find("num_ctx");
  if (it == parameters.end() || !it->is_number_integer()) return 0;
  const int64_t n = it->get<int64_t>();
  return n > 0 && n <= UINT32_MAX ? static_cast<uint32_t>(n) : 0;
}

Result<std::shared_ptr<Host>> Host::open(const ModelSpec& spec, const HostOptions& options, const CancelToken& cancel) {
  const auto started = std::chrono::steady_clock::now();
  ModelOptions model_options = options.model;
  model_options.runtime = options.runtime;
  model_options.cancel = cancel;
  auto model = Model::open(spec.path, model_options);
  if (!model) return model.error();
  std::shared_ptr<Host> host(new Host(spec, std::move(*model)));
  if (auto status = host->start(options); !status) return status.error();
  host->load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return host;
}

Status Host::start(const HostOptions& options) {
  for (const auto& [path, scale] : spec_.adapters) {
    auto adapter = Adapter::open(model_, path);
    if (!adapter) return adapter.error();
    adapters_.push_back({std::move(*adapter), scale});
  }
  template_.emplace(spec_.chat_template.empty() ? ChatTemplate::from_model(model_)
                                                : ChatTemplate::from_source(model_, spec_.chat_template));
  pooling_ = options.pooling;
  size_bytes_ = model_.footprint().total_bytes;

  SchedulerOptions scheduler = options.scheduler;
  for (const auto& adapter : adapters_) scheduler.context.adapters.push_back(adapter);
  const uint32_t trained = std::max<uint32_t>(2, model_.info().n_ctx_train);
  if (scheduler.n_ctx_request == 0 && scheduler.context.n_ctx == 0)
    scheduler.n_ctx_request =
        std::min(trained, spec_.n_ctx() > 0 ? std::max(2U, spec_.n_ctx()) : options.n_ctx_default);
  if (scheduler.context.n_ctx == 0) scheduler.context.n_ctx = scheduler.n_ctx_request * scheduler.n_parallel;
  if (scheduler.n_ctx_request == 0)
    scheduler.n_ctx_request = std::max(2U, scheduler.context.n_ctx / scheduler.n_parallel);
  n_ctx_request_ = scheduler.n_ctx_request;
  n_parallel_ = scheduler.n_parallel;
  auto made = Scheduler::create(model_, scheduler);
  if (!made && made.error().code != Errc::unsupported) return made.error();
  if (!made) {
    no_scheduler_ = made.error();
    return {};
  }
  scheduler_ = std::make_shared<Scheduler>(std::move(*made));
  thread_ = std::thread([this] { run(); });
  return {};
}

Host::~Host() { stop(); }

void Host::stop() {
  stop_.cancel();
  if (thread_.joinable()) thread_.join();
  std::shared_ptr<Scheduler> last;  // destroyed after the lock
  const std::lock_guard lock(scheduler_mutex_);
  last.swap(scheduler_);
}

void Host::run() {
  const auto own = scheduler();
  // An error of a step has ended the requests that it was about, with that error; others may fare better.
  while (!stop_.cancelled()) static_cast<void>(own->run(stop_));
}

Result<uint64_t> Host::submit(Request request) {
  const auto own = scheduler();
  if (own == nullptr)
    return Error{no_scheduler_.code, "'" + spec_.name + "' generates no text: " + no_scheduler_.message};
  return own->submit(std::move(request));
}

Result<std::vector<Token>> Host::chat_tokens(std::span<const ChatMessage> messages, const ChatOptions& options) const {
  if (!*template_) return template_->error();
  return (**template_).tokenize(messages, options);
}

Result<std::string> Host::chat_text(std::span<const ChatMessage> messages, const ChatOptions& options) const {
  if (!*template_) return template_->error();
  return (**template_).render(messages, options);
}

/// Under the mutex.
Result<Embedder*> Host::embedder() {
  if (!embedder_) {
    EmbedderOptions options;
    options.pooling = pooling_;
    options.adapters = adapters_;
    auto made = Embedder::create(model_, options);
    // One vector per token is not what is asked for here.
    if (made && made->pooling() == Pooling::none) {
      options.pooling = Pooling::mean;
      made = Embedder::create(model_, options);
    }
    if (!made) return made.error();
    embedder_.emplace(std::move(*made));
  }
  return &*embedder_;
}

Result<std::vector<Embedding>> Host::embed(std::span<const std::vector<Token>> texts, const CancelToken& cancel) {
  const std::lock_guard lock(embed_mutex_);
  auto own = embedder();
  if (!own) return own.error();
  EmbedOptions options;
  options.cancel = cancel;
  return (*own)->embed(texts, options);
}

uint32_t Host::n_embed_tokens() {
  const std::lock_guard lock(embed_mutex_);
  auto own = embedder();
  return own ? (*own)->n_batch() : 0;
}

SchedulerStats Host::stats() const {
  const auto own = scheduler();
  return own != nullptr ? own->stats() : SchedulerStats{};
}

}  // namespace quern::server
