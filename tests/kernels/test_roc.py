import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml_core.kernels.roc import area


def area_slowly(positive, score):
    hits, misses = score[positive], score[~positive]
    return np.mean([np.mean((hit > misses) + (hit == misses) / 2) for hit in hits])


@pytest.mark.parametrize("seed", range(6))
def test_the_area_is_the_share_of_pairs_in_order(seed):
    rng = np.random.default_rng(seed)
    positive = rng.random(200) < 0.3
    score = rng.normal(size=200) if seed % 2 else rng.integers(5, size=200) / 4  # with ties
    assert area(positive, score) == pytest.approx(area_slowly(positive, score), abs=1e-15)
    assert area(positive, score) == pytest.approx(roc_auc_score(positive, score), abs=1e-14)


def test_equal_orders_give_equal_bits():
    rng = np.random.default_rng(0)
    positive, score = rng.random(999) < 0.4, rng.normal(size=999)
    assert area(positive, score) == area(positive, np.exp(score)) == 1 - area(positive, -score)
    order = rng.permutation(999)
    assert area(positive[order], score[order]) == area(positive, score)
    assert area(positive, np.zeros(999)) == 0.5
