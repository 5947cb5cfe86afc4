"""Does one column alone determine the target? Judged on rows it was not learned from, on a sample.

Half of the rows teach, the other half is predicted, then the other way round. A value that the teaching half
has is answered by what its rows said there; any other number by the nearest value that was there, any other
text by what most rows say. So a column that merely differs in every row predicts nothing, however few rows
there are, while a threshold on a number (`days_since_cancelling > 0`) is found although no value comes twice.

The score is the balanced accuracy (a rare class counts as much as a common one), or the correlation of
prediction and target for numbers.
"""

import numpy as np
import polars as pl

LEAST = 20  # rows a half; fewer prove nothing


def scores(sample: pl.DataFrame, half: np.ndarray, target: str, classes: list) -> dict[str, float]:
    """Column -> how well it predicts ``target``, in [0, 1]; ``classes`` is empty for a regression."""
    if min(half.sum(), (~half).sum()) < LEAST:
        return {}
    if classes:
        places = {value: i for i, value in enumerate(classes)}
        y = sample[target].replace_strict(places, return_dtype=pl.Int64).to_numpy()
    else:
        y = sample[target].cast(pl.Float64).to_numpy()
    names = [name for name in sample.columns if name != target]
    return {name: _score(sample[name], y, half, len(classes)) for name in names}


def _score(column, y, half, n_classes):
    codes, ordered = _codes(column)
    said = np.empty(len(y))
    for teach, ask in ((half, ~half), (~half, half)):
        said[ask] = _answers(codes[teach], y[teach], codes[ask], ordered, n_classes)
    if not n_classes:
        straight = (
            _correlation(column.cast(pl.Float64).fill_null(strategy="mean").to_numpy(), y) if ordered else 0.0
        )
        return max(straight, _correlation(said, y))
    right, rows = np.bincount(y, said == y, n_classes), np.bincount(y, minlength=n_classes)
    return float((right[rows > 0] / rows[rows > 0]).mean())


def _codes(column):
    """The column's values as their ranks, 0 for missing, and whether near ranks are near values."""
    ordered = column.dtype.is_numeric() or column.dtype == pl.Boolean
    if column.dtype.is_temporal():
        column, ordered = column.cast(pl.Datetime("us")).to_physical(), True
    return column.rank("dense").fill_null(0).to_numpy().astype(np.int64), ordered


def _answers(known, y, asked, ordered, n_classes):
    """What each asked rank's rows among ``known`` say of y: their most frequent class, or their mean."""
    values, place, count = np.unique(known, return_inverse=True, return_counts=True)
    if n_classes:
        table = np.zeros((len(values), n_classes))
        np.add.at(table, (place, y), 1)
        says, usual = table.argmax(axis=1), np.bincount(y).argmax()
    else:
        says, usual = np.bincount(place, y) / count, y.mean()
    right = np.searchsorted(values, asked).clip(0, len(values) - 1)
    left = (right - 1).clip(0)
    near = np.where(np.abs(values[left] - asked) < np.abs(values[right] - asked), left, right)
    # a missing value is near to no other
    answered = (values[near] == asked) | (ordered & (asked > 0) & (values[near] > 0))
    return np.where(answered, says[near], usual)


def _correlation(x, y):
    if not np.isfinite(x).all() or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(abs(np.corrcoef(x, y)[0, 1]))
