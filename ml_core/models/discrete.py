"""What the naive Bayes models of counts share: classes, priors, smoothing, probabilities.

Letters: n rows, d columns, q classes. The functions take a model and set or read its attributes. A model
knows its sums, a tuple with class_count_ (q,) first: ``_counted(X, codes, q, weight)`` are those of rows,
``_with(sums)`` adds them to what was learned before, and ``_set(sums)`` stores them. Of sums,
``_weights(sums, alpha)`` makes feature_log_prob_; of that and the prior, ``_terms`` makes a table and a
constant (q,); ``_product(X, table, log_prob)`` + constant are the scores (n, q) of rows that ``_read(X)``
has checked.
"""

import warnings
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ml_core.kernels import threads
from ml_core.models.cells import check_cells
from ml_core.models.labels import coded, encoded
from ml_core.models.weights import row_weights

LEAST = 1e-10  # alpha at least, unless force_alpha

CONSTRAINTS = {
    "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
    "fit_prior": ["boolean"],
    "class_prior": ["array-like", None],
    "force_alpha": ["boolean"],
}


def learn(model, X, y, classes, sample_weight):
    """Add checked rows to the model's counts, and learn from all of them; ``classes`` None starts afresh."""
    fresh = classes is None or not hasattr(model, "classes_")
    classes, codes = encoded(y) if classes is None else (classes, coded(y, classes))
    weight = row_weights(sample_weight, X)
    alpha = smoothing(model.alpha, model.force_alpha, model.n_features_in_)
    log_prior(model, np.ones(len(classes)))  # refused before a row is counted
    sums = model._counted(X, codes, len(classes), weight)
    sums = sums if fresh else model._with(sums)
    model.classes_ = classes
    model._set(sums)
    model.feature_log_prob_ = model._weights(sums, alpha)
    model.class_log_prior_ = log_prior(model, sums[0])
    return model


def log_prior(model, class_count):
    """Logarithms of the prior (q,): class_prior, or the shares of the class counts, or all alike."""
    q = len(class_count)
    if model.class_prior is not None:
        if len(model.class_prior) != q:
            raise ValueError(
                "Number of priors must match number of classes: "
                f"got {len(model.class_prior)}, but there are {q}"
            )
        prior = np.asarray(model.class_prior, np.float64)
        if not (prior >= 0).all():
            raise ValueError(f"class_prior must be >= 0, got {model.class_prior!r}")
        with np.errstate(divide="ignore"):
            return np.log(prior)
    if not model.fit_prior:
        return np.full(q, -np.log(q))
    with np.errstate(divide="ignore"):
        return np.log(class_count) - np.log(class_count.sum())


def smoothing(alpha, force, d):
    """Checked alpha: a number, or (d,) where it is a list."""
    if isinstance(alpha, Real):
        low = alpha
    else:
        alpha = np.asarray(alpha, np.float64)
        if alpha.shape != (d,):
            raise ValueError(
                "When alpha is an array, it should contains `n_features`. "
                f"Got {alpha.size} elements instead of {d}."
            )
        low = alpha.min()
        if not low >= 0:
            raise ValueError(f"All values in alpha must be >= 0, got {low:g} for column {alpha.argmin()}")
    if low < LEAST and not force:
        warnings.warn(
            f"alpha too small will result in numeric errors, setting alpha = {LEAST:.1e}. "
            "Use `force_alpha=True` to keep alpha unchanged.",
            stacklevel=4,
        )
        return np.maximum(alpha, LEAST)
    return alpha


def check_counts(model, X, found, least):
    """Refuse cells that are no counts; ``found`` are their sums (q, d), ``least`` is the least of them."""
    if not np.isfinite(found).all():
        check_cells(model, X)
    if least < 0:
        raise ValueError(
            f"Negative values in data passed to {type(model).__name__} (input X): the least is {least:g}, "
            "but counts are >= 0; features.scale=minmax makes such of numbers"
        )


def joint(model, X):
    """Scores (n, q) of rows as they come."""
    check_is_fitted(model)
    X = model._read(X)
    table, constant = model._terms(model.feature_log_prob_, model.class_log_prior_)
    with threads.alone():
        found = model._product(X, table, model.feature_log_prob_) + constant
    if not np.isfinite(found).all():
        check_cells(model, X)
    return found


def log_proba(joint):
    """log P(x, class) (n, q) -> log P(class | x) (n, q)."""
    from scipy.special import log_softmax

    return log_softmax(joint, axis=1)


def labels(model, joint):
    """Scores (n, q) -> labels (n,)."""
    return model.classes_[largest(joint)]


def largest(joint):
    """Scores (..., q) -> codes (...): the first of the largest."""
    if joint.shape[-1] == 2 and not np.isnan(joint).any():
        # NumPy's argmax along two columns takes longer than all the scores
        return (joint[..., 1] > joint[..., 0]).view(np.uint8)
    return joint.argmax(axis=-1)
