"""Time until a search over families has a model with an AUC of .925 on held-out rows of adult.csv.

Ours is conf/search/automl.yaml as it stands. FLAML chooses among its own families, such as LightGBM; Optuna's
TPE among ours, in scikit-learn's twins and LightGBM, in the same spaces, on our features, made once. All fit
on the same four fifths of the rows, look at the same fifth, and stop at the first model that is good enough
there. Equal: both have one.
"""

import contextlib
import os
from pathlib import Path

import numpy as np
import polars as pl

FLOOR, GOAL = 0.5, 2
SHORT, MEMORY = {"n": 4000, "target": 0.9}, None
ROOT = Path(__file__).parents[2]
ADULT = ROOT.parent / "shared/data/adult.csv"
MOST = 300  # seconds that the rival may take


def data(n=48_000, target=0.925):
    """(frame, y, train rows, held-out rows, target) of n rows of adult.csv."""
    table = pl.read_csv(ADULT, null_values=["?", " ?"]).sample(n, seed=0)
    y = table["income"].str.contains(">50K").to_numpy().astype(int)
    rows = np.random.default_rng(0).permutation(n)
    return table.drop("income"), y, np.sort(rows[n // 5 :]), np.sort(rows[: n // 5]), target


class Until:
    """A strategy that ends when a candidate on all rows is good enough."""

    def __init__(self, strategy, target):
        self.strategy, self.target, self.seed = strategy, target, strategy.seed

    def fitting(self, rows):
        """The same around the strategy for folds of so many training rows."""
        return Until(self.strategy.fitting(rows), self.target)

    def batches(self, space, rng):
        """Yield (candidates, share of rows); be sent their mean scores."""
        batches, means = self.strategy.batches(space, rng), None
        while True:
            try:
                candidates, share = batches.send(means)
            except StopIteration:
                return
            means = yield candidates, share
            if share == 1 and np.nanmax(means, initial=-np.inf) >= self.target:
                return


def ours(data):
    import yaml

    from ml_core.cli.build import allowed_packages, build
    from ml_core.cli.compose import compose
    from ml_core.data.table import Table
    from ml_core.search import engine, families
    from ml_core.search.problem import Problem

    X, y, train, held, target = data
    params, allowed = yaml.safe_load(compose(["search=automl"], "config", ROOT)), allowed_packages(ROOT)
    model, strategy = build(params["model"], allowed), build(params["search"], allowed).strategy
    kinds = {name: "numeric" if kind.is_numeric() else "categorical" for name, kind in X.schema.items()}
    table = Table(X.lazy(), "income", "classification", kinds, classes=[0, 1])
    estimators, features, space, _ = families.stated(model, None, table, y, "roc_auc")
    problem = Problem(X, y, features, estimators, [(train, held)], "roc_auc")
    found = engine.search(problem, space, Until(strategy, target))
    return float(found.mean[found.best])


class Reached(Exception):
    """A model is good enough."""


def flaml(data):
    import polars.selectors as cs
    from flaml import AutoML
    from sklearn.metrics import roc_auc_score

    X, y, train, held, target = data
    frame, best = X.with_columns(cs.string().cast(pl.Categorical)).to_pandas(), [0.0]

    def metric(X_val, y_val, estimator, labels, X_train, y_train, *more, **named):
        area = roc_auc_score(y_val, estimator.predict_proba(X_val)[:, 1])
        best[0] = max(best[0], area)
        if area >= target:
            raise Reached
        return 1 - area, {"auc": area}

    search = AutoML()
    with contextlib.suppress(Reached):
        search.fit(
            frame.iloc[train],
            y[train],
            X_val=frame.iloc[held],
            y_val=y[held],
            task="classification",
            metric=metric,
            time_budget=MOST,
            n_jobs=int(os.environ["OMP_NUM_THREADS"]),
            seed=0,
            verbose=0,
            retrain_full=False,
        )
    return float(best[0])


def _twin(family, suggest):
    """scikit-learn's or LightGBM's model of a family, with parameters that ``suggest(name, axis)`` picks."""
    import lightgbm
    import yaml
    from sklearn import ensemble, linear_model, naive_bayes, neighbors

    made = {
        "gaussian_nb": naive_bayes.GaussianNB,
        "ridge": linear_model.RidgeClassifier,
        "logistic": lambda **more: linear_model.LogisticRegression(max_iter=1000, **more),
        "knn": neighbors.KNeighborsClassifier,
        "boosting": lightgbm.LGBMClassifier,
        "forest": ensemble.RandomForestClassifier,
    }[family]
    names = {"max_leaf_nodes": "num_leaves"} if family == "boosting" else {}
    space = yaml.safe_load((ROOT / f"conf/model/{family}.yaml").read_text())["space"]
    model = made(**{names.get(name, name): suggest(f"{family}.{name}", axis) for name, axis in space.items()})
    common = {"n_jobs": int(os.environ["OMP_NUM_THREADS"]), "random_state": 0}
    common |= {"verbose": -1} if family == "boosting" else {}
    known = {"verbose", *(model.get_params() if family in ("knn", "boosting", "forest") else ())}
    return model.set_params(**{name: value for name, value in common.items() if name in known})


def optuna_lightgbm(data):
    import optuna
    import yaml
    from sklearn.metrics import roc_auc_score

    from ml_core.cli.build import allowed_packages, build
    from ml_core.cli.compose import compose

    X, y, train, held, target = data
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    model = yaml.safe_load(compose(["search=automl"], "config", ROOT))["model"]
    families, features = model["families"], build(model["features"], allowed_packages(ROOT))
    kinds = {name: "numeric" if kind.is_numeric() else "categorical" for name, kind in X.schema.items()}
    made = {}

    def numbers(setting):
        if setting not in made:
            one = features[setting].set_params(kinds=kinds, sparse=False)
            made[setting] = one.fit_transform(X[train]), one.transform(X[held])
        return made[setting]

    def objective(trial):
        def suggest(name, axis):
            if isinstance(axis, dict):
                return trial.suggest_float(name, axis["low"], axis["high"], log=axis["log"])
            return trial.suggest_categorical(name, axis)

        family = trial.suggest_categorical("family", list(families))
        rows, shown = numbers(suggest(f"{family}.features", families[family]["features"]))
        fitted = _twin(family, suggest).fit(rows, y[train])
        able = hasattr(fitted, "predict_proba")
        said = fitted.predict_proba(shown)[:, 1] if able else fitted.decision_function(shown)
        area = roc_auc_score(y[held], said)
        if area >= target:
            trial.study.stop()
        return area

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, timeout=MOST)
    return study.best_value


RIVALS = {"FLAML": flaml, "Optuna and LightGBM": optuna_lightgbm}


def equal(mine, theirs, data):
    return min(mine, theirs) >= data[-1]
