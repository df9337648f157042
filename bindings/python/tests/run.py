"""Builds the wheel, installs it into a clean virtual environment, and runs the tests there.

usage: run.py QUERN_BUILD WORK_DIR [QUERN_CLI]      QUERN_BUILD: a build folder, whose libquern_c goes into the wheel

Skipped (exit status 77) where no Python has what is needed for building: scikit-build-core, pybind11, NumPy, venv.
"""
import base64
import csv
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = "import ensurepip, numpy, pip, pybind11, scikit_build_core, venv"
SKIPPED = 77


def run(*command, **options):
    """A step, quiet unless it fails."""
    print("run:", " ".join(command[:8]), flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        print(done.stdout)
        sys.exit(f"exit status {done.returncode}")
    return done.stdout


def find_python():
    """An interpreter that can build the wheel without fetching anything."""
    last = ""
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        if os.path.exists(python):
            done = subprocess.run([python, "-c", NEEDED], capture_output=True, text=True)
            if done.returncode == 0:
                return python
            last = done.stderr.strip().splitlines()[-1]
    print(f"skipped: {last}: run cmake/setup_debian.sh python")
    sys.exit(SKIPPED)


def check_wheel(path):
    """What PEP 427 asks of a wheel: RECORD names every file with its size and sum."""
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        names = set(wheel.namelist())
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        rows = {name: (sum_, size) for name, sum_, size in csv.reader(wheel.read(record).decode().splitlines())}
        assert set(rows) == names, set(rows) ^ names
        for name, (sum_, size) in rows.items():
            if name == record:
                continue
            data = wheel.read(name)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (sum_, size) == (f"sha256={digest}", str(len(data))), name
        for part in ("quern/__init__.py", "quern/_quern.pyi", "quern/py.typed", "quern/libquern_c.so.1"):
            assert part in names, part
        assert any(name.endswith("/LICENSE") for name in names)
        metadata = wheel.read(record.replace("RECORD", "METADATA")).decode()
        assert "Requires-Dist: numpy" in metadata and "\nName: quern\n" in metadata
        sizes = {name: info.file_size for name, info in zip(wheel.namelist(), wheel.infolist()) if ".so" in name}
    print(f"{os.path.basename(path)}: {os.path.getsize(path)} bytes, with {sizes}")


def main():
    build, work = map(os.path.abspath, sys.argv[1:3])
    python = find_python()
    venv, wheels = os.path.join(work, "venv"), os.path.join(work, "wheels")
    for folder in (venv, wheels):
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(work, exist_ok=True)
    run(python, "-m", "venv", "--system-site-packages", venv)
    inside = os.path.join(venv, "bin", "python")
    environment = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1")
    if shutil.which("ccache"):
        environment.setdefault("CMAKE_CXX_COMPILER_LAUNCHER", "ccache")
    # The build's own folder stays, so that a second run compiles what has changed.
    run(inside, "-m", "pip", "wheel", "--no-index", "--no-build-isolation", "--no-deps", "-w", wheels,
        f"--config-settings=build-dir={os.path.join(work, 'build')}",
        f"--config-settings=cmake.define.QUERN_PYTHON_BUILD={build}", os.path.dirname(HERE), env=environment)
    wheel, = glob.glob(os.path.join(wheels, "*.whl"))
    check_wheel(wheel)
    run(inside, "-m", "pip", "install", "--no-index", wheel, env=environment)
    if len(sys.argv) > 3:
        environment["QUERN_CLI"] = os.path.abspath(sys.argv[3])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["QUERN_OFFLINE"] = "1"  # but for those tests that bring their own server
    sys.exit(subprocess.run([inside, "-X", "faulthandler", "-m", "unittest", "discover", "-s", HERE, "-t", HERE], cwd=work,
                            env=environment).returncode)


if __name__ == "__main__":
    main()
