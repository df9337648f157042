#include "calls.h"

#include <chrono>
#include <condition_variable>

namespace quern_python {

void raise_status(quern_status status, const std::string& message) {
  const py::object make = py::module_::import("quern.errors").attr("error_of");
  const py::object error = make(status, to_text(message.data(), message.size()));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw py::error_already_set();
}

void raise_unless_ok(const Outcome& outcome) {
  if (outcome.status != QUERN_OK) raise_status(outcome.status, outcome.message);
}

CancelToken::CancelToken() {
  quern_cancel_token* made = nullptr;
  call([&] { return quern_cancel_token_create(&made); });
  handle.reset(made, quern_cancel_token_close);
}

bool on_main_thread() {
  const py::module_ threading = py::module_::import("threading");
  return threading.attr("get_ident")().equal(threading.attr("main_thread")().attr("ident"));
}

int LongCall::on_progress(void* user, const char* stage, uint64_t done, uint64_t total) {
  auto& self = *static_cast<LongCall*>(user);
  py::gil_scoped_acquire acquire;
  try {
    const py::object answer = self.progress(stage, done, total);
    return answer.ptr() == Py_False ? 1 : 0;
  } catch (const py::error_already_set& error) {
    self.raised.keep(error);
    return 1;
  }
}

void LongCall::run(const std::function<quern_status()>& f) {
  Outcome outcome;
  if (!on_main_thread()) {
    py::gil_scoped_release release;
    outcome = outcome_of(f);
  } else {
    const bool was_cancelled = quern_cancel_token_cancelled(cancel()) != 0;
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    bool interrupted = false;
    {
      py::gil_scoped_release release;
      std::thread worker([&] {
        outcome = outcome_of(f);
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_one();
      });
      std::unique_lock lock(mutex);
      while (!changed.wait_for(lock, std::chrono::milliseconds(50), [&] { return done; })) {
        lock.unlock();
        if (!interrupted) {
          py::gil_scoped_acquire acquire;
          if (PyErr_CheckSignals() != 0) {
            raised.keep(py::error_already_set());
            quern_cancel_token_cancel(cancel());
            interrupted = true;
          }
        }
        lock.lock();
      }
      lock.unlock();
      worker.join();
    }
    // The caller's flag is the caller's.
    if (interrupted && !was_cancelled) quern_cancel_token_reset(cancel());
  }
  raised.rethrow();
  raise_unless_ok(outcome);
}

namespace {

/// Memory for NumPy to look at.
struct Floats {
  const float* data;
  std::vector<py::ssize_t> shape;
  std::shared_ptr<const void> owner;
};

}  // namespace

py::object float_array(const float* data, std::optional<size_t> rows, size_t cols, std::shared_ptr<const void> owner) {
  Floats floats{data, {}, std::move(owner)};
  if (rows) floats.shape.push_back(static_cast<py::ssize_t>(*rows));
  floats.shape.push_back(static_cast<py::ssize_t>(cols));
  return py::module_::import("numpy").attr("asarray")(py::cast(std::move(floats)));
}

py::str to_text(const char* text, size_t size) {
  PyObject* made = PyUnicode_DecodeUTF8(text ? text : "", static_cast<py::ssize_t>(size), "replace");
  if (!made) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(made);
}

void bind_calls(py::module_& m) {
  py::class_<Floats>(m, "_Floats", py::buffer_protocol()).def_buffer([](Floats& f) {
    std::vector<py::ssize_t> strides(f.shape.size(), sizeof(float));
    if (strides.size() == 2) strides[0] = f.shape[1] * static_cast<py::ssize_t>(sizeof(float));
    static float nothing = 0;
    return py::buffer_info(const_cast<float*>(f.data ? f.data : &nothing), sizeof(float),
                           py::format_descriptor<float>::format(), static_cast<py::ssize_t>(f.shape.size()), f.shape,
                           strides, true);
  });

  py::class_<CancelToken>(m, "CancelToken",
                          "A flag that stops the operations it was given to. Any thread may raise it; it stays raised "
                          "until reset().")
      .def(py::init<>())
      .def("cancel", [](const CancelToken& t) { quern_cancel_token_cancel(t.handle.get()); })
      .def("reset", [](const CancelToken& t) { quern_cancel_token_reset(t.handle.get()); })
      .def_property_readonly("cancelled",
                             [](const CancelToken& t) { return quern_cancel_token_cancelled(t.handle.get()) != 0; });
}

}  // namespace quern_python
