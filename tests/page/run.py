"""Runs the tests of the chat page: they are JavaScript and need packages of npm, which live in the build folder.

usage: run.py install SOURCE_FOLDER BUILD_FOLDER           copies the tests and installs their packages, if they are not there
       run.py node BUILD_FOLDER TEST ARGUMENT...           runs a test under node
       run.py browser BUILD_FOLDER TEST ARGUMENT...        the same for a test that needs Chromium
Exit status 77: what the test needs is not on this machine.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
BROWSERS = [os.environ.get("QUERN_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]


def skip(reason):
    print(f"skipped: {reason} (sh cmake/setup_debian.sh test)")
    sys.exit(SKIPPED)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"there is no {program} here")


def install(source, build):
    need("node", "npm")
    build.mkdir(parents=True, exist_ok=True)
    for path in [*source.glob("*.mjs"), source / "package.json", source / "package-lock.json"]:
        shutil.copyfile(path, build / path.name)
    stamp = build / "node_modules" / ".installed"
    lock = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == lock:
        print("the packages are there")
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    status = subprocess.run(command, cwd=build).returncode
    if status != 0:
        sys.exit(f"npm ci failed with exit status {status}")
    stamp.write_text(lock)


def test(kind, build, arguments):
    need("node", "npm")
    environment = dict(os.environ)
    if kind == "browser":
        found = [path for path in map(shutil.which, filter(None, BROWSERS)) if path]
        if not found:
            skip("there is no Chromium here")
        environment["QUERN_CHROMIUM"] = found[0]
    sys.exit(subprocess.run(["node", *arguments], cwd=build, env=environment).returncode)


def main():
    kind, *rest = sys.argv[1:]
    if kind == "install":
        install(pathlib.Path(rest[0]), pathlib.Path(rest[1]))
    else:
        test(kind, pathlib.Path(rest[0]), rest[1:])


main()
