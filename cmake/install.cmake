# cmake --install: libraries, headers, find_package(quern) with quern::quern and quern::quern_c, and pkg-config's quern.pc
# and quern_c.pc. tests/install builds a program by each of these ways.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# quern_c is there once capi/ defines it as a library with sources.
get_target_property(quern_c_type quern_c TYPE)
set(exported quern)
if(quern_c_type STREQUAL "SHARED_LIBRARY")
  list(APPEND exported quern_c)
  install(DIRECTORY capi/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
endif()
install(TARGETS ${exported} EXPORT quern_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET quern-cli)
  install(TARGETS quern-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # Where the command line looks for the model named `demo`: ../share/quern/models from the executable.
  install(FILES examples/models/quern-demo-q8_0.gguf DESTINATION share/quern/models)
endif()
install(DIRECTORY include/quern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
install(EXPORT quern_targets NAMESPACE quern:: FILE quernTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/quernConfig.cmake.in ${PROJECT_BINARY_DIR}/quernConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the C++ interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/quernConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/quernConfig.cmake ${PROJECT_BINARY_DIR}/quernConfigVersion.cmake
        DESTINATION ${package_dir})

# Paths in the .pc files are relative to the file, so that an installed tree can be moved.
file(RELATIVE_PATH QUERN_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" QUERN_PC_PREFIX "${QUERN_PC_PREFIX}")
if(QUERN_BUNDLED_HIGHWAY)
  set(QUERN_PC_REQUIRES "libpcre2-8")
else()
  set(QUERN_PC_REQUIRES "libpcre2-8, libhwy >= 1.2.0")
endif()
foreach(library IN LISTS exported)
  configure_file(cmake/${library}.pc.in ${PROJECT_BINARY_DIR}/${library}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${library}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
