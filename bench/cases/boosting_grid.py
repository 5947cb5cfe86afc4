"""A grid of 30 boosting candidates x 5 folds on 100,000 x 28: score_many against GridSearchCV of LightGBM;
and the race over the folds against Optuna, as both stop hopeless candidates early.

Optuna takes the same candidates in a shuffled order, another one in each run, reports their AUC after each
fold, and prunes what is below the median of the trials before: its MedianPruner as it comes, which loses the
best one when it is told LightGBM's curves within a fold. It stops at a mean AUC within 0.0001 of the best of
LightGBM's whole grid, which it is told: a user would not know it, and would go on. Equal: our best mean AUC
is lower than the rival's by 0.002 at most, and the rival has found its best.
"""

import itertools

import numpy as np
from boosting_fit import events, threads
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

FLOOR, GOAL = 3, 6
SHORT = {"n": 4_000, "best": 0.79925}
SLACK, SAME = 0.002, 1e-4
GRID = {"max_iter": [20, 40, 60, 80, 100], "max_leaf_nodes": [15, 31], "learning_rate": [0.05, 0.1, 0.2]}
NAMES = {"max_iter": "n_estimators", "max_leaf_nodes": "num_leaves", "learning_rate": "learning_rate"}


def data(n=100_000, best=0.81706):
    """X (n, 28), y (n,), and the best mean AUC of LightGBM's grid on them."""
    return *events(n, 0), best


def _folds(X, y):
    return list(StratifiedKFold(5).split(X, y))


def _candidates():
    return list(ParameterGrid(GRID))


def whole(data):
    """Scores (30, 5) of all candidates on all folds."""
    from ml_core.models.boosting import GradientBoostingClassifier

    X, y = data[:2]
    model = GradientBoostingClassifier(early_stopping=False)
    return model.score_many(X, y, _candidates(), _folds(X, y), "roc_auc")


def raced(data):
    """The same, nan from where a candidate was stopped."""
    from ml_core.models import racing
    from ml_core.models.boosting import GradientBoostingClassifier

    X, y = data[:2]
    model = GradientBoostingClassifier(early_stopping=False)
    return racing.raced(model, (X, y), (_candidates(), _folds(X, y)), "roc_auc")


def grid_search(data):
    import lightgbm

    X, y = data[:2]
    model = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)
    grid = {NAMES[name]: values for name, values in GRID.items()}
    search = GridSearchCV(model, grid, cv=_folds(X, y), scoring="roc_auc", refit=False, n_jobs=threads())
    search.fit(X, y)
    return np.column_stack([search.cv_results_[f"split{j}_test_score"] for j in range(5)])


RUNS = itertools.count()


def optuna_with_pruning(data):
    import lightgbm
    import optuna
    from sklearn.metrics import roc_auc_score

    X, y, best = data
    folds, orders = _folds(X, y), optuna.samplers.GridSampler(GRID, seed=next(RUNS))
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        params = {NAMES[name]: trial.suggest_categorical(name, values) for name, values in GRID.items()}
        areas = []
        for j, (train, test) in enumerate(folds):
            model = lightgbm.LGBMClassifier(**params, n_jobs=1, verbose=-1).fit(X[train], y[train])
            areas.append(roc_auc_score(y[test], model.predict_proba(X[test])[:, 1]))
            trial.report(np.mean(areas), j)
            if trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("areas", areas)
        if np.mean(areas) > best - SAME:
            trial.study.stop()
        return np.mean(areas)

    study = optuna.create_study(direction="maximize", sampler=orders, pruner=optuna.pruners.MedianPruner())
    study.optimize(objective, n_jobs=threads())
    return np.array([one.user_attrs["areas"] for one in study.trials if "areas" in one.user_attrs])


RIVALS = {"GridSearchCV": grid_search, "Optuna with pruning": optuna_with_pruning}
ours = {"GridSearchCV": whole, "Optuna with pruning": raced}


def equal(mine, theirs, data):
    mine, theirs = np.nanmax(mine.mean(axis=1)), theirs.mean(axis=1).max()
    return mine >= theirs - SLACK and theirs > data[2] - SAME
