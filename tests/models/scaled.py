"""Tables of scikit-learn with columns of mean 0 and deviation 1."""


def scaled(load):
    X, y = load(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y
