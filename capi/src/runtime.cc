// Runtimes: threads, backend, log.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_runtime_create(const quern_runtime_options* options, quern_runtime** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  return guard([&] {
    quern_runtime_options o = QUERN_RUNTIME_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_runtime_options", offsetof(quern_runtime_options, processors)));
    if (o.n_processors > 0) QUERN_C_NEED(o.processors);
    quern::RuntimeOptions wanted;
    wanted.n_threads = o.n_threads;
    if (o.backend) wanted.backend = o.backend;
    if (o.n_processors > 0) wanted.processors.assign(o.processors, o.processors + o.n_processors);
    wanted.pin_threads = o.pin_threads != 0;
    if (o.log) {
      wanted.log = [log = o.log, user = o.log_user](quern::LogLevel level, std::string_view message) {
        log(user, static_cast<int32_t>(level), std::string(message).c_str());
      };
    }
    auto runtime = quern::Runtime::create(wanted);
    if (!runtime) return refuse(runtime.error());
    std::string description = runtime->description();
    *out = new quern_runtime{std::move(*runtime), std::move(description)};
    return QUERN_OK;
  });
}

uint32_t quern_runtime_n_threads(const quern_runtime* runtime) { return runtime ? runtime->runtime.n_threads() : 0; }

const char* quern_runtime_description(const quern_runtime* runtime) {
  return runtime ? runtime->description.c_str() : "";
}

quern_status quern_runtime_bind_this_thread(const quern_runtime* runtime) {
  QUERN_C_NEED(runtime);
  return guard([&] { return finish(runtime->runtime.bind_this_thread()); });
}

quern_status quern_runtime_measure_read_bandwidth(const quern_runtime* runtime, uint64_t size_bytes,
                                                  double* bytes_per_second) {
  QUERN_C_NEED(bytes_per_second);
  *bytes_per_second = 0;
  QUERN_C_NEED(runtime);
  return guard([&] {
    const auto measured = size_bytes > 0 ? runtime->runtime.measure_read_bandwidth(size_bytes)
                                         : runtime->runtime.measure_read_bandwidth();
    if (!measured) return refuse(measured.error());
    *bytes_per_second = *measured;
    return QUERN_OK;
  });
}

void quern_runtime_close(quern_runtime* runtime) { delete runtime; }

}  // extern "C"
