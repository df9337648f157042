"""What the end-to-end tests share. Each test is a script: test.py QUERN WORK_DIR, functions named test_*."""
import json
import os
import struct
import subprocess
import sys
import traceback

QUERN = sys.argv[1]
WORK = sys.argv[2]
# Neither the user's own models nor the network.
GOOD = {"LC_ALL": "C", "QUERN_HOST": "127.0.0.1:9",  # no server, although there may be one
        "PATH": os.environ.get("PATH", ""), "QUERN_MODELS": os.path.join(os.path.abspath(WORK), "models"),
        "QUERN_OFFLINE": "1"}


def quern(*arguments, stdin="", code=0):
    """Runs the command; (stdout, stderr) as bytes. Another exit code than expected is a failure."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    run = subprocess.run([QUERN, *map(str, arguments)], input=stdin, capture_output=True, timeout=120, env=GOOD)
    assert run.returncode == code, f"{arguments}: exit code {run.returncode}, expected {code}\n{run.stderr.decode()}"
    return run.stdout, run.stderr


def quern_json(*arguments, **options):
    """One JSON document on stdout, and nothing on stderr."""
    out, err = quern(*arguments, "--json", **options)
    assert err == b"", err
    assert out.endswith(b"\n") and out.count(b"\n") == 1, "one line expected"
    return json.loads(out)


def path(name):
    return os.path.join(WORK, name)


def write(name, text):
    with open(path(name), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path(name)


def read_npy(name):
    """(rows, columns, bytes of the numbers)."""
    with open(name, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    size = struct.unpack("<H", data[8:10])[0]
    assert (10 + size) % 64 == 0 and data[9 + size:10 + size] == b"\n"
    head = eval(data[10:10 + size], {})  # a Python literal by the format's definition, written by the program under test
    assert head["descr"] == "<f4" and head["fortran_order"] is False
    rows, cols = head["shape"]
    numbers = data[10 + size:]
    assert len(numbers) == 4 * rows * cols
    return rows, cols, numbers


def main(names):
    os.makedirs(WORK, exist_ok=True)
    tests = [(name, function) for name, function in names.items() if name.startswith("test_")]
    failures = 0
    for name, function in tests:
        try:
            function()
            print(f"ok      {name}", flush=True)
        except Exception:  # an assertion, a timeout, JSON that does not parse
            failures += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)
    assert tests, "no tests"
    sys.exit(1 if failures else 0)
