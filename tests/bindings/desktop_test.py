"""The chat window on a display without a screen: its widgets are driven by scripts (examples/desktop/script.h).

usage: desktop_test.py SOURCE_DIR LIBRARY_DIR QUERN SCRATCH_DIR DESKTOP
"""
import os
import shutil
import struct
import subprocess
import sys
import zlib

import support

root, library, quern, scratch, desktop = sys.argv[1:]
DEMO = os.path.join(root, "examples/models/quern-demo-q8_0.gguf")
STORY = "Tell me a story about a house near a river."

TALK = """
wait
status Ready
picture {pictures}/welcome.png
type {question}
key Return
wait
answer {answer}
status tokens/s
messages 2
type And of Japan?
click send
wait
messages 4
key ctrl+shift+c
clipboard {answer}
open {scratch}/missing.gguf
wait
error {scratch}/missing.gguf
messages 4
sleep 400
picture {pictures}/error.png
click new
wait
messages 0
no-error
type {long}
key Return
wait
error full
messages 0
erase
key ctrl+n
wait
open {demo}
wait
no-error
type {question}
click send
wait
answer {answer}
prompt You are a helpful assistant.
sleep 400
picture {pictures}/talk.png
"""
# On the slow backend, so that an answer takes long enough to be stopped.
STOP = """
wait
type {story}
key Return
wait-text 20
picture {pictures}/answering.png
key Escape
wait
status Stopped
answer-shorter 300
messages 2
type {story}
key Return
wait-text 40
click stop
wait
status Stopped
type {story}
key Return
wait-text 20
click new
wait
messages 0
type Hello!
key Return
wait-text 2
open {demo}
wait
messages 0
type {story}
key Return
wait-text 1
"""  # ends while it answers: closing the window stops that


def pixels(path):
    """The rows of an 8-bit PNG picture, as bytes, and its bytes for a pixel."""
    with open(path, "rb") as file:
        data = file.read()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert data[:4] == b"\x89PNG" and depth == 8 and width > 400 and height > 400, (path, width, height)
    n, packed, at = {2: 3, 6: 4}[kind], b"", 8
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    raw, before, rows, stride = zlib.decompress(packed), bytes(width * n), [], width * n
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = row[i - n] if i >= n else 0, before[i], before[i - n] if i >= n else 0
            nearest = min((abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner))[2]
            row[i] = (row[i] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255
        rows.append(bytes(row))
        before = row
    return rows, n


def look(path):
    """(mean brightness, number of colours) of a picture."""
    rows, n = pixels(path)
    colours = {row[i:i + 3] for row in rows[::3] for i in range(0, len(row), n)}
    return sum(map(sum, rows[::7])) / sum(map(len, rows[::7])), len(colours)


class Display:
    """A display of an X server without a screen."""

    def __enter__(self):
        read, write = os.pipe()
        self.server = subprocess.Popen([support.need("Xvfb"), "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten",
                                        "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as file:
            self.name = ":" + file.readline().strip()
        if self.name == ":":
            sys.exit("Xvfb did not start")
        return self.name

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()


def drive(display, name, script, *arguments, **more):
    path = os.path.join(scratch, "desktop", name + ".script")
    with open(path, "w", encoding="utf-8") as file:
        file.write(script.strip() + "\n")
    environment = support.environment(
        DISPLAY=display, GDK_BACKEND="x11", NO_AT_BRIDGE="1", GSETTINGS_BACKEND="memory", LC_ALL="C.UTF-8",
        XDG_CONFIG_HOME=os.path.join(scratch, "desktop/config"), XDG_RUNTIME_DIR=os.path.join(scratch, "desktop"),
        DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent", **more)
    support.run([desktop, "--temperature", "0", "--script", path, *arguments], env=environment)
    print(f"{name}: every line holds")


def main():
    support.need("Xvfb")
    folder = os.path.join(scratch, "desktop")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "light"))
    os.makedirs(os.path.join(folder, "dark"))
    os.chmod(folder, 0o700)
    answer = support.answers(quern, DEMO)[0]
    facts = {"question": support.QUESTIONS[0], "answer": answer, "demo": DEMO, "story": STORY, "scratch": scratch,
             "long": "so long " * 600}
    with Display() as display:
        for theme, name in (("Adwaita", "light"), ("Adwaita:dark", "dark")):
            drive(display, f"talk_{name}", TALK.format(pictures=os.path.join(folder, name), **facts), DEMO, GTK_THEME=theme)
        drive(display, "stop", STOP.format(pictures=os.path.join(folder, "light"), **facts), "--backend", "reference")
    light, dark = (look(os.path.join(folder, kind, "talk.png")) for kind in ("light", "dark"))
    print(f"brightness and colours: light {light}, dark {dark}")
    if light[0] < 180 or dark[0] > 90 or min(light[1], dark[1]) < 50:
        sys.exit("the window is not light, not dark, or empty")
    needed = support.run(["readelf", "-d", desktop])
    if "libquern_c.so." not in needed:
        sys.exit("the window is not linked with the shared library")


main()
