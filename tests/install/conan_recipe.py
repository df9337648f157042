"""Runs the Conan recipe's methods with a stand-in for the conan module, as far as that tells something without a remote: the version,
the exported files (the real CMake configures them, with the variables that the recipe sets), the libraries that it names (they
are in the installed tree), and its test_package (built against the installed tree, and run).

usage: conan_recipe.py SOURCE_DIR STAGE SCRATCH_DIR CMAKE
"""
import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import types

source, stage, scratch, cmake = sys.argv[1:]
variables, called = {}, []


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: exit status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def copy(recipe, pattern, src, dst):
    for place, _, names in os.walk(src):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), src)
            if not path.startswith(("build", ".git")) and fnmatch.fnmatch(path, pattern):
                os.makedirs(os.path.dirname(os.path.join(dst, path)), exist_ok=True)
                shutil.copy(os.path.join(src, path), os.path.join(dst, path))


def load(recipe, path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Generator:
    """CMakeToolchain, CMakeDeps, PkgConfigDeps: what the recipe sets."""

    def __init__(self, recipe):
        self.cache_variables = variables

    def set_property(self, package, name, value):
        called.append((package, name, value))

    def generate(self):
        called.append("generate")


class Anything:
    """Answers what a recipe may ask of self.folders, self.conf and self.settings."""
    os = "Linux"

    def get(self, *arguments, **options):
        return None


class Component:
    libs, requires, system_libs = (), (), ()


class Components(dict):
    def __missing__(self, name):
        return self.setdefault(name, Component())


class ConanFile:
    def __init__(self):
        self.recipe_folder = os.path.join(source, "conan")
        self.export_sources_folder = os.path.join(scratch, "exported")
        self.folders, self.conf, self.settings, self.cpp_info = Anything(), Anything(), Anything(), Anything()
        self.cpp_info.components = Components()
        self.required = []

    def requires(self, reference):
        self.required.append(reference)

    tool_requires = requires


def stand_in():
    def module(name, **members):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(members)

    module("conan", ConanFile=ConanFile)
    module("conan.tools")
    module("conan.tools.build", check_min_cppstd=lambda recipe, least: called.append(least), can_run=lambda recipe: True)
    module("conan.tools.cmake", CMake=None, CMakeDeps=Generator, CMakeToolchain=Generator, cmake_layout=None)
    module("conan.tools.files", copy=copy, load=load, rmdir=None)
    module("conan.tools.gnu", PkgConfigDeps=Generator)


def loaded(path):
    spec = importlib.util.spec_from_file_location("recipe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    sys.dont_write_bytecode = True
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    stand_in()
    loaded(os.path.join(source, "conan/test_package/conanfile.py"))
    recipe = loaded(os.path.join(source, "conan/conanfile.py")).QuernConan()
    for step in ("set_version", "layout", "export_sources", "requirements", "build_requirements", "validate", "generate"):
        getattr(recipe, step)()
    text = load(None, os.path.join(source, "include/quern/version.h"))
    if f'"{recipe.version}"' not in text or len(recipe.required) < 4 or 20 not in called:
        sys.exit(f"version {recipe.version}, requirements {recipe.required}, calls {called}")

    flags = [f"-D{name}={'ON' if value else 'OFF'}" for name, value in variables.items()]
    output = run(cmake, "-S", recipe.export_sources_folder, "-B", os.path.join(scratch, "configured"), "-G", "Ninja", *flags)
    if "Manually-specified variables were not used" in output:
        sys.exit(output)

    recipe.package_info()
    installed = {name for _, _, names in os.walk(stage) for name in names}
    for name, component in recipe.cpp_info.components.items():
        for library in component.libs:
            if not {f"lib{library}.a", f"lib{library}.so"} & installed:
                sys.exit(f"component {name}: lib{library} is not installed")

    folder = os.path.join(scratch, "test_package")
    run(cmake, "-S", os.path.join(source, "conan/test_package"), "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={stage}",
        "-DCMAKE_BUILD_TYPE=Release")
    run(cmake, "--build", folder)
    print(run(os.path.join(folder, "test_c")) + run(os.path.join(folder, "test_cxx")))


main()
