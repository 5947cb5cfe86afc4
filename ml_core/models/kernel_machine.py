"""What SVC and NuSVC share: one machine a pair of classes, votes, decisions, probabilities.

Letters: n rows, d columns, q classes, m = q (q - 1) / 2 pairs, v support vectors. The functions take a
model and set or read its attributes; ``machine(rows, s, weight)`` is the two-class solver with the model's
own parameters bound.
"""

import warnings

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state

from ml_core.kernels import platt, similarity
from ml_core.models.labels import encoded
from ml_core.models.validate import validated
from ml_core.models.weights import weights_of_classes

CEILING = 10_000_000  # steps of max_iter=-1, as libsvm


def pairs_of(q):
    """Pairs (i, j), i < j, in the order of libsvm's columns."""
    return [(i, j) for i in range(q) for j in range(i + 1, q)]


def most_steps(model, n):
    """max_iter, with -1 read as libsvm reads it."""
    return max(CEILING, 100 * n) if model.max_iter == -1 else model.max_iter


def check_input(model, X, y, sample_weight):
    """Validated X, codes (n,), weights (n,) without class weights; sets classes_ and class_weight_."""
    model._validate_params()
    if issparse(X) and model.kernel == "precomputed":
        raise TypeError("kernel='precomputed' takes a dense matrix, got a sparse one: use X.toarray()")
    X, y = validated(model, X, y, dtype=np.float64, order="C", accept_sparse="csr", accept_large_sparse=False)
    if model.kernel == "precomputed" and X.shape[0] != X.shape[1]:
        raise ValueError(
            f"kernel='precomputed': Precomputed matrix must be a square matrix, got {X.shape[0]}x{X.shape[1]}"
        )
    model.classes_, codes = encoded(y)
    codes = codes.astype(np.intp, copy=False)
    if len(model.classes_) < 2:
        raise ValueError(
            f"The number of classes has to be greater than one; got {len(model.classes_)} class: "
            f"{model.classes_[0]!r}. {type(model).__name__} needs rows of a second class in y"
        )
    model.class_weight_ = weights_of_classes(model.class_weight, model.classes_, y)
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if not (weight > 0).any():
        raise ValueError(
            "Invalid input - all samples have zero or negative weights. Give some row a weight > 0"
        )
    if len(np.unique(codes[weight > 0])) < 2:
        raise ValueError(
            "Invalid input - all samples with positive weights belong to the same class: "
            f"{model.classes_[codes[weight > 0][0]]!r}"
        )
    return X, codes, weight


def set_kernel(model, X):
    """Resolve gamma into _gamma; -> similarity.Kernel, or None where the matrix is given."""
    model._gamma = 0.0
    if callable(model.kernel) or model.kernel == "precomputed":
        return None
    model._gamma = float(gamma_of(model.gamma, X))
    return similarity.Kernel(model.kernel, model._gamma, model.degree, float(model.coef0))


def gamma_of(gamma, X):
    """'scale' is 1 / (d var(X)), 'auto' 1 / d."""
    if gamma == "auto":
        return 1 / X.shape[1]
    if gamma != "scale":
        return gamma
    spread = X.multiply(X).mean() - X.mean() ** 2 if issparse(X) else X.var()
    return 1 / (X.shape[1] * spread) if spread != 0 else 1.0


def source_of(model, X, kernel):
    """Rows of the kernel matrix for the solver; sets _centre, which keeps far-off points exact."""
    model._centre = None
    if kernel is None:
        if callable(model.kernel):
            model._X_fit = X
            X = matrix_of(model.kernel(X, X), (X.shape[0], X.shape[0]))
        return similarity.Given(X)
    if kernel.name == "rbf" and not issparse(X):
        with np.errstate(over="ignore", invalid="ignore"):
            model._centre = X.mean(axis=0)
            X = X - model._centre
    n = X.shape[0]
    slots = max(int(model.cache_size * 2**20 / (4 * n)), 1024)
    return similarity.Rows(kernel, X, n if n <= 1500 else slots)


def matrix_of(values, shape):
    """What a callable kernel returned, checked."""
    K = values.toarray() if issparse(values) else np.asarray(values, dtype=np.float64)
    if K.shape != shape:
        raise ValueError(f"the callable kernel returned shape {K.shape}, but must return {shape}")
    return np.ascontiguousarray(K)


def fit_pairs(source, codes, weight, q, machine, earlier=()):
    """One machine a pair -> [(members, Machine)]; the first class is +1, of two classes in all the second.

    ``earlier`` holds such lists for lesser parameters, from which each machine goes on.
    """
    found = []
    for place, (i, j) in enumerate(pairs_of(q)):
        # class by class, as libsvm has them: the two sides of nu-SVM then lie apart
        members = np.concatenate([np.flatnonzero((codes == k) & (weight > 0)) for k in (i, j)])
        positive = j if q == 2 else i
        s = np.where(codes[members] == positive, 1.0, -1.0)
        rows = source.part(members)
        path = {"path": [made[place][1] for made in earlier]} if earlier else {}
        found.append((members, machine(rows, s, weight[members], **path)))
    return found


def set_solution(model, X, codes, found):
    """Attributes as scikit-learn lays them out; refuses what is not finite, warns of an early stop."""
    q = len(model.classes_)
    dual = np.zeros((q - 1, len(codes)))
    for (i, j), (members, part) in zip(pairs_of(q), found, strict=True):
        first = members[codes[members] == i]
        second = members[codes[members] == j]
        dual[j - 1, first] = part.b[codes[members] == i]
        dual[i, second] = part.b[codes[members] == j]
    model.intercept_ = np.array([part.offset for _, part in found])
    if not (np.isfinite(model.intercept_).all() and np.isfinite(dual).all()):
        raise ValueError(
            "The dual coefficients or intercepts are not finite. "
            "The input data may contain large values and need to be preprocessed: scale the columns"
        )
    used = np.flatnonzero(dual.any(axis=0))
    used = used[np.argsort(codes[used], kind="stable")]
    model.support_ = used.astype(np.int32)
    model._n_support = np.bincount(codes[used], minlength=q).astype(np.int32)
    model.dual_coef_ = dual[:, used]
    given = callable(model.kernel) or model.kernel == "precomputed"
    model.support_vectors_ = np.empty((0, 0)) if given else X[used]
    model._sparse = issparse(X) and not given
    if model._sparse:
        model.dual_coef_ = csr_array(model.dual_coef_)
    model.n_iter_ = np.array([part.steps for _, part in found], dtype=np.int32)
    model.shape_fit_ = X.shape
    model.fit_status_ = warn_unless_converged(model, [part for _, part in found])


def warn_unless_converged(model, parts):
    """0, or 1 after a warning that says what to change."""
    if all(part.converged for part in parts):
        return 0
    warnings.warn(
        f"{type(model).__name__} stopped after {max(part.steps for part in parts)} steps "
        f"(max_iter={model.max_iter}) before tol={model.tol:g}. Scale the columns (StandardScaler), "
        "raise max_iter or tol, or lower C",
        ConvergenceWarning,
        stacklevel=4,
    )
    return 1


def pair_weights(model):
    """Dual coefficients as (v, m): a column a pair."""
    dual = model.dual_coef_.toarray() if issparse(model.dual_coef_) else model.dual_coef_
    q = len(model.classes_)
    of = np.repeat(np.arange(q), model._n_support)
    W = np.zeros((dual.shape[1], q * (q - 1) // 2))
    for column, (i, j) in enumerate(pairs_of(q)):
        W[of == i, column] = dual[j - 1, of == i]
        W[of == j, column] = dual[i, of == j]
    return W


def pair_decisions(model, X):
    """X (n, d) -> (n, m) decisions, positive for the first class of a pair, for two classes the second."""
    check_is_fitted(model)
    X = validated(
        model, X, dtype=np.float64, order="C", accept_sparse="csr", accept_large_sparse=False, reset=False
    )
    if issparse(X) and not model._sparse and not callable(model.kernel):
        raise ValueError(f"cannot use sparse input in {type(model).__name__!r} trained on dense data")
    W = pair_weights(model)
    if callable(model.kernel):
        K = matrix_of(model.kernel(X, model._X_fit), (X.shape[0], model.shape_fit_[0]))
        return K[:, model.support_] @ W + model.intercept_
    if model.kernel == "precomputed":
        return X[:, model.support_] @ W + model.intercept_
    kernel = similarity.Kernel(model.kernel, model._gamma, model.degree, float(model.coef0))
    V = model.support_vectors_
    if model._sparse:
        X = X if issparse(X) else csr_array(X)
    if model._centre is not None:
        X, V = X - model._centre, V - model._centre
    return similarity.weighted(kernel, X, V, W) + model.intercept_


def votes(decisions, q):
    """(n, m) -> class codes (n,): the class most pairs choose, the first of equals."""
    if q == 2:
        return (decisions[:, 0] >= 0).astype(np.intp)
    count = np.zeros((len(decisions), q), np.int32)
    for column, (i, j) in enumerate(pairs_of(q)):
        first = decisions[:, column] > 0
        count[:, i] += first
        count[:, j] += ~first
    return count.argmax(axis=1)


def sigmoids(source, codes, weight, q, machine, random_state):
    """Platt's A (m,) and B (m,) from decisions of machines that did not see the row: five folds a pair."""
    rng = check_random_state(random_state)
    found = []
    for i, j in pairs_of(q):
        members = rng.permutation(np.flatnonzero(((codes == i) | (codes == j)) & (weight > 0)))
        positive = codes[members] == (j if q == 2 else i)
        f = _unseen(source, members, positive, weight[members], machine)
        found.append(platt.sigmoid(f, positive, weight[members]))
    return np.array(found).T


def _unseen(source, members, positive, weight, machine):
    """Decisions (n,) for members, each from a machine on the other four fifths."""
    f = np.empty(len(members))
    for fold in range(5):
        held = np.arange(len(members)) % 5 == fold
        s = np.where(positive[~held], 1.0, -1.0)
        if abs(s.sum()) == len(s):
            f[held] = s[0] if len(s) else 0.0
            continue
        train = members[~held]
        order = np.argsort(train)
        part = machine(source.part(train[order]), s[order], weight[~held][order])
        f[held] = source.sums(members[held], train[order], part.b) + part.offset
    return f


def probabilities(model, decisions):
    """Class probabilities (n, q) from pair decisions (n, m) and the sigmoids."""
    q = len(model.classes_)
    p = 1 / (1 + np.exp(np.clip(decisions * model._probA + model._probB, -700, 700)))
    if q == 2:
        return np.column_stack([1 - p[:, 0], p[:, 0]])
    R = np.zeros((len(p), q, q))
    for column, (i, j) in enumerate(pairs_of(q)):
        R[:, i, j] = np.clip(p[:, column], 1e-7, 1 - 1e-7)
        R[:, j, i] = 1 - R[:, i, j]
    return platt.couple(R)
