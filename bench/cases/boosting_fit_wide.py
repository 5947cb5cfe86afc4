"""Gradient boosting of 100 trees with 31 leaves on 50,000 x 500 float32. Equal: as ``boosting_fit``."""

from boosting_fit import equal, events, fits

FLOOR, GOAL = 1.2, 2
SHORT = {"n": 10_000, "d": 100}
ours, _all = fits("Classifier")
RIVALS = {"LightGBM": _all["LightGBM"]}
__all__ = ["equal"]


def data(n=50_000, d=500):
    return *events(n, 0, d), *events(20_000, 1, d)
