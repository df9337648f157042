"""quern embed, with the states of the demo model's last layer."""
import json
import math

import support
from support import quern, quern_json

TEXTS = ["The old house stood near the river.", "A house by a river.", "Two plus two is four."]


def vectors(*arguments, **options):
    document = quern_json("embed", "demo", *arguments, **options)
    assert document["object"] == "list" and document["usage"]["prompt_tokens"] > 0
    rows = [row["embedding"] for row in document["data"]]
    assert [row["index"] for row in document["data"]] == list(range(len(rows)))
    assert all(len(row) == document["n_embd"] for row in rows)
    return rows


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_a_vector_per_text():
    rows = vectors("--pooling", "mean", "-p", "\n".join(TEXTS))
    assert len(rows) == 3 and all(abs(math.hypot(*row) - 1) < 1e-5 for row in rows)
    for text, row in zip(TEXTS, rows):  # the same alone, and with other threads
        assert vectors("--pooling", "mean", "-p", text, "-t", 1) == [row]
    assert vectors("--pooling", "mean", "-p", "|".join(TEXTS), "--embd-separator", "|") == rows
    assert vectors("--pooling", "mean", "-f", support.write("texts.txt", "\n".join(TEXTS) + "\n")) == rows
    assert vectors("--pooling", "mean", "-p", "-", stdin="\n".join(TEXTS)) == rows


def test_a_vector_per_token():
    ids = quern_json("tokenize", "demo", "-p", TEXTS[0], "--bos")
    rows = vectors("-p", TEXTS[0])  # the file says nothing of pooling
    assert rows == vectors("-p", TEXTS[0], "--pooling", "none") and len(rows) == len(ids)
    assert vectors("-p", TEXTS[0], "--pooling", "cls") == rows[:1]
    assert vectors("-p", TEXTS[0], "--pooling", "last") == rows[-1:]


def test_normalization():
    plain = vectors("-p", TEXTS[0], "--pooling", "mean", "--embd-normalize", -1)[0]
    for kind, norm in ((0, lambda x: max(map(abs, x)) / 32760), (1, lambda x: sum(map(abs, x))),
                       (2, lambda x: math.hypot(*x)), (3, lambda x: sum(abs(v) ** 3 for v in x) ** (1 / 3))):
        row = vectors("-p", TEXTS[0], "--pooling", "mean", "--embd-normalize", kind)[0]
        assert all(abs(a - b / norm(plain)) <= 1e-5 * abs(a) + 1e-9 for a, b in zip(row, plain)), kind


def test_formats_agree():
    arguments = ("embed", "demo", "--pooling", "mean", "-p", "\n".join(TEXTS))
    rows = vectors(*arguments[2:])
    rounded = [[round(x, 7) for x in row] for row in rows]

    def near(got):
        return len(got) == 3 and all(abs(a - b) <= 1.01e-7 for x, y in zip(got, rounded) for a, b in zip(x, y))

    out, _ = quern(*arguments, "--embd-output-format", "array")
    assert near(json.loads(out))
    out, _ = quern(*arguments, "--embd-output-format", "raw")
    assert near([[float(x) for x in line.split(" ")] for line in out.decode().splitlines()])
    out, _ = quern(*arguments, "--embd-output-format", "json")
    document = json.loads(out)
    assert near([row["embedding"] for row in document["data"]]) and "cosineSimilarity" not in document
    out, _ = quern(*arguments, "--embd-output-format", "json+")
    document = json.loads(out)
    assert near([row["embedding"] for row in document["data"]])
    for i, line in enumerate(document["cosineSimilarity"]):
        for j, value in enumerate(line):
            assert abs(value - cosine(rows[i], rows[j])) < 0.0051
    out, _ = quern(*arguments)
    assert out.count(b"embedding ") == 3 and b"cosine similarity" in out
    out, _ = quern(*arguments, "--embd-normalize", 0, "--embd-output-format", "array")
    assert all(abs(max(map(abs, row)) - 32760) <= 1 and all(x == int(x) for x in row) for row in json.loads(out))


def test_refusals():
    _, err = quern("embed", "demo", "-p", "one\n\ntwo", "--pooling", "rank", code=1)
    assert b"rank" in err
    quern("embed", "demo", code=2)
    quern("embed", "demo", "-p", "x", "--pooling", "middle", code=2)
    quern("embed", "demo", "-p", "x", "--embd-output-format", "xml", code=2)
    _, err = quern("embed", "demo", "-p", "many words are more than two tokens", "-b", 2, code=2)
    assert b"at most 2" in err, err


support.main(globals())
