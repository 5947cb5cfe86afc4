"""The table itself: for a model whose parts make their own features."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from ml_core.features import frames


class Whole(TransformerMixin, BaseEstimator):
    """Frame -> polars frame of its feature columns, in the order of ``kinds``.

    Parameters
    ----------
    kinds : dict or None
        Feature column -> kind; None takes every column.
    """

    def __init__(self, kinds=None):
        self.kinds = kinds

    def fit(self, X, y=None):
        """Learn the columns' names."""
        self.kinds_ = dict(self.kinds or frames.inferred(X))
        self.feature_names_in_ = np.array(list(self.kinds_), dtype=object)
        self.n_features_in_ = len(self.kinds_)
        return self

    def transform(self, X):
        """X (n, d) frame -> (n, d) polars frame, a dtype a kind."""
        return frames.typed(X, self.kinds_)

    def get_feature_names_out(self, input_features=None):
        """The columns' names."""
        return self.feature_names_in_.copy()
