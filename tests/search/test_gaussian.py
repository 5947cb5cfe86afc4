import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate, stats
from scipy.optimize import check_grad

from ml_core.search.gaussian import Gaussian, Process, clipped, promise
from ml_core.search.space import parse


def told(seed=0, n=15, d=2):
    rng = np.random.default_rng(seed)
    points = rng.random((n, d))
    return points, np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + 0.01 * rng.normal(size=n)


def matern(a, b, lengths):
    """One pair of points, by the formula."""
    r = np.sqrt(sum(5 * (x - y) ** 2 / length**2 for x, y, length in zip(a, b, lengths, strict=True)))
    return (1 + r + r**2 / 3) * np.exp(-r)


def test_a_prediction_equals_the_formula_with_an_inverse():
    points, scores = told()
    process = Process(points, scores)
    lengths, noise = np.exp(process._logs[:-1]), np.exp(process._logs[-1])
    asked = np.random.default_rng(1).random((4, 2))
    K = np.array([[matern(a, b, lengths) for b in points] for a in points]) + noise * np.eye(len(points))
    k = np.array([[matern(a, b, lengths) for b in points] for a in asked])
    z = (scores - scores.mean()) / scores.std()
    mean, spread = process.predict(asked)
    assert_allclose(mean, scores.mean() + scores.std() * k @ np.linalg.inv(K) @ z, rtol=1e-6)
    wanted = scores.std() * np.sqrt(1 - np.diag(k @ np.linalg.inv(K) @ k.T))
    assert_allclose(spread, wanted, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_slope_of_the_likelihood_is_that_of_small_steps(seed):
    process = Process(*told(seed))
    at = np.random.default_rng(seed).uniform([-2, -2, -8], [1, 1, -3])
    slope = process._loss(at)[1]
    assert check_grad(*(lambda x, i=i: process._loss(x)[i] for i in (0, 1)), at) < 1e-4 * np.abs(slope).max()


def test_promise_is_the_log_of_the_gain_expected():
    points, scores = told()
    process, asked = Process(points, scores), np.random.default_rng(2).random((6, 2))
    mean, spread = process.predict(asked)
    best = mean.max() - 0.1
    wanted = [
        integrate.quad(lambda y, m=m, s=s: (y - best) * stats.norm.pdf(y, m, s), best, m + 12 * s)[0]
        for m, s in zip(mean, spread, strict=True)
    ]
    got = promise(process, asked, best)
    near = np.array(wanted) > 1e-9
    assert near.sum() > 1
    assert_allclose(got[near], np.log(np.array(wanted)[near]), rtol=1e-4)
    far = promise(process, asked, best + 1e3)
    assert np.isfinite(far).all() and (far < got).all()


def test_a_cliff_far_off_does_not_set_the_scale():
    assert clipped(np.array([1.0, 0.9, 0.8, -50.0])).tolist() == pytest.approx([1.0, 0.9, 0.8, 1 - 3 * 0.15])
    assert clipped(np.array([2.0, 2.0])).tolist() == [2.0, 2.0]


def test_equal_scores_and_one_axis_of_one_value_are_no_trouble():
    space = parse({"a": ["only"], "b": {"low": 1, "high": 1000, "log": True, "int": True}, "c": ["x", "y"]})
    model, rng = Gaussian(space, np.random.default_rng(0), 3), np.random.default_rng(1)
    model.learn([space.draw(rng) for _ in range(5)], [0.5] * 5)
    candidate = model.propose(set())
    assert candidate["a"] == "only" and type(candidate["b"]) is int and candidate["c"] in ("x", "y")
    assert model.propose({repr(candidate)}) != candidate
