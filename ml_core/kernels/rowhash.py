"""A 64-bit name for a row that no machine, library version, row order or column order changes.

Numbers hash by value (1, 1.0 and True are one value; -0.0 is 0.0; nan is missing), text by its UTF-8 bytes.
Every step is splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"): a
bijection on 64 bits, so that two values of one column collide only by chance, 1 in 2^64 a pair. Text of more
than LONG bytes goes through blake2b, since the vectorized pass takes one round for every 8 bytes of the
longest text.

Letters: n rows. Every function returns uint64 (n,).
"""

import hashlib

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MISSING = np.uint64(0x6D697373696E6721)  # the hash of a missing value, whatever the column's type
TEXT = np.uint64(0x7465787420736564)
WHOLE = np.uint64(0x62696720696E7473)
LONG = 512
# what remains of an 8-byte word when only the first 0..8 bytes belong to the text
MASKS = np.array([(1 << 8 * k) - 1 for k in range(9)], np.uint64)


def splitmix(z):
    """The output function of splitmix64 on z (n,) uint64; z itself is left as it is."""
    z = z + GOLDEN
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def numbers(values):
    """values (n,) bool, integers or floats -> hashes by value; nan -> MISSING."""
    real = values.astype(np.float64) + 0.0  # -0.0 + 0.0 is 0.0
    hashed = splitmix(real.view(np.uint64))
    hashed[np.isnan(real)] = MISSING
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and np.abs(real).max(initial=0) > 2**53:
        odd = ~_exact(values, real)
        hashed[odd] = splitmix(splitmix(values[odd].view(np.uint64)) ^ WHOLE)
    return hashed


def _exact(values, real):
    """Whether each 64-bit integer survives as a float64; where not, its own bits name it."""
    limit = 2.0**63 if values.dtype.kind == "i" else 2.0**64
    inside = real < limit
    return inside & (np.where(inside, real, 0).astype(values.dtype) == values)


def strings(data, lengths):
    """data uint8 (all texts' bytes end to end), lengths int64 (n,) in bytes -> hashes."""
    starts = np.cumsum(lengths) - lengths
    padded = np.concatenate([data, np.zeros(8, np.uint8)])
    # a view of the 8 bytes that start at every byte, so that one gather reads a word of every text
    words = np.ndarray(len(data) + 1, "<u8", padded, strides=(1,))
    state = splitmix(lengths.astype(np.uint64) ^ TEXT)
    active, done = np.flatnonzero((lengths > 0) & (lengths <= LONG)), 0
    while len(active):
        left = lengths[active] - done
        word = words[starts[active] + done].astype(np.uint64) & MASKS[np.minimum(left, 8)]
        state[active] = splitmix(state[active] ^ word)
        active, done = active[left > 8], done + 8
    for i in np.flatnonzero(lengths > LONG):
        text = data[starts[i] : starts[i] + lengths[i]].tobytes()
        state[i] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return state


def name(text):
    """The hash (1,) of one text, such as a column's name."""
    data = np.frombuffer(text.encode(), np.uint8)
    return strings(data, np.array([len(data)]))


def combine(columns, n):
    """columns: (name, hashes (n,)) pairs in any order -> hashes of the rows; names count."""
    total = np.full(n, GOLDEN)
    for column, hashes in sorted(columns, key=lambda pair: pair[0]):
        total = splitmix(total ^ splitmix(hashes ^ name(column)))
    return total


def shares(hashes, salt):
    """hashes (n,) -> a number in [0, 1) for each, the same for equal hashes, independent between salts."""
    mixed = splitmix(hashes ^ splitmix(np.array([salt], np.uint64)))
    return (mixed >> np.uint64(11)) * 2.0**-53
