// Version, status codes and the text of the last error.
#include "capi/src/door.h"

namespace {

// Of fixed size, so that keeping a message cannot fail: it may report that memory has run out.
constexpr size_t kMessageBytes = 4096;
thread_local char last_message[kMessageBytes] = "";

}  // namespace

namespace quern::capi {

quern_status refuse(Errc code, std::string_view message) noexcept {
  size_t size = message.size() < kMessageBytes ? message.size() : kMessageBytes - 1;
  // Never cut inside a character.
  while (size < message.size() && size > 0 && (static_cast<unsigned char>(message[size]) & 0xC0) == 0x80) --size;
  std::memcpy(last_message, message.data(), size);
  last_message[size] = '\0';
  return static_cast<quern_status>(code);
}

}  // namespace quern::capi

extern "C" {

uint32_t quern_abi_version(void) { return QUERN_C_ABI_VERSION; }

const char* quern_version(void) { return quern::version(); }

const char* quern_status_name(quern_status status) { return quern::errc_name(static_cast<quern::Errc>(status)); }

const char* quern_last_error_message(void) { return last_message; }

}  // extern "C"
