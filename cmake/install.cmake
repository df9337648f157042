# cmake --install: libraries, headers, find_package(quern) with quern::quern and quern::quern_c, and pkg-config's quern.pc
# and quern_c.pc. tests/install builds a program by each of these ways. Three components: runtime (the shared library),
# dev (headers, static library, what finds them) and cli (the command line, the demo model, manual page, completions).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# quern_c is there once capi/ defines it as a library with sources.
get_target_property(quern_c_type quern_c TYPE)
set(exported quern)
if(quern_c_type STREQUAL "SHARED_LIBRARY")
  list(APPEND exported quern_c)
  install(DIRECTORY capi/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h")
endif()
install(TARGETS ${exported} EXPORT quern_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
if(TARGET quern-cli)
  install(TARGETS quern-cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT cli)
  # Where the command line looks for the model named `demo`: ../share/quern/models from the executable.
  install(FILES examples/models/quern-demo-q8_0.gguf DESTINATION share/quern/models COMPONENT cli)
  # Manual page and completions say what the program itself says, so it has to run here.
  find_package(Python3 QUIET COMPONENTS Interpreter)
  if(Python3_FOUND AND NOT CMAKE_CROSSCOMPILING AND NOT QUERN_SANITIZE)
    set(pages ${PROJECT_BINARY_DIR}/help_pages)
    file(MAKE_DIRECTORY ${pages})
    add_custom_command(OUTPUT ${pages}/quern.1 ${pages}/quern.bash ${pages}/quern.fish
                       COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/cmake/help_pages.py $<TARGET_FILE:quern-cli> ${pages}
                       DEPENDS quern-cli ${PROJECT_SOURCE_DIR}/cmake/help_pages.py)
    add_custom_target(quern_help_pages ALL DEPENDS ${pages}/quern.1)
    install(FILES ${pages}/quern.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT cli)
    install(FILES ${pages}/quern.bash DESTINATION share/bash-completion/completions RENAME quern COMPONENT cli)
    install(FILES ${pages}/quern.fish DESTINATION share/fish/vendor_completions.d COMPONENT cli)
  endif()
endif()
install(DIRECTORY include/quern DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/quern)
install(EXPORT quern_targets NAMESPACE quern:: FILE quernTargets.cmake DESTINATION ${package_dir} COMPONENT dev)
configure_package_config_file(cmake/quernConfig.cmake.in ${PROJECT_BINARY_DIR}/quernConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the C++ interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/quernConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/quernConfig.cmake ${PROJECT_BINARY_DIR}/quernConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT dev)

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
  install(FILES ${PROJECT_BINARY_DIR}/${library}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endforeach()
