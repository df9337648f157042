"""A server on loopback that speaks what models are pulled by: Ollama's registry protocol, the Hugging Face Hub's, and plain
files; with redirects to a second host, token challenges, ranges, and the faults that networks have.

A test sets what there is (`manifests`, `blobs`, `repos`, `files`) and what goes wrong (`faults`), and reads what was asked
for (`log`). Standard library alone.
"""
import hashlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
OLLAMA = "application/vnd.ollama.image."


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Request:
    def __init__(self, server, path, headers):
        self.server, self.path, self.headers = server, path, headers
        self.token = headers.get("Authorization", "")
        self.range = headers.get("Range", "")


class Faults:
    """What goes wrong. Each is off by default."""

    def __init__(self):
        self.bytes_per_second = 0   # of bodies of files
        self.cut_after = []         # the next answers with files end after so many bytes, one entry each
        self.statuses = []          # the next answers at all are these (status, headers)
        self.no_ranges = False      # always the whole file
        self.no_length = False      # chunked, no Content-Length
        self.wrong_range = False    # a 206 with another part than was asked for
        self.flip_byte = None       # of every file: the byte at this offset is another one
        self.hang_after = 0         # files: nothing more comes after so many bytes, the connection stays open


class Registry:
    def __init__(self, certificate=None, key=None):
        self.manifests = {}      # "library/tiny:latest" -> bytes
        self.blobs = {}          # digest -> bytes
        self.repos = {}          # "user/repo" -> {path: bytes}
        self.no_lfs = set()      # paths of repositories that lie in git itself, as small files do
        self.private = set()     # repositories that want HUB_TOKEN
        self.files = {}          # "/path/file.gguf" -> bytes
        self.etags = {}          # path -> ETag; else made from the bytes
        self.redirects = {}      # path -> address
        self.cdn = None          # another Registry: where files really lie
        self.want_token = False  # the registry asks for a bearer token
        self.realm = None        # where it says that one is had; None: /token here
        self.page_size = 1000    # files of one page of a repository's list
        self.faults = Faults()
        self.log = []
        self.lock = threading.Lock()
        registry = self

        class Handler(_Handler):
            pass

        Handler.registry = registry
        self.http = _Server(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.scheme = "https"
        self.port = self.http.server_address[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def add_blob(self, data):
        self.blobs["sha256:" + sha256(data)] = data
        return "sha256:" + sha256(data)

    def add_model(self, name, model, **layers):
        """A model of the registry; `layers`: template="...", params={...}. Returns the digest of its GGUF."""
        config = json.dumps({"model_format": "gguf", "model_family": "llama", "model_families": ["llama"],
                             "model_type": "6.8M", "file_type": "Q8_0"}).encode()
        parts = [(OLLAMA + "model", model)]
        for kind, value in layers.items():
            data = json.dumps(value) if isinstance(value, (dict, list)) else value
            parts.append((OLLAMA + kind, data if isinstance(data, bytes) else data.encode()))
        document = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                    "config": {"mediaType": CONFIG_TYPE, "digest": self.add_blob(config), "size": len(config)},
                    "layers": [{"mediaType": kind, "digest": self.add_blob(data), "size": len(data)} for kind, data in parts]}
        self.manifests[name] = json.dumps(document).encode()
        return document["layers"][0]["digest"]

    def requests(self, part, since=0):
        with self.lock:
            return [r for r in self.log[since:] if part in r.path]


HUB_TOKEN, REGISTRY_TOKEN = "hf_secret", "registry-secret"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that are killed in the middle are what the tests are about


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.registry
        request = Request(server, unquote(urlparse(self.path).path), self.headers)
        with server.lock:
            server.log.append(request)
            fault = server.faults.statuses.pop(0) if server.faults.statuses else None
        try:
            if fault:
                self.answer(fault[0], b"broken", fault[1])
            else:
                self.route(request)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def route(self, request):
        server, path = self.registry, request.path
        if path in server.redirects:
            return self.answer(302, b"", {"Location": server.redirects[path]})
        if path.startswith("/v2/"):
            return self.registry_answer(request)
        if path == "/token":
            query = parse_qs(urlparse(self.path).query)
            if query.get("service") != ["fake"] or not query.get("scope", [""])[0].startswith("repository:"):
                return self.answer(400, b"service or scope missing")
            return self.answer_json({"token": REGISTRY_TOKEN})
        if path.startswith("/api/models/"):
            return self.hub_list(request)
        if "/resolve/main/" in path:
            return self.hub_file(request)
        if path in server.files:
            return self.send_file(server.files[path], server.etags.get(path))
        return self.answer(404, b"no such file")

    def registry_answer(self, request):
        server = self.registry
        if server.want_token and request.token != "Bearer " + REGISTRY_TOKEN:
            realm = server.realm or server.url + "/token"
            scope = "repository:" + request.path[4:].split("/manifests")[0].split("/blobs")[0] + ":pull"
            challenge = f'Bearer realm="{realm}",service="fake",scope="{scope}"'
            return self.answer_json({"errors": [{"code": "UNAUTHORIZED", "message": "token needed"}]}, 401,
                                    {"WWW-Authenticate": challenge})
        name, kind, what = request.path[4:].rsplit("/", 2)
        if kind == "manifests" and f"{name}:{what}" in server.manifests:
            if MANIFEST_TYPE not in request.headers.get("Accept", ""):
                return self.answer(406, b"not acceptable")
            return self.answer(200, server.manifests[f"{name}:{what}"], {"Content-Type": MANIFEST_TYPE})
        if kind == "blobs" and what in server.blobs:
            if server.cdn:
                server.cdn.files["/cdn/" + what] = server.blobs[what]
                return self.answer(307, b"", {"Location": f"{server.cdn.url}/cdn/{what}?signature=abc"})
            return self.send_file(server.blobs[what])
        return self.answer_json({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, 404)

    def repository(self, request, name):
        if name in self.registry.private and request.token != "Bearer " + HUB_TOKEN:
            self.answer_json({"error": "Access to model is restricted"}, 401)
            return None
        if name not in self.registry.repos:
            self.answer_json({"error": "Repository not found"}, 404)
            return None
        return self.registry.repos[name]

    def hub_list(self, request):
        server = self.registry
        name = request.path[len("/api/models/"):].rsplit("/tree/main", 1)[0]
        files = self.repository(request, name)
        if files is None:
            return None
        page = int(parse_qs(urlparse(self.path).query).get("page", ["0"])[0])
        entries = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "folder"}] if page == 0 else []
        paths = sorted(files)[page * server.page_size:(page + 1) * server.page_size]
        for path in paths:
            entry = {"type": "file", "oid": git_oid(files[path]), "size": len(files[path]), "path": path}
            if path not in server.no_lfs:
                entry["oid"] = "1" * 40
                entry["lfs"] = {"oid": sha256(files[path]), "size": len(files[path]), "pointerSize": 135}
            entries.append(entry)
        headers = {}
        if (page + 1) * server.page_size < len(files):
            headers["Link"] = f'<{server.url}/api/models/{name}/tree/main?recursive=true&page={page + 1}>; rel="next"'
        return self.answer_json(entries, 200, headers)

    def hub_file(self, request):
        server = self.registry
        name, path = request.path[1:].split("/resolve/main/", 1)
        files = self.repository(request, name)
        if files is None:
            return None
        if path not in files:
            return self.answer(404, b"Entry not found")
        if server.cdn and path not in server.no_lfs:
            key = "/lfs/" + sha256(files[path])
            server.cdn.files[key] = files[path]
            headers = {"Location": f"{server.cdn.url}{key}?signature=abc", "X-Linked-Etag": f'"{sha256(files[path])}"',
                       "X-Linked-Size": str(len(files[path]))}
            return self.answer(302, b"", headers)
        return self.send_file(files[path])

    def send_file(self, data, etag=None):
        faults = self.registry.faults
        etag = etag or f'"{sha256(data)[:16]}"'
        first = 0
        wanted = self.headers.get("Range", "")
        if wanted and not faults.no_ranges and self.headers.get("If-Range", etag) == etag:
            first = int(wanted.split("=")[1].split("-")[0])
        if first >= len(data) > 0:
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        if faults.flip_byte is not None:
            data = data[:faults.flip_byte] + bytes([data[faults.flip_byte] ^ 1]) + data[faults.flip_byte + 1:]
        self.send_response(206 if first else 200)
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        if first:
            told = first + 7 if faults.wrong_range else first
            self.send_header("Content-Range", f"bytes {told}-{len(data) - 1}/{len(data)}")
        if faults.no_length:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        return self.send_body(memoryview(data)[first:])

    def send_body(self, body):
        faults = self.registry.faults
        with self.registry.lock:
            cut = faults.cut_after.pop(0) if faults.cut_after else None
        chunk = max(1, faults.bytes_per_second // 20) if faults.bytes_per_second else 1 << 16
        sent = 0
        while sent < len(body):
            if cut is not None and sent >= cut:
                self.close_connection = True
                self.wfile.flush()
                return self.connection.close()
            if faults.hang_after and sent >= faults.hang_after:
                time.sleep(30)
            piece = body[sent:min(len(body), sent + chunk if cut is None else min(sent + chunk, max(cut, sent + 1)))]
            if faults.no_length:
                self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            else:
                self.wfile.write(piece)
            sent += len(piece)
            if faults.bytes_per_second:
                self.wfile.flush()
                time.sleep(len(piece) / faults.bytes_per_second)
        if faults.no_length:
            self.wfile.write(b"0\r\n\r\n")
        return None

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value, status=200, headers=None):
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})
