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
    try:
        parts = train_test_split(rows, test_size=share, stratify=stratify, random_state=model._seeds[0])
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={share!r} cannot be held out of {len(y)} rows: {error}. Set another one, "
            "None to watch the training rows, or early_stopping=False"
        ) from error
    return tuple(np.sort(part) for part in parts)


@dataclass(frozen=True)
class Rule:
    """A fit ends when none of ``patience`` rounds beats the score before by ``tol``, or after ``most``."""

    tol: float
    patience: int
    most: int

    @classmethod
    def of(cls, model):
        """A model's own."""
        return cls(model.tol, model.n_iter_no_change, model.max_iter)

    def met(self, scores):
        """Whether it ends after the last of these scores, of which the first is that of no round."""
        if len(scores) > self.most:
            return True
        if len(scores) <= self.patience:
            return False
        bar = scores[-self.patience - 1] + self.tol
        return not any(score > bar for score in scores[-self.patience :])

    def rounds(self, scores):
        """The round it ends after, by the scores of at least so many."""
        return next((n - 1 for n in range(2, len(scores)) if self.met(scores[:n])), len(scores) - 1)


@dataclass
class Watch:
    """Scores of the rounds on rows (X, y, weights), higher is better, and whether they have stopped rising.

    codes (n, d): the rows' bins; None where they are the training rows; rules: those not met so far.
    """

    model: object
    loss: Loss
    rows: tuple
    codes: np.ndarray | None
    scores: list
    rules: list

    def tell(self, raw):
        """Score raw (n, q) -> whether to stop: whether every rule has been met."""
        X, y, weights = self.rows
        if self.model.scoring in ("loss", None):
            self.scores.append(-self.loss.value(y, raw, weights))
        else:
            self.scores.append(self._asked(X, y, weights, raw))
        self.rules = [rule for rule in self.rules if not rule.met(self.scores)]
        return not self.rules

    def _asked(self, X, y, weights, raw):
        from sklearn.metrics import check_scoring

        seen = copy.copy(self.model)
        seen._raw = raw
        if hasattr(seen, "classes_"):
            y = seen.classes_[y.astype(int)]
        extra = {"sample_weight": weights} if len(weights) else {}
        return float(check_scoring(seen, seen.scoring)(seen, X, y, **extra))
