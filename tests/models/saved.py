"""Fitted models of many kinds, as they are saved."""

from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

X, y = load_iris(return_X_y=True)
NAMES = load_iris().target_names.astype(object)[y]
MODELS = {
    "forest": RandomForestClassifier(5, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "gradient": GradientBoostingClassifier(n_estimators=2, random_state=0),
    "kmeans": KMeans(3, random_state=0),
    "brute": KNeighborsClassifier(algorithm="brute"),
    "kd_tree": KNeighborsClassifier(algorithm="kd_tree"),
    "ball_tree": KNeighborsClassifier(algorithm="ball_tree"),
    "logistic": LogisticRegression(max_iter=500),
    "svm": SVC(),
    "selection": make_pipeline(SelectKBest(k=2), LogisticRegression()),
}


def fitted(name):
    return MODELS[name].fit(X, NAMES)
