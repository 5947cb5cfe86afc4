"""The menu: every option of conf/ composes, names only what is allowed, and becomes objects."""

import importlib.util

import pytest
import yaml
from closure import ROOT

from ml_core.cli.build import allowed_packages, build, locate
from ml_core.cli.compose import compose

APART = {"schedule"}  # read by ml_core/schedule.py, not composed: tests/test_schedule.py
GROUPS = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name not in APART)
OPTIONS = sorted((group, path.stem) for group in GROUPS for path in (ROOT / "conf" / group).glob("*.yaml"))
OPTIONS += sorted(("search/engine", path.stem) for path in (ROOT / "conf/search/engine").glob("*.yaml"))
# what an option needs a word on before it composes
NEEDS = {
    ("data", "csv"): ["data.path=x.csv", "data.target=y"],
    ("data", "parquet"): ["data.path=x.parquet", "data.target=y"],
    ("data", "sql"): ["data.query='select 1'", "data.target=y"],
    ("split", "group"): ["split.by=a"],
    ("split", "time"): ["split.by=a", "split.cutoff='2024-01-01'"],
}
EXTRAS = {("features", "skrub"): "skrub"}


def targets(node, where=""):
    """Every `_target_` under ``node`` with the place it stands."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield where, node["_target_"]
        for name, value in node.items():
            yield from targets(value, f"{where}.{name}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from targets(value, f"{where}[{i}]")


def test_the_menu_has_the_groups_that_the_docs_name():
    assert GROUPS == [
        "data",
        "evaluate",
        "experiment",
        "features",
        "gate",
        "model",
        "search",
        "split",
        "tracking",
    ]
    assert all(any(group == name for name, _ in OPTIONS) for group in GROUPS)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_an_option_composes_and_becomes_objects(group, option):
    extra = EXTRAS.get((group, option))
    if extra and importlib.util.find_spec(extra) is None:
        pytest.skip(f"{group}={option} needs the extra {extra}")
    params = yaml.safe_load(compose([f"{group}={option}", *NEEDS.get((group, option), [])], "config", ROOT))
    allowed = allowed_packages(ROOT)
    found = list(targets(params))
    assert found
    for where, name in found:
        assert locate(name, allowed, where)
    assert build(params, allowed)


def test_the_allowlist_is_short():
    assert set(allowed_packages(ROOT)) == {"ml_core", "sklearn", "skrub"}


def test_today_and_the_default_menu_agree():
    """What is committed is the plain menu: a clone starts from conf/config.yaml."""
    assert compose([], "today", ROOT) == compose([], "config", ROOT) == (ROOT / "params.yaml").read_text()


def test_params_hold_no_path_of_a_machine_and_no_secret():
    text = (ROOT / "params.yaml").read_text()
    assert str(ROOT) not in text and "://" not in text
