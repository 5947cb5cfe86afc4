"""Labels of classes as codes 0..q-1, without a sort where a count will do."""

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


def encoded(y):
    """Checked y (n,) -> classes (q,) ascending, codes (n,); refuses fractions and the like."""
    if y.dtype.kind == "b" and len(y):
        some, every = y.any(), y.all()
        if some == every:
            return y[:1].copy(), np.zeros(len(y), np.uint8)
        return np.array([False, True]), y.view(np.uint8)
    if y.dtype.kind in "iu" and len(y):
        low, high = int(y.min()), int(y.max())
        # so few codes cannot name every second row a class of its own, of which scikit-learn would warn
        if 2 * (high - low + 1) < len(y):
            wide = y if y.itemsize == 8 else y.astype(np.int64)
            place = (wide - wide.dtype.type(low)).astype(np.intp)
            seen = np.bincount(place) > 0
            classes = (np.flatnonzero(seen).astype(wide.dtype) + wide.dtype.type(low)).astype(y.dtype)
            return classes, place if seen.all() else (np.cumsum(seen) - 1)[place]
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def coded(y, classes, what="y"):
    """Checked y (n,) -> codes (n,) in ``classes``, ascending; refuses a label that is not among them."""
    found, codes = encoded(y)
    place = np.minimum(np.searchsorted(classes, found), len(classes) - 1)
    if not (known := classes[place] == found).all():
        raise ValueError(f"{what} holds labels {found[~known]} that are not among the classes {classes}")
    return codes if np.array_equal(place, np.arange(len(classes))) else place[codes]


def known_classes(model, classes):
    """Classes (q,) for a call of partial_fit: as given at the first call, and the same ever after."""
    if not hasattr(model, "classes_"):
        if classes is None:
            raise ValueError(
                "classes must be given at the first call of partial_fit: all labels there will ever be"
            )
        return np.unique(classes)
    if classes is not None and not np.array_equal(np.unique(classes), model.classes_):
        raise ValueError(
            f"classes must stay what they were at the first call, {model.classes_}, got {classes!r}"
        )
    return model.classes_
