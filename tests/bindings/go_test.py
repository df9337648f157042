"""The Go package: vet, its tests, and its examples beside the command line.

usage: go_test.py SOURCE_DIR LIBRARY_DIR QUERN SCRATCH_DIR
"""
import os
import shutil
import sys

import support

root, library, quern, scratch = sys.argv[1:]
DEMO = os.path.join(root, "examples/models/quern-demo-q8_0.gguf")


def main():
    go = support.need("go")
    support.need("pkg-config")
    folder = os.path.join(root, "bindings/go")
    binaries = os.path.join(scratch, "go_bin")
    os.makedirs(binaries, exist_ok=True)
    with open(os.path.join(scratch, "quern_c.pc"), "w", encoding="utf-8") as file:  # of the build tree
        file.write(f"Name: quern_c\nDescription: build tree\nVersion: 0\nCflags: -I{root}/capi/include\n"
                   f"Libs: -L{library} -lquern_c -Wl,-rpath,{library}\n")
    environment = support.environment(PKG_CONFIG_PATH=scratch, GOCACHE=os.path.join(scratch, "gocache"), GOFLAGS="-mod=mod",
                                      GOPROXY="off", GOTOOLCHAIN="local", GOPATH=os.path.join(scratch, "gopath"))
    if shutil.which("gofmt"):
        support.expect("files that gofmt would change", support.run(["gofmt", "-l", "."], cwd=folder), "")
    support.run([go, "vet", "./..."], cwd=folder, env=environment)
    print(support.run([go, "test", "-count=1", "./..."], cwd=folder, env=environment))
    support.run([go, "build", "-o", binaries + "/", "./examples/..."], cwd=folder, env=environment)

    def example(name, *arguments, **options):
        return support.run([os.path.join(binaries, name), DEMO, *arguments], env=environment, **options)

    wanted = support.answers(quern, DEMO)
    for question, answer in zip(support.QUESTIONS, wanted):
        support.expect(f"hello: {question}", example("hello", question), answer + "\n")
    support.expect("chat_stream", example("chat_stream", input=support.QUESTIONS[0] + "\n"), wanted[0] + "\n")
    lines = example("embed", *support.SENTENCES).splitlines()
    support.expect_near("embed", lines, support.SENTENCES, support.nearness(quern, DEMO))


main()
