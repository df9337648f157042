"""quern list, show, rm, cp, create, and models by name, without a network."""
import json
import math
import os
import shutil

import hf_folder
import support
from fake_registry import sha256
from store_support import DEMO, demo, placed

QUESTION = ("-p", "What is the capital of Norway?")

MODELFILE = '''# A comment
FROM {model}
PARAMETER temperature 0
parameter num_predict 30
PARAMETER stop "###"
PARAMETER stop """two
lines"""
TEMPLATE """{{{{ if .System }}}}{{{{ .System }}}}{{{{ end }}}} {{{{ .Prompt }}}}"""
SYSTEM """
You say "yes".
  Indented.
"""
LICENSE CC0
LICENSE """MIT, perhaps
more"""
MESSAGE user Hello
MESSAGE assistant "Hello to you!"
REQUIRES 0.14.0
'''


@placed()
def test_create_and_show(place):
    place.write("Modelfile", MODELFILE.format(model=DEMO))
    out, err = place.quern("create", "mine:v1")
    assert out == "" and err.splitlines()[-1] == "success", err
    shown = place.json("show", "mine:v1")
    assert shown["system"] == '\nYou say "yes".\n  Indented.\n', shown["system"]
    assert shown["template"].startswith("{{ if .System }}") and shown["license"] == "CC0\nMIT, perhaps\nmore"
    assert shown["messages"] == [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello to you!"}]
    assert shown["parameters"].split("\n") == [
        "temperature                    0", "num_predict                    30",
        'stop                           "###"', 'stop                           "two\\nlines"']
    assert shown["requires"] == "0.14.0" and shown["capabilities"] == ["completion"]
    assert shown["details"]["family"] == "llama" and shown["model_info"]["general.architecture"] == "llama"
    assert isinstance(shown["model_info"]["llama.block_count"], int) and shown["path"].startswith(place.models)
    # The Modelfile that it prints makes the same again, of the same blobs.
    out, _ = place.quern("show", "mine:v1", "--modelfile")
    place.write("Again", out)
    place.quern("create", "again", "-f", "Again")
    again = place.json("show", "again")
    for key in ("system", "template", "license", "messages", "parameters", "requires", "details", "path"):
        assert again[key] == shown[key], key
    assert len(place.names()) == 2
    place.clean()
    # The parts by themselves, and the card.
    assert place.quern("show", "mine:v1", "--system")[0] == shown["system"]
    assert place.quern("show", "mine:v1", "--template")[0] == shown["template"] + "\n"
    assert place.quern("show", "mine:v1", "--license")[0] == shown["license"] + "\n"
    assert place.quern("show", "mine:v1", "--parameters")[0] == shown["parameters"] + "\n"
    card, _ = place.quern("show", "mine:v1")
    for part in ("architecture", "llama", "6.82 M", "context length", "512", "Q8_0", "completion", "CC0", "Go template"):
        assert part in card, (part, card)
    place.quern("show", "mine:v1", "--system", "--license", code=2)
    _, err = place.quern("show", "absent", code=1)
    assert "no model 'absent:latest'" in err, err


@placed()
def test_made_from_another(place):
    place.write("Modelfile", MODELFILE.format(model="demo"))
    place.quern("create", "base")
    place.write("Other", "FROM base\nSYSTEM Short.\nPARAMETER top_k 3\nPARAMETER temperature 0.5\n")
    place.quern("create", "derived", "-f", "Other")
    base, derived = place.json("show", "base"), place.json("show", "derived")
    assert derived["path"] == base["path"] and derived["details"]["parent_model"] == "base:latest"
    assert derived["system"] == "Short." and derived["license"] == base["license"]
    assert "top_k                          3" in derived["parameters"] and "0.5" in derived["parameters"]
    assert "num_predict                    30" in derived["parameters"]
    # With what it was made from gone, it still has its weights.
    place.quern("rm", "base")
    place.clean()
    assert "Oslo" in place.quern("run", "derived", *QUESTION, "--temp", "0", "-sys", "")[0]


@placed()
def test_settings_of_run(place):
    jinja = "{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}"
    plain = place.json("run", "demo", *QUESTION, "--temp", "0", "-n", "40")
    place.write("A", "FROM demo\nPARAMETER temperature 0\nPARAMETER num_predict 3\n")
    place.quern("create", "short", "-f", "A")
    assert place.json("run", "short", *QUESTION)["tokens"] == plain["tokens"][:3]
    # A flag goes before it.
    assert place.json("run", "short", *QUESTION, "-n", "40")["tokens"] == plain["tokens"]
    place.write("B", f'FROM demo\nPARAMETER temperature 0\nPARAMETER num_predict 5\nTEMPLATE """{jinja}"""\nSYSTEM Be brief.\n'
                     "MESSAGE user a\nMESSAGE assistant b\n")
    place.quern("create", "jinja", "-f", "B")
    expected = place.json("run", "demo", "--raw", "-p", f"[system:Be brief.][user:a][assistant:b][user:{QUESTION[1]}]",
                          "--temp", "0", "-n", "5")
    assert place.json("run", "jinja", *QUESTION)["tokens"] == expected["tokens"]
    assert "Jinja" in place.quern("show", "jinja")[0]
    place.write("C", 'FROM demo\nPARAMETER temperature 0\nPARAMETER stop "Oslo"\n')
    place.quern("create", "stops", "-f", "C")
    out = place.json("run", "stops", *QUESTION)
    assert out["stop_reason"] == "stop_text" and "Oslo" not in out["text"], out


@placed()
def test_modelfile_errors(place):
    cases = {"FROM demo\nPARAMETER temprature 1\n": ("line 2", "temprature"),
             "FROM demo\n\n# x\nPARAMETER top_k 1.5\n": ("line 4", "whole number"),
             "FROM demo\nPARAMETER temperature warm\n": ("line 2", "warm"),
             "FROM demo\nPARAMETER use_mmap yes\n": ("line 2", "true or false"),
             "FROM demo\nPARAMETER temperature\n": ("line 2", "value is missing"),
             "FROM demo\nSYSTEM \"\"\"never\nclosed\n": ("line 2", "not closed"),
             "FROM demo\nMESSAGE bad hello\n": ("line 2", "system, user or assistant"),
             "FROM demo\nHELLO x\n": ("line 2", "unknown instruction 'HELLO'"),
             "FROM demo\nFROM other\n": ("line 2", "second FROM"),
             "SYSTEM x\n": ("no FROM",), "": ("no FROM",), "FROM ./absent.gguf\n": ("absent.gguf",),
             "FROM demo\nADAPTER ./absent.gguf\n": ("absent.gguf",)}
    for text, expected in cases.items():
        place.write("Modelfile", text)
        _, err = place.quern("create", "x", code=1)
        assert all(part in err for part in expected), (text, err)
        assert place.names() == []
    place.write("text.gguf", "hello")
    place.write("Modelfile", "FROM text.gguf\n")
    _, err = place.quern("create", "x", code=1)
    assert place.names() == [] and "GGUF" in err, err
    assert place.blobs() == [], "what came to nothing is left"


@placed()
def test_copy_remove_collect(place):
    place.write("Modelfile", "FROM demo\nSYSTEM one\n")
    place.quern("create", "a")
    place.quern("cp", "a", "user/b:tag")
    place.quern("cp", "a", "example.com:5000/user/c")
    assert place.names() == ["a:latest", "example.com:5000/user/c:latest", "user/b:tag"]
    n = len(place.blobs())
    _, err = place.quern("rm", "a")
    assert "0 B freed" in err and len(place.blobs()) == n, err
    place.quern("rm", "user/b:tag")
    assert len(place.blobs()) == n
    _, err = place.quern("rm", "example.com:5000/user/c")
    assert "7.0 MiB freed" in err and place.blobs() == [] and place.names() == [], err
    assert os.listdir(os.path.join(place.models, "manifests")) == [], "empty folders are left"
    _, err = place.quern("rm", "a", code=1)
    assert "no model 'a:latest'" in err
    _, err = place.quern("cp", "a", "b", code=1)
    assert "no model 'a:latest'" in err
    # Over an existing model: its own blobs go.
    place.quern("create", "a")
    place.write("Modelfile", "FROM demo\nSYSTEM two\n")
    place.quern("create", "b")
    place.quern("cp", "a", "b")
    place.clean()
    assert place.quern("show", "b", "--system")[0] == "one\n"


@placed()
def test_unused(place):
    place.write("Modelfile", "FROM demo\n")
    place.quern("create", "a")
    stray = b"stray"
    place.write(f"models/blobs/sha256-{sha256(stray)}", stray)
    place.write(f"models/blobs/sha256-{sha256(b'x')}-partial-0", b"of another program")
    place.write("models/partial/0123.part", b"y")
    place.write("models/partial/0123.json", b"{}")
    os.makedirs(os.path.join(place.models, "views", "0" * 64))
    place.quern("rm", "--unused")
    place.clean()
    assert os.listdir(os.path.join(place.models, "views")) == []
    # Nothing is deleted while it is not known what is needed.
    place.write("models/manifests/registry.ollama.ai/library/broken", b"")
    os.remove(place.path("models/manifests/registry.ollama.ai/library/broken"))
    os.makedirs(place.path("models/manifests/registry.ollama.ai/library/broken"))
    place.write("models/manifests/registry.ollama.ai/library/broken/latest", b"{")
    _, err = place.quern("rm", "--unused", code=1)
    assert "broken/latest" in err and len(place.blobs()) == 2, err
    out, err = place.quern("list")
    assert "a:latest" in out and "broken/latest" in err
    place.quern("rm", "broken", code=0)
    place.clean()


@placed()
def test_a_store_of_ollama(place):
    """Files as Ollama lays them out, written by hand: with media types that are not known here."""
    data, config = demo(), json.dumps({"model_format": "gguf", "model_family": "llama", "model_type": "7M", "file_type": "Q8_0"}).encode()
    parts = [("application/vnd.ollama.image.model", data), ("application/vnd.ollama.image.template", b"{{ .Prompt }}"),
             ("application/vnd.ollama.image.params", b'{"temperature":0,"stop":["<|im_end|>"],"num_ctx":256}'),
             ("application/vnd.ollama.image.license", b"CC0"), ("application/vnd.ollama.image.future", b"?")]
    layers = []
    for kind, blob in [("application/vnd.docker.container.image.v1+json", config)] + parts:
        os.makedirs(place.path("models/blobs"), exist_ok=True)
        place.write("models/blobs/sha256-" + sha256(blob), blob)
        layers.append({"mediaType": kind, "digest": "sha256:" + sha256(blob), "size": len(blob)})
    folder = "models/manifests/registry.ollama.ai/library/Tiny"
    os.makedirs(place.path(folder))
    manifest = json.dumps({"schemaVersion": 2, "config": layers[0], "layers": layers[1:]}).encode()
    place.write(folder + "/7m-Q8_0", manifest)
    assert place.json("list")["models"][0]["digest"] == sha256(manifest)
    shown = place.json("show", "tiny:7M-q8_0")  # case does not matter
    assert shown["name"] == "Tiny:7m-Q8_0" and shown["license"] == "CC0" and shown["details"]["parameter_size"] == "7M"
    assert "Oslo" in place.quern("run", "tiny:7m-q8_0", *QUESTION)[0]
    place.quern("rm", "tiny:7m-q8_0")
    assert place.blobs() == []


@placed()
def test_bad_names(place):
    place.write("Modelfile", "FROM demo\n")
    place.write("secret.gguf", b"")
    before = sorted(os.listdir(place.folder))
    bad = ["../x", "a/../../x", "..", ".", "/etc/passwd", "a//b", "a/b/c/d", ".hidden", "-x/y", "a:", "a:b:c", ":tag", "a b", "a\tb", "a\nb",
           "a%2e%2e/b", "a\\b", "caf\u00e9", "a\u2215b", "x" * 97, "x/" + "y" * 97, "a:" + "t" * 97, "h" * 129 + "/a/b", "x" * 2000,
           "host:port/a/b", "host:123456/a/b", "a/b:../../x", "a:../x", "hf:", "hf:a", "hf:a/b/c", "hf.co/a", "ftp://a/b.gguf", "~/x",
           "a/b@c", "$(id)", "a;b", "a|b", "'a'", "*"]
    for name in bad:
        for arguments in (["create", name, "-f", "Modelfile"], ["cp", "x", name], ["rm", name]):
            if name.startswith("-"):
                continue  # a flag
            _, err = place.quern(*arguments, code=2)
            assert "model name" in err or "URL" in err, (arguments, err)
    for name in ["https://", "http:///x.gguf", "https://user:pw@host/x.gguf", "https://host/x.bin", "https://host", "https://ho st/x.gguf"]:
        place.quern("pull", name, code=2)
    assert sorted(os.listdir(place.folder)) == before, "files were made"
    good = {"a": "a:latest", "A_b-c.d:1.5b": "A_b-c.d:1.5b", "user/m": "user/m:latest", "registry.ollama.ai/library/m:x": "m:x",
            "HF.co/u/r:Q4_K_M": "hf.co/u/r:Q4_K_M", "hf:u/r": "hf.co/u/r:latest", "localhost:5000/a/b": "localhost:5000/a/b:latest",
            "x" * 96: "x" * 96 + ":latest"}
    for name, text in good.items():
        place.quern("create", name, "-f", "Modelfile", "--quiet")
        assert place.names() == [text], (name, place.names())
        place.quern("rm", name)


@placed()
def test_where_the_store_is(place):
    place.write("Modelfile", "FROM demo\n")
    for variables, folder in (({"XDG_DATA_HOME": place.path("data")}, "data/quern/models"), ({}, ".local/share/quern/models")):
        del_models = {k: v for k, v in place.environment.items() if k not in ("QUERN_MODELS", "XDG_DATA_HOME")}
        place.environment = {**del_models, **variables}
        place.quern("create", "a")
        assert os.path.isdir(place.path(folder, "manifests")), folder
    place.environment["QUERN_MODELS"] = place.write("file", "x")
    _, err = place.quern("list", code=1)
    assert "must be a folder" in err, err
    # Looking writes nothing.
    place.environment["QUERN_MODELS"] = place.path("never")
    assert place.names() == []
    place.quern("show", "a", code=1)
    assert not os.path.exists(place.path("never"))


@placed()
def test_a_path_goes_first(place):
    shutil.copy(DEMO, place.path("both"))
    place.write("Modelfile", "FROM both\nPARAMETER num_predict 1\n")
    place.quern("create", "both")
    assert len(place.json("run", "./both", *QUESTION, "--temp", "0")["tokens"]) > 3
    assert len(place.json("run", "both", *QUESTION, "--temp", "0")["tokens"]) > 3, "the file here goes before the store"
    assert len(place.json("run", "both:latest", *QUESTION, "--temp", "0")["tokens"]) == 1
    for name in ("folder/absent.gguf", "./absent", "absent.gguf"):
        _, err = place.quern("run", name, *QUESTION, code=1)
        assert "no such file or folder" in err, err
    os.makedirs(place.path("here"))
    _, err = place.quern("run", "here/model", *QUESTION, code=1)
    assert "no such file or folder" in err and not place.registry.log, "a misspelt path was looked for in the network"


@placed(cdn=True)
def test_split_and_folders(place):
    """Models of several files: by create from here, and by pull from the Hub."""
    expected = place.json("run", "demo", *QUESTION, "--temp", "0")["tokens"]
    place.quern("convert", "demo", "split.gguf", "--outtype", "Q8_0", "--split-max-size", "3M")
    parts = sorted(name for name in os.listdir(place.folder) if name.startswith("split-"))
    assert len(parts) == 3, parts
    place.write("Modelfile", f"FROM ./{parts[0]}\n")
    place.quern("create", "parts")
    files = {}
    for name in parts:
        with open(place.path(name), "rb") as file:
            files["Q8_0/" + name] = file.read()
    place.registry.repos["user/split"] = {**files, "other-Q4_0.gguf": b"GGUF"}
    place.quern("pull", "hf:user/split:Q8_0")
    for name in ("parts", "hf:user/split:Q8_0"):
        assert place.json("run", name, *QUESTION, "--temp", "0")["tokens"] == expected, name
        assert place.json("show", name)["details"]["quantization_level"] == "Q8_0"
    place.clean()
    place.registry.repos["user/split"].pop("Q8_0/" + parts[1])
    _, err = place.quern("pull", "hf:user/split:Q8_0", code=1)
    assert "3 parts" in err and "2" in err, err
    assert place.json("run", "hf:user/split:Q8_0", *QUESTION, "--temp", "0")["tokens"] == expected
    place.quern("rm", "hf:user/split:Q8_0", "parts")
    assert place.blobs() == [] and os.listdir(os.path.join(place.models, "views")) == []
    # A folder of safetensors.
    hf_folder.make(place.path("folder"), "BF16", 2)
    place.write("folder/pytorch_model.bin", b"no")
    place.write("folder/README.md", b"no")
    size = f"{sum(math.prod(shape) for shape in hf_folder.shapes().values()) / 1000:.2f}K"
    raw = place.json("run", place.path("folder"), "--raw", "-p", "the inner", "-n", "8", "--temp", "0")["tokens"]
    place.write("Modelfile", "FROM folder\n")
    place.quern("create", "folder-model")
    repo = {}
    for name in os.listdir(place.path("folder")):
        with open(place.path("folder", name), "rb") as file:
            repo[name] = file.read()
    place.registry.repos["user/folder"] = repo
    place.registry.no_lfs = {name for name in repo if name.endswith(".json")}
    place.quern("pull", "hf:user/folder")
    for name in ("folder-model", "hf:user/folder"):
        assert place.json("run", name, "--raw", "-p", "the inner", "-n", "8", "--temp", "0")["tokens"] == raw, name
        shown = place.json("show", name)
        assert shown["details"]["format"] == "safetensors" and shown["details"]["family"] == "llama", shown["details"]
        assert shown["details"]["quantization_level"] == "BF16" and shown["details"]["parameter_size"] == size, shown["details"]
        assert shown["model_info"]["llama.context_length"] == 256, shown["model_info"]
        assert sorted(os.listdir(shown["path"])) == sorted(set(repo) - {"pytorch_model.bin", "README.md"})
    place.clean()
    # In fewer bits.
    place.write("Modelfile", "FROM folder-model\n")
    place.quern("create", "small", "-q", "Q8_0")
    shown = place.json("show", "small")
    assert shown["details"]["format"] == "gguf" and shown["details"]["quantization_level"] == "Q8_0", shown["details"]
    place.quern("rm", "small", "folder-model", "hf:user/folder")
    assert place.blobs() == []


support.main(dict(globals()))
