"""Frames and arrays as checked numbers: columns of names become numbers, columns are found by name or index.

Letters: n rows, d columns.
"""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np

from ml_core.models.validate import validated

WORDS = ("category", "object", "str", "string", "Categorical", "Enum", "String")  # dtypes of columns of names


@dataclass
class Names:
    """Columns of a frame that hold names: column's name -> its known values, ascending; the index takes a
    name's place.
    """

    known: dict = field(default_factory=dict)

    @classmethod
    def learn(cls, X):
        """From a pandas or polars frame; nothing from an array."""
        known = {}
        for name in named_columns(X):
            values = X[name].drop_nulls() if is_polars(X) else X[name].dropna()
            known[name] = np.unique([str(value) for value in values.to_list()])
        return cls(known)

    def replace(self, X):
        """The frame with these columns as floats; nan where a value is missing or unknown."""
        places = {}
        for name, known in self.known.items():
            if name in X:
                values = X[name].to_list()
                index = {value: float(i) for i, value in enumerate(known.tolist())}
                places[name] = np.array([index.get(str(value), np.nan) for value in values], np.float64)
        if is_polars(X):
            import polars

            return X.with_columns(polars.Series(name, values) for name, values in places.items())
        return X.assign(**places)


def is_polars(X):
    """Whether X is a polars frame, told without importing polars."""
    return type(X).__module__.startswith("polars")


def named_columns(X):
    """Names of a frame's columns that hold words or categories."""
    if is_polars(X):
        return [
            name for name, kind in X.schema.items() if type(kind).__name__ in WORDS or kind.__class__ in WORDS
        ]
    if not hasattr(X, "dtypes") or not hasattr(X, "columns"):
        return []
    return [name for name, kind in X.dtypes.items() if str(kind) in WORDS]


def read(model, X, y="no_validation", reset=True, **checks):
    """Checked X (n, d) float with nan for missing, names turned into numbers; with y if given."""
    names = Names.learn(X) if reset else model._names
    model._names = names
    if names.known and hasattr(X, "columns"):
        X = names.replace(X)
    checks |= {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan", "reset": reset}
    return validated(model, X, y, **checks)


def columns_named(model, what, given):
    """Indexes of columns given by name or index."""
    names = list(getattr(model, "feature_names_in_", []))
    for one in given:
        if isinstance(one, str):
            if one not in names:
                known = ", ".join(names) or "not named"
                raise ValueError(f"{what} names {one!r}, but the columns are {known}")
            yield names.index(one)
        elif isinstance(one, Integral) and 0 <= one < model.n_features_in_:
            yield int(one)
        else:
            raise ValueError(
                f"{what} has column {one!r}, but must be in 0..{model.n_features_in_ - 1}, or a column's name"
            )


def categorical_mask(model):
    """categorical_features as (d,) bool: a mask, indexes, names, None, or "from_dtype" (a frame's columns of
    names).
    """
    given, d = model.categorical_features, model.n_features_in_
    mask = np.zeros(d, bool)
    mask[list(columns_named(model, "categorical_features", model._names.known))] = True
    if given is None or (isinstance(given, str) and given == "from_dtype"):
        return mask
    given = np.atleast_1d(np.asarray(given))
    if given.ndim > 1 or isinstance(model.categorical_features, dict):
        raise ValueError(
            f"categorical_features must be a mask, or a list of columns, got {model.categorical_features!r}"
        )
    if given.dtype == bool:
        if given.shape != (d,):
            raise ValueError(
                f"categorical_features is a mask of shape {given.shape}, but must be of shape ({d},)"
            )
        return mask | given
    mask[list(columns_named(model, "categorical_features", given.tolist()))] = True
    return mask
