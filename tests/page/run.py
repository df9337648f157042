"""Runs the tests of the chat page: they are JavaScript and need packages of npm, which live in the build folder.

usage: run.py install SOURCE_FOLDER BUILD_FOLDER           copies the tests and installs their packages, if they are not there
       run.py node BUILD_FOLDER TEST ARGUMENT...           runs a test under node
       run.py browser BUILD_FOLDER TEST ARGUMENT...        the same for a test that needs Chromium
Exit status 77: what the test needs is not on this machine.
"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import npm  # noqa: E402

BROWSERS = [os.environ.get("QUERN_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]


def test(kind, build, arguments):
    npm.need("node", "npm")
    environment = dict(os.environ)
    if kind == "browser":
        found = [path for path in map(shutil.which, filter(None, BROWSERS)) if path]
        if not found:
            npm.skip("there is no Chromium here")
        environment["QUERN_CHROMIUM"] = found[0]
    sys.exit(subprocess.run(["node", *arguments], cwd=build, env=environment).returncode)


def main():
    kind, *rest = sys.argv[1:]
    if kind == "install":
        npm.install(pathlib.Path(rest[0]), pathlib.Path(rest[1]))
    else:
        test(kind, pathlib.Path(rest[0]), rest[1:])


main()
