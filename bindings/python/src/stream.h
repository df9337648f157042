// A generation that is read token by token: a thread computes, one token ahead at most, and waits for the reader.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "objects.h"
#include "options.h"

namespace quern_python {

struct Step {
  quern_token token;
  float logprob;
  std::string text;
  std::vector<quern_token_logprob> top;
};

class Stream {
 public:
  /// Starts. `generate`: runs with the options and returns the generation; called without the interpreter's lock.
  /// `streaming`: of the handle that is in use meanwhile.
  using Generate = std::function<quern_status(const quern_generate_options*, quern_generation**)>;
  Stream(std::unique_ptr<GenerateArgs> args, std::shared_ptr<std::atomic<bool>> streaming, Generate generate,
         std::shared_ptr<quern_model> model);
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// The next step; StopIteration at the end, and what went wrong, or was raised by a callback or a signal.
  py::object next();
  /// Ends the generation with what there is.
  void close();
  /// The whole of it, once it has ended; else None.
  py::object generation() const { return generation_; }

 private:
  static int on_step(void* user, const quern_step* step);
  void work(const Generate& generate);
  void finish();

  std::unique_ptr<GenerateArgs> args_;
  std::shared_ptr<std::atomic<bool>> streaming_;
  std::shared_ptr<quern_model> model_;
  std::thread worker_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Step> slot_;
  bool done_ = false, abandoned_ = false, reported_ = false;
  Outcome outcome_;
  std::shared_ptr<quern_generation> made_;
  py::list logprobs_;
  py::object generation_ = py::none();
};

}  // namespace quern_python
