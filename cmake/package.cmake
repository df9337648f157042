# cpack --config build/CPackConfig.cmake: a tarball of everything, and three Debian packages: libquern-c1 (the shared library),
# libquern-dev and quern (the command line). tests/install/packages.py makes both and runs what is in them.
# A package for other machines is configured with -DQUERN_NATIVE=OFF (the default), and with -DQUERN_FETCH_HIGHWAY=ON where
# those do not have libhwy 1.2.
set(CPACK_PACKAGE_NAME quern)
set(CPACK_PACKAGE_VENDOR "Quern")
set(CPACK_PACKAGE_CONTACT "the Quern authors <quern@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
find_program(QUERN_DPKG_DEB dpkg-deb)
mark_as_advanced(QUERN_DPKG_DEB)
find_program(QUERN_DPKG_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(QUERN_DPKG_SHLIBDEPS)
if(QUERN_DPKG_DEB AND QUERN_DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()

# The tarball in one, the Debian packages by component.
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime dev cli)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libquern-c${QUERN_C_ABI_VERSION})
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "runs large language models on small hardware (C interface)")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)  # also runs ldconfig

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libquern-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_DESCRIPTION "runs large language models on small hardware (headers, static library)")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libquern-c${QUERN_C_ABI_VERSION} (= ${PROJECT_VERSION}), libpcre2-dev, pkg-config | pkgconf")
if(NOT QUERN_BUNDLED_HIGHWAY)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libhwy-dev (>= 1.2)")
endif()

set(CPACK_DEBIAN_CLI_PACKAGE_NAME quern)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_CLI_DESCRIPTION "runs large language models on small hardware (command line)")
set(CPACK_DEBIAN_CLI_PACKAGE_SHLIBDEPS ON)
include(CPack)
