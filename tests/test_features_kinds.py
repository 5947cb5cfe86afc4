"""Each kind of column by itself: categories, numbers, dates and text, beside scikit-learn's."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from ml_core.features.columns import Columns
from ml_core.features.parts import DateParts, Fill, Levels, Words


def test_one_hot_equals_scikit_learns():
    rng = np.random.default_rng(0)
    X = pl.DataFrame(
        {c: rng.choice([*"abcdef", None], 300, p=[0.4, 0.3, 0.2, 0.03, 0.01, 0.01, 0.05]) for c in "xyz"}
    )
    ours = Levels(min_frequency=12).fit(X)
    twin = OneHotEncoder(min_frequency=12, handle_unknown="infrequent_if_exist", sparse_output=False)
    objects = X.to_numpy()
    twin.fit(objects)
    # scikit-learn puts null before rare
    names = twin.get_feature_names_out()
    order = sorted(range(len(names)), key=lambda j: _rank(names[j]))
    unseen = pl.DataFrame({"x": ["a", "new"], "y": ["f", None], "z": ["b", "?"]})
    for rows in (X, unseen):
        assert_array_equal(ours.transform(rows), twin.transform(rows.to_numpy())[:, order])
        assert_array_equal(
            Levels(min_frequency=12, dense=False).fit(X).transform(rows).toarray(), ours.transform(rows)
        )


def _rank(name):
    column, level = name.split("_", 1)
    return (column, {"infrequent_sklearn": 1, "None": 2}.get(level, 0))


def test_levels_beyond_the_most_frequent_are_rare_and_ties_go_by_name():
    X = pl.DataFrame({"x": list("aaabbccdd")})
    levels = Levels(min_frequency=1, max_levels=2).fit(X)
    assert list(levels.get_feature_names_out()) == ["x=a", "x=b", "x is rare"]
    assert_array_equal(levels.transform(pl.DataFrame({"x": ["c", "new", None]})), [[0, 0, 1]] * 3)


def test_an_unknown_level_is_all_zeros_where_nothing_was_rare():
    levels = Levels(min_frequency=1).fit(pl.DataFrame({"x": ["a", "b"]}))
    assert_array_equal(levels.transform(pl.DataFrame({"x": ["c", None, "b"]})), [[0, 0], [0, 0], [0, 1]])


def test_ordinal_numbers():
    X = pl.DataFrame({"x": ["b", "a", None]})
    unseen = pl.DataFrame({"x": ["a", "b", None, "new"]})
    assert_array_equal(Levels("ordinal", 1).fit(X).transform(unseen).ravel(), [0, 1, 2, -1])
    kept = Levels("ordinal", 1, keep_null=True).fit(X).transform(unseen).ravel()
    assert_array_equal(kept, [0, 1, np.nan, -1])


@pytest.mark.parametrize("strategy", ["median", "mean", "most_frequent"])
@pytest.mark.parametrize("seed", range(3))
def test_fill_equals_scikit_learns_imputer(strategy, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (40, 4)).astype(float)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 3] = np.arange(40)
    ours = Fill(strategy, indicator=True).fit_transform(X)
    assert_allclose(ours, SimpleImputer(strategy=strategy, add_indicator=True).fit_transform(X), rtol=1e-15)


def test_a_column_of_gaps_only_is_filled_with_zero():
    X = pl.DataFrame({"x": [None, None, None], "y": [1.0, 2.0, 3.0]}, schema_overrides={"x": pl.Float64})
    assert_allclose(Columns(scale="none").fit_transform(X), [[0, 1], [0, 2], [0, 3]])


def test_parts_of_a_date():
    X = pl.DataFrame({"t": [dt.datetime(2024, 2, 29, 13), None, dt.datetime(2023, 1, 1)]})
    parts = DateParts().fit(X)
    names = ["t.year", "t.month", "t.day", "t.weekday", "t.hour", "t.elapsed"]
    assert list(parts.get_feature_names_out()) == names
    out = parts.transform(X)
    assert_allclose(out[0], [2024, 2, 29, 4, 13, 424 + 13 / 24])
    assert_allclose(out[2], [2023, 1, 1, 7, 0, 0])
    assert np.isnan(out[1]).all()
    days = pl.DataFrame({"t": X["t"].dt.truncate("1d")})
    assert "t.hour" not in DateParts().fit(days).get_feature_names_out()


def test_dates_as_text_with_zones_and_as_days_are_one_thing():
    kinds, day = {"t": "date"}, dt.datetime(2024, 5, 1, 10)
    X = pl.DataFrame({"t": [day, dt.datetime(2024, 5, 2)]})
    features = Columns(kinds).fit(X)
    texts = pl.DataFrame({"t": ["2024-05-01T12:00:00+02:00", "2024-05-02"]})
    zoned = X.with_columns(pl.col("t").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    for rows in (texts, zoned, zoned.to_pandas()):
        assert_array_equal(features.transform(rows), features.transform(X))
    with pytest.raises(ValueError, match="column 't' must hold dates, got text such as 'soon'"):
        features.transform(pl.DataFrame({"t": ["soon", None]}))


def test_text_is_tfidf():
    X = pl.DataFrame({"note": ["red red green", "green", None]})
    words = Words(most=10).fit(X)
    assert list(words.get_feature_names_out()) == ["note:green", "note:red"]
    out = words.transform(X).toarray()
    assert_allclose(np.linalg.norm(out, axis=1), [1, 1, 0])
    assert out[0, 1] > out[0, 0] > 0
    assert_array_equal(words.transform(pl.DataFrame({"note": ["unheard of"]})).toarray(), [[0, 0]])
    assert Words(most=16, hashing=True).fit(X).transform(X).shape == (3, 16)
    with pytest.raises(ValueError, match="text column 'note' has no word in its 2 rows"):
        Words().fit(pl.DataFrame({"note": ["", None]}))


def test_many_columns_of_zeros_become_csr():
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"x": rng.integers(0, 1500, 6000).astype(str), "y": rng.normal(size=6000)})
    kinds = {"x": "categorical", "y": "numeric"}
    out = Columns(kinds, min_frequency=1, max_levels=5000).fit_transform(X)
    assert sparse.issparse(out) and out.format == "csr" and out.dtype == np.float64
    assert_array_equal(
        out.toarray(), Columns(kinds, min_frequency=1, max_levels=5000, sparse=False).fit_transform(X)
    )
    assert isinstance(Columns(kinds).fit_transform(X), np.ndarray)


def test_minmax_keeps_numbers_between_0_and_1_whatever_comes():
    features = Columns(kinds={"a": "numeric"}, scale="minmax").fit(pl.DataFrame({"a": [2.0, 4.0, None]}))
    assert_array_equal(
        features.transform(pl.DataFrame({"a": [-9.0, 2.5, 99.0, None]})).ravel(), [0, 0.25, 1, 0.5]
    )
