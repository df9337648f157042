"""Differences between Quern's ids and llama.cpp's whose cause is known: where the models' own expressions say otherwise, Quern
follows these. A difference counts as known only in a text that has what the cause needs."""
import re
import unicodedata


def category(char):
    return unicodedata.category(char)


def has_mark(text):
    return any(category(c)[0] == "M" for c in text)


def has_letter_outside_ascii(text):
    return any(ord(c) > 127 and category(c)[0] == "L" for c in text)


def has_case_change(text):
    """A capital right after a letter that is none, or a mark."""
    return has_mark(text) or any(category(b) in ("Lu", "Lt") and category(a) in ("Ll", "Lm", "Lo", "Lt") for a, b in zip(text, text[1:]))


def has_number(text):
    return any(category(c)[0] == "N" for c in text)


def has_wide_space(text):
    return any(0x800 <= ord(c) <= 0x4E00 and c.isspace() for c in text)


def has_digit_outside_ascii(text):
    return any(ord(c) > 127 and category(c) == "Nd" for c in text)


def between_ideographs(text):
    return any(0xA000 <= ord(c) < 0xF900 for c in text)


def has_rare_ideograph(text):
    """Radicals, number signs and iteration marks of the script Han."""
    return any(0x2E80 <= ord(c) <= 0x2FDF or ord(c) in (0x3005, 0x3007) or 0x3021 <= ord(c) <= 0x3029 or 0x3038 <= ord(c) <= 0x303B for c in text)


# (names, cause, what a text must have)
KNOWN = [
    (["pre:gpt-4o", "pre:llama4", "pre:kanana2", "pre:talkie", "pre:minimax-m2", "pre:tekken"],
     "llama.cpp knows the case of ASCII letters only and takes marks for punctuation", lambda t: has_mark(t) or has_letter_outside_ascii(t)),
    (["pre:granite-embed-multi-97m"], "llama.cpp knows the case of ASCII letters only", has_letter_outside_ascii),
    (["pre:kimi-k2", "pre:youtu", "pre:tiny_aya", "pre:cohere2moe"], "llama.cpp does not cut words where their case changes", has_case_change),
    (["pre:kimi-k2"], "llama.cpp takes radicals and number signs for no ideographs", has_rare_ideograph),
    (["pre:tiny_aya", "pre:cohere2moe", "pre:afmoe"], "llama.cpp joins a group of digits with the text before it and groups runs that letters follow", has_number),
    (["pre:afmoe"], "llama.cpp's range of compatibility ideographs begins at U+8C48 instead of U+F900", between_ideographs),
    (["pre:superbpe"], "llama.cpp takes digits outside ASCII for none", has_digit_outside_ascii),
    (["pre:deepseek-llm", "pre:deepseek-coder", "deepseek-llm", "deepseek-coder"],
     "llama.cpp takes white space from U+0800 on out of the expression's range of ideographs", has_wide_space),
    (["t5:prefix=False,merge=True"], "llama.cpp puts U+2581 before the first word though the file says not to", lambda t: bool(t)),
]


def cause(name, text):
    # llama.cpp takes an encoded surrogate for a character; here one of private use stands for it.
    shown = re.sub(rb"\xed[\xa0-\xbf][\x80-\xbf]", "\ue000".encode(), text).decode("utf-8", "replace")
    return next((why for names, why, needs in KNOWN if name in names and needs(shown)), None)
