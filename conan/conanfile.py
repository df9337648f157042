"""Conan 2: builds and packages Quern from this source tree. `conan create conan` in the tree's root."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain
from conan.tools.files import copy, load, rmdir
from conan.tools.gnu import PkgConfigDeps

required_conan_version = ">=2.0"

SOURCES = ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "lib/*", "capi/*")


class QuernConan(ConanFile):
    name = "quern"
    description = "Runs, quantizes and serves large language models on small hardware"
    license = "MIT"
    topics = ("llm", "inference", "gguf", "quantization")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"fPIC": [True, False]}
    default_options = {"fPIC": True}

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "..", "include", "quern", "version.h"))
        self.version = re.search(r'QUERN_VERSION_STRING "([\d.]+)"', header)[1]

    def export_sources(self):
        for pattern in SOURCES:
            copy(self, pattern, os.path.join(self.recipe_folder, ".."), self.export_sources_folder)

    def layout(self):
        self.folders.root = ".."  # this file lies in a folder of the project
        self.folders.source = "."
        self.folders.build = os.path.join("build", "conan")
        self.folders.generators = os.path.join("build", "conan", "generators")

    def requirements(self):
        self.requires("highway/1.2.0")
        self.requires("pcre2/10.42")
        self.requires("nlohmann_json/3.11.3")  # headers, used inside alone

    def build_requirements(self):
        if not self.conf.get("tools.gnu:pkg_config", check_type=str):
            self.tool_requires("pkgconf/2.2.0")

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for name in ("CLI", "EXAMPLES", "TESTS"):
            toolchain.cache_variables[f"QUERN_BUILD_{name}"] = False
        toolchain.cache_variables["QUERN_INSTALL"] = True
        toolchain.generate()
        packages = CMakeDeps(self)
        packages.set_property("highway", "cmake_file_name", "hwy")
        packages.set_property("highway::hwy", "cmake_target_name", "hwy::hwy")
        packages.generate()
        PkgConfigDeps(self).generate()  # PCRE2 is found as libpcre2-8

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan writes what finds the package.
        for folder in (os.path.join("lib", "cmake"), os.path.join("lib", "pkgconfig"), "share"):
            rmdir(self, os.path.join(self.package_folder, folder))

    def package_info(self):
        static, shared = self.cpp_info.components["quern"], self.cpp_info.components["quern_c"]
        static.libs = ["quern"]
        static.requires = ["highway::hwy", "pcre2::pcre2-8", "nlohmann_json::nlohmann_json"]
        shared.libs = ["quern_c"]
        shared.requires = ["highway::hwy", "pcre2::pcre2-8"]
        if self.settings.os in ("Linux", "FreeBSD"):
            static.system_libs = ["pthread", "m"]
