"""What is searched and trained: the estimator for the task, its features, both held to one result."""

import contextlib

from ml_core.search.space import parse

TASKS = ("classification", "regression", "clustering")
# boosting on histograms adds up column by column, so that threads change nothing: tests/steps/test_train.py
ANY_THREADS = ("sklearn.ensemble._hist_gradient_boosting.",)


def pick(model, task, target=None, where="model"):
    """({"estimator", "space"}, task) -> (estimator, Space); ValueError when they do not fit."""
    if not isinstance(model, dict) or "estimator" not in model:
        raise ValueError(
            f"{where}: got {model!r}, must have an estimator and a space, as conf/model/*.yaml do"
        )
    estimator, space = model["estimator"], model.get("space")
    table = f"target {target!r} makes this a {task}" if target else f"a table without a target is for {task}"
    if isinstance(estimator, dict):
        if task not in estimator:
            raise ValueError(f"model: it fits {' and '.join(estimator)}, but {table}; choose another model=")
        estimator = estimator[task]
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise ValueError(
            f"{where}.estimator: got {type(estimator).__name__}, must be an estimator of scikit-learn's kind "
            "(fit, predict, get_params), or one for each task: classification, regression, clustering"
        )
    found = fits(estimator)
    if found and found != task:
        name = type(estimator).__name__
        raise ValueError(f"model: {name} fits {found}, but {table}; choose another model=, or set data.task")
    if isinstance(space, dict) and space and set(space) <= set(TASKS):
        space = space.get(task)
    space = parse(space, f"{where}.space")
    check_names(estimator, space.axes, f"{where}.space")
    check_words(estimator, space.axes, f"{where}.space")
    return seeded(estimator), space


def fits(estimator):
    """The task an estimator is for; None when it does not say."""
    from sklearn.base import is_classifier, is_clusterer, is_regressor

    tests = zip(TASKS, (is_classifier, is_regressor, is_clusterer), strict=True)
    return next((task for task, test in tests if test(estimator)), None)


def check_names(estimator, names, where="model.space"):
    """ValueError for the first name that is no parameter of the estimator."""
    import difflib

    known = estimator.get_params(deep=True)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}" if near else f"it has {', '.join(known) or 'none'}"
            kind = type(estimator).__name__
            raise ValueError(f"{where}.{name}: {kind} has no parameter {name!r}; {hint}")


def check_words(estimator, axes, where="model.space"):
    """ValueError for the first word in a list that the estimator does not know: no fit could take it.

    A number out of bounds is left to the fits, whose errors are rows: others of the list may still do.
    """
    from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

    known, kind = getattr(estimator, "_parameter_constraints", {}), type(estimator).__name__
    for name, axis in axes.items():
        for value in getattr(axis, "values", ()):
            if not (isinstance(value, str) and name in known):
                continue
            try:
                validate_parameter_constraints(known, {name: value}, kind)
            except InvalidParameterError as error:
                raise ValueError(f"{where}.{name}: {error}") from None


def seeded(estimator):
    """A clone whose random_state, wherever it is None, is 0: the same inputs must give the same model."""
    from sklearn.base import clone

    estimator = clone(estimator)
    open_ = {
        name: 0
        for name, value in estimator.get_params(deep=True).items()
        if value is None and name.rpartition("__")[2] == "random_state"
    }
    return estimator.set_params(**open_)


def ready(features, kinds, estimator):
    """Features for a table of these kinds and this estimator, seeded; "passthrough" hands numbers on."""
    from sklearn.utils import get_tags

    if features in (None, "passthrough"):
        from ml_core.features.passthrough import Passthrough

        features = Passthrough()
    if not (hasattr(features, "fit_transform") and hasattr(features, "get_params")):
        raise ValueError(
            f"features: got {type(features).__name__}, must be a transformer of scikit-learn's kind "
            "(fit_transform, transform, get_params), or passthrough"
        )
    features = seeded(features)
    known = features.get_params(deep=False)
    if "kinds" in known:
        features.set_params(kinds=dict(kinds))
    if known.get("sparse") == "auto" and not get_tags(estimator).input_tags.sparse:
        features.set_params(sparse=False)
    return features


def is_ours(thing):
    """Is it, with all inside it, of ml_core, whose kernels give the same bits at any number of threads?"""
    parts = [thing, *(v for v in thing.get_params(deep=True).values() if hasattr(v, "get_params"))]
    return all(type(part).__module__.startswith("ml_core.") for part in parts)


def one_job(estimator):
    """Set n_jobs, wherever it is more, to 1; returns the estimator.

    A forest of scikit-learn adds its trees' votes up in the order in which its threads end.
    """
    if not any(hasattr(v, "get_params") or isinstance(v, list | tuple) for v in vars(estimator).values()):
        alone = getattr(estimator, "n_jobs", 1) != 1 and not type(estimator).__module__.startswith("ml_core.")
        return estimator.set_params(n_jobs=1) if alone else estimator
    if is_ours(estimator):
        return estimator
    names = [name for name in estimator.get_params(deep=True) if name.rpartition("__")[2] == "n_jobs"]
    return estimator.set_params(**dict.fromkeys(names, 1))


@contextlib.contextmanager
def held(thing, freely=False):
    """Hold BLAS and OpenMP at one thread; ``freely``: only where more would change the result."""
    name = type(thing).__module__ + "."
    if is_ours(thing) or (freely and name.startswith(ANY_THREADS)):
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
