"""The nasty corpus: made from tests/fixtures/tokenizers/corpus.txt by counters alone, here and in
tests/llm/tokenizer/corpus.c, byte for byte the same."""
import os
import re

SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fixtures/tokenizers/corpus.txt")
MASK = (1 << 64) - 1
CHUNK_BYTES = 4096
N_CHUNKS = 300
NARROW = 6  # the ranges at the beginning are ASCII


def read_seeds():
    ranges, texts = [], []
    with open(SEEDS, encoding="ascii", newline="\n") as lines:
        for line in lines:
            kind, _, rest = line.rstrip("\n").partition(" ")
            if kind == "range":
                ranges.append(tuple(int(word, 16) for word in rest.split()))
            elif kind == "text":
                one = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
                texts.append(re.sub(r"\\(x([0-9A-F]{6})|.)", lambda m: one[m[1]] if m[1] in one else
                                    chr(int(m[2], 16)), rest))
    return ranges, texts


class Random:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, bound):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return (z ^ z >> 31) % bound


def character(random, ranges, of):
    first, last = ranges[of]
    return chr(first + random.below(last - first + 1))


def item(random, ranges, texts):
    kind = random.below(16)
    if kind < 5:
        return texts[random.below(len(texts))]
    if kind < 7:  # two of them joined by a space
        return texts[random.below(len(texts))] + " " + texts[random.below(len(texts))]
    if kind < 10:  # an ASCII word
        of, n = random.below(NARROW), (1 + random.below(14)) * (12 if random.below(8) == 0 else 1)
        return (" " if kind == 9 else "") + "".join(character(random, ranges, of) for _ in range(n))
    if kind < 13:  # a word of any script
        of, n = random.below(len(ranges)), 1 + random.below(9)
        return (" " if kind == 12 else "") + "".join(character(random, ranges, of) for _ in range(n))
    if kind == 13:  # characters of any script
        return "".join(character(random, ranges, random.below(len(ranges))) for _ in range(1 + random.below(4)))
    if kind == 14:  # a letter with marks
        of, n = random.below(len(ranges)), 1 + random.below(4)
        return character(random, ranges, of) + "".join(character(random, ranges, 10) for _ in range(n))
    of, n = random.below(len(ranges)), 1 + random.below(70)  # a run of one character
    return character(random, ranges, of) * n


def chunk(number, seeds):
    random, text, n = Random(number), [], 0
    while n < CHUNK_BYTES:
        one = item(random, *seeds)
        text.append(one)
        n += len(one.encode())
    return "".join(text)


def points():
    """Code points that are put alone between others: all planes with characters in them."""
    for first, last in ((0, 0xD7FF), (0xE000, 0x3FFFF), (0xE0000, 0xE01FF), (0xF0000, 0xF00FF), (0x10FF00, 0x10FFFF)):
        yield from range(first, last + 1)


def surroundings(point):
    x = chr(point)
    return f"a {x} b", f"!{x}!", f" {x}", f"a{x}b"
