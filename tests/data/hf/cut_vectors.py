"""Cuts the shared vectors of quantized linears (st/*.safetensors of the quantization vectors, CC0) to what the tests need.

Of "expected_f32", [rows, columns], every eighth row remains, as "expected"; all other arrays stay as they are, and those that
repeat a matrix in another form are left out.

usage: cut_vectors.py ST_DIR OUT_DIR
"""
import glob
import json
import os
import struct
import sys

for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.safetensors"))):
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
    out_header, out = {}, b""
    for name, entry in header.items():
        if name in ("__metadata__", "ggml_mxfp4_repacked"):
            continue
        begin, end = entry["data_offsets"]
        piece, shape = data[begin:end], entry["shape"]
        if name == "expected_f32":
            row = len(piece) // shape[0]
            piece = b"".join(piece[r * row:(r + 1) * row] for r in range(0, shape[0], 8))
            name, shape = "expected", [len(piece) // row, shape[1]]
        out_header[name] = {"dtype": entry["dtype"], "shape": shape, "data_offsets": [len(out), len(out) + len(piece)]}
        out += piece
    text = json.dumps(out_header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    stem = os.path.basename(path)[:-len(".safetensors")]
    with open(os.path.join(sys.argv[2], stem + ".safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + out)
    config = path[:-len(".safetensors")] + ".config.json"
    if os.path.exists(config):
        with open(os.path.join(sys.argv[2], stem + ".config.json"), "w") as file:
            file.write(open(config).read().rstrip("\n") + "\n")
