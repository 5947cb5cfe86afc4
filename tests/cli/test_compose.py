"""conf/ -> params.yaml: resolved, stable, written only when changed, and the same for whoever composes."""

import subprocess
import sys

import pytest
import yaml

from ml_core.cli import compose
from ml_core.cli.commands import run_app

CONF = {
    "config.yaml": "defaults: [{model: ridge}, {data: small}, _self_, {experiment: null}]\nseed: 0\nmust: 1\n"
    "box: {inner: 1}\nrow: [1]",
    "today.yaml": compose.HEAD + "defaults: [config, _self_]\n",
    "model/ridge.yaml": "alpha: 1.0\nname: ridge\nseed: ${seed}\n",
    "model/forest.yaml": "trees: 100\nname: forest\n",
    "data/small.yaml": "path: a.csv\n",
    "data/csv.yaml": "path: ???\nmissing: ['?']\n",
    "experiment/big.yaml": "# @package _global_\ndefaults: [{override /model: forest}]\nseed: 7\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in CONF.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    compose.write([], tmp_path)
    return tmp_path


def params(root):
    return yaml.safe_load((root / "params.yaml").read_text())


def test_params_are_resolved_and_written_only_when_changed(root):
    before = (root / "params.yaml").stat().st_mtime_ns
    assert params(root)["model"] == {"alpha": 1.0, "name": "ridge", "seed": 0}
    assert not compose.write([], root) and (root / "params.yaml").stat().st_mtime_ns == before
    assert compose.write(["model=forest"], root) and params(root)["model"]["trees"] == 100
    assert list(params(root)) == ["model", "data", "seed", "must", "box", "row"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=forest"],
        ["model=forest", "model.trees=7", "data=csv", "data.path='a folder/ä b.csv'"],
        ["experiment=big", "seed=3"],
        ["+model.extra=[1,x,null]", "seed=null"],
        ["data.path=x=y.csv"],
        ["+data.types={a: String, b: Int64}"],
    ],
)
def test_today_keeps_the_overrides_for_everyone_who_composes(root, overrides):
    if overrides == ["data.path=x=y.csv"]:
        overrides = ["data.path='x=y.csv'"]
    compose.write(overrides, root)
    assert compose.check(root) == ""
    assert compose.compose([], "today", root) == compose.compose(overrides, "config", root)
    again = compose.kept(root)
    before = (root / "params.yaml").read_text()
    compose.write(again, root)
    assert (root / "params.yaml").read_text() == before, "the advice composes the same again"


def test_dvc_composes_the_same_bytes(root):
    compose.write(["model=forest", "data=csv", "data.path=x.csv"], root)
    script = (
        "from dvc.utils.hydra import compose_and_dump as dump; import sys;"
        "dump('theirs.yaml', sys.argv[1] + '/conf', None, 'today', '', [])"
    )
    subprocess.run([sys.executable, "-c", script, str(root)], cwd=root, check=True)
    assert (root / "theirs.yaml").read_bytes() == (root / "params.yaml").read_bytes()


def test_check_shows_what_was_edited_by_hand_and_how_to_keep_it(root):
    compose.write(["data=csv", "data.path=x.csv"], root)
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("seed: 0", "seed: 1"))
    assert "-seed: 1\n" in compose.check(root) and "+seed: 0\n" in compose.check(root)
    (root / "params.yaml").write_text(compose.compose(["model=forest"], "today", root))
    assert compose.advice(root) == "mlcore compose data=csv 'data.path=\"x.csv\"' model=forest"


def test_a_changed_option_is_seen_without_composing_first(root):
    assert compose.check(root) == ""
    (root / "conf/model/ridge.yaml").write_text("alpha: 2.0\nname: ridge\nseed: ${seed}\n")
    assert "alpha: 2.0" in compose.check(root)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=forrest"], "no option 'forrest'; did you mean model=forest"),
        (["modle=forest"], "modle"),
        (["model.alhpa=1"], "alhpa"),
        (["data=csv"], "data.path has no value yet; add data.path="),
        (["model=a,b"], "one value at a time"),
        (["~model.alpha"], "cannot be kept"),
        (["a=[1"], "conf/"),
        (["seed=${nowhere}"], "nowhere"),
        (
            ["box=[1]"],
            "box is a mapping in conf/, and no list can replace it here; set its keys, box.KEY=VALUE",
        ),
        (["row={a: 1}"], "row is a list in conf/, and no mapping can replace it here; give row="),
        (["box={}"], "box={} would change nothing, since mappings are merged; box=null is an empty one"),
    ],
)
def test_what_does_not_compose_changes_nothing_and_is_told_shortly(root, overrides, message):
    before = [(root / name).read_text() for name in ("params.yaml", "conf/today.yaml")]
    with pytest.raises(ValueError, match=message) as error:
        compose.write(overrides, root)
    assert len(str(error.value).splitlines()) <= 2
    assert [(root / name).read_text() for name in ("params.yaml", "conf/today.yaml")] == before


def test_no_params_yaml_is_told(root):
    (root / "params.yaml").unlink()
    with pytest.raises(FileNotFoundError, match="run `mlcore compose`"):
        compose.check(root)


def test_choices_given_to_a_step_are_sent_to_compose(root, capsys, monkeypatch):
    (root / "dvc.yaml").touch()
    monkeypatch.chdir(root)
    assert run_app(["search", "search.folds.n=3", "model.space.C=[1, 2]"]) == 2
    told = capsys.readouterr().err
    assert told.endswith("first: mlcore compose search.folds.n=3 'model.space.C=[1, 2]'\n")
    assert run_app(["search", "again"]) == 2
    assert "mlcore compose" not in capsys.readouterr().err
