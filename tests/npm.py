"""Packages of npm for tests: they live in the build folder, as the lock file names them.

Exit status 77, which ctest takes for "skipped": what is needed is not on this machine.
"""
import hashlib
import shutil
import subprocess
import sys

SKIPPED = 77


def skip(reason):
    print(f"skipped: {reason} (sh cmake/setup_debian.sh test)")
    sys.exit(SKIPPED)


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"there is no {program} here")


def install(source, build):
    """Copies the tests (*.mjs) of `source` to `build`, and installs their packages unless they are there. Both are pathlib.Paths."""
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
