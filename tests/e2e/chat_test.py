"""quern chat: through pipes, and on a terminal with Ctrl-C."""
import os
import pty
import re
import select
import signal
import time

import support
from support import quern


def test_lines_from_a_pipe():
    out, err = quern("chat", "demo", "--temp", 0, stdin="What is the capital of France?\nAnd Japan?\n")
    assert out == b"The capital of France is Paris.\nThe capital of Japan is Tokyo.\n" and err == b"", (out, err)


def test_commands():
    out, err = quern("chat", "demo", "--temp", 0, stdin=(
        "What is the capital of France?\n/regen\n/undo\n/clear\n/help\n/nonsense\n\nWhat is the opposite \\\nof brave?\n/exit\nHello!\n"))
    lines = out.decode().splitlines()
    assert lines[:2] == ["The capital of France is Paris."] * 2, lines
    assert len(lines) == 3, lines
    assert b"/undo" in err and b"unknown command /nonsense" in err


def test_first_message_and_single_turn():
    out, _ = quern("chat", "demo", "--temp", 0, "-st", "-p", "What is the capital of France?", stdin="And Japan?\n")
    assert out == b"The capital of France is Paris.\n", out
    out, _ = quern("chat", "demo", "--temp", 0, "-st", "-sys", "You are a helpful assistant.", stdin="What is the capital of France?\nmore\n")
    assert out == b"The capital of France is Paris.\n", out


class Terminal:
    """quern chat on a terminal of its own."""

    def __init__(self, *arguments):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "dumb"
            os.execv(support.QUERN, [support.QUERN, "chat", "demo", *map(str, arguments)])
        self.seen = ""

    def wait_for(self, pattern, seconds=60):
        """Reads until the pattern stands in what came since the last match; returns the match."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen, re.DOTALL)
            if match:
                self.seen = self.seen[match.end():]
                return match
            assert time.monotonic() < end, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.terminal], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
                except OSError:  # Linux tells the end of a terminal so
                    raise AssertionError(f"ended before {pattern!r}: {self.seen!r}") from None

    def type(self, text):
        os.write(self.terminal, text.encode())

    def exit_code(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.terminal, 65536).decode("utf-8", "replace")
                except OSError:
                    pass
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                os.close(self.terminal)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.process, signal.SIGKILL)
        raise AssertionError(f"does not end: {self.seen!r}")


def test_interrupt_stops_the_answer_and_keeps_the_chat():
    # Without an end of its own the answer takes until the context is full; --ignore-eos makes sure of that.
    terminal = Terminal("--temp", 0, "--ignore-eos", "--threads", 1, "-c", 200000)
    terminal.wait_for("> ")
    terminal.type("What is the capital of France?\n")
    terminal.wait_for("Paris")
    terminal.type("\x03")
    terminal.wait_for(r"\(stopped\).*> ")
    terminal.type("What is the opposite of brave?\n")
    terminal.wait_for("brave.*brave")
    terminal.type("\x03")
    terminal.wait_for(r"\(stopped\).*> ")
    terminal.type("/exit\n")
    assert terminal.exit_code() == 0


def test_two_interrupts_at_the_prompt_leave():
    terminal = Terminal("--temp", 0)
    terminal.wait_for("> ")
    terminal.type("\x03")
    terminal.wait_for("once more.*> ")
    terminal.type("\x03")
    assert terminal.exit_code() == 0


def test_end_of_input_leaves():
    terminal = Terminal("--temp", 0)
    terminal.wait_for("> ")
    terminal.type("What is the capital of France?\n")
    terminal.wait_for("Paris.*> ")
    terminal.type("\x04")
    assert terminal.exit_code() == 0


support.main(globals())
