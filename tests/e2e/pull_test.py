"""quern pull against a registry on loopback: what arrives, and what happens when the network misbehaves."""
import json
import os
import signal
import subprocess
import time

import fake_registry
import support
from fake_registry import HUB_TOKEN, sha256
from store_support import CERTIFICATE, KEY, demo, placed

MODEL = demo()
HALF = len(MODEL) // 2


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def partial_bytes(place):
    folder = os.path.join(place.models, "partial")
    names = [n for n in (os.listdir(folder) if os.path.isdir(folder) else []) if n.endswith(".part")]
    return sum(os.path.getsize(os.path.join(folder, name)) for name in names)


def begin_slowly(place, *arguments, at_least=500_000):
    """A pull that is under way."""
    place.registry.faults.bytes_per_second = 3_000_000
    process = place.start("pull", *arguments)
    wait_for(lambda: partial_bytes(place) >= at_least or process.poll() is not None, "the download does not begin")
    assert process.poll() is None, process.communicate()
    return process


@placed(cdn=True)
def test_registry_with_token_and_redirect(place):
    registry = place.registry
    registry.want_token = True
    digest = registry.add_model("library/tiny:latest", MODEL, params={"temperature": 0, "num_predict": 30},
                                system="You answer briefly.", license="CC0")
    out, err = place.quern("pull", "tiny")
    assert out == "" and err.splitlines()[0] == "pulling manifest" and err.splitlines()[-1] == "success", err
    assert f"pulling {digest[7:19]}" in err and "verifying sha256 digest" in err and "writing manifest" in err, err
    assert registry.requests("/token") and all(r.token for r in registry.requests("/blobs/"))
    assert registry.cdn.log and not any(r.token for r in registry.cdn.log), "the token went to another host"
    place.clean()
    listed = place.json("list")["models"]
    assert [m["name"] for m in listed] == ["tiny:latest"]
    manifest = registry.manifests["library/tiny:latest"]
    assert listed[0]["digest"] == sha256(manifest), "the manifest is stored as it came"
    layers = json.loads(manifest)
    assert listed[0]["size"] == sum(layer["size"] for layer in layers["layers"] + [layers["config"]])
    out, _ = place.quern("run", "tiny", "-p", "What is the capital of Norway?")
    assert "Oslo" in out, out
    # Again: everything is there, only the manifest is asked for.
    before = len(registry.log)
    place.quern("pull", "tiny:latest")
    assert not registry.requests("/blobs/", before)


@placed()
def test_update_replaces_and_collects(place):
    place.registry.add_model("library/tiny:latest", MODEL, system="one")
    place.quern("pull", "tiny")
    before = place.blobs()
    place.registry.add_model("library/tiny:latest", MODEL, system="two")
    place.quern("pull", "tiny")
    assert place.quern("show", "tiny", "--system")[0] == "two\n"
    assert len(place.blobs()) == len(before) and place.blobs() != before
    place.clean()


@placed()
def test_resume_after_kill(place):
    registry = place.registry
    registry.add_model("library/tiny:latest", MODEL)
    process = begin_slowly(place, "tiny")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert place.names() == [] and partial_bytes(place) >= 500_000
    registry.faults.bytes_per_second = 0
    since = len(registry.log)
    place.quern("pull", "tiny")
    ranges = [r.range for r in registry.requests("/blobs/", since) if r.range]
    assert ranges and int(ranges[0][len("bytes="):-1]) >= 500_000, ranges
    place.clean()
    assert place.names() == ["tiny:latest"]


@placed()
def test_interrupt_keeps_what_came(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    process = begin_slowly(place, "tiny")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and b"cancelled" in err, (process.returncode, err)
    kept = partial_bytes(place)
    assert kept >= 500_000
    place.registry.faults.bytes_per_second = 0
    since = len(place.registry.log)
    place.quern("pull", "tiny")
    assert any(r.range == f"bytes={kept}-" for r in place.registry.requests("/blobs/", since))
    place.clean()


@placed()
def test_broken_connections(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    place.registry.faults.cut_after = [1_000_000, 0, 2_000_000]
    _, err = place.quern("pull", "tiny")
    assert "retrying in" in err and err.splitlines()[-1] == "success", err
    place.clean()


@placed()
def test_busy_server(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    place.registry.faults.statuses = [(503, {"Retry-After": "1"}), (429, {})]
    start = time.monotonic()
    _, err = place.quern("pull", "tiny")
    assert time.monotonic() - start >= 1.5, "Retry-After was not waited for"
    assert "503" in err and "429" in err, err
    place.registry.manifests.clear()
    place.registry.faults.statuses = [(500, {"Retry-After": "0"})] * 6
    _, err = place.quern("pull", "tiny", code=1)
    assert "500" in err and "try again later" in err, err


@placed()
def test_wrong_bytes(place):
    digest = place.registry.add_model("library/tiny:latest", MODEL)
    place.registry.faults.flip_byte = 3_000_000
    _, err = place.quern("pull", "tiny", code=1)
    assert "checksum" in err and digest in err and "nothing was stored" in err, err
    assert place.names() == [] and digest.replace(":", "-") not in place.blobs() and place.partial() == []
    place.registry.faults.flip_byte = None
    place.quern("pull", "tiny")
    assert place.names() == ["tiny:latest"]


@placed()
def test_partial_file_of_something_else(place):
    """A beginning that is not that of the file: found out by the checksum, and downloaded anew."""
    digest = place.registry.add_model("library/tiny:latest", MODEL)
    os.makedirs(os.path.join(place.models, "partial"))
    place.write(f"models/partial/{digest[7:]}.part", b"x" * 1_000_000)
    place.quern("pull", "tiny")
    place.clean()
    # And one that is longer than the file may be.
    place.quern("rm", "tiny")
    place.write(f"models/partial/{digest[7:]}.part", MODEL + b"more")
    place.quern("pull", "tiny")
    place.clean()


@placed()
def test_servers_without_ranges(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    process = begin_slowly(place, "tiny")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    place.registry.faults = fake_registry.Faults()
    place.registry.faults.no_ranges = True
    place.quern("pull", "tiny")
    place.clean()
    place.quern("rm", "tiny")
    place.registry.faults.no_length = True
    place.quern("pull", "tiny")
    place.clean()


@placed()
def test_wrong_content_range(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    place.registry.faults.cut_after = [1_000_000]
    place.registry.faults.wrong_range = True
    _, err = place.quern("pull", "tiny", code=1)
    assert "another part" in err, err
    assert place.names() == []


@placed()
def test_url_and_changed_file(place):
    """Without a checksum the ETag tells whether the beginning may be used."""
    name = "/files/tiny-Q8_0.gguf"
    url = place.registry.url + name
    other = bytearray(MODEL)
    other[-1] ^= 1
    place.registry.files[name] = MODEL
    process = begin_slowly(place, url)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    place.registry.files[name] = bytes(other)
    place.registry.faults.bytes_per_second = 0
    since = len(place.registry.log)
    _, err = place.quern("pull", url)
    assert place.registry.requests(name, since)[0].range, "no attempt to go on"
    stored = f"127.0.0.1:{place.registry.port}/files/tiny-Q8_0:latest"
    assert place.names() == [stored] and f"stored as {stored}" in err, (place.names(), err)
    assert "sha256-" + sha256(bytes(other)) in place.blobs()
    place.clean()
    shown = place.json("show", stored)
    assert shown["source"] == url and shown["details"]["quantization_level"] == "Q8_0", shown
    # Unchanged, it goes on where it was.
    place.quern("rm", stored)
    process = begin_slowly(place, url)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    place.registry.faults.bytes_per_second = 0
    since = len(place.registry.log)
    place.quern("pull", url, "--as", "tiny")
    assert len(place.registry.requests(name, since)) == 1 and place.registry.requests(name, since)[0].range
    assert place.names() == ["tiny:latest"]
    place.clean()


@placed()
def test_url_that_is_no_model(place):
    place.registry.files["/page.gguf"] = b"<!doctype html><title>Sign in</title>" + b" " * 1000
    _, err = place.quern("pull", place.registry.url + "/page.gguf", code=1)
    assert "not a GGUF file" in err and "<!doctype" in err, err
    place.registry.files["/broken.gguf"] = MODEL[:1000]
    _, err = place.quern("pull", place.registry.url + "/broken.gguf", code=1)
    assert place.names() == [], err
    _, err = place.quern("pull", place.registry.url + "/absent.gguf", code=1)
    assert "404 Not Found" in err and "no such file" in err, err
    assert place.partial() == [] and place.blobs() == [], place.partial()


@placed()
def test_two_at_once(place):
    place.registry.add_model("library/tiny:latest", MODEL, system="x")
    first = begin_slowly(place, "tiny")
    second = place.start("pull", "tiny")
    (_, err1), (_, err2) = first.communicate(timeout=60), second.communicate(timeout=60)
    assert first.returncode == 0 and second.returncode == 0, (err1, err2)
    assert b"waiting for another download" in err2, err2
    digest = json.loads(place.registry.manifests["library/tiny:latest"])["layers"][0]["digest"]
    assert len(place.registry.requests("/blobs/" + digest)) == 1, "downloaded twice"
    place.clean()


@placed()
def test_waiting_for_one_that_dies(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    first = begin_slowly(place, "tiny")
    second = place.start("pull", "tiny")
    time.sleep(0.5)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    place.registry.faults.bytes_per_second = 0
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    place.clean()


@placed()
def test_removal_during_a_pull(place):
    """Blobs that a running pull counts on stay, though the only model that has them is deleted."""
    place.registry.add_model("library/a:latest", MODEL, system="shared")
    changed = bytearray(MODEL)
    changed[-1] ^= 1
    place.registry.add_model("library/b:latest", bytes(changed), system="shared")
    place.quern("pull", "a")
    process = begin_slowly(place, "b")
    place.quern("rm", "a")
    place.quern("rm", "--unused")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert place.names() == ["b:latest"] and place.quern("show", "b", "--system")[0] == "shared\n"
    place.clean()


@placed(cdn=True)
def test_hub(place):
    registry = place.registry
    other = bytearray(MODEL)
    other[-1] ^= 1
    registry.repos["user/repo"] = {"README.md": b"# hello", "tiny-F16.gguf": bytes(other), "tiny-Q4_K_M.gguf": MODEL,
                                   "mmproj-Q4_K_M.gguf": b"GGUF no", "params": b'{"temperature": 0, "num_predict": 9}'}
    registry.no_lfs = {"params", "README.md"}
    registry.page_size = 2
    place.quern("pull", "hf:user/repo")
    assert place.names() == ["hf.co/user/repo:latest"]
    assert "sha256-" + sha256(MODEL) in place.blobs(), "Q4_K_M is the default"
    assert place.quern("show", "hf:user/repo", "--parameters")[0].split() == ["temperature", "0", "num_predict", "9"]
    place.quern("pull", "hf.co/user/repo:f16")
    assert "sha256-" + sha256(bytes(other)) in place.blobs()
    place.clean()
    _, err = place.quern("pull", "hf:user/repo:Q5_K_M", code=1)
    assert "Q5_K_M" in err and "tiny-F16.gguf" in err and "tiny-Q4_K_M.gguf" in err and "mmproj" not in err, err
    _, err = place.quern("pull", "hf:user/none", code=1)
    assert "404" in err and "no repository 'user/none'" in err, err
    # Without a Q4_K_M, the first. And run pulls what is absent.
    del registry.repos["user/repo"]["tiny-Q4_K_M.gguf"]
    registry.repos["user/one"] = {"tiny-Q8_0.gguf": MODEL}
    out, err = place.quern("run", "hf:user/one", "-p", "What is the capital of Norway?", "--temp", "0")
    assert "Oslo" in out and "pulling tiny-Q8_0.gguf" in err, (out, err)
    out, err = place.quern("run", "-hf", "user/one", "-p", "What is the capital of Norway?", "--temp", "0")
    assert "Oslo" in out and "pulling" not in err, (out, err)


@placed(cdn=True)
def test_hub_token(place):
    registry = place.registry
    registry.repos["user/gated"] = {"tiny-Q8_0.gguf": MODEL}
    registry.private.add("user/gated")
    _, err = place.quern("pull", "hf:user/gated", code=1)
    assert "401" in err and "HF_TOKEN" in err and "restricted" in err, err
    place.environment["HF_TOKEN"] = "hf_wrong"
    _, err = place.quern("pull", "hf:user/gated", code=1)
    assert "does not give access" in err and "hf_wrong" not in err, err
    place.environment["HF_TOKEN"] = HUB_TOKEN
    place.quern("pull", "hf:user/gated")
    assert registry.cdn.log and not any(r.token for r in registry.cdn.log), "the token went to another host"
    assert any(r.token == "Bearer " + HUB_TOKEN for r in registry.log)
    # As the Hub's own tools keep it.
    del place.environment["HF_TOKEN"]
    os.makedirs(place.path(".cache/huggingface"))
    place.write(".cache/huggingface/token", HUB_TOKEN + "\n")
    place.quern("rm", "hf:user/gated")
    place.quern("pull", "hf:user/gated")
    # By its address too.
    place.quern("pull", registry.url + "/user/gated/resolve/main/tiny-Q8_0.gguf")
    assert not any(r.token for r in registry.cdn.log)


@placed()
def test_hub_wrong_bytes(place):
    place.registry.repos["user/repo"] = {"tiny-Q8_0.gguf": MODEL}
    place.registry.faults.flip_byte = 100_000
    _, err = place.quern("pull", "hf:user/repo", code=1)
    assert "checksum" in err and place.blobs() == [] and place.partial() == [], err
    place.registry.no_lfs = {"tiny-Q8_0.gguf"}
    _, err = place.quern("pull", "hf:user/repo", code=1)
    assert "checksum" in err and "git object" in err and place.blobs() == [], err
    place.registry.faults.flip_byte = None
    place.quern("pull", "hf:user/repo")
    place.clean()


@placed()
def test_https(place):
    server = fake_registry.Registry(CERTIFICATE, KEY)
    try:
        server.files["/tiny.gguf"] = MODEL
        url = f"https://localhost:{server.port}/tiny.gguf"
        _, err = place.quern("pull", url, code=1)
        assert "certificate" in err, err
        assert not server.log, "a request was sent to a server that is not who it should be"
        place.environment["SSL_CERT_FILE"] = CERTIFICATE
        _, err = place.quern("pull", f"https://127.0.0.1:{server.port}/tiny.gguf", code=1)
        assert "certificate" in err or "127.0.0.1" in err, err
        assert not server.log, "the certificate is for another name"
        place.quern("pull", url)
        place.clean()
        # Not from https to http.
        server.redirects["/down.gguf"] = place.registry.url + "/tiny.gguf"
        _, err = place.quern("pull", f"https://localhost:{server.port}/down.gguf", code=1)
        assert "from https to http" in err and not place.registry.requests("/tiny.gguf"), err
    finally:
        server.close()


@placed()
def test_redirects(place):
    registry = place.registry
    registry.files["/tiny.gguf"] = MODEL
    for i in range(12):
        registry.redirects[f"/{i}.gguf"] = f"/{i + 1}.gguf" if i < 11 else "/tiny.gguf"
    place.quern("pull", f"{registry.url}/3.gguf")  # nine
    _, err = place.quern("pull", f"{registry.url}/0.gguf", code=1)
    assert "more than ten redirects" in err, err
    registry.redirects["/file.gguf"] = "file:///etc/passwd"
    _, err = place.quern("pull", f"{registry.url}/file.gguf", code=1)
    assert "not an http(s) address" in err, err
    _, err = place.quern("pull", "http://192.0.2.1/tiny.gguf", code=2)
    assert "not encrypted" in err and "--allow-http" in err, err


@placed()
def test_refused_manifests(place):
    registry = place.registry
    registry.add_model("library/good:latest", MODEL)
    good = json.loads(registry.manifests["library/good:latest"])
    digest = good["layers"][0]["digest"]

    def with_layer(**fields):
        return json.dumps({**good, "layers": [{**good["layers"][0], **fields}]}).encode()

    file = {"mediaType": "application/vnd.quern.model.file"}
    cases = {"digest-path": (with_layer(digest="sha256:../../../../etc/passwd"), "digest"),
             "digest-short": (with_layer(digest="sha256:abc"), "digest"),
             "digest-absent": (with_layer(digest=None), "digest"),
             "size-negative": (with_layer(size=-1), "size"), "size-text": (with_layer(size="1"), "size"),
             "size-huge": (with_layer(size=2**60), "size"), "size-real": (with_layer(size=1.5), "size"),
             "size-wrong": (with_layer(size=5), "bytes"),
             "too-big": (with_layer(size=2**45), "not enough room on the disk"),
             "name-path": (with_layer(**file, name="../../x"), "file name"),
             "name-hidden": (with_layer(**file, name=".x"), "file name"),
             "name-twice": (json.dumps({**good, "layers": [{**good["layers"][0], **file, "name": "a.gguf"}] * 2}).encode(), "second"),
             "no-model": (json.dumps({**good, "layers": []}).encode(), "no GGUF file"),
             "no-layers": (b"{}", "layers"), "index": (b'{"mediaType": "application/x-index", "manifests": []}', "application/x-index"),
             "text": (b"hello", "JSON"), "empty": (b"", "JSON"), "list": (b"[]", "JSON"),
             "deep": (b'{"layers":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "layer"),
             "long": (b" " * (5 << 20), "more than"),
             "no-gguf": (with_layer(digest=registry.add_blob(b"hello world"), size=11), "not a GGUF file")}
    for name, (manifest, expected) in cases.items():
        registry.manifests[f"library/{name}:latest"] = manifest
        _, err = place.quern("pull", name, code=1)
        assert expected in err, (name, err)
        assert place.names() == [] and place.partial() == [], name
    assert digest in registry.blobs and not os.path.exists(place.path("x"))
    _, err = place.quern("pull", "absent", code=1)
    assert "404" in err and "no model 'absent:latest'" in err and "manifest unknown" in err, err


@placed()
def test_token_servers(place):
    registry = place.registry
    registry.add_model("library/tiny:latest", MODEL)
    registry.want_token = True
    registry.realm = registry.url + "/nowhere"
    _, err = place.quern("pull", "tiny", code=1)
    assert "404" in err and "no token" in err, err
    registry.files["/text"] = b"hello"
    registry.realm = registry.url + "/text"
    _, err = place.quern("pull", "tiny", code=1)
    assert "no token" in err, err
    registry.realm = "http://192.0.2.1/token"
    _, err = place.quern("pull", "tiny", code=1)
    assert "not encrypted" in err, err


@placed()
def test_full_disk(place):
    """The file system takes no more: a limit on the size of files stands for it, which ends writes the same way."""
    place.registry.add_model("library/tiny:latest", MODEL)
    _, err = place.quern("pull", "tiny", code=1, limit=2_000_000)
    assert "cannot write" in err and "larger than files may be" in err, err
    assert place.names() == [] and partial_bytes(place) <= 2_000_000
    place.quern("pull", "tiny")
    place.clean()
    # A small disk of its own, where the system lets us make one.
    small = place.path("small")
    os.makedirs(small)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "quern-test", small]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        print("        (no small disk could be mounted: only the limit was tested)")
        return
    try:
        place.environment["QUERN_MODELS"] = small + "/models"
        _, err = place.quern("pull", "tiny", code=1)
        assert "not enough room on the disk" in err and "MiB" in err, err
        place.registry.files["/tiny.gguf"] = MODEL
        place.registry.faults.no_length = True  # the size is not known before
        _, err = place.quern("pull", place.registry.url + "/tiny.gguf", code=1)
        assert "the disk is full" in err, err
    finally:
        subprocess.run(["umount", small], check=True)


@placed()
def test_offline(place):
    place.registry.add_model("library/tiny:latest", MODEL)
    _, err = place.quern("pull", "tiny", "--offline", code=1)
    assert "offline" in err, err
    _, err = place.quern("run", "tiny", "-p", "x", "--offline", code=1)
    assert "--offline" in err and place.models in err, err
    place.environment["QUERN_OFFLINE"] = "1"
    _, err = place.quern("run", "hf:user/repo", "-p", "x", code=1)
    assert "QUERN_OFFLINE" in err, err
    assert not place.registry.log, "there was a connection"
    del place.environment["QUERN_OFFLINE"]
    place.quern("pull", "tiny")
    before = len(place.registry.log)
    place.quern("pull", "tiny", "--offline")
    out, _ = place.quern("run", "tiny", "-p", "What is the capital of Norway?", "--temp", "0", "--offline")
    assert "Oslo" in out and len(place.registry.log) == before
    # No network at all is told at once, not after minutes of attempts.
    place.environment["QUERN_REGISTRY"] = "http://127.0.0.1:1"
    start = time.monotonic()
    _, err = place.quern("pull", "other", code=1)
    assert time.monotonic() - start < 10 and "127.0.0.1" in err, err


support.main(dict(globals()))
