"""Writes src/llm/tokenizer/unicode_tables.def: what Hugging Face `tokenizers` takes each code point for.

Nothing here comes from a Unicode database: every code point is put through the reference's own splitters and
normalizers, and what they do is written down. So the tables have the reference's Unicode versions, which differ from
part to part (its regular expressions are newer than its BERT normalizer). tiktoken's classes are checked to be equal.

    python make_unicode_tables.py [--check] ../../src/llm/tokenizer/unicode_tables.def
"""
import argparse
import sys
import unicodedata

import tiktoken
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
FLAGS = ["LETTER", "NUMBER", "SPACE", "CONTROL", "CJK", "PUNCTUATION", "MARK", "DECOMPOSES", "LOWERS", "COMBINES",
         "UNSTABLE"]


def matched(pattern):
    """Code points that a regular expression of the reference matches alone."""
    split, kept = pre_tokenizers.Split(Regex(pattern), "removed"), set()
    for start in range(0, len(POINTS), 65536):
        for piece, _ in split.pre_tokenize_str("".join(map(chr, POINTS[start:start + 65536]))):
            kept.update(map(ord, piece))
    return set(POINTS) - kept


def matched_by_tiktoken(pattern):
    encoding = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks={bytes([i]): i for i in range(256)},
                                 special_tokens={})
    found = set()
    for start in range(0, len(POINTS), 4096):
        ids = encoding.encode_ordinary("".join(map(chr, POINTS[start:start + 4096])))
        found.update(map(ord, bytes(ids).decode()))
    return found


def bert(**switches):
    every = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**every, **switches})


def combining_classes(nfd, decomposed):
    """The reference's order of combining marks: x goes behind y when its class is greater. Classes are named by the
    marks of Python's database that have them; only their order matters, and that is asked of the reference."""
    low, high = 0x0334, 0x0345  # classes 1 and 240, the ends of the scale, in every version of Unicode

    def reorders(first, second):
        pair = "a" + chr(first) + chr(second)
        return nfd.normalize_str(pair) != pair

    probes = {1: low, 240: high}
    for c in POINTS:
        if unicodedata.combining(chr(c)) and c not in decomposed and reorders(c, low) and reorders(high, c):
            probes.setdefault(unicodedata.combining(chr(c)), c)
    classes, order = {}, sorted(probes)
    for c in POINTS:
        if c in decomposed or 0xAC00 <= c < 0xD7A4 or not (reorders(c, low) or reorders(high, c) or c in (low, high)):
            continue
        below = [v for v in order if c == probes[v] or not reorders(probes[v], c)]  # v <= class of c
        classes[c] = max(below)
        if classes[c] != unicodedata.combining(chr(c)) and unicodedata.category(chr(c)) != "Cn":
            print(f"note: U+{c:04X}: combining class {classes[c]}, Python says {unicodedata.combining(chr(c))}")
    return classes


def examine():
    letters, numbers, spaces = (matched(p) for p in (r"\p{L}", r"\p{N}", r"\s"))
    for pattern, found in ((r"\p{L}", letters), (r"\p{N}", numbers), (r"\s", spaces)):
        if matched_by_tiktoken(pattern) != found:
            sys.exit(f"tokenizers and tiktoken differ on {pattern}")
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    is_hangul = lambda c: 0xAC00 <= c < 0xD7A4
    decomposed = {c: d for c in POINTS if not is_hangul(c) and (d := nfd.normalize_str(chr(c))) != chr(c)}
    classes = combining_classes(nfd, decomposed)
    lower = {c: l for c in POINTS if (l := bert(lowercase=True).normalize_str(chr(c))) != chr(c)}
    clean, cjk, accents = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    words = pre_tokenizers.BertPreTokenizer()
    pairs = {}
    for c, parts in decomposed.items():
        if nfc.normalize_str(chr(c)) == chr(c):
            first = nfc.normalize_str(parts[:-1])
            assert len(first) == 1 and nfc.normalize_str(first + parts[-1]) == chr(c), hex(c)
            pairs[ord(first), ord(parts[-1])] = c
    seconds = {b for _, b in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    flags = {}
    for c in POINTS:
        x, has = chr(c), set()
        has |= {"LETTER"} if c in letters else set()
        has |= {"NUMBER"} if c in numbers else set()
        has |= {"SPACE"} if c in spaces else set()
        cleaned = clean.normalize_str("a" + x + "b")
        has |= {"CONTROL"} if cleaned == "ab" else set()
        assert cleaned in ("ab", "a" + (" " if c in spaces else x) + "b"), hex(c)
        has |= {"CJK"} if cjk.normalize_str(x) == f" {x} " else set()
        pieces = [p for p, _ in words.pre_tokenize_str("a" + x + "b")]
        assert (pieces == ["a", "b"]) == (c in spaces), hex(c)
        has |= {"PUNCTUATION"} if pieces == ["a", x, "b"] else set()
        if c not in decomposed:
            has |= {"MARK"} if accents.normalize_str("a" + x) == "a" else set()
        has |= {"DECOMPOSES"} if c in decomposed or is_hangul(c) else set()
        has |= {"LOWERS"} if c in lower else set()
        has |= {"COMBINES"} if c in classes else set()
        if c in classes or c in seconds or (c in decomposed and nfc.normalize_str(x) != x):
            has.add("UNSTABLE")
        flags[c] = tuple(f for f in FLAGS if f in has)
    return flags, decomposed, lower, classes, pairs


def render():
    flags, decomposed, lower, classes, pairs = examine()
    kinds = sorted(set(flags.values()) | {()}, key=lambda kind: (len(kind), kind))
    out = [f"/* Generated by tests/peers/make_unicode_tables.py from tokenizers {tokenizers.__version__}; not for editing.",
           " * Numbers are code points; what the arrays hold is said where they are included (unicode.c). */"]

    def array(declaration, items, width=360):
        out.append(f"static const {declaration} = {{")
        line = ""
        for item in items:
            if len(line) + len(item) > width:
                out.append(line)
                line = ""
            line += item + ","
        out.append(line + "};")

    def starts(of):
        """Where a run of equal values begins."""
        last = None
        for c in range(0x110000):
            value = of(c)
            if value != last:
                yield c, value
            last = value

    def mapping(name, table):
        longest = max(map(len, table.values()))
        array(f"uint32_t {name}[][{longest + 1}]",
              ("{%s}" % ",".join(str(x) for x in (c, *map(ord, to))) for c, to in sorted(table.items())))

    array("uint16_t kinds[]", (" | ".join(f"HN_CHAR_{flag}" for flag in kind) or "0" for kind in kinds))
    array("uint32_t kind_starts[][2]", ("{%d,%d}" % (c, k) for c, k in starts(lambda c: kinds.index(flags.get(c, ())))))
    array("uint32_t class_starts[][2]", ("{%d,%d}" % (c, k) for c, k in starts(lambda c: classes.get(c, 0))))
    mapping("decompositions", decomposed)
    mapping("lower_cases", lower)
    array("uint32_t compositions[][3]", ("{%d,%d,%d}" % (a, b, c) for (a, b), c in sorted(pairs.items())))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    args = parser.parse_args()
    text = render()
    if not args.check:
        with open(args.file, "w", encoding="ascii") as out:
            out.write(text)
    elif open(args.file, encoding="ascii").read() != text:
        sys.exit(f"{args.file} is not what the reference does")


if __name__ == "__main__":
    main()
