"""Weights of classes: every model that takes them says the same about those that cannot be weights."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from ml_core.models.boosting import GradientBoostingClassifier
from ml_core.models.forest import RandomForestClassifier
from ml_core.models.linear import RidgeClassifier
from ml_core.models.logistic import LogisticRegression
from ml_core.models.tree import DecisionTreeClassifier
from ml_core.models.weights import refuse_class_weight

X, Y = load_breast_cancer(return_X_y=True)
X, Y = X[:60], Y[:60]
MODELS = [
    GradientBoostingClassifier(max_iter=2), RandomForestClassifier(2), DecisionTreeClassifier(max_depth=2),
    RidgeClassifier(), LogisticRegression(),
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({0: -1}, r"class_weight\[0\] must be a number in \[0, inf\), got -1"),
        ({1: np.nan}, r"class_weight\[1\] must be a number in \[0, inf\), got nan"),
        ({1: np.inf}, r"class_weight\[1\] must be a number in \[0, inf\), got inf"),
        ({1: "much"}, r"class_weight\[1\] must be a number in \[0, inf\), got 'much'"),
        ({7: 2.0}, "class_weight has a weight for 7, but the classes of y are 0, 1"),
        ({0: 0, 1: 0}, "class_weight must be > 0 for one class at least"),
    ],
)
def test_what_cannot_be_a_weight_is_named(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.set_params(class_weight=given).fit(X, Y)


def test_a_class_nobody_has_may_be_weighed_where_the_others_are():
    refuse_class_weight({0: 1, 1: 2, 7: 3}, np.array([0, 1]))
    refuse_class_weight({"a": 0.0}, np.array(["a", "b"]))
    refuse_class_weight("balanced", np.array([0, 1]))


@pytest.mark.parametrize("model", MODELS[:3], ids=lambda model: type(model).__name__)
def test_weights_that_leave_no_row_are_refused(model):
    with pytest.raises(ValueError, match="sample_weight times class_weight is zero for every row"):
        model.set_params(class_weight={0: 0.0}).fit(X, Y, 1.0 * (Y == 0))
