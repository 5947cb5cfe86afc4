import datetime as dt
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from ml_core.features.adapted import Adapted
from ml_core.features.columns import Columns
from ml_core.features.parts import Levels, Words
from ml_core.features.passthrough import Passthrough

KINDS = {
    "age": "numeric", "member": "boolean", "job": "categorical", "grade": "categorical",
    "born": "date", "seen": "date", "note": "text",
}  # fmt: skip


def table(n=60, seed=0, gaps=True):
    rng = np.random.default_rng(seed)
    holes = lambda values: [None if gaps and rng.random() < 0.1 else v for v in values]  # noqa: E731
    day = dt.date(2000, 1, 31)
    return pl.DataFrame(
        {
            "age": holes(rng.integers(18, 80, n).tolist()),
            "member": holes((rng.random(n) < 0.5).tolist()),
            "job": holes(rng.choice(["clerk", "smith", "baker", "Ärztin"], n).tolist()),
            "grade": holes(rng.integers(1, 4, n).tolist()),
            "born": holes([day + dt.timedelta(int(d)) for d in rng.integers(0, 5000, n)]),
            "seen": holes(
                [dt.datetime(2020, 1, 1) + dt.timedelta(hours=int(h)) for h in rng.integers(0, 9999, n)]
            ),
            "note": holes(
                [" ".join(rng.choice(["red", "green", "cheap", "old", "new"], 4)) for _ in range(n)]
            ),
        },
        schema_overrides={"born": pl.Date, "seen": pl.Datetime("us")},
    )


def dense(out):
    return out.toarray() if sparse.issparse(out) else out


def as_pandas(frame):
    return {
        "plain": frame.to_pandas(),
        "objects": pd.DataFrame({c: pd.Series(frame[c].to_list(), dtype=object) for c in frame.columns}),
        "nan": pd.DataFrame(
            {
                c: pd.Series([np.nan if v is None else v for v in frame[c]], dtype=object)
                for c in frame.columns
            }
        ),
        "nullable": frame.to_pandas().convert_dtypes(),
        "category": frame.to_pandas().astype({"job": "category", "grade": "category"}),
        "nanoseconds": frame.to_pandas().astype({"born": "datetime64[ns]", "seen": "datetime64[ns]"}),
        "arrow": frame.to_pandas(use_pyarrow_extension_array=True),
    }


@pytest.mark.parametrize("form", as_pandas(table(5)))
@pytest.mark.parametrize("choices", [{}, {"missing": "keep", "scale": "none", "categorical": "ordinal"}])
def test_pandas_and_polars_give_the_same_bits(form, choices):
    frame = table()
    ours = Columns(kinds=KINDS, **choices).fit(frame)
    theirs = Columns(kinds=KINDS, **choices).fit(as_pandas(frame)[form])
    wanted = dense(ours.transform(frame))
    assert wanted.dtype == np.float64
    for model, rows in ((ours, as_pandas(frame)[form]), (theirs, frame)):
        assert_array_equal(dense(model.transform(rows)), wanted)
    assert_array_equal(ours.get_feature_names_out(), theirs.get_feature_names_out())


def test_the_order_of_columns_and_extra_ones_change_nothing():
    frame = table()
    features = Columns(kinds=KINDS).fit(frame)
    other = frame.select(reversed(frame.columns)).with_columns(extra=pl.lit("x"))
    assert_array_equal(features.transform(other), features.transform(frame))


def test_a_row_alone_gives_what_it_gives_among_others():
    frame = table()
    features = Columns(kinds=KINDS).fit(frame)
    whole = dense(features.transform(frame))
    rows = np.vstack([dense(features.transform(frame[i : i + 1])) for i in range(len(frame))])
    assert_array_equal(rows, whole)


def test_fit_transform_is_fit_then_transform_and_names_count_the_columns():
    frame = table()
    for choices in ({}, {"sparse": True}, {"indicator": True, "missing": "mean", "scale": "robust"}):
        features = Columns(kinds=KINDS, **choices)
        out = dense(features.fit_transform(frame))
        assert_array_equal(out, dense(features.transform(frame)))
        names = features.get_feature_names_out()
        assert out.shape[1] == len(names) == len(set(names))
        assert not np.isnan(out).any()


def test_numbers_are_filled_then_scaled_as_scikit_learn_does():
    X = table()[["age"]].cast(pl.Float64)
    ours = Columns({"age": "numeric"}).fit_transform(X)
    twin = StandardScaler().fit_transform(SimpleImputer(strategy="median").fit_transform(X.to_numpy()))
    assert_allclose(ours, twin, atol=1e-12)


def test_text_equals_scikit_learns_tfidf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    X = table(gaps=False)[["note"]]
    twin = TfidfVectorizer(max_features=3).fit_transform(X["note"].to_list()).toarray()
    assert_allclose(Words(most=3).fit(X).transform(X).toarray(), twin, atol=1e-12)


def test_a_missing_column_is_named():
    features = Columns(KINDS).fit(table())
    for rows in (table().drop("job"), table().drop("job").to_pandas()):
        with pytest.raises(ValueError, match="no column 'job'; it has age, member, grade"):
            features.transform(rows)


def test_text_among_numbers_is_named_with_an_example():
    features = Columns({"age": "numeric"}).fit(pl.DataFrame({"age": [1, 2]}))
    with pytest.raises(ValueError, match="column 'age' must hold numbers, got String such as '12.5'"):
        features.transform(pl.DataFrame({"age": ["12.5"]}))
    with pytest.raises(
        ValueError, match="column 'age' holds inf in row 1; allowed are finite numbers and null"
    ):
        features.transform(pl.DataFrame({"age": [1.0, np.inf]}))


@pytest.mark.parametrize("features", [Columns(), Passthrough(), Adapted(StandardScaler())])
def test_what_is_no_frame_is_refused(features):
    with pytest.raises(ValueError, match="polars or pandas DataFrame with named columns, got ndarray"):
        features.fit(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"missing": "zero"}, "features.missing: got 'zero', allowed are median, mean, keep"),
        ({"scale": "unit"}, "features.scale: got 'unit', allowed are standard, robust, minmax, none"),
        ({"dates": ["second"]}, "features.dates: got 'second', allowed are year"),
        ({"min_frequency": 0}, "features.min_frequency: got 0, must be a number above 0"),
        ({"kinds": {"age": "int"}}, "kinds must name columns as numeric, .*; got \\['int'\\]"),
    ],
)
def test_wrong_choices_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        Columns(**choices).fit(table())


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="no rows to learn from"):
        Columns(KINDS).fit(table()[:0])


def test_kinds_are_inferred_from_dtypes():
    frame = table(gaps=False).with_columns(code=pl.Series([f"c{i}" for i in range(60)]))
    frame = frame.with_columns(note=pl.Series([f"sentence number {i} is long" for i in range(60)]))
    wanted = KINDS | {"grade": "numeric", "code": "categorical"}
    assert Columns().fit(frame).kinds_ == wanted
    assert Columns().fit(frame.to_pandas()).kinds_ == wanted


scalars = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["clerk", "smith"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(scalars, min_size=1, max_size=8), st.sampled_from([{}, {"categorical": "ordinal"}]))
def test_any_level_at_predict_time_gives_finite_numbers(values, choices):
    features = Columns({"job": "categorical"}, min_frequency=1, **choices).fit(table()[["job"]])
    rows = pl.DataFrame({"job": values}, schema={"job": pl.String})
    out = features.transform(rows)
    assert out.shape[0] == len(values) and np.isfinite(out).all()
    pandas = pd.DataFrame({"job": pd.Series(values, dtype=object)})
    assert_array_equal(features.transform(pandas), out)


@settings(max_examples=25, deadline=None)
@given(st.lists(scalars, min_size=1, max_size=30))
def test_each_training_row_has_exactly_one_level(values):
    X = pl.DataFrame({"x": values}, schema={"x": pl.String})
    out = Levels(min_frequency=2).fit_transform(X)
    assert_array_equal(out.sum(axis=1), np.ones(len(values)))


def test_clones_and_pickles():
    features = Columns(kinds=KINDS, scale="robust")
    assert clone(features).get_params() == features.get_params()
    fitted = features.fit(table())
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(table()), fitted.transform(table()))
    assert not hasattr(clone(fitted), "columns_")


def test_passthrough_hands_numbers_on():
    X = pl.DataFrame({"a": [1, None], "b": [True, False]})
    features = Passthrough().fit(X)
    assert_array_equal(features.transform(X), [[1, 1], [np.nan, 0]])
    assert_array_equal(features.transform(X.to_pandas()), [[1, 1], [np.nan, 0]])
    assert list(features.get_feature_names_out()) == ["a", "b"]
    assert get_tags(features).requires_fit is False and get_tags(Columns()).requires_fit
    with pytest.raises(
        ValueError, match=r"takes numeric columns only, got job \(categorical\); choose features=standard"
    ):
        Passthrough().fit(table()[["age", "job"]])


def test_adapted_makes_numbers_of_frames():
    X = table(gaps=False)[["age", "grade"]]
    kinds = {"age": "numeric", "grade": "numeric"}
    features = Adapted(StandardScaler().set_output(transform="polars"), kinds).fit(X)
    assert_allclose(features.transform(X.to_pandas()), StandardScaler().fit_transform(X.to_numpy()))
    assert list(features.get_feature_names_out()) == ["age", "grade"]


def test_skrub_takes_both_frames():
    skrub = pytest.importorskip("skrub", reason="skrub is an extra")
    features = Adapted(skrub.TableVectorizer(), KINDS).fit(table())
    out = features.transform(table())
    assert out.dtype == np.float64 and out.shape == (60, len(features.get_feature_names_out()))
    assert_array_equal(features.transform(table().to_pandas()), out)
