"""Support vector machines against scikit-learn's, by the laws they obey, and by what they refuse."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import svm as sklearn_svm
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.estimator_checks import check_estimator
from toys import scaled

from ml_core.models.linear_svm import LinearSVC, LinearSVR
from ml_core.models.svm import SVC, NuSVC

WEIGHTS = {
    name: "fits stop at tol=1e-3; scikit-learn excuses its own for the same reason"
    for name in (
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    )
}
EXCUSED = {
    "SVC": WEIGHTS,
    "NuSVC": WEIGHTS
    | {"check_class_weight_classifiers": "class_weight has no effect on nu-SVC; a warning says so"},
}


@pytest.mark.parametrize("model", [SVC(), NuSVC(), LinearSVC(), LinearSVR()], ids=lambda m: type(m).__name__)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(model):
    check_estimator(model, expected_failed_checks=EXCUSED.get(type(model).__name__, {}), on_skip=None)


KERNELS = [
    {},
    {"kernel": "linear"},
    {"kernel": "poly", "coef0": 1.0, "degree": 2},
    {"kernel": "sigmoid", "gamma": 0.01},
    {"gamma": 0.3, "C": 30.0},
]


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_svc_is_scikit_learns(load, options):
    X, y = scaled(load)
    ours = SVC(tol=1e-5, **options).fit(X, y)
    theirs = sklearn_svm.SVC(tol=1e-5, **options).fit(X, y)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=2e-3)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_array_equal(ours.n_support_, theirs.n_support_)
    assert_array_equal(ours.support_, theirs.support_)
    assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=2e-3)
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"kernel": "linear"}, {"kernel": "poly", "coef0": 1.0}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_nusvc_is_scikit_learns(options, weighted):
    X, y = scaled(load_wine)
    weight = np.random.default_rng(0).uniform(0.2, 2, len(y)) if weighted else None
    ours = NuSVC(nu=0.15, tol=1e-6, **options).fit(X, y, weight)
    theirs = sklearn_svm.NuSVC(nu=0.15, tol=1e-6, **options).fit(X, y, weight)
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    assert_allclose(ours.dual_coef_, theirs.dual_coef_, atol=1e-3)


@pytest.mark.parametrize("shape", ["ovo", "ovr"])
def test_weights_classes_and_shapes(shape):
    X, y = scaled(load_iris)
    y = np.array(["red", "green", "blue"])[y]
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    weight[:7] = 0
    options = {"class_weight": {"red": 3.0}, "decision_function_shape": shape, "tol": 1e-5}
    ours, theirs = (kind(**options).fit(X, y, weight) for kind in (SVC, sklearn_svm.SVC))
    assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-4)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert not set(ours.support_) & set(range(7))


def test_sparse_rows_are_dense_ones():
    X, y = scaled(load_wine)
    X = np.where(np.abs(X) > 0.5, X, 0)
    dense, sparse = SVC(gamma=0.05).fit(X, y), SVC(gamma=0.05).fit(csr_matrix(X), y)
    assert_allclose(dense.decision_function(X), sparse.decision_function(csr_matrix(X)), atol=2e-3)
    with pytest.raises(ValueError, match="trained on dense data"):
        dense.predict(csr_matrix(X))


def test_given_and_callable_kernels_are_the_linear_one():
    X, y = scaled(load_wine)
    plain = SVC(kernel="linear").fit(X, y)
    given = SVC(kernel="precomputed").fit(X @ X.T, y)
    called = SVC(kernel=lambda A, B: A @ B.T).fit(X, y)
    for scores in (given.decision_function(X @ X.T), called.decision_function(X)):
        assert_allclose(scores, plain.decision_function(X), atol=2e-3)
    coef = sklearn_svm.SVC(kernel="linear").fit(X, y).coef_
    assert_allclose(plain.coef_, coef, atol=2e-3)


def test_far_off_points_keep_their_distances():
    X, y = scaled(load_wine)
    near, far = SVC(gamma=0.1).fit(X, y), SVC(gamma=0.1).fit(X + 1e7, y)
    assert_allclose(near.decision_function(X), far.decision_function(X + 1e7), atol=5e-3)


def test_probabilities_are_calibrated_like_scikit_learns():
    X, y = scaled(load_wine)
    ours = SVC(probability=True, random_state=0).fit(X, y)
    proba = ours.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    with pytest.warns(FutureWarning):
        theirs = sklearn_svm.SVC(probability=True, random_state=0).fit(X, y).predict_proba(X)
    assert np.abs(proba - theirs).max() < 0.1  # folds are drawn differently
    assert_allclose(np.exp(ours.predict_log_proba(X)), proba)
    assert not hasattr(SVC().fit(X, y), "predict_proba")


@pytest.mark.parametrize("compiled", [2000, 100], ids=["whole", "blocks"])
def test_large_way_equals_small_way(compiled, monkeypatch):
    from ml_core.kernels import dual

    X, y = scaled(load_breast_cancer)
    small = SVC(tol=1e-6).fit(X, y)
    monkeypatch.setattr(dual, "PATIENCE", 20)
    monkeypatch.setattr(dual, "SMALL", compiled)
    monkeypatch.setattr(dual, "WORKING", 64)
    large = SVC(tol=1e-6).fit(X, y)
    assert_allclose(small.decision_function(X), large.decision_function(X), atol=1e-5)
    if compiled == 2000:
        assert_array_equal(small.dual_coef_, large.dual_coef_)  # step for step the same


def test_order_of_rows_does_not_matter():
    X, y = scaled(load_wine)
    turn = np.random.default_rng(0).permutation(len(y))
    one, two = SVC(tol=1e-6).fit(X, y), SVC(tol=1e-6).fit(X[turn], y[turn])
    assert_allclose(one.decision_function(X), two.decision_function(X), atol=1e-4)


@pytest.mark.parametrize(
    "model, candidates",
    [
        (SVC(), [{"C": C, "gamma": g} for C in (0.1, 10) for g in ("scale", 0.03)] + [{"kernel": "linear"}]),
        (NuSVC(), [{"nu": nu} for nu in (0.1, 0.3, 0.99)] + [{"nu": 0.2, "kernel": "poly", "coef0": 1.0}]),
    ],
    ids=["SVC", "NuSVC"],
)
@pytest.mark.parametrize("scorer", ["accuracy", "neg_log_loss_missing", "balanced_accuracy"])
@pytest.mark.filterwarnings("ignore:.*got no score")
def test_score_many_is_one_fit_at_a_time(model, candidates, scorer):
    X, y = scaled(load_wine)
    if scorer == "neg_log_loss_missing":
        scorer = lambda fitted, X, y: float(np.abs(fitted.decision_function(X)).mean())  # noqa: E731
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    found = model.score_many(X, y, candidates, folds, scorer)
    for i, candidate in enumerate(candidates):
        for j, (train, test) in enumerate(folds):
            if candidate.get("nu") == 0.99:
                assert np.isnan(found[i, j])
                continue
            fitted = clone(model).set_params(**candidate).fit(X[train], y[train])
            one = (y[test] == fitted.predict(X[test])).mean()
            if scorer == "accuracy":
                assert found[i, j] == one
            elif callable(scorer):
                assert_allclose(found[i, j], scorer(fitted, X[test], y[test]), rtol=1e-3)


def test_pickles_and_tied_votes():
    X, y = scaled(load_iris)
    model = SVC(break_ties=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    assert_array_equal(model.predict(X), sklearn_svm.SVC(break_ties=True).fit(X, y).predict(X))


SCRIPT = """
import hashlib, sys
import numpy as np
from ml_core.models.svm import SVC, NuSVC
from ml_core.models.linear_svm import LinearSVC
rng = np.random.default_rng(0)
X = rng.normal(size=(2500, 12)); y = (X[:, 0] * X[:, 1] + 0.3 * rng.normal(size=2500)) > 0
a = SVC().fit(X, y); b = NuSVC(nu=.3).fit(X[:1200], y[:1200])
c = LinearSVC().fit(X, y); d = LinearSVC(loss="hinge").fit(X, y)
rows = np.arange(300)
folds = [(rows[rows % 3 != k], rows[rows % 3 == k]) for k in range(3)]
score = lambda model, X, y: float(np.abs(model.decision_function(X)).mean())
e = SVC().score_many(X[:300], y[:300], [{"C": C} for C in (.1, 1, 10)], folds, score)
f = NuSVC().score_many(X[:300], y[:300], [{"nu": nu} for nu in (.2, .3, .4)], folds, score)
parts = [a.dual_coef_, a.decision_function(X), b.dual_coef_, c.coef_, d.coef_, e, f]
assert np.isfinite(e).all() and np.isfinite(f).all()
print(hashlib.sha256(b"".join(np.ascontiguousarray(p).tobytes() for p in parts)).hexdigest())
"""


def test_same_bits_at_one_and_two_threads():
    found = set()
    for count in "12":
        threads = {name: count for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | threads,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_small_fits_do_not_wait_for_a_compiler():
    code = (
        "import sys, numpy as np\n"
        "from ml_core.models.svm import SVC\n"
        "from ml_core.models.linear_svm import LinearSVC\n"
        "from ml_core.models.lasso import Lasso\n"
        "X = np.random.default_rng(0).normal(size=(500, 30)); y = X[:, 0] > 0\n"
        "SVC().fit(X, y); LinearSVC().fit(X, y); LinearSVC(loss='hinge').fit(X, y)\n"
        "Lasso(.1).fit(X, X[:, 0])\n"
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
