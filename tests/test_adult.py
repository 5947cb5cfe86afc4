"""A real table through the whole pipeline: as good as scikit-learn by hand with the same choices."""

import json

import numpy as np
import polars as pl
import pytest
from closure import ROOT

ADULT = ROOT.parent / "shared/data/adult.csv"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ADULT.exists(), reason=f"{ADULT.name} is not in ../shared/data"),
]


def by_hand(model, params, train, test):
    """AUC of a pipeline that shares no line with ours: pandas in, scikit-learn's own pieces."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    text, numbers = make_column_selector(dtype_include=object), make_column_selector(dtype_include=np.number)
    levels = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), levels), text),
    )
    made = {
        "logistic": LogisticRegression(max_iter=2000),
        "boosting": HistGradientBoostingClassifier(random_state=0),
    }
    pipeline = make_pipeline(columns, made[model].set_params(**params))
    pipeline.fit(train.drop(columns="income"), train["income"])
    return roc_auc_score(test["income"] == ">50K", pipeline.predict_proba(test.drop(columns="income"))[:, 1])


@pytest.mark.parametrize("model", ["logistic", "boosting"])
def test_the_auc_is_that_of_a_pipeline_by_hand(project, model):
    project.mlcore("compose", f"model={model}", "data=csv", f"data.path={ADULT}", "data.target=income")
    project.mlcore("run", "evaluate")
    ours = json.loads(project.read("out/evaluate.json"))["auc"]
    params = json.loads(project.read("out/search/best.json"))["params"]
    parts = [pl.read_parquet(project.folder / f"out/prepare/{part}.parquet") for part in ("train", "test")]
    # the same rows, by another road: numpy objects into pandas, without Arrow's types
    train, test = (
        part.drop("_row")
        .to_pandas()
        .convert_dtypes(convert_string=False)
        .astype({name: object for name, kind in part.drop("_row").schema.items() if kind == pl.String})
        for part in parts
    )
    theirs = by_hand(model, params, train, test)
    assert len(train) + len(test) == 48_842
    assert ours == pytest.approx(theirs, abs=0.003), (ours, theirs)
    print(f"{model} {params}: ours {ours:.4f}, by hand {theirs:.4f}")  # noqa: T201 - for the note
