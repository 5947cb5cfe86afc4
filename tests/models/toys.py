"""Small tables to fit models on."""

from sklearn.datasets import make_friedman1


def friedman(n=200, seed=0):
    return make_friedman1(n, n_features=6, noise=0.5, random_state=seed)


def scaled(load):
    """A table of scikit-learn with columns of mean 0 and deviation 1."""
    X, y = load(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y
