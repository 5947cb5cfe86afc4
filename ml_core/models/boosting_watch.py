"""When boosting stops: the score of its rounds, on rows held out, given, or the training rows themselves.

Letters: n rows, q columns of raw.
"""

import copy
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ml_core.models.boosting_loss import Loss


def stops(model, n, given):
    """Whether this fit watches its score."""
    return (given or n > 10_000) if model.early_stopping == "auto" else bool(model.early_stopping)


def split_off(model, y):
    """Rows to learn from and to stop by, ascending; (None, None) where all rows do both."""
    from sklearn.model_selection import train_test_split

    share = model.validation_fraction
    if share is None:
        return None, None
    stratify = y if hasattr(model, "classes_") else None
    share = int(share) if isinstance(share, Integral) else float(share)
    rows = np.arange(len(y))
    parts = train_test_split(rows, test_size=share, stratify=stratify, random_state=model._seeds[0])
    return tuple(np.sort(part) for part in parts)


@dataclass
class Watch:
    """Scores of the rounds on rows (X, y, weights), higher is better, and whether they have stopped rising.

    codes (n, d): the rows' bins; None where they are the training rows.
    """

    model: object
    loss: Loss
    rows: tuple
    codes: np.ndarray | None
    scores: list

    def tell(self, raw):
        """Score raw (n, q) -> whether to stop."""
        X, y, weights = self.rows
        if self.model.scoring in ("loss", None):
            self.scores.append(-self.loss.value(y, raw, weights))
        else:
            self.scores.append(self._asked(X, y, weights, raw))
        span = self.model.n_iter_no_change + 1
        if len(self.scores) < span:
            return False
        bar = self.scores[-span] + self.model.tol
        return not any(score > bar for score in self.scores[-span + 1 :])

    def _asked(self, X, y, weights, raw):
        from sklearn.metrics import check_scoring

        seen = copy.copy(self.model)
        seen._raw = raw
        if hasattr(seen, "classes_"):
            y = seen.classes_[y.astype(int)]
        extra = {"sample_weight": weights} if len(weights) else {}
        return float(check_scoring(seen, seen.scoring)(seen, X, y, **extra))
