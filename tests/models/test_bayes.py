import numpy as np
import pytest
import sklearn.naive_bayes as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from ml_core.kernels import classsums
from ml_core.models.bayes import GaussianNB
from ml_core.models.labels import coded, encoded
from ml_core.models.scoring import score_rest

LOADERS = [load_iris, load_wine, load_breast_cancer, load_digits]


def same(ours, other, X, rtol=1e-8):
    for name in ("class_prior_", "class_count_", "theta_", "var_", "epsilon_"):
        assert_allclose(getattr(ours, name), getattr(other, name), rtol=rtol, atol=1e-14, err_msg=name)
    assert_array_equal(ours.predict(X), other.predict(X))
    assert_allclose(ours.predict_joint_log_proba(X), other.predict_joint_log_proba(X), rtol=1e-8)
    assert_allclose(ours.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("load", LOADERS)
def test_everything_learned_is_scikit_learns(load):
    X, y = load(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    for given_ in (None, weight):
        same(GaussianNB().fit(X, y, given_), theirs.GaussianNB().fit(X, y, given_), X)
    prior = np.full(len(np.unique(y)), 1 / len(np.unique(y)))
    same(GaussianNB(priors=prior).fit(X, y), theirs.GaussianNB(priors=prior).fit(X, y), X)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4), st.integers(-8, 8))
def test_any_shape_and_scale(seed, d, q, power):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(40, d)) + rng.normal(size=d)) * 10.0**power
    y = np.r_[np.arange(q), rng.integers(0, q, 40 - q)]
    same(GaussianNB().fit(X, y), theirs.GaussianNB().fit(X, y), X)


def test_classes_far_apart_keep_their_variance():
    """One centre for all classes would lose every digit of it; the rows are then read again."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    X = rng.normal(size=(600, 2)) + 1e7 * y[:, None]
    exact = np.array([X[y == k].var(axis=0) for k in range(3)])
    assert_allclose(GaussianNB(var_smoothing=0).fit(X, y).var_, exact, rtol=1e-7)


def test_batches_add_up_to_one_fit():
    X, y = load_wine(return_X_y=True)
    ours, other = GaussianNB(var_smoothing=0), theirs.GaussianNB(var_smoothing=0)
    for part in np.array_split(np.random.default_rng(0).permutation(len(y)), 7):
        ours.partial_fit(X[part], y[part], classes=[0, 1, 2])
        other.partial_fit(X[part], y[part], classes=[0, 1, 2])
    same(ours, other, X)
    same(ours, GaussianNB(var_smoothing=0).fit(X, y), X)


def test_a_batch_may_lack_classes():
    """Without smoothing, since scikit-learn takes the new epsilon off the old variances."""
    X, y = load_iris(return_X_y=True)
    ours, other = GaussianNB(var_smoothing=0), theirs.GaussianNB(var_smoothing=0)
    for model in (ours, other):
        model.partial_fit(X[:110], y[:110], classes=[0, 1, 2]).partial_fit(X[110:], y[110:])
    same(ours, other, X)
    smooth = GaussianNB().partial_fit(X[:110], y[:110], classes=[0, 1, 2]).partial_fit(X[110:], y[110:])
    assert_allclose(smooth.var_ - smooth.epsilon_, ours.var_, rtol=1e-9)


def test_batches_of_a_parquet_file_are_one_fit(tmp_path):
    """More rows than memory holds: a file is read a batch at a time."""
    import polars as pl
    import pyarrow.parquet as pq

    X, y = load_wine(return_X_y=True)
    frame = pl.DataFrame(X, schema=[f"x{j}" for j in range(13)])
    frame.with_columns(y=y).write_parquet(tmp_path / "rows.parquet", row_group_size=50)
    model = GaussianNB(var_smoothing=0)
    for batch in pq.ParquetFile(tmp_path / "rows.parquet").iter_batches(batch_size=40):
        part = pl.from_arrow(batch)
        model.partial_fit(part.drop("y"), part["y"].to_numpy(), classes=[0, 1, 2])
    same(model, GaussianNB(var_smoothing=0).fit(frame, y), frame)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6))
def test_laws(seed):
    rng = np.random.default_rng(seed)
    X, y, weight = rng.normal(size=(50, 3)), np.r_[0, 1, rng.integers(0, 2, 48)], rng.integers(0, 3, 50)
    weight[:2] = 1
    again, order = np.repeat(np.arange(50), weight), rng.permutation(50)
    base = GaussianNB(var_smoothing=0).fit(X, y, weight)
    for other in (
        GaussianNB(var_smoothing=0).fit(X[again], y[again]),
        GaussianNB(var_smoothing=0).fit(X[order], y[order], weight[order]),
    ):
        assert_allclose(other.var_, base.var_, rtol=1e-9, atol=1e-14)
        assert_allclose(other.class_prior_, base.class_prior_)
    moved = GaussianNB(var_smoothing=0).fit(X + 1e5, y, weight)
    assert_allclose(moved.var_, base.var_, rtol=1e-6, atol=1e-14)


def slowly(model, X, y, candidates, folds, scorer):
    empty = np.full((len(candidates), len(folds)), np.nan)
    return score_rest(model, (X, y), (candidates, folds), scorer, empty)


@pytest.mark.parametrize("cv", [StratifiedKFold(3), KFold(3), TimeSeriesSplit(4)], ids=str)
@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.filterwarnings("ignore:.*got no score", "ignore:The y_prob values")
def test_score_many_equals_one_fit_at_a_time(load, cv):
    X, y = load(return_X_y=True)
    candidates = [{"var_smoothing": v} for v in np.geomspace(1e-12, 1.0, 7)] + [{"var_smoothing": -1}]
    folds = list(cv.split(X, y))  # iris and wine in order: some folds lack a class
    for scorer in ("accuracy", "neg_log_loss", None):
        ours = GaussianNB().score_many(X, y, candidates, folds, scorer)
        assert_allclose(ours, slowly(GaussianNB(), X, y, candidates, folds, scorer), rtol=1e-6)
    ours = GaussianNB().score_many(X, y, candidates, folds, "accuracy")
    assert_allclose(ours, slowly(theirs.GaussianNB(), X, y, candidates, folds, "accuracy"))


X2, Y2 = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"var_smoothing": -1}, r"'var_smoothing' parameter of GaussianNB .*\[0\.0, inf\).*Got -1"),
        ({"priors": [1.0]}, "Number of priors must match number of classes: got 1, but there are 2"),
        ({"priors": [0.5, 0.6]}, "The sum of the priors should be 1, got 1.1"),
        ({"priors": [1.5, -0.5]}, "Priors must be non-negative"),
    ],
)
def test_bad_parameters_are_named_with_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        GaussianNB(**options).fit(X2, Y2)


@pytest.mark.parametrize("large", [np.inf, 0], ids=["numpy", "compiled"])
@pytest.mark.parametrize("cell", [np.nan, np.inf])
@pytest.mark.filterwarnings("error")
def test_a_cell_that_is_no_number_is_refused_as_by_scikit_learn(large, cell, monkeypatch):
    monkeypatch.setattr(classsums, "LARGE", large)
    X, model = X2.copy(), GaussianNB().fit(X2, Y2)
    X[4, 1] = cell
    for method in ("fit", "predict", "predict_joint_log_proba"):
        told = []
        for one in (model, theirs.GaussianNB().fit(X2, Y2)):
            with pytest.raises(ValueError, match="Input X contains") as error:
                getattr(one, method)(*(X, Y2)[: 2 if method == "fit" else 1])
            told.append(str(error.value))
        assert told[0] == told[1]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("large", [np.inf, 0], ids=["numpy", "compiled"])
def test_huge_cells_are_numbers(large, monkeypatch):
    monkeypatch.setattr(classsums, "LARGE", large)
    model, other = GaussianNB().fit(X2, Y2), theirs.GaussianNB().fit(X2, Y2)
    assert_array_equal(model.predict(X2 * 1e200), other.predict(X2 * 1e200))


@pytest.mark.parametrize("load", LOADERS)
def test_the_compiled_path_learns_the_same(load, monkeypatch):
    X, y = load(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    monkeypatch.setattr(classsums, "LARGE", 0)
    for given_ in (None, weight):
        same(GaussianNB().fit(X, y, given_), theirs.GaussianNB().fit(X, y, given_), X)


@pytest.mark.parametrize(
    "y",
    [
        np.array([True, False, True]),
        np.array([True, True]),
        np.array([-3, 5, 5, -3] * 9),
        np.array([-120, 127, 3] * 300, np.int8),
        np.array([2**63, 2**63 + 2] * 9, np.uint64),
        np.array([10**12, 5]),
        np.array(["b", "a", "b"]),
        np.array([1.0, 3.0, 1.0]),
    ],
    ids=lambda y: f"{y.dtype}-{len(y)}",
)
def test_labels_are_encoded_as_by_a_sort(y):
    classes, codes = encoded(y)
    assert_array_equal(classes, np.unique(y))
    assert classes.dtype == y.dtype
    assert_array_equal(classes[codes], y)
    more = np.unique(np.r_[y, y[:1]])
    assert_array_equal(more[coded(y, more)], y)


def test_bad_batches():
    with pytest.raises(ValueError, match="classes must be given at the first call"):
        GaussianNB().partial_fit(X2, Y2)
    model = GaussianNB().partial_fit(X2, Y2, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y holds labels \[7\] that are not among the classes \[0 1\]"):
        model.partial_fit(X2, Y2 * 7)
    with pytest.raises(ValueError, match="classes must stay what they were"):
        model.partial_fit(X2, Y2, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="sample_weight must be >= 0"):
        GaussianNB().fit(X2, Y2, [-1, 1, 1, 1, 1, 1])
