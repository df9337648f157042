// The model and the conversation, on a thread of their own: the window never waits for them.
//
// Every public function is called on the thread of the window, and returns at once. What happens comes back as events,
// on that thread too: they are handed over with g_idle_add.
#pragma once

#include <quern_c.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace desktop {

struct ModelFacts {
  std::string path, name, architecture, file_type;
  uint64_t n_parameters = 0;
  uint32_t n_ctx = 0;
};

struct Event {
  enum class Kind { loading, loaded, load_failed, text, finished, failed, cleared, clear_failed };
  Kind kind = Kind::text;
  std::string text;         // of text: what is new; of errors: the message
  double share = 0;         // of loading: how much is done, 0 to 1
  ModelFacts model;         // of loaded
  int32_t stop_reason = 0;  // of finished: QUERN_STOP_...
  uint32_t n_tokens = 0;    // of text and finished: of this answer
  double tokens_per_second = 0;
  quern_status status = QUERN_OK;  // of errors
};

class Engine {
 public:
  /// `backend`: that of quern_runtime_options; empty for the usual one.
  Engine(const std::string& backend, std::function<void(const Event&)> on_event);
  ~Engine();  // stops what runs, and waits for it
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void load(std::string path, std::string system_prompt);
  void send(std::string message, double temperature);
  /// A new conversation.
  void clear(std::string system_prompt);
  /// Ends the answer, or the loading, that runs.
  void stop();

 private:
  struct Job {
    enum class Kind { load, send, clear, quit };
    Kind kind;
    std::string text, system_prompt;
    double temperature = 0;
    uint64_t number = 0;
  };
  struct Outbox;

  void post(Job job);
  void run();
  void do_load(const Job& job);
  void do_send(const Job& job);
  bool new_chat(const std::string& system_prompt, Event::Kind on_failure);
  void emit(Event event);
  void emit_failure(Event::Kind kind, quern_status status);

  static int on_progress(void* user, const char* stage, uint64_t done, uint64_t total);
  static int on_token(void* user, quern_token token, const char* text, size_t size);

  std::shared_ptr<Outbox> outbox_;
  quern_cancel_token* cancel_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  uint64_t last_job_ = 0;
  uint64_t stopped_ = 0;  // jobs up to this one have been asked to stop

  // Of the thread alone.
  std::string backend_;
  quern_model* model_ = nullptr;
  quern_chat* chat_ = nullptr;
  uint32_t n_ctx_ = 0;
  uint32_t n_tokens_ = 0;
  int64_t first_token_us_ = 0;
  double last_share_ = 0;
  std::thread thread_;
};

}  // namespace desktop
