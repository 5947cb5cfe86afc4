"""Binned data and jobs that the tree kernels' tests share."""

import numpy as np

from ml_core.kernels import records
from ml_core.kernels.bundle import bundle
from ml_core.kernels.formulas import units
from ml_core.kernels.plain_losses import pack, slopes


def some_codes(rng, n, d):
    """codes (n, d) and the number of bins of each column; the code after the last bin is missing."""
    bins = rng.integers(1, 255, d)
    codes = np.stack([rng.integers(0, b + 1, n) for b in bins], axis=1)
    if rng.random() < 0.4:
        codes = np.where(rng.random((n, d)) < 0.5, 0, codes)
    if rng.random() < 0.5:  # columns that share a bundle: away from 0 in rows of their own only
        few = rng.random(d) < 0.5
        bins = np.where(few, rng.integers(1, 60, d), bins)
        codes = np.where(few & (rng.integers(0, d + 1, n)[:, None] != np.arange(d)), 0, codes)
        codes = np.minimum(codes, bins)
    return codes.astype(np.uint8), bins


def some_job(rng, n, d, threads=1, **chosen):
    """A job on random rows with random rules, constraints, categories, weights and loss."""
    codes, bins = some_codes(rng, n, d)
    found = np.zeros(d, records.FOUND)
    found["bins"] = bins
    found["categorical"] = rng.random(d) < 0.3
    if rng.random() < 0.3:
        found["monotone"] = np.where(found["categorical"], 0, rng.integers(-1, 2, d))
    rules = np.zeros(1, records.RULES)
    drawn = {
        "min_hessian": rng.choice([0.0, 1e-3]), "cat_smooth": 10, "cat_l2": 10, "max_categories": 32,
        "cat_rows": rng.choice([1, 30]),
        "max_leaves": rng.choice([2, 5, 31, 0]), "min_rows": rng.choice([1, 5, 20]),
        "l2": rng.choice([0.0, 1.0]),
        "l1": rng.choice([0.0, 0.0, 0.5]), "max_depth": rng.choice([0, 4]), "seed": rng.integers(1000),
        "max_columns": d if rng.random() < 0.7 else max(1, d // 2),
    }  # fmt: skip
    for name, value in (drawn | chosen).items():
        rules[name] = value
    columns = np.ascontiguousarray(codes.T)
    bundled, shift = bundle(codes, columns, found)
    rules["shift"] = shift
    packed = some_packed(rng, codes[:, 0] / bins[0], rules)
    groups = (
        rng.integers(0, 4, (d, 1)).astype(np.uint64) if rng.random() < 0.2 else np.zeros((d, 0), np.uint64)
    )
    nodes, reach = records.new_nodes(2 * (int(rules["max_leaves"][0]) or n) - 1, groups.shape[1])
    slots, s = rng.choice([3, 70]), bundled.shape[1] << shift
    return records.Job(
        bundled, columns, packed, rules, found, found.copy(), nodes, groups, reach,
        np.arange(n, dtype=np.uint32), np.empty(n, np.uint32), np.empty((slots, s), np.int64),
        records.new_parts(threads, s), np.empty(256, np.int64),
        *records.room_for((len(nodes) + 1) // 2, slots, d),
    )  # fmt: skip


def some_packed(rng, signal, rules):
    """Packed gradients of a random loss; the rules get their units."""
    n = len(signal)
    raw, loss = rng.normal(size=n), int(rng.integers(7))
    y = np.abs(raw**2 + signal + rng.normal(size=n)) + 0.1
    y = (y > 1).astype(float) if loss == records.LOGISTIC else y
    weights = np.empty(0) if rng.random() < 0.5 else rng.integers(0, 3, n).astype(float)
    gradient, hessian, packed = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.int64)
    masses = slopes(loss, raw, (y, weights), 0.3, gradient, hessian)
    unit_g, unit_h = units(masses, n)
    pack(gradient, hessian, unit_g, unit_h, packed)
    rules["unit_g"], rules["unit_h"] = unit_g, unit_h
    rules["h_least"], rules["h_most"] = int(masses[3] / unit_h), int(masses[4] / unit_h + 1)
    return packed


def copied(job, threads=1):
    """The same job with room of its own."""
    own = {
        name: getattr(job, name).copy()
        for name in ("found", "twins", "nodes", "reach", "rows", "spare", "hists", "counts")
    }
    return job._replace(parts=records.new_parts(threads, job.hists.shape[1]), **own)
