"""Which metric decides, and whether it can: known before anything is fitted."""

import difflib

import numpy as np

# scikit-learn's scorers for these take 1 for the class that counts; ours is the last of the sorted classes
ONE_CLASS = ("f1", "precision", "recall", "jaccard", "average_precision", "neg_brier_score")
SAMPLE = 2000  # rows whose silhouettes are taken: they cost the square of their number
CLUSTERING = ("silhouette", "calinski_harabasz", "neg_davies_bouldin", "neg_bic")


def chosen(scoring, task, y, estimator):
    """{name: scorer} for one metric's name or several: the first decides.

    ``estimator`` may be {family: estimator}; a metric must be defined for all of them.
    """
    names = scoring if isinstance(scoring, list | tuple) else [scoring]
    families = list(estimator.values()) if isinstance(estimator, dict) else [estimator]
    if not names:
        raise ValueError("search.scoring: the list is empty; name a metric, or auto")
    found = {}
    for name in names:
        if name in (None, "auto") and len(families) > 1:
            automatic = {_automatic(task, y, one) for one in families}
            name = automatic.pop() if len(automatic) == 1 else "balanced_accuracy"
        for one in families:
            metric, scorer = choose(name, task, y, one)
        if metric in found:
            raise ValueError(f"search.scoring: {metric} is named twice")
        found[metric] = scorer
    return found


def choose(scoring, task, y, estimator):
    """(name, scorer) for ``scoring``, a scikit-learn scorer's name or "auto"; ValueError when it cannot be.

    ``scorer`` is the name itself where scikit-learn's scorer fits as it is, so that estimators know it.
    """
    name = _automatic(task, y, estimator) if scoring in (None, "auto") else scoring
    if not isinstance(name, str):
        raise ValueError(f"search.scoring: got {name!r}, must be a name such as roc_auc, or auto")
    if task == "clustering":
        return name, _of_clusters(name, estimator)
    from sklearn.metrics import get_scorer_names

    names = get_scorer_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 3)
        hint = f"did you mean {' or '.join(near)}" if near else "see sklearn.metrics.get_scorer_names()"
        raise ValueError(f"search.scoring: scikit-learn has no scorer {name!r}; {hint}")
    scorer = _with_class(name, y) if task == "classification" and name in ONE_CLASS else name
    _try(name, scorer, task, y, estimator)
    return name, scorer


def _automatic(task, y, estimator):
    if task == "clustering":
        return "silhouette"
    if task == "regression":
        return "r2"
    if len(np.unique(y)) == 2:
        able = hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
        return "roc_auc" if able else "balanced_accuracy"
    return "neg_log_loss" if hasattr(estimator, "predict_proba") else "balanced_accuracy"


def _with_class(name, y):
    from sklearn.metrics import get_scorer, make_scorer

    classes = np.unique(y)
    if len(classes) != 2 or set(classes.tolist()) <= {0, 1}:
        return name
    known = get_scorer(name)
    positive = classes[1].item() if hasattr(classes[1], "item") else classes[1]
    return make_scorer(
        known._score_func,
        response_method=known._response_method,
        greater_is_better=known._sign > 0,
        **{**known._kwargs, "pos_label": positive},
    )


def _try(name, scorer, task, y, estimator):
    """Score a dummy on a few rows: what the metric does not take, it says now."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.metrics import get_scorer

    needs = getattr(get_scorer(name), "_response_method", "predict")
    needs = (needs,) if isinstance(needs, str) else needs
    if not any(hasattr(estimator, method) for method in needs):
        raise ValueError(
            f"search.scoring: {name} needs {' or '.join(needs)}, which {type(estimator).__name__} does not "
            f"have; use {'balanced_accuracy' if task == 'classification' else 'r2'}"
        )
    y = np.asarray(y)
    if task == "classification":
        rows = np.concatenate([np.flatnonzero(y == value)[:2] for value in np.unique(y)])
        dummy, y = DummyClassifier(strategy="stratified", random_state=0), np.repeat(y[rows], 2)
        wrong_kind = get_scorer(name)._score_func.__module__.startswith("sklearn.metrics._regression")
    else:
        dummy, y, wrong_kind = DummyRegressor(), y[:20].astype(float), False
        kind = get_scorer(name)._score_func.__module__
        wrong_kind = not kind.startswith(("sklearn.metrics._regression", "sklearn.metrics._scorer"))
    what = f"{len(np.unique(y))} classes" if task == "classification" else "a regression"
    try:
        if wrong_kind:
            raise ValueError(f"it judges {'numbers' if task == 'classification' else 'classes'}")
        X = np.zeros((len(y), 1))
        (get_scorer(name) if isinstance(scorer, str) else scorer)(dummy.fit(X, y), X, y)
    except ValueError as error:
        several = "_ovr" if what != "2 classes" else ""
        classes = f"auto, roc_auc{several} or f1_macro"
        hint = classes if task == "classification" else "auto or neg_mean_absolute_error"
        raise ValueError(
            f"search.scoring: {name} is not defined for {what}: {str(error).splitlines()[0]}; use {hint}"
        ) from None


def _of_clusters(name, estimator):
    if name not in CLUSTERING:
        raise ValueError(
            f"search.scoring: {name} is not defined for clustering, which has no target; "
            f"allowed are auto, {', '.join(CLUSTERING)}"
        )
    if not hasattr(estimator, "predict"):
        raise ValueError(
            f"model.estimator: {type(estimator).__name__} has no predict, so held-out rows have no cluster; "
            "choose model=kmeans"
        )
    if name == "neg_bic" and not hasattr(estimator, "bic"):
        raise ValueError(
            f"search.scoring: neg_bic needs bic, which {type(estimator).__name__} does not have; "
            "use silhouette or model=kmeans"
        )
    known = (silhouette, calinski_harabasz, neg_davies_bouldin, neg_bic)
    return {scorer.__name__: scorer for scorer in known}[name]


def silhouette(fitted, X, y=None):
    """Mean silhouette of held-out rows, of at most SAMPLE spread over them."""
    from sklearn.metrics import silhouette_score

    if X.shape[0] > SAMPLE:
        X = X[np.linspace(0, X.shape[0] - 1, SAMPLE).astype(int)]
    return float(silhouette_score(X, _labels(fitted, X)))


def calinski_harabasz(fitted, X, y=None):
    """Calinski and Harabasz's score of held-out rows."""
    from sklearn.metrics import calinski_harabasz_score

    return float(calinski_harabasz_score(_dense(X), _labels(fitted, X)))


def neg_davies_bouldin(fitted, X, y=None):
    """Davies and Bouldin's score of held-out rows, negative: higher is better."""
    from sklearn.metrics import davies_bouldin_score

    return -float(davies_bouldin_score(_dense(X), _labels(fitted, X)))


def neg_bic(fitted, X, y=None):
    """Bayes' information criterion of held-out rows, negative: higher is better."""
    return -fitted.bic(X)


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X


def _labels(fitted, X):
    labels = fitted.predict(X)
    found = len(np.unique(labels))
    if not 1 < found < len(labels):
        raise ValueError(f"{found} clusters among {len(labels)} held-out rows have no such score")
    return labels
