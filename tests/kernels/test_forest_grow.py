"""Trees against a slow twin anyone can verify by eye, and the laws that hold for any of them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ml_core.kernels import forest_grow
from ml_core.kernels import forest_records as records
from ml_core.models import forest_job
from ml_core.models.forest_job import Limits, Target

SHIFT = 40


def tree_of(codes, target, weight=None, missing=255, key=1, **limits):
    """codes (n, d) -> Grown; all columns looked at unless limits say otherwise."""
    n, d = codes.shape
    limits = Limits(**{"criterion": "gini" if target.q else "squared_error", "columns": d} | limits)
    rows, what, heavy, sums, unit = forest_job.packed(
        target, np.ones(n) if weight is None else np.asarray(weight, float), SHIFT
    )
    total = int((sums if target.q else sums[1:]).sum()) & ((1 << SHIFT) - 1)
    rules = forest_job.rules_of(limits, target, SHIFT, total)
    columns = np.ascontiguousarray(codes.T.astype(np.uint8))
    job = records.Job(
        columns, columns.reshape(-1), np.full(d, missing, np.uint8), np.zeros(d, np.int8), rows, what, heavy
    )
    nodes, stats = forest_job.root_of(len(rows), sums, key)
    m = forest_grow.grow(job, rules, nodes, stats, records.new_room(len(rows), d, rules, True))
    return forest_job.Grown(nodes[:m], stats[:m], unit, SHIFT)


def slow_gain(y, left, criterion):
    """By how much parting y lowers rows times impurity."""

    def disorder(y):
        if criterion == "squared_error":
            return ((y - y.mean()) ** 2).sum()
        share = np.bincount(y) / len(y)
        share = share[share > 0]
        return len(y) * (1 - (share**2).sum() if criterion == "gini" else -(share * np.log2(share)).sum())

    return disorder(y) - disorder(y[left]) - disorder(y[~left])


def slow_best(codes, y, criterion, min_leaf):
    """The largest gain of any cut of any column; -1 where none may be."""
    best = -1.0
    for j in range(codes.shape[1]):
        for cut in np.unique(codes[:, j])[:-1]:
            left = codes[:, j] <= cut
            if min(left.sum(), (~left).sum()) >= min_leaf:
                best = max(best, slow_gain(y, left, criterion))
    return best


def check_by_eye(codes, y, grown, target, criterion, min_leaf=1):
    """Follow the rows down: every split gains the most there is, every leaf is one that must be."""
    nodes, waiting = grown.nodes, [(0, np.arange(len(y)))]
    scale = target.unit**2 if criterion == "squared_error" else 1.0
    while waiting:
        at, rows = waiting.pop()
        node, own = nodes[at], y[rows]
        assert node["rows"] == len(rows)
        if node["left"] < 0:
            pure = len(np.unique(own)) == 1
            assert pure or slow_best(codes[rows], own, criterion, min_leaf) < 0
            continue
        left = codes[rows, node["column"]] <= node["cut"]
        assert min(left.sum(), (~left).sum()) >= min_leaf
        assert node["gain"] * scale == pytest.approx(slow_gain(own, left, criterion), abs=1e-8, rel=1e-8)
        best = slow_best(codes[rows], own, criterion, min_leaf)
        assert node["gain"] * scale == pytest.approx(best, abs=1e-8, rel=1e-8)
        waiting += [(node["left"], rows[left]), (node["left"] + 1, rows[~left])]


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("q", [2, 3])
@pytest.mark.parametrize("min_leaf", [1, 7])
def test_every_split_of_classes_is_the_best_there_is(criterion, q, min_leaf):
    rng = np.random.default_rng(q)
    codes = rng.integers(0, 12, (120, 3))
    y = (codes[:, 0] + rng.integers(0, 8, 120)) % q
    target = Target(y, q)
    grown = tree_of(codes, target, criterion=criterion, leaf=min_leaf, split=2)
    check_by_eye(codes, y, grown, target, criterion, min_leaf)


@pytest.mark.parametrize("n", [90, 700])  # the larger one keeps histograms for its children
def test_every_split_of_values_is_the_best_there_is(n):
    rng = np.random.default_rng(n)
    codes = rng.integers(0, 200, (n, 2))
    y = codes[:, 0] * 0.1 + rng.normal(size=n)
    target = Target.of_values(y, None, "squared_error", None)
    grown = tree_of(codes, target, depth=4, leaf=5, split=10)
    nodes = grown.nodes
    shallow = nodes["depth"] < 4
    waiting = [(0, np.arange(n))]
    while waiting:
        at, rows = waiting.pop()
        node = nodes[at]
        if not shallow[at] or node["left"] < 0:
            continue
        left = codes[rows, node["column"]] <= node["cut"]
        best = slow_best(codes[rows], y[rows], "squared_error", 5)
        assert node["gain"] * target.unit**2 == pytest.approx(best, rel=1e-8)
        waiting += [(node["left"], rows[left]), (node["left"] + 1, rows[~left])]


def test_the_poisson_criterion_is_the_deviance():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (80, 1))
    y = rng.poisson(1 + codes[:, 0]).astype(float)
    target = Target.of_values(y, None, "poisson", None)
    root = tree_of(codes, target, criterion="poisson", depth=1).nodes[0]

    def deviance(y):
        return (np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y * np.log(y.mean())).sum()

    best = max(
        deviance(y) - deviance(y[codes[:, 0] <= cut]) - deviance(y[codes[:, 0] > cut]) for cut in range(5)
    )
    assert root["gain"] * target.unit == pytest.approx(best, rel=1e-9)


def same(a, b):
    """Whether two trees ask the same and hold the same sums."""
    for name in ("column", "left", "cut", "missing_left"):
        assert_array_equal(a.nodes[name], b.nodes[name])
    mask = (1 << SHIFT) - 1
    assert_array_equal(a.sums & mask, b.sums & mask)


@pytest.mark.parametrize("q", [0, 2, 4])
@pytest.mark.parametrize("columns", [2, 5])
def test_parent_is_left_and_right_and_no_order_of_rows_shows(q, columns):
    rng = np.random.default_rng(q)
    codes = rng.integers(0, 255, (1500, 5))
    y = rng.integers(0, max(q, 2), 1500)
    target = Target(y, q) if q else Target.of_values(y + rng.normal(size=1500), None, "squared_error", None)
    grown = tree_of(codes, target, columns=columns)
    inner = np.flatnonzero(grown.nodes["left"] >= 0)
    left = grown.nodes["left"][inner]
    assert_array_equal(grown.sums[inner], grown.sums[left] + grown.sums[left + 1])
    order = rng.permutation(1500)
    other = Target(target.what[order], q, target.center, target.unit)
    same(grown, tree_of(codes[order], other, columns=columns))


@pytest.mark.parametrize("q", [0, 3])
def test_a_weight_of_two_is_a_row_twice(q):
    rng = np.random.default_rng(1)
    codes, y = rng.integers(0, 30, (300, 3)), rng.integers(0, 3, 300)
    twice = rng.integers(1, 3, 300)
    target = Target(y, q) if q else Target.of_values(y * 1.7, None, "squared_error", None)
    repeated = Target(np.repeat(target.what, twice), q, target.center, target.unit)
    same(tree_of(codes, target, twice), tree_of(np.repeat(codes, twice, axis=0), repeated))


def test_a_rising_map_of_codes_changes_cuts_only():
    rng = np.random.default_rng(2)
    codes, y = rng.integers(0, 100, (400, 3)), rng.integers(0, 2, 400)
    a, b = tree_of(codes, Target(y, 2)), tree_of(codes * 2 + 1, Target(y, 2))
    assert_array_equal(a.nodes["column"], b.nodes["column"])
    assert_array_equal(a.nodes["rows"], b.nodes["rows"])


@pytest.mark.parametrize("random", [False, True])
def test_missing_values_go_where_they_gain(random):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 50, (500, 2))
    lost = rng.random(500) < 0.3
    codes[lost, 0] = 255
    grown = tree_of(codes, Target(lost.astype(int), 2), random=random)
    if not random:
        root = grown.nodes[0]  # being missing says it all: one split
        assert len(grown.nodes) == 3 and root["column"] == 0
        assert (root["missing_left"] == 0) and root["cut"] == 254
    assert (np.count_nonzero(grown.sums[grown.nodes["left"] < 0], axis=1) == 1).all()


def test_best_first_takes_the_largest_gains_of_the_whole_tree():
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 255, (900, 4))
    y = ((codes[:, 0] > 90) ^ (codes[:, 1] > 130)).astype(int)
    y = np.where(rng.random(900) < 0.1, 1 - y, y)
    whole, few = tree_of(codes, Target(y, 2)), tree_of(codes, Target(y, 2), leaves=9)
    assert (few.nodes["left"] < 0).sum() == 9
    nodes, front, gains = whole.nodes, [0], []
    while len(gains) < 8:
        best = max(front, key=lambda at: nodes["gain"][at] if nodes["left"][at] >= 0 else -1)
        front.remove(best)
        front += [nodes["left"][best], nodes["left"][best] + 1]
        gains.append(nodes["gain"][best])
    assert sorted(gains) == pytest.approx(sorted(few.nodes["gain"][few.nodes["left"] >= 0]))


def test_random_cuts_lie_between_the_codes_of_a_node():
    rng = np.random.default_rng(5)
    codes, y = rng.integers(10, 90, (300, 2)), rng.integers(0, 2, 300)
    roots = [tree_of(codes, Target(y, 2), key=key, random=True, depth=1).nodes[0] for key in range(60)]
    cuts = np.array([root["cut"] for root in roots])
    assert cuts.min() >= 10 and cuts.max() < 90 and len(np.unique(cuts)) > 20


def test_one_row_and_constant_columns_give_a_leaf():
    assert len(tree_of(np.zeros((1, 2), int), Target(np.zeros(1, int), 2)).nodes) == 1
    assert len(tree_of(np.zeros((9, 2), int), Target(np.arange(9) % 2, 2)).nodes) == 1
