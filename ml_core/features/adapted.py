"""Any scikit-learn transformer that wants named, typed columns, such as skrub's TableVectorizer."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ml_core.features import frames


class Adapted(TransformerMixin, BaseEstimator):
    """Hand ``transformer`` a polars frame, whatever came in; take numbers from it, whatever it returns.

    skrub alone returns frames of float32, and refuses pandas after polars.

    Parameters
    ----------
    transformer : a scikit-learn transformer of frames
    kinds : dict or None
        Feature column -> kind; None infers them from the dtypes.
    """

    def __init__(self, transformer, kinds=None):
        self.transformer = transformer
        self.kinds = kinds

    def fit(self, X, y=None):
        """Learn kinds_ and transformer_."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and transform the same rows."""
        self.kinds_ = dict(frames.inferred(X) if self.kinds is None else self.kinds)
        self.feature_names_in_ = np.array(list(self.kinds_), dtype=object)
        self.n_features_in_ = len(self.kinds_)
        self.transformer_ = clone(self.transformer)
        return self._numbers(self.transformer_.fit_transform(frames.typed(X, self.kinds_), y))

    def transform(self, X):
        """X frame of n rows -> (n, p) float64 array or CSR."""
        check_is_fitted(self)
        return self._numbers(self.transformer_.transform(frames.typed(X, self.kinds_)))

    def _numbers(self, out):
        if hasattr(out, "tocsr"):
            return out.tocsr().astype(float)
        try:
            return np.ascontiguousarray(out.to_numpy() if hasattr(out, "to_numpy") else out, float)
        except ValueError as error:
            kind = type(self.transformer_).__name__
            raise ValueError(f"features: {kind} returned something else than numbers: {error}") from None

    def get_feature_names_out(self, input_features=None):
        """Names as the transformer gives them."""
        check_is_fitted(self)
        return np.asarray(self.transformer_.get_feature_names_out(), dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
