"""What the vector machines refuse, and what they warn of."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from toys import scaled

from ml_core.models.linear_svm import LinearSVC, LinearSVR
from ml_core.models.svm import SVC, NuSVC

REFUSED = [
    (SVC(C=-1), "C.*SVC"),
    (SVC(gamma=-1.0), "gamma"),
    (SVC(kernel="nonsense"), "kernel"),
    (SVC(decision_function_shape="ovo", break_ties=True), "break_ties must be False"),
    (NuSVC(nu=0.99), "specified nu is infeasible: nu=0.99.*allows at most"),
    (NuSVC(nu=0), "nu"),
    (LinearSVC(penalty="l1"), "penalty='l1' is not supported: use"),
    (LinearSVC(multi_class="crammer_singer"), "crammer_singer.*not supported"),
    (LinearSVC(loss="hinge", dual=False), "Unsupported set of arguments"),
    (LinearSVC(C=0.0), "C"),
    (LinearSVR(dual=False), "Unsupported set of arguments"),
    (LinearSVR(epsilon=-1.0), "epsilon"),
]


@pytest.mark.parametrize("model, message", REFUSED, ids=str)
def test_bad_parameters(model, message):
    X, y = scaled(load_wine)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y).predict(X)


@pytest.mark.parametrize("model", [SVC(), NuSVC(), LinearSVC()], ids=lambda m: type(m).__name__)
def test_bad_rows(model):
    X, y = scaled(load_wine)
    for bad, message in ((np.nan, "NaN"), (np.inf, "infinity")):
        broken = X.copy()
        broken[3, 2] = bad
        with pytest.raises(ValueError, match=message):
            clone(model).fit(broken, y)
    with pytest.raises(ValueError, match="class"):
        clone(model).fit(X, np.zeros(len(y)))
    with pytest.raises(ValueError, match="could not convert"):
        clone(model).fit(np.full((len(y), 2), "text"), y)
    with pytest.raises(NotFittedError):
        clone(model).predict(X)
    with pytest.raises(ValueError, match="features"):
        clone(model).fit(X, y).predict(X[:, :-1])


def test_bad_weights_and_matrices():
    X, y = scaled(load_wine)
    with pytest.raises(ValueError, match="all samples have zero or negative weights"):
        SVC().fit(X, y, np.full(len(y), -1.0))
    with pytest.raises(ValueError, match="positive weights belong to the same class"):
        SVC().fit(X, y, (y == 1).astype(float))
    with pytest.raises(ValueError, match="square matrix, got 178x13"):
        SVC(kernel="precomputed").fit(X, y)
    with pytest.raises(TypeError, match="toarray"):
        SVC(kernel="precomputed").fit(csr_matrix(X @ X.T), y)
    with pytest.warns(UserWarning, match="class_weight has no effect"):
        NuSVC(nu=0.1, class_weight="balanced").fit(X, y)


@pytest.mark.parametrize(
    "model",
    [SVC(max_iter=3), NuSVC(nu=0.1, max_iter=3), LinearSVC(max_iter=1), LinearSVC(loss="hinge", max_iter=2)],
    ids=str,
)
def test_an_early_stop_says_what_to_change(model):
    X, y = scaled(load_wine)
    with pytest.warns(ConvergenceWarning, match=r"StandardScaler.*raise max_iter or tol, or lower C"):
        model.fit(X, y)
