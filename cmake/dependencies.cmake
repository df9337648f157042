# Third-party libraries, each found on the system first. README.md says why each is used.
find_package(Threads REQUIRED)

# Highway >= 1.2. Version 1.0.3 (Debian 12) is refused: with g++ its AVX-512 VNNI target emits AVX-VNNI instructions, which
# kill the process on a Zen 4. On Debian 12, cmake/setup_debian.sh installs 1.2.0.
option(QUERN_FETCH_HIGHWAY "Download and build the pinned Highway even where one is installed" OFF)
if(NOT QUERN_FETCH_HIGHWAY)
  find_package(hwy 1.2 CONFIG QUIET)
endif()
if(hwy_FOUND)
  set(QUERN_BUNDLED_HIGHWAY OFF)
else()
  message(STATUS "Highway >= 1.2 is not installed: downloading release 1.2.0")
  # Its objects go into the quern libraries (lib/CMakeLists.txt), so that an installed quern does not ask for Highway.
  set(QUERN_BUNDLED_HIGHWAY ON)
  include(FetchContent)
  foreach(off IN ITEMS TESTS EXAMPLES CONTRIB INSTALL)
    set(HWY_ENABLE_${off} OFF CACHE BOOL "" FORCE)
  endforeach()
  set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
  FetchContent_Declare(hwy GIT_REPOSITORY https://github.com/google/highway.git
                       GIT_TAG 457c891775a7397bdb0376bb1031e6e027af1c48 SYSTEM)  # 1.2.0
  FetchContent_MakeAvailable(hwy)
  target_compile_options(hwy PRIVATE -w)
  if(NOT TARGET hwy::hwy)
    add_library(hwy::hwy ALIAS hwy)
  endif()
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
find_package(nlohmann_json 3.11 REQUIRED)

if(QUERN_BUILD_CLI)
  find_package(CLI11 2.1 REQUIRED)
  find_package(Boost 1.74 REQUIRED)  # Beast and Asio: headers alone
  find_package(CURL 7.80 REQUIRED)
  find_package(OpenSSL REQUIRED COMPONENTS Crypto)  # the store's and the keys' SHA-256
endif()
if(QUERN_BUILD_TESTS)
  find_package(doctest 2.4 REQUIRED)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()
