"""What the tests of the bindings share: questions, and what the command line answers to them greedily."""
import os
import shutil
import subprocess
import sys

SKIPPED = 77
QUESTIONS = ["What is the capital of France?", "Who are you?", "What is two plus two?"]
SENTENCES = ["The old house stood near the river.", "A house by a river.", "Two plus two is four."]


def need(tool):
    """Ends the test as skipped where its toolchain is missing."""
    path = shutil.which(tool)
    if not path:
        print(f"skipped: {tool} is not installed")
        sys.exit(SKIPPED)
    return path


def run(command, **options):
    """stdout, as text; a failure shows everything."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, **options)
    if result.returncode:
        print(result.stdout, result.stderr, sep="\n")
        sys.exit(f"{' '.join(map(str, command))}: exit status {result.returncode}")
    return result.stdout


def answers(quern, demo):
    """The command line's greedy answers to QUESTIONS."""
    return [run([quern, "run", demo, "-p", question, "--temp", "0"]).rstrip("\n") for question in QUESTIONS]


def nearness(quern, demo):
    """Cosines of SENTENCES and the first of them, by the command line's embeddings."""
    import json
    text = run([quern, "embed", demo, "--pooling", "mean", "--embd-output-format", "array", "-p", "\n".join(SENTENCES)])
    vectors = json.loads(text)
    return [sum(a * b for a, b in zip(vectors[0], vector)) for vector in vectors]


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}:\n got    {got!r}\n wanted {wanted!r}")
    print(f"{what}: {wanted!r}")


def expect_near(what, lines, sentences, wanted):
    """Lines "<cosine> <sentence>"."""
    for line, sentence, cosine in zip(lines, sentences, wanted):
        number, _, text = line.partition(" ")
        if text != sentence or abs(float(number) - cosine) > 2e-4:
            sys.exit(f"{what}: {line!r}, expected {cosine:.4f} {sentence}")
    if len(lines) != len(sentences):
        sys.exit(f"{what}: {len(lines)} lines")
    print(f"{what}: {lines}")


def environment(**more):
    return {**os.environ, **more}
