"""What the library may not do to its host: end the process, print, read the environment, throw, depend on the locale.

Comments and literals are not looked at. ALLOWED names the few files that need a word, with the reason.

usage: banned_words.py SOURCE_DIR
"""
import re
import sys

import tree

ENDS = "ends the host's process: return an Error"
PRINTS = "prints: use the runtime's log sink or return the text"
ENVIRONMENT = "reads or changes the host's environment: take an option"
LOCALE = "depends on the locale: use std::from_chars, std::to_chars or cat()"
CATCH = r"\bcatch\s*\((?!\s*const\s+std::(bad_alloc|system_error|length_error)\s*&)"
BANNED = [
    (r"\b(abort|exit|_exit|_Exit|quick_exit|terminate|raise)\s*\(", ENDS),
    (r"\b(assert|HWY_ASSERT|HWY_ABORT)\s*\(", ENDS),
    (r"\b__builtin_(trap|abort)\b", ENDS),
    (r"\b(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)\s*\(", PRINTS),
    (r"\bstd::(cout|cerr|clog)\b|#\s*include\s*<iostream>", PRINTS),
    (r"\b(getenv|secure_getenv|setenv|putenv|unsetenv)\s*\(", ENVIRONMENT),
    (r"\b(setlocale|localeconv)\s*\(|\bstd::locale\b", LOCALE),
    (r"\b(sto(i|l|ll|ul|ull|f|d|ld)|ato[ifl]|atoll|strto(d|f|ld|l|ll|ul|ull)|sscanf|sprintf|snprintf|vsnprintf)\s*\(", LOCALE),
    (r"\bstd::(basic_)?regex(_\w+)?\b|#\s*include\s*<regex>", "std::regex recurses once per character: use PCRE2"),
    (r"\b(rand|srand|random|drand48)\s*\(|\bstd::random_device\b", "hidden global state: take a seed"),
    (r"\bthrow\b", "the library does not throw: return an Error"),
    (CATCH, "only what the standard library throws for want of a resource (bad_alloc, system_error, length_error) is caught"),
    (r"\b(signal|sigaction|system|popen)\s*\(", "touches the host's process"),
    (r"\bthread_local\b", "hidden state: keep it in the Runtime or the caller's object"),
    (r"\busing\s+namespace\s+std\b", "spell std:: out"),
]
# (file or folder, pattern as above, reason)
ALLOWED = [
    ("capi/src/", CATCH, "the door: nothing may cross the C ABI as an exception"),
    ("capi/src/", r"\bthread_local\b", "the text of the last error, per thread"),
    ("lib/engine/api/", CATCH, "the door of the C++ interface: nothing leaves it as an exception"),
]


def main():
    root, errors, checked = sys.argv[1], [], 0
    for path in tree.files(root, ["lib", "capi/src"]):
        checked += 1
        text = tree.without_comments(tree.read(root, path))
        for pattern, reason in BANNED:
            if any(path.startswith(place) and pattern == word for place, word, _ in ALLOWED):
                continue
            for match in re.finditer(pattern, text):
                errors.append(f"{path}:{tree.line_of(text, match.start())}: '{match.group().strip()}' {reason}")
    tree.finish(errors, checked)


main()
