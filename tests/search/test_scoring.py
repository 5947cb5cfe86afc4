import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, silhouette_score
from sklearn.svm import LinearSVC

from ml_core.search.scoring import choose

TWO = np.array(["no", "yes"] * 20, dtype=object)
THREE = np.resize(np.array(["a", "b", "c"], dtype=object), 40)


@pytest.mark.parametrize(
    ("task", "y", "estimator", "wanted"),
    [
        ("classification", TWO, LogisticRegression(), "roc_auc"),
        ("classification", TWO, LinearSVC(), "roc_auc"),
        ("classification", THREE, LogisticRegression(), "neg_log_loss"),
        ("classification", THREE, LinearSVC(), "balanced_accuracy"),
        ("regression", np.arange(40.0), Ridge(), "r2"),
        ("clustering", None, KMeans(), "silhouette"),
    ],
)
def test_auto_is_the_tasks_metric(task, y, estimator, wanted):
    assert choose("auto", task, y, estimator)[0] == choose(None, task, y, estimator)[0] == wanted


@pytest.mark.parametrize(
    "name", ["f1", "precision", "recall", "average_precision", "neg_brier_score", "jaccard"]
)
def test_metrics_of_one_class_take_the_last_label(name):
    X = np.arange(40.0)[:, None] + (TWO == "yes")[:, None] * 9
    model = LogisticRegression().fit(X, TWO)
    scorer = choose(name, "classification", TWO, model)[1]
    got = scorer(model, X, TWO)
    coded = LogisticRegression().fit(X, TWO == "yes")
    from sklearn.metrics import get_scorer

    assert_allclose(got, get_scorer(name)(coded, X, TWO == "yes"), atol=1e-6)
    if name == "f1":
        assert_allclose(got, f1_score(TWO, model.predict(X), pos_label="yes"))


def test_a_plain_name_stays_a_name_so_that_estimators_know_it():
    assert choose("accuracy", "classification", TWO, LogisticRegression()) == ("accuracy", "accuracy")
    assert choose("f1", "classification", np.resize([0, 1], 20), LogisticRegression()) == ("f1", "f1")
    name = "neg_mean_squared_error"
    assert choose(name, "regression", np.arange(9.0), Ridge()) == (name, name)


def test_clusters_are_judged_on_held_out_rows():
    X, _ = make_blobs(300, centers=3, random_state=0)
    model = KMeans(3, n_init=1, random_state=0).fit(X[:200])
    for name in ("silhouette", "calinski_harabasz", "neg_davies_bouldin"):
        assert np.isfinite(choose(name, "clustering", None, model)[1](model, X[200:]))
    scorer = choose("silhouette", "clustering", None, model)[1]
    assert scorer(model, X[200:]) == silhouette_score(X[200:], model.predict(X[200:]))
    with pytest.raises(ValueError, match="1 clusters among 5 held-out rows"):
        scorer(KMeans(1, n_init=1).fit(X), X[:5])


@pytest.mark.parametrize(
    ("scoring", "task", "y", "estimator", "message"),
    [
        ("roc_acu", "classification", TWO, LogisticRegression(), "no scorer 'roc_acu'; did you mean roc_auc"),
        (3, "classification", TWO, LogisticRegression(), "got 3, must be a name such as roc_auc"),
        (
            "roc_auc",
            "classification",
            THREE,
            LogisticRegression(),
            "roc_auc is not defined for 3 classes: .*roc_auc_ovr",
        ),
        ("f1", "classification", THREE, LogisticRegression(), "f1 is not defined for 3 classes: .*f1_macro"),
        (
            "r2",
            "classification",
            TWO,
            LogisticRegression(),
            "r2 is not defined for 2 classes: it judges numbers",
        ),
        (
            "r2",
            "classification",
            np.resize([0, 1], 9),
            LogisticRegression(),
            "r2 is not defined for 2 classes",
        ),
        ("accuracy", "regression", np.arange(40.0), Ridge(), "accuracy is not defined for a regression"),
        (
            "roc_auc",
            "regression",
            np.arange(40.0),
            Ridge(),
            "roc_auc needs .*, which Ridge does not have; use r2",
        ),
        (
            "neg_log_loss",
            "classification",
            TWO,
            LinearSVC(),
            "needs predict_proba, which LinearSVC does not have",
        ),
        (
            "r2",
            "clustering",
            None,
            KMeans(),
            "r2 is not defined for clustering, .* allowed are auto, silhouette",
        ),
        (
            "neg_bic",
            "clustering",
            None,
            KMeans(),
            "neg_bic needs bic, which KMeans does not have; use silhouette",
        ),
        ("auto", "clustering", None, DBSCAN(), "DBSCAN has no predict, so held-out rows have no cluster"),
    ],
)
def test_a_metric_that_cannot_be_is_refused_before_anything_is_fitted(scoring, task, y, estimator, message):
    with pytest.raises(ValueError, match=message):
        choose(scoring, task, y, estimator)


@pytest.mark.parametrize("name", ["silhouette", "neg_bic"])
def test_a_criterion_finds_the_number_of_clusters(name):
    from sklearn.datasets import make_blobs
    from sklearn.model_selection import KFold

    from ml_core.models.cluster import KMeans as Ours
    from ml_core.models.cluster import TrimmedKMeans

    X = make_blobs(900, 3, centers=5, cluster_std=0.7, random_state=4)[0]
    far = np.concatenate([X, np.random.default_rng(0).uniform(-200, 200, size=(30, 3))])
    for model, rows in ((Ours(n_init=5), X), (TrimmedKMeans(trim=0.06), far)):
        if name == "silhouette" and rows is far:
            continue  # it judges the outliers, too
        model.set_params(random_state=0)
        scorer = choose(name, "clustering", None, model)[1]
        folds = list(KFold(3, shuffle=True, random_state=0).split(rows))
        scores = model.score_many(rows, None, [{"n_clusters": k} for k in range(2, 10)], folds, scorer)
        assert scores.mean(axis=1).argmax() + 2 == 5
