// Which logical processors a thread may run on.
#pragma once

#include <span>
#include <thread>
#include <vector>

#include "lib/base/status.h"

namespace quern::base {

/// Where the threads of a pool run.
struct ThreadPlaces {
  std::vector<int> processors;  ///< Empty: wherever the system puts them.
  bool one_each = false;        ///< Thread i on the i-th processor alone, instead of each on all of them.

  /// The processors of one thread. With one_each there must be more processors than `thread`.
  std::span<const int> of(size_t thread) const {
    const std::span<const int> all = processors;
    return one_each && !all.empty() ? all.subspan(thread, 1) : all;
  }
};

/// Restricts a thread to these processors; nothing is done if there are none. Errc::argument if the system refuses
/// them, Errc::unsupported where it cannot do so.
Status bind_thread(std::thread& thread, std::span<const int> processors);
Status bind_this_thread(std::span<const int> processors);

}  // namespace quern::base
