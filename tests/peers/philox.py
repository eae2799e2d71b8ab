"""The project's counter-based random numbers (src/base/rng.h), in plain Python: Philox4x32-10 with key mix(seed, stream)."""

MASK32, MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
STREAM_NEGATIVE, STREAM_MIX = 5, 40


def mix64(word):
    word = (word + 0x9E3779B97F4A7C15) & MASK64
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    word = (word ^ word >> 27) * 0x94D049BB133111EB & MASK64
    return word ^ word >> 31


def philox(counter, key):
    """Ten rounds (Salmon et al., SC'11) on four 32-bit words."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k0, b & MASK32, a >> 32 ^ c[3] ^ k1, a & MASK32]
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c


class Sequence:
    """hn_rng_start(seed, stream, a, b) and its draws."""

    def __init__(self, seed, stream, a, b):
        key = mix64((mix64(seed) + stream * 0x9E3779B97F4A7C15) & MASK64)
        self.key, self.counter, self.words = (key & MASK32, key >> 32), [0, a, b & MASK32, b >> 32], []

    def u32(self):
        if not self.words:
            self.words = philox(self.counter, self.key)
            self.counter[0] += 1
        return self.words.pop(0)

    def below64(self, bound):
        while True:
            word = self.u32()
            word |= self.u32() << 32
            if word >= (1 << 64) % bound:
                return word % bound

    def real(self):
        return (self.u32() >> 8) * 2.0**-24
