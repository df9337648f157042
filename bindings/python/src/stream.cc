#include "stream.h"

#include <chrono>

namespace quern_python {

Stream::Stream(std::unique_ptr<GenerateArgs> args, std::shared_ptr<std::atomic<bool>> streaming, Generate generate,
               std::shared_ptr<quern_model> model)
    : args_(std::move(args)), streaming_(std::move(streaming)), model_(std::move(model)) {
  *streaming_ = true;
  worker_ = std::thread([this, generate = std::move(generate)] { work(generate); });
}

int Stream::on_step(void* user, const quern_step* step) {
  auto& self = *static_cast<Stream*>(user);
  Step made{step->token, step->logprob, {step->text, step->size}, {step->top, step->top + step->n_top}};
  std::unique_lock lock(self.mutex_);
  self.changed_.wait(lock, [&] { return !self.slot_ || self.abandoned_; });
  if (self.abandoned_) return 1;
  self.slot_ = std::move(made);
  self.changed_.notify_all();
  return 0;
}

void Stream::work(const Generate& generate) {
  quern_generate_options o = args_->get();
  o.on_step = on_step;
  o.on_step_user = this;
  quern_generation* made = nullptr;
  Outcome outcome;
  if (!args_->nothing) outcome = outcome_of([&] { return generate(&o, &made); });
  const std::lock_guard lock(mutex_);
  outcome_ = std::move(outcome);
  if (made) made_.reset(made, quern_generation_close);
  done_ = true;
  *streaming_ = false;
  changed_.notify_all();
}

void Stream::finish() {
  if (worker_.joinable()) {
    py::gil_scoped_release release;
    worker_.join();
  }
  if (made_ && generation_.is_none()) {
    generation_ = to_result(made_.get(), args_->logprobs ? py::object(logprobs_) : py::none());
  }
}

void Stream::close() {
  if (worker_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
      changed_.notify_all();
    }
    // The flag may be the caller's, who wants it back as it was.
    const quern_cancel_token* cancel = args_->call.cancel();
    const bool was_cancelled = quern_cancel_token_cancelled(cancel) != 0;
    quern_cancel_token_cancel(cancel);
    finish();
    if (!was_cancelled) quern_cancel_token_reset(cancel);
  }
  reported_ = true;
  slot_.reset();
}

py::object Stream::next() {
  std::optional<Step> step;
  while (true) {
    {
      py::gil_scoped_release release;
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(50), [&] { return slot_ || done_; });
      if (slot_) {
        step = std::move(slot_);
        slot_.reset();
        changed_.notify_all();
        break;
      }
      if (done_) break;
    }
    if (PyErr_CheckSignals() != 0) {
      py::error_already_set error;
      close();
      throw error;
    }
  }
  if (step) {
    const py::object told = to_step(step->token, step->text, step->logprob, step->top);
    if (args_->logprobs && step->token >= 0) logprobs_.append(told);
    return told;
  }
  finish();
  if (!reported_) {
    reported_ = true;
    args_->call.raised.rethrow();
    raise_unless_ok(outcome_);
  }
  throw py::stop_iteration();
}

}  // namespace quern_python
