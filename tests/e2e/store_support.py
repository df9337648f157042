"""What the tests of the model store share: a store of its own for each test, and a fake registry."""
import json
import os
import resource
import shutil
import signal
import subprocess

import fake_registry
import support

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEMO = os.path.join(SOURCE, "examples", "models", "quern-demo-q8_0.gguf")
CERTIFICATE = os.path.join(SOURCE, "tests", "data", "store", "loopback.pem")
KEY = os.path.join(SOURCE, "tests", "data", "store", "loopback.key")


def demo():
    with open(DEMO, "rb") as file:
        return file.read()


class Place:
    """A folder with a store, a registry (and a second host behind it), and the command with all that in its environment."""

    def __init__(self, name, cdn=False, **environment):
        self.folder = os.path.abspath(support.path(name))
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.models = os.path.join(self.folder, "models")
        self.registry = fake_registry.Registry()
        if cdn:
            self.registry.cdn = fake_registry.Registry()
        self.environment = {**support.GOOD, "HOME": self.folder, "QUERN_MODELS": self.models, "QUERN_OFFLINE": "",
                            "QUERN_REGISTRY": self.registry.url, "HF_ENDPOINT": self.registry.url, **environment}

    def start(self, *arguments, limit=None, **options):
        def prepare():
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        return subprocess.Popen([os.path.abspath(support.QUERN), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, env=self.environment,
                                restore_signals=limit is None, preexec_fn=prepare if limit is not None else None, **options)

    def quern(self, *arguments, code=0, **options):
        """(stdout, stderr) as text."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{arguments}: exit code {process.returncode}, expected {code}\n{err.decode()}"
        return out.decode(), err.decode()

    def json(self, *arguments):
        out, _ = self.quern(*arguments, "--json")
        return json.loads(out)

    def names(self):
        return sorted(model["name"] for model in self.json("list")["models"])

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def blobs(self):
        folder = os.path.join(self.models, "blobs")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def partial(self):
        """Files of unfinished downloads, without locks."""
        folder = os.path.join(self.models, "partial")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted(name for name in names if name.endswith((".part", ".json")))

    def clean(self):
        """Every blob is what its name says and belongs to a model; nothing lies about."""
        used = set()
        for folder, _, files in os.walk(os.path.join(self.models, "manifests")):
            for file in files:
                with open(os.path.join(folder, file), "rb") as manifest:
                    document = json.load(manifest)
                used |= {layer["digest"].replace(":", "-") for layer in document["layers"] + [document["config"]]}
        assert set(self.blobs()) == used, set(self.blobs()) ^ used
        for name in self.blobs():
            with open(os.path.join(self.models, "blobs", name), "rb") as blob:
                assert name == "sha256-" + fake_registry.sha256(blob.read()), name
        assert self.partial() == [], self.partial()

    def close(self):
        self.registry.close()
        if self.registry.cdn:
            self.registry.cdn.close()


def placed(**options):
    """A test in a Place of its own, named after it."""

    def wrap(test):
        def run():
            place = Place(test.__name__, **options)
            try:
                test(place)
            finally:
                place.close()

        run.__name__ = test.__name__
        return run

    return wrap
