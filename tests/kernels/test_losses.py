import numpy as np
import pytest

from ml_core.kernels import compiled, formulas, formulas_jit, plain_losses, records
from ml_core.kernels.formulas import units

LOSSES = range(7)


def value(loss, raw, y, at):
    off = raw - y
    return {
        records.SQUARED: off**2 / 2,
        records.LOGISTIC: np.logaddexp(0, raw) - y * raw,
        records.POISSON: np.exp(raw) - y * raw,
        records.GAMMA: raw + y * np.exp(-raw),
        records.HUBER: np.where(np.abs(off) <= at, off**2 / 2, at * (np.abs(off) - at / 2)),
        records.ABSOLUTE: np.abs(off),
        records.QUANTILE: np.where(off < 0, -at * off, (1 - at) * off),
    }[loss]


def sloped(module, loss, raw, y, weights):
    gradient, hessian = np.empty(len(raw), np.float32), np.empty(len(raw), np.float32)
    mass = module.slopes(loss, raw, (y, weights), 0.3, gradient, hessian)
    assert mass == module.mass(gradient, hessian)
    return gradient, hessian


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_differences_of_the_loss(loss):
    rng = np.random.default_rng(loss)
    raw, y = rng.normal(size=200), rng.uniform(0.1, 2, 200)
    y = (y > 1).astype(float) if loss == records.LOGISTIC else y
    step = 1e-6
    slope = (value(loss, raw + step, y, 0.3) - value(loss, raw - step, y, 0.3)) / (2 * step)
    np.testing.assert_allclose(
        sloped(plain_losses, loss, raw, y, np.empty(0))[0], slope, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_compiled_and_plain_agree_to_the_bit(loss, weighted):
    rng = np.random.default_rng(loss)
    raw, y = rng.normal(size=999) * 3, rng.uniform(0.1, 2, 999)
    weights = rng.uniform(0, 3, 999) if weighted else np.empty(0)
    ours, plain = (sloped(module, loss, raw, y, weights) for module in (compiled, plain_losses))
    np.testing.assert_array_equal(ours, plain)
    masses = compiled.mass(*ours), plain_losses.mass(*plain)
    assert masses[0] == masses[1]
    packed = np.empty(999, np.int64), np.empty(999, np.int64)
    compiled.pack(*ours, *units(masses[0], 999), packed[0])
    plain_losses.pack(*plain, *units(masses[0], 999), packed[1])
    np.testing.assert_array_equal(*packed)
    low = packed[0] & 0xFFFFFFFF
    assert abs(packed[0] >> 32).sum() < 2**33 and low.sum() < 2**32


def test_softmax_agrees_to_the_bit():
    rng = np.random.default_rng(0)
    raw, y, weights = (
        rng.normal(size=(4, 500)).T * 5,
        rng.integers(0, 4, 500).astype(float),
        rng.uniform(0, 2, 500),
    )
    found = []
    for module in (compiled, plain_losses):
        gradient, hessian = np.empty((4, 500), np.float32), np.empty((4, 500), np.float32)
        module.softmax_slopes(raw, (y, weights), gradient, hessian)
        found.append((gradient, hessian))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_allclose(found[0][0].sum(axis=0), 0, atol=1e-5)


def test_exp_is_exp():
    x = np.linspace(-690, 690, 4001)
    np.testing.assert_allclose(formulas.exp(x), np.exp(x), rtol=2e-14)
    np.testing.assert_array_equal(formulas.exp(x), [formulas_jit.exp(one) for one in x])


def test_equal_hessians_count_rows():
    gradient, hessian = np.arange(5, dtype=np.float32), np.full(5, 0.7, np.float32)
    packed = np.empty(5, np.int64)
    compiled.pack(gradient, hessian, *units(compiled.mass(gradient, hessian), 5), packed)
    assert ((packed & 0xFFFFFFFF) == 1).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_coarse_units_are_right_in_the_mean_and_the_same_in_both(loss):
    rng = np.random.default_rng(loss)
    raw, y, n = rng.normal(size=20_000), rng.uniform(0.1, 2, 20_000), 20_000
    gradient, hessian = sloped(compiled, loss, raw, y, np.empty(0))
    mass = compiled.mass(gradient, hessian)
    unit_g, unit_h = formulas.rough_units(mass, float(np.abs(gradient).max()), n, 4)
    packed = np.empty((2, n), np.int64)
    for kernels, own in zip((compiled, plain_losses), packed, strict=True):
        kernels.pack_roughly(gradient, hessian, unit_g, unit_h, np.uint64(2**64 - 5), own)
    np.testing.assert_array_equal(*packed)
    g, h = packed[0] >> 32, packed[0] & 0xFFFFFFFF
    assert np.abs(g).max() <= 5 and h.max() <= 5
    assert abs(g.mean() * unit_g - gradient.mean()) < 0.02 * unit_g
    assert abs(h.mean() * unit_h - hessian.mean()) < 0.02 * unit_h
