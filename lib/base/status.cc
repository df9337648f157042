#include "lib/base/status.h"

#include <quern/version.h>

namespace quern {

const char* errc_name(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return "ok";
    case Errc::io:
      return "io";
    case Errc::not_found:
      return "not_found";
    case Errc::format:
      return "format";
    case Errc::unsupported:
      return "unsupported";
    case Errc::argument:
      return "argument";
    case Errc::buffer_too_small:
      return "buffer_too_small";
    case Errc::memory:
      return "memory";
    case Errc::device:
      return "device";
    case Errc::cancelled:
      return "cancelled";
    case Errc::context_full:
      return "context_full";
    case Errc::busy:
      return "busy";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

const char* version() noexcept { return QUERN_VERSION_STRING; }

}  // namespace quern
