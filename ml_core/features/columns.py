"""Columns: one ColumnTransformer for a whole table, built from the kinds of its columns."""

from functools import partial

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from ml_core.features import frames
from ml_core.features.parts import DATE_PARTS, DateParts, Fill, Levels, Words

ALLOWED = {
    "missing": ("median", "mean", "keep"),
    "scale": ("standard", "robust", "minmax", "none"),
    "categorical": ("onehot", "ordinal"),
    "text": ("words", "hash"),
    "sparse": ("auto", True, False),
}
SCALERS = {"standard": StandardScaler, "robust": RobustScaler, "minmax": partial(MinMaxScaler, clip=True)}
WIDE = 1000  # columns from which a CSR result pays: dense, a hundred thousand rows then take 800 MB


class Columns(TransformerMixin, BaseEstimator):
    """Fill, scale and encode the columns of a polars or pandas frame, each by its kind.

    Numbers are filled and scaled; booleans become 0 and 1; categories one-hot or ordinal numbers, with rare
    and unknown levels; dates numbers; text TF-IDF. Extra columns are ignored, order is free, a missing
    one is an error.

    Parameters
    ----------
    kinds : dict or None
        Column -> numeric, boolean, categorical, text or date. None infers them from the dtypes.
    missing : "median", "mean" or "keep"
        What fills a gap in a number or date; keep leaves nan, for models that take it.
    indicator : bool
        Add a column "x is null" for each number or date that has gaps.
    scale : "standard", "robust", "minmax" or "none"
        Of numbers and dates; minmax gives [0, 1], and cuts what lies beyond the training rows.
    categorical : "onehot" or "ordinal"
        See ``Levels``, as for the next two.
    min_frequency : int or float
    max_levels : int
    dates : list
        Of year, month, day, weekday, hour, elapsed.
    text : "words" or "hash"
    max_words : int
        Columns that one text column may become.
    sparse : "auto", True or False
        CSR or dense; auto gives CSR when there are over a thousand columns, nearly all of them zeros.
    """

    def __init__(  # noqa: PLR0913  scikit-learn's convention: every choice is a parameter
        self,
        kinds=None,
        missing="median",
        indicator=False,
        scale="standard",
        categorical="onehot",
        min_frequency=10,
        max_levels=1000,
        dates=DATE_PARTS,
        text="words",
        max_words=2000,
        sparse="auto",
    ):
        self.kinds = kinds
        self.missing = missing
        self.indicator = indicator
        self.scale = scale
        self.categorical = categorical
        self.min_frequency = min_frequency
        self.max_levels = max_levels
        self.dates = dates
        self.text = text
        self.max_words = max_words
        self.sparse = sparse

    def fit(self, X, y=None):
        """Learn kinds_ and columns_, the fitted ColumnTransformer."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X, y=None):
        """Fit, and transform the same rows without reading them twice."""
        self._check()
        kinds = dict(frames.inferred(X) if self.kinds is None else self.kinds)
        unknown = sorted(set(kinds.values()) - set(frames.KINDS))
        if unknown or not kinds:
            raise ValueError(
                f"features: kinds must name columns as {', '.join(frames.KINDS)}; got {unknown or 'none'}"
            )
        frame = frames.typed(X, kinds)
        if len(frame) == 0:
            raise ValueError("features: the table has no rows to learn from")
        self.kinds_ = kinds
        self.feature_names_in_ = np.array(list(kinds), dtype=object)
        self.n_features_in_ = len(kinds)
        self.columns_ = self._built(frame)
        return self._finished(self.columns_.fit_transform(frame))

    def transform(self, X):
        """X frame of n rows -> (n, p) float64 array or CSR."""
        check_is_fitted(self)
        return self._finished(self.columns_.transform(frames.typed(X, self.kinds_)))

    def get_feature_names_out(self, input_features=None):
        """Names of the p columns, such as "age", "sex=Male", "born.year", "title:cheap"."""
        check_is_fitted(self)
        return self.columns_.get_feature_names_out()

    def _check(self):
        for name, allowed in ALLOWED.items():
            got = getattr(self, name)
            if got not in allowed:
                raise ValueError(f"features.{name}: got {got!r}, allowed are {', '.join(map(str, allowed))}")
        wrong = [part for part in self.dates if part not in DATE_PARTS]
        if wrong:
            raise ValueError(f"features.dates: got {wrong[0]!r}, allowed are {', '.join(DATE_PARTS)}")
        for name in ("min_frequency", "max_levels", "max_words"):
            got = getattr(self, name)
            if isinstance(got, bool) or not isinstance(got, int | float) or got <= 0:
                raise ValueError(f"features.{name}: got {got!r}, must be a number above 0")

    def _finished(self, out):
        """Float64, and dense unless CSR was asked for or pays."""
        if hasattr(out, "tocsr"):
            return out.tocsr() if self.columns_.sparse_threshold else out.toarray()
        return np.asarray(out, float)

    def _built(self, frame):
        of_kind = {kind: [name for name, k in self.kinds_.items() if k == kind] for kind in frames.KINDS}
        wide = self.sparse is True or (self.sparse == "auto" and self._width(frame, of_kind) > WIDE)
        keep = self.missing == "keep"
        boolean = "passthrough" if keep else Fill("most_frequent")
        levels = Levels(self.categorical, self.min_frequency, self.max_levels, keep, dense=not wide)
        blocks = [
            ("numeric", self._numbers(), of_kind["numeric"]),
            ("boolean", boolean, of_kind["boolean"]),
            ("date", self._numbers(DateParts(tuple(self.dates))), of_kind["date"]),
            ("categorical", levels, of_kind["categorical"]),
        ]
        words = Words(self.max_words, hashing=self.text == "hash")
        blocks += [(f"text {name}", words, [name]) for name in of_kind["text"]]
        threshold = {True: 1.0, "auto": 0.1, False: 0.0}[self.sparse] if wide else 0.0
        return ColumnTransformer(
            [block for block in blocks if block[2]],
            sparse_threshold=threshold,
            verbose_feature_names_out=False,
        )

    def _numbers(self, *first):
        steps = [("parts", step) for step in first]
        if self.missing != "keep":
            steps.append(("fill", Fill(self.missing, self.indicator)))
        if self.scale != "none":
            steps.append(("scale", SCALERS[self.scale]()))
        return Pipeline(steps) if steps else "passthrough"

    def _width(self, frame, of_kind):
        """Columns of the result, at most."""
        width = len(self.kinds_) + self.max_words * len(of_kind["text"])
        if self.categorical == "onehot":
            width += sum(min(frame[name].n_unique(), self.max_levels) for name in of_kind["categorical"])
        return width

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags
