#include "examples/desktop/engine.h"

#include <glib.h>

#include <algorithm>
#include <utility>

namespace desktop {

namespace {
// A conversation's context where the model was trained for more: the cache of 128 thousand tokens takes gigabytes.
constexpr uint32_t kMaxContext = 8192;
}  // namespace

/// What waits to be told to the window. It outlives the engine while an idle source still refers to it.
struct Engine::Outbox {
  std::function<void(const Event&)> on_event;  // of the window's thread; empty once the engine is gone
  std::mutex mutex;
  std::deque<Event> events;
  bool scheduled = false;

  static gboolean deliver(gpointer user) {
    const std::shared_ptr<Outbox> self = *static_cast<std::shared_ptr<Outbox>*>(user);
    std::deque<Event> events;
    {
      const std::lock_guard<std::mutex> lock(self->mutex);
      events.swap(self->events);
      self->scheduled = false;
    }
    for (const Event& event : events) {
      if (self->on_event) self->on_event(event);
    }
    return G_SOURCE_REMOVE;
  }
};

Engine::Engine(const std::string& backend, std::function<void(const Event&)> on_event)
    : outbox_(std::make_shared<Outbox>()), backend_(backend) {
  outbox_->on_event = std::move(on_event);
  (void)quern_cancel_token_create(&cancel_);  // without one nothing can be stopped; everything else works
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() {
  stop();
  outbox_->on_event = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.clear();
  }
  post({Job::Kind::quit, "", "", 0, 0});
  thread_.join();
  quern_cancel_token_close(cancel_);
}

void Engine::load(std::string path, std::string system_prompt) {
  post({Job::Kind::load, std::move(path), std::move(system_prompt), 0, 0});
}

void Engine::send(std::string message, double temperature) {
  post({Job::Kind::send, std::move(message), "", temperature, 0});
}

void Engine::clear(std::string system_prompt) { post({Job::Kind::clear, "", std::move(system_prompt), 0, 0}); }

void Engine::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = last_job_;
  quern_cancel_token_cancel(cancel_);
}

void Engine::post(Job job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  job.number = ++last_job_;
  jobs_.push_back(std::move(job));
  wake_.notify_one();
}

void Engine::emit(Event event) {
  const std::lock_guard<std::mutex> lock(outbox_->mutex);
  // Text that the window has not seen yet grows: it is drawn as often as the window can.
  if (event.kind == Event::Kind::text && !outbox_->events.empty() && outbox_->events.back().kind == Event::Kind::text) {
    event.text.insert(0, outbox_->events.back().text);
    outbox_->events.pop_back();
  }
  outbox_->events.push_back(std::move(event));
  if (outbox_->scheduled) return;
  outbox_->scheduled = true;
  const auto destroy = [](gpointer user) { delete static_cast<std::shared_ptr<Outbox>*>(user); };
  g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, Outbox::deliver, new std::shared_ptr<Outbox>(outbox_), destroy);
}

void Engine::emit_failure(Event::Kind kind, quern_status status) {
  Event event;
  event.kind = kind;
  event.status = status;
  event.text = quern_last_error_message();
  emit(std::move(event));
}

void Engine::run() {
  for (;;) {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return !jobs_.empty(); });
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    // The flag is of all jobs: what was asked for after the last stop runs, and what was waiting then does not.
    if (job.number > stopped_) quern_cancel_token_reset(cancel_);
    lock.unlock();
    switch (job.kind) {
      case Job::Kind::load:
        do_load(job);
        break;
      case Job::Kind::send:
        do_send(job);
        break;
      case Job::Kind::clear:
        if (model_ != nullptr && new_chat(job.system_prompt, Event::Kind::clear_failed)) {
          Event event;
          event.kind = Event::Kind::cleared;
          emit(std::move(event));
        }
        break;
      case Job::Kind::quit:
        quern_chat_close(chat_);
        quern_model_close(model_);
        return;
    }
  }
}

int Engine::on_progress(void* user, const char*, uint64_t done, uint64_t total) {
  auto* self = static_cast<Engine*>(user);
  Event event;
  event.kind = Event::Kind::loading;
  event.share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  if (event.share > self->last_share_ + 0.01) {
    self->last_share_ = event.share;
    self->emit(std::move(event));
  }
  return 0;
}

void Engine::do_load(const Job& job) {
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  quern_model* model = nullptr;
  options.progress = on_progress;
  options.progress_user = this;
  options.cancel = cancel_;
  last_share_ = 0;
  quern_runtime_options runtime_options = QUERN_RUNTIME_OPTIONS_INIT;
  quern_runtime* runtime = nullptr;
  if (!backend_.empty()) runtime_options.backend = backend_.c_str();
  quern_status status = quern_runtime_create(&runtime_options, &runtime);
  options.runtime = runtime;
  if (status == QUERN_OK) status = quern_model_open(job.text.c_str(), &options, &model);
  quern_runtime_close(runtime);  // the model keeps it
  if (status != QUERN_OK) {
    emit_failure(Event::Kind::load_failed, status);  // the model before stays
    return;
  }
  quern_chat_close(std::exchange(chat_, nullptr));
  quern_model_close(std::exchange(model_, model));

  quern_model_info info = QUERN_MODEL_INFO_INIT;
  Event event;
  event.kind = Event::Kind::loaded;
  if (quern_model_get_info(model, &info) == QUERN_OK) {
    event.model = {job.text, info.name, info.architecture, info.file_type, info.n_parameters, 0};
    n_ctx_ = std::min(info.n_ctx_train, kMaxContext);
    event.model.n_ctx = n_ctx_;
  }
  if (new_chat(job.system_prompt, Event::Kind::load_failed)) emit(std::move(event));
}

bool Engine::new_chat(const std::string& system_prompt, Event::Kind on_failure) {
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  options.n_ctx = n_ctx_;
  quern_chat_close(std::exchange(chat_, nullptr));
  const char* prompt = system_prompt.empty() ? nullptr : system_prompt.c_str();
  const quern_status status = quern_chat_create(model_, &options, prompt, system_prompt.size(), &chat_);
  if (status != QUERN_OK) emit_failure(on_failure, status);
  return status == QUERN_OK;
}

int Engine::on_token(void* user, quern_token token, const char* text, size_t size) {
  auto* self = static_cast<Engine*>(user);
  const int64_t now = g_get_monotonic_time();
  if (token >= 0 && self->n_tokens_++ == 0) self->first_token_us_ = now;
  Event event;
  event.text.assign(text, size);
  event.n_tokens = self->n_tokens_;
  if (now > self->first_token_us_ && self->n_tokens_ > 1) {
    event.tokens_per_second = (self->n_tokens_ - 1) * 1e6 / static_cast<double>(now - self->first_token_us_);
  }
  self->emit(std::move(event));
  return 0;
}

void Engine::do_send(const Job& job) {
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_timings timings = QUERN_TIMINGS_INIT;
  quern_generation* answer = nullptr;
  sampler.temperature = static_cast<float>(job.temperature);
  options.sampler = &sampler;
  options.on_token = on_token;
  options.on_token_user = this;
  options.cancel = cancel_;
  n_tokens_ = 0;
  const quern_status status = quern_chat_send(chat_, job.text.data(), job.text.size(), &options, &answer);
  if (status != QUERN_OK) {
    emit_failure(Event::Kind::failed, status);
    return;
  }
  Event event;
  event.kind = Event::Kind::finished;
  event.stop_reason = quern_generation_stop_reason(answer);
  if (quern_generation_get_timings(answer, &timings) == QUERN_OK) {
    event.n_tokens = timings.n_generated;
    if (timings.generate_seconds > 0) event.tokens_per_second = timings.n_generated / timings.generate_seconds;
  }
  quern_generation_close(answer);
  emit(std::move(event));
}

}  // namespace desktop
