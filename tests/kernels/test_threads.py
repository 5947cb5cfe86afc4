import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ml_core.kernels import threads

BITS = """
import hashlib, numpy as np
from ml_core.models.linear import LinearRegression, Ridge, RidgeClassifier
from ml_core.models.logistic import LogisticRegression
from ml_core.models.bayes import GaussianNB
rng = np.random.default_rng(0)
X = rng.normal(size=(6000, 40)) + 3
y = X @ rng.normal(size=40) + rng.normal(size=6000)
q = np.digitize(y, np.quantile(y, [0.4, 0.7]))
folds = [(np.arange(4000), np.arange(4000, 6000)), (np.arange(2000, 6000), np.arange(2000))]
done = []
for model, target, parameter, values in [
    (LinearRegression(), y, "fit_intercept", [True, False]), (Ridge(solver="svd"), y, "alpha", [1.0]),
    (Ridge(), y, "alpha", [0.1, 10.0]), (Ridge(), np.c_[y, -y], "alpha", [1.0]),
    (RidgeClassifier(), q, "alpha", [1.0, 5.0]), (LogisticRegression(), q, "C", [0.1, 1.0]),
    (LogisticRegression(), q > 0, "C", [0.1, 1.0, 10.0]), (GaussianNB(), q, "var_smoothing", [1e-9, 1e-3]),
    (Ridge(), X[:, 0] * 2, "alpha", [0.0]),
]:
    fitted = model.fit(X, target)
    seen = [fitted.predict(X), model.score_many(X, target, [{parameter: v} for v in values], folds)]
    known = [name for name in ("coef_", "intercept_", "theta_", "var_") if hasattr(fitted, name)]
    seen += [getattr(fitted, name) for name in known]
    done.append(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in seen)).hexdigest())
print("\\n".join(done))
"""


def bits(n_threads):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(n_threads), "OMP_NUM_THREADS": str(n_threads)}
    environment |= {"MKL_NUM_THREADS": str(n_threads)}
    done = subprocess.run(
        [sys.executable, "-c", BITS],
        env=environment,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    return done.stdout.split()


def test_the_same_bits_at_one_and_two_threads():
    one, two = bits(1), bits(2)
    assert len(one) == 9 and one == two


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_alone_holds_blas_at_one_thread_and_gives_it_back():
    before = blas_threads()
    with threads.alone() as allowed:
        assert blas_threads() == {1} and allowed == max(before)
        with threads.alone() as inner:
            assert inner == allowed
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_alone_gives_back_after_an_error():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), threads.alone():
        1 / 0  # noqa: B018
    assert blas_threads() == before


@pytest.mark.parametrize(("n_rows", "width"), [(1, 1), (511, 3), (100_000, 7), (3000, 900), (10**7, 2)])
def test_slabs_cover_every_row_once_in_order(n_rows, width):
    slabs = threads.slabs(n_rows, width)
    cuts = [cut for slab in slabs for cut in slab]
    assert [cut.start for cut in cuts] == [0, *[cut.stop for cut in cuts[:-1]]]
    assert cuts[-1].stop == n_rows and len(slabs) <= threads.SLABS


@pytest.mark.parametrize("allowed", [1, 2, 5])
def test_results_come_in_the_order_of_the_jobs(monkeypatch, allowed):
    monkeypatch.setitem(threads._inside, "depth", 1)
    monkeypatch.setitem(threads._inside, "threads", allowed)
    assert list(threads.in_order(lambda job: job * 2, list(range(50)))) == list(range(0, 100, 2))
    assert threads.total(lambda job: (np.full(2, job), job), [1, 2, 3])[0].tolist() == [6, 6]


def test_an_error_in_a_job_reaches_the_caller(monkeypatch):
    monkeypatch.setitem(threads._inside, "depth", 1)
    monkeypatch.setitem(threads._inside, "threads", 2)
    with pytest.raises(ValueError, match="job 3"):
        list(
            threads.in_order(
                lambda job: (_ for _ in ()).throw(ValueError(f"job {job}")) if job == 3 else job, range(6)
            )
        )
