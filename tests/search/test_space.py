import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_core.search.space import Joint, Range, Values, parse, sample


def test_an_empty_space_is_one_candidate():
    for given_ in (None, {}):
        space = parse(given_)
        assert space.grid(5) == [{}] and space.size() == space.grid_size(5) == 1
        assert space.draw(np.random.default_rng(0)) == {}


def test_the_grid_is_every_combination_the_last_parameter_fastest():
    space = parse({"a": [1, None], "b": ["x", "y"]})
    assert space.grid(9) == [{"a": a, "b": b} for a in (1, None) for b in ("x", "y")]


def test_ranges_become_points_ends_included():
    grid = parse({"C": {"low": 1e-3, "high": 1e3, "log": True}}).grid(7)
    assert [one["C"] for one in grid] == [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3]
    assert [one["k"] for one in parse({"k": {"low": 1, "high": 4, "int": True}}).grid(9)] == [1, 2, 3, 4]
    assert [one["k"] for one in parse({"k": {"low": 1, "high": 100, "log": True, "int": True}}).grid(3)] == [
        1,
        10,
        100,
    ]
    assert parse({"x": {"low": 0, "high": 1}}).grid(1) == [{"x": 0.5}]


ranges = st.tuples(st.floats(1e-6, 1e6), st.floats(1.001, 1e6), st.booleans())


@given(ranges, st.integers(1, 20), st.integers(0, 99))
def test_points_and_draws_lie_inside_and_points_ascend(one, n, seed):
    low, factor, log = one
    space = parse({"x": {"low": low, "high": low * factor, "log": log}})
    points = [candidate["x"] for candidate in space.grid(n)]
    assert points == sorted(set(points)) and len(points) == space.grid_size(n) <= n
    drawn = space.draw(np.random.default_rng(seed))["x"]
    assert all(low <= x <= low * factor for x in [*points, drawn])


@given(st.integers(-50, 50), st.integers(1, 50), st.integers(0, 99))
def test_whole_ranges_give_whole_numbers(low, width, seed):
    space = parse({"k": {"low": low, "high": low + width, "int": True}})
    values = [one["k"] for one in space.grid(width + 1)] + [space.draw(np.random.default_rng(seed))["k"]]
    assert all(type(k) is int and low <= k <= low + width for k in values)
    assert space.size() == width + 1 == len(space.grid(width + 1))


def test_draws_in_a_logarithm_are_even_there():
    space, rng = parse({"x": {"low": 1e-4, "high": 1e4, "log": True}}), np.random.default_rng(0)
    drawn = np.log10([space.draw(rng)["x"] for _ in range(2000)])
    assert abs(drawn.mean()) < 0.2 and abs(drawn.std() - 8 / math.sqrt(12)) < 0.1


def joint():
    return Joint(
        {"a": parse({"x": {"low": 0, "high": 1}}), "b": parse({"k": [1, 2], "m": ["u"]}), "c": parse({})},
        {"b": ["std", "tree"]},
        {"a": 3, "c": 0.5},
    )


def test_a_joint_space_is_one_familys_axes_at_a_time():
    space = joint()
    assert space.families == ["c", "b", "a"]
    assert list(space.axes) == ["family", "features", "b.k", "b.m", "a.x"]
    grid = space.grid(3)
    assert grid[0] == {"family": "c"} and len(grid) == space.grid_size(3) == 1 + 4 + 3
    assert grid[1] == {"family": "b", "features": "std", "b.k": 1, "b.m": "u"}
    assert grid[-1] == {"family": "a", "a.x": 1.0}
    assert space.size() == math.inf and space.only(["b", "c"]).size() == 5
    rng = np.random.default_rng(0)
    drawn = [space.draw(rng) for _ in range(300)]
    counts = [sum(one["family"] == family for one in drawn) for family in "abc"]
    assert min(counts) > 70
    assert all(set(one) == {"family", "a.x"} for one in drawn if one["family"] == "a")


def test_a_sample_has_no_candidate_twice_and_is_all_of_a_small_space():
    rng = np.random.default_rng(0)
    found = sample(joint().only(["b", "c"]), 4, rng)
    assert len({repr(one) for one in found}) == 4
    assert sample(joint().only(["b", "c"]), 9, rng) == joint().only(["b", "c"]).grid(1)


def test_places_along_an_axis():
    assert [Values(("a", "b", "c")).at(share) for share in (0, 0.4, 0.99, 1)] == ["a", "b", "c", "c"]
    assert Range(1, 100, log=True).at(0.5) == 10 and Range(0, 9, whole=True).at(1) == 9
    assert Range(0.0, 1.0).near(1.7) == 1.0 and Range(0, 9, whole=True).near(2.6) == 3
    assert Values((1, 2, 5)).ascends and not Values((1, 5, 2)).ascends
    assert not any(Values(v).ascends for v in ((1, 2), (1, 2, "3"), (False, True, 2), (None, 1, 2)))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ([1], r"model.space: got \[1\], must be a mapping"),
        ({"C": 1}, "model.space.C: got 1, must be a list or"),
        ({"C": []}, "model.space.C: the list is empty"),
        ({"C": [object()]}, "model.space.C: got <object .* allowed are numbers"),
        ({"C": [float("nan")]}, "model.space.C: got nan"),
        ({"C": {"low": 1, "hi": 2}}, "model.space.C: got 'hi', a range has low, high, log, int"),
        ({"C": {"low": 1}}, "model.space.C: a range needs high"),
        ({"C": {"low": 2, "high": 2}}, "model.space.C: low is 2, must be below high, which is 2"),
        ({"C": {"low": 3, "high": 2}}, "low is 3, must be below high"),
        ({"C": {"low": 0, "high": 2, "log": True}}, "low is 0, must be above 0 for log: true"),
        ({"C": {"low": -1, "high": 2, "log": True}}, "must be above 0 for log: true"),
        ({"C": {"low": 0.5, "high": 2, "int": True}}, "must be whole for int: true"),
        ({"C": {"low": "1e-3", "high": 2}}, "model.space.C.low: got '1e-3', must be a number"),
        ({"C": {"low": True, "high": 2}}, "model.space.C.low: got True"),
        ({"C": {"low": 1, "high": float("inf")}}, "model.space.C.high: got inf"),
        ({"C": {"low": 1, "high": 2, "log": "yes"}}, "model.space.C.log: got 'yes', must be true or false"),
    ],
)
def test_what_is_no_space_is_refused(given_, message):
    with pytest.raises(ValueError, match=message):
        parse(given_)
