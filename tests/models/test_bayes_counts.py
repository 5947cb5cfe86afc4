"""Naive Bayes of counts, of cells above a threshold, of categories: against scikit-learn's, and laws."""

import numpy as np
import pytest
import sklearn.naive_bayes as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from ml_core.kernels import counts
from ml_core.models.bayes_binary import BernoulliNB
from ml_core.models.bayes_categories import CategoricalNB
from ml_core.models.bayes_counts import ComplementNB, MultinomialNB
from ml_core.models.scoring import score_rest

MODELS = [MultinomialNB, ComplementNB, BernoulliNB, CategoricalNB]
OF_COUNTS = MODELS[:3]


def twin(model):
    return getattr(theirs, type(model).__name__)(**model.get_params())


def rows(seed, n=120, d=12, q=3):
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(q), rng.integers(q, size=n - q)]
    return rng.poisson(0.3 + 0.7 * rng.uniform(size=(q, d)))[y] + rng.poisson(0.4, (n, d)), y


def same(ours, other, X, but=()):
    names = {name for name in vars(other) if name.endswith("_")}
    assert names <= set(vars(ours)) and len(names) > 4
    assert_array_equal(ours.classes_, other.classes_)
    for name in names - {"classes_"} - set(but):
        one, two = getattr(ours, name), getattr(other, name)
        for a, b in zip(one, two, strict=True) if isinstance(two, list) else [(one, two)]:
            assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=name)
    assert_allclose(ours.predict_joint_log_proba(X), other.predict_joint_log_proba(X), rtol=1e-8, atol=1e-9)
    assert_allclose(ours.predict_proba(X), other.predict_proba(X), rtol=1e-6, atol=1e-12)
    assert_array_equal(ours.predict(X), other.predict(X))


OPTIONS = [
    {},
    {"alpha": 0.01, "fit_prior": False},
    {"alpha": 3.0, "class_prior": [0.2, 0.3, 0.5]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_everything_learned_is_scikit_learns(model, options):
    X, y = rows(0)
    weight = np.random.default_rng(1).uniform(size=len(y))
    names = np.array(["ham", "spam", "eggs"])[y]
    for labels, given_ in ((y, None), (y, weight), (names, None)):
        same(model(**options).fit(X, labels, given_), twin(model(**options)).fit(X, labels, given_), X)


@pytest.mark.parametrize("container", [csr_matrix, csr_array, np.asfortranarray])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int32, np.uint8, bool])
@pytest.mark.parametrize("model", OF_COUNTS)
def test_any_container_and_type(model, dtype, container):
    X, y = rows(1)
    X = container(X.astype(dtype))
    same(model().fit(X, y), twin(model()).fit(X, y), X)


@pytest.mark.parametrize(
    "model",
    [
        MultinomialNB(alpha=np.linspace(0.1, 2, 12)),
        ComplementNB(alpha=np.linspace(0.1, 2, 12), norm=True),
        ComplementNB(norm=True),
        BernoulliNB(binarize=1.0),
        CategoricalNB(min_categories=9),
        CategoricalNB(min_categories=[4, 5, 6, 7, 8, 9] * 2),
    ],
    ids=str,
)
def test_other_parameters(model):
    X, y = rows(2)
    same(model.fit(X, y), twin(model).fit(X, y), X)


def test_an_alpha_a_column_is_a_model_a_column():
    """scikit-learn's BernoulliNB takes an array of alpha and then fails on it."""
    X, y = rows(2)
    alpha = np.linspace(0.1, 2, 12)
    found = BernoulliNB(alpha=alpha).fit(X, y).feature_log_prob_
    for j in range(12):
        alone = theirs.BernoulliNB(alpha=alpha[j]).fit(X[:, [j]], y).feature_log_prob_
        assert_allclose(found[:, [j]], alone)


def test_cells_may_come_as_zeros_and_ones():
    X, y = rows(2)
    X = (X > 0).astype(float)
    same(BernoulliNB(binarize=None).fit(X, y), theirs.BernoulliNB(binarize=None).fit(X, y), X)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4), st.integers(-8, 8))
def test_any_shape_and_scale(seed, d, q, power):
    X, y = rows(seed, 40, d, q)
    X[0] = 1
    for model in OF_COUNTS:
        if model is ComplementNB and q == 1:
            continue  # the rest of one class is nothing: 0 / 0 in both
        ours, other = model(alpha=10.0**power), theirs.__dict__[model.__name__](alpha=10.0**power)
        same(ours.fit(X * 10.0**power, y), other.fit(X * 10.0**power, y), X * 10.0**power)


@pytest.mark.parametrize("model", MODELS)
def test_batches_add_up_to_one_fit(model):
    X, y = rows(3)
    X[100:, 0] += 3  # categories that come late
    whole, parts, other = model().fit(X, y), model(), twin(model())
    for part in np.array_split(np.arange(len(y)), 5):
        parts.partial_fit(X[part], y[part], classes=[0, 1, 2])
        other.partial_fit(X[part], y[part], classes=[0, 1, 2])
    same(parts, whole, X)
    same(parts, other, X, but=["n_categories_"])  # scikit-learn's are those of the last batch


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_may_lack_classes(model):
    X, y = rows(4)
    order = np.argsort(y, kind="stable")
    parts = model(min_categories=9) if model is CategoricalNB else model()
    for part in np.array_split(order, 4):
        parts.partial_fit(X[part], y[part], classes=[0, 1, 2])
    same(parts, twin(parts).fit(X, y), X)


@pytest.mark.parametrize("model", MODELS)
def test_weights_are_repetition_and_order_is_nothing(model):
    X, y = rows(5)
    rng = np.random.default_rng(0)
    weight, order = np.r_[1, 1, 1, rng.integers(0, 3, len(y) - 3)], rng.permutation(len(y))
    again = np.repeat(np.arange(len(y)), weight)
    options = {"min_categories": 9} if model is CategoricalNB else {}
    base = model(**options).fit(X, y, weight).predict_joint_log_proba(X)
    assert_allclose(model(**options).fit(X[again], y[again]).predict_joint_log_proba(X), base)
    assert_allclose(model(**options).fit(X[order], y[order], weight[order]).predict_joint_log_proba(X), base)


def slowly(model, X, y, candidates, folds, scorer):
    empty = np.full((len(candidates), len(folds)), np.nan)
    return score_rest(model, (X, y), (candidates, folds), scorer, empty)


GRIDS = {
    MultinomialNB: [{"alpha": a} for a in (0.0, 1e-12, 0.1, 1.0, 7.0)]
    + [{"alpha": 1e-12, "force_alpha": False}, {"fit_prior": False}, {"class_prior": [0.1, 0.2, 0.7]}]
    + [{"class_prior": [0.5, 0.5]}, {"alpha": -1}, {"alpha": np.linspace(0.1, 1, 12)}],
    ComplementNB: [{"alpha": a, "norm": norm} for a in (0.1, 1.0, 7.0) for norm in (False, True)],
    BernoulliNB: [{"alpha": a, "binarize": b} for a in (0.1, 1.0, 7.0) for b in (0.0, 1.0)],
    CategoricalNB: [{"alpha": a, "min_categories": m} for a in (0.1, 1.0) for m in (None, 12, 3)],
}


@pytest.mark.parametrize("cv", [StratifiedKFold(3), KFold(3), TimeSeriesSplit(4)], ids=lambda cv: str(cv)[:6])
@pytest.mark.parametrize("container", [np.asarray, csr_matrix])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.filterwarnings("ignore:.*got no score", "ignore:alpha too small", "ignore:The y_prob values")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_score_many_equals_one_fit_at_a_time(model, container, cv):
    X, y = rows(6)
    folds, X = list(cv.split(X, y)), container(X)
    if model is CategoricalNB and container is csr_matrix:
        pytest.skip("categories are dense, as scikit-learn's")
    for scorer in ("accuracy", "neg_log_loss", None):
        ours = model().score_many(X, y, GRIDS[model], folds, scorer)
        assert_allclose(ours, slowly(model(), X, y, GRIDS[model], folds, scorer), rtol=1e-6)
    ours = model().score_many(X, y, GRIDS[model], folds, "accuracy")
    assert_allclose(ours, slowly(twin(model()), X, y, GRIDS[model], folds, "accuracy"))
    assert np.isfinite(ours).any()


@pytest.mark.filterwarnings("ignore:.*got no score")
def test_a_grid_over_cells_that_are_no_counts_has_no_scores():
    X, y = rows(6)
    X[3, 3] = -1
    folds = list(KFold(2).split(X))
    for model in (MultinomialNB(), CategoricalNB()):
        with pytest.warns(UserWarning, match="Negative values"):
            scores = model.score_many(X, y, [{"alpha": 1.0}], folds, "accuracy")
        assert np.isnan(scores[0, 1]) or np.isnan(scores[0, 0])


@pytest.mark.parametrize("model", MODELS)
def test_batches_of_a_parquet_file_are_one_fit(model, tmp_path):
    """More rows than memory holds: a file is read a batch at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    X, y = load_digits(return_X_y=True)
    columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    pq.write_table(pa.table(columns | {"y": y}), tmp_path / "rows.parquet", row_group_size=300)
    options = {"min_categories": 17} if model is CategoricalNB else {}
    parts = model(**options)
    for batch in pq.ParquetFile(tmp_path / "rows.parquet").iter_batches(batch_size=250):
        cells = np.column_stack([batch[name].to_numpy() for name in columns])
        parts.partial_fit(cells, batch["y"].to_numpy(), classes=np.arange(10))
    same(parts, model(**options).fit(X, y), X)


X2, Y2 = np.array([[1, 0], [0, 2], [3, 1], [0, 1]]), np.array([0, 1, 0, 1])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, r"'alpha' parameter of \w+NB .*Got -1"),
        ({"fit_prior": 3}, "'fit_prior' parameter"),
        ({"class_prior": [1.0]}, "Number of priors must match number of classes: got 1, but there are 2"),
        ({"class_prior": [2.0, -1.0]}, "class_prior must be >= 0"),
    ],
)
def test_bad_parameters_are_named_with_what_is_allowed(model, options, message):
    with pytest.raises(ValueError, match=message):
        model(**options).fit(X2, Y2)


def refused(message, call, *arguments, **more):
    with pytest.raises(ValueError, match=message):
        call(*arguments, **more)


def test_bad_parameters_of_one_model():
    refused(r"alpha is an array.* Got 3 elements instead of 2", MultinomialNB(alpha=[1, 2, 3]).fit, X2, Y2)
    refused("All values in alpha must be >= 0, got -1", BernoulliNB(alpha=[1, -1]).fit, X2, Y2)
    refused("Cannot binarize a sparse matrix", _negative_threshold().fit, csr_matrix(X2), Y2)
    refused("integral type. Got float64", CategoricalNB(min_categories=[1.5, 2]).fit, X2, Y2)
    refused(r"shape \(2,\) when an array-like", CategoricalNB(min_categories=[2]).fit, X2, Y2)
    with pytest.warns(UserWarning, match="alpha too small"):
        MultinomialNB(alpha=0.0, force_alpha=False).fit(X2, Y2)


def _negative_threshold():
    model = BernoulliNB()
    model._parameter_constraints = {}
    return model.set_params(binarize=-1.0)


@pytest.mark.parametrize("large", [np.inf, 0], ids=["numpy", "compiled"])
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.nan, "Input X contains NaN"),
        (np.inf, "Input X contains infinity"),
        (-1, r"Negative values in data passed to \w+NB \(input X\)"),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_bad_cells(model, cell, message, large, monkeypatch):
    if model is BernoulliNB and cell == -1:
        pytest.skip("a cell below the threshold")
    monkeypatch.setattr(counts, "LARGE", large)
    fitted = model().fit(X2, Y2)
    X = X2.astype(float)
    X[2, 1] = cell
    for container in (np.array, csr_matrix)[: 1 if model is CategoricalNB else 2]:
        refused(message, model().fit, container(X), Y2)
        if cell != -1:
            refused(message, fitted.predict, container(X))


def test_bad_batches():
    model = MultinomialNB().partial_fit(X2, Y2, classes=[0, 1])
    before = model.feature_count_.copy()
    refused("classes must be given at the first call", MultinomialNB().partial_fit, X2, Y2)
    refused("y holds labels .7. that are not", model.partial_fit, X2, Y2 * 7)
    refused("classes must stay what they were", model.partial_fit, X2, Y2, classes=[0, 1, 2])
    refused("Negative values", model.partial_fit, -X2, Y2)
    refused("X has 1 features", model.partial_fit, X2[:, :1], Y2)
    refused("sample_weight must be >= 0", model.partial_fit, X2, Y2, sample_weight=[-1, 1, 1, 1])
    assert_array_equal(model.feature_count_, before)
    fresh = MultinomialNB()
    refused("Negative values", fresh.partial_fit, -X2, Y2, classes=[0, 1])
    assert not hasattr(fresh, "classes_")


def test_a_category_that_fit_never_saw_is_named():
    model = CategoricalNB().fit(X2, Y2)
    with pytest.raises(IndexError, match="column 0 has category 4 in row 1, but fit knew 0..3. Set min_cat"):
        model.predict(X2 + [[0, 0], [4, 0], [0, 0], [0, 0]])
    model.set_params(min_categories=5).fit(X2, Y2).predict(X2 + [[0, 0], [4, 0], [0, 0], [0, 0]])
