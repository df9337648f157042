#!/usr/bin/env python3
"""Compares two GGUF files tensor by tensor and key by key. The standard library alone (numpy for --round).

    compare_gguf.py A B [--round f16|bf16]

Prints each key that only one of them has or that differs, and each tensor that is missing or differs in type, shape or
bytes. With --round, A's F32 matrices are rounded to that type first (by numpy, to the nearest, ties to even), and
compared with what B holds. Exit code 0: all tensors are equal; keys may differ, they are listed. 1: tensors differ.
"""
import argparse
import struct
import sys

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
F32, F16, BF16 = 0, 1, 30
# Elements and bytes of a block.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
          11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74), 18: (256, 98),
          19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
          27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36)}


class Gguf:
    """keys: name -> (type, value); tensors: name -> (type, extents, bytes), in the order of the file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.at = 0
        assert self.data[:4] == b"GGUF", f"{path}: no GGUF file"
        self.at = 4
        assert self.number("<I") == 3, f"{path}: expected version 3"
        n_tensors, n_keys = self.number("<Q"), self.number("<Q")
        self.keys = {}
        for _ in range(n_keys):
            name = self.text()
            kind = self.number("<I")
            self.keys[name] = (kind, self.value(kind))
        infos = []
        for _ in range(n_tensors):
            name = self.text()
            extents = [self.number("<Q") for _ in range(self.number("<I"))]
            infos.append((name, extents, self.number("<I"), self.number("<Q")))
        alignment = self.keys.get("general.alignment", (4, 32))[1]
        start = (self.at + alignment - 1) // alignment * alignment
        self.tensors = {}
        for name, extents, kind, offset in infos:
            n = 1
            for extent in extents:
                n *= extent
            elements, size = BLOCKS[kind]
            begin = start + offset
            self.tensors[name] = (kind, extents, self.data[begin:begin + n // elements * size])

    def number(self, form):
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.number("<Q")
        self.at += size
        return self.data[self.at - size:self.at].decode("utf-8", "surrogateescape")

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind != ARRAY:
            return self.number(SCALARS[kind])
        element, n = self.number("<I"), self.number("<Q")
        return (element, [self.value(element) for _ in range(n)])


def shown(entry):
    if entry is None:
        return "absent"
    text = repr(entry[1])
    return f"{text[:100]}... ({len(text)} characters)" if len(text) > 120 else text


def rounded(kind, extents, data, to):
    """An F32 matrix as another type's bytes."""
    if kind != F32 or len(extents) < 2 or to is None:
        return kind, data
    import numpy as np
    numbers = np.frombuffer(data, "<f4")
    if to == "f16":
        return F16, numbers.astype("<f2").tobytes()
    bits = numbers.view("<u4").astype(np.uint64)
    return BF16, ((bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype("<u2").tobytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("a")
    parser.add_argument("b")
    parser.add_argument("--round", choices=["f16", "bf16"])
    args = parser.parse_args()
    a, b = Gguf(args.a), Gguf(args.b)
    n_keys = n_tensors = 0
    for name in list(a.keys) + [k for k in b.keys if k not in a.keys]:
        if a.keys.get(name) != b.keys.get(name):
            n_keys += 1
            print(f"key {name}: {shown(a.keys.get(name))} | {shown(b.keys.get(name))}")
    for name in list(a.tensors) + [t for t in b.tensors if t not in a.tensors]:
        x, y = a.tensors.get(name), b.tensors.get(name)
        if x is None or y is None:
            n_tensors += 1
            print(f"tensor {name}: only in {args.a if y is None else args.b}")
            continue
        kind, data = rounded(*x, args.round)
        if (kind, x[1]) != y[:2]:
            n_tensors += 1
            print(f"tensor {name}: type {kind} {x[1]} | type {y[0]} {y[1]}")
        elif data != y[2]:
            n_tensors += 1
            print(f"tensor {name}: {sum(p != q for p, q in zip(data, y[2]))} of {len(data)} bytes differ")
    order = list(a.tensors) == list(b.tensors)
    print(f"{len(a.keys)} and {len(b.keys)} keys, {n_keys} differences; {len(a.tensors)} and {len(b.tensors)} tensors, "
          f"{n_tensors} differences{'' if order else '; in another order'}")
    sys.exit(1 if n_tensors else 0)


if __name__ == "__main__":
    main()
