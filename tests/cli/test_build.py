"""Only what is allowed is called, and every mistake in conf/ is named where it stands."""

from fractions import Fraction

import pytest

from ml_core.cli.build import build, check_type

ALLOWED = ("ml_core", "sklearn")


def test_objects_are_built_inside_out_and_lists_are_walked():
    node = {"list": [{"_target_": "sklearn.linear_model.Ridge", "alpha": 2.0}], "plain": {"x": 1}}
    built = build(node, ALLOWED)
    assert built["list"][0].alpha == 2.0 and built["plain"] == {"x": 1}
    assert "_target_" in node["list"][0], "the configuration itself stays as it was"


@pytest.mark.parametrize(
    "name",
    [
        "os.getcwd",
        "subprocess.run",
        "builtins.eval",
        "sklearn.utils.fixes.np.load",  # starts in an allowed package and leaves it
        "ml_core.cli.door.shutil.rmtree",
        "ml_core.plan.os.system",
        "ml_core.plan.PLACE",  # no callable
        "sklearn",
        7,
        None,
    ],
)
def test_nothing_outside_the_allowed_packages_is_called(name):
    with pytest.raises(ValueError, match=r"not in an allowed package|there is no module"):
        build({"_target_": name}, ALLOWED, "model.estimator")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "sklearn.ensemble.RandomForest"}, "did you mean sklearn.ensemble.RandomForest"),
        ({"_target_": "sklearn.nothing.Here"}, "no module sklearn.nothing"),
        (
            {"_target_": "sklearn.linear_model.Ridge", "alhpa": 1},
            "Ridge takes no 'alhpa'; did you mean alpha",
        ),
        ({"_target_": "ml_core.cli.door.Failed", "name": "x", "message": "y"}, "Failed needs code"),
        (
            {"_target_": "ml_core.cli.door.Failed", "name": "x", "code": "two", "message": "y"},
            "got 'two' .str., allowed",
        ),
    ],
)
def test_mistakes_name_the_place_and_the_way_out(node, message):
    with pytest.raises(ValueError, match=message) as error:
        build(node, ALLOWED, "model.estimator")
    assert str(error.value).startswith("model.estimator") and len(str(error.value).splitlines()) <= 2


def test_a_package_that_is_allowed_but_missing_is_named():
    with pytest.raises(
        ValueError, match="needs the package nowhere_to_be_found, which is not installed|install it"
    ):
        build({"_target_": "nowhere_to_be_found.Thing"}, ("nowhere_to_be_found",))


@pytest.mark.parametrize(
    ("value", "hint", "fine"),
    [
        (1, int, True), (True, int, False), ("1", int, False), (1, float, True), (1.5, int, False),
        (None, int, False), (None, int | None, True), ("x", int | str, True), ([1], list[int], True),
        ({}, dict, True), (True, bool, True), (1, bool, False), ("x", Fraction, True), ("any", None, True),
    ],
)  # fmt: skip
def test_plain_types_are_checked_and_others_left_alone(value, hint, fine):
    if fine:
        check_type(value, hint, "x")
    else:
        with pytest.raises(ValueError, match="x: got"):
            check_type(value, hint, "x")
