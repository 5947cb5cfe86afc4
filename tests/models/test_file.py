"""What a saved model keeps, to the bit, in this process and in others."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from holder import Holder
from numpy.testing import assert_array_equal
from saved import MODELS, NAMES, X, fitted
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_core.features.columns import Columns
from ml_core.models import file


@pytest.mark.parametrize("name", MODELS)
def test_a_model_read_back_predicts_the_same(name, tmp_path):
    model = fitted(name)
    file.save(model, tmp_path / "model.skops")
    loaded = file.load(tmp_path / "model.skops")
    assert type(loaded) is type(model)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


def mixed_table():
    return pl.DataFrame(
        {
            "age": [1.0, None, 3.0, 4.0] * 5,
            "job": ["smith", "clerk", None, "clerk"] * 5,
            "born": pl.Series(["2020-01-01", "2021-02-03", None, "1999-09-09"] * 5).str.to_date(),
            "note": ["red car", "old red house", "", None] * 5,
        }
    )


@pytest.mark.parametrize(
    "choices", [{}, {"categorical": "ordinal", "missing": "keep"}, {"text": "hash", "sparse": True}]
)
def test_features_read_back_give_the_same(choices):
    kinds = {"age": "numeric", "job": "categorical", "born": "date", "note": "text"}
    features = Columns(kinds, min_frequency=1, **choices).fit(mixed_table())
    loaded = file.loads(file.dumps(features))
    for a, b in zip(*(thing.transform(mixed_table()[:7]) for thing in (loaded, features)), strict=True):
        assert_array_equal(getattr(a, "toarray", lambda a=a: a)(), getattr(b, "toarray", lambda b=b: b)())
    assert_array_equal(loaded.get_feature_names_out(), features.get_feature_names_out())


SCRIPT = """
import sys, hashlib
sys.path.insert(0, "tests/models")
junk = [bytes(i) for i in range(int(sys.argv[1]) * 1000)]      # other addresses, other garbage in memory
from test_file import MODELS, fitted
from ml_core.models import file, neighbors
for name in MODELS:
    if name != "kmeans":       # its sums depend on the threads: the train step holds it at one
        print(name, hashlib.sha256(file.dumps(fitted(name))).hexdigest())
"""


def test_the_same_model_gives_the_same_bytes_in_another_process(pytestconfig):
    threads = "2" if os.environ.get("OMP_NUM_THREADS") == "1" else "1"
    more = {
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "passive",
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": ".",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "3"],
        env=os.environ | more, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = [name for name in MODELS if name != "kmeans"]
    ours = [f"{name} {hashlib.sha256(file.dumps(fitted(name))).hexdigest()}" for name in names]
    assert done.stdout.splitlines() == ours


@pytest.mark.parametrize("name", ["gradient", "forest", "logistic"])
def test_a_model_fitted_twice_has_the_bytes_of_one_fitted_once(name):
    once, twice = (clone(MODELS[name]).fit(X, NAMES) for _ in range(2))
    assert file.dumps(twice.fit(X, NAMES)) == file.dumps(once)


def names_in(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def test_objects_that_are_one_stay_one_and_equal_arrays_share_their_bytes():
    array, other = np.arange(5.0), np.arange(5.0)
    content = file.dumps(Holder(a=array, b=array, c=other, d={"x": array}))
    back = file.loads(content, packages=[Holder.__module__])
    assert back.a is back.b is back.d["x"] and back.c is not back.a
    assert_array_equal(back.c, other)
    assert len(names_in(content)) == 2


def test_sets_and_interned_strings_leave_no_trace():
    word = "".join(["ab", "c"])
    one = file.dumps(Holder(a={"x", "y", "zz", 3}, b="abc", c=word, d=(1.5, 2)))
    two = file.dumps(Holder(a={3, "zz", "y", "x"}, b="abc", c="abc", d=(1.5, 2)))
    assert one == two


def test_a_missing_file_and_a_model_with_a_lambda_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="model.skops: there is no model file"):
        file.load(tmp_path / "model.skops")
    with pytest.raises(ValueError, match="Holder cannot be kept as a file"):
        file.save(Holder(generator=(i for i in range(3))), tmp_path / "model.skops")
    assert list(tmp_path.iterdir()) == []
    content = file.dumps(FunctionTransformer(func=lambda values: values))
    with pytest.raises(ValueError, match="<lambda>"):
        file.loads(content)


def test_a_broken_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    file.save(fitted("logistic"), path)
    before = path.read_bytes()

    def full(self, data):
        with open(self, "wb") as half:
            half.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        file.save(fitted("forest"), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_importing_it_costs_nothing():
    code = (
        "import sys, ml_core.models.file; print({'sklearn', 'skops', 'numpy', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_mlflow_loads_it_as_a_python_function(tmp_path):
    import pandas as pd
    from mlflow import pyfunc

    rows = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(Columns(), LogisticRegression(max_iter=500)).fit(rows, NAMES)
    file.save(model, tmp_path / "model.skops")
    pyfunc.save_model(
        str(tmp_path / "saved"),
        loader_module="ml_core.models.file",
        data_path=str(tmp_path / "model.skops"),
        pip_requirements=[],  # else MLflow starts a process to guess them
    )
    assert_array_equal(pyfunc.load_model(str(tmp_path / "saved")).predict(rows), model.predict(rows))
    loaded = file._load_pyfunc(tmp_path / "model.skops")
    assert_array_equal(loaded.predict(rows, {"method": "predict_proba"}), model.predict_proba(rows))
    with pytest.raises(
        ValueError, match="got 'fit', this model has predict, predict_proba, decision_function"
    ):
        loaded.predict(rows, {"method": "fit"})
