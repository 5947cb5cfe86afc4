import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ml_core.models.logistic import LogisticRegression
from ml_core.models.twin import twin


class Restless(BaseEstimator):
    def __init__(self, a=1.0):
        self.a = a + 1


class Named(BaseEstimator):
    """As wrappers of other libraries do."""

    def __init__(self, **given):
        self.given = given

    def get_params(self, deep=True):
        return dict(self.given)

    def set_params(self, **params):
        self.given |= params
        return self


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (Ridge(alpha=2.0), {"alpha": 3.0, "fit_intercept": False}),
        (LogisticRegression(class_weight={0: 2.0}), {"C": 4.0}),
        (RandomForestClassifier(7, class_weight={0: 1.0}), {"max_depth": 3}),
        (AdaBoostClassifier(DecisionTreeClassifier()), {"estimator__max_depth": 2}),
        (make_pipeline(Ridge()), {"ridge__alpha": 5.0}),
        (Named(a=1), {"b": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_twin_is_scikit_learns_clone(model, params):
    before = repr(model.get_params())
    made, known = twin(model, params), clone(model).set_params(**params)
    assert type(made) is type(known) and made is not model
    assert repr(made.get_params()) == repr(known.get_params())
    assert repr(model.get_params()) == before
    assert vars(made).keys() == vars(known).keys()


def test_what_was_learned_is_not_copied_and_what_was_set_is():
    assert not hasattr(twin(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), {}), "coef_")
    scaler = StandardScaler().set_output(transform="polars")
    assert twin(scaler, {"with_mean": False})._sklearn_output_config == {"transform": "polars"}
    with config_context(enable_metadata_routing=True):
        asking = Ridge().set_fit_request(sample_weight=True)
        assert twin(asking, {"alpha": 2.0}).get_metadata_routing().fit.requests == {"sample_weight": True}


@pytest.mark.parametrize(
    ("model", "params", "error"), [(Ridge(), {"alfa": 1.0}, ValueError), (Restless(), {}, RuntimeError)]
)
def test_what_clone_refuses_is_refused(model, params, error):
    with pytest.raises(error):
        twin(model, params)
