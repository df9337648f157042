// The system's entropy, for seeds that nobody chose.
#include "lib/base/rng.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include <chrono>

namespace quern::base {

uint64_t random_bits() {
  uint64_t bits = 0;
#if defined(__unix__) || defined(__APPLE__)
  if (getentropy(&bits, sizeof bits) != 0) bits = 0;
#endif
  const auto now = std::chrono::high_resolution_clock::now().time_since_epoch().count();
  return bits ^ mix64(static_cast<uint64_t>(now) ^ reinterpret_cast<uintptr_t>(&bits));
}

}  // namespace quern::base
