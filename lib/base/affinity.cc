#include "lib/base/affinity.h"

#include <algorithm>
#include <string>

#if defined(__linux__) && !defined(__ANDROID__)
#include <pthread.h>
#include <sched.h>
#define QUERN_CAN_BIND_THREADS 1
#endif

namespace quern::base {
namespace {

#if defined(QUERN_CAN_BIND_THREADS)

Status bind(pthread_t thread, std::span<const int> processors) {
  if (processors.empty()) return {};
  const auto [least, most] = std::minmax_element(processors.begin(), processors.end());
  QUERN_ENSURE(*least >= 0 && *most < 1 << 16, Errc::argument, "processor ", *least < 0 ? *least : *most,
               ": expected 0 to ", (1 << 16) - 1);
  std::vector<cpu_set_t> set(static_cast<size_t>(*most) / CPU_SETSIZE + 1);
  const size_t bytes = set.size() * sizeof(cpu_set_t);
  for (const int processor : processors) CPU_SET_S(static_cast<size_t>(processor), bytes, set.data());
  const int refused = pthread_setaffinity_np(thread, bytes, set.data());
  QUERN_ENSURE(refused == 0, Errc::argument, "the system does not let a thread run on processor ", *least,
               processors.size() > 1 ? cat(" to ", *most) : std::string(), " (error ", refused, ")");
  return {};
}

#endif

}  // namespace

#if defined(QUERN_CAN_BIND_THREADS)

Status bind_thread(std::thread& thread, std::span<const int> processors) {
  return bind(thread.native_handle(), processors);
}

Status bind_this_thread(std::span<const int> processors) { return bind(pthread_self(), processors); }

#else

Status bind_thread(std::thread&, std::span<const int> processors) { return bind_this_thread(processors); }

Status bind_this_thread(std::span<const int> processors) {
  QUERN_ENSURE(processors.empty(), Errc::unsupported, "binding threads to processors is not supported on this system");
  return {};
}

#endif

}  // namespace quern::base
