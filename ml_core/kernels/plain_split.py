"""The best split of a leaf in NumPy: all columns and bins of a leaf at once.

Letters: d columns, e = 1 << shift slots of a column; G, H sums of gradient and hessian.
"""

import numpy as np

from ml_core.kernels.formulas import LOW32, TINY, bounded_score, score_of, value_of
from ml_core.kernels.records import FEW, NONE

WORD = (1 << 64) - 1


def sums(total, rules):
    """Packed total -> G, H."""
    return (total >> 32) * rules["unit_g"], (total & LOW32) * rules["unit_h"]


def bounded_gain(left, leaf, rules, direction):
    """Sum of the children's scores where their values are bounded or ordered; -inf where the order is
    wrong.
    """
    l1, l2 = rules["l1"], rules["l2"]
    (G, H), (GL, HL) = sums(leaf["total"], rules), sums(left, rules)
    with np.errstate(over="ignore", invalid="ignore"):  # of cuts that room will refuse
        low = np.minimum(np.maximum(value_of(GL, HL, l1, l2), leaf["low"]), leaf["high"])
        high = np.minimum(np.maximum(value_of(G - GL, H - HL, l1, l2), leaf["low"]), leaf["high"])
        gain = bounded_score(GL, HL, low, l1, l2) + bounded_score(G - GL, H - HL, high, l1, l2)
    return np.where(direction * (high - low) < 0, -np.inf, gain)


def free_gain(left, leaf, rules, l2):
    """Sum of the children's scores where nothing binds them."""
    (G, H), (GL, HL) = sums(leaf["total"], rules), sums(left, rules)
    return score_of(GL, HL, rules["l1"], l2) + score_of(G - GL, H - HL, rules["l1"], l2)


def bounded(leaf):
    """Whether a leaf's value has bounds."""
    return leaf["low"] != -np.inf or leaf["high"] != np.inf


def roomy(left, rows, leaf, rules):
    """Whether both children have rows and hessian enough."""
    HL, H = left & LOW32, leaf["total"] & LOW32
    enough = np.minimum(HL, H - HL) * rules["unit_h"] >= rules["min_hessian"]
    return enough & (np.minimum(rows, leaf["rows"] - rows) >= rules["min_rows"])


def best_cuts(hist, counts, leaf, rules, found):
    """hist, counts (d, e) of numeric columns -> gain, cut, missing left?, packed left sum, each (d,)."""
    d, e = hist.shape
    m = found["bins"][:, None]
    missing, missing_rows = (np.take_along_axis(part, m, axis=1) for part in (hist, counts))
    lefts, rows = np.cumsum(hist, axis=1)[:, None], np.cumsum(counts, axis=1)[:, None]
    end = np.where(missing == 0, m - 1, m)[:, None]
    if missing.any():  # missing values to the left as well
        more = (missing[:, None], missing_rows[:, None])
        lefts, rows = (
            np.concatenate([own, own + add], axis=1) for own, add in zip((lefts, rows), more, strict=True)
        )
        end = np.stack([end[:, 0], np.where(missing == 0, 0, m - 1)], axis=1)
    fits = (np.arange(e) < end) & roomy(lefts, rows, leaf, rules)
    direction = found["monotone"].astype(np.int64)[:, None, None]
    gain = free_gain(lefts, leaf, rules, rules["l2"])
    if bounded(leaf) or direction.any():
        bound = bounded_gain(lefts, leaf, rules, direction)
        gain = bound if bounded(leaf) else np.where(direction == 0, gain, bound)
    gain = np.where(fits, gain, -np.inf).reshape(d, -1)
    at = gain.argmax(axis=1)[:, None]
    best, left = (np.take_along_axis(part.reshape(d, -1), at, axis=1)[:, 0] for part in (gain, lefts))
    return best, at[:, 0] % e, at[:, 0] // e, left


def penalty(column, rules):
    """The l2 penalty on the values of a split's children."""
    return rules["l2"] + (rules["cat_l2"] if column["categorical"] and column["bins"] > FEW else 0.0)


def likely_rows(packed, leaf):
    """About how many rows packed sums of a leaf stand for."""
    share = (packed & LOW32) / max(leaf["total"] & LOW32, 1)
    return np.asarray(share * leaf["rows"] + 0.5).astype(np.int64)


def grouped(sizes, least):
    """sizes (k,) -> where ``least`` have come together since the last such place (k,) bool."""
    fits, group = np.zeros(len(sizes), bool), 0
    for i, size in enumerate(sizes):
        group += size
        if group >= least:
            fits[i], group = True, 0
    return fits


def best_set(hist, counts, leaf, rules, many):
    """As ``best_cuts`` for one categorical column, hist, counts (e,); many: whether it has more than FEW bins
    -> gain, bits (4,) uint64, left sum.
    """
    h, smooth = (hist & LOW32) * rules["unit_h"], rules["cat_smooth"] if many else rules["l2"]
    worth = (hist != 0) & ~(many & (likely_rows(hist, leaf) < rules["cat_smooth"]))
    places = np.flatnonzero(worth)
    keys = (hist[places] >> 32) * rules["unit_g"] / np.maximum(h[places] + smooth, TINY)
    order = places[np.argsort(keys, kind="stable")]
    k = len(order)
    length = min((k + 1) // 2, int(rules["max_categories"]))
    ends = np.concatenate([order[:length], order[::-1][:length]]).reshape(2, length)
    lefts, rows = np.cumsum(hist[ends], axis=1), np.cumsum(counts[ends], axis=1)
    if bounded(leaf):
        gain = bounded_gain(lefts, leaf, rules, 0)
    else:
        gain = free_gain(lefts, leaf, rules, rules["l2"] + (rules["cat_l2"] if many else 0.0))
    fits = roomy(lefts, rows, leaf, rules) & (lefts != leaf["total"])
    if many:
        fits &= [grouped(likely_rows(hist[end], leaf), rules["cat_rows"]) for end in ends]
        fits &= likely_rows(leaf["total"] - lefts, leaf) >= rules["cat_rows"]
    gain = np.where(fits, gain, -np.inf).ravel()
    bits = np.zeros(4, np.uint64)
    if not len(gain) or gain.max() == -np.inf:
        return -np.inf, bits, 0
    side, last = divmod(int(gain.argmax()), length)
    for code in ends[side, : last + 1]:
        bits[code >> 6] |= np.uint64(1 << (int(code) & 63))
    return gain.max(), bits, lefts[side, last]


def mix(x):
    """As ``formulas.mix``, for a whole number: NumPy warns where a single one wraps."""
    x = (x + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def allowed(index, job):
    """Columns a node may split on: those of its interaction groups, a random max_columns of them (d,)
    bool.
    """
    words, most = job.groups.shape[1], int(job.rules[0]["max_columns"])
    usable = np.ones(len(job.groups), bool) if words == 0 else (job.groups & job.reach[index]).any(axis=1)
    usable = np.flatnonzero(usable).tolist()
    k = len(usable)
    if k > most:
        state = mix(int(job.rules[0]["seed"]) ^ mix(index))
        for i in range(most):
            state = mix(state)
            other = i + state % (k - i)
            usable[i], usable[other] = usable[other], usable[i]
    may = np.zeros(len(job.groups), bool)
    may[usable[:most]] = True
    return may


def best_split(index, hist, counts, job):
    """Enter a node's best split into its record, the first of equals; none where it gains nothing."""
    leaf, rules, found = job.nodes[index], job.rules[0], job.found
    hist, counts = hist.reshape(len(found), -1), counts.reshape(len(found), -1)
    gain, cut, missing, left = best_cuts(hist, counts, leaf, rules, found)
    may = allowed(index, job)
    sets = {}
    for j in np.flatnonzero(found["categorical"] & may):
        many = found["bins"][j] > FEW
        gain[j], sets[j], left[j] = best_set(hist[j], counts[j], leaf, rules, many)
    gain[~may] = -np.inf
    j = int(gain.argmax())
    G, H = sums(leaf["total"], rules)
    if bounded(leaf):
        score = bounded_score(G, H, leaf["value"], rules["l1"], rules["l2"])
    else:
        score = score_of(G, H, rules["l1"], rules["l2"])
    gained = (gain[j] - score) / 2
    if not gained > max(rules["min_gain"], 1e-12 * score):
        return
    leaf["column"], leaf["gain"], leaf["sum_left"] = j, gained, left[j]
    m = int(found["bins"][j])
    if j in sets:
        leaf["bits"] = sets[j]
        unseen = np.flatnonzero(counts[j, : m + 1] == 0)
    else:
        leaf["cut"], leaf["missing"] = cut[j], missing[j]
        leaf["bits"] = words((1 << int(cut[j]) + 1) - 1 | int(missing[j]) << m)
        unseen = [m] if counts[j, m] == 0 else []
    leaf["unseen"] = bits_of(unseen)


def bits_of(codes):
    """The set of some codes as (4,) uint64."""
    return words(sum(1 << int(code) for code in codes))


def words(whole):
    """A whole number below 2**256 as (4,) uint64."""
    return np.array([whole >> 64 * word & WORD for word in range(4)], np.uint64)


def forget(node):
    """Leave a node without a split."""
    for name, value in (("column", NONE), ("left", 0), ("cut", 0), ("missing", 0), ("gain", -np.inf)):
        node[name] = value
    node["bits"], node["unseen"] = 0, 0
