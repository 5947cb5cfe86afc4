"""Bins and trees together: thresholds, files, tampering."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from random_trees import some_trees
from sklearn.datasets import load_iris

from ml_core.kernels import compiled, plain
from ml_core.models import trees_file
from ml_core.models.binning import Bins
from ml_core.models.ensemble import Ensemble
from ml_core.models.forest import RandomForestClassifier


def learned(seed=0, n=500, d=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X[:, 1], X[rng.random((n, d)) < 0.1] = rng.integers(0, 9, n), np.nan
    return X, Bins.learn(X, None, 30, np.array([False, True, False, False]), rng)


def fitted(seed=0):
    """An ensemble of random trees, their sets on the categorical column only."""
    X, bins = learned(seed)
    trees, _ = some_trees(np.random.default_rng(seed), 4, 1, bins.counts)
    sets = np.where(bins.categorical[trees.column], 0, -1).astype(np.int32)
    sets = np.where(
        trees.left == np.arange(len(sets)) - np.repeat(trees.start[:-1], np.diff(trees.start)), -1, sets
    )
    trees = trees._replace(
        set_of=sets.astype(np.int32), threshold=bins.thresholds(trees.column, trees.cut.astype(int))
    )
    return X, Ensemble(bins, trees, 2)


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_and_its_threshold_part_the_rows_alike(seed):
    X, bins = learned(seed)
    codes = bins.codes(X, plain)
    for j in (0, 2, 3):
        for cut in range(bins.counts[j]):
            edge = bins.thresholds(np.array([j]), np.array([cut]))[0]
            real = ~np.isnan(X[:, j])
            assert_array_equal(codes[real, j] <= cut, X[real, j] <= edge)
            assert (codes[~real, j] == bins.counts[j]).all()


@pytest.mark.parametrize("seed", range(5))
def test_few_rows_and_many_give_the_same_bits(seed):
    X, ensemble = fitted(seed)
    X[3, 1] = 99.0  # a category never seen
    many, few, coded = np.zeros((500, 2)), np.zeros((500, 2)), np.zeros((500, 2))
    ensemble.add(X, many)
    for i in range(0, 500, 4):
        ensemble.add(X[i : i + 4], few[i : i + 4])
    ensemble.add_coded(ensemble.bins.codes(X, compiled), coded, compiled)
    assert_array_equal(many, few)
    assert_array_equal(many, coded)
    alone = ensemble.leaves(X)
    raw = np.zeros((500, 2))
    for tree, column in enumerate(ensemble.trees.output):
        raw[:, column] += ensemble.trees.value[ensemble.trees.start[tree] + alone[:, tree], 0]
    assert_array_equal(raw, many)


def test_a_file_keeps_every_bit_and_what_was_said_of_it(tmp_path):
    X, ensemble = fitted()
    trees_file.save(ensemble, tmp_path / "trees", {"loss": "poisson"})
    loaded, about = trees_file.load(tmp_path / "trees")
    found = np.zeros((2, 500, 2))
    ensemble.add(X, found[0])
    loaded.add(X, found[1])
    assert_array_equal(*found)
    assert about == {"loss": "poisson"} and [path.name for path in tmp_path.iterdir()] == ["trees"]
    trees_file.save(loaded, tmp_path / "again", about)
    assert (tmp_path / "trees").read_bytes() == (tmp_path / "again").read_bytes()


def test_a_fitted_forest_is_written_as_its_trees(tmp_path):
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    trees_file.save(forest, tmp_path / "trees")
    raw = np.zeros((len(X), 3))
    trees_file.load(tmp_path / "trees")[0].add(X, raw)
    assert_array_equal(raw / 5, forest.predict_proba(X))


@pytest.mark.parametrize("name", ["column", "left", "set_of", "output", "start", "value", "sets"])
def test_a_tampered_file_is_refused(tmp_path, name):
    _, ensemble = fitted()
    array = getattr(ensemble.trees, name)
    changed = array[:-1] if name in ("value", "start") else array[:0] if name == "sets" else array + 1000
    ensemble.trees = ensemble.trees._replace(**{name: changed.astype(array.dtype)})
    trees_file.save(ensemble, tmp_path / "trees")
    with pytest.raises(ValueError, match="not a file of trees, or changed since it was written"):
        trees_file.load(tmp_path / "trees")
    with pytest.raises(ValueError, match="a tree points outside of itself"):
        pickle.loads(pickle.dumps(ensemble))


def test_a_cut_off_file_is_refused_and_a_missing_one_named(tmp_path):
    _, ensemble = fitted()
    trees_file.save(ensemble, tmp_path / "trees")
    whole = (tmp_path / "trees").read_bytes()
    (tmp_path / "trees").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a file of trees"):
        trees_file.load(tmp_path / "trees")
    with pytest.raises(FileNotFoundError, match="there is no file of trees"):
        trees_file.load(tmp_path / "nothing")


def test_bins_with_falling_edges_or_too_many_are_refused():
    with pytest.raises(ValueError, match="bins must have rising edges"):
        Bins([np.array([1.0, 0.0])], np.array([False]))
    with pytest.raises(ValueError, match="255 a column at most"):
        Bins([np.arange(255.0)], np.array([False]))
