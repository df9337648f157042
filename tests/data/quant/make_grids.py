#!/usr/bin/env python3
"""Writes the codebooks of the IQ formats, lib/quant/grids/*.inc, from the points in grid_*.i8 beside this script.

  make_grids.py

A codebook is a set of points of 8 (IQ1, IQ2) or 4 (IQ3) coordinates. Each coordinate is one of few values; its digit is the
value's place among them. The code of a point has the digits of its coordinates, the first one lowest, 2 bits each (8
coordinates, written in hexadecimal) or 3 bits each (4 coordinates, written in octal). The points are sorted by code, which is
the order that the formats number them in.
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "..", "lib", "quant", "grids")
COORDINATES = {"iq1": 8, "iq2_xxs": 8, "iq2_xs": 8, "iq2_s": 8, "iq3_xxs": 4, "iq3_s": 4}


def main():
    os.makedirs(OUT, exist_ok=True)
    for name, n in COORDINATES.items():
        with open(os.path.join(HERE, f"grid_{name}.i8"), "rb") as file:
            values = [byte - 256 if byte > 127 else byte for byte in file.read()]
        digit = {value: place for place, value in enumerate(sorted(set(values)))}
        bits = 2 if n == 8 else 3
        codes = [sum(digit[v] << bits * i for i, v in enumerate(values[at:at + n])) for at in range(0, len(values), n)]
        assert codes == sorted(set(codes))
        words = [f"0x{code:04x}" if n == 8 else f"0{code:04o}" for code in codes]
        lines = [", ".join(words[at:at + 12]) + "," for at in range(0, len(words), 12)]
        with open(os.path.join(OUT, f"{name}.inc"), "w") as file:
            file.write(f"// {len(codes)} points: see make_grids.py in tests/data/quant.\n" + "\n".join(lines) + "\n")


main()
