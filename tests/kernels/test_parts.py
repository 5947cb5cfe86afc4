import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, LeaveOneOut, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

from ml_core.kernels.parts import parts_of


@pytest.mark.parametrize(
    "cv",
    [
        KFold(5),
        KFold(4, shuffle=True, random_state=0),
        TimeSeriesSplit(3),
        ShuffleSplit(3, random_state=1),
        RepeatedKFold(n_splits=3, n_repeats=7, random_state=0),  # more folds than fit in one key
        LeaveOneOut(),
    ],
    ids=str,
)
def test_parts_put_together_are_the_folds(cv):
    folds = list(cv.split(np.zeros((40, 1))))
    parts, trains, tests = parts_of(folds, 40, most=1000)
    for (train, test), ours, theirs in zip(folds, trains, tests, strict=True):
        assert_array_equal(np.sort(np.concatenate([parts[k] for k in ours])), np.sort(train))
        assert_array_equal(np.sort(np.concatenate([parts[k] for k in theirs])), np.sort(test))


def test_a_partition_has_as_many_parts_as_folds():
    parts, trains, tests = parts_of(list(KFold(5).split(np.zeros((50, 1)))), 50, most=5)
    assert (
        len(parts) == 5 and all(len(train) == 4 for train in trains) and all(len(test) == 1 for test in tests)
    )


def test_too_many_parts_and_rows_drawn_twice_are_refused():
    assert parts_of(list(ShuffleSplit(8, random_state=0).split(np.zeros((500, 1)))), 500, most=20) is None
    assert parts_of([(np.array([0, 0, 1]), np.array([2]))], 3, most=20) is None
    assert parts_of([(np.array([0, 1]), np.array([1]))], 3, most=20) is None
