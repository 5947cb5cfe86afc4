from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from ml_core.models.logistic import LogisticRegression
from ml_core.models.scoring import score_rest

TABLES = Path(__file__).parents[2] / "../shared/data"
LOADERS = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def table(name):
    X, y = LOADERS[name](return_X_y=True)
    return (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12), y


def objective(model, X, y, weight=None):
    """scikit-learn's: C times the sum of losses plus half the squared coefficients."""
    loss = log_loss(y, model.predict_proba(X), sample_weight=weight, normalize=False)
    return model.C * loss + (model.coef_**2).sum() / 2


def exactly(C=1.0, solver="newton-cholesky", **options):
    return theirs.LogisticRegression(C=C, solver=solver, tol=1e-10, max_iter=1000, **options)


OPTIONS = [{}, {"C": 1e-3}, {"C": 100.0, "class_weight": "balanced"}, {"fit_intercept": False}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_coefficients_are_those_of_scikit_learn_run_to_the_end(name, options):
    X, y = table(name)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    ours, other = LogisticRegression(**options).fit(X, y, weight), exactly(**options).fit(X, y, weight)
    assert_allclose(ours.coef_, other.coef_, atol=1e-6 * np.abs(other.coef_).max())
    assert_allclose(ours.intercept_, other.intercept_, atol=1e-5)
    assert_allclose(ours.predict_proba(X), other.predict_proba(X), atol=1e-6)
    assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X), atol=1e-12)
    assert_array_equal(ours.predict(X), other.predict(X))
    assert ours.coef_.shape == other.coef_.shape and ours.intercept_.shape == other.intercept_.shape
    assert ours.n_iter_.shape == (1,)


@pytest.mark.parametrize("name", LOADERS)
def test_the_objective_is_never_worse_than_the_peers_at_its_tolerance(name):
    X, y = table(name)
    for C in (1e-2, 1.0):
        ours, other = (
            LogisticRegression(C=C).fit(X, y),
            theirs.LogisticRegression(C=C, max_iter=1000).fit(X, y),
        )
        assert objective(ours, X, y) <= objective(other, X, y) * (1 + 1e-9)


def test_many_rows_start_from_a_sample_and_end_at_the_same_minimum():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70_000, 6))
    y = rng.random(70_000) < 1 / (1 + np.exp(-X @ rng.normal(size=6) - 1))
    assert_allclose(LogisticRegression().fit(X, y).coef_, exactly().fit(X, y).coef_, rtol=1e-6)


@pytest.mark.skipif(not (TABLES / "adult.csv").exists(), reason="../shared/data/adult.csv is not here")
def test_adult():
    import polars as pl

    frame = pl.read_csv(TABLES / "adult.csv", infer_schema_length=None, null_values="?")
    X = frame.select(pl.selectors.numeric()).to_numpy()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = frame[:, -1].to_numpy()
    assert_allclose(LogisticRegression().fit(X, y).coef_, exactly().fit(X, y).coef_, rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 6), st.integers(-8, 8))
def test_any_shape_and_scale(seed, q, d, power):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, d))
    y = np.r_[np.arange(q), (X @ rng.normal(size=(d, q)) + rng.gumbel(size=(60, q))).argmax(axis=1)[q:]]
    C = 10.0 ** (-2 * power)  # the same problem in other units
    other = exactly(1.0).fit(X, y)
    ours = LogisticRegression(C=C).fit(X * 10.0**power, y)
    assert_allclose(ours.coef_ * 10.0**power, other.coef_, atol=2e-6 * (1 + np.abs(other.coef_).max()))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 3))
def test_laws(seed, q):
    rng = np.random.default_rng(seed)
    X, weight = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    y = np.r_[np.arange(q), rng.integers(0, q, 60 - q)]
    weight[:q] = 1
    again, order, columns = np.repeat(np.arange(60), weight), rng.permutation(60), rng.permutation(3)
    base = LogisticRegression().fit(X, y, weight).coef_
    for coef in (
        LogisticRegression().fit(X[again], y[again]).coef_,
        LogisticRegression().fit(X[order], y[order], weight[order]).coef_,
        LogisticRegression().fit(X + 1e4, y, weight).coef_,
    ):
        assert_allclose(coef, base, atol=1e-6)
    assert_allclose(LogisticRegression().fit(X[:, columns], y, weight).coef_, base[:, columns], atol=1e-6)


def test_means_that_dwarf_the_spread():
    X, y = table("breast_cancer")
    X = np.round(X * 1024) / 1024
    for labels in (y, y + (X[:, 0] > 0)):
        near, far = LogisticRegression().fit(X, labels), LogisticRegression().fit(X + 2.0**30, labels)
        assert_allclose(far.coef_, near.coef_, atol=1e-6)


@pytest.mark.parametrize(("d", "q"), [(30, 2), (300, 2), (2000, 2), (300, 3)])
def test_sparse_rows_give_the_coefficients_of_dense_ones(d, q):
    X = random_array((400, d), density=0.1, rng=np.random.default_rng(0), format="csr")
    y = np.random.default_rng(1).integers(0, q, 400)
    dense = LogisticRegression().fit(X.toarray(), y)
    sparse = LogisticRegression().fit(X, y)
    assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)
    assert_allclose(sparse.decision_function(csr_array(X)), dense.decision_function(X.toarray()), atol=1e-5)


def test_no_penalty():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = rng.random(300) < 1 / (1 + np.exp(-X[:, 0]))
    free = LogisticRegression(C=np.inf).fit(X, y)
    assert_allclose(free.coef_, exactly(np.inf).fit(X, y).coef_, atol=1e-6)
    twins = LogisticRegression(C=np.inf).fit(np.c_[X, X[:, 0]], y)  # no unique minimum: the shortest one
    assert_allclose(twins.coef_[0, [0, 3]], free.coef_[0, 0] / 2, atol=1e-6)
    with pytest.warns(FutureWarning, match="C=inf"):
        assert_allclose(LogisticRegression(penalty=None).fit(X, y).coef_, free.coef_)
    apart = LogisticRegression(C=np.inf).fit(X, X[:, 0] > 0)  # no minimum at all: it stops, all labels right
    assert apart.score(X, X[:, 0] > 0) == 1 and np.isfinite(apart.coef_).all()


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_warm_start_takes_a_step_or_two(name):
    X, y = table(name)
    model = LogisticRegression(warm_start=True).fit(X, y)
    cold, coef = model.n_iter_[0], model.coef_
    assert model.fit(X, y).n_iter_[0] < cold / 2
    assert_allclose(model.coef_, coef, atol=1e-6)
    with pytest.raises(ValueError, match="warm_start: coef_ of the last fit has shape"):
        model.fit(X[:, :3], y)


def slowly(model, X, y, candidates, folds, scorer):
    empty = np.full((len(candidates), len(folds)), np.nan)
    return score_rest(model, (X, y), (candidates, folds), scorer, empty)


CANDIDATES = [{"C": C} for C in np.geomspace(1e-3, 1e2, 4)] + [{"C": 1.0, "fit_intercept": False}]


@pytest.mark.parametrize("weight", [None, "balanced", {0: 2.0}])
@pytest.mark.parametrize(
    "cv", [StratifiedKFold(3), TimeSeriesSplit(2), ShuffleSplit(2, random_state=0)], ids=str
)
@pytest.mark.parametrize("name", ["iris", "breast_cancer"])
def test_score_many_equals_one_fit_at_a_time(name, cv, weight):
    X, y = table(name)
    order = np.random.default_rng(0).permutation(len(y))
    X, y, model = X[order], y[order], LogisticRegression(class_weight=weight)
    folds = list(cv.split(X, y))
    for scorer in ("accuracy", "neg_log_loss"):
        ours = model.score_many(X, y, CANDIDATES, folds, scorer)
        assert_allclose(ours, slowly(model, X, y, CANDIDATES, folds, scorer), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*got no score")
def test_score_many_of_folds_without_a_class_and_of_bad_candidates():
    X, y = load_iris(return_X_y=True)  # in order: each third is one class
    candidates = [
        {"C": 1.0},
        {"C": -1.0},
        {"C": np.inf, "tol": 1e-2},
        {"C": 1.0, "l1_ratio": 1.0},
        {"C": 1, "max_iter": 60},
    ]
    folds = [*KFold(3).split(X), (np.arange(50), np.arange(50, 60)), (np.r_[0:150, 0:150], np.arange(20))]
    scores = LogisticRegression().score_many(X, y, candidates, folds, "accuracy")
    assert_allclose(scores, slowly(LogisticRegression(), X, y, candidates, folds, "accuracy"))
    assert (
        np.isnan(scores[1]).all()
        and np.isnan(scores[:, 3]).all()
        and np.isfinite(scores[np.ix_([0, 3], [0, 1, 2, 4])]).all()
    )


def test_score_many_of_labels_that_are_words_and_many_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 4))
    y = np.where(rng.random(12_000) < 1 / (1 + np.exp(-X[:, 0] - 1)), "yes", "no")
    folds, candidates = list(KFold(5).split(X)), [{"C": C} for C in np.geomspace(1e-5, 1e3, 6)]
    ours = LogisticRegression().score_many(X, y, candidates, folds, "neg_log_loss")
    assert_allclose(ours, slowly(LogisticRegression(), X, y, candidates, folds, "neg_log_loss"), rtol=1e-7)


@pytest.mark.parametrize("folds", [1, 3])
def test_score_many_of_strengths_so_near_that_most_start_between_others(folds):
    X, y = table("breast_cancer")
    candidates = [{"C": C} for C in np.random.default_rng(0).permutation(np.geomspace(1e-3, 1e3, 40))]
    candidates += [candidates[0], {"C": 1e3}, {"C": 1e3}]
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))[:folds]
    twice = LogisticRegression().score_many(X, y, [{"C": 0.5}] * 2, folds, "neg_log_loss")
    assert_array_equal(twice[0], twice[1])
    for scorer in ("neg_log_loss", "roc_auc", get_scorer("roc_auc")):
        ours = LogisticRegression().score_many(X, y, candidates, folds, scorer)
        assert_allclose(ours, slowly(LogisticRegression(), X, y, candidates, folds, scorer), rtol=1e-6)


X2, Y2 = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"C": 0}, r"'C' parameter of LogisticRegression .*\(0\.0, inf\].*Got 0"),
        ({"l1_ratio": 1.5}, "'l1_ratio' parameter"),
        ({"penalty": "elasticnet", "l1_ratio": None}, "penalty='elasticnet' needs l1_ratio"),
        ({"dual": True}, "set dual=False"),
        ({"solver": "liblinear"}, "leave solver at 'lbfgs'"),
        ({"solver": "magic"}, "'solver' parameter of LogisticRegression"),
        ({"max_iter": -1}, "'max_iter' parameter"),
    ],
)
def test_bad_parameters_are_named_with_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**options).fit(X2, Y2)


def test_bad_rows():
    with pytest.raises(ValueError, match="y holds one class only, 0;"):
        LogisticRegression().fit(X2, np.zeros(6, int))
    with pytest.raises(ValueError, match="every row of class 1 has weight 0"):
        LogisticRegression().fit(X2, Y2, 1 - Y2)
    with pytest.raises(ValueError, match="Unknown label type"):
        LogisticRegression().fit(X2, X2[:, 0] / 7)


@pytest.mark.parametrize("q", [2, 3])
def test_stopping_early_says_what_to_change(q):
    X, y = table("wine")
    with pytest.warns(
        ConvergenceWarning, match="stopped at max_iter=2 .*scale the columns, lower C, or raise max_iter"
    ):
        LogisticRegression(max_iter=2).fit(X, np.minimum(y, q - 1))


@pytest.fixture
def compiled(monkeypatch):
    """Let few rows, too, take the compiled passes of many."""
    monkeypatch.setattr("ml_core.kernels.newton.COMPILED", 1)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_compiled_passes_fit_as_those_of_few_rows(compiled, monkeypatch, options, kind):
    X, y = table("breast_cancer")
    X = X.astype(kind)
    ours = LogisticRegression(**options).fit(X, y)
    monkeypatch.undo()
    plain = LogisticRegression(**options).fit(X, y)
    assert_allclose(ours.coef_, plain.coef_, rtol=1e-5, atol=1e-6)
    assert_allclose(ours.intercept_, plain.intercept_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"max_iter": 0}, {"l1_ratio": 0.5, "solver": "saga"}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("q", [2, 3])
def test_a_bad_cell_of_many_rows_is_found_whatever_the_way(compiled, options, bad, q):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 4)), np.arange(300) % q
    X[173, 2] = bad
    with pytest.raises(ValueError, match="X contains (NaN|infinity)"):
        LogisticRegression(**options).fit(X, y, sample_weight=np.arange(300) != 173)
