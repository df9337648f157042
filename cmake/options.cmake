# Language level, visibility and compiler flags that every target of the project shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug, Release, RelWithDebInfo" FORCE)
endif()

# Floating-point results must not depend on how the compiler contracts a * b + c: logits are reproducible to the bit.
add_compile_options(-Wall -Wextra -Wshadow -Wno-unused-parameter -ffp-contract=off)
if(QUERN_WERROR)
  add_compile_options(-Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    add_compile_options(-Wno-error=restrict)  # false alarms in std::string's operator+ (GCC bug 105651)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-error=restrict)  # g++ 12 misjudges inlined std::string concatenation
  endif()
endif()
if(QUERN_SANITIZE)
  add_compile_options(-fsanitize=${QUERN_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${QUERN_SANITIZE})
  if(QUERN_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# The instruction sets that kernels are compiled for and chosen from at run time: SSE2, SSE4, AVX2, AVX-512, AVX-512 with
# VNNI and BF16, NEON. Left out: near-duplicates, and sets with vectors of unknown length, whose vectors cannot be members.
if(QUERN_NATIVE)
  add_compile_options(-march=native)
  add_compile_definitions(HWY_COMPILE_ONLY_STATIC)
else()
  add_compile_definitions(
    "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_AVX3_SPR|HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128|HWY_RVV)")
endif()
