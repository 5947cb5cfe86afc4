"""60 random candidates over forest, boosting, logistic regression and neighbours on adult.csv, 5 folds.

Both rivals search scikit-learn's twins of the same models, in the same spaces, on the same features: as
RandomizedSearchCV over a Pipeline, and as Optuna's random sampler over cross_val_score.
Equal: the best mean AUC, no worse by more than 0.002.
"""

import os
from pathlib import Path

import numpy as np
import polars as pl

FLOOR, GOAL = 2, 5
SHORT = {"n": 2000, "tries": 12}
ADULT = Path(__file__).parents[2].parent / "shared/data/adult.csv"
SPACES = {
    "logistic": {"C": {"low": 1e-4, "high": 1e4, "log": True}},
    "knn": {"n_neighbors": [1, 2, 3, 5, 7, 10, 15, 20, 30, 50], "weights": ["uniform", "distance"]},
    "boosting": {"learning_rate": {"low": 0.02, "high": 0.3, "log": True}, "max_leaf_nodes": [15, 31, 63]},
    "forest": {"max_features": ["sqrt", 0.33, 0.66], "min_samples_leaf": [1, 3, 10, 30]},
}


def data(n=10_000, tries=60):
    """(frame, y, folds, kinds, tries) of n rows of adult.csv."""
    from sklearn.model_selection import StratifiedKFold

    table = pl.read_csv(ADULT, null_values=["?", " ?"]).sample(n, seed=0)
    y = table["income"].str.contains(">50K").to_numpy().astype(int)
    X = table.drop("income")
    kinds = {name: "numeric" if kind.is_numeric() else "categorical" for name, kind in X.schema.items()}
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(np.zeros(n), y))
    return X, y, folds, kinds, tries


def _features(kinds):
    from ml_core.features.columns import Columns

    tree = Columns(missing="keep", scale="none", categorical="ordinal", min_frequency=1, sparse=False)
    return {"standard": Columns(kinds=kinds, sparse=False), "tree": tree.set_params(kinds=kinds)}


def _uses(family):
    return "tree" if family in ("boosting", "forest") else "standard"


def ours(data):
    from ml_core.models.boosting import GradientBoostingClassifier
    from ml_core.models.forest import RandomForestClassifier
    from ml_core.models.logistic import LogisticRegression
    from ml_core.models.neighbors import KNeighborsClassifier
    from ml_core.search import engine
    from ml_core.search.problem import Problem
    from ml_core.search.random import Random
    from ml_core.search.space import Joint, parse

    X, y, folds, kinds, tries = data
    models = {
        "logistic": LogisticRegression(),
        "knn": KNeighborsClassifier(),
        "boosting": GradientBoostingClassifier(random_state=0),
        "forest": RandomForestClassifier(random_state=0),
    }
    space = Joint({name: parse(axes) for name, axes in SPACES.items()}, {f: [_uses(f)] for f in SPACES})
    problem = Problem(X, y, _features(kinds), models, folds, "roc_auc")
    return float(np.nanmax(engine.search(problem, space, Random(tries)).mean))


def _twins():
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    return {
        "logistic": LogisticRegression(max_iter=1000),
        "knn": KNeighborsClassifier(),
        "boosting": HistGradientBoostingClassifier(random_state=0),
        "forest": RandomForestClassifier(random_state=0),
    }


def _pipeline(family, kinds):
    from sklearn.pipeline import Pipeline

    return Pipeline([("features", _features(kinds)[_uses(family)]), ("model", _twins()[family])])


def randomized(data):
    from scipy.stats import loguniform
    from sklearn.model_selection import RandomizedSearchCV

    X, y, folds, kinds, tries = data
    choices = []
    for family, axes in SPACES.items():
        drawn = {
            f"model__{name}": loguniform(axis["low"], axis["high"]) if isinstance(axis, dict) else axis
            for name, axis in axes.items()
        }
        whole = _pipeline(family, kinds)
        choices.append({"features": [whole["features"]], "model": [whole["model"]], **drawn})
    search = RandomizedSearchCV(
        _pipeline("logistic", kinds),
        choices,
        n_iter=tries,
        cv=folds,
        scoring="roc_auc",
        refit=False,
        n_jobs=int(os.environ["OMP_NUM_THREADS"]),
        random_state=0,
    )
    return float(np.nanmax(search.fit(X, y).cv_results_["mean_test_score"]))


def optuna_random(data):
    import optuna
    from sklearn.model_selection import cross_val_score

    X, y, folds, kinds, tries = data
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        family = trial.suggest_categorical("family", list(SPACES))
        chosen = {}
        for name, axis in SPACES[family].items():
            key = f"{family}.{name}"
            if isinstance(axis, dict):
                chosen[f"model__{name}"] = trial.suggest_float(key, axis["low"], axis["high"], log=True)
            else:
                chosen[f"model__{name}"] = trial.suggest_categorical(key, axis)
        whole = _pipeline(family, kinds).set_params(**chosen)
        jobs = int(os.environ["OMP_NUM_THREADS"])
        return cross_val_score(whole, X, y, cv=folds, scoring="roc_auc", n_jobs=jobs).mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=tries)
    return study.best_value


RIVALS = {"RandomizedSearchCV": randomized, "Optuna and scikit-learn": optuna_random}


def equal(mine, theirs, data):
    return mine > theirs - 0.002
