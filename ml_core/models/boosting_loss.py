"""What boosting can minimize: where to start, how far off a prediction is, which leaf values a loss wants.

Letters: n rows, q classes; raw (n, q) is what the trees add up to, q = 1 but for several classes.
"""

from dataclasses import dataclass

import numpy as np

from ml_core.kernels import records

CODES = {
    "squared_error": records.SQUARED,
    "absolute_error": records.ABSOLUTE,
    "quantile": records.QUANTILE,
    "huber": records.HUBER,
    "poisson": records.POISSON,
    "gamma": records.GAMMA,
    "log_loss": records.LOGISTIC,
}
LOSSES = [name for name in CODES if name != "log_loss"]
LOG_LINK = ("poisson", "gamma")


def mean(x, weights):
    """Weighted mean; weights may be empty."""
    return float((x * weights).sum() / weights.sum()) if len(weights) else float(x.mean())


def quantile(x, weights, at):
    """Smallest value with at least a share ``at`` of the weight at or below it; weights may be empty."""
    return float(np.quantile(x, at, method="inverted_cdf", weights=weights if len(weights) else None))


@dataclass(frozen=True)
class Loss:
    """name: a key of CODES; q: columns of raw; at: the quantile of "quantile", or where "huber" turns
    linear.
    """

    name: str
    q: int = 1
    at: float = 0.0

    @property
    def code(self):
        """The kernels' name."""
        return CODES[self.name]

    @property
    def renews(self):
        """Whether leaf values are found from residuals, the Newton step knowing only their signs."""
        return self.name in ("absolute_error", "quantile", "huber")

    def check(self, y, what="y"):
        """Refuse a target outside the loss's range; only one to learn from must have a sum."""
        least = y.min()
        if self.name == "poisson" and (least < 0 or (what == "y" and not y.any())):
            raise ValueError(
                f"loss='poisson' needs {what} >= 0 with a positive sum, got a minimum of {least:g}"
            )
        if self.name == "gamma" and least <= 0:
            raise ValueError(f"loss='gamma' needs {what} > 0, got a minimum of {least:g}")

    def start(self, y, weights):
        """Best constant (q,)."""
        if self.q > 1:
            share = np.array([mean(y == k, weights) for k in range(self.q)])
            logs = np.log(np.maximum(share, np.finfo(np.float64).eps))
            return logs - logs.mean()
        if self.name == "log_loss":
            p = np.clip(mean(y, weights), 1e-15, 1 - 1e-15)
            return np.array([np.log(p / (1 - p))])
        if self.name in LOG_LINK:
            return np.array([np.log(mean(y, weights))])
        if self.name in ("absolute_error", "huber"):
            return np.array([quantile(y, weights, 0.5)])
        if self.name == "quantile":
            return np.array([quantile(y, weights, self.at)])
        return np.array([mean(y, weights)])

    def bend(self, y, raw, weights):
        """Huber's point of turning linear, a quantile of the residuals; else the quantile itself."""
        if self.name != "huber":
            return self.at
        return max(quantile(np.abs(y - raw), weights, self.at), 1e-290)

    def leaf(self, residual, weights, bend):
        """Best value of a leaf from its rows' residuals."""
        if self.name == "quantile":
            return quantile(residual, weights, self.at)
        middle = quantile(residual, weights, 0.5)
        if self.name == "huber":
            return middle + mean(np.clip(residual - middle, -bend, bend), weights)
        return middle

    def value(self, y, raw, weights):
        """Mean loss, up to a constant of y."""
        if self.q > 1:
            top = raw.max(axis=1)
            each = (
                top + np.log(np.exp(raw - top[:, None]).sum(axis=1)) - raw[np.arange(len(y)), y.astype(int)]
            )
            return mean(each, weights)
        raw = raw[:, 0]
        off = y - raw
        if self.name == "log_loss":
            each = np.logaddexp(0.0, raw) - y * raw
        elif self.name == "poisson":
            each = np.exp(raw) - y * raw
        elif self.name == "gamma":
            each = raw + y * np.exp(-raw)
        elif self.name == "quantile":
            each = np.where(off >= 0, self.at * off, (self.at - 1) * off)
        elif self.name == "squared_error":
            each = off**2 / 2
        else:  # Huber's bend moves with the fit, so absolute errors are what can be compared between rounds
            each = np.abs(off)
        return mean(each, weights)
