// The library's version, at compile time and at run time.
#pragma once

#define QUERN_VERSION_MAJOR 0
#define QUERN_VERSION_MINOR 1
#define QUERN_VERSION_PATCH 0
#define QUERN_VERSION_STRING "0.1.0"

namespace quern {

/// The version of the library that is linked, "major.minor.patch". Static storage.
const char* version() noexcept;

}  // namespace quern
