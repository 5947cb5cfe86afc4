"""The best split of a leaf in NumPy: all columns and bins of a leaf at once.

Letters: d columns, s histogram slots, e the most slots a column has; G, H sums of gradient and hessian.
"""

import numpy as np

from ml_core.kernels.records import NONE

LOW32 = np.int64(0xFFFFFFFF)
WORD = (1 << 64) - 1


def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules["unit_g"], (total & LOW32) * rules["unit_h"]


def shrink(G, l1):
    """Soft threshold."""
    return np.sign(G) * np.maximum(np.abs(G) - l1, 0.0)


def value_of(G, H, rules):
    """The Newton step of a leaf."""
    return -shrink(G, rules["l1"]) / np.maximum(H + rules["l2"], 1e-290)


def score_of(G, H, l1, l2):
    """Twice the fall of the loss that the Newton step brings."""
    g = shrink(G, l1)
    return g * g / np.maximum(H + l2, 1e-290)


def bounded_score(G, H, value, rules):
    """Twice the fall of the loss that any step brings."""
    return -(2 * G * value + (H + rules["l2"]) * value * value + 2 * rules["l1"] * np.abs(value))


def bounded_gain(sums_all, sums_left, leaf, rules, direction):
    """Sum of the children's scores where their values are bounded or ordered."""
    with np.errstate(over="ignore", invalid="ignore"):  # of cuts that room will refuse
        return _bounded_gain(sums_all, sums_left, leaf, rules, direction)


def _bounded_gain(sums_all, sums_left, leaf, rules, direction):
    (G, H), (GL, HL) = sums_all, sums_left
    left = np.minimum(np.maximum(value_of(GL, HL, rules), leaf["low"]), leaf["high"])
    right = np.minimum(np.maximum(value_of(G - GL, H - HL, rules), leaf["low"]), leaf["high"])
    gain = bounded_score(GL, HL, left, rules) + bounded_score(G - GL, H - HL, right, rules)
    return np.where(direction * (right - left) < 0, -np.inf, gain)


def bounded(leaf):
    """Whether a leaf's value has bounds."""
    return leaf["low"] != -np.inf or leaf["high"] != np.inf


def roomy(left, rows, leaf, rules):
    """Whether both children have rows and hessian enough."""
    HL, H = left & LOW32, leaf["total"] & LOW32
    enough = np.minimum(HL, H - HL) * rules["unit_h"] >= rules["min_hessian"]
    return enough & (np.minimum(rows, leaf["rows"] - rows) >= rules["min_rows"])


def best_cuts(hist, counts, leaf, rules, found):
    """hist, counts (d, e), numeric columns -> gain, cut, missing left?, packed left sum, each (d,)."""
    d, e = hist.shape
    m = (found["last"] - found["first"] - 1)[:, None]
    b = np.arange(e)
    missing, missing_rows = (np.take_along_axis(part, m, axis=1) for part in (hist, counts))
    lefts = np.cumsum(hist, axis=1)
    rows = np.cumsum(counts, axis=1)
    lefts, rows = np.stack([lefts, lefts + missing], axis=1), np.stack([rows, rows + missing_rows], axis=1)
    end = np.stack([np.where(missing == 0, m - 1, m), np.where(missing == 0, 0, m - 1)], axis=1)
    fits = (b < end) & (hist != 0)[:, None] & roomy(lefts, rows, leaf, rules)
    G, H = sums(leaf["total"], rules)
    GL, HL = sums(lefts, rules)
    l1, l2 = rules["l1"], rules["l2"]
    direction = found["monotone"].astype(np.int64)[:, None, None]
    gain = score_of(GL, HL, l1, l2) + score_of(G - GL, H - HL, l1, l2)
    if bounded(leaf):
        gain = bounded_gain((G, H), (GL, HL), leaf, rules, direction)
    elif direction.any():
        gain = np.where(direction == 0, gain, bounded_gain((G, H), (GL, HL), leaf, rules, direction))
    gain = np.where(fits, gain, -np.inf).reshape(d, 2 * e)
    at = gain.argmax(axis=1)[:, None]
    picked = [np.take_along_axis(part.reshape(d, 2 * e), at, axis=1)[:, 0] for part in (gain, lefts)]
    return picked[0], at[:, 0] % e, at[:, 0] // e, picked[1]


def best_set(hist, counts, leaf, rules):
    """As ``best_cuts`` for one categorical column, hist, counts (e,) -> gain, bits (4,) uint64, packed left
    sum.
    """
    H = max(leaf["total"] & LOW32, 1)
    h = hist & LOW32
    worth = (hist != 0) & ~(h / H * leaf["rows"] < min(rules["cat_smooth"], rules["min_rows"]))
    places = np.flatnonzero(worth)
    smooth = rules["cat_smooth"] * rules["unit_h"] * H / leaf["rows"]
    keys = (hist[places] >> 32) * rules["unit_g"] / (h[places] * rules["unit_h"] + smooth)
    order = places[np.argsort(keys, kind="stable")]
    k = len(order)
    l1, l2 = rules["l1"], rules["l2"] + (rules["cat_l2"] if k > 4 else 0.0)
    length = min((k + 1) // 2, int(rules["max_categories"]))
    ends = np.concatenate([order[:length], order[::-1][:length]]).reshape(2, length)
    lefts, rows = np.cumsum(hist[ends], axis=1), np.cumsum(counts[ends], axis=1)
    all_of, left = sums(leaf["total"], rules), sums(lefts, rules)
    if bounded(leaf):
        gain = bounded_gain(all_of, left, leaf, rules, 0)
    else:
        gain = score_of(*left, l1, l2) + score_of(all_of[0] - left[0], all_of[1] - left[1], l1, l2)
    gain = np.where(roomy(lefts, rows, leaf, rules) & (lefts != leaf["total"]), gain, -np.inf).ravel()
    bits = np.zeros(4, np.uint64)
    if not len(gain) or gain.max() == -np.inf:
        return -np.inf, bits, 0
    side, last = divmod(int(gain.argmax()), length)
    for code in ends[side, : last + 1]:
        bits[code >> 6] |= np.uint64(1 << (int(code) & 63))
    return gain.max(), bits, lefts[side, last]


def mix(x):
    """Splitmix64, as ``search.mix``."""
    x = (x + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def allowed(index, job):
    """Columns a node may split on: those of its interaction groups, a random max_columns of them -> (d,)
    bool.
    """
    words, most = job.groups.shape[1], int(job.rules[0]["max_columns"])
    usable = np.ones(len(job.groups), bool) if words == 0 else (job.groups & job.reach[index]).any(axis=1)
    usable = np.flatnonzero(usable).tolist()
    k, state = len(usable), mix(int(job.rules[0]["seed"]) ^ mix(index))
    for i in range(min(k, most)):
        if k > most:
            state = mix(state)
            other = i + state % (k - i)
            usable[i], usable[other] = usable[other], usable[i]
    may = np.zeros(len(job.groups), bool)
    may[usable[: min(k, most)]] = True
    return may


def best_split(index, hist, counts, job):
    """Enter a node's best split into its record, the first of equals; none where it gains nothing."""
    leaf, rules, found = job.nodes[index], job.rules[0], job.found
    e = int((found["last"] - found["first"]).max())
    place = found["first"][:, None] + np.arange(e)
    inside = place < found["last"][:, None]
    place = np.where(inside, place, 0)
    wide, wide_counts = (np.where(inside, part[place], 0) for part in (hist, counts))
    gain, cut, missing, left = best_cuts(wide, wide_counts, leaf, rules, found)
    sets = {}
    for j in np.flatnonzero(found["categorical"]):
        gain[j], sets[j], left[j] = best_set(wide[j], wide_counts[j], leaf, rules)
    gain[~allowed(index, job)] = -np.inf
    j = int(gain.argmax())
    if bounded(leaf):
        score = bounded_score(*sums(leaf["total"], rules), leaf["value"], rules)
    else:
        score = score_of(*sums(leaf["total"], rules), rules["l1"], rules["l2"])
    gained = (gain[j] - score) / 2
    leaf["column"] = NONE
    if not gained > max(rules["min_gain"], 1e-12 * score):
        return
    m = int(found["last"][j] - found["first"][j]) - 1
    leaf["column"], leaf["gain"], leaf["sum_left"] = j, gained, left[j]
    leaf["cut"], leaf["missing"] = (0, 0) if j in sets else (cut[j], missing[j])
    leaf["bits"] = sets.get(j, 0)
    for code in range(m + 1):
        bit = np.uint64(1 << (code & 63))
        if j not in sets and (code <= cut[j] if code < m else missing[j] == 1):
            leaf["bits"][code >> 6] |= bit
        if wide_counts[j, code] == 0 and (code == m or j in sets):
            leaf["unseen"][code >> 6] |= bit
