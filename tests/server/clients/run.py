"""Runs the tests of clients from npm: their packages live in the build folder.

usage: run.py install SOURCE_FOLDER BUILD_FOLDER     copies the tests and installs their packages, if they are not there
       run.py test BUILD_FOLDER TEST QUERN           starts servers and runs a test against them
Exit status 77: node or npm is not on this machine.
"""
import os
import pathlib
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", ".."))
import npm  # noqa: E402

DEMO = os.path.join(HERE, "..", "..", "..", "examples", "models", "quern-demo-q8_0.gguf")


def readme_code(build, url):
    """The README's example of these packages, as it stands there but for the address."""
    with open(os.path.join(HERE, "..", "..", "..", "README.md"), encoding="utf-8") as file:
        section = re.search(r"^## Server\n(.*?)^## ", file.read(), re.MULTILINE | re.DOTALL).group(1)
    code = re.search(r"^```js\n(.*?)^```", section, re.MULTILINE | re.DOTALL).group(1)
    assert code.count("http://127.0.0.1:11434") == 2
    (pathlib.Path(build) / "readme_example.mjs").write_text(code.replace("http://127.0.0.1:11434", url))


def run_readme(build, environment):
    readme_code(build, environment["QUERN_TEST_URL"])
    run = subprocess.run(["node", "readme_example.mjs"], cwd=build, env=environment, timeout=240, stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    return run.returncode or int("Paris" not in run.stdout or len(run.stdout) < 40)


def test(build, name, quern):
    sys.path.insert(0, os.path.join(HERE, ".."))
    from support import Server
    from fake_registry import Registry
    registry = Registry()
    with open(DEMO, "rb") as file:
        registry.add_model("library/tiny:latest", file.read())
    with Server(quern, "demo", "--slots", environment={"QUERN_REGISTRY": registry.url}) as server, \
            Server(quern, "demo", "--api-key", "secret", "--parallel", "1", "--max-queue", "1") as keyed:
        environment = dict(os.environ, QUERN_TEST_URL=server.url, QUERN_TEST_KEYED_URL=keyed.url)
        if name == "readme":
            status = run_readme(build, environment)
        else:
            status = subprocess.run(["node", f"{name}_test.mjs"], cwd=build, env=environment, timeout=240).returncode
    registry.close()
    sys.exit(status)


def main():
    kind, *rest = sys.argv[1:]
    npm.need("node", "npm")
    if kind == "install":
        npm.install(pathlib.Path(rest[0]), pathlib.Path(rest[1]))
    else:
        test(*rest)


main()
