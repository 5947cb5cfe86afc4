"""Loss on rows held out, ours against LightGBM over 10 seeds, on 4 generators and 3 real tables.

Equal: the mean over seeds of ours is on none of them worse than LightGBM's by more than one standard error
of the difference. The generators are HIGGS-like events with 31 and with 255 leaves, with missing values and
with categories; a seed of a table, such as adult.csv, is another fifth of its rows to judge by.
"""

from pathlib import Path

import numpy as np
from boosting_categories import COLUMNS, _told
from boosting_fit import events, threads

SHORT = {"n": 3_000, "seeds": 3}
TABLES = Path(__file__).parents[2].parent / "shared/data"


def _holes(n, seed):
    X, y = events(n, seed)
    rng = np.random.default_rng(seed + 1000)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[(rng.random(n) < 0.3 * (X[:, 3] > 1)), 24] = np.nan  # missing for a reason
    return X, y


def _table(name, target):
    """A real table -> X with words as codes and missing values as NaN, the target, the columns of words."""
    import polars as pl
    import polars.selectors as cs

    table = pl.read_csv(TABLES / name, infer_schema_length=None, null_values=["?"])
    words = table.drop(target).select(cs.string()).columns
    X = table.drop(target).with_columns(pl.col(words).rank("dense") - 1).cast(pl.Float64)
    y = table[target].rank("dense").to_numpy() - 1 if table[target].dtype == pl.String else table[target]
    return X.to_numpy(), np.asarray(y), [X.columns.index(word) for word in words]


def _digits():
    from sklearn.datasets import load_digits

    return *load_digits(return_X_y=True), []


GENERATORS = {
    "31 leaves": (events, 31, []),
    "255 leaves": (events, 255, []),
    "missing": (_holes, 31, []),
    "categories": (_told, 31, COLUMNS),
}
REAL = {
    "adult": lambda: _table("adult.csv", "income"),
    "digits": _digits,
    "abalone": lambda: _table("abalone.csv", "rings"),
}


def _parted(X, y, seed):
    """X, y of the rows to learn from, then of a fifth held out."""
    rows = np.random.default_rng(seed).permutation(len(y))
    held, known = np.split(rows, [len(y) // 5])
    return X[known], y[known], X[held], y[held]


def data(n=30_000, seeds=10):
    """{kind of data: (leaves, columns of categories, [(X, y, X held out, y held out)] a seed)}."""
    found = {
        name: (leaves, columns, [(*make(n, 2 * seed + 10), *make(n, 2 * seed + 11)) for seed in range(seeds)])
        for name, (make, leaves, columns) in GENERATORS.items()
    }
    for name, read in REAL.items():
        X, y, columns = read()
        found[name] = 31, columns, [_parted(X, y, seed) for seed in range(seeds)]
    return found


def _losses(data, fit):
    """{kind: losses (seeds,)}: log loss, and the mean square of errors on abalone.csv."""
    from sklearn.metrics import log_loss, mean_squared_error

    def loss(name, X, y, held, truth):
        leaves, columns, _ = data[name]
        if name == "abalone":
            return mean_squared_error(truth, fit("Regressor", leaves, columns, X, y).predict(held))
        return log_loss(truth, fit("Classifier", leaves, columns, X, y).predict_proba(held))

    return {name: np.array([loss(name, *part) for part in parts]) for name, (_, _, parts) in data.items()}


def ours(data):
    from ml_core.models import boosting

    def fit(kind, leaves, columns, X, y):
        model = getattr(boosting, f"GradientBoosting{kind}")(max_leaf_nodes=leaves, early_stopping=False)
        return model.set_params(categorical_features=columns or None, random_state=0).fit(X, y)

    return _losses(data, fit)


def lightgbm(data):
    import lightgbm

    def fit(kind, leaves, columns, X, y):
        model = getattr(lightgbm, f"LGBM{kind}")(num_leaves=leaves, n_jobs=threads(), verbose=-1)
        return model.fit(X, y, categorical_feature=columns or "auto")

    return _losses(data, fit)


RIVALS = {"LightGBM": lightgbm}


def _off(mine, theirs):
    """{kind: (mean of ours less theirs, its standard error)}."""
    off = {name: mine[name] - theirs[name] for name in mine}
    return {name: (one.mean(), one.std(ddof=1) / np.sqrt(len(one))) for name, one in off.items()}


def figures(mine, theirs, data):
    """The text for docs/numbers.md."""
    said = [f"{name} {mean:+.4f} ± {error:.4f}" for name, (mean, error) in _off(mine, theirs).items()]
    return "loss less theirs: " + ", ".join(said)


def equal(mine, theirs, data):
    return all(mean <= error for mean, error in _off(mine, theirs).values())
