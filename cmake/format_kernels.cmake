# One translation unit of matrix-multiply kernels per line of lib/quant/formats.def, added to the room `cpu`.
function(quern_add_format_kernels target)
  file(STRINGS ${PROJECT_SOURCE_DIR}/lib/quant/formats.def lines REGEX "^QUERN_FORMAT")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/quant/formats.def)
  set(options -O2)  # the kernels unroll by hand
  if(QUERN_SANITIZE MATCHES "address")
    # Instrumented in full, one of these files takes g++ minutes: calls instead of inlined checks, heap and global memory
    # alone, and no checks of undefined behaviour, which lib/reference and the tests' scalar code get.
    set(options -O1 -fno-sanitize=undefined)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(APPEND options --param=asan-stack=0 --param=asan-instrumentation-with-call-threshold=0
           -fno-sanitize-address-use-after-scope)
    endif()
  elseif(QUERN_SANITIZE)
    set(options -O1)
  endif()
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^QUERN_FORMAT\\(([a-z0-9_]+), ([A-Za-z0-9_]+)\\)" _ "${line}")
    set(stem ${CMAKE_MATCH_1})
    set(file ${CMAKE_CURRENT_BINARY_DIR}/format_kernels/${stem}.cc)
    file(CONFIGURE OUTPUT ${file} CONTENT "// Generated from lib/quant/formats.def.
#define QUERN_STEM ${stem}
#define QUERN_PANEL ${CMAKE_MATCH_2}Panel
#define QUERN_FORMAT_FILE \"lib/quant/${stem}-inl.h\"
#include \"lib/cpu/matmul/format_kernels.h\"
")
    target_sources(${target} PRIVATE ${file})
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${options}")
  endforeach()
endfunction()
