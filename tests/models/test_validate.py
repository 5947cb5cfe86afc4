"""Plain arrays checked on a path of our own: what comes back is what scikit-learn's checks give."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ml_core.models import validate

X = np.random.default_rng(0).normal(size=(6, 3))
NAN, INF = X.copy(), X.copy()
NAN[1, 1], INF[2, 2] = np.nan, np.inf
Y = np.arange(6)
ROWS = {
    "float64": X, "float32": X.astype(np.float32), "columns first": np.asfortranarray(X),
    "whole": Y.reshape(3, 2), "swapped": X.astype(">f8"), "list": X.tolist(), "nan": NAN, "inf": INF,
    "frame": pd.DataFrame(X, columns=["a", "b", "c"]), "line": X[0], "no rows": X[:0], "cube": X[None],
    "no columns": X[:, :0], "sparse": csr_array(X), "words": np.array([["a", "b", "c"]] * 6),
    "objects": X.astype(object), "wider": np.ones((6, 4)), "some": X[::2, :2],
}  # fmt: skip
TARGETS = {
    "whole": Y, "bool": Y > 2, "float": Y / 2, "nan": np.where(Y, Y, np.nan), "inf": np.where(Y, Y, np.inf),
    "objects": Y.astype(object), "words": Y.astype(str), "short": Y[:3], "column": Y[:, None], "none": None,
    "list": Y.tolist(), "two columns": np.column_stack([Y, Y]),
}  # fmt: skip
CHECKS = {
    "plain": {},
    "one kind": {"dtype": np.float64, "order": "C"},
    "missing": {"ensure_all_finite": "allow-nan", "dtype": [np.float64, np.float32]},
    "unseen": {"ensure_all_finite": False, "accept_sparse": "csr"},
    "whole": {"dtype": "int"},
    "more rows": {"ensure_min_samples": 7},
}
OF_TARGETS = ({}, {"y_numeric": True}, {"multi_output": True}, {"multi_output": True, "y_numeric": True})


class Model(BaseEstimator):
    """What is checked for."""


def told(check, given, before, **checks):
    """What a check answers or refuses with, and what the model has learned of its columns."""
    model = Model()
    if before is not None:
        validate_data(model, before)
    try:
        found = check(model, *given, **checks)
    except (ValueError, TypeError) as error:
        found = str(error)
    return found, {name: np.asarray(value).tolist() for name, value in vars(model).items()}


def same(one, other):
    """Whether two answers are the same, down to how they lie in memory."""
    if isinstance(one, tuple):
        return all(map(same, one, other))
    if isinstance(one, np.ndarray):
        alike = one.dtype == other.dtype and one.flags.f_contiguous == other.flags.f_contiguous
        return alike and np.array_equal(one, other, one.dtype.kind == "f")
    return (one != other).nnz == 0 if isinstance(one, csr_array) else one == other


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("checks", CHECKS)
@pytest.mark.parametrize("rows", ROWS)
def test_rows_alone_are_as_scikit_learn_gives_them(rows, checks):
    for before in (None, X, ROWS["frame"]):
        for reset in (True, False) if before is not None else (True,):
            given = ((ROWS[rows],), before)
            ours, theirs = (
                told(check, *given, reset=reset, **{"accept_sparse": True} | CHECKS[checks])
                for check in (validate.validated, validate_data)
            )
            assert same(ours[0], theirs[0]) and ours[1] == theirs[1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("checks", OF_TARGETS)
def test_rows_and_targets_are_as_scikit_learn_gives_them(target, checks):
    for rows in ("float64", "nan", "frame"):
        given = ((ROWS[rows], TARGETS[target]), None)
        ours, theirs = (told(check, *given, **checks) for check in (validate.validated, validate_data))
        assert same(ours[0], theirs[0]) and ours[1] == theirs[1]


def test_plain_arrays_are_asked_nothing_more(monkeypatch):
    monkeypatch.setattr(validate, "validate_data", None)
    model = Model()
    for y in (Y, Y > 2, Y / 2):
        rows, target = validate.validated(model, X, y)
        assert rows is X and target is y
    assert validate.validated(model, X, reset=False) is X
