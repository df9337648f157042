"""What cpack makes of the build: a tarball and three Debian packages, each unpacked into an empty folder and used from there.

usage: packages.py CPACK BUILD_DIR SOURCE_DIR SCRATCH_DIR CC
"""
import os
import re
import shutil
import subprocess
import sys

cpack, build, source, scratch, compiler = sys.argv[1:]
ANSWER = "The capital of France is Paris.\n"


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: exit status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def check(condition, text):
    if not condition:
        sys.exit(f"failed: {text}")


def use(root):
    """The command line answers, with the demo model that lies beside it; a program is built against the library and runs."""
    quern = os.path.join(root, "bin/quern")
    answer = run(quern, "run", "demo", "-p", "What is the capital of France?", "--temp", "0", cwd="/")
    check(answer == ANSWER, f"{quern} answered {answer!r}")
    environment = {**os.environ, "PKG_CONFIG_PATH": os.path.join(root, "lib/pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": "",
                   "LD_LIBRARY_PATH": os.path.join(root, "lib")}
    flags = run("pkg-config", "--cflags", "--libs", "quern_c", env=environment).split()
    check(all(root in flag or not flag.startswith(("-I", "-L")) for flag in flags), f"flags of another place: {flags}")
    program = os.path.join(scratch, "consumer")
    run(compiler, "-std=c99", os.path.join(source, "tests/install/consumer/main.c"), "-o", program, *flags)
    run(program, env=environment)


def look_at_pages(root):
    """A manual page and completions that name the commands and options."""
    with open(os.path.join(root, "share/man/man1/quern.1"), encoding="utf-8") as file:
        page = file.read()
    check(page.startswith(".TH QUERN 1") and ".SS quern run" in page and "\\-\\-temp" in page, "the manual page")
    completion = os.path.join(root, "share/bash-completion/completions/quern")
    script = ('. "$1"; COMP_WORDS=(quern qua); COMP_CWORD=1; _quern; echo "${COMPREPLY[*]}"; '
              'COMP_WORDS=(quern run --top); COMP_CWORD=2; _quern; echo "${COMPREPLY[*]}"')
    lines = run("bash", "-c", script, "bash", completion).splitlines()
    check(lines[0] == "quantize" and "--top-k" in lines[1] and "--top-p" in lines[1], f"bash completes to {lines}")


def tarball(folder, path):
    run("tar", "-xzf", path, "-C", folder)
    (root,) = [os.path.join(folder, name) for name in os.listdir(folder)]
    use(root)
    look_at_pages(root)


def debian(folder, paths):
    fields = {}
    for path in paths:
        name, version, depends = (run("dpkg-deb", "-f", path, field).strip() for field in ("Package", "Version", "Depends"))
        fields[name] = depends
        check(re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name}: version {version}")
        run("dpkg", "-x", path, folder)
    check(set(fields) == {"libquern-c1", "libquern-dev", "quern"}, f"packages: {sorted(fields)}")
    check(fields["libquern-dev"].startswith("libquern-c1 (= "), "libquern-dev needs the library of the same version")
    for name in ("libquern-c1", "quern"):
        for needed in ("libc6 (>=", "libstdc++6 (>=", "libpcre2-8-0"):
            check(needed in fields[name], f"{name} depends on {fields[name]}, without {needed}")
    use(os.path.join(folder, "usr"))
    look_at_pages(os.path.join(folder, "usr"))
    for name, depends in fields.items():
        print(f"{name}: {depends}")


def main():
    shutil.rmtree(scratch, ignore_errors=True)
    made = os.path.join(scratch, "made")
    os.makedirs(made)
    run(cpack, "--config", os.path.join(build, "CPackConfig.cmake"), "-B", made)
    files = sorted(name for name in os.listdir(made) if name.endswith((".tar.gz", ".deb")))
    for name in files:
        print(f"{os.path.getsize(os.path.join(made, name)) / 1e6:6.1f} MB  {name}")
    for kind, use_it in ((".tar.gz", lambda folder, paths: tarball(folder, *paths)), (".deb", debian)):
        paths = [os.path.join(made, name) for name in files if name.endswith(kind)]
        if kind == ".deb" and not shutil.which("dpkg-shlibdeps"):
            print("Debian packages: not made without dpkg-dev")
            continue
        check(paths, f"cpack made no {kind}")
        folder = os.path.join(scratch, "unpacked" + kind)
        os.mkdir(folder)
        use_it(folder, paths)


main()
