// Many generations at once.
#include <quern/scheduler.h>

#include <utility>

#include "capi/src/door.h"

using namespace quern::capi;

namespace {

quern_status read_scheduler_options(const quern_scheduler_options* given, quern::SchedulerOptions& out) {
  quern_scheduler_options o = QUERN_SCHEDULER_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_scheduler_options"));
  if (o.n_parallel) out.n_parallel = o.n_parallel;
  if (o.max_queued) out.max_queued = o.max_queued;
  out.n_ctx_request = o.n_ctx_request;
  if (o.n_kept != 0) out.n_kept = o.n_kept > 0 ? static_cast<uint32_t>(o.n_kept) : 0;
  QUERN_C_CHECK(read_context_options(o.context, out.context));
  return read_adapters(o.adapters, o.n_adapters, out.context.adapters);
}

}  // namespace

extern "C" {

quern_status quern_scheduler_create(const quern_model* model, const quern_scheduler_options* options,
                                    quern_scheduler** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    quern::SchedulerOptions wanted;
    QUERN_C_CHECK(read_scheduler_options(options, wanted));
    auto scheduler = quern::Scheduler::create(model->model, wanted);
    if (!scheduler) return refuse(scheduler.error());
    *out = new quern_scheduler{std::move(*scheduler)};
    return QUERN_OK;
  });
}

void quern_scheduler_close(quern_scheduler* scheduler) { delete scheduler; }

quern_status quern_scheduler_submit(quern_scheduler* scheduler, const quern_token* prompt, size_t n_tokens,
                                    const quern_generate_options* options, quern_end_fn on_end, void* on_end_user,
                                    uint64_t* id) {
  QUERN_C_NEED(scheduler);
  return guard([&] {
    QUERN_C_CHECK(check_array(prompt, n_tokens, "prompt"));
    quern::Request request;
    QUERN_C_CHECK(read_generate_options(options, request.options));
    if (n_tokens) request.prompt.assign(prompt, prompt + n_tokens);
    if (on_end) {
      request.on_end = [on_end, on_end_user](const quern::Result<quern::Generation>& result) {
        guard([&] {
          if (!result) {
            const quern_status status = refuse(result.error());
            on_end(on_end_user, status, nullptr);
            return status;
          }
          const quern_generation generation{*result};
          on_end(on_end_user, QUERN_OK, &generation);
          return QUERN_OK;
        });
      };
    }
    const auto number = scheduler->scheduler.submit(std::move(request));
    if (!number) return refuse(number.error());
    if (id) *id = *number;
    return QUERN_OK;
  });
}

quern_status quern_scheduler_step(quern_scheduler* scheduler, int32_t* worked) {
  if (worked) *worked = 0;
  QUERN_C_NEED(scheduler);
  return guard([&] {
    const auto more = scheduler->scheduler.step();
    if (!more) return refuse(more.error());
    if (worked) *worked = *more ? 1 : 0;
    return QUERN_OK;
  });
}

quern_status quern_scheduler_run(quern_scheduler* scheduler, const quern_cancel_token* stop) {
  QUERN_C_NEED(scheduler);
  QUERN_C_NEED(stop);
  return guard([&] { return finish(scheduler->scheduler.run(stop->token)); });
}

quern_status quern_scheduler_get_stats(const quern_scheduler* scheduler, quern_scheduler_stats* out) {
  QUERN_C_NEED(scheduler);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::SchedulerStats stats = scheduler->scheduler.stats();
    quern_scheduler_stats from = QUERN_SCHEDULER_STATS_INIT;
    from.n_running = stats.n_running;
    from.n_queued = stats.n_queued;
    from.n_kept = stats.n_kept;
    from.n_used = stats.n_used;
    from.n_ctx = stats.n_ctx;
    from.n_finished = stats.n_finished;
    from.n_prompt_tokens = stats.n_prompt_tokens;
    from.n_cached_tokens = stats.n_cached_tokens;
    from.n_generated_tokens = stats.n_generated_tokens;
    from.n_steps = stats.n_steps;
    from.prompt_seconds = stats.prompt_seconds;
    from.generate_seconds = stats.generate_seconds;
    return write_info(from, out, "quern_scheduler_stats");
  });
}

quern_status quern_scheduler_running(const quern_scheduler* scheduler, quern_running* buffer, size_t capacity,
                                     size_t* needed) {
  QUERN_C_NEED(scheduler);
  return guard([&] {
    const quern::SchedulerStats stats = scheduler->scheduler.stats();
    std::vector<quern_running> running;
    for (const auto& one : stats.running) {
      running.push_back({one.id, one.n_prompt, one.n_prompt_done, one.n_generated, 0});
    }
    return write_array(running.data(), running.size(), buffer, capacity, needed);
  });
}

}  // extern "C"
