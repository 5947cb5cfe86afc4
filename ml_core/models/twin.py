"""An unfitted copy of an estimator with other parameters: what a search makes of every candidate and fold."""

from functools import cache

from sklearn.base import BaseEstimator, clone

PLAIN = (str, bool, int, float, type(None))
EXTRA = (
    "_sklearn_output_config",
    "_metadata_request",
    "_skl_callbacks",
)  # what clone hands on beside parameters


def twin(model, params):
    """As ``clone(model).set_params(**params)``, whose looks at the constructor cost more than a small fit.

    That is what is done where the model holds others, has ways of its own, or lacks a parameter.
    """
    names = _names(type(model))
    if names is None or not names.issuperset(params) or any(name in vars(model) for name in EXTRA):
        return clone(model).set_params(**params)
    own = {name: getattr(model, name) for name in names}
    if not all(isinstance(value, PLAIN) for value in own.values()):
        return clone(model).set_params(**params)
    own.update(params)
    fresh = type(model)(**own)
    kept = vars(fresh)
    # a constructor that changes what it is given makes clone raise, and that should be heard
    return fresh if all(kept.get(n, kept) is own[n] for n in own) else clone(model).set_params(**params)


@cache
def _names(kind):
    """Names of the constructor's parameters; None where a class does not copy as scikit-learn's do."""
    methods = ("get_params", "set_params", "__sklearn_clone__", "_get_param_names")
    usual = issubclass(kind, BaseEstimator) and all(
        getattr(getattr(kind, name), "__func__", getattr(kind, name))
        is getattr(getattr(BaseEstimator, name), "__func__", getattr(BaseEstimator, name))
        for name in methods
    )
    return frozenset(kind._get_param_names()) if usual else None
