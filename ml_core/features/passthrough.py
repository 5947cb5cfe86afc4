"""Numeric columns as they are."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ml_core.features import frames


class Passthrough(TransformerMixin, BaseEstimator):
    """Frame -> float64 array of its numeric and boolean columns; null becomes nan.

    It learns nothing from the rows (its tag ``requires_fit`` is False), so a search serves all folds at once.

    Parameters
    ----------
    kinds : dict or None
        Feature column -> kind; None takes every column.
    """

    def __init__(self, kinds=None):
        self.kinds = kinds

    def fit(self, X, y=None):
        """Learn the columns' names."""
        kinds = dict(self.kinds or frames.inferred(X))
        wrong = [f"{name} ({kind})" for name, kind in kinds.items() if kind not in ("numeric", "boolean")]
        if wrong or not kinds:
            raise ValueError(
                f"features=none takes numeric columns only, got {', '.join(wrong[:8]) or 'none'}; "
                "choose features=standard or features=tree"
            )
        self.kinds_ = kinds
        self.feature_names_in_ = np.array(list(kinds), dtype=object)
        self.n_features_in_ = len(kinds)
        return self

    def transform(self, X):
        """X (n, d) frame -> (n, d) float64."""
        if not hasattr(self, "kinds_"):
            self.fit(X)
        return frames.typed(X, self.kinds_).to_numpy(order="c")

    def get_feature_names_out(self, input_features=None):
        """The columns' names."""
        return self.feature_names_in_.copy()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.allow_nan = True
        return tags
