// How the extension calls the C interface: without the interpreter's lock, interruptible, with errors as exceptions.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <quern_c.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace quern_python {

namespace py = pybind11;

/// What a call of the C interface ended with.
struct Outcome {
  quern_status status = QUERN_OK;
  std::string message;
};

/// Calls and keeps the message, which belongs to the thread.
template <class F>
Outcome outcome_of(F&& f) {
  const quern_status status = f();
  return {status, status == QUERN_OK ? std::string() : std::string(quern_last_error_message())};
}

/// Raises the exception of quern.errors that belongs to the status, unless that is QUERN_OK.
void raise_unless_ok(const Outcome& outcome);
[[noreturn]] void raise_status(quern_status status, const std::string& message);

template <class F>
void call(F&& f) {
  raise_unless_ok(outcome_of(f));
}

/// Closes a handle without the interpreter's lock: a thread that the library waits for may be in a callback.
template <class T, void (*Close)(T*)>
struct Closer {
  void operator()(T* handle) const {
    if (PyGILState_Check()) {
      py::gil_scoped_release release;
      Close(handle);
    } else {
      Close(handle);
    }
  }
};

/// A handle of the C interface that several Python objects and running calls may hold. One thread uses it at a time;
/// others wait, without the interpreter's lock.
template <class T>
class Handle {
 public:
  Handle(std::shared_ptr<T> handle, const char* kind) : inner_(std::make_shared<Inner>()), kind_(kind) {
    inner_->handle = std::move(handle);
  }

  bool closed() const { return !inner_; }
  void close() { inner_.reset(); }

  struct Inner {
    std::shared_ptr<T> handle;
    std::mutex mutex;
    std::atomic<std::thread::id> owner{};
    std::atomic<bool> streaming{false};
  };

  /// ValueError where it was closed, BusyError where this thread must not wait for it: inside a callback of a call that
  /// uses it, or while a stream does.
  std::shared_ptr<Inner> inner() const {
    if (!inner_) throw py::value_error(std::string("the ") + kind_ + " is closed");
    if (inner_->streaming) {
      raise_status(QUERN_ERROR_BUSY, std::string("a stream uses the ") + kind_ + ": finish or close it first");
    }
    if (inner_->owner.load() == std::this_thread::get_id()) {
      raise_status(QUERN_ERROR_BUSY, std::string("the ") + kind_ + " is in use by the call that this is a callback of");
    }
    return inner_;
  }

  /// The handle alone, for what is thread-safe.
  std::shared_ptr<T> shared() const {
    if (!inner_) throw py::value_error(std::string("the ") + kind_ + " is closed");
    return inner_->handle;
  }

 private:
  std::shared_ptr<Inner> inner_;
  const char* kind_;
};

/// Holds a handle for this thread.
template <class Inner>
class Hold {
 public:
  explicit Hold(Inner& inner) : inner_(inner) {
    inner_.mutex.lock();
    inner_.owner = std::this_thread::get_id();
  }
  ~Hold() {
    inner_.owner = std::thread::id();
    inner_.mutex.unlock();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  Inner& inner_;
};

/// A quick question to a handle that one thread uses at a time.
template <class T, class F>
auto ask(const Handle<T>& handle, F&& f) {
  const auto inner = handle.inner();
  py::gil_scoped_release release;
  Hold hold(*inner);
  return f(inner->handle.get());
}

/// What a Python function called from the library has raised, if it has.
class Raised {
 public:
  void keep(const py::error_already_set& error) {
    if (!error_) error_ = std::make_unique<py::error_already_set>(error);
  }
  bool any() const { return error_ != nullptr; }
  void rethrow() {
    if (!error_) return;
    py::error_already_set error = *error_;
    error_.reset();
    throw error;
  }
  ~Raised() {
    if (!error_) return;
    py::gil_scoped_acquire acquire;
    error_.reset();
  }
  Raised() = default;
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  std::unique_ptr<py::error_already_set> error_;
};

/// A flag that stops operations.
struct CancelToken {
  std::shared_ptr<quern_cancel_token> handle;
  CancelToken();
};

/// What long calls have in common: progress, cancelling, and what their callbacks have raised.
struct LongCall {
  py::object progress = py::none();
  std::optional<CancelToken> given;  ///< the caller's
  CancelToken own;
  Raised raised;

  /// Takes `progress` and `cancel` out of the keywords.
  template <class Kwargs>
  void read(Kwargs& kwargs) {
    kwargs.take("progress", progress);
    py::object cancel = py::none();
    kwargs.take("cancel", cancel);
    if (!cancel.is_none()) given = cancel.cast<CancelToken>();
  }

  const quern_cancel_token* cancel() const { return given ? given->handle.get() : own.handle.get(); }
  quern_progress_fn progress_fn() const { return progress.is_none() ? nullptr : &LongCall::on_progress; }

  /// Runs `f`, which returns a quern_status, without the interpreter's lock. In the main thread, which alone sees
  /// signals, a helper thread computes, and a signal whose handler raises (as that of an interrupt does) cancels the
  /// call: an exception follows within a layer of the model.
  void run(const std::function<quern_status()>& f);
  /// The same with a handle held.
  template <class T>
  void run_with(const Handle<T>& handle, const std::function<quern_status(T*)>& f) {
    const auto inner = handle.inner();
    run([&] {
      Hold hold(*inner);
      return f(inner->handle.get());
    });
  }

 private:
  static int on_progress(void* user, const char* stage, uint64_t done, uint64_t total);
};

/// Whether signals are delivered to this thread.
bool on_main_thread();

/// A read-only array of floats [rows, cols] (without rows: [cols]) on memory that `owner` keeps. Not a copy.
py::object float_array(const float* data, std::optional<size_t> rows, size_t cols, std::shared_ptr<const void> owner);

/// An instance of a class of quern.results.
template <class... Args>
py::object make_result(const char* name, Args&&... args) {
  return py::module_::import("quern.results").attr(name)(std::forward<Args>(args)...);
}

/// Text that may end inside a character nowhere else than the library says: bytes that are not UTF-8 become U+FFFD.
py::str to_text(const char* text, size_t size);
inline py::str to_text(const char* text) { return to_text(text, text ? std::char_traits<char>::length(text) : 0); }

}  // namespace quern_python
