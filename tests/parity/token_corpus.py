"""Texts to compare tokenizers with, from a fixed seed: byte strings, a tenth of them broken UTF-8."""
import random
import re
import unicodedata

SCRIPTS = [(0x20, 0x7E), (0x20, 0x7E), (0x41, 0x7A), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF),
           (0x400, 0x4FF), (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F), (0x980, 0x9FF),
           (0xB80, 0xBFF), (0xE00, 0xE7F), (0xE80, 0xEFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x13A0, 0x13FF),
           (0x1780, 0x17FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF),
           (0x2100, 0x218F), (0x2190, 0x22FF), (0x2460, 0x24FF), (0x2500, 0x25FF), (0x2600, 0x27BF), (0x2E80, 0x2FDF),
           (0x3000, 0x303F), (0x3040, 0x30FF), (0x3100, 0x312F), (0x3130, 0x318F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
           (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFE4F), (0xFF00, 0xFFEF), (0x10400, 0x1044F),
           (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F9FF), (0x20000, 0x2A6DF), (0xE000, 0xE0FF), (0xE0020, 0xE007F)]
SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "I'll say we've won, they're SURE it's DON'T or don't; Y'ALL'D'VE 'twas.",
    "Übergrößenträger naïve façade Ærøskøbing İstanbul ŞĞ ǅ ß", "Привет, как дела? Съешь же ещё этих мягких французских булок",
    "今天天气真好，我们去公园散步吧！2024年10月1日", "日本語のテキストとカタカナ、ひらがな。", "한국어 문장을 토큰화합니다.", "مرحبا بالعالم كيف حالك؟ ١٢٣٤٥",
    "שלום עולם", "नमस्ते दुनिया १२३४५६", "สวัสดีชาวโลก", "ខ្មែរ ភាសា", "Γειά σου Κόσμε ὄντα", "Xin chào thế giới, tiếng Việt", "ქართული ენა",
    "CamelCaseIdentifier snake_case_name kebab-case SCREAMING_SNAKE HTTPServer2Go", "3.14159 -2.5e-10 0xDEADBEEF 1,000,000.00 12345678901234",
    "def f(x):\n    if x > 0:\n        return x ** 2\n\telse:\n\t\treturn -x\n\n\n", "#include <stdio.h>\r\nint main(void){\r\n\treturn 0;\r\n}\r\n",
    "SELECT * FROM users WHERE id = 42 AND name LIKE '%o''brien%';", '{"key": [1, 2.5, null, true, {"nested": "v\\u00e9"}]}',
    "https://example.com/path?query=1&x=%20#frag user@example.org", "<div class=\"a\">&amp;</div><!-- x --><br/>", "$x = @{a=1;b=2} | % { $_ }",
    "∑∫√∞≈≠≤≥ αβγδε ℝℕ 𝔸𝕏 ½ ² ™ ① ﬁ ﬂ", "Zürich—“quoted” ‘single’ …and–dash", "tab\tvalues\nline\rreturn\u2028ls\u2029ps\x0bvt\x0cff\x85nel",
    "\u200b\u200d\ufeff\xa0\u2003x\u3000y\u180ez", "<sentinel:12> IMGIMGABCZ IMGIMGZ <sentinel:>", "Ünï\u0301co\u0308de\u0327 e\u0301 a\u030a\u0323",
]
EMOJI = ["😀", "👨\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "🇩🇪", "👍🏽", "❤️", "1️⃣", "🧑🏿\u200d🚀", "☃", "\u200d", "\ufe0f", "🏴\U000e0067\U000e0062\U000e007f"]
RUNS = [" ", "  ", "\n", "\r\n", "\t", "a", "A", "ab", "7", "=", "-", ".", "!", "'", "_", "é", "你", "ア", "\u0301", "０", "١", "😀", " \n", "\u3000",
        "\u2581", "aA", "Ab", "'s", "ก", "가", "ǅ", "½", "x y ", "\x00"]


def assigned(c):
    return unicodedata.category(chr(c)) not in ("Cn", "Cs")


def character(r):
    if r.random() < 0.1:  # anything that was a character in the oldest table that is compared
        while True:
            c = r.choice((r.randrange(0x20, 0x3000), r.randrange(0x20, 0x10000), r.randrange(0x10000, 0x20000)))
            if assigned(c):
                return chr(c)
    first, last = r.choice(SCRIPTS)
    while True:
        c = r.randint(first, last)
        if assigned(c):
            return chr(c)


def word(r):
    first, last = r.choice(SCRIPTS)
    letters = [chr(c) for c in (r.randint(first, last) for _ in range(r.randint(1, 9))) if assigned(c)]
    return "".join(letters)


def piece(r, special):
    kind = r.random()
    if kind < 0.25:
        sentence = r.choice(SENTENCES)
        begin = r.randrange(len(sentence))
        return sentence[begin:begin + r.randint(1, 60)]
    if kind < 0.45:
        return r.choice(("", " ", "  ", "\n", "'")) + word(r)
    if kind < 0.6:
        return "".join(character(r) for _ in range(r.randint(1, 8)))
    if kind < 0.7:
        return r.choice(RUNS) * r.choice((1, 2, 3, 4, 5, 7, 8, 16, 33))
    if kind < 0.78:
        return r.choice(EMOJI) * r.choice((1, 1, 2, 3))
    if kind < 0.86 and special:
        return r.choice(("", " ", "\n", "x")) + r.choice(special)[:r.choice((200, 200, 3))] + r.choice(("", " ", "\n", "  y"))
    if kind < 0.93:
        return str(r.randrange(10 ** r.randint(1, 14))) + r.choice(("", "", ".", ",", "%", "a", " ", "½", "٣", "_"))
    return r.choice(("'s", "'S", "'ll", "'LL", "'Re", "'ve ", " 'm", "'d'", "'t", "n't", "''", "\"'", "/\n", "!\n\n", ".\r\n", "?/", ")]}\n"))


def broken(r, text):
    """Bytes changed, dropped and inserted; no sequence above U+10FFFF and no space of several bytes, which end the process of
    llama.cpp."""
    data = bytearray(text)
    for _ in range(r.randint(1, 4)):
        at = r.randrange(len(data) + 1)
        byte = r.choice((r.randrange(0x80, 0xF4), r.randrange(0x80, 0xC0), 0xC0, 0xED, 0xE2, 0xF0, 0xFF, 0xFE))
        kind = r.random()
        if kind < 0.4:
            data.insert(at, byte)
        elif at < len(data) and kind < 0.7:
            data[at] = byte
        elif at < len(data):
            del data[at]
    data = bytes(b for b in data if not 0xF4 <= b < 0xF8)
    return re.sub(rb"(\xc0|\xe0\x80|\xf0\x80\x80)\xa0", lambda match: match[1] + b"\xa1", data)


def texts(n, special=(), seed=20240229):
    r, out = random.Random(seed), [b""]
    out += [s.encode() for s in SENTENCES + EMOJI + RUNS]
    out += [(run * (600 // len(run))).encode() for run in RUNS] + [(run * 257 + "x").encode() for run in RUNS]
    while len(out) < n:
        text = "".join(piece(r, special) for _ in range(r.randint(1, 6))).encode("utf-8", "replace")
        out.append(broken(r, text) if len(out) % 10 == 0 and text else text)
    return out[:n]
