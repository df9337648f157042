# Third-party libraries, each found on the system first. README.md says why each is used.
include(FetchContent)

find_package(Threads REQUIRED)

# Highway >= 1.2: 1.0.3 (Debian 12) miscompiles for AVX-512 VNNI.
find_package(hwy 1.2 CONFIG QUIET)
if(NOT hwy_FOUND)
  message(STATUS "Highway >= 1.2 is not installed: taking the pinned release")
  set(HWY_ENABLE_TESTS OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
  FetchContent_Declare(hwy GIT_REPOSITORY https://github.com/google/highway.git GIT_TAG 1.2.0)
  FetchContent_MakeAvailable(hwy)
  if(NOT TARGET hwy::hwy)
    add_library(hwy::hwy ALIAS hwy)
  endif()
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
find_package(nlohmann_json 3.11 REQUIRED)

if(QUERN_BUILD_CLI)
  find_package(CLI11 2.1 REQUIRED)
endif()
if(QUERN_BUILD_TESTS)
  find_package(doctest 2.4 REQUIRED)
endif()
