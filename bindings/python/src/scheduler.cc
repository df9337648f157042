// Many generations at once.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

/// A generation that was submitted; lives until its end is told.
struct Pending {
  GenerateArgs args;
  std::shared_ptr<quern_model> model;
  py::object on_token = py::none(), on_end;
  py::list steps;

  static int on_step(void* user, const quern_step* step) {
    auto& self = *static_cast<Pending*>(user);
    py::gil_scoped_acquire acquire;
    try {
      const py::object told =
          to_step(step->token, {step->text, step->size}, step->logprob, {step->top, step->top + step->n_top});
      if (self.args.logprobs && step->token >= 0) self.steps.append(told);
      if (self.on_token.is_none()) return 0;
      const py::object answer = self.on_token(told);
      return answer.ptr() == Py_False ? 1 : 0;
    } catch (const py::error_already_set& error) {
      self.args.call.raised.keep(error);  // the end tells
      return 1;
    }
  }

  static void on_finish(void* user, quern_status status, const quern_generation* generation) {
    const std::string message = status == QUERN_OK ? "" : quern_last_error_message();
    py::gil_scoped_acquire acquire;
    const std::unique_ptr<Pending> self(static_cast<Pending*>(user));
    try {
      py::object error = py::none(), result = py::none();
      try {
        self->args.call.raised.rethrow();
        raise_unless_ok({status, message});
        result = to_result(generation, self->args.logprobs ? py::object(self->steps) : py::none());
      } catch (const py::error_already_set& raised) {
        error = raised.value();
      }
      self->on_end(result, error);
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("the end of a generation of a quern.Scheduler");
    }
  }
};

Scheduler create(const Model& model, const py::kwargs& given) {
  Kwargs kwargs("Scheduler", given);
  quern_scheduler_options o = QUERN_SCHEDULER_OPTIONS_INIT;
  ContextArgs context;
  AdapterArgs adapters;
  int32_t n_kept = 0;
  kwargs.take("n_parallel", o.n_parallel);
  kwargs.take("max_queued", o.max_queued);
  kwargs.take("n_ctx_request", o.n_ctx_request);
  if (kwargs.take("n_kept", n_kept)) o.n_kept = n_kept > 0 ? n_kept : -1;
  context.read(kwargs);
  adapters.read(kwargs);
  kwargs.finish();
  o.context = &context.options;
  o.adapters = adapters.uses.empty() ? nullptr : adapters.uses.data();
  o.n_adapters = adapters.uses.size();
  const auto handle = model.get();
  quern_scheduler* made = nullptr;
  call([&] { return quern_scheduler_create(handle.get(), &o, &made); });
  return {own<quern_scheduler, quern_scheduler_close>(made), handle};
}

std::shared_ptr<quern_scheduler> open(const Scheduler& scheduler) {
  if (!scheduler.handle) throw py::value_error("the Scheduler is closed");
  return scheduler.handle;
}

uint64_t submit(const Scheduler& scheduler, const py::object& prompt, const py::object& on_end,
                const py::kwargs& given) {
  const auto handle = open(scheduler);
  Kwargs kwargs("submit", given);
  auto pending = std::make_unique<Pending>();
  pending->args.read(kwargs);
  kwargs.take("on_token", pending->on_token);
  kwargs.finish();
  if (pending->args.nothing) throw py::value_error("submit(): max_tokens is 0");
  pending->on_end = on_end;
  pending->model = scheduler.model;
  const auto tokens = tokens_of(prompt, scheduler.model.get());
  quern_generate_options o = pending->args.get();
  o.progress = nullptr;
  if (pending->args.logprobs || !pending->on_token.is_none()) {
    o.on_step = Pending::on_step;
    o.on_step_user = pending.get();
  }
  uint64_t id = 0;
  Outcome outcome;
  Pending* told = pending.release();
  {
    py::gil_scoped_release release;
    outcome = outcome_of([&] {
      return quern_scheduler_submit(handle.get(), tokens.data(), tokens.size(), &o, Pending::on_finish, told, &id);
    });
  }
  if (outcome.status != QUERN_OK) delete told;
  raise_unless_ok(outcome);
  return id;
}

py::object stats(const Scheduler& scheduler) {
  const auto handle = open(scheduler);
  quern_scheduler_stats s = QUERN_SCHEDULER_STATS_INIT;
  std::vector<quern_running> running(64);
  size_t n = 0;
  Outcome outcome;
  {
    py::gil_scoped_release release;
    outcome = outcome_of([&] {
      const quern_status status = quern_scheduler_get_stats(handle.get(), &s);
      if (status != QUERN_OK) return status;
      while (true) {
        const quern_status listed = quern_scheduler_running(handle.get(), running.data(), running.size(), &n);
        if (listed != QUERN_ERROR_BUFFER_TOO_SMALL) return listed;
        running.resize(n);
      }
    });
  }
  raise_unless_ok(outcome);
  py::list list;
  for (size_t i = 0; i < n; ++i) {
    list.append(
        make_result("Running", running[i].id, running[i].n_prompt, running[i].n_prompt_done, running[i].n_generated));
  }
  return make_result("SchedulerStats", s.n_running, s.n_queued, s.n_kept, s.n_used, s.n_ctx, s.n_finished,
                     s.n_prompt_tokens, s.n_cached_tokens, s.n_generated_tokens, s.n_steps, s.prompt_seconds,
                     s.generate_seconds, list);
}

}  // namespace

void bind_scheduler(py::module_& m) {
  py::class_<Scheduler>(m, "Scheduler", "The scheduler of the C interface; quern.Scheduler adds futures.")
      .def(py::init(&create), py::arg("model"))
      .def("_submit", &submit, py::arg("prompt"), py::arg("on_end"))
      .def(
          "step",
          [](const Scheduler& scheduler) {
            const auto handle = open(scheduler);
            int32_t worked = 0;
            LongCall().run([&] { return quern_scheduler_step(handle.get(), &worked); });
            return worked != 0;
          },
          "One pass of the model for everything that runs. False: there was nothing to do. One thread at a time.")
      .def(
          "run",
          [](const Scheduler& scheduler, const CancelToken& stop) {
            const auto handle = open(scheduler);
            LongCall long_call;
            long_call.given = stop;
            long_call.run([&] { return quern_scheduler_run(handle.get(), stop.handle.get()); });
          },
          py::arg("stop"), "Steps while there is work and waits while there is none, until stop is raised.")
      .def_property_readonly("stats", &stats)
      .def("close", [](Scheduler& scheduler) { scheduler.handle.reset(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Scheduler& scheduler, const py::args&) { scheduler.handle.reset(); });
}

}  // namespace quern_python
