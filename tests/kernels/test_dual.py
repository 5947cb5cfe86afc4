"""The dual solvers against a slow twin, and kernel matrices against their formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix

from ml_core.kernels import dual, similarity, smo, support


def kernel_slowly(kernel, A, B):
    def value(a, b):
        if kernel.name == "rbf":
            return np.exp(-kernel.gamma * ((a - b) ** 2).sum())
        inner = a @ b
        if kernel.name == "linear":
            return inner
        inner = kernel.gamma * inner + kernel.coef0
        return np.tanh(inner) if kernel.name == "sigmoid" else inner**kernel.degree

    return np.array([[value(a, b) for b in B] for a in A])


@pytest.mark.parametrize("name", ["linear", "poly", "rbf", "sigmoid"])
@pytest.mark.parametrize("seed", range(3))
def test_kernels_equal_their_formulas(name, seed):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(7, 4)), rng.normal(size=(9, 4))
    kernel = similarity.Kernel(name, 0.3, 2, 0.5)
    slow = kernel_slowly(kernel, A, B)
    assert_allclose(similarity.matrix(kernel, A, B), slow, atol=1e-12)
    assert_allclose(similarity.matrix(kernel, csr_matrix(A), csr_matrix(B)), slow, atol=1e-12)
    W = rng.normal(size=(9, 2))
    assert_allclose(similarity.weighted(kernel, A, B, W), slow @ W, atol=1e-12)
    assert_allclose(kernel.diagonal(B), kernel_slowly(kernel, B, B).diagonal())


def test_rows_come_back_after_they_had_to_go():
    X = np.random.default_rng(0).normal(size=(30, 3))
    kernel = similarity.Kernel("rbf", 0.5)
    whole = kernel_slowly(kernel, X, X)
    rows = similarity.Rows(kernel, X, 8)
    rng = np.random.default_rng(1)
    for _ in range(50):
        asked = rng.choice(30, size=5, replace=False)
        assert_allclose(rows.table[rows.need(asked)], whole[asked], atol=1e-6)


def solve_slowly(K, y, C, steps=200_000):
    """Pairwise steps of the most violating pair, straight from the definition -> b, F."""
    b = np.zeros(len(y))
    lo, hi = np.where(y > 0, 0, -C), np.where(y > 0, C, 0)
    for _ in range(steps):
        F = y - K @ b
        up, down = np.where(b < hi, F, -np.inf), np.where(b > lo, F, np.inf)
        i, j = up.argmax(), down.argmin()
        if up[i] - down[j] < 1e-9:
            break
        move = (F[i] - F[j]) / max(K[i, i] + K[j, j] - 2 * K[i, j], 1e-12)
        move = min(move, hi[i] - b[i], b[j] - lo[j])
        b[i] += move
        b[j] -= move
    return b


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("C", [0.5, 20.0])
def test_machines_equal_the_slow_one(seed, C):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 3))
    s = np.where(X[:, 0] + rng.normal(size=40) > 0, 1.0, -1.0)
    K = kernel_slowly(similarity.Kernel("rbf", 0.5), X, X)
    slow = solve_slowly(K, s, np.full(40, C))
    for compiled in (False, True):
        found = support.c_machine(similarity.Given(K), s, np.full(40, C), 1e-9, 10**6, compiled)
        assert found.converged
        assert_allclose(found.b, slow, atol=1e-6)
        assert abs(found.b.sum()) < 1e-10


@pytest.mark.parametrize("nu", [0.1, 0.4])
def test_nu_is_the_share_of_support(nu):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    s = np.where(X[:, 0] + rng.normal(size=200) > 0, 1.0, -1.0)
    rows = similarity.Rows(similarity.Kernel("rbf", 0.5), X, 200)
    found = support.nu_machine(rows, s, np.ones(200), nu, 1e-8, 10**6)
    margins = s * (rows.whole() @ found.b + found.offset)
    assert (found.b != 0).mean() >= nu - 1e-9
    assert (margins < 1 - 1e-4).mean() <= nu + 1e-9
    for sign in (1, -1):
        assert_allclose(np.abs(found.b[s == sign]).sum(), np.abs(found.b).sum() / 2)


def test_infeasible_nu_names_the_bound():
    s = np.array([1.0, 1, 1, -1])
    assert support.infeasible(s, np.ones(4), 0.4) is None
    assert_allclose(support.infeasible(s, np.ones(4), 0.6), 0.5)


def test_blocks_bring_the_gradient_up_to_date():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(9, 50)).astype(np.float32)
    slots, change, F = np.array([3, 1, 7, 0, 5]), rng.normal(size=5), rng.normal(size=50)
    expected = F - change @ table[slots].astype(float)
    smo.subtract(F, table, slots, change, 0, 20)
    smo.subtract(F, table, slots, change, 20, 50)
    assert_allclose(F, expected, atol=1e-12)
    assert_array_equal(smo.gather(table, slots, np.array([4, 2])), table[np.ix_(slots, [4, 2])])


def test_few_slots_give_the_same_machine(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    s = np.where(X[:, 0] * X[:, 1] > 0, 1.0, -1.0)
    kernel = similarity.Kernel("rbf", 0.5)
    full = support.c_machine(similarity.Rows(kernel, X, 400), s, np.full(400, 2.0), 1e-6, 10**6)
    monkeypatch.setattr(dual, "SMALL", 10)
    monkeypatch.setattr(dual, "WORKING", 32)
    few = support.c_machine(similarity.Rows(kernel, X, 40), s, np.full(400, 2.0), 1e-6, 10**6)
    assert few.converged
    assert_allclose(few.b, full.b, atol=1e-4)


def path_problem():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 3))
    s = np.where(X[:, 0] + rng.normal(size=120) > 0, 1.0, -1.0)
    K = similarity.Kernel("rbf", 0.5)
    return similarity.Given(similarity.matrix(K, X, X)), s, rng.uniform(0.5, 2, size=120)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_path_of_c_ends_where_a_cold_start_does(compiled):
    rows, s, weight = path_problem()
    path = []
    for C in (0.01, 0.1, 0.5, 0.5, 2.0, 20.0):
        args = rows, s, C * weight, 1e-9, 10**6, compiled
        cold = support.c_machine(*args)
        path.append(support.c_machine(*args, path))
        assert path[-1].converged
        assert_allclose(path[-1].b, cold.b, atol=1e-6 * C)
        assert (np.abs(path[-1].b) <= C * weight).all()
        assert abs(path[-1].b.sum()) < 1e-9
        assert_allclose(path[-1].problem.F, s - rows.table @ path[-1].b, atol=1e-9)
    args = *path_problem(), 1e-9, 10**6, compiled
    assert support.c_machine(*args, path).steps == support.c_machine(*args).steps  # other rows: a cold start


@pytest.mark.parametrize("compiled", [False, True])
def test_a_path_of_nu_ends_where_a_cold_start_does(compiled):
    rows, s, weight = path_problem()
    path = []
    for nu in (0.05, 0.2, 0.25, 0.3, 0.3, 0.5, 0.7, 0.1):
        args = rows, s, weight, nu, 1e-9, 10**6, compiled
        cold = support.nu_machine(*args)
        path.append(support.nu_machine(*args, path[-2:]))
        found = path[-1].problem
        assert path[-1].converged
        assert_allclose(found.b, cold.problem.b, atol=1e-6)
        for sign in (1, -1):
            assert_allclose(np.abs(found.b[s == sign]).sum(), nu * weight.sum() / 2)
        assert ((found.lo <= found.b) & (found.b <= found.hi)).all()
    assert path[-1].steps == cold.steps  # a lesser nu starts cold


@pytest.mark.parametrize("kind", ["c", "nu"])
def test_a_path_takes_fewer_steps(kind):
    rows, s, weight = path_problem()
    path, steps = [], np.zeros(2)
    for level in np.geomspace(0.01, 10, 12) if kind == "c" else np.linspace(0.1, 0.8, 12):
        given = (level * weight,) if kind == "c" else (weight, level)
        machine = support.c_machine if kind == "c" else support.nu_machine
        args = rows, s, *given, 1e-3, 10**6, True
        path.append(machine(*args, path[-2:]))
        steps += machine(*args).steps, path[-1].steps
    assert steps[1] < 0.8 * steps[0]
